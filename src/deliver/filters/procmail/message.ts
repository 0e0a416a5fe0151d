/** The message as conditions and actions see it: header with its From_ line, body, and what a filter made of them. */
import type { FilterInput, MessageVersion } from '../filter.ts';

const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

export type Part = 'both' | 'header' | 'body';

export class Message {
  /** From_ line, fields and the blank line. */
  readonly header: Buffer;
  readonly body: Buffer;
  readonly isChanged: boolean;
  private readonly unfolded: { header: Buffer | null; both: Buffer | null; inPipe: Buffer | null } = { header: null, both: null, inPipe: null };

  constructor(header: Buffer, body: Buffer, isChanged: boolean) {
    this.header = header;
    this.body = body;
    this.isChanged = isChanged;
  }

  static of(input: FilterInput, fromLine: string): Message {
    const header = Buffer.concat([Buffer.from(fromLine === '' || fromLine.endsWith('\n') ? fromLine : `${fromLine}\n`, 'latin1'), input.header]);
    return new Message(header, asBuffer(input.body ?? EMPTY), false);
  }

  /** What a filter wrote: the header ends with the first empty line. */
  static parse(bytes: Buffer): Message {
    const end = headerEnd(bytes);
    return new Message(bytes.subarray(0, end), bytes.subarray(end), true);
  }

  get size(): number {
    return this.header.length + this.body.length;
  }

  /** To be searched: lines that go on are one line. */
  area(part: Part): Buffer {
    if (part === 'body') return this.body;
    this.unfolded.header ??= unfold(this.header);
    if (part === 'header') return this.unfolded.header;
    this.unfolded.both ??= Buffer.concat([this.unfolded.header, this.body]);
    return this.unfolded.both;
  }

  part(part: Part): Buffer {
    return part === 'header' ? this.header : part === 'body' ? this.body : Buffer.concat([this.header, this.body]);
  }

  /** As programs read it: with an empty line at the end, unless raw. */
  forProgram(part: Part, isRaw: boolean): Buffer {
    if (part === 'both' && !isRaw) {
      this.unfolded.inPipe ??= ended(this.part('both'));
      return this.unfolded.inPipe;
    }
    return isRaw ? this.part(part) : ended(this.part(part));
  }

  /** The From_ line with its line end; empty when there is none. */
  get fromLine(): string {
    if (!startsWithFrom(this.header)) return '';
    const end = this.header.indexOf(NEWLINE);
    return this.header.toString('latin1', 0, end === -1 ? this.header.length : end + 1);
  }

  /** For an action that brings its own From_ line or needs none. Null: as it came. */
  version(): MessageVersion {
    if (!this.isChanged) return null;
    return { header: this.header.subarray(this.fromLine.length), body: this.body };
  }

  /** With the From_ line, where the header is given at all. */
  versionWithFrom(): MessageVersion {
    return { header: this.header, body: this.isChanged ? this.body : null };
  }
}

/** Bytes that writing into an mbox adds: `>` before each line that begins with "From ", and the empty line at the end. */
export function mboxGrowth(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf('\nFrom '); at !== -1; at = bytes.indexOf('\nFrom ', at + 1)) count += 1;
  return count;
}

/** With one line end more where it does not end with an empty line. */
export function ended(bytes: Buffer): Buffer {
  return isEnded(bytes) ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
}

export function isEnded(bytes: Buffer): boolean {
  return bytes.length > 1 && bytes[bytes.length - 1] === NEWLINE && bytes[bytes.length - 2] === NEWLINE;
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function startsWithFrom(bytes: Buffer): boolean {
  return bytes.length > 5 && bytes.toString('latin1', 0, 5) === 'From ';
}

/** Just past the empty line that ends the header. */
function headerEnd(bytes: Buffer): number {
  if (bytes[0] === NEWLINE) return 1;
  const at = bytes.indexOf('\n\n');
  return at === -1 ? bytes.length : at + 2;
}

function unfold(header: Buffer): Buffer {
  let copy: Buffer | null = null;
  for (let at = header.indexOf(NEWLINE); at !== -1; at = header.indexOf(NEWLINE, at + 1)) {
    const next = header[at + 1];
    if (next !== 0x20 && next !== 0x09) continue;
    copy ??= Buffer.from(header);
    copy[at] = 0x20;
  }
  return copy ?? header;
}
