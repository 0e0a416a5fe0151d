/** Strings of IMAP responses (RFC 9051 section 4.3): quoted where possible, else a literal. ASCII only. */
import { decodeUnlabelled } from './charset.ts';
import { encodeWords } from './encoded-word.ts';
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

/** Encodes only what is not ASCII; encoded words that stand in the text already stay as they are. */
function encodeNonAscii(text: string): string {
  const words = text.split(' ');
  const out: string[] = [];
  let run: string[] = [];
  for (const word of words) {
    if (/[^\x00-\x7f]/.test(word)) {
      run.push(word);
      continue;
    }
    if (run.length > 0) out.push(encodeWords(run.join(' ')));
    run = [];
    out.push(word);
  }
  if (run.length > 0) out.push(encodeWords(run.join(' ')));
  return out.join(' ');
}
