/** The results of a context as its client has them, and what it is told when they change (RFC 5267 sections 4.3.3 and 4.3.4). */
import { formatSet } from '../../wire/imap/format.ts';

/** Which of two messages comes first: negative for `a`. Never 0 for different ones. */
export type UidOrder = (a: number, b: number) => number;

export class ContextResults {
  /** In the requested order. */
  uids: number[] = [];
  /** null: the order of the mailbox, in which positions need not be said. */
  readonly #order: UidOrder | null;
  /** The same, for asking whether a message is among them. */
  readonly #present = new Set<number>();

  constructor(order: UidOrder | null) {
    this.#order = order;
  }

  start(uids: readonly number[]): void {
    this.uids = [...uids];
    for (const uid of uids) this.#present.add(uid);
  }

  has(uid: number): boolean {
    return this.#present.has(uid);
  }

  /** Takes messages out; those that are not in are passed over. Answers the data item with a space before it, '' for none. */
  remove(gone: Iterable<number>, number: (uid: number) => number): string {
    let count = 0;
    for (const uid of gone) if (this.#present.delete(uid)) count += 1;
    if (count === 0) return '';
    const kept: number[] = [];
    const pairs: [position: number, uids: number[]][] = [];
    for (const uid of this.uids) {
      if (this.#present.has(uid)) {
        kept.push(uid);
        continue;
      }
      // A position counts after what was removed before it, so neighbours go from the same one.
      const position = kept.length + 1;
      const last = pairs.at(-1);
      if (last?.[0] === position) last[1].push(uid);
      else pairs.push([position, [uid]]);
    }
    this.uids = kept;
    return ` REMOVEFROM (${this.#text(pairs, number)})`;
  }

  /** Puts messages in; those that are in are passed over. */
  add(found: readonly number[], number: (uid: number) => number): string {
    const order = this.#order ?? ((a: number, b: number): number => a - b);
    const added = found.filter((uid) => !this.#present.has(uid)).sort(order);
    if (added.length === 0) return '';
    for (const uid of added) this.#present.add(uid);
    const all: number[] = [];
    const pairs: [position: number, uids: number[]][] = [];
    let next = 0;
    const take = (uid: number): void => {
      const last = pairs.at(-1);
      all.push(uid);
      if (last !== undefined && last[0] + last[1].length === all.length) last[1].push(uid);
      else pairs.push([all.length, [uid]]);
    };
    const places = added.map((uid) => lowerBound(this.uids, uid, order));
    for (let i = 0; i < this.uids.length; i += 1) {
      while (next < added.length && places[next] === i) {
        take(added[next]!);
        next += 1;
      }
      all.push(this.uids[i]!);
    }
    for (; next < added.length; next += 1) take(added[next]!);
    this.uids = all;
    return ` ADDTO (${this.#text(pairs, number)})`;
  }

  #text(pairs: readonly (readonly [position: number, uids: readonly number[]])[], number: (uid: number) => number): string {
    if (this.#order === null) return `0 ${formatSet(pairs.flatMap(([, uids]) => uids.map(number)))}`;
    return pairs.map(([position, uids]) => `${position} ${formatSet(uids.map(number))}`).join(' ');
  }
}

/** How many of the uids come before `uid`. */
function lowerBound(uids: readonly number[], uid: number, order: UidOrder): number {
  let low = 0;
  let high = uids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(uids[middle]!, uid) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
