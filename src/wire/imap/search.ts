/**
 * search-key and search-program (RFC 9051 section 6.4.4, RFC 3501), with the keys of CONDSTORE (RFC 7162), WITHIN (RFC 5032),
 * SAVEDATE (RFC 8514), OBJECTID (RFC 8474), FILTERS (RFC 5466) and FUZZY (RFC 6203). Result options: search-returns.ts.
 */
import { FLAG } from '../../ports.ts';
import { BACKSLASH, CLOSE, DQUOTE, isDigit, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError, type SequenceSet } from './cursor.ts';
import { date } from './date.ts';
import { IMAP_LIMITS } from './limits.ts';
import { type SearchReturns, searchReturnOpts } from './search-returns.ts';

export type SearchKey =
  | { readonly kind: 'all' | 'recent' | 'new' | 'old' | 'saveDateSupported' }
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
  | { readonly kind: DayKind; readonly day: number }
  | { readonly kind: 'older' | 'younger'; readonly seconds: number }
  | { readonly kind: 'modseq'; readonly modseq: number }
  /** An ObjectID as FETCH gives it. */
  | { readonly kind: 'emailId' | 'threadId'; readonly id: string }
  /** The name of a stored search, in lower case. */
  | { readonly kind: 'filter'; readonly name: string }
  | { readonly kind: 'fuzzy'; readonly key: SearchKey }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'or'; readonly keys: readonly SearchKey[] }
  | { readonly kind: 'and'; readonly keys: readonly SearchKey[] };

export type EnvelopeName = 'from' | 'to' | 'cc' | 'bcc' | 'subject';

export type DayKind = 'before' | 'on' | 'since' | 'sentBefore' | 'sentOn' | 'sentSince' | 'savedBefore' | 'savedOn' | 'savedSince';

export interface SearchProgram {
  /** Upper case; null when not given. */
  readonly charset: string | null;
  readonly key: SearchKey;
}

export interface SearchArguments extends SearchProgram {
  /** null: no RETURN. */
  readonly returns: SearchReturns | null;
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
  (kind: 'all' | 'recent' | 'new' | 'old' | 'saveDateSupported'): KeyParser =>
  () => ({ kind });
const flag =
  (bit: number, isSet: boolean): KeyParser =>
  () => ({ kind: 'flag', bit, isSet });
const envelope =
  (name: EnvelopeName): KeyParser =>
  (cursor) => ({ kind: 'envelope', name, value: argument(cursor) });
const day =
  (kind: DayKind): KeyParser =>
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

/** UIDAFTER and UIDBEFORE (RFC 9738 section 3): as UID with a range that may be empty. */
const uidsFrom =
  (range: (uid: number) => [from: number, to: number]): KeyParser =>
  (cursor) => {
    cursor.sp();
    const [from, to] = range(cursor.nzNumber());
    return { kind: 'uid', set: from <= to ? [from, to] : [] };
  };
const UID_MAX = 0xffff_ffff;

const objectId =
  (kind: 'emailId' | 'threadId'): KeyParser =>
  (cursor) => {
    cursor.sp();
    const id = cursor.atom();
    // RFC 8474 section 7: ALPHA, DIGIT, "_" and "-".
    if (!/^[\w-]{1,255}$/.test(id)) cursor.fail('an object identifier');
    return { kind, id };
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
  ['EMAILID', objectId('emailId')],
  [
    'FILTER',
    (cursor) => {
      cursor.sp();
      const name = cursor.atom();
      if (name.includes('/')) cursor.fail('the name of a filter');
      return { kind: 'filter', name: name.toLowerCase() };
    },
  ],
  ['FLAGGED', flag(FLAG.flagged, true)],
  ['FROM', envelope('from')],
  [
    'FUZZY',
    (cursor, context) => {
      cursor.sp();
      return { kind: 'fuzzy', key: searchKey(cursor, context) };
    },
  ],
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
  ['SAVEDATESUPPORTED', plain('saveDateSupported')],
  ['SAVEDBEFORE', day('savedBefore')],
  ['SAVEDON', day('savedOn')],
  ['SAVEDSINCE', day('savedSince')],
  ['SEEN', flag(FLAG.seen, true)],
  ['SENTBEFORE', day('sentBefore')],
  ['SENTON', day('sentOn')],
  ['SENTSINCE', day('sentSince')],
  ['SINCE', day('since')],
  ['SMALLER', size('smaller')],
  ['SUBJECT', envelope('subject')],
  ['TEXT', textKey('text')],
  ['THREADID', objectId('threadId')],
  ['TO', envelope('to')],
  [
    'UID',
    (cursor) => {
      cursor.sp();
      return { kind: 'uid', set: cursor.sequenceSet() };
    },
  ],
  ['UIDAFTER', uidsFrom((uid) => [uid + 1, UID_MAX])],
  ['UIDBEFORE', uidsFrom((uid) => [1, uid - 1])],
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

/** ["CHARSET" SP charset SP] search-key *(SP search-key), up to the end of the command. */
export function searchProgram(cursor: Cursor): SearchProgram {
  let charset: string | null = null;
  if (cursor.takeWord('CHARSET')) {
    cursor.sp();
    charset = searchCharset(cursor);
    cursor.sp();
  }
  return { charset, key: searchCriteria(cursor) };
}

/** charset, upper case. Literals behind it are in that charset. */
export function searchCharset(cursor: Cursor): string {
  const charset = cursor.astring().toString('latin1').toUpperCase();
  cursor.areLiteralsUtf8 = charset === 'UTF-8' || charset === 'US-ASCII';
  return charset;
}

/** search-key *(SP search-key) up to the end: what follows the charset of SORT and THREAD, and what a filter holds (RFC 5466). */
export function searchCriteria(cursor: Cursor): SearchKey {
  const key = searchKeys(cursor, { depth: 0, keys: 0, texts: 0 });
  cursor.end();
  return key;
}

/** [SP search-return-opts] SP search-program */
export function searchArguments(cursor: Cursor): SearchArguments {
  cursor.sp();
  const returns = searchReturnOpts(cursor);
  const program = searchProgram(cursor);
  checkReturns(returns, program.key);
  return { returns, ...program };
}

/** Throws ImapSyntaxError for RELEVANCY without a FUZZY key (RFC 6203 section 4). Filters are not looked into. */
export function checkReturns(returns: SearchReturns | null, key: SearchKey): void {
  if (returns?.options.has('RELEVANCY') && !hasKey(key, ['fuzzy', 'filter'])) throw new ImapSyntaxError('RELEVANCY needs a FUZZY search key');
}

/** Is there a key of one of these kinds anywhere in it? */
export function hasKey(key: SearchKey, kinds: readonly SearchKey['kind'][]): boolean {
  if (kinds.includes(key.kind)) return true;
  if (key.kind === 'not' || key.kind === 'fuzzy') return hasKey(key.key, kinds);
  return (key.kind === 'and' || key.kind === 'or') && key.keys.some((each) => hasKey(each, kinds));
}
