/** The message as it is now: as it came, or changed by editheader, filter and the MIME actions. */
import { asBuffer } from '../../../mail/header.ts';
import { MimeParser, type MimePart } from '../../../mail/mime.ts';
import { contentOf } from '../../../mail/mime-part.ts';
import { findParam } from '../../../mail/params.ts';
import { headerEnd } from '../../../mail/view.ts';
import { ask, type FilterInput, type MessageVersion } from '../filter.ts';
import { HeaderView } from './header-view.ts';
import type { Steps } from './run.ts';

export interface Mime {
  readonly root: MimePart;
  /** The bytes that the tree's offsets count in; shorter than the message when that is larger than was asked for. */
  readonly bytes: Buffer;
}

/** The same part, so many bytes further on. */
export function movedPart(part: MimePart, by: number): MimePart {
  return {
    ...part,
    headerStart: part.headerStart + by,
    bodyStart: part.bodyStart + by,
    bodyEnd: part.bodyEnd + by,
    children: part.children.map((child) => movedPart(child, by)),
    message: part.message === null ? null : { ...part.message, part: movedPart(part.message.part, by) },
  };
}

export class SieveMessage {
  readonly #input: FilterInput;
  #header: HeaderView;
  /** null: the original's. */
  #body: Buffer | null = null;
  /** The original body, as far as it was fetched. */
  #fetched: Buffer | null = null;
  #version: MessageVersion = null;
  #isChanged = false;
  #mime: Mime | null = null;
  /** The tree before the header was changed, and how long that was: the body's tree is still that. */
  #former: { readonly mime: Mime; readonly headerBytes: number } | null = null;
  #work = 0;
  /** What redirect sends once the message was enclosed. */
  #enclosed: { readonly version: MessageVersion } | null = null;

  constructor(input: FilterInput) {
    this.#input = input;
    this.#header = new HeaderView(input.header);
    if (input.body !== null) this.#fetched = asBuffer(input.body);
  }

  get header(): HeaderView {
    return this.#header;
  }
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Octets of the message as it is now. */
  get size(): number {
    if (!this.#isChanged) return this.#input.size;
    const body = this.#body === null ? this.#input.size - this.#input.header.length : this.#body.length;
    return this.#header.bytes.length + body;
  }

  /** For actions: null while nothing was changed. The same object until the next change. */
  version(): MessageVersion {
    if (this.#isChanged && this.#version === null) this.#version = { header: this.#header.bytes, body: this.#body };
    return this.#version;
  }

  /** For redirect, which enclosing does not touch (RFC 5703 section 6). */
  versionToSend(): MessageVersion {
    return this.#enclosed === null ? this.version() : this.#enclosed.version;
  }

  /** `bytes` with the blank line. */
  replaceHeader(bytes: Uint8Array): void {
    const former = this.#mime === null ? this.#former : { mime: this.#mime, headerBytes: this.#header.bytes.length };
    this.#header = new HeaderView(bytes);
    this.#changed();
    this.#former = former;
  }

  replaceBody(body: Uint8Array): void {
    this.#body = asBuffer(body);
    this.#changed();
  }

  /** Another message altogether (filter, replace, enclose). */
  replace(message: Uint8Array): void {
    const end = headerEnd(message);
    this.#header = new HeaderView(message.subarray(0, end));
    this.#body = asBuffer(message.subarray(end));
    this.#changed();
  }

  /** The same with one part exchanged, whose tree is known without reading all of it again. */
  replacePart(mime: Mime): void {
    this.replace(mime.bytes);
    this.#mime = mime;
  }

  /** As `replace`, but redirects keep sending what is there now. */
  enclose(message: Uint8Array): void {
    this.#enclosed ??= { version: this.version() };
    this.replace(message);
  }

  #changed(): void {
    this.#isChanged = true;
    this.#version = null;
    this.#mime = null;
    this.#former = null;
  }

  /** Steps that the trees made since the last call have cost. */
  takeWork(): number {
    const work = this.#work;
    this.#work = 0;
    return work;
  }

  /** The body, its first `most` octets at least where it has as many; asks for it when it is not in memory. */
  *body(most: number): Steps<Buffer> {
    if (this.#body !== null) return this.#body;
    const from = this.#input.header.length;
    const to = Math.min(this.#input.size, from + most);
    if (this.#fetched === null || (this.#input.body === null && this.#fetched.length < to - from)) {
      this.#fetched = asBuffer(yield* ask({ kind: 'bytes', from, to }));
    }
    return this.#fetched;
  }

  /** Header and body together; of the body at most `most` octets. */
  *bytes(most: number): Steps<Buffer> {
    return Buffer.concat([this.#header.bytes, yield* this.body(most)]);
  }

  /** The tree of parts, parsed once for each version of the message. */
  *mime(bodyBytes: number): Steps<Mime> {
    const wanted = Math.min(this.size, this.#header.bytes.length + bodyBytes);
    if (this.#mime === null) this.#mime = this.#withNewHeader();
    if (this.#mime === null || this.#mime.bytes.length < wanted) {
      const bytes = yield* this.bytes(bodyBytes);
      this.#work += bytes.length >> 3;
      const parser = new MimeParser();
      parser.push(bytes);
      this.#mime = { root: parser.end(), bytes };
    }
    return this.#mime;
  }

  /** The former tree under the new header, unless that tells of other content. */
  #withNewHeader(): Mime | null {
    if (this.#former === null) return null;
    const { mime, headerBytes } = this.#former;
    const header = this.#header.bytes;
    const root = contentOf(header);
    const boundary = findParam(root.params, 'boundary');
    if (root.type !== mime.root.type || root.subtype !== mime.root.subtype || boundary !== findParam(mime.root.params, 'boundary')) return null;
    const bytes = Buffer.concat([header, mime.bytes.subarray(headerBytes)]);
    this.#work += bytes.length >> 6;
    const by = header.length - headerBytes;
    const { children, message } = movedPart(mime.root, by);
    return { root: { ...root, bodyStart: header.length, bodyEnd: mime.root.bodyEnd + by, children, message }, bytes };
  }
}
