import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { FLAG } from '../../ports.ts';
import { POP3_OPERATIONS } from './operations.ts';
import { loggedIn, pop3House, type Stored } from './testing.ts';

const text = (value: string): Buffer => Buffer.from(value.replaceAll('\n', '\r\n'), 'latin1');
const LETTER = text('Subject: a\n\nb\n');
const FOUR: Stored[] = [
  { uid: 1, bytes: LETTER, flags: FLAG.seen, internalDate: Date.UTC(2026, 0, 1) },
  { uid: 2, bytes: LETTER, internalDate: Date.UTC(2026, 0, 31, 23, 59) },
  { uid: 3, bytes: LETTER, flags: FLAG.seen | FLAG.flagged, internalDate: Date.UTC(2026, 1, 1) },
  { uid: 4, bytes: LETTER, internalDate: Date.UTC(2026, 1, 2) },
];
/** Locks and times of logins live in the module, as they do in the writer's thread. */
afterEach(() => {
  for (let n = 1; n < 10; n += 1) POP3_OPERATIONS['pop3.unlock']({} as never, { accountId: 1, session: `c${n}` });
});

async function uids(options: Parameters<typeof loggedIn>[0]): Promise<string[]> {
  const client = await loggedIn({ messages: FOUR, ...options });
  client.receive('UIDL\r\nQUIT\r\n');
  return [...(await client.sent()).matchAll(/^\d+ 00001a2b0000000(\d)\r$/gm)].map((match) => match[1]!);
}
/** What a session did to the store, the lock left out. */
const changes = (calls: readonly [string, ...unknown[]][]): unknown[] => calls.filter(([name]) => name !== 'pop3.lock' && name !== 'pop3.unlock');

for (const [what, options, shown] of [
  ['everything, when nothing is set', {}, ['1', '2', '3', '4']],
  ['only unread messages, by the setting', { settings: { 'pop3.shows': 'unseen' } }, ['2', '4']],
  ['everything, by the account against the setting', { settings: { 'pop3.shows': 'unseen' }, accountOptions: { 'pop3.shows': 'all' } }, ['1', '2', '3', '4']],
  ['what arrived on a day or later', { accountOptions: { 'pop3.since': '2026-02-01' } }, ['3', '4']],
  ['what is unread and arrived on a day or later', { accountOptions: { 'pop3.since': '2026-02-01', 'pop3.shows': 'unseen' } }, ['4']],
  ['what is not hidden', { hidden: [2, 3] }, ['1', '4']],
  ['the oldest that fit', { hidden: [1], settings: { 'pop3.messagesMax': 2 } }, ['2', '3']],
] as const)
  test(`POP3 shows ${what}`, async () => assert.deepEqual(await uids(options), shown));

test('POP3 that is switched off for an account says so after the password', async () => {
  const client = pop3House({ accountOptions: { 'pop3.shows': 'none' } }).connect();
  client.receive('USER anna\r\nPASS wrong\r\nUSER anna\r\nPASS pass word\r\nSTAT\r\n');
  assert.match(await client.sent(), /-ERR \[AUTH\] .*\r\n\+OK\r\n-ERR \[SYS\/PERM\] POP3 is switched off .*\r\n-ERR Log in first\r\n$/);
});

test('deleting removes, moves to the trash, or hides, as the account wishes', async () => {
  for (const [deletes, wanted] of [
    ['expunge', [['expunge', 1, 5, [2], false], ['pop3.forget']]],
    ['trash', [['copy', 1, 5, [2], 8, true], ['pop3.forget']]],
    ['keep', [['pop3.hide']]],
  ] as const) {
    const client = await loggedIn({ messages: [FOUR[0]!, { ...FOUR[1]!, uidl: 'old' }], accountOptions: { 'pop3.deletes': deletes } });
    client.receive('DELE 2\r\nQUIT\r\n');
    assert.match(await client.sent(), /Bye, 1 messages deleted/);
    assert.deepEqual(
      changes(client.calls).map((call) => ((call as [string])[0].startsWith('pop3.') ? [(call as [string])[0]] : call)),
      wanted,
    );
  }
});

test('a trash that is not there is made', async () => {
  const client = await loggedIn({ messages: FOUR, settings: { 'pop3.deletes': 'trash' }, hasNoTrash: true });
  client.receive('DELE 1\r\nQUIT\r\n');
  await client.sent();
  assert.deepEqual(changes(client.calls).slice(0, 2), [
    ['createMailbox', 1, 'Trash', 'trash'],
    ['copy', 1, 5, [1], 9, true],
  ]);
});

test('hidden messages that are gone are forgotten', async () => {
  const client = await loggedIn({ messages: FOUR.slice(2), hidden: [1, 3] });
  await client.sent();
  assert.deepEqual(changes(client.calls), [['pop3.forget', { accountId: 1, mailboxId: 5, uids: [1] }]]);
});

for (const [format, expected] of [
  ['posthorn', '00001a2b00000004'],
  ['%08Xu%08Xv', '0000000400001a2b'],
  ['%v-%u', '6699-4'],
  ['%v.%u', '6699.4'],
  ['%u', '4'],
  ['UID%u-%v', 'UID4-6699'],
] as const)
  test(`unique-ids as ${format}`, async () => {
    const client = await loggedIn({ messages: FOUR, settings: { 'pop3.uidlFormat': format } });
    client.receive('UIDL 4\r\n');
    assert.equal(await client.sent(), `+OK 4 ${expected}\r\n`);
  });

test('unique-ids that came along from another server stay, in lists and alone, and no other message gets one of them', async () => {
  const messages = [FOUR[0]!, { ...FOUR[1]!, uidl: 'old-2' }, { ...FOUR[2]!, uidl: '4' }, FOUR[3]!, { uid: 900_000, bytes: LETTER, uidl: 'far' }];
  const client = await loggedIn({ messages, settings: { 'pop3.uidlFormat': '%u' } });
  client.receive('UIDL\r\nUIDL 2\r\nDELE 2\r\nUIDL\r\n');
  assert.equal(
    await client.sent(),
    '+OK\r\n1 1\r\n2 old-2\r\n3 4\r\n4 00001a2b00000004\r\n5 far\r\n.\r\n+OK 2 old-2\r\n+OK Marked to be deleted\r\n+OK\r\n1 1\r\n3 4\r\n4 00001a2b00000004\r\n5 far\r\n.\r\n',
  );
});

test('LAST answers only where it is switched on, and follows RETR and RSET', async () => {
  const off = await loggedIn({ messages: FOUR });
  off.receive('LAST\r\nQUIT\r\n');
  assert.match(await off.sent(), /^-ERR LAST is not offered; use UIDL\r\n/);
  const client = await loggedIn({ messages: FOUR, settings: { 'pop3.last': true } });
  const ask = async (line: string): Promise<string> => {
    client.receive(`${line}\r\n`);
    return (await client.sent()).split('\r\n')[0]!;
  };
  assert.equal(await ask('LAST'), '+OK 3');
  assert.match(await ask('RETR 4'), /^\+OK/);
  assert.equal(await ask('LAST'), '+OK 4');
  await ask('RSET');
  assert.equal(await ask('LAST'), '+OK 3');
});

test('a login that comes too early is told how long to wait, and the delay is announced', async () => {
  const house = pop3House({ messages: FOUR, settings: { 'pop3.loginDelay': 600_000 } });
  const first = house.connect();
  first.receive('CAPA\r\nUSER anna\r\nPASS pass word\r\nQUIT\r\n');
  const said = await first.sent();
  assert.match(said, /\r\nLOGIN-DELAY 600\r\n/);
  assert.match(said, /\+OK 4 messages/);
  const second = house.connect();
  second.receive('USER anna\r\nPASS pass word\r\nSTAT\r\n');
  assert.match(await second.sent(), /-ERR \[LOGIN-DELAY\] Logged in a moment ago, try again in 600 seconds\r\n-ERR Log in first\r\n$/);
  house.pass(600_000);
  const third = house.connect();
  third.receive('USER anna\r\nPASS pass word\r\n');
  assert.match(await third.sent(), /\+OK 4 messages/);
});

test('LANG lists English, takes it, and refuses other languages (RFC 6856 section 3)', async () => {
  const client = await loggedIn({ messages: FOUR });
  client.receive('LANG\r\nLANG *\r\nLANG en-GB\r\nLANG sv\r\nLANG a b\r\nLANG english\r\n');
  assert.equal(
    await client.sent(),
    '+OK Language listing follows:\r\nen English\r\n.\r\n+OK en Replies are in English\r\n+OK en Replies are in English\r\n' +
      '-ERR Replies are only to be had in English\r\n-ERR LANG takes one language\r\n-ERR Replies are only to be had in English\r\n',
  );
});

test('Outlook Express, which waits for the blank line, gets one with a message of nothing but a header (quirk 9)', async () => {
  const large = Buffer.from(`X: ${'x'.repeat(300_000)}\r\n`);
  const client = await loggedIn({
    messages: [
      { uid: 1, bytes: text('Subject: bare\n') },
      { uid: 2, bytes: text('Subject: cut') },
      { uid: 3, bytes: large },
    ],
  });
  client.receive('RETR 1\r\nRETR 2\r\n');
  assert.equal(await client.sent(), '+OK 15 octets\r\nSubject: bare\r\n\r\n.\r\n+OK 12 octets\r\nSubject: cut\r\n\r\n.\r\n');
  client.receive('RETR 3\r\nNOOP\r\n');
  let got = '';
  for (let n = 0; n < 50 && !got.endsWith('.\r\n+OK\r\n'); n += 1) got += await client.sent();
  assert.ok(got.endsWith('x\r\n\r\n.\r\n+OK\r\n'), got.slice(-30));
});

test('a session of Outlook: CAPA it does not need, AUTH it does not know, USER, PASS, STAT, UIDL, LIST, TOP, RETR, DELE, QUIT', async () => {
  const house = pop3House({ messages: FOUR.slice(0, 1) });
  const client = house.connect();
  client.receive('AUTH NTLM\r\nUSER anna\r\nPASS pass word\r\nSTAT\r\nUIDL\r\nLIST\r\nTOP 1 0\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n');
  const said = await client.sent();
  assert.match(
    said,
    /^\+OK POP3 ready\r\n-ERR [^\r]*\r\n\+OK\r\n\+OK 1 messages [^\r]*\r\n\+OK 1 17\r\n\+OK\r\n1 00001a2b00000001\r\n\.\r\n\+OK [^\r]*\r\n1 17\r\n\.\r\n\+OK\r\nSubject: a\r\n\r\n\.\r\n\+OK 17 octets\r\nSubject: a\r\n\r\nb\r\n\.\r\n\+OK[^\r]*\r\n\+OK Bye/,
  );
});
