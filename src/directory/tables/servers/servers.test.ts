/** What each type says about the file behind it, before any server is asked. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Table } from '../../../ports.ts';
import { TableError, TableProblem } from '../errors.ts';
import { SERVER_TABLES } from './index.ts';
import { files, testContext } from './testing.ts';

for (const [type, text, message] of [
  ['mysql', 'user = x\n', /query is missing/],
  ['mysql', "query = SELECT '%x'\n", /:1: query: "%x" means nothing/],
  ['mysql', 'query = SELECT 1 -- %s\n', /:1: query: an expansion inside a comment/],
  ['mysql', "query = SELECT '%s'\nhosts = a:b\n", /:2: hosts: "a:b" is not host/],
  ['mysql', "query = SELECT '%s'\nexpansion_limit = -1\n", /:2: expansion_limit/],
  ['mysql', "query = SELECT '%s'\npasword = x\n", /:2: unknown name pasword; did you mean password\?/],
  ['mysql', "query = SELECT '%s'\ndomain = hash:/nowhere\n", /:2: domain: hash:\/nowhere: is not known/],
  ['mysql', "query = SELECT '%s'\ndomain = /nowhere/x\n", /\/nowhere\/x: cannot be read/],
  ['mysql', 'select_field = a\ntable = b\n', /where_field is missing/],
  ['mysql', "query = SELECT '%s'\noption_file = /nowhere/my.cnf\n", /my\.cnf: cannot be read/],
  ['pgsql', "query = SELECT '%s'\nhosts = postgresql://u:secret@h/x?sslmode=bad\n", /:2: hosts: "postgresql:\/\/u:\*\*\*@h.*sslmode must be/],
  ['sqlite', "query = SELECT '%s'\n", /dbpath is missing/],
  ['sqlite', "dbpath = nowhere.db\nquery = SELECT '%s'\n", /:1: dbpath: .*nowhere\.db/],
  ['ldap', 'query_filter = x=%s\n', /search_base is missing/],
  ['ldap', 'search_base = dc=x\nbind = sasl\n', /:2: bind: sasl is not spoken/],
  ['ldap', 'search_base = dc=x\nbind_dn = cn=x\n', /:2: bind_dn: has no bind_pw/],
  ['ldap', 'search_base = dc=x\nquery_filter = (&(a=%s)\n', /:2: query_filter: its parentheses/],
  ['ldap', 'search_base = dc=x\nscope = tree\n', /:2: scope/],
  ['ldap', 'search_base = dc=x\nserver_host = http://x\n', /:2: server_host/],
  ['ldap', 'search_base = dc=x\ndereference = 4\n', /:2: dereference/],
  ['ldap', 'search_base = dc=x\nresult_attribute =\n', /:2: result_attribute: no attribute/],
  ['memcache', 'memcache = nowhere\n', /:1: memcache: must be inet/],
  ['memcache', 'backup = hash:/nowhere\n', /:1: backup: hash:\/nowhere: is not known/],
] as const)
  test(`${type} with ${JSON.stringify(text)} is a problem`, (t) => {
    const file = files(t)('x.cf', text);
    assert.throws(
      () => SERVER_TABLES[type]!(file, testContext(`${type}:${file}`)),
      (error) => error instanceof TableProblem && message.test(error.message),
    );
  });

for (const [type, source] of [
  ['mysql', 'name'],
  ['ldap', 'name'],
  ['tcp', 'host'],
  ['tcp', 'unix:/x'],
  ['tcp', ''],
  ['socketmap', 'inet:host:1'],
  ['socketmap', 'host:1:name'],
  ['socketmap', 'unix:/x:'],
  ['socketmap', 'x'],
] as const)
  test(`${type}:${source} is a problem`, () => assert.throws(() => SERVER_TABLES[type]!(source, testContext(`${type}:${source}`)), TableProblem));

function sqlite(t: { after(action: () => void): void }): { write: ReturnType<typeof files>; cf(extra: string): string } {
  const write = files(t);
  const path = write('mail.db', '');
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE users (name TEXT, home TEXT); INSERT INTO users VALUES ('a@x.test', 'home of a'), ('b@y.test', 'home of b')");
  database.close();
  return { write, cf: (extra) => write('x.cf', `dbpath = mail.db\nquery = SELECT home FROM users WHERE name = '%s'\n${extra}`) };
}

test('SQLite answers at once, in lower case, and only for its domains', async (t) => {
  const { cf } = sqlite(t);
  const others: Table = { name: 'hash:/domains', kind: 'fixed', find: (key) => Promise.resolve(key === 'y.test' ? 'yes' : null) };
  const context = testContext('sqlite:x');
  context.others.set('hash:/domains', others);
  const plain = SERVER_TABLES['sqlite']!(cf(''), context);
  assert.equal(plain.find('A@x.test'), 'home of a');
  assert.equal(plain.find('c@x.test'), null);
  assert.equal(plain.find("' OR 1=1 --"), null);
  const restricted = SERVER_TABLES['sqlite']!(cf('domain = x.test, hash:/domains\n'), context);
  assert.equal(await restricted.find('a@x.test'), 'home of a');
  assert.equal(await restricted.find('b@Y.test'), 'home of b');
  for (const key of ['a@z.test', 'x.test', '@x.test', 'a', 'a@']) assert.equal(await restricted.find(key), null, key);
  plain.close!();
  restricted.close!();
  assert.throws(() => plain.find('a@x.test'), TableError);
});

test('a changed file is read again; a wrong one is told and the old table stays', (t) => {
  const { write, cf } = sqlite(t);
  const context = testContext('sqlite:x');
  const file = cf('');
  const table = SERVER_TABLES['sqlite']!(file, context);
  assert.equal(table.find('a@x.test'), 'home of a');
  write('x.cf', "dbpath = mail.db\nquery = SELECT 'changed' FROM users WHERE name = '%s'\n");
  assert.equal(table.find('a@x.test'), 'home of a', 'not looked at yet');
  context.time += 1000;
  assert.equal(table.find('a@x.test'), 'changed');
  write('x.cf', 'nonsense\n');
  context.time += 1000;
  assert.equal(table.find('a@x.test'), 'changed');
  assert.deepEqual(
    context.events.map(({ event }) => event),
    ['table.reloaded', 'table.reload.failed'],
  );
  table.close!();
});
