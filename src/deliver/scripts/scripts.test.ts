import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import type { Transaction } from '../../store/transaction.ts';
import { defaultsOf } from '../../system/declare.ts';
import { Failure } from '../../system/failure.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { createScriptCache } from './compiled.ts';
import { SCRIPT_OPERATIONS, type ScriptPutInput } from './operations.ts';
import { activeScripts, includedScript, listScripts, scriptText } from './reader.ts';
import { accountScope, domainScope, GLOBAL, type Place } from './scope.ts';

async function stage(t: TestContext) {
  const store = openLocalStore({
    dataDir: testDirectory(t),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: () => 1_800_000_000_000,
    operations: {
      ...SCRIPT_OPERATIONS,
      'test.account': (tx: Transaction, login: string) => {
        const id = tx.nextId('account');
        tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
        return id;
      },
    },
    journey: () => {},
  });
  t.after(() => store.close());
  const anna = await store.writer.run<number>('test.account', 'anna@example.org');
  const bert = await store.writer.run<number>('test.account', 'bert@example.org');
  const put = (scope: string, name: string, place: Place, text: string, more: Partial<ScriptPutInput> = {}): Promise<{ isNew: boolean }> =>
    store.writer.run('script.put', { scope, name, place, text: Buffer.from(text), limits: null, isActivated: false, ...more });
  return { ...store, anna, bert, put };
}
const texts = (scripts: readonly { text: Uint8Array }[]): string[] => scripts.map(({ text }) => Buffer.from(text).toString());
const failsWith = (code: string) => (error: unknown) => error instanceof Failure && error.code === code;

test('scripts run in their order: global before, domain before, personal, domain after, global after', async (t) => {
  const { reader, put, anna, bert } = await stage(t);
  const domain = domainScope('example.org');
  for (const [scope, name, place] of [
    [GLOBAL, 'z', 'before'],
    [GLOBAL, 'a', 'before'],
    [GLOBAL, 'y', 'after'],
    [GLOBAL, 'i', 'include'],
    [domain, 'd', 'before'],
    [domain, 'e', 'after'],
    [domainScope('other.example'), 'o', 'before'],
    [accountScope(anna), 'p', 'personal'],
    [accountScope(anna), 'q', 'personal'],
  ] as const)
    await put(scope, name, place, `${scope}/${name}`, { isActivated: name === 'q' });
  const { before, personal, after } = activeScripts(reader, anna, 'example.org');
  assert.deepEqual(texts(before), ['global/a', 'global/z', 'domain:example.org/d']);
  assert.equal(Buffer.from(personal!.text).toString(), `account:${anna}/q`);
  assert.deepEqual(texts(after), ['domain:example.org/e', 'global/y']);
  assert.equal(activeScripts(reader, bert, 'example.org').personal, null);
});

test('included scripts: any of the account, the domain before the server, and only those that are there for it', async (t) => {
  const { reader, put, anna } = await stage(t);
  await put(GLOBAL, 'a', 'include', 'global a');
  await put(GLOBAL, 'b', 'before', 'global b');
  await put(GLOBAL, 'c', 'include', 'global c');
  await put(domainScope('example.org'), 'c', 'include', 'domain c');
  await put(accountScope(anna), 'p', 'personal', 'personal p');
  const included = (location: 'personal' | 'global', name: string): string | undefined => {
    const text = includedScript(reader, anna, 'example.org', location, name);
    return text === null ? undefined : Buffer.from(text).toString();
  };
  assert.equal(included('personal', 'p'), 'personal p');
  assert.equal(included('personal', 'a'), undefined);
  assert.equal(included('global', 'a'), 'global a');
  assert.equal(included('global', 'b'), undefined);
  assert.equal(included('global', 'c'), 'domain c');
});

test('one script at most is active; replacing and renaming keeps it so', async (t) => {
  const { reader, writer, put, anna } = await stage(t);
  const scope = accountScope(anna);
  const active = (): string[] =>
    listScripts(reader, scope)
      .filter((row) => row.isActive)
      .map(({ name }) => name); // prettier-ignore
  assert.deepEqual(await put(scope, 'a', 'personal', 'one', { isActivated: true }), { isNew: true });
  assert.deepEqual(await put(scope, 'b', 'personal', 'two', { isActivated: true }), { isNew: true });
  assert.deepEqual(active(), ['b']);
  assert.deepEqual(await put(scope, 'b', 'personal', 'three'), { isNew: false });
  assert.deepEqual(active(), ['b']);
  await writer.run('script.rename', { scope, from: 'b', to: 'c' });
  assert.deepEqual(active(), ['c']);
  await assert.rejects(writer.run('script.delete', { scope, name: 'c' }), failsWith('cannot'));
  await assert.rejects(writer.run('script.rename', { scope, from: 'c', to: 'a' }), failsWith('exists'));
  await assert.rejects(writer.run('script.rename', { scope, from: 'x', to: 'y' }), failsWith('noSuchEntry'));
  await assert.rejects(writer.run('script.activate', { scope, name: 'x' }), failsWith('noSuchEntry'));
  await writer.run('script.activate', { scope, name: '' });
  assert.deepEqual(active(), []);
  await writer.run('script.delete', { scope, name: 'c' });
  assert.equal(scriptText(reader, scope, 'c'), null);
});

test('quotas are checked with the write, and the old script stays', async (t) => {
  const { reader, put, anna } = await stage(t);
  const limits = { countMax: 2, bytesMax: 10, totalBytesMax: 15 };
  const scope = accountScope(anna);
  await put(scope, 'a', 'personal', '1234567890', { limits });
  await assert.rejects(put(scope, 'a', 'personal', '12345678901', { limits }), failsWith('messageTooBig'));
  await assert.rejects(put(scope, 'b', 'personal', '123456', { limits }), failsWith('overQuota'));
  await put(scope, 'b', 'personal', '12345', { limits });
  await assert.rejects(put(scope, 'c', 'personal', '', { limits }), failsWith('limit'));
  assert.equal(Buffer.from(scriptText(reader, scope, 'a')!).toString(), '1234567890');
  await assert.rejects(put(accountScope(99), 'a', 'personal', 'x', { limits }), failsWith('noSuchAccount'));
});

test('the owner is told once for each change', async (t) => {
  const { writer, put, anna } = await stage(t);
  const script = { scope: accountScope(anna), name: 'a' };
  await put(script.scope, 'a', 'personal', 'x');
  assert.deepEqual(await writer.run('script.reported', script), { isFirst: true });
  assert.deepEqual(await writer.run('script.reported', script), { isFirst: false });
  await put(script.scope, 'a', 'personal', 'y');
  assert.deepEqual(await writer.run('script.reported', script), { isFirst: true });
  assert.deepEqual(await writer.run('script.reported', { ...script, name: 'gone' }), { isFirst: false });
});

test('the cache compiles a text once, for all who have it, and again only when it changed', async (t) => {
  const { reader, writer, announcements, put, anna, bert } = await stage(t);
  const compiled: string[] = [];
  const cache = createScriptCache({
    reader,
    announcements,
    compile: (text, file) => {
      compiled.push(`${file}=${Buffer.from(text)}`);
      return compiled.length;
    },
  });
  assert.equal(cache.of(anna, 'example.org').isEmpty, true);
  await put(GLOBAL, 'spam', 'before', 'G');
  await put(accountScope(anna), 'main', 'personal', 'M', { isActivated: true });
  await put(accountScope(bert), 'main', 'personal', 'M', { isActivated: true });
  const first = cache.of(anna, 'example.org');
  assert.equal(first.isEmpty, false);
  assert.equal(cache.of(anna, 'example.org'), first, 'from memory');
  assert.equal(cache.of(bert, 'example.org').personal!.compiled, first.personal!.compiled);
  assert.deepEqual(compiled, ['sieve:global/spam=G', 'sieve:main=M']);

  await put(accountScope(anna), 'main', 'personal', 'N');
  assert.equal(cache.of(bert, 'example.org').personal!.compiled, 2);
  assert.equal(cache.of(anna, 'example.org').personal!.compiled, 3);
  await put(GLOBAL, 'spam', 'before', 'H');
  assert.equal(cache.of(bert, 'example.org').before[0]!.compiled, 4);
  assert.equal(cache.of(anna, 'example.org').before[0]!.compiled, 4);
  assert.equal(cache.of(anna, 'other.example').personal!.compiled, 3, 'another domain is read anew');
  await writer.run('script.activate', { scope: accountScope(anna), name: '' });
  assert.equal(cache.of(anna, 'example.org').personal, null);
  assert.equal(compiled.length, 4);
  cache.clear();
  cache.of(bert, 'example.org');
  assert.equal(compiled.length, 6);
});

test('the cache forgets those not asked for longest, accounts and texts', async (t) => {
  const { reader, announcements, put, anna, bert } = await stage(t);
  const compiled: string[] = [];
  const cache = createScriptCache({ reader, announcements, compile: (text) => compiled.push(Buffer.from(text).toString()), accountsMax: 1, textBytesMax: 3 });
  await put(accountScope(anna), 'a', 'personal', 'aa', { isActivated: true });
  await put(accountScope(bert), 'b', 'personal', 'bb', { isActivated: true });
  for (const id of [anna, bert, anna, anna]) cache.of(id, 'example.org');
  assert.deepEqual(compiled, ['aa', 'bb', 'aa']);
});
