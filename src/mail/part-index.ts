/** Where the parts of a message are, small enough to keep beside it, so that IMAP can cut BODY[1.2] without parsing again. */
import type { MimePart } from './mime-part.ts';

/** Offsets from the first byte of the message. A `message` has one child: the message inside, whose headerStart is its first byte. */
export interface PartIndex {
  readonly kind: 'leaf' | 'multipart' | 'message';
  readonly headerStart: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly children: readonly PartIndex[];
}

const VERSION = 1;
const KINDS = ['leaf', 'multipart', 'message'] as const;
const NO_CHILDREN: readonly PartIndex[] = [];

/** The tree of offsets. */
export function indexOf(part: MimePart): PartIndex {
  const { headerStart, bodyStart, bodyEnd } = part;
  if (part.message !== null) return { kind: 'message', headerStart, bodyStart, bodyEnd, children: [indexOf(part.message.part)] };
  if (part.type === 'multipart') return { kind: 'multipart', headerStart, bodyStart, bodyEnd, children: part.children.map(indexOf) };
  return { kind: 'leaf', headerStart, bodyStart, bodyEnd, children: NO_CHILDREN };
}

/**
 * Version byte, then each part before its children: kind and number of children, header start since the last known offset,
 * lengths of header and body, all as LEB128. Null for a message of one part, whose offsets follow from its size.
 */
export function encodeParts(part: MimePart): Uint8Array | null {
  if (part.message === null && part.type !== 'multipart') return null;
  const out: number[] = [VERSION];
  write(part, 0, out);
  return Uint8Array.from(out);
}

function write(part: MimePart, from: number, out: number[]): void {
  const children = part.message !== null ? [part.message.part] : part.type === 'multipart' ? part.children : [];
  const kind = part.message !== null ? 2 : part.type === 'multipart' ? 1 : 0;
  varint(children.length * 4 + kind, out);
  varint(part.headerStart - from, out);
  varint(part.bodyStart - part.headerStart, out);
  varint(part.bodyEnd - part.bodyStart, out);
  let last = part.bodyStart;
  for (const child of children) {
    write(child, last, out);
    last = child.bodyEnd;
  }
}

/** Not with shifts: offsets may pass 2^31. */
function varint(value: number, out: number[]): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
}

/**
 * The tree that `encodeParts` wrote, for a message of `size` bytes whose own header takes `headerBytes`, all without the copy's prefix.
 * With `prefixBytes` all offsets count from the start of the prefix, which then belongs to the message's header.
 * Throws when the bytes are damaged: they came out of our own store.
 */
export function decodeParts(encoded: Uint8Array | null, headerBytes: number, size: number, prefixBytes = 0): PartIndex {
  if (encoded === null || encoded.length === 0) {
    return { kind: 'leaf', headerStart: 0, bodyStart: prefixBytes + headerBytes, bodyEnd: prefixBytes + size, children: NO_CHILDREN };
  }
  if (encoded[0] !== VERSION) throw new Error(`part index of unknown version ${encoded[0]}`);
  const root = new PartReader(encoded).part(prefixBytes);
  return prefixBytes === 0 ? root : { ...root, headerStart: 0 };
}

class PartReader {
  readonly #bytes: Uint8Array;
  #at = 1;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new Error('part index ends early');
      this.#at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
  }

  part(from: number): PartIndex {
    const head = this.#varint();
    const kind = KINDS[head % 4];
    if (kind === undefined) throw new Error('part index is damaged');
    const headerStart = from + this.#varint();
    const bodyStart = headerStart + this.#varint();
    const bodyEnd = bodyStart + this.#varint();
    const count = Math.floor(head / 4);
    if (count === 0) return { kind, headerStart, bodyStart, bodyEnd, children: NO_CHILDREN };
    const children: PartIndex[] = [];
    let last = bodyStart;
    for (let n = 0; n < count; n += 1) {
      const child = this.part(last);
      children.push(child);
      last = child.bodyEnd;
    }
    return { kind, headerStart, bodyStart, bodyEnd, children };
  }
}

/**
 * The part that a section's numbers name (RFC 9051 section 6.4.5.1), counted from 1; [] is the message itself. Null when there is none.
 * Part 1 of a message that is no multipart is its own body. HEADER and TEXT after numbers mean the message inside a `message` part: its child.
 */
export function findSection(root: PartIndex, path: readonly number[]): PartIndex | null {
  let part = root;
  // A message's root is not a numbered part yet; its parts, or itself as part 1, are.
  let isMessageRoot = true;
  for (const number of path) {
    if (!isMessageRoot && part.kind === 'message') {
      part = part.children[0]!;
      isMessageRoot = true;
    }
    if (part.kind === 'multipart') {
      const child = part.children[number - 1];
      if (child === undefined) return null;
      part = child;
    } else if (!isMessageRoot || number !== 1) return null;
    isMessageRoot = false;
  }
  return part;
}
