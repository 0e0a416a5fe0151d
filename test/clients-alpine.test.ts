/** Alpine at a terminal: password, index, reading, sorting and threads by the server, saving, deleting, searching, composing. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { Terminal } from './peers/terminal.ts';
import { Wiretap } from './peers/wiretap.ts';

ownNetwork();
const USER = 'anna@us.test';
const PASSWORD = 'anna-password';

test('Alpine at a terminal', async (t) => {
  need('alpine');
  const server = await startPosthorn(t, { users: { [USER]: PASSWORD } });
  const imap = await ImapClient.login(server.port('imap'), USER, PASSWORD);
  const tap = await Wiretap.open(t, server.port('imap'));
  const submission = await Wiretap.open(t, server.port('submission'));
  const dir = tempDir(t, 'alpine');
  const at = `{localhost:${tap.port}/imap/notls/user=${USER}}`;
  const pinerc = join(dir, 'pinerc');
  writeFileSync(
    pinerc,
    `personal-name=Anna
customized-hdrs=From: Anna <${USER}>
user-domain=us.test
smtp-server=localhost:${submission.port}/notls/user=${USER}
inbox-path=${at}INBOX
folder-collections=Mail ${at}[]
default-fcc=${at}Sent
last-version-used=6.26
feature-list=quit-without-confirm,expunge-without-confirm,expunge-without-confirm-everywhere,enable-aggregate-command-set,no-enable-newmail-in-xterm-icon
disable-these-drivers=
`,
    { mode: 0o600 },
  );
  const note = (subject: string, from: string, day: number, headers: Record<string, string> = {}): string =>
    letter({ from, to: USER, subject, headers: { Date: `${day} Nov 2026 10:00:00 +0000`, ...headers } });
  await imap.append('INBOX', note('Zebra', 'carl@remote.test', 3));
  await imap.append('INBOX', note('apple', 'rita@remote.test', 2));
  await imap.append('INBOX', note('Re: Zebra', 'bert@remote.test', 4, { References: '<Zebra@letter.test>' }));
  await imap.append('INBOX', note('Mango', 'anna@remote.test', 1));

  const flags = async (): Promise<readonly string[]> => {
    await imap.ok('NOOP');
    return (await imap.ok('FETCH 1:* (FLAGS)')).untagged;
  };
  await imap.ok('SELECT INBOX');
  const terminal = Terminal.open(t, `alpine -p ${pinerc} -i`, { cwd: dir, env: { HOME: dir } });
  await terminal.shows(/PASSWORD|Password/i);
  await terminal.press(`${PASSWORD}\r`, /Preserve password on DISK/);
  await terminal.press('n');
  await terminal.shows(/Mango/);
  const isOrder = (...order: string[]): RegExp => new RegExp(order.map((subject) => `\\) [^A-Za-z\n]*${subject}\n`).join('.*'));

  await t.test('reads a message', async () => {
    await terminal.press('\r', /Hello\./);
    await terminal.press('i', /MESSAGE INDEX/);
    await eventually('it is seen', async () => /1 FETCH .*\\Seen/.test((await flags()).join('\n')));
  });

  await t.test('sorts by the server: subjects without case and "Re:", dates, who wrote', async () => {
    const mark = tap.mark();
    for (const [key, order] of [
      ['s', ['apple', 'Mango', 'Zebra', 'Re: Zebra']],
      ['d', ['Mango', 'apple', 'Zebra', 'Re: Zebra']],
      ['f', ['Mango', 'Re: Zebra', 'Zebra', 'apple']],
      ['z', ['Zebra', 'apple', 'Mango', 'Re: Zebra']],
    ] as const) {
      await terminal.press('$', /Choose type of sort/);
      await terminal.press(key, isOrder(...order));
    }
    assert.deepEqual(
      tap.sent(mark).map((line) => line.slice(9)),
      ['SUBJECT', 'DATE', 'FROM', 'SIZE'].map((key) => `SORT (${key}) US-ASCII ALL`),
    );
  });

  await t.test('shows threads that the server made', async () => {
    const mark = tap.mark();
    await terminal.press('$', /Choose type of sort/);
    await terminal.press('h', /\. Zebra\n.*\\-Re: Zebra\n/);
    assert.match(tap.story(mark), /THREAD REFERENCES US-ASCII ALL\nS: \* THREAD \(4\)\(2\)\(1 3\)\n/);
  });

  await t.test('saves into a new folder, deletes, expunges', async () => {
    await terminal.press('$', /Choose type of sort/);
    await terminal.press('a', isOrder('Zebra', 'apple', 'Re: Zebra', 'Mango'));
    await terminal.press('s', /SAVE Msg #1 to folder/);
    await terminal.press('Keep\r', /doesn't exist/i);
    await terminal.press('y', /\n *D +1 .* Zebra\n/);
    await terminal.press('n', /Message 2 of 4/);
    await terminal.press('d', /D +2 .* apple\n/);
    await terminal.press('x', /Message 1 of 2/);
    assert.equal(await imap.count(), 2);
    assert.match((await imap.messages('Keep'))[0]!, /Subject: Zebra/);
    await imap.ok('SELECT INBOX');
  });

  await t.test('selects what the server finds', async () => {
    await imap.append('INBOX', letter({ from: 'rita@remote.test', to: USER, subject: 'Hidden', body: 'A needle in here.' }));
    await terminal.press('\x0c', /Hidden/);
    const mark = tap.mark();
    await terminal.press(';', /SELECT/i);
    await terminal.press('t', /A All Text/);
    await terminal.press('a', /String in message TEXT/);
    await terminal.press('needle\r', /X .* Hidden/);
    assert.ok(
      tap.sent(mark).some((line) => line.endsWith(' SEARCH TEXT needle')),
      tap.story(mark),
    );
    await terminal.press('z', /Re: Zebra/);
  });

  await t.test('composes, sends through submission and keeps a copy in Sent', async () => {
    await terminal.press('c', /COMPOSE MESSAGE/);
    await terminal.press(`${USER}\r\r\rFrom Alpine\r`);
    await terminal.press('Grüße an mich selbst.', /Subject : From Alpine\n.*\nGrüße an mich selbst\./);
    await terminal.press('\x18', /Send message/);
    await terminal.press('y', /HOST: localhost:\d+ .*ENTER PASSWORD/);
    await terminal.press(`${PASSWORD}\r`, /Preserve password on DISK/);
    await terminal.press('n', /4 .* From Alpine\n/);
    assert.match(submission.sent().join('\n'), /^AUTH PLAIN .*\nMAIL FROM:<anna@us\.test> BODY=8BITMIME\n/m);
    for (const mailbox of ['Sent', 'INBOX']) {
      const message = (await imap.messages(mailbox)).at(-1)!;
      assert.match(message, /^Subject: From Alpine\r$/m);
      assert.match(message, /^Message-ID: <.*@us\.test>\r$/m);
      assert.match(message, /^Gr\xfc\xdfe an mich selbst\.\r$/m); // ISO 8859-15, as it says
    }
  });
  await terminal.press('q');
  await terminal.ended();
  await imap.logout();
});
