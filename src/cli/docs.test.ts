import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SETTINGS } from '../settings.ts';
import { EVENTS } from '../system/events.ts';
import { METRICS } from '../system/metrics.list.ts';
import { parseConfig } from '../system/config/load.ts';
import type { Setting } from '../system/declare.ts';
import { configReference } from '../system/config/show.ts';
import { programDir } from '../system/version.ts';
import { commandsReference } from './commands-reference.ts';
import { CAPABILITY_ROWS } from '../access/imap/capability-rows.ts';
import type { CliContext } from './context.ts';
import { eventsReference, findCalls, metricsReference } from './events-reference.ts';
import { extensionsReference } from './extensions-reference.ts';
import { buildProgram } from './program.ts';

const page = (name: string): string => readFileSync(join(programDir(), 'docs', name), 'utf8');
const STALE = 'is stale: run "node bin/run.mjs docs"';

test('docs/configuration.md is what the declarations say', () => {
  assert.equal(page('configuration.md'), configReference(SETTINGS), `docs/configuration.md ${STALE}`);
});

test('docs/commands.md is what the commands say', () => {
  const { program } = buildProgram(() => ({ io: {}, hooks: {} }) as unknown as CliContext);
  assert.equal(page('commands.md'), commandsReference(program), `docs/commands.md ${STALE}`);
});

test('docs/log-events.md and docs/metrics.md are what the source says', () => {
  assert.equal(page('log-events.md'), eventsReference(join(programDir(), 'src')), `docs/log-events.md ${STALE}`);
  assert.equal(page('metrics.md'), metricsReference(), `docs/metrics.md ${STALE}`);
});

test('docs/imap-extensions.md is what the table of capabilities says, and every proof is there', () => {
  assert.equal(page('imap-extensions.md'), extensionsReference(), `docs/imap-extensions.md ${STALE}`);
  for (const { name, proof } of CAPABILITY_ROWS) assert.ok(existsSync(join(programDir(), proof)), `${name}: ${proof} is not there`);
  const names = CAPABILITY_ROWS.map((row) => row.name);
  assert.deepEqual(names, [...new Set(names)], 'each capability has one row');
});

test('every log event has a sentence in system/events.ts, every metric a row in system/metrics.list.ts', () => {
  const { events, metrics } = findCalls(join(programDir(), 'src'));
  assert.deepEqual(
    [...events.keys()].filter((name) => !EVENTS.has(name)),
    [],
  );
  assert.deepEqual(
    [...metrics].filter((name) => !METRICS.has(name)),
    [],
  );
});

test('every option has one sentence of help, and its default reads back from what show prints', () => {
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    assert.match(setting.doc, /^[A-Z"'].*[.)]$/s, `${key}: the help is a sentence`);
    const shown = parseConfig(`v = ${setting.show(setting.default)}`, null, { v: { ...setting, kind: 'any' } }).settings.v;
    assert.deepEqual(shown, setting.default, key);
  }
});

test('no option is declared by two rooms', () => {
  const source = readFileSync(join(programDir(), 'src', 'settings.ts'), 'utf8');
  const rooms = [...source.matchAll(/import \{ (\w+) \} from '(\.\/.*)';/g)].map(async ([, name, file]) =>
    Object.keys((await import(join(programDir(), 'src', file!)))[name!]),
  );
  return Promise.all(rooms).then((names) => {
    const all = names.flat();
    assert.deepEqual(
      all.filter((name, i) => all.indexOf(name) !== i),
      [],
    );
    assert.equal(all.length, Object.keys(SETTINGS).length);
  });
});
