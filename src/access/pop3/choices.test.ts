import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { FLAG } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { POP3_OPERATIONS } from './operations.ts';
import { loggedIn, pop3House, type Stored, type StoredMailbox } from './testing.ts';

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

const letter = (subject: string): Buffer => text(`Subject: ${subject}\n\nb\n`);
const EVERYWHERE = { 'pop3.shows': 'everywhere' };
const MAILBOXES: StoredMailbox[] = [
  { id: 21, name: 'work', messages: [{ uid: 2, bytes: letter('work 2') }] },
  { id: 22, name: 'Sent', role: 'sent', messages: [{ uid: 1, bytes: LETTER }] },
  { id: 23, name: 'Drafts', role: 'drafts', messages: [{ uid: 1, bytes: LETTER }] },
  { id: 24, name: 'Spam', role: 'junk', messages: [{ uid: 1, bytes: LETTER }] },
  { id: 25, name: 'empty' },
  { id: 26, name: 'parent', isSelectable: false },
  { id: 27, name: 'Archive', role: 'archive', messages: [1, 2, 9].map((uid) => ({ uid, bytes: letter(`archive ${uid}`), flags: uid === 1 ? FLAG.seen : 0 })) },
];
const INBOX: Stored[] = [
  { uid: 3, bytes: letter('inbox 3') },
  { uid: 5, bytes: letter('inbox 5') },
];

test('everywhere: the inbox comes first, then the other mailboxes by name; trash, junk, drafts and sent are left out', async () => {
  const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: EVERYWHERE });
  client.receive('STAT\r\nUIDL\r\nUIDL 6\r\nLIST 3\r\nRETR 2\r\nTOP 5 0\r\nRETR 6\r\nRETR 7\r\n');
  assert.equal(
    await client.sent(),
    [
      '+OK 6 143',
      '+OK\r\n1 00001a2b00000003\r\n2 00001a2b00000005\r\n3 0000201b00000001\r\n4 0000201b00000002\r\n5 0000201b00000009\r\n6 0000201500000002\r\n.',
      '+OK 6 0000201500000002',
      '+OK 3 25',
      '+OK 23 octets\r\nSubject: inbox 5\r\n\r\nb\r\n.',
      '+OK\r\nSubject: archive 9\r\n\r\n.',
      '+OK 22 octets\r\nSubject: work 2\r\n\r\nb\r\n.',
      '-ERR No such message\r\n',
    ].join('\r\n'),
  );
});

test('everywhere: the date, the most messages and what is hidden count in each mailbox', async () => {
  const mailboxes: StoredMailbox[] = [
    { id: 30, name: 'a', messages: FOUR, hidden: [2, 7] },
    { id: 31, name: 'b', messages: FOUR.slice(0, 1), hidden: [1] },
    { id: 32, name: 'c', hidden: [4] },
    { id: 33, name: 'd', messages: FOUR },
  ];
  const settings = { 'pop3.shows': 'everywhere', 'pop3.messagesMax': 5 } as const;
  const client = await loggedIn({ messages: FOUR, mailboxes, settings, hidden: [4], accountOptions: { 'pop3.since': '2026-01-31' } });
  client.receive('UIDL\r\n');
  assert.equal(
    await client.sent(),
    '+OK\r\n1 00001a2b00000002\r\n2 00001a2b00000003\r\n3 0000201e00000003\r\n4 0000201e00000004\r\n5 0000202100000002\r\n.\r\n',
  );
  assert.deepEqual(changes(client.calls), [
    ['pop3.forget', { accountId: 1, mailboxId: 30, uids: [7] }],
    ['pop3.forget', { accountId: 1, mailboxId: 32, uids: [4] }],
  ]);
});

test('everywhere: what was fetched is marked as read, and what was deleted is removed, in its own mailbox', async () => {
  for (const [deletes, wanted] of [
    ['expunge', (mailboxId: number, uids: number[]) => ['expunge', 1, mailboxId, uids, false]],
    ['trash', (mailboxId: number, uids: number[]) => ['copy', 1, mailboxId, uids, 8, true]],
    ['keep', (mailboxId: number, uids: number[]) => ['pop3.hide', { accountId: 1, mailboxId, uids }]],
  ] as const) {
    const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: { ...EVERYWHERE, 'pop3.deletes': deletes } });
    client.receive('RETR 6\r\nRETR 4\r\nRETR 1\r\nDELE 5\r\nDELE 6\r\nDELE 2\r\nDELE 3\r\nQUIT\r\n');
    assert.match(await client.sent(), /\+OK Bye, 4 messages deleted\r\n$/);
    assert.deepEqual(changes(client.calls), [
      ['flags', 1, 5, [3], 'add', FLAG.seen, []],
      ['flags', 1, 27, [2], 'add', FLAG.seen, []],
      wanted(5, [5]),
      wanted(27, [1, 9]),
      wanted(21, [2]),
    ]);
  }
});

test('everywhere: a lost connection marks what was fetched in each mailbox and deletes nothing', async () => {
  const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: EVERYWHERE });
  client.receive('RETR 1\r\nRETR 6\r\nDELE 2\r\nDELE 3\r\n');
  await client.sent();
  client.socket().destroy();
  await client.sent();
  assert.deepEqual(changes(client.calls), [
    ['flags', 1, 5, [3], 'add', FLAG.seen, []],
    ['flags', 1, 21, [2], 'add', FLAG.seen, []],
  ]);
});

for (const [what, cause, reply] of [
  ['of the store', new Failure('storeBusy'), '-ERR [SYS/TEMP] store unavailable: 2 of 4 messages were not deleted'],
  ['that nobody foresaw', new Error('disk on fire'), '-ERR [SYS/TEMP] 2 of 4 messages were not deleted'],
] as const)
  test(`everywhere: a failure ${what} in one mailbox is told, and the others are done`, async () => {
    const change = (mailboxId: number): void => {
      if (mailboxId === 27) throw cause;
    };
    const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: EVERYWHERE, change });
    client.receive('DELE 1\r\nDELE 3\r\nDELE 4\r\nDELE 6\r\nQUIT\r\n');
    assert.ok((await client.sent()).endsWith(`\r\n${reply}\r\n`));
    assert.deepEqual(
      changes(client.calls).map((call) => (call as unknown[])[2]),
      [5, 27, 21],
    );
    assert.equal(client.calls.at(-1)![0], 'pop3.unlock');
    assert.ok(client.events.includes('pop3.update.failed'));
  });

test('everywhere: messages of a mailbox that went away are like messages that somebody removed', async () => {
  for (const deletes of ['expunge', 'trash', 'keep']) {
    const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: { ...EVERYWHERE, 'pop3.deletes': deletes } });
    client.mailboxes.delete(27);
    client.receive('RETR 3\r\nUIDL 3\r\nTOP 4 1\r\nDELE 3\r\nDELE 6\r\nQUIT\r\n');
    assert.match(
      await client.sent(),
      /^-ERR no such message\r\n\+OK 3 0000201b00000001\r\n-ERR no such message\r\n\+OK[^\r]*\r\n\+OK[^\r]*\r\n\+OK Bye, 2 mess/,
    );
  }
});

test('a trash that goes away before the messages get there is told as a failure', async () => {
  const change = (): void => {
    throw new Failure('noSuchMailbox');
  };
  const client = await loggedIn({ messages: INBOX, settings: { 'pop3.deletes': 'trash' }, change });
  client.receive('DELE 1\r\nQUIT\r\n');
  assert.match(await client.sent(), /\r\n-ERR no such mailbox\r\n$/);
});

test('messages of a mailbox that began its UIDs anew since the login are left alone', async () => {
  const client = await loggedIn({ messages: INBOX, mailboxes: MAILBOXES, accountOptions: EVERYWHERE });
  const archive = client.mailboxes.get(27)!;
  client.mailboxes.set(27, { ...archive, row: { ...archive.row, uidValidity: 7 } });
  client.receive('DELE 3\r\nDELE 6\r\nQUIT\r\n');
  assert.match(await client.sent(), /-ERR \[SYS\/TEMP\] 1 of 2 messages were not deleted\r\n$/);
  assert.deepEqual(changes(client.calls), [['expunge', 1, 21, [2], false]]);
});

test('everywhere: a mailbox that deleted messages are moved to for its name is not shown', async () => {
  const mailboxes: StoredMailbox[] = [{ id: 40, name: 'Trash', messages: FOUR }];
  const client = await loggedIn({ messages: INBOX, mailboxes, hasNoTrash: true, accountOptions: { ...EVERYWHERE, 'pop3.deletes': 'trash' } });
  client.receive('STAT\r\nDELE 1\r\nQUIT\r\n');
  assert.match(await client.sent(), /^\+OK 2 46\r\n/);
  assert.deepEqual(changes(client.calls), [['copy', 1, 5, [3], 40, true]]);
});

const OTHERS: StoredMailbox[] = [
  { id: 50, name: 'a', messages: [{ uid: 3, bytes: LETTER }] },
  { id: 51, name: 'b', uidValidity: 0x1a2b, messages: [{ uid: 3, bytes: LETTER }] },
  { id: 52, name: 'c', uidValidity: 7, messages: [{ uid: 3, bytes: LETTER }] },
];
for (const [format, ...expected] of [
  ['posthorn', '00001a2b00000003', '0000203200000003', '00001a2b00000003.51', '0000000700000003'],
  ['%v-%u', '6699-3', '8242-3', '00001a2b00000003.51', '0000000700000003'],
  ['%08Xu%08Xv', '0000000300001a2b', '0000000300002032', '00001a2b00000003.51', '0000000700000003'],
  ['%u', '3', '0000203200000003', '00001a2b00000003.51', '0000000700000003'],
] as const)
  test(`everywhere: unique-ids as ${format} name no two messages, and those of the inbox stay`, async () => {
    const client = await loggedIn({ messages: INBOX.slice(0, 1), mailboxes: OTHERS, accountOptions: EVERYWHERE, settings: { 'pop3.uidlFormat': format } });
    client.receive('UIDL\r\n');
    assert.deepEqual((await client.sent()).match(/(?<=^\d ).*(?=\r)/gm), expected);
  });

test('everywhere: unique-ids that came along stay in every mailbox, the first of two equal ones', async () => {
  const kept = (...ids: (string | null)[]): Stored[] => ids.map((uidl, n) => ({ uid: n + 1, bytes: LETTER, ...(uidl === null ? {} : { uidl }) }));
  const mailboxes: StoredMailbox[] = [
    { id: 61, name: 'a', messages: kept('same', null, 'in a', 'twice') },
    { id: 60, name: 'b', messages: kept('twice', '0000203d00000002') },
  ];
  const client = await loggedIn({ messages: kept('in the inbox', 'same', null), mailboxes, accountOptions: EVERYWHERE });
  client.receive('UIDL\r\nDELE 4\r\nDELE 9\r\nQUIT\r\n');
  assert.deepEqual((await client.sent()).match(/(?<=^\d ).*(?=\r)/gm), [
    'in the inbox',
    'same',
    '00001a2b00000003',
    '0000203d00000001',
    '0000203d00000002.61',
    'in a',
    '0000203d00000004',
    'twice',
    '0000203d00000002',
  ]);
  assert.deepEqual(changes(client.calls).slice(-4), [
    ['expunge', 1, 61, [1], false],
    ['pop3.forget', { accountId: 1, mailboxId: 61, uids: [1] }],
    ['expunge', 1, 60, [2], false],
    ['pop3.forget', { accountId: 1, mailboxId: 60, uids: [2] }],
  ]);
});
