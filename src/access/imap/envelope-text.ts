/** Reads stored ENVELOPEs (RFC 9051 section 7.5.2) for SEARCH, so that nearly no search by sender or subject opens a message. */
import { decodeWords } from '../../mail/encoded-word.ts';

/** Places in the envelope. */
export const ENVELOPE = { date: 0, subject: 1, from: 2, to: 5, cc: 6, bcc: 7, messageId: 9 } as const;

/** A string of the envelope (raw, encoded words not decoded); '' for NIL. */
export function envelopeString(envelope: string, place: number): string {
  const start = placeOf(envelope, place);
  return start === -1 ? '' : stringAt(envelope, start);
}

/** The addresses at a place as people write them, decoded: `name <mailbox@host>`, one after another with ", " between. */
export function envelopeAddresses(envelope: string, place: number): string {
  let at = placeOf(envelope, place);
  if (at === -1 || envelope[at] !== '(') return '';
  at += 1;
  const texts: string[] = [];
  while (envelope[at] === '(') {
    const [name, mailbox, host] = [0, 2, 3].map((n) => {
      const start = elementAt(envelope, at + 1, n);
      return start === -1 ? '' : stringAt(envelope, start);
    }) as [string, string, string];
    // A local part beyond ASCII stands in encoded words (mail/envelope.ts).
    const local = mailbox.includes('=?') ? decodeWords(mailbox) : mailbox;
    const address = host === '' ? local : `${local}@${host}`;
    texts.push(name === '' ? address : `${decodeWords(name)} <${address}>`);
    const end = skip(envelope, at);
    if (end === -1) break;
    at = envelope[end] === ' ' ? end + 1 : end;
  }
  return texts.join(', ');
}

function placeOf(envelope: string, place: number): number {
  return elementAt(envelope, 1, place);
}

/** Where the element number `n` begins, counted from `at`; -1 when there are fewer. */
function elementAt(text: string, at: number, n: number): number {
  let start = at;
  for (let i = 0; i < n; i += 1) {
    start = skip(text, start);
    if (start === -1 || text[start] !== ' ') return -1;
    start += 1;
  }
  return start < text.length ? start : -1;
}

/** Offset past the string, NIL or list that begins at `at`; -1 when the text ends within. */
function skip(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === 0x22) {
      i += 1;
      while (i < text.length && text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1;
      i += 1;
    } else if (c === 0x7b) {
      const end = text.indexOf('\r\n', i);
      const size = end === -1 ? Number.NaN : Number(text.slice(i + 1, end - 1));
      if (!Number.isInteger(size)) return -1;
      i = end + 2 + size;
    } else if (c === 0x28) {
      depth += 1;
      i += 1;
      continue;
    } else if (c === 0x29) {
      depth -= 1;
      i += 1;
    } else if (c === 0x20) {
      i += 1;
      continue;
    } else while (i < text.length && text.charCodeAt(i) > 0x20 && text.charCodeAt(i) !== 0x29) i += 1;
    if (depth <= 0) return i;
  }
  return -1;
}

function stringAt(text: string, at: number): string {
  if (text[at] === '"') {
    const value = text.slice(at + 1, skip(text, at) - 1);
    return value.includes('\\') ? value.replace(/\\(.)/g, '$1') : value;
  }
  if (text[at] !== '{') return '';
  const end = text.indexOf('\r\n', at);
  return text.slice(end + 2, end + 2 + Number(text.slice(at + 1, end - 1)));
}
