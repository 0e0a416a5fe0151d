import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { settle, TestServer } from './testing.ts';

const WORDS = [
  'a',
  'UID',
  'FETCH',
  'STORE',
  'SEARCH',
  'SELECT',
  'LIST',
  'LSUB',
  'APPEND',
  'IDLE',
  'DONE',
  'EXPUNGE',
  'MOVE',
  'COPY',
  'CREATE',
  'DELETE',
  'RENAME',
  'INBOX',
  '"x y"',
  '1:*',
  '*',
  '$',
  '2',
  '(',
  ')',
  '()',
  'FLAGS',
  '+FLAGS',
  '(\\Seen)',
  'BODY[]',
  'BODY[1.HEADER]<0.5>',
  'ALL',
  'RETURN',
  '(SAVE)',
  'NOT',
  'OR',
  'NOTIFY',
  'SET',
  '(SELECTED (MessageNew (UID BODY.PEEK[TEXT]) MessageExpunge FlagChange))',
  '(PERSONAL (MessageNew MessageExpunge MailboxName))',
  'ENABLE QRESYNC',
  '(QRESYNC (1001 1 1:9 (1:2 1:2)))',
  '(CHANGEDSINCE 1 VANISHED PARTIAL -1:-5)',
  '(PREVIEW (LAZY) SAVEDATE EMAILID THREADID)',
  '{3}',
  '{3+}\r\nabc',
  '~{2+}\r\n\0a',
  '"',
  '\\',
  '%',
  '\r\n',
  '\r\n',
  '\r\n',
  '\n',
  '\0',
  'é',
  'ENABLE',
  'CONDSTORE',
  'STATUS',
  '(MESSAGES)',
  'CLOSE',
  'UNSELECT',
  'NOOP',
];

test('random commands, before and after login, never hit a bug, and the session still answers or has said goodbye', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }), async (isLoggedIn, words) => {
      const server = new TestServer();
      server.store.deliver(server.inbox, 'Subject: x\r\n\r\nbody\r\n');
      const client = isLoggedIn ? await server.client('INBOX') : server.connect();
      client.send(words.join(' '));
      await settle();
      client.send('\r\n'.repeat(4));
      client.send('\r\nz NOOP\r\n');
      await settle(() => client.socket.heard.length);
      assert.deepEqual(
        server.logged.filter(({ event }) => event === 'imap.bug'),
        [],
      );
      const said = client.output();
      assert.ok(said.endsWith('OK NOOP completed\r\n') || said.includes('* BYE') || /IDLE|APPEND|\{3/.test(words.join(' ')), said);
    }),
    { seed: 5, numRuns: 150 },
  );
});
