/** Maildir and mbox of system users as IMAP and POP3 mailboxes, while mutt, Dovecot, procmail and maildrop work on the same files. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { arrived, type Host, mboxMessages, startHost } from './harness/host.ts';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { privateMachine } from './harness/private-machine.ts';
import { need, run, succeed } from './harness/run.ts';
import { eventually } from './harness/wait.ts';

ownNetwork();
const file = { after: (action: () => unknown) => after(action as () => void) };
const machine = privateMachine(file);
const USERS = ['posthorn', 'anna', 'bert', 'carl', 'dora', 'emil', 'fred', 'gina', 'hans', 'ida', 'jan'] as const;
for (const name of USERS) machine.addUser(name, `${name}-password`);
machine.file('/etc/aliases', 'postmaster: root\n');

interface Reader {
  readonly name: string;
  readonly uid: number;
}
const reader = (name: string): Reader => ({ name, uid: machine.uid(name) });
/** Group "mail" of Debian: may lock files in the spool. */
const as = ({ uid }: Reader): string[] => [`--reuid=${uid}`, `--regid=${uid}`, '--groups=8'];

/** Dovecot's imap on the user's own files, as a shell would start it; answers what it said. */
async function dovecot(who: Reader, location: string, commands: readonly string[]): Promise<string> {
  const home = join('/home', who.name);
  const dir = mkdtempSync(join(home, 'dovecot-'));
  chmodSync(dir, 0o755);
  chownSync(dir, who.uid, who.uid);
  const config = join(dir, 'dovecot.conf');
  writeFileSync(
    config,
    `base_dir = ${dir}/run\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_location = ${location}\nmail_privileged_group = mail\n`,
  );
  chmodSync(config, 0o644);
  const input = [...commands, 'LOGOUT'].map((command, i) => `d${i} ${command}\r\n`).join('');
  const env = { HOME: home, USER: who.name };
  const output = await succeed('setpriv', [...as(who), '/usr/lib/dovecot/imap', '-c', config], { env, input, timeoutMs: 30_000 });
  for (const i of commands.keys()) assert.match(output, new RegExp(`^d${i} OK`, 'm'), output);
  return output;
}

/** mutt with nobody before it: the keys are pressed, and it ends. */
async function mutt(who: Reader, mailbox: string, keys: string): Promise<void> {
  need('mutt', 'script', 'setpriv');
  const rc = join('/home', who.name, '.mutt-test');
  writeFileSync(
    rc,
    `set folder="~"\nset resolve=no\nset move=no\nset wait_key=no\nset quit=yes\nset delete=yes\nset mark_old=no\nset sort=mailbox-order\npush "${keys}"\n`,
  );
  chmodSync(rc, 0o644);
  const command = `setpriv ${as(who).join(' ')} mutt -n -F ${rc} -f ${mailbox}`;
  const result = await run('script', ['-q', '-e', '-c', command, '/dev/null'], {
    env: { TERM: 'xterm', HOME: join('/home', who.name), USER: who.name },
    timeoutMs: 30_000,
  });
  assert.equal(result.code, 0, result.stdout.slice(-2000));
}

/** "uid flags subject" of each message. */
async function listed(imap: ImapClient): Promise<string[]> {
  const { untagged } = await imap.ok('FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])');
  return untagged
    .filter((line) => /^\d+ FETCH/.test(line))
    .map((line) => {
      const flags = /FLAGS \(([^)]*)\)/
        .exec(line)![1]!
        .split(' ')
        .filter((flag) => flag !== '' && flag !== '\\Recent');
      return `${/UID (\d+)/.exec(line)![1]} ${[...flags.sort(), /Subject: ([^\r\n]*)/.exec(line)?.[1] ?? '?'].join(' ')}`;
    });
}

/** Notes the subjects of what is there and removes just that: what comes after the look must stay for the next one. */
async function readAndRemove(imap: ImapClient, subjects: Set<string>): Promise<void> {
  await imap.ok('NOOP');
  const lines = await listed(imap).catch(() => []); // "1:*" of an empty mailbox is an error
  for (const line of lines) subjects.add(line.split(' ').at(-1)!);
  if (lines.length > 0) await imap.ok(`UID STORE ${lines.map((line) => line.split(' ')[0]).join(',')} +FLAGS.SILENT (\\Deleted)`);
  await imap.ok('EXPUNGE');
}

async function opened(name: string, mailbox = 'INBOX'): Promise<ImapClient> {
  const imap = await ImapClient.login(143, name, `${name}-password`);
  await imap.ok(`SELECT ${mailbox}`);
  return imap;
}

/** Waits in IDLE until the pattern has been said, then ends it. */
async function idleUntil(imap: ImapClient, pattern: RegExp, meanwhile: () => Promise<unknown>): Promise<string[]> {
  imap.wire.send('i1 IDLE\r\n');
  await imap.wire.expect(/^\+/);
  const said: string[] = [];
  const doing = meanwhile();
  for (;;) {
    const line = await imap.wire.line();
    assert.ok(line !== null, said.join('\n'));
    said.push(line);
    if (pattern.test(line)) break;
  }
  await doing;
  imap.wire.send('DONE\r\n');
  const { untagged } = await imap.finish('i1');
  return [...said, ...untagged];
}

function inMaildir(name: string, folder = 'Maildir'): string[] {
  return ['new', 'cur'].flatMap((part) => readdirSync(join('/home', name, folder, part)).map((entry) => `${part}/${entry}`)).sort();
}

const MAILDIR = 'maildir:~/Maildir';
const SLOW_POLL = { local: { folderPoll: '1h' } };

/** A Maildir of the user's own, with what another program would have put there. */
class OwnMaildir {
  readonly root: string;
  readonly #uid: number;
  constructor(name: string, folder = 'Maildir') {
    this.root = join('/home', name, folder);
    this.#uid = machine.uid(name);
    for (const part of ['', 'new', 'cur', 'tmp']) {
      mkdirSync(join(this.root, part), { mode: 0o700, recursive: true });
      chownSync(join(this.root, part), this.#uid, this.#uid);
    }
  }
  put(file: string, text: string): void {
    const path = join(this.root, 'tmp', 'arriving');
    writeFileSync(path, text);
    chownSync(path, this.#uid, this.#uid);
    renameSync(path, join(this.root, file));
  }
  message(file: string, subject: string): void {
    this.put(file, `From: a@far.test\nSubject: ${subject}\n\nText\n`);
  }
  files(): string[] {
    return ['new', 'cur'].flatMap((part) => readdirSync(join(this.root, part)).map((entry) => `${part}/${entry}`)).sort();
  }
  rename(from: string, to: string): void {
    renameSync(join(this.root, from), join(this.root, to));
  }
  remove(file: string): void {
    unlinkSync(join(this.root, file));
  }
}

test('Maildir', async (t) => {
  const host: Host = await startHost(t, 'classic-host', SLOW_POLL);

  await t.test('what is delivered to ~/Maildir is told to a session that idles, without asking', async () => {
    await arrived('anna', () => machine.maildir('anna'), await host.send('anna', { subject: 'one' }));
    const imap = await opened('anna');
    assert.deepEqual(await listed(imap), ['1 one']);
    const said = await idleUntil(imap, /2 EXISTS/, () => host.send('anna', { subject: 'two' }));
    assert.ok(said.some((line) => /2 EXISTS/.test(line)));
    await imap.logout();
  });

  await t.test('flags, removal and new messages of Dovecot reach a session that idles; UIDs stay', async () => {
    const imap = await opened('anna');
    await idleUntil(imap, /FETCH \(FLAGS \([^)]*\\Flagged/, () => dovecot(reader('anna'), MAILDIR, ['SELECT INBOX', 'STORE 1 +FLAGS (\\Seen \\Flagged)']));
    assert.deepEqual(await listed(imap), ['1 \\Flagged \\Seen one', '2 two']);
    await idleUntil(imap, /\* 1 EXPUNGE/, () => dovecot(reader('anna'), MAILDIR, ['SELECT INBOX', 'STORE 1 +FLAGS.SILENT (\\Deleted)', 'EXPUNGE']));
    const text = 'Subject: three\r\n\r\nText\r\n';
    await idleUntil(imap, /2 EXISTS/, () => dovecot(reader('anna'), MAILDIR, [`APPEND INBOX (\\Answered) {${text.length}+}\r\n${text}`]));
    assert.deepEqual(await listed(imap), ['2 two', '3 \\Answered three']);
    await imap.logout();
  });

  await t.test("what our sessions change, Dovecot and mutt see; Dovecot's own UIDs stay too", async () => {
    const imap = await opened('anna');
    const before = await dovecot(reader('anna'), MAILDIR, ['SELECT INBOX', 'FETCH 1:* UID']);
    await imap.ok('UID STORE 2 +FLAGS (\\Seen \\Draft)');
    await imap.append('INBOX', 'Subject: four\r\n\r\nOur own\r\n', '\\Flagged');
    const said = await dovecot(reader('anna'), MAILDIR, ['SELECT INBOX', 'FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])']);
    assert.match(said, /FLAGS \([^)]*(?:\\Seen[^)]*\\Draft|\\Draft[^)]*\\Seen)[^)]*\)[\s\S]*Subject: two/);
    assert.match(said, /FLAGS \([^)]*\\Flagged[^)]*\)[\s\S]*Subject: four/);
    for (const uid of before.match(/UID \d+/g) ?? []) assert.ok(said.includes(`${uid} `), `${uid}\n${said}`);
    await mutt(reader('anna'), '~/Maildir', '<delete-pattern>~s four<enter><tag-pattern>~s two<enter><tag-prefix><flag-message><sync-mailbox><exit>');
    await imap.ok('NOOP');
    assert.deepEqual(await listed(imap), ['2 \\Draft \\Flagged \\Seen two', '3 \\Answered three']);
    await imap.ok('UID STORE 3 +FLAGS.SILENT (\\Deleted)');
    await imap.ok('EXPUNGE');
    assert.equal(inMaildir('anna').length, 1);
    assert.match(inMaildir('anna')[0]!, /^cur\/.*:2,DFS$/);
    await imap.logout();
  });

  await t.test('folders made by Dovecot are mailboxes, ours are folders of Dovecot', async () => {
    await dovecot(reader('bert'), MAILDIR, ['CREATE "Lists.Entw&APw-rfe"', 'APPEND Lists.Entw&APw-rfe {16+}\r\nSubject: x\r\n\r\nx\r']);
    const imap = await ImapClient.login(143, 'bert', 'bert-password');
    const { untagged } = await imap.ok('LIST "" "*"');
    assert.ok(
      untagged.some((line) => line.includes('Lists/Entw&APw-rfe')),
      untagged.join('\n'),
    );
    await imap.ok('SELECT Lists/Entw&APw-rfe');
    assert.deepEqual(await listed(imap), ['1 x']);
    await imap.ok('CREATE Work/2026');
    await imap.ok('UID COPY 1 Work/2026');
    await imap.ok('RENAME Lists/Entw&APw-rfe Drafts2');
    const said = await dovecot(reader('bert'), MAILDIR, ['LIST "" *', 'STATUS Work.2026 (MESSAGES)', 'STATUS Drafts2 (MESSAGES)']);
    assert.match(said, /STATUS Work\.2026 \(MESSAGES 1\)/);
    assert.match(said, /STATUS Drafts2 \(MESSAGES 1\)/);
    await imap.ok('DELETE Work/2026');
    assert.doesNotMatch(await dovecot(reader('bert'), MAILDIR, ['LIST "" *']), /Work\.2026/);
    await imap.logout();
  });

  await t.test('POP3 shows and deletes the same messages', async () => {
    await arrived('carl', () => machine.maildir('carl'), await host.send('carl', { subject: 'first' }));
    await host.send('carl', { subject: 'second' });
    await eventually('both are there', () => machine.maildir('carl').length === 2);
    const pop = await LineClient.open(110);
    await pop.expect(/^\+OK/);
    for (const [line, reply] of [
      ['USER carl', /^\+OK/],
      ['PASS carl-password', /^\+OK 2 messages/],
      ['DELE 1', /^\+OK/],
      ['QUIT', /^\+OK/],
    ] as const) {
      pop.send(`${line}\r\n`);
      await pop.expect(reply);
    }
    assert.equal(machine.maildir('carl').length, 1);
    assert.match(machine.maildir('carl')[0]!, /Subject: second/);
  });

  await t.test('UIDs and UIDVALIDITY are the same after a restart, whatever other programs did meanwhile', async () => {
    for (const subject of ['a', 'b', 'c']) await arrived('dora', () => machine.maildir('dora'), await host.send('dora', { subject: `mail ${subject}` }));
    const imap = await opened('dora');
    const before = await listed(imap);
    const validity = (await imap.ok('STATUS INBOX (UIDVALIDITY)')).untagged.join('');
    await imap.logout();
    await host.server.stop();
    await mutt(reader('dora'), '~/Maildir', '<delete-pattern>~s mail.a<enter><tag-pattern>~s mail.c<enter><tag-prefix><flag-message><sync-mailbox><exit>');
    await host.server.start();
    const again = await opened('dora');
    assert.equal((await again.ok('STATUS INBOX (UIDVALIDITY)')).untagged.join(''), validity);
    assert.deepEqual(
      (await listed(again)).map((line) => line.replace(/ \\\w+/g, '')),
      before.slice(1).map((line) => line.replace(/ \\\w+/g, '')),
    );
    await again.logout();
  });

  await t.test('procmail and maildrop deliver into the Maildir while a session expunges: every message is somewhere', async () => {
    machine.homeFile('emil', '.procmailrc', 'DEFAULT=$HOME/Maildir/\n');
    machine.homeFile('emil', '.mailfilter', 'DEFAULT="$HOME/Maildir"\n', 0o600);
    const who = reader('emil');
    await host.send('emil', { subject: 'start' });
    await eventually('the first is there', () => machine.maildir('emil').length > 0);
    const imap = await opened('emil');
    const letter = (subject: string): string => `From: a@far.test\nSubject: ${subject}\n\nText\n`;
    const env = { HOME: '/home/emil', USER: 'emil', LOGNAME: 'emil' };
    const deliver = async (program: string, args: string[], from: number): Promise<void> => {
      for (let i = from; i < from + 15; i += 1) await succeed('setpriv', [...as(who), program, ...args], { env, input: letter(`n${i}`) });
    };
    const delivering = Promise.all([deliver('procmail', ['-f', 'a@far.test'], 0), deliver('maildrop', ['/home/emil/.mailfilter'], 100)]);
    const seen = new Set<string>();
    for (let turn = 0; turn < 12; turn += 1) {
      await readAndRemove(imap, seen);
    }
    await delivering;
    await imap.ok('NOOP');
    for (const line of await listed(imap).catch(() => [])) seen.add(line.split(' ').at(-1)!);
    const wanted = ['start', ...Array.from({ length: 15 }, (_, i) => [`n${i}`, `n${i + 100}`]).flat()].sort();
    assert.deepEqual([...seen].sort(), wanted);
    const left = await imap.ok('STATUS INBOX (MESSAGES)');
    assert.match(left.untagged.join(''), new RegExp(`MESSAGES ${inMaildir('emil').length}\\b`));
    await imap.logout();
  });

  await t.test('UIDs, UIDVALIDITY, keywords and subscriptions of Dovecot are ours, and ours are its', async () => {
    const who = reader('gina');
    const text = 'Subject: one\r\n\r\nText\r\n';
    const append = (flags: string): string => `APPEND INBOX (${flags}) {${text.length}+}\r\n${text}`;
    const before = await dovecot(who, MAILDIR, [
      append('old $Label1'),
      append(''),
      append('\\Seen'),
      'SELECT INBOX',
      'UID STORE 2 +FLAGS.SILENT (\\Deleted)',
      'EXPUNGE',
      'CREATE Lists.Cars',
      'SUBSCRIBE Lists.Cars',
      'STATUS INBOX (UIDVALIDITY)',
      'FETCH 1:* (UID FLAGS)',
    ]);
    const imap = await opened('gina');
    const { untagged } = await imap.ok('STATUS INBOX (UIDVALIDITY UIDNEXT)');
    assert.ok(before.includes(untagged[0]!.replace(/^STATUS \S+ \((UIDVALIDITY \d+).*/, '$1')), `${untagged.join()}\n${before}`);
    assert.match(untagged[0]!, /UIDNEXT 4\b/);
    assert.deepEqual(await listed(imap), ['1 $Label1 old one', '3 \\Seen one']);
    const lsub = await imap.ok('LSUB "" *');
    assert.ok(
      lsub.untagged.some((line) => line.includes('Lists/Cars')),
      lsub.untagged.join('\n'),
    );
    await imap.ok('UID STORE 3 +FLAGS (brandnew old)');
    await imap.ok('CREATE Made');
    await imap.ok('SUBSCRIBE Made');
    await imap.ok('UNSUBSCRIBE Lists/Cars');
    const after = await dovecot(who, MAILDIR, ['SELECT INBOX', 'FETCH 1:* (UID FLAGS)', 'LSUB "" *', 'STORE 1 +FLAGS (third)', 'SUBSCRIBE Lists.Cars']);
    assert.match(after, /UID 3 FLAGS \([^)]*\bbrandnew\b[^)]*\)/);
    assert.match(after, /UID 1 FLAGS \([^)]*\$Label1[^)]*\)/);
    assert.match(after, /LSUB \([^)]*\) "." "?Made/);
    assert.doesNotMatch(after, /LSUB \([^)]*\) "." "?Lists\.Cars/);
    await imap.ok('NOOP');
    assert.deepEqual(await listed(imap), ['1 $Label1 old third one', '3 \\Seen brandnew old one']);
    assert.ok((await imap.ok('LSUB "" *')).untagged.some((line) => line.includes('Lists/Cars')));
    await imap.logout();
  });

  await t.test('a client that comes back with QRESYNC hears what other programs removed and marked meanwhile', async () => {
    const maildir = new OwnMaildir('hans');
    for (let i = 1; i <= 6; i += 1) maildir.message(`new/${i}.M1P1.host`, `n${i}`);
    const imap = await opened('hans');
    const [, validity] = /UIDVALIDITY (\d+)/.exec((await imap.ok('STATUS INBOX (UIDVALIDITY)')).untagged.join())!;
    const [, modseq] = /HIGHESTMODSEQ (\d+)/.exec((await imap.ok('STATUS INBOX (HIGHESTMODSEQ)')).untagged.join())!;
    await imap.logout();
    maildir.remove('new/2.M1P1.host');
    maildir.remove('new/5.M1P1.host');
    maildir.rename('new/3.M1P1.host', 'cur/3.M1P1.host:2,FS');
    maildir.rename('new/4.M1P1.host', 'cur/4.M1P1.host:2,');
    maildir.message('new/7.M1P1.host', 'n7');
    const again = await ImapClient.login(143, 'hans', 'hans-password');
    await again.ok('ENABLE QRESYNC');
    const { untagged } = await again.ok(`SELECT INBOX (QRESYNC (${validity} ${modseq} 1:6))`);
    assert.ok(untagged.includes('VANISHED (EARLIER) 2,5'), untagged.join('\n'));
    const changed = untagged.filter((line) => /^\d+ FETCH/.test(line));
    // The client said which UIDs it has; what is new it asks for.
    assert.ok(
      changed.some((line) => /UID 3 /.test(line) && /\\Flagged/.test(line) && /\\Seen/.test(line)),
      untagged.join('\n'),
    );
    assert.ok(!changed.some((line) => /UID [146] /.test(line)), 'moving from new/ to cur/ is no change');
    // And while it looks on.
    const said = await idleUntil(again, /^\* VANISHED 1$/, async () => maildir.remove('new/1.M1P1.host'));
    assert.ok(said.some((line) => line === '* VANISHED 1'));
    const since = await again.ok(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${modseq} VANISHED)`);
    assert.ok(since.untagged.includes('VANISHED (EARLIER) 1:2,5'), since.untagged.join('\n'));
    await again.logout();
  });

  await t.test('other programs and sessions change a Maildir at random: in the end both are equal, and no UID has changed', async () => {
    await randomChanges('jan', 20);
  });

  await t.test('10,000 messages: the first look', async () => {
    const uid = machine.uid('fred');
    for (const part of ['', 'new', 'cur', 'tmp']) {
      mkdirSync(join('/home/fred/Maildir', part), { mode: 0o700 });
      chownSync(join('/home/fred/Maildir', part), uid, uid);
    }
    const body = 'The quick brown fox jumps over the lazy dog.\n'.repeat(60);
    for (let i = 0; i < 10_000; i += 1) {
      const path = `/home/fred/Maildir/cur/${1700000000 + i}.M${i}P1.host:2,S`;
      writeFileSync(path, `From: a@far.test\nTo: fred@us.test\nSubject: n${i}\nMessage-ID: <${i}@far.test>\nDate: Mon, 1 Jun 2026 10:00:00 +0000\n\n${body}`);
      chownSync(path, uid, uid);
    }
    const imap = await ImapClient.login(143, 'fred', 'fred-password');
    const start = performance.now();
    const { untagged } = await imap.ok('SELECT INBOX');
    t.diagnostic(`first SELECT of 10,000 messages of 3 KB: ${Math.round(performance.now() - start)} ms`);
    assert.ok(untagged.includes('10000 EXISTS'), untagged.join('\n'));
    const times: number[] = [];
    for (const command of ['NOOP', 'UID STORE 5 +FLAGS (\\Flagged)', 'NOOP']) {
      const at = performance.now();
      await imap.ok(command);
      times.push(Math.round(performance.now() - at));
    }
    t.diagnostic(`then NOOP ${times[0]} ms, STORE of one ${times[1]} ms, NOOP after it ${times[2]} ms`);
    assert.ok(inMaildir('fred').includes('cur/1700000004.M4P1.host:2,FS'));
    await imap.logout();
  });
});

test('a Maildir of which the system tells nothing is looked at from time to time', async (t) => {
  await startHost(t, 'classic-host', { local: { folderPoll: '1s', folderWatch: false } });
  const maildir = new OwnMaildir('ida');
  maildir.message('new/1.M1P1.host', 'one');
  const imap = await opened('ida');
  await idleUntil(imap, /2 EXISTS/, async () => maildir.message('new/2.M1P1.host', 'two'));
  await idleUntil(imap, /3 EXISTS/, async () => maildir.message('cur/3.M1P1.host:2,S', 'three'));
  await idleUntil(imap, /^\* 1 FETCH .*\\Flagged/, async () => maildir.rename('new/1.M1P1.host', 'cur/1.M1P1.host:2,F'));
  await idleUntil(imap, /^\* 2 EXPUNGE/, async () => maildir.remove('new/2.M1P1.host'));
  assert.deepEqual(await listed(imap), ['1 \\Flagged one', '3 \\Seen three']);
  await imap.logout();
});

test('mbox in the spool', async (t) => {
  const host = await startHost(t, 'classic-host', SLOW_POLL, { local: { mailbox: '/var/mail/' } });
  const spool = (name: string): string => readFileSync(join('/var/mail', name), 'latin1');

  await t.test('delivered, shown, marked and expunged; mutt and Dovecot agree', async () => {
    for (const subject of ['one', 'two', 'three']) await arrived('anna', () => mboxMessages(spoolOrNull('anna')), await host.send('anna', { subject }));
    const imap = await opened('anna');
    const found = await listed(imap);
    assert.deepEqual(found.map((line) => line.split(' ').at(-1)).slice(-3), ['one', 'two', 'three']);
    const uids = found.slice(-3).map((line) => line.split(' ')[0]!);
    await imap.ok(`UID STORE ${uids[0]} +FLAGS (\\Seen \\Answered)`);
    await imap.ok(`UID STORE ${uids[1]} +FLAGS.SILENT (\\Deleted)`);
    await imap.ok(`UID EXPUNGE ${uids[1]}`);
    assert.match(spool('anna'), /Subject: one\n[\s\S]*?Status: RO\nX-Status: A\n\n/);
    assert.doesNotMatch(spool('anna'), /Subject: two\n/);
    const said = await dovecot(reader('anna'), 'mbox:~/mail:INBOX=/var/mail/anna', [
      'SELECT INBOX',
      'STORE 1:* +FLAGS (\\Flagged)',
      'FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])',
    ]);
    assert.match(said, /\\Answered[\s\S]*Subject: one/);
    await idleUntil(imap, /EXPUNGE|FLAGS \([^)]*\\Flagged/, () => mutt(reader('anna'), '/var/mail/anna', '<last-entry><delete-message><sync-mailbox><exit>'));
    await imap.ok('NOOP');
    const left = await listed(imap);
    assert.ok(!left.some((line) => line.endsWith(' three')), left.join('\n'));
    assert.ok(
      left.some((line) => line === `${uids[0]} \\Answered \\Flagged \\Seen one`),
      left.join('\n'),
    );
    await imap.logout();
  });

  await t.test('procmail delivers into the spool while a session expunges: every message is somewhere', async () => {
    const who = reader('bert');
    await host.send('bert', { subject: 'start' });
    await eventually('the first is there', () => spoolOrNull('bert') !== null);
    machine.homeFile('bert', '.procmailrc', 'LOCKSLEEP=1\nDEFAULT=/var/mail/bert\n');
    const imap = await opened('bert');
    const env = { HOME: '/home/bert', USER: 'bert', LOGNAME: 'bert' };
    const delivering = (async () => {
      for (let i = 0; i < 25; i += 1)
        await succeed('setpriv', [...as(who), 'procmail', '-f', 'a@far.test'], { env, input: `From: a@far.test\nSubject: n${i}\n\nText\n` });
    })();
    const seen = new Set<string>();
    let isOver = false;
    void delivering.then(() => (isOver = true));
    for (let turn = 0; turn < 60 && !isOver; turn += 1) {
      await readAndRemove(imap, seen);
    }
    await delivering;
    await eventually('all were seen', async () => {
      await imap.ok('NOOP');
      for (const line of await listed(imap).catch(() => [])) seen.add(line.split(' ').at(-1)!);
      return Array.from({ length: 25 }, (_, i) => `n${i}`).every((subject) => seen.has(subject));
    });
    await imap.logout();
  });
});

function spoolOrNull(name: string): string | null {
  try {
    return readFileSync(join('/var/mail', name), 'latin1');
  } catch {
    return null; // nothing came yet
  }
}

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * One program works on the files while three sessions work on the mailboxes; each message has a name of its own as subject. The program removes only
 * files of the mailbox out of which nobody moves: of a message that one removes while another moves it, the moved one stays.
 */
async function randomChanges(user: string, rounds: number): Promise<void> {
  const next = random(26);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const inbox = new OwnMaildir(user);
  const other = new OwnMaildir(user, 'Maildir/.Other');
  const folders = [inbox, other];
  const alive = new Set<string>();
  const uids = new Map<string, string>();
  let count = 0;
  const name = (): string => {
    count += 1;
    alive.add(`n${count}`);
    return `n${count}`;
  };
  for (let i = 0; i < 30; i += 1) {
    const subject = name();
    inbox.message(`new/${1_700_000_000 + count}.M${count}P1.host`, subject);
  }
  const sessions = await Promise.all([opened(user), opened(user), opened(user, 'Other')]);
  const subjectOf = (text: string): string => /^Subject: (n\d+)/m.exec(text)![1]!;
  /** Changes a file that a session may be renaming at the same moment: then there is nothing to change. */
  const racing = (act: () => void): boolean => {
    try {
      act();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return false;
    }
  };
  const program = async (): Promise<void> => {
    for (let round = 0; round < rounds * 5; round += 1) {
      const maildir = pick(folders);
      const files = maildir.files();
      const file = files.length === 0 ? null : pick(files);
      const kind = next();
      if (kind < 0.35 || file === null) {
        const subject = name();
        maildir.message(`new/${1_700_000_000 + count}.M${count}P1.host`, subject);
      } else if (kind < 0.75 || maildir === inbox)
        racing(() => maildir.rename(file, `cur/${file.slice(4).split(':')[0]}:2,${pick(['', 'S', 'F', 'FS', 'RS', 'DFRS'])}`));
      else {
        let subject = '';
        racing(() => (subject = subjectOf(readFileSync(join(maildir.root, file), 'latin1'))));
        if (subject !== '' && racing(() => maildir.remove(file))) alive.delete(subject);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  /** A client that marks, appends and copies: nothing it does removes a message. */
  const client = async (imap: ImapClient): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      const { untagged } = await imap.ok('UID SEARCH ALL');
      const found = untagged.flatMap((line) => /^SEARCH (.*)$/.exec(line)?.[1]?.split(' ') ?? []);
      const kind = next();
      if (kind < 0.3) await imap.append(pick(['INBOX', 'Other']), `From: b@far.test\r\nSubject: ${name()}\r\n\r\nText\r\n`, pick(['', '\\Seen', 'mine']));
      else if (found.length > 0 && kind < 0.7)
        await imap.ok(`UID STORE ${pick(found)},${pick(found)} ${pick(['+', '-'])}FLAGS (${pick(['\\Flagged', '\\Seen \\Answered', 'work', '$Label1'])})`);
      else await imap.ok('NOOP');
    }
  };
  /** Moves messages to the other mailbox, where they have another UID. */
  const mover = async (imap: ImapClient): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      const lines = await listed(imap).catch(() => []);
      if (lines.length > 2) await imap.command(`UID MOVE ${pick(lines).split(' ')[0]} Other`);
      await imap.ok('NOOP');
    }
  };
  await Promise.all([program(), client(sessions[0]!), mover(sessions[1]!), client(sessions[2]!)]);
  // Seen in the course of things: what was shown keeps its UID.
  const shown = async (mailbox: string): Promise<string[]> => {
    const imap = await opened(user, mailbox);
    const lines = await listed(imap).catch(() => []);
    await imap.logout();
    return lines;
  };
  for (const mailbox of ['INBOX', 'Other']) for (const line of await shown(mailbox)) uids.set(`${mailbox} ${line.split(' ').at(-1)}`, line.split(' ')[0]!);
  await program();
  const subjects: string[] = [];
  for (const [mailbox, maildir] of [
    ['INBOX', inbox],
    ['Other', other],
  ] as const) {
    const keywords = readFileSync(join(maildir.root, 'dovecot-keywords'), 'latin1')
      .split('\n')
      .map((line) => line.split(' ')[1]);
    const lines = await shown(mailbox);
    for (const line of lines) {
      const [uid, subject] = [line.split(' ')[0], line.split(' ').at(-1)!];
      assert.equal(uids.get(`${mailbox} ${subject}`) ?? uid, uid, `the UID of ${subject} in ${mailbox}`);
      subjects.push(subject);
    }
    const flagNames: Record<string, string> = { D: '\\Draft', F: '\\Flagged', R: '\\Answered', S: '\\Seen', T: '\\Deleted' };
    const inFiles = maildir.files().map((file) => {
      const letters = file.split(':2,')[1] ?? '';
      const flags = [...letters].map((letter) => flagNames[letter] ?? keywords[letter.charCodeAt(0) - 97] ?? `?${letter}`);
      return [...flags.sort(), subjectOf(readFileSync(join(maildir.root, file), 'latin1'))].join(' ');
    });
    assert.deepEqual(lines.map((line) => line.slice(line.indexOf(' ') + 1)).sort(), inFiles.sort());
  }
  assert.equal(new Set(subjects).size, subjects.length, 'nothing is there twice');
  const lost = [...alive].filter((subject) => !subjects.includes(subject));
  const extra = subjects.filter((subject) => !alive.has(subject));
  assert.deepEqual({ lost, extra }, { lost: [], extra: [] });
  for (const imap of sessions) await imap.logout();
}
