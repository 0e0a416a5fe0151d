/**
 * STORE of system flags for many messages at once: one change of whole ranges in the store, announced as such, and answered out of the
 * view. What store.ts does message by message has no place here: conditions, keywords, flags that may not be changed, scripts that listen.
 */
import { flagsBefore } from './events.ts';
import { pause, SliceClock } from './pace.ts';
import type { Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { countOfRanges, sliceOfRanges } from './message-limit.ts';

/** Fewer are changed one by one, which announces what each of them has now. */
const SWEEP_LEAST = 32;
/** Messages changed in one transaction: some 5 ms of the writer's time. */
const PAGE_MESSAGES = 10_000;
/** Response lines between looks at the clock and the client. */
const LINES_AT_ONCE = 64;

export interface SweepArguments {
  readonly mode: 'add' | 'remove';
  readonly bits: number;
  readonly isSilent: boolean;
  readonly isUid: boolean;
}

/** Can it be done so? The client must know all flags as they are, so that with .SILENT it can tell what they become. */
export function isSweep(session: ImapSession, selected: Selected, ranges: Ranges): boolean {
  if (countOfRanges(ranges) < SWEEP_LEAST || !selected.isCurrent || selected.uids !== selected.view.uids) return false;
  return flagsBefore(session, selected.view, []) === null;
}

/** Positions in the client's numbering, in `ranges`. Answers whether some of the messages no longer exist. */
export async function sweep(session: ImapSession, selected: Selected, ranges: Ranges, args: SweepArguments): Promise<boolean> {
  const total = countOfRanges(ranges);
  const count: Changes = { before: selected.view.changesSoFar, own: 0 };
  let hasGone = false;
  for (let done = 0; done < total && !session.isClosed; done += PAGE_MESSAGES) {
    const page = sliceOfRanges(ranges, done, done + PAGE_MESSAGES - 1);
    if (await sweepPage(session, selected, page, args, count)) hasGone = true;
  }
  return hasGone;
}

/** Flag changes of the view before the first page, and how many this STORE has made since. */
interface Changes {
  readonly before: number;
  own: number;
}

async function sweepPage(session: ImapSession, selected: Selected, page: Ranges, args: SweepArguments, count: Changes): Promise<boolean> {
  const { view } = selected;
  const uids = page.map((position) => selected.uids[position]!);
  const { changed, modseq } = await session.context.writer.sweep(view.accountId, view.mailboxId, uids, args.mode, args.bits);
  if (changed > 0) {
    const [and, or] = args.mode === 'add' ? [-1, args.bits] : [~args.bits, 0];
    // Else the messages are read as they are now, and what others changed before it cannot be told from it.
    const isAnnounced = view.highestModseq >= modseq;
    view.catchUpWith({ ranges: uids, and, or, modseq });
    count.own += changed;
    // With .SILENT the client can tell what the flags are now only if nobody else changed any since the first page (RFC 9051 section 6.4.6).
    if (!args.isSilent || (isAnnounced && view.changesSoFar - count.before === count.own)) session.tellOwnSweep(modseq);
  }
  if (selected.hasNewKeywords && !args.isSilent) session.out.write(selected.flagLines());
  return answer(session, selected, page, args, changed === 0 ? Number.POSITIVE_INFINITY : modseq);
}

/** One line for each message, or with .SILENT for each whose modseq must be told (RFC 7162 section 3.1.3): those from `modseq` on. */
async function answer(session: ImapSession, selected: Selected, page: Ranges, args: SweepArguments, modseq: number): Promise<boolean> {
  const { view, uids } = selected;
  const { out, isCondstore, isUidOnly } = session;
  const isLevel = uids === view.uids;
  if (args.isSilent && !isCondstore && isLevel) return false;
  const hasUid = args.isUid || isCondstore;
  const clock = new SliceClock();
  let hasGone = false;
  let lines = 0;
  for (let i = 0; i < page.length; i += 2) {
    for (let position = page[i]!; position <= page[i + 1]!; position += 1) {
      // Removed meanwhile: the view has a new array, and the client's numbers are no longer its indexes.
      const index = uids === view.uids ? position : view.find(uids[position]!);
      if (index === -1) {
        hasGone = true;
        continue;
      }
      const items = itemsOf(selected, index, args.isSilent, isCondstore && (!args.isSilent || view.modseqs[index]! >= modseq));
      if (items === '') continue;
      if (isUidOnly) out.write(`* ${uids[position]} UIDFETCH (${items})\r\n`);
      else if (hasUid) out.write(`* ${position + 1} FETCH (UID ${uids[position]} ${items})\r\n`);
      else out.write(`* ${position + 1} FETCH (${items})\r\n`);
      lines += 1;
      if (lines % LINES_AT_ONCE !== 0) continue;
      if (out.isFull) await out.drain();
      if (clock.isOver()) await pause(clock);
      if (session.isClosed) return hasGone;
    }
  }
  return hasGone;
}

function itemsOf(selected: Selected, index: number, isSilent: boolean, tellsModseq: boolean): string {
  const flags = isSilent ? '' : `FLAGS ${selected.flagsText(index)}`;
  if (!tellsModseq) return flags;
  const modseq = `MODSEQ (${selected.view.modseqs[index]})`;
  return isSilent ? modseq : `${flags} ${modseq}`;
}
