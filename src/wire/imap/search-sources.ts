/** ESEARCH (RFC 7377): which mailboxes are searched, then as in SEARCH. Sources are those of NOTIFY (RFC 5465 section 6) with "subtree-one". */
import { CLOSE, OPEN } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';
import { checkReturns, type SearchArguments, searchProgram } from './search.ts';
import { searchReturnOpts } from './search-returns.ts';

export type MailboxSource =
  | { readonly kind: 'selected' | 'inboxes' | 'personal' | 'subscribed' }
  | { readonly kind: 'subtree' | 'subtree-one' | 'mailboxes'; readonly names: readonly string[] };

export interface EsearchArguments extends SearchArguments {
  readonly sources: readonly MailboxSource[];
}

const SELECTED: readonly MailboxSource[] = [{ kind: 'selected' }];

/** filter-mailboxes */
function mailboxSource(cursor: Cursor): MailboxSource {
  const word = cursor.word();
  switch (word) {
    case 'SELECTED':
      return { kind: 'selected' };
    case 'INBOXES':
      return { kind: 'inboxes' };
    case 'PERSONAL':
      return { kind: 'personal' };
    case 'SUBSCRIBED':
      return { kind: 'subscribed' };
    case 'SUBTREE':
    case 'SUBTREE-ONE':
    case 'MAILBOXES':
      cursor.sp();
      return { kind: word === 'SUBTREE' ? 'subtree' : word === 'MAILBOXES' ? 'mailboxes' : 'subtree-one', names: oneOrMoreMailbox(cursor) };
    default:
      throw new ImapSyntaxError(`Unknown source of mailboxes ${word.slice(0, 40)}`);
  }
}

/** one-or-more-mailbox (RFC 5465 section 8) */
function oneOrMoreMailbox(cursor: Cursor): string[] {
  const names: string[] = [];
  if (cursor.isListAhead()) cursor.list(IMAP_LIMITS.searchMailboxes, 1, () => names.push(cursor.mailbox()));
  else names.push(cursor.mailbox());
  return names;
}

/** [SP esearch-source-opts] [SP search-return-opts] SP search-program */
export function esearchArguments(cursor: Cursor): EsearchArguments {
  cursor.sp();
  let sources = SELECTED;
  if (cursor.takeWord('IN')) {
    cursor.sp();
    sources = esearchSources(cursor);
    cursor.sp();
  }
  const returns = searchReturnOpts(cursor);
  const program = searchProgram(cursor);
  checkReturns(returns, program.key);
  const isOnlySelected = sources.every(({ kind }) => kind === 'selected');
  // RFC 7377 section 2.2
  if (returns?.options.has('SAVE') && !isOnlySelected) throw new ImapSyntaxError('SAVE is possible for the selected mailbox alone');
  return { sources, returns, ...program };
}

/** "(" filter-mailboxes *(SP filter-mailboxes) ")"; there are no scope options yet. */
function esearchSources(cursor: Cursor): MailboxSource[] {
  const sources: MailboxSource[] = [];
  let names = 0;
  cursor.expect(OPEN);
  do {
    if (cursor.isListAhead()) throw new ImapSyntaxError('Scope options are not known here');
    const source = mailboxSource(cursor);
    names += 'names' in source ? source.names.length : 1;
    if (names > IMAP_LIMITS.searchMailboxes) throw new ImapSyntaxError('Too many mailboxes are named');
    sources.push(source);
  } while (cursor.take(0x20));
  cursor.expect(CLOSE);
  return sources;
}
