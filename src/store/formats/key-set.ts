/** What an import has taken already: 8 bytes of a hash for each message, 16 bytes of memory at most. */
import { hash } from 'node:crypto';

export const KEY_BYTES = 8;

/** Of 1,000,000 different names two share a key once in 30 million imports. */
export function keyOf(text: string | Uint8Array): Uint8Array {
  return hash('sha256', text, 'buffer').subarray(0, KEY_BYTES);
}

export class KeySet {
  /** Two words a key; both 0: free. */
  #words = new Uint32Array(2 * 1024);
  #count = 0;

  /** `keys`: any number of keys, one after the other. */
  constructor(keys: Uint8Array = new Uint8Array(0)) {
    for (let at = 0; at + KEY_BYTES <= keys.length; at += KEY_BYTES) this.add(keys, at);
  }

  get count(): number {
    return this.#count;
  }

  has(key: Uint8Array, at = 0): boolean {
    const place = this.#find(low(key, at), high(key, at));
    return this.#words[place] !== 0 || this.#words[place + 1] !== 0;
  }

  /** False when it was there. */
  add(key: Uint8Array, at = 0): boolean {
    if (this.#count * 4 >= this.#words.length) this.#grow();
    const place = this.#find(low(key, at), high(key, at));
    if (this.#words[place] !== 0 || this.#words[place + 1] !== 0) return false;
    this.#words[place] = low(key, at);
    this.#words[place + 1] = high(key, at);
    this.#count += 1;
    return true;
  }

  #find(lowWord: number, highWord: number): number {
    const mask = this.#words.length - 1;
    let place = (lowWord * 2) & mask;
    while ((this.#words[place] !== 0 || this.#words[place + 1] !== 0) && (this.#words[place] !== lowWord || this.#words[place + 1] !== highWord))
      place = (place + 2) & mask;
    return place;
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) {
      if (old[at] === 0 && old[at + 1] === 0) continue;
      const place = this.#find(old[at]!, old[at + 1]!);
      this.#words[place] = old[at]!;
      this.#words[place + 1] = old[at + 1]!;
    }
  }
}

function low(key: Uint8Array, at: number): number {
  return (key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)) >>> 0;
}
/** Never 0, so that no key looks like a free place. */
function high(key: Uint8Array, at: number): number {
  return (key[at + 4]! | (key[at + 5]! << 8) | (key[at + 6]! << 16) | (key[at + 7]! << 24)) >>> 0 || 1;
}
