/** The user agent as the courier's thread (and whoever checks passwords) sees it: one request on each connection at a time, connections kept. */
import { createConnection, type Socket } from 'node:net';
import type { FolderAnswer, FolderRequest } from './folders/types.ts';
import type { FolderNews, WatchWish } from './folders/watch.ts';
import { FrameParser, frameHead, writeSlowly } from './frame.ts';
import { unpackAnswer } from './packed.ts';
import type { Request, Response } from './protocol.ts';
import { type DeliveryAnswer, type DeliveryTask, type MessageSource, type PasswordAnswer, simpleAnswer, type SystemUser } from './types.ts';

export interface FolderWatch {
  update(wish: WatchWish): void;
  stop(): void;
}

export interface UserAgentClient {
  /** Never rejects for what users, programs or the agent do: what cannot be done now is deferred. An aborted task is ended with what it started. */
  deliver(task: DeliveryTask, message: MessageSource, signal: AbortSignal): Promise<DeliveryAnswer>;
  checkPassword(user: string, password: string): Promise<PasswordAnswer>;
  /** A user of this machine; null: there is none. */
  lookup(user: string): Promise<SystemUser | null | 'unavailable'>;
  /** A request about the user's maildir or mbox files; `mailbox` is the option local.mailbox. Never rejects. */
  folders(user: string, mailbox: string, request: FolderRequest, body?: Uint8Array): Promise<{ readonly answer: FolderAnswer; readonly body: Uint8Array }>;
  /**
   * Calls `changed` when something may have changed in the folders, and once (perhaps with nothing) when the watch has begun or its wish was changed.
   * `ended`: there is no watch (any more), and nothing was said by `stop`.
   */
  watch(user: string, mailbox: string, wish: WatchWish, changed: (news: FolderNews) => void, ended: () => void): FolderWatch;
  close(): void;
}

/** A message as bytes in memory. */
export function sourceOf(bytes: Uint8Array): MessageSource {
  return { size: bytes.length, slice: (start, end) => bytes.subarray(start, end) };
}

const CHUNK_BYTES = 256 * 1024;
const IDLE_CONNECTIONS_MAX = 32;

export function connectUserAgent(options: { readonly socketPath: string; readonly key: string }): UserAgentClient {
  const idle: Line[] = [];
  const watching = new Set<Socket>();
  let isClosed = false;

  async function ask<T>(
    request: Request,
    message: MessageSource | null,
    signal: AbortSignal | null,
    read: (response: Response, body: Uint8Array) => T,
  ): Promise<T> {
    const line = idle.pop() ?? new Line(options.socketPath, options.key);
    const { response, body } = await line.ask(request, message, signal);
    if (!line.isDead && !isClosed && idle.length < IDLE_CONNECTIONS_MAX) idle.push(line);
    else line.end();
    line.onEnd = () => {
      const at = idle.indexOf(line);
      if (at !== -1) idle.splice(at, 1);
    };
    return read(response, body);
  }

  return {
    async deliver(task, message, signal) {
      if (signal.aborted) return simpleAnswer('deferred', 451, '4.3.2', 'the server is stopping');
      try {
        return await ask({ kind: 'deliver', task }, message, signal, (response, body) => {
          if (response.kind !== 'delivered') throw new Error('an answer to another question');
          return unpackAnswer(response.answer, body);
        });
      } catch (error) {
        return simpleAnswer('deferred', 451, '4.3.0', `the user agent cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
    checkPassword: (user, password) =>
      ask({ kind: 'password', user, password }, null, null, (response) => (response.kind === 'password' ? response.answer : 'unavailable')).catch(
        () => 'unavailable' as const,
      ),
    lookup: (user) =>
      ask({ kind: 'lookup', user }, null, null, (response) => (response.kind === 'user' ? response.user : 'unavailable')).catch(() => 'unavailable' as const),
    folders: (user, mailbox, request, body) =>
      ask({ kind: 'folders', user, mailbox, request }, body === undefined ? null : sourceOf(body), null, (response, bytes) => {
        if (response.kind !== 'folders') throw new Error('an answer to another question');
        return { answer: response.answer, body: bytes };
      }).catch((error: unknown) => ({
        answer: { failed: `the user agent cannot be reached: ${error instanceof Error ? error.message : String(error)}`, reason: 'error' as const },
        body: new Uint8Array(0),
      })),
    watch(user, mailbox, wish, changed, ended) {
      let isStopped = false;
      const socket = createConnection(options.socketPath);
      const parser = new FrameParser({
        head: (head) => {
          const response = head as Response;
          if (response.kind === 'changed') changed(response.news);
        },
        body: () => {},
        end: () => {},
      });
      socket.on('data', (chunk: Buffer) => {
        try {
          parser.push(chunk);
        } catch {
          socket.destroy(); // nonsense: whoever watches is told that there is no watch
        }
      });
      socket.on('error', () => socket.destroy());
      const say = (next: WatchWish): void => {
        if (!socket.destroyed) socket.write(frameHead({ kind: 'watch', user, mailbox, wish: next } satisfies Request, 0));
      };
      socket.write(frameHead({ kind: 'hello', key: options.key }, 0));
      say(wish);
      socket.unref();
      watching.add(socket);
      socket.on('close', () => {
        watching.delete(socket);
        if (!isStopped && !isClosed) ended();
      });
      return {
        update: say,
        stop() {
          isStopped = true;
          socket.destroy();
        },
      };
    },
    close() {
      isClosed = true;
      for (const socket of watching) socket.destroy();
      for (const line of idle.splice(0)) line.end();
    },
  };
}

interface Answered {
  readonly response: Response;
  readonly body: Uint8Array;
}

/** One connection. */
class Line {
  readonly #socket: Socket;
  #waiting: PromiseWithResolvers<Answered> | null = null;
  isDead = false;
  onEnd: () => void = () => {};

  constructor(path: string, key: string) {
    this.#socket = createConnection(path);
    let response: Response | null = null;
    let body = Buffer.alloc(0);
    let filled = 0;
    const parser = new FrameParser({
      head(head, bytes) {
        response = head as Response;
        body = Buffer.allocUnsafeSlow(bytes);
        filled = 0;
      },
      body(chunk) {
        body.set(chunk, filled);
        filled += chunk.length;
      },
      end: () => {
        this.#waiting?.resolve({ response: response!, body });
        this.#waiting = null;
      },
    });
    this.#socket.on('data', (chunk: Buffer) => {
      try {
        parser.push(chunk);
      } catch (error) {
        this.#lost(error as Error);
      }
    });
    this.#socket.on('error', (error) => this.#lost(error));
    this.#socket.on('close', () => this.#lost(new Error('the connection was closed')));
    this.#socket.write(frameHead({ kind: 'hello', key }, 0));
  }

  async ask(request: Request, message: MessageSource | null, signal: AbortSignal | null): Promise<Answered> {
    const waiting = Promise.withResolvers<Answered>();
    this.#waiting = waiting;
    waiting.promise.catch(() => {}); // it may be lost while the message is still being written
    if (this.isDead) throw new Error('the connection was closed');
    const give = (): void => this.#lost(new Error('the task was given up'));
    signal?.addEventListener('abort', give);
    try {
      this.#socket.ref();
      this.#socket.write(frameHead(request, message?.size ?? 0));
      if (message !== null) await this.#send(message);
      return await waiting.promise;
    } catch (error) {
      this.#lost(error as Error); // half a message cannot be taken back
      throw error;
    } finally {
      signal?.removeEventListener('abort', give);
      this.#socket.unref();
    }
  }

  async #send(message: MessageSource): Promise<void> {
    for (let at = 0; at < message.size && !this.isDead; at += CHUNK_BYTES) {
      const slice = message.slice(at, Math.min(message.size, at + CHUNK_BYTES));
      const wait = writeSlowly(this.#socket, slice instanceof Promise ? await slice : slice);
      if (wait !== undefined) await wait;
    }
  }

  end(): void {
    this.#socket.end();
  }

  #lost(error: Error): void {
    if (this.isDead) return;
    this.isDead = true;
    this.#socket.destroy();
    this.#waiting?.reject(error);
    this.#waiting = null;
    this.onEnd();
  }
}
