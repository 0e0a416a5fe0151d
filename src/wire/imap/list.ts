/** list, lsub and status arguments (RFC 9051 sections 6.3.9 to 6.3.11; RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590). */
import { SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

const STATUS_ITEMS = [
  'MESSAGES',
  'RECENT',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'DELETED',
  'DELETED-STORAGE',
  'SIZE',
  'HIGHESTMODSEQ',
  'APPENDLIMIT',
  'MAILBOXID',
] as const;
const SELECTIONS = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'] as const;
const RETURNS = ['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE', 'STATUS', 'MYRIGHTS', 'METADATA'] as const;

export type StatusItem = (typeof STATUS_ITEMS)[number];
export type ListSelection = (typeof SELECTIONS)[number];
export type ListReturn = (typeof RETURNS)[number];

export interface ListArguments {
  /** Uses the extended syntax of RFC 5258. */
  readonly isExtended: boolean;
  readonly selection: ReadonlySet<ListSelection>;
  readonly reference: string;
  readonly patterns: readonly string[];
  readonly returns: ReadonlySet<ListReturn>;
  /** For the return option STATUS. */
  readonly status: readonly StatusItem[];
  /** Entries for the return option METADATA, as sent. */
  readonly metadata: readonly string[];
}

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
  const metadata: string[] = [];
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
      } else if (option === 'METADATA') {
        cursor.sp();
        // A second list adds to the first: both count against one limit.
        cursor.list(IMAP_LIMITS.metadataEntries - metadata.length, 1, () => metadata.push(cursor.astring().toString('latin1')));
      }
    });
  }
  cursor.end();
  return { isExtended, selection, reference, patterns, returns, status, metadata };
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
