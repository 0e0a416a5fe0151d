/** Unpredictable 16-bit numbers for ids, ports and letter cases (RFC 5452 section 4.4), drawn from a pool: one system call for 2,000 of them. */
import { randomFillSync } from 'node:crypto';

export class RandomPool {
  readonly #pool = new Uint16Array(2048);
  #at = 2048;

  /** 0 to 65535. */
  next(): number {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const value = this.#pool[this.#at]!;
    this.#pool[this.#at] = 0; // nobody reads a used one again
    this.#at += 1;
    return value;
  }
}
