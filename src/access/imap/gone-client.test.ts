import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, TestServer } from './testing.ts';

/** Long ones: each is interrupted wherever it may be. */
const COMMANDS = [
  'SEARCH TEXT hello SUBJECT m',
  'UID SEARCH RETURN (SAVE COUNT UPDATE) BODY hello',
  'SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT m1',
  'SORT (SUBJECT FROM) UTF-8 ALL',
  'SORT RETURN (UPDATE COUNT) (DISPLAYFROM) UTF-8 TEXT hello',
  'THREAD REFERENCES UTF-8 ALL',
  'THREAD REFS UTF-8 ALL',
  'THREAD ORDEREDSUBJECT UTF-8 ALL',
  'ESEARCH IN (selected personal subscribed) RETURN (COUNT) SUBJECT m',
  'ESEARCH IN (subtree "") RETURN (ALL) TEXT hello',
  'FETCH 1:* (FLAGS ENVELOPE BODY[] BODYSTRUCTURE PREVIEW)',
  'UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)] SAVEDATE)',
  'STORE 1:* +FLAGS (\\Seen $Later)',
  'COPY 1:* Other',
  'UID MOVE 1:3 Other',
  'LIST (SUBSCRIBED RECURSIVEMATCH) "" * RETURN (STATUS (MESSAGES DELETED-STORAGE) METADATA (/private/comment))',
  'LSUB "" *',
  'XLIST "" *',
  'STATUS INBOX (MESSAGES DELETED-STORAGE)',
  'GETQUOTAROOT INBOX',
  'NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (personal (MessageNew MessageExpunge MailboxName))',
  'SETMETADATA INBOX (/private/comment "x")',
  'GETMETADATA (DEPTH infinity) INBOX /private',
  'APPEND INBOX CATENATE (URL "/INBOX/;UID=1" URL "/INBOX/;UID=2")',
  'UID REPLACE 1 INBOX {10+}\r\nSubject:\r\n\r\n',
  'EXPUNGE',
  'CLOSE',
  'SELECT Other',
];

/** Turns of the loop after which the connection is lost. */
const TURNS_MAX = 24;

test('a client that goes away in the middle of a command, wherever that is, makes no trouble', async (t) => {
  // Time flies: commands pause nearly wherever they may.
  let now = 0;
  t.mock.method(performance, 'now', () => {
    now += 5;
    return now;
  });
  for (const command of COMMANDS) {
    for (let turns = 0; turns < TURNS_MAX; turns += 1) {
      const server = new TestServer();
      for (let n = 1; n <= 4; n += 1) server.store.deliver(server.inbox, `Subject: m${n}\r\nMessage-Id: <${n}@x>\r\nReferences: <${n - 1}@x>\r\n\r\nhello\r\n`);
      server.store.addMailbox(ALICE.id, 'Other');
      const client = await server.client('INBOX');
      client.send(`a ${command}\r\n`);
      for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      const isDone = client.output().includes('\r\na OK');
      client.disconnect();
      for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(server.logged, [], `${command}, lost after ${turns} turns`);
      if (isDone) break;
    }
  }
});
