/** STORE and UID STORE (RFC 9051 section 6.4.6), with UNCHANGEDSINCE (RFC 7162 section 3.1.3) and rights (RFC 4314 section 4). */
import type { FlagChange } from '../../ports.ts';
import type { StoreArguments } from '../../wire/imap/arguments.ts';
import { formatSet } from '../../wire/imap/format.ts';
import { flagsBefore } from './events.ts';
import { limited } from './message-limit.ts';
import { pause, SliceClock } from './pace.ts';
import { rightsNow } from './rights-now.ts';
import { positions } from './sequence.ts';
import { changeable, type Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { isSweep, type SweepArguments, sweep } from './store-sweep.ts';
import type { MailboxView } from './view.ts';

/** Messages changed in one transaction: small enough that the announcement spells them out, and that others get their turn. */
const PAGE_MESSAGES = 4000;

interface Permitted extends StoreArguments {
  /** Flags that replacing must leave as they are: changing them is not permitted. null: none. */
  readonly keeps: { readonly flags: number; readonly keywords: boolean } | null;
}

/** What of the change the rights permit; null: nothing. */
function permitted(session: ImapSession, selected: Selected, args: StoreArguments): Permitted | null {
  const may = changeable(rightsNow(session, selected));
  if (may.flags === 31 && may.keywords) return { ...args, keeps: null };
  const flags = { bits: args.flags.bits & may.flags, keywords: may.keywords ? args.flags.keywords : [] };
  if (args.mode === 'replace') {
    if (may.flags === 0 && !may.keywords) return null;
    return { ...args, flags, keeps: { flags: 31 & ~may.flags, keywords: !may.keywords } };
  }
  const asksNothing = args.flags.bits === 0 && args.flags.keywords.length === 0;
  return flags.bits === 0 && flags.keywords.length === 0 && !asksNothing ? null : { ...args, flags, keeps: null };
}

/** The change in the store. Where some flags must stay, replacing is taking away what may go and adding what is asked for. */
async function change(
  session: ImapSession,
  view: MailboxView,
  args: Permitted,
  uids: readonly number[],
): Promise<{ changed: FlagChange[]; modified: number[] }> {
  const { writer } = session.context;
  const { bits, keywords } = args.flags;
  const since = args.unchangedSince ?? undefined;
  if (args.keeps === null) return writer.flags(view.accountId, view.mailboxId, uids, args.mode, bits, keywords, since);
  const wished = new Set(keywords.map((word) => word.toLowerCase()));
  const going = args.keeps.keywords ? [] : [...view.keywordNames].filter(([key]) => !wished.has(key)).map(([, word]) => word);
  const first = await writer.flags(view.accountId, view.mailboxId, uids, 'remove', 31 & ~args.keeps.flags & ~bits, going, since);
  const refused = new Set(first.modified);
  const rest = uids.filter((uid) => !refused.has(uid));
  const second = await writer.flags(view.accountId, view.mailboxId, rest, 'add', bits, keywords);
  const changed = new Map([...first.changed, ...second.changed].map((each) => [each.uid, each]));
  return { changed: [...changed.values()], modified: first.modified };
}

export async function store(session: ImapSession, asked: StoreArguments, isUid: boolean): Promise<string> {
  const selected = session.selected!;
  if (selected.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  const args = permitted(session, selected, asked);
  if (args === null) return 'NO [NOPERM] Changing these flags is not permitted here';
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
  const { ranges, code: limit } = limited(session, selected, selected.ranges(args.set, isUid));
  const change = sweepOf(args, isUid);
  if (change !== null && isSweep(session, selected, ranges)) hasGone = await sweep(session, selected, ranges, change);
  else
    for (const position of positions(ranges)) {
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
  if (limit !== '' && isConditional) session.out.write(`* NO [${limit}] Only some of the messages were looked at\r\n`);
  const refused = isConditional ? formatSet(isUid ? modified : modified.map((uid) => selected.position(uid) + 1)) : '';
  const code = isConditional ? ` [MODIFIED ${refused}]` : limit === '' ? '' : ` [${limit}]`;
  // RFC 7162 section 3.1.3: MODIFIED comes with OK; messages that are gone are a NO for who uses sequence numbers.
  if (hasGone && !isUid) return `NO${code === '' ? ' [EXPUNGEISSUED]' : code} Some of the messages no longer exist`;
  return `OK${code} ${isConditional ? 'Conditional STORE failed for some' : 'STORE completed'}`;
}

/** null: what is asked is more than a change of system flags by one rule for all. */
function sweepOf(args: Permitted, isUid: boolean): SweepArguments | null {
  const { mode, isSilent, unchangedSince } = args;
  const { bits, keywords } = args.flags;
  if (mode === 'replace' || bits === 0 || keywords.length > 0 || unchangedSince !== null || args.keeps !== null) return null;
  return { mode, bits, isSilent, isUid };
}

/** Changes some messages, answers for them, and gives the uids that UNCHANGEDSINCE kept from being changed. */
async function storePage(session: ImapSession, selected: Selected, args: Permitted, isUid: boolean, uids: number[]): Promise<number[]> {
  const { view } = selected;
  const before = args.isSilent ? knownFlags(session, selected, uids) : null;
  const changesBefore = view.changesSoFar;
  const event = flagsBefore(session, view, uids);
  const { changed, modified } = await change(session, view, args, uids);
  view.applyFlags(changed);
  event?.tell(changed);
  const changedUids = new Map(changed.map((change) => [change.uid, change.modseq]));
  // What was under way beside this one may have changed a message before it: then nobody can tell what .SILENT made of it.
  const counts = before === null ? null : view.changesSince(changesBefore, uids);
  for (const change of changed)
    if (before === null || (counts?.get(change.uid) === 1 && isAsWished(args, before.get(change.uid), change))) session.tellOwn(change.uid, change.modseq);
  // A client must know a keyword before it meets it in FETCH.
  if (selected.hasNewKeywords && !args.isSilent) session.out.write(selected.flagLines());
  const refused = new Set(modified);
  const clock = new SliceClock();
  for (const uid of uids) {
    const index = view.find(uid);
    if (index === -1) continue;
    // RFC 7162 section 3.1.3: with UNCHANGEDSINCE, or where the message was changed, even .SILENT tells the mod-sequence.
    const tellsModseq = session.isCondstore && (!args.isSilent || changedUids.has(uid) || args.unchangedSince !== null);
    if (!refused.has(uid) && (!args.isSilent || tellsModseq)) {
      const flags = args.isSilent ? '' : `FLAGS ${selected.flagsText(index)}`;
      // Without FLAGS, the mod-sequence is that of this change: one that came after it is told with its flags.
      const modseq = tellsModseq ? `MODSEQ (${(args.isSilent ? changedUids.get(uid) : undefined) ?? view.modseqs[index]})` : '';
      const space = flags !== '' && modseq !== '' ? ' ' : '';
      // RFC 7162 section 3.2.4: once CONDSTORE is on, the uid is always there.
      const head = session.isUidOnly ? `${uid} UIDFETCH (` : `${selected.position(uid) + 1} FETCH (${isUid || session.isCondstore ? `UID ${uid} ` : ''}`;
      session.out.write(`* ${head}${flags}${space}${modseq})\r\n`);
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
function isAsWished(args: Permitted, before: Known | undefined, after: FlagChange): boolean {
  if (before === undefined) return false;
  const { bits, keywords } = args.flags;
  const kept = before.flags & (args.keeps?.flags ?? 0);
  const flags = args.mode === 'add' ? before.flags | bits : args.mode === 'remove' ? before.flags & ~bits : bits | kept;
  if (flags !== after.flags) return false;
  const is = after.keywords ?? '';
  if (args.keeps?.keywords === true || (args.mode !== 'replace' && keywords.length === 0)) return is === before.keywords;
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
