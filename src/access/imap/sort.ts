/** SORT and UID SORT (RFC 5256, RFC 5957), their results in the old form, as ESEARCH (ESORT, RFC 5267), or saved for "$". */
import { hasKey } from '../../wire/imap/search.ts';
import type { SortArguments } from '../../wire/imap/sort.ts';
import { comparatorOf } from './comparator.ts';
import { beginContext, type Context } from './context.ts';
import { type ResolvedSearch, resolveSearch } from './filters.ts';
import { limited } from './message-limit.ts';
import { pause, SliceClock } from './pace.ts';
import { Progress } from './progress.ts';
import { save } from './search.ts';
import { esearchLine, saysAnything } from './search-results.ts';
import { findRelevant, narrowed } from './search-walk.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { sortedPlaces } from './sort-order.ts';

export async function sort(session: ImapSession, args: SortArguments, isUid: boolean, tag: string): Promise<string> {
  const selected = session.selected!;
  const { returns, criteria } = args;
  const saves = returns?.options.has('SAVE') === true;
  const resolved = resolveSearch(session, args);
  if (typeof resolved === 'string') {
    // RFC 5182 section 2.1
    if (saves && !resolved.startsWith('BAD')) selected.saved = new Uint32Array(0);
    return resolved;
  }
  if (hasKey(resolved.key, ['modseq'])) session.enableCondstore();
  // RFC 9738: the first of some messages are not the first of all.
  const { code: limit } = limited(session, selected, narrowed(resolved.key, selected));
  if (limit !== '') {
    if (saves) selected.saved = new Uint32Array(0);
    return `NO [${limit}] Too many messages to sort`;
  }
  const context = returns?.options.has('UPDATE') ? beginContext(session, tag, isUid, resolved, criteria) : null;
  if (typeof context === 'string') return context;
  try {
    return await sortInto(session, args, resolved, isUid, tag, context);
  } catch (error) {
    context?.drop();
    throw error;
  }
}

async function sortInto(
  session: ImapSession,
  args: SortArguments,
  search: ResolvedSearch,
  isUid: boolean,
  tag: string,
  context: Context | null,
): Promise<string> {
  const selected = session.selected!;
  const { returns, criteria } = args;
  const found = await findRelevant(session, selected, search.key, search.charset, { progress: new Progress(session, tag, 'Sorting') });
  if (session.isClosed) return '';
  const clock = new SliceClock();
  const { positions, relevancy } = found;
  // What the client's numbers stand for cannot change before this command ends; what is in the view can.
  const uids = picked(selected.uids, positions);
  const places = await sortedPlaces(session.context.reader, { view: selected.view, uids, relevancy }, criteria, comparatorOf(session), clock);
  if (session.isClosed) return '';
  const sorted = picked(positions, places);
  if (returns?.options.has('SAVE')) save(selected, Array.from(sorted), returns);
  const sortedUids = picked(uids, places);
  context?.start(Array.from(sortedUids));
  const numbers = Array.from(isUid ? sortedUids : sorted.map((position) => position + 1));
  if (clock.isOver()) await pause(clock);
  const hasModseq = hasKey(search.key, ['modseq']);
  const modseqOf = (i: number): number => modseqAt(selected, sorted[i]!);
  if (returns !== null) {
    const scores = relevancy === null ? null : Array.from(picked(relevancy, places));
    if (saysAnything(returns)) session.out.write(esearchLine(tag, '', isUid, returns, { numbers, relevancy: scores, modseqOf: hasModseq ? modseqOf : null }));
    return 'OK SORT completed';
  }
  await writeNumbers(session, numbers, clock);
  // RFC 7162 section 3.1.6
  if (hasModseq && numbers.length > 0) {
    let highest = 0;
    for (let i = 0; i < numbers.length; i += 1) highest = Math.max(highest, modseqOf(i));
    session.out.write(` (MODSEQ ${highest})`);
  }
  session.out.write('\r\n');
  return 'OK SORT completed';
}

/** The elements at those places. */
function picked(from: ArrayLike<number>, places: ArrayLike<number>): Uint32Array {
  const out = new Uint32Array(places.length);
  for (let i = 0; i < places.length; i += 1) out[i] = from[places[i]!]!;
  return out;
}

/** Numbers put into one string at once. */
const NUMBERS_AT_ONCE = 8192;

async function writeNumbers(session: ImapSession, numbers: readonly number[], clock: SliceClock): Promise<void> {
  session.out.write('* SORT');
  for (let from = 0; from < numbers.length; from += NUMBERS_AT_ONCE) {
    session.out.write(` ${numbers.slice(from, from + NUMBERS_AT_ONCE).join(' ')}`);
    if (clock.isOver()) await pause(clock);
  }
}

/** 0 for a message that is gone. */
function modseqAt(selected: Selected, position: number): number {
  const index = selected.view.find(selected.uids[position]!);
  return index === -1 ? 0 : selected.view.modseqs[index]!;
}
