/** The conversation before the first message: one command, one reply, with a deadline. A few promises for each connection. */
import type { Socket } from 'node:net';
import { type ReceivedReply, ReplyParser } from '../../wire/smtp/reply.ts';
import { clean } from './outcome.ts';

export class Dialog {
  readonly socket: Socket;
  readonly #parser = new ReplyParser();
  readonly #replies: ReceivedReply[] = [];
  #error: Error | null = null;
  #wake: (() => void) | null = null;
  readonly #onData = (chunk: Buffer): void => {
    this.#replies.push(...this.#parser.push(chunk));
    if (this.#parser.failure !== null) this.#fail(new Error(this.#parser.failure));
    this.#wake?.();
  };
  readonly #onError = (error: Error): void => this.#fail(error);
  readonly #onClose = (): void => this.#fail(new Error('connection closed by the other side'));

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Sends a command (without CRLF; null only listens) and answers its reply. Rejects when the connection ends or `signal` does. */
  async ask(command: string | null, signal: AbortSignal): Promise<ReceivedReply> {
    if (command !== null) {
      // A server that talks out of turn is out of step; its late words must not be taken for an answer.
      if (this.#replies.length > 0) throw new Error('the server sent a reply nobody asked for');
      if (this.#error === null) this.socket.write(`${command}\r\n`);
    }
    while (this.#replies.length === 0) {
      if (this.#error !== null) throw this.#error;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener('abort', wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake);
      });
    }
    return this.#replies.shift()!;
  }

  /** Nothing was said beyond the replies taken: true before a TLS handshake, or clear text was smuggled in (CVE-2021-38371 and its kin). */
  get isQuiet(): boolean {
    return this.#replies.length === 0 && !this.#parser.isInside;
  }

  /** Takes the listeners off; the socket belongs to the caller. */
  detach(): void {
    this.socket.off('data', this.#onData);
    this.socket.off('error', this.#onError);
    this.socket.off('close', this.#onClose);
  }

  #fail(error: Error): void {
    this.#error ??= new Error(clean(error.message), { cause: error });
    this.#wake?.();
  }
}
