/**
 * What is said to the client: gathered while commands run and written once for a batch. Strings have one character per byte.
 * Over TLS no write is larger than 16 KiB and each waits for the one before: Node keeps a ring as large as the largest
 * write for as long as the socket lives.
 */
import type { Writable } from 'node:stream';
import { WRITE_PIECE_BYTES } from '../../net/write.ts';

/** From here on a command that produces more must wait for the client. */
const FULL_BYTES = 64 * 1024;
/** Pieces of messages up to this size are joined with the text around them: copying costs less than a write of their own. */
const JOINED_BYTES = 32 * 1024;
/** Room for what fills an output, and then a message of 64 KiB. */
const CHUNK_BYTES = FULL_BYTES + 64 * 1024 + 4096;

/** Where text and bytes are joined. One is kept for all sessions of a thread: most writes are over when write() returns. */
let spare: Buffer | null = null;
function takeChunk(): Buffer {
  const chunk = spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  spare = null;
  return chunk;
}

export class Output {
  #socket: Writable;
  #isTls: boolean;
  /** Text that comes behind what is in the chunk. */
  #text = '';
  #chunk: Buffer | null = null;
  #fill = 0;
  /** TLS: pieces that wait for the one that is being written. */
  #queue: Uint8Array[] | null = null;
  #queued = 0;
  #isWriting = false;
  #ends = false;
  #waiters: (() => void)[] | null = null;

  constructor(socket: Writable, isTls: boolean) {
    this.#socket = socket;
    this.#isTls = isTls;
  }

  /** After STARTTLS, and where compression begins or ends: everything written so far must have been taken. */
  use(socket: Writable, isTls: boolean): void {
    this.#socket = socket;
    this.#isTls = isTls;
  }

  write(text: string): void {
    this.#text += text;
  }

  bytes(bytes: Uint8Array): void {
    if (bytes.length > JOINED_BYTES) this.shared(bytes);
    else if (bytes.length > 0) {
      this.room(bytes.length).set(bytes);
      this.#fill += bytes.length;
    }
  }

  /**
   * Room for so many bytes (at most 64 KiB and 4,096) behind everything said so far. What is written there counts once took() says so,
   * which must come before anything else is said.
   */
  room(bytes: number): Buffer {
    if (this.#fill + this.#text.length + bytes > CHUNK_BYTES) this.flush();
    this.#chunk ??= takeChunk();
    if (this.#text !== '') this.#join();
    return this.#chunk.subarray(this.#fill);
  }

  took(bytes: number): void {
    this.#fill += bytes;
  }

  #join(): void {
    this.#fill += this.#chunk!.write(this.#text, this.#fill, 'latin1');
    this.#text = '';
  }

  get hasText(): boolean {
    return this.#text !== '' || this.#fill > 0;
  }

  /** Bytes not yet taken by the system. */
  get pending(): number {
    return this.#text.length + this.#fill + this.#queued + this.#socket.writableLength;
  }

  get isFull(): boolean {
    return this.#text.length >= FULL_BYTES || this.pending >= FULL_BYTES;
  }

  /** Writes what the chunk holds, and the text behind it when it fits in. */
  #flushChunk(): void {
    const chunk = this.#chunk!;
    if (this.#text !== '' && this.#fill + this.#text.length <= CHUNK_BYTES) this.#join();
    const bytes = chunk.subarray(0, this.#fill);
    this.#chunk = null;
    this.#fill = 0;
    if (bytes.length === 0 || this.#ends) spare = chunk;
    else if (this.#isTls) this.#enqueue(bytes);
    else {
      this.#socket.write(bytes);
      // Nothing waits: the system has taken all of it, and the memory may be written to again.
      if (this.#socket.writableLength === 0) spare = chunk;
    }
  }

  flush(): void {
    if (this.#chunk !== null) this.#flushChunk();
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    if (this.#ends) return;
    if (!this.#isTls) this.#socket.write(text, 'latin1');
    else if (text.length <= WRITE_PIECE_BYTES && !this.#isWriting) {
      this.#isWriting = true;
      this.#socket.write(text, 'latin1', this.#wrote);
    } else this.#enqueue(Buffer.from(text, 'latin1'));
  }

  /** A buffer that many sessions are sent; it is not copied. */
  shared(bytes: Uint8Array): void {
    if (this.#ends) return;
    this.flush();
    if (this.#isTls) this.#enqueue(bytes);
    else this.#socket.write(bytes);
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue ??= [];
    for (let at = 0; at < bytes.length; at += WRITE_PIECE_BYTES) this.#queue.push(bytes.subarray(at, at + WRITE_PIECE_BYTES));
    this.#queued += bytes.length;
    if (!this.#isWriting) this.#next();
  }

  #next(): void {
    const piece = this.#queue?.shift();
    if (piece === undefined) {
      this.#queue = null;
      if (this.#ends && !this.#socket.destroyed) this.#socket.end();
      return;
    }
    this.#queued -= piece.length;
    this.#isWriting = true;
    this.#socket.write(piece, this.#wrote);
  }

  // One closure for each session, made on the first use of TLS would save little: a bound field is simplest.
  readonly #wrote = (): void => {
    this.#isWriting = false;
    if (this.#socket.destroyed) {
      this.#queue = null;
      this.#queued = 0;
    } else this.#next();
    if (!this.#isWriting) this.#wake();
  };

  /** Writes everything and resolves once the client has taken it, or is gone. */
  drain(): Promise<void> {
    this.flush();
    return new Promise((resolve) => {
      if (this.#isTls && this.#isWriting) {
        this.#waiters ??= [];
        this.#waiters.push(resolve);
      } else if (this.#ends || this.#socket.destroyed || this.#socket.writableLength === 0) resolve();
      // The callback of an empty write comes after all writes before it, also when they fail.
      else this.#socket.write('', () => resolve());
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = null;
    if (waiters !== null) for (const wake of waiters) wake();
  }

  /** The connection is gone: nobody waits any longer. */
  closed(): void {
    this.#ends = true;
    this.#text = '';
    if (this.#chunk !== null) spare = this.#chunk;
    this.#chunk = null;
    this.#fill = 0;
    this.#queue = null;
    this.#queued = 0;
    this.#isWriting = false;
    this.#wake();
  }

  /** Says what is left and closes our side. */
  end(): void {
    this.flush();
    this.#ends = true;
    if (!this.#isWriting) this.#socket.end();
  }
}
