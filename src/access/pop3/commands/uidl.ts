/** UIDL (RFC 1939 section 7): the unique-id a message brought along from another server, else one made of its UID. */
import type { MailboxId, StoreReader } from '../../../ports.ts';
import { uniqueId } from '../../../wire/pop3/command.ts';
import { OWN_UIDL_FORMAT, type UidlFormat, uidlFormat } from '../../../wire/pop3/uidl.ts';
import type { Pop3Session } from '../dialogue.ts';
import { mailboxesWith, type ShownMailbox } from '../mailboxes.ts';
import type { Maildrop, Part } from '../maildrop.ts';
import { type Rows, show } from './transaction.ts';

/** A range of UIDs this much wider than its messages is not read whole. */
const SPARSE = 4;
/** Mailboxes whose messages keep the unique-ids they brought along: every other id is looked up in each of them. The inbox, and those made first. */
const KEPT_MAILBOXES_MAX = 8;

export function uidl(session: Pop3Session, rest: string): void | Promise<void> {
  return show(session, rest, '', uniqueIds(session.context.reader, session.maildrop!, session.settings['pop3.uidlFormat']));
}

/** Rows "number unique-id" of messages `from` to `to`, those marked as deleted left out. */
export function uniqueIds(reader: StoreReader, maildrop: Maildrop, format: string): Rows {
  const keptIn = (maildrop.keptIn ??= keptMailboxes(reader, maildrop));
  const isKept = (id: string, among: readonly MailboxId[]): boolean =>
    among.some((mailboxId) => reader.rows('SELECT 1 FROM pop3_uidl WHERE mailbox_id=? AND uidl=?', mailboxId, id).length > 0);
  const make = formatOf(format);
  let part: Part | null = null;
  let makers: readonly Maker[] = [];
  let earlier: readonly MailboxId[] = [];
  let hasKept = false;
  let kept: ReadonlyMap<number, string> = NONE;
  let keptTo = -1;
  return (number, to) => {
    if (part === null || number < part.first || number > part.last) {
      part = maildrop.part(number);
      makers = makersFor(part.mailbox, maildrop.inbox, make);
      const at = keptIn.indexOf(part.mailbox.id);
      hasKept = at >= 0;
      earlier = keptIn.slice(0, Math.max(0, at));
      keptTo = -1;
    }
    const uid = maildrop.uid(number);
    if (hasKept && number > keptTo) {
      keptTo = Math.min(to, part.last);
      kept = keptIds(reader, maildrop, part.mailbox.id, number, keptTo);
    }
    const own = hasKept ? kept.get(uid) : undefined;
    if (own !== undefined && !isKept(own, earlier)) return `${number} ${own}`;
    // What is made may be what another message brought along; the last maker's is not.
    for (const maker of makers) {
      const id = maker(uid);
      if (keptIn.length === 0 || !isKept(id, keptIn)) return `${number} ${id}`;
    }
    return `${number} ${withMailbox(part.mailbox, uid)}`;
  };
}
const NONE: ReadonlyMap<number, string> = new Map();

type Maker = (uid: number) => string;

/** Null: ours. */
function formatOf(text: string): UidlFormat | null {
  if (text === OWN_UIDL_FORMAT) return null;
  const format = uidlFormat(text);
  return 'fault' in format ? null : format; // the configuration was checked: there is no fault
}

/**
 * Unique-ids for one mailbox, the wanted ones first. In the inbox they are always as configured. In others the format has to tell mailboxes
 * apart: by the UIDVALIDITY in it, of as many digits as the inbox's, so that "%v%u" cannot run together to the same text in two mailboxes.
 */
function makersFor(mailbox: ShownMailbox, inbox: ShownMailbox, format: UidlFormat | null): readonly Maker[] {
  const own: Maker = (uid) => uniqueId(mailbox.uidValidity, uid);
  const inFormat: Maker = (uid) => format!({ uid, uidValidity: mailbox.uidValidity, file: null }) ?? own(uid);
  if (mailbox.id === inbox.id) return format === null ? [own] : [inFormat, own];
  if (mailbox.sharesUidValidity) return [(uid) => withMailbox(mailbox, uid)];
  return format !== null && tellsApart(format, mailbox.uidValidity, inbox.uidValidity) ? [inFormat, own] : [own];
}

function tellsApart(format: UidlFormat, one: number, other: number): boolean {
  const isAlikeLong = [10, 16].every((base) => one.toString(base).length === other.toString(base).length);
  return isAlikeLong && format({ uid: 1, uidValidity: one, file: null }) !== format({ uid: 1, uidValidity: other, file: null });
}

/** Ids of mailboxes are never used again. */
function withMailbox(mailbox: ShownMailbox, uid: number): string {
  return `${uniqueId(mailbox.uidValidity, uid)}.${mailbox.id}`;
}

/** Mailboxes in which unique-ids were brought along: of two equal ids the one in the mailbox named first stays. */
function keptMailboxes(reader: StoreReader, maildrop: Maildrop): readonly MailboxId[] {
  const ids = maildrop.mailboxes.map(({ id }) => id);
  const having = mailboxesWith(reader, 'pop3_uidl', maildrop.accountId, ids);
  const rank = (id: MailboxId): number => (id === maildrop.inbox.id ? 0 : id);
  return having.sort((a, b) => rank(a) - rank(b)).slice(0, KEPT_MAILBOXES_MAX);
}

/** Unique-ids that messages `from` to `to`, all of one mailbox, brought along, by UID. */
function keptIds(reader: StoreReader, maildrop: Maildrop, mailboxId: MailboxId, from: number, to: number): Map<number, string> {
  const [first, last] = [maildrop.uid(from), maildrop.uid(to)];
  if (last - first <= SPARSE * (to - from + 1))
    return new Map(reader.rows('SELECT uid, uidl FROM pop3_uidl WHERE mailbox_id=? AND uid BETWEEN ? AND ?', mailboxId, first, last) as [number, string][]);
  const kept = new Map<number, string>();
  for (let number = from; number <= to; number += 1)
    for (const [uid, text] of reader.rows('SELECT uid, uidl FROM pop3_uidl WHERE mailbox_id=? AND uid=?', mailboxId, maildrop.uid(number)))
      kept.set(uid as number, text as string);
  return kept;
}
