/** SEARCH and UID SEARCH (RFC 9051 section 6.4.4), their results in the old form, as ESEARCH, or saved for "$". */
import { hasKey, type SearchArguments } from '../../wire/imap/search.ts';
import type { SearchReturn, SearchReturns } from '../../wire/imap/search-returns.ts';
import { beginContext } from './context.ts';
import { resolveSearch } from './filters.ts';
import { limited } from './message-limit.ts';
import { pause, SliceClock } from './pace.ts';
import { Progress } from './progress.ts';
import { esearchLine, type Results, savedPlaces, saysAnything } from './search-results.ts';
import { type Found, findRelevant, narrowed } from './search-walk.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

const ALL: SearchReturns = { options: new Set<SearchReturn>(['ALL']), partial: null };

export async function search(session: ImapSession, args: SearchArguments, isUid: boolean, tag: string): Promise<string> {
  const selected = session.selected!;
  const saves = args.returns?.options.has('SAVE') === true;
  const resolved = resolveSearch(session, args);
  if (typeof resolved === 'string') {
    if (saves && !resolved.startsWith('BAD')) forget(selected);
    return resolved;
  }
  const hasModseq = hasKey(resolved.key, ['modseq']);
  if (hasModseq) session.enableCondstore();
  const { ranges, code: limit } = limited(session, selected, narrowed(resolved.key, selected));
  if (limit !== '' && args.returns?.options.has('UPDATE')) {
    if (saves) forget(selected);
    return `NO [${limit}] Too many messages to keep the result up to date`;
  }
  const context = args.returns?.options.has('UPDATE') ? beginContext(session, tag, isUid, resolved, null) : null;
  if (typeof context === 'string') return context;
  let found: Found;
  try {
    found = await findRelevant(session, selected, resolved.key, resolved.charset, { within: ranges, progress: new Progress(session, tag, 'Searching') });
  } catch (error) {
    if (saves) forget(selected);
    context?.drop();
    throw error;
  }
  if (session.isClosed) return '';
  context?.start(Array.from(found.positions, (position) => selected.uids[position]!));
  if (saves) save(selected, found.positions, args.returns!);
  await report(session, selected, args.returns, found, isUid, tag, hasModseq);
  return limit === '' ? 'OK SEARCH completed' : `OK [${limit}] SEARCH completed for some`;
}

/** RFC 5182 section 2.1: a search that fails leaves nothing saved. */
function forget(selected: Selected): void {
  selected.saved = new Uint32Array(0);
}

/** Keeps the uids of the results that "$" stands for, ascending. */
export function save(selected: Selected, positions: readonly number[], returns: SearchReturns): void {
  const places = savedPlaces(returns, positions.length);
  const kept = places === 'all' ? positions : places.map((place) => positions[place]!);
  selected.saved = Uint32Array.from(kept, (position) => selected.uids[position]!).sort();
}

async function report(
  session: ImapSession,
  selected: Selected,
  returns: SearchReturns | null,
  found: Found,
  isUid: boolean,
  tag: string,
  hasModseq: boolean,
): Promise<void> {
  const { positions, relevancy } = found;
  const numbers = numbersOf(selected, positions, isUid);
  const results: Results = { numbers, relevancy, modseqOf: hasModseq ? (i) => modseqAt(selected, positions[i]!) : null };
  // RFC 9051 section 6.4.4: once IMAP4rev2 is enabled, every answer is an ESEARCH.
  if (returns !== null || session.isRev2) {
    if (saysAnything(returns ?? ALL)) session.out.write(esearchLine(tag, '', isUid, returns ?? ALL, results));
    return;
  }
  let text = `* SEARCH${await joined(numbers)}`;
  if (hasModseq && numbers.length > 0) text += ` (MODSEQ ${positions.reduce((highest, position) => Math.max(highest, modseqAt(selected, position)), 0)})`;
  // In one piece: nobody else may speak within the line.
  if (!session.isClosed) session.out.write(`${text}\r\n`);
}

/** Numbers put into one string at once. */
const NUMBERS_AT_ONCE = 16_384;

/** Each with a space before it. */
async function joined(numbers: readonly number[]): Promise<string> {
  const clock = new SliceClock();
  let text = '';
  for (let from = 0; from < numbers.length; from += NUMBERS_AT_ONCE) {
    text += ` ${numbers.slice(from, from + NUMBERS_AT_ONCE).join(' ')}`;
    if (clock.isOver()) await pause(clock);
  }
  return text;
}

/** Positions as the client is told them. */
export function numbersOf(mailbox: { readonly uids: Uint32Array }, positions: readonly number[], isUid: boolean): number[] {
  const numbers = new Array<number>(positions.length);
  for (let i = 0; i < positions.length; i += 1) numbers[i] = isUid ? mailbox.uids[positions[i]!]! : positions[i]! + 1;
  return numbers;
}

/** 0 for a message that is gone. */
function modseqAt(selected: Selected, position: number): number {
  const index = selected.view.find(selected.uids[position]!);
  return index === -1 ? 0 : selected.view.modseqs[index]!;
}
