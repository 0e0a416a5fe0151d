/** A file of an administrator that is read again when it changes. What it holds now is asked for without waiting. */
import { readFileSync, statSync } from 'node:fs';
import { TableProblem } from '../../directory/tables/errors.ts';
import type { Log } from '../../ports.ts';
import { POLICY_LIMITS } from './limits.ts';

export class WatchedFile<T> {
  readonly #path: string;
  readonly #parse: (text: string, path: string) => T;
  readonly #log: Log;
  readonly #now: () => number;
  #value: T;
  #mark: string;
  #checkedAt: number;

  /** Reads it; throws TableProblem when that fails or `parse` throws one. */
  constructor(path: string, parse: (text: string, path: string) => T, log: Log, now: () => number) {
    this.#path = path;
    this.#parse = parse;
    this.#log = log;
    this.#now = now;
    this.#checkedAt = now();
    this.#mark = this.#look();
    this.#value = this.#read();
  }

  /** What the file says; after a change that cannot be read, what it said before. */
  get current(): T {
    const now = this.#now();
    if (now - this.#checkedAt < POLICY_LIMITS.fileCheckMs) return this.#value;
    this.#checkedAt = now;
    const mark = this.#look();
    if (mark === this.#mark) return this.#value;
    // Marked first: a file that stays wrong is complained of once.
    this.#mark = mark;
    try {
      this.#value = this.#read();
      this.#log.info('policy.file.reloaded', { file: this.#path });
    } catch (error) {
      if (!(error instanceof TableProblem)) throw error;
      this.#log.warn('policy.file.unreadable', { file: this.#path, cause: error.message });
    }
    return this.#value;
  }

  /** Changes whenever the file does; a file that is gone has a mark of its own. */
  #look(): string {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    return stat === undefined ? 'gone' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
  }

  #read(): T {
    let text: string;
    try {
      if (statSync(this.#path).size > POLICY_LIMITS.fileBytes) throw new Error(`it is larger than ${POLICY_LIMITS.fileBytes} bytes`);
      text = readFileSync(this.#path, 'utf8');
    } catch (cause) {
      throw new TableProblem(this.#path, null, `cannot be read: ${(cause as Error).message}`, { cause });
    }
    return this.#parse(text, this.#path);
  }
}

/** The lines of a text that say something, with their numbers from 1. Throws TableProblem when there are too many. */
export function* meaningfulLines(text: string, path: string): Generator<readonly [line: string, number: number]> {
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    number += 1;
    if (number > POLICY_LIMITS.fileLines) throw new TableProblem(path, number, `has more than ${POLICY_LIMITS.fileLines} lines`);
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line !== '' && !line.startsWith('#')) yield [line, number];
  }
}
