/** search (RFC 9051 section 6.4.4, RFC 3501, ESEARCH RFC 4731, SEARCHRES RFC 5182, CONDSTORE RFC 7162, WITHIN RFC 5032). */
import { FLAG } from '../../ports.ts';
import { BACKSLASH, CLOSE, DQUOTE, isDigit, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError, type SequenceSet } from './cursor.ts';
import { date } from './date.ts';
import { IMAP_LIMITS } from './limits.ts';

export type SearchKey =
  | { readonly kind: 'all' | 'recent' | 'new' | 'old' }
  | { readonly kind: 'flag'; readonly bit: number; readonly isSet: boolean }
  | { readonly kind: 'keyword'; readonly word: string; readonly isSet: boolean }
  | { readonly kind: 'sequence' | 'uid'; readonly set: SequenceSet }
  /** `name` in lower case; `value` in the command's charset. */
  | { readonly kind: 'header'; readonly name: string; readonly value: Buffer }
  /** FROM, TO, CC, BCC and SUBJECT look at the envelope (RFC 9051 section 6.4.4). */
  | { readonly kind: 'envelope'; readonly name: EnvelopeName; readonly value: Buffer }
  | { readonly kind: 'body' | 'text'; readonly value: Buffer }
  | { readonly kind: 'larger' | 'smaller'; readonly size: number }
  /** Days since 1970-01-01. */
  | { readonly kind: 'before' | 'on' | 'since' | 'sentBefore' | 'sentOn' | 'sentSince'; readonly day: number }
  | { readonly kind: 'older' | 'younger'; readonly seconds: number }
  | { readonly kind: 'modseq'; readonly modseq: number }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'or'; readonly keys: readonly SearchKey[] }
  | { readonly kind: 'and'; readonly keys: readonly SearchKey[] };

export type EnvelopeName = 'from' | 'to' | 'cc' | 'bcc' | 'subject';

export type SearchReturn = 'MIN' | 'MAX' | 'ALL' | 'COUNT' | 'SAVE';

export interface SearchArguments {
  /** null: no RETURN. An empty list means ALL (RFC 4731 section 3.1). */
  readonly returns: ReadonlySet<SearchReturn> | null;
  /** Upper case; null when not given. */
  readonly charset: string | null;
  readonly key: SearchKey;
}

type KeyParser = (cursor: Cursor, context: Context) => SearchKey;
interface Context {
  depth: number;
  keys: number;
  texts: number;
}

/** BODY and TEXT look through whole messages: each of them once more. */
const textKey =
  (kind: 'body' | 'text'): KeyParser =>
  (cursor, context) => {
    context.texts += 1;
    if (context.texts > IMAP_LIMITS.searchTextKeys) throw new ImapSyntaxError('Too many BODY and TEXT keys');
    return { kind, value: argument(cursor) };
  };

const plain =
  (kind: 'all' | 'recent' | 'new' | 'old'): KeyParser =>
  () => ({ kind });
const flag =
  (bit: number, isSet: boolean): KeyParser =>
  () => ({ kind: 'flag', bit, isSet });
const envelope =
  (name: EnvelopeName): KeyParser =>
  (cursor) => ({ kind: 'envelope', name, value: argument(cursor) });
const day =
  (kind: 'before' | 'on' | 'since' | 'sentBefore' | 'sentOn' | 'sentSince'): KeyParser =>
  (cursor) => {
    cursor.sp();
    return { kind, day: date(cursor) };
  };
const size =
  (kind: 'larger' | 'smaller'): KeyParser =>
  (cursor) => {
    cursor.sp();
    return { kind, size: cursor.number(Number.MAX_SAFE_INTEGER) };
  };
const within =
  (kind: 'older' | 'younger'): KeyParser =>
  (cursor) => {
    cursor.sp();
    return { kind, seconds: cursor.nzNumber() };
  };
const keyword =
  (isSet: boolean): KeyParser =>
  (cursor) => {
    cursor.sp();
    return { kind: 'keyword', word: cursor.atom(), isSet };
  };

function argument(cursor: Cursor): Buffer {
  cursor.sp();
  return cursor.astring();
}

const KEYS: ReadonlyMap<string, KeyParser> = new Map<string, KeyParser>([
  ['ALL', plain('all')],
  ['ANSWERED', flag(FLAG.answered, true)],
  ['BCC', envelope('bcc')],
  ['BEFORE', day('before')],
  ['BODY', textKey('body')],
  ['CC', envelope('cc')],
  ['DELETED', flag(FLAG.deleted, true)],
  ['DRAFT', flag(FLAG.draft, true)],
  ['FLAGGED', flag(FLAG.flagged, true)],
  ['FROM', envelope('from')],
  ['HEADER', (cursor) => ({ kind: 'header', name: argument(cursor).toString('latin1').toLowerCase(), value: argument(cursor) })],
  ['KEYWORD', keyword(true)],
  ['LARGER', size('larger')],
  ['MODSEQ', modseq],
  ['NEW', plain('new')],
  [
    'NOT',
    (cursor, context) => {
      cursor.sp();
      return { kind: 'not', key: searchKey(cursor, context) };
    },
  ],
  ['OLD', plain('old')],
  ['OLDER', within('older')],
  ['ON', day('on')],
  [
    'OR',
    (cursor, context) => {
      cursor.sp();
      const first = searchKey(cursor, context);
      cursor.sp();
      return { kind: 'or', keys: [first, searchKey(cursor, context)] };
    },
  ],
  ['RECENT', plain('recent')],
  ['SEEN', flag(FLAG.seen, true)],
  ['SENTBEFORE', day('sentBefore')],
  ['SENTON', day('sentOn')],
  ['SENTSINCE', day('sentSince')],
  ['SINCE', day('since')],
  ['SMALLER', size('smaller')],
  ['SUBJECT', envelope('subject')],
  ['TEXT', textKey('text')],
  ['TO', envelope('to')],
  [
    'UID',
    (cursor) => {
      cursor.sp();
      return { kind: 'uid', set: cursor.sequenceSet() };
    },
  ],
  ['UNANSWERED', flag(FLAG.answered, false)],
  ['UNDELETED', flag(FLAG.deleted, false)],
  ['UNDRAFT', flag(FLAG.draft, false)],
  ['UNFLAGGED', flag(FLAG.flagged, false)],
  ['UNKEYWORD', keyword(false)],
  ['UNSEEN', flag(FLAG.seen, false)],
  ['YOUNGER', within('younger')],
]);

/** MODSEQ [SP entry-name SP entry-type-req] SP mod-sequence-valzer: we keep one modseq a message, whatever the entry. */
function modseq(cursor: Cursor): SearchKey {
  cursor.sp();
  if (cursor.peek() === DQUOTE) {
    cursor.string();
    cursor.sp();
    const type = cursor.word();
    if (type !== 'PRIV' && type !== 'SHARED' && type !== 'ALL') cursor.fail('priv, shared or all');
    cursor.sp();
  }
  return { kind: 'modseq', modseq: cursor.modSequence() };
}

function searchKey(cursor: Cursor, context: Context): SearchKey {
  if (context.depth >= IMAP_LIMITS.searchDepth) throw new ImapSyntaxError('Search is nested too deep');
  context.keys += 1;
  if (context.keys > IMAP_LIMITS.searchKeys) throw new ImapSyntaxError('Too many search keys');
  const first = cursor.peek();
  if (isDigit(first) || first === 0x2a || first === 0x24) return { kind: 'sequence', set: cursor.sequenceSet() };
  context.depth += 1;
  let key: SearchKey;
  if (first === OPEN) {
    cursor.expect(OPEN);
    key = searchKeys(cursor, context);
    cursor.expect(CLOSE);
  } else {
    if (first === BACKSLASH) cursor.fail('a search key');
    const name = cursor.word();
    const parse = KEYS.get(name);
    if (parse === undefined) throw new ImapSyntaxError(`Unknown search key ${name.slice(0, 40)}`);
    key = parse(cursor, context);
  }
  context.depth -= 1;
  return key;
}

function searchKeys(cursor: Cursor, context: Context): SearchKey {
  const keys = [searchKey(cursor, context)];
  while (cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length) {
    cursor.sp();
    keys.push(searchKey(cursor, context));
  }
  return keys.length === 1 ? keys[0]! : { kind: 'and', keys };
}

const RETURNS: readonly SearchReturn[] = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'];

/** [SP "RETURN" SP "(" … ")"] SP ["CHARSET" SP charset SP] search-key *(SP search-key) */
export function searchArguments(cursor: Cursor): SearchArguments {
  cursor.sp();
  let returns: Set<SearchReturn> | null = null;
  if (cursor.takeWord('RETURN')) {
    const named = new Set<SearchReturn>();
    cursor.sp();
    cursor.list(20, 0, () => {
      const word = cursor.word();
      const option = RETURNS.find((known) => known === word);
      if (option === undefined) throw new ImapSyntaxError(`Unknown SEARCH result option ${word.slice(0, 40)}`);
      named.add(option);
    });
    returns = named;
    cursor.sp();
  }
  let charset: string | null = null;
  if (cursor.takeWord('CHARSET')) {
    cursor.sp();
    charset = cursor.astring().toString('latin1').toUpperCase();
    cursor.sp();
  }
  const key = searchKeys(cursor, { depth: 0, keys: 0, texts: 0 });
  cursor.end();
  return { returns, charset, key };
}
