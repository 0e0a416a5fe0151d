/** Questions to one server by TCP: one connection, made when needed, several questions on it at a time, closed when idle (RFC 7766). */
import { connect, type Socket } from 'node:net';
import { DNS_LIMITS } from './dns-limits.ts';
import { matchResponse, type Question } from './dns-message.ts';
import type { RandomPool } from './dns-random.ts';
import type { Endpoint } from './dns-udp.ts';
import type { Wheel, WheelEntry } from './wheel.ts';

export type TcpResult =
  | { readonly kind: 'response'; readonly bytes: Buffer }
  | { readonly kind: 'silent' }
  /** No connection, or it was lost before the answer. */
  | { readonly kind: 'unreachable' };

interface Pending extends WheelEntry {
  readonly question: Question;
  settle(result: TcpResult): void;
}

export class TcpChannel {
  readonly #endpoint: Endpoint;
  readonly #wheel: Wheel;
  readonly #random: RandomPool;
  #stream: Stream | null = null;

  constructor(endpoint: Endpoint, wheel: Wheel, random: RandomPool) {
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    this.#random = random;
  }

  ask(question: Question, waitMs: number): Promise<TcpResult> {
    if (this.#stream === null || this.#stream.isClosed) this.#stream = new Stream(this.#endpoint, this.#wheel, this.#random);
    return this.#stream.ask(question, waitMs);
  }

  close(): void {
    this.#stream?.close();
    this.#stream = null;
  }
}

class Stream {
  isClosed = false;
  readonly #socket: Socket;
  readonly #wheel: Wheel;
  readonly #random: RandomPool;
  readonly #pending = new Map<number, Pending>();
  readonly #idle: WheelEntry;
  #input: Buffer = Buffer.alloc(0);

  constructor(endpoint: Endpoint, wheel: Wheel, random: RandomPool) {
    this.#wheel = wheel;
    this.#random = random;
    this.#idle = { fire: () => this.close() };
    this.#socket = connect({ host: endpoint.address, port: endpoint.port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('error', () => this.close()); // 'close' follows; the questions have their answer already
    this.#socket.on('close', () => this.close());
    this.#socket.unref();
  }

  ask(question: Question, waitMs: number): Promise<TcpResult> {
    if (this.#pending.size >= DNS_LIMITS.tcpQuestions) return Promise.resolve({ kind: 'unreachable' });
    let id = this.#random.next();
    while (this.#pending.has(id)) id = this.#random.next();
    const frame = Buffer.allocUnsafe(2 + question.bytes.length);
    frame.writeUInt16BE(question.bytes.length, 0);
    question.bytes.copy(frame, 2);
    frame.writeUInt16BE(id, 2);
    this.#wheel.remove(this.#idle);
    return new Promise((resolve) => {
      const pending: Pending = {
        question,
        settle: (result) => {
          this.#pending.delete(id);
          this.#wheel.remove(pending);
          resolve(result);
          if (this.#pending.size === 0 && !this.isClosed) this.#wheel.add(this.#idle, DNS_LIMITS.tcpIdleMs);
        },
        fire: () => pending.settle({ kind: 'silent' }),
      };
      this.#pending.set(id, pending);
      this.#wheel.add(pending, waitMs);
      this.#socket.write(frame);
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#wheel.remove(this.#idle);
    for (const pending of [...this.#pending.values()]) pending.settle({ kind: 'unreachable' });
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.isClosed) return;
    let input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    while (input.length >= 2) {
      const end = 2 + input.readUInt16BE(0);
      if (input.length < end) break;
      this.#onMessage(input.subarray(2, end));
      if (this.isClosed) return;
      input = input.subarray(end);
    }
    this.#input = input; // less than one message: at most 64 KiB
  }

  #onMessage(message: Buffer): void {
    const pending = message.length < 12 ? undefined : this.#pending.get(message.readUInt16BE(0));
    if (pending === undefined) return; // late: its question has given up
    // Nobody can forge on an open connection: other letters do. A cut response by TCP is all there is.
    if (matchResponse(message, pending.question) === 'no') return this.close();
    pending.settle({ kind: 'response', bytes: message });
  }
}
