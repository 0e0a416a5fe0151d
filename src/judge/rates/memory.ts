/**
 * The counts of all threads: a table of fixed size in shared memory. An entry is 16 bytes: a 64-bit keyed hash of what is counted, and the
 * time at which its bucket is full again. An entry whose time has passed is as good as empty. Eight entries are a set, a key belongs to
 * one set, and when all eight are in use the one that will be full soonest makes room: a flood of new keys forgets those who used least.
 */
import { randomFillSync } from 'node:crypto';
import { KeyedHash } from './keyed-hash.ts';

const MAGIC = 0x50_48_52_31;
const LOCKS = 256;
/** Int32 words: [0] magic, [1] and [2] the key of the hash, [3] number of sets; then the locks. */
const LOCKS_AT = 16;
const HEADER_BYTES = (LOCKS_AT + LOCKS) * 4;
const SET_ENTRIES = 8;
const SET_BYTES = SET_ENTRIES * 16;
/** Some hundredths of a millisecond; who holds a lock needs less than one hundredth of that. Beyond it is a thread that the system has put aside. */
const SPINS_MAX = 1000;
/** Then it is given time to go on, a millisecond each; beyond that it has ended while it held the lock. */
const NAPS_MAX = 50;

/** Makes the memory, once, in main; it travels to the threads as it is. At most `bytes` (at least one set of entries). */
export function createRateMemory(bytes: number): SharedArrayBuffer {
  const sets = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, (bytes - HEADER_BYTES) / SET_BYTES))));
  const memory = new SharedArrayBuffer(HEADER_BYTES + sets * SET_BYTES);
  const words = new Int32Array(memory);
  const key = randomFillSync(new Int32Array(2));
  words[0] = MAGIC;
  words[1] = key[0]!;
  words[2] = key[1]!;
  words[3] = sets;
  return memory;
}

export class RateMemory {
  readonly hash: KeyedHash;
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #mask: number;

  /** Throws when `memory` is not from createRateMemory. */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    if (this.#words[0] !== MAGIC) throw new Error('this memory was not made by createRateMemory');
    this.#times = new Float64Array(memory);
    this.#mask = this.#words[3]! - 1;
    this.hash = new KeyedHash(this.#words[1]!, this.#words[2]!);
  }

  /** When the bucket is full again (Unix time, ms); 0 or the past when it is. */
  fullAt(lo: number, hi: number): number {
    const set = lo & this.#mask;
    this.#lock(set);
    const at = this.#find(set, lo, hi);
    const time = at === -1 ? 0 : this.#times[at]!;
    this.#unlock(set);
    return time;
  }

  /** Takes `cost` milliseconds of refilling out of the bucket; it never owes more than `mostMs` (also when the clock was set back). */
  take(lo: number, hi: number, now: number, cost: number, mostMs: number): void {
    const set = lo & this.#mask;
    this.#lock(set);
    let at = this.#find(set, lo, hi);
    if (at === -1) at = this.#occupy(set, lo, hi);
    this.#times[at] = Math.min(Math.max(this.#times[at]!, now) + cost, now + mostMs);
    this.#unlock(set);
  }

  /** Sets the time itself: 0 forgets the entry. */
  set(lo: number, hi: number, time: number): void {
    const set = lo & this.#mask;
    this.#lock(set);
    let at = this.#find(set, lo, hi);
    if (at === -1 && time > 0) at = this.#occupy(set, lo, hi);
    if (at !== -1) this.#times[at] = time;
    this.#unlock(set);
  }

  /** Index of the entry's time among the float64 words, or -1. */
  #find(set: number, lo: number, hi: number): number {
    const first = HEADER_BYTES / 4 + set * (SET_BYTES / 4);
    const words = this.#words;
    for (let at = first; at < first + SET_BYTES / 4; at += 4) if (words[at] === lo && words[at + 1] === hi) return (at >> 1) + 1;
    return -1;
  }

  /** The entry that is full soonest (or has been for longest) becomes this key's, full. */
  #occupy(set: number, lo: number, hi: number): number {
    const first = HEADER_BYTES / 8 + set * (SET_BYTES / 8) + 1;
    const times = this.#times;
    let best = first;
    for (let at = first + 2; at < first + SET_BYTES / 8; at += 2) if (times[at]! < times[best]!) best = at;
    this.#words[(best - 1) * 2] = lo;
    this.#words[(best - 1) * 2 + 1] = hi;
    times[best] = 0;
    return best;
  }

  #lock(set: number): void {
    const words = this.#words;
    const lock = LOCKS_AT + (set & (LOCKS - 1));
    for (let naps = 0; naps <= NAPS_MAX; naps += 1) {
      for (let spins = 0; spins < SPINS_MAX; spins += 1) if (Atomics.compareExchange(words, lock, 0, 1) === 0) return;
      if (naps < NAPS_MAX) Atomics.wait(words, lock, 1, 1);
    }
    // Its holder is no more: the lock is taken over, and at worst one count is lost.
  }

  #unlock(set: number): void {
    Atomics.store(this.#words, LOCKS_AT + (set & (LOCKS - 1)), 0);
  }
}
