/**
 * The framing between courier, helper and workers: eight bytes (length of the head, length of the body; big-endian), a head in JSON, a body of
 * bytes. A body is passed on piece by piece as it comes; nobody who only relays it holds it whole.
 */
import type { Socket } from 'node:net';
import { BODY_BYTES_MAX, HEAD_BYTES_MAX } from './limits.ts';

export interface FrameEvents {
  /** `bodyBytes` follow through `body`, then `end`. An exception ends the connection. */
  head(head: unknown, bodyBytes: number): void;
  body(chunk: Uint8Array): void;
  end(): void;
}

const PREFIX_BYTES = 8;

export function frameHead(head: unknown, bodyBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  if (json.length > HEAD_BYTES_MAX) throw new Error(`a frame's head of ${json.length} bytes is too long`);
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + json.length);
  frame.writeUInt32BE(json.length, 0);
  frame.writeUInt32BE(bodyBytes, 4);
  json.copy(frame, PREFIX_BYTES);
  return frame;
}

/** Takes pieces cut anywhere. Throws on a frame that breaks the limits or is no JSON: the connection is worth nothing then. */
export class FrameParser {
  readonly #events: FrameEvents;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #headBytes = -1;
  #bodyBytes = 0;
  #bodyLeft = 0;
  #isInBody = false;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** Nothing of a frame has come in part. */
  get isBetweenFrames(): boolean {
    return !this.#isInBody && this.#pendingBytes === 0 && this.#headBytes === -1;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0 || this.#isDue()) {
      if (this.#isInBody) {
        const piece = rest.length > this.#bodyLeft ? rest.subarray(0, this.#bodyLeft) : rest;
        rest = rest.subarray(piece.length);
        this.#bodyLeft -= piece.length;
        if (piece.length > 0) this.#events.body(piece);
        if (this.#bodyLeft === 0) {
          this.#isInBody = false;
          this.#events.end();
        } else if (piece.length === 0) return;
        continue;
      }
      this.#pending.push(rest);
      this.#pendingBytes += rest.length;
      rest = this.#takeHead();
      if (!this.#isInBody) return;
    }
  }

  #isDue(): boolean {
    return this.#isInBody && this.#bodyLeft === 0;
  }

  /** Returns what follows the head, when the head is complete. */
  #takeHead(): Buffer {
    const none = Buffer.alloc(0);
    if (this.#pendingBytes < PREFIX_BYTES) return none;
    if (this.#headBytes === -1) {
      const start = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
      this.#headBytes = start.readUInt32BE(0);
      this.#bodyBytes = start.readUInt32BE(4);
      if (this.#headBytes > HEAD_BYTES_MAX || this.#bodyBytes > BODY_BYTES_MAX) throw new Error('a frame beyond the limits');
      this.#pending = [start];
    }
    if (this.#pendingBytes < PREFIX_BYTES + this.#headBytes) return none;
    const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    const end = PREFIX_BYTES + this.#headBytes;
    const head: unknown = JSON.parse(all.toString('utf8', PREFIX_BYTES, end));
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#headBytes = -1;
    this.#bodyLeft = this.#bodyBytes;
    this.#isInBody = true;
    this.#events.head(head, this.#bodyBytes);
    return all.subarray(end);
  }
}

/** Writes and waits until the other side takes more, so that a slow reader slows the writer. */
export function writeSlowly(socket: Socket, chunk: Uint8Array): void | Promise<void> {
  if (socket.destroyed || socket.write(chunk)) return;
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

// ── Bytes inside heads ───────────────────────────────────────────────────────────────────────────────

/** Gathers the byte strings of an answer behind its head; the same bytes named twice are sent once. */
export class Attachments {
  readonly pieces: Uint8Array[] = [];
  bytes = 0;
  readonly #known = new Map<Uint8Array, readonly [number, number]>();

  add(bytes: Uint8Array | null): readonly [number, number] | null {
    if (bytes === null) return null;
    const known = this.#known.get(bytes);
    if (known !== undefined) return known;
    const place = [this.bytes, this.bytes + bytes.length] as const;
    this.#known.set(bytes, place);
    this.pieces.push(bytes);
    this.bytes += bytes.length;
    return place;
  }
}

/** The bytes at a place that `Attachments` gave; null for null and for a place that is none. */
export function attached(body: Uint8Array, place: unknown): Uint8Array | null {
  if (!Array.isArray(place) || place.length !== 2) return null;
  const [start, end] = place as [unknown, unknown];
  if (!Number.isInteger(start) || !Number.isInteger(end)) return null;
  return body.subarray(start as number, end as number);
}
