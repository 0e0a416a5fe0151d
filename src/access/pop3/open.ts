/** Numbers the messages of an account at login: inbox first, then the other mailboxes by name, as far as the account is shown them. */
import { type AccountId, FLAG, type MailboxId, type StoreReader } from '../../ports.ts';
import type { Pop3Choice } from './choice.ts';
import { mailboxesWith, shownMailboxes } from './mailboxes.ts';
import { Maildrop } from './maildrop.ts';

const PAGE_MESSAGES = 1000;
/** Pages read before other sessions get a turn. */
const PAGES_AT_ONCE = 5;
/** How many of the hidden messages that are gone one session tells. */
const GONE_MAX = 1000;
const NONE = new Set<number>();

/** Reads the mailboxes in pages, so that large or many ones do not hold up the other sessions. Null when the account has no inbox. */
export async function openMaildrop(
  reader: StoreReader,
  accountId: AccountId,
  messagesMax: number,
  choice: Pick<Pop3Choice, 'shows' | 'since'> = { shows: 'all', since: Number.NEGATIVE_INFINITY },
): Promise<Maildrop | null> {
  const mailboxes = shownMailboxes(reader, accountId, choice.shows);
  const inbox = mailboxes[0];
  if (inbox === undefined) return null;
  const maildrop = new Maildrop(accountId, inbox);
  const ids = mailboxes.map(({ id }) => id);
  const hiddenIn = new Set(mailboxesWith(reader, 'pop3_hidden', accountId, ids));
  let pages = 0;
  let goneCount = 0;
  for (const mailbox of mailboxes) {
    const hasHidden = hiddenIn.has(mailbox.id);
    if (mailbox !== inbox && mailbox.exists === 0 && !hasHidden) continue;
    const gone: number[] = [];
    let from = 1;
    while (maildrop.last < messagesMax) {
      const rows = reader.messages(accountId, mailbox.id, from, mailbox.uidNext - 1, PAGE_MESSAGES);
      const next = rows.length < PAGE_MESSAGES ? mailbox.uidNext : rows[rows.length - 1]![0] + 1;
      const hidden = hasHidden ? hiddenUids(reader, mailbox.id, from, next - 1) : NONE;
      for (const [uid, , flags, , internalDate, size, emailId] of rows) {
        const isSeen = (flags & FLAG.seen) !== 0;
        const isShown = !hidden.delete(uid) && internalDate >= choice.since && (choice.shows !== 'unseen' || !isSeen);
        if (isShown && maildrop.last < messagesMax) maildrop.add(mailbox, uid, size, emailId, isSeen);
      }
      for (const uid of hidden) {
        if (goneCount >= GONE_MAX) break;
        gone.push(uid);
        goneCount += 1;
      }
      pages += 1;
      if (pages % PAGES_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
      if (rows.length < PAGE_MESSAGES) break;
      from = next;
    }
    if (gone.length > 0) maildrop.gone.push({ mailbox, uids: gone });
  }
  return maildrop;
}

function hiddenUids(reader: StoreReader, mailboxId: MailboxId, from: number, to: number): Set<number> {
  return new Set(reader.rows('SELECT uid FROM pop3_hidden WHERE mailbox_id=? AND uid BETWEEN ? AND ?', mailboxId, from, to).map(([uid]) => uid as number));
}
