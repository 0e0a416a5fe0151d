/** The command line as an administrator uses it: a first installation, wrong configurations, export and import, backup and restore. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';

ownNetwork();
const PASSWORD = 'anna-password';
const USERS = { 'anna@us.test': PASSWORD };

test('posthorn init with flags in an empty directory; then start, send, read', async (t) => {
  const dir = tempDir(t, 'init');
  // The harness writes its own configuration elsewhere: this one comes from init.
  const server = new Posthorn(dir, {});
  atEnd(t, () => server.kill());
  const file = join(dir, 'real', 'posthorn.toml');
  const flags = ['--hostname', 'mail.us.test', '--domain', 'us.test', '--user', 'anna@us.test', '--data-dir', './data', '--high-ports', '--yes'];
  const made = await server.cli(['--config', file, 'init', ...flags]);
  assert.equal(made.code, 0, made.stderr);
  const password = /Password: (\S+)/.exec(made.stdout)?.[1];
  assert.ok(password !== undefined, made.stdout);
  assert.ok(!readFileSync(file, 'utf8').includes(password));
  const again = await server.cli(['--config', file, 'init', ...flags]);
  assert.notEqual(again.code, 0);
  assert.match(again.stderr, /exists already; --force replaces it/);

  const changed = await server.cli(['--config', file, 'config', 'show', '--changed']);
  assert.match(changed.stdout, /^hostname = "mail\.us\.test"$/m);
  assert.match(changed.stdout, /^smtp = \["\[::\]:2525"\]$/m);
  assert.doesNotMatch(changed.stdout, /messageBytesMax/);
  assert.match((await server.cli(['--config', file, 'config', 'show'])).stdout, /^messageBytesMax = "50MiB"$/m);
  assert.match((await server.cli(['--config', file, 'config', 'check'])).stdout, /is in order/);

  writeFileSync(server.configFile, readFileSync(file, 'utf8').replace('./data', join(dir, 'real', 'data')));
  await server.start();
  const send = (): Promise<string> =>
    sendLetter({
      port: 2525,
      sender: 'rita@remote.test',
      recipients: ['anna@us.test'],
      message: letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'the first' }),
    });
  assert.match(await send(), /^250/);
  const imap = await ImapClient.login(1143, 'anna@us.test', password);
  assert.match((await imap.messages())[0]!, /Subject: the first/);
  await imap.logout();
});

test('mistakes in a configuration are named with line, column and what was meant', async (t) => {
  const dir = tempDir(t, 'mistakes');
  const server = new Posthorn(dir, {});
  const check = async (text: string): Promise<string> => {
    writeFileSync(server.configFile, text);
    const result = await server.cli(['config', 'check']);
    assert.equal(result.code, 1, result.stdout);
    assert.doesNotMatch(result.stderr, /^\s+at /m);
    return result.stderr.replaceAll(`${dir}/`, '');
  };
  const all = await check(
    [
      'hostname = "mx.us.test"',
      'domian = "us.test"',
      '[smtp]',
      '  mesageBytesMax = "50MiB"',
      'recipientsMax = "many"',
      'messageTimeout = "soon"',
      '[listn]',
      'smtp = ["[::]:25"]',
      '[listen]',
      'imap = ["nowhere"]',
    ].join('\n'),
  );
  for (const line of [
    'posthorn.toml:2:1: unknown option domian; did you mean domain?',
    'posthorn.toml:4:3: unknown option smtp.mesageBytesMax; did you mean smtp.messageBytesMax?',
    'posthorn.toml:5:1: smtp.recipientsMax must be a whole number',
    'posthorn.toml:6:1: smtp.messageTimeout ',
    'posthorn.toml:7:2: unknown table [listn]; did you mean [listen]?',
    'posthorn.toml:10:1: listen.imap ',
  ])
    assert.ok(all.includes(line), `${line}\nis not in\n${all}`);
  assert.match(await check('hostname = "mx.us.test'), /^posthorn\.toml:1:\d+: not valid TOML/m);
  assert.match(await check('hostname = "mx.us.test"\n'), /domain/);
  assert.match(await check('hostname = "mx.us.test"\ndomain = "us.test"\n[tls]\ncertificate = "none.pem"\nkey = "none.key"\n'), /none\.pem cannot be read/);
  const missing = await server.cli(['--config', join(dir, 'not-there.toml'), 'status']);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /There is no configuration file .*not-there\.toml/);
});

/** What Python's mailbox module finds: folder, subject and flags of each message. */
const LIST = `
import sys, json, mailbox, os
kind, path = sys.argv[1:]
out = []
def add(name, box):
    for m in box:
        out.append([name, m['subject'], ''.join(sorted(m.get_flags())), len(m.get_payload())])
if kind == 'maildir':
    root = mailbox.Maildir(path, create=False)
    add('INBOX', root)
    for f in root.list_folders(): add(f, root.get_folder(f))
else:
    for d, _, files in os.walk(path):
        for f in files: add(os.path.relpath(os.path.join(d, f), path), mailbox.mbox(os.path.join(d, f), create=False))
print(json.dumps(sorted(out)))
`;
const pythonMailbox = async (kind: 'maildir' | 'mbox', path: string): Promise<[folder: string, subject: string, flags: string, length: number][]> =>
  JSON.parse(await succeed('python3', ['-c', LIST, kind, path]));

test('export and import as Maildir and mbox, read by Python and mutt', async (t) => {
  need('python3', 'mutt');
  const server = await startPosthorn(t, { users: { ...USERS, 'back@us.test': PASSWORD, 'box@us.test': PASSWORD } });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const write = (subject: string, body: string): string => letter({ from: 'rita@remote.test', to: 'anna@us.test', subject, body });
  await imap.append('INBOX', write('read and answered', 'From the beginning of a line\n>From a quoted one\n.dot'), '\\Seen \\Answered');
  await imap.append('INBOX', write('new', 'x'));
  await imap.append('Archive', write('flagged', 'y'.repeat(300_000)), '\\Flagged $Forwarded');
  const deep = 'Projekte 2026/Gr&APYA3w-e &- mehr'; // "Größe & mehr"
  await imap.ok(`CREATE "${deep}"`);
  await imap.append(deep, write('deep', 'z'));
  const before = await mailboxes(imap);

  const maildir = join(tempDir(t, 'export'), 'maildir');
  assert.match(await server.admin('export', 'anna@us.test', maildir), /messages of \d+ mailboxes are in/);
  const found = await pythonMailbox('maildir', maildir);
  assert.deepEqual(found.find(([, subject]) => subject === 'read and answered')?.slice(0, 3), ['INBOX', 'read and answered', 'RS']);
  assert.deepEqual(
    found.find(([, subject]) => subject === 'flagged')?.slice(0, 3),
    ['Archive', 'flagged', 'Fa'],
    'a letter for $Forwarded, as in dovecot-keywords',
  );
  assert.deepEqual(found.find(([, subject]) => subject === 'new')?.slice(0, 3), ['INBOX', 'new', '']);
  assert.ok(found.some(([, subject]) => subject === 'deep'));
  assert.deepEqual(readdirSync(join(maildir, 'tmp')), []);
  const muttDir = tempDir(t, 'mutt');
  const muttOut = join(muttDir, 'out');
  const settings = [`folder="${maildir}"`, 'mbox_type=Maildir', 'sort=mailbox-order', 'wait_key=no', 'quit=yes', 'header_cache=""'];
  writeFileSync(join(muttDir, 'rc'), `${settings.map((line) => `set ${line}\n`).join('')}push "<first-entry><pipe-message>cat > ${muttOut}<enter><exit>"\n`);
  const mutt = `mutt -R -n -F ${join(muttDir, 'rc')} -f =.Archive`;
  await run('script', ['-q', '-e', '-c', mutt, '/dev/null'], { env: { TERM: 'xterm', HOME: muttDir }, timeoutMs: 20_000 });
  assert.match(readFileSync(muttOut, 'utf8'), /Subject: flagged/);

  await server.admin('import', 'back@us.test', maildir);
  const back = await ImapClient.login(server.port('imap'), 'back@us.test', PASSWORD);
  assert.deepEqual(await mailboxes(back), before);
  await back.logout();

  const mbox = join(tempDir(t, 'export'), 'mbox');
  await server.admin('export', 'anna@us.test', mbox, '--format', 'mbox');
  const boxes = readdirSync(mbox);
  const inbox = boxes.find((name) => /^inbox/i.test(name))!;
  const allMbox = await pythonMailbox('mbox', mbox);
  assert.deepEqual(allMbox.map(([, subject]) => subject).sort(), found.map(([, subject]) => subject).sort());
  const inMbox = allMbox.filter(([folder]) => folder === inbox);
  assert.deepEqual(inMbox.map(([, subject]) => subject).sort(), ['new', 'read and answered']);
  assert.match(inMbox.find(([, subject]) => subject === 'read and answered')![2], /R.*A|A.*R/);
  await server.admin('import', 'box@us.test', join(mbox, inbox));
  const box = await ImapClient.login(server.port('imap'), 'box@us.test', PASSWORD);
  assert.deepEqual((await mailboxes(box))['INBOX'], before['INBOX']);
  await box.logout();
  await imap.logout();

  // And with the server stopped; a folder that is there already is left alone.
  await server.stop();
  const stopped = join(tempDir(t, 'export'), 'stopped');
  await server.admin('export', 'anna@us.test', stopped);
  assert.equal((await pythonMailbox('maildir', stopped)).length, found.length);
  const over = await server.cli(['export', 'anna@us.test', stopped]);
  assert.notEqual(over.code, 0);
  assert.match(over.stderr, /exist|empty/);
});

/** Messages by mailbox: flags and text. */
async function mailboxes(imap: ImapClient): Promise<Record<string, string[]>> {
  const { untagged } = await imap.ok('LIST "" "*"');
  const result: Record<string, string[]> = {};
  for (const line of untagged) {
    const name = /"([^"]*)"$|(\S+)$/.exec(line)!;
    const mailbox = name[1] ?? name[2]!;
    const seen = await imap.ok(`EXAMINE "${mailbox}"`);
    if (seen.untagged.includes('0 EXISTS')) continue;
    const { untagged: fetched } = await imap.ok('FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])');
    result[mailbox] = fetched
      .filter((text) => text.includes(' FETCH ('))
      .map((text) =>
        text
          .replace(/^\d+ /, '')
          .replace(/ ?UID \d+ ?/, '')
          .replace(/ ?\\Recent/, ''),
      );
  }
  return result;
}

test('backup and restore with the server stopped; keys and configuration go along', async (t) => {
  const server = await startPosthorn(t, { users: USERS, config: { deliver: { smtpPort: 2626 } } });
  const message = letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'in the backup', body: 'x'.repeat(70).concat('\n').repeat(10_000) });
  await sendLetter({ port: server.port('smtp'), sender: 'rita@remote.test', recipients: ['anna@us.test'], message });
  await server.stop();
  const key = readFileSync(join(server.dataDir, 'tls', readdirSync(join(server.dataDir, 'tls')).find((name) => name.includes('key'))!), 'utf8');
  const backup = join(tempDir(t, 'backup'), 'copy');
  assert.match(await server.admin('backup', backup), /Backup in/);
  const twice = await server.cli(['backup', backup]);
  assert.notEqual(twice.code, 0, 'an older backup is not written over');
  const inBackup = readdirSync(backup, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(
    inBackup.some((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8') === key),
    'the key is in the backup',
  );

  const full = await server.cli(['restore', backup]);
  assert.notEqual(full.code, 0, 'a data folder that is in use is not written over');
  assert.match(full.stderr, /empty|exist/);

  const other = new Posthorn(tempDir(t, 'restored'), {});
  atEnd(t, () => other.kill());
  const running = await server.cli(['status']);
  assert.equal(running.code, 1);
  mkdirSync(other.dataDir, { recursive: true });
  await other.admin('restore', backup);
  assert.match(await other.admin('store', 'check'), /All is well/);
  assert.ok(existsSync(join(other.dataDir, 'tls')));
  await other.start();
  const imap = await ImapClient.login(other.port('imap'), 'anna@us.test', PASSWORD);
  assert.match((await imap.messages())[0]!, /Subject: in the backup/);
  await imap.logout();
  const meanwhile = await other.cli(['restore', backup]);
  assert.notEqual(meanwhile.code, 0);
  await eventually('it is still up', async () => (await other.cli(['status'])).code === 0);
});
