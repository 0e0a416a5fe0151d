import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Admin, AdminContext } from '../ports.ts';
import { controlPath, serveControl } from '../system/control.ts';
import { Failure } from '../system/failure.ts';
import { SILENT_LOG } from '../system/log.ts';
import { keyWarnings } from './config.ts';
import type { CliHooks } from './context.ts';
import type { CliIo } from './io.ts';
import { runCli } from './program.ts';

interface Run {
  code: number;
  out: string;
  err: string;
  calls: [name: string, args: any][];
  served: unknown[];
}

/** Runs one command line with a terminal in memory and, for the data folder itself, handlers that remember their calls. */
async function run(argv: string[], answers: Record<string, (args: any) => unknown> = {}, input = ''): Promise<Run> {
  const result: Run = { code: 0, out: '', err: '', calls: [], served: [] };
  const io: CliIo = {
    print: (text) => void (result.out += `${text}\n`),
    note: (text) => void (result.err += `${text}\n`),
    write: () => undefined,
    isInteractive: false,
    columns: 100,
    prompt: { text: () => assert.fail(), password: () => assert.fail(), confirm: () => assert.fail() },
    readInput: () => Buffer.from(input),
    readInputLine: () => input.split('\n')[0]!,
  };
  const admin: Admin = {
    async call(name, args) {
      result.calls.push([name, args]);
      return answers[name]?.(args) ?? {};
    },
    async close() {},
  };
  const hooks: CliHooks = { serve: async (config, options) => void result.served.push([config.file, options.isDev]), openLocalAdmin: async () => admin };
  result.code = await runCli(argv, hooks, io);
  return result;
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'posthorn-cli-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
function config(t: TestContext, text = ''): { file: string; dataDir: string } {
  const dir = folder(t);
  const file = join(dir, 'posthorn.toml');
  writeFileSync(file, `hostname = "mail.example.org"\ndomain = "example.org"\ndataDir = "data"\n${text}`, { mode: 0o600 });
  return { file, dataDir: join(dir, 'data') };
}

test('--help lists the commands and --version the version', async () => {
  const help = await run(['--help']);
  assert.equal(help.code, 0);
  for (const command of ['start', 'serve', 'init', 'config', 'reload', 'stop', 'status', 'trace', 'sendmail', 'backup'])
    assert.match(help.out, new RegExp(`^  ${command} `, 'm'));
  assert.match((await run(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
});

test('a command that does not exist is answered with the nearest one', async () => {
  const { code, err } = await run(['statsu']);
  assert.equal(code, 1);
  assert.match(err, /unknown command 'statsu'\n\(Did you mean status\?\)/);
});

test('the configuration may be named before or after the command', async (t) => {
  const { file } = config(t);
  for (const argv of [
    ['start', '--config', file],
    ['--config', file, 'start'],
    ['-c', file, 'serve'],
  ])
    assert.deepEqual((await run(argv)).served, [[file, false]]);
});

test('mistakes in the configuration are shown line by line, nothing is started', async (t) => {
  const { file } = config(t, 'smpt = 1\n[log]\nlevel = "loud"\n');
  const { code, err, served } = await run(['start', '--config', file]);
  assert.equal(code, 1);
  assert.deepEqual(served, []);
  assert.match(err, /^\S+posthorn\.toml:4:1: unknown option smpt.*\n\S+posthorn\.toml:6:1: log\.level must be one of .*\n$/);
});

test('config check also reads the certificates', async (t) => {
  const { file } = config(t);
  assert.match((await run(['-c', file, 'config', 'check'])).out, /is in order\.\n$/);
  const { file: broken } = config(t, '[tls]\ncertificate = "none.pem"\nkey = "none.key"\n');
  const { code, err } = await run(['-c', broken, 'config', 'check']);
  assert.equal(code, 1);
  assert.match(err, /^posthorn: The certificate .*none\.pem cannot be read: there is no such file\.\n$/);
});

test('config show prints a configuration that has the same values', async (t) => {
  const { file, dataDir } = config(t, '[log]\nlevel = "warn"\n');
  const changed = await run(['-c', file, 'config', 'show', '--changed']);
  assert.equal(changed.out, `hostname = "mail.example.org"\ndomain = "example.org"\ndataDir = ${JSON.stringify(dataDir)}\n\n[log]\nlevel = "warn"\n`);
  const all = await run(['-c', file, 'config', 'show']);
  writeFileSync(file, all.out);
  assert.equal((await run(['-c', file, 'config', 'show'])).out, all.out);
});

test('commands for the running server say so when there is none', async (t) => {
  const { file } = config(t);
  for (const command of ['status', 'stop', 'reload']) {
    const { code, err } = await run(['-c', file, command]);
    assert.equal(code, 1);
    assert.match(err, /^posthorn: The server is not running \(nobody answers at .*control\.sock\)\.\n$/);
  }
});

test('trace asks the data folder when no server runs, and the server when one does', async (t) => {
  const { file, dataDir } = config(t);
  const message = { id: '0123456789abcdef', events: [{ at: 0, stage: 'queue', event: 'hold', fields: {} }] };
  const local = await run(['-c', file, 'trace', 'a@b', '--limit', '5'], { 'journey.trace': () => [message] });
  assert.match(local.out, /^Message 0123456789abcdef\n.*held by the administrator\n$/);
  assert.equal(local.calls[0]![1].limit, 5);
  assert.equal((await run(['-c', file, 'trace', 'a@b', '--json'], { 'journey.trace': () => [message] })).out, `${JSON.stringify(message)}\n`);
  assert.match((await run(['-c', file, 'trace', 'a@b'], { 'journey.trace': () => [] })).err, /No message is known by a@b/);
  assert.match((await run(['-c', file, 'trace', 'a@b', '--since', 'soon'])).err, /"soon" is not a time/);

  const { mkdirSync } = await import('node:fs');
  mkdirSync(dataDir);
  const server = await serveControl(controlPath(dataDir), { 'journey.trace': async () => [message] }, { log: SILENT_LOG } as unknown as AdminContext);
  t.after(() => server.close());
  const remote = await run(['-c', file, 'trace', 'a@b']);
  assert.match(remote.out, /held by the administrator/);
  assert.deepEqual(remote.calls, []);
});

test('init writes a closed file, makes domain and account, and replaces nothing by itself', async (t) => {
  const dir = folder(t);
  const file = join(dir, 'posthorn.toml');
  const argv = [
    '--config',
    file,
    'init',
    '--yes',
    '--hostname',
    'mail.example.org',
    '--domain',
    'example.org',
    '--user',
    'anna@example.org',
    '--data-dir',
    'data',
    '--high-ports',
  ];
  const first = await run(argv, { 'user.add': () => ({ password: 'made-for-you' }) });
  assert.equal(first.code, 0, first.err);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  assert.match(readFileSync(file, 'utf8'), /^hostname = "mail\.example\.org"$/m);
  assert.deepEqual(
    first.calls.map(([name]) => name),
    ['domain.add', 'user.add'],
  );
  assert.match(first.out, /Account: anna@example\.org\nPassword: made-for-you {3}\(shown once\)/);
  assert.equal((await run(['-c', file, 'config', 'check'])).code, 0);
  assert.ok(existsSync(join(dir, 'data')));

  const second = await run(argv);
  assert.equal(second.code, 1);
  assert.match(second.err, /exists already; --force replaces it\./);
  const forced = await run([...argv, '--force', '--password-stdin'], { 'domain.add': () => Promise.reject(new Failure('exists')) }, 'secret\n');
  assert.equal(forced.code, 0, forced.err);
  assert.equal(forced.calls[1]![1].password, 'secret');
  assert.doesNotMatch(forced.out, /secret/);
});

test('init that fails leaves no file, so that it can be run again', async (t) => {
  const dir = folder(t);
  const file = join(dir, 'posthorn.toml');
  const argv = [
    '--config',
    file,
    'init',
    '--yes',
    '--hostname',
    'mail.example.org',
    '--domain',
    'example.org',
    '--user',
    'a b@example.org',
    '--data-dir',
    'data',
  ];
  const { code, err } = await run(argv, { 'user.add': () => Promise.reject(new Failure('cannot', 'That is not an address.')) });
  assert.equal(code, 1);
  assert.match(err, /That is not an address\./);
  assert.ok(!existsSync(file));
  assert.ok(!existsSync(`${file}.new`));
});

test('init without answers and without a terminal names the option it misses', async (t) => {
  const { code, err } = await run(['-c', join(folder(t), 'p.toml'), 'init', '--yes', '--hostname', 'not a name', '--domain', 'example.org']);
  assert.equal(code, 1);
  assert.match(err, /--hostname may contain only letters/);
});

test('--debug shows where an error comes from', async (t) => {
  const { file } = config(t);
  assert.match((await run(['-c', file, '--debug', 'status'])).err, /at .*control\.ts/);
});

test('a backup into a folder that the server may not write to says whose rights are missing', async (t) => {
  const { file } = config(t);
  const result = await run(['--config', file, 'backup', '/root/copy'], {
    'store.backup': () => {
      throw new Error("EACCES: permission denied, lstat '/root/copy.partial'");
    },
  });
  assert.equal(result.code, 1);
  assert.match(result.err, /The server may not reach \/root\/copy as the user it runs as/);
});

test('every command says in its own help what it does', async () => {
  for (const command of [
    ['user', 'list'],
    ['alias', 'add'],
    ['queue', 'show'],
    ['domain', 'catchall'],
  ]) {
    const { code, out } = await run([...command, '--help']);
    assert.equal(code, 0);
    assert.match(out, /^Usage: posthorn .*\n\n[A-Z][^\n]*\n/, command.join(' '));
  }
  assert.match((await run(['sendmail', '--help'])).out, /^Usage: posthorn sendmail/);
});

test('a key that only root may read is pointed out when the server gives its rights up', () => {
  const user = { name: 'posthorn', uid: 990 };
  const key = (uid: number, mode: number) => [{ path: '/etc/key.pem', uid, mode }];
  assert.match(keyWarnings(key(0, 0o100600), user)[0]!, /^\/etc\/key\.pem can be read at the start, as root, but not at a reload, as posthorn/);
  for (const [uid, mode] of [
    [0, 0o100640],
    [0, 0o100644],
    [990, 0o100600],
  ] as const)
    assert.deepEqual(keyWarnings(key(uid, mode), user), []);
});
