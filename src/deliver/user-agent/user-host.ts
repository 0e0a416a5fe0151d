/** Answers a filter's requests with real effects, in the rights of the user this process has become. */
import { closeSync, constants, fstatSync, openSync, statSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { formatAddress } from '../../mail/address.ts';
import { releaseDotLock, sleep, takeDotLock } from '../agents/dot-lock.ts';
import { fromLine, mboxMessage, startsWithFrom } from '../agents/mbox.ts';
import { NO_KERNEL_LOCKS } from '../agents/kernel-lock.ts';
import { deliverFolder, folderKind } from '../agents/mh.ts';
import { errnoOf, notStored, type Stored, type StoreResult, storeFailure } from '../agents/result.ts';
import type { ActAnswer, Action, Command, FilterLanguage, FilterRequest, FlagSet, MessageVersion, RunAnswer } from '../filters/filter.ts';
import type { FilterHost } from './driver.ts';
import type { Effects } from './effects.ts';
import { answerOfExit } from './exit-codes.ts';
import { isDirectory, readTrusted } from './files.ts';
import { deliverToMailbox, deliverToMbox, isInStore, type MailboxHost, writeMbox } from './mailbox.ts';
import { changedBytes, type MessageForms, toLf, withoutFromLine } from './message.ts';
import { commandText, type ProgramAnswer, runProgram, type Sessions } from './program.ts';
import { SeenBefore } from './seen.ts';
import { type DeliveryAnswer, simpleAnswer } from './types.ts';

export interface UserHostOptions extends MailboxHost {
  readonly uid: number;
  /** Where relative paths begin. */
  readonly directory: string;
  /** What programs of the user's get, and what 'environment' requests see. */
  readonly environment: Readonly<Record<string, string>>;
  readonly forms: MessageForms;
  /** Sieve works on CRLF without the lines of local delivery, .forward and .qmail on LF without them, the others on LF with them. */
  readonly language: FilterLanguage | 'mailbox';
  readonly effects: Effects;
  readonly sessions: Sessions;
  /** Names of the account's mailboxes in the store; null: not known, every name is taken to be there. */
  readonly storeMailboxes: readonly string[] | null;
}

const originKey = ({ origin }: Action): string => `${origin.line} ${origin.file}`;
const done = (stored?: string): ActAnswer => ({ isDone: true, problem: null, stored });
const failed = (problem: string): ActAnswer => ({ isDone: false, problem });
const DEFAULT_UMASK = 0o077;
const NOTHING = new Uint8Array(0);
const { O_APPEND, O_CREAT, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

export class UserHost implements FilterHost {
  readonly #o: UserHostOptions;
  readonly #dotLocks = new Set<string>();
  readonly #kernelLocks = new Set<string>();
  readonly #isCrlf: boolean;
  /** A target that fails fails the delivery; in the other languages the script sees it and goes on, and its end decides. */
  readonly #isEachItsOwn: boolean;
  readonly #failedOrigins = new Set<string>();
  #directory: string;
  #seen: SeenBefore | null = null;

  constructor(options: UserHostOptions) {
    this.#o = options;
    this.#directory = options.directory;
    this.#isCrlf = options.language === 'sieve';
    this.#isEachItsOwn = options.language === 'forward' || options.language === 'mailbox';
  }

  answer(request: FilterRequest): unknown {
    switch (request.kind) {
      case 'act':
        return this.#act(request.action);
      case 'bytes':
        return this.#bytes(request.from, request.to);
      case 'run':
        return this.#run(request);
      case 'file':
        return this.#guarded(() => readTrusted(this.#path(request.path), this.#o.uid, request.bytesMax), null);
      case 'stat':
        return this.#guarded(() => folderKind(this.#path(request.path)), null);
      case 'size':
        return this.#guarded(() => statSync(this.#path(request.path), { throwIfNoEntry: false })?.size ?? null, null);
      case 'chdir':
        return this.#chdir(request.path);
      case 'environment':
        return this.#o.environment[request.name] ?? null;
      case 'lock':
        return this.#lock(this.#path(request.path), request.style, request.sleepSeconds, request.staleSeconds);
      case 'unlock':
        return this.#unlock(this.#path(request.path));
      case 'log':
        return this.#log(request.file, request.text);
      case 'mailboxExists':
        return this.#o.storeMailboxes === null || request.mailbox.toUpperCase() === 'INBOX' || this.#o.storeMailboxes.includes(request.mailbox);
      case 'specialUseExists':
      case 'mailboxIdExists':
      case 'listed':
        return false;
      case 'metadata':
        return null;
      case 'duplicate':
        this.#seen ??= new SeenBefore(this.#o.home, this.#o.at);
        return this.#seen.check(request.handle, request.id, request.seconds, request.isLast);
      case 'script':
        return request.location === 'personal' && /^[^/\0]{1,255}$/.test(request.name) && !request.name.startsWith('.')
          ? this.#script(join(this.#o.home, 'sieve', `${request.name}.sieve`))
          : null;
    }
  }

  /** Gives back what a run forgot: locks; and remembers what it has seen, when the run's actions stand. */
  async close(isKept: boolean): Promise<void> {
    for (const path of this.#dotLocks) releaseDotLock(path);
    for (const path of this.#kernelLocks) await this.#o.kernelLocks.release(path);
    this.#dotLocks.clear();
    this.#kernelLocks.clear();
    if (isKept) this.#guarded(() => this.#seen?.save(), undefined);
  }

  // ── Actions ────────────────────────────────────────────────────────────────────────────────────────

  #act(action: Action): ActAnswer | Promise<ActAnswer> {
    const { effects } = this.#o;
    if (!effects.count()) return this.#refuse(action, 'too many actions');
    switch (action.kind) {
      case 'keep':
        return this.#keep(action, 'INBOX', { flags: action.flags, isCreated: false, specialUse: null });
      case 'fileInto':
        return this.#keep(action, action.mailbox, action);
      case 'store':
        return this.#store(action);
      case 'redirect': {
        if (effects.forwards.length >= this.#o.configuration.redirectsMax)
          return this.#refuse(action, `more than ${this.#o.configuration.redirectsMax} addresses`);
        const { address, sender, dsn, origin } = action;
        effects.forwards.push({ address, sender, dsn, origin, message: this.#changed(action.message) });
        effects.step(origin, `to be sent on to ${formatAddress(address)}`);
        return done();
      }
      case 'pipe':
        return this.#pipe(action);
      case 'discard':
        effects.done('discarded');
        effects.step(action.origin, 'discarded');
        return done();
      case 'defer':
        // The target that failed has said it already, in more words.
        if (!this.#failedOrigins.has(originKey(action))) effects.fail(simpleAnswer('deferred', 451, '4.3.0', action.text || 'deferred by a filter'));
        effects.step(action.origin, `deferred: ${action.text}`);
        return done();
      case 'reject':
        if (this.#o.language === 'forward' || this.#o.language === 'qmail') {
          if (!this.#failedOrigins.has(originKey(action)))
            effects.fail(simpleAnswer('failed', action.code === '5.1.1' ? 550 : 554, action.code ?? '5.7.1', action.text));
          effects.step(action.origin, `refused: ${action.text}`);
          return done();
        }
        // By the user's word: a report or a reply, as the courier composes it.
        effects.reply(action, this.#changed(action.message));
        effects.step(action.origin, `rejected: ${action.text}`);
        effects.done('rejected');
        return done();
      case 'vacation':
      case 'notify':
      case 'send':
        effects.reply(action, this.#changed(action.message));
        effects.step(action.origin, action.kind === 'send' ? `a message to ${action.to.map(formatAddress).join(', ')}` : action.kind);
        return done();
    }
  }

  #keep(action: Action, mailbox: string, where: { flags: FlagSet | null; isCreated: boolean; specialUse: string | null }): ActAnswer | Promise<ActAnswer> {
    const { effects } = this.#o;
    if (isInStore(this.#o.configuration)) {
      effects.keeps.push({ mailbox, ...pick(where), message: this.#changed(action.message), origin: action.origin });
      effects.step(action.origin, `kept in ${mailbox}`);
      effects.done(`kept in ${mailbox}`);
      return done(mailbox);
    }
    return this.#stored(action, deliverToMailbox(this.#o, mailbox, this.#pieces(action.message, 'both')));
  }

  #store(action: Extract<Action, { kind: 'store' }>): Promise<ActAnswer> {
    const path = this.#path(action.path);
    const mask = action.umask ?? DEFAULT_UMASK;
    const mode = 0o666 & ~mask;
    const isProcmail = this.#o.language === 'procmail';
    const write = async (hasLock: boolean): Promise<StoreResult> => {
      const pieces = this.#storePieces(action);
      if (action.format === 'mbox' || action.format === 'file') {
        const host = this.#lockedHost(path);
        if (action.format === 'file') return writeMbox(host, path, pieces, { mode, hasLock });
        if (!isProcmail) return deliverToMbox(host, path, pieces, { mode, hasLock });
        // Its recipes name the lock files they want.
        return writeMbox(host, path, action.isRaw ? pieces : mboxMessage(pieces, NOTHING, false), { mode, hasLock: true });
      }
      const links = action.links.map((link) => ({ path: this.#path(link.path), format: link.format }));
      // Procmail makes a folder, and none of those above it.
      const missing = isProcmail ? [path, ...links.map((link) => link.path)].find((one) => !isDirectory(dirname(one))) : undefined;
      if (missing !== undefined) return notStored(550, '5.2.0', `there is no directory ${dirname(missing)}`);
      const directoryMode = 0o777 & ~mask;
      return deliverFolder({ path, format: action.format, pieces, at: this.#o.at, links, mode, directoryMode, flags: action.maildirFlags });
    };
    const lockFile = action.lockFile === null ? null : this.#path(action.lockFile);
    return this.#stored(
      action,
      this.#withLock(lockFile, () => write(lockFile === `${path}.lock` || this.#dotLocks.has(`${path}.lock`))),
    );
  }

  /** What is written to a file or folder. Procmail has rules of its own for the From_ line and the empty line at the end. */
  #storePieces(action: Extract<Action, { kind: 'store' }>): readonly Uint8Array[] {
    const pieces = this.#pieces(action.message, action.part);
    if (this.#o.language !== 'procmail') return pieces;
    if (action.format === 'maildir') return action.part === 'body' ? pieces : [withoutFromLine(pieces[0]!), ...pieces.slice(1)];
    // A header that a filter wrote has its From_ line, or was meant to have none.
    const whole = action.message === null && action.part !== 'body' ? [fromLine(this.#o.envelopeSender, this.#o.at), ...pieces] : pieces;
    return action.isRaw ? whole : ended(whole);
  }

  /** A lock that the script holds already is not waited for (and the kernel's would be given up by taking it twice). */
  #lockedHost(path: string): MailboxHost {
    return this.#kernelLocks.has(path) ? { ...this.#o, kernelLocks: NO_KERNEL_LOCKS } : this.#o;
  }

  #fromLine(pieces: readonly Uint8Array[]): Uint8Array {
    return startsWithFrom(pieces) ? NOTHING : fromLine(this.#o.envelopeSender, this.#o.at);
  }

  /** Runs `work` while the lock file is held. */
  async #withLock<T extends StoreResult | ProgramAnswer>(lockFile: string | null, work: () => Promise<T>): Promise<T | StoreResult> {
    if (lockFile === null || this.#dotLocks.has(lockFile)) return work();
    if (!(await this.#lock(lockFile, 'dot', LOCK_SLEEP_SECONDS, LOCK_STALE_SECONDS)))
      return { kind: 'failed', isTemporary: true, code: 451, enhanced: '4.2.0', text: `the lock file ${lockFile} could not be had` };
    try {
      return await work();
    } finally {
      await this.#unlock(lockFile);
    }
  }

  async #stored(action: Action, writing: Promise<StoreResult>): Promise<ActAnswer> {
    const { effects } = this.#o;
    let result: StoreResult;
    try {
      result = await writing;
    } catch (error) {
      result = storeFailure(error, 'cannot store the message');
    }
    if (result.kind === 'failed') {
      effects.step(action.origin, `not stored: ${result.text}`);
      if (this.#isEachItsOwn) this.#failed(action, simpleAnswer(result.isTemporary ? 'deferred' : 'failed', result.code, result.enhanced, result.text));
      return failed(result.text);
    }
    effects.step(action.origin, `stored in ${result.path}`);
    effects.done(`stored in ${result.path}`);
    return done(action.kind === 'store' ? this.#storedNames(action, result) : result.path);
  }

  /** The files as LASTFOLDER has them: named as the script named their folders. */
  #storedNames(action: Extract<Action, { kind: 'store' }>, result: Stored): string {
    const paths = [action.path, ...action.links.map((link) => link.path)];
    return [result.path, ...(result.links ?? [])].map((file, at) => paths[at]! + file.slice(this.#path(paths[at]!).length)).join(' ');
  }

  async #pipe(action: Extract<Action, { kind: 'pipe' }>): Promise<ActAnswer> {
    const { effects } = this.#o;
    if (this.#isEachItsOwn && !this.#o.configuration.allowCommands) return this.#refuse(action, 'programs are not allowed here');
    const { language } = this.#o;
    const pieces = this.#pieces(action.message, action.part, language === 'qmail');
    // A forward file's program sees what Postfix gives it: a From_ line first. Procmail sees to an empty line at the end.
    const from = this.#isEachItsOwn ? [this.#fromLine(pieces)] : [];
    const input = language === 'procmail' && !action.isRaw ? ended(pieces) : pieces;
    const lockFile = action.lockFile === null ? null : this.#path(action.lockFile);
    const result = await this.#withLock(lockFile, () =>
      this.#start(action.command, [...from, ...input], action.environment, action.timeoutMs, 0, action.umask, action.waits),
    );
    const text = commandText(action.command);
    if ('kind' in result) {
      effects.step(action.origin, `not piped to ${text}`);
      if (this.#isEachItsOwn) this.#failed(action, simpleAnswer('deferred', 451, '4.2.0', 'a lock file could not be had'));
      return failed('the lock file could not be had');
    }
    const end = endOf(result, text);
    effects.step(action.origin, `piped to ${text}: ${end.outcome === 'delivered' ? 'taken' : end.text}`);
    // What it says is told to the sender only where its end is the delivery's.
    if (!this.#isEachItsOwn && result.text !== '') effects.log(result.text);
    const { exit } = result;
    const isTaken = result.startError === null && exit === 0;
    if (isTaken) {
      effects.done('delivered to command');
      return { isDone: true, problem: null, exit };
    }
    if (language === 'qmail' && exit === 99) effects.done('delivered to command');
    if (this.#isEachItsOwn) this.#failed(action, end);
    return { isDone: false, problem: end.text, exit };
  }

  /** A failure of one target of a forward file. */
  #failed(action: Action, answer: DeliveryAnswer): void {
    this.#failedOrigins.add(originKey(action));
    this.#o.effects.fail(answer);
  }

  #refuse(action: Action, why: string): ActAnswer {
    const { effects } = this.#o;
    effects.step(action.origin, `not done: ${why}`);
    if (this.#isEachItsOwn) this.#failed(action, simpleAnswer('failed', 554, '5.7.0', why));
    return failed(why);
  }

  // ── Questions ──────────────────────────────────────────────────────────────────────────────────────

  async #run(request: Extract<FilterRequest, { kind: 'run' }>): Promise<RunAnswer> {
    const input = request.input === null ? null : [request.input];
    const max = request.wantsOutput ? request.outputMax : 0;
    const answer = await this.#start(request.command, input, request.environment, request.timeoutMs, max, request.umask, true);
    if (answer.text !== '') this.#o.effects.log(answer.text);
    this.#o.effects.step(
      request.origin,
      `ran ${commandText(request.command)}: ${answer.startError ?? (answer.isTimedOut ? 'too long' : (answer.signal ?? `exit ${answer.exit}`))}`,
    );
    const { exit, signal, isTimedOut, output, isTruncated, isInputRefused } = answer;
    return { exit, signal, isTimedOut, output, isTruncated, isInputRefused };
  }

  async #start(
    command: Command,
    input: readonly Uint8Array[] | null,
    environment: Readonly<Record<string, string>>,
    timeoutMs: number | null,
    outputMax: number,
    umask: number | null,
    waits: boolean,
  ): Promise<ProgramAnswer> {
    const { signal, sessions, language } = this.#o;
    const limit = this.#o.configuration.commandTimeLimitMs;
    const log = language === 'procmail' ? environment['LOGFILE'] : undefined;
    const errors = log ? this.#guarded(() => openLog(this.#path(log)), null) : null;
    try {
      return await runProgram({
        command,
        input,
        directory: this.#directory,
        // Procmail and maildrop keep an environment of their own, from which variables may have been taken.
        environment: language === 'procmail' || language === 'maildrop' ? environment : { ...this.#o.environment, ...environment },
        timeoutMs: timeoutMs === null ? limit : Math.min(timeoutMs, limit),
        outputMax,
        errors,
        umask,
        waits,
        signal,
        sessions,
      });
    } finally {
      if (errors !== null) closeSync(errors);
    }
  }

  #bytes(from: number, to: number): Uint8Array {
    const { header, body } = this.#isCrlf ? this.#o.forms.crlf : this.#o.forms.lf;
    if (from >= header.length) return body.subarray(from - header.length, Math.max(0, to - header.length));
    if (to <= header.length) return header.subarray(from, to);
    return Buffer.concat([header.subarray(from), body.subarray(0, to - header.length)]);
  }

  #chdir(path: string): boolean {
    const directory = this.#path(path);
    if (!isDirectory(directory)) return false;
    this.#directory = directory;
    return true;
  }

  async #lock(path: string, style: 'dot' | 'flock', sleepSeconds: number, staleSeconds: number): Promise<boolean> {
    const sleepMs = Math.max(1, sleepSeconds) * 1000;
    const attempts = Math.max(1, Math.ceil(this.#o.configuration.commandTimeLimitMs / sleepMs));
    if (style === 'dot') {
      try {
        if ((await takeDotLock(path, { attempts, sleepMs, staleSeconds, signal: this.#o.signal, sleep })) !== 'taken') return false;
      } catch (error) {
        this.#o.effects.log(storeFailure(error, `cannot lock ${path}`).text);
        return false;
      }
      this.#dotLocks.add(path);
      return true;
    }
    if (!this.#guarded(() => touch(path), false)) return false;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#o.kernelLocks.take(path);
      if (outcome === 'taken') this.#kernelLocks.add(path);
      // Where such locks cannot be had, a script that wants one goes on: dot-locks keep the mailboxes whole.
      if (outcome !== 'busy') return true;
      if (attempt >= attempts || this.#o.signal.aborted) return false;
      await sleep(sleepMs, this.#o.signal);
    }
  }

  async #unlock(path: string): Promise<null> {
    if (this.#dotLocks.delete(path)) releaseDotLock(path);
    if (this.#kernelLocks.delete(path)) await this.#o.kernelLocks.release(path);
    return null;
  }

  #log(file: string | null, text: string): null {
    if (file === null || file === '') this.#o.effects.log(text);
    else this.#guarded(() => appendLine(this.#path(file), text), undefined);
    return null;
  }

  #script(path: string): string | null {
    const bytes = this.#guarded(() => readTrusted(path, this.#o.uid, SCRIPT_BYTES_MAX), null);
    return bytes === null || bytes === 'unsafe' ? null : bytes.toString('utf8');
  }

  // ── Helpers ────────────────────────────────────────────────────────────────────────────────────────

  #path(path: string): string {
    return resolve(this.#directory, path.replaceAll('\0', '_')) + (path.endsWith('/') && path !== '/' ? '/' : '');
  }

  /** What goes to a file or program. `isBare`: without the lines of local delivery (qmail's programs have them in their environment). */
  #pieces(version: MessageVersion, part: 'both' | 'header' | 'body', isBare = false): Uint8Array[] {
    const { forms, language } = this.#o;
    let header = isBare ? forms.lf.header.subarray(forms.trace.length) : forms.lf.header;
    let { body } = forms.lf;
    if (version !== null) {
      header = this.#isCrlf ? toLf(version.header) : version.header;
      // Where the input had no such lines, a changed header has none either.
      if (!isBare && (this.#isCrlf || language === 'forward' || language === 'qmail')) header = Buffer.concat([forms.trace, header]);
      if (version.body !== null) body = this.#isCrlf ? toLf(version.body) : version.body;
    }
    return part === 'both' ? [header, body] : [part === 'header' ? header : body];
  }

  /** The same object for the same version, so that it travels once. */
  readonly #changes = new WeakMap<object, Uint8Array | null>();
  #changed(version: MessageVersion): Uint8Array | null {
    if (version === null) return null;
    const known = this.#changes.get(version);
    if (known !== undefined) return known;
    const bytes = changedBytes(version, this.#o.forms, this.#isCrlf);
    this.#changes.set(version, bytes);
    return bytes;
  }

  /** Errors of the disk while a user's files are looked at: the run goes on with `otherwise`, the log says why. */
  #guarded<T>(work: () => T, otherwise: T): T {
    try {
      return work();
    } catch (error) {
      this.#o.effects.log(storeFailure(error, 'a file could not be used').text + (errnoOf(error) === null ? '' : ` (${(error as Error).message})`));
      return otherwise;
    }
  }
}

/** With an empty line at the end. */
function ended(pieces: readonly Uint8Array[]): Uint8Array[] {
  const tail = Buffer.concat(pieces.map((piece) => piece.subarray(-2))).subarray(-2);
  return tail[0] === 0x0a && tail[1] === 0x0a ? [...pieces] : [...pieces, Buffer.from('\n')];
}

/** Procmail's LOCKSLEEP and LOCKTIMEOUT. */
const LOCK_SLEEP_SECONDS = 8;
const LOCK_STALE_SECONDS = 1024;
const SCRIPT_BYTES_MAX = 1024 * 1024;

const pick = (where: { flags: FlagSet | null; isCreated: boolean; specialUse: string | null }) => ({
  flags: where.flags,
  isCreated: where.isCreated,
  specialUse: where.specialUse,
});

export function endOf(result: ProgramAnswer, command: string): ReturnType<typeof answerOfExit> {
  if (result.startError !== null) {
    const isLasting = ['ENOENT', 'EACCES', 'ENOEXEC', 'ENOTDIR', 'E2BIG'].includes(result.startError);
    const text = `the program could not be started (${result.startError}): "${command.slice(0, 200)}"`;
    return isLasting ? simpleAnswer('failed', 554, '5.3.0', text) : simpleAnswer('deferred', 451, '4.3.0', text);
  }
  return answerOfExit({ exit: result.exit, signal: result.signal, isTimedOut: result.isTimedOut, text: result.text, command });
}

/** Something must be there to be locked. */
function touch(path: string): true {
  closeSync(openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600));
  return true;
}

/** Never waits and never writes to what is no file; null for /dev/null and the like, for that is how users silence a log. */
function openLog(path: string): number | null {
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0o600);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return null;
}

function appendLine(path: string, text: string): void {
  const fd = openLog(path);
  if (fd === null) return;
  try {
    writeSync(fd, text);
  } finally {
    closeSync(fd);
  }
}
