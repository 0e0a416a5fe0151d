import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, talk, TestServer } from './testing.ts';

/** Names and ids: INBOX 1, Sent 2, Drafts 3, Trash 4, work 5, work/2026 6. */
function server(): TestServer {
  const made = new TestServer();
  made.store.addMailbox(ALICE.id, 'Sent', 'sent');
  made.store.addMailbox(ALICE.id, 'Drafts', 'drafts');
  made.store.addMailbox(ALICE.id, 'Trash', 'trash');
  made.store.addMailbox(ALICE.id, 'work');
  made.store.addMailbox(ALICE.id, 'work/2026', null, true);
  return made;
}

test('LIST: patterns, hierarchy, special use also without being asked', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a LIST "" "*"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Trash) "/" Trash
    S: * LIST (\\HasChildren) "/" work
    S: * LIST (\\HasNoChildren) "/" work/2026
    S: a OK LIST completed
    C: b LIST "" "%or%"
    S: * LIST (\\HasChildren) "/" work
    S: b OK LIST completed
    C: c LIST "work/" "%"
    S: * LIST (\\HasNoChildren) "/" work/2026
    S: c OK LIST completed
    C: d LIST "" ""
    S: * LIST (\\Noselect) "/" ""
    S: d OK LIST completed
    C: e LIST "" inb%
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: e OK LIST completed
    C: f LIST "" none
    S: f OK LIST completed`,
  );
});

test('LIST-EXTENDED: selection, return options, several patterns, RECURSIVEMATCH, STATUS', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a LIST (SUBSCRIBED) "" "*"
    S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
    S: * LIST (\\HasNoChildren \\Subscribed \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Subscribed \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Subscribed \\Trash) "/" Trash
    S: * LIST (\\HasNoChildren \\Subscribed) "/" work/2026
    S: a OK LIST completed
    C: b LIST (SUBSCRIBED RECURSIVEMATCH) "" "w%"
    S: * LIST (\\HasChildren) "/" work ("CHILDINFO" ("SUBSCRIBED"))
    S: b OK LIST completed
    C: c LIST "" (INBOX "T*") RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT))
    S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
    S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
    S: * LIST (\\HasNoChildren \\Subscribed \\Trash) "/" Trash
    S: * STATUS Trash (MESSAGES 0 UIDNEXT 1)
    S: c OK LIST completed
    C: d LIST () "" "work"
    S: * LIST (\\HasChildren) "/" work
    S: d OK LIST completed`,
  );
});

test('K-9: LIST (SPECIAL-USE) has only the special mailboxes', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE)
    S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Trash) "/" Trash
    S: a OK LIST completed`,
  );
});

test('LSUB: subscribed names, parents for "%", names that are gone', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a LSUB "" "%"
    S: * LSUB () "/" INBOX
    S: * LSUB () "/" Drafts
    S: * LSUB () "/" Sent
    S: * LSUB () "/" Trash
    S: * LSUB (\\Noselect) "/" work
    S: a OK LSUB completed
    C: b SUBSCRIBE later
    S: b OK SUBSCRIBE completed
    C: c UNSUBSCRIBE work/2026
    S: c OK UNSUBSCRIBE completed
    C: d LSUB "" "*a*e*"
    S: * LSUB () "/" later
    S: d OK LSUB completed
    C: e LIST (SUBSCRIBED) "" "l*"
    S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" later
    S: e OK LIST completed
    C: f LIST "" "l*"
    S: f OK LIST completed`,
  );
});

test('CREATE, RENAME, DELETE and their refusals', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a CREATE a/b/c/
    S: a OK [MAILBOXID (F9-1009)] CREATE completed
    C: b LIST "" a*
    S: * LIST (\\HasChildren) "/" a
    S: * LIST (\\HasChildren) "/" a/b
    S: * LIST (\\HasNoChildren) "/" a/b/c
    S: b OK LIST completed
    C: c CREATE a
    S: c NO [ALREADYEXISTS] Mailbox exists
    C: d CREATE a//b
    S: d NO [CANNOT] Not possible
    C: e CREATE ""
    S: e NO [CANNOT] A mailbox needs a name
    C: f RENAME a x
    S: f OK RENAME completed
    C: g RENAME x INBOX
    S: g NO [ALREADYEXISTS] Mailbox exists
    C: h RENAME none y
    S: h NO [NONEXISTENT] No such mailbox
    C: i RENAME x x/y
    S: i NO [CANNOT] Not possible
    C: j DELETE x/b
    S: j OK DELETE completed
    C: k LIST "" x*
    S: * LIST (\\HasChildren) "/" x
    S: * LIST (\\Noselect \\HasChildren) "/" x/b
    S: * LIST (\\HasNoChildren) "/" x/b/c
    S: k OK LIST completed
    C: l SELECT x/b
    S: l NO [CANNOT] This name only holds other mailboxes
    C: m DELETE INBOX
    S: m NO [CANNOT] INBOX cannot be deleted
    C: n DELETE none
    S: n NO [NONEXISTENT] No such mailbox`,
  );
});

test('CREATE with a special use, held by one mailbox at most', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a CREATE Archive (USE (\\Archive))
    S: a OK [MAILBOXID (F7-1007)] CREATE completed
    C: b LIST "" Archive
    S: * LIST (\\HasNoChildren \\Archive) "/" Archive
    S: b OK LIST completed
    C: c CREATE Older (USE (\\Archive))
    S: c NO [USEATTR] Another mailbox has this special use
    C: d CREATE Flags (USE (\\Flagged))
    S: d NO [USEATTR] Special use is not supported`,
  );
});

test('Thunderbird: names in UTF-8 with a bare ampersand once UTF8=ACCEPT is on, in modified UTF-7 before', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a CREATE "Entw&APw-rfe &- Pl&AOQ-ne"
    S: a OK [MAILBOXID (F7-1007)] CREATE completed
    C: b LIST "" Ent*
    S: * LIST (\\HasNoChildren) "/" "Entw&APw-rfe &- Pl&AOQ-ne"
    S: b OK LIST completed
    C: c ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: c OK ENABLE completed
    C: d LIST "" "Entwürfe & P*"
    S: * LIST (\\HasNoChildren) "/" "Entwürfe & Pläne"
    S: d OK LIST completed`,
  );
});

test('Thunderbird: a separator at the end of a name is passed over (tb-extra-mailbox-sep)', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a STATUS "work/" (MESSAGES)
    S: * STATUS work (MESSAGES 0)
    S: a OK STATUS completed
    C: b SUBSCRIBE "work/"
    S: b OK SUBSCRIBE completed
    C: c LSUB "" "w*"
    S: * LSUB () "/" work
    S: * LSUB () "/" work/2026
    S: c OK LSUB completed`,
  );
});

test('STATUS: every item', async () => {
  const made = server();
  made.store.deliver(made.inbox, 'Subject: x\r\n\r\nhello\r\n');
  made.store.deliver(made.inbox, 'Subject: y\r\n\r\nhello\r\n', { flags: 1 | 8 });
  const client = await made.client();
  await talk(
    client,
    `C: a STATUS inbox (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE APPENDLIMIT)
    S: * STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT 3 UIDVALIDITY 1001 UNSEEN 1 DELETED 1 SIZE 42 APPENDLIMIT 52428800)
    S: a OK STATUS completed
    C: b STATUS INBOX (HIGHESTMODSEQ)
    S: * STATUS INBOX (HIGHESTMODSEQ 9)
    S: b OK STATUS completed
    C: c STATUS none (MESSAGES)
    S: c NO [NONEXISTENT] No such mailbox`,
  );
});

test('deleting the selected mailbox: ours is left, others are disconnected', async () => {
  const made = server();
  const [one, two] = [await made.client('work'), await made.client('work')];
  await talk(one, 'C: a DELETE work/2026\nS: a OK DELETE completed');
  await talk(
    one,
    `C: b DELETE work
    S: * OK [CLOSED] Selected mailbox is being deleted
    S: b OK DELETE completed
    C: c CLOSE
    S: c BAD CLOSE needs a selected mailbox`,
  );
  await talk(two, 'C: a NOOP\nS: * BYE The selected mailbox was deleted or renamed');
});

test('LIST with many wildcards over long names gives other sessions their turn, and has a limit', async () => {
  const made = server();
  const name = 'a'.repeat(900);
  for (let i = 0; i < 60; i += 1) await made.store.createMailbox(ALICE.id, `${name}${i}`);
  const client = await made.client();
  const other = await made.client();
  client.send(`a LIST "" "${'*a'.repeat(500)}b"\r\n`);
  other.send('b NOOP\r\n');
  assert.deepEqual([client.output(), other.output()], ['', 'b OK NOOP completed\r\n']);
  // The list yields as often as it needs to: wait for its answer, not for silence.
  const answered = async (tag: string): Promise<string> => {
    let text = '';
    for (let turns = 0; turns < 100_000 && !text.includes(`${tag} `); turns += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      text += client.output();
    }
    return text;
  };
  assert.match(await answered('a'), /a OK LIST completed\r\n$/);
  client.send(`c LIST "" (${Array.from({ length: 5 }, () => 'a'.repeat(1000)).join(' ')})\r\n`);
  assert.match(await answered('c'), /c NO \[LIMIT\] Patterns are too long\r\n$/);
});
