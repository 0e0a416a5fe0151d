/**
 * Questions to one server by UDP. A handful of sockets, each connected (the system drops datagrams from elsewhere) to a port of its own
 * choosing, given up after so many questions or so long; ids are random within a socket (RFC 5452 sections 9.2 and 10).
 */
import { createSocket, type Socket } from 'node:dgram';
import { DNS_LIMITS } from './dns-limits.ts';
import { matchResponse, type Question } from './dns-message.ts';
import type { RandomPool } from './dns-random.ts';
import type { Wheel, WheelEntry } from './wheel.ts';

export type UdpResult =
  | { readonly kind: 'response'; readonly bytes: Buffer }
  /** Ask by TCP: the response was cut (TC), or came in other letters than ours. */
  | { readonly kind: 'useTcp' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'unreachable' };

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

const SILENT: UdpResult = { kind: 'silent' };
const UNREACHABLE: UdpResult = { kind: 'unreachable' };
const USE_TCP: UdpResult = { kind: 'useTcp' };

export class UdpPool {
  readonly #endpoint: Endpoint;
  readonly #wheel: Wheel;
  readonly #random: RandomPool;
  readonly #sockets: (PortSocket | undefined)[] = new Array(DNS_LIMITS.sockets).fill(undefined);
  readonly #retired = new Set<PortSocket>();

  constructor(endpoint: Endpoint, wheel: Wheel, random: RandomPool) {
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    this.#random = random;
  }

  /** Sends a copy of the question with an id of its own; resolves within `waitMs` and a tick of the wheel. */
  ask(question: Question, waitMs: number): Promise<UdpResult> {
    return this.#socket().ask(question, waitMs);
  }

  close(): void {
    for (const socket of this.#sockets) socket?.close();
    for (const socket of this.#retired) socket.close();
    this.#sockets.fill(undefined);
    this.#retired.clear();
  }

  #socket(): PortSocket {
    const index = this.#random.next() % DNS_LIMITS.sockets;
    const known = this.#sockets[index];
    if (known?.isFresh()) return known;
    if (known !== undefined) this.#retire(known);
    const made = new PortSocket(this.#endpoint, this.#wheel, this.#random);
    this.#sockets[index] = made;
    return made;
  }

  #retire(socket: PortSocket): void {
    this.#retired.add(socket);
    socket.retire(() => this.#retired.delete(socket));
  }
}

class Pending implements WheelEntry {
  readonly id: number;
  readonly question: Question;
  readonly #socket: PortSocket;
  readonly #settle: (result: UdpResult) => void;

  constructor(socket: PortSocket, id: number, question: Question, settle: (result: UdpResult) => void) {
    this.#socket = socket;
    this.id = id;
    this.question = question;
    this.#settle = settle;
  }

  settle(result: UdpResult): void {
    this.#settle(result);
  }
  fire(): void {
    this.#socket.settle(this, SILENT);
  }
}

class PortSocket {
  readonly #socket: Socket;
  readonly #wheel: Wheel;
  readonly #random: RandomPool;
  readonly #pending = new Map<number, Pending>();
  readonly #madeAt = performance.now();
  /** Datagrams to be sent once the socket is connected; null from then on. */
  #waiting: Buffer[] | null = [];
  #questions = 0;
  #strays = 0;
  #isClosed = false;
  #onEmpty: (() => void) | null = null;

  constructor(endpoint: Endpoint, wheel: Wheel, random: RandomPool) {
    this.#wheel = wheel;
    this.#random = random;
    this.#socket = createSocket(endpoint.family === 4 ? 'udp4' : 'udp6');
    this.#socket.on('message', (message) => this.#onMessage(message));
    // ECONNREFUSED and the like arrive here, without saying which datagram they answer.
    this.#socket.on('error', () => this.#fail());
    this.#socket.once('connect', () => this.#onConnect());
    this.#socket.connect(endpoint.port, endpoint.address);
    this.#socket.unref(); // the wheel keeps the process alive while an answer is due
  }

  isFresh(): boolean {
    return (
      !this.#isClosed &&
      this.#questions < DNS_LIMITS.socketQuestions &&
      this.#strays < DNS_LIMITS.socketStrays &&
      performance.now() - this.#madeAt < DNS_LIMITS.socketMs
    );
  }

  ask(question: Question, waitMs: number): Promise<UdpResult> {
    this.#questions += 1;
    let id = this.#random.next();
    while (this.#pending.has(id)) id = this.#random.next(); // at most socketQuestions of 65,536 are taken
    const datagram = Buffer.from(question.bytes);
    datagram.writeUInt16BE(id, 0);
    return new Promise((resolve) => {
      const pending = new Pending(this, id, question, resolve);
      this.#pending.set(id, pending);
      this.#wheel.add(pending, waitMs);
      if (this.#waiting === null) this.#send(datagram);
      else this.#waiting.push(datagram);
    });
  }

  /** Answers one question and forgets it. */
  settle(pending: Pending, result: UdpResult): void {
    this.#pending.delete(pending.id);
    this.#wheel.remove(pending);
    pending.settle(result);
    if (this.#onEmpty !== null && this.#pending.size === 0) this.close();
  }

  /** Closes once the questions under way are answered. */
  retire(onClosed: () => void): void {
    this.#onEmpty = onClosed;
    if (this.#pending.size === 0) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiting = null;
    for (const pending of this.#pending.values()) {
      this.#wheel.remove(pending);
      pending.settle(UNREACHABLE);
    }
    this.#pending.clear();
    this.#socket.close();
    this.#onEmpty?.();
    this.#onEmpty = null;
  }

  #onConnect(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null && !this.#isClosed) for (const datagram of waiting) this.#send(datagram);
  }

  #send(datagram: Buffer): void {
    this.#socket.send(datagram, (error) => {
      if (error !== null) this.#fail();
    });
  }

  #fail(): void {
    if (!this.#isClosed) this.close();
  }

  #onMessage(message: Buffer): void {
    if (this.#isClosed) return;
    const pending = message.length < 12 || message.length > DNS_LIMITS.udpBytesMax ? undefined : this.#pending.get(message.readUInt16BE(0));
    const match = pending === undefined ? 'no' : matchResponse(message, pending.question);
    if (pending === undefined || match === 'no') {
      this.#strays += 1; // late, or forged: the question goes on waiting for its own
      return;
    }
    this.settle(pending, match === 'yes' ? { kind: 'response', bytes: message } : USE_TCP);
  }
}
