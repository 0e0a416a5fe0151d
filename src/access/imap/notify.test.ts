import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cursor, ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { notifyArguments } from '../../wire/imap/notify.ts';
import type { ImapSettings } from './settings.ts';
import { ALICE, type Client, settle, talk, TestServer } from './testing.ts';

interface Lists extends TestServer {
  lemonade: number;
}

/** INBOX with two messages; Lists and Lists/Lemonade with one. */
function server(settings: Partial<ImapSettings> = {}): Lists {
  const made = new TestServer(settings) as Lists;
  made.store.addMailbox(ALICE.id, 'Lists');
  made.lemonade = made.store.addMailbox(ALICE.id, 'Lists/Lemonade', null, true).id;
  for (let i = 1; i <= 2; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n`, { flags: 1 });
  made.store.deliver(made.lemonade, 'Subject: x\r\n\r\n');
  return made;
}

/** What is pushed, without a command. */
async function pushed(client: Client): Promise<string> {
  await settle(() => client.socket.heard.length);
  return client.output();
}

async function watching(made: TestServer, groups: string, mailbox?: string): Promise<Client> {
  const client = await made.client(mailbox);
  assert.match(await client.exchange(`n NOTIFY SET ${groups}\r\n`), /^n OK NOTIFY completed\r\n$/);
  return client;
}

const GOOD = [
  'NONE',
  'SET (SELECTED (MessageNew MessageExpunge))',
  'set status (selected MessageNew)'.replace('MessageNew', '(MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)'),
  'SET (SELECTED-DELAYED (MESSAGENEW MESSAGEEXPUNGE FLAGCHANGE)) (PERSONAL (MailboxName SubscriptionChange))',
  'SET (INBOXES NONE)',
  'SET (SUBTREE Lists (MessageNew MessageExpunge)) (MAILBOXES (INBOX "a b") (ServerMetadataChange MailboxMetadataChange))',
  'SET (SUBSCRIBED (SubscriptionChange)) ',
];
const BAD = [
  '',
  'ALL',
  'SET',
  'SET STATUS',
  'NONE x',
  'SET (SELECTED (MessageNew))',
  'SET (SELECTED (MessageExpunge))',
  'SET (PERSONAL (FlagChange))',
  'SET (PERSONAL (AnnotationChange))',
  'SET (SELECTED (MailboxName))',
  'SET (PERSONAL (MessageNew (UID) MessageExpunge))',
  'SET (SELECTED NONE) (SELECTED-DELAYED NONE)',
  'SET (SELECTED ())',
  'SET (MAILBOXES (MessageNew MessageExpunge))',
  'SET (NOWHERE NONE)',
  'SET (SELECTED NONE',
];

for (const line of GOOD) test(`NOTIFY ${line}`, () => assert.notEqual(notifyArguments(new Cursor(Buffer.from(` ${line}`))).kind, 'badEvent'));
for (const line of BAD) test(`not NOTIFY ${line}`, () => assert.throws(() => notifyArguments(new Cursor(Buffer.from(` ${line}`))), ImapSyntaxError));

test('whatever the bytes are, the parser says a value or BAD', () => {
  const word = fc.constantFrom('SET', 'STATUS', '(', ')', ' ', 'SELECTED', 'PERSONAL', 'MessageNew', 'MessageExpunge', 'NONE', '(UID)', 'MAILBOXES', 'x', '"');
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      try {
        notifyArguments(new Cursor(Buffer.from(` ${words.join('')}`)));
      } catch (error) {
        if (!(error instanceof ImapSyntaxError)) throw error;
      }
    }),
    { seed: 5465, numRuns: 2000 },
  );
});

test('events nobody here watches are refused with those that are', async () => {
  await talk(
    await server().client(),
    `C: a NOTIFY SET (SELECTED (MessageNew MessageExpunge AnnotationChange))
    S: a NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] Events of another kind are not watched here`,
  );
});

test('SELECTED: new messages, removals and flags are told as they happen, with what is to be fetched of new ones', async () => {
  const made = server();
  const client = await watching(made, '(SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) MessageExpunge FlagChange))', 'INBOX');
  made.store.deliver(made.inbox, 'Subject: three\r\n\r\n');
  assert.equal(await pushed(client), '* 3 EXISTS\r\n* 3 RECENT\r\n* 3 FETCH (UID 3 BODY[HEADER.FIELDS (SUBJECT)] {18}\r\nSubject: three\r\n\r\n)\r\n');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  assert.equal(await pushed(client), '* 1 FETCH (FLAGS (\\Recent \\Flagged \\Seen))\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  assert.equal(await pushed(client), '* 1 EXPUNGE\r\n* 2 RECENT\r\n');
  // The commands of the client go on as ever, and a message it puts there itself is not fetched for it.
  assert.equal(
    await client.exchange('a APPEND INBOX {4+}\r\nabcd\r\nb NOOP\r\n'),
    '* 3 EXISTS\r\n* 3 RECENT\r\na OK [APPENDUID 1001 4] APPEND completed\r\nb OK NOOP completed\r\n',
  );
});

test('SELECTED-DELAYED: removals wait for a command that may tell them, the rest does not', async () => {
  const made = server();
  const client = await watching(made, '(SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))', 'INBOX');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  await made.store.flags(ALICE.id, made.inbox, [2], 'add', 4, []);
  assert.equal(await pushed(client), '* 2 FETCH (FLAGS (\\Recent \\Flagged \\Seen))\r\n');
  await talk(
    client,
    `C: a FETCH 2 UID
    S: * 2 FETCH (UID 2)
    S: a OK FETCH completed
    C: b NOOP
    S: * 1 EXPUNGE
    S: * 1 RECENT
    S: b OK NOOP completed`,
  );
  await talk(client, 'C: c IDLE\nS: + idling');
  await made.store.expunge(ALICE.id, made.inbox, [2], false);
  assert.equal(await pushed(client), '* 1 EXPUNGE\r\n* 0 RECENT\r\n');
});

test('without SELECTED nothing is told of the selected mailbox, but what the client itself removes; NONE is the same', async () => {
  for (const command of ['SET (PERSONAL (MailboxName))', 'NONE']) {
    const made = server();
    const client = await made.client('INBOX');
    made.store.deliver(made.inbox, 'Subject: before\r\n\r\n');
    assert.match(await client.exchange(`n NOTIFY ${command}\r\n`), /^\* 3 EXISTS\r\n\* 3 RECENT\r\nn OK/, 'what had gathered is told first');
    made.store.deliver(made.inbox, 'Subject: after\r\n\r\n');
    await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
    await talk(client, 'C: a NOOP\nS: a OK NOOP completed\nC: b FETCH 3 UID\nS: * 3 FETCH (UID 3)\nS: b OK FETCH completed');
    await client.exchange('c STORE 2 +FLAGS.SILENT (\\Deleted)\r\n');
    assert.match(await client.exchange('d EXPUNGE\r\n'), /^\* 2 EXPUNGE\r\n[\s\S]*d OK/);
  }
});

test('without FlagChange flags are not told', async () => {
  const made = server();
  const client = await watching(made, '(SELECTED (MessageNew MessageExpunge))', 'INBOX');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  assert.equal(await pushed(client), '');
  await talk(client, 'C: a NOOP\nS: a OK NOOP completed');
});

test('with QRESYNC removals are pushed as VANISHED', async () => {
  const made = server();
  const client = await made.client();
  await client.exchange('e ENABLE QRESYNC\r\ns SELECT INBOX\r\nn NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  await made.store.flags(ALICE.id, made.inbox, [2], 'add', 4, []);
  assert.match(
    await pushed(client),
    /^\* VANISHED 1\r\n\* 1 RECENT\r\n\* 1 FETCH \(UID 2 FLAGS \(.*\) MODSEQ \(\d+\)\)\r\n\* OK \[HIGHESTMODSEQ \d+\] .*\r\n$/,
  );
});

test('STATUS: how the watched mailboxes stand now, and then what changes in them', async () => {
  const made = server();
  const client = await made.client('INBOX');
  assert.equal(
    await client.exchange(
      'a NOTIFY SET STATUS (SELECTED NONE) (SUBTREE Lists (MessageNew MessageExpunge FlagChange)) (MAILBOXES (INBOX Nowhere) (MessageNew MessageExpunge))\r\n',
    ),
    '* STATUS Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1002 UNSEEN 0 HIGHESTMODSEQ 3)\r\n* STATUS Lists/Lemonade (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1003 UNSEEN 1 HIGHESTMODSEQ 7)\r\na OK NOTIFY completed\r\n',
  );
  made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS Lists/Lemonade (MESSAGES 2 UIDNEXT 3 UNSEEN 2)\r\n');
  await made.store.flags(ALICE.id, made.lemonade, [1], 'add', 1, []);
  assert.equal(await pushed(client), '* STATUS Lists/Lemonade (UIDVALIDITY 1003 UNSEEN 1)\r\n');
  await client.exchange('b ENABLE CONDSTORE\r\n');
  await made.store.expunge(ALICE.id, made.lemonade, [1], false);
  assert.equal(await pushed(client), '* STATUS Lists/Lemonade (MESSAGES 1 UIDNEXT 3 UNSEEN 1 HIGHESTMODSEQ 10)\r\n');
  // INBOX is selected: of it only what SELECTED asks for. Once it is not, it is one of the others.
  made.store.deliver(made.inbox, 'Subject: z\r\n\r\n');
  assert.equal(await pushed(client), '');
  await client.exchange('c UNSELECT\r\n');
  made.store.deliver(made.inbox, 'Subject: z\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS INBOX (MESSAGES 4 UIDNEXT 5 HIGHESTMODSEQ 12)\r\n');
});

test('a burst of changes is one STATUS, also in IDLE and while a command runs', async () => {
  const made = server();
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge))');
  for (let i = 0; i < 50; i += 1) made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS Lists/Lemonade (MESSAGES 51 UIDNEXT 52)\r\n');
  await client.exchange('a IDLE\r\n');
  made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS Lists/Lemonade (MESSAGES 52 UIDNEXT 53)\r\n');
  await client.exchange('DONE\r\n');
  client.send('b APPEND Lists {4}\r\n');
  await pushed(client);
  made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '', 'an APPEND is under way');
  assert.match(await client.exchange('abcd\r\n'), /\* STATUS Lists\/Lemonade \(MESSAGES 53 UIDNEXT 54\)\r\n[\s\S]*b OK/);
});

test('MailboxName and SubscriptionChange: what others create, rename, remove and subscribe, not what the client does itself', async () => {
  const made = server();
  const client = await watching(made, '(PERSONAL (MailboxName SubscriptionChange))');
  await made.store.createMailbox(ALICE.id, 'Lists/New');
  assert.equal(await pushed(client), '* LIST (\\HasNoChildren) "/" Lists/New\r\n* LIST (\\HasChildren) "/" Lists\r\n');
  const row = made.store.mailboxByName(ALICE.id, 'Lists')!;
  await made.store.renameMailbox(ALICE.id, row.id, 'Old');
  assert.equal(await pushed(client), '* LIST (\\HasChildren) "/" Old ("OLDNAME" (Lists))\r\n');
  await made.store.subscribe(ALICE.id, 'Old/New', true);
  assert.equal(await pushed(client), '* LIST (\\HasNoChildren \\Subscribed) "/" Old/New\r\n');
  await made.store.deleteMailbox(ALICE.id, made.store.mailboxByName(ALICE.id, 'Old/New')!.id);
  assert.equal(await pushed(client), '* LIST (\\NonExistent) "/" Old/New\r\n* LIST (\\HasChildren) "/" Old\r\n');
  await client.exchange('a CREATE Own/Deep\r\nb RENAME Own Mine\r\nc SUBSCRIBE Mine/Deep\r\n');
  assert.doesNotMatch(await client.exchange('d DELETE Mine/Deep\r\n'), /LIST/);
});

test('a mailbox that comes to be is watched from then on, under its new name after a rename', async () => {
  const made = server();
  const client = await watching(made, '(SUBTREE Lists (MessageNew MessageExpunge))');
  const row = await made.store.createMailbox(ALICE.id, 'Lists/New');
  await pushed(client);
  made.store.deliver(row.id, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS Lists/New (MESSAGES 1 UIDNEXT 2)\r\n');
  await made.store.renameMailbox(ALICE.id, row.id, 'Lists/Newer');
  await pushed(client);
  made.store.deliver(row.id, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '* STATUS Lists/Newer (MESSAGES 2 UIDNEXT 3)\r\n');
  await made.store.renameMailbox(ALICE.id, row.id, 'Elsewhere');
  await pushed(client);
  made.store.deliver(row.id, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '');
});

test('annotations that others change are told by name, without ENABLE METADATA, and once where that is on too', async () => {
  const made = server();
  const client = await watching(made, '(MAILBOXES Lists/Lemonade (MailboxMetadataChange)) (PERSONAL (ServerMetadataChange))');
  const told = (mailboxId: number, by: string): void =>
    made.store.publish({ kind: 'metadata', accountId: ALICE.id, mailboxId, entries: ['/private/comment'], by });
  told(made.lemonade, 'somebody');
  told(0, 'somebody');
  told(made.inbox, 'somebody');
  told(made.lemonade, client.connection.id);
  assert.equal(await pushed(client), '* METADATA Lists/Lemonade /private/comment\r\n* METADATA "" /private/comment\r\n');
  await client.exchange('a ENABLE METADATA\r\n');
  told(made.lemonade, 'somebody');
  assert.equal(await client.exchange('b NOOP\r\n'), '* METADATA Lists/Lemonade /private/comment\r\nb OK NOOP completed\r\n');
});

test('too many mailboxes are refused, or given up when they become too many', async () => {
  const made = server({ 'imap.notifyMailboxesMax': 10 });
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge))');
  for (let i = 0; i < 8; i += 1) await made.store.createMailbox(ALICE.id, `More/${i}`);
  assert.match(await pushed(client), /^\* OK \[NOTIFICATIONOVERFLOW\] /);
  made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  assert.equal(await pushed(client), '');
  assert.match(await client.exchange('a NOTIFY SET (PERSONAL (MessageNew MessageExpunge))\r\n'), /^a NO \[NOTIFICATIONOVERFLOW\] /);
});

test('a client that does not read hears the state when it does, once', async () => {
  const made = server();
  const client = await watching(made, '(SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge))', 'INBOX');
  client.socket.isStalled = true;
  client.send('a FETCH 1 BODY.PEEK[]\r\n');
  await settle();
  for (let i = 0; i < 5; i += 1) made.store.deliver(made.lemonade, 'Subject: y\r\n\r\n');
  await settle();
  client.socket.unstall();
  const said = await pushed(client);
  assert.match(said, /MESSAGES 6 UIDNEXT 7/);
});

test('nothing is watched any more when the client has gone, or asks for something else', async () => {
  const made = server();
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge MailboxName))', 'INBOX');
  assert.equal(made.store.watching(made.lemonade), 1);
  await client.exchange('a NOTIFY SET (MAILBOXES Lists (MessageNew MessageExpunge))\r\n');
  assert.equal(made.store.watching(made.lemonade), 0);
  await client.exchange('b NOTIFY SET (PERSONAL (MessageNew MessageExpunge))\r\n');
  client.disconnect();
  await settle();
  assert.equal(made.store.watching(made.lemonade), 0);
});
