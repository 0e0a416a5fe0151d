/**
 * Which messages are gone since a client was last here (RFC 7162 sections 3.2.5 and 3.2.6). The store remembers removals for a
 * while (`store.expungedKeep`); a client that was away for longer is told of every uid that is not there.
 */
import { formatSet } from '../../wire/imap/format.ts';
import type { NumberSet, Qresync } from '../../wire/imap/select.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { lowerBound } from './view.ts';

/** Rows of history read at once. */
const PAGE_ROWS = 5000;
/** History longer than this is not read (it would hold others up): the uids that are not there say the same. */
const HISTORY_MAX = 40_000;

/**
 * "* VANISHED (EARLIER) …" of those among `known` (pairs of uids; null: all below UIDNEXT) that went after `since`; '' for none.
 * Messages whose removal the client will still be told of, in this selection, are not among them.
 */
export function vanishedEarlier(session: ImapSession, selected: Selected, since: number, known: NumberSet | null, match: Qresync['match'] = null): string {
  const set = goneUids(session, selected, since, known, match);
  return set === '' ? '' : `* VANISHED (EARLIER) ${set}\r\n`;
}

function goneUids(session: ImapSession, selected: Selected, since: number, known: NumberSet | null, match: Qresync['match']): string {
  const { reader } = session.context;
  const { accountId, mailboxId, uidNext } = selected.view;
  if (uidNext <= 1) return '';
  const ranges = ascending(known ?? [1, uidNext - 1], uidNext - 1);
  const floor = (reader.rows('SELECT expunged_floor FROM mailbox WHERE id=?', mailboxId)[0]?.[0] as number | undefined) ?? 0;
  if (since < floor) return complement(selected, ranges, match === null ? 0 : lastMatch(selected, match));
  const gone: number[] = [];
  let from = since;
  let read = 0;
  for (;;) {
    const rows = reader.expungedSince(accountId, mailboxId, from, PAGE_ROWS);
    read += rows.length;
    if (read > HISTORY_MAX) return complement(selected, ranges, match === null ? 0 : lastMatch(selected, match));
    // A page may end within one modseq: what belongs to the last one is read again with the next page.
    const isLast = rows.length < PAGE_ROWS;
    const last = rows.at(-1)?.[0] ?? 0;
    const isOneModseq = rows[0]?.[0] === last;
    if (!isLast && isOneModseq) return complement(selected, ranges, match === null ? 0 : lastMatch(selected, match));
    for (const [modseq, uid] of rows) {
      if (!isLast && modseq === last) break;
      if (isWithin(ranges, uid) && selected.position(uid) === -1) gone.push(uid);
    }
    if (isLast) break;
    from = last - 1;
  }
  return formatSet(Uint32Array.from(gone).sort());
}

/** Pairs in ascending order, the lower first, cut to 1…`most`; they may overlap. */
function ascending(set: NumberSet, most: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) {
    // 0 is "*": whatever uid the client believes to be the last, it is below UIDNEXT.
    const a = set[i] === 0 ? most : set[i]!;
    const b = set[i + 1] === 0 ? most : set[i + 1]!;
    const low = Math.max(1, Math.min(a, b));
    const high = Math.min(most, Math.max(a, b));
    if (low <= high) pairs.push([low, high]);
  }
  pairs.sort((x, y) => x[0] - y[0]);
  const joined: [number, number][] = [];
  for (const [low, high] of pairs) {
    const last = joined.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

function isWithin(ranges: readonly [number, number][], uid: number): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]![1] < uid) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && ranges[low]![0] <= uid;
}

/** The uids of the ranges above `above` that the client's mailbox does not have, as a set. */
function complement(selected: Selected, ranges: readonly [number, number][], above: number): string {
  const { uids, count } = selected;
  const parts: string[] = [];
  for (const [low, high] of ranges) {
    let next = Math.max(low, above + 1);
    for (let at = lowerBound(uids, count, next); at < count && uids[at]! <= high; at += 1) {
      if (uids[at]! > next) parts.push(rangeText(next, uids[at]! - 1));
      next = uids[at]! + 1;
    }
    if (next <= high) parts.push(rangeText(next, high));
  }
  return parts.join(',');
}

const rangeText = (from: number, to: number): string => (from === to ? String(from) : `${from}:${to}`);

/**
 * The highest uid that stands where the client believes it to stand: of all removals before it the client knows (RFC 7162 section
 * 3.2.5.2). 0: none. Runs of both sets are walked side by side, and within a run the difference between what is there and what the
 * client believes only grows: no number of the client's is looked at one by one.
 */
function lastMatch(selected: Selected, match: NonNullable<Qresync['match']>): number {
  const { uids, count } = selected;
  let best = 0;
  let [n, u] = [0, 0];
  let [number, uid] = [match.numbers[0]!, match.uids[0]!];
  while (n < match.numbers.length && u < match.uids.length) {
    const length = Math.min(match.numbers[n + 1]! - number, match.uids[u + 1]! - uid) + 1;
    let low = 0;
    let high = Math.min(length, count - number + 1);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (uids[number - 1 + middle]! <= uid + middle) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && uids[number + low - 2] === uid + low - 1) best = Math.max(best, uid + low - 1);
    number += Math.max(1, length);
    uid += Math.max(1, length);
    if (number > match.numbers[n + 1]!) {
      n += 2;
      number = match.numbers[n] ?? 0;
    }
    if (uid > match.uids[u + 1]!) {
      u += 2;
      uid = match.uids[u] ?? 0;
    }
  }
  return best;
}
