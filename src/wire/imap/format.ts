/**
 * Values to bytes. Responses are built as strings with one character per byte (latin1), so that ASCII, UTF-8 names
 * and message bytes can be joined and written at once.
 */
import { FLAG } from '../../ports.ts';
import { scan, ASTRING_CHAR } from './chars.ts';
import { encodeUtf7 } from './utf7.ts';

/** Longest text that is sent quoted; beyond it a literal is kinder to clients with line buffers. */
const QUOTED_MAX = 1000;

/** string: quoted when it can be, else a literal. `bytes` has one character per byte. */
export function imapString(bytes: string): string {
  if (bytes.length > QUOTED_MAX) return `{${bytes.length}}\r\n${bytes}`;
  let needsEscape = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const c = bytes.charCodeAt(i);
    if (c === 0x22 || c === 0x5c) needsEscape = true;
    else if (c < 0x20 || c >= 0x7f) return `{${bytes.length}}\r\n${bytes}`;
  }
  return needsEscape ? `"${bytes.replace(/["\\]/g, '\\$&')}"` : `"${bytes}"`;
}

/** A mailbox name: atom where possible, else quoted. With `isUtf8` (UTF8=ACCEPT or IMAP4rev2 enabled) in UTF-8, else in modified UTF-7. */
export function formatMailbox(name: string, isUtf8: boolean): string {
  if (!isUtf8) return atomOrQuoted(encodeUtf7(name));
  return atomOrQuoted(Buffer.from(name, 'utf8').toString('latin1'));
}

function atomOrQuoted(bytes: string): string {
  const buffer = Buffer.from(bytes, 'latin1');
  if (buffer.length > 0 && scan(ASTRING_CHAR, buffer, 0) === buffer.length && bytes.toUpperCase() !== 'NIL') return bytes;
  return `"${bytes.replace(/["\\]/g, '\\$&')}"`;
}

/** astring of a header field name or the like. */
export function formatAstring(bytes: Buffer): string {
  return bytes.length > 0 && scan(ASTRING_CHAR, bytes, 0) === bytes.length ? bytes.toString('latin1') : imapString(bytes.toString('latin1'));
}

const SYSTEM_FLAGS: readonly [bit: number, name: string][] = [
  [FLAG.answered, '\\Answered'],
  [FLAG.flagged, '\\Flagged'],
  [FLAG.deleted, '\\Deleted'],
  [FLAG.seen, '\\Seen'],
  [FLAG.draft, '\\Draft'],
];

/** The system flags for each of the 32 combinations, joined by spaces. */
const FLAG_TEXTS = Array.from({ length: 32 }, (_, bits) =>
  SYSTEM_FLAGS.filter(([bit]) => (bits & bit) !== 0)
    .map(([, name]) => name)
    .join(' '),
);
/** Names of the system flags in `bits`. */
export function systemFlagNames(bits: number): string[] {
  const text = FLAG_TEXTS[bits & 31]!;
  return text === '' ? [] : text.split(' ');
}
export const ALL_SYSTEM_FLAGS = FLAG_TEXTS[31]!;

/** flag-list with its parentheses. `keywords` are separated by spaces. */
export function formatFlags(flags: number, keywords: string | null, isRecent: boolean): string {
  let text = FLAG_TEXTS[flags & 31]!;
  if (isRecent) text = text === '' ? '\\Recent' : `\\Recent ${text}`;
  if (keywords !== null && keywords !== '') text = text === '' ? keywords : `${text} ${keywords}`;
  return `(${text})`;
}

/** Ascending numbers as a sequence set: 1:3,5. Empty for none. */
export function formatSet(numbers: ArrayLike<number>): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length; ) {
    let j = i;
    while (j + 1 < numbers.length && numbers[j + 1] === numbers[j]! + 1) j += 1;
    parts.push(j === i ? String(numbers[i]) : `${numbers[i]}:${numbers[j]}`);
    i = j + 1;
  }
  return parts.join(',');
}
