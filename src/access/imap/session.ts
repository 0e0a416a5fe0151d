/**
 * One IMAP connection. Bytes come in, whole commands are run one after another, and what they say is written once for a
 * batch. Commands that need not wait run without a promise. State changes here and in the command files that say so.
 */
import { idle } from '../../net/idle.ts';
import { watchLogin } from '../../directory/logins.ts';
import type { Account, Connection, LoopContext, Session, SessionFactory } from '../../ports.ts';
import { SP, scan, TAG_CHAR } from '../../wire/imap/chars.ts';
import { Cursor } from '../../wire/imap/cursor.ts';
import { IMAP_LIMITS } from '../../wire/imap/limits.ts';
import type { ReaderEvent } from '../../wire/imap/reader.ts';
import type { Append } from './append-job.ts';
import { beginAppend, endAppend, finishAppend, nextAppend, receiveAppend } from './append.ts';
import type { SaslLogin } from './authenticate.ts';
import { continueSasl } from './authenticate.ts';
import { capabilityLine } from './capability.ts';
import { refusalInMode, refusalInState } from './command-checks.ts';
import { COMMANDS, SELECTED } from './commands.ts';
import { Flight } from './flight.ts';
import { lookAtFolders } from './folders.ts';
import { hiddenFor } from './hidden.ts';
import { idleLine } from './idle.ts';
import { Input } from './input.ts';
import type { Notify } from './notify.ts';
import { Output } from './output.ts';
import { isTurnOver } from './pace.ts';
import { refusalOf } from './refusal.ts';
import { OwnChanges } from './own-changes.ts';
import type { Selected } from './selected.ts';
import type { ImapSettings } from './settings.ts';
import { Shared } from './shared.ts';
import { claimRecent, tellUpdates, withLevel } from './tell-updates.ts';
import { Unasked } from './unasked.ts';
import type { Idler } from './view.ts';

export type State = 'notAuthenticated' | 'authenticated' | 'selected';
/** What the next bytes are: commands, the lines of a SASL exchange, IDLE's DONE, or the parts of an APPEND. */
type Mode = 'commands' | 'sasl' | 'idle' | 'append';
export type Result = string | null | Promise<string | null>;

/** Which untagged updates may come before the tagged response (RFC 9051 section 7.5.1). */
export type Updates = 'all' | 'noExpunge' | 'none';

/** Commands run in one go before other sessions get their turn. */
const BURST = 100;
/** As a tag, the first word of a web request. */
const HTTP_METHODS = new Set(['GET', 'POST', 'HEAD', 'PUT', 'CONNECT', 'OPTIONS']);

const SESSION = Symbol('imap session');
type Sessioned = Connection['socket'] & { [SESSION]?: ImapSession };

// Shared by all sessions, so that thousands of connections do not have a closure each.
function onData(this: Sessioned, chunk: Buffer): void {
  this[SESSION]?.received(chunk);
}
function onClose(this: Sessioned): void {
  if (this[SESSION]?.connection.socket === this) this[SESSION].closed();
}
function onError(): void {
  // 'close' follows and is what we act on.
}

function flushLater(session: ImapSession): void {
  session.flushed();
}

/** The factory for listeners of 'imap' and 'imaps'; one for each thread, as the views of mailboxes are shared below it. */
export function createImapSession(context: LoopContext<ImapSettings>): SessionFactory {
  const shared = new Shared(context);
  return (connection) => new ImapSession(connection, shared);
}

export class ImapSession implements Session, Idler {
  readonly connection: Connection;
  readonly shared: Shared;
  readonly context: LoopContext<ImapSettings>;
  readonly out: Output;
  state: State = 'notAuthenticated';
  account: Account | null = null;
  selected: Selected | null = null;
  /** What the client asked to hear of, with NOTIFY (RFC 5465); null: it never did, and hears what a command allows. */
  notify: Notify | null = null;
  /** While changes are pushed (IDLE, NOTIFY): ends the watch over the selected mailbox's folder, where it has one. */
  unwatchFolder: (() => void) | null = null;
  /** Capabilities that are not announced to this client and do not work for it; upper case. */
  hidden: ReadonlySet<string>;
  isCondstore = false;
  /** RFC 7162 section 3.2.3: removals are told as VANISHED. */
  isQresync = false;
  /** RFC 9586: no sequence numbers any more. */
  isUidOnly = false;
  isUtf8 = false;
  isRev2 = false;
  /** Seen by IdleSweeper. */
  deadline: number;
  append: Append | null = null;
  sasl: SaslLogin | null = null;
  /** Tag of the IDLE in progress. */
  idleTag = '';
  loginFailures = 0;
  readonly input: Input;
  readonly unasked: Unasked;
  #unwatchLogin: (() => void) | null = null;
  #mode: Mode = 'commands';
  #isBusy = false;
  readonly #flight = new Flight();
  /** A command that came while others were in flight and must wait for them. */
  #held: Buffer | null = null;
  #isEnding = false;
  /** A flush at the end of this turn has been asked for. */
  #isFlushing = false;
  #isGone = false;
  #isDraining = false;
  #badCommands = 0;
  #lastInput: number;
  #lastNotice = 0;
  #startedAt: number;
  /** Flag changes that the running command made and has answered. */
  #own: OwnChanges | null = null;

  constructor(connection: Connection, shared: Shared) {
    this.connection = connection;
    this.shared = shared;
    this.context = shared.context;
    this.out = new Output(connection.socket, connection.tls !== null);
    this.input = new Input(this);
    this.unasked = new Unasked(this);
    this.#startedAt = idle.now;
    this.#lastInput = idle.now;
    this.deadline = idle.now + this.context.settings()['imap.loginTimeout'];
    this.hidden = hiddenFor(this.context.reader, null, this.context.settings()['imap.capabilitiesHidden']);
    shared.sessions.add(this);
    idle.watch(this);
    this.out.write(`* OK [${capabilityLine(this)}] Posthorn is ready\r\n`);
    this.attach();
    this.out.flush();
  }

  /** Nothing that is said will be heard any more: long commands end. */
  get isClosed(): boolean {
    return this.#isGone || this.#isEnding;
  }

  /** Listens to the connection's socket, a new one after STARTTLS. */
  attach(): void {
    const socket = this.connection.socket as Sessioned;
    socket[SESSION] = this;
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', onError);
    socket.resume();
  }

  // ── Input ──

  received(chunk: Buffer): void {
    if (this.isClosed) return;
    this.#lastInput = idle.now;
    this.input.received(chunk);
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Are commands under way beside the one that is read next? */
  get isAnswering(): boolean {
    return !this.#flight.isEmpty;
  }

  /** Works off what has arrived, until something must be waited for. */
  pump(): void {
    const { reader } = this.input;
    let burst = 0;
    while (!this.#isBusy && !this.isClosed) {
      if (this.#isDraining && this.#mode !== 'append' && this.#flight.isEmpty) {
        this.bye('Server is shutting down');
        return;
      }
      if (this.notify?.hasNewMessages === true && this.maySpeak) {
        const { notify } = this;
        this.#step(() => notify.sendNewMessages());
        continue;
      }
      if (reader.literalLeft > 0) {
        const piece = reader.takeLiteral();
        if (piece === null) break;
        this.#step(() => receiveAppend(this, piece));
        continue;
      }
      if (this.append?.isReceiving) {
        this.#step(() => nextAppend(this));
        continue;
      }
      const event = reader.next();
      if (event === null) {
        if (this.notify !== null && this.unasked.push()) continue;
        break;
      }
      this.#event(event);
      burst += 1;
      if (!this.#isBusy && (burst >= BURST || (burst >= 4 && this.out.isFull) || (this.input.hasEarly && isTurnOver()))) {
        this.#rest();
        break;
      }
    }
    this.#flush();
    this.input.resume();
  }

  /**
   * Writes what has been said. While a command still works, when this turn is over: most have their end to say by then, and two writes
   * cost the kernel twice as much as one.
   */
  #flush(): void {
    if (!this.#isBusy && this.#flight.isEmpty) this.out.flush();
    else if (!this.#isFlushing) {
      this.#isFlushing = true;
      setImmediate(flushLater, this);
    }
  }

  /** The turn in which something was said without its end is over. */
  flushed(): void {
    this.#isFlushing = false;
    this.out.flush();
  }

  /** Behind a command that had to be waited for: its promise may have been ready at once, and thousands more have arrived already. */
  #goOn(): void {
    if (!this.input.hasEarly || !isTurnOver()) {
      this.pump();
      return;
    }
    this.out.flush();
    this.#rest();
  }

  /** A client that sends a great many commands, or does not read its answers, waits a turn. */
  #rest(): void {
    this.#isBusy = true;
    const resume = (): void => {
      this.#isBusy = false;
      this.pump();
    };
    const rested = this.out.isFull ? this.out.drain() : Promise.resolve();
    void rested.then(() => setImmediate(resume));
  }

  #event(event: ReaderEvent): void {
    const { reader } = this.input;
    const { bytes } = reader;
    switch (event) {
      case 'command':
        if (this.#mode === 'commands') this.#command(bytes);
        else if (this.#mode === 'sasl') this.#step(() => continueSasl(this, bytes.toString('latin1')));
        else idleLine(this, bytes);
        return;
      case 'continue':
        this.out.write('+ OK\r\n');
        return;
      case 'append': {
        const literal = reader.literal!;
        this.#step(() => beginAppend(this, bytes, literal));
        return;
      }
      case 'appendEnd':
        this.#step(() => endAppend(this, bytes));
        return;
      case 'tooLong':
        this.#refuseDropped(bytes, 'BAD [TOOBIG] Command line is too long');
        return;
      case 'literalTooBig':
        this.#refuseDropped(bytes, 'BAD [TOOBIG] Literal is too large');
        return;
      case 'bareLf':
        this.#refuseDropped(bytes, 'BAD Lines must end in CRLF');
        return;
      default:
        this.bye('Too much input');
    }
  }

  #refuseDropped(head: Buffer, text: string): void {
    const { append } = this;
    if (append !== null) {
      // What stood behind its message: the command is over.
      append.refuse(text);
      finishAppend(this, append, append.refusal ?? text);
      return;
    }
    if (this.#mode === 'idle') {
      // Whatever it was, it was not DONE; and a line ends IDLE.
      this.endIdle();
      this.tagged(this.idleTag, text, 'none');
      return;
    }
    const end = scan(TAG_CHAR, head, 0);
    const hasTag = this.#mode === 'commands' && end > 0 && end <= IMAP_LIMITS.tagBytes && head[end] === SP;
    if (this.#mode === 'sasl') this.endSasl();
    this.tagged(hasTag ? head.toString('latin1', 0, end) : '*', text, 'none');
  }

  /** One command: tag, verb, arguments. */
  #command(bytes: Buffer): void {
    const tagEnd = scan(TAG_CHAR, bytes, 0);
    const hasTag = tagEnd > 0 && tagEnd <= IMAP_LIMITS.tagBytes && (tagEnd === bytes.length || bytes[tagEnd] === SP);
    if (!hasTag) {
      this.tagged('*', bytes.length === 0 ? 'BAD Empty line' : 'BAD A command begins with a tag and a space', 'none');
      return;
    }
    const tag = bytes.toString('latin1', 0, tagEnd);
    if (tagEnd === bytes.length) {
      this.answer(tag, 'BAD There is no command behind the tag', 'none');
      return;
    }
    this.runCommand(tag, new Cursor(bytes, tagEnd + 1));
  }

  runCommand(tag: string, cursor: Cursor): void {
    let updates: Updates = 'none';
    cursor.isUtf8 = this.isUtf8 || this.isRev2;
    try {
      let verb = HTTP_METHODS.has(tag) ? '' : cursor.word();
      if (verb === 'UID') {
        cursor.sp();
        verb = `UID ${cursor.word()}`;
      }
      const command = COMMANDS.get(verb);
      if (!this.#flight.isEmpty && (command?.overlaps === undefined || this.#flight.isFull)) {
        this.#hold(cursor);
        return;
      }
      if (command === undefined) {
        // A web browser, or a proxy that believes it speaks to a web server: nothing good can come of it.
        if (HTTP_METHODS.has(tag)) this.bye('This is an IMAP server');
        else this.tagged(tag, 'BAD Unknown command', 'none');
        return;
      }
      const refusal = refusalInState(this, verb, command);
      if (refusal !== null) {
        this.tagged(tag, refusal, 'none');
        return;
      }
      const loading = this.selected?.view.loading ?? null;
      // ENABLE changes how is told what went away while the mailbox was read.
      if (loading !== null && (command.from === SELECTED || verb === 'ENABLE')) {
        this.#holdUntil(loading, verb, cursor);
        return;
      }
      updates = command.updates;
      const mismatch = refusalInMode(this, verb);
      if (mismatch !== null) {
        this.tagged(tag, mismatch, updates);
        return;
      }
      const args = command.parse(cursor);
      this.notify?.commandBegins(verb, args);
      const overlaps = command.overlaps?.(this, args) === true;
      if (!this.#flight.isEmpty && !overlaps) {
        this.#hold(cursor);
        return;
      }
      const looking = lookAtFolders(this, verb, args);
      const result = looking === null ? command.run(this, args, tag) : looking.then(() => (this.isClosed ? '' : command.run(this, args, tag)));
      if (overlaps && result instanceof Promise) this.answerLater(tag, updates, result);
      else this.#finish(tag, this.#beside(updates), result);
    } catch (error) {
      this.tagged(tag, refusalOf(this, error), this.#beside(updates));
    }
  }

  /** Nothing that moves sequence numbers may be said while a command that uses them is under way. */
  #beside(updates: Updates): Updates {
    return this.#flight.isEmpty ? updates : 'none';
  }

  /** The command waits until those in flight have landed. */
  #hold(cursor: Cursor): void {
    this.#held = Buffer.from(cursor.bytes);
    this.#isBusy = true;
  }

  /** A command that needs the messages of a large mailbox waits until it has been read. */
  #holdUntil(loading: Promise<void>, verb: string, cursor: Cursor): void {
    const held = Buffer.from(cursor.bytes);
    const next = (): void => {
      this.#isBusy = false;
      if (this.isClosed) return;
      // Messages that nobody saw yet are shown as \Recent by the command already.
      if (!this.isRev2 && this.selected?.view.isGone === false) claimRecent(this);
      if (verb === 'ENABLE') this.tellUpdates(true);
      if (!this.isClosed) this.#command(held);
      if (this.#isBusy) this.#flush();
      else this.pump();
    };
    this.#isBusy = true;
    // When it fails, the view is gone: the command finds that out for itself.
    loading.then(next, next);
  }

  #finish(tag: string, updates: Updates, result: Result): void {
    if (!(result instanceof Promise)) {
      if (result !== null) this.tagged(tag, result, updates);
      return;
    }
    this.#isBusy = true;
    result.then(
      (text) => {
        this.#isBusy = false;
        if (text !== null) this.tagged(tag, text, updates);
        this.#goOn();
      },
      (error) => {
        this.#isBusy = false;
        this.tagged(tag, refusalOf(this, error), updates);
        this.#goOn();
      },
    );
  }

  /** The command is answered when the promise settles; commands that may run beside it are begun meanwhile. */
  answerLater(tag: string, updates: Updates, result: Promise<string | null>): void {
    this.#flight.begin(
      result,
      (text) => this.#landed(tag, updates, text),
      (error) => refusalOf(this, error),
    );
  }

  /** Answers a command that is done, behind those that are still under way. */
  answer(tag: string, text: string, updates: Updates): void {
    if (this.#flight.isEmpty) this.tagged(tag, text, updates);
    else this.answerLater(tag, updates, Promise.resolve(text));
  }

  /** Are so many commands under way that the next one must wait until all have `landed`? */
  get isFlightFull(): boolean {
    return this.#flight.isFull;
  }

  /** Resolves when no command is under way beside the others. */
  get landed(): Promise<void> {
    return this.#flight.landed;
  }

  #landed(tag: string, updates: Updates, text: string | null): void {
    if (text !== null) this.tagged(tag, text, this.#beside(updates));
    if (!this.#flight.isEmpty) {
      this.#flush();
      return;
    }
    const held = this.#held;
    this.#held = null;
    if (held !== null && !this.isClosed) {
      this.#isBusy = false;
      this.#command(held);
    }
    if (this.#isBusy) this.#flush();
    else this.#goOn();
  }

  /** A step of APPEND or of a SASL exchange, which say their own answers. */
  #step(run: () => void | Promise<void>): void {
    try {
      const step = run();
      if (!(step instanceof Promise)) return;
      this.#isBusy = true;
      step.then(
        () => {
          this.#isBusy = false;
          this.#goOn();
        },
        (error) => {
          this.#isBusy = false;
          this.#stepFailed(error);
          this.#goOn();
        },
      );
    } catch (error) {
      this.#stepFailed(error);
    }
  }

  #stepFailed(error: unknown): void {
    const text = refusalOf(this, error);
    if (this.append !== null) {
      // The rest of the command may still be on its way: it must be read, or it would be taken for commands.
      if (this.append.isComplete) finishAppend(this, this.append, text);
      else this.append.refuse(text);
      return;
    }
    const tag = this.sasl?.tag ?? '*';
    this.endSasl();
    this.tagged(tag, text, 'none');
  }

  // ── Output ──

  /** Ends a command: what else the client must hear now, then the tagged response (OK, NO or BAD with its text). */
  tagged(tag: string, text: string, updates: Updates): void {
    if (this.isClosed) return;
    let said = text;
    if (text.startsWith('BAD')) {
      this.#badCommands += 1;
      this.context.metrics.count('imap.bad');
    } else {
      this.#badCommands = 0;
      if (updates !== 'none') {
        this.notify?.commandEnds(text);
        this.tellUpdates(updates === 'all');
        this.unasked.tellMetadata();
        if (this.notify !== null) this.out.write(this.notify.take());
      }
      said = withLevel(this, text);
    }
    if (this.#flight.isEmpty) this.#own = null;
    this.out.write(`${tag} ${said}\r\n`);
    if (this.#badCommands >= this.context.settings()['imap.badCommandsMax']) this.bye('Too many bad commands');
    else if (this.loginFailures >= this.context.settings()['imap.loginFailuresMax']) this.bye('Too many failed logins');
  }

  tellUpdates(withExpunge: boolean): void {
    tellUpdates(this, withExpunge, this.#own);
  }

  /** The client has been told of this flag change of its own. */
  tellOwn(uid: number, modseq: number): void {
    this.#own ??= new OwnChanges();
    this.#own.tell(uid, modseq);
  }

  /** The same for all that one operation has changed. */
  tellOwnSweep(modseq: number): void {
    this.#own ??= new OwnChanges();
    this.#own.tellSweep(modseq);
  }

  /** Is this the outcome of a change that the running command made and has answered? */
  isOwn(uid: number, modseq: number): boolean {
    return this.#own?.has(uid, modseq) === true;
  }

  /** RFC 7162 section 3.1: the first such command of a session with a mailbox selected is answered with HIGHESTMODSEQ. */
  enableCondstore(): void {
    if (this.isCondstore) return;
    this.isCondstore = true;
    if (this.selected !== null) this.out.write(`* OK [HIGHESTMODSEQ ${this.selected.levelModseq}] CONDSTORE is on\r\n`);
  }

  // ── Changes of state ──

  /** After a successful login. */
  authenticated(account: Account, credentialId: number | undefined): void {
    const settings = this.context.settings();
    this.#unwatchLogin = watchLogin(this.context, account, credentialId, () => this.bye('The login is no longer valid'));
    this.account = account;
    this.hidden = hiddenFor(this.context.reader, account.id, settings['imap.capabilitiesHidden']);
    this.state = 'authenticated';
    this.input.allow(settings);
    this.deadline = idle.now + settings['imap.inactivityTimeout'];
  }

  enterSelected(selected: Selected): void {
    this.selected = selected;
    this.state = 'selected';
    this.listen();
  }

  unselect(): void {
    const { selected } = this;
    if (selected === null) return;
    this.#stopListening();
    this.selected = null;
    this.state = 'authenticated';
    this.shared.views.release(selected.view);
  }

  /** Changes of the selected mailbox are to be told as they happen, or no longer: IDLE and NOTIFY say so. */
  listen(): void {
    const { selected } = this;
    if (selected === null) return;
    if (this.#mode !== 'idle' && this.notify?.pushesSelected !== true) {
      this.#stopListening();
      return;
    }
    const { view } = selected;
    view.idlers.add(this);
    this.unwatchFolder ??= this.context.mirror?.watch(view.accountId, view.mailboxId) ?? null;
  }

  #stopListening(): void {
    this.unwatchFolder?.();
    this.unwatchFolder = null;
    this.selected?.view.idlers.delete(this);
  }

  beginSasl(login: SaslLogin): void {
    this.sasl = login;
    this.#mode = 'sasl';
  }

  endSasl(): void {
    this.sasl = null;
    if (this.#mode === 'sasl') this.#mode = 'commands';
  }

  beginIdle(tag: string): void {
    this.idleTag = tag;
    this.#mode = 'idle';
    this.#lastNotice = idle.now;
    this.deadline = Math.min(this.deadline, idle.now + this.context.settings()['imap.idleNotice']);
    this.listen();
    this.unasked.tellMetadata();
  }

  endIdle(): void {
    this.#mode = 'commands';
    this.listen();
  }

  beginAppendMode(append: Append): void {
    this.append = append;
    this.#mode = 'append';
  }

  endAppendMode(): void {
    this.append = null;
    this.#mode = 'commands';
  }

  /** STARTTLS: the connection is another one now, and what was sent in clear is forgotten. */
  async startTls(): Promise<void> {
    this.out.flush();
    this.input.reader.reset();
    await this.connection.startTls();
    this.out.use(this.connection.socket, true);
    this.input.reader.reset();
    this.attach();
  }

  /** UNAUTHENTICATE (RFC 8437): all that the login and what came after it brought is forgotten. */
  unauthenticated(): void {
    const settings = this.context.settings();
    this.unselect();
    this.#forgetLogin();
    this.account = null;
    this.hidden = hiddenFor(this.context.reader, null, settings['imap.capabilitiesHidden']);
    this.state = 'notAuthenticated';
    this.isCondstore = false;
    this.isQresync = false;
    this.isUidOnly = false;
    this.isUtf8 = false;
    this.isRev2 = false;
    this.#own = null;
    this.input.allow(null);
    this.#startedAt = idle.now;
    this.deadline = idle.now + settings['imap.loginTimeout'];
  }

  #forgetLogin(): void {
    this.unasked.close();
    this.notify?.close();
    this.notify = null;
    this.#unwatchLogin?.();
    this.#unwatchLogin = null;
  }

  get isInIdle(): boolean {
    return this.#mode === 'idle';
  }

  /** Between commands, or in IDLE: what is said now stands in no command's way. */
  get maySpeak(): boolean {
    return !this.isClosed && !this.#isBusy && this.#flight.isEmpty && (this.#mode === 'idle' || this.#mode === 'commands');
  }

  viewChanged(): void {
    this.unasked.viewChanged();
  }

  /** There is something to be told without having been asked (NOTIFY). */
  newsCame(): void {
    this.unasked.newsCame();
  }

  // ── The end ──

  onIdle(now: number): void {
    const settings = this.context.settings();
    if (this.state === 'notAuthenticated') {
      if (now - this.#startedAt < settings['imap.loginTimeout']) this.deadline = this.#startedAt + settings['imap.loginTimeout'];
      else this.bye('Login took too long');
      return;
    }
    const logoutAt = this.#lastInput + settings['imap.inactivityTimeout'];
    if (now >= logoutAt) {
      // A command that still runs is cut off only when the client has stopped reading its answer.
      if (!this.#isBusy && this.#flight.isEmpty) this.bye('Logged out after inactivity');
      else if (this.out.isFull) this.connection.socket.destroy();
      else this.deadline = now + 60_000;
      return;
    }
    this.deadline = logoutAt;
    if (this.#mode !== 'idle') return;
    if (now - this.#lastNotice >= settings['imap.idleNotice']) {
      this.#lastNotice = now;
      if (!this.out.isFull) {
        this.unasked.tellAll();
        this.out.write('* OK Still here\r\n');
        this.out.flush();
      }
    }
    this.deadline = Math.min(logoutAt, this.#lastNotice + settings['imap.idleNotice']);
  }

  /** Says goodbye and closes. */
  bye(text: string, code = ''): void {
    if (this.isClosed) return;
    this.out.write(`* BYE ${code === '' ? '' : `[${code}] `}${text}\r\n`);
    this.end();
  }

  /** Sends what is left and closes; nothing more is read. */
  end(): void {
    this.#isEnding = true;
    this.out.end();
    // The client may never close its side; give it as long as a sweep of the idle timer.
    this.connection.socket.resume();
    this.deadline = Number.POSITIVE_INFINITY;
    idle.unwatch(this);
    const { socket } = this.connection;
    this.shared.linger(socket);
  }

  /** Closes without another word: what was said last is not complete and cannot be. */
  abort(): void {
    this.out.flush();
    this.connection.socket.destroy();
    this.closed();
  }

  drain(): void {
    this.#isDraining = true;
    if (this.#mode === 'idle') this.endIdle();
    if (!this.#isBusy) this.pump();
  }

  closed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    idle.unwatch(this);
    this.out.closed();
    this.append?.abandon();
    this.append = null;
    this.unselect();
    this.shared.left(this);
    this.#forgetLogin();
    this.input.close();
  }
}
