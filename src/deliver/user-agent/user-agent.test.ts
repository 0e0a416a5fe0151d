import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connectUserAgent, sourceOf } from './client.ts';
import { frameHead } from './frame.ts';
import { type Bench, GAMES, userAgentBench } from './testing.ts';
import type { PipeJob } from './types.ts';

const MESSAGE = 'Subject: hello\nFrom: sender@far.test\n\nbody\nFrom the hills\n';
const TRACE = 'Return-Path: <sender@far.test>\nX-Original-To: games@example.org\nDelivered-To: games@example.org\n';
const isRoot = process.getuid?.() === 0;

const text = (path: string): string => readFileSync(path, 'utf8');
const filesOf = (folder: string): string[] => readdirSync(folder).map((name) => join(folder, name));

/** Processes whose command line has this text. */
function processes(marker: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || name === String(process.pid)) return false;
    try {
      return text(`/proc/${name}/cmdline`).includes(marker) && !/^State:\s+[ZX]/m.test(text(`/proc/${name}/status`));
    } catch {
      return false;
    }
  });
}

async function until(what: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (what()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail('it did not come to be');
}

describe('the user agent, as root', { skip: !isRoot && 'needs root to become other users' }, () => {
  let bench: Bench;
  before(async () => {
    bench = await userAgentBench();
  });
  after(async () => {
    await bench[Symbol.asyncDispose]();
  });

  test('without any file of the user a message is kept in the store', async () => {
    const answer = await bench.deliver(MESSAGE);
    assert.equal(answer.outcome, 'delivered');
    assert.deepEqual(
      answer.keeps.map(({ mailbox, message }) => ({ mailbox, message })),
      [{ mailbox: 'INBOX', message: null }],
    );
  });

  test('a maildir in the home directory belongs to the user and has the lines of local delivery', async () => {
    const answer = await bench.deliver(MESSAGE, {}, { mailbox: 'Maildir/' });
    assert.equal(answer.outcome, 'delivered', answer.text);
    const [file, ...others] = filesOf(join(bench.home, 'Maildir/new'));
    assert.deepEqual(others, []);
    assert.equal(text(file!), TRACE + MESSAGE);
    const stat = statSync(file!);
    assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o777], [GAMES.uid, GAMES.gid, 0o600]);
    assert.deepEqual(readdirSync(join(bench.home, 'Maildir/tmp')), []);
  });

  test('an mbox in the home directory is quoted, ended and unlocked again', async () => {
    for (let i = 0; i < 2; i += 1) assert.equal((await bench.deliver(MESSAGE, {}, { mailbox: 'mbox' })).outcome, 'delivered');
    const one = `From sender@far.test  ${new RegExp(/Mon Jan {2}5 ..:07:08 2026/).exec(text(join(bench.home, 'mbox')))![0]}\n${TRACE}${MESSAGE.replace('\nFrom the', '\n>From the')}\n`;
    assert.equal(text(join(bench.home, 'mbox')), one + one);
    assert.equal(existsSync(join(bench.home, 'mbox.lock')), false);
    assert.equal(statSync(join(bench.home, 'mbox')).uid, GAMES.uid);
  });

  test('a program runs as the user, in an environment that has nothing of the server, with no descriptor but its three', async () => {
    process.env['POSTHORN_SECRET_OF_TEST'] = 'secret';
    const answer = await bench.deliver(MESSAGE, {
      work: { kind: 'command', command: 'id -u; id -G; umask; ls /proc/self/fd | tr "\\n" " "; env | grep -c SECRET; exit 1', user: 'games' },
    });
    assert.match(answer.text, /Command output: 5 60 0077 0 1 2 3 0$/);
  });

  test('exit codes decide as with Postfix', async () => {
    const run = (command: string) => bench.deliver(MESSAGE, { work: { kind: 'command', command, user: 'games' } });
    const outcomes: [string, string, string][] = [
      ['cat > /dev/null', 'delivered', '2.0.0'],
      ['exit 75', 'deferred', '4.3.0'],
      ['exit 67', 'failed', '5.1.1'],
      ['exit 71', 'deferred', '4.3.0'],
      ['exit 3', 'failed', '5.3.0'],
      ['echo "4.2.2 full today"; exit 1', 'deferred', '4.2.2'],
      ['kill -9 $$', 'deferred', '4.3.0'],
      ['no-such-program-here', 'failed', '5.3.0'],
    ];
    for (const [command, outcome, enhanced] of outcomes) {
      const answer = await run(command);
      assert.deepEqual([command, answer.outcome, answer.enhanced], [command, outcome, enhanced]);
    }
  });

  test('programs read the message from /dev/stdin and write to /dev/stdout', async () => {
    const answer = await bench.deliver(MESSAGE, { work: { kind: 'command', command: 'grep -c Subject /dev/stdin > /dev/stdout; exit 1', user: null } });
    assert.match(answer.text, /Command output: 1$/);
  });

  test('a program without a user runs as nobody, and root is never the user', async () => {
    const nobody = await bench.deliver(MESSAGE, { work: { kind: 'command', command: 'id -un; exit 1', user: null } });
    assert.match(nobody.text, /output: nobody$/);
    const root = await bench.deliver(MESSAGE, { work: { kind: 'command', command: 'id -un; exit 1', user: 'root' } });
    assert.match(root.text, /output: nobody$/);
    const mail = await bench.deliver(MESSAGE, { work: { kind: 'user', user: 'root', detail: null } });
    assert.deepEqual([mail.outcome, mail.keeps.length], ['delivered', 1]);
    const pipe = await bench.deliver(MESSAGE, { work: { ...PIPE, user: 'root' } });
    assert.deepEqual([pipe.outcome, pipe.enhanced], ['deferred', '4.3.5']);
  });

  test('an unknown user is 5.1.1', async () => {
    const answer = await bench.deliver(MESSAGE, { work: { kind: 'user', user: 'no-such-user', detail: null } });
    assert.deepEqual([answer.outcome, answer.code, answer.enhanced], ['failed', 550, '5.1.1']);
  });

  test('a message that was here before is a loop', async () => {
    const answer = await bench.deliver(`Delivered-To: Games@Example.org\n${MESSAGE}`);
    assert.deepEqual([answer.outcome, answer.enhanced], ['failed', '5.4.6']);
  });

  test('a program that hangs is killed with its children when its time is up', async () => {
    const marker = '86399.7413';
    const answer = await bench.deliver(
      MESSAGE,
      { work: { kind: 'command', command: `sleep ${marker} & sleep ${marker}`, user: 'games' } },
      { commandTimeLimitMs: 300 },
    );
    assert.deepEqual([answer.outcome, answer.enhanced], ['failed', '5.3.0']);
    assert.match(answer.text, /^Command time limit exceeded/);
    await until(() => processes(marker).length === 0);
  });

  test('a worker that dies defers its task, and takes its programs with it; the next task finds another', async () => {
    const marker = '86399.7414';
    const answer = await bench.deliver(MESSAGE, {
      work: { kind: 'command', command: `sleep ${marker} & sleep 0.3; kill -9 $PPID; sleep ${marker}`, user: 'games' },
    });
    assert.deepEqual([answer.outcome, answer.enhanced], ['deferred', '4.3.0']);
    await until(() => processes(marker).length === 0);
    assert.equal((await bench.deliver(MESSAGE)).outcome, 'delivered');
  });

  test('an aborted task is deferred and its program ended', async () => {
    const marker = '86399.7415';
    const abort = new AbortController();
    const waiting = bench.client.deliver(
      bench.task({ kind: 'command', command: `sleep ${marker}`, user: 'games' }),
      sourceOf(Buffer.from('a: b\r\n\r\n')),
      abort.signal,
    );
    await until(() => processes(marker).length > 0);
    abort.abort();
    assert.equal((await waiting).outcome, 'deferred');
    await until(() => processes(marker).length === 0);
  });

  test('files of aliases: appended to, never through a link, not to a program, nor a fifo', async () => {
    const file = (path: string) => bench.deliver(MESSAGE, { work: { kind: 'file', path, user: 'games' } });
    assert.equal((await file(join(bench.home, 'archive'))).outcome, 'delivered');
    assert.equal((await file('/dev/null')).outcome, 'delivered');
    assert.equal((await file(join(bench.home, 'boxes/'))).outcome, 'delivered');
    assert.equal(readdirSync(join(bench.home, 'boxes/new')).length, 1);
    symlinkSync(bench.put('target', ''), join(bench.home, 'link'));
    bench.put('program', '#!/bin/sh\n', 0o700);
    for (const name of ['link', 'program', 'games-owned-directory']) {
      if (name.endsWith('directory')) mkdirSync(join(bench.home, name));
      assert.equal((await file(join(bench.home, name))).outcome, 'failed', name);
    }
    assert.equal(text(join(bench.home, 'target')), '');
    assert.equal((await file('/etc/posthorn-test')).outcome, 'failed', 'root directories are closed to the user');
  });

  test('.forward: an address, the own mailbox, a file and a program; each with its line', async () => {
    bench.put('.forward', `bob@elsewhere.test, \\games\n"|cat > ${bench.home}/piped"\n`);
    const answer = await bench.deliver(MESSAGE);
    assert.equal(answer.outcome, 'delivered', answer.text);
    assert.deepEqual(
      answer.forwards.map(({ address, message, origin }) => [address, message, origin]),
      [[{ local: 'bob', domain: 'elsewhere.test' }, null, { file: '~/.forward', line: 1 }]],
    );
    assert.equal(answer.keeps.length, 1);
    assert.equal(answer.deliveredTo, 'games@example.org');
    assert.match(text(join(bench.home, 'piped')), /^From sender@far\.test {2}Mon Jan {2}5 .*\nReturn-Path: /);
    bench.put('.forward', '"|exit 75", bob@elsewhere.test\n');
    const deferred = await bench.deliver(MESSAGE);
    assert.deepEqual([deferred.outcome, deferred.forwards.length], ['deferred', 0]);
    bench.put('.forward', '"|echo no such luck; exit 69", bob@elsewhere.test\n');
    const failed = await bench.deliver(MESSAGE);
    assert.deepEqual([failed.outcome, failed.enhanced, failed.forwards.length], ['failed', '5.3.0', 1]);
    assert.match(failed.text, /no such luck/);
    rmSync(join(bench.home, '.forward'));
  });

  test('a .forward that others may write, a link and a fifo are passed over, and the owner hears of it', async () => {
    const path = bench.put('.forward', 'mallory@elsewhere.test\n', 0o666);
    const variants: [string, () => unknown][] = [
      ['world-writable', () => {}],
      ['of another user', () => [chmodSync(path, 0o644), chownSync(path, 9, 9)]],
      ['a link', () => [rmSync(path), symlinkSync(bench.put('other', 'mallory@elsewhere.test\n'), path)]],
      ['a fifo', () => [rmSync(path), execFileSync('mkfifo', [path]), chownSync(path, GAMES.uid, GAMES.gid)]],
    ];
    for (const [name, make] of variants) {
      make();
      const answer = await bench.deliver(MESSAGE);
      assert.deepEqual([name, answer.outcome, answer.forwards.length, answer.keeps.length], [name, 'delivered', 0, 1]);
      assert.equal(answer.problem?.file, '~/.forward', name);
    }
    rmSync(path);
  });

  test('procmail, maildrop and Sieve: the first file that is there sorts the mail', async () => {
    bench.put('.dovecot.sieve', 'require "fileinto"; if header :contains "subject" "hello" { fileinto "Friends"; }\n');
    const sieve = await bench.deliver(MESSAGE);
    assert.deepEqual([sieve.outcome, sieve.keeps.map(({ mailbox }) => mailbox)], ['delivered', ['Friends']], sieve.text);
    bench.put('.mailfilter', `if (/^Subject: hello/)\n{\n  to "dropped"\n}\n`);
    const maildrop = await bench.deliver(MESSAGE);
    assert.deepEqual([maildrop.outcome, maildrop.keeps.length], ['delivered', 0], maildrop.text);
    assert.match(text(join(bench.home, 'dropped')), /Subject: hello/);
    bench.put('.procmailrc', ':0:\n* ^Subject: hello\nsorted\n');
    const procmail = await bench.deliver(MESSAGE);
    assert.deepEqual([procmail.outcome, procmail.keeps.length], ['delivered', 0], procmail.text);
    assert.match(text(join(bench.home, 'sorted')), /^From sender@far\.test .*\nReturn-Path: .*\n(.*\n)*Subject: hello\n/);
    assert.equal(statSync(join(bench.home, 'sorted')).uid, GAMES.uid);
    const other = await bench.deliver(MESSAGE.replace('hello', 'bye'));
    assert.deepEqual([other.outcome, other.keeps.length], ['delivered', 1], other.text);
    bench.put('.procmailrc', ':0 fw\n| sed s/hello/HELLO/\n');
    const filtered = await bench.deliver(MESSAGE);
    assert.equal(
      Buffer.from(filtered.keeps[0]?.message ?? []).toString(),
      `${MESSAGE.replace('hello', 'HELLO')}\n`.replaceAll('\n', '\r\n').replace(/\r\n\r\n$/, '\r\n') + '\r\n',
    );
    for (const name of ['.dovecot.sieve', '.mailfilter', '.procmailrc']) rmSync(join(bench.home, name));
  });

  test('a Sieve script with mistakes keeps the message, and its owner is told the line', async () => {
    bench.put('.dovecot.sieve', 'keep;\nnonsense;\n');
    const answer = await bench.deliver(MESSAGE);
    assert.deepEqual([answer.outcome, answer.keeps.length], ['delivered', 1]);
    assert.deepEqual([answer.problem?.file, answer.problem?.line], ['~/.dovecot.sieve', 2]);
    rmSync(join(bench.home, '.dovecot.sieve'));
  });

  test('.qmail: comments throw away, addresses forward, a writable file defers', async () => {
    const qmail = (over = {}) => bench.deliver(MESSAGE, over, { style: 'qmail', filters: [] });
    assert.equal((await qmail()).keeps.length, 1);
    bench.put('.qmail', '# nothing\n');
    const thrown = await qmail();
    assert.deepEqual([thrown.outcome, thrown.keeps.length], ['delivered', 0]);
    bench.put('.qmail', '&bob@elsewhere.test\n|exit 99\n./never/\n');
    const forwarded = await qmail();
    assert.deepEqual([forwarded.outcome, forwarded.forwards.length, existsSync(join(bench.home, 'never'))], ['delivered', 1, false], forwarded.text);
    bench.put('.qmail', './box/\n');
    await qmail();
    assert.equal(text(filesOf(join(bench.home, 'box/new'))[0]!), `Return-Path: <sender@far.test>\nDelivered-To: games@example.org\n${MESSAGE}`);
    bench.put('.qmail', '|exit 100\n');
    assert.equal((await qmail()).outcome, 'failed');
    bench.put('.qmail', '|exit 111\n');
    assert.equal((await qmail()).outcome, 'deferred');
    bench.put('.qmail', '&bob@elsewhere.test\n', 0o666);
    assert.equal((await qmail()).outcome, 'deferred');
    rmSync(join(bench.home, '.qmail'));
    const missing = await qmail({ detail: 'list', recipient: { local: 'games+list', domain: 'example.org' } });
    assert.deepEqual([missing.outcome, missing.enhanced], ['failed', '5.1.1']);
  });

  test('below local.uidMin nothing of the user is read', async () => {
    await using strict = await userAgentBench({ 'local.uidMin': 100, 'local.usersAllowed': ['news'] });
    strict.put('.forward', 'bob@elsewhere.test\n');
    const answer = await strict.deliver(MESSAGE);
    assert.deepEqual([answer.forwards.length, answer.keeps.length], [0, 1]);
    const closed = await strict.deliver(MESSAGE, {}, { mailbox: 'Maildir/' });
    assert.deepEqual([closed.outcome, closed.enhanced], ['failed', '5.2.1']);
  });

  test('a spool directory of the group mail is written as the user, with that group and for this alone', async () => {
    const spool = join(bench.folder, 'spool');
    mkdirSync(spool);
    chownSync(spool, 0, 8);
    chmodSync(spool, 0o2775);
    const answer = await bench.deliver(MESSAGE, {}, { mailbox: `${spool}/` });
    assert.equal(answer.outcome, 'delivered', answer.text);
    const stat = statSync(join(spool, 'games'));
    assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o777], [GAMES.uid, 8, 0o600]);
    assert.deepEqual(readdirSync(spool), ['games']);
    const groups = await bench.deliver(MESSAGE, { work: { kind: 'command', command: 'id -G; exit 1', user: 'games' } }, { mailbox: `${spool}/` });
    assert.match(groups.text, /output: 60$/);
    chmodSync(spool, 0o755);
    const closed = await bench.deliver(MESSAGE, {}, { mailbox: `${spool}/` });
    assert.deepEqual([closed.outcome, closed.enhanced], ['deferred', '4.3.5']);
  });

  test('a home directory that is not there defers what would go into it', async () => {
    writeFileSync(join(bench.folder, 'passwd'), `${text(join(bench.folder, 'passwd'))}lost:x:7:7::${bench.folder}/nowhere:/bin/sh\n`);
    const answer = await bench.deliver(MESSAGE, { work: { kind: 'user', user: 'lost', detail: null } }, { mailbox: 'Maildir/' });
    assert.deepEqual([answer.outcome, answer.enhanced], ['deferred', '4.3.0']);
    assert.equal((await bench.deliver(MESSAGE, { work: { kind: 'user', user: 'lost', detail: null } })).keeps.length, 1);
  });

  test('pipe transports: flags, arguments without a shell, group, size limit', async () => {
    const output = join(bench.home, 'pipe-out');
    const job: PipeJob = {
      ...PIPE,
      argv: ['/bin/sh', '-c', `id -g > ${output}; echo "$1" >> ${output}; cat >> ${output}`, 'sh', 'a b;$HOME'],
      group: 'news',
      flags: 'DFORB>.',
    };
    chmodSync(bench.put('pipe-out', ''), 0o666);
    const dotted = await bench.deliver(`${MESSAGE}.dot\n`, { work: job });
    assert.equal(dotted.outcome, 'delivered', dotted.text);
    assert.match(
      text(output),
      new RegExp(
        `^9\na b;\\$HOME\nFrom sender@far\\.test .*\n${TRACE.replace(/[.<>]/g, '\\$&')}Subject: hello\nFrom: sender@far\\.test\n\nbody\n>From the hills\n\\.\\.dot\n\n$`,
      ),
    );
    const large = await bench.deliver(MESSAGE, { work: { ...PIPE, sizeMax: 10 } });
    assert.deepEqual([large.outcome, large.enhanced], ['failed', '5.2.3']);
    const bare = await bench.deliver(MESSAGE, { work: { ...PIPE, argv: ['/bin/sh', '-c', `cat > ${output}`], flags: '', eol: '\r\n' } });
    assert.equal(bare.outcome, 'delivered');
    assert.equal(text(output), MESSAGE.replaceAll('\n', '\r\n'));
  });

  test('a large message goes through whole', async () => {
    const line = 'all work and no play makes a line of some length\n';
    const large = `Subject: large\n\n${line.repeat(400_000)}`;
    const answer = await bench.deliver(large, { work: { kind: 'command', command: 'md5sum; wc -c; exit 1', user: 'games' } });
    const answer2 = await bench.deliver(large, { work: { kind: 'command', command: 'wc -c; exit 1', user: 'games' } });
    assert.equal(answer.outcome, 'failed');
    const from = Number(/output: (\d+)$/.exec(answer2.text)?.[1]);
    assert.equal(from - large.length, TRACE.length + 'From sender@far.test  Mon Jan  5 06:07:08 2026\n'.length);
  });

  test('many tasks of two users at once are all done', async () => {
    const tasks = Array.from({ length: 60 }, (_, i) =>
      bench.deliver(
        MESSAGE,
        { work: { kind: 'user', user: i % 2 === 0 ? 'games' : 'news', detail: null }, final: { local: 'many', domain: 'example.org' } },
        { mailbox: 'Many/' },
      ),
    );
    assert.ok((await Promise.all(tasks)).every(({ outcome }) => outcome === 'delivered'));
    assert.equal(readdirSync(join(bench.home, 'Many/new')).length, 30);
    assert.equal(readdirSync(join(bench.folder, 'news/Many/new')).length, 30);
  });

  test('who does not know the key is not heard', async () => {
    const stranger = connectUserAgent({ socketPath: join(bench.folder, 'agent'), key: 'x'.repeat(64) });
    const answer = await stranger.deliver(
      bench.task({ kind: 'command', command: `touch ${bench.home}/stranger`, user: 'games' }),
      sourceOf(Buffer.from('a: b\r\n\r\n')),
      AbortSignal.timeout(10_000),
    );
    assert.equal(answer.outcome, 'deferred');
    assert.equal(existsSync(join(bench.home, 'stranger')), false);
    assert.equal(statSync(join(bench.folder, 'agent')).mode & 0o777, 0o600);
    const raw = createConnection(join(bench.folder, 'agent'));
    raw.write(frameHead({ kind: 'deliver' }, 0));
    await new Promise((resolve) => raw.on('error', resolve).on('close', resolve));
    assert.equal((await bench.deliver(MESSAGE)).outcome, 'delivered');
  });

  test('passwords: wrong, unknown, root, empty and impossible ones are refused; too many guesses are not answered', async () => {
    assert.equal(await bench.client.checkPassword('games', 'wrong'), 'refused');
    for (const [user, password] of [
      ['no-such-user', 'x'],
      ['root', 'x'],
      ['games', ''],
      ['games', 'a\0b'],
      ['../games', 'x'],
      ['-h', 'x'],
    ] as const)
      assert.equal(await bench.client.checkPassword(user, password), 'refused', user);
    const answers = await Promise.all(Array.from({ length: 40 }, () => bench.client.checkPassword('news', 'x')));
    assert.deepEqual([...new Set(answers)].sort(), ['refused', 'unavailable']);
    assert.equal(answers.filter((answer) => answer === 'refused').length, 20);
  });

  test('users are looked up', async () => {
    assert.equal((await bench.client.lookup('games'))?.valueOf() instanceof Object, true);
    assert.equal(await bench.client.lookup('no-such-user'), null);
  });
});

const PIPE: PipeJob = {
  kind: 'pipe',
  name: 'archive',
  argv: ['/bin/cat'],
  user: 'games',
  group: null,
  directory: null,
  environment: {},
  flags: '',
  eol: '\n',
  sizeMax: 0,
  timeLimitMs: 20_000,
  nullSender: 'MAILER-DAEMON',
};
