/**
 * An 8-bit message for a server that takes only 7 bits (RFC 6152 section 3): text parts become quoted-printable, others base64.
 * Works piece by piece; what needs no change goes through as it is.
 */
import { isAscii } from 'node:buffer';
import { type HeaderField, asBuffer, firstField, scanHeaders } from './header.ts';
import { contentOf } from './mime-part.ts';
import type { PartIndex } from './part-index.ts';
import type { SliceReader } from './slices.ts';
import { Base64Encoder, QuotedPrintableEncoder, type Transform } from './transfer.ts';

const PIECE = 64 * 1024;
const LF = 0x0a;
const LINE_MOST = 998;

/**
 * The message of `root` with every body in 7 bits and lines of at most 998 octets. Header fields are not touched but for
 * Content-Transfer-Encoding (and MIME-Version and Content-Type where a message had none): 8-bit header text is SMTPUTF8's business.
 */
export async function* convertTo7bit(root: PartIndex, read: SliceReader): AsyncGenerator<Uint8Array, void, undefined> {
  yield* convertPart(root, read, true);
}

async function* convertPart(part: PartIndex, read: SliceReader, isMessage: boolean): AsyncGenerator<Uint8Array, void, undefined> {
  const header = await read(part.headerStart, part.bodyStart);
  const content = contentOf(header);
  if (part.kind !== 'leaf') {
    yield encodeHeader(header, content.encoding === '7bit' ? null : '7bit', isMessage);
    let at = part.bodyStart;
    for (const child of part.children) {
      yield* masked(at, child.headerStart, read);
      // A multipart without parts shows its body as one: there is no room for a header of its own.
      if (part.kind === 'multipart' && child.headerStart === part.bodyStart) yield* masked(child.headerStart, child.bodyEnd, read);
      else yield* convertPart(child, read, part.kind === 'message');
      at = child.bodyEnd;
    }
    yield* masked(at, part.bodyEnd, read);
    return;
  }
  if (content.encoding === 'base64' || content.encoding === 'quoted-printable') {
    yield header;
    yield* content.encoding === 'base64' ? masked(part.bodyStart, part.bodyEnd, read) : escaped(part.bodyStart, part.bodyEnd, read);
    return;
  }
  if (!(await needsEncoding(part, read))) {
    yield content.encoding === '8bit' || content.encoding === 'binary' ? encodeHeader(header, '7bit', isMessage) : header;
    yield* pieces(part.bodyStart, part.bodyEnd, read);
    return;
  }
  const isText = content.type === 'text' || content.type === 'multipart' || content.type === 'message';
  yield encodeHeader(header, isText ? 'quoted-printable' : 'base64', isMessage);
  const encoder: Transform = isText ? new QuotedPrintableEncoder() : new Base64Encoder();
  for await (const piece of pieces(part.bodyStart, part.bodyEnd, read)) yield encoder.push(piece);
  yield encoder.end();
}

async function* pieces(start: number, end: number, read: SliceReader): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = start; at < end; at += PIECE) yield await read(at, Math.min(end, at + PIECE));
}

/** Bytes outside of any part, or inside an encoding that has no place for them: those beyond ASCII become "?". */
async function* masked(start: number, end: number, read: SliceReader): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces(start, end, read)) yield isAscii(piece) ? piece : piece.map((c) => (c > 0x7f ? 0x3f : c));
}

/** Octets above 127 that stand raw in quoted-printable become "=XX"; a line may grow past 76 characters by that. */
async function* escaped(start: number, end: number, read: SliceReader): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces(start, end, read)) {
    if (isAscii(piece)) yield piece;
    else
      yield Buffer.from(
        asBuffer(piece)
          .toString('latin1')
          .replace(/[\x80-\xff]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`),
        'latin1',
      );
  }
}

async function needsEncoding(part: PartIndex, read: SliceReader): Promise<boolean> {
  let lineBytes = 0;
  for await (const piece of pieces(part.bodyStart, part.bodyEnd, read)) {
    if (!isAscii(piece)) return true;
    let at = 0;
    for (let lf = piece.indexOf(LF, at); lf !== -1; lf = piece.indexOf(LF, at)) {
      if (lineBytes + lf - at > LINE_MOST + 1) return true;
      lineBytes = 0;
      at = lf + 1;
    }
    lineBytes += piece.length - at;
    if (lineBytes > LINE_MOST + 1) return true;
  }
  return false;
}

/** The header with its Content-Transfer-Encoding replaced by `encoding`; null leaves it as it is. */
function encodeHeader(header: Uint8Array, encoding: string | null, isMessage: boolean): Uint8Array {
  if (encoding === null) return header;
  const { fields, end, isComplete } = scanHeaders(header);
  // Cut off by a delimiter: the body is empty, and one more line could change what the lines before it mean.
  if (!isComplete && header.length > 0) return header;
  const replaced: HeaderField[] = [];
  for (let field = firstField(header, fields, ENCODING); field !== null; field = firstField(header, fields, ENCODING)) {
    replaced.push(field);
    fields.splice(fields.indexOf(field), 1);
  }
  let added = `Content-Transfer-Encoding: ${encoding}\r\n`;
  if (isMessage && encoding !== '7bit') {
    if (firstField(header, fields, 'mime-version') === null) added = `MIME-Version: 1.0\r\n${added}`;
    // RFC 1428: text of a charset that nobody named.
    if (firstField(header, fields, 'content-type') === null) added += 'Content-Type: text/plain; charset=unknown-8bit\r\n';
  }
  const blank = !isComplete ? header.length : end - (header[end - 2] === 0x0d ? 2 : 1);
  const out: Uint8Array[] = [];
  let at = 0;
  for (const [i, field] of replaced.entries()) {
    out.push(header.subarray(at, field.nameStart));
    // In the place of the old one: what follows may be no field, and must not become the first line of a header.
    if (i === 0) out.push(Buffer.from(added, 'latin1'));
    at = field.end;
  }
  out.push(header.subarray(at, blank));
  out.push(Buffer.from(replaced.length === 0 ? `${added}\r\n` : '\r\n', 'latin1'));
  return Buffer.concat(out);
}
const ENCODING = 'content-transfer-encoding';
