/** A connection that carries one question and one answer at a time, as bytes: for the map protocols. */
import { connect, type Socket } from 'node:net';
import { type ServerAddress, showAddress } from './hosts.ts';
import { type Link, LinkLost, type PoolServer } from './pool.ts';

/** Looks at all bytes of the answer so far: its value and how many bytes it took, or null when more must come. Throws LinkLost for nonsense. */
export type AnswerReader<T> = (bytes: Buffer) => { readonly value: T; readonly used: number } | null;

interface Question {
  take(bytes: Buffer): boolean;
  fail(error: LinkLost): void;
}

export class ByteLink implements Link {
  readonly #socket: Socket;
  readonly #bytesMax: number;
  #received: Buffer = Buffer.alloc(0);
  #question: Question | null = null;

  /** `bytesMax`: more bytes than this without an end make no answer. */
  constructor(socket: Socket, bytesMax: number) {
    this.#socket = socket;
    this.#bytesMax = bytesMax;
    socket.on('data', (bytes: Buffer) => this.#onData(bytes));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the server closed the connection'));
    socket.on('end', () => socket.destroy());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends `request` and waits for its answer. Rejects with LinkLost. */
  ask<T>(request: Uint8Array, read: AnswerReader<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) {
        reject(new LinkLost('the server closed the connection'));
        return;
      }
      this.#question = {
        fail: reject,
        take: (bytes) => {
          const answer = read(bytes);
          if (answer === null) return false;
          // Bytes after the answer would be taken for the next one.
          if (answer.used !== bytes.length) throw new LinkLost('the server said more than was asked');
          resolve(answer.value);
          return true;
        },
      };
      this.#socket.write(request);
    });
  }

  #onData(bytes: Buffer): void {
    const question = this.#question;
    if (question === null) {
      this.#fail('the server spoke unasked');
      return;
    }
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    try {
      if (this.#received.length > this.#bytesMax) throw new LinkLost(`the answer has more than ${this.#bytesMax} bytes`);
      if (question.take(this.#received)) {
        this.#received = Buffer.alloc(0);
        this.#question = null;
      }
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
      this.#fail(error.message);
    }
  }

  #fail(text: string): void {
    this.#socket.destroy();
    this.#question?.fail(new LinkLost(text));
    this.#question = null;
  }
}

/** Connects a plain socket. Rejects with LinkLost; the signal ends the attempt. */
export function connectSocket(address: ServerAddress, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = address.kind === 'unix' ? connect({ path: address.path }) : connect({ host: address.host, port: address.port, noDelay: true });
    const onError = (error: Error): void => {
      signal.removeEventListener('abort', onAbort);
      reject(new LinkLost(error.message === '' ? ((error as NodeJS.ErrnoException).code ?? 'connecting failed') : error.message, { cause: error }));
    };
    const onAbort = (): void => {
      socket.destroy();
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('error', onError);
      resolve(socket);
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

export function byteServer(address: ServerAddress, bytesMax: number): PoolServer<ByteLink> {
  return { name: showAddress(address), connect: async (signal) => new ByteLink(await connectSocket(address, signal), bytesMax) };
}
