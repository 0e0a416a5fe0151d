import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { banner } from './banner.ts';
import { checkRuntime, isVersionAtLeast, prepareDataDir, remoteFileSystem } from './checks.ts';
import { parseListenAddress, wrongListenAddress } from './listen-address.ts';
import { systemRules, wrongHostName } from './settings.ts';

test('the first start says everything once', () => {
  const facts = {
    version: '0.1.0',
    listen: { smtp: ['127.0.0.1:2525'], imaps: ['127.0.0.1:1993', '[::1]:1993'], pop3: [] },
    account: { login: 'me@example.test', password: 'one-two-three' },
    dataDir: '/home/me/posthorn/data',
    file: null,
  };
  const text = banner(facts, 'bin/posthorn.mjs');
  assert.equal(
    text,
    [
      '┌───────────────────────────────────────────────────────────────────────────────────────────┐',
      '│ Posthorn 0.1.0 is running.                                                                │',
      '│                                                                                           │',
      '│ SMTP         127.0.0.1:2525                mail from other servers                        │',
      '│ IMAPS        127.0.0.1:1993, [::1]:1993    reading, TLS                                   │',
      '│                                                                                           │',
      '│ User         me@example.test                                                              │',
      '│ Password     one-two-three                                                                │',
      '│              (shown once; change it with: bin/posthorn.mjs user passwd me@example.test)   │',
      '│                                                                                           │',
      '│ Try:                                                                                      │',
      "│   printf 'Subject: Hello\\n\\nIt works.\\n' | curl --crlf -T - \\                             │",
      '│     --mail-from you@example.net --mail-rcpt me@example.test smtp://127.0.0.1:2525         │',
      '│   curl --insecure --user me@example.test \\                                                │',
      '│     "imaps://127.0.0.1:1993/INBOX;MAILINDEX=1"                                            │',
      '│                                                                                           │',
      '│ Data         /home/me/posthorn/data                                                       │',
      '│ Settings     none: a profile for trying out; "bin/posthorn.mjs init" writes posthorn.toml │',
      '│ Commands     bin/posthorn.mjs --help                                                      │',
      '│ Stop with    Ctrl-C or: bin/posthorn.mjs stop                                             │',
      '└───────────────────────────────────────────────────────────────────────────────────────────┘',
      '',
    ].join('\n'),
  );
});

test('the SQLite of this runtime keeps mail safe; older ones are refused', () => {
  checkRuntime();
  assert.throws(() => checkRuntime('3.51.2'), /brings SQLite 3\.51\.2, but 3\.51\.3 or newer is needed/);
  assert.throws(() => checkRuntime('3.9.99'), /3\.9\.99/);
  assert.equal(isVersionAtLeast('3.51.3', '3.51.3'), true);
  assert.equal(isVersionAtLeast('3.100.0', '3.51.3'), true);
  assert.equal(isVersionAtLeast('4.0', '3.51.3'), true);
  assert.equal(isVersionAtLeast('3.51', '3.51.3'), false);
});

test('file systems on which locks do not work are known by their numbers', () => {
  assert.equal(remoteFileSystem(0x6969), 'NFS');
  assert.equal(remoteFileSystem(-11317950), 'CIFS'); // f_type is signed on some machines
  assert.equal(remoteFileSystem(0xff534d42), 'CIFS');
  assert.equal(remoteFileSystem(0x65735546n), 'FUSE');
  assert.equal(remoteFileSystem(0xef53), null);
});

test('the data folder is made closed, and closed when it was open', (t) => {
  const base = mkdtempSync(join(tmpdir(), 'posthorn-data-'));
  t.after(() => rmSync(base, { recursive: true }));
  const fresh = join(base, 'a', 'b');
  prepareDataDir(fresh);
  assert.equal(statSync(fresh).mode & 0o777, 0o711);
  const open = join(base, 'open');
  mkdirSync(open, { mode: 0o755 });
  prepareDataDir(open);
  assert.equal(statSync(open).mode & 0o777, 0o711);
  // The folder can be passed through: a database made under an ordinary umask must be closed by itself.
  writeFileSync(join(open, 'store.db'), '', { mode: 0o644 });
  prepareDataDir(open);
  assert.equal(statSync(join(open, 'store.db')).mode & 0o777, 0o600);
  writeFileSync(join(base, 'file'), '');
  assert.throws(() => prepareDataDir(join(base, 'file')), /cannot be made|is not a folder/);
});

const ADDRESSES: [string, object | null][] = [
  ['127.0.0.1:25', { host: '127.0.0.1', port: 25 }],
  ['[::]:25', { host: '::', port: 25 }],
  ['[2001:db8::1]:0', { host: '2001:db8::1', port: 0 }],
  ['*:25', { host: '::', port: 25 }],
  ['localhost:2525', { host: 'localhost', port: 2525 }],
  ['unix:/run/lmtp.sock', { path: '/run/lmtp.sock' }],
  ['unix:lmtp.sock', null],
  ['unix:/', null],
  [`unix:/${'x'.repeat(120)}`, null],
  ['25', null],
  [':25', null],
  ['::1:25', null],
  ['[::1]', null],
  ['[1.2.3.4]:25', null],
  ['1.2.3:25', null],
  ['127.0.0.1:65536', null],
  ['127.0.0.1:-1', null],
  ['127.0.0.1:25 ', null],
  ['', null],
];
for (const [text, expected] of ADDRESSES) {
  test(`listening address ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseListenAddress(text), expected);
    assert.equal(wrongListenAddress(text) === undefined, expected !== null);
  });
}

const NAMES: [string, boolean][] = [
  ['mail.example.org', true],
  ['localhost', true],
  ['xn--mller-kva.example', true],
  ['müller.example', false],
  ['a..b', false],
  ['.a', false],
  ['a.', false],
  ['-a.b', false],
  ['a-.b', false],
  ['192.0.2.1', false],
  ['a b', false],
  ['', false],
  [`${'a'.repeat(64)}.example`, false],
  [`${'a.'.repeat(127)}a`, false],
];
for (const [name, isGood] of NAMES)
  test(`host name ${JSON.stringify(name.slice(0, 40))} is ${isGood ? 'taken' : 'refused'}`, () => assert.equal(wrongHostName(name) === undefined, isGood));

test('a certificate without its key, a key without its certificate, and more of them without a first are refused', () => {
  const keys = (certificate: string, key: string, more: string[]): string[] =>
    systemRules({ 'tls.certificate': certificate, 'tls.key': key, 'tls.certificates': more } as never).map((wrong) => wrong.key);
  assert.deepEqual(keys('', '', []), []);
  assert.deepEqual(keys('c', 'k', ['a b']), []);
  assert.deepEqual(keys('c', '', []), ['tls.certificate']);
  assert.deepEqual(keys('', 'k', []), ['tls.key']);
  assert.deepEqual(keys('', '', ['a b']), ['tls.certificates']);
});
