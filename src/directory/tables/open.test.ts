import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LogFields, Tables } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { createTables, isTableSpec, TableError, TableProblem, type TablesOptions } from './open.ts';
import { TABLES_SETTINGS } from './settings.ts';

interface Bench {
  readonly tables: Tables;
  readonly dir: string;
  readonly events: [string, LogFields][];
  /** Moves the clock and writes a file; each writing has a time of its own. */
  write(name: string, text: string): string;
  pass(ms: number): void;
}

function bench(t: TestContext, more: Partial<TablesOptions> = {}): Bench {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-tables-'));
  let now = 1_000_000;
  let writes = 0;
  const events: [string, LogFields][] = [];
  const note = (event: string, fields: LogFields = {}): void => void events.push([event, fields]);
  const tables = createTables({
    log: { debug: note, info: note, warn: note, error: note },
    settings: () => defaultsOf(TABLES_SETTINGS),
    now: () => now,
    ...more,
  });
  t.after(() => {
    tables.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    tables,
    dir,
    events,
    write: (name, text) => {
      const path = join(dir, name);
      writeFileSync(path, text);
      writes += 1;
      utimesSync(path, 1000 + writes, 1000 + writes);
      return path;
    },
    pass: (ms) => void (now += ms),
  };
}

test('a table is opened once and shared, also behind proxy:', (t) => {
  const { tables } = bench(t);
  assert.equal(tables.open('static:x'), tables.open('static:x'));
  assert.equal(tables.open('proxy:static:x'), tables.open('static:x'));
});

for (const [spec, problem] of [
  ['nosuch:x', /^nosuch:x: there is no table type "nosuch"; there are texthash, hash,/],
  ['constructor:x', /there is no table type/],
  ['hash', /a table is written as type:source/],
  ['static:', /a table is written as type:source/],
  ['hash:relative', /^hash:relative: the file must be given with its full path/],
  ['hash:/nonexistent/file', /^\/nonexistent\/file: there is no such file/],
  ['hash:/', /^\/: this is no file/],
  ['inline:{}', /with one pair at least/],
  ['inline:{a}', /"a" is no pair of the form key=value/],
  ['inline:a=b', /with one pair at least/],
  ['unionmap:{}', /with one table at least/],
  ['unionmap:{static:a, nosuch:b}', /^nosuch:b: there is no table type/],
  ['pcre:{{/(/ x}}', /^pcre:\{\{\/\(\/ x\}\}:1: a closing bracket is missing/],
  [`${'unionmap:{'.repeat(12)}static:x${'}'.repeat(12)}`, /nested more than 10 deep/],
] as const)
  test(`${spec.slice(0, 40)} is a problem`, (t) => {
    const { tables } = bench(t);
    assert.throws(
      () => tables.open(spec),
      (error) => error instanceof TableProblem && problem.test(error.message),
    );
  });

test('where only the compiled file is there, the problem names the text file', (t) => {
  const { tables, dir, write } = bench(t);
  write('access.db', '');
  assert.throws(() => tables.open(`hash:${dir}/access`), { message: new RegExp(`access: there is only the compiled file ${dir}/access.db; the text file`) });
});

test('a file is read again when it has changed, and looked at once a second at most', (t) => {
  const { tables, write, pass, events } = bench(t);
  const table = tables.open(`hash:${write('access', 'a one\n')}`);
  assert.equal(table.find('A'), 'one');
  write('access', 'a two\n');
  pass(999);
  assert.equal(table.find('a'), 'one');
  pass(1);
  assert.equal(table.find('a'), 'two');
  assert.deepEqual(
    events.map(([event]) => event),
    ['table.reloaded'],
  );
});

test('a changed file that makes no sense leaves the old content, and is told of once', (t) => {
  const { tables, write, pass, events, dir } = bench(t);
  const table = tables.open(`pcre:${write('rules', '/a/ one\n')}`);
  write('rules', '/(/ two\n');
  for (let i = 0; i < 3; i += 1) {
    pass(1000);
    assert.equal(table.find('a'), 'one');
  }
  assert.deepEqual(
    events.map(([event, fields]) => [event, fields.cause]),
    [['table.reload.failed', `${dir}/rules:1: a closing bracket is missing (in /(/)`]],
  );
  write('rules', '/a/ three\n');
  pass(1000);
  assert.equal(table.find('a'), 'three');
  rmSync(join(dir, 'rules'));
  pass(1000);
  assert.equal(table.find('a'), 'three');
  assert.deepEqual(
    events.map(([event]) => event),
    ['table.reload.failed', 'table.reloaded', 'table.reload.failed'],
  );
});

test('lines that are passed over are logged with their number, the first twenty of them', (t) => {
  const { tables, write, events } = bench(t);
  tables.open(`texthash:${write('bad', 'alone\n'.repeat(25))}`);
  assert.equal(events.length, 21);
  assert.deepEqual([events[1]![0], events[1]![1].line], ['table.warning', 2]);
});

test('a file beyond the limit is a problem', (t) => {
  const { tables, write } = bench(t, { settings: () => ({ ...defaultsOf(TABLES_SETTINGS), 'tables.fileBytesMax': 1024 }) });
  assert.throws(() => tables.open(`hash:${write('large', 'key value\n'.repeat(200))}`), /larger than tables.fileBytesMax/);
});

test('a key beyond the limit is cut for patterns', (t) => {
  const { tables } = bench(t, { settings: () => ({ ...defaultsOf(TABLES_SETTINGS), 'tables.keyBytesMax': 320 }) });
  assert.equal(tables.open('pcre:{{/^a*$/ only a}}').find(`${'a'.repeat(320)}b`), 'only a');
});

test('a pattern that overruns its deadline is a table that cannot answer, not one that finds nothing', async (t) => {
  const { tables } = bench(t, { settings: () => ({ ...defaultsOf(TABLES_SETTINGS), 'tables.patternDeadline': 20 }) });
  const table = tables.open('pcre:{{/^(?=(a+)+$)b/ x}}');
  await assert.rejects(
    Promise.resolve(table.find(`${'a'.repeat(40)}!`)),
    (error) => error instanceof TableError && /took longer than 20 ms/.test(error.message),
  );
});

test('fail: fails, alone and in a union', (t) => {
  const { tables } = bench(t);
  assert.throws(() => tables.open('fail:x').find('a'), TableError);
  assert.throws(() => tables.open('unionmap:{static:x, fail:y}').find('a'), TableError);
});

test('combined tables wait for members that ask a server', async (t) => {
  const { tables } = bench(t, { servers: { slow: (source, { name }) => ({ name, kind: 'fixed', find: async (key) => (key === source ? `${key}!` : null) }) } });
  assert.equal(await tables.open('unionmap:{static:one, slow:k}').find('k'), 'one,k!');
  assert.equal(await tables.open('pipemap:{static:k, slow:k, inline:{k!=end}}').find('any'), 'end');
  assert.equal(await tables.open('pipemap:{slow:k, static:never}').find('other'), null);
});

test('a member of a union that fails at once leaves no rejection of the others behind', async (t) => {
  const rejected: unknown[] = [];
  const note = (reason: unknown): void => void rejected.push(reason);
  process.on('unhandledRejection', note);
  const { tables } = bench(t, {
    servers: { gone: (_source, { name }) => ({ name, kind: 'fixed', find: async () => Promise.reject(new TableError(name, 'away')) }) },
  });
  assert.throws(() => tables.open('unionmap:{gone:x, fail:y}').find('k'), TableError);
  await assert.rejects(Promise.resolve(tables.open('unionmap:{gone:x, gone:y}').find('k')), TableError);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', note);
  assert.deepEqual(rejected, []);
});

test('environ: answers from the environment', (t) => {
  const { tables } = bench(t);
  process.env.POSTHORN_TABLE_TEST = 'set';
  t.after(() => delete process.env.POSTHORN_TABLE_TEST);
  assert.equal(tables.open('environ:x').find('POSTHORN_TABLE_TEST'), 'set');
  assert.equal(tables.open('environ:x').find('POSTHORN_TABLE_TEST_2'), null);
});

test('randmap gives each of its values', (t) => {
  let turn = 0;
  const { tables } = bench(t, { random: () => (turn++ % 3) / 3 });
  const table = tables.open('randmap:{a, {b c}, d}');
  assert.deepEqual([table.find('x'), table.find('x'), table.find('x')], ['a', '{b c}', 'd']);
});

test('only tables of patterns alone are asked for whole names alone', (t) => {
  const { tables } = bench(t);
  assert.equal(tables.open('unionmap:{pcre:{{/a/ x}}, cidr:{{::/0 y}}}').kind, 'pattern');
  assert.equal(tables.open('unionmap:{pcre:{{/a/ x}}, static:y}').kind, 'fixed');
  assert.equal(tables.open('pipemap:{pcre:{{/a/ x}}, static:y}').kind, 'pattern');
});

test('the entries of files are those of the file', (t) => {
  const { tables, write } = bench(t);
  const list = (spec: string): unknown[] => [...(tables.open(spec).entries!() as Iterable<unknown>)];
  assert.deepEqual(list(`hash:${write('a', 'Key value\n')}`), [['key', 'value']]);
  assert.deepEqual(list('pcre:{{if /x/}, {!/a/i $$1}, {endif}}'), [['!/a/i', '$$1']]);
  assert.deepEqual(list('cidr:{{!10.0.0.0/8 x}}'), [['!10.0.0.0/8', 'x']]);
});

test('a closed set of tables opens nothing and has closed each table once', (t) => {
  let closed = 0;
  const { tables } = bench(t, { servers: { s: (_source, { name }) => ({ name, kind: 'fixed', find: () => null, close: () => void (closed += 1) }) } });
  tables.open('s:x');
  tables.open('proxy:s:x');
  tables.close();
  tables.close();
  assert.equal(closed, 1);
  assert.throws(() => tables.open('s:x'), TableProblem);
});

test('type:source is told from addresses', () => {
  for (const spec of ['hash:/etc/access', 'pcre:{{/a/ b}}', 'static:x', 'proxy:mysql:/x', 'mysql:/a.cf']) assert.equal(isTableSpec(spec), true, spec);
  for (const text of ['2001:db8::1', 'fe80::/10', 'abcd:ef::', 'example.org', '/etc/file', '10.0.0.0/8', '::1']) assert.equal(isTableSpec(text), false, text);
});
