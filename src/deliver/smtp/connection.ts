/**
 * An open SMTP or LMTP connection and the transactions on it, one message after the other.
 *
 * With PIPELINING the envelope of a transaction is one write; with DATA the next message's envelope travels in the same write as the
 * end of this one (RFC 2920 section 3.1), with CHUNKING envelope and message are one write (RFC 3030 section 3): in both
 * cases a message costs one round trip. Replies come in order, so a transaction is a small machine that counts them.
 *
 * A connection lost after the final dot leaves the message's fate unknown; it is tried again (at least once, RFC 5321 section 4.1.1.4).
 * Timeouts are a stamp (`deadline`) that the owner compares with the clock once a second: no timer for each connection.
 */
import type { Socket } from 'node:net';
import type { MessageReader } from '../../ports.ts';
import { DotStuffer } from '../../wire/smtp/data.ts';
import { type ReceivedReply, ReplyParser } from '../../wire/smtp/reply.ts';
import { type Job, type JobSource, type Outcome, outcome } from '../agent.ts';
import type { Capabilities } from './capabilities.ts';
import { clean, outcomeOf, words } from './outcome.ts';
import { has8bit, isAsciiEnvelope, planTransaction, type Transaction } from './transaction.ts';

export interface ConnectionOptions {
  readonly isLmtp: boolean;
  readonly pipelineMessages: boolean;
  readonly chunking: boolean;
  readonly messagesMax: number;
  /** Time after which no further message is begun. */
  readonly retireAt: number;
  /** Waits in ms (RFC 5321 section 4.5.3.2). */
  readonly commandMs: number;
  readonly dataMs: number;
  readonly doneMs: number;
  readonly attemptMs: number;
  now(): number;
  /** Rewrites an 8-bit message for a server without 8BITMIME. */
  to7bit(job: Job, reader: MessageReader): AsyncIterable<Uint8Array>;
}

const SMALL_BYTES = 256 * 1024; // held whole; larger messages are streamed
const EAGER_BDAT_BYTES = 64 * 1024; // sent without waiting for the replies to RCPT
const RSET = 'RSET\r\n';
const DATA = 'DATA\r\n';

export class SmtpConnection {
  readonly socket: Socket;
  readonly capabilities: Capabilities;
  /** "name[address]:port" */
  readonly label: string;
  readonly options: ConnectionOptions;
  /** Compared with the clock by the owner; `expire` when it has passed. 0: none. */
  deadline = 0;
  isClosed = false;
  messages = 0;
  idleSince = 0;
  /** Told once when the connection is gone, whatever the reason. */
  onClosed: () => void = () => {};
  #parser = new ReplyParser();
  #source: JobSource | null = null;
  /** At most two: the one being answered, and the one whose envelope was sent with its end. */
  #running: Transaction[] = [];
  #isPreparing = false;
  #isBusyWriting = false;
  #needsRset = false;
  #isQuitting = false;
  /** A transaction was begun while the replies of one chunk are worked off: what is left of them cannot be its answers. */
  #isJustBegun = false;

  readonly #listenData = (chunk: Buffer): void => this.#onData(chunk);
  readonly #listenError = (error: Error): void => this.#lost(`connection lost: ${clean(error.message)}`);
  readonly #listenClose = (): void => this.#lost('connection closed by the other side');

  constructor(socket: Socket, label: string, capabilities: Capabilities, options: ConnectionOptions) {
    this.socket = socket;
    this.label = label;
    this.capabilities = capabilities;
    this.options = options;
    socket.on('data', this.#listenData);
    socket.on('error', this.#listenError);
    socket.on('close', this.#listenClose);
  }

  /** Gives the socket away, for a conversation without a message; nothing may be under way. */
  detach(): Socket {
    this.socket.off('data', this.#listenData);
    this.socket.off('error', this.#listenError);
    this.socket.off('close', this.#listenClose);
    this.isClosed = true;
    this.onClosed();
    return this.socket;
  }

  /** True when another message may be begun on it. */
  get isUsable(): boolean {
    const mailMax = this.capabilities.mailMax;
    return (
      !this.isClosed &&
      !this.#isQuitting &&
      this.messages < this.options.messagesMax &&
      (mailMax === null || this.messages < mailMax) &&
      this.options.now() < this.options.retireAt
    );
  }

  /** Takes work from `source` until it has none, then tells it `idle` (or `closed`). */
  engage(source: JobSource): void {
    this.#source = source;
    this.#advance();
  }

  /** Says goodbye and closes; nothing may be under way. */
  quit(): void {
    if (this.isClosed || this.#isQuitting) return;
    this.#isQuitting = true;
    this.deadline = this.options.now() + 5000;
    this.socket.end('QUIT\r\n');
  }

  /** The time is up: what is under way is put off. */
  expire(): void {
    const now = this.#running[0];
    const where =
      now === undefined ? 'waiting' : now.phase === 'final' ? 'waiting for the answer to the message' : `waiting for the answer to ${now.phase.toUpperCase()}`;
    this.#lost(`timed out while ${where}`);
  }

  abort(reason: string): void {
    this.#lost(reason);
  }

  // ── taking work ────────────────────────────────────────────────────────────────────────────────────

  #advance(): void {
    while (!this.isClosed && this.#running.length === 0 && !this.#isPreparing && this.#source !== null) {
      const source = this.#source;
      const job = this.isUsable ? source.next() : null;
      if (job === null) {
        this.#source = null;
        this.deadline = 0;
        this.idleSince = this.options.now();
        if (this.isUsable) source.idle();
        else {
          this.quit();
          source.closed();
        }
        return;
      }
      const made = this.#make(job);
      if (made === null) continue; // answered without the wire
      if (made instanceof Promise) {
        this.#isPreparing = true;
        this.deadline = this.options.now() + this.options.dataMs;
        made.then((tx) => this.#prepared(tx));
        return;
      }
      this.#begin(made);
    }
  }

  #prepared(tx: Transaction | null): void {
    this.#isPreparing = false;
    if (tx !== null) {
      if (this.isClosed) {
        tx.reader?.close();
        this.#settle(tx, outcome('again', 421, '4.4.2', 'connection lost before the message was begun', this.label));
      } else return this.#begin(tx);
    }
    if (this.isClosed) this.#leave();
    else this.#advance();
  }

  /** Decides everything that needs no reply: null when the job is answered already. */
  #make(job: Job): Transaction | Promise<Transaction | null> | null {
    const { capabilities } = this;
    const answer = (one: Outcome): null => {
      this.#source?.done(job, new Array<Outcome>(job.recipients.length).fill(one));
      return null;
    };
    if (capabilities.sizeMax !== null && capabilities.sizeMax > 0 && job.size > capabilities.sizeMax)
      return answer(outcome('failed', 552, '5.3.4', `message of ${job.size} bytes is larger than ${this.label} takes (${capabilities.sizeMax})`, this.label));
    let reader: MessageReader;
    try {
      reader = job.open();
    } catch (error) {
      return answer(outcome('deferred', 451, '4.3.0', `stored message cannot be read: ${(error as Error).message}`, ''));
    }
    const isConverted = job.has8bit && !capabilities.eightBitMime;
    // An alias may have led a message that came without SMTPUTF8 to an address that needs it.
    const mayNeedUtf8 = job.smtputf8 || !isAsciiEnvelope(job);
    if (job.size > SMALL_BYTES && !mayNeedUtf8) return this.#plan(job, null, reader, isConverted);
    const unreadable = (error: Error): null => {
      reader.close();
      return answer(outcome('deferred', 451, '4.3.0', `stored message cannot be read: ${clean(error.message)}`, ''));
    };
    let bytes: Uint8Array | Promise<Uint8Array>;
    try {
      bytes = reader.slice(0, job.size > SMALL_BYTES ? job.headerBytes : job.size);
    } catch (error) {
      return unreadable(error as Error); // a small message is decompressed here and now
    }
    const withBytes = (data: Uint8Array): Transaction | null => {
      const whole = job.size <= SMALL_BYTES;
      const needsUtf8 = mayNeedUtf8 && (!isAsciiEnvelope(job) || has8bit(data, job.headerBytes));
      if (needsUtf8 && !capabilities.smtputf8) {
        reader.close();
        return answer(outcome('failed', 553, '5.6.7', `${this.label} does not take international addresses or headers (SMTPUTF8)`, this.label));
      }
      if (whole && !isConverted) reader.close();
      return this.#plan(job, whole && !isConverted ? data : null, whole && !isConverted ? null : reader, isConverted, needsUtf8);
    };
    if (bytes instanceof Uint8Array) return withBytes(bytes);
    return bytes.then(withBytes, unreadable);
  }

  /** Null when no recipient is left to ask for. */
  #plan(job: Job, body: Uint8Array | null, reader: MessageReader | null, isConverted: boolean, needsUtf8 = false): Transaction | null {
    const { capabilities, options } = this;
    const useBdat = capabilities.chunking && options.chunking && !options.isLmtp && !isConverted;
    const tx = planTransaction(job, { capabilities, body, reader, isConverted, needsUtf8, useBdat, startedAt: options.now() });
    if (tx.asked.length > 0) return tx;
    reader?.close();
    this.#source?.done(job, tx.outcomes as Outcome[]);
    return null;
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────

  #begin(tx: Transaction): void {
    this.#running.push(tx);
    this.#isJustBegun = true;
    this.messages += 1;
    this.#wait(this.options.commandMs, tx);
    if (!this.capabilities.pipelining) {
      if (this.#needsRset) tx.phase = 'rset';
      this.socket.write(this.#needsRset ? RSET : tx.mail);
      this.#needsRset = false;
      return;
    }
    const envelope = this.#envelope(tx);
    if (tx.useBdat && tx.body !== null && tx.body.length <= EAGER_BDAT_BYTES) {
      tx.isBodySent = true;
      this.socket.write(Buffer.concat([Buffer.from(`${envelope}BDAT ${tx.body.length} LAST\r\n`), tx.body]));
    } else if (tx.useBdat) this.socket.write(envelope);
    else this.socket.write(envelope + DATA);
  }

  /** MAIL and RCPTs as one piece, after RSET where the last transaction ended in the middle. */
  #envelope(tx: Transaction): string {
    let text = tx.mail;
    if (this.#needsRset) {
      tx.phase = 'rset';
      text = RSET + text;
      this.#needsRset = false;
    }
    for (const rcpt of tx.rcpts) text += rcpt;
    return text;
  }

  /** After 354: the message and its end, and the next envelope when one waits. */
  #sendData(tx: Transaction): void {
    tx.isBodySent = true;
    tx.phase = 'final';
    tx.had = 0;
    if (tx.accepted.length === 0) {
      // Nobody took it, yet the server wants a message: an empty one ends the transaction.
      this.#wait(this.options.doneMs, tx);
      this.socket.write('.\r\n');
      return;
    }
    if (tx.body === null) {
      void this.#stream(tx, false);
      return;
    }
    this.#wait(this.options.doneMs, tx);
    const stuffer = new DotStuffer();
    const pieces: Uint8Array[] = stuffer.push(Buffer.from(tx.body.buffer, tx.body.byteOffset, tx.body.byteLength));
    pieces.push(stuffer.end());
    const next = this.#nextEnvelope();
    if (next !== null) pieces.push(Buffer.from(next));
    this.socket.write(Buffer.concat(pieces));
  }

  /** Takes the next job early, when the server can take its envelope with the end of the message before it. */
  #nextEnvelope(): string | null {
    if (!this.options.pipelineMessages || !this.capabilities.pipelining || this.options.isLmtp || this.#source === null || !this.isUsable) return null;
    const job = this.#source.next(true);
    if (job === null) return null;
    const made = this.#make(job);
    if (made === null) return null;
    if (made instanceof Promise) {
      this.#isPreparing = true;
      made.then((tx) => this.#preparedBehind(tx));
      return null;
    }
    this.#running.push(made);
    this.messages += 1;
    const eager = made.useBdat;
    return eager ? this.#envelope(made) : this.#envelope(made) + DATA;
  }

  /** The bytes of an early job came late: it begins when the message before it is answered. */
  #preparedBehind(tx: Transaction | null): void {
    if (tx === null || this.isClosed || this.#running.length === 0) return this.#prepared(tx);
    this.#waiting = tx;
  }
  #waiting: Transaction | null = null;

  /** Large or converted messages: in pieces, at the pace of the other side. */
  async #stream(tx: Transaction, isBdat: boolean): Promise<void> {
    const reader = tx.reader!;
    const stuffer = isBdat ? null : new DotStuffer();
    let sent = 0;
    this.#isBusyWriting = true;
    try {
      if (isBdat) this.socket.write(`BDAT ${tx.job.size} LAST\r\n`);
      const pieces = tx.isConverted ? this.options.to7bit(tx.job, reader) : reader.stream(0, tx.job.size);
      for await (const piece of pieces) {
        if (this.isClosed) return;
        this.#wait(this.options.dataMs, tx);
        let isFlowing = true;
        if (stuffer === null) {
          isFlowing = this.socket.write(piece);
          sent += piece.length;
          // All of it is out: the answer may now come at any time.
          if (sent === tx.job.size) this.#isBusyWriting = false;
        } else for (const part of stuffer.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength))) isFlowing = this.socket.write(part);
        if (!isFlowing) await this.#drained();
      }
      if (this.isClosed) return;
      if (stuffer === null && sent !== tx.job.size) return this.#lost('stored message is shorter than its size says');
      if (stuffer !== null) this.socket.write(stuffer.end());
      if (this.#running[0] === tx) this.#wait(this.options.doneMs, tx);
    } catch (error) {
      // The message is half sent: only closing keeps the half from being taken for the whole.
      this.#lost(`stored message cannot be read: ${clean((error as Error).message)}`);
    } finally {
      this.#isBusyWriting = false;
      reader.close();
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        resolve();
      };
      this.socket.on('drain', done);
      this.socket.on('close', done);
    });
  }

  // ── receiving ──────────────────────────────────────────────────────────────────────────────────────

  #onData(chunk: Buffer): void {
    if (this.isClosed) return;
    const replies = this.#parser.push(chunk);
    this.#isJustBegun = false;
    for (const reply of replies) {
      const tx = this.#running[0];
      if (this.#isJustBegun) return this.#lost(`server sent a reply nobody asked for: ${words(reply)}`);
      if (tx === undefined) {
        // Between messages only a goodbye can come.
        if (!this.#isQuitting) this.#lost(words(reply));
        return;
      }
      this.#reply(tx, reply);
      if (this.isClosed) return;
    }
    if (this.#parser.failure !== null) this.#lost(this.#parser.failure);
  }

  #reply(tx: Transaction, reply: ReceivedReply): void {
    if (reply.code === 421) return this.#goodbye(reply);
    const isFirst = !tx.isAnswered;
    tx.isAnswered = true;
    switch (tx.phase) {
      case 'rset':
        tx.phase = 'mail';
        tx.isAnswered = !isFirst;
        if (!this.capabilities.pipelining) this.socket.write(tx.mail);
        return;
      case 'mail': {
        if (reply.code >= 300) tx.refused = outcomeOf(reply, this.label);
        tx.phase = 'rcpt';
        if (this.capabilities.pipelining) return;
        if (tx.refused !== null) return this.#finish(tx, true);
        this.socket.write(tx.rcpts[0]!);
        return;
      }
      case 'rcpt':
        return this.#rcptReply(tx, reply);
      case 'data':
        if (reply.code === 354) {
          if (this.options.isLmtp && tx.accepted.length === 0) return this.#lost('server wants a message without recipients');
          return this.#sendData(tx);
        }
        if (reply.code < 400) return this.#lost(`unexpected reply to DATA: ${words(reply)}`);
        for (const index of tx.accepted) tx.outcomes[index] = outcomeOf(reply, this.label);
        tx.accepted.length = 0;
        return this.#finish(tx, true);
      case 'final':
        return this.#finalReply(tx, reply);
      default:
    }
  }

  #rcptReply(tx: Transaction, reply: ReceivedReply): void {
    const index = tx.asked[tx.had]!;
    tx.had += 1;
    if (tx.refused !== null) tx.outcomes[index] = tx.refused;
    else if (reply.code < 300) tx.accepted.push(index);
    else if ((reply.code === 452 || reply.code === 552) && tx.accepted.length > 0 && !reply.enhanced.endsWith('.2.2'))
      // RFC 5321 section 4.5.3.1.10: enough recipients for one transaction; the others follow in the next.
      tx.outcomes[index] = outcome('again', reply.code, '4.5.3', words(reply), this.label);
    else tx.outcomes[index] = outcomeOf(reply, this.label);
    if (tx.had < tx.asked.length) {
      if (!this.capabilities.pipelining) this.socket.write(tx.rcpts[tx.had]!);
      return;
    }
    this.#wait(tx.isBodySent ? this.options.doneMs : this.options.dataMs, tx);
    tx.phase = 'data';
    tx.had = 0;
    if (tx.useBdat) {
      tx.phase = 'final';
      if (tx.isBodySent) return;
      if (tx.accepted.length === 0) return this.#finish(tx, true);
      tx.isBodySent = true;
      if (tx.body === null) void this.#stream(tx, true);
      else {
        this.#wait(this.options.doneMs, tx);
        this.socket.write(Buffer.concat([Buffer.from(`BDAT ${tx.body.length} LAST\r\n`), tx.body]));
      }
    } else if (!this.capabilities.pipelining) {
      if (tx.accepted.length === 0) return this.#finish(tx, true);
      this.socket.write(DATA);
    }
  }

  #finalReply(tx: Transaction, reply: ReceivedReply): void {
    if (!this.options.isLmtp) {
      const fate = outcomeOf(reply, this.label);
      for (const index of tx.accepted) tx.outcomes[index] = this.#passed(fate, tx.job.recipients[index]!.notify);
      return this.#finish(tx, reply.code >= 300 && tx.useBdat);
    }
    const index = tx.accepted[tx.had]!;
    tx.had += 1;
    tx.outcomes[index] = this.#passed(outcomeOf(reply, this.label), tx.job.recipients[index]!.notify);
    if (tx.had === tx.accepted.length) this.#finish(tx, false);
  }

  #passed(fate: Outcome, notify: string | null): Outcome {
    return notify !== null && fate.kind === 'delivered' && this.capabilities.dsn ? { ...fate, isDsnPassed: true } : fate;
  }

  #finish(tx: Transaction, needsRset: boolean): void {
    this.#running.shift();
    if (needsRset) this.#needsRset = true;
    if (!this.#isBusyWriting) tx.reader?.close();
    else if (tx.reader !== null) return this.#lost('server answered before the message was sent', tx);
    // MAIL refused without PIPELINING: no recipient was asked for, and each gets that answer.
    this.#settle(tx, outcome('deferred', 451, '4.3.0', 'server gave no answer for this recipient', this.label));
    if (this.isClosed) return;
    const next = this.#running[0];
    if (next !== undefined) {
      next.startedAt = this.options.now();
      this.#wait(this.options.commandMs, next);
    } else if (this.#waiting !== null) {
      const waiting = this.#waiting;
      this.#waiting = null;
      this.#isPreparing = false;
      this.#begin(waiting);
    } else this.#advance();
  }

  // ── ending ─────────────────────────────────────────────────────────────────────────────────────────

  /** 421: the server closes. Whoever had no answer yet goes elsewhere; on a connection's first message that counts as a try. */
  #goodbye(reply: ReceivedReply): void {
    this.#lost(words(reply), undefined, outcome('deferred', 421, reply.enhanced === '' ? '4.3.2' : reply.enhanced, words(reply), this.label));
  }

  #lost(reason: string, finished?: Transaction, fate?: Outcome): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.deadline = 0;
    this.socket.destroy();
    const running = this.#running;
    if (finished !== undefined) running.unshift(finished);
    if (this.#waiting !== null) {
      running.push(this.#waiting);
      this.#waiting = null;
      this.#isPreparing = false;
    }
    this.#running = [];
    for (let i = 0; i < running.length; i++) {
      const tx = running[i]!;
      if (!this.#isBusyWriting || i > 0) tx.reader?.close();
      // The first message of a connection was tried; on a used one a closing server may only have had enough of us.
      const isUntried = !tx.isAnswered && (i > 0 || this.messages > running.length);
      if (isUntried) this.#settle(tx, outcome('again', 421, '4.4.2', reason, this.label));
      else if (tx.phase === 'final' && fate === undefined)
        this.#settle(tx, outcome('deferred', 421, '4.4.2', `${reason} after the message was sent; it may arrive twice`, this.label));
      else this.#settle(tx, fate ?? outcome('deferred', 421, '4.4.2', `${reason} (at ${tx.phase.toUpperCase()})`, this.label));
    }
    if (!this.#isPreparing) this.#leave();
  }

  /** Gives every recipient without an answer this one. */
  #settle(tx: Transaction, fate: Outcome): void {
    for (let i = 0; i < tx.outcomes.length; i++) tx.outcomes[i] ??= tx.refused ?? fate;
    this.#source?.done(tx.job, tx.outcomes as Outcome[]);
  }

  #leave(): void {
    const source = this.#source;
    this.#source = null;
    source?.closed();
    this.onClosed();
  }

  #wait(ms: number, tx: Transaction): void {
    const now = this.options.now();
    this.deadline = Math.min(now + ms, Math.max(tx.startedAt + this.options.attemptMs, now + 1000));
  }
}
