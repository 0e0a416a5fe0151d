/** What Sieve's `duplicate` (RFC 7352) remembers of a system user: a small file in the home directory, one line "until sha256" each. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = '.posthorn-seen';
const ENTRIES_MAX = 10_000;
const BYTES_MAX = 1024 * 1024;

export class SeenBefore {
  readonly #path: string;
  readonly #now: number;
  readonly #known = new Map<string, number>();
  #isChanged = false;

  /** `now` in Unix milliseconds. A file that cannot be read is an empty one: a message too many is better than none. */
  constructor(home: string, now: number) {
    this.#path = join(home, FILE);
    this.#now = now;
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile() || stat.size > BYTES_MAX) return;
    for (const line of readFileSync(this.#path, 'latin1').split('\n')) {
      const match = /^(\d{1,16}) ([0-9a-f]{64})$/.exec(line);
      if (match !== null && Number(match[1]) > now) this.#known.set(match[2]!, Number(match[1]));
    }
  }

  check(handle: string, id: string, seconds: number, isLast: boolean): boolean {
    const key = createHash('sha256').update(`${handle.length}:${handle}${id}`).digest('hex');
    const isKnown = this.#known.has(key);
    if (!isKnown || isLast) {
      this.#known.delete(key);
      this.#known.set(key, this.#now + seconds * 1000);
      this.#isChanged = true;
    }
    return isKnown;
  }

  save(): void {
    if (!this.#isChanged) return;
    const rows = [...this.#known].slice(-ENTRIES_MAX).map(([key, until]) => `${until} ${key}\n`);
    const temporary = `${this.#path}.${process.pid}`;
    closeSync(openSync(temporary, 'wx', 0o600));
    writeFileSync(temporary, rows.join(''));
    renameSync(temporary, this.#path);
  }
}
