/** Lookup tables in SQL databases: Debian's MariaDB and PostgreSQL, and SQLite; what Postfix answers for the same file is right. */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { TableError } from '../src/directory/tables/errors.ts';
import { ownNetwork } from './harness/own-network.ts';
import { succeed } from './harness/run.ts';
import { cfWriter, compareTables, openTables, ourAnswer, type Rows } from './harness/tables.ts';
import { tempDir } from './harness/temp.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startMariaDb } from './peers/mariadb.ts';
import { postmap } from './peers/postmap.ts';
import { startPostgreSql } from './peers/postgresql.ts';

ownNetwork();

const asciiOnly = (rows: Rows): Rows => rows.map(([spec, keys]) => [spec, keys.filter((key) => /^[\x00-\x7f]*$/.test(key))]);

/** Keys that would add SQL, or break it, if quoting were wrong. */
const ATTACKS = [
  "' OR '1'='1",
  "x' UNION SELECT password FROM virtual_users -- ",
  '" OR ""="',
  "\\' OR 1=1 -- ",
  '\\',
  'a\\',
  '%',
  '%s',
  '_',
  "o'brien@example.org",
  'back\\slash@example.org',
  'quote"d@example.org',
  "'; DROP TABLE virtual_aliases; --@example.org",
  "x@example.org' OR 'a'='a",
  'tab\there@example.org',
  'line\nbreak@example.org',
];
const ADDRESSES = [
  'info@example.org',
  'INFO@Example.ORG',
  'team@example.org',
  'nobody@example.org',
  '@example.org',
  'info@',
  'info',
  'example.org',
  'example.net',
  'unknown.test',
  'a@b@example.org',
  'info@mail.sub.example.org',
  'jürgen@example.org',
  'info@bücher.example',
  'null@example.org',
  'empty@example.org',
  '',
];

const SCHEMA = (isMysql: boolean): string => `
CREATE TABLE virtual_domains (id INTEGER PRIMARY KEY, name VARCHAR(250) NOT NULL);
CREATE TABLE virtual_users (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, password VARCHAR(106) NOT NULL, email VARCHAR(120) NOT NULL, quota INTEGER);
CREATE TABLE virtual_aliases (id INTEGER PRIMARY KEY, domain_id INTEGER NOT NULL, source VARCHAR(250) NOT NULL, destination VARCHAR(250));
INSERT INTO virtual_domains VALUES (1, 'example.org'), (2, 'example.net'), (3, 'bücher.example');
INSERT INTO virtual_users VALUES (1, 1, 'secret', 'info@example.org', 1000), (2, 1, 'secret', 'o''brien@example.org', NULL), (3, 1, 'secret', 'back${isMysql ? '\\\\' : '\\'}slash@example.org', 7),
  (4, 1, 'secret', 'quote"d@example.org', 8), (5, 3, 'secret', 'info@bücher.example', 9), (6, 1, 'secret', 'jürgen@example.org', 10);
INSERT INTO virtual_aliases VALUES (1, 1, 'team@example.org', 'info@example.org'), (2, 1, 'team@example.org', 'o''brien@example.org'), (3, 1, 'team@example.org', 'remote'),
  (4, 1, '@example.org', 'info@example.org'), (5, 1, 'null@example.org', NULL), (6, 1, 'empty@example.org', ''), (7, 1, 'comma@example.org', 'a@example.org, b@example.org'),
  (8, 1, 'jürgen@example.org', 'müller@bücher.example');
`;

/** The well-known queries of an ISP, and one table for each further parameter. */
function tablesFor(
  type: string,
  write: ReturnType<typeof cfWriter>,
  login: Readonly<Record<string, string>>,
  dialect: { concat: string },
): [string, readonly string[]][] {
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `${type}:${write(`${type}-${name}.cf`, { ...login, ...lines })}`;
  const all = [...ADDRESSES, ...ATTACKS];
  return [
    [spec('domains', { query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }), all],
    [spec('mailboxes', { query: "SELECT 1 FROM virtual_users WHERE email='%s'" }), all],
    [spec('aliases', { query: "SELECT destination FROM virtual_aliases WHERE source='%s'" }), [...all, 'comma@example.org']],
    [spec('email2email', { query: "SELECT email FROM virtual_users WHERE email='%s'" }), all],
    [spec('columns', { query: "SELECT id, email, quota FROM virtual_users WHERE email='%s' ORDER BY id" }), ADDRESSES],
    [spec('parts', { query: `SELECT id FROM virtual_users WHERE email = ${dialect.concat}` }), all],
    [spec('labels', { query: "SELECT name FROM virtual_domains WHERE name = '%2.%1'" }), all],
    [
      spec('userOnly', { query: "SELECT '%u' FROM virtual_domains WHERE id = 1" }),
      ['info@example.org', '@example.org', 'info', 'info@', "o'brien@example.org"],
    ],
    [spec('upper', { query: "SELECT '%S %U %D' FROM virtual_domains WHERE id = 1" }), ['info@example.org', '@example.org', 'info']],
    [spec('format', { query: "SELECT destination FROM virtual_aliases WHERE source='%s' ORDER BY id", result_format: 'smtp:[%d]:%u (%S)%%' }), all],
    [spec('formatLabels', { query: "SELECT destination FROM virtual_aliases WHERE source='%s' ORDER BY id", result_format: '%s via %2.%1 for %U' }), all],
    [spec('domain', { query: "SELECT email FROM virtual_users WHERE email='%s'", domain: 'example.org, example.net' }), all],
    [spec('notDomain', { query: "SELECT email FROM virtual_users WHERE email='%s'", domain: '!example.org example.org bücher.example' }), all],
    [
      spec('domainTable', { query: "SELECT email FROM virtual_users WHERE email='%s'", domain: 'inline:{example.org=x}' }),
      ['info@example.org', 'info@bücher.example', 'info'],
    ],
    [
      spec('limit2', { query: "SELECT destination FROM virtual_aliases WHERE source='%s' ORDER BY id", expansion_limit: '2' }),
      ['team@example.org', '@example.org', 'comma@example.org'],
    ],
    [spec('limit3', { query: "SELECT destination FROM virtual_aliases WHERE source='%s' ORDER BY id", expansion_limit: '3' }), ['team@example.org']],
    [
      spec('old', { table: 'virtual_aliases', select_field: 'destination', where_field: 'source', additional_conditions: 'AND domain_id = 1 ORDER BY id' }),
      [...ADDRESSES, "' OR '1'='1"],
    ],
    [spec('broken', { query: "SELECT nothing FROM nowhere WHERE x='%s'" }), ['info@example.org']],
  ];
}

test('MySQL: the tables of an ISP answer as Postfix does', async (t) => {
  const certificate = await makeCertificate(tempDir(t, 'certificate'), ['db.test', 'IP:127.0.0.1']);
  const stranger = await makeCertificate(tempDir(t, 'certificate'), ['db.test']);
  const server = await startMariaDb(t, 3306, [`--ssl-cert=${certificate.certificate}`, `--ssl-key=${certificate.key}`]);
  const dir = tempDir(t, 'cf');
  const write = cfWriter(dir);
  await server.sql(`SET NAMES utf8mb4; CREATE DATABASE mail CHARACTER SET utf8mb4; USE mail; ${SCHEMA(true)}
    CREATE USER mail@'127.0.0.1' IDENTIFIED BY 'pass''word"'; GRANT SELECT, EXECUTE ON mail.* TO mail@'127.0.0.1';
    CREATE USER mail@localhost IDENTIFIED BY 'pass''word"'; GRANT SELECT, EXECUTE ON mail.* TO mail@localhost;
    DELIMITER //
    CREATE PROCEDURE lookup(IN param VARCHAR(255)) READS SQL DATA BEGIN SELECT destination FROM virtual_aliases WHERE source = param ORDER BY id; END //
    CREATE PROCEDURE silent(IN param VARCHAR(255)) BEGIN DECLARE x INT; SET x = 1; END //
    DELIMITER ;`);
  const ask = postmap(t);
  const { open, logged } = openTables(t);
  const login = { hosts: 'inet:127.0.0.1:3306', user: 'mail', password: `pass'word"`, dbname: 'mail' };
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `mysql:${write(`${name}.cf`, { ...login, ...lines })}`;

  await t.test('keys, formats, limits, domains, attacks', async (t) => {
    await compareTables(t, ask, open, [
      ...tablesFor('mysql', write, login, { concat: "CONCAT('%u', '@', '%d')" }),
      [spec('socket', { hosts: `unix:${server.socket}`, query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }), ADDRESSES],
      [spec('double', { query: 'SELECT email FROM virtual_users WHERE email="%s"' }), [...ADDRESSES, ...ATTACKS]],
      [spec('like', { query: "SELECT id FROM virtual_users WHERE email LIKE '\\_%%' OR email = '%s'" }), [...ADDRESSES, ...ATTACKS]],
      [spec('procedure', { query: "CALL lookup('%s')" }), ['team@example.org', 'nobody@example.org', "' OR '1'='1"]],
      [spec('silent', { query: "CALL silent('%s')" }), ['team@example.org']],
      [spec('silentAllowed', { query: "CALL silent('%s')", require_result_set: 'no' }), ['team@example.org']],
      [
        spec('types', { query: "SELECT 1.50, 2e10, DATE '2026-01-02', 0x41, TRUE, NULL, 123456789012345678 FROM virtual_domains WHERE name='%s'" }),
        ['example.org'],
      ],
    ]);
    assert.equal((await server.sql('SELECT COUNT(*) FROM virtual_aliases', 'mail')).trim(), '8', 'nothing was dropped');
  });

  await t.test('a key outside of quotes is a value, not SQL', async () => {
    const table = open(spec('bare', { query: 'SELECT email FROM virtual_users WHERE id = %u' }));
    assert.deepEqual(await ourAnswer(table, '1'), { kind: 'found', value: 'info@example.org' });
    assert.deepEqual(await ourAnswer(table, '1 or 1=1'), { kind: 'found', value: 'info@example.org' }, 'compared as one value');
    assert.deepEqual(await ourAnswer(table, '0 union select 1'), { kind: 'none' });
  });

  await t.test('a key with NUL is in no table, and one without end is not sent', async () => {
    const table = open(spec('nul', { query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    assert.equal(table.find('example.org\0'), null);
    assert.throws(() => table.find('x'.repeat(10_000)), TableError);
  });

  await t.test('a server in any SQL mode is safe', async () => {
    await server.sql("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'");
    const { open } = openTables(t);
    const table = open(spec('mode', { query: "SELECT email FROM virtual_users WHERE email='%s' AND password='x'" }));
    for (const key of ATTACKS) assert.deepEqual(await ourAnswer(table, key), { kind: 'none' }, key);
    await server.sql('SET GLOBAL sql_mode = DEFAULT');
  });

  await t.test('a dead server fails for now, another one answers, and after its return all is well', async () => {
    const { open, logged } = openTables(t);
    const dead = open(spec('dead', { hosts: 'inet:127.0.0.1:9', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    assert.equal((await ourAnswer(dead, 'example.org')).kind, 'error');
    const either = open(spec('either', { hosts: 'unix:/nowhere/socket inet:127.0.0.1:3306', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    assert.deepEqual(await ourAnswer(either, 'example.org'), { kind: 'found', value: '1' });
    await server.stop();
    assert.equal((await ourAnswer(either, 'example.org')).kind, 'error', 'never "not found"');
    await server.start();
    assert.deepEqual(await ourAnswer(either, 'example.org'), { kind: 'found', value: '1' });
    assert.deepEqual(await ourAnswer(either, 'unknown.test'), { kind: 'none' });
    assert.ok(logged.some(({ event }) => event === 'table.server.lost'));
    assert.ok(logged.some(({ event }) => event === 'table.server.back'));
  });

  await t.test('the connection that a restarted server closed does not fail the first lookup', async () => {
    const table = open(spec('again', { query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    assert.deepEqual(await ourAnswer(table, 'example.org'), { kind: 'found', value: '1' });
    await server.stop();
    await server.start();
    assert.deepEqual(await ourAnswer(table, 'example.org'), { kind: 'found', value: '1' });
  });

  await t.test('while a server is left alone lookups fail at once', async () => {
    const { open, logged } = openTables(t, { 'tables.serverCooldown': 60_000 });
    const dead = open(spec('cooldown', { hosts: 'inet:127.0.0.1:9', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    for (let i = 0; i < 5; i += 1) assert.equal((await ourAnswer(dead, `${i}.test`)).kind, 'error');
    assert.equal(logged.filter(({ event }) => event === 'table.server.lost').length, 1);
  });

  await t.test('a slow query ends at the deadline, and an abort at once', async () => {
    const { open } = openTables(t, { 'tables.queryTimeout': 300 });
    const slow = open(spec('slow', { query: "SELECT SLEEP(30) FROM virtual_domains WHERE name='%s'" }));
    assert.match(((await ourAnswer(slow, 'example.org')) as { text: string }).text, /no answer within 300 ms/);
    const controller = new AbortController();
    const answer = Promise.resolve(slow.find('example.org', controller.signal));
    controller.abort();
    await assert.rejects(answer, TableError);
  });

  await t.test('askers of the same key share a question, and answers are kept for a while', async () => {
    const { open } = openTables(t, { 'tables.cacheTtl': 60_000 });
    const table = open(spec('kept', { query: "SELECT UUID() FROM virtual_domains WHERE name='%s'" }));
    const [one, two] = await Promise.all([table.find('example.org'), table.find('example.org')]);
    assert.equal(one, two);
    assert.equal(table.find('EXAMPLE.org'), one, 'without a promise');
    assert.equal(await table.find('other.test'), null);
    assert.equal(table.find('other.test'), null);
  });

  await t.test('many keys at the same time are answered over few connections', async () => {
    const table = open(spec('many', { query: "SELECT CONCAT(name, '-', '%s') FROM virtual_domains WHERE id = 1" }));
    const keys = Array.from({ length: 300 }, (_, i) => `key${i}`);
    assert.deepEqual(
      await Promise.all(keys.map((key) => table.find(key))),
      keys.map((key) => `example.org-${key}`),
    );
    const connections = (await server.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'mail'")).trim();
    assert.ok(Number(connections) < 40, connections);
  });

  await t.test('a wrong password, database or query is an error, and says which', async () => {
    const wrong = async (lines: Readonly<Record<string, string>>): Promise<string> =>
      (
        (await ourAnswer(open(spec(`wrong-${Object.keys(lines)[0]}`, { query: "SELECT 1 FROM virtual_domains WHERE name='%s'", ...lines })), 'x')) as {
          text: string;
        }
      ).text;
    assert.match(await wrong({ password: 'no' }), /Access denied/);
    assert.match(await wrong({ dbname: 'nope' }), /nope/);
    assert.match(await wrong({ query: "SELEKT '%s'" }), /refused the query.*SQL syntax/);
  });

  await t.test('TLS: spoken when a parameter asks for it, refused when the certificate is not right', async (t) => {
    const query = "SELECT VARIABLE_VALUE FROM information_schema.session_status WHERE VARIABLE_NAME = 'Ssl_version' AND '%s' <> ''";
    await compareTables(t, ask, open, [
      [spec('tlsNot', { query }), ['x']],
      [spec('tls', { query, tls_CAfile: certificate.certificate }), ['x']],
      [spec('tlsStranger', { query, tls_CAfile: stranger.certificate }), ['x']],
    ]);
    assert.match(((await ourAnswer(open(spec('tls', { query, tls_CAfile: certificate.certificate })), 'x')) as { value: string }).value, /^TLSv1/);
    const verified = async (name: string, authority: string, host: string): ReturnType<typeof ourAnswer> =>
      ourAnswer(open(spec(`tlsVerified${name}`, { query, tls_verify_cert: 'yes', tls_CAfile: authority, hosts: host })), 'x');
    appendFileSync('/etc/hosts', '127.0.0.1 db.test other.test\n'); // That of our own network.
    assert.equal((await verified('', certificate.certificate, 'db.test')).kind, 'found');
    assert.match(((await verified('Stranger', stranger.certificate, 'db.test')) as { text: string }).text, /self-signed/);
    assert.match(((await verified('Name', certificate.certificate, 'other.test')) as { text: string }).text, /altnames/);
    await assert.rejects(verified('Address', certificate.certificate, '127.0.0.1'), /write the name of 127\.0\.0\.1:3306/);
  });

  await t.test('the option file of the MySQL programs, and TOML', async () => {
    const options = join(dir, 'my.cnf');
    writeFileSync(options, `[client]\nuser = mail\npassword = "pass'word\\""\n[posthorn]\npassword=pass'word"\nhost=127.0.0.1\nport=3306\n`);
    chmodSync(options, 0o600);
    const fromOptions = `mysql:${write('options.cf', { option_file: options, option_group: 'posthorn', dbname: 'mail', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" })}`;
    assert.deepEqual(await ourAnswer(open(fromOptions), 'example.org'), { kind: 'found', value: '1' });
    const toml = join(dir, 'domains.toml');
    writeFileSync(
      toml,
      `hosts = ["127.0.0.1:3306"]\nuser = "mail"\npassword = "pass'word\\""\ndbname = "mail"\nquery = """SELECT 1 FROM virtual_domains\nWHERE name = '%s'"""\nexpansion_limit = 1\n`,
    );
    chmodSync(toml, 0o644);
    assert.deepEqual(await ourAnswer(open(`mysql:${toml}`), 'example.org'), { kind: 'found', value: '1' });
    assert.deepEqual(
      logged.filter(({ event }) => event === 'table.passwordReadable').map(({ fields }) => fields['file']),
      [toml],
    );
  });
});

test('PostgreSQL: the same tables answer as Postfix does', async (t) => {
  const certificate = await makeCertificate(tempDir(t, 'certificate'), ['db.test', 'IP:127.0.0.1']);
  const stranger = await makeCertificate(tempDir(t, 'certificate'), ['db.test', 'IP:127.0.0.1']);
  const server = await startPostgreSql(t, 5432, certificate);
  const dir = tempDir(t, 'cf');
  const write = cfWriter(dir);
  await server.sql("CREATE DATABASE mail; CREATE ROLE mail LOGIN PASSWORD 'secret'");
  await server.sql(
    `${SCHEMA(false)} GRANT SELECT ON ALL TABLES IN SCHEMA public TO mail;
    CREATE FUNCTION lookup(param TEXT) RETURNS SETOF TEXT LANGUAGE sql AS $$ SELECT destination FROM virtual_aliases WHERE source = param ORDER BY id $$;`,
    'mail',
  );
  const ask = postmap(t);
  const { open } = openTables(t);
  const login = { hosts: 'inet:127.0.0.1:5432', user: 'mail', password: 'secret', dbname: 'mail' };
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `pgsql:${write(`${name}.cf`, { ...login, ...lines })}`;

  await t.test('keys, formats, limits, domains, attacks', async (t) => {
    // Postfix 3.7 speaks LATIN1 to the server, whatever the bytes are; ours must be right, see below.
    await compareTables(
      t,
      ask,
      open,
      asciiOnly([
        ...tablesFor('pgsql', write, login, { concat: "'%u' || '@' || '%d'" }),
        [spec('socket', { hosts: `unix:${server.socketDir}`, query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }), ADDRESSES],
        [
          spec('uri', { hosts: 'postgresql://mail:secret@127.0.0.1:5432/mail?sslmode=prefer', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }),
          ['example.org'],
        ],
        [spec('function', { query: "SELECT * FROM lookup('%s')" }), ['team@example.org', 'nobody@example.org', ...ATTACKS]],
        [spec('escaped', { query: "SELECT email FROM virtual_users WHERE email = E'%s'" }), ["o'brien@example.org", 'info@example.org']],
        [spec('cast', { query: "SELECT '%s'::text || '!' || lower('%D') FROM virtual_domains WHERE id = 1" }), [...ADDRESSES, 'quote"d@example.org']],
        [
          spec('types', {
            query: "SELECT 1.50, 2e10::float8, DATE '2026-01-02', TRUE, NULL, 123456789012345678, '\\x41'::bytea FROM virtual_domains WHERE name='%s'",
          }),
          ['example.org'],
        ],
      ]),
    );
    assert.deepEqual(await ourAnswer(open(spec('utf8', { query: "SELECT destination FROM virtual_aliases WHERE source='%s'" })), 'Jürgen@example.org'), {
      kind: 'found',
      value: 'müller@bücher.example',
    });
    assert.equal((await server.sql('SELECT COUNT(*) FROM virtual_aliases', 'mail')).trim(), '8', 'nothing was dropped');
  });

  await t.test('TLS: spoken where it can be, checked as sslmode says', async (t) => {
    const query = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND '%s' <> ''";
    const root = `&sslrootcert=${certificate.certificate}`;
    const mode = (name: string, more = ''): string =>
      spec(`tls-${name}-${more === '' ? '' : more === root ? 'root' : 'stranger'}`, {
        query,
        hosts: `postgresql://mail:secret@127.0.0.1:5432/mail?sslmode=${name}${more}`,
      });
    await compareTables(t, ask, open, [
      [spec('tls-default', { query }), ['x']],
      ...['disable', 'allow', 'prefer', 'require'].map((name) => [mode(name), ['x']] as const),
      ...['require', 'verify-ca', 'verify-full'].map((name) => [mode(name, root), ['x']] as const),
      [mode('verify-ca', `&sslrootcert=${stranger.certificate}`), ['x']],
    ]);
    assert.deepEqual(await ourAnswer(open(mode('require')), 'x'), { kind: 'found', value: 'true' });
    assert.deepEqual(await ourAnswer(open(mode('disable')), 'x'), { kind: 'found', value: 'false' });
  });

  await t.test("E'…' quotes take any key as a value", async () => {
    const table = open(spec('e', { query: "SELECT id FROM virtual_users WHERE email = E'%s'" }));
    for (const key of ATTACKS.filter((key) => !key.endsWith('@example.org'))) assert.deepEqual(await ourAnswer(table, key), { kind: 'none' }, key);
    assert.deepEqual(await ourAnswer(table, 'back\\slash@example.org'), { kind: 'found', value: '3' });
  });

  await t.test('a server with old-fashioned strings is safe', async () => {
    await server.sql('ALTER ROLE mail SET standard_conforming_strings = off');
    const { open } = openTables(t);
    const table = open(spec('strings', { query: "SELECT email FROM virtual_users WHERE email='%s'" }));
    for (const key of ["\\' OR 1=1 -- ", "' OR '1'='1"]) assert.deepEqual(await ourAnswer(table, key), { kind: 'none' }, key);
    assert.deepEqual(await ourAnswer(table, 'back\\slash@example.org'), { kind: 'found', value: 'back\\slash@example.org' });
  });

  await t.test('a dead server fails for now, and after its return all is well', async () => {
    const table = open(spec('restart', { query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    assert.deepEqual(await ourAnswer(table, 'example.org'), { kind: 'found', value: '1' });
    await server.stop();
    assert.equal((await ourAnswer(table, 'example.org')).kind, 'error', 'never "not found"');
    await server.start();
    assert.deepEqual(await ourAnswer(table, 'example.org'), { kind: 'found', value: '1' });
    const either = open(spec('either', { hosts: '127.0.0.1:9 127.0.0.1:5432', query: "SELECT 1 FROM virtual_domains WHERE name='%s'" }));
    for (let i = 0; i < 4; i += 1) assert.deepEqual(await ourAnswer(either, 'example.org'), { kind: 'found', value: '1' });
  });

  await t.test('a slow query ends at the deadline, a wrong one is an error', async () => {
    const { open } = openTables(t, { 'tables.queryTimeout': 300 });
    const slow = open(spec('slow', { query: "SELECT pg_sleep(30) FROM virtual_domains WHERE name='%s'" }));
    assert.match(((await ourAnswer(slow, 'example.org')) as { text: string }).text, /no answer within 300 ms|statement timeout/);
    const wrong = open(spec('wrong', { query: "SELEKT '%s'" }));
    assert.match(((await ourAnswer(wrong, 'x')) as { text: string }).text, /refused the query.*syntax error/);
    const denied = open(spec('denied', { dbname: 'nope', query: "SELECT '%s'" }));
    assert.match(((await ourAnswer(denied, 'x')) as { text: string }).text, /nope/);
  });
});

test('SQLite: the same tables answer as Postfix does', async (t) => {
  const dir = tempDir(t, 'sqlite');
  const write = cfWriter(dir);
  const path = join(dir, 'mail.db');
  const fill = new DatabaseSync(path);
  fill.exec(SCHEMA(false));
  fill.exec(
    "CREATE TABLE kinds (name TEXT, real1 REAL, real2 REAL, real3 REAL, big INTEGER, bytes BLOB); INSERT INTO kinds VALUES ('example.org', 1.0, 0.1, 1e300, 9007199254740993, x'4142')",
  );
  fill.close();
  const ask = postmap(t);
  const { open } = openTables(t);
  const login = { dbpath: path };
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `sqlite:${write(`${name}.cf`, { ...login, ...lines })}`;
  await t.test('keys, formats, limits, domains, attacks', (t) =>
    compareTables(t, ask, open, [
      ...tablesFor('sqlite', write, login, { concat: "'%u' || '@' || '%d'" }).filter(([name]) => !name.includes('broken')),
      [
        spec('kinds', {
          query:
            "SELECT real1 FROM kinds WHERE name = '%s' UNION ALL SELECT real2 FROM kinds UNION ALL SELECT real3 FROM kinds UNION ALL SELECT big FROM kinds UNION ALL SELECT bytes FROM kinds UNION ALL VALUES (1.5e-7), (2.5), (-3.0), (NULL), (1e15), (123456.789)",
        }),
        ['example.org', 'example.net'],
      ],
    ]),
  );
  await t.test('another file put in its place is found, and a missing one fails for now', async () => {
    let now = 0;
    const { open } = openTables(t, {}, () => now);
    const table = open(spec('swap', { query: "SELECT 'new' FROM virtual_domains WHERE name='%s'" }));
    assert.equal(table.find('example.net'), 'new');
    await succeed('mv', [path, `${path}.old`]);
    now += 2000;
    assert.throws(() => table.find('example.net'), TableError);
    await succeed('cp', [`${path}.old`, path]);
    now += 2000;
    assert.equal(table.find('example.net'), 'new');
  });
});
