/** How many messages one command may touch (RFC 9738), where the server is set to say so (`imap.messageLimit`). */
import { has } from './capability.ts';
import type { Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** 0: no limit. */
export function messageLimit(session: ImapSession): number {
  const limit = session.context.settings()['imap.messageLimit'];
  return limit > 0 && has(session, 'MESSAGELIMIT') ? limit : 0;
}

/** Most messages that COPY or one APPEND may put into a mailbox: the same limit, or only this one (SAVELIMIT). 0: no limit. */
export function saveLimit(session: ImapSession): number {
  const limit = messageLimit(session);
  return limit === 0 && has(session, 'SAVELIMIT') ? session.context.settings()['imap.saveLimit'] : limit;
}

export function countOfRanges(ranges: Ranges): number {
  let count = 0;
  for (let i = 0; i < ranges.length; i += 2) count += ranges[i + 1]! - ranges[i]! + 1;
  return count;
}

/** Places [from, to] of the positions in the ranges, counted from 0 at the lowest; what is outside is left out. */
export function sliceOfRanges(ranges: Ranges, from: number, to: number): Ranges {
  const kept: number[] = [];
  let passed = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const first = ranges[i]! + Math.max(0, from - passed);
    const last = Math.min(ranges[i + 1]!, ranges[i]! + to - passed);
    if (first <= last) kept.push(first, last);
    passed += ranges[i + 1]! - ranges[i]! + 1;
  }
  return kept;
}

export interface Limited {
  readonly ranges: Ranges;
  /** "MESSAGELIMIT n uid": that many with the highest uids were taken, and `uid` is the lowest of them; '' when all were. */
  readonly code: string;
}

/** What of the messages is worked on by this command: those with the highest uids (RFC 9738 section 3). */
export function limited(session: ImapSession, selected: Selected, ranges: Ranges, limit = messageLimit(session)): Limited {
  if (limit === 0) return { ranges, code: '' };
  const count = countOfRanges(ranges);
  if (count <= limit) return { ranges, code: '' };
  const kept = sliceOfRanges(ranges, count - limit, count - 1);
  return { ranges: kept, code: `MESSAGELIMIT ${limit} ${selected.uids[kept[0]!]}` };
}
