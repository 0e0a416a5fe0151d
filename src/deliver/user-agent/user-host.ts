/** Answers a filter's requests with real effects, in the rights of the user this process has become. */
import { closeSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { formatAddress } from '../../mail/address.ts';
import { fromLine, mboxMessage, startsWithFrom } from '../agents/mbox.ts';
import { NO_KERNEL_LOCKS } from '../agents/kernel-lock.ts';
import { deliverFolder, folderKind } from '../agents/mh.ts';
import { errnoOf, notStored, type Stored, type StoreResult, storeFailure } from '../agents/result.ts';
import type { ActAnswer, Action, Command, FilterLanguage, FilterRequest, FlagSet, MessageVersion, RunAnswer } from '../filters/filter.ts';
import { type AccountMailboxes, mailboxExists, mailboxIdExists, specialUseExists } from './account-mailboxes.ts';
import type { FilterHost } from './driver.ts';
import type { Effects } from './effects.ts';
import { answerOfExit } from './exit-codes.ts';
import { appendLine, isDirectory, markNew, openLog, readTrusted } from './files.ts';
import { HostLocks } from './host-locks.ts';
import { deliverToMailbox, deliverToMbox, isInStore, type MailboxHost, writeMbox } from './mailbox.ts';
import { changedBytes, type MessageForms, toLf, withoutFromLine } from './message.ts';
import { commandText, NOTHING_RAN, type ProgramAnswer, runLine, runProgram, type Sessions } from './program.ts';
import { SeenBefore } from './seen.ts';
import { type DeliveryAnswer, simpleAnswer } from './types.ts';

export interface UserHostOptions extends MailboxHost, AccountMailboxes {
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
}

const originKey = ({ origin }: Action): string => `${origin.line} ${origin.file}`;
const done = (stored?: string): ActAnswer => ({ isDone: true, problem: null, stored });
const failed = (problem: string): ActAnswer => ({ isDone: false, problem });
const DEFAULT_UMASK = 0o077;
const NOTHING = new Uint8Array(0);

export class UserHost implements FilterHost {
  readonly #o: UserHostOptions;
  readonly #locks: HostLocks;
  readonly #isCrlf: boolean;
  /** A target that fails fails the delivery; in the other languages the script sees it and goes on, and its end decides. */
  readonly #isEachItsOwn: boolean;
  readonly #failedOrigins = new Set<string>();
  #directory: string;
  #seen: SeenBefore | null = null;

  constructor(options: UserHostOptions) {
    this.#o = options;
    this.#directory = options.directory;
    this.#locks = new HostLocks({
      kernelLocks: options.kernelLocks,
      signal: options.signal,
      patienceMs: options.configuration.commandTimeLimitMs,
      log: (text) => options.effects.log(text),
    });
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
        return this.#locks.take(this.#path(request.path), request.style, request.sleepSeconds, request.staleSeconds);
      case 'unlock':
        return this.#locks.release(this.#path(request.path));
      case 'log':
        return this.#log(request.file, request.text);
      case 'mailboxExists':
        return this.#guarded(() => mailboxExists(this.#o, request.mailbox), false);
      case 'specialUseExists':
        return specialUseExists(this.#o, request.mailbox, request.uses);
      case 'mailboxIdExists':
        return mailboxIdExists(this.#o, request.mailboxId);
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
    await this.#locks.releaseAll();
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
        if (effects.areForwardsRefused) return failed('too many addresses');
        if (effects.forwards.length >= this.#o.configuration.redirectsMax) {
          effects.refuseForwards();
          return this.#refuse(action, `more than ${this.#o.configuration.redirectsMax} addresses`);
        }
        const { address, sender, dsn, origin } = action;
        effects.forwards.push({ address, sender, dsn, origin, message: this.#changed(action.message) });
        effects.step(origin, `to be sent on to ${formatAddress(address)}`, true);
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
        if (this.#failedOrigins.has(originKey(action))) return done();
        effects.fail(simpleAnswer('deferred', 451, '4.3.0', action.text || 'deferred by a filter'));
        effects.step(action.origin, `deferred: ${action.text}`);
        return done();
      case 'reject':
        if (this.#o.language === 'forward' || this.#o.language === 'qmail') {
          if (this.#failedOrigins.has(originKey(action))) return done();
          effects.fail(simpleAnswer('failed', action.code === '5.1.1' ? 550 : 554, action.code ?? '5.7.1', action.text));
          effects.step(action.origin, `refused: ${action.text}`);
          return done();
        }
        // By the user's word: a report or a reply, as the courier composes it.
        effects.reply(action, this.#changed(action.message));
        effects.step(action.origin, `rejected: ${action.text}`, true);
        effects.done('rejected');
        return done();
      case 'vacation':
      case 'notify':
      case 'send':
        effects.reply(action, this.#changed(action.message));
        effects.step(action.origin, action.kind === 'send' ? `a message to ${action.to.map(formatAddress).join(', ')}` : action.kind, true);
        return done();
    }
  }

  #keep(action: Action, mailbox: string, where: Where): ActAnswer | Promise<ActAnswer> {
    const { effects } = this.#o;
    if (isInStore(this.#o.configuration)) {
      const { flags, isCreated, specialUse, mailboxId = null } = where;
      effects.keeps.push({ mailbox, flags, isCreated, specialUse, mailboxId, message: this.#changed(action.message), origin: action.origin });
      effects.step(action.origin, `kept in ${mailbox}`, true);
      effects.done(`kept in ${mailbox}`);
      return done(mailbox);
    }
    return this.#keepOnDisk(action, mailbox, where.flags);
  }

  async #keepOnDisk(action: Action, mailbox: string, flags: FlagSet | null): Promise<ActAnswer> {
    const pieces = this.#pieces(action.message, 'both');
    const first = deliverToMailbox(this.#o, mailbox, pieces, flags);
    if (this.#o.language !== 'sieve') return this.#stored(action, first);
    // Sieve does not look at what becomes of its actions: what cannot be filed must not be lost (RFC 5228 section 2.10.6).
    const result = await first.catch((error: unknown) => storeFailure(error, 'cannot store the message'));
    if (result.kind === 'failed' && mailbox.toUpperCase() !== 'INBOX') {
      this.#o.effects.step(action.origin, `not stored in ${mailbox}: ${result.text}`);
      return this.#keepOnDisk(action, 'INBOX', flags);
    }
    if (result.kind === 'failed') this.#failed(action, simpleAnswer(result.isTemporary ? 'deferred' : 'failed', result.code, result.enhanced, result.text));
    return this.#stored(action, Promise.resolve(result));
  }

  #store(action: Extract<Action, { kind: 'store' }>): Promise<ActAnswer> {
    const path = this.#path(action.path);
    const mask = action.umask ?? DEFAULT_UMASK;
    const isProcmail = this.#o.language === 'procmail';
    // Procmail's mark of new mail, for those whose umask permits it: executable for others.
    const mode = (isProcmail ? 0o667 : 0o666) & ~mask;
    const write = async (hasLock: boolean): Promise<StoreResult> => {
      const pieces = this.#storePieces(action);
      if (action.format === 'mbox' || action.format === 'file') {
        const host = this.#lockedHost(path);
        if (action.format === 'file') return writeMbox(host, path, pieces, { mode, hasLock });
        if (!isProcmail) return deliverToMbox(host, path, pieces, { mode, hasLock });
        // Its recipes name the lock files they want.
        const result = await writeMbox(host, path, action.isRaw ? pieces : mboxMessage(pieces, NOTHING, false), { mode, hasLock: true });
        if (result.kind === 'stored' && (mode & 0o001) !== 0) this.#guarded(() => markNew(path), undefined);
        return result;
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
      this.#locks.during(lockFile, () => write(lockFile === `${path}.lock` || this.#locks.hasDot(`${path}.lock`))),
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
    return this.#locks.hasKernel(path) ? { ...this.#o, kernelLocks: NO_KERNEL_LOCKS } : this.#o;
  }

  #fromLine(pieces: readonly Uint8Array[]): Uint8Array {
    return startsWithFrom(pieces) ? NOTHING : fromLine(this.#o.envelopeSender, this.#o.at);
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
      if (result.isTemporary) effects.passing ??= simpleAnswer('deferred', result.code, result.enhanced, result.text);
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
    const result = await this.#locks.during(lockFile, () =>
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
    const located = language === 'sieve' ? this.#located(command) : command;
    if (located === null) return { ...NOTHING_RAN, startError: 'ENOENT' };
    const limit = this.#o.configuration.commandTimeLimitMs;
    const log = language === 'procmail' ? environment['LOGFILE'] : undefined;
    const errors = log ? this.#guarded(() => openLog(this.#path(log)), null) : null;
    try {
      const options = {
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
      };
      if (this.#isEachItsOwn && located.kind === 'shell') return await runLine(located.line, options);
      return await runProgram({ ...options, command: located });
    } finally {
      if (errors !== null) closeSync(errors);
    }
  }

  /** Sieve's programs are those of the administrator's folder, by their names alone. */
  #located(command: Command): Command | null {
    const folder = this.#o.configuration.sieve['sieve.programDirectory'];
    if (command.kind === 'shell' || folder === '') return null;
    const [name = '', ...rest] = command.argv;
    return name === '' || name.includes('/') || name.includes('\0') ? null : { kind: 'argv', argv: [join(folder, name), ...rest] };
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

const SCRIPT_BYTES_MAX = 1024 * 1024;

type Where = Pick<Extract<Action, { kind: 'fileInto' }>, 'flags' | 'isCreated' | 'specialUse' | 'mailboxId'>;

export function endOf(result: ProgramAnswer, command: string): ReturnType<typeof answerOfExit> {
  if (result.startError !== null) {
    // A program that is not there, too: it is more likely to be installed than the message is to blame.
    return simpleAnswer('deferred', 451, '4.3.0', `the program could not be started (${result.startError}): "${command.slice(0, 200)}"`);
  }
  return answerOfExit({ exit: result.exit, signal: result.signal, isTimedOut: result.isTimedOut, text: result.text, command });
}
