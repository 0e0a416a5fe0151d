/** One connection to a milter: packets out, answers in, deadlines by the thread's one clock. It knows no SMTP. */
import { connect, type Socket } from 'node:net';
import type { IdleSweeper, IdleWatched } from '../../net/idle.ts';
import { ALL_ACTIONS, ALL_STEPS, PROTOCOL_VERSION, PROTOCOL_VERSION_LEAST } from '../../wire/milter/codes.ts';
import { NO_MACRO_LISTS, type Options, stepsOf, writeOptions } from '../../wire/milter/negotiate.ts';
import { PacketReader } from '../../wire/milter/packet.ts';
import { type MilterResponse, parseResponse } from '../../wire/milter/response.ts';
import { CLIENT_LIMITS } from './limits.ts';
import type { MilterSpec } from './specification.ts';

/** Why a milter gives no answer any more. */
export interface Trouble {
  readonly kind: 'trouble';
  readonly code: 'unreachable' | 'timeout' | 'closed' | 'protocol';
  readonly text: string;
}
export const trouble = (code: Trouble['code'], text: string): Trouble => ({ kind: 'trouble', code, text });

const OFFER = writeOptions({ version: PROTOCOL_VERSION, actions: ALL_ACTIONS, steps: ALL_STEPS, macros: NO_MACRO_LISTS });

export class MilterConnection implements IdleWatched {
  readonly kind = 'connection';
  deadline = Number.POSITIVE_INFINITY;
  /** What the milter answered to our offer; `steps` as its version allows. */
  options: Options = { version: PROTOCOL_VERSION, actions: 0, steps: 0, macros: NO_MACRO_LISTS };
  /** Set once and for all when the connection is of no more use. */
  trouble: Trouble | null = null;
  /** SMTP sessions served before this one. */
  sessions = 0;
  /** Told when the connection fails while nobody waits for an answer. */
  onTrouble: (() => void) | null = null;
  readonly #socket: Socket;
  readonly #idle: IdleSweeper;
  readonly #reader = new PacketReader();
  readonly #answers: MilterResponse[] = [];
  #waiter: ((answer: MilterResponse | Trouble) => void) | null = null;
  #drained: (() => void) | null = null;

  constructor(socket: Socket, idle: IdleSweeper) {
    this.#socket = socket;
    this.#idle = idle;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('drain', () => this.#letGo());
    socket.on('error', (error) => this.fail('closed', error.message));
    socket.on('close', () => this.fail('closed', 'it closed the connection'));
    idle.watch(this);
  }

  onIdle(): void {
    this.fail('timeout', 'it did not answer in time');
  }

  /** Writes; a promise when the milter is slow to take it. What cannot be written any more shows with the next answer. */
  write(bytes: Buffer, timeoutMs: number): void | Promise<void> {
    if (this.trouble !== null || this.#socket.write(bytes)) return;
    this.deadline = this.#idle.now + timeoutMs;
    return new Promise((resolve) => {
      this.#drained = resolve;
    });
  }

  /** The next answer, or the trouble. One caller at a time. */
  answer(timeoutMs: number): Promise<MilterResponse | Trouble> {
    const ready = this.#answers.shift();
    if (this.#socket.isPaused() && this.#answers.length === 0) this.#socket.resume();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.trouble !== null) return Promise.resolve(this.trouble);
    this.deadline = this.#idle.now + timeoutMs;
    return new Promise((resolve) => {
      this.#waiter = resolve;
    });
  }

  /** Answers that nobody asked for. */
  get hasUnread(): boolean {
    return this.#answers.length > 0;
  }

  fail(code: Trouble['code'], text: string): void {
    if (this.trouble !== null) return;
    this.trouble = trouble(code, text);
    this.#idle.unwatch(this);
    this.#socket.destroy();
    this.#letGo();
    const waiter = this.#waiter;
    this.#waiter = null;
    if (waiter !== null) waiter(this.trouble);
    else this.onTrouble?.();
  }

  /** Says goodbye with `last` and closes. */
  end(last: Buffer): void {
    if (this.trouble !== null) return;
    this.trouble = trouble('closed', 'we closed the connection');
    this.#idle.unwatch(this);
    this.#letGo();
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.(this.trouble);
    this.#socket.end(last);
    // A milter that does not close its side must not keep the socket.
    this.#socket.destroySoon();
  }

  #received(chunk: Buffer): void {
    this.#reader.push(chunk);
    for (let packet = this.#reader.next(); packet !== null; packet = this.#reader.next()) {
      const answer = parseResponse(packet);
      if (answer === null) {
        this.fail('protocol', `it sent a packet that makes no sense (code ${packet.code}, ${packet.data.length} bytes)`);
        return;
      }
      const waiter = this.#waiter;
      if (waiter === null) this.#answers.push(answer);
      else {
        this.#waiter = null;
        this.deadline = Number.POSITIVE_INFINITY;
        waiter(answer);
      }
    }
    if (this.#reader.failure !== null) this.fail('protocol', `it sent ${this.#reader.failure}`);
    else if (this.#answers.length > CLIENT_LIMITS.answersMax) this.#socket.pause();
  }

  #letGo(): void {
    const drained = this.#drained;
    this.#drained = null;
    if (this.#waiter === null) this.deadline = Number.POSITIVE_INFINITY;
    drained?.();
  }
}

/** Connects and negotiates; `timeoutMs` for each of the two. */
export async function openConnection(place: MilterSpec['place'], timeoutMs: number, idle: IdleSweeper): Promise<MilterConnection | Trouble> {
  const socket = connect('path' in place ? { path: place.path } : { host: place.host, port: place.port, family: place.family });
  const connection = new MilterConnection(socket, idle);
  connection.deadline = idle.now + timeoutMs;
  const failed = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(false));
    connection.onTrouble = () => resolve(true);
  });
  connection.onTrouble = null;
  if (failed) return { ...connection.trouble!, code: connection.trouble!.code === 'timeout' ? 'timeout' : 'unreachable' };
  connection.write(OFFER, timeoutMs);
  const answer = await connection.answer(timeoutMs);
  if (answer.kind === 'trouble') return answer;
  const wrong = answer.kind !== 'negotiate' ? `it answered the negotiation with "${answer.kind}"` : wrongOptions(answer.options);
  if (answer.kind !== 'negotiate' || wrong !== null) {
    connection.fail('protocol', wrong ?? '');
    return connection.trouble!;
  }
  connection.options = { ...answer.options, steps: stepsOf(answer.options) & ALL_STEPS };
  return connection;
}

function wrongOptions(options: Options): string | null {
  if (options.version < PROTOCOL_VERSION_LEAST || options.version > PROTOCOL_VERSION) return `it speaks version ${options.version} of the protocol`;
  const unknown = options.actions & ~ALL_ACTIONS;
  return unknown === 0 ? null : `it wants actions that do not exist (0x${(unknown >>> 0).toString(16)})`;
}
