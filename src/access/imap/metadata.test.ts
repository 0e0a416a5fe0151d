import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { annotatedForeign } from './metadata.ts';
import { MetadataNews } from './metadata-news.ts';
import { ALICE, settle, talk, TestServer } from './testing.ts';

function server(): TestServer {
  const made = new TestServer();
  made.store.addMailbox(ALICE.id, 'Größe');
  return made;
}

test('annotations are set, read in any case of their name, replaced and removed', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a GETMETADATA INBOX /private/comment
    S: * METADATA INBOX (/private/comment NIL)
    S: a OK GETMETADATA completed
    C: b SETMETADATA INBOX (/private/Comment "My \\"own\\" comment" /shared/comment {5+}
    C: ab
    C: c)
    S: b OK SETMETADATA completed
    C: c GETMETADATA "INBOX" (/PRIVATE/comment /shared/comment)
    S: * METADATA INBOX (/private/comment "My \\"own\\" comment" /shared/comment {5}
    S: ab
    S: c)
    S: c OK GETMETADATA completed
    C: d SETMETADATA INBOX (/private/comment NIL)
    S: d OK SETMETADATA completed
    C: e GETMETADATA INBOX (/private/comment /shared/comment)
    S: * METADATA INBOX (/private/comment NIL /shared/comment {5}
    S: ab
    S: c)
    S: e OK GETMETADATA completed
    C: f SETMETADATA INBOX (/private/comment "")
    S: f OK SETMETADATA completed
    C: g GETMETADATA INBOX /private/comment
    S: * METADATA INBOX (/private/comment "")
    S: g OK GETMETADATA completed`,
  );
});

test('those of the server, of a mailbox with another name, and of none', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a SETMETADATA "" (/private/vendor/example/colour "red")
    S: a OK SETMETADATA completed
    C: b GETMETADATA "" (/private/vendor/example/colour /shared/admin)
    S: * METADATA "" (/private/vendor/example/colour "red" /shared/admin "mailto:postmaster@example.org")
    S: b OK GETMETADATA completed
    C: c SETMETADATA "" (/shared/admin "mailto:me@example.org")
    S: c NO [NOPERM] /shared/admin cannot be changed
    C: d SETMETADATA "Gr&APYA3w-e" (/shared/admin "of a mailbox it is nothing special")
    S: d OK SETMETADATA completed
    C: e GETMETADATA Gr&APYA3w-e /shared/admin
    S: * METADATA Gr&APYA3w-e (/shared/admin "of a mailbox it is nothing special")
    S: e OK GETMETADATA completed
    C: f GETMETADATA Nowhere /shared/comment
    S: f NO [NONEXISTENT] No such mailbox
    C: g SETMETADATA Nowhere (/shared/comment "x")
    S: g NO [NONEXISTENT] No such mailbox`,
  );
});

test('DEPTH looks below, MAXSIZE leaves out what is too long and says how long it is', async () => {
  const client = await server().client();
  await talk(
    client,
    `C: a SETMETADATA INBOX (/private/f/values/small "SMALLER 5000" /private/f/values/boss "FROM" /private/f/values/boss/x "1" /private/fx "2")
    S: a OK SETMETADATA completed
    C: b GETMETADATA (DEPTH 1) INBOX /private/f/values
    S: * METADATA INBOX (/private/f/values/boss "FROM" /private/f/values/small "SMALLER 5000")
    S: b OK GETMETADATA completed
    C: c GETMETADATA INBOX (DEPTH infinity) (/private/f)
    S: * METADATA INBOX (/private/f/values/boss "FROM" /private/f/values/boss/x "1" /private/f/values/small "SMALLER 5000")
    S: c OK GETMETADATA completed
    C: d GETMETADATA (MAXSIZE 4 DEPTH infinity) INBOX (/private /shared)
    S: * METADATA INBOX (/private/f/values/boss "FROM" /private/f/values/boss/x "1" /private/fx "2")
    S: d OK [METADATA LONGENTRIES 12] GETMETADATA completed
    C: e GETMETADATA (DEPTH infinity) "" /shared
    S: * METADATA "" (/shared/admin "mailto:postmaster@example.org")
    S: e OK GETMETADATA completed
    C: f GETMETADATA (DEPTH 1) INBOX /private/none
    S: f OK GETMETADATA completed`,
  );
});

test('names that cannot be and arguments that are none are BAD', async () => {
  const client = await server().client();
  for (const entry of [
    'comment',
    '/private',
    '/private/',
    '/private//x',
    '/other/x',
    '/private/x*',
    '/private/x%',
    '/shared/vendor/only',
    `/private/${'x'.repeat(500)}`,
  ]) {
    assert.match(await client.exchange(`a SETMETADATA INBOX ("${entry}" "x")\r\n`), /^a BAD Entry name /, entry);
    await client.exchange('n NOOP\r\n');
  }
  for (const rest of ['INBOX ()', 'INBOX /private/comment "x"', 'INBOX (/private/comment)', 'INBOX (/private/comment x)']) {
    assert.match(await client.exchange(`a SETMETADATA ${rest}\r\n`), /^a BAD /, rest);
    await client.exchange('n NOOP\r\n');
  }
  for (const rest of ['INBOX', '(DEPTH 2) INBOX /private/x', '(SIZE 2) INBOX /private/x', '(MAXSIZE) INBOX /private/x', 'INBOX /private/x /private/y']) {
    assert.match(await client.exchange(`a GETMETADATA ${rest}\r\n`), /^a BAD /, rest);
    await client.exchange('n NOOP\r\n');
  }
});

test('a binary value comes as it went, with all its bytes', async () => {
  const client = await server().client();
  await client.exchange(Buffer.from('a SETMETADATA INBOX (/private/bin ~{4+}\r\na\0\xffb /private/x "1")\r\n', 'latin1'));
  assert.equal(
    await client.exchange('b GETMETADATA INBOX (/private/bin /private/x)\r\n'),
    '* METADATA INBOX (/private/bin ~{4}\r\na\0\xffb /private/x "1")\r\nb OK GETMETADATA completed\r\n',
  );
});

test('what is too large or too many is refused with a code, and nothing of the command is done', async () => {
  const made = new TestServer({ 'imap.metadataValueBytesMax': 1024, 'imap.metadataEntriesMax': 10 });
  const client = await made.client();
  await talk(
    client,
    `C: a SETMETADATA INBOX (/private/a "x" /private/b "${'y'.repeat(1025)}")
    S: a NO [METADATA MAXSIZE 1024] The value is too large
    C: b SETMETADATA INBOX (${Array.from({ length: 11 }, (_, i) => `/private/${i} "x"`).join(' ')})
    S: b NO [METADATA TOOMANY] There are too many annotations
    C: c GETMETADATA INBOX /private/a
    S: * METADATA INBOX (/private/a NIL)
    S: c OK GETMETADATA completed`,
  );
});

test('a client that enabled METADATA hears which annotations others changed, also in IDLE, but not of its own changes', async () => {
  const made = server();
  const [first, second] = [await made.client('INBOX'), await made.client()];
  await talk(
    first,
    `C: a ENABLE METADATA
    S: * ENABLED METADATA
    S: a OK ENABLE completed
    C: b SETMETADATA INBOX (/private/comment "mine")
    S: b OK SETMETADATA completed`,
  );
  await second.exchange('a SETMETADATA INBOX (/private/comment "x" /shared/comment "y")\r\nb SETMETADATA "" (/shared/comment "z")\r\n');
  assert.equal(first.output(), '');
  await talk(
    first,
    `C: c NOOP
    S: * METADATA INBOX /private/comment /shared/comment
    S: * METADATA "" /shared/comment
    S: c OK NOOP completed
    C: d NOOP
    S: d OK NOOP completed
    C: e IDLE
    S: + idling`,
  );
  await second.exchange('c SETMETADATA Gr&APYA3w-e (/private/comment NIL)\r\n');
  assert.equal(first.output(), '* METADATA Gr&APYA3w-e /private/comment\r\n');
  await first.exchange('DONE\r\n');
  first.disconnect();
  await settle();
});

test('scripts hear what is appended, copied, moved and marked, and with which flags changed', async () => {
  const made = server();
  const target = made.store.mailboxByName(ALICE.id, 'Größe')!.id;
  const uid = made.store.deliver(made.inbox, 'Subject: hello\r\n\r\nworld\r\n', { keywords: '$Old' });
  const client = await made.client('INBOX');
  await client.exchange('a STORE 1 +FLAGS (\\Flagged)\r\n');
  assert.deepEqual(made.sieve.events, []);
  made.sieve.isWanted = true;
  await client.exchange('b STORE 1 FLAGS (\\Seen $New)\r\n');
  await client.exchange('c STORE 1 +FLAGS (\\Seen)\r\n');
  await client.exchange('d STORE 1 -FLAGS (\\Seen)\r\n');
  await client.exchange('e FETCH 1 BODY[]\r\n');
  await client.exchange('f APPEND INBOX {3+}\r\n\r\nx\r\n');
  await client.exchange('g COPY 1 Gr&APYA3w-e\r\n');
  await client.exchange('h MOVE 2 Gr&APYA3w-e\r\n');
  const flag = (changedFlags: string[]): unknown => ({ mailboxId: made.inbox, cause: 'FLAG', fromId: null, messages: [{ uid, changedFlags }] });
  const arrived = (mailboxId: number, cause: string, fromId: number | null, id: number): unknown => ({
    mailboxId,
    cause,
    fromId,
    messages: [{ uid: id, changedFlags: [] }],
  });
  assert.deepEqual(made.sieve.events, [
    flag(['\\Flagged', '\\Seen', '$Old', '$New']),
    flag(['\\Seen']),
    flag(['\\Seen']),
    arrived(made.inbox, 'APPEND', null, 2),
    arrived(target, 'COPY', made.inbox, 1),
    arrived(target, 'COPY', made.inbox, 2),
  ]);
});

test("news of others' annotations come also from mailboxes that they share, by the names of the session, as long as it may see them", async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lr');
  await made.share(ANNA, 'Private', BERT, 'l');
  const bert = await made.client(BERT);
  const { reader, announcements } = made.store;
  let woken = 0;
  const news = new MetadataNews(
    announcements,
    reader,
    made.id(BERT),
    'me',
    () => {
      woken += 1;
    },
    (owner, mailboxId) => annotatedForeign(bert.session, owner, mailboxId),
  );
  const anna = await made.client(ANNA);
  for (const name of ['INBOX/Projects', 'Private', 'INBOX']) await anna.exchange(`a SETMETADATA ${name} (/shared/comment "x" /private/comment "y")\r\n`);
  await anna.exchange('b SETMETADATA INBOX/Projects (/private/comment "z")\r\n');
  assert.equal(woken, 1);
  assert.equal(news.take(false), '* METADATA "Other Users/anna@example.org/INBOX/Projects" /shared/comment\r\n');
  await anna.exchange('c SETMETADATA INBOX/Projects (/shared/comment "z")\r\n');
  await made.share(ANNA, 'INBOX/Projects', BERT, '');
  assert.equal(news.take(false), '');
  news.close();
  await anna.exchange('d SETMETADATA INBOX/Projects (/shared/comment "w")\r\n');
  assert.equal(woken, 2);
});

test('a filter that is no search is refused, and nothing of the command is done (RFC 5466 section 3.2)', async () => {
  const made = server();
  const client = await made.client();
  await talk(
    client,
    `C: a SETMETADATA "" (/private/comment "x" /private/filters/values/half "OR SMALLER 5000")
    S: a NO [CANNOT] The filter is not a search: more arguments expected at byte 16
    C: b SETMETADATA "" (/shared/filters/values/none "")
    S: b NO [CANNOT] The filter is not a search: an atom expected at byte 1
    C: c SETMETADATA "" (/private/filters/values/on-the-road "OR SMALLER 5000 FROM \\"boss@example.com\\"")
    S: c OK SETMETADATA completed
    C: e SETMETADATA "" (/private/filters/values/on-the-road NIL /private/filters/descriptions/on-the-road "OR any words")
    S: e OK SETMETADATA completed
    C: f SETMETADATA INBOX (/private/filters/values/x "no search, on a mailbox it means nothing")
    S: f OK SETMETADATA completed
    C: g GETMETADATA "" (/private/comment /private/filters/values/on-the-road)
    S: * METADATA "" (/private/comment NIL /private/filters/values/on-the-road NIL)
    S: g OK GETMETADATA completed`,
  );
  const refused = await client.exchange(Buffer.from('h SETMETADATA "" (/private/filters/values/latin ~{9+}\r\nTEXT "\xe9"x)\r\n', 'latin1'));
  assert.match(refused, /h NO \[CANNOT\] A filter is a search in UTF-8/);
  assert.match(await client.exchange('i SETMETADATA "" ("/private/filters/values/two words" "SEEN")\r\n'), /^i (BAD|NO \[CANNOT\] The name of a filter)/m);
});
