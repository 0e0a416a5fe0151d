import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Table, Tables } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { type MatchList, matchList } from './match-list.ts';
import { createTables, TableError, TableProblem } from './open.ts';
import { accessAddressKeys, domainKeys, extensionAt, findClient, findFirst, networkKeys, rewriteKeys, rewritten, transportKeys } from './search.ts';
import { TABLES_SETTINGS } from './settings.ts';

const ACCESS = { delimiters: '+', parentMatchesSubdomains: false };
const PARENT = { delimiters: '+', parentMatchesSubdomains: true };

test('access(5): an address, its domain and parents, its local part', () => {
  assert.deepEqual(accessAddressKeys({ local: 'Joe+Lists', domain: 'mx.example.org' }, ACCESS), [
    ...['Joe+Lists@mx.example.org', 'joe+lists@mx.example.org', 'joe@mx.example.org'],
    ...['mx.example.org', '.example.org', '.org', 'joe+lists@', 'joe@'],
  ]);
  assert.deepEqual(accessAddressKeys({ local: 'joe', domain: 'a.b' }, PARENT), ['joe@a.b', 'a.b', 'b', 'joe@']);
  assert.deepEqual(accessAddressKeys(null, ACCESS), ['<>']);
  assert.deepEqual(accessAddressKeys({ local: 'postmaster', domain: '' }, ACCESS), ['postmaster']);
  assert.deepEqual(accessAddressKeys({ local: 'a b', domain: 'c' }, ACCESS), ['"a b"@c', 'c', '"a b"@']);
});

test('host names and networks are tried from the whole to its parts', () => {
  assert.deepEqual(domainKeys('Mail.Example.org', false), ['Mail.Example.org', 'mail.example.org', '.example.org', '.org']);
  assert.deepEqual(domainKeys('mail.example.org', true), ['mail.example.org', 'example.org', 'org']);
  assert.deepEqual(domainKeys('localhost', false), ['localhost']);
  assert.deepEqual(networkKeys('192.0.2.7'), ['192.0.2.7', '192.0.2', '192.0', '192']);
  assert.deepEqual(networkKeys('2001:db8::1'), ['2001:db8::1', '2001:db8:', '2001:db8', '2001']);
});

test('virtual(5) and canonical(5): the user alone only for domains of this host', () => {
  const keys = (isOwn: boolean): string[] => rewriteKeys({ local: 'joe+x', domain: 'a.example' }, { delimiters: '+', isOwnDomain: () => isOwn });
  assert.deepEqual(keys(true), ['joe+x@a.example', 'joe@a.example', 'joe+x', 'joe', '@a.example']);
  assert.deepEqual(keys(false), ['joe+x@a.example', 'joe@a.example', '@a.example']);
});

test('transport(5): the address, the domain and its parents, the star', () => {
  assert.deepEqual(transportKeys({ local: 'joe+x', domain: 'a.example' }, ACCESS), ['joe+x@a.example', 'joe@a.example', 'a.example', '.example', '*']);
  assert.deepEqual(transportKeys({ local: 'joe', domain: 'a.example' }, PARENT), ['joe@a.example', 'a.example', 'example', '*']);
});

test('an extension begins at the first delimiter that is not the first character', () => {
  assert.equal(extensionAt('joe+x+y', '+'), 3);
  assert.equal(extensionAt('joe-x+y', '+-'), 3);
  assert.equal(extensionAt('+joe', '+'), -1);
  assert.equal(extensionAt('owner-list', '-'), -1);
  assert.equal(extensionAt('list-request', '-'), -1);
  assert.equal(extensionAt('MAILER-DAEMON', '-'), -1);
  assert.equal(extensionAt('joe+x', ''), -1);
});

test('rewriting keeps what the key did not name', () => {
  const joe = { local: 'joe+lists', domain: 'a.example' };
  const to = (key: string, value: string, propagates = true): string[] => rewritten({ key, value }, joe, '+', propagates);
  assert.deepEqual(to('joe@a.example', 'ann@b.example, bob'), ['ann+lists@b.example', 'bob+lists']);
  assert.deepEqual(to('joe@a.example', 'ann@b.example', false), ['ann@b.example']);
  assert.deepEqual(to('joe+lists@a.example', 'ann@b.example'), ['ann@b.example']);
  assert.deepEqual(to('@a.example', '@b.example'), ['joe+lists@b.example']);
  assert.deepEqual(to('@a.example', 'all@b.example'), ['all+lists@b.example']);
  assert.deepEqual(to('joe@a.example', '"ann, a"@b.example'), ['"ann, a+lists"@b.example']);
});

interface Bench {
  readonly tables: Tables;
  readonly dir: string;
  list(entries: readonly string[], parentMatchesSubdomains?: boolean): MatchList;
  pass(ms: number): void;
}
function bench(t: TestContext): Bench {
  let now = 1000;
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-search-'));
  const context = { log: SILENT_LOG, settings: () => defaultsOf(TABLES_SETTINGS), now: () => now };
  const later: Table['find'] = async (key) => (key === 'later.example' || key === '192.0.2.9' ? 'yes' : null);
  const tables = createTables({ ...context, servers: { later: (_source, { name }) => ({ name, kind: 'fixed', find: later }) } });
  t.after(() => {
    tables.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return {
    tables,
    dir,
    list: (entries, parentMatchesSubdomains = false) => matchList(entries, { name: 'test.list', tables, context, parentMatchesSubdomains }),
    pass: (ms) => void (now += ms),
  };
}

test('tables of patterns are asked once with the name as it is, the others in lower case and part by part', (t) => {
  const { tables } = bench(t);
  const asked: string[] = [];
  const spy = (kind: Table['kind']): Table => ({
    name: kind,
    kind,
    find: (key) => {
      asked.push(`${kind} ${key}`);
      return null;
    },
  });
  assert.equal(findFirst([spy('fixed'), spy('pattern')], accessAddressKeys({ local: 'Joe', domain: 'b.c' }, ACCESS)), null);
  assert.deepEqual(asked, ['pattern Joe@b.c', 'fixed joe@b.c', 'fixed b.c', 'fixed .c', 'fixed joe@']);
  asked.length = 0;
  assert.equal(findFirst([spy('fixed'), spy('pattern')], ['whole', 'part']), null);
  assert.deepEqual(asked, ['fixed whole', 'pattern whole', 'fixed part']);
  const found = findFirst(tables.open('pcre:{{/(.*)@b/ $1}}'), ['Joe@b', 'joe@b', 'b']);
  assert.deepEqual(found, { key: 'Joe@b', value: 'Joe', table: tables.open('pcre:{{/(.*)@b/ $1}}') });
});

test('a client is sought by its name with parents, then by its address with networks', (t) => {
  const { tables } = bench(t);
  const table = tables.open('inline:{.example.org=parent, 192.0.2=net}');
  const value = (name: string | null, ip: string): string | null => {
    const found = findClient(table, name, ip, ACCESS);
    assert.ok(!(found instanceof Promise));
    return found?.value ?? null;
  };
  assert.equal(value('mx.example.org', '192.0.2.1'), 'parent');
  assert.equal(value('example.org', '192.0.2.1'), 'net');
  assert.equal(value(null, '192.0.2.1'), 'net');
  assert.equal(value(null, '198.51.100.1'), null);
});

test('the search waits for tables that do, and goes on behind them', async (t) => {
  const { tables } = bench(t);
  const slow = tables.open('later:x');
  assert.equal((await findFirst([slow, tables.open('inline:{b=2}')], ['a', 'b']))?.value, '2');
  assert.equal((await findFirst(slow, domainKeys('later.example', true)))?.key, 'later.example');
  assert.equal((await findClient(slow, 'x.example', '192.0.2.9', PARENT))?.key, '192.0.2.9');
});

test('a table that cannot answer ends the search, unless something was found before', async (t) => {
  const { tables } = bench(t);
  const failing = tables.open('fail:x');
  assert.throws(() => findFirst(failing, ['a']), TableError);
  const found = findFirst([tables.open('static:x'), failing], ['a']);
  assert.ok(!(found instanceof Promise));
  assert.equal(found?.value, 'x');
});

test('the first entry that holds decides, and "!" makes it a no', (t) => {
  const { list } = bench(t);
  const mynetworks = list(['!10.1.2.3', '10.0.0.0/8, 2001:db8::/32', '[::1]', '127.0.0.0/8']);
  for (const [ip, expected] of [
    ['10.1.2.3', false],
    ['10.1.2.4', true],
    ['2001:db8::5', true],
    ['::1', true],
    ['127.0.0.1', true],
    ['192.0.2.1', false],
    ['no address', false],
  ] as const)
    assert.equal(mynetworks.network(ip), expected, ip);
});

test('names match themselves, and their subdomains by a leading dot or by the option', (t) => {
  const { list } = bench(t);
  const plain = list(['example.org', '.example.net', 'inline:{table.example=x, .sub.example=y}']);
  for (const [name, expected] of [
    ['Example.ORG', true],
    ['mx.example.org', false],
    ['mx.example.net', true],
    ['example.net', false],
    ['table.example', true],
    ['a.table.example', false],
    ['b.sub.example', true],
    ['notexample.org', false],
  ] as const)
    assert.equal(plain.domain(name), expected, name);
  const parent = list(['example.org', 'inline:{table.example=x}'], true);
  assert.equal(parent.domain('mx.example.org'), true);
  assert.equal(parent.domain('a.b.table.example'), true);
  assert.equal(list([]).isEmpty, true);
  assert.equal(list([]).domain('example.org'), false);
});

test('clients are matched by name or address, texts as they are', async (t) => {
  const { list } = bench(t);
  const clients = list(['mx.example.org', '192.0.2.0/24', 'later:x']);
  assert.equal(clients.client('MX.example.org', '198.51.100.1'), true);
  assert.equal(clients.client(null, '192.0.2.1'), true);
  assert.equal(await clients.client('other.example', '198.51.100.1'), false);
  assert.equal(await list(['later:x']).client('other.example', '192.0.2.9'), true);
  assert.equal(list(['Joe', '!ann', 'static:all']).text('JOE'), true);
  assert.equal(list(['Joe', '!ann', 'static:all']).text('ann'), false);
  assert.equal(list(['example.org'], true).text('sub.example.org'), false);
});

test('a /file holds entries of its own, and is read again when it changes', (t) => {
  const { list, dir, pass } = bench(t);
  const file = join(dir, 'networks');
  writeFileSync(file, '# ours\n10.0.0.0/8 !192.0.2.1\n 192.0.2.0/24, example.org\n');
  const entries = list([`!${join(dir, 'networks')}`, '0.0.0.0/0']);
  assert.equal(entries.network('10.1.1.1'), false);
  assert.equal(entries.network('192.0.2.1'), true);
  assert.equal(entries.network('198.51.100.1'), true);
  writeFileSync(file, '198.51.100.0/24\n');
  utimesSync(file, 5, 5);
  pass(1000);
  assert.equal(entries.network('10.1.1.1'), true);
  assert.equal(entries.network('198.51.100.1'), false);
});

for (const [entry, sentence] of [
  ['10.0.0.1/8', 'test.list: "10.0.0.1/8" has bits set beyond the first 8'],
  ['10.0.0.0/99', 'test.list: the length of the network in "10.0.0.0/99" is not a number from 0 to 32'],
  ['nosuch:x', /there is no table type "nosuch"/],
  ['/nonexistent/list', /\/nonexistent\/list: there is no such file/],
  ['!', 'test.list: a "!" stands alone'],
  ['2001:db8::zz', /neither an address nor a network/],
] as const)
  test(`the list entry ${entry} is a problem`, (t) => {
    const { list } = bench(t);
    assert.throws(
      () => list([entry]),
      (error) => error instanceof TableProblem && (typeof sentence === 'string' ? error.message === sentence : sentence.test(error.message)),
    );
  });

test('files that name one another without end are a problem', (t) => {
  const { list, dir } = bench(t);
  writeFileSync(join(dir, 'a'), `${dir}/b\n`);
  writeFileSync(join(dir, 'b'), `${dir}/a\n`);
  assert.throws(() => list([`${dir}/a`]), /files name one another more than 10 deep/);
});
