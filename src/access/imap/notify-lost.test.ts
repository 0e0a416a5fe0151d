import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BERT, SharingServer, TEAM } from './acl-testing.ts';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

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

test('what others do with a name is told, though the last command of the client was about the same name', async () => {
  const made = new TestServer();
  const client = await watching(made, '(PERSONAL (MailboxName))');
  assert.match(await client.exchange('a CREATE Mine\r\n'), /^a OK [^\r]*\r\n$/);
  await made.store.deleteMailbox(ALICE.id, made.store.mailboxByName(ALICE.id, 'Mine')!.id);
  assert.equal(await pushed(client), '* LIST (\\NonExistent) "/" Mine\r\n');
});

test('a mailbox that is renamed right after something came into it is told of under its new name, with its numbers', async () => {
  const made = new TestServer();
  const lists = made.store.addMailbox(ALICE.id, 'Lists').id;
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge FlagChange))');
  made.store.deliver(lists, 'Subject: x\r\n\r\n');
  await made.store.renameMailbox(ALICE.id, lists, 'Post');
  assert.equal(await pushed(client), '* STATUS Post (MESSAGES 1 UIDNEXT 2 UNSEEN 1)\r\n');
});

test('what comes into a mailbox together with the mailbox is told', async () => {
  const made = new TestServer();
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge MailboxName))');
  const row = await made.store.createMailbox(ALICE.id, 'New');
  made.store.deliver(row.id, 'Subject: x\r\n\r\n');
  assert.equal(await pushed(client), '* LIST (\\HasNoChildren) "/" New\r\n* STATUS New (MESSAGES 1 UIDNEXT 2)\r\n');
});

test('annotations of a mailbox that has just come to be are told', async () => {
  const made = new TestServer();
  const client = await watching(made, '(PERSONAL (MailboxName MailboxMetadataChange))');
  const row = await made.store.createMailbox(ALICE.id, 'New');
  made.store.publish({ kind: 'metadata', accountId: ALICE.id, mailboxId: row.id, entries: ['/private/comment'], by: 'somebody' });
  assert.equal(await pushed(client), '* LIST (\\HasNoChildren) "/" New\r\n* METADATA New /private/comment\r\n');
});

test('what has gathered is not forgotten when the client asks again', async () => {
  const made = new TestServer();
  const lists = made.store.addMailbox(ALICE.id, 'Lists').id;
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge MailboxName))');
  made.store.deliver(lists, 'Subject: x\r\n\r\n');
  await made.store.createMailbox(ALICE.id, 'New');
  client.send('a NOTIFY SET (PERSONAL (MailboxName MessageNew MessageExpunge))\r\n');
  assert.equal(await pushed(client), '* LIST (\\HasNoChildren) "/" New\r\n* STATUS Lists (MESSAGES 1 UIDNEXT 2)\r\na OK NOTIFY completed\r\n');
});

test('what the client wanted to know of new messages is told, though it asks for something else just then', async () => {
  const made = new TestServer();
  const client = await watching(made, '(SELECTED (MessageNew (UID) MessageExpunge))', 'INBOX');
  made.store.deliver(made.inbox, 'Subject: x\r\n\r\n');
  client.send('a NOTIFY NONE\r\n');
  assert.equal(await pushed(client), '* 1 EXISTS\r\n* 1 RECENT\r\n* 1 FETCH (UID 1)\r\na OK NOTIFY completed\r\n');
});

test('renames in a row are told so that a client can follow them', async () => {
  const made = new TestServer();
  const [, b] = ['A', 'B'].map((name) => made.store.addMailbox(ALICE.id, name));
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge MailboxName))');
  made.store.deliver(b!.id, 'Subject: x\r\n\r\n');
  await pushed(client);
  const rename = (from: string, to: string) => made.store.renameMailbox(ALICE.id, made.store.mailboxByName(ALICE.id, from)!.id, to);
  await rename('B', 'C');
  await rename('A', 'B');
  assert.equal(
    await pushed(client),
    '* LIST (\\HasNoChildren) "/" C ("OLDNAME" (B))\r\n* LIST (\\NonExistent) "/" A\r\n* LIST (\\HasNoChildren) "/" B\r\n* STATUS B (MESSAGES 0 UIDNEXT 1)\r\n',
  );
});

test('where the store cannot be read, the command is answered and the client learns that it is not told everything', async () => {
  const made = new TestServer();
  const lists = made.store.addMailbox(ALICE.id, 'Lists').id;
  const client = await watching(made, '(PERSONAL (MessageNew MessageExpunge MailboxName))', 'INBOX');
  const { mailboxById } = made.store;
  made.store.deliver(lists, 'Subject: x\r\n\r\n');
  made.store.mailboxById = () => {
    throw new Error('disk');
  };
  assert.equal(await client.exchange('a NOOP\r\n'), '* OK [NOTIFICATIONOVERFLOW] Too much to tell, nothing is watched any more\r\na OK NOOP completed\r\n');
  made.store.mailboxById = mailboxById;
  assert.equal(await client.exchange('b NOOP\r\n'), 'b OK NOOP completed\r\n');
});

test('the same for the names of mailboxes, at once and between commands', async () => {
  for (const command of ['a NOOP\r\n', '']) {
    const made = new TestServer();
    const client = await watching(made, '(PERSONAL (MailboxName))');
    await made.store.createMailbox(ALICE.id, 'New');
    made.store.beforePage = () => {
      throw new Error('disk');
    };
    if (command !== '') client.send(command);
    assert.match(await pushed(client), /^\* OK \[NOTIFICATIONOVERFLOW\] [^\r]*\r\n(a OK NOOP completed\r\n)?$/);
    made.store.beforePage = () => {};
    assert.equal(await client.exchange('b NOTIFY SET (PERSONAL (MailboxName))\r\n'), 'b OK NOTIFY completed\r\n');
    await made.store.createMailbox(ALICE.id, 'Newer');
    assert.match(await pushed(client), /Newer/);
  }
});

test('who may no longer read a mailbox is not told of it, though nobody said that the rights were taken back', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(TEAM, 'News', 'anyone', 'lr');
  const bert = await made.client(BERT);
  assert.match(await bert.exchange('n NOTIFY SET (MAILBOXES Shared/team@example.net/News (MessageNew MessageExpunge))\r\n'), /n OK/);
  const team = await made.client(TEAM);
  assert.match(await team.exchange('a APPEND News {3+}\r\nx\r\n\r\n'), /a OK/);
  assert.match(await pushed(bert), /STATUS Shared/);
  assert.match(await team.exchange('b DELETEACL News anyone\r\n'), /b OK/);
  assert.match(await team.exchange('c APPEND News {3+}\r\nx\r\n\r\n'), /c OK/);
  assert.equal(await pushed(bert), '');
});
