/** Rows that belong to a page of messages, and their envelopes: out of the store, where they lie between the bodies, or side by side out of the search index. */
import type { LoopContext, MessageTuple } from '../../ports.ts';
import { COLD_READS_OF_COMMAND, DiskReads } from '../../system/disk-reads.ts';
import type { Selected } from './selected.ts';

/** A row of the store, or what the index has of an email. */
export type Envelope = readonly [uidOrEmail: number, envelope: string, bodyStructure: string, ...unknown[]];

/** Fewer envelopes than these are read in the store. */
const LISTED_LEAST = 32;
/** With so many it is found out whether rows come from the disk. */
const TRIED = 64;
const EMAIL_IDS_SQL = 'SELECT uid, email_id FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?';

/** The envelopes of one command's messages, page by page. */
export class Envelopes {
  readonly #reads = new DiskReads(COLD_READS_OF_COMMAND);
  #isTried = false;

  /** Of each position, undefined where the message is gone. `rows` of the same positions, as far as they were read; else empty. */
  read(
    { reader, search }: Pick<LoopContext, 'reader' | 'search'>,
    selected: Selected,
    positions: readonly number[],
    rows: readonly (MessageTuple | undefined)[],
  ): (Envelope | undefined)[] {
    if (!this.#isTried && positions.length > TRIED) {
      this.#isTried = true;
      const parts = [[0, TRIED], [TRIED]].map(([from, to]) => this.read({ reader, search }, selected, positions.slice(from, to), rows.slice(from, to)));
      return parts.flat();
    }
    const { accountId, mailboxId } = selected.view;
    const stored = (some: readonly number[]): (Envelope | undefined)[] =>
      alongside(selected, some, (from, to, limit) => reader.envelopes(accountId, mailboxId, from, to, limit));
    if (search === undefined || positions.length < LISTED_LEAST) return stored(positions);
    if (!this.#reads.takeCold()) return this.#reads.watch(positions.length, () => stored(positions));
    const ids =
      rows.length > 0
        ? rows.map((row) => row?.[6] ?? 0)
        : alongside(selected, positions, (from, to, limit) => reader.rows(EMAIL_IDS_SQL, accountId, mailboxId, from, to, limit) as [number, number][]).map(
            (row) => row?.[1] ?? 0,
          );
    const found: (Envelope | undefined | null)[] = search.envelopes(accountId, ids);
    const left: number[] = [];
    for (let i = 0; i < found.length; i += 1) if (found[i] === null && ids[i] !== 0) left.push(positions[i]!);
    const others = left.length === 0 ? [] : stored(left);
    let next = 0;
    for (let i = 0; i < found.length; i += 1) if (found[i] === null) found[i] = ids[i] === 0 ? undefined : others[next++];
    return found as (Envelope | undefined)[];
  }
}

/** Reads what belongs to the positions, one read for each run of neighbours. */
export function alongside<T extends readonly [number, ...unknown[]]>(
  selected: Selected,
  positions: readonly number[],
  read: (fromUid: number, toUid: number, limit: number) => T[],
): (T | undefined)[] {
  const found: (T | undefined)[] = [];
  for (let start = 0; start < positions.length; ) {
    let end = start;
    while (end + 1 < positions.length && positions[end + 1] === positions[end]! + 1) end += 1;
    const rows = read(selected.uids[positions[start]!]!, selected.uids[positions[end]!]!, end - start + 1);
    let at = 0;
    for (let i = start; i <= end; i += 1) {
      const uid = selected.uids[positions[i]!]!;
      while (at < rows.length && rows[at]![0] < uid) at += 1;
      found.push(at < rows.length && rows[at]![0] === uid ? rows[at] : undefined);
    }
    start = end + 1;
  }
  return found;
}
