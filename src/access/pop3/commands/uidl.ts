/** UIDL (RFC 1939 section 7): the unique-id a message brought along from another server, else one made of its UID. */
import type { StoreReader } from '../../../ports.ts';
import { uniqueId } from '../../../wire/pop3/command.ts';
import { OWN_UIDL_FORMAT, uidlFormat } from '../../../wire/pop3/uidl.ts';
import type { Maildrop } from '../maildrop.ts';
import type { Pop3Session } from '../dialogue.ts';
import { type Rows, show } from './transaction.ts';

/** A range of UIDs this much wider than its messages is not read whole. */
const SPARSE = 4;

export function uidl(session: Pop3Session, rest: string): void | Promise<void> {
  return show(session, rest, '', uniqueIds(session.context.reader, session.maildrop!, session.settings['pop3.uidlFormat']));
}

/** Rows "number unique-id" of messages `from` to `to`, those marked as deleted left out. */
function uniqueIds(reader: StoreReader, maildrop: Maildrop, format: string): Rows {
  const made = maker(maildrop, format);
  const hasKept = reader.rows('SELECT 1 FROM pop3_uidl WHERE mailbox_id=? LIMIT 1', maildrop.mailboxId).length > 0;
  if (!hasKept) return (number) => `${number} ${made(maildrop.uid(number))}`;
  let kept = new Map<number, string>();
  let keptFrom = 0;
  let keptTo = -1;
  return (number, to) => {
    const uid = maildrop.uid(number);
    if (number < keptFrom || number > keptTo) {
      [kept, keptFrom, keptTo] = [keptIds(reader, maildrop, number, to), number, to];
    }
    const own = kept.get(uid);
    if (own !== undefined) return `${number} ${own}`;
    const id = made(uid);
    // A format without UIDVALIDITY may make what another message brought along.
    const isTaken = reader.rows('SELECT 1 FROM pop3_uidl WHERE mailbox_id=? AND uidl=?', maildrop.mailboxId, id).length > 0;
    return `${number} ${isTaken ? uniqueId(maildrop.uidValidity, uid) : id}`;
  };
}

function maker(maildrop: Maildrop, text: string): (uid: number) => string {
  const own = (uid: number): string => uniqueId(maildrop.uidValidity, uid);
  if (text === OWN_UIDL_FORMAT) return own;
  const format = uidlFormat(text);
  if ('fault' in format) return own; // the configuration was checked: this cannot be
  return (uid) => format({ uid, uidValidity: maildrop.uidValidity, file: null }) ?? own(uid);
}

/** Unique-ids that messages `from` to `to` brought along, by UID. */
function keptIds(reader: StoreReader, maildrop: Maildrop, from: number, to: number): Map<number, string> {
  const [first, last] = [maildrop.uid(from), maildrop.uid(to)];
  const { mailboxId } = maildrop;
  if (last - first <= SPARSE * (to - from + 1))
    return new Map(reader.rows('SELECT uid, uidl FROM pop3_uidl WHERE mailbox_id=? AND uid BETWEEN ? AND ?', mailboxId, first, last) as [number, string][]);
  const kept = new Map<number, string>();
  for (let number = from; number <= to; number += 1)
    for (const [uid, text] of reader.rows('SELECT uid, uidl FROM pop3_uidl WHERE mailbox_id=? AND uid=?', mailboxId, maildrop.uid(number)))
      kept.set(uid as number, text as string);
  return kept;
}
