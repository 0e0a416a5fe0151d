/** Lookup tables in directories and map servers: Debian's slapd and memcached, small servers for tcp and socketmap; what Postfix answers is right. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownNetwork } from './harness/own-network.ts';
import { succeed } from './harness/run.ts';
import { compareTables, cfWriter, openTables, ourAnswer } from './harness/tables.ts';
import { atEnd, type Owner, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startMemcached } from './peers/memcached.ts';
import { postmap } from './peers/postmap.ts';
import { startSlapd } from './peers/slapd.ts';

ownNetwork();

const SUFFIX = 'dc=example,dc=org';
const SCHEMA = `
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'maildrop' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'mailacceptinggeneralid' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'memberdn' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'memberaddr' EQUALITY caseIgnoreIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'mailThing' SUP top AUXILIARY MAY ( maildrop $ mailacceptinggeneralid $ memberdn $ memberaddr $ mail ) )
`;

const entry = (dn: string, ...lines: readonly string[]): string => `dn: ${dn}\n${lines.join('\n')}\n\n`;
const person = (name: string, ...lines: readonly string[]): string =>
  entry(`uid=${name},ou=people,${SUFFIX}`, 'objectClass: inetOrgPerson', 'objectClass: mailThing', `uid: ${name}`, `cn: ${name}`, `sn: ${name}`, ...lines);
const group = (name: string, ...lines: readonly string[]): string =>
  entry(`cn=${name},ou=groups,${SUFFIX}`, 'objectClass: organizationalRole', 'objectClass: mailThing', `cn: ${name}`, ...lines);
const LDIF = [
  entry(SUFFIX, 'objectClass: dcObject', 'objectClass: organization', 'o: Example', 'dc: example'),
  ...['people', 'groups', 'example.org', 'example.net', 'a\\, b', 'aliases'].map((ou) =>
    entry(`ou=${ou},${SUFFIX}`, 'objectClass: organizationalUnit', `ou: ${ou.replace('\\', '')}`),
  ),
  person(
    'anna',
    'mail: anna@example.org',
    'mailacceptinggeneralid: anna',
    'mailacceptinggeneralid: anna@example.org',
    'maildrop: anna@store.example.org',
    'userPassword: anna-secret',
  ),
  person(
    'bert',
    'mail: bert@example.org',
    'mail: bert@example.net',
    'mailacceptinggeneralid: bert',
    'mailacceptinggeneralid: bert@example.org',
    'maildrop: bert@store.example.org',
    'maildrop: bert@backup.example.net',
  ),
  person('odd', 'mail:: bydxdW90KGUqKUBleGFtcGxlLm9yZw==', 'mailacceptinggeneralid: star*(paren)\\back', 'maildrop: odd'),
  person('jurgen', 'mailacceptinggeneralid:: asO8cmdlbkBleGFtcGxlLm9yZw==', 'cn:: SsO8cmdlbg==', 'maildrop: jurgen@example.org'),
  entry(
    `cn=in folder,ou=example.org,${SUFFIX}`,
    'objectClass: organizationalRole',
    'objectClass: mailThing',
    'cn: in folder',
    'mailacceptinggeneralid: box',
    'maildrop: box@folder',
  ),
  entry(
    `cn=comma,ou=a\\, b,${SUFFIX}`,
    'objectClass: organizationalRole',
    'objectClass: mailThing',
    'cn: comma',
    'mailacceptinggeneralid: comma',
    'maildrop: comma@folder',
  ),
  group(
    'team',
    'mailacceptinggeneralid: team@example.org',
    `memberdn: uid=anna,ou=people,${SUFFIX}`,
    `memberdn: uid=bert,ou=people,${SUFFIX}`,
    'memberaddr: far@remote.example',
    'mail: team@example.org',
  ),
  group('nested', 'mailacceptinggeneralid: nested@example.org', `memberdn: cn=team,ou=groups,${SUFFIX}`, `memberdn: uid=odd,ou=people,${SUFFIX}`),
  group(
    'terminal',
    'mailacceptinggeneralid: terminal@example.org',
    `memberdn: uid=anna,ou=people,${SUFFIX}`,
    'maildrop: lists@example.org',
    'memberaddr: x@example.org',
  ),
  group('url', 'mailacceptinggeneralid: url@example.org', `memberdn: ldap:///ou=people,${SUFFIX}?mail?sub?(uid=bert)`, 'memberaddr: y@example.org'),
  group('urlAll', 'mailacceptinggeneralid: urlall@example.org', `memberdn: ldap:///ou=people,${SUFFIX}??one?(|(uid=anna)(uid=bert))`),
  group('gone', 'mailacceptinggeneralid: gone@example.org', `memberdn: uid=nobody,ou=people,${SUFFIX}`, `memberdn: uid=anna,ou=people,${SUFFIX}`),
  group('loop', 'mailacceptinggeneralid: loop@example.org', `memberdn: cn=loop,ou=groups,${SUFFIX}`),
  entry(
    `cn=shortcut,ou=aliases,${SUFFIX}`,
    'objectClass: alias',
    'objectClass: extensibleObject',
    'cn: shortcut',
    `aliasedObjectName: uid=anna,ou=people,${SUFFIX}`,
  ),
].join('');

const KEYS = [
  'anna',
  'anna@example.org',
  'ANNA@Example.Org',
  'bert@example.org',
  'bert',
  'team@example.org',
  'nobody@example.org',
  '@example.org',
  'example.org',
  'anna@',
  '*',
  'a*',
  'anna)(uid=*',
  '*)(objectClass=*',
  'star*(paren)\\back',
  'o\'"quot(e*)@example.org',
  '\\2a',
  'anna@example.org,dc=x',
  'jürgen@example.org',
  'box@example.org',
  'box@example.net',
  'box@missing.example',
  'comma@a, b',
  'box@example.org,ou=people',
  '',
];
const GROUPS = [
  'team@example.org',
  'nested@example.org',
  'terminal@example.org',
  'url@example.org',
  'urlall@example.org',
  'gone@example.org',
  'anna@example.org',
];

test('LDAP: a directory answers as it does for Postfix', async (t) => {
  const certificate = await makeCertificate(tempDir(t, 'certificate'), ['ldap.example.org', 'IP:127.0.0.1']);
  const server = await startSlapd(t, { port: 3890, ldapsPort: 6360, certificate, suffix: SUFFIX, password: 'admin-secret', ldif: LDIF, schema: SCHEMA });
  const write = cfWriter(tempDir(t, 'cf'));
  const ask = postmap(t);
  const { open, logged } = openTables(t);
  const login = { server_host: 'ldap://127.0.0.1:3890', search_base: SUFFIX, version: '3' };
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `ldap:${write(`${name}.cf`, { ...login, ...lines })}`;

  await t.test('keys, filters, bases, formats, groups, limits, attacks', (t) =>
    compareTables(t, ask, open, [
      [spec('plain', {}), KEYS],
      [spec('mail', { query_filter: '(&(mail=%s)(objectClass=inetOrgPerson))', result_attribute: 'uid' }), KEYS],
      [spec('many', { query_filter: 'mailacceptinggeneralid=%s', result_attribute: 'mail, maildrop uid' }), ['bert', 'anna', 'nobody']],
      [spec('any', { query_filter: '(|(mail=%s)(mail=*@%d))', result_attribute: 'uid' }), ['anna@example.org', 'x@example.net', 'anna', 'x@*']],
      [spec('base', { search_base: `ou=%d,${SUFFIX}`, query_filter: 'mailacceptinggeneralid=%u' }), KEYS],
      [spec('labels', { search_base: `ou=%2.%1,${SUFFIX}`, query_filter: 'mailacceptinggeneralid=%U' }), [...KEYS, 'box@mail.example.org']],
      [spec('one', { search_base: `ou=people,${SUFFIX}`, scope: 'one' }), ['anna', 'team@example.org']],
      [spec('oneBelow', { scope: 'one' }), ['anna']],
      [
        spec('baseScope', { search_base: `uid=%u,ou=people,${SUFFIX}`, scope: 'base', query_filter: 'objectClass=*' }),
        ['anna@x', 'bert', 'nobody', 'anna,ou=people', '+', '#x'],
      ],
      [spec('format', { result_format: 'smtp:[%d]:%u:%S:%%' }), ['anna', 'bert@example.org', 'star*(paren)\\back']],
      [spec('oldFormat', { result_filter: 'x-%s' }), ['anna']],
      [spec('domain', { domain: 'example.org' }), KEYS],
      [spec('noBase', { search_base: 'dc=nowhere' }), ['anna']],
      [spec('groups', { special_result_attribute: 'memberdn', leaf_result_attribute: 'mail', result_attribute: 'memberaddr' }), GROUPS],
      [
        spec('groupsTerminal', {
          special_result_attribute: 'memberdn',
          leaf_result_attribute: 'mail',
          terminal_result_attribute: 'maildrop',
          result_attribute: '',
        }),
        GROUPS,
      ],
      [spec('groupsPlain', { special_result_attribute: 'memberdn', result_attribute: 'mail memberaddr' }), GROUPS],
      [
        spec('limit1', { expansion_limit: '1', special_result_attribute: 'memberdn', result_attribute: 'mail' }),
        ['anna@example.org', 'bert@example.org', 'team@example.org'],
      ],
      [spec('size1', { size_limit: '1', query_filter: '(&(objectClass=inetOrgPerson)(uid=%s))', result_attribute: 'uid' }), ['anna']],
      [spec('size1many', { size_limit: '1', query_filter: '(&(objectClass=inetOrgPerson)(!(uid=%s)))', result_attribute: 'uid' }), ['anna']],
      [spec('size3', { size_limit: '3', query_filter: '(&(objectClass=inetOrgPerson)(!(uid=%s)))', result_attribute: 'uid' }), ['anna', 'nobody']],
      [
        spec('recursion', { recursion_limit: '2', special_result_attribute: 'memberdn', result_attribute: 'mail' }),
        ['team@example.org', 'nested@example.org', 'loop@example.org'],
      ],
      [spec('dereference', { search_base: `ou=aliases,${SUFFIX}`, dereference: '3' }), ['anna']],
      [spec('notDereference', { search_base: `ou=aliases,${SUFFIX}` }), ['anna']],
      [spec('bound', { bind_dn: `cn=admin,${SUFFIX}`, bind_pw: 'admin-secret' }), ['anna']],
      [spec('wrongPassword', { bind_dn: `cn=admin,${SUFFIX}`, bind_pw: 'wrong' }), ['anna']],
      [spec('unbound', { bind: 'no' }), ['anna', 'nobody']],
      [spec('socket', { server_host: server.ldapi }), ['anna']],
      [spec('port', { server_host: '127.0.0.1', server_port: '3890' }), ['anna']],
      [spec('several', { server_host: 'ldap://127.0.0.1:9 ldap://127.0.0.1:3890' }), ['anna']],
      [spec('badFilter', { query_filter: '(mail=%s)(x=y)' }), ['anna']],
      [spec('noAttribute', { result_attribute: 'telephoneNumber' }), ['anna']],
      [spec('startTls', { start_tls: 'yes', tls_ca_cert_file: certificate.certificate, tls_require_cert: 'yes' }), ['anna']],
      [spec('ldaps', { server_host: 'ldaps://127.0.0.1:6360', tls_ca_cert_file: certificate.certificate, tls_require_cert: 'yes' }), ['anna']],
      [spec('ldapsUnchecked', { server_host: 'ldaps://127.0.0.1:6360' }), ['anna']],
      [spec('dead', { server_host: 'ldap://127.0.0.1:9' }), ['anna']],
    ]),
  );

  await t.test('a certificate of nobody known is refused, with ldaps and with StartTLS', async () => {
    for (const lines of [{ server_host: 'ldaps://127.0.0.1:6360' }, { start_tls: 'yes' }] as Record<string, string>[]) {
      const answer = await ourAnswer(open(spec(`untrusted-${Object.keys(lines)[0]}`, { ...lines, tls_require_cert: 'yes' })), 'anna');
      assert.equal(answer.kind, 'error');
      assert.match((answer as { text: string }).text, /self-signed|certificate/i);
    }
  });

  await t.test('a dead server fails for now, and after its return all is well, with StartTLS too', async () => {
    const tables = [open(spec('restart', {})), open(spec('restartTls', { start_tls: 'yes' }))];
    for (const table of tables) assert.deepEqual(await ourAnswer(table, 'anna'), { kind: 'found', value: 'anna@store.example.org' });
    await server.stop();
    for (const table of tables) assert.equal((await ourAnswer(table, 'anna')).kind, 'error', 'never "not found"');
    await server.start();
    for (const table of tables) assert.deepEqual(await ourAnswer(table, 'anna'), { kind: 'found', value: 'anna@store.example.org' });
    assert.ok(logged.some(({ event }) => event === 'table.server.lost') && logged.some(({ event }) => event === 'table.server.back'));
    assert.ok(logged.some(({ event, fields }) => event === 'table.member.lost' && String(fields['name']).startsWith('uid=nobody')));
  });

  await t.test('many keys at the same time', async () => {
    const table = open(spec('busy', {}));
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => table.find(i % 2 === 0 ? 'anna' : `nobody${i}`)));
    assert.deepEqual(new Set(answers), new Set(['anna@store.example.org', null]));
  });
});

test('LDAP: references to another server are followed when chase_referrals says so', async (t) => {
  const other = 'ou=far,dc=example,dc=org';
  await startSlapd(t, {
    port: 3891,
    suffix: other,
    password: 'x',
    schema: SCHEMA,
    ldif: entry(other, 'objectClass: organizationalUnit', 'objectClass: mailThing', 'ou: far', 'mailacceptinggeneralid: far', 'maildrop: far@away.example'),
  });
  const referral = entry(`ou=far,${SUFFIX}`, 'objectClass: referral', 'objectClass: extensibleObject', 'ou: far', `ref: ldap://127.0.0.1:3891/${other}`);
  await startSlapd(t, { port: 3890, suffix: SUFFIX, password: 'x', schema: SCHEMA, ldif: LDIF + referral });
  const write = cfWriter(tempDir(t, 'cf'));
  const { open } = openTables(t);
  const login = { server_host: 'ldap://127.0.0.1:3890', search_base: SUFFIX };
  await compareTables(t, postmap(t), open, [
    [`ldap:${write('chase.cf', { ...login, chase_referrals: 'yes' })}`, ['far', 'anna', 'nobody']],
    [`ldap:${write('stay.cf', { ...login, chase_referrals: 'no' })}`, ['far', 'anna']],
  ]);
});

/** A server that answers each request found by `split` with `answer`; null ends the connection. */
function mapServer(
  owner: Owner,
  where: { port: number } | { path: string },
  split: (bytes: Buffer) => number,
  answer: (request: Buffer) => string | null,
): Promise<{ connections(): number; drop(): void }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let buffer: Buffer = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      buffer = Buffer.concat([buffer, bytes]);
      for (let end = split(buffer); end > 0; end = split(buffer)) {
        const reply = answer(buffer.subarray(0, end));
        buffer = buffer.subarray(end);
        if (reply === null) socket.destroy();
        else socket.write(reply);
      }
    });
  });
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  atEnd(owner, () => {
    drop();
    server.close();
  });
  return new Promise((resolve) =>
    server.listen('port' in where ? { port: where.port, host: '127.0.0.1' } : where, () => resolve({ connections: () => connections, drop })),
  );
}

test('tcp: the line protocol, with Postfix as the other client', async (t) => {
  const keys: string[] = [];
  const answers = new Map<string, string | null>([
    ['found', '200 the%20value\n'],
    ['plain', '200 two words\n'],
    ['utf8', '200 j%C3%BCrgen\n'],
    ['newline', '200 a%0ab\n'],
    ['empty', '200 \n'],
    ['later', '400 come%20back\n'],
    ['odd', '299 what\n'],
  ]);
  const server = await mapServer(
    t,
    { port: 7000 },
    (bytes) => bytes.indexOf(10) + 1,
    (request) => {
      const key = request.toString('latin1').replace(/^get /, '').replace(/\n$/, '');
      keys.push(key);
      const answer = answers.get(key);
      return answer === undefined ? '500 not%20here\n' : answer;
    },
  );
  const ask = postmap(t);
  const { open } = openTables(t);
  const spec = 'tcp:127.0.0.1:7000';
  await t.test('answers', (t) =>
    compareTables(t, ask, open, [[spec, ['found', 'plain', 'utf8', 'unknown', 'Found', 'two words', 'per%cent', 'user@example.org', 'jürgen', 'tab\t']]]),
  );
  assert.deepEqual(
    keys.filter((_, at) => at % 2 === 0),
    keys.filter((_, at) => at % 2 === 1),
    'the same bytes were sent',
  );
  await t.test('what Postfix would try again for a quarter of an hour', async () => {
    const table = open(spec);
    assert.equal(table.kind, 'pattern');
    for (const key of ['later', 'odd']) assert.equal((await ourAnswer(table, key)).kind, 'error', key);
    assert.deepEqual(await ourAnswer(table, 'newline'), { kind: 'found', value: 'a\nb' });
    assert.match(((await ourAnswer(table, 'later')) as { text: string }).text, /come back/);
  });
  await t.test('a connection is used again, and another one made when it was closed', async () => {
    const table = open(spec);
    const before = server.connections();
    for (let i = 0; i < 10; i += 1) assert.equal(await table.find('found'), 'the value');
    assert.ok(server.connections() <= before + 1);
    server.drop();
    assert.equal(await table.find('found'), 'the value');
  });
  await t.test('answers that are none', async (t) => {
    const lines = ['2000 x\n', 'hello\n', '200 %zz\n', `200 ${'x'.repeat(5000)}\n`, '\n', '200 a\n200 b\n', '20'];
    let line = '';
    await mapServer(
      t,
      { port: 7001 },
      (bytes) => bytes.indexOf(10) + 1,
      () => (line.endsWith('\n') ? line : null),
    );
    for (line of lines) assert.equal((await ourAnswer(open('tcp:127.0.0.1:7001'), 'x')).kind, 'error', line.slice(0, 20));
  });
});

test('socketmap: netstrings, with Postfix as the other client', async (t) => {
  const answers: Readonly<Record<string, string>> = {
    'map found': 'OK the value',
    'map utf8': 'OK jürgen',
    'map long': `OK ${'x'.repeat(90_000)}`,
    'map temp': 'TEMP not now',
    'map timeout': 'TIMEOUT slow',
    'map perm': 'PERM never',
    'map odd': 'MAYBE',
    'map empty': 'OK ',
    'other found': 'OK another',
  };
  const netstring = (text: string): string => `${Buffer.byteLength(text)}:${text},`;
  const split = (bytes: Buffer): number => {
    const colon = bytes.indexOf(58);
    const end = colon === -1 ? 0 : colon + 2 + Number(bytes.toString('latin1', 0, colon));
    return end <= bytes.length ? end : 0;
  };
  const answer = (request: Buffer): string => netstring(answers[request.toString().replace(/^\d+:/, '').replace(/,$/, '')] ?? 'NOTFOUND ');
  const path = join(tempDir(t, 'socketmap'), 'socket');
  const server = await mapServer(t, { path }, split, answer);
  chmodSync(path, 0o777);
  await mapServer(t, { port: 7002 }, split, answer);
  const { open } = openTables(t);
  await t.test('answers', (t) =>
    compareTables(t, postmap(t), open, [
      [`socketmap:unix:${path}:map`, ['found', 'utf8', 'long', 'unknown', 'Found', 'two words', 'temp', 'timeout', 'perm', 'odd', 'empty', 'jürgen']],
      ['socketmap:inet:127.0.0.1:7002:other', ['found', 'utf8']],
      ['socketmap:inet:127.0.0.1:9:other', ['found']],
    ]),
  );
  server.drop();
  assert.equal(await open(`socketmap:unix:${path}:map`).find('found'), 'the value');
  await t.test('answers that are none', async (t) => {
    let reply = '';
    await mapServer(t, { port: 7003 }, split, () => reply);
    for (reply of ['x', '999999:OK', '05:OK aa,', '3:OK aa,', '12345678901:', ':,', '-1:', '5:OK ab;', '4:OK a,x'])
      assert.equal((await ourAnswer(openTables(t, { 'tables.queryTimeout': 200 }).open('socketmap:inet:127.0.0.1:7003:map'), 'x')).kind, 'error', reply);
  });
});

test('memcache: in front of another table and alone', async (t) => {
  const server = await startMemcached(t);
  const dir = tempDir(t, 'cf');
  const write = cfWriter(dir);
  writeFileSync(join(dir, 'aliases'), 'anna@example.org anna@store\nbert@example.org bert@store\n');
  await succeed('postmap', [`hash:${join(dir, 'aliases')}`]);
  const { open } = openTables(t);
  const login = { memcache: `unix:${server.socket}` };
  const spec = (name: string, lines: Readonly<Record<string, string>>): string => `memcache:${write(`${name}.cf`, { ...login, ...lines })}`;
  const keys = ['anna@example.org', 'Anna@Example.org', 'nobody@example.org', 'two words', '@example.org', '', 'user', 'x'.repeat(300)];
  const backed = spec('backed', { backup: `hash:${join(dir, 'aliases')}`, key_format: 'aliases:%s' });
  await t.test('answers', (t) =>
    compareTables(t, postmap(t), open, [
      [backed, keys],
      [spec('alone', { key_format: 'aliases:%s' }), keys],
      [spec('users', { key_format: 'aliases:%u@example.org' }), ['anna', 'anna@elsewhere', '@example.org']],
      [spec('domain', { key_format: 'aliases:%s', domain: 'example.net' }), keys],
    ]),
  );
  await t.test('what the table behind it said is kept there', async () => {
    const fresh = open(backed);
    assert.equal(await fresh.find('bert@example.org'), 'bert@store');
    await eventually('the value is in memcached', () => open(spec('alone', { key_format: 'aliases:%s' })).find('bert@example.org'));
  });
  await t.test('without its memcached the table behind it answers; alone it fails for now', async () => {
    await server.stop();
    assert.equal(await open(backed).find('anna@example.org'), 'anna@store');
    assert.equal(await open(backed).find('nobody@example.org'), null);
    assert.equal((await ourAnswer(open(spec('alone', { key_format: 'aliases:%s' })), 'anna@example.org')).kind, 'error');
    await server.start();
    assert.deepEqual(await ourAnswer(open(spec('alone', { key_format: 'aliases:%s' })), 'anna@example.org'), { kind: 'none' }, 'a new memcached is empty');
  });
});
