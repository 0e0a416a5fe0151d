/** getmail and fetchmail: collecting by IMAP and from multidrop POP3 boxes, deleting what was collected, waiting in IDLE for more. */
import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { keepRunning, need, run } from './harness/run.ts';
import { atEnd, type Owner, tempDir } from './harness/temp.ts';
import { eventually, within } from './harness/wait.ts';
import { Wiretap } from './peers/wiretap.ts';

ownNetwork();
const USER = 'anna@us.test';
const PASSWORD = 'anna-password';
/** Debian's user nobody: getmail delivers nothing as root, and wants a user with a name. */
const NOBODY_ID = 65534;
const note = (subject: string, body = 'Hello.', headers: Record<string, string> = {}): string =>
  letter({ from: 'rita@remote.test', to: USER, subject, body, headers });

/** A home of user nobody with Maildirs of these names. */
function home(owner: Owner, maildirs: readonly string[]): string {
  const dir = tempDir(owner, 'getmail');
  chownSync(dir, NOBODY_ID, NOBODY_ID);
  for (const path of maildirs.flatMap((name) => [name, ...['cur', 'new', 'tmp'].map((part) => join(name, part))])) {
    mkdirSync(join(dir, path));
    chownSync(join(dir, path), NOBODY_ID, NOBODY_ID);
  }
  return dir;
}
async function getmail(dir: string, sections: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<void> {
  const text = Object.entries(sections).map(
    ([name, keys]) =>
      `[${name}]\n${Object.entries(keys)
        .map(([key, value]) => `${key} = ${value}\n`)
        .join('')}\n`,
  );
  writeFileSync(join(dir, 'getmailrc'), text.join(''), { mode: 0o600 });
  chownSync(join(dir, 'getmailrc'), NOBODY_ID, NOBODY_ID);
  const words = [`--reuid=${NOBODY_ID}`, `--regid=${NOBODY_ID}`, '--clear-groups', 'getmail', `--getmaildir=${dir}`];
  const result = await run('setpriv', words, { env: { HOME: dir } });
  assert.equal(result.code, 0, result.stdout + result.stderr);
}
const subjects = (maildir: string): string[] =>
  readdirSync(join(maildir, 'new'))
    .map((name) => /^Subject: (.*)$/m.exec(readFileSync(join(maildir, 'new', name), 'utf8'))![1]!)
    .sort();

test('collectors', async (t) => {
  need('getmail', 'fetchmail', 'setpriv');
  const server = await startPosthorn(t, { users: { [USER]: PASSWORD } });
  const imap = await ImapClient.login(server.port('imap'), USER, PASSWORD);
  const tap = await Wiretap.open(t, server.port('imap'));

  await t.test('getmail by IMAP takes several mailboxes, once each, then moves what it took to Trash', async (part) => {
    const dir = home(part, ['Maildir']);
    await imap.ok('CREATE Lists');
    await imap.append('INBOX', note('one'));
    await imap.append('INBOX', note('two', '.dot\n..two\n.\nlast'));
    await imap.append('Lists', note('three'));
    const retriever = {
      type: 'SimpleIMAPRetriever',
      server: '127.0.0.1',
      port: String(tap.port),
      username: USER,
      password: PASSWORD,
      mailboxes: '("INBOX", "Lists")',
      use_peek: 'true',
    };
    const destination = { type: 'Maildir', path: `${join(dir, 'Maildir')}/` };
    await getmail(dir, { retriever, destination, options: { read_all: 'false', delete: 'false' } });
    assert.deepEqual(subjects(join(dir, 'Maildir')), ['one', 'three', 'two']);
    await imap.append('INBOX', note('four'));
    await getmail(dir, { retriever, destination, options: { read_all: 'false', delete: 'false' } });
    assert.deepEqual(subjects(join(dir, 'Maildir')), ['four', 'one', 'three', 'two']);
    // Its use_peek leaves mail unread.
    await imap.ok('EXAMINE INBOX');
    assert.doesNotMatch((await imap.ok('FETCH 1:* (FLAGS)')).untagged.join(), /\\Seen/);
    await getmail(dir, { retriever: { ...retriever, move_on_delete: 'Trash' }, destination, options: { read_all: 'true', delete: 'true' } });
    assert.deepEqual([await imap.count('INBOX'), await imap.count('Lists'), await imap.count('Trash')], [0, 0, 4], tap.story());
  });

  await t.test('getmail shares out a multidrop POP3 box by the envelope recipient, and deletes', async (part) => {
    const dir = home(part, ['Anna', 'Other']);
    for (const [subject, to] of [
      ['for anna', 'anna@drop.test'],
      ['for bert', 'bert@drop.test'],
      ['for anna again', 'anna@drop.test'],
    ] as const)
      await imap.append('INBOX', note(subject, 'Hello.', { 'Delivered-To': to }));
    await getmail(dir, {
      retriever: {
        type: 'MultidropPOP3Retriever',
        server: '127.0.0.1',
        port: String(server.port('pop3')),
        username: USER,
        password: PASSWORD,
        envelope_recipient: 'delivered-to:1',
      },
      destination: { type: 'MultiSorter', default: '[other]', locals: "(('^anna@', '[anna]'),)" },
      anna: { type: 'Maildir', path: `${join(dir, 'Anna')}/` },
      other: { type: 'Maildir', path: `${join(dir, 'Other')}/` },
      options: { read_all: 'true', delete: 'true' },
    });
    assert.deepEqual([subjects(join(dir, 'Anna')), subjects(join(dir, 'Other'))], [['for anna', 'for anna again'], ['for bert']]);
    assert.equal(await imap.count(), 0);
  });

  await t.test('getmail by POP3 deletes what it delivered and leaves what it did not', async (part) => {
    const dir = home(part, ['Maildir']);
    await imap.append('INBOX', note('small'));
    await imap.append('INBOX', note('large', 'x\n'.repeat(20_000)));
    const retriever = { type: 'SimplePOP3Retriever', server: '127.0.0.1', port: String(server.port('pop3')), username: USER, password: PASSWORD };
    const destination = { type: 'Maildir', path: `${join(dir, 'Maildir')}/` };
    await getmail(dir, { retriever, destination, options: { delete: 'true', max_message_size: '10000' } });
    assert.deepEqual(subjects(join(dir, 'Maildir')), ['small']);
    assert.equal(await imap.count(), 1);
    await getmail(dir, { retriever, destination, options: { delete: 'true' } });
    assert.deepEqual(subjects(join(dir, 'Maildir')), ['large', 'small']);
    assert.equal(await imap.count(), 0);
  });

  await t.test('fetchmail waits in IDLE, takes each message as it comes, and ends when it is told to', async (part) => {
    const dir = tempDir(part, 'fetchmail');
    const fetched = join(dir, 'fetched');
    writeFileSync(
      join(dir, 'rc'),
      `poll 127.0.0.1 protocol IMAP service ${tap.port} timeout 30 user "${USER}" password "${PASSWORD}" folder INBOX sslproto "" idle no keep fetchall no rewrite mda "/bin/sh -c 'cat >> ${fetched}; echo >> ${fetched}'"\n`,
      { mode: 0o600 },
    );
    const texts = (): string => (existsSync(fetched) ? readFileSync(fetched, 'utf8') : '');
    const mark = tap.mark();
    const { child, output } = keepRunning('fetchmail', ['-f', join(dir, 'rc'), '--nosyslog', '-v', '-v', '--pidfile', join(dir, 'pid')], {
      env: { HOME: dir, FETCHMAILHOME: dir },
    });
    atEnd(part, () => child.kill('SIGKILL'));
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    for (const subject of ['first while idle', 'second while idle']) {
      await eventually('IDLE', () => tap.sent(mark).at(-1)?.endsWith(' IDLE'));
      await imap.append('INBOX', note(subject));
      await eventually(`it has ${subject}`, () => texts().includes(`Subject: ${subject}\n`));
    }
    await eventually('both are gone', async () => (await imap.count()) === 0);
    child.kill('SIGTERM');
    await within(`fetchmail to end\n${output()}`, ended);
    assert.equal([...texts().matchAll(/^Subject: /gm)].length, 2);
  });
  await imap.logout();
});
