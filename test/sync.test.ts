/** Clients that come back: by QRESYNC after a restart of the server, with what the store keeps of messages (RFC 7162, 8474, 8514, 8970). */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';

const PASSWORD = 'a-long-password';
const ANNA = 'anna@us.test';

const message = (subject: string, more = ''): string =>
  `From: bert@us.test\r\nTo: ${ANNA}\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@us.test>\r\n${more}\r\nSome words about ${subject}.\r\n`;

const login = (server: Posthorn): Promise<ImapClient> => ImapClient.login(server.port('imap'), ANNA, PASSWORD);

function numberIn(lines: readonly string[], name: string): number {
  return Number(new RegExp(`${name} (\\d+)`).exec(lines.join('\n'))?.[1]);
}

const changes = (lines: readonly string[]): string[] => lines.filter((line) => /^(VANISHED|\d+ FETCH)/.test(line));

test('after a restart a client hears what went and what changed while it was away, and no more', async (t) => {
  const server = await startPosthorn(t, { users: { [ANNA]: PASSWORD } });
  const first = await login(server);
  for (let i = 1; i <= 8; i += 1) await first.append('INBOX', message(`m${i}`), '\\Seen');
  await first.ok('ENABLE QRESYNC');
  const { untagged } = await first.ok('SELECT INBOX');
  const [uidValidity, modseq] = [numberIn(untagged, 'UIDVALIDITY'), numberIn(untagged, 'HIGHESTMODSEQ')];
  assert.ok(modseq > 0);
  await first.logout();

  const other = await login(server);
  await other.ok('SELECT INBOX');
  await other.ok('UID STORE 2:3,7 +FLAGS.SILENT (\\Deleted)');
  await other.ok('EXPUNGE');
  await other.ok('CREATE Elsewhere');
  await other.ok('UID MOVE 8 Elsewhere');
  await other.ok('UID STORE 5 +FLAGS (\\Flagged $Label1)');
  await other.append('INBOX', message('m9'));
  await other.logout();

  await server.restart();
  const back = await login(server);
  await back.ok('ENABLE QRESYNC');
  const resynced = await back.ok(`SELECT INBOX (QRESYNC (${uidValidity} ${modseq} 1:8))`);
  assert.deepEqual(
    changes(resynced.untagged).map((line) => line.replace(/MODSEQ \(\d+\)/, 'MODSEQ (#)')),
    ['VANISHED (EARLIER) 2:3,7:8', '3 FETCH (UID 5 FLAGS (\\Flagged \\Seen $Label1) MODSEQ (#))'],
  );
  assert.deepEqual(
    (await back.ok('UID FETCH 9:* (UID FLAGS)')).untagged.map((line) => line.replace('\\Recent', '')),
    ['5 FETCH (UID 9 FLAGS ())'],
  );
  const now = numberIn(resynced.untagged, 'HIGHESTMODSEQ');
  assert.deepEqual(changes((await back.ok(`SELECT INBOX (QRESYNC (${uidValidity} ${now}))`)).untagged), []);
  assert.equal(numberIn((await back.ok('STATUS INBOX (HIGHESTMODSEQ)')).untagged, 'HIGHESTMODSEQ'), now, 'STATUS and SELECT say the same');
  await back.logout();
});

test('EMAILID, THREADID and MAILBOXID stay through moves, renames and a restart; SAVEDATE and PREVIEW are there', async (t) => {
  const server = await startPosthorn(t, { users: { [ANNA]: PASSWORD } });
  const client = await login(server);
  await client.append('INBOX', message('one'));
  await client.append('Sent', message('two', 'References: <one@us.test>\r\n'));
  const items = async (imap: ImapClient, mailbox: string): Promise<string> => {
    await imap.ok(`EXAMINE ${mailbox}`);
    return (await imap.ok('FETCH 1 (EMAILID THREADID SAVEDATE PREVIEW)')).untagged.filter((line) => line.includes(' FETCH ')).join('\n');
  };
  const inbox = await items(client, 'INBOX');
  const parts = /EMAILID \((E\d+)\) THREADID \((T\d+)\) SAVEDATE "[ 0-3]\d-\w{3}-\d{4} [\d:]{8} \+0000" PREVIEW "Some words about one\."/.exec(inbox);
  assert.ok(parts !== null, inbox);
  const [, email, thread] = parts;
  const sent = await items(client, 'Sent');
  assert.ok(sent.includes(`THREADID (${thread})`), `${inbox}\n${sent}`);
  assert.ok(!sent.includes(`EMAILID (${email})`));
  await client.ok('SELECT INBOX');
  await client.ok('MOVE 1 Trash');
  await client.logout();
  await server.restart();
  const again = await login(server);
  const moved = await items(again, 'Trash');
  assert.ok(moved.includes(`EMAILID (${email}) THREADID (${thread})`), moved);
  const id = async (name: string): Promise<string> => /MAILBOXID \((F[\w-]+)\)/.exec((await again.ok(`EXAMINE ${name}`)).untagged.join('\n'))![1]!;
  await again.ok('CREATE Before');
  const before = await id('Before');
  await again.ok('UNSELECT');
  await again.ok('RENAME Before After');
  assert.equal(await id('After'), before);
  await again.logout();
});
