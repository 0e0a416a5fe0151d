import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Admin } from '../ports.ts';
import type { CliHooks } from './context.ts';
import type { CliIo } from './io.ts';
import { runCli } from './program.ts';

const MESSAGE = [
  'Return-Path: <sender@example.net>',
  'From: Sender <sender@example.net>',
  'To: anna@example.org',
  'Subject: hello',
  'Message-ID: <1@example.net>',
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

async function posthorn(directory: string, words: readonly string[], hooks: Partial<CliHooks> = {}): Promise<{ code: number; out: string; err: string }> {
  const result = { code: 0, out: '', err: '' };
  const io = {
    print: (text: string) => void (result.out += `${text}\n`),
    note: (text: string) => void (result.err += `${text}\n`),
    readInput: () => Buffer.from(MESSAGE),
  } as unknown as CliIo;
  result.code = await runCli(['--config', join(directory, 'posthorn.toml'), 'filter', ...words], hooks as CliHooks, io);
  process.exitCode = 0;
  return { ...result, out: result.out.replaceAll(`${directory}/`, ''), err: result.err.replaceAll(`${directory}/`, '') };
}

// ── test ─────────────────────────────────────────────────────────────────────────────────────────────

const PROGRAMS = 'WORD=`printf %s found`\n:0 fhw\n| sed s/hello/goodbye/\n\n:0\n* ? true\n* ^Subject: goodbye\n* ! ? false\n$WORD/\n\n:0\n| touch started\n';

test('programs are started with --run, but never those that get the message', async (t) => {
  const directory = folder(t, { 'rc.procmailrc': PROGRAMS });
  const words = ['test', join(directory, 'rc.procmailrc'), '-', '--home', directory, '--alone'];
  const assumed = await posthorn(directory, words);
  assert.equal(
    assumed.out.split('\n').slice(0, 3).join('\n'),
    [
      'rc.procmailrc:1  (not started: printf %s found; it is taken to succeed and to print nothing)',
      'rc.procmailrc:3  (not started: sed s/hello/goodbye/; it is taken to succeed and to change nothing)',
      'rc.procmailrc:5  (not started: true; it is taken to succeed)',
    ].join('\n'),
  );
  assert.match(assumed.out, /:12 {2}give it to the program: touch started\n$/);
  const run = await posthorn(directory, [...words, '--run', '--variables']);
  assert.deepEqual(run.out.trimEnd().split('\n'), [
    'rc.procmailrc:1  (started: printf %s found; it ended with 0, it printed 5 bytes)',
    'rc.procmailrc:3  (started: sed s/hello/goodbye/; it ended with 0, it printed 184 bytes)',
    'rc.procmailrc:5  (started: true; it ended with 0)',
    'rc.procmailrc:5  (started: false; it ended with 1)',
    'rc.procmailrc:9  store it in found (maildir) [the message is changed: header]',
    'LASTFOLDER=found',
    'WORD=found',
  ]);
});

test('root does not start what another user wrote', async (t) => {
  const directory = folder(t, { '.procmailrc': ':0\n* ? true\nx\n' });
  const { code, err } = await posthorn(directory, ['test', join(directory, '.procmailrc'), '-', '--user', 'anna', '--home', directory, '--run']);
  if (process.geteuid!() === 0) {
    assert.equal(code, 1);
    assert.match(err, /rights of root. Please try it as its owner: runuser -u anna/);
  } else assert.equal(code, 0);
});

test('--score gives the message what the judge would have written, and Sieve its score', async (t) => {
  const directory = folder(t, {
    'rc.procmailrc': ':0\n* ^X-Spam-Flag: YES\nspam/\n',
    'spam.sieve':
      'require ["spamtest", "relational", "comparator-i;ascii-numeric", "fileinto"];\nif spamtest :value "ge" :comparator "i;ascii-numeric" "5" { fileinto "Spam"; }\n',
  });
  const spam = async (file: string, score: string): Promise<string> =>
    (await posthorn(directory, ['test', join(directory, file), '-', '--home', directory, '--alone', '--score', score])).out;
  assert.match(await spam('rc.procmailrc', '7.5'), /store it in spam \(maildir\)/);
  assert.doesNotMatch(await spam('rc.procmailrc', '2'), /spam \(maildir\)/);
  assert.match(await spam('spam.sieve', '9'), /file it into "Spam"/);
  assert.match(await spam('spam.sieve', '-1'), /keep it in the inbox/);
  assert.match((await posthorn(directory, ['test', join(directory, 'spam.sieve'), '-', '--score', 'high'])).err, /"high" is no number for --score/);
});

/** A server with scripts of its own, of a domain and of a user. */
const SCRIPTS: Readonly<Record<string, Readonly<Record<string, readonly [place: string, text: string]>>>> = {
  global: {
    first: ['before', 'require "fileinto";\nif header :is "subject" "bad" { discard; stop; }\n'],
    last: ['after', 'require ["fileinto", "copy"];\nfileinto :copy "Everything";\n'],
    shared: ['include', 'require "imap4flags";\naddflag "$Shared";\n'],
  },
  'example.org': { archive: ['after', 'require ["fileinto", "copy"];\nfileinto :copy "Archive";\n'] },
  'anna@example.org': { helper: ['personal', 'require ["fileinto", "copy"];\nfileinto :copy "Helped";\n'] },
};
const admin: Admin = {
  call: async (name, given) => {
    const args = given as { owner: string; name: string };
    const scripts = SCRIPTS[args.owner];
    if (scripts === undefined) throw new Error(`${args.owner} is no domain of this server.`);
    if (name === 'sieve.list') return Object.entries(scripts).map(([script, [place]]) => ({ name: script, place }));
    assert.equal(name, 'sieve.get');
    return { text: scripts[args.name]![1] };
  },
  close: async () => {},
};
const hooks: Partial<CliHooks> = { openLocalAdmin: async () => admin };

test('the scripts of the domain and the server run around that of --user, and can be included', async (t) => {
  const directory = folder(t, { 'mine.sieve': 'require "include";\ninclude :personal "helper";\ninclude :global "shared";\nkeep;\n' });
  const words = ['test', join(directory, 'mine.sieve'), '-', '--user', 'anna@example.org'];
  assert.deepEqual((await posthorn(directory, words, hooks)).out.trimEnd().split('\n'), [
    'mine.sieve:helper:2  file it into "Helped"',
    'sieve:example.org/archive:2  file it into "Archive", marked $Shared',
    'sieve:global/last:2  file it into "Everything", marked $Shared',
    'sieve:global/last (end)  keep it in the inbox, marked $Shared: no rule said otherwise',
  ]);
  const alone = await posthorn(directory, [...words, '--alone'], hooks);
  assert.match(alone.err, /helper/, 'nobody is asked for it');
  assert.match(
    (await posthorn(directory, ['test', join(directory, 'mine.sieve'), '-', '--user', 'bob@other.example'], hooks)).err,
    /other.example is no domain/,
  );
});

test('what only the server knows is assumed, and said', async (t) => {
  const directory = folder(t, {
    'x.sieve': 'require ["duplicate", "mailbox", "fileinto"];\nif duplicate { discard; }\nif mailboxexists "Lists" { fileinto "Lists"; }\n',
  });
  assert.equal(
    (await posthorn(directory, ['test', join(directory, 'x.sieve'), '-'])).out,
    '(assumed: a message like this was not seen before)\n(assumed: there is a mailbox "Lists")\nx.sieve:3  file it into "Lists"\n',
  );
});

test('formail -D has not seen the message', async (t) => {
  const directory = folder(t, { '.procmailrc': ':0 Wh: msgid.lock\n| formail -D 8192 msgid.cache\n:0\nx\n' });
  assert.equal(
    (await posthorn(directory, ['test', join(directory, '.procmailrc'), '-', '--home', directory, '--alone'])).out,
    '.procmailrc:2  (not started: formail -D 8192 msgid.cache; it is taken not to have seen the message before)\n.procmailrc:4  store it in x (mbox)\n',
  );
});

test('a file that everybody may write to is named', async (t) => {
  const directory = folder(t, { '.forward': 'bob@example.net\n' });
  const words = ['test', join(directory, '.forward'), '-', '--user', 'anna'];
  assert.equal((await posthorn(directory, words)).err, '');
  chmodSync(join(directory, '.forward'), 0o666);
  assert.equal((await posthorn(directory, words)).err, '.forward: everybody may write to this file, so mail would not be sorted by it\n');
});

// ── convert ──────────────────────────────────────────────────────────────────────────────────────────

test('a procmail file becomes a Sieve script, and what could not is told twice', async (t) => {
  const directory = folder(t, {
    '.procmailrc': 'MAILDIR=$HOME/Mail\n:0\n* ^List-Id:.*debian\nlists/debian/\n\n:0\n* ? test -e /tmp/x\nx\n\n:0 c\n! bob@example.net\n',
  });
  const { code, out, err } = await posthorn(directory, ['convert', join(directory, '.procmailrc')]);
  assert.equal(code, 0);
  assert.equal(
    out,
    [
      '# Written from .procmailrc (procmail) by "posthorn filter convert".',
      '',
      'require ["copy", "fileinto"];',
      '',
      'if header :contains "list-id" "debian" {',
      '    fileinto "lists/debian";',
      '    stop;',
      '}',
      '# line 6 is not converted: a program decides',
      'redirect :copy "bob@example.net";',
      '',
    ].join('\n'),
  );
  assert.equal(err, '.procmailrc:6: not converted: a program decides\n1 thing was left out; each has a comment in the script.\n');
});

test('--output writes a file that filter test takes', async (t) => {
  const directory = folder(t, {
    '.forward': '\\anna, bob@example.net\n',
    '.mailfilter': 'if (/^Subject: hello/)\n to "Maildir/.Greetings/"\n',
    '.qmail': '&bob@example.net\n',
  });
  for (const [file, done] of [
    ['.forward', '2  keep it in the inbox\n'],
    ['.mailfilter', 'file it into "Greetings"\n'],
    ['.qmail', 'send it on to bob@example.net\n'],
  ] as const) {
    const output = join(directory, `${file}.sieve`);
    const { out } = await posthorn(directory, ['convert', join(directory, file), '--user', 'anna', '--output', output]);
    assert.match(out, /^Written to .*Try it: posthorn filter test/);
    assert.match(readFileSync(output, 'utf8'), /^# Written from /);
    assert.match((await posthorn(directory, ['test', output, '-', '--language', 'sieve'])).out, new RegExp(done.replace(/^2/, '')));
  }
});

test('what cannot be converted at all is said in a sentence', async (t) => {
  const directory = folder(t, { 'a.sieve': 'keep;\n', '.mailfilter': 'if (\n', b: 'x' });
  mkdirSync(join(directory, 'c'));
  const errOf = async (file: string, ...more: string[]): Promise<string> => (await posthorn(directory, ['convert', join(directory, file), ...more])).err;
  assert.match(await errOf('a.sieve'), /a\.sieve is Sieve already/);
  assert.match(await errOf('.mailfilter'), /\.mailfilter:\d+: /);
  assert.match(await errOf('b'), /Please give --language/);
  assert.match(await errOf('none', '--language', 'qmail'), /There is no file none\./);
});

test('a server without the extensions says so', async (t) => {
  const directory = folder(t, {
    'posthorn.toml': 'hostname = "mx.example.org"\ndomain = "example.org"\ndataDir = "data"\n[sieve]\nextensions = ["-regex"]\n',
    '.procmailrc': ':0\n* ^Subject:.*[0-9]+$\nx\n',
  });
  const { code, err } = await posthorn(directory, ['convert', join(directory, '.procmailrc')]);
  assert.equal(code, 1);
  assert.match(err, /regex.*\n.*see sieve\.extensions/);
});
