/** A server's log as it is written: JSON lines with an event name, kept and waited for. */
import { createInterface } from 'node:readline';
import { PATIENCE_MS } from './wait.ts';

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}
interface Waiter {
  readonly timer: NodeJS.Timeout;
  readonly name: string;
  readonly predicate: ((line: LogLine) => boolean) | undefined;
  take(line: LogLine): void;
}

export class LogLines {
  readonly lines: LogLine[] = [];
  readonly #text: string[] = [];
  readonly #waiters = new Set<Waiter>();

  /** Takes lines from a stream until it ends; a line that is not JSON is kept as text and never matches. */
  read(stream: NodeJS.ReadableStream): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (text) => {
      this.#text.push(text);
      const line = parse(text);
      if (line === null) return;
      this.lines.push(line);
      for (const waiter of this.#waiters) if (matches(line, waiter.name, waiter.predicate)) waiter.take(line);
    });
  }

  /** Where the log stands now, for `after`. */
  mark(): number {
    return this.lines.length;
  }
  /** The first event of that name for which the predicate holds, past or future. */
  event(name: string, predicate?: (line: LogLine) => boolean, options: { after?: number; limitMs?: number } = {}): Promise<LogLine> {
    const found = this.lines.slice(options.after ?? 0).find((line) => matches(line, name, predicate));
    if (found !== undefined) return Promise.resolve(found);
    const limitMs = options.limitMs ?? PATIENCE_MS;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`waited ${limitMs / 1000} s in vain for the log event ${name}`));
      }, limitMs);
      const waiter: Waiter = {
        timer,
        name,
        predicate,
        take: (line) => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(line);
        },
      };
      this.#waiters.add(waiter);
    });
  }
  /** Drops everyone who waits: the program has ended and nothing more will come. */
  forget(): void {
    for (const waiter of this.#waiters) clearTimeout(waiter.timer);
    this.#waiters.clear();
  }
  tail(count: number): string {
    return this.#text.slice(-count).join('\n');
  }
  get text(): string {
    return this.#text.join('\n');
  }
}

function parse(text: string): LogLine | null {
  if (!text.startsWith('{')) return null;
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && typeof (value as LogLine).event === 'string' ? (value as LogLine) : null;
  } catch {
    return null; // Text that happens to begin with a brace.
  }
}
const matches = (line: LogLine, name: string, predicate: ((line: LogLine) => boolean) | undefined): boolean =>
  line.event === name && (predicate === undefined || predicate(line));
