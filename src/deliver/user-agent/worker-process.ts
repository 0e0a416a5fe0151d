/** A worker as the helper sees it: starts it, makes it a user's, gives it one order at a time, and ends it with everything it started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FrameParser, frameHead } from './frame.ts';
import type { WorkerNews, WorkerOrder } from './protocol.ts';
import type { SystemUser } from './types.ts';

/** A worker is small and short of threads: most of its work is waiting for the disk and for programs. */
export const PROCESS_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--max-semi-space-size=2',
  '--v8-pool-size=1',
];

/** Whoever waits for the worker's answer. `news` brings the head of each frame, `body` and `end` its body; `lost`: it is gone. */
export interface Exchange {
  news(news: WorkerNews, bodyBytes: number): void;
  body(chunk: Uint8Array): void;
  end(): void;
  lost(reason: string): void;
}

/** Sentences that a worker wrote before it ended, at most. */
const STDERR_MAX = 2000;

export class WorkerProcess {
  readonly channel: Socket;
  readonly #child: ChildProcess;
  readonly #onEnd: (worker: WorkerProcess) => void;
  readonly #sessions = new Set<number>();
  #exchange: Exchange | null = null;
  #becoming: { resolve(): void; reject(error: Error): void } | null = null;
  #stderr = '';
  key = '';
  uid = -1;
  idleSince = 0;
  isDead = false;

  constructor(environment: Readonly<Record<string, string>>, onEnd: (worker: WorkerProcess) => void) {
    this.#onEnd = onEnd;
    const entry = fileURLToPath(new URL(`./worker-main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url));
    this.#child = spawn(process.execPath, [...PROCESS_FLAGS, entry], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: environment as NodeJS.ProcessEnv,
      cwd: '/',
      detached: true, // Ctrl-C at the server's terminal is not for it
    });
    this.channel = this.#child.stdio[3] as unknown as Socket;
    const parser = new FrameParser({
      head: (head, bodyBytes) => this.#news(head as WorkerNews, bodyBytes),
      body: (chunk) => this.#exchange?.body(chunk),
      end: () => this.#exchange?.end(),
    });
    this.channel.on('data', (chunk: Buffer) => {
      try {
        parser.push(chunk);
      } catch (error) {
        this.kill(`it answered nonsense: ${(error as Error).message}`);
      }
    });
    this.channel.on('error', () => this.kill('its channel failed'));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_MAX);
    });
    this.#child.on('error', (error) => this.#over(`it could not be started: ${error.message}`));
    this.#child.on('exit', (code, signal) => this.#over(`it ended (${signal ?? code})`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }
  get isBusy(): boolean {
    return this.#exchange !== null;
  }
  /** Programs of the user's are running, perhaps beyond the task that started them. */
  get hasSessions(): boolean {
    return this.#sessions.size > 0;
  }
  /** What it said on its standard error. */
  get lastWords(): string {
    return this.#stderr;
  }

  become(user: SystemUser, group: number | null): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.uid = user.uid;
    this.#becoming = { resolve, reject };
    this.order({ kind: 'become', user, group });
    return promise;
  }

  order(order: WorkerOrder, bodyBytes = 0): void {
    if (!this.channel.destroyed) this.channel.write(frameHead(order, bodyBytes));
  }

  begin(exchange: Exchange): void {
    this.#exchange = exchange;
  }
  finish(): void {
    this.#exchange = null;
  }

  /** SIGKILL, for it and for every session it has told of. */
  kill(reason: string): void {
    if (this.isDead) return;
    this.#child.kill('SIGKILL');
    this.#over(reason);
  }

  #news(news: WorkerNews, bodyBytes: number): void {
    if (news.kind === 'started') this.#sessions.add(news.pid);
    else if (news.kind === 'ended') this.#sessions.delete(news.pid);
    else if (news.kind === 'ready') this.#settle(null);
    else if (news.kind === 'refused') {
      this.#settle(new Error(news.text));
      this.kill(news.text);
    } else this.#exchange?.news(news, bodyBytes);
  }

  #settle(error: Error | null): void {
    if (error === null) this.#becoming?.resolve();
    else this.#becoming?.reject(error);
    this.#becoming = null;
  }

  #over(reason: string): void {
    if (this.isDead) return;
    this.isDead = true;
    this.channel.destroy();
    if (this.#sessions.size > 0) endSessions(this.#sessions, this.uid);
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#settle(new Error(reason));
    this.#onEnd(this);
    exchange?.lost(reason);
  }
}

/**
 * Kills every process of these sessions that runs as `uid`. The numbers came from a user's process: the uid keeps anybody else's out, and a
 * process that has left its session on purpose runs on, as a daemon would.
 */
export function endSessions(sessions: ReadonlySet<number>, uid: number): void {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // After the command's name, which may hold anything: state, parent, group, session.
      const session = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
      if (!sessions.has(session)) continue;
      const real = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1];
      if (Number(real) === uid) process.kill(Number(name), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
