/** Calls between main and a thread: named, answered once, failing when the other side ends. */
import type { MessagePort, Worker } from 'node:worker_threads';

export type Handlers = Readonly<Record<string, (args: any) => unknown | Promise<unknown>>>;

interface Call {
  readonly call: number;
  readonly name: string;
  readonly args: unknown;
}
interface Answer {
  readonly answer: number;
  readonly value?: unknown;
  readonly error?: string;
}

export class Link {
  readonly #port: MessagePort | Worker;
  readonly #handlers: Handlers;
  readonly #waiting = new Map<number, { resolve(value: any): void; reject(error: Error): void }>();
  #number = 0;
  #lost: Error | null = null;

  constructor(port: MessagePort | Worker, handlers: Handlers) {
    this.#port = port;
    this.#handlers = handlers;
    (port as MessagePort).on('message', (message: Call | Answer) => {
      if ('answer' in message) this.#answered(message);
      else if ('call' in message) void this.#serve(message);
    });
  }

  call<T>(name: string, args: unknown = null): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost);
        return;
      }
      this.#number += 1;
      this.#waiting.set(this.#number, { resolve, reject });
      (this.#port as MessagePort).postMessage({ call: this.#number, name, args } satisfies Call);
    });
  }

  /** Without an answer; `transfer` hands ports over. */
  tell(name: string, args: unknown = null, transfer: MessagePort[] = []): void {
    if (this.#lost === null) (this.#port as MessagePort).postMessage({ call: 0, name, args } satisfies Call, transfer);
  }

  /** The other side has ended. */
  fail(error: Error): void {
    this.#lost = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  #answered(message: Answer): void {
    const waiting = this.#waiting.get(message.answer);
    if (waiting === undefined) return;
    this.#waiting.delete(message.answer);
    if (message.error === undefined) waiting.resolve(message.value);
    else waiting.reject(new Error(message.error));
  }

  async #serve(message: Call): Promise<void> {
    const handler = this.#handlers[message.name];
    let answer: Answer;
    try {
      if (handler === undefined) throw new Error(`no handler ${message.name}`);
      answer = { answer: message.call, value: await handler(message.args) };
    } catch (error) {
      if (message.call === 0) throw error; // nobody waits: a bug that must be seen
      answer = { answer: message.call, error: (error as Error).message };
    }
    if (message.call !== 0) (this.#port as MessagePort).postMessage(answer);
  }
}
