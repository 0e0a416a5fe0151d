/** How single clients use IMAP: which folders they look for and make, which extensions they switch on, how they resynchronise. Named after the client. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { ALICE, type Client, talk, TestServer } from './testing.ts';

/** What every new account has, three messages in INBOX (modseqs from 2 on for the mailboxes, then 8, 9, 10). */
function server(messages = 3): TestServer {
  const made = new TestServer();
  for (const role of ['sent', 'drafts', 'trash', 'junk', 'archive'] as const)
    made.store.addMailbox(ALICE.id, `${role[0]!.toUpperCase()}${role.slice(1)}`, role);
  for (let i = 1; i <= messages; i += 1) made.store.deliver(made.inbox, `From: a@example.org\r\nSubject: ${i}\r\n\r\nbody ${i}\r\n`, { flags: 1 });
  return made;
}
async function enabled(made: TestServer, what: string): Promise<Client> {
  const client = await made.client();
  await client.exchange(`e ENABLE ${what}\r\n`);
  return client;
}

test('Apple Mail: special uses in plain LIST, and its own folders beside them take no use away', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: 1.7 CREATE "Sent Messages"
    C: 2.7 CREATE "Deleted Messages"
    C: 3.7 CREATE Notes
    C: 4.7 LIST "" "*"
    S: 1.7 OK [MAILBOXID (F10-1010)] CREATE completed
    S: 2.7 OK [MAILBOXID (F11-1011)] CREATE completed
    S: 3.7 OK [MAILBOXID (F12-1012)] CREATE completed
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\HasNoChildren \\Archive) "/" Archive
    S: * LIST (\\HasNoChildren) "/" "Deleted Messages"
    S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Junk) "/" Junk
    S: * LIST (\\HasNoChildren) "/" Notes
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren) "/" "Sent Messages"
    S: * LIST (\\HasNoChildren \\Trash) "/" Trash
    S: 4.7 OK LIST completed`,
  );
});

test('Outlook 2013: XLIST names the special folders, and localised ones can be made beside them', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: 8gaw XLIST "" "*"
    S: * XLIST (\\HasNoChildren \\Inbox) "/" "Inbox"
    S: * XLIST (\\HasNoChildren \\Archive) "/" Archive
    S: * XLIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * XLIST (\\HasNoChildren \\Spam) "/" Junk
    S: * XLIST (\\HasNoChildren \\Sent) "/" Sent
    S: * XLIST (\\HasNoChildren \\Trash) "/" Trash
    S: 8gaw OK XLIST completed
    C: 9abc CREATE "Gel&APY-schte Elemente"
    S: 9abc OK [MAILBOXID (F10-1010)] CREATE completed
    C: xyz1 LSUB "" "*"
    S: * LSUB () "/" INBOX
    S: * LSUB () "/" Archive
    S: * LSUB () "/" Drafts
    S: * LSUB () "/" Junk
    S: * LSUB () "/" Sent
    S: * LSUB () "/" Trash
    S: xyz1 OK LSUB completed`,
  );
});

test('Thunderbird: its way in', async () => {
  const client = server().connect();
  client.output();
  assert.match(await client.exchange('1 capability\r\n'), /^\* CAPABILITY .*\bAUTH=PLAIN\b.*\r\n1 OK /);
  assert.equal(await client.exchange('2 authenticate PLAIN\r\n'), '+ \r\n');
  assert.match(await client.exchange('AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=\r\n'), /^2 OK \[CAPABILITY .*\bCONDSTORE\b.*\] /);
  await talk(
    client,
    `C: 3 ID ("name" "Thunderbird" "version" "128.5.0")
    S: * ID ("name" "Posthorn")
    S: 3 OK ID completed
    C: 4 ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: 4 OK ENABLE completed
    C: 5 namespace
    S: * NAMESPACE (("" "/")) (("Other Users/" "/")) NIL
    S: 5 OK NAMESPACE completed
    C: 6 list (subscribed) "" "*" return (special-use)
    S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
    S: * LIST (\\HasNoChildren \\Subscribed \\Archive) "/" Archive
    S: * LIST (\\HasNoChildren \\Subscribed \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Subscribed \\Junk) "/" Junk
    S: * LIST (\\HasNoChildren \\Subscribed \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Subscribed \\Trash) "/" Trash
    S: 6 OK LIST completed
    C: 7 list "" "INBOX"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: 7 OK LIST completed
    C: 8 select "INBOX" (CONDSTORE)
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags and new keywords can be set
    S: * 3 EXISTS
    S: * 3 RECENT
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 10] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: 8 OK [READ-WRITE] SELECT completed
    C: 9 getquotaroot "INBOX"
    S: * QUOTAROOT INBOX "User quota"
    S: * QUOTA "User quota" (MAILBOX 6 10000 ANNOTATION-STORAGE 0 64000)
    S: 9 OK GETQUOTAROOT completed
    C: 10 UID fetch 1:* (FLAGS)
    S: * 1 FETCH (UID 1 FLAGS (\\Recent \\Seen))
    S: * 2 FETCH (UID 2 FLAGS (\\Recent \\Seen))
    S: * 3 FETCH (UID 3 FLAGS (\\Recent \\Seen))
    S: 10 OK FETCH completed
    C: 11 IDLE
    S: + idling
    C: DONE
    C: 12 UID fetch 2 (UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])
    S: 11 OK IDLE completed
    S: * 2 FETCH (UID 2 RFC822.SIZE 43 BODY[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)] {35}
    S: From: a@example.org
    S: Subject: 2
    S:
    S: )
    S: 12 OK FETCH completed
    C: 13 uid store 2 +Flags (\\Deleted)
    S: * 2 FETCH (UID 2 FLAGS (\\Recent \\Deleted \\Seen) MODSEQ (11))
    S: 13 OK STORE completed
    C: 14 uid move 3 "Trash"
    S: * OK [COPYUID 1004 3 1] Moved
    S: * 3 EXPUNGE
    S: * 2 RECENT
    S: 14 OK MOVE completed`,
  );
});

test('Thunderbird: a folder it knows already, by CHANGEDSINCE, without QRESYNC', async () => {
  const made = server();
  const client = await enabled(made, 'CONDSTORE');
  await client.exchange('1 select "INBOX" (CONDSTORE)\r\n');
  const other = await made.client('INBOX');
  await other.exchange('o STORE 2 +FLAGS (\\Flagged)\r\no STORE 1 +FLAGS (\\Deleted)\r\no EXPUNGE\r\n');
  client.output();
  await talk(
    client,
    `C: 2 noop
    S: * 1 EXPUNGE
    S: * 2 RECENT
    S: * 1 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (11))
    S: 2 OK NOOP completed
    C: 3 UID fetch 1:* (FLAGS) (CHANGEDSINCE 10)
    S: * 1 FETCH (UID 2 FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (11))
    S: 3 OK FETCH completed
    C: 4 UID search 1:*
    S: * SEARCH 2 3
    S: 4 OK SEARCH completed`,
  );
});

test('K-9: LIST RETURN (SPECIAL-USE) has all folders, LIST (SPECIAL-USE) only the special ones', async () => {
  const made = server();
  made.store.addMailbox(ALICE.id, 'Lists');
  await talk(
    await made.client(),
    `C: 5 LIST "" "*" RETURN (SPECIAL-USE)
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\HasNoChildren \\Archive) "/" Archive
    S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Junk) "/" Junk
    S: * LIST (\\HasNoChildren) "/" Lists
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Trash) "/" Trash
    S: 5 OK LIST completed
    C: 6 LIST (SPECIAL-USE) "" "*"
    S: * LIST (\\HasNoChildren \\Archive) "/" Archive
    S: * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    S: * LIST (\\HasNoChildren \\Junk) "/" Junk
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\HasNoChildren \\Trash) "/" Trash
    S: 6 OK LIST completed`,
  );
});

test('K-9: PLAIN with the initial response, then what it is told there is believed', async () => {
  const client = server().connect();
  client.output();
  assert.match(await client.exchange('1 AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHdvbmRlcmxhbmQ=\r\n'), /^1 OK \[CAPABILITY .*\bIDLE\b.*\] /);
  await talk(
    client,
    `C: 2 ID ("name" "K-9 Mail" "version" "6.8")
    S: * ID ("name" "Posthorn")
    S: 2 OK ID completed`,
  );
});

test('Outlook cloud: switches on whatever is announced and goes on with sequence numbers', async () => {
  const client = await server().client();
  const announced = /\* CAPABILITY (.*)\r/.exec(await client.exchange('a CAPABILITY\r\n'))![1]!;
  assert.doesNotMatch(announced, /UIDONLY|UIDBATCHES|MESSAGELIMIT|COMPRESS/);
  const answer = await client.exchange(`b ENABLE ${announced} UIDONLY\r\n`);
  assert.match(answer, /^\* ENABLED [^\r]*\bCONDSTORE\b[^\r]*\r\nb OK/);
  assert.doesNotMatch(answer, /UIDONLY/);
  await client.exchange('c SELECT INBOX\r\n');
  assert.match(await client.exchange('d FETCH 2 (UID FLAGS)\r\n'), /^\* 2 FETCH \(UID 2 FLAGS \(\\Seen\).*\r\nd OK/);
});

test('Outlook cloud: what is hidden for one account is neither announced nor to be had', async () => {
  const made = server();
  made.store.options.set('imap.hide', 'QRESYNC');
  const client = await made.client();
  assert.doesNotMatch(await client.exchange('a CAPABILITY\r\n'), /QRESYNC/);
  await talk(
    client,
    `C: b ENABLE QRESYNC
    S: * ENABLED
    S: b OK ENABLE completed
    C: c SELECT INBOX (QRESYNC (1001 1))
    S: c BAD QRESYNC must be enabled first`,
  );
});

test('purelymail: HIGHESTMODSEQ is never 0, not of a new and empty mailbox either', async () => {
  const client = await server(0).client();
  const answer = await client.exchange('a CREATE New\r\nb STATUS New (HIGHESTMODSEQ)\r\nc SELECT New (CONDSTORE)\r\nd STATUS INBOX (HIGHESTMODSEQ)\r\n');
  const values = [...answer.matchAll(/HIGHESTMODSEQ (\d+)/g)].map((match) => Number(match[1]));
  assert.equal(values.length, 3, answer);
  assert.ok(
    values.every((value) => value > 0),
    answer,
  );
});

test('Mailspring: every ENABLE is answered with ENABLED, also the second one', async () => {
  await talk(
    await server().client(),
    `C: a ENABLE CONDSTORE
    S: * ENABLED CONDSTORE
    S: a OK ENABLE completed
    C: b ENABLE CONDSTORE QRESYNC
    S: * ENABLED QRESYNC
    S: b OK ENABLE completed`,
  );
});

test('mbsync, Evolution: MODSEQ comes also when STORE is .SILENT', async () => {
  const client = await enabled(server(), 'CONDSTORE');
  await client.exchange('s SELECT INBOX\r\n');
  await talk(
    client,
    `C: a UID STORE 2 +FLAGS.SILENT (\\Flagged)
    S: * 2 FETCH (UID 2 MODSEQ (11))
    S: a OK STORE completed
    C: b STORE 1:* -FLAGS.SILENT (\\Answered)
    S: b OK STORE completed`,
  );
});

test('Nextcloud: VANISHED names what is gone and nothing else, and is not said when nothing is', async () => {
  const made = server(6);
  const client = await enabled(made, 'QRESYNC');
  assert.doesNotMatch(await client.exchange('a SELECT INBOX (QRESYNC (1001 13 1:6))\r\n'), /VANISHED/);
  const other = await made.client('INBOX');
  await other.exchange('o STORE 2,5 +FLAGS (\\Deleted)\r\no EXPUNGE\r\n');
  made.store.deliver(made.inbox, 'Subject: 7\r\n\r\n');
  client.output();
  await talk(
    client,
    `C: b NOOP
    S: * VANISHED 2,5
    S: * 5 EXISTS
    S: * 5 RECENT
    S: b OK [HIGHESTMODSEQ 16] NOOP completed
    C: c SELECT INBOX (QRESYNC (1001 13 1:6))
    S: * OK [CLOSED] Previous mailbox is closed
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags and new keywords can be set
    S: * 5 EXISTS
    S: * 0 RECENT
    S: * OK [UNSEEN 5] First unseen message
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 8] Predicted next UID
    S: * OK [HIGHESTMODSEQ 16] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: * VANISHED (EARLIER) 2,5
    S: c OK [READ-WRITE] SELECT completed
    C: d UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 13 VANISHED)
    S: * VANISHED (EARLIER) 2,5
    S: * 5 FETCH (UID 7 FLAGS () MODSEQ (16))
    S: d OK FETCH completed`,
  );
});

test('mbsync: all of what it wants to know in one packet, its messages without waiting', async () => {
  const made = server(1);
  const client = await made.client();
  await talk(
    client,
    `C: 5 CREATE "Work"
    C: 6 SELECT "Work"
    C: 7 APPEND "Work" (\\Seen) {10+}
    C: Subject: a
    C: 8 UID FETCH 1:* (UID FLAGS)
    S: 5 OK [MAILBOXID (F8-1008)] CREATE completed
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags and new keywords can be set
    S: * 0 EXISTS
    S: * 0 RECENT
    S: * OK [UIDVALIDITY 1008] UIDs are valid
    S: * OK [UIDNEXT 1] Predicted next UID
    S: * OK [HIGHESTMODSEQ 9] Highest mod-sequence
    S: * OK [MAILBOXID (F8-1008)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: 6 OK [READ-WRITE] SELECT completed
    S: * 1 EXISTS
    S: * 1 RECENT
    S: 7 OK [APPENDUID 1008 1] APPEND completed
    S: * 1 FETCH (UID 1 FLAGS (\\Recent \\Seen))
    S: 8 OK FETCH completed`,
  );
});

test('mutt: DONE and CLOSE in one packet, and ENABLE, ENABLE and LIST in one', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a0002 ENABLE UTF8=ACCEPT
    C: a0003 ENABLE QRESYNC
    C: a0004 LIST "" ""
    S: * ENABLED UTF8=ACCEPT
    S: a0002 OK ENABLE completed
    S: * ENABLED QRESYNC
    S: a0003 OK ENABLE completed
    S: * LIST (\\Noselect) "/" ""
    S: a0004 OK LIST completed`,
  );
  await client.exchange('a0005 MYRIGHTS "INBOX"\r\na0006 SELECT "INBOX" (CONDSTORE)\r\n');
  await talk(
    client,
    `C: a0007 IDLE
    S: + idling
    C: DONE
    C: a0008 CLOSE
    S: a0007 OK IDLE completed
    S: a0008 OK CLOSE completed`,
  );
});

test('Alpine: asks for a folder that is not there, makes it, sorts and threads in US-ASCII', async () => {
  const client = await server().client('INBOX');
  await talk(
    client,
    `C: 0000000d LIST "" Keep
    S: 0000000d OK LIST completed
    C: 0000000e LIST "" ""
    S: * LIST (\\Noselect) "/" ""
    S: 0000000e OK LIST completed
    C: 0000000f Create Keep
    S: 0000000f OK [MAILBOXID (F10-1010)] CREATE completed
    C: 00000010 COPY 1 Keep
    S: 00000010 OK [COPYUID 1010 1 1] COPY completed
    C: 00000011 STORE 1 +Flags (\\DELETED)
    S: * 1 FETCH (FLAGS (\\Recent \\Deleted \\Seen))
    S: 00000011 OK STORE completed
    C: 00000012 SORT (REVERSE DATE) US-ASCII ALL
    S: * SORT 1 2 3
    S: 00000012 OK SORT completed
    C: 00000013 THREAD REFERENCES US-ASCII ALL
    S: * THREAD (1)(2)(3)
    S: 00000013 OK THREAD completed`,
  );
});

test('12. COPY and MOVE to a shared mailbox that already holds the message succeed, every time', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'Private', BERT, 'lrswi');
  await made.put(BERT, 'INBOX', 'once');
  const bert = await made.client(BERT, 'INBOX');
  const validity = made.mailbox(ANNA, 'Private').uidValidity;
  const there = `"Other Users/${ANNA}/Private"`;
  await talk(
    bert,
    `C: a UID COPY 1 ${there}
    S: a OK [COPYUID ${validity} 1 1] COPY completed
    C: b UID COPY 1 ${there}
    S: b OK [COPYUID ${validity} 1 2] COPY completed
    C: c UID MOVE 1 ${there}
    S: * OK [COPYUID ${validity} 1 3] Moved
    S: * 1 EXPUNGE
    S: * 0 RECENT
    S: c OK MOVE completed`,
  );
  assert.equal(made.contents(ANNA, 'Private').length, 3);
});
