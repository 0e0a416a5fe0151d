/** SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3), quick resynchronisation (RFC 7162 section 3.2.5), rights (RFC 4314). */
import { mailboxObjectId } from '../../store/object-id.ts';
import type { Qresync, SelectArguments } from '../../wire/imap/select.ts';
import { has } from './capability.ts';
import { selectedLine } from './old-name.ts';
import { pause, SliceClock } from './pace.ts';
import { actsAsOwner, findPlace, may, type Place } from './places.ts';
import { positions, uidRanges } from './sequence.ts';
import { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { claimRecent } from './tell-updates.ts';
import { vanishedEarlier } from './vanished.ts';
import type { MailboxView } from './view.ts';

export function select(session: ImapSession, args: SelectArguments, isExamine: boolean): string | Promise<string> {
  // RFC 7162 section 3.2.5: before anything else, the mailbox selected now stays so.
  if (args.qresync !== null && !session.isQresync) return 'BAD QRESYNC must be enabled first';
  const place = findPlace(session, args.name);
  const isOpen = place?.row.isSelectable === true && may(place, 'r');
  // Before the old one is let go: it may be the same, and need not be read again.
  const { views } = session.shared;
  // A client that speaks of uids needs them all, or what goes away before it was read could not be told; others are answered before a large mailbox has been read.
  const needsUids = session.isQresync || session.isUidOnly;
  const view = !isOpen ? null : needsUids ? views.acquire(place.owner, place.row.id) : views.acquireNow(place.owner, place.row.id);
  // Whatever comes of it, the mailbox selected before is not any more (RFC 9051 section 6.3.2).
  if (session.selected !== null) {
    session.unselect();
    session.out.write('* OK [CLOSED] Previous mailbox is closed\r\n');
  }
  if (args.condstore) session.isCondstore = true;
  if (place === null) return 'NO [NONEXISTENT] No such mailbox';
  if (!place.row.isSelectable) return 'NO [CANNOT] This name only holds other mailboxes';
  if (!isOpen) return 'NO [NOPERM] Reading this mailbox is not permitted';
  if (view instanceof Promise) return view.then((loaded) => opened(session, loaded, place, args, isExamine));
  return opened(session, view, place, args, isExamine);
}

/** Thunderbird may add the hierarchy separator at the end of a name. */
export function findName(session: ImapSession, name: string): string {
  if (!name.endsWith('/') || session.context.reader.mailboxByName(session.account!.id, name) !== null) return name;
  return name.slice(0, -1);
}

/** RFC 4314 section 5.2: somebody who may change nothing, not even put something in. */
function mayChangeNothing(place: Place): boolean {
  return !place.isOwn && !/[swtei]/.test(place.rights);
}

function opened(
  session: ImapSession,
  view: MailboxView | null,
  place: Place,
  { name: given, qresync }: Pick<SelectArguments, 'name' | 'qresync'>,
  isExamine: boolean,
  isAwaited = false,
): string | Promise<string> {
  if (view === null) return 'NO [NONEXISTENT] No such mailbox';
  if (session.isClosed) {
    session.shared.views.release(view);
    return '';
  }
  // What the store had when the name was looked up must be told: the client may have heard of it already, by STATUS or elsewhere.
  if (!isAwaited && view.highestModseq < place.row.highestModseq)
    return (view.loading ?? view.reach(place.row.highestModseq)).then(() => opened(session, view, place, { name: given, qresync }, isExamine, true));
  const isReadOnly = isExamine || mayChangeNothing(place);
  const selected = new Selected(view, place.name, isReadOnly, place);
  session.enterSelected(selected);
  const { out } = session;
  out.write(selected.flagLines());
  out.write(`* ${selected.count} EXISTS\r\n`);
  if (!session.isRev2) {
    if (view.loading === null) claimRecent(session);
    out.write(`* ${selected.tellRecent()} RECENT\r\n`);
    // Left out for a large mailbox that is still being read (RFC 3501 section 6.3.1: the client then knows nothing about it).
    const unseen = session.isUidOnly || view.loading !== null ? -1 : firstUnseen(view);
    if (unseen !== -1) out.write(`* OK [UNSEEN ${unseen + 1}] First unseen message\r\n`);
  }
  out.write(`* OK [UIDVALIDITY ${view.uidValidity}] UIDs are valid\r\n* OK [UIDNEXT ${view.uidNext}] Predicted next UID\r\n`);
  out.write(`* OK [HIGHESTMODSEQ ${view.highestModseq}] Highest mod-sequence\r\n`);
  if (has(session, 'OBJECTID')) out.write(`* OK [MAILBOXID (${mailboxObjectId(place.row)})] The mailbox's own id\r\n`);
  // RFC 4467: how URLs of this mailbox are signed, for who may have some signed.
  if (has(session, 'URLAUTH') && actsAsOwner(session)) out.write('* OK [URLMECH INTERNAL] URLs can be signed\r\n');
  if (session.isRev2) out.write(selectedLine(session, place, given));
  const end = isReadOnly ? `OK [READ-ONLY] ${isExamine ? 'EXAMINE' : 'SELECT'} completed` : 'OK [READ-WRITE] SELECT completed';
  if (qresync === null || qresync.uidValidity !== view.uidValidity) return end;
  out.write(vanishedEarlier(session, selected, qresync.modseq, qresync.knownUids, qresync.match));
  // Nothing has changed since the client was here: no message needs to be looked at. What the view has ahead of HIGHESTMODSEQ must be told now:
  // its announcement, which is still to come, will find it known.
  if (qresync.modseq >= Math.max(view.highestModseq, view.newestModseq)) return end;
  return tellChanged(session, selected, qresync).then(() => end);
}

/** FLAGS of what changed since the client was here, of the uids it knows. */
async function tellChanged(session: ImapSession, selected: Selected, { modseq, knownUids }: Qresync): Promise<void> {
  const { view, uids, count } = selected;
  const ranges = uidRanges(knownUids ?? [1, 0], uids, count);
  const clock = new SliceClock();
  let looked = 0;
  for (const position of positions(ranges)) {
    looked += 1;
    if ((looked & 1023) === 0 && clock.isOver()) await pause(clock);
    const index = view.find(uids[position]!);
    if (index === -1 || view.modseqs[index]! <= modseq) continue;
    const flags = `FLAGS ${selected.flagsText(index)} MODSEQ (${view.modseqs[index]})`;
    const uid = uids[position]!;
    session.out.write(session.isUidOnly ? `* ${uid} UIDFETCH (${flags})\r\n` : `* ${position + 1} FETCH (UID ${uid} ${flags})\r\n`);
    if (session.out.isFull) await session.out.drain();
    if (session.isClosed) return;
  }
}

function firstUnseen(view: MailboxView): number {
  for (let i = 0; i < view.count; i += 1) if (!view.isSeen(i)) return i;
  return -1;
}
