import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Client, talk, TestServer } from './testing.ts';

/** A message that needed SMTPUTF8 to get here: raw UTF-8 in addresses, subject and file name (RFC 6532). */
const LETTER = [
  'From: Jörg <jörg@bücher.example>',
  'To: 用户@example.org, anna@example.org',
  'Subject: Grüße =?utf-8?Q?aus_K=C3=B6ln?=',
  'Date: Fri, 2 Jan 2026 03:04:05 +0000',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=utf-8; name="Grüße.txt"',
  'Content-Description: für alle',
  '',
  'Hallo\r\n',
].join('\r\n');

async function reader(): Promise<Client> {
  const made = new TestServer();
  made.store.deliver(made.inbox, LETTER);
  return made.client('INBOX');
}

test('before ENABLE UTF8=ACCEPT nothing but message text has 8 bits: envelopes and structures are ASCII (RFC 9755 section 8)', async () => {
  const client = await reader();
  const said = await client.exchange('a FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)\r\n');
  assert.match(said, /^[\r\n\x20-\x7e]*$/);
  assert.match(said, /"=\?utf-8\?[^ "]+\?=" NIL "=\?utf-8\?[^ "]+\?=" "xn--bcher-kva\.example"/);
  assert.match(said, /"name\*" "utf-8''Gr%C3%BC%C3%9Fe\.txt"/);
  // What is asked for as it is comes as it is.
  const header = await client.exchange('b FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]\r\n');
  assert.ok(Buffer.from(header, 'latin1').toString('utf8').includes('Subject: Grüße ='));
});

test('messages are found by addresses beyond ASCII, as they stand in the header', async () => {
  const client = await reader();
  await talk(
    client,
    `C: a SEARCH CHARSET UTF-8 FROM "jörg@" TO "用户@example.org" SUBJECT "grüße aus köln"
    S: * SEARCH 1
    S: a OK SEARCH completed
    C: b ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: b OK ENABLE completed
    C: c SEARCH FROM "JÖRG@" NOT TO "jörg"
    S: * SEARCH 1
    S: c OK SEARCH completed
    C: d SEARCH FROM "utf-8"
    S: * SEARCH
    S: d OK SEARCH completed`,
  );
});

test('quoted strings may be UTF-8, and must be: a name that is not is refused', async () => {
  const client = await reader();
  await client.exchange('a ENABLE UTF8=ACCEPT\r\n');
  await talk(
    client,
    `C: b CREATE "Entwürfe/Größe"
    S: b OK [MAILBOXID (F4-1004)] CREATE completed
    C: c LIST "" "Entwürfe/%"
    S: * LIST (\\HasNoChildren) "/" "Entwürfe/Größe"
    S: c OK LIST completed
    C: d STATUS "Entwürfe/Größe" (MESSAGES)
    S: * STATUS "Entwürfe/Größe" (MESSAGES 0)
    S: d OK STATUS completed`,
  );
  for (const command of ['e CREATE "\xff"', 'e CREATE "a\xc3"', 'e STATUS "\xed\xa0\x80" (MESSAGES)', 'e LIST "" "\xc0\xaf"'])
    assert.match(await client.exchange(Buffer.from(`${command}\r\n`, 'latin1')), /^e (BAD|NO \[CANNOT\])/, command);
});

test('names are composed when they are made, and found whichever way they are written (RFC 9051 section 5.1)', async () => {
  const client = await reader();
  await client.exchange('a ENABLE UTF8=ACCEPT\r\n');
  assert.match(await client.exchange('b CREATE "Cafe\u0301"\r\n'), /^b OK/);
  await talk(
    client,
    `C: c STATUS "Cafe\u0301" (MESSAGES)
    S: * STATUS "Caf\u00e9" (MESSAGES 0)
    S: c OK STATUS completed
    C: d STATUS "Cafe\u0301/" (MESSAGES)
    S: * STATUS "Caf\u00e9" (MESSAGES 0)
    S: d OK STATUS completed
    C: e CREATE "Caf\u00e9"
    S: e NO [ALREADYEXISTS] Mailbox exists
    C: f DELETE "Cafe\u0301"
    S: f OK DELETE completed`,
  );
});

test('APPEND UTF8 (RFC 6855) and plain literals both take headers in UTF-8', async () => {
  const client = await reader();
  await client.exchange('a ENABLE UTF8=ACCEPT\r\n');
  const size = Buffer.byteLength(LETTER);
  assert.match(await client.exchange(`b APPEND INBOX UTF8 (~{${size}+}\r\n${LETTER})\r\n`), /b OK \[APPENDUID 1001 2\]/);
  assert.match(await client.exchange(`c APPEND INBOX {${size}+}\r\n${LETTER}\r\n`), /c OK \[APPENDUID 1001 3\]/);
  const said = await client.exchange('d FETCH 1:3 (RFC822.SIZE)\r\n');
  assert.deepEqual(
    [...said.matchAll(/RFC822\.SIZE (\d+)/g)].map(([, bytes]) => Number(bytes)),
    [size, size, size],
  );
});

test('after it, or with IMAP4rev2, local parts of addresses are UTF-8, so that an answer reaches them', async () => {
  for (const name of ['UTF8=ACCEPT', 'IMAP4rev2']) {
    const client = await reader();
    await client.exchange(`a ENABLE ${name}\r\n`);
    const said = Buffer.from(await client.exchange('b FETCH 1 ENVELOPE\r\n'), 'latin1').toString('utf8');
    assert.match(said, /NIL "jörg" "xn--bcher-kva\.example"\)\)/);
    assert.match(said, /\(\(NIL NIL "用户" "example\.org"\)\(NIL NIL "anna" "example\.org"\)\)/);
  }
});

test('strings that are not UTF-8 are refused with BAD once a client has said that its are (RFC 6855 section 3)', async () => {
  for (const name of ['UTF8=ACCEPT', 'IMAP4rev2']) {
    const client = await reader();
    await client.exchange(`a ENABLE ${name}\r\n`);
    for (const command of [
      'SEARCH SUBJECT "\xc3"',
      'SEARCH SUBJECT "a\\"\xe9"',
      'SEARCH SUBJECT {1+}\r\n\xc3',
      'SEARCH CHARSET UTF-8 OR SEEN SUBJECT {1+}\r\n\xc3',
      'SEARCH CHARSET ISO-8859-1 SUBJECT "Gr\xfc\xdfe"',
      'SORT (SUBJECT) UTF-8 SUBJECT "\xed\xa0\x80"',
      'THREAD REFS US-ASCII TEXT "\xf4\x90\x80\x80"',
      'ESEARCH IN (mailboxes "\xc3") ALL',
      'CREATE "a\xc3"',
      'LIST "" "\xc0\xaf"',
      'LIST "\xff" *',
      'STATUS {2+}\r\na\xc3 (MESSAGES)',
      'SETMETADATA INBOX (/private/comment "\xc3")',
      'SETACL INBOX "\xc3" lr',
      'ID ("name" "\xc3")',
      'APPEND "a\xc3" {2+}\r\nhi',
      'APPEND "a\xc3" CATENATE (URL "/INBOX/;UID=1")',
      'NOTIFY SET (mailboxes "\xc3" (MessageNew MessageExpunge))',
    ])
      assert.match(await client.exchange(Buffer.from(`b ${command}\r\n`, 'latin1')), /^b BAD/m, command);
    // The line that ends IDLE is a command like any other.
    await client.exchange('c IDLE\r\n');
    assert.match(await client.exchange(Buffer.from('d SEARCH SUBJECT "\xc3"\r\n', 'latin1')), /^c OK .*\r\nd BAD/m);
  }
});

test('what is no text, and what is in another charset, need not be UTF-8', async () => {
  const client = await reader();
  await client.exchange('a ENABLE UTF8=ACCEPT\r\n');
  for (const [command, answer] of [
    ['b SEARCH CHARSET ISO-8859-1 SUBJECT {5+}\r\nGr\xfc\xdfe', /^\* SEARCH 1\r\nb OK/m],
    ['c SORT (SUBJECT) ISO-8859-1 SUBJECT {5+}\r\nGr\xfc\xdfe', /^\* SORT 1\r\nc OK/m],
    // The charset was that command's.
    ['d SEARCH SUBJECT {5+}\r\nGr\xfc\xdfe', /^d BAD/m],
    ['e SETMETADATA INBOX (/private/comment {2+}\r\n\xc3\xff)', /^e OK/m],
    ['f GETMETADATA INBOX /private/comment', /\{2\}\r\n\xc3\xff\)\r\nf OK/],
    ['g APPEND INBOX {2+}\r\n\xc3\xff', /^g OK/m],
    ['h APPEND INBOX UTF8 (~{2+}\r\n\xc3\xff)', /^h OK/m],
    ['i APPEND INBOX CATENATE (TEXT {1+}\r\n\xff URL "/INBOX/;UID=2")', /^i OK/m],
  ] as const)
    assert.match(await client.exchange(Buffer.from(`${command}\r\n`, 'latin1')), answer, command);
});

test('before ENABLE any bytes are taken, as clients of old send them', async () => {
  const client = await reader();
  assert.match(await client.exchange(Buffer.from('a SEARCH SUBJECT "\xc3"\r\n', 'latin1')), /^\* SEARCH\r\na OK/m);
});

test('no new mailbox has control characters or separators of lines in its name (RFC 6855 section 3)', async () => {
  const client = await reader();
  await client.exchange('a ENABLE UTF8=ACCEPT\r\n');
  for (const char of ['\u0080', '\u0085', '\u009f', '\u2028', '\u2029', '\u007f']) {
    assert.match(await client.exchange(`b CREATE "a${char}b"\r\n`), /^b NO \[CANNOT\]/m);
    assert.match(await client.exchange(`c RENAME INBOX "a${char}b"\r\n`), /^c NO \[CANNOT\]/m);
  }
  assert.match(await client.exchange('d CREATE "a\u00a0b"\r\n'), /^d OK/m);
});
