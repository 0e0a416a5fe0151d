/**
 * One ManageSieve session (RFC 5804): whole commands are run one after another, and what they say is written once for a batch. State
 * changes here and in the command files that say so.
 */
import type { ScriptEngine } from '../../deliver/scripts/engine.types.ts';
import { accountScope, type Scope } from '../../deliver/scripts/scope.ts';
import { watchLogin } from '../../directory/logins.ts';
import type { IdleSweeper, IdleWatched } from '../../net/idle.ts';
import type { Account, AuthContext, Connection, Session } from '../../ports.ts';
import { FAILURES, Failure } from '../../system/failure.ts';
import { formatResponse, type ResponseCode } from '../../wire/managesieve/format.ts';
import type { Word } from '../../wire/managesieve/line.ts';
import { LINE_OCTETS_MAX } from '../../wire/managesieve/limits.ts';
import { CommandReader, type ReaderEvent } from '../../wire/managesieve/reader.ts';
import { Output } from '../imap/output.ts';
import { SliceClock } from '../imap/pace.ts';
import { type Argument, type ArgumentKind, readArguments } from './arguments.ts';
import { capabilityLines } from './capabilities.ts';
import type { CompilePace } from './pace.ts';
import type { ManageSieveContext, ManageSieveSettings } from './settings.ts';

export type State = 'new' | 'authenticated';

/** One row of the command table. `run` replies itself. */
export interface Command {
  readonly from: readonly State[];
  readonly takes: readonly ArgumentKind[];
  readonly run: (session: ManageSieveSession, args: readonly Argument[]) => void | Promise<void>;
}

/** What the sessions of one thread share. */
export interface ManageSieveThread {
  readonly context: ManageSieveContext;
  readonly engine: ScriptEngine;
  readonly pace: CompilePace;
  readonly idle: IdleSweeper;
  readonly commands: ReadonlyMap<string, Command>;
}

/** Takes the client's next answer instead of the command table (SASL). */
export type AnswerTaker = (word: Word | null) => void | Promise<void>;

/** Commands run in one go before other sessions get their turn. */
const BURST = 50;
/** Unread input above which the client must wait. */
const BUFFERED_MAX = 256 * 1024;
/** A client that never logs in may talk this many times as long as it may be silent. */
const LOGIN_SPANS = 3;
/** How long a client may take to close after our last reply. */
const LINGER_MS = 10_000;

/** As a command, the first word of a web request. */
const HTTP_METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'HEAD', 'PUT', 'CONNECT', 'OPTIONS']);

export class ManageSieveSession implements Session, IdleWatched {
  readonly connection: Connection;
  readonly context: ManageSieveContext;
  readonly out: Output;
  state: State = 'new';
  account: Account | null = null;
  deadline = 0;
  failedLogins = 0;
  readonly #thread: ManageSieveThread;
  readonly #limits = { literalOctetsMax: LINE_OCTETS_MAX };
  readonly #reader = new CommandReader(this.#limits);
  readonly #startedAt: number;
  #unwatchLogin: (() => void) | null = null;
  #taker: AnswerTaker | null = null;
  #errors = 0;
  #isBusy = false;
  #isPaused = false;
  #isEnding = false;
  #isGone = false;
  #isDraining = false;

  constructor(thread: ManageSieveThread, connection: Connection) {
    this.#thread = thread;
    this.context = thread.context;
    this.connection = connection;
    this.#startedAt = thread.idle.now;
    this.out = new Output(connection.socket, connection.tls !== null);
    this.#touch();
    thread.idle.watch(this);
    this.#attach();
    this.greet();
    this.out.flush();
  }

  get settings(): ManageSieveSettings {
    return this.context.settings();
  }
  get engine(): ScriptEngine {
    return this.#thread.engine;
  }
  get pace(): CompilePace {
    return this.#thread.pace;
  }
  get authContext(): AuthContext {
    return { protocol: this.connection.protocol, client: this.connection.client, session: this.connection.id };
  }
  /** Of the account that is logged in. */
  get scope(): Scope {
    return accountScope(this.account!.id);
  }
  /** Nothing that is said will be heard any more. */
  get isClosed(): boolean {
    return this.#isGone || this.#isEnding;
  }

  // ── Replies ────────────────────────────────────────────────────────────────────────────────────────

  ok(text: string | null = null, code: ResponseCode | null = null): void {
    this.#errors = 0;
    this.say(formatResponse('OK', text, code));
  }
  no(text: string, code: ResponseCode | null = null): void {
    this.say(formatResponse('NO', text, code));
  }
  /** A syntax or sequence error: too many in a row end the session. */
  bad(text: string): void {
    this.#errors += 1;
    if (this.#errors >= this.settings['managesieve.errorsMax']) this.bye('Too many errors');
    else this.no(text);
  }
  /** The capabilities and OK: on connection, after STARTTLS, and when asked. */
  greet(): void {
    this.say(capabilityLines(this));
    this.ok('Posthorn is ready');
  }
  /** UTF-8 text, with its line ends. */
  say(text: string): void {
    if (!this.isClosed) this.out.write(Buffer.from(text, 'utf8').toString('latin1'));
  }
  bye(text: string, code: ResponseCode | null = null): void {
    this.say(formatResponse('BYE', text, code));
    this.end();
  }
  /** Sends what is left and closes; nothing more is read. */
  end(): void {
    if (this.isClosed) return;
    this.#isEnding = true;
    this.out.end();
    this.connection.socket.resume();
    this.deadline = this.#thread.idle.now + LINGER_MS;
  }

  // ── Input ──────────────────────────────────────────────────────────────────────────────────────────

  #attach(): void {
    const socket = this.connection.socket;
    socket.on('data', this.#onData);
    socket.on('close', this.#onClose);
    socket.on('error', ignore); // 'close' follows
    socket.resume();
  }

  #onData = (chunk: Buffer): void => {
    if (this.isClosed) return;
    this.#touch();
    this.#reader.push(chunk);
    if (!this.#isBusy) this.#pump();
    else if (this.#reader.buffered > BUFFERED_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.connection.socket.pause();
    }
  };

  #onClose = (): void => {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#thread.idle.unwatch(this);
    this.out.closed();
    this.#unwatchLogin?.();
    this.#unwatchLogin = null;
    this.#reader.reset();
  };

  /** Works off what has arrived, until something must be waited for. */
  #pump(): void {
    let burst = 0;
    const slice = new SliceClock();
    while (!this.#isBusy && !this.isClosed) {
      if (this.#isDraining) {
        this.#shutDown();
        return;
      }
      const event = this.#reader.next();
      if (event === null) break;
      this.#event(event);
      burst += 1;
      if (burst >= BURST || slice.isOver() || this.out.isFull) this.#rest();
    }
    if (this.isClosed) return;
    this.out.flush();
    if (this.#isPaused && !this.#isBusy && this.#reader.buffered <= BUFFERED_MAX) {
      this.#isPaused = false;
      this.connection.socket.resume();
    }
  }

  /** A client that sends a great many commands, or does not read its answers, waits a turn. */
  #rest(): void {
    this.#isBusy = true;
    const rested = this.out.isFull ? this.out.drain() : Promise.resolve();
    void rested.then(() =>
      setImmediate(() => {
        this.#isBusy = false;
        this.#pump();
      }),
    );
  }

  #event(event: ReaderEvent): void {
    switch (event.kind) {
      case 'words':
        this.#words(event.words);
        return;
      case 'wrong':
        this.#taker = null;
        this.bad(event.text);
        return;
      case 'literalTooBig': {
        this.#taker = null;
        const verb = verbOf(event.words);
        if (verb === 'PUTSCRIPT' && this.state === 'authenticated') this.no('The script is too large', 'QUOTA/MAXSIZE');
        else this.bad(verb === 'CHECKSCRIPT' ? 'The script is too large' : 'A literal is too large');
        return;
      }
      default:
        this.bye('Too much input');
    }
  }

  #words(words: readonly Word[]): void {
    const taker = this.#taker;
    if (taker !== null) {
      this.#taker = null;
      this.#run(() => taker(words.length === 1 ? words[0]! : null));
      return;
    }
    const verb = verbOf(words);
    const command = this.#thread.commands.get(verb);
    if (command === undefined) {
      // A web browser, or a proxy that believes it speaks to a web server: nothing good can come of it.
      if (HTTP_METHODS.has(verb)) this.bye('This is a ManageSieve server');
      else this.bad(words.length === 0 ? 'A command is expected' : 'Unknown command');
      return;
    }
    if (!command.from.includes(this.state)) {
      this.bad(this.state === 'new' ? 'Log in first' : verb === 'AUTHENTICATE' ? 'Logged in already' : 'Not after login');
      return;
    }
    const args = readArguments(words.slice(1), command.takes);
    if ('refused' in args) this.bad(args.refused);
    else this.#run(() => command.run(this, args));
  }

  /** Runs one step; while it waits, further commands wait in the reader. */
  #run(step: () => void | Promise<void>): void {
    try {
      const waiting = step();
      if (waiting === undefined) return;
      this.#isBusy = true;
      waiting
        .catch((error: unknown) => this.#fail(error))
        .then(() => {
          this.#isBusy = false;
          if (this.isClosed) return;
          this.#touch();
          this.#pump();
        });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The next word goes to `take` (null: it was not a single one). */
  takeAnswer(take: AnswerTaker): void {
    this.#taker = take;
  }

  /** Replies with the row of an expected failure; anything else is a bug, logged, and the client may try again later. */
  #fail(error: unknown): void {
    if (this.isClosed) return;
    if (error instanceof Failure) {
      const { text, code, isOurs } = FAILED.get(error.code) ?? { text: FAILURES[error.code].smtp[2], code: 'TRYLATER', isOurs: true };
      if (isOurs) this.context.log.warn('managesieve.failure', { session: this.connection.id, failure: error.code, cause: error.message });
      this.no(text, code);
      return;
    }
    this.context.log.error('managesieve.bug', { session: this.connection.id, cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    this.bye('Internal error, try again later', 'TRYLATER');
  }

  // ── Login, TLS ─────────────────────────────────────────────────────────────────────────────────────

  /** After a successful login. */
  enter(account: Account, credentialId: number | undefined): void {
    this.account = account;
    this.state = 'authenticated';
    this.failedLogins = 0;
    this.#limits.literalOctetsMax = this.settings['sieve.scriptBytesMax'] + LINE_OCTETS_MAX;
    this.#unwatchLogin = watchLogin(this.context, account, credentialId, () => this.#loginEnded());
    this.#touch();
  }

  /** UNAUTHENTICATE: as before the login, TLS stays. */
  leave(): void {
    this.#unwatchLogin?.();
    this.#unwatchLogin = null;
    this.account = null;
    this.state = 'new';
    this.#limits.literalOctetsMax = LINE_OCTETS_MAX;
  }

  /** The account was switched off, or its password changed. */
  #loginEnded(): void {
    if (this.isClosed) return;
    this.context.log.info('managesieve.login.ended', { session: this.connection.id, account: this.account?.login });
    this.bye('This login has ended');
  }

  /** STARTTLS (RFC 5804 section 2.2). What came in clear text after the command is dropped. */
  async startTls(): Promise<void> {
    const clear = this.connection.socket;
    this.ok('Begin TLS negotiation');
    this.out.flush();
    clear.removeListener('data', this.#onData);
    clear.removeListener('close', this.#onClose);
    this.#reader.reset();
    try {
      await this.connection.startTls();
    } catch (error) {
      this.context.log.info('managesieve.tls.failed', { session: this.connection.id, client: this.connection.client.ip, cause: String(error) });
      clear.destroy();
      this.#gone();
      return;
    }
    this.#reader.reset();
    this.out.use(this.connection.socket, true);
    this.#attach();
    this.greet();
  }

  #gone(): void {
    this.#isGone = true;
    this.#thread.idle.unwatch(this);
    this.out.closed();
  }

  // ── Time ───────────────────────────────────────────────────────────────────────────────────────────

  #touch(): void {
    if (this.#isEnding) return;
    const { settings } = this;
    const { now } = this.#thread.idle;
    const span = settings['managesieve.loginTimeout'];
    this.deadline = this.state === 'authenticated' ? now + settings['managesieve.idleTimeout'] : Math.min(now + span, this.#startedAt + LOGIN_SPANS * span);
  }

  onIdle(): void {
    // A client that does not take our last words, or that stopped reading in the middle of an answer.
    if (this.#isEnding || this.out.isFull) this.connection.socket.destroy();
    else if (!this.#isBusy) this.bye(this.state === 'authenticated' ? 'Logged out after inactivity' : 'Login took too long');
  }

  drain(): void {
    this.#isDraining = true;
    if (!this.#isBusy && !this.isClosed) this.#shutDown();
  }

  #shutDown(): void {
    const referral = this.settings['managesieve.referral'];
    this.bye('Server is shutting down, try again later', referral === '' ? 'TRYLATER' : { name: 'REFERRAL', value: referral });
  }
}

interface Answer {
  readonly text: string;
  readonly code: ResponseCode | null;
  /** Not the client's mistake. */
  readonly isOurs: boolean;
}

/** Failures of the writer in the words of RFC 5804 section 1.3. */
const FAILED: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  ['noSuchEntry', { text: 'There is no script by that name', code: 'NONEXISTENT', isOurs: false }],
  ['exists', { text: 'There is a script by that name already', code: 'ALREADYEXISTS', isOurs: false }],
  ['cannot', { text: 'Not possible for the active script', code: 'ACTIVE', isOurs: false }],
  ['messageTooBig', { text: 'The script is too large', code: 'QUOTA/MAXSIZE', isOurs: false }],
  ['limit', { text: 'There are too many scripts', code: 'QUOTA/MAXSCRIPTS', isOurs: false }],
  ['overQuota', { text: 'All scripts together would be too large', code: 'QUOTA/MAXSIZE', isOurs: false }],
]);

function verbOf(words: readonly Word[]): string {
  const first = words[0];
  return first?.kind === 'atom' ? first.text.toUpperCase() : '';
}

function ignore(): void {}
