/** Decoded text of a message, for searching (RFC 9051 section 6.4.4, BODY and TEXT) and previews. */
import { decodeCharset } from './charset.ts';
import { decodeHeaderBytes } from './encoded-word.ts';
import { asBuffer, fieldName, scanHeaders } from './header.ts';
import { contentOf } from './mime-part.ts';
import { findParam } from './params.ts';
import type { PartIndex } from './part-index.ts';
import { runSlices, type SliceReader, type SliceSteps } from './slices.ts';
import { decodeTransfer } from './transfer.ts';

/** A header value as text: unfolded, encoded words and raw 8-bit text decoded. */
export const decodeHeaderValue = decodeHeaderBytes;

/** Encoded octets of text read from one message; a search looks no further. */
export const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Text of all text/* parts, decoded from transfer encoding and charset, and the decoded headers of messages inside messages,
 * one after another with a line end between. HTML stays as it is. At most `bytesMax` octets are read.
 * Answers at once when all slices do. `also` may add to a part's text what follows from it (`searchable-text.ts`).
 */
export function extractText(
  read: SliceReader,
  root: PartIndex,
  bytesMax: number = TEXT_BYTES_MAX,
  also: ((text: string, subtype: string) => string | null) | null = null,
): string | Promise<string> {
  return runSlices(textSteps(read, root, bytesMax, also));
}

function* textSteps(read: SliceReader, root: PartIndex, bytesMax: number, also: ((text: string, subtype: string) => string | null) | null): SliceSteps<string> {
  const out: string[] = [];
  let left = bytesMax;
  // A stack of our own: parts still to be seen, the next on top.
  const todo: { part: PartIndex; isInner: boolean }[] = [{ part: root, isInner: false }];
  while (left > 0) {
    const next = todo.pop();
    if (next === undefined) break;
    const { part, isInner } = next;
    for (let i = part.children.length - 1; i >= 0; i -= 1) todo.push({ part: part.children[i]!, isInner: part.kind === 'message' });
    if (part.kind !== 'leaf' && !isInner) continue;
    const header = yield read(part.headerStart, Math.min(part.bodyStart, part.headerStart + left));
    left -= header.length;
    if (isInner) out.push(headerText(header));
    if (part.kind !== 'leaf' || left <= 0) continue;
    const content = contentOf(header);
    if (content.type !== 'text') continue;
    const body = yield read(part.bodyStart, Math.min(part.bodyEnd, part.bodyStart + left));
    left -= body.length;
    const text = decodeCharset(decodeTransfer(body, content.encoding), findParam(content.params, 'charset') ?? '');
    out.push(text);
    const more = also?.(text, content.subtype) ?? null;
    if (more !== null) out.push(more);
  }
  return out.join('\r\n');
}

/** A header section as text, one line for each field, unfolded and decoded; for SEARCH TEXT. */
export function headerText(header: Uint8Array): string {
  const bytes = asBuffer(header);
  let out = '';
  for (const field of scanHeaders(bytes).fields) {
    const value = decodeHeaderBytes(bytes.subarray(field.valueStart, field.valueEnd));
    out += field.nameEnd === field.nameStart ? `${value}\r\n` : `${fieldName(bytes, field)}:${value}\r\n`;
  }
  return out;
}

const ASCII_ONLY = /^[\x00-\x7f]*$/;

/**
 * Text as searches compare it, by i;unicode-casemap (RFC 5051): decomposed, letters without regard to case. Upper case is
 * taken because no letter's depends on its neighbours: what a text contains, its folded form contains too. The only letter
 * left that would become two is kept as it is, as the simple mappings of Unicode have it.
 */
export function foldForSearch(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toUpperCase();
  const decomposed = text.normalize('NFKD');
  if (!decomposed.includes('ß')) return decomposed.toUpperCase();
  return decomposed
    .split('ß')
    .map((part) => part.toUpperCase())
    .join('ß');
}
