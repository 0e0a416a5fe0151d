/** What we write into mbox and Maildir, read by mutt and Dovecot; and other programs writing to the same mbox at the same time. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { kernelLocks } from '../src/deliver/agents/kernel-lock.ts';
import { deliverMaildir, maildirFolder } from '../src/deliver/agents/maildir.ts';
import { appendMbox, fromLine, mboxMessage } from '../src/deliver/agents/mbox.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';

const AT = Date.UTC(2026, 0, 5, 6, 7, 8);
const PROGRAM_MS = 20_000;

const header = (n: number): string => `Return-Path: <sender@far.test>\nFrom: sender@far.test\nSubject: number ${n}\nMessage-ID: <${n}@far.test>\n\n`;
/** What separates messages in an mbox, in all positions, and bytes of every kind. */
const BODIES: readonly string[] = [
  'plain\n',
  '',
  'From the first line\n',
  'text\n\nFrom after a blank line\n',
  'text\nFrom without a blank line\nFrom twice\n',
  '>From quoted already\n',
  'no end of line',
  'many blank lines\n\n\n\n',
  '.\n..\n',
  'long '.repeat(300) + '\n',
  '8 bit: \u00e4\u00f6\u00fc\n',
  'Content-Length: 3\n\nFrom a@b.test  Mon Jan  5 06:07:08 2026\nSubject: not a message\n',
];
const messages = BODIES.map((body, n) => header(n) + body);

async function append(path: string, message: string, locks: ReturnType<typeof kernelLocks>): Promise<void> {
  const result = await appendMbox({
    path,
    pieces: mboxMessage([Buffer.from(message)], fromLine('sender@far.test', AT)),
    mode: 0o600,
    isDotLocked: true,
    kernelLocks: locks,
    signal: new AbortController().signal,
    lock: { attempts: 2000, sleepMs: 5 },
  });
  assert.equal(result.kind, 'stored', JSON.stringify(result));
}

async function makeMbox(t: TestContext, dir: string): Promise<string> {
  const path = join(dir, 'mbox');
  const locks = kernelLocks();
  t.after(() => locks.close());
  for (const message of messages) await append(path, message, locks);
  return path;
}

function makeMaildir(dir: string): string {
  const path = join(dir, 'Maildir');
  for (const message of messages) assert.equal(deliverMaildir({ path, pieces: [Buffer.from(message)], at: AT, quota: null }).kind, 'stored');
  return path;
}

/** Whole messages as Dovecot gives them, in the order it has them, LF. */
async function dovecotFetch(dir: string, location: string, mailbox = 'INBOX'): Promise<string[]> {
  need('doveadm');
  const config = join(dir, 'dovecot.conf');
  writeFileSync(
    config,
    `base_dir = ${dir}/run\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_uid = games\nmail_gid = games\nmail_location = ${location}\n`,
  );
  // Dovecot never reads mail as root.
  await succeed('chown', ['-R', 'games:games', dir]);
  const found = await succeed('doveadm', ['-c', config, '-f', 'json', 'fetch', 'text', 'mailbox', mailbox], {
    env: { USER: 'games', HOME: dir },
    timeoutMs: PROGRAM_MS,
  });
  return (JSON.parse(found) as { text: string }[]).map(({ text }) => text.replaceAll('\r\n', '\n'));
}

/** mutt gives every message of a mailbox to a program, one after the other, as it has it. */
async function muttRead(dir: string, mailbox: string): Promise<string[]> {
  need('mutt', 'script');
  const rc = join(dir, 'muttrc');
  const keys = BODIES.map((_, n) => `${n + 1}<enter><pipe-message>cat >${dir}/read-${n}<enter>`).join('');
  writeFileSync(rc, `set pipe_decode=no\nset resolve=no\nset move=no\nset wait_key=no\nset quit=yes\nset sort=mailbox-order\npush "${keys}<exit>"\n`);
  const result = await run('script', ['-q', '-e', '-c', `mutt -n -R -F ${rc} -f ${mailbox}`, '/dev/null'], {
    env: { TERM: 'xterm', HOME: dir },
    timeoutMs: PROGRAM_MS,
  });
  assert.equal(result.code, 0, result.stdout.slice(-2000));
  const listed = readdirSync(dir).filter((name) => name.startsWith('read-'));
  // Of an mbox mutt gives the From_ line too.
  return listed.map((name) => readFileSync(join(dir, name), 'utf8').replace(/^From sender@far\.test .*\n/, ''));
}

/** By their number, since readers have orders of their own; without fields that mutt adds (Status, Content-Length, Lines). */
function byNumber(found: readonly string[]): string[] {
  const number = (text: string): number => Number(/^Subject: number (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  return [...found]
    .sort((a, b) => number(a) - number(b))
    .map((text) => text.replace(/^(Status|X-Status|Content-Length|Lines): .*\n/gm, (line, _name, at: number) => (at < text.indexOf('\n\n') + 1 ? '' : line)));
}

/** In an mbox a message ends with a line end, and ">From " stays as it was written. */
const inMbox = (message: string): string => message.replace(/^From /gm, '>From ').replace(/([^\n])$/, '$1\n');

test('Dovecot reads our mbox: as many messages, the same bytes', async (t) => {
  const dir = tempDir(t, 'mbox-dovecot');
  const path = await makeMbox(t, dir);
  mkdirSync(join(dir, 'folders'));
  assert.deepEqual(byNumber(await dovecotFetch(dir, `mbox:${dir}/folders:INBOX=${path}`)), messages.map(inMbox));
});

test('mutt reads our mbox: as many messages, the same bytes', async (t) => {
  const dir = tempDir(t, 'mbox-mutt');
  assert.deepEqual(byNumber(await muttRead(dir, await makeMbox(t, dir))), messages.map(inMbox));
});

test('Dovecot reads our Maildir and its folders byte for byte', async (t) => {
  const dir = tempDir(t, 'maildir-dovecot');
  const path = makeMaildir(dir);
  const folder = maildirFolder(path, 'Lists/Caf\u00e9');
  deliverMaildir({ path: folder, pieces: [Buffer.from(messages[0]!)], at: AT, quota: null });
  assert.deepEqual(byNumber(await dovecotFetch(dir, `maildir:${path}`)), messages);
  assert.deepEqual(await dovecotFetch(dir, `maildir:${path}`, 'Lists.Caf\u00e9'), [messages[0]!]);
});

test('mutt reads our Maildir byte for byte', async (t) => {
  const dir = tempDir(t, 'maildir-mutt');
  assert.deepEqual(byNumber(await muttRead(dir, makeMaildir(dir))), messages);
});

for (const program of ['procmail', 'maildrop'])
  test(`${program} and we write to one mbox at the same time: nothing is lost, nothing is mixed`, async (t) => {
    need(program);
    const dir = tempDir(t, `mbox-${program}`);
    const path = join(dir, 'mbox');
    const rc = join(dir, 'rc');
    writeFileSync(rc, program === 'procmail' ? `LOCKSLEEP=1\n:0:\n${path}\n` : `to "${path}"\n`, { mode: 0o600 });
    const locks = kernelLocks();
    t.after(() => locks.close());
    const args = program === 'procmail' ? ['-m', rc] : [rc];
    const each = 25;
    const theirs = async (): Promise<void> => {
      for (let n = 0; n < each; n += 1)
        await succeed(program, args, {
          input: (program === 'procmail' ? 'From sender@far.test  Mon Jan  5 06:07:08 2026\n' : '') + header(n) + 'theirs\n\nFrom them\n',
          env: { HOME: dir, LOGNAME: 'root', USER: 'root' },
          timeoutMs: PROGRAM_MS,
        });
    };
    const ours = async (): Promise<void> => {
      for (let n = 0; n < each; n += 1) await append(path, `${header(n)}ours\n\nFrom us\n`, locks);
    };
    await Promise.all([theirs(), ours(), ours()]);
    const all = `\n${readFileSync(path, 'latin1')}`.split(/\n\n?(?=From \S+ +\w{3} \w{3} [ \d]\d )/).filter((one) => one !== '');
    const count = (what: string): number =>
      all.filter((one) => one.trimEnd().endsWith(`\n${what === 'ours' ? 'ours\n\n>From us' : 'theirs\n\n>From them'}`)).length;
    assert.deepEqual([all.length, count('ours'), count('theirs')], [3 * each, 2 * each, each]);
  });

test('while mutt_dotlock holds a mailbox we wait, and write when it lets go', async (t) => {
  need('mutt_dotlock');
  const dir = tempDir(t, 'mbox-dotlock');
  const path = join(dir, 'mbox');
  writeFileSync(path, '');
  await succeed('mutt_dotlock', ['-r', '1', path], { timeoutMs: PROGRAM_MS });
  const locks = kernelLocks();
  t.after(() => locks.close());
  let isDone = false;
  const writing = append(path, messages[0]!, locks).then(() => {
    isDone = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isDone, false);
  assert.equal(readFileSync(path, 'utf8'), '');
  await succeed('mutt_dotlock', ['-u', path], { timeoutMs: PROGRAM_MS });
  await writing;
  assert.match(readFileSync(path, 'utf8'), /^From sender@far\.test/);
});
