/** Messages whose bytes FETCH sends, read some at a time: one question to the database for each run of neighbours, instead of three for each message. */
import type { StoredBody, StoreReader } from '../../ports.ts';
import type { Selected } from './selected.ts';

/** Messages read at once: they hold up to 64 KB each until they have been sent. */
const RUN_MESSAGES = 16;

export class BodyRun {
  readonly #reader: StoreReader;
  readonly #selected: Selected;
  /** In the client's numbering, from 0. */
  readonly #positions: readonly number[];
  /** Of the messages [from, to) of the positions. */
  #read: (StoredBody | undefined)[] = [];
  #from = 0;
  #to = 0;

  constructor(reader: StoreReader, selected: Selected, positions: readonly number[]) {
    this.#reader = reader;
    this.#selected = selected;
    this.#positions = positions;
  }

  /** The message at one of the positions, once; undefined: it is gone. Asked for in ascending order. */
  take(i: number): StoredBody | undefined {
    if (i >= this.#to) this.#readFrom(i);
    const body = this.#read[i - this.#from];
    this.#read[i - this.#from] = undefined;
    return body;
  }

  #readFrom(i: number): void {
    const { uids, view } = this.#selected;
    const positions = this.#positions;
    let end = i;
    while (end + 1 < positions.length && end + 1 - i < RUN_MESSAGES && positions[end + 1] === positions[end]! + 1) end += 1;
    const rows = this.#reader.bodies(view.accountId, view.mailboxId, uids[positions[i]!]!, uids[positions[end]!]!, end - i + 1);
    this.#read = [];
    this.#from = i;
    this.#to = end + 1;
    let at = 0;
    for (let n = i; n <= end; n += 1) {
      const uid = uids[positions[n]!]!;
      while (at < rows.length && rows[at]!.message[0] < uid) at += 1;
      this.#read.push(rows[at]?.message[0] === uid ? rows[at] : undefined);
    }
  }
}
