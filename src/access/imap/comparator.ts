/** COMPARATOR (RFC 5255 section 4.7): which collation SEARCH, SORT and THREAD of a session compare texts by. */
import { COLLATIONS, type Collation, matchingCollations, UNICODE_CASEMAP } from '../../mail/collation.ts';
import { imapString } from '../../wire/imap/format.ts';
import type { ImapSession } from './session.ts';

/** Sessions that chose another than the default; nearly none do. */
const CHOSEN = new WeakMap<ImapSession, Collation>();

/** The active comparator. */
export function comparatorOf(session: ImapSession): Collation {
  return CHOSEN.get(session) ?? UNICODE_CASEMAP;
}

/** What searches fold texts with instead of the default, or undefined: `SearchOptions.fold`. */
export function chosenFold(session: ImapSession): ((text: string) => string) | undefined {
  return CHOSEN.get(session)?.fold;
}

/** UNAUTHENTICATE (RFC 8437): back to the default. */
export function forgetComparator(session: ImapSession): void {
  CHOSEN.delete(session);
}

export function comparator(session: ImapSession, orders: readonly string[]): string {
  if (orders.length === 0) {
    session.out.write(`* COMPARATOR ${imapString(comparatorOf(session).id)}\r\n`);
    return 'OK COMPARATOR completed';
  }
  const matching: Collation[] = [];
  for (const order of orders)
    for (const collation of order === 'default' ? [UNICODE_CASEMAP] : matchingCollations(order, COLLATIONS))
      if (!matching.includes(collation)) matching.push(collation);
  const chosen = matching[0];
  if (chosen === undefined) return 'NO [BADCOMPARATOR] No such comparator here';
  if (chosen === UNICODE_CASEMAP) CHOSEN.delete(session);
  else CHOSEN.set(session, chosen);
  const all = matching.length > 1 ? ` (${matching.map(({ id }) => imapString(id)).join(' ')})` : '';
  session.out.write(`* COMPARATOR ${imapString(chosen.id)}${all}\r\n`);
  return `OK Will use ${chosen.id}`;
}
