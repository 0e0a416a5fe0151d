/** The small pieces: addresses, URLs, replies of the map protocols, columns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseServerAddress } from './hosts.ts';
import { filterValue, nameValue, parseLdapUrl } from './ldap-text.ts';
import { readGet } from './memcache.ts';
import { parsePostgresUri } from './pgsql-uri.ts';
import { LinkLost } from './pool.ts';
import { netstring, readNetstring, socketmapValue } from './socketmap.ts';
import { columnText } from './sqlite.ts';
import { decodeTcp, encodeTcp, readTcpReply } from './tcp.ts';

for (const [text, expected] of [
  ['localhost', { kind: 'tcp', host: 'localhost', port: 1 }],
  ['inet:db.test:3306', { kind: 'tcp', host: 'db.test', port: 3306 }],
  ['[2001:db8::1]:5', { kind: 'tcp', host: '2001:db8::1', port: 5 }],
  ['inet:[::1]', { kind: 'tcp', host: '::1', port: 1 }],
  ['::1', { kind: 'tcp', host: '::1', port: 1 }],
  ['unix:/run/x', { kind: 'unix', path: '/run/x' }],
  ['/run/x', { kind: 'unix', path: '/run/x' }],
  ['unix:', null],
  ['host:0', null],
  ['host:65536', null],
  ['a b', null],
  ['', null],
  ['host:', null],
] as const)
  test(`the address "${text}"`, () => assert.deepEqual(parseServerAddress(text, 1), expected));

for (const [text, expected] of [
  ['ldap://h/', { scheme: 'ldap', host: 'h', port: null, base: '', attributes: [], scope: 'base', filter: '(objectClass=*)' }],
  [
    'LDAPS://h:636/dc=a?mail,uid?sub?(x=y)',
    { scheme: 'ldaps', host: 'h', port: 636, base: 'dc=a', attributes: ['mail', 'uid'], scope: 'sub', filter: '(x=y)' },
  ],
  ['ldapi://%2Frun%2Fldapi', { scheme: 'ldapi', host: '/run/ldapi', port: null, base: '', attributes: [], scope: 'base', filter: '(objectClass=*)' }],
  ['ldap:///o=a%20b??one', { scheme: 'ldap', host: '', port: null, base: 'o=a b', attributes: [], scope: 'one', filter: '(objectClass=*)' }],
  ['ldap://h/dc=a????!critical', null],
  ['ldap://h/dc=a??tree', null],
  ['ldap://h:99999', null],
  ['ldap://h/%zz', null],
  ['http://h/', null],
  ['uid=anna,dc=a', null],
] as const)
  test(`the LDAP URL "${text}"`, () => assert.deepEqual(parseLdapUrl(text), expected));

test('LDAP texts are escaped (RFC 4515 section 3, RFC 4514 section 2.4)', () => {
  assert.equal(filterValue('*)(uid=\\\0'), '\\2a\\29\\28uid=\\5c\\00');
  assert.equal(nameValue(' a,b+c"d\\e<f>g;h=i '), '\\ a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\=i\\ ');
  assert.equal(nameValue('#x'), '\\#x');
  assert.equal(nameValue(' '), '\\ ');
});

for (const [text, expected] of [
  [
    'postgresql://mail:p%40ss@db.test:5433/users?sslmode=require',
    { user: 'mail', password: 'p@ss', host: 'db.test', port: 5433, database: 'users', sslmode: 'require' },
  ],
  ['postgres:///users?host=/run/postgresql&application_name=x', { host: '/run/postgresql', database: 'users', applicationName: 'x' }],
  ['postgresql://[::1]', { host: '::1' }],
] as const)
  test(`the URI "${text}"`, () => assert.deepEqual(JSON.parse(JSON.stringify(parsePostgresUri(text))), expected));
for (const text of [
  'postgresql://a,b/x',
  'postgresql://a/x?sslmode=maybe',
  'postgresql://a/x?nope=1',
  'postgresql://a:0/x',
  'postgresql://a/%zz',
  'postgresql://a/x?y',
  'mysql://a',
])
  test(`"${text}" is no URI for one server`, () => assert.ok('wrong' in parsePostgresUri(text)));

test('tcp: any key goes there and back', () => {
  assert.equal(encodeTcp('a b%c\né'), 'a%20b%25c%0A%C3%A9');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.match(encodeTcp(text), /^[!-~]*$/);
      assert.equal(decodeTcp(Buffer.from(encodeTcp(text))), text);
    }),
    { seed: 1, numRuns: 300 },
  );
  assert.equal(decodeTcp(Buffer.from('100%')), null);
  assert.equal(decodeTcp(Buffer.from('%g0')), null);
});

test('tcp: replies', () => {
  assert.equal(readTcpReply(Buffer.from('200 a')), null);
  assert.deepEqual(readTcpReply(Buffer.from('200 a%20b\n')), { value: { code: 200, text: 'a b' }, used: 10 });
  assert.deepEqual(readTcpReply(Buffer.from('500\n')), { value: { code: 500, text: '' }, used: 4 });
  for (const line of ['2000 a\n', 'ok\n', '\n', '20\n']) assert.throws(() => readTcpReply(Buffer.from(line)), LinkLost);
});

test('socketmap: a netstring is read from any pieces', () => {
  const whole = Buffer.concat([netstring('OK jürgen'), Buffer.from('rest')]);
  for (let end = 0; end < whole.length - 4; end += 1) assert.equal(readNetstring(whole.subarray(0, end)), null, `${end} bytes`);
  assert.deepEqual(readNetstring(whole), { value: 'OK jürgen', used: whole.length - 4 });
  for (const bad of ['x', '01:a,', '1:ab', '100001:', '9999999', ':', '-1:a,', ' 1:a,']) assert.throws(() => readNetstring(Buffer.from(bad)), LinkLost, bad);
});

test('socketmap: only NOTFOUND is "not found"', () => {
  assert.equal(socketmapValue('OK a b', 't'), 'a b');
  assert.equal(socketmapValue('NOTFOUND ', 't'), null);
  for (const reply of ['TEMP x', 'TIMEOUT ', 'PERM x', '', 'ok x', 'NOTFOUNDX']) assert.throws(() => socketmapValue(reply, 't'), /^TableError/);
});

test('memcache: a value is read from any pieces', () => {
  const whole = Buffer.from('VALUE key 0 9\r\nj\u00fcrgen\r\n\r\nEND\r\n');
  for (let end = 0; end < whole.length; end += 1) assert.equal(readGet(whole.subarray(0, end), 100, 100), null, `${end} bytes`);
  assert.deepEqual(readGet(whole, 100, 100), { value: 'jürgen\r\n', used: whole.length });
  assert.deepEqual(readGet(Buffer.from('END\r\n'), 100, 100), { value: null, used: 5 });
  for (const bad of [
    'ERROR\r\n',
    'VALUE key 0 101\r\n',
    'VALUE key 0 x\r\n',
    'VALUE key 0 1\r\nabcEND\r\n',
    'VALUE key 0 1\r\na\r\nVALUE\r\n',
    'x'.repeat(101),
  ])
    assert.throws(() => readGet(Buffer.from(bad), 100, 100), LinkLost, bad);
});

test('bytes that are no protocol end in an answer or a LinkLost, never in another error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom('', '200 ', '5:', 'VALUE a 0 3\r\n'), (bytes, head) => {
      for (const read of [readTcpReply, readNetstring, (all: Buffer) => readGet(all, 100, 100)]) {
        try {
          read(Buffer.concat([Buffer.from(head), bytes]));
        } catch (error) {
          assert.ok(error instanceof LinkLost);
        }
      }
    }),
    { seed: 2, numRuns: 1000 },
  );
});

test('SQLite columns are written as SQLite writes them', () => {
  for (const [value, text] of [
    [null, null],
    ['a', 'a'],
    [9007199254740993n, '9007199254740993'],
    [1, '1.0'],
    [0.1, '0.1'],
    [1e15, '1.0e+15'],
    [1e-5, '1.0e-05'],
    [0.0001, '0.0001'],
    [-123456.789, '-123456.789'],
    [1.5e300, '1.5e+300'],
    [Number.POSITIVE_INFINITY, 'Inf'],
    [new Uint8Array([65, 66]), 'AB'],
  ] as const)
    assert.equal(columnText(value), text);
});
