/**
 * The connections of one table to its servers, whatever they speak: opened when needed, used again, closed when idle. A server that cannot
 * be reached is left alone for a while and the next one is tried; when none is left the question fails at once.
 */
import { type IdleWatched, idle } from '../../../net/idle.ts';
import { TableError } from '../errors.ts';
import type { TableContext } from '../types.ts';
import { serverSetting } from './settings.ts';

/** One connection. */
export interface Link {
  /** False once it can carry no further question. */
  readonly isOpen: boolean;
  /** At once, without waiting for the other side. */
  close(): void;
}

/** The connection failed, or could not be made: another server may do better. Anything else thrown is the server's answer. */
export class LinkLost extends Error {
  readonly code = 'linkLost';
}

export interface PoolServer<L extends Link> {
  /** For logs: "192.0.2.1:3306". */
  readonly name: string;
  /** Rejects with LinkLost when this server cannot be used now. The signal ends the attempt. */
  connect(signal: AbortSignal): Promise<L>;
}

interface Server<L extends Link> extends PoolServer<L> {
  downUntil: number;
  lastError: string;
}
interface Idle<L extends Link> {
  readonly link: L;
  readonly server: Server<L>;
  readonly expires: number;
}
interface Waiting {
  go(): void;
  fail(error: Error): void;
}

export class LinkPool<L extends Link> implements IdleWatched {
  deadline = Number.POSITIVE_INFINITY;
  readonly #context: TableContext;
  readonly #groups: readonly (readonly Server<L>[])[];
  readonly #servers: readonly Server<L>[];
  readonly #random: () => number;
  /** The last one used is taken first, so that the others can go. */
  readonly #idle: Idle<L>[] = [];
  readonly #busy = new Set<L>();
  readonly #waiting = new Set<Waiting>();
  #places = 0;
  #isClosed = false;

  /** `groups`: servers of an earlier group are tried before those of a later one, within a group in random order. */
  constructor(context: TableContext, groups: readonly (readonly PoolServer<L>[])[], random: () => number = Math.random) {
    this.#context = context;
    this.#random = random;
    this.#groups = groups.map((group) =>
      group.map((server) => ({ name: server.name, connect: (signal) => server.connect(signal), downUntil: 0, lastError: '' })),
    );
    this.#servers = this.#groups.flat();
  }

  /**
   * Does `work` on a connection of its own. Tries again on another one when `work` rejects with LinkLost: once for a connection that had
   * been idle (the server may have closed it meanwhile), and on each further server. Rejects with TableError when none is left.
   */
  async use<T>(work: (link: L, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#place(signal);
    const tried = new Set<Server<L>>();
    try {
      for (;;) {
        const kept = this.#takeIdle();
        if (kept !== null) {
          try {
            return await this.#work(kept.link, kept.server, work, signal);
          } catch (error) {
            if (!(error instanceof LinkLost) || signal.aborted) throw error;
            // The other idle ones to this server are as old: begin anew.
            this.#dropIdle((other) => other.server === kept.server);
            continue;
          }
        }
        const server = this.#choose(tried);
        tried.add(server);
        const link = await this.#connect(server, signal);
        if (link === null) continue;
        try {
          return await this.#work(link, server, work, signal);
        } catch (error) {
          if (!(error instanceof LinkLost) || signal.aborted) throw error;
          this.#down(server, error);
        }
      }
    } finally {
      this.#leave();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#dropIdle(() => true);
    for (const link of this.#busy) link.close();
    for (const waiting of this.#waiting) waiting.fail(new TableError(this.#context.name, 'the table was closed'));
    this.#waiting.clear();
    idle.unwatch(this);
  }

  onIdle(now: number): void {
    this.#dropIdle((entry) => entry.expires <= now);
  }

  // ── places: how many may work at a time ──

  async #place(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw new TableError(this.#context.name, 'the table was closed');
    if (signal.aborted) throw signal.reason;
    if (this.#places < serverSetting(this.#context, 'tables.connectionsMax')) {
      this.#places += 1;
      return;
    }
    if (this.#waiting.size >= serverSetting(this.#context, 'tables.waitingMax')) throw new TableError(this.#context.name, 'too many lookups are waiting');
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        go: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
        fail: (error) => {
          signal.removeEventListener('abort', onAbort);
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      this.#waiting.add(waiting);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Hands the place to the one who has waited longest. */
  #leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next.go();
      return;
    }
    this.#places -= 1;
  }

  // ── connections ──

  async #work<T>(link: L, server: Server<L>, work: (link: L, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    this.#busy.add(link);
    try {
      return await unlessAborted(work(link, signal), signal);
    } catch (error) {
      if (error instanceof LinkLost || signal.aborted) link.close();
      // One that takes connections and then says nothing: the next question goes to another. A lone server is not given up for one slow query.
      if (signal.aborted && this.#servers.length > 1) this.#down(server, signal.reason);
      throw signal.aborted ? signal.reason : error;
    } finally {
      this.#busy.delete(link);
      if (!link.isOpen || this.#isClosed) link.close();
      else this.#putIdle(link, server);
    }
  }

  async #connect(server: Server<L>, signal: AbortSignal): Promise<L | null> {
    const attempt = new AbortController();
    const ms = serverSetting(this.#context, 'tables.connectTimeout');
    const timer = setTimeout(() => attempt.abort(new LinkLost(`no connection within ${ms} ms`)), ms);
    const onAbort = (): void => attempt.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) throw signal.reason;
      const link = await unlessAborted(server.connect(attempt.signal), attempt.signal, (late) => late.close());
      if (server.lastError !== '') this.#context.log.info('table.server.back', { table: this.#context.name, server: server.name });
      server.lastError = '';
      server.downUntil = 0;
      return link;
    } catch (error) {
      if (signal.aborted) {
        this.#down(server, signal.reason);
        throw signal.reason;
      }
      if (!(error instanceof LinkLost)) throw error;
      this.#down(server, error);
      return null;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** A server that may be tried. Throws TableError when each has been tried for this question or is being left alone. */
  #choose(tried: ReadonlySet<Server<L>>): Server<L> {
    const now = this.#context.now();
    for (const group of this.#groups) {
      const ready = group.filter((server) => server.downUntil <= now && !tried.has(server));
      if (ready.length > 0) return ready[Math.floor(this.#random() * ready.length)]!;
    }
    const why = this.#servers.map((server) => `${server.name}: ${server.lastError}`).join('; ');
    throw new TableError(this.#context.name, `no server answers (${why})`);
  }

  #down(server: Server<L>, error: unknown): void {
    if (this.#isClosed) return;
    const text = error instanceof Error ? error.message : String(error);
    if (server.lastError === '') this.#context.log.warn('table.server.lost', { table: this.#context.name, server: server.name, error: text });
    server.lastError = text;
    server.downUntil = this.#context.now() + serverSetting(this.#context, 'tables.serverCooldown');
    this.#dropIdle((entry) => entry.server === server);
  }

  #takeIdle(): Idle<L> | null {
    for (;;) {
      const entry = this.#idle.pop();
      if (entry === undefined) return null;
      if (entry.link.isOpen && entry.expires > idle.now) return entry;
      entry.link.close();
    }
  }

  #putIdle(link: L, server: Server<L>): void {
    idle.watch(this); // First: it brings the clock up to date when it stood still.
    const expires = idle.now + serverSetting(this.#context, 'tables.connectionIdle');
    this.#idle.push({ link, server, expires });
    this.deadline = Math.min(this.deadline, expires);
  }

  #dropIdle(isWanted: (entry: Idle<L>) => boolean): void {
    let earliest = Number.POSITIVE_INFINITY;
    for (let at = this.#idle.length - 1; at >= 0; at -= 1) {
      const entry = this.#idle[at]!;
      if (isWanted(entry)) {
        this.#idle.splice(at, 1);
        entry.link.close();
      } else earliest = Math.min(earliest, entry.expires);
    }
    this.deadline = earliest;
    if (this.#idle.length === 0) idle.unwatch(this);
  }
}

/** Rejects when the signal aborts first; what comes later is given to `late`. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, late: (value: T) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const onAbort = (): void => {
      isOver = true;
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        if (isOver) late(value);
        else resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        if (!isOver) reject(error);
      },
    );
  });
}
