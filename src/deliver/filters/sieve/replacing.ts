/** Putting new content in the place of a part, so that what is around it stays what it was. */
import { asBuffer } from '../../../mail/header.ts';
import { MimeParser, type MimePart } from '../../../mail/mime.ts';
import { findParam } from '../../../mail/params.ts';
import { Base64Encoder, QuotedPrintableEncoder } from '../../../mail/transfer.ts';
import { headerEnd } from '../../../mail/view.ts';
import { HeaderView } from './header-view.ts';
import { GROWTH_BYTES } from './limits.ts';
import { type Mime, movedPart } from './message.ts';
import { headerOf, loopsOf, partAt, type PartPath, partsAround, treeOf } from './mime-parts.ts';
import type { Run, Steps } from './run.ts';

/** An entity (RFC 2045 section 2.4): its header fields, each with its CRLF, and its body. */
export interface Entity {
  readonly fields: Buffer;
  readonly body: Buffer;
}

export interface ReplaceOptions {
  /** What the part's header says beside type and encoding stays (its name, its place). */
  readonly keepsContent?: boolean;
  /** For the message itself: fields in the place of those with these names (lower case). */
  readonly instead?: ReadonlyMap<string, string>;
}

const CRLF = Buffer.from('\r\n');
const NONE: ReadonlyMap<string, string> = new Map();

/** Text as an entity in UTF-8. */
export function textEntity(text: string): Entity {
  // Long texts come out of parts; textBody is made for the short ones that people write.
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n');
  if (isAsciiText(lines))
    return { fields: Buffer.from('Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n'), body: Buffer.from(lines, 'latin1') };
  const encoder = new QuotedPrintableEncoder();
  const body = Buffer.concat([encoder.push(Buffer.from(lines.toWellFormed())), encoder.end()]);
  return { fields: Buffer.from('Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n'), body };
}

/** Nothing but ASCII, in lines of at most 998 characters (RFC 5322 section 2.1.1). */
function isAsciiText(text: string): boolean {
  if (/[^\x01-\x7f]/.test(text)) return false;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n', at);
    if ((end === -1 ? text.length : end) - at > 998) return false;
    if (end === -1) break;
    at = end + 2;
  }
  return true;
}

/** An entity that a script wrote: header fields, a blank line, content. A sentence when it has no such header. */
export function writtenEntity(text: string): Entity | string {
  const bytes = Buffer.from(text.replace(/\r\n|\r|\n/g, '\r\n'));
  const end = headerEnd(bytes);
  const isEmpty = end === 2 && bytes[0] === 13;
  const hasBlank = isEmpty || bytes.subarray(0, end).toString('latin1').endsWith('\r\n\r\n');
  const section = bytes.subarray(0, hasBlank ? end - 2 : end);
  const { fields } = new HeaderView(section);
  // Nothing but fields: any other line would end the header where nobody meant it to.
  if (fields.reduce((sum, field) => sum + field.end - field.start, 0) !== section.length || (!isEmpty && fields.length === 0)) {
    return 'the replacement does not begin with header fields and a blank line';
  }
  const strange = fields.find(({ name }) => !name.startsWith('content-') && name !== 'mime-version');
  if (strange !== undefined) return `the header of the replacement may hold Content- fields only, not "${strange.name.slice(0, 60)}"`;
  const own = fields.filter(({ name }) => name !== 'mime-version').map(({ start, end: to }) => bytes.subarray(start, to));
  return { fields: withLineEnd(Buffer.concat(own)), body: bytes.subarray(end) };
}

function withLineEnd(bytes: Buffer): Buffer {
  return bytes.length === 0 || bytes[bytes.length - 1] === 0x0a ? bytes : Buffer.concat([bytes, CRLF]);
}

/** Replaces the part at the path, the whole message where that is empty. Nothing happens when there is no such part any more. */
export function* replacePart(run: Run, path: PartPath, entity: Entity, options: ReplaceOptions = {}): Steps<void> {
  const { root, bytes } = yield* treeOf(run);
  const mime = { root, bytes };
  const part = partAt(root, path);
  if (part === undefined) return;
  const around = partsAround(root, path);
  const isMessage = path.length === 0 || around.at(-1)!.message !== null;
  const { fields, body } = fitting(run, around, entity);
  const header = [...keptFields(headerOf(mime, part), isMessage, options), ...(isMessage ? [Buffer.from('MIME-Version: 1.0\r\n')] : []), fields, CRLF];
  const entire = Buffer.concat([...header, body]);
  if (path.length > 0 && bytes.length < run.message.size) run.fail('the message is too large to be changed');
  const size = path.length === 0 ? entire.length : bytes.length + entire.length;
  chargeChange(run, size);
  if (path.length === 0) run.message.replace(entire);
  else run.message.replacePart(exchanged(mime, path, entire));
  const loop = loopsOf(run).at(-1);
  if (loop !== undefined) loop.isReplaced = true;
}

/** The message with other bytes in the place of a part, header and body, and its tree. */
export function exchanged({ root, bytes }: Mime, path: PartPath, entire: Buffer): Mime {
  const old = partAt(root, path)!;
  // Headers without a blank line can end behind the part.
  const end = Math.max(old.bodyEnd, old.headerStart);
  const rest = bytes.subarray(end);
  // An empty part has no line end of its own before the delimiter that follows.
  const needsLineEnd = rest.length > 0 && rest[0] !== 13 && rest[0] !== 10;
  const before = bytes.subarray(0, old.headerStart);
  // A message/rfc822 that ends with its header has no blank line that the message inside could stand behind.
  const needsBlank = partAt(root, path.slice(0, -1))!.message !== null && !/\n\r?\n$/.test(before.toString('latin1', Math.max(0, before.length - 4)));
  const after = Buffer.concat([before, ...(needsBlank ? [CRLF] : []), entire, ...(needsLineEnd ? [CRLF] : []), rest]);
  // Where a line end is put in, more ends with the part than can be told from here.
  if (needsBlank || needsLineEnd) return { root: treeOfBytes(after), bytes: after };
  return { root: grafted(root, path, movedPart(treeOfBytes(entire), old.headerStart), after.length - bytes.length), bytes: after };
}

function treeOfBytes(bytes: Buffer): MimePart {
  const parser = new MimeParser();
  parser.push(bytes);
  return parser.end();
}

/** The tree with another part at the path; what stands behind it moves, what is around it grows. */
function grafted(part: MimePart, path: PartPath, fresh: MimePart, by: number): MimePart {
  const [index, ...inner] = path;
  if (index === undefined) return fresh;
  const bodyEnd = part.bodyEnd + by;
  if (part.message !== null) return { ...part, bodyEnd, message: { ...part.message, part: grafted(part.message.part, inner, fresh, by) } };
  const children = part.children.map((child, at) => (at < index ? child : at === index ? grafted(child, inner, fresh, by) : movedPart(child, by)));
  return { ...part, bodyEnd, children };
}

/** Counts the work of making and reading a message of that size anew, and stops scripts that blow a message up. */
export function chargeChange(run: Run, size: number): void {
  run.charge(5000 + (size >> 5));
  if (size > run.input.size + GROWTH_BYTES) run.fail(`the message grows by more than ${GROWTH_BYTES} octets`);
}

const REMADE: ReadonlySet<string> = new Set(['content-type', 'content-transfer-encoding', 'content-md5', 'content-length', 'mime-version']);

/** The fields that stay: of a message all that say nothing of its content. */
function keptFields(header: HeaderView, isMessage: boolean, { keepsContent = false, instead = NONE }: ReplaceOptions): readonly Buffer[] {
  const kept: Buffer[] = [];
  for (const { name, start, end } of header.fields) {
    if (REMADE.has(name) || instead.has(name)) continue;
    if (keepsContent || (isMessage && !name.startsWith('content-'))) kept.push(withLineEnd(header.bytes.subarray(start, end)));
  }
  for (const field of instead.values()) kept.push(Buffer.from(field));
  return kept;
}

/**
 * A delimiter of a multipart around it must not stand in the new content: the message would fall apart there (RFC 2046 section 5.1.1).
 * Text that holds one is encoded; what cannot be encoded (a multipart that a script wrote) ends the script.
 */
function fitting(run: Run, around: readonly MimePart[], entity: Entity): Entity {
  const { body } = entity;
  const isHit = around.some((part) => {
    const boundary = part.type === 'multipart' ? findParam(part.params, 'boundary') : null;
    if (boundary === null || boundary === '') return false;
    const delimiter = Buffer.from(`--${boundary}`, 'latin1');
    return body.subarray(0, delimiter.length).equals(delimiter) || body.includes(Buffer.concat([Buffer.from('\n'), delimiter]));
  });
  if (!isHit) return entity;
  const view = new HeaderView(entity.fields);
  const encoding = view.text('content-transfer-encoding')?.toLowerCase() ?? '7bit';
  if (!/^(?:7bit|8bit|binary)$/.test(encoding) || /^(?:multipart|message)\//i.test(view.text('content-type') ?? '')) {
    return run.fail('the replacement holds a delimiter line of the message');
  }
  const encoder = new Base64Encoder();
  const others = view.fields.filter(({ name }) => name !== 'content-transfer-encoding').map(({ start, end }) => view.bytes.subarray(start, end));
  return {
    fields: Buffer.concat([...others, Buffer.from('Content-Transfer-Encoding: base64\r\n')]),
    body: asBuffer(Buffer.concat([encoder.push(body), encoder.end()])),
  };
}
