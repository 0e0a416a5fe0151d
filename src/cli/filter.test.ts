import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Action, ask, type FilterInput, type FilterRun } from '../deliver/filters/filter.ts';
import { FLAG } from '../ports.ts';
import type { CliHooks } from './context.ts';
import { dryRun } from './filter-dry.ts';
import { languageOf } from './filter-languages.ts';
import { actionWords } from './filter-words.ts';
import type { CliIo } from './io.ts';
import { runCli } from './program.ts';

const MESSAGE = [
  'Return-Path: <sender@example.net>',
  'From: Sender <sender@example.net>',
  'To: list@example.org',
  'Subject: [list] a message',
  'List-Id: <list.example.org>',
  '',
  'Hello.',
  '',
].join('\n');

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'posthorn-filter-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries({ 'posthorn.toml': 'hostname = "mx.example.org"\ndomain = "example.org"\ndataDir = "data"\n', ...files }))
    writeFileSync(join(path, name), text, { mode: 0o600 });
  return path;
}

/** `posthorn filter test SCRIPT …` with the message above on the standard input. */
async function filterTest(directory: string, script: string, ...more: string[]): Promise<{ code: number; out: string; err: string }> {
  const result = { code: 0, out: '', err: '' };
  const io = {
    print: (text: string) => void (result.out += `${text}\n`),
    note: (text: string) => void (result.err += `${text}\n`),
    readInput: () => Buffer.from(MESSAGE),
  } as unknown as CliIo;
  const argv = ['--config', join(directory, 'posthorn.toml'), 'filter', 'test', join(directory, script), '-', '--user', 'anna', '--home', directory, ...more];
  result.code = await runCli(argv, {} as CliHooks, io);
  process.exitCode = 0;
  return { ...result, out: result.out.replaceAll(`${directory}/`, ''), err: result.err.replaceAll(`${directory}/`, '') };
}

test('the language is known by the name of the file', () => {
  for (const [file, language] of [
    ['/home/a/main.sieve', 'sieve'],
    ['.procmailrc', 'procmail'],
    ['/etc/procmailrcs/x', null],
    ['rc.lists', 'procmail'],
    ['.mailfilter', 'maildrop'],
    ['/etc/maildroprc', 'maildrop'],
    ['.forward+list', 'forward'],
    ['.qmail-default', 'qmail'],
    ['script.txt', null],
  ] as const)
    assert.equal(languageOf(file), language, file);
});

const ORIGIN = { file: 'x', line: 1 };
const base = { origin: ORIGIN, message: null };
for (const [words, action] of [
  ['keep it in the inbox: no rule said otherwise', { ...base, kind: 'keep', flags: null, isImplicit: true }],
  [
    'keep it in the inbox, marked \\Seen \\Flagged $Work',
    { ...base, kind: 'keep', flags: { flags: FLAG.seen | FLAG.flagged, keywords: ['$Work'] }, isImplicit: false },
  ],
  ['file it into "Lists/A", made when it is missing', { ...base, kind: 'fileInto', mailbox: 'Lists/A', flags: null, isCreated: true, specialUse: null }],
  ['file it into "Spam", or the mailbox that is \\Junk', { ...base, kind: 'fileInto', mailbox: 'Spam', flags: null, isCreated: false, specialUse: '\\Junk' }],
  ['send it on to b@example.net', { ...base, kind: 'redirect', address: { local: 'b', domain: 'example.net' }, sender: null, dsn: null }],
  ['refuse it at the door, saying "no thanks"', { ...base, kind: 'reject', text: 'no\r\nthanks', variant: 'ereject' }],
  ['throw it away [the message is changed: header]', { ...base, kind: 'discard', message: { header: Buffer.from('A: b\r\n\r\n'), body: null } }],
  [
    'answer the sender with the subject "Away", once in 7 days: "Until Monday"',
    {
      ...base,
      kind: 'vacation',
      subject: 'Away',
      from: null,
      addresses: [],
      handle: 'h',
      isMime: false,
      text: 'Until Monday',
      periodSeconds: 604_800,
      fcc: null,
    },
  ],
] satisfies [string, Action][])
  test(`in words: ${words}`, () => assert.equal(actionWords(action), words));

test('a dry run takes actions for done, starts nothing, and ends what goes in circles', async () => {
  const input = { header: Buffer.from('A: b\n\n'), body: Buffer.from('body'), size: 10 } as unknown as FilterInput;
  function* run(): FilterRun {
    assert.deepEqual(yield* ask({ kind: 'act', action: { ...base, kind: 'discard' } }), { isDone: true, problem: null, exit: 0, stored: undefined });
    const command = { kind: 'shell', line: 'rm -rf /' } as const;
    const ran = yield* ask({
      kind: 'run',
      origin: ORIGIN,
      command,
      input: null,
      wantsOutput: true,
      outputMax: 1,
      environment: {},
      timeoutMs: null,
      umask: null,
    });
    assert.equal(ran.exit, 0);
    assert.equal(Buffer.from(yield* ask({ kind: 'bytes', from: 3, to: 8 })).toString(), 'b\n\nbo');
    assert.equal(yield* ask({ kind: 'file', path: '/nonexistent/file', bytesMax: 10 }), null);
    assert.equal(yield* ask({ kind: 'file', path: '/dev/zero', bytesMax: 10 }), null);
    assert.equal(yield* ask({ kind: 'script', location: 'personal', name: '../../etc/passwd' }), null);
    assert.equal(yield* ask({ kind: 'environment', name: 'HOME' }), '/home/a');
    assert.equal(yield* ask({ kind: 'environment', name: 'PATH' }), null);
    for (;;) yield* ask({ kind: 'lock', path: 'x', style: 'dot', sleepSeconds: 1, staleSeconds: 1 });
  }
  const { steps, end } = await dryRun(run(), input, { directory: '/', scriptDirectory: '/', environment: { HOME: '/home/a' } });
  assert.deepEqual(
    steps.map(({ text }) => text),
    ['throw it away', '(not started: rm -rf /; it is taken to succeed and to print nothing)'],
  );
  assert.equal(end.kind, 'failed');
});

test('a Sieve script, its includes, and what is wrong with one', async (t) => {
  const directory = folder(t, {
    'main.sieve': [
      'require ["fileinto", "imap4flags", "include", "vacation", "mailbox"];',
      'if header :contains "List-Id" "list" {',
      '  fileinto :create :flags "\\\\Seen" "Lists";',
      '}',
      'include :personal "away";',
      'redirect "bob@example.net";',
      '',
    ].join('\n'),
    'away.sieve': 'require "vacation";\nvacation :days 3 :subject "Away" "Until Monday";\n',
    'plain.sieve': 'if size :over 1M { discard; }\n',
    'wrong.sieve': 'keep;\nfoo;\n',
    'fails.sieve': 'require "include";\ninclude :personal "missing";\n',
  });
  const { code, out } = await filterTest(directory, 'main.sieve', '--to', 'anna@example.org');
  assert.equal(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines[0], 'main.sieve:3  file it into "Lists", made when it is missing, marked \\Seen');
  assert.match(lines[1]!, /:2 {2}answer the sender with the subject "Away", once in 3 days: "Until Monday"$/);
  assert.equal(lines[2], 'main.sieve:6  send it on to bob@example.net');
  assert.equal((await filterTest(directory, 'plain.sieve')).out, 'plain.sieve (end)  keep it in the inbox: no rule said otherwise\n');
  assert.match((await filterTest(directory, 'wrong.sieve')).err, /^wrong\.sieve:2: /);
  const failed = await filterTest(directory, 'fails.sieve');
  assert.match(failed.err, /^It fails, and the message is kept: fails\.sieve:2: /);
  assert.match((await filterTest(directory, 'plain.sieve', '--json')).out, /^\{"file":"plain\.sieve","line":0,"kind":"keep"/);
});

test('a .forward file', async (t) => {
  const directory = folder(t, { '.forward': 'bob@example.net,\n"|/usr/bin/vacation anna"\n\\anna\n' });
  const { code, out } = await filterTest(directory, '.forward');
  assert.equal(code, 0);
  assert.equal(
    out,
    '.forward:1  send it on to bob@example.net\n.forward:2  give it to the program: /usr/bin/vacation anna\n.forward:3  keep it in the inbox\n',
  );
});

test('a .mailfilter', async (t) => {
  const directory = folder(t, { '.mailfilter': 'if (/^List-Id: <list/)\n{\n  to "Maildir/.list/"\n}\nto "!bob@example.net"\n' });
  assert.match((await filterTest(directory, '.mailfilter')).out, /^\.mailfilter:3 {2}leave it in the queue/, 'maildrop makes no maildirs');
  for (const part of ['tmp', 'new', 'cur']) mkdirSync(join(directory, 'Maildir/.list', part), { recursive: true });
  assert.match((await filterTest(directory, '.mailfilter')).out, /^\.mailfilter:3 {2}store it in Maildir\/\.list\/? \((maildir|mbox|directory)\)/);
  const broken = folder(t, { '.mailfilter': 'if (/x/\n' });
  const { code, err } = await filterTest(broken, '.mailfilter');
  assert.equal(code, 1);
  assert.match(err, /^\.mailfilter:\d+: /);
});

test('a .procmailrc', async (t) => {
  const directory = folder(t, { '.procmailrc': 'MAILDIR=$HOME/Mail\n:0:\n* ^List-Id:.*list\nlists\n\n:0 c\n! bob@example.net\n' });
  const { out } = await filterTest(directory, '.procmailrc');
  assert.match(out, /^\.procmailrc:\d {2}store it in .*lists \(mbox\)/m);
  const copied = folder(t, { '.procmailrc': ':0 c\n! bob@example.net\n' });
  assert.match((await filterTest(copied, '.procmailrc')).out, /^\.procmailrc:\d {2}(send it on to bob@example\.net|give it to the program: .*sendmail)/m);
});

test('a .qmail file', async (t) => {
  const directory = folder(t, { '.qmail': '# comment\n&bob@example.net\n|cat >/dev/null\n' });
  const { out } = await filterTest(directory, '.qmail', '--to', 'anna@example.org');
  assert.match(out, /qmail:2 {2}send it on to bob@example\.net/);
  assert.match(out, /qmail:3 {2}.*cat >\/dev\/null/);
});

test('what cannot be tried is said in a sentence', async (t) => {
  const directory = folder(t, { 'script.txt': 'keep;\n' });
  assert.match((await filterTest(directory, 'script.txt')).err, /Please give --language: sieve, procmail, maildrop, forward, qmail/);
  assert.match((await filterTest(directory, 'script.txt', '--language', 'perl')).err, /There is no filter language "perl"/);
  assert.match((await filterTest(directory, 'none.sieve')).err, /There is no file none\.sieve\./);
  assert.match((await filterTest(directory, 'script.txt', '--language', 'sieve', '--from', 'not an address')).err, /no address for --from/);
});
