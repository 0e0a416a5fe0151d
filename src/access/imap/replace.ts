/** REPLACE and UID REPLACE (RFC 8508): a new message comes and an old one goes, in one transaction. */
import type { ReplaceInput } from '../../store/operations/replace.ts';
import { type Append, handOver, type Replaced } from './append-job.ts';
import { has } from './capability.ts';
import { tellScripts } from './events.ts';
import { mayNow } from './rights-now.ts';
import { refusalOf } from './refusal.ts';
import type { ImapSession } from './session.ts';
import { OK_WITH_LEVEL } from './tell-updates.ts';

const NO_MESSAGE = 'NO [NONEXISTENT] No such message';

/** The message that a client means, or the refusal. `number`: 0 is "*". */
export function replaced(session: ImapSession, number: number, isUid: boolean): Replaced | string {
  if (!has(session, 'REPLACE')) return 'BAD Unknown command';
  if (session.isUidOnly && !isUid) return 'BAD [UIDREQUIRED] Sequence numbers are not possible after ENABLE UIDONLY';
  const selected = session.selected!;
  if (selected.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  // Section 4.1: as STORE of \Deleted and EXPUNGE.
  if (!mayNow(session, selected, 't') || !mayNow(session, selected, 'e')) return 'NO [NOPERM] Removing messages is not permitted here';
  const { view, uids, count } = selected;
  if (count === 0 || (!isUid && number > count)) return NO_MESSAGE;
  const uid = number === 0 ? uids[count - 1]! : isUid ? number : uids[number - 1]!;
  if (selected.position(uid) === -1) return NO_MESSAGE;
  return view.find(uid) === -1 ? 'NO [EXPUNGEISSUED] Message is gone' : { view, uid };
}

/** The tagged response, without its tag. Never rejects. */
export async function storeReplacement(session: ImapSession, append: Append): Promise<string> {
  const { view, uid: old } = append.replaces!;
  const { place, tellsUids } = append.target!;
  const input: ReplaceInput = {
    from: { accountId: view.accountId, mailboxId: view.mailboxId, uid: old },
    to: { accountId: place.owner, mailboxId: place.row.id },
    message: append.messages[0]!,
  };
  let outcome: { uidValidity: number; uid: number };
  try {
    outcome = await handOver(append, () => session.context.writer.run('message.replace', input));
  } catch (error) {
    return refusalOf(session, error);
  }
  if (session.isClosed) return '';
  // Section 4.3: the client learns the new UID before it hears of anything else, and of the new message before the old one goes.
  if (tellsUids) session.out.write(`* OK [APPENDUID ${outcome.uidValidity} ${outcome.uid}] Replacement message ready\r\n`);
  if (place.row.id === view.mailboxId) {
    view.catchUp();
    session.tellUpdates(false);
  }
  view.applyExpunged([old]);
  if (place.isOwn) tellScripts(session, place.row.id, 'APPEND', null, [outcome.uid]);
  session.context.metrics.count('imap.appended', 1);
  return session.isQresync ? `${OK_WITH_LEVEL} REPLACE completed` : 'OK REPLACE completed';
}
