/** The criteria of a context, made fit for being asked again later (RFC 5267 section 4.3). */
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import type { SearchKey } from '../../wire/imap/search.ts';
import type { Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';

const UID_MAX = 0xffffffff;

/**
 * The key with sequence numbers and "$" as the uids that they stand for now: "evaluated at the time the command is received". A range of
 * uids up to "*" goes on with new messages; "*" alone is the last message of now.
 */
export function frozenKey(key: SearchKey, selected: Selected): SearchKey {
  switch (key.kind) {
    case 'sequence':
      return { kind: 'uid', set: uidsOf(selected.ranges(key.set, false), selected.uids) };
    case 'uid':
      return { kind: 'uid', set: key.set === null ? uidsOf(selected.ranges(null, true), selected.uids) : withoutStar(key.set, selected) };
    case 'not':
      return { kind: 'not', key: frozenKey(key.key, selected) };
    case 'and':
    case 'or':
      return { kind: key.kind, keys: key.keys.map((each) => frozenKey(each, selected)) };
    default:
      return key;
  }
}

/** A set that names no message: an empty one cannot be written, and no mailbox comes to the highest uid there is. */
const NO_UIDS: SequenceSet = [UID_MAX, UID_MAX];

function uidsOf(ranges: Ranges, uids: Uint32Array): SequenceSet {
  return ranges.length === 0 ? NO_UIDS : ranges.map((position) => uids[position]!);
}

function withoutStar(set: readonly number[], selected: Selected): SequenceSet {
  const last = selected.count === 0 ? UID_MAX : selected.uids[selected.count - 1]!;
  const out: number[] = [];
  for (let i = 0; i < set.length; i += 2) {
    const [a, b] = [set[i]!, set[i + 1]!];
    if (a === 0 && b === 0) out.push(last, last);
    else out.push(a === 0 ? UID_MAX : a, b === 0 ? UID_MAX : b);
  }
  return out;
}
