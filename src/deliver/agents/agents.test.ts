import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { sleep, takeDotLock, tryDotLock, releaseDotLock, waits } from './dot-lock.ts';
import { kernelLocks, NO_KERNEL_LOCKS } from './kernel-lock.ts';
import { deliverMaildir, maildirFolder, maildirName, modifiedUtf7 } from './maildir.ts';
import { parseQuota } from './maildir-quota.ts';
import { appendMbox, fromLine, type MboxOptions, mboxMessage } from './mbox.ts';
import { deliverFolder, folderKind } from './mh.ts';
import { storeFailure } from './result.ts';

const folder = mkdtempSync(join(tmpdir(), 'posthorn-agents-'));
after(() => rmSync(folder, { recursive: true }));
let count = 0;
const fresh = (): string => join(folder, String(++count));
const text = (path: string): string => readFileSync(path, 'utf8');
const AT = Date.UTC(2026, 10, 20, 11, 42);
const FROM = Buffer.from('From a@b.test  Fri Nov 20 11:42:00 2026\n');
const mbox = (path: string, message: string, over: Partial<MboxOptions> = {}) =>
  appendMbox({
    path,
    pieces: mboxMessage([Buffer.from(message)], FROM),
    mode: 0o600,
    isDotLocked: true,
    kernelLocks: NO_KERNEL_LOCKS,
    signal: new AbortController().signal,
    lock: { attempts: 2, sleepMs: 1 },
    ...over,
  });

const CASES: readonly (readonly [string, string, string])[] = [
  ['a line that begins with From is quoted', 'A: b\n\nFrom here\n', 'A: b\n\n>From here\n\n'],
  ['also the first of the body, and one after the other', 'A: b\n\nFrom x\nFrom y\n', 'A: b\n\n>From x\n>From y\n\n'],
  ['but not within a line, nor a quoted one, nor Fromage', 'A: b\n\nsee From\n>From x\nFromage\n', 'A: b\n\nsee From\n>From x\nFromage\n\n'],
  ['a last line without an end gets one', 'A: b\n\nlast', 'A: b\n\nlast\n\n'],
  ['an empty body', 'A: b\n\n', 'A: b\n\n\n'],
  ['the file may end in the middle of the word', 'A: b\n\nFrom', 'A: b\n\nFrom\n\n'],
];
for (const [name, message, expected] of CASES)
  test(`mbox: ${name}`, () => assert.equal(Buffer.concat(mboxMessage([Buffer.from(message)], FROM)).toString(), FROM.toString() + expected));

test('mbox: a message that brings its From_ line keeps it', () => {
  assert.equal(Buffer.concat(mboxMessage([Buffer.from('From x\nA: b\n\nFrom y\n')], FROM)).toString(), 'From x\nA: b\n\n>From y\n\n');
});

test('mbox: whatever is written, a reader finds as many messages as were written', () => {
  const line = fc.oneof(
    fc.constantFrom('From ', 'From x', '>From ', '', 'From', ' From '),
    fc.string({ maxLength: 12 }).map((s) => s.replace(/[\r\n]/g, '')),
  );
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 8 }), { maxLength: 5 }), fc.integer({ min: 1, max: 20 }), (messages, cut) => {
      const bytes = messages.map((lines) => Buffer.from(`A: b\n\n${lines.join('\n')}`));
      const all = Buffer.concat(bytes.flatMap((one) => mboxMessage([one.subarray(0, cut), one.subarray(cut)], FROM))).toString();
      const found = all === '' ? 0 : `\n\n${all}`.split(/\n\nFrom a@b\.test {2}/).length - 1;
      assert.equal(found, messages.length);
      assert.equal((`\n${all}`.match(/\nFrom /g) ?? []).length, messages.length);
    }),
    { seed: 4, numRuns: 300 },
  );
});

test('From_ line: as asctime writes it, MAILER-DAEMON for nobody, never a second line', () => {
  const { TZ } = process.env;
  process.env['TZ'] = 'UTC';
  assert.equal(fromLine('a@b.test', Date.UTC(2026, 0, 5, 6, 7, 8)).toString(), 'From a@b.test  Mon Jan  5 06:07:08 2026\n');
  assert.equal(fromLine(null, AT).toString(), 'From MAILER-DAEMON  Fri Nov 20 11:42:00 2026\n');
  assert.equal(fromLine('a b\nc@d.test', AT).toString(), 'From a_b_c@d.test  Fri Nov 20 11:42:00 2026\n');
  if (TZ === undefined) delete process.env['TZ'];
  else process.env['TZ'] = TZ;
});

test('mbox: appended, mode 0600, lock file gone', async () => {
  const path = fresh();
  for (const message of ['A: 1\n\nx\n', 'A: 2\n\ny\n']) assert.equal((await mbox(path, message)).kind, 'stored');
  assert.equal(text(path), `${FROM}A: 1\n\nx\n\n${FROM}A: 2\n\ny\n\n`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(existsSync(`${path}.lock`), false);
});

test('mbox: a lock of somebody else defers, a stale one is taken over', async () => {
  const path = fresh();
  writeFileSync(`${path}.lock`, '1');
  const busy = await mbox(path, 'A: 1\n\nx\n');
  assert.deepEqual(busy.kind === 'failed' && [busy.code, busy.enhanced, busy.isTemporary], [451, '4.2.0', true]);
  utimesSync(`${path}.lock`, new Date(0), new Date(0));
  const old = await mbox(path, 'A: 1\n\nx\n', { lock: { attempts: 1, sleepMs: 1, staleSeconds: 500 } });
  assert.equal(old.kind, 'failed', 'its ctime is of now: a clock that was set does not count');
});

test('mbox: directories, links, second names, fifos and executables are refused; /dev/null takes all', async () => {
  const made: [string, (path: string) => void, Partial<MboxOptions>?][] = [
    ['a directory', (path) => mkdirSync(path)],
    ['a dangling link', (path) => symlinkSync('/nowhere/at/all', path)],
    [
      'a link',
      (path) => {
        writeFileSync(`${path}.target`, '');
        symlinkSync(`${path}.target`, path);
        // A folder that others may write to: a link in it is not to be trusted, whoever made it.
        chmodSync(folder, 0o777);
      },
    ],
    [
      'a file of two names',
      (path) => {
        writeFileSync(path, '');
        linkSync(path, `${path}.other`);
      },
    ],
    ['an executable', (path) => writeFileSync(path, '', { mode: 0o700 }), { refusesExecutable: true }],
  ];
  for (const [name, make, over] of made) {
    const path = fresh();
    make(path);
    const result = await mbox(path, 'A: b\n\n', over);
    assert.deepEqual([name, result.kind, result.kind === 'failed' && result.isTemporary], [name, 'failed', false]);
  }
  assert.equal((await mbox('/dev/null', 'A: b\n\n')).kind, 'stored');
});

test('mbox: a write that fails half way leaves the file as it was', async () => {
  const path = fresh();
  await mbox(path, 'A: 1\n\nx\n');
  const before = text(path);
  const bad = { length: 5 } as unknown as Uint8Array; // writev refuses it after the first batch
  const pieces = [...Array.from({ length: 600 }, () => Buffer.from('line\n')), bad];
  const result = await appendMbox({ path, pieces, mode: 0o600, isDotLocked: true, kernelLocks: NO_KERNEL_LOCKS, signal: new AbortController().signal });
  assert.equal(result.kind, 'failed');
  assert.equal(text(path), before);
});

test('fcntl locks: held against another process, released, and had again', async () => {
  const path = fresh();
  writeFileSync(path, 'x');
  const [a, b] = [kernelLocks(), kernelLocks()];
  assert.equal(await a.take(path), 'taken');
  assert.equal(await b.take(path), 'busy');
  await a.release(path);
  assert.equal(await b.take(path), 'taken');
  a.close();
  b.close();
  assert.equal(await kernelLocks('/no/such/perl').take(path), 'none');
});

test('dot-lock: one has it, then the next', () => {
  const path = fresh();
  assert.equal(tryDotLock(path, 0), 'taken');
  assert.equal(tryDotLock(path, 0), 'busy');
  releaseDotLock(path);
  assert.equal(tryDotLock(path, 0), 'taken');
  assert.equal(tryDotLock('/nowhere/at/all.lock', 0), 'denied');
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.lk')),
    [],
  );
});

test('a lock is asked for soon again at first, and for as long as the tries take', async () => {
  assert.deepEqual([...waits(3, 100)], [10, 20, 40, 80, 50]);
  assert.deepEqual([...waits(2, 1)], [1]);
  assert.deepEqual([...waits(1, 1000)], []);
  const path = join(mkdtempSync(join(tmpdir(), 'posthorn-lock-')), 'inbox.lock');
  assert.equal(tryDotLock(path, 0), 'taken');
  const slept: number[] = [];
  const wait = async (ms: number): Promise<void> => {
    slept.push(ms);
    if (slept.length === 2) releaseDotLock(path);
  };
  const options = { attempts: 20, sleepMs: 1000, staleSeconds: 0, signal: new AbortController().signal, sleep: wait };
  assert.equal(await takeDotLock(path, options), 'taken');
  assert.deepEqual(slept, [10, 20]);
  rmSync(dirname(path), { recursive: true });
});

test('sleep ends at once when it is aborted', async () => {
  await sleep(1_000_000, AbortSignal.abort());
});

const maildir = (path: string, message = 'A: b\n\nx\n', over = {}) => deliverMaildir({ path, pieces: [Buffer.from(message)], at: AT, quota: null, ...over });

test('maildir: made when missing, the file in new/ with its size in its name, nothing in tmp/', () => {
  const path = fresh();
  const result = maildir(path);
  assert.equal(result.kind, 'stored');
  const [name] = readdirSync(join(path, 'new'));
  assert.match(name!, /^\d{10}\.M\d+P\d+Q\d+\.[^,:]+,S=8$/);
  assert.equal(text(join(path, 'new', name!)), 'A: b\n\nx\n');
  assert.deepEqual([readdirSync(join(path, 'tmp')), readdirSync(join(path, 'cur'))], [[], []]);
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('maildir: names are unique, and hold no slash, colon or comma of the host name', () => {
  const names = Array.from({ length: 1000 }, () => maildirName(AT, 'a/b:c,d'));
  assert.equal(new Set(names).size, 1000);
  assert.match(names[0]!, /\.a\\057b\\072c\\054d$/);
});

test('maildir: names tell the order of delivery, also across the end of a second and within a millisecond', () => {
  const second = AT - (AT % 1000);
  const times = [second + 960, second + 999, second + 999, second + 1000, second + 1000, second + 2004].map((now) => {
    const [, seconds, micros] = /^(\d+)\.M(\d+)P/.exec(maildirName(now))!;
    return Number(seconds) * 1_000_000 + Number(micros);
  });
  assert.deepEqual(
    times.map((time) => time - second * 1000),
    [960_000, 999_000, 999_001, 1_000_000, 1_000_001, 2_004_000],
  );
});

test('maildir: a folder is a subdirectory with a dot that says what it is', () => {
  const path = fresh();
  maildir(path);
  const sub = maildirFolder(path, 'Lists/Caf\u00e9.x');
  assert.equal(sub, join(path, '.Lists.Caf&AOk-_x'));
  assert.equal(maildir(sub).kind, 'stored');
  assert.equal(existsSync(join(sub, 'maildirfolder')), true);
  assert.equal(maildirFolder(path, 'inbox'), path);
  assert.equal(maildirFolder(path, '../../etc'), join(path, '.__.__.etc'));
  assert.equal(modifiedUtf7('a&b'), 'a&-b');
});

test('maildir: flags put a message into cur/', () => {
  const path = fresh();
  maildir(path, 'A: b\n\n', { flags: 'FS/../' });
  assert.match(readdirSync(join(path, 'cur'))[0]!, /:2,FS$/);
});

test('Maildir++ quota: kept in maildirsize, over it is deferred, and counted again when mail was deleted', () => {
  const path = fresh();
  const quota = { bytes: 30, messages: 0 };
  for (let i = 0; i < 3; i += 1) assert.equal(maildir(path, 'A: b\n\nx\n', { quota }).kind, 'stored');
  assert.match(text(join(path, 'maildirsize')), /^30S\n/);
  const over = maildir(path, 'A: b\n\nx\n', { quota });
  assert.deepEqual(over.kind === 'failed' && [over.code, over.enhanced], [452, '4.2.2']);
  for (const name of readdirSync(join(path, 'new')).slice(1)) rmSync(join(path, 'new', name));
  utimesSync(join(path, 'maildirsize'), new Date(0), new Date(0));
  assert.equal(maildir(path, 'A: b\n\nx\n', { quota }).kind, 'stored');
  // The user's own file counts where the administrator gives no quota.
  assert.deepEqual([maildir(path).kind, maildir(path).kind], ['stored', 'failed']);
});

test('Maildir++ quota: a message that is there is delivered, whether or not it could be counted', () => {
  const path = fresh();
  assert.equal(maildir(path).kind, 'stored');
  writeFileSync(join(path, 'maildirsize'), '100000S\n           0            0\n');
  chmodSync(join(path, 'maildirsize'), 0o444);
  asNobody([folder, path, join(path, 'tmp'), join(path, 'new')], () => {
    assert.equal(maildir(path).kind, 'stored');
    assert.equal(readdirSync(join(path, 'new')).length, 2);
  });
});

/** Root may write to everything; nobody may not. */
function asNobody(folders: readonly string[], work: () => void): void {
  const self = process as unknown as { getuid(): number; seteuid(id: number): void };
  if (self.getuid() !== 0) return work();
  for (const one of folders) chmodSync(one, 0o777);
  self.seteuid(65534);
  try {
    work();
  } finally {
    self.seteuid(0);
  }
}

test('Maildir++ quota: its first line in either order, or nothing', () => {
  assert.deepEqual(parseQuota('10C,2000S'), { bytes: 2000, messages: 10 });
  assert.deepEqual(parseQuota('2000S'), { bytes: 2000, messages: 0 });
  for (const wrong of ['', 'x', '10', '10S,,5C', '-1S']) assert.equal(parseQuota(wrong), null, wrong);
});

test('MH folders number, directories name; links are the same file', () => {
  const [mh, plain, box] = [fresh(), fresh(), fresh()];
  const deliver = () =>
    deliverFolder({
      path: mh,
      format: 'mh',
      pieces: [Buffer.from('A: b\n\n')],
      at: AT,
      mode: 0o600,
      directoryMode: 0o700,
      links: [
        { path: plain, format: 'directory' },
        { path: box, format: 'maildir' },
      ],
    });
  assert.equal(deliver().kind, 'stored');
  writeFileSync(join(mh, '41'), '');
  assert.equal(deliver().kind, 'stored');
  assert.deepEqual(readdirSync(mh).sort(), ['1', '41', '42']);
  assert.ok(readdirSync(plain).every((name) => name.startsWith('msg.')));
  assert.equal(statSync(join(mh, '42')).nlink, 3);
  assert.deepEqual(
    [folderKind(mh), folderKind(box), folderKind('/dev/null'), folderKind(join(mh, '1')), folderKind(fresh())],
    ['directory', 'maildir', 'other', 'file', null],
  );
});

test('errors of the disk: full and passing ones defer, the others fail', () => {
  const of = (code: string) => storeFailure(Object.assign(new Error('x'), { code }), 'it');
  for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) assert.equal(of(code).enhanced, '4.2.2', code);
  for (const code of ['EAGAIN', 'ESTALE', 'EIO', 'EROFS', 'ENOMEM']) assert.equal(of(code).isTemporary, true, code);
  for (const code of ['EACCES', 'ENOTDIR', 'ELOOP', 'EISDIR']) assert.equal(of(code).isTemporary, false, code);
});
