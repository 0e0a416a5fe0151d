/** Strings of IMAP responses (RFC 9051 section 4.3): quoted where possible, else a literal. ASCII only. */
import { decodeUnlabelled } from './charset.ts';
import { encodeWhole, encodeWords } from './encoded-word.ts';
import { MAIL_LIMITS } from './limits.ts';

/** Longer strings go as literals: clients keep short buffers for quoted ones. */
const QUOTED_MOST = 1000;

/** A quoted string or literal for `text`, which is ASCII. NUL cannot be sent in either and is left out. */
export function imapString(text: string): string {
  // One test for what nearly all strings are: printable, nothing to escape.
  if (text.length <= QUOTED_MOST && !/[^\x20-\x21\x23-\x5b\x5d-\x7e]/.test(text)) return `"${text}"`;
  // Tabs are left over from unfolding; for people they are spaces.
  const clean = text.replaceAll('\0', '').replaceAll('\t', ' ');
  if (clean.length > QUOTED_MOST || /[\r\n]/.test(clean)) return `{${clean.length}}\r\n${clean}`;
  return `"${clean.replace(/["\\]/g, '\\$&')}"`;
}

/** The same for header text of one character per byte: non-ASCII text is sent as encoded words (RFC 2047). Null gives NIL. */
export function imapText(raw: string | null): string {
  if (raw === null) return 'NIL';
  return imapString(asciiText(raw));
}

/** Raw header text as ASCII: bytes beyond ASCII are read as UTF-8, or windows-1252, and become utf-8 encoded words. */
export function asciiText(raw: string): string {
  const text = raw.length > MAIL_LIMITS.textBytes ? raw.slice(0, MAIL_LIMITS.textBytes) : raw;
  if (!/[^\x00-\x7f]/.test(text)) return text;
  return encodeNonAscii(decodeUnlabelled(Buffer.from(text, 'latin1')));
}

/**
 * Encodes only what is not ASCII; encoded words that stand in the text already stay as they are. Blanks between two encoded words
 * are not shown (RFC 2047 section 6.2), so those beside one that was there are encoded too.
 */
function encodeNonAscii(text: string): string {
  // Words at even places, the blanks between them at odd ones.
  const tokens = text.split(/([ \t]+)/);
  let out = '';
  for (let at = 0; at < tokens.length; at += 2) {
    const start = at;
    if (at > 0) out += isOwed(tokens, at) ? ' ' : tokens[at - 1]!;
    if (!isRaw(tokens[at])) {
      out += tokens[at]!;
      continue;
    }
    while (isRaw(tokens[at + 2])) at += 2;
    const before = isEncodedWord(tokens[start - 2]) ? tokens[start - 1]! : '';
    const after = isEncodedWord(tokens[at + 2]) ? tokens[at + 1]! : '';
    const whole = tokens.slice(start, at + 1).join('');
    out += before === '' && after === '' ? encodeWords(whole) : encodeWhole(`${before}${whole}${after}`.replaceAll('\t', ' '));
  }
  return out;
}

/** The blanks before this word went into an encoded word: one must stand between the two. */
function isOwed(tokens: readonly string[], at: number): boolean {
  return (isRaw(tokens[at]) && isEncodedWord(tokens[at - 2])) || (isEncodedWord(tokens[at]) && isRaw(tokens[at - 2]));
}

function isRaw(word: string | undefined): boolean {
  return word !== undefined && /[^\x00-\x7f]/.test(word);
}

function isEncodedWord(word: string | undefined): boolean {
  return word?.startsWith('=?') === true && word.endsWith('?=') && !isRaw(word);
}
