/** When two values of an item say the same. What both servers may choose freely is levelled here, each rule with its reason. */
import { isDeepStrictEqual } from 'node:util';
import { decodeCharset } from '../../src/mail/charset.ts';
import { decodeWords } from '../../src/mail/encoded-word.ts';
import type { Value } from './answers.ts';

export function same(item: string, ours: Value | undefined, theirs: Value | undefined): boolean {
  if (isDeepStrictEqual(ours, theirs)) return true;
  // date-day-fixed (RFC 9051 section 9) has a blank or a zero before the day.
  if (item === 'INTERNALDATE') return String(ours).replace(/^ /, '0') === theirs;
  if (item.startsWith('BODY[') || item.startsWith('BINARY[')) return sameText(ours, theirs);
  if (item === 'ENVELOPE') return isDeepStrictEqual(levelEnvelope(ours), levelEnvelope(theirs));
  if (item === 'BODY' || item === 'BODYSTRUCTURE') return sameStructure(ours, theirs);
  return false;
}

function sameText(ours: Value | undefined, theirs: Value | undefined): boolean {
  // What is not there is NIL with us and an empty string with Dovecot; nstring allows both.
  if (ours === null) return theirs === '';
  // The line end before a delimiter belongs to it (RFC 2046 section 5.1.1); after the last delimiter of an inner multipart Dovecot keeps it.
  return typeof ours === 'string' && theirs === `${ours}\r\n` && /(?:^|\n)--[^\r\n]*--[ \t]*$/.test(ours.slice(-300));
}

/** Header text beyond ASCII goes out in encoded words with us, as it came with Dovecot: compared is what is read. Blanks count once, those at the ends not at all. */
function readable(text: string): string {
  return decodeWords(text).replaceAll(/\s+/g, ' ').trim();
}

/** Words that Dovecot puts where an address lacks something; we leave it empty. */
const PLACEHOLDERS = new Set(['MISSING_MAILBOX', 'MISSING_DOMAIN', 'SYNTAX_ERROR']);

function levelEnvelope(value: Value | undefined): unknown {
  if (typeof value === 'string') return PLACEHOLDERS.has(value) ? '' : readable(value);
  return isList(value) ? value.map(levelEnvelope) : value;
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** Body structures, part by part. */
function sameStructure(ours: Value | undefined, theirs: Value | undefined): boolean {
  if (!isList(ours) || !isList(theirs) || ours.length !== theirs.length) return false;
  const parts = ours.findIndex((each) => !isList(each));
  if (parts > 0) {
    for (let n = 0; n < parts; n += 1) if (!sameStructure(ours[n], theirs[n])) return false;
    return sameFields(ours, theirs, parts, [parts]);
  }
  const isMessage = isList(ours[7]) && isList(ours[8]);
  if (!isMessage) return sameFields(ours, theirs, 0, [0, 1, 5]);
  if (!isList(theirs[8]) || !isDeepStrictEqual(levelEnvelope(ours[7]), levelEnvelope(theirs[7])) || !sameStructure(ours[8], theirs[8])) return false;
  // The line end after the last delimiter of the multipart inside, as in sameText().
  const more = isList((ours[8] as readonly Value[])[0]) ? Number(theirs[6]) - Number(ours[6]) : 0;
  if ((more !== 0 && more !== 2) || Number(theirs[9]) - Number(ours[9]) !== more / 2) return false;
  const rest = (list: readonly Value[]): Value[] => list.filter((_, at) => ![6, 7, 8, 9].includes(at));
  return sameFields(rest(ours), rest(theirs), 0, [0, 1, 5]);
}

/** `names`: which may be written in any case. */
function sameFields(ours: readonly Value[], theirs: readonly Value[], from: number, names: readonly number[]): boolean {
  const level = (value: Value | undefined, at: number): unknown => {
    if (isList(value))
      return isPairs(value) ? parameters(value) : value.map((each) => (isList(each) ? parameters(each) : typeof each === 'string' ? each.toLowerCase() : each));
    if (typeof value !== 'string') return value;
    return names.includes(at) ? value.toLowerCase() : readable(value);
  };
  for (let at = from; at < ours.length; at += 1) if (!isDeepStrictEqual(level(ours[at], at), level(theirs[at], at))) return false;
  return true;
}

function isPairs(list: readonly Value[]): boolean {
  return list.length > 0 && list.length % 2 === 0 && list.every((each) => typeof each === 'string');
}

/** Names in small letters, values as they are read: which of RFC 2231's forms a value is sent in does not matter. */
function parameters(list: readonly Value[]): unknown {
  const found: string[] = [];
  for (let n = 0; n < list.length; n += 2) {
    const name = String(list[n]).toLowerCase();
    const value = String(list[n + 1]);
    const extended = /^([^']*)'[^']*'(.*)$/s.exec(value);
    if (name.endsWith('*') && extended !== null) found.push(`${name.slice(0, -1)}=${decodeCharset(percentDecoded(extended[2]!), extended[1]!)}`);
    // A charset's name may be written in any case.
    else found.push(`${name}=${name === 'charset' ? value.toLowerCase() : readable(value)}`);
  }
  // Those in extended form come last with Dovecot, in the order of the field with us.
  return found.sort();
}

function percentDecoded(text: string): Buffer {
  return Buffer.from(
    text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
