/** One POP3 session (RFC 1939): lines in, replies out, in order, however the client's packets are cut. */
import { type Account, type AuthContext, type Connection, FLAG, type Session } from '../../ports.ts';
import { watchLogin } from '../../directory/logins.ts';
import type { IdleSweeper, IdleWatched } from '../../net/idle.ts';
import { WRITE_PIECE_BYTES, writePaced } from '../../net/write.ts';
import { FAILURES, Failure } from '../../system/failure.ts';
import { parseCommand } from '../../wire/pop3/command.ts';
import { COMMAND_LINE_OCTETS_MAX, SASL_LINE_OCTETS_MAX } from '../../wire/pop3/limits.ts';
import { choiceOf, type Pop3Choice } from './choice.ts';
import type { Chosen, Maildrop } from './maildrop.ts';
import { MaildropLock } from './lock.ts';
import { openMaildrop } from './open.ts';
import type { Pop3Context, Pop3Settings } from './settings.ts';

/** RFC 1939: AUTHORIZATION and TRANSACTION; 'closing' is UPDATE and everything after. */
export type Pop3State = 'authorization' | 'transaction' | 'closing';

/** Input waiting behind a slow command; above it the socket is paused. */
const INPUT_BYTES_MAX = 64 * 1024;
/** Replies that go out together; over TLS it is WRITE_PIECE_BYTES. A message of 64 KiB and what is said around it still go in one write. */
const FLUSH_BYTES = 65 * 1024;
/** How long a client may take to close after our last reply. */
const LINGER_MS = 10_000;
const LF = 0x0a;
const CR = 0x0d;
const NOTHING = Buffer.alloc(0);

/** What the sessions of one thread share. */
export interface Pop3Thread {
  readonly context: Pop3Context;
  /** Accounts whose maildrop is open in this thread: the quick half of the exclusive lock. */
  readonly open: Set<number>;
  readonly idle: IdleSweeper;
  readonly commands: ReadonlyMap<string, Command>;
}

/** One row of the command table. */
export interface Command {
  readonly from: readonly Pop3State[];
  /** `rest` is what follows the verb and one space, as latin1. */
  readonly run: (session: Pop3Session, rest: string) => void | Promise<void>;
}

export class Pop3Session implements Session, IdleWatched {
  readonly connection: Connection;
  readonly context: Pop3Context;
  readonly #thread: Pop3Thread;
  state: Pop3State = 'authorization';
  /** USER's argument, while PASS is awaited. */
  user: string | null = null;
  account: Account | null = null;
  maildrop: Maildrop | null = null;
  /** What the account's deletions do. */
  deletes: Pop3Choice['deletes'] = 'expunge';
  errors = 0;
  failedLogins = 0;
  messagesSent = 0;
  bytesSent = 0;
  deadline = 0;
  #idleAt = 0;
  #lock: MaildropLock | null = null;
  /** Ends the watch over the login (directory/logins.ts). */
  #unwatchLogin: (() => void) | null = null;
  #isClosed = false;
  #isDraining = false;
  #isEnded = false;
  /** A command waits for something; further lines wait in the buffer. */
  #isBusy = false;
  /** The socket's buffer is full. */
  #isBlocked = false;
  #isPaused = false;
  #buffer: Buffer = NOTHING;
  /** The rest of a line that was too long. */
  #isSkipping = false;
  #out: (string | Uint8Array)[] = [];
  #outBytes = 0;
  /** Takes the next line instead of the command table (SASL). */
  #lineTaker: ((line: string) => void | Promise<void>) | null = null;

  constructor(thread: Pop3Thread, connection: Connection) {
    this.#thread = thread;
    this.context = thread.context;
    this.connection = connection;
    this.#touch();
    thread.idle.watch(this);
    this.#attach();
    this.ok('POP3 ready');
    this.#flush();
  }

  get settings(): Pop3Settings {
    return this.context.settings();
  }
  /** Visitors (ANONYMOUS) may less than the account's own user. */
  get mayDelete(): boolean {
    const rights = this.account?.visitorRights;
    return rights === undefined || (rights.includes('t') && rights.includes('e'));
  }
  get authContext(): AuthContext {
    return { protocol: this.connection.protocol, client: this.connection.client, session: this.connection.id };
  }

  // ── Replies ────────────────────────────────────────────────────────────────────────────────────────

  ok(text = ''): void {
    this.push(text === '' ? '+OK\r\n' : `+OK ${text}\r\n`);
  }
  /** `text` may begin with a response code (RFC 2449 section 8). */
  err(text: string): void {
    this.push(`-ERR ${text}\r\n`);
  }
  /** A syntax or sequence error: too many end the session. */
  bad(text: string): void {
    this.errors += 1;
    this.err(text);
    if (this.errors >= this.settings['pop3.errorsMax']) this.close();
  }
  /** Adds to the replies that go out together. Strings are ASCII. */
  push(piece: string | Uint8Array): void {
    this.#out.push(piece);
    this.#outBytes += piece.length;
    if (this.#outBytes >= (this.connection.tls === null ? FLUSH_BYTES : WRITE_PIECE_BYTES)) this.#flush();
  }
  /** Sends what is waiting and then `bytes`; resolves when the system has taken them. Rejects when the connection is gone. */
  async send(bytes: Uint8Array): Promise<void> {
    this.#flush();
    for (let at = 0; at < bytes.length; at += INPUT_BYTES_MAX) {
      await writePaced(this.connection.socket, bytes.subarray(at, at + INPUT_BYTES_MAX));
      this.#touch();
    }
  }
  /** The next line goes to `take`. */
  takeLine(take: (line: string) => void | Promise<void>): void {
    this.#lineTaker = take;
  }
  /** No more commands; what is waiting is sent, then the connection ends. */
  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.state = 'closing';
    this.#flush();
    this.connection.socket.end();
    this.#idleAt = this.deadline = this.#thread.idle.now + LINGER_MS;
  }

  // ── Socket ─────────────────────────────────────────────────────────────────────────────────────────

  #attach(): void {
    const socket = this.connection.socket;
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClose);
    socket.on('error', ignore); // 'close' follows
  }

  #onData = (chunk: Buffer): void => {
    if (this.#isClosed || this.state === 'closing') return;
    this.#touch();
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    if (!this.#isBusy && !this.#isBlocked) this.#process();
    if (this.#buffer.length > INPUT_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.connection.socket.pause();
    }
  };

  #onDrain = (): void => {
    this.#isBlocked = false;
    if (!this.#isBusy) this.#process();
  };

  #onClose = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.state = 'closing';
    this.#thread.idle.unwatch(this);
    this.#unwatchLogin?.();
    this.#buffer = NOTHING;
    if (this.account !== null)
      this.context.log.info('pop3.closed', {
        session: this.connection.id,
        account: this.account.login,
        messages: this.messagesSent,
        bytes: this.bytesSent,
      });
    this.saveSeen();
    void this.unlock();
  };

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #flush(): void {
    if (this.#out.length === 0 || this.#isClosed) return;
    const out = this.#out;
    this.#out = [];
    this.#outBytes = 0;
    const socket = this.connection.socket;
    if (socket.destroyed || socket.writableEnded) return;
    if (out.every((piece) => typeof piece === 'string')) {
      if (!socket.write(out.join(''), 'latin1')) this.#isBlocked = true;
      return;
    }
    const bytes = Buffer.concat(out.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)));
    const pieceBytes = this.connection.tls === null ? bytes.length : WRITE_PIECE_BYTES;
    for (let at = 0; at < bytes.length; at += pieceBytes) if (!socket.write(bytes.subarray(at, at + pieceBytes))) this.#isBlocked = true;
  }

  // ── Lines ──────────────────────────────────────────────────────────────────────────────────────────

  #process(): void {
    const buffer = this.#buffer;
    let at = 0;
    while (!this.#isBusy && !this.#isBlocked && this.state !== 'closing') {
      const end = buffer.indexOf(LF, at);
      if (end < 0) {
        if (buffer.length - at > this.#lineMax(buffer, at)) {
          at = buffer.length;
          this.#isSkipping = true;
        }
        break;
      }
      const from = at;
      at = end + 1;
      if (this.#isSkipping || at - from > this.#lineMax(buffer, from)) {
        this.#isSkipping = false;
        this.#lineTaker = null;
        this.bad('Line too long');
        continue;
      }
      // A bare LF ends a line too: people type into telnet, and nothing here can be smuggled past anybody.
      this.#line(buffer.toString('latin1', from, end > from && buffer[end - 1] === CR ? end - 1 : end));
      if (this.#buffer !== buffer) return; // STLS dropped it, or a command went on by itself
    }
    this.#buffer = at >= buffer.length ? NOTHING : buffer.subarray(at);
    this.#settle();
  }

  /** After a batch of lines: replies out, input on, and the end when it is time. */
  #settle(): void {
    this.#flush();
    if (this.#isPaused && this.#buffer.length <= INPUT_BYTES_MAX && !this.#isClosed) {
      this.#isPaused = false;
      this.connection.socket.resume();
    }
    if (this.#isDraining && !this.#isBusy && this.state !== 'closing') {
      this.err('[SYS/TEMP] Server is shutting down, try again later');
      this.close();
    }
  }

  #lineMax(buffer: Buffer, at: number): number {
    if (this.#lineTaker !== null) return SASL_LINE_OCTETS_MAX;
    return (buffer[at]! | 0x20) === 0x61 /* "AUTH" may bring a long initial response */ ? SASL_LINE_OCTETS_MAX : COMMAND_LINE_OCTETS_MAX;
  }

  #line(line: string): void {
    let waiting: void | Promise<void>;
    try {
      waiting = this.#dispatch(line);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (waiting === undefined) return;
    this.#isBusy = true;
    waiting
      .catch((error) => this.fail(error))
      .then(() => {
        this.#isBusy = false;
        if (this.#isClosed) return;
        this.#touch();
        if (this.#isBlocked) this.#settle();
        else this.#process();
      });
  }

  #dispatch(line: string): void | Promise<void> {
    const take = this.#lineTaker;
    if (take !== null) {
      this.#lineTaker = null;
      return take(line);
    }
    const { verb, rest } = parseCommand(line);
    const command = this.#thread.commands.get(verb);
    if (command === undefined) return this.bad('Unknown command');
    if (!command.from.includes(this.state)) return this.bad(this.state === 'authorization' ? 'Log in first' : 'Not after login');
    return command.run(this, rest);
  }

  /** Replies with the row of an expected failure; anything else is a bug, logged, and the client may try again later. */
  fail(error: unknown): void {
    if (this.#isClosed || this.connection.socket.destroyed) return;
    if (error instanceof Failure) {
      this.push(`${FAILURES[error.code].pop3}\r\n`);
      this.context.log.warn('pop3.failure', { session: this.connection.id, failure: error.code, cause: error.message });
      return;
    }
    this.context.log.error('pop3.bug', { session: this.connection.id, cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.err('[SYS/TEMP] Internal error, try again later');
    this.close();
  }

  /** Ends at once, in the middle of a response that cannot be completed. */
  abort(event: string, cause: unknown): void {
    this.context.log.error(event, { session: this.connection.id, account: this.account?.login, cause: String(cause) });
    this.connection.socket.destroy();
  }

  // ── Login, lock, TLS ───────────────────────────────────────────────────────────────────────────────

  /** Opens the maildrop of a user whose password was right, and replies. */
  async enter(account: Account, credentialId?: number): Promise<void> {
    const { open, context, idle } = this.#thread;
    const choice = choiceOf(context.reader, account.id, this.settings);
    if (choice.shows === 'none') return this.err('[SYS/PERM] POP3 is switched off for this account');
    if (account.visitorRights?.includes('r') === false) return this.err('[SYS/PERM] Messages cannot be read with this login');
    this.deletes = choice.deletes;
    const lock = new MaildropLock(context, open, account.id, this.connection.id);
    this.#lock = lock; // from here on a lost connection releases it
    this.account = account;
    try {
      // Who can delete nothing needs no lock: one visitor must not keep out all others, and the owner.
      const { isLocked, waitMs } = this.mayDelete ? await lock.take(idle.now) : { isLocked: true, waitMs: 0 };
      if (!isLocked) {
        this.account = null;
        if (waitMs > 0) return this.err(`[LOGIN-DELAY] Logged in a moment ago, try again in ${Math.ceil(waitMs / 1000)} seconds`);
        context.metrics.count('pop3.inUse');
        return this.err('[IN-USE] Another session has this mailbox open');
      }
      await context.mirror?.refresh(account.id, choice.shows === 'everywhere' ? { kind: 'all' } : { kind: 'mailbox', name: 'INBOX' });
      const maildrop = await openMaildrop(context.reader, account.id, this.settings['pop3.messagesMax'], choice);
      if (this.#isClosed) return;
      if (maildrop === null) {
        this.account = null;
        await lock.release();
        return this.err('[SYS/PERM] No inbox');
      }
      // Looked at again: it may have been switched off while we waited for the lock and the list.
      if (context.directory.account(account.id)?.isDisabled !== false) {
        this.account = null;
        await lock.release();
        return this.err('[AUTH] This account is switched off');
      }
      this.#unwatchLogin = watchLogin(context, account, credentialId, () => this.#loginEnded());
      this.maildrop = maildrop;
      this.state = 'transaction';
      this.user = null;
      this.#touch();
      this.ok(`${maildrop.count} messages (${maildrop.bytes} octets)`);
      for (const gone of maildrop.gone) this.forget(gone);
    } catch (error) {
      this.account = null;
      await lock.release();
      throw error;
    }
  }

  /** The account was switched off, or its password changed: nothing more is shown and nothing is deleted, unless QUIT was said already. */
  #loginEnded(): void {
    if (this.#isClosed || this.state === 'closing') return;
    this.context.log.info('pop3.login.ended', { session: this.connection.id, account: this.account?.login });
    if (!this.#isBusy) {
      this.err('[AUTH] This login has ended');
      this.close();
    } else this.connection.socket.destroy();
  }

  async unlock(): Promise<void> {
    await this.#lock?.release();
  }

  /** What is kept about messages that are gone may go. Nobody waits for it. */
  forget({ mailbox, uids }: Chosen): void {
    const maildrop = this.maildrop;
    if (maildrop === null) return;
    this.context.writer
      .run('pop3.forget', { accountId: maildrop.accountId, mailboxId: mailbox.id, uids })
      .catch((error) => this.context.log.warn('pop3.forget.failed', { session: this.connection.id, cause: String(error) }));
  }

  /** Marks fetched messages as read. Nobody waits for it. */
  saveSeen(): void {
    const maildrop = this.maildrop;
    if (maildrop === null || !this.settings['pop3.markSeen'] || this.account?.visitorRights?.includes('s') === false) return;
    for (const { mailbox, uids } of maildrop.takeRetrieved())
      this.context.writer
        .flags(maildrop.accountId, mailbox.id, uids, 'add', FLAG.seen, [])
        .catch((error) => this.context.log.warn('pop3.seen.unsaved', { session: this.connection.id, cause: String(error) }));
  }

  /** STLS (RFC 2595 section 4). What came in clear text after the command is dropped, and USER forgotten. */
  async startTls(): Promise<void> {
    const clear = this.connection.socket;
    this.ok('Begin TLS negotiation');
    this.#flush();
    clear.removeListener('data', this.#onData);
    clear.removeListener('drain', this.#onDrain);
    this.#buffer = NOTHING;
    this.#isBlocked = false;
    this.#isPaused = false;
    this.user = null;
    try {
      await this.connection.startTls();
    } catch (error) {
      this.context.log.info('pop3.tls.failed', { session: this.connection.id, client: this.connection.client.ip, cause: String(error) });
      clear.destroy();
      return;
    }
    this.#buffer = NOTHING;
    this.#attach();
  }

  // ── Time ───────────────────────────────────────────────────────────────────────────────────────────

  #touch(): void {
    if (this.state === 'closing') return;
    const settings = this.settings;
    this.#idleAt = this.#thread.idle.now + (this.state === 'transaction' ? settings['pop3.idleTimeout'] : settings['pop3.loginTimeout']);
    this.#schedule();
  }
  #schedule(): void {
    this.deadline = Math.min(this.#idleAt, this.#lock?.renewAt ?? Number.POSITIVE_INFINITY);
  }

  onIdle(now: number): void {
    if (now >= this.#idleAt) {
      // RFC 1939 section 3: no reply, no deletions.
      this.connection.socket.destroy();
      return;
    }
    this.#lock?.renew(now, () => this.abort('pop3.lock.lost', 'another session came in: message numbers may no longer be true'));
    this.#schedule();
  }

  drain(): void {
    this.#isDraining = true;
    if (!this.#isBusy && this.state !== 'closing') this.#settle();
  }
}

function ignore(): void {}
