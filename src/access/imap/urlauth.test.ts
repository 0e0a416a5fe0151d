import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, CARL, SharingServer } from './acl-testing.ts';
import { bodyPartStructure } from './body-part-structure.ts';
import { type Client, talk } from './testing.ts';
import { mayUse } from './urlauth-token.ts';

const MESSAGE = [
  'Subject: two parts',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'Si vis pacem, para bellum.',
  '--b',
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: base64',
  '',
  'AAECAw==',
  '--b',
  'Content-Type: application/x-odd',
  'Content-Transfer-Encoding: x-odd',
  '',
  '?',
  '--b--',
  '',
].join('\r\n');

async function setUp(t: Parameters<typeof SharingServer.start>[0]): Promise<SharingServer> {
  const server = await SharingServer.start(t, { 'imap.urlauthSubmitters': [CARL] });
  const anna = await server.client(ANNA);
  await anna.exchange(`a APPEND INBOX {${MESSAGE.length}+}\r\n${MESSAGE}\r\n`);
  return server;
}

async function sign(client: Client, rump: string): Promise<string> {
  const answer = await client.exchange(`g GENURLAUTH "${rump}" INTERNAL\r\n`);
  const [, url] = /^\* GENURLAUTH "([^"]+)"\r\ng OK GENURLAUTH completed\r\n$/.exec(answer) ?? [];
  assert.ok(url, answer);
  assert.match(url.slice(rump.length), /^:internal:01[0-9a-f]{64}$/);
  return url;
}

const BASE = 'imap://anna@example.org@mx.example.org/INBOX/;uid=1'.replace('anna@', 'anna%40');

test('GENURLAUTH and URLFETCH: another user reads what the URL names, and nothing else', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  const bert = await server.client(BERT);
  const url = await sign(anna, `${BASE}/;section=1;urlauth=user+bert@example.org`);
  await talk(bert, `C: a URLFETCH "${url}"\nS: * URLFETCH "${url}" {26}\nS: Si vis pacem, para bellum.\nS: a OK URLFETCH completed`);
  for (const wrong of [
    url.replace('section=1', 'section=2'),
    url.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')),
    url.replace(/01[0-9a-f]+$/, '00'.repeat(33)),
    url.replace('bert', 'carl'),
    url.slice(0, url.indexOf(':internal')),
    url.replace('internal', 'xsample'),
    url.replace('anna', 'nobody'),
    'nonsense',
    'imap://mx.example.org/',
  ])
    await talk(bert, `C: a URLFETCH "${wrong}"\nS: * URLFETCH "${wrong}" NIL\nS: a OK URLFETCH completed`);
  const carl = await server.client(CARL);
  await talk(carl, `C: a URLFETCH "${url}"\nS: * URLFETCH "${url}" NIL\nS: a OK URLFETCH completed`);
  await talk(anna, `C: a URLFETCH "${url}"\nS: * URLFETCH "${url}" NIL\nS: a OK URLFETCH completed`);
});

test('who may use a URL: everybody, whoever is logged in, one user, a submission server', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  const fetched = async (access: string): Promise<string> => {
    const url = await sign(anna, `${BASE}/;section=1;urlauth=${access}`);
    let who = '';
    for (const login of [ANNA, BERT, CARL]) {
      const client = await server.client(login);
      if ((await client.exchange(`a URLFETCH "${url}"\r\n`)).includes('{26}')) who += login[0];
    }
    return who;
  };
  assert.equal(await fetched('anonymous'), 'abc');
  assert.equal(await fetched('authuser'), 'abc');
  assert.equal(await fetched('user+bert%40example.org'), 'b');
  assert.equal(await fetched('submit+anna%40example.org'), 'c');
  assert.equal(mayUse({ kind: 'authuser' }, 'guest', [], 'guest'), false);
});

test('a URL ends with its time, its key, its mailbox, the rights of its user', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  const isGood = async (url: string): Promise<boolean> => (await anna.exchange(`a URLFETCH "${url}"\r\n`)).includes('{26}');
  const part = `${BASE}/;section=1`;
  assert.equal(await isGood(await sign(anna, `${part};expire=2026-01-02T03:04:06Z;urlauth=authuser`)), true);
  assert.equal(await isGood(await sign(anna, `${part};expire=2026-01-02T04:04:05+01:00;urlauth=authuser`)), false);
  const first = await sign(anna, `${part};urlauth=authuser`);
  assert.equal(await sign(anna, `${part};urlauth=authuser`), first);
  await talk(anna, 'C: r RESETKEY INBOX\nS: r OK [URLMECH INTERNAL] Key changed');
  assert.equal(await isGood(first), false);
  const second = await sign(anna, `${part};urlauth=authuser`);
  assert.notEqual(second, first);
  assert.equal(await isGood(second), true);
  await talk(anna, 'C: r RESETKEY\nS: r OK All keys removed');
  assert.equal(await isGood(second), false);
  // A mailbox of others: for as long as it may be read.
  await server.share(ANNA, 'INBOX', BERT, 'lr');
  const bert = await server.client(BERT);
  const shared = await sign(bert, `imap://bert%40example.org@mx/Other%20Users/anna%40example.org/INBOX/;uid=1/;section=1;urlauth=authuser`);
  assert.equal(await isGood(shared), true);
  await talk(bert, 'C: r RESETKEY "Other Users/anna@example.org/INBOX"\nS: r NO [NOPERM] You have no right to do this');
  await server.share(ANNA, 'INBOX', BERT, '');
  assert.equal(await isGood(shared), false);
});

const UNSIGNED: readonly string[] = [
  BASE,
  `${BASE};urlauth=everybody`,
  `${BASE};urlauth=user+`,
  `${BASE};urlauth=anonymous:internal:${'0'.repeat(32)}`,
  `${BASE.replace('anna', 'bert')};urlauth=anonymous`,
  `${BASE.replace('anna%40example.org@', '')};urlauth=anonymous`,
  `${BASE.replace('INBOX', 'Nowhere')};urlauth=anonymous`,
  `${BASE.replace('INBOX', 'INBOX;uidvalidity=77')};urlauth=anonymous`,
  `${BASE};expire=yesterday;urlauth=anonymous`,
  `${BASE};expire=2026-01-01T00:00:00Z`,
  `imap://anna%40example.org@mx/INBOX;urlauth=anonymous`,
  `/INBOX/;uid=1;urlauth=anonymous`,
  'nonsense',
];
test('GENURLAUTH is BAD for what cannot be signed, and signs none of the others then', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  for (const url of UNSIGNED)
    assert.match(await anna.exchange(`a GENURLAUTH "${BASE};urlauth=anonymous" INTERNAL "${url}" INTERNAL\r\n`), /^a BAD This URL[^\r]*\r\n$/, url);
  await talk(
    anna,
    `
    C: a GENURLAUTH "${BASE};urlauth=anonymous" XSAMPLE
    S: a BAD Unknown mechanism
    C: b GENURLAUTH "${BASE};urlauth=anonymous"
    S: b BAD more arguments expected at byte ${`b GENURLAUTH "${BASE};urlauth=anonymous"`.length + 1}
    C: c RESETKEY INBOX XSAMPLE
    S: c NO [CANNOT] Unknown mechanism
    C: d RESETKEY Nowhere
    S: d NO [NONEXISTENT] No such mailbox
    C: e URLFETCH
    S: e BAD more arguments expected at byte 11
  `,
  );
  assert.match(await anna.exchange(`f URLFETCH${' x'.repeat(101)}\r\n`), /^f BAD Too many URLs/);
});

test('URLFETCH by the manner of RFC 5524: structure, decoded data, data as it is', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  const text = await sign(anna, `${BASE}/;section=1;urlauth=authuser`);
  const binary = await sign(anna, `${BASE}/;section=2;urlauth=authuser`);
  const odd = await sign(anna, `${BASE}/;section=3;urlauth=authuser`);
  await talk(
    anna,
    `
    C: a URLFETCH ("${text}" BODYPARTSTRUCTURE BODY) ("${text}")
    S: * URLFETCH "${text}" (BODYPARTSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 26 0 NIL NIL NIL NIL)) (BODY {26}
    S: Si vis pacem, para bellum.)
    S: * URLFETCH "${text}" {26}
    S: Si vis pacem, para bellum.
    S: a OK URLFETCH completed
  `,
  );
  const decoded = await anna.exchange(`b URLFETCH ("${binary}" BINARY)\r\n`);
  assert.equal(decoded, `* URLFETCH "${binary}" (BINARY ~{4}\r\n\0\x01\x02\x03)\r\nb OK URLFETCH completed\r\n`);
  assert.match(await anna.exchange(`c URLFETCH ("${odd}" BINARY)\r\n`), / \(BINARY NIL\)\r\nc OK/);
  assert.match(await anna.exchange(`d URLFETCH ("${text.replace('anna', 'x')}" BINARY)\r\n`), / NIL\r\nd OK/);
  for (const wrong of ['BODY BINARY', 'BODY BODY', 'NONSENSE']) assert.match(await anna.exchange(`e URLFETCH ("${text}" ${wrong})\r\n`), /^e BAD/);
});

test('URL-PARTIAL: a range of octets, past the end too', async (t) => {
  const server = await setUp(t);
  const anna = await server.client(ANNA);
  for (const [partial, expected] of [
    ['0.2', '{2}\r\nSi'],
    ['22', '{4}\r\nlum.'],
    ['24.100', '{2}\r\nm.'],
    ['26.1', '""'],
    ['99', '""'],
  ]) {
    const url = await sign(anna, `${BASE}/;section=1/;partial=${partial};urlauth=authuser`);
    assert.equal(await anna.exchange(`a URLFETCH "${url}"\r\n`), `* URLFETCH "${url}" ${expected}\r\na OK URLFETCH completed\r\n`);
  }
});

test('the structure of a part is found in the structure of its message', () => {
  const leaf = '("text" "plain" NIL NIL NIL "7bit" 5 1 NIL NIL NIL NIL)';
  const inner = `(${leaf}("image" "png" ("name" "a)b\\"(") NIL NIL "base64" 4 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)`;
  const message = `("message" "rfc822" NIL NIL NIL "7bit" 99 (NIL {3}\r\n(() NIL NIL NIL NIL NIL NIL NIL NIL) ${inner} 9 NIL NIL NIL NIL)`;
  const whole = `(${leaf}${message} "mixed" NIL NIL NIL NIL)`;
  assert.equal(bodyPartStructure(whole, []), whole);
  assert.equal(bodyPartStructure(whole, [1]), leaf);
  assert.equal(bodyPartStructure(whole, [2]), message);
  assert.equal(bodyPartStructure(whole, [2, 1]), leaf);
  assert.match(bodyPartStructure(whole, [2, 2])!, /^\("image".*NIL\)$/);
  assert.equal(bodyPartStructure(leaf, [1]), leaf);
  for (const path of [[3], [1, 1], [2, 3], [2, 1, 1]]) assert.equal(bodyPartStructure(whole, path), null);
  assert.equal(bodyPartStructure(leaf, [2]), null);
  assert.equal(bodyPartStructure('("text" "pla', []), null);
});
