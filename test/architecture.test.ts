import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const SRC = resolve(import.meta.dirname, '../src');

/** Rooms from the bottom up; a room may import what stands before it, and itself. Files directly in src/ and threads/ wire everything. */
const LAYERS: readonly (readonly string[])[] = [
  ['system'],
  ['net', 'wire', 'mail'],
  ['store', 'directory', 'search'],
  ['deliver', 'route', 'queue', 'receive', 'access', 'judge'],
  ['cli', 'threads', ''],
];
/** What the drawing does not show, with the reason. */
const ALLOWED = new Set(['cli>threads']);

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

function imports(): Import[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  return files.flatMap((file) => {
    const text = readFileSync(join(SRC, file), 'utf8');
    return [...text.matchAll(/^(import|export) (type )?(?:[^'";]*? from )?'(\.[^']+)';/gm)].map((match) => ({
      from: file,
      to: relative(SRC, resolve(dirname(join(SRC, file)), match[3]!)),
      isType: match[2] !== undefined,
    }));
  });
}

const room = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

test('no import cycles between files (types aside)', () => {
  const graph = new Map<string, string[]>();
  for (const { from, to, isType } of imports()) if (!isType) graph.set(from, [...(graph.get(from) ?? []), to]);
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' > '));
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  assert.deepEqual(cycles, []);
});

test('dependencies between rooms point one way', () => {
  const layer = (name: string): number => LAYERS.findIndex((rooms) => rooms.includes(name));
  const wrong = imports()
    .filter(({ from, isType }) => !isType && !from.endsWith('.test.ts') && !from.endsWith('testing.ts') && !from.endsWith('settings.ts'))
    .filter(({ from, to }) => to !== 'ports.ts' && layer(room(to)) > layer(room(from)) && !ALLOWED.has(`${room(from)}>${room(to)}`))
    .map(({ from, to }) => `${from} imports ${to}`);
  assert.deepEqual(wrong, []);
});

test('one SQLite in the process: no other library that opens databases is installed', () => {
  const lock = JSON.parse(readFileSync(resolve(SRC, '../package-lock.json'), 'utf8')) as { packages: Record<string, unknown> };
  assert.deepEqual(
    Object.keys(lock.packages).filter((name) => /sqlite|libsql|sql\.js/.test(name)),
    [],
  );
});

test('the lockfile names no registry', () => {
  assert.doesNotMatch(readFileSync(resolve(SRC, '../package-lock.json'), 'utf8'), /"resolved"|https?:\/\/registry/);
});
