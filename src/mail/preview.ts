/** The first words of a message for lists of messages (PREVIEW, RFC 8970): text without markup, quotations and signature. */
import { decodeCharset } from './charset.ts';
import { htmlText } from './html-text.ts';
import { contentOf } from './mime-part.ts';
import { findParam } from './params.ts';
import type { PartIndex } from './part-index.ts';
import { runSlices, type SliceReader, type SliceSteps } from './slices.ts';
import { decodeTransfer } from './transfer.ts';

/** RFC 8970 section 3.3. */
const PREVIEW_CHARACTERS = 200;
/** Encoded octets read of a part: plain text, and HTML, whose head and styles come first. */
const PLAIN_BYTES = 8 * 1024;
const HTML_BYTES = 96 * 1024;
/** Headers of parts looked at, and how much of one. */
const PARTS_MAX = 20;
const HEADER_BYTES = 64 * 1024;

/** At most 200 characters on one line; '' when there is no text. Answers at once when the slices do. */
export function previewText(read: SliceReader, root: PartIndex): string | Promise<string> {
  return runSlices(previewSteps(read, root));
}

function* previewSteps(read: SliceReader, root: PartIndex): SliceSteps<string> {
  const todo: PartIndex[] = [root];
  for (let looked = 0; looked < PARTS_MAX; ) {
    const part = todo.pop();
    if (part === undefined) break;
    // Messages within the message are another's words.
    if (part.kind === 'multipart') for (let i = part.children.length - 1; i >= 0; i -= 1) todo.push(part.children[i]!);
    if (part.kind !== 'leaf') continue;
    looked += 1;
    const header = yield read(part.headerStart, Math.min(part.bodyStart, part.headerStart + HEADER_BYTES));
    const content = contentOf(header);
    if (content.type !== 'text' || content.disposition?.value === 'attachment') continue;
    const isHtml = content.subtype === 'html' || content.subtype === 'xhtml';
    if (!isHtml && content.subtype !== 'plain') continue;
    const body = yield read(part.bodyStart, Math.min(part.bodyEnd, part.bodyStart + (isHtml ? HTML_BYTES : PLAIN_BYTES)));
    const text = decodeCharset(decodeTransfer(body, content.encoding), findParam(content.params, 'charset') ?? '');
    const preview = isHtml ? ofHtml(text) : ofPlain(text);
    if (preview !== '') return preview;
  }
  return '';
}

const ATTRIBUTION = /^(?:on|am|le|el|il|op|em|den) .{4,200}:$/i;

/** Lines that are quoted are passed over, with the line that announces them, unless there is nothing else; what follows "-- " is a signature. */
function ofPlain(text: string): string {
  const own: string[] = [];
  for (const line of text.split('\n')) {
    if (line === '-- \r' || line === '-- ') break;
    if (!line.startsWith('>')) own.push(line);
    else if (own.length > 0 && ATTRIBUTION.test(own.at(-1)!.trim())) own.pop();
  }
  return cut(own.join('\n')) || cut(text);
}

function ofHtml(whole: string): string {
  // What stands in the head, the title above all, is not in the message's window.
  const body = whole.search(/<body[\s>]/i);
  const html = body === -1 ? whole : whole.slice(body);
  const quote = html.search(/<blockquote/i);
  return (quote === -1 ? '' : cut(htmlText(html.slice(0, quote)))) || cut(htmlText(html));
}

/** One line, rulers and the invisible characters that senders pad their previews with left out, whole characters only. */
function cut(text: string): string {
  const line = text
    .replace(/\u034f|[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]/g, '')
    .replace(/(?<=\s)[\u200c\u200d]+|[\u200c\u200d]+(?=\s)/g, '')
    .replace(/[-=_*~#]{4,}/g, ' ')
    .replace(/[\s\x00-\x1f\x7f-\x9f]+/g, ' ')
    .trim();
  if (line.length <= PREVIEW_CHARACTERS) return line.toWellFormed();
  let end = 0;
  for (let count = 0; count < PREVIEW_CHARACTERS && end < line.length; count += 1) end += line.codePointAt(end)! > 0xffff ? 2 : 1;
  return line.slice(0, end).trimEnd().toWellFormed();
}
