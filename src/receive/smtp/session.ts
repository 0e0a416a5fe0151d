/**
 * One SMTP, submission or LMTP session: turns the bytes of a connection into command lines, message bytes and BDAT chunks, and replies
 * into as few writes as possible. What commands mean is in their own files; see `table.ts`.
 */
import type { Socket } from 'node:net';
import { watchLogin } from '../../directory/logins.ts';
import { networksOf } from '../../net/networks.ts';
import type { Account, Client, Connection, EnvelopeView, JudgeSession, LogFields, LoopContext, Reply, Session, SmtpView, TlsInfo } from '../../ports.ts';
import { parseCommand } from '../../wire/smtp/command.ts';
import type { ChunkScanner, DataReader } from '../../wire/smtp/data.ts';
import { LIMITS } from '../../wire/smtp/limits.ts';
import { formatReply } from '../../wire/smtp/reply.ts';
import type { ReceiveSettings } from '../settings.ts';
import type { Incoming } from './incoming.ts';
import type { Mode, Service, State } from './service.ts';
import type { Transaction } from './transaction.ts';

const LF = 10;
const CR = 13;
/** Input kept while a reply is being worked on; then the socket waits. */
const HELD_BYTES_MAX = 64 * 1024;
/** Time for the peer to take the last reply and close. */
const CLOSING_MS = 5_000;

/** Time for a client that was turned away to say QUIT. */
const TURNED_AWAY_MS = 15_000;
/** These say that the connection closes (RFC 5321 section 3.8, RFC 7504). */
const CLOSING_CODES: ReadonlySet<number> = new Set([421, 521]);

/** command: lines for the table. line: lines for one handler (AUTH). data, chunk: message bytes. */
type Phase = 'command' | 'line' | 'data' | 'chunk' | 'closed';

export class SmtpSession implements Session, SmtpView {
  readonly service: Service;
  readonly context: LoopContext<ReceiveSettings>;
  readonly settings: ReceiveSettings;
  readonly mode: Mode;
  readonly connection: Connection;

  state: State = 'start';
  /** As XCLIENT says, or the connection. */
  client: Client;
  helo: string | null = null;
  isEsmtp = false;
  account: Account | null = null;
  /** The SASL mechanism of the login. */
  mechanism: string | null = null;
  judge: JudgeSession | null;
  transaction: Transaction | null = null;
  /** Transactions begun, for `smtp.transactionsMax`. */
  transactions = 0;
  /** XFORWARD attributes, for the log only. */
  forwarded: LogFields | null = null;
  /** The message being received. */
  incoming: Incoming | null = null;
  reader: DataReader | null = null;
  scanner: ChunkScanner | null = null;

  /** On the service's sweeper clock. */
  deadline = Infinity;
  readonly #sessionEnd: number;
  #messageEnd = Infinity;

  #phase: Phase = 'command';
  #isBusy = false;
  #isPaused = false;
  #awaitsDrain = false;
  #isDraining = false;
  #isGreeted = false;
  #isTurnedAway = false;
  #isSkippingLine = false;
  #held: Buffer | null = null;
  #out = '';
  #errors = 0;
  #junk = 0;
  #onLine: ((line: string) => void) | null = null;
  #chunkLeft = 0;
  #onMessageEnd: (() => void) | null = null;
  /** Bytes follow the line that is being worked on. */
  #hasMore = false;
  /** Once is enough: a client that does not wait where it must is none that waits elsewhere. */
  #hasEarlyInput = false;
  #relay: boolean | null = null;
  #unwatchLogin: (() => void) | null = null;
  #isLoginEnded = false;

  constructor(service: Service, connection: Connection) {
    this.service = service;
    this.context = service.context;
    this.mode = service.mode;
    this.connection = connection;
    this.client = connection.client;
    const settings = service.context.settings();
    this.settings = settings;
    service.idle.watch(this);
    const now = service.idle.now;
    this.deadline = now + settings['smtp.commandTimeout'];
    this.#sessionEnd = now + settings['smtp.sessionTimeout'];
    // Bytes that arrived before the greeting (with the PROXY header or the handshake) are looked at before we speak.
    const early = connection.socket.readableLength > 0;
    // LMTP is spoken by our own relay: what it brings was judged there.
    this.judge = this.mode === 'lmtp' ? null : (this.context.judge?.begin(this) ?? null);
    this.#attach(connection.socket);
    if (early) this.#refuseEarlyTalker();
    else this.#admit();
  }

  /** The judge may want the client to wait, or not at all; what the client says meanwhile it should not have said. */
  #admit(): void {
    const admission = this.judge?.greet() ?? null;
    if (admission instanceof Promise)
      admission.then(
        (refusal) => this.#welcome(refusal),
        (error: unknown) => this.#bug(error),
      );
    else this.#welcome(admission);
  }

  #welcome(refusal: Reply | null): void {
    if (this.#phase === 'closed' || this.#isGreeted) return;
    if (refusal === null) {
      this.greet();
      return;
    }
    this.#isGreeted = true;
    this.turnAway(refusal);
  }

  /** In place of the greeting. The connection ends with it, or waits for QUIT and answers anything else with 503 (RFC 5321 section 3.1). */
  turnAway(refusal: Reply): void {
    this.log('info', 'smtp.connection.refused', { code: refusal.code, enhanced: refusal.enhanced, cause: refusal.text });
    this.context.metrics.count('smtp.connections.refused');
    this.#out += formatReply(refusal.code, refusal.enhanced, refusal.text);
    if (refusal.closes === true || CLOSING_CODES.has(refusal.code)) {
      this.close();
      return;
    }
    this.#isTurnedAway = true;
    this.deadline = Math.min(this.deadline, this.service.idle.now + TURNED_AWAY_MS);
    this.flush();
  }

  // ── As the judge sees it ───────────────────────────────────────────────────────────────────────────

  get id(): string {
    return this.connection.id;
  }
  get localAddress(): string {
    return this.connection.localAddress;
  }
  get localPort(): number {
    return this.connection.localPort;
  }
  get isLoopback(): boolean {
    return this.connection.isLoopback;
  }
  get tls(): TlsInfo | null {
    return this.connection.tls;
  }
  get envelope(): EnvelopeView | null {
    return this.transaction;
  }
  get hasEarlyInput(): boolean {
    return this.#hasEarlyInput;
  }

  // ── Replies ────────────────────────────────────────────────────────────────────────────────────────

  /** Queues a reply; everything queued goes out in one write when the input at hand is done. 5xx counts as an error. */
  reply(code: number, enhanced: string, text: string): void {
    this.#out += formatReply(code, enhanced, text);
    if (code >= 500) this.#countError();
  }

  /** The same for a reply made elsewhere. */
  answer(reply: Reply): void {
    this.reply(reply.code, reply.enhanced, reply.text);
    if (CLOSING_CODES.has(reply.code)) this.close();
  }

  /** A reply of several lines, or none that counts as an error: written as it is. */
  write(text: string): void {
    this.#out += text;
  }

  flush(): void {
    if (this.#out === '') return;
    const out = this.#out;
    this.#out = '';
    const socket = this.connection.socket;
    if (socket.destroyed || !socket.writable) return;
    if (!socket.write(out, 'latin1') && !this.#awaitsDrain) {
      // A client that does not read its replies is not read either.
      this.#awaitsDrain = true;
      this.#isPaused = true;
      socket.pause();
      socket.once('drain', () => {
        this.#awaitsDrain = false;
        if (!this.#isBusy) this.#unpause();
      });
    }
  }

  /** Sends what is queued and closes; nothing more is read. */
  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#held = null;
    this.deadline = this.service.idle.now + CLOSING_MS;
    const socket = this.connection.socket;
    const out = this.#out;
    this.#out = '';
    if (socket.destroyed) return;
    if (out !== '' && socket.writable) socket.write(out, 'latin1');
    socket.destroySoon();
  }

  /** 421 and close. */
  hangUp(enhanced: string, text: string): void {
    if (this.#phase === 'closed') return;
    this.#out += formatReply(421, enhanced, `${this.settings.hostname} ${text}`);
    this.close();
  }

  // ── For commands ───────────────────────────────────────────────────────────────────────────────────

  get isClosed(): boolean {
    return this.#phase === 'closed';
  }

  greet(): void {
    if (this.#phase === 'closed' || this.#isGreeted) return;
    this.#isGreeted = true;
    this.#out += this.greeting();
    this.flush();
  }

  greeting(): string {
    const { hostname } = this.settings;
    const text = this.settings['smtp.greeting'];
    return `220 ${hostname} ${this.mode === 'lmtp' ? 'LMTP' : 'ESMTP'}${text === '' ? '' : ` ${text}`}\r\n`;
  }

  /** Forgets the transaction (RSET, EHLO, after a message). */
  reset(): void {
    this.incoming?.abort();
    this.incoming = null;
    this.reader = null;
    this.scanner = null;
    if (this.transaction !== null) this.judge?.reset();
    this.transaction = null;
    if (this.state !== 'start') this.state = 'greeted';
  }

  /** The next line goes to `handler` instead of the table (AUTH). */
  expectLine(handler: (line: string) => void): void {
    this.#phase = 'line';
    this.#onLine = handler;
  }

  /** What follows is a message up to its final dot; then `done`. */
  expectData(reader: DataReader, done: () => void): void {
    this.reader = reader;
    this.#phase = 'data';
    this.#onMessageEnd = done;
    this.#startMessageClock();
  }

  /** What follows is a chunk of `size` bytes; then `done`. With no `incoming` the bytes are dropped. */
  expectChunk(size: number, done: () => void): void {
    this.#chunkLeft = size;
    this.#phase = 'chunk';
    this.#onMessageEnd = done;
    this.#startMessageClock();
    if (size === 0) this.#endMessageBytes();
  }

  /** Stops reading commands until `promise` settles, then goes on with what was received meanwhile. */
  wait<T>(promise: Promise<T>, then: (value: T) => void): void {
    this.#isBusy = true;
    this.flush();
    promise.then(
      (value) => this.#resumeWith(() => then(value)),
      (error: unknown) => this.#resumeWith(() => this.#bug(error)),
    );
  }

  /** `then` with the value: at once when it is there, else as `wait`. */
  settle<T>(value: T | Promise<T>, then: (value: T) => void): void {
    if (value instanceof Promise) this.wait(value, then);
    else then(value);
  }

  /** STARTTLS: everything received in clear is forgotten. The go-ahead must be queued already. */
  upgrade(): void {
    this.#held = null;
    this.#isBusy = true;
    this.flush();
    this.connection.startTls().then(
      () => {
        if (this.#phase === 'closed') return;
        this.#isBusy = false;
        this.#isPaused = false;
        this.#awaitsDrain = false;
        this.#isSkippingLine = false;
        this.#held = null;
        this.state = 'start';
        this.helo = null;
        this.isEsmtp = false;
        this.transaction = null;
        this.logIn(null); // RFC 3207 section 4.2: nothing learnt before counts
        this.deadline = this.service.idle.now + this.settings['smtp.commandTimeout'];
        this.#attach(this.connection.socket);
        if (this.#isDraining) this.drain();
      },
      (error: unknown) => {
        this.context.metrics.count('net.tls.failed', 1, this.connection.protocol);
        this.log('info', 'smtp.starttls.failed', { cause: String(error instanceof Error ? (error.cause ?? error.message) : error) });
        this.#phase = 'closed';
        this.connection.socket.destroy();
      },
    );
  }

  /** The session is this account's from now on, or nobody's. `credentialId` as AuthOutcome says. */
  logIn(account: Account | null, credentialId?: number): void {
    this.#unwatchLogin?.();
    this.#unwatchLogin = null;
    this.account = account;
    this.mechanism = null;
    if (account === null) return;
    this.#unwatchLogin = watchLogin(this.context, account, credentialId, () => {
      this.#isLoginEnded = true;
      if (!this.#isBusy) this.#endLogin();
    });
  }

  /** The account was switched off, or its password changed: what is not handed over yet is not accepted. */
  #endLogin(): void {
    this.context.log.info('smtp.login.ended', { session: this.connection.id, client: this.client.ip, account: this.account?.login });
    this.reset();
    this.hangUp('4.7.0', 'This login has ended, log in again');
  }

  /** May this client send to domains that are not ours? */
  mayRelay(): boolean {
    if (this.account !== null) return true;
    this.#relay ??= networksOf(this.settings['smtp.relayFrom']).has(this.client.ip);
    return this.#relay;
  }

  /** After XCLIENT: another client, a new session. */
  restart(client: Client): void {
    this.client = client;
    this.#relay = null;
    this.state = 'start';
    this.helo = null;
    this.isEsmtp = false;
    this.reset();
    this.judge?.close();
    this.judge = this.mode === 'lmtp' ? null : (this.context.judge?.begin(this) ?? null);
  }

  /** After a message was accepted the budgets begin anew. */
  forgive(): void {
    this.#errors = 0;
    this.#junk = 0;
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', event: string, fields: LogFields): void {
    this.context.log[level](event, { session: this.connection.id, client: this.client.ip, ...fields });
  }

  // ── Session ────────────────────────────────────────────────────────────────────────────────────────

  drain(): void {
    this.#isDraining = true;
    if (!this.#isBusy && (this.#phase === 'command' || this.#phase === 'line')) this.hangUp('4.3.2', 'Server is shutting down, try again later');
  }

  onIdle(): void {
    if (this.#phase === 'closed') {
      this.connection.socket.destroy();
      return;
    }
    if (this.#isBusy) return; // it is we who are slow
    this.context.metrics.count('smtp.timeouts');
    this.hangUp('4.4.2', 'Timeout, closing connection');
  }

  // ── Input ──────────────────────────────────────────────────────────────────────────────────────────

  #attach(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.once('close', () => this.#onClose());
    socket.resume();
    if (socket.destroyed) this.#onClose();
  }

  #onClose(): void {
    this.service.idle.unwatch(this);
    this.#unwatchLogin?.();
    this.judge?.close();
    this.#phase = 'closed';
    this.#held = null;
    // A message already handed to the intake is not ours to abort; `incoming` is null then.
    this.incoming?.abort();
    this.incoming = null;
  }

  #refuseEarlyTalker(): void {
    this.judge?.talkedEarly();
    this.context.metrics.count('smtp.early');
    this.log('info', 'smtp.early', {});
    this.#out += formatReply(554, '5.5.1', `${this.settings.hostname} You must wait for the greeting`);
    this.close();
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'closed') return;
    if (!this.#isGreeted) {
      this.#refuseEarlyTalker();
      return;
    }
    try {
      this.#consume(this.#held === null ? chunk : Buffer.concat([this.#held, chunk]));
    } catch (error) {
      this.#bug(error);
    }
  }

  /** Works through `input`, all that is received and not yet read. */
  #consume(input: Buffer): void {
    this.#held = null;
    let at = 0;
    while (at < input.length && !this.#isBusy && this.#phase !== 'closed') {
      if (this.#phase === 'data') at = this.#takeData(input, at);
      else if (this.#phase === 'chunk') at = this.#takeChunk(input, at);
      else {
        const next = this.#takeLine(input, at);
        if (next === -1) break;
        at = next;
      }
    }
    if (this.#isClosedNow()) return;
    if (at < input.length) this.#hold(at === 0 ? input : input.subarray(at));
    if (!this.#isBusy) this.#stampDeadline();
    this.flush();
  }

  #isClosedNow(): boolean {
    return this.#phase === 'closed';
  }

  #stampDeadline(): void {
    if (this.#isTurnedAway) return;
    const now = this.service.idle.now;
    if (this.#phase === 'data' || this.#phase === 'chunk') this.deadline = Math.min(now + this.settings['smtp.dataTimeout'], this.#messageEnd);
    else this.deadline = now + this.settings['smtp.commandTimeout'];
  }

  #startMessageClock(): void {
    if (this.#messageEnd === Infinity) this.#messageEnd = this.service.idle.now + this.settings['smtp.messageTimeout'];
  }

  #hold(rest: Buffer): void {
    this.#held = rest;
    if (this.#isBusy && rest.length > HELD_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.connection.socket.pause();
    }
  }

  #unpause(): void {
    if (!this.#isPaused || this.#phase === 'closed') return;
    this.#isPaused = false;
    this.connection.socket.resume();
  }

  #resumeWith(action: () => void): void {
    if (this.#phase === 'closed') return;
    this.#isBusy = false;
    try {
      // A message that the intake has (`incoming` is null then) gets its reply first.
      if (this.#isLoginEnded && this.incoming !== null) return this.#endLogin();
      action();
      if (this.#isLoginEnded && !this.#isBusy && !this.#isClosedNow()) this.#endLogin();
      this.#goOn();
    } catch (error) {
      this.#bug(error);
    }
  }

  /** A broken invariant costs this session only. */
  #bug(error: unknown): void {
    this.log('error', 'smtp.session.bug', { cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.reset();
    this.hangUp('4.3.0', 'Internal error, try again later');
  }

  /** Continues with held input after a wait. */
  #goOn(): void {
    if (this.#isClosedNow() || this.#isBusy) return;
    if (this.#isDraining && this.#phase === 'command') {
      this.hangUp('4.3.2', 'Server is shutting down, try again later');
      return;
    }
    if (this.#held !== null) this.#consume(this.#held);
    else {
      this.#stampDeadline();
      this.flush();
    }
    if (!this.#isBusy && !this.#awaitsDrain) this.#unpause();
  }

  /** Answers the offset after the line, or -1 when there is no whole line. */
  #takeLine(input: Buffer, at: number): number {
    const end = input.indexOf(LF, at);
    if (end === -1) {
      if (input.length - at <= LIMITS.commandLineBytesMax) return -1;
      this.#isSkippingLine = true;
      return input.length; // the rest of the line is dropped as it comes
    }
    if (this.#isSkippingLine || end - at > LIMITS.commandLineBytesMax) {
      this.#isSkippingLine = false;
      if (this.#phase === 'line') this.#endLinePhase();
      this.reply(500, '5.5.6', 'Line too long');
      return end + 1;
    }
    if (end === at || input[end - 1] !== CR) {
      if (this.settings['smtp.bareLf'] === 'refuse') {
        this.reply(500, '5.5.2', 'Lines must end in CR LF');
        return end + 1;
      }
      this.#hasMore = end + 1 < input.length;
      this.#line(input.toString('utf8', at, end));
    } else {
      this.#hasMore = end + 1 < input.length;
      this.#line(input.toString('utf8', at, end - 1));
    }
    return end + 1;
  }

  #line(text: string): void {
    if (this.#phase === 'line') {
      const handler = this.#endLinePhase();
      handler?.(text);
      return;
    }
    const { verb, rest } = parseCommand(text);
    if (this.#isTurnedAway && verb !== 'QUIT') {
      this.reply(503, '5.7.0', 'You were refused; all that is left is QUIT');
      return;
    }
    if (this.#hasMore && (!this.isEsmtp || LAST_OF_GROUP.has(verb))) this.#hasEarlyInput = true;
    const command = this.service.commands.get(verb);
    if (command === undefined || (command.modes !== undefined && !command.modes.includes(this.mode))) {
      this.#unknown(verb, text);
      return;
    }
    if (this.service.idle.now > this.#sessionEnd && verb !== 'QUIT') {
      this.hangUp('4.4.2', 'This connection has lasted long enough, connect again');
      return;
    }
    if (command.isJunk === true) {
      this.#junk += 1;
      if (this.#junk > this.settings['smtp.junkMax']) this.#countError();
      if (this.#isClosedNow()) return;
    }
    if (!command.from.includes(this.state))
      this.reply(503, '5.5.1', this.state === 'start' ? `Send ${this.mode === 'lmtp' ? 'LHLO' : 'EHLO'} first` : 'Bad sequence of commands');
    else command.run(this, rest);
  }

  #endLinePhase(): ((line: string) => void) | null {
    const handler = this.#onLine;
    this.#onLine = null;
    this.#phase = 'command';
    return handler;
  }

  #unknown(verb: string, text: string): void {
    // A browser made to post to this port (cross-protocol attack), or TLS where none is spoken: no second chance.
    if (HTTP_VERBS.has(verb) || verb.startsWith('\x16\x03') || verb.startsWith('\x16\ufffd')) {
      this.context.metrics.count('smtp.foreignProtocol');
      this.log('info', 'smtp.foreignProtocol', { verb: verb.slice(0, 16) });
      this.#out += formatReply(554, '5.5.1', 'This is a mail server');
      this.close();
      return;
    }
    this.log('debug', 'smtp.command.unknown', { line: text.slice(0, 80) });
    this.reply(500, '5.5.2', verb === '' ? 'An empty line is no command' : 'Command not recognized');
  }

  #countError(): void {
    this.#errors += 1;
    // Behind LMTP stands our own relay: unknown users in its queue are no reason to hang up on the others.
    if (this.#errors > this.settings['smtp.errorsMax'] && this.mode !== 'lmtp') {
      this.context.metrics.count('smtp.errors.exceeded');
      this.log('info', 'smtp.errors.exceeded', {});
      this.hangUp('4.7.0', 'Too many errors');
    }
  }

  // ── Message bytes ──────────────────────────────────────────────────────────────────────────────────

  #takeData(input: Buffer, at: number): number {
    const pieces: Uint8Array[] = [];
    const end = this.reader!.push(input, at, pieces);
    this.#store(pieces, 0, end !== -1);
    return end === -1 ? input.length : end;
  }

  #takeChunk(input: Buffer, at: number): number {
    const end = Math.min(input.length, at + this.#chunkLeft);
    const piece = at === 0 && end === input.length ? input : input.subarray(at, end);
    this.#chunkLeft -= end - at;
    if (this.incoming === null) {
      if (this.#chunkLeft === 0) this.#endMessageBytes();
    } else {
      this.scanner!.push(piece);
      this.#store([piece], 0, this.#chunkLeft === 0);
    }
    return end;
  }

  /** Writes the pieces from `index` on; waits where staging waits for the disk. */
  #store(pieces: readonly Uint8Array[], index: number, isLast: boolean): void {
    const incoming = this.incoming;
    if (incoming === null) return;
    for (let i = index; i < pieces.length; i += 1) {
      const written = incoming.write(pieces[i]!);
      if (written === undefined) continue;
      this.wait(written, () => this.#store(pieces, i + 1, isLast));
      return;
    }
    // A client that sends far more than it may is not listened to for ever.
    if (incoming.size > 2 * this.settings['smtp.messageBytesMax'] + HELD_BYTES_MAX) {
      this.reset();
      this.hangUp('4.3.0', 'Message is far larger than allowed here');
    } else if (isLast) this.#endMessageBytes();
  }

  #endMessageBytes(): void {
    this.#phase = 'command';
    this.#messageEnd = Infinity;
    const done = this.#onMessageEnd;
    this.#onMessageEnd = null;
    done?.();
  }
}

/** What the client must wait for the answer of; other commands may come together, BDAT with its octets too (RFC 2920 section 3.1, RFC 3030). Without EHLO none may. */
const LAST_OF_GROUP: ReadonlySet<string> = new Set(['EHLO', 'HELO', 'DATA', 'NOOP', 'VRFY', 'EXPN']);
const HTTP_VERBS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'OPTIONS', 'CONNECT', 'DELETE', 'TRACE', 'PATCH', 'HOST:', 'USER-AGENT:']);
