/**
 * The layer below a session that compresses (RFC 4978): what the client sends is inflated, what it is told is deflated and flushed with
 * each batch. Both ways keep back-pressure: no more is inflated than the session takes, no more deflated than the client reads.
 */
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib';
import { writePaced } from '../../net/write.ts';

/** zlib takes 2^(windowBits+2) + 2^(memLevel+9) octets to deflate: 96 KiB, and text comes out a tenth larger than with 256 KiB. */
const DEFLATE = { windowBits: 13, memLevel: 7, level: 4, chunkSize: 4096 };
/** The client may use the largest window: 32 KiB and some. */
const INFLATE = { windowBits: 15, chunkSize: 8192 };
/** Taken from the session before its writes count as waiting. */
const SINK_BYTES = 64 * 1024;
/** What IMAP sends shrinks to a tenth at best; deflate could do a thousandth, of bytes that say nothing. */
const RATIO_MAX = 100;
/** An empty last block, alone. */
const END_BLOCK = Buffer.from([0x03, 0x00]);
const NOTHING = Buffer.alloc(0);

export interface CompressionUser {
  /** Inflated bytes; kept by the user. */
  take(bytes: Buffer): void;
  /** The client's stream cannot be read any further. `why`: a sentence for the client. */
  fail(why: string): void;
  /** The client has ended its stream and sent more; what that is, is for finish() to give. */
  ended(): void;
  /** Octets that may be inflated beyond the ratio: a large message may well consist of one character. */
  readonly bytesFree: number;
}

export class Compression {
  /** Where the session writes. */
  readonly sink: DeflateSink;
  readonly #socket: Socket;
  readonly #user: CompressionUser;
  readonly #inflate: InflateRaw;
  #fed = 0;
  #inflated = 0;
  /** Of what was fed last: behind the end of the client's stream there may be plain bytes. */
  #last: Buffer = NOTHING;
  #isPaused = false;
  #isChoked = false;
  #isClosed = false;
  /** What came in plain, from when compression is to end. */
  #plain: Buffer[] | null = null;

  constructor(socket: Socket, user: CompressionUser) {
    this.#socket = socket;
    this.#user = user;
    this.sink = new DeflateSink(socket);
    this.#inflate = createInflateRaw(INFLATE);
    this.#inflate.on('data', (bytes: Buffer) => this.#took(bytes));
    this.#inflate.on('drain', () => {
      this.#isChoked = false;
      if (!this.#isPaused && !this.#isClosed) this.#socket.resume();
    });
    this.#inflate.on('error', () => {
      if (!this.#isClosed) this.#user.fail('Compressed data is damaged');
    });
    this.#inflate.on('end', () => {
      if (!this.#isClosed && this.#plain === null) this.#user.ended();
    });
  }

  /** Bytes as they came from the client. */
  push(chunk: Buffer): void {
    if (this.#isClosed) return;
    if (this.#plain !== null) {
      this.#plain.push(chunk);
      return;
    }
    if (this.#inflate.readableEnded) {
      this.#user.fail('Compressed data has ended');
      return;
    }
    this.#fed += chunk.length;
    this.#last = chunk;
    if (this.#inflate.write(chunk)) return;
    this.#isChoked = true;
    this.#socket.pause();
  }

  #took(bytes: Buffer): void {
    if (this.#isClosed || this.#plain !== null) return;
    this.#inflated += bytes.length;
    if (this.#inflated - this.#user.bytesFree > this.#fed * RATIO_MAX) this.#user.fail('Too much in too few octets');
    else this.#user.take(bytes);
  }

  /** The session has enough for now. */
  pause(): void {
    this.#isPaused = true;
    this.#inflate.pause();
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#inflate.resume();
    if (!this.#isChoked) this.#socket.resume();
  }

  /** Ends our stream, behind all that was written, and gives what the client sent in plain behind the end of its own. */
  async finish(): Promise<Buffer> {
    const rest = this.#fed - this.#inflate.bytesWritten;
    this.#plain = rest > 0 && rest <= this.#last.length ? [this.#last.subarray(this.#last.length - rest)] : [];
    this.#socket.pause();
    await this.sink.finish();
    const plain = Buffer.concat(this.#plain);
    this.close();
    return plain;
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#last = NOTHING;
    this.#plain = null;
    this.#inflate.destroy();
    this.sink.destroy();
  }
}

/** A client may send the end of its stream on its own, when its last command has been obeyed already. */
export function withoutEndBlock(chunk: Buffer): Buffer {
  return chunk.subarray(0, END_BLOCK.length).equals(END_BLOCK) ? chunk.subarray(END_BLOCK.length) : chunk;
}

/** Writes compressed to a socket; what waits is counted as it was given, so that the session sees when the client does not read. */
export class DeflateSink extends Writable {
  readonly #socket: Socket;
  readonly #deflate: DeflateRaw;
  #pieces: Buffer[] = [];

  constructor(socket: Socket) {
    super({ highWaterMark: SINK_BYTES, decodeStrings: true });
    this.#socket = socket;
    this.#deflate = createDeflateRaw(DEFLATE);
    this.#deflate.on('data', (piece: Buffer) => this.#pieces.push(piece));
    // The session hears of the socket's end from the socket.
    this.#deflate.on('error', (error) => this.destroy(error));
    this.on('error', () => {});
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this._writev([{ chunk }], done);
  }

  /** All that has been written meanwhile is one batch. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
    let hasBytes = false;
    for (const { chunk } of chunks) {
      if (chunk.length === 0) continue;
      hasBytes = true;
      this.#deflate.write(chunk);
    }
    if (hasBytes) this.#deflate.flush(constants.Z_SYNC_FLUSH, () => this.#send(done));
    else done();
  }

  #send(done: (error?: Error | null) => void): void {
    const pieces = this.#pieces;
    this.#pieces = [];
    writePaced(this.#socket, pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)).then(() => done(), done);
  }

  /** Ends the compressed stream behind everything written; the socket stays open. */
  async finish(): Promise<void> {
    await new Promise<void>((resolve) => this.write('', () => resolve()));
    if (this.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#deflate.once('end', resolve);
      this.#deflate.once('close', resolve);
      this.#deflate.end();
    });
    await new Promise<void>((resolve) => this.#send(() => resolve()));
  }

  /** The session has said goodbye. */
  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#deflate.destroy();
    this.#pieces = [];
    done(error);
  }
}
