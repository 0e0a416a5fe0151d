/** What QUIT does with deleted messages, as the account wishes it, mailbox by mailbox (RFC 1939 section 6). */
import type { MailboxId } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { Pop3Session } from './dialogue.ts';
import { mailboxesWith, trashAmong } from './mailboxes.ts';
import type { Chosen } from './maildrop.ts';

export interface Removal {
  /** Messages that are gone, those that somebody else has removed included. */
  readonly removed: number;
  /** The first trouble; the mailboxes after it were tried all the same. */
  readonly fault: { readonly cause: unknown } | null;
}

/** Never rejects. */
export async function removeMessages(session: Pop3Session, chosen: readonly Chosen[]): Promise<Removal> {
  let removed = 0;
  let fault: Removal['fault'] = null;
  if (chosen.length === 0) return { removed, fault };
  try {
    const trashId = session.deletes === 'trash' ? await trash(session) : null;
    const { accountId } = session.maildrop!;
    const ids = chosen.map(({ mailbox }) => mailbox.id);
    const keptIn = new Set(session.deletes === 'keep' ? [] : mailboxesWith(session.context.reader, 'pop3_uidl', accountId, ids));
    for (const one of chosen)
      try {
        await remove(session, one, trashId);
        removed += one.uids.length;
        if (keptIn.has(one.mailbox.id)) session.forget(one);
      } catch (cause) {
        fault ??= { cause };
      }
  } catch (cause) {
    fault = { cause };
  }
  return { removed, fault };
}

/** Throws what the writer throws, except that messages of a mailbox that is gone are as good as removed. */
async function remove(session: Pop3Session, { mailbox, uids }: Chosen, trashId: MailboxId | null): Promise<void> {
  const { accountId } = session.maildrop!;
  const { reader, writer } = session.context;
  const present = reader.mailboxById(accountId, mailbox.id);
  // An import into it while it was empty began its UIDs anew: these are other messages now.
  if (present !== null && present.uidValidity !== mailbox.uidValidity) throw new Error(`UIDVALIDITY of ${mailbox.name} has changed`);
  try {
    if (session.deletes === 'keep') await writer.run('pop3.hide', { accountId, mailboxId: mailbox.id, uids });
    else if (trashId === null || trashId === mailbox.id) await writer.expunge(accountId, mailbox.id, uids, false);
    else await writer.copy(accountId, mailbox.id, uids, trashId, true);
  } catch (error) {
    const isGone = error instanceof Failure && error.code === 'noSuchMailbox' && reader.mailboxById(accountId, mailbox.id)?.isSelectable !== true;
    if (!isGone) throw error;
  }
}

/** Made anew when the user has removed it. */
async function trash(session: Pop3Session): Promise<MailboxId> {
  const { reader, writer } = session.context;
  const { accountId } = session.maildrop!;
  const there = trashAmong(reader.mailboxes(accountId).filter(({ isSelectable }) => isSelectable));
  return (there ?? (await writer.createMailbox(accountId, 'Trash', 'trash'))).id;
}
