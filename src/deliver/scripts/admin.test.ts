import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { AdminContext } from '../../ports.ts';
import { openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { SIEVE_SETTINGS } from '../filters/sieve/settings.ts';
import { type OwnedScriptRow, problemLines, SCRIPTS_ADMIN } from './admin.ts';
import { SCRIPT_OPERATIONS } from './operations.ts';
import { accountScope } from './scope.ts';

async function stage(t: TestContext) {
  const store = openLocalStore({
    dataDir: testDirectory(t),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: () => 1_800_000_000_000,
    operations: {
      ...SCRIPT_OPERATIONS,
      'test.ofMachine': (tx, id: number) => void tx.run("UPDATE account SET source='system' WHERE id=?", id),
      'test.house': (tx) => {
        tx.run("INSERT INTO domain (name, created_at) VALUES ('example.org', 0)");
        const id = tx.nextId('account');
        tx.run("INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, 'anna@example.org', 1, 0)", id);
        return id;
      },
    },
    journey: () => {},
  });
  t.after(() => store.close());
  const anna = await store.writer.run<number>('test.house', null);
  const settings = defaultsOf(SIEVE_SETTINGS);
  const context = { reader: store.reader, writer: store.writer, log: SILENT_LOG, settings: () => settings } as unknown as AdminContext;
  const call = (name: string, args: unknown): Promise<any> => SCRIPTS_ADMIN[name]!(context, args, () => {}, new AbortController().signal);
  return { ...store, anna, call };
}

test('a script of a user of this machine is kept, but not activated: it would not run', async (t) => {
  const { call, writer, anna } = await stage(t);
  await writer.run('test.ofMachine', anna);
  await call('sieve.put', { owner: 'anna@example.org', name: 'main', text: 'keep;' });
  await assert.rejects(call('sieve.activate', { owner: 'anna@example.org', name: 'main' }), /a user of this machine/);
  await assert.rejects(call('sieve.put', { owner: 'anna@example.org', name: 'more', text: 'keep;', activate: true }), /a user of this machine/);
  assert.deepEqual(
    ((await call('sieve.list', {})) as OwnedScriptRow[]).map(({ name, isActive }) => [name, isActive]),
    [['main', false]],
  );
});

test('scripts of users, domains and the server, in one list', async (t) => {
  const { call } = await stage(t);
  await call('sieve.put', { owner: 'Anna@Example.org', name: 'main', text: 'keep;', activate: true });
  await call('sieve.put', { owner: 'example.org', name: 'house', text: 'keep;', place: 'before' });
  assert.deepEqual(await call('sieve.put', { owner: 'global', name: 'all', text: 'keep;', place: 'after' }), {
    owner: 'global',
    name: 'all',
    place: 'after',
    isNew: true,
    warnings: [],
  });
  const rows: OwnedScriptRow[] = await call('sieve.list', {});
  assert.deepEqual(
    rows.map(({ owner, name, place, isActive }) => [owner, name, place, isActive]),
    [
      ['global', 'all', 'after', false],
      ['example.org', 'house', 'before', false],
      ['anna@example.org', 'main', 'personal', true],
    ],
  );
  assert.equal((await call('sieve.put', { owner: 'global', name: 'all', text: 'stop;' })).place, 'after', 'a replaced one keeps its place');
  assert.deepEqual(await call('sieve.get', { owner: 'global', name: 'all' }), { text: 'stop;' });
});

test('what the administrator cannot mean is refused in a sentence', async (t) => {
  const { call } = await stage(t);
  for (const [name, args, sentence] of [
    ['sieve.put', { owner: 'global', name: 'x', text: 'keep;' }, /when it runs: before, after, include/],
    ['sieve.put', { owner: 'anna@example.org', name: 'x', text: 'keep;', place: 'before' }, /have no place/],
    ['sieve.put', { owner: 'global', name: 'x', text: 'keep;', place: 'after', activate: true }, /Only the scripts of a user are activated/],
    ['sieve.put', { owner: 'anna@example.org', name: '', text: 'keep;' }, /name of the script/],
    ['sieve.put', { owner: 'anna@example.org', name: 'a\nb', text: 'keep;' }, /No script can have this name/],
    ['sieve.put', { owner: 'anna@example.org', name: 'x', text: 'keep;\nfoo;' }, /nothing was changed\.\nsieve:x:2: /],
    ['sieve.put', { owner: 'anna@example.org', name: 'x', text: '' }, /empty/],
    ['sieve.list', { owner: 'nobody@example.org' }, /There is no user nobody@example\.org/],
    ['sieve.list', { owner: 'other.example' }, /no domain of this server/],
    ['sieve.list', { owner: '' }, /whose script/],
    ['sieve.get', { owner: 'global', name: 'x' }, /There is no script "x" of global/],
    ['sieve.delete', { owner: 'global', name: 'x' }, /There is no script "x"/],
    ['sieve.activate', { owner: 'global', name: 'x' }, /Only the scripts of a user/],
  ] as const)
    await assert.rejects(call(name, args), sentence, JSON.stringify(args));
});

test('an active script is deleted only by force', async (t) => {
  const { call, reader, anna } = await stage(t);
  await call('sieve.put', { owner: 'anna@example.org', name: 'main', text: 'keep;', activate: true });
  await assert.rejects(call('sieve.delete', { owner: 'anna@example.org', name: 'main' }), /--force/);
  await call('sieve.rename', { owner: 'anna@example.org', name: 'main', to: 'other' });
  await call('sieve.delete', { owner: 'anna@example.org', name: 'other', force: true });
  assert.deepEqual(reader.rows('SELECT name FROM filter_script WHERE scope=?', accountScope(anna)), []);
});

test('problems are told one a line, without control characters', () => {
  assert.equal(
    problemLines([
      { file: 'x', line: 2, text: 'a\u001b[31m\nb' },
      { file: 'x', line: 0, text: 'c' },
    ]),
    'x:2: a\ufffd[31m\ufffdb\nx: c',
  ); // prettier-ignore
});
