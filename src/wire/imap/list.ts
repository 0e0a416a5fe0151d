/** list, lsub, status and namespace arguments (RFC 9051 sections 6.3.9 to 6.3.11; RFC 5258, RFC 5819, RFC 6154). */
import { SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

export type StatusItem = 'MESSAGES' | 'RECENT' | 'UIDNEXT' | 'UIDVALIDITY' | 'UNSEEN' | 'DELETED' | 'SIZE' | 'HIGHESTMODSEQ' | 'APPENDLIMIT';
export type ListSelection = 'SUBSCRIBED' | 'REMOTE' | 'RECURSIVEMATCH' | 'SPECIAL-USE';
export type ListReturn = 'SUBSCRIBED' | 'CHILDREN' | 'SPECIAL-USE' | 'STATUS';

export interface ListArguments {
  /** Uses the extended syntax of RFC 5258. */
  readonly isExtended: boolean;
  readonly selection: ReadonlySet<ListSelection>;
  readonly reference: string;
  readonly patterns: readonly string[];
  readonly returns: ReadonlySet<ListReturn>;
  /** For the return option STATUS. */
  readonly status: readonly StatusItem[];
}

const STATUS_ITEMS: readonly StatusItem[] = ['MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN', 'DELETED', 'SIZE', 'HIGHESTMODSEQ', 'APPENDLIMIT'];
const SELECTIONS: readonly ListSelection[] = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'];
const RETURNS: readonly ListReturn[] = ['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE', 'STATUS'];

function oneOf<T extends string>(known: readonly T[], cursor: Cursor, what: string): T {
  const word = cursor.word();
  const found = known.find((name) => name === word);
  if (found === undefined) throw new ImapSyntaxError(`Unknown ${what} ${word.slice(0, 40)}`);
  return found;
}

export function statusItems(cursor: Cursor): StatusItem[] {
  const items: StatusItem[] = [];
  cursor.list(20, 1, () => {
    const item = oneOf(STATUS_ITEMS, cursor, 'STATUS item');
    if (!items.includes(item)) items.push(item);
  });
  return items;
}

/** SP mailbox SP "(" status-att *(SP status-att) ")" */
export function statusArguments(cursor: Cursor): { name: string; items: StatusItem[] } {
  cursor.sp();
  const name = cursor.mailbox();
  cursor.sp();
  const items = statusItems(cursor);
  cursor.end();
  return { name, items };
}

/** SP [list-select-opts SP] mailbox SP mbox-or-pat [SP list-return-opts] */
export function listArguments(cursor: Cursor): ListArguments {
  cursor.sp();
  const selection = new Set<ListSelection>();
  let isExtended = false;
  if (cursor.isListAhead()) {
    isExtended = true;
    cursor.list(20, 0, () => selection.add(oneOf(SELECTIONS, cursor, 'LIST selection option')));
    if (selection.has('RECURSIVEMATCH') && !selection.has('SUBSCRIBED') && !selection.has('SPECIAL-USE'))
      throw new ImapSyntaxError('RECURSIVEMATCH needs another selection option'); // RFC 5258 section 3
    cursor.sp();
  }
  const reference = cursor.mailbox();
  cursor.sp();
  const patterns: string[] = [];
  if (cursor.isListAhead()) {
    isExtended = true;
    cursor.list(IMAP_LIMITS.listPatterns, 1, () => patterns.push(cursor.listMailbox()));
  } else patterns.push(cursor.listMailbox());
  const returns = new Set<ListReturn>();
  let status: StatusItem[] = [];
  if (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    cursor.sp();
    if (!cursor.takeWord('RETURN')) cursor.fail('RETURN');
    isExtended = true;
    cursor.sp();
    cursor.list(20, 0, () => {
      const option = oneOf(RETURNS, cursor, 'LIST return option');
      returns.add(option);
      if (option === 'STATUS') {
        cursor.sp();
        status = statusItems(cursor);
      }
    });
  }
  cursor.end();
  return { isExtended, selection, reference, patterns, returns, status };
}

/** SP mailbox SP list-mailbox */
export function lsubArguments(cursor: Cursor): { reference: string; pattern: string } {
  cursor.sp();
  const reference = cursor.mailbox();
  cursor.sp();
  const pattern = cursor.listMailbox();
  cursor.end();
  return { reference, pattern };
}
