// What the launchers share. Plain JavaScript for any Node.js from 20 on; nothing here may need an installed package.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds bin/, src/ or dist/, and package.json. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Flags of the runtime: a second guard against regular expressions that backtrack without end, no warning about that flag, and
 * few helper threads for collecting garbage (there are five heaps, all small; more helpers only take the cores from the work).
 */
export const RUNTIME_FLAGS = [
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--disable-warning=ExperimentalWarning',
  // Objects here live for one message: a small nursery costs 7 % of CPU under full load and saves 15 MB.
  '--max-semi-space-size=2',
  `--v8-pool-size=${Math.max(1, Math.min(4, cpus().length >> 1))}`,
];

/** A failure to be told in one sentence, without a stack. */
export class LaunchError extends Error {}

/** Hash of the lock file, or null when the program was installed as a package (npm leaves the lock file out). */
export function lockHash(root) {
  const file = join(root, 'package-lock.json');
  return existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : null;
}

const stampFile = (root) => join(root, 'node_modules', '.posthorn-lock');
const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null; // missing or half-written: the caller treats both as "not installed"
  }
};

/**
 * Why packages must be installed, in words, or null when they need not. `scope` is 'run' (what the server needs) or 'all'
 * (tools of the developer too). The stamp holds the lock file's hash and the scope it was installed for.
 */
export function whyInstall(root, scope) {
  const hash = lockHash(root);
  if (hash === null) return null;
  if (!existsSync(join(root, 'node_modules'))) return 'the packages are not installed yet';
  const [stampedHash, stampedScope] = existsSync(stampFile(root)) ? readFileSync(stampFile(root), 'utf8').trim().split(' ') : [];
  if (stampedHash === hash && (stampedScope === 'all' || scope === 'run')) return null;
  // Somebody may have run `npm ci` by hand: npm's own record of what it put there tells.
  if (matchesLock(readJson(join(root, 'package-lock.json')), readJson(join(root, 'node_modules', '.package-lock.json')), scope)) {
    writeStamp(root, scope);
    return null;
  }
  return stampedHash === undefined
    ? 'the packages are incomplete'
    : stampedHash === hash
      ? 'the tools for testing are not installed yet'
      : 'the list of packages has changed';
}

/** True when `installed` (npm's record) has every package of `lock` that `scope` needs, in the same version. */
export function matchesLock(lock, installed, scope) {
  if (lock === null || installed === null) return false;
  return Object.entries(lock.packages ?? {}).every(
    ([path, entry]) =>
      path === '' ||
      entry.optional === true ||
      entry.devOptional === true ||
      (entry.dev === true && scope === 'run') ||
      installed.packages?.[path]?.version === entry.version,
  );
}

export function writeStamp(root, scope) {
  writeFileSync(stampFile(root), `${lockHash(root)} ${scope}\n`);
}

/** Installs what is missing. Throws LaunchError with a sentence. Two launchers at once: the second waits for the first. */
export function install(root, scope, say = (line) => process.stderr.write(`${line}\n`)) {
  if (whyInstall(root, scope) === null) return;
  const lock = join(root, '.posthorn-install');
  const release = takeLock(lock);
  try {
    const why = whyInstall(root, scope);
    if (why === null) return;
    say(`posthorn: ${why}; running npm ci (once, about a minute)`);
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', scope === 'all' ? '--include=dev' : '--omit=dev', '--include=optional'];
    const run = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', shell: process.platform === 'win32' });
    if (run.error?.code === 'ENOENT')
      throw new LaunchError('npm is not installed: install Node.js 20 or newer with npm (https://nodejs.org), then run this again.');
    if (run.error) throw new LaunchError(`npm could not be started: ${run.error.message}`);
    if (run.status !== 0) throw new LaunchError(whyFailed(run.status, `${run.stdout}${run.stderr}`));
    writeStamp(root, scope);
  } finally {
    release();
  }
}

/** What npm said, without its inner workings, and what to do about it. */
export function whyFailed(status, output) {
  const lines = output.trim().split('\n');
  const telling = lines
    .filter((line) => !/^(npm error\s+(at |\}|code:|errno:|syscall:|address:|port:|type:|A complete log)|npm error\s*$)/.test(line))
    .slice(-20);
  const isOffline = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/.test(output);
  const advice = isOffline
    ? '\nThe npm registry was not reached. The packages are fetched once; connect this machine, or set npm up for your proxy or mirror.'
    : '';
  return `npm ci failed (exit code ${status}):\n${telling.join('\n')}${advice}`;
}

/** A folder as a lock; one older than ten minutes is a leftover. */
function takeLock(folder) {
  for (let waited = 0; ; waited += 500) {
    try {
      mkdirSync(folder);
      return () => rmdirSync(folder);
    } catch (error) {
      if (error.code !== 'EEXIST') throw new LaunchError(`${dirname(folder)} cannot be written to (${error.code}): run npm ci there as its owner.`);
      let age = 0;
      try {
        age = Date.now() - statSync(folder).mtimeMs;
      } catch {
        continue; // released just now: try again
      }
      if (age > 600_000) rmdirSync(folder);
      else if (waited > 600_000) throw new LaunchError(`Another installation has been running for ten minutes; remove ${folder} if it has not.`);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
}

/** Version of the pinned runtime, "26.10.0", from package.json. */
export function pinnedVersion(root) {
  const packages = readJson(join(root, 'package.json'))?.optionalDependencies ?? {};
  return Object.entries(packages).find(([name]) => name.startsWith('node-'))?.[1] ?? '26.0.0';
}

/** Path of the runtime to use. Throws LaunchError when there is none. */
export function findRuntime(root, platform = process.platform, arch = process.arch, current = { path: process.execPath, version: process.versions.node }) {
  const name = `node-${platform}-${arch}`;
  try {
    return createRequire(join(root, 'package.json')).resolve(`${name}/bin/node`);
  } catch {
    // No package for this machine, or npm left optional ones out: the Node.js that runs us may do.
  }
  const pinned = pinnedVersion(root);
  if (Number.parseInt(current.version, 10) >= Number.parseInt(pinned, 10)) return current.path;
  throw new LaunchError(
    `There is no packaged Node.js for ${platform}-${arch} here, and this one is ${current.version}: install Node.js ${pinned} or newer, or run "npm ci --include=optional" in ${root}.`,
  );
}

/** The program: the TypeScript source, or dist/ when there is no source or it lies below node_modules, where Node.js strips no types. */
export function findProgram(root, name = 'main') {
  const source = join(root, 'src', `${name}.ts`);
  const built = [join(root, 'dist', 'src', `${name}.js`), join(root, 'dist', `${name}.js`)].find((file) => existsSync(file));
  if (existsSync(source) && !root.split(sep).includes('node_modules')) return source;
  if (built !== undefined) return built;
  throw new LaunchError(`Neither ${source} nor ${join(root, 'dist')} is there: the program is incomplete.`);
}

/** Folder of compiled code, owned by this user and closed to others, or null when there is none: then it is compiled each time. */
export function compileCache(root, environment = process.env, uid = process.getuid?.()) {
  const mine = (folder) => {
    try {
      const stat = statSync(folder);
      return (uid === undefined || stat.uid === uid) && (stat.mode & 0o022) === 0;
    } catch {
      return false; // missing
    }
  };
  const home = environment.XDG_CACHE_HOME || (environment.HOME || homedir() ? join(environment.HOME || homedir(), '.cache') : null);
  const choices = [
    ...(mine(join(root, 'node_modules')) ? [join(root, 'node_modules', '.cache', 'posthorn-compile')] : []),
    ...(home === null ? [] : [join(home, 'posthorn', 'compile')]),
  ];
  for (const folder of choices) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch {
      continue; // read-only: the next choice
    }
    if (mine(folder)) return folder;
  }
  return null;
}

/** Environment of the runtime. */
export function runtimeEnvironment(root, environment = process.env) {
  const folder = environment.NODE_COMPILE_CACHE ?? compileCache(root, environment);
  return {
    // glibc keeps a pool of freed memory for each thread; two for all of ours save some 30 MB under load.
    MALLOC_ARENA_MAX: '2',
    ...environment,
    ...(folder === null ? {} : { NODE_COMPILE_CACHE: folder }),
  };
}

const FAULT_SIGNALS = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP']);
/** True when the server ended by a native fault rather than by its own decision or somebody's wish. 134 and 139 are such deaths seen through a shell. */
export function isFault(code, signal) {
  if (signal !== null && signal !== undefined) return FAULT_SIGNALS.has(signal);
  return code !== null && [132, 133, 134, 135, 136, 139].includes(code);
}

/** Milliseconds until the next start: 1 s, doubled for each fault in a row, at most 30 s. A life of a minute begins anew. */
export function restartDelay(faultsInRow) {
  return Math.min(30_000, 1000 * 2 ** Math.max(0, faultsInRow - 1));
}
export const LONG_LIFE_MS = 60_000;

/** Exit code as a shell would give it: 128 and the signal's number for a signal. */
export function exitCodeOf(code, signal, signals) {
  return code ?? 128 + (signals[signal] ?? 0);
}

/** The first word of the arguments that is not an option: the command. `--config FILE` takes its value along. */
export function commandOf(args) {
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '--config' || args[i] === '-c') i += 1;
    else if (!args[i].startsWith('-')) return args[i];
  }
  return null;
}
