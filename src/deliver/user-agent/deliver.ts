/** One delivery as the user: what Postfix's local(8) and pipe(8) do after they have changed rights, in their order. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatAddress } from '../../mail/address.ts';
import { deliverMaildir } from '../agents/maildir.ts';
import { fromLine } from '../agents/mbox.ts';
import { errnoOf } from '../agents/result.ts';
import type { KernelLocks } from '../agents/kernel-lock.ts';
import type { FilterEnd, FilterInput, FilterLanguage, FilterProblem, FilterRun, Origin } from '../filters/filter.ts';
import { driveFilter } from './driver.ts';
import { Effects } from './effects.ts';
import { deliveryEnvironment } from './environment.ts';
import { answerOfExit } from './exit-codes.ts';
import { isDirectory } from './files.ts';
import { prepareFilter, prepareForward, prepareQmail, type Prepared, type PreparedFor } from './languages.ts';
import { deliverToMbox, isInStore, type MailboxHost, type SpoolWriter } from './mailbox.ts';
import { deliveredTo, type MessageForms, messageForms, traceLines } from './message.ts';
import { runLine, runProgram, type Sessions } from './program.ts';
import { type DeliveryAnswer, type DeliveryTask, type PipeJob, simpleAnswer, type SystemUser } from './types.ts';
import { endOf, UserHost } from './user-host.ts';

/** EX_CANTCREAT: how procmail ends when it has nowhere to put a message. */
const CANNOT_CREATE = 73;

export interface DeliveryPlace {
  readonly user: SystemUser;
  /** Nothing of the user's is read or run (a system account, or root's mail as the default user). */
  readonly isRestricted: boolean;
  readonly exported: Readonly<Record<string, string>>;
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  readonly sessions: Sessions;
  readonly spool: SpoolWriter;
}

/** `message` is the stored one, CRLF. Rejects only for bugs. */
export async function deliverTask(task: DeliveryTask, message: Uint8Array, place: DeliveryPlace): Promise<DeliveryAnswer> {
  const work = task.work;
  if (work.kind === 'pipe') return deliverPipe(task, work, message, place);
  const isQmail = work.kind === 'user' && task.configuration.style === 'qmail';
  // qmail-local writes the address as it was used, and no X-Original-To.
  const forms = messageForms(
    message,
    isQmail ? traceLines(task.sender, task.recipient, task.recipient, 'RD') : traceLines(task.sender, task.recipient, task.final),
  );
  const address = formatAddress(task.final).toLowerCase();
  if (deliveredTo(forms.crlf.header).includes(address)) return simpleAnswer('failed', 554, '5.4.6', `mail forwarding loop for ${address}`);
  const delivery = new Delivery(task, forms, place);
  if (work.kind === 'command') return delivery.command(work.command);
  if (work.kind === 'file') return delivery.file(work.path);
  const answer = await delivery.mailboxUser();
  return answer.forwards.length > 0 ? { ...answer, deliveredTo: formatAddress(task.final) } : answer;
}

class Delivery {
  readonly #task: DeliveryTask;
  readonly #forms: MessageForms;
  readonly #place: DeliveryPlace;
  readonly #effects = new Effects();
  readonly #isHome: boolean;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #mailbox: MailboxHost;

  constructor(task: DeliveryTask, forms: MessageForms, place: DeliveryPlace) {
    this.#task = task;
    this.#forms = forms;
    this.#place = place;
    this.#isHome = task.work.kind === 'user' && !place.isRestricted;
    this.#environment = deliveryEnvironment(task, place.user, this.#isHome, place.exported);
    this.#mailbox = {
      configuration: task.configuration,
      home: place.user.home,
      user: place.user.name,
      at: task.at,
      envelopeSender: task.sender === null ? null : formatAddress(task.sender),
      kernelLocks: place.kernelLocks,
      signal: place.signal,
      spool: place.spool,
    };
  }

  /** A program of an alias (local(8), EXTERNAL COMMAND DELIVERY). */
  async command(line: string): Promise<DeliveryAnswer> {
    const { header, body } = this.#forms.lf;
    const result = await runLine(line, {
      input: [fromLine(this.#mailbox.envelopeSender, this.#task.at), header, body],
      directory: this.#isHome && isDirectory(this.#place.user.home) ? this.#place.user.home : '/',
      environment: this.#environment,
      timeoutMs: this.#task.configuration.commandTimeLimitMs,
      outputMax: 0,
      umask: null,
      waits: true,
      signal: this.#place.signal,
      sessions: this.#place.sessions,
    });
    const end = endOf(result, line);
    const by = this.#task.work.kind === 'command' ? 'an alias' : 'mailboxCommand';
    this.#effects.step({ file: by, line: 0 }, `piped to ${line}: ${end.outcome === 'delivered' ? 'taken' : end.text}`);
    return this.#told(end);
  }

  /** A file or maildir of an alias (local(8), EXTERNAL FILE DELIVERY). */
  async file(path: string): Promise<DeliveryAnswer> {
    const { header, body } = this.#forms.lf;
    const target = resolve('/', path);
    const result = path.endsWith('/')
      ? deliverMaildir({ path: target, pieces: [header, body], at: this.#task.at, quota: null })
      : await deliverToMbox(this.#mailbox, target, [header, body], { refusesExecutable: true });
    const isStored = result.kind === 'stored';
    this.#effects.step({ file: 'an alias', line: 0 }, isStored ? `stored in ${result.path}` : `not stored: ${result.text}`);
    if (isStored) return this.#told(simpleAnswer('delivered', 250, '2.0.0', path.endsWith('/') ? 'delivered to maildir' : 'delivered to file'));
    return this.#told(simpleAnswer(result.isTemporary ? 'deferred' : 'failed', result.code, result.enhanced, result.text));
  }

  /** With what was done and found before. */
  #told(answer: DeliveryAnswer): DeliveryAnswer {
    const { steps, logged, problem } = this.#effects;
    return { ...answer, steps, logged, problem };
  }

  async mailboxUser(): Promise<DeliveryAnswer> {
    const { configuration } = this.#task;
    const { user, isRestricted } = this.#place;
    const isStore = isInStore(configuration);
    if (isRestricted) {
      if (!isStore && !configuration.mailbox.startsWith('/')) return simpleAnswer('failed', 550, '5.2.1', 'this system account takes no mail');
      return this.#toMailbox();
    }
    const home = statSync(user.home, { throwIfNoEntry: false });
    // A home directory on another machine that is away: its .forward may say something else than the mailbox.
    if (home === undefined || !home.isDirectory())
      return isStore || configuration.mailbox.startsWith('/')
        ? this.#toMailbox()
        : simpleAnswer('deferred', 451, '4.3.0', `the home directory of ${user.name} is not there`);
    if (!isDirectory(user.home)) return simpleAnswer('deferred', 451, '4.3.0', `the home directory of ${user.name} cannot be entered`);
    const isForwarded = await this.#forwardFile();
    if (isForwarded !== null) return isForwarded;
    if (configuration.mailboxCommand !== '') return this.command(configuration.mailboxCommand);
    const isFiltered = await this.#filterFile();
    return isFiltered ?? this.#toMailbox();
  }

  /** .forward or .qmail: null when there is none, or it is not to be trusted (Postfix passes it over then, and so do we). */
  #forwardFile(): Promise<DeliveryAnswer | null> {
    const isQmail = this.#task.configuration.style === 'qmail';
    const language = isQmail ? 'qmail' : 'forward';
    return this.#prepared(language, () => (isQmail ? prepareQmail : prepareForward)(this.#given(language)));
  }

  /** The first filter whose file is there sorts the message, the administrator's own after all of the user's; null when none is there. */
  async #filterFile(): Promise<DeliveryAnswer | null> {
    const names = this.#task.configuration.filters;
    for (const usesGlobal of [false, true])
      for (const name of names) {
        const answer = await this.#prepared(name, () => prepareFilter(name, this.#given(name), usesGlobal));
        if (answer !== null) return answer;
      }
    return null;
  }

  async #prepared(language: FilterLanguage, prepare: () => Prepared | null): Promise<DeliveryAnswer | null> {
    let prepared: Prepared | null;
    try {
      prepared = prepare();
    } catch (error) {
      // A disk that fails while the file is looked for: it may say something else than the mailbox.
      return simpleAnswer('deferred', 451, '4.3.0', `the ${language} file of ${this.#place.user.name} cannot be read: ${errnoOf(error) ?? String(error)}`);
    }
    if (prepared === null) return null;
    if (prepared.kind === 'defer') return simpleAnswer('deferred', 451, '4.3.0', prepared.text);
    if (prepared.kind === 'problem') {
      if (prepared.instead === 'mailbox') return this.#failedRun(prepared.problem, prepared.problem.file);
      this.#effects.problem ??= prepared.problem;
      return prepared.instead === 'defer'
        ? this.#told(simpleAnswer('deferred', 451, '4.3.0', `the ${language} file of ${this.#place.user.name} has mistakes`))
        : null;
    }
    this.#effects.problem ??= prepared.problem ?? null;
    const end = await this.#drive(prepared.run, language);
    if (end.kind === 'failed') return this.#failedRun(end.problem, end.problem.file || prepared.file);
    const effects = this.#effects;
    // Nothing could take the message: a full disk will have room again, and the sender cannot make any.
    if (end.exitCode === CANNOT_CREATE && effects.passing !== null) effects.fail(effects.passing);
    else if (end.exitCode !== null && end.exitCode !== 0)
      effects.fail(answerOfExit({ exit: end.exitCode, signal: null, isTimedOut: false, text: '', command: prepared.file }));
    // A script that came to its end without a word about the message: it must not be lost.
    else if (effects.isNothingDone) return this.#toMailbox({ file: prepared.file, line: 0 });
    return effects.answer();
  }

  async #drive(run: FilterRun, language: FilterLanguage): Promise<FilterEnd> {
    const host = this.#host(language, this.#place.user.home);
    let end: FilterEnd | null = null;
    try {
      end = await driveFilter(run, host, this.#place.signal);
      return end;
    } finally {
      await host.close(end?.kind === 'done');
    }
  }

  #host(language: FilterLanguage | 'mailbox', directory: string): UserHost {
    return new UserHost({
      ...this.#mailbox,
      uid: this.#place.user.uid,
      directory,
      environment: this.#environment,
      forms: this.#forms,
      language,
      effects: this.#effects,
      sessions: this.#place.sessions,
      storeMailboxes: this.#task.storeMailboxes ?? null,
    });
  }

  /** A script with mistakes: what it did stands, the message goes to the mailbox, and its owner is told. */
  #failedRun(problem: FilterProblem, file: string): Promise<DeliveryAnswer> {
    this.#effects.problem = { file, line: problem.line, text: problem.text };
    return this.#toMailbox({ file, line: problem.line });
  }

  async #toMailbox(origin: Origin = { file: 'local.mailbox', line: 0 }): Promise<DeliveryAnswer> {
    const host = this.#host('mailbox', '/');
    await host.answer({ kind: 'act', action: { kind: 'keep', origin, message: null, flags: null, isImplicit: true } });
    return this.#effects.answer();
  }

  #given(language: FilterLanguage): PreparedFor {
    const { task, user } = { task: this.#task, user: this.#place.user };
    const { crlf, lf, trace } = this.#forms;
    const header = language === 'sieve' ? crlf.header : language === 'forward' || language === 'qmail' ? lf.header.subarray(trace.length) : lf.header;
    const { body } = language === 'sieve' ? crlf : lf;
    const input: FilterInput = {
      header,
      body,
      size: header.length + body.length,
      envelope: {
        sender: task.sender,
        recipient: task.recipient,
        final: task.final,
        detail: task.detail,
        orcpt: task.orcpt,
        helo: task.helo,
        clientIp: task.clientIp,
        clientName: task.clientName,
        ...(task.dsn === undefined ? {} : { dsn: task.dsn }),
      },
      user: user.name,
      home: user.home,
      hostname: task.configuration.hostname,
      domain: task.configuration.domain,
      at: task.at,
      zoneMinutes: -new Date(task.at).getTimezoneOffset(),
      spam: task.spam,
      virus: task.virus,
    };
    return { task, user, input, environment: this.#environment };
  }
}

/** A pipe transport (pipe(8)): the program gets the message with what the flags add. */
async function deliverPipe(task: DeliveryTask, job: PipeJob, message: Uint8Array, place: DeliveryPlace): Promise<DeliveryAnswer> {
  if (job.sizeMax > 0 && message.length > job.sizeMax)
    return simpleAnswer('failed', 552, '5.2.3', `message size ${message.length} exceeds the limit of ${job.sizeMax} bytes of ${job.name}`);
  const forms = messageForms(message, traceLines(task.sender, task.recipient, task.final, job.flags, job.nullSender));
  if (job.flags.includes('D')) {
    const address = formatAddress(task.final).toLowerCase();
    if (deliveredTo(forms.crlf.header).includes(address)) return simpleAnswer('failed', 554, '5.4.6', `mail forwarding loop for ${address}`);
  }
  const from = job.flags.includes('F') ? fromLine(task.sender === null ? job.nullSender : formatAddress(task.sender), task.at) : Buffer.alloc(0);
  const result = await runProgram({
    command: { kind: 'argv', argv: job.argv },
    input: pipeInput(from, forms, job),
    directory: job.directory ?? '/',
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin', ...job.environment },
    timeoutMs: job.timeLimitMs,
    outputMax: 0,
    umask: null,
    waits: true,
    signal: place.signal,
    sessions: place.sessions,
  });
  const answer = endOf(result, job.argv[0] ?? '');
  return answer.outcome === 'delivered' ? { ...answer, text: answer.text.replace('delivered to command', `delivered via ${job.name} service`) } : answer;
}

function pipeInput(from: Buffer, forms: MessageForms, job: PipeJob): Uint8Array[] {
  const { header, body } = forms.lf;
  const pieces: Uint8Array[] = [from, header, body];
  const isQuoting = job.flags.includes('>');
  const isStuffing = job.flags.includes('.');
  const last = body.length > 0 ? body[body.length - 1] : header[header.length - 1];
  if (last !== 0x0a) pieces.push(Buffer.from('\n'));
  if (job.flags.includes('B')) pieces.push(Buffer.from('\n'));
  if (!isQuoting && !isStuffing && job.eol === '\n') return pieces;
  let text = Buffer.concat([header, ...pieces.slice(2)]).toString('latin1');
  if (isQuoting) text = text.replace(/(^|\n)From /g, '$1>From ');
  if (isStuffing) text = text.replace(/(^|\n)\./g, '$1..');
  text = from.toString('latin1') + text;
  return [Buffer.from(job.eol === '\r\n' ? text.replaceAll('\n', '\r\n') : text, 'latin1')];
}
