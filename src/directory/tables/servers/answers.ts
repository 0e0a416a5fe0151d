/** What a server answered is kept for a short while, and askers of the same key at the same time share one question. */
import { TableError } from '../errors.ts';
import type { TableContext } from '../types.ts';
import { serverSetting } from './settings.ts';

interface Kept {
  readonly value: string | null;
  /** On the context's clock. */
  readonly until: number;
}

/** `ask` may take as long as its signal allows; it rejects with TableError when there is no answer. */
export class Answers {
  readonly #context: TableContext;
  readonly #ask: (key: string, signal: AbortSignal) => Promise<string | null>;
  readonly #deadlineMs: () => number;
  /** In the order of their age: every entry is put at the end and has the same lifetime. */
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<string | null>>();
  readonly #end = new AbortController();

  constructor(context: TableContext, deadlineMs: () => number, ask: (key: string, signal: AbortSignal) => Promise<string | null>) {
    this.#context = context;
    this.#deadlineMs = deadlineMs;
    this.#ask = ask;
  }

  /** The kept answer at once, or the server's. An aborted `signal` rejects for this caller alone: others may wait for the same question. */
  find(key: string, signal: AbortSignal | undefined): string | null | Promise<string | null> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      if (kept.until > this.#context.now()) return kept.value;
      this.#kept.delete(key);
    }
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#question(key);
      this.#asking.set(key, asking);
    }
    return signal === undefined ? asking : orAborted(asking, signal, this.#context.name);
  }

  async #question(key: string): Promise<string | null> {
    const deadline = new AbortController();
    const ms = this.#deadlineMs();
    const timer = setTimeout(() => deadline.abort(new TableError(this.#context.name, `no answer within ${ms} ms`)), ms);
    const onEnd = (): void => deadline.abort(this.#end.signal.reason);
    this.#end.signal.addEventListener('abort', onEnd);
    try {
      if (this.#end.signal.aborted) onEnd();
      const value = await this.#ask(key, deadline.signal);
      this.#keep(key, value);
      return value;
    } catch (cause) {
      if (cause instanceof TableError) throw cause;
      throw new TableError(this.#context.name, cause instanceof Error ? cause.message : String(cause), { cause });
    } finally {
      clearTimeout(timer);
      this.#end.signal.removeEventListener('abort', onEnd);
      this.#asking.delete(key);
    }
  }

  #keep(key: string, value: string | null): void {
    const ttl = serverSetting(this.#context, 'tables.cacheTtl');
    const most = serverSetting(this.#context, 'tables.cacheEntries');
    if (ttl === 0 || most === 0 || this.#end.signal.aborted) return;
    this.#kept.set(key, { value, until: this.#context.now() + ttl });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= most) break;
      this.#kept.delete(oldest);
    }
  }

  /** Forgets everything; questions on their way fail. */
  close(): void {
    this.#kept.clear();
    this.#end.abort(new TableError(this.#context.name, 'the table was closed'));
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal, table: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new TableError(table, 'the lookup was given up', { cause: signal.reason }));
    // The question itself goes on under its own deadline; its outcome is still handled by `then` below.
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
