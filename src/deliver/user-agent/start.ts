/** Starts the helper. Called by main while it is still root; main owns the process and starts it again when it is lost (which needs root again). */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FrameParser, frameHead } from './frame.ts';
import type { HelperOptions } from './helper.ts';
import type { LocalSettings } from './settings.ts';
import { PROCESS_FLAGS } from './worker-process.ts';

export interface UserAgentHandle {
  readonly pid: number | undefined;
  /** Resolves when tasks are taken; rejects with a sentence when that will not be. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended, with what it said. */
  readonly ended: Promise<string>;
  /** Ends the helper, its workers and what they started. */
  stop(): Promise<void>;
}

/** The helper's options from the settings. */
export function helperOptions(
  s: LocalSettings,
  given: { socketPath: string; key: string; owner: { uid: number; gid: number } | null; passwdFile?: string },
): HelperOptions {
  return {
    socketPath: given.socketPath,
    key: given.key,
    owner: given.owner,
    passwdFile: given.passwdFile ?? '/etc/passwd',
    workersMax: s['local.workersMax'],
    blanks: s['local.workersIdle'],
    workerIdleMs: s['local.workerIdle'],
    defaultUser: s['local.defaultUser'],
    uidMin: s['local.uidMin'],
    usersAllowed: s['local.usersAllowed'],
  };
}

/** `exported`: names of variables of this process that users' programs may see (local.exportEnvironment); nothing else of the environment goes along. */
export function startUserAgent(options: HelperOptions, exported: readonly string[] = []): UserAgentHandle {
  const environment: Record<string, string> = {};
  for (const name of exported) {
    // A name that changes how the runtime itself starts would be root's trouble, not the user's.
    const value = /^(NODE_|LD_|UV_|SSL_|OPENSSL_)/.test(name) || name.includes('=') ? undefined : process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  const entry = fileURLToPath(new URL(`./helper-main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [...PROCESS_FLAGS, entry], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: environment,
    cwd: '/',
    detached: true,
  });
  const channel = child.stdio[3] as unknown as Socket;
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  ready.promise.catch(() => {}); // whoever started it awaits it; a later end is told by `ended`
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-2000);
  });
  const over = (how: string): void => {
    ready.reject(new Error(`The user agent could not be started: ${words.trim() || how}`));
    ended.resolve(words.trim() || how);
  };
  child.on('error', (error) => over(error.message));
  child.on('exit', (code, signal) => over(`it ended (${signal ?? code})`));
  const parser = new FrameParser({ head: () => ready.resolve(), body: () => {}, end: () => {} });
  channel.on('data', (chunk: Buffer) => parser.push(chunk));
  channel.on('error', () => {});
  channel.write(frameHead(options, 0));
  return {
    pid: child.pid,
    ready: ready.promise,
    ended: ended.promise,
    stop: async () => {
      channel.destroy();
      await ended.promise;
    },
  };
}
