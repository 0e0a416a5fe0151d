/** STORE and UID STORE (RFC 9051 section 6.4.6), with UNCHANGEDSINCE (RFC 7162 section 3.1.3). */
import type { FlagChange } from '../../ports.ts';
import type { StoreArguments } from '../../wire/imap/arguments.ts';
import { formatSet } from '../../wire/imap/format.ts';
import { flagsBefore } from './events.ts';
import { pause, SliceClock } from './pace.ts';
import { positions } from './sequence.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Messages changed in one transaction: small enough that the announcement spells them out, and that others get their turn. */
const PAGE_MESSAGES = 4000;

export async function store(session: ImapSession, args: StoreArguments, isUid: boolean): Promise<string> {
  const selected = session.selected!;
  if (selected.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  if (args.unchangedSince !== null) session.enableCondstore();
  const modified: number[] = [];
  let hasGone = false;
  let page: number[] = [];
  const flush = async (): Promise<void> => {
    const uids = page;
    page = [];
    const refused = await storePage(session, selected, args, isUid, uids);
    for (const uid of refused) modified.push(uid);
    if (session.out.isFull) await session.out.drain();
  };
  for (const position of positions(selected.ranges(args.set, isUid))) {
    const uid = selected.uids[position]!;
    if (selected.view.find(uid) === -1) {
      hasGone = true;
      continue;
    }
    page.push(uid);
    if (page.length === PAGE_MESSAGES) await flush();
    if (session.isClosed) return '';
  }
  if (page.length > 0) await flush();
  const isConditional = modified.length > 0;
  const code = isConditional ? ` [MODIFIED ${formatSet(isUid ? modified : modified.map((uid) => selected.position(uid) + 1))}]` : '';
  // RFC 7162 section 3.1.3: MODIFIED comes with OK; messages that are gone are a NO for who uses sequence numbers.
  if (hasGone && !isUid) return `NO${code === '' ? ' [EXPUNGEISSUED]' : code} Some of the messages no longer exist`;
  return `OK${code} ${isConditional ? 'Conditional STORE failed for some' : 'STORE completed'}`;
}

/** Changes some messages, answers for them, and gives the uids that UNCHANGEDSINCE kept from being changed. */
async function storePage(session: ImapSession, selected: Selected, args: StoreArguments, isUid: boolean, uids: number[]): Promise<number[]> {
  const { view } = selected;
  const before = args.isSilent ? knownFlags(session, selected, uids) : null;
  const event = flagsBefore(session, view, uids);
  const { changed, modified } = await session.context.writer.flags(
    view.accountId,
    view.mailboxId,
    uids,
    args.mode,
    args.flags.bits,
    args.flags.keywords,
    args.unchangedSince ?? undefined,
  );
  view.applyFlags(changed);
  event?.tell(changed);
  const changedUids = new Map(changed.map((change) => [change.uid, change.modseq]));
  for (const change of changed) if (before === null || isAsWished(args, before.get(change.uid), change)) session.tellOwn(change.uid, change.modseq);
  // A client must know a keyword before it meets it in FETCH.
  if (selected.hasNewKeywords && !args.isSilent) session.out.write(selected.flagLines());
  const refused = new Set(modified);
  const clock = new SliceClock();
  for (const uid of uids) {
    const index = view.find(uid);
    if (index === -1) continue;
    if (args.isSilent) {
      // RFC 7162 section 3.1.3: even .SILENT tells the new mod-sequence.
      if (session.isCondstore && changedUids.has(uid)) {
        session.out.write(`* ${selected.position(uid) + 1} FETCH (${isUid ? `UID ${uid} ` : ''}MODSEQ (${view.modseqs[index]}))\r\n`);
      }
    } else if (!refused.has(uid)) {
      const modseq = session.isCondstore ? ` MODSEQ (${view.modseqs[index]})` : '';
      session.out.write(`* ${selected.position(uid) + 1} FETCH (${isUid ? `UID ${uid} ` : ''}FLAGS ${selected.flagsText(index)}${modseq})\r\n`);
    }
    if (session.out.isFull) await session.out.drain();
    if (clock.isOver()) await pause(clock);
  }
  return modified;
}

interface Known {
  readonly flags: number;
  readonly keywords: string;
}

/** What the client knows of the messages; one that changed meanwhile without its knowledge is left out. */
function knownFlags(session: ImapSession, selected: Selected, uids: readonly number[]): Map<number, Known> {
  const { view } = selected;
  const untold = selected.untold((uid, modseq) => session.isOwn(uid, modseq));
  const known = new Map<number, Known>();
  for (const uid of uids) {
    const index = view.find(uid);
    if (index !== -1 && !untold(uid)) known.set(uid, { flags: view.flags[index]!, keywords: view.keywordText(index) });
  }
  return known;
}

/** Can the client tell by itself what the flags are now? Not when another session's change came in between: then it is told in spite of .SILENT (RFC 9051 section 6.4.6). */
function isAsWished(args: StoreArguments, before: Known | undefined, after: FlagChange): boolean {
  if (before === undefined) return false;
  const { bits, keywords } = args.flags;
  const flags = args.mode === 'add' ? before.flags | bits : args.mode === 'remove' ? before.flags & ~bits : bits;
  if (flags !== after.flags) return false;
  const is = after.keywords ?? '';
  if (args.mode !== 'replace' && keywords.length === 0) return is === before.keywords;
  const wished = new Set(args.mode === 'replace' ? [] : words(before.keywords));
  for (const keyword of keywords) {
    if (args.mode === 'remove') wished.delete(keyword.toLowerCase());
    else wished.add(keyword.toLowerCase());
  }
  const found = words(is);
  return found.length === wished.size && found.every((word) => wished.has(word));
}

function words(keywords: string): string[] {
  return keywords === '' ? [] : keywords.toLowerCase().split(' ');
}
