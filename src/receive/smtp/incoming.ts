/** The bytes of one message on their way into staging: size limit, header filter, and what went wrong first. */
import type { Log, MessageWriter, Reply, StagedMessage, Staging } from '../../ports.ts';
import { FAILURES, Failure } from '../../system/failure.ts';

/** Rewrites a header as it passes. `push` and `end` give the bytes to be written now. */
export interface HeaderFilter {
  push(piece: Uint8Array): Uint8Array | null;
  end(): Uint8Array | null;
  /** Set when the message is not to be accepted. */
  readonly refusal: Reply | null;
}

export class Incoming {
  /** Bytes the client sent. */
  size = 0;
  /** Why the message will be refused; the first reason stays. Bytes are counted and dropped from then on. */
  refusal: Reply | null = null;
  #writer: MessageWriter | null = null;
  readonly #bytesMax: number;
  readonly #filter: HeaderFilter | null;
  readonly #log: Log;

  constructor(staging: Staging, bytesMax: number, filter: HeaderFilter | null, log: Log) {
    this.#bytesMax = bytesMax;
    this.#filter = filter;
    this.#log = log;
    try {
      this.#writer = staging.open();
    } catch (error) {
      this.refuse(this.#reply(error));
    }
  }

  /** Our own trace header. Call first. */
  prepend(header: Uint8Array): void | Promise<void> {
    return this.#put(header);
  }

  /** Copies `piece`. A promise means: wait before the next call (it never rejects). */
  write(piece: Uint8Array): void | Promise<void> {
    this.size += piece.length;
    if (this.refusal !== null) return undefined;
    if (this.size > this.#bytesMax) {
      const [code, enhanced, text] = FAILURES.messageTooBig.smtp;
      this.refuse({ code, enhanced, text: `${text} (${this.#bytesMax} bytes at most)` });
      return undefined;
    }
    if (this.#filter === null) return this.#put(piece);
    const filtered = this.#filter.push(piece);
    if (this.#filter.refusal !== null) this.refuse(this.#filter.refusal);
    return filtered === null ? undefined : this.#put(filtered);
  }

  /** The finished message, or null when it is refused (see `refusal`). The promise never rejects. */
  finish(): StagedMessage | null | Promise<StagedMessage | null> {
    const rest = this.#filter?.end() ?? null;
    if (this.#filter !== null && this.#filter.refusal !== null) this.refuse(this.#filter.refusal);
    const written = rest === null ? undefined : this.#put(rest);
    return written === undefined ? this.#finishWriter() : written.then(() => this.#finishWriter());
  }

  refuse(reply: Reply): void {
    this.refusal ??= reply;
    this.abort();
  }

  /**
   * The intake has answered. What it keeps is the store's from now on; what it refused for certain is removed at once, so that no sender can
   * fill the disk with refused messages. After 451 nobody knows (the writer may be lost after its commit): the sweep looks later.
   */
  settle(answer: { readonly reply: Reply; readonly perRecipient: readonly Reply[] }): void {
    const isRefused = answer.reply.code >= 400 && answer.perRecipient.every((reply) => reply.code >= 400);
    const isCertain = answer.reply.code !== 451 && answer.perRecipient.every((reply) => reply.code !== 451);
    if (isRefused && isCertain) this.abort();
    else this.#writer = null;
  }

  /** The message is handed over to a call whose answer will not be known: nothing of it may be removed here. */
  release(): void {
    this.#writer = null;
  }

  /** Idempotent; also after `finish` when the message is not to be kept. */
  abort(): void {
    const writer = this.#writer;
    this.#writer = null;
    writer?.abort();
  }

  #put(bytes: Uint8Array): void | Promise<void> {
    if (this.#writer === null) return undefined;
    try {
      const written = this.#writer.write(bytes);
      return written === undefined ? undefined : written.catch((error: unknown) => this.refuse(this.#reply(error)));
    } catch (error) {
      this.refuse(this.#reply(error));
      return undefined;
    }
  }

  #finishWriter(): StagedMessage | null | Promise<StagedMessage | null> {
    if (this.#writer === null) return null;
    try {
      const staged = this.#writer.finish();
      if (!(staged instanceof Promise)) return staged;
      return staged.catch((error: unknown) => {
        this.refuse(this.#reply(error));
        return null;
      });
    } catch (error) {
      this.refuse(this.#reply(error));
      return null;
    }
  }

  #reply(error: unknown): Reply {
    // Anything but a Failure is a bug: the client tries again, the log says what happened.
    if (!(error instanceof Failure)) this.#log.error('smtp.staging.failed', { cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    const [code, enhanced, text] = FAILURES[error instanceof Failure ? error.code : 'storeBusy'].smtp;
    return { code, enhanced, text };
  }
}
