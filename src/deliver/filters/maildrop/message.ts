/**
 * The message as patterns see it: lines of Unicode text. Header fields are unfolded and decoded, address fields put into one form; with
 * MIME-Version also the headers of parts and messages inside count as header, and text parts are decoded. Nothing is read before a
 * pattern asks for it.
 */
import { decodeCharset, decodeUnlabelled } from '../../../mail/charset.ts';
import { decodeWords } from '../../../mail/encoded-word.ts';
import { asBuffer, fieldName, type HeaderField, isField, latin1, scanHeaders } from '../../../mail/header.ts';
import { MimeParser, type MimePart } from '../../../mail/mime.ts';
import { contentOf } from '../../../mail/mime-part.ts';
import { findParam } from '../../../mail/params.ts';
import { decodeTransfer } from '../../../mail/transfer.ts';
import type { MessageVersion } from '../filter.ts';
import { canonicalList, hasAddress } from './addresses.ts';
import { MAILDROP_LIMITS } from './limits.ts';

/** Reply-To and Sender are not among them. */
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(['from', 'to', 'cc', 'bcc'].flatMap((name) => [name, `resent-${name}`]));
const RECIPIENT_FIELDS = ['to', 'cc', 'resent-to', 'resent-cc'];

interface Section {
  readonly header: () => readonly string[];
  readonly body: () => readonly string[];
}

export class MaildropMessage {
  readonly header: Uint8Array;
  readonly body: Uint8Array;
  /** What actions are to be given: null while it is as it came. */
  readonly version: MessageVersion;
  #sections: readonly Section[] | null = null;
  #fields: readonly HeaderField[] | null = null;

  constructor(header: Uint8Array, body: Uint8Array, isOriginal: boolean) {
    this.header = header;
    this.body = body;
    this.version = isOriginal ? null : { header, body };
  }

  /** What a filter program wrote. */
  static parse(bytes: Uint8Array): MaildropMessage {
    const end = scanHeaders(bytes).end;
    return new MaildropMessage(bytes.subarray(0, end), bytes.subarray(end), false);
  }

  get size(): number {
    return this.header.length + this.body.length;
  }

  bytes(): Buffer {
    return Buffer.concat([this.header, this.body]);
  }

  /** Line ends. */
  lines(): number {
    let count = 0;
    for (const bytes of [this.header, this.body]) for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1;
    return count;
  }

  /** The lines that a pattern with these options looks at, in the order of the message. Stops being asked when enough was found. */
  *searched(inHeader: boolean, inBody: boolean): Generator<string, void, undefined> {
    this.#sections ??= this.#split();
    for (const section of this.#sections) {
      if (inHeader) yield* section.header();
      if (inBody) yield* section.body();
    }
  }

  /** Is it among the recipients that the header names? */
  hasRecipient(address: string): boolean {
    const bytes = asBuffer(this.header);
    this.#fields ??= scanHeaders(bytes).fields;
    return this.#fields.some(
      (field) => RECIPIENT_FIELDS.some((name) => isField(bytes, field, name)) && hasAddress(latin1(bytes, field.valueStart, field.valueEnd), address),
    );
  }

  /** Lines that an mbox file quotes: each is one byte longer there. */
  mboxQuotes(): number {
    const bytes = this.bytes();
    let count = 0;
    for (let at = bytes.indexOf('From '); at !== -1; at = bytes.indexOf('From ', at + 5)) if (at === 0 || bytes[at - 1] === 10) count += 1;
    return count;
  }

  /** First line of a field (its name in lower case), as it stands in the message; '' without the field. For the log. */
  rawField(name: string): string {
    const bytes = asBuffer(this.header);
    const field = scanHeaders(bytes).fields.find((one) => isField(bytes, one, name));
    if (field === undefined) return '';
    return latin1(bytes, field.valueStart, field.valueEnd).split('\n', 1)[0]!.trim();
  }

  #split(): readonly Section[] {
    const header = asBuffer(this.header);
    const isMime = scanHeaders(header).fields.some((field) => isField(header, field, 'mime-version'));
    const top = once(() => headerLines(header));
    const content = contentOf(header);
    // The transfer encoding counts without MIME-Version too, parts do not.
    if (!isMime) return [{ header: top, body: once(() => textLines(this.body, content)) }];
    if (content.type === 'text') return [{ header: top, body: once(() => textLines(this.body, content)) }];
    if (content.type !== 'multipart' && content.type !== 'message') return [{ header: top, body: () => [] }];
    const parser = new MimeParser();
    const whole = this.bytes();
    parser.push(whole);
    const sections: Section[] = [];
    // A stack of our own: parts still to be seen, the next on top.
    const todo: MimePart[] = [parser.end()];
    for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
      const { headerStart, bodyStart, bodyEnd } = part;
      const own = part;
      for (let i = part.children.length - 1; i >= 0; i -= 1) todo.push(part.children[i]!);
      if (part.message !== null) todo.push(part.message.part);
      sections.push({
        header: headerStart === 0 ? top : once(() => headerLines(asBuffer(whole.subarray(headerStart, bodyStart)))),
        body: part.children.length === 0 && part.type === 'text' ? once(() => textLines(whole.subarray(bodyStart, bodyEnd), own)) : () => [],
      });
    }
    return sections;
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function textLines(body: Uint8Array, part: MimePart): readonly string[] {
  const bytes = decodeTransfer(body.subarray(0, MAILDROP_LIMITS.searchedBytes), part.encoding);
  const charset = findParam(part.params, 'charset') ?? '';
  return lines(charset === '' ? decodeUnlabelled(bytes) : decodeCharset(bytes, charset));
}

function lines(text: string): readonly string[] {
  if (text === '') return [];
  const out = text.split('\n');
  if (out.at(-1) === '') out.pop();
  return text.includes('\r') ? out.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : out;
}

function headerLines(bytes: Buffer): readonly string[] {
  return scanHeaders(bytes).fields.map((field) => headerLine(bytes, field));
}

function headerLine(bytes: Buffer, field: HeaderField): string {
  const raw = latin1(bytes, field.valueStart, field.valueEnd).replace(/\r?\n/g, ' ').trim();
  if (field.nameEnd === field.nameStart) return decodeWords(raw);
  const name = fieldName(bytes, field);
  return `${name}: ${ADDRESS_FIELDS.has(name.toLowerCase()) ? canonicalList(raw, decodeWords) : decodeWords(raw)}`;
}
