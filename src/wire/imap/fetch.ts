/** fetch (RFC 9051 section 6.4.5 and its grammar; RFC 3501; BINARY, RFC 3516; CONDSTORE, RFC 7162). */
import { CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError, type SequenceSet } from './cursor.ts';
import { formatAstring } from './format.ts';
import { IMAP_LIMITS } from './limits.ts';

export type SectionText = 'all' | 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME';

export interface Section {
  /** section-part, [] for the whole message. */
  readonly path: readonly number[];
  readonly text: SectionText;
  /** Field names in lower case, for HEADER.FIELDS and HEADER.FIELDS.NOT. */
  readonly fields: readonly string[];
}

export interface Partial {
  readonly start: number;
  readonly count: number;
}

export type FetchItem =
  | {
      readonly kind: 'flags' | 'uid' | 'internalDate' | 'size' | 'envelope' | 'body' | 'bodyStructure' | 'modseq' | 'saveDate' | 'emailId' | 'threadId';
    }
  | { readonly kind: 'preview'; readonly isLazy: boolean }
  | {
      readonly kind: 'section';
      /** What the response calls it: BODY[TEXT]<0>, RFC822.HEADER … */
      readonly label: string;
      readonly section: Section;
      readonly setsSeen: boolean;
      readonly partial: Partial | null;
    }
  | { readonly kind: 'binary'; readonly label: string; readonly path: readonly number[]; readonly setsSeen: boolean; readonly partial: Partial | null }
  | { readonly kind: 'binarySize'; readonly label: string; readonly path: readonly number[] };

export interface FetchArguments {
  readonly set: SequenceSet;
  readonly items: readonly FetchItem[];
  /** null: no CHANGEDSINCE. */
  readonly changedSince: number | null;
  /** Those that are gone are asked for as well (RFC 7162 section 3.2.6); only with CHANGEDSINCE. */
  readonly vanished: boolean;
  /** Which of the messages, counted from the first or, below zero, from the last (RFC 9394 section 3.3); null: all. */
  readonly partial: readonly [from: number, to: number] | null;
}

const FAST: readonly FetchItem[] = [{ kind: 'flags' }, { kind: 'internalDate' }, { kind: 'size' }];
const ALL: readonly FetchItem[] = [...FAST, { kind: 'envelope' }];
const FULL: readonly FetchItem[] = [...ALL, { kind: 'body' }];
const MACROS = new Map<string, readonly FetchItem[]>([
  ['FAST', FAST],
  ['ALL', ALL],
  ['FULL', FULL],
]);

const whole = (text: SectionText): Section => ({ path: [], text, fields: [] });
const rfc822 = (label: string, text: SectionText, setsSeen: boolean): FetchItem => ({
  kind: 'section',
  label,
  section: whole(text),
  setsSeen,
  partial: null,
});

const PLAIN_ITEMS = new Map<string, FetchItem>([
  ['FLAGS', { kind: 'flags' }],
  ['UID', { kind: 'uid' }],
  ['INTERNALDATE', { kind: 'internalDate' }],
  ['RFC822.SIZE', { kind: 'size' }],
  ['ENVELOPE', { kind: 'envelope' }],
  ['BODYSTRUCTURE', { kind: 'bodyStructure' }],
  ['BODY', { kind: 'body' }],
  ['MODSEQ', { kind: 'modseq' }],
  ['SAVEDATE', { kind: 'saveDate' }],
  ['EMAILID', { kind: 'emailId' }],
  ['THREADID', { kind: 'threadId' }],
  ['RFC822', rfc822('RFC822', 'all', true)],
  ['RFC822.HEADER', rfc822('RFC822.HEADER', 'HEADER', false)],
  ['RFC822.TEXT', rfc822('RFC822.TEXT', 'TEXT', true)],
]);

/** Letters, digits and dots: "[" is an ATOM-CHAR but begins the section. */
function itemName(cursor: Cursor): string {
  const { bytes } = cursor;
  const start = cursor.at;
  let end = start;
  while (end < bytes.length && isNameChar(bytes[end]!)) end += 1;
  if (end === start) cursor.fail('a FETCH item');
  cursor.at = end;
  return bytes.toString('latin1', start, end).toUpperCase();
}

function isNameChar(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x2e;
}

function fetchItem(cursor: Cursor): FetchItem {
  const name = itemName(cursor);
  if (cursor.peek() !== 0x5b) {
    if (name === 'PREVIEW') return previewItem(cursor);
    const item = PLAIN_ITEMS.get(name);
    if (item === undefined) throw new ImapSyntaxError(`Unknown FETCH item ${name.slice(0, 40)}`);
    return item;
  }
  switch (name) {
    case 'BODY':
    case 'BODY.PEEK':
      return sectionItem(cursor, name === 'BODY');
    case 'BINARY':
    case 'BINARY.PEEK': {
      const path = binaryPath(cursor);
      const partial = partialRange(cursor);
      return { kind: 'binary', label: `BINARY[${path.join('.')}]${origin(partial)}`, path, setsSeen: name === 'BINARY', partial };
    }
    case 'BINARY.SIZE': {
      const path = binaryPath(cursor);
      return { kind: 'binarySize', label: `BINARY.SIZE[${path.join('.')}]`, path };
    }
    default:
      throw new ImapSyntaxError(`FETCH item ${name.slice(0, 40)} takes no section`);
  }
}

function sectionItem(cursor: Cursor, setsSeen: boolean): FetchItem {
  cursor.expect(0x5b);
  const { section, label } = sectionSpec(cursor);
  cursor.expect(0x5d);
  const partial = partialRange(cursor);
  return { kind: 'section', label: `BODY[${label}]${origin(partial)}`, section, setsSeen, partial };
}

function origin(partial: Partial | null): string {
  return partial === null ? '' : `<${partial.start}>`;
}

/** "<" number "." nz-number ">" */
function partialRange(cursor: Cursor): Partial | null {
  if (!cursor.take(0x3c)) return null;
  const start = cursor.number(Number.MAX_SAFE_INTEGER);
  cursor.expect(0x2e);
  const count = cursor.number(Number.MAX_SAFE_INTEGER);
  if (count === 0) cursor.fail('a length above zero');
  cursor.expect(0x3e);
  return { start, count };
}

function binaryPath(cursor: Cursor): number[] {
  cursor.expect(0x5b);
  const path: number[] = [];
  if (cursor.peek() !== 0x5d) {
    do pushPart(path, cursor);
    while (cursor.take(0x2e));
  }
  cursor.expect(0x5d);
  return path;
}

function pushPart(path: number[], cursor: Cursor): void {
  if (path.length >= IMAP_LIMITS.sectionDepth) throw new ImapSyntaxError('Section is nested too deep');
  path.push(cursor.nzNumber());
}

const SECTION_TEXTS: readonly SectionText[] = ['HEADER', 'HEADER.FIELDS', 'HEADER.FIELDS.NOT', 'TEXT', 'MIME'];

/** section-spec (what stands between the brackets) and how to write it in the response. */
export function sectionSpec(cursor: Cursor): { section: Section; label: string } {
  const path: number[] = [];
  let hasMore = cursor.peek() !== 0x5d;
  while (hasMore && cursor.peek() >= 0x30 && cursor.peek() <= 0x39) {
    pushPart(path, cursor);
    hasMore = cursor.take(0x2e);
  }
  if (!hasMore) return { section: { path, text: 'all', fields: [] }, label: path.join('.') };
  const name = itemName(cursor);
  const text = SECTION_TEXTS.find((known) => known === name);
  if (text === undefined || (text === 'MIME' && path.length === 0)) throw new ImapSyntaxError(`Unknown section ${name.slice(0, 40)}`);
  const prefix = path.length === 0 ? text : `${path.join('.')}.${text}`;
  if (text !== 'HEADER.FIELDS' && text !== 'HEADER.FIELDS.NOT') return { section: { path, text, fields: [] }, label: prefix };
  cursor.sp();
  const fields: string[] = [];
  const written: string[] = [];
  cursor.list(IMAP_LIMITS.headerFields, 1, () => {
    const name = cursor.astring();
    fields.push(name.toString('latin1').toLowerCase());
    written.push(formatAstring(name));
  });
  return { section: { path, text, fields }, label: `${prefix} (${written.join(' ')})` };
}

/** [SP "(" preview-mod *(SP preview-mod) ")"] (RFC 8970 section 6). The modifiers of FETCH itself look alike but are none of these. */
function previewItem(cursor: Cursor): FetchItem {
  const start = cursor.at;
  if (cursor.take(SP) && cursor.take(OPEN) && cursor.takeWord('LAZY')) {
    while (cursor.take(SP)) if (!cursor.takeWord('LAZY')) cursor.fail('LAZY');
    cursor.expect(CLOSE);
    return { kind: 'preview', isLazy: true };
  }
  cursor.at = start;
  return { kind: 'preview', isLazy: false };
}

/** "(" fetch-att *(SP fetch-att) ")", for commands that say what is to be fetched later (RFC 5465, RFC 5267). */
export function fetchAttributes(cursor: Cursor): readonly FetchItem[] {
  const items: FetchItem[] = [];
  cursor.list(IMAP_LIMITS.fetchItems, 1, () => items.push(fetchItem(cursor)));
  return items;
}

function fetchItems(cursor: Cursor): readonly FetchItem[] {
  if (!cursor.isListAhead()) {
    const start = cursor.at;
    const macro = MACROS.get(itemName(cursor));
    if (macro !== undefined) return macro;
    cursor.at = start;
    return [fetchItem(cursor)];
  }
  return fetchAttributes(cursor);
}

/** partial-range-first / partial-range-last (RFC 9394 section 4): both ends count from the same side. */
function partialRangeModifier(cursor: Cursor): readonly [number, number] {
  const signed = (): number => (cursor.take(0x2d) ? -cursor.nzNumber() : cursor.nzNumber());
  const from = signed();
  cursor.expect(0x3a);
  const to = signed();
  if (from > 0 !== to > 0) cursor.fail('a range that counts from one side');
  return [from, to];
}

/** SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [SP "(" fetch-modifier *(SP fetch-modifier) ")"] */
export function fetchArguments(cursor: Cursor): FetchArguments {
  cursor.sp();
  const set = cursor.sequenceSet();
  cursor.sp();
  const items = fetchItems(cursor);
  let changedSince: number | null = null;
  let vanished = false;
  let partial: FetchArguments['partial'] = null;
  if (cursor.take(SP) && !cursor.isAtEnd) {
    cursor.list(10, 1, () => {
      const modifier = cursor.word();
      if (modifier === 'CHANGEDSINCE') {
        cursor.sp();
        changedSince = cursor.modSequence();
      } else if (modifier === 'VANISHED') vanished = true;
      else if (modifier === 'PARTIAL') {
        cursor.sp();
        partial = partialRangeModifier(cursor);
      } else throw new ImapSyntaxError(`Unknown FETCH modifier ${modifier.slice(0, 40)}`);
    });
  }
  cursor.end();
  if (vanished && changedSince === null) throw new ImapSyntaxError('VANISHED goes with CHANGEDSINCE');
  return { set, items, changedSince, vanished, partial };
}
