/** The bytes of one message on their way into staging: size limit, header filter, and what went wrong first. */
import type { ContentFilter, Log, MessageView, Passed, MessageWriter, Reply, StagedMessage, Staging } from '../../ports.ts';
import { FAILURES, Failure } from '../../system/failure.ts';

export class Incoming {
  /** Bytes the client sent. */
  size = 0;
  /** Why the message will be refused; the first reason stays. Bytes are counted and dropped from then on. */
  refusal: Reply | null = null;
  #writer: MessageWriter | null = null;
  readonly #bytesMax: number;
  /** In this order: each sees what the one before it lets through. */
  readonly #filters: readonly ContentFilter[];
  readonly #staging: Staging;
  readonly #log: Log;
  #traceBytes = 0;
  #isComplete = false;
  /** Nobody wants the message any more: what is being opened or written now goes too. */
  #isAborted = false;

  constructor(staging: Staging, bytesMax: number, filters: readonly ContentFilter[], log: Log) {
    this.#bytesMax = bytesMax;
    this.#staging = staging;
    this.#filters = filters;
    this.#log = log;
    try {
      this.#writer = staging.open();
    } catch (error) {
      this.refuse(this.#reply(error));
    }
  }

  /** Our own trace header. Call first. */
  prepend(header: Uint8Array): void | Promise<void> {
    this.#traceBytes = header.length;
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
    if (this.#filters.length === 0) return this.#put(piece);
    return this.#putPassed(this.#pass(piece, 0));
  }

  #putPassed(passed: Passed): void | Promise<void> {
    if (passed instanceof Promise) return passed.then((bytes) => (bytes === null ? undefined : this.#put(bytes)));
    return passed === null ? undefined : this.#put(passed);
  }

  /** `piece` through the filters from `index` on. */
  #pass(piece: Uint8Array, index: number): Passed {
    let passing: Uint8Array | null = piece;
    for (let i = index; i < this.#filters.length && passing !== null; i += 1) {
      const filter = this.#filters[i]!;
      const passed: Passed = filter.push(passing);
      if (passed instanceof Promise) return passed.then((bytes) => this.#passOn(filter, bytes, i + 1));
      if (filter.refusal !== null) this.refuse(filter.refusal);
      passing = passed;
    }
    return this.refusal === null ? passing : null;
  }

  #passOn(filter: ContentFilter, bytes: Uint8Array | null, next: number): Passed {
    if (filter.refusal !== null) this.refuse(filter.refusal);
    return bytes === null || this.refusal !== null ? null : this.#pass(bytes, next);
  }

  /** All bytes are here: what the filters held back is written. Once; `finish` does it otherwise. */
  complete(): void | Promise<void> {
    if (this.#isComplete) return undefined;
    this.#isComplete = true;
    return this.#flush(0);
  }

  #flush(index: number): void | Promise<void> {
    for (let i = index; i < this.#filters.length && this.refusal === null; i += 1) {
      const filter = this.#filters[i]!;
      const last = filter.end();
      const passed = last instanceof Promise ? last.then((bytes) => this.#passOn(filter, bytes, i + 1)) : this.#passOn(filter, last, i + 1);
      const written = this.#putPassed(passed);
      if (written !== undefined) return written.then(() => this.#flush(i + 1));
    }
    return undefined;
  }

  /** The message without our trace header; null when it is refused. After `complete`. */
  view(): MessageView | null {
    return this.#writer === null ? null : this.#writer.view(this.#traceBytes);
  }

  /** Puts `before`, our trace header and `message` (null: as it was staged) in place of what was staged. A promise must be waited for; it never rejects. */
  rewrite(before: Uint8Array | null, message: MessageView | null): void | Promise<void> {
    if (this.#writer === null || (message === null && (before === null || this.#writer.insert(before)))) return undefined;
    return this.#replace(before, message ?? this.#writer.view(this.#traceBytes));
  }

  async #replace(before: Uint8Array | null, message: MessageView): Promise<void> {
    const old = this.#writer;
    if (old === null) return;
    this.#writer = null;
    let writer: MessageWriter | null = null;
    try {
      writer = this.#staging.open();
      const whole = old.view(0);
      const head = (whole.bytes ?? whole.header).subarray(0, this.#traceBytes);
      // Small messages are put together without waiting.
      for (const piece of before === null ? [head] : [before, head]) {
        const written = writer.write(piece);
        if (written !== undefined) await written;
      }
      if (message.bytes !== null) {
        const written = writer.write(message.bytes);
        if (written !== undefined) await written;
      } else
        for await (const piece of message.stream()) {
          if (this.#isAborted) break;
          await writer.write(piece);
        }
      // The client may have gone while we waited for the disk.
      if (this.#isAborted) writer.abort();
      else this.#writer = writer;
    } catch (error) {
      writer?.abort();
      if (!this.#isAborted) this.refuse(this.#reply(error));
    } finally {
      old.abort();
    }
  }

  /** The finished message, or null when it is refused (see `refusal`). The promise never rejects. */
  finish(): StagedMessage | null | Promise<StagedMessage | null> {
    const written = this.complete();
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
    this.#isAborted = true;
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
