/** The real program, started with a configuration of its own: from the ready line to its end, killed or stopped. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, RUNTIME_FLAGS, runtimeEnvironment } from '../../bin/lib.mjs';
import { type LogLine, LogLines } from './log-lines.ts';
import { type RunOptions, type RunResult, run } from './run.ts';
import { atEnd, type Owner, tempDir } from './temp.ts';
import { PATIENCE_MS, within } from './wait.ts';

export { ROOT };
const MAIN = join(ROOT, 'src/main.ts');
const LAUNCHER = join(ROOT, 'bin/posthorn.mjs');
/** Lines of the server's log shown when a test fails. */
const LOG_LINES_SHOWN = 80;

export type Protocol = 'smtp' | 'submission' | 'submissions' | 'lmtp' | 'imap' | 'imaps' | 'pop3' | 'pop3s' | 'sieve' | 'metrics';
type TomlValue = string | number | boolean | readonly string[];
export type Config = Readonly<Record<string, TomlValue | Readonly<Record<string, TomlValue>>>>;

export interface PosthornOptions {
  /** Tables and keys of posthorn.toml, on top of the defaults below; a table is merged with its default. */
  readonly config?: Config;
  /** Password by address; made once the server is up. */
  readonly users?: Readonly<Record<string, string>>;
  readonly domains?: readonly string[];
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  /** Where it keeps its data; a temporary directory unless given. */
  readonly dataDir?: string;
  /** Through bin/posthorn.mjs, as `npm start` does, instead of the pinned runtime directly. */
  readonly launcher?: boolean;
  /** Put before the command, for example to enter a control group. */
  readonly prefix?: readonly string[];
}

export class Posthorn {
  readonly dir: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly log = new LogLines();
  listen: Readonly<Record<string, readonly string[]>> = {};
  #child: ChildProcess | null = null;
  readonly #options: PosthornOptions;

  constructor(dir: string, options: PosthornOptions) {
    this.dir = dir;
    this.dataDir = options.dataDir ?? join(dir, 'data');
    this.configFile = join(dir, 'posthorn.toml');
    this.#options = options;
    this.configure(options.config ?? {});
  }

  /** Writes posthorn.toml; `server.cli('reload')` or a restart makes it count. */
  configure(config: Config): void {
    mkdirSync(this.dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(this.configFile, toml(merge(defaults(this.dataDir), config)), { mode: 0o600 });
  }

  /** Port of the first listener of a protocol. */
  port(protocol: Protocol): number {
    const address = this.listen[protocol]?.[0];
    assert.ok(address !== undefined, `the server does not listen for ${protocol}; it said ${JSON.stringify(this.listen)}`);
    return Number(address.slice(address.lastIndexOf(':') + 1));
  }
  get pid(): number {
    assert.ok(this.#child?.pid !== undefined, 'the server is not running');
    return this.#child.pid;
  }
  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts the program without waiting for it to be ready. */
  spawn(): ChildProcess {
    const command = [...(this.#options.prefix ?? []), ...commandLine(this.#options.launcher === true), 'start', '--config', this.configFile];
    // A process group of its own: kill() reaches every process it starts.
    const child = spawn(command[0]!, command.slice(1), { cwd: this.dir, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: environment() });
    this.log.read(child.stdout!);
    this.log.read(child.stderr!);
    this.#child = child;
    return child;
  }

  /** Starts the program and waits for its event `server.ready`. Rejects with what it said when it ends before. */
  async start(): Promise<this> {
    const mark = this.log.mark();
    const child = this.spawn();
    const gone = once(child, 'close').then(() => {
      this.log.forget();
      throw new Error(`the server ended before it was ready:\n${this.log.tail(LOG_LINES_SHOWN)}`);
    });
    gone.catch(() => {}); // After readiness nobody waits for this one.
    const ready = await Promise.race([this.log.event('server.ready', undefined, { after: mark }), gone]);
    this.listen = ready['listen'] as Record<string, string[]>;
    return this;
  }

  /** Waits for a log event, from the start of the log on unless `after` (see `log.mark()`) says otherwise. */
  event(name: string, predicate?: (line: LogLine) => boolean, options: { after?: number; limitMs?: number } = {}): Promise<LogLine> {
    return this.log.event(name, predicate, options);
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(this.pid, signal);
  }
  /** SIGKILL to all its processes at once. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null || !this.isRunning) return;
    const closed = once(child, 'close');
    process.kill(-child.pid!, 'SIGKILL');
    await closed;
  }
  /** SIGTERM, and waits; answers the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === null || !this.isRunning) return child?.exitCode ?? null;
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    try {
      await within('the server to stop after SIGTERM', closed, PATIENCE_MS);
    } catch (error) {
      await this.kill();
      throw error;
    }
    return child.exitCode;
  }
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Runs `posthorn ARGS --config FILE`; never rejects for an exit code. */
  cli(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const [program, ...rest] = commandLine(false);
    return run(program!, [...rest, '--config', this.configFile, ...args], { cwd: this.dir, ...options, env: { ...environment(), ...options.env } });
  }
  /** The same, and must succeed; answers its standard output. */
  async admin(...args: readonly string[]): Promise<string> {
    const result = await this.cli(args);
    assert.equal(result.code, 0, `posthorn ${args.join(' ')} ended with ${result.code}\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }
  async addUser(address: string, password: string): Promise<void> {
    const result = await this.cli(['user', 'add', address, '--password-stdin'], { input: `${password}\n` });
    assert.equal(result.code, 0, `posthorn user add ${address} ended with ${result.code}\n${result.stdout}${result.stderr}`);
  }
}

/** Starts a server for one test: its directory, users and processes are gone when the test ends; its log is shown when it failed. */
export async function startPosthorn(owner: Owner, options: PosthornOptions = {}): Promise<Posthorn> {
  const server = new Posthorn(tempDir(owner, 'server'), options);
  let hasFailedPart = false;
  owner.afterEach?.((part: { passed?: boolean }) => {
    if (part.passed === false) hasFailedPart = true;
  });
  atEnd(owner, async () => {
    await server.kill();
    if (owner.passed === false || hasFailedPart) process.stderr.write(`── log of the server in the failed test ──\n${server.log.tail(LOG_LINES_SHOWN)}\n`);
  });
  await server.start();
  await populate(server, options);
  return server;
}

/** Domains, users and aliases by the command line. One after the other: each is a whole start of the runtime. */
async function populate(server: Posthorn, options: PosthornOptions): Promise<void> {
  const known = new Set((await server.admin('domain', 'list')).split(/\s+/));
  const wanted = new Set([...(options.domains ?? []), ...Object.keys(options.users ?? {}).map((address) => address.slice(address.indexOf('@') + 1))]);
  for (const domain of wanted) if (!known.has(domain)) await server.admin('domain', 'add', domain);
  for (const [address, password] of Object.entries(options.users ?? {})) await server.addUser(address, password);
  for (const [alias, targets] of Object.entries(options.aliases ?? {})) await server.admin('alias', 'add', alias, ...targets);
}

function commandLine(launcher: boolean): string[] {
  return launcher ? ['node', LAUNCHER] : [process.execPath, ...RUNTIME_FLAGS, MAIN];
}

/** What our own process was told about the test runner and the namespaces is not the server's business. */
function environment(): Record<string, string> {
  const env: Record<string, string> = { ...runtimeEnvironment(ROOT), NO_COLOR: '1' };
  delete env['NODE_TEST_CONTEXT'];
  delete env['NODE_OPTIONS'];
  return env;
}

function defaults(dataDir: string): Config {
  const any = ['127.0.0.1:0'];
  return {
    hostname: 'mx.us.test',
    domain: 'us.test',
    dataDir,
    listen: { smtp: any, submission: any, submissions: any, lmtp: any, imap: any, imaps: any, pop3: any, pop3s: any, sieve: any, metrics: [] },
    log: { format: 'json' },
  };
}

function merge(base: Config, extra: Config): Config {
  const result: Record<string, any> = { ...base };
  for (const [key, value] of Object.entries(extra)) {
    const old = result[key];
    result[key] = isTable(value) && isTable(old) ? { ...old, ...value } : value;
  }
  return result;
}

function toml(config: Config): string {
  const line = ([key, value]: [string, unknown]): string => `${key} = ${JSON.stringify(value)}`;
  const tops = Object.entries(config).filter(([, value]) => !isTable(value));
  const tables = Object.entries(config).filter(([, value]) => isTable(value));
  return [...tops.map(line), ...tables.flatMap(([name, table]) => ['', `[${name}]`, ...Object.entries(table).map(line)]), ''].join('\n');
}
const isTable = (value: unknown): value is Record<string, TomlValue> => typeof value === 'object' && value !== null && !Array.isArray(value);
