/** UIDBATCHES (draft-ietf-mailmaint-imap-uidbatches): the mailbox in ranges of uids that hold as many messages each, the newest first. */
import type { BatchesArguments } from '../../wire/imap/select.ts';
import { has } from './capability.ts';
import type { ImapSession } from './session.ts';

/** Smaller batches are refused: their list would be long and help nobody. */
const SIZE_LEAST = 500;

export function uidBatches(session: ImapSession, { size, range }: BatchesArguments, tag: string): string {
  if (!has(session, 'UIDBATCHES')) return 'BAD Unknown command';
  if (size < SIZE_LEAST) return `NO [TOOSMALL] A batch has ${SIZE_LEAST} messages at least`;
  const { uids, count } = session.selected!;
  const batches: string[] = [];
  const [from, to] = range ?? [1, Math.ceil(count / size)];
  for (let number = from; number <= to; number += 1) {
    const high = count - 1 - (number - 1) * size;
    if (high < 0) break;
    batches.push(`${uids[high]}:${uids[Math.max(0, high - size + 1)]}`);
  }
  session.out.write(`* UIDBATCHES (TAG "${tag.replace(/["\\]/g, '\\$&')}")${batches.length === 0 ? '' : ` ${batches.join(',')}`}\r\n`);
  return 'OK UIDBATCHES completed';
}
