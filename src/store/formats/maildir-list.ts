/** The messages of one Maildir folder in the order they came, however many: about 80 bytes a message, outside the heap of JavaScript. */
import { opendirSync } from 'node:fs';
import { join } from 'node:path';
import type { UidList } from './uidlist.ts';

export interface MaildirEntry {
  /** "cur" or "new". */
  readonly part: string;
  /** With its flags, as latin1. */
  readonly name: string;
  /** On the old server; null: none is known. */
  readonly uid: number | null;
  readonly uidl: string | null;
}

/** Above every UID: messages without one come last, by their time. */
const AFTER_UIDS = 2 ** 33;
const PARTS = ['cur', 'new'];

/** The name without its flags: what a message is known by as long as it lives. */
export function uniqueName(name: string): string {
  const at = name.indexOf(':');
  return at === -1 ? name : name.slice(0, at);
}

export class MaildirList {
  #names = Buffer.allocUnsafeSlow(64 * 1024);
  #fill = 0;
  #ends = new Float64Array(1024);
  #keys = new Float64Array(1024);
  #parts = new Uint8Array(1024);
  #order = new Uint32Array(0);
  /** Kept only for the unique-ids in it: it is as large as the list itself. */
  #uids: UidList | null;
  #count = 0;

  constructor(uids: UidList | null) {
    this.#uids = uids;
  }

  get count(): number {
    return this.#count;
  }

  /** Reads the names. A folder that lacks a part has nothing there. Throws what opendir throws otherwise. */
  read(directory: string): this {
    for (const [part, partName] of PARTS.entries()) eachName(join(directory, partName), (name) => this.#add(part, name));
    if (this.#uids?.hasUidls === false) this.#uids = null;
    this.#order = new Uint32Array(this.#count);
    for (let n = 0; n < this.#count; n += 1) this.#order[n] = n;
    this.#order.sort((a, b) => this.#keys[a]! - this.#keys[b]! || Buffer.compare(this.#bytes(a), this.#bytes(b)));
    return this;
  }

  /** By place in the order. */
  at(place: number): MaildirEntry {
    const n = this.#order[place]!;
    const name = this.#bytes(n).toString('latin1');
    const key = this.#keys[n]!;
    const isKnown = key < AFTER_UIDS;
    return {
      part: PARTS[this.#parts[n]!]!,
      name,
      // The same UID twice is a list gone wrong: the second message gets one of ours.
      uid: isKnown && (place === 0 || this.#keys[this.#order[place - 1]!] !== key) ? key : null,
      uidl: isKnown ? (this.#uids?.find(uniqueName(name))?.uidl ?? null) : null,
    };
  }

  #bytes(n: number): Buffer {
    return this.#names.subarray(n === 0 ? 0 : this.#ends[n - 1]!, this.#ends[n]!);
  }

  #add(part: number, name: string): void {
    if (this.#count === this.#ends.length) {
      this.#ends = doubled(this.#ends, new Float64Array(this.#count * 2));
      this.#keys = doubled(this.#keys, new Float64Array(this.#count * 2));
      this.#parts = doubled(this.#parts, new Uint8Array(this.#count * 2));
    }
    if (this.#fill + name.length > this.#names.length) {
      const larger = Buffer.allocUnsafeSlow(this.#names.length * 2);
      this.#names.copy(larger, 0, 0, this.#fill);
      this.#names = larger;
    }
    this.#fill += this.#names.write(name, this.#fill, 'latin1');
    this.#ends[this.#count] = this.#fill;
    this.#keys[this.#count] = this.#uids?.find(uniqueName(name))?.uid ?? AFTER_UIDS + timeOf(name);
    this.#parts[this.#count] = part;
    this.#count += 1;
  }
}

/** "1276528487.M364837P9451.host": seconds, and microseconds where they are told. */
function timeOf(name: string): number {
  const seconds = Number.parseInt(name, 10);
  if (!(seconds >= 0 && seconds < 2 ** 33)) return 2 ** 33;
  const fraction = /^\d+\.M(\d{1,6})P/.exec(name);
  return seconds + (fraction === null ? 0 : Number(fraction[1]) / 1e6);
}

function doubled<T extends Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** How many messages a folder has. */
export function countMaildir(directory: string): number {
  let count = 0;
  for (const part of PARTS)
    eachName(join(directory, part), () => {
      count += 1;
    });
  return count;
}

function eachName(directory: string, take: (name: string) => void): void {
  let open: ReturnType<typeof opendirSync>;
  try {
    open = opendirSync(directory, { encoding: 'latin1', bufferSize: 1024 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    for (let entry = open.readSync(); entry !== null; entry = open.readSync()) if (!entry.name.startsWith('.')) take(entry.name);
  } finally {
    open.closeSync();
  }
}
