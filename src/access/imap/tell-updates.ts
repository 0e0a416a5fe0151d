/** What a session says of its selected mailbox without having been asked: changes, and up to where they have been told. */
import { contextsOf } from './context.ts';
import type { OwnChanges } from './own-changes.ts';
import { refusalOf } from './refusal.ts';
import { mayNow } from './rights-now.ts';
import { FLAVOUR, type Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** The right to read a mailbox of others may have been taken back while it was selected (RFC 4314): then nothing of it is said any more. */
export function mayReadSelected(session: ImapSession): boolean {
  const { selected } = session;
  return selected === null || selected.place === null || mayNow(session, selected, 'r');
}

/**
 * `own`: flag changes of the running command, which it has answered itself. Says BYE when the mailbox is gone. What cannot be read now is told
 * the next time: a command is answered whatever else there is to say, and who is in IDLE stays there.
 */
export function tellUpdates(session: ImapSession, withExpunge: boolean, own: OwnChanges | null): void {
  const { selected } = session;
  if (selected === null) return;
  try {
    tellOf(session, selected, withExpunge, own);
  } catch (error) {
    refusalOf(session, error);
  }
}

function tellOf(session: ImapSession, selected: Selected, withExpunge: boolean, own: OwnChanges | null): void {
  if (selected.view.isGone) {
    session.bye('The selected mailbox was deleted or renamed');
    return;
  }
  if (!mayReadSelected(session)) return;
  const contexts = contextsOf(selected);
  contexts?.beforeUpdates();
  if (!selected.isCurrent && session.notify?.isSilent !== true) bringLevel(session, selected, withExpunge, own);
  contexts?.afterUpdates();
}

function bringLevel(session: ImapSession, selected: Selected, withExpunge: boolean, own: OwnChanges | null): void {
  const { notify } = session;
  if (!session.isRev2) claimRecent(session);
  let flavour = withExpunge ? FLAVOUR.expunge : 0;
  if (session.isCondstore) flavour |= FLAVOUR.condstore;
  if (session.isRev2) flavour |= FLAVOUR.rev2;
  if (session.isQresync || session.isUidOnly) flavour |= FLAVOUR.vanished;
  if (session.isUidOnly) flavour |= FLAVOUR.uidOnly;
  if (notify?.hearsFlags === false) flavour |= FLAVOUR.noFlags;
  const countBefore = selected.count;
  const lastBefore = countBefore === 0 ? 0 : selected.uids[countBefore - 1]!;
  const updates = selected.updates(flavour, own);
  if (typeof updates === 'string') session.out.write(updates);
  else session.out.shared(updates);
  notify?.newMessages(selected, lastBefore);
}

/** Messages that nobody saw as \Recent yet are this session's. */
export function claimRecent(session: ImapSession): void {
  const { selected } = session;
  const uid = selected?.claimRecent() ?? 0;
  if (selected === null || uid === 0) return;
  const { accountId, mailboxId } = selected.view;
  session.context.writer.claimRecent(accountId, mailboxId, uid).catch((cause: unknown) => {
    // The next session sees them as recent again; nothing is lost.
    session.context.log.debug('imap.recent.failed', { session: session.connection.id, cause: String(cause) });
  });
}

/** The same as mayReadSelected() where nothing can be refused: what cannot be found out is not permitted. */
function mayTell(session: ImapSession): boolean {
  try {
    return mayReadSelected(session);
  } catch (error) {
    refusalOf(session, error);
    return false;
  }
}

/**
 * A client that resynchronises takes the highest modseq it was shown for the one up to which it knows everything: where that is
 * not so, because something must not be told yet, it is told better (RFC 7162 section 3.2). And removals have no modseq of their
 * own: it is told that of the mailbox, so that it need not hear of them again. '' where there is nothing to be said.
 */
function level(session: ImapSession): string {
  const { selected } = session;
  if (!session.isQresync || selected === null || !(selected.hasToldRemovals || selected.isAheadOfLevel) || !mayTell(session)) return '';
  selected.hasToldRemovals = false;
  selected.hasTold = false;
  return `[HIGHESTMODSEQ ${selected.levelModseq}]`;
}

function writeLevel(session: ImapSession, code: string): void {
  session.out.write(`* OK ${code} Changes up to there have been told\r\n`);
}

/** Behind what was told without having been asked. What else the client is shown, it looks at with the next tagged response (RFC 7162 section 6). */
export function tellLevel(session: ImapSession): void {
  if (session.selected?.hasTold !== true) return;
  const code = level(session);
  if (code !== '') writeLevel(session, code);
}

/** A command that removed messages says the code in any case; the number is put in when all has been told that may be (RFC 7162 section 3.2.7). */
export const OK_WITH_LEVEL = 'OK [HIGHESTMODSEQ]';

/** The same within the tagged response, where it has no other code. Answers the response as it is to be said. */
export function withLevel(session: ImapSession, text: string): string {
  const code = level(session);
  if (text.startsWith(OK_WITH_LEVEL)) {
    const { selected } = session;
    return selected === null ? `OK${text.slice(OK_WITH_LEVEL.length)}` : `OK [HIGHESTMODSEQ ${selected.levelModseq}]${text.slice(OK_WITH_LEVEL.length)}`;
  }
  if (code === '') return text;
  if (text.startsWith('OK ') && text[3] !== '[') return `OK ${code}${text.slice(2)}`;
  writeLevel(session, code);
  return text;
}
