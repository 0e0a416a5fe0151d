/** ManageSieve end to end: Debian's sieve-connect, a client in Python, the examples of RFC 5804, and Dovecot's server beside ours. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, type RunResult, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startDovecot } from './peers/dovecot.ts';
import { literal, ManageSieveClient, type SieveResponse } from './peers/managesieve-client.ts';

ownNetwork();

const USER = 'anna@us.test';
const PASSWORD = 'anna-password';

test('ManageSieve with real clients', async (t) => {
  const dir = tempDir(t, 'sieve');
  const files = await makeCertificate(dir, ['localhost', 'mx.us.test']);
  const server = await startPosthorn(t, {
    config: { tls: { certificate: files.certificate, key: files.key } },
    users: { [USER]: PASSWORD, 'bert@us.test': 'bert-password', 'py@us.test': 'py-password' },
  });

  await t.test('sieve-connect uploads, checks, lists, activates, downloads and deletes, in TLS that it verifies', async () => {
    need('sieve-connect');
    const connect = (...args: string[]): Promise<RunResult> => sieveConnect(server, files.certificate, args);
    const script = join(dir, 'main.sieve');
    writeFileSync(script, 'require ["fileinto"];\nif header :contains "subject" "list" {\n  fileinto "Archive";\n}\n');
    const broken = join(dir, 'broken.sieve');
    writeFileSync(broken, 'keep;\nif tru { stop; }\n');

    assert.equal((await connect('--upload', '--localsieve', script, '--remotesieve', 'main')).code, 0);
    assert.equal((await connect('--checkscript', '--localsieve', script)).code, 0);
    const refused = await connect('--upload', '--localsieve', broken, '--remotesieve', 'broken');
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, /line 2/);
    assert.equal((await connect('--activate', '--remotesieve', 'main')).code, 0);
    const listed = await connect('--list');
    assert.match(listed.stdout, /"main" ACTIVE/);
    assert.doesNotMatch(listed.stdout, /broken/);
    const back = join(dir, 'back.sieve');
    assert.equal((await connect('--download', '--remotesieve', 'main', '--localsieve', back)).code, 0);
    assert.equal(readFileSync(back, 'utf8').replaceAll('\r\n', '\n').trimEnd(), readFileSync(script, 'utf8').trimEnd());
    assert.notEqual((await connect('--delete', '--remotesieve', 'main')).code, 0, 'the active script stays');
    assert.equal((await connect('--deactivate')).code, 0);
    assert.equal((await connect('--delete', '--remotesieve', 'main')).code, 0);
    assert.match(await server.admin('sieve', 'list', USER), /^$/);
  });

  await t.test('sieve-connect finds a mechanism by itself', async () => {
    const result = await sieveConnect(server, files.certificate, ['--debug', '--list'], null);
    assert.equal(result.code, 0, result.stdout + result.stderr);
  });

  await t.test('a client in Python pipelines, cuts literals in pieces, logs in with SCRAM, and tries to inject before STARTTLS', async () => {
    const probe = join(import.meta.dirname, 'peers/managesieve_probe.py');
    assert.equal(await succeed('python3', [probe, String(server.port('sieve')), 'py@us.test', 'py-password']), 'ok\n');
  });

  await t.test('the examples of RFC 5804', () => rfcExamples(server));

  await t.test('what the administrator does is seen at once, and what an app password may', async () => {
    const script = join(dir, 'admin.sieve');
    writeFileSync(script, 'keep;\n');
    await server.admin('sieve', 'put', 'bert@us.test', 'by-admin', script, '--activate');
    const bert = await ManageSieveClient.login(server.port('sieve'), 'bert@us.test', 'bert-password');
    assert.deepEqual((await bert.command('LISTSCRIPTS')).data, ['"by-admin" ACTIVE']);
    await bert.command(`PUTSCRIPT "mine" ${literal('stop;\r\n')}`);
    assert.match(await server.admin('sieve', 'list', 'bert@us.test'), /by-admin +active[\s\S]*mine/);
    assert.equal(await server.admin('sieve', 'get', 'bert@us.test', 'mine'), 'stop;\r\n');
    await server.admin('sieve', 'put', 'us.test', 'house', script, '--place', 'before');
    await server.admin('sieve', 'put', 'global', 'all', script, '--place', 'after');
    assert.match(await server.admin('sieve', 'list'), /global +all +after[\s\S]*us\.test +house +before/);
    const wrong = await server.cli(['sieve', 'put', 'bert@us.test', 'wrong', '-'], { input: 'keep;\nfoo;\n' });
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /sieve:wrong:2: /);
    assert.equal((await server.cli(['sieve', 'check', '-'], { input: 'keep;\n' })).code, 0);
    assert.equal((await server.cli(['sieve', 'delete', 'bert@us.test', 'by-admin'])).code, 1);
    await server.admin('sieve', 'rename', 'bert@us.test', 'by-admin', 'first');
    await server.admin('sieve', 'delete', 'bert@us.test', 'first', '--force');
    assert.deepEqual((await bert.command('LISTSCRIPTS')).data, ['"mine"']);
    // A changed password ends the session.
    await server.cli(['user', 'passwd', 'bert@us.test', '--password-stdin'], { input: 'another-password\n' });
    assert.equal((await bert.response()).status, 'BYE');
    const app = (await server.admin('user', 'app-password', 'add', 'bert@us.test', 'phone', '--for', 'imap')).match(/Password: (\S+)/)![1]!;
    await assert.rejects(ManageSieveClient.login(server.port('sieve'), 'bert@us.test', app));
    const other = (await server.admin('user', 'app-password', 'add', 'bert@us.test', 'filters', '--for', 'sieve')).match(/Password: (\S+)/)![1]!;
    assert.equal((await (await ManageSieveClient.login(server.port('sieve'), 'bert@us.test', other)).command('LOGOUT')).status, 'OK');
  });

  await t.test('at shutdown the client is told', async () => {
    const client = await ManageSieveClient.login(server.port('sieve'), USER, PASSWORD);
    const stopped = server.stop();
    const response = await client.response();
    assert.deepEqual([response.status, response.code], ['BYE', 'TRYLATER']);
    assert.equal(await stopped, 0);
  });
});

async function sieveConnect(server: Posthorn, certificate: string, args: readonly string[], mechanism: string | null = 'PLAIN'): Promise<RunResult> {
  const common = [
    '--server',
    'localhost',
    '--port',
    String(server.port('sieve')),
    '--4',
    '--nosrv',
    '--user',
    USER,
    '--tlscafile',
    certificate,
    '--noclearchan',
  ];
  return run('sieve-connect', [...common, ...(mechanism === null ? [] : ['--authmech', mechanism]), '--passwordfd', '0', ...args], {
    input: `${PASSWORD}\n`,
    timeoutMs: 30_000,
  });
}

async function rfcExamples(server: Posthorn): Promise<void> {
  const client = await ManageSieveClient.login(server.port('sieve'), USER, PASSWORD);
  const says = async (command: string, status: string, code = '', data: readonly string[] = []): Promise<SieveResponse> => {
    const response = await client.command(command);
    assert.deepEqual([response.status, response.code, response.data], [status, code, data], command);
    return response;
  };
  await says('HAVESPACE "myscript" 9999999', 'NO', 'QUOTA/MAXSIZE');
  await says('HAVESPACE "foobar" 435', 'OK');
  const invalid = await says(`Putscript "foo" ${literal('#comment\r\nInvalidSieveCommand\r\n')}`, 'NO');
  assert.match(invalid.text, /^line [23]: /);
  await says(
    `Putscript "mysievescript" ${literal('require ["fileinto", "envelope"];\r\n\r\nif envelope :contains "to" "tmartin+sent" {\r\n  fileinto "INBOX.sent";\r\n}\r\n')}`,
    'OK',
  );
  const many = Array.from({ length: 6 }, (_, n) => `redirect "${n}@example.net";\r\n`).join('');
  const warned = await says(`Putscript "myforwards" ${literal(many)}`, 'OK', 'WARNINGS');
  assert.match(warned.text, /^line 5: /);
  await says(`PUTSCRIPT ${literal('clever"script')} ${literal('keep;')}`, 'OK');
  await says('Setactive "mysievescript"', 'OK');
  await says('Listscripts', 'OK', '', ['"clever\\"script"', '"myforwards"', '"mysievescript" ACTIVE']);
  await says('Setactive ""', 'OK');
  await says('Setactive "baz"', 'NO', 'NONEXISTENT');
  await says('Getscript "myforwards"', 'OK', '', [JSON.stringify(many)]);
  await says('Setactive "mysievescript"', 'OK');
  await says('Deletescript "myforwards"', 'OK');
  await says('Deletescript "mysievescript"', 'NO', 'ACTIVE');
  await says('Renamescript "mysievescript" "clever\\"script"', 'NO', 'ALREADYEXISTS');
  await says('Renamescript "mysievescript" "bar"', 'OK');
  await says(`CheckScript ${literal('#comment\r\nInvalidSieveCommand\r\n')}`, 'NO');
  await says('NOOP', 'OK');
  await says('NOOP "STARTTLS-SYNC-42"', 'OK', 'TAG "STARTTLS-SYNC-42"');
  await says('UNAUTHENTICATE', 'OK');
  await says('UNAUTHENTICATE', 'NO');
  await says('Logout', 'OK');
}

/** What both servers are told, one after the other, after the login. */
const SAME: readonly string[] = [
  'NOOP',
  'NOOP "tag"',
  'noop {3+}\r\ntag',
  'NOOP "a\\"b"',
  'NOOP "a" "b"',
  'LISTSCRIPTS',
  'LISTSCRIPTS "x"',
  `PUTSCRIPT "one" ${literal('keep;\r\n')}`,
  `PUTSCRIPT "two" ${literal('require "fileinto"; fileinto "x";\r\n')}`,
  'LISTSCRIPTS',
  'GETSCRIPT "one"',
  'GETSCRIPT "none"',
  'GETSCRIPT',
  'GETSCRIPT one',
  'GETSCRIPT "one" "two"',
  'SETACTIVE "one"',
  'SETACTIVE "none"',
  'LISTSCRIPTS',
  'DELETESCRIPT "one"',
  'DELETESCRIPT "none"',
  'RENAMESCRIPT "two" "one"',
  'RENAMESCRIPT "none" "x"',
  'RENAMESCRIPT "one" "first"',
  'RENAMESCRIPT "two" "two"',
  'LISTSCRIPTS',
  'SETACTIVE ""',
  'SETACTIVE ""',
  'DELETESCRIPT "first"',
  `CHECKSCRIPT ${literal('keep;\r\n')}`,
  `CHECKSCRIPT ${literal('foo;\r\n')}`,
  `CHECKSCRIPT ${literal('require "no-such-extension";\r\n')}`,
  `CHECKSCRIPT ${literal('')}`,
  `PUTSCRIPT "bad" ${literal('if true {\r\n')}`,
  'GETSCRIPT "bad"',
  `PUTSCRIPT "empty" ${literal('')}`,
  `PUTSCRIPT "" ${literal('keep;')}`,
  `PUTSCRIPT "a\tb" ${literal('keep;')}`,
  `PUTSCRIPT "${'n'.repeat(129)}" ${literal('keep;')}`,
  `PUTSCRIPT "${'n'.repeat(128)}" ${literal('keep;')}`,
  `PUTSCRIPT "größe" ${literal('keep;')}`,
  'GETSCRIPT "größe"',
  `PUTSCRIPT "a/b" ${literal('keep;')}`,
  'HAVESPACE "x" 100',
  'HAVESPACE "x" 4000000000',
  'HAVESPACE "x"',
  'HAVESPACE "x" "100"',
  'HAVESPACE "x" -1',
  'AUTHENTICATE "PLAIN" "AAAA"',
  'STARTTLS',
  'FOO',
  'FOO "bar"',
  'CAPABILITY "x"',
  `PUTSCRIPT "huge" ${literal('#'.repeat(3_000_000))}`,
  'LOGOUT "x"',
  'UNAUTHENTICATE',
  'LOGOUT',
];

/** Where ours differs from Dovecot's on purpose: what each says, and the name under which docs/filter-differences.md has the reason. */
const DIFFERENT: ReadonlyMap<string, readonly [theirs: string, ours: string, name: string]> = new Map([
  [`PUTSCRIPT "empty" ${literal('')}`, ['OK', 'NO', 'managesieve: empty script']],
  [`PUTSCRIPT "${'n'.repeat(129)}" ${literal('keep;')}`, ['OK', 'NO', 'managesieve: long names']],
  [`PUTSCRIPT "a/b" ${literal('keep;')}`, ['NO', 'OK', 'managesieve: slash in names']],
  ['UNAUTHENTICATE', ['NO', 'OK', 'managesieve: UNAUTHENTICATE']],
]);

test("the same commands have the same outcome as with Dovecot's server", async (t) => {
  const server = await startPosthorn(t, { users: { [USER]: PASSWORD } });
  await startDovecot(t, {
    address: '127.0.0.1',
    imapPort: 10143,
    lmtpPort: 10024,
    users: { anna: PASSWORD },
    extra: `
protocols = imap lmtp sieve
service managesieve-login {
  inet_listener sieve {
    port = 14190
  }
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
`,
  });
  const ours = await ManageSieveClient.login(server.port('sieve'), USER, PASSWORD);
  const theirs = await ManageSieveClient.login(14190, 'anna', PASSWORD);
  const outcome = ({ status, code, data }: SieveResponse): string => [status, code && `(${code})`, ...data.toSorted()].filter((part) => part !== '').join(' ');
  const wrong: string[] = [];
  for (const command of SAME) {
    const [a, b] = [outcome(await theirs.command(command)), outcome(await ours.command(command))];
    const known = DIFFERENT.get(command);
    if (known === undefined ? a !== b : a !== known[0] || b !== known[1]) wrong.push(`${command.slice(0, 60)}\n  theirs: ${a}\n  ours:   ${b}`);
  }
  assert.deepEqual(wrong, []);
  const page = readFileSync(join(import.meta.dirname, '../docs/filter-differences.md'), 'utf8');
  for (const [, , name] of DIFFERENT.values()) assert.ok(page.includes(`| ${name} |`), `docs/filter-differences.md has no row "${name}"`);
});
