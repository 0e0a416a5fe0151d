/** Other programs: run one to its end with a time limit, keep one running, say plainly when one is missing. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}
export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** Ended with SIGKILL after this; the result then has `signal` 'SIGKILL'. */
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
}
/** Where Debian keeps what root runs; a login shell's PATH may lack it. */
const PATH = [...new Set([...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'])].join(delimiter);
/** How long output may go on after the program's end. */
const LEFT_OPEN_MS = 500;
/** Room for a whole mailbox in the output of one program. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Answers the path of an installed program, or fails the test with a sentence that names it. */
export function need(...programs: readonly string[]): void {
  for (const program of programs)
    assert.ok(findProgram(program) !== null, `the peer program "${program}" is not installed; "npm test" installs it on Debian when run as root`);
}
export function findProgram(program: string): string | null {
  for (const dir of PATH.split(delimiter)) {
    const path = join(dir, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory: look in the next.
    }
  }
  return null;
}

/** Runs a program to its end. Never rejects for its exit code: look at the result, or use `succeed`. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, uid: options.uid, env: { ...process.env, PATH, LC_ALL: 'C.UTF-8', ...options.env } });
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    // A program that leaves a daemon behind (dovecot) has ended although its output is still held open.
    const letGo = (): void => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    child.once('exit', () => setTimeout(letGo, LEFT_OPEN_MS).unref());
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout: stdout(), stderr: stderr() });
    });
    child.stdin.on('error', () => {}); // The program may end without reading its input: its exit code tells.
    child.stdin.end(options.input ?? '');
  });
}

/** Runs a program that must succeed; answers its standard output. */
export async function succeed(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(program, args, options);
  assert.equal(result.code, 0, `${program} ${args.join(' ')} ended with ${result.code ?? result.signal}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** Starts a program that keeps running; its output goes to `lines` (and no further). */
export function keepRunning(program: string, args: readonly string[], options: RunOptions = {}): { child: ChildProcess; output(): string } {
  const child = spawn(program, args, {
    cwd: options.cwd,
    uid: options.uid,
    env: { ...process.env, PATH, LC_ALL: 'C.UTF-8', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  child.stdin.on('error', () => {});
  return { child, output: () => stdout() + stderr() };
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= OUTPUT_BYTES_MAX) chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString();
}
