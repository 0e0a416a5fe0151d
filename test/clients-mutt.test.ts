/** mutt at a terminal, with its caches: what it keeps between two days, asks the server to search, hears while idle, moves, subscribes and answers. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
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
const note = (subject: string, body = 'Hello.', headers: Record<string, string> = {}): string =>
  letter({ from: 'rita@remote.test', to: USER, subject, body, headers });

test('mutt at a terminal', async (t) => {
  need('mutt');
  const server = await startPosthorn(t, { users: { [USER]: PASSWORD } });
  const imap = await ImapClient.login(server.port('imap'), USER, PASSWORD);
  const tap = await Wiretap.open(t, server.port('imap'));
  const dir = tempDir(t, 'mutt');
  const rc = join(dir, 'muttrc');
  const settings: Readonly<Record<string, string>> = {
    imap_user: USER,
    imap_pass: PASSWORD,
    ssl_starttls: 'no',
    ssl_force_tls: 'no',
    folder: `imap://localhost:${tap.port}/`,
    record: '=Sent',
    header_cache: join(dir, 'headers'),
    message_cachedir: join(dir, 'bodies'),
    imap_qresync: 'yes',
    imap_condstore: 'yes',
    imap_idle: 'yes',
    imap_check_subscribed: 'no',
    mail_check: '1',
    timeout: '1',
    smtp_url: `smtp://anna%40us.test@localhost:${server.port('submission')}`,
    smtp_pass: PASSWORD,
    from: USER,
    use_from: 'yes',
    // Answers with one line: ends with the text of the message in place.
    editor: `sh -c 'echo Answered. >> $0'`,
    sort: 'mailbox-order',
    sleep_time: '0',
    delete: 'yes',
    quit: 'yes',
    confirmappend: 'no',
    confirmcreate: 'no',
    wait_key: 'no',
    move: 'no',
    mark_old: 'no',
    resolve: 'no',
    fast_reply: 'yes',
    include: 'no',
    header: 'no',
    charset: 'utf-8',
    index_format: '%2C %Z %s',
    ascii_chars: 'yes',
  };
  writeFileSync(
    rc,
    Object.entries(settings)
      .map(([name, value]) => `set ${name}="${value}"\n`)
      .join(''),
    { mode: 0o600 },
  );
  writeFileSync(join(dir, 'headers'), ''); // A file: all mailboxes in one cache.
  const mutt = (mailbox = 'INBOX'): Terminal =>
    Terminal.open(t, `mutt -n -F ${rc} -f imap://localhost:${tap.port}/${mailbox}`, { cwd: dir, env: { HOME: dir } });

  for (let n = 1; n <= 30; n += 1) await imap.append('INBOX', note(`Letter ${n}`, n % 10 === 0 ? 'There is a Nadelöhr in it.' : 'Nothing.'));

  await t.test('opens the mailbox, reads, and finds everything in its caches the next day, with what changed meanwhile', async () => {
    const first = mutt();
    await first.shows(/30 .* Letter 30/);
    await first.press('\r', /Nothing\./);
    await first.press('i', /Letter 30/);
    await first.press('q');
    await first.ended();
    assert.ok(readdirSync(join(dir, 'bodies'), { recursive: true }).length > 0);

    await imap.ok('SELECT INBOX');
    await imap.ok('STORE 3,4 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await imap.ok('STORE 5 +FLAGS (\\Flagged)');
    await imap.append('INBOX', note('Letter of today'));
    const mark = tap.mark();
    const second = mutt();
    await second.shows(/29 .* Letter of today/);
    assert.match(second.text, /\n *5 N ! Letter 7\n/);
    assert.doesNotMatch(second.text, /Letter [34]\n/);
    await second.press('q');
    await second.ended();
    const sent = tap.sent(mark).join('\n');
    assert.match(sent, /UID FETCH 1:30 \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)/, tap.story(mark));
    assert.match(tap.heard(mark).join('\n'), /^\* VANISHED \(EARLIER\) 3:4$/m, tap.story(mark));
    // Headers are fetched of the one message it did not know.
    const headers = tap.heard(mark).filter((line) => line.includes('BODY[HEADER.FIELDS'));
    assert.equal(headers.length, 1, tap.story(mark));
  });
  await t.test('limits to what the server finds', async () => {
    const mark = tap.mark();
    const terminal = mutt();
    await terminal.shows(/Letter of today/);
    await terminal.press('l', /Limit to/);
    await terminal.press('=b "Nadelöhr"\r', /Letter 10\n(.*Letter 20\n)(.*Letter 30\n)/);
    assert.doesNotMatch(terminal.text, /Letter 11\b/);
    assert.match(tap.sent(mark).join('\n'), /UID SEARCH .*BODY/, tap.story(mark));
    await terminal.press('l', /Limit to/);
    await terminal.press('\x15~b Nothing\r', /Letter 29\n/); // what it downloads and looks through itself
    assert.doesNotMatch(terminal.text, /Letter (10|20|30)\n/);
    await terminal.press('q');
    await terminal.ended();
  });

  await t.test('hears of new mail and of what others flag and remove while it idles', async () => {
    const terminal = mutt();
    await terminal.shows(/Letter of today/);
    await eventually('IDLE', () => tap.sent().at(-1)?.endsWith(' IDLE'));
    await imap.append('INBOX', note('While idle'));
    await terminal.shows(/30 .* While idle/);
    await imap.ok('STORE 30 +FLAGS (\\Flagged)');
    await terminal.shows(/30 N ! While idle/);
    await imap.ok('STORE 1 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await terminal.shows(/\n *1 .* Letter 2\n/);
    await terminal.press('q');
    await terminal.ended();
  });

  await t.test('moves what is tagged into a new mailbox', async () => {
    const terminal = mutt();
    await terminal.shows(/While idle/);
    await terminal.press('T', /Tag messages/);
    await terminal.press('~s "Letter 1[0-9]"\r', /\* *Letter 10\n/);
    await terminal.press(';s', /Save tagged to mailbox/);
    await terminal.press('\x15=Teens\r', /D.* Letter 10\n/);
    await terminal.press('$');
    await eventually('they are gone', async () => (await imap.count()) === 19);
    await terminal.press('q');
    await terminal.ended();
    const moved = (await imap.messages('Teens')).map((text) => /^Subject: (.*)\r$/m.exec(text)![1]);
    assert.deepEqual(
      moved,
      Array.from({ length: 10 }, (_, n) => `Letter ${n + 10}`),
    );
    await imap.ok('SELECT INBOX');
  });

  await t.test('subscribes and unsubscribes in its list of mailboxes', async () => {
    await imap.ok('UNSUBSCRIBE Teens');
    const terminal = mutt();
    await terminal.shows(/While idle/);
    await terminal.press('c', /Open mailbox/);
    await terminal.press('?', /Teens/);
    await terminal.press('/', /Search for/);
    await terminal.press('Teens\r');
    await terminal.press('s', /Subscribed to/);
    await eventually('subscribed', async () => /Teens/.test((await imap.ok('LSUB "" "*"')).untagged.join()));
    await terminal.press('u', /Unsubscribed from/);
    await eventually('unsubscribed', async () => !/Teens/.test((await imap.ok('LSUB "" "*"')).untagged.join()));
    await terminal.press('q');
    await terminal.press('q');
    await terminal.ended();
  });

  await t.test('answers a message: it is flagged, the copy is in Sent, the letter has come', async () => {
    await imap.append('INBOX', letter({ from: USER, to: USER, subject: 'To myself' }));
    const terminal = mutt();
    await terminal.shows(/To myself/);
    await terminal.press('/', /Search for/);
    await terminal.press('~s "To myself"\r');
    await terminal.press('r', /Subject: Re: To myself/);
    await terminal.press('y', /r F To myself\n.* Re: To myself\n/);
    await terminal.press('q');
    await terminal.ended();
    assert.match((await imap.messages('Sent'))[0]!, /Answered\./);
    assert.match((await imap.messages('INBOX')).at(-1)!, /In-Reply-To: <To%20myself@letter\.test>/);
    assert.match((await imap.ok('FETCH 1:* (FLAGS)')).untagged.join('\n'), /\\Answered/);
  });
  await imap.logout();
});
