/**
 * Body canonicalisation and hashing (RFC 6376 sections 3.4.3 to 3.4.5) in one pass over the message, in pieces of any size.
 * A LF without CR ends a line here like a CRLF, because the message was sent with CRLF; a CR without LF is text.
 */
import { createHash, type Hash } from 'node:crypto';
import type { MessageView } from '../../ports.ts';
import type { Canonicalisation } from './canonical-header.ts';

export type HashAlgorithm = 'sha256' | 'sha1';

const CR = 0x0d;
const LF = 0x0a;
const SP = 0x20;
const TAB = 0x09;
/** Input looked at in one go; what it becomes is at most twice as long, and what was held back before it. */
const BLOCK = 16 * 1024;
const SLACK = 16;

/** One hash of one canonical form; `limit` is l=, or null for the whole body. */
export class BodyHash {
  /** Octets of the canonical body. */
  size = 0;
  readonly #isRelaxed: boolean;
  readonly #limit: number;
  readonly #hash: Hash;
  #lines = 0;
  #hasSpace = false;
  #hasCr = false;
  #digest: Buffer | null = null;
  #out: Buffer = EMPTY;
  #at = 0;

  constructor(canonicalisation: Canonicalisation, algorithm: HashAlgorithm, limit: number | null) {
    this.#isRelaxed = canonicalisation === 'relaxed';
    this.#limit = limit ?? Number.POSITIVE_INFINITY;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    for (let start = 0; start < chunk.length; start += BLOCK) this.#block(chunk, start, Math.min(chunk.length, start + BLOCK));
  }

  digest(): Buffer {
    if (this.#digest !== null) return this.#digest;
    if (this.#hasCr) this.#flush(SLACK);
    // Blanks at the very end go with the blank lines. A body without a line end gets one; an empty simple body is one CRLF.
    if (this.size > 0 || this.#at > 0 || !this.#isRelaxed) {
      this.#reserve(2 + SLACK);
      this.#out[this.#at] = CR;
      this.#out[this.#at + 1] = LF;
      this.#at += 2;
    }
    this.#drain();
    this.#digest = this.#hash.digest();
    return this.#digest;
  }

  #block(chunk: Uint8Array, start: number, end: number): void {
    this.#reserve(2 * (end - start) + SLACK);
    const isRelaxed = this.#isRelaxed;
    let out = this.#out;
    let at = this.#at;
    for (let i = start; i < end; ) {
      let c = chunk[i]!;
      if (c > SP || isText(c, isRelaxed)) {
        if (this.#hasCr || this.#lines > 0 || this.#hasSpace) {
          this.#at = at;
          this.#flush(2 * (end - i) + SLACK);
          out = this.#out;
          at = this.#at;
        }
        // The usual case, and so a loop of its own.
        do {
          out[at] = c;
          at += 1;
          i += 1;
          c = i < end ? chunk[i]! : LF;
        } while (c > SP);
        continue;
      }
      i += 1;
      if (c === LF) {
        this.#hasCr = false;
        this.#hasSpace = false;
        this.#lines += 1;
        continue;
      }
      if (this.#hasCr) {
        this.#at = at;
        this.#flush(2 * (end - i) + SLACK);
        out = this.#out;
        at = this.#at;
      }
      if (c === CR) this.#hasCr = true;
      else this.#hasSpace = true;
    }
    this.#at = at;
    if (at >= BLOCK) this.#drain();
  }

  /** Writes what was held back: line ends, then a blank, then a CR that turned out to be text; and makes room for what follows. */
  #flush(room: number): void {
    while (this.#lines > 0) {
      this.#reserve(2 * SLACK);
      const lines = Math.min(this.#lines, (this.#out.length - this.#at - SLACK) >> 1);
      for (let i = 0; i < lines; i += 1) {
        this.#out[this.#at] = CR;
        this.#out[this.#at + 1] = LF;
        this.#at += 2;
      }
      this.#lines -= lines;
      if (this.#lines > 0) this.#drain();
    }
    if (this.#hasSpace) {
      this.#out[this.#at] = SP;
      this.#at += 1;
      this.#hasSpace = false;
    }
    if (this.#hasCr) {
      this.#out[this.#at] = CR;
      this.#at += 1;
      this.#hasCr = false;
    }
    this.#reserve(room);
  }

  /** Room for so many octets, by handing on what is there or by a larger buffer. */
  #reserve(octets: number): void {
    if (this.#out.length - this.#at >= octets) return;
    this.#drain();
    if (this.#out.length < octets) this.#out = Buffer.allocUnsafe(octets);
  }

  #drain(): void {
    if (this.#at === 0) return;
    const left = this.#limit - this.size;
    if (left > 0) this.#hash.update(left >= this.#at ? this.#out.subarray(0, this.#at) : this.#out.subarray(0, left));
    this.size += this.#at;
    this.#at = 0;
  }
}
const EMPTY = Buffer.alloc(0);

/** A control character, or a blank that the canonical form keeps. */
function isText(c: number, isRelaxed: boolean): boolean {
  return c !== LF && c !== CR && !(isRelaxed && (c === SP || c === TAB));
}

/** The hashes that the signatures of one message ask for, each made once. */
export class BodyHashes {
  readonly #hashes = new Map<string, BodyHash>();

  want(canonicalisation: Canonicalisation, algorithm: HashAlgorithm, limit: number | null): BodyHash {
    const key = `${canonicalisation} ${algorithm} ${limit ?? ''}`;
    let hash = this.#hashes.get(key);
    if (hash === undefined) {
      hash = new BodyHash(canonicalisation, algorithm, limit);
      this.#hashes.set(key, hash);
    }
    return hash;
  }

  /** Feeds the body that starts at `offset`: at once when the message is in memory. */
  feed(message: MessageView, offset: number): void | Promise<void> {
    if (this.#hashes.size === 0) return undefined;
    if (message.bytes === null) return this.#stream(message, offset);
    const body = message.bytes.subarray(offset);
    for (const hash of this.#hashes.values()) hash.update(body);
    return undefined;
  }

  async #stream(message: MessageView, offset: number): Promise<void> {
    let skip = offset;
    for await (const chunk of message.stream()) {
      const body = skip >= chunk.length ? EMPTY : chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
      if (body.length > 0) for (const hash of this.#hashes.values()) hash.update(body);
    }
  }
}
