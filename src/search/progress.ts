/** What the indexer tells the loops, in memory they share: how far it is, and when there is a new index file to open. */
import type { EmailId } from '../ports.ts';

/** 32-bit words: commits so far, number of the index file (0: none yet), damage seen, how often somebody was in a hurry; then the cursor in 64 bits. */
const TICK = 0;
const FILE = 1;
const DAMAGED = 2;
const HURRY = 3;
const CURSOR = 2;

export function createSearchProgress(): SharedArrayBuffer {
  return new SharedArrayBuffer(24);
}

export class SearchProgress {
  readonly #words: Int32Array;
  readonly #wide: BigInt64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#wide = new BigInt64Array(memory);
  }

  /** Every email up to this id is in the index. */
  get cursor(): EmailId {
    return Number(Atomics.load(this.#wide, CURSOR));
  }
  /** Which file is to be open: 0 is none, another number is another file. */
  get file(): number {
    return Atomics.load(this.#words, FILE);
  }
  get isDamaged(): boolean {
    return Atomics.load(this.#words, DAMAGED) !== 0;
  }

  advance(cursor: EmailId): void {
    Atomics.store(this.#wide, CURSOR, BigInt(cursor));
    Atomics.add(this.#words, TICK, 1);
    Atomics.notify(this.#words, TICK);
  }
  /** A file is ready, with every email up to `cursor`. */
  opened(cursor: EmailId): void {
    Atomics.store(this.#words, DAMAGED, 0);
    Atomics.add(this.#words, FILE, 1);
    this.advance(cursor);
  }
  /** A reader met damage: the indexer makes the index again when it next looks. */
  damaged(): void {
    Atomics.store(this.#words, DAMAGED, 1);
  }

  /** Somebody waits for what is not indexed yet: the indexer does not wait for a quiet moment then. */
  hurry(): void {
    Atomics.add(this.#words, HURRY, 1);
    Atomics.notify(this.#words, HURRY);
  }
  /** How often somebody was in a hurry. */
  get hurries(): number {
    return Atomics.load(this.#words, HURRY);
  }
  /** Resolves when that is no longer `known`. */
  async hurried(known: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, HURRY, known);
    if (wait.async) await wait.value;
  }

  /** Resolves when the cursor has reached `target`, or after `ms` (false). */
  async reached(target: EmailId, ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    if (this.file === 0 || this.cursor < target) this.hurry();
    for (;;) {
      const tick = Atomics.load(this.#words, TICK);
      if (this.file !== 0 && this.cursor >= target) return true;
      const left = end - performance.now();
      if (left <= 0) return false;
      const wait = Atomics.waitAsync(this.#words, TICK, tick, left);
      if (wait.async) await wait.value;
    }
  }
}
