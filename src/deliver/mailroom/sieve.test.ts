import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { defaultsOf } from '../../system/declare.ts';
import { SIEVE_SETTINGS, type SieveSettings } from '../filters/sieve/settings.ts';
import { createSieveEngine } from './sieve.ts';

/** Runs a shell script of the administrator's folder. */
function run(t: TestContext, script: string, more: { readonly timeoutMs?: number; readonly input?: string } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-sieve-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'program'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const settings = { ...(defaultsOf(SIEVE_SETTINGS) as SieveSettings), 'sieve.programDirectory': folder };
  const nothing = (): void => {};
  const engine = createSieveEngine({ settings: () => settings, log: { debug: nothing, info: nothing, warn: nothing, error: nothing } });
  return engine.program!({
    kind: 'run',
    origin: { file: 'sieve:main', line: 1 },
    command: { kind: 'argv', argv: ['program'] },
    input: more.input === undefined ? null : Buffer.from(more.input),
    wantsOutput: true,
    outputMax: 1000,
    environment: { WHO: 'ann' },
    timeoutMs: more.timeoutMs ?? 20_000,
    umask: null,
  });
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test('a program gets its input and environment, and its output and exit code are told', async (t) => {
  const { exit, output, isTimedOut, isTruncated } = await run(t, 'cat; echo "$WHO"; exit 3', { input: 'hello\n' });
  assert.deepEqual([exit, text(output), isTimedOut, isTruncated], [3, 'hello\nann\n', false, false]);
});

test('a program that leaves another behind, which holds its output open, does not hold up the message', async (t) => {
  const { exit, output } = await run(t, 'sleep 600 &\necho $!');
  process.kill(Number(text(output)), 'SIGKILL');
  assert.equal(exit, 0);
});

test('a program that takes too long is ended with all that it has started', async (t) => {
  const { isTimedOut, output } = await run(t, 'sleep 600 &\necho $!\nwait', { timeoutMs: 500 });
  assert.equal(isTimedOut, true);
  const pid = Number(text(output));
  for (let turn = 0; turn < 1000 && isThere(pid); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isThere(pid), false);
});

/** Not so for one that has ended and that nobody has asked after. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
