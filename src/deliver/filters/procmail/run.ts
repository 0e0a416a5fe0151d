/** One run of procmail's language over one message: statements in order, blocks, includes, copies of the run, and the end. */
import { posix } from 'node:path';
import { ask, type Command, type FilterEnd, type FilterInput, type FilterRequest, type FilterRun, type Origin, type RunAnswer } from '../filter.ts';
import { evaluateConditions, rereadCondition } from './conditions.ts';
import { deliver, deliverByDefault } from './deliver.ts';
import { Environment, readBoolean, toBytes, toUnicode } from './environment.ts';
import { type Expansion, expandText, expandWords } from './expand.ts';
import { PROCMAIL_LIMITS } from './limits.ts';
import { Message } from './message.ts';
import { parseProcmail } from './parse.ts';
import type { Condition, ProcmailScript, Program, Recipe } from './script.ts';
import type { Word } from './word.ts';

type Steps<T> = Generator<FilterRequest, T, unknown>;

export interface ProcmailContext {
  /** /etc/procmailrc first, then ~/.procmailrc. Give them parsed where they are kept. */
  readonly rcFiles: readonly (ProcmailScript | { readonly path: string; readonly text: string | Uint8Array })[];
  /**
   * LOGNAME, HOME, SHELL, PATH, ORGMAIL, DEFAULT, HOST, MAILDIR … as they are at the start. What procmail presets and is not given
   * here (SHELLMETAS, SHELLFLAGS, LOCKEXT, MSGPREFIX, SENDMAIL, SENDMAILFLAGS, LINEBUF, PROCMAIL_VERSION …) is added.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** $1, $2 … */
  readonly arguments: readonly string[];
  /** "From sender date" for mbox files and programs, with or without its line end; '' when there is none. */
  readonly fromLine: string;
  /** Delivering to this path is `keep`: where the user's INBOX is not the file that ORGMAIL names. */
  readonly inbox?: string | null;
  /** What `$$` says. */
  readonly processId?: number;
  /** Gets the variables as they are at the end, for people who try a script. */
  readonly variables?: Record<string, string>;
}

/** Where a run stands in a file. */
interface Frame {
  readonly script: ProcmailScript;
  next: number;
  readonly blocks: { readonly lastHeld: boolean; readonly previousHeld: boolean }[];
}

/** What procmail sets at the start by itself. */
export const PRESETS: readonly (readonly [string, string])[] = [
  ['SHELLMETAS', '&|<>~;?*['],
  ['SHELLFLAGS', '-c'],
  ['LOCKEXT', '.lock'],
  ['MSGPREFIX', 'msg.'],
  ['SENDMAIL', '/usr/sbin/sendmail'],
  ['SENDMAILFLAGS', '-oi'],
  ['LINEBUF', '2048'],
  ['COMSAT', 'no'],
  ['PROCMAIL_VERSION', '3.23pre'],
];

/** EX_CANTCREAT: nothing could take the message. */
const CANNOT_CREATE = 73;
/** `$` conditions as they read after their expansion, by what they expanded to. */
const reread = new Map<string, Condition>();

/** What all copies of a run share: so that copies of copies come to an end. */
interface Shared {
  steps: number;
  clones: number;
  files: number;
}

/**
 * Runs the files over the message. The driver executes actions as they come; their answers decide about the next recipe. Ends 'done' with
 * the exit code procmail would have: 0 delivered, 73 nothing could take it, or what EXITCODE and TRAP say; 'failed' at a limit.
 */
export function runProcmail(context: ProcmailContext, input: FilterInput): FilterRun {
  const environment = new Environment(PRESETS);
  for (const [name, value] of Object.entries(context.environment)) environment.set(name, toBytes(value));
  const scripts = context.rcFiles.map((file) => ('statements' in file ? file : parseProcmail(file.text, file.path)));
  const run = new Run(context, input, scripts, environment, Message.of(input, context.fromLine), { steps: 0, clones: 0, files: 0 });
  return context.variables === undefined ? run.start() : tellingVariables(run, context.variables);
}

function* tellingVariables(run: Run, variables: Record<string, string>): FilterRun {
  const end = yield* run.start();
  Object.assign(variables, run.environment.toRecord());
  return end;
}

export class Run implements Expansion {
  readonly context: ProcmailContext;
  readonly input: FilterInput;
  readonly environment: Environment;
  private scripts: readonly ProcmailScript[];
  private readonly shared: Shared;
  message: Message;
  arguments: readonly string[];
  score = 0;
  overflows = 0;
  lastExit = 0;
  lastFolder = '';
  /** Bytes of the last delivery, for the abstract. */
  lastSize = 0;
  hasDelivered = false;
  directory: string;
  umask: number | null = null;
  private frames: Frame[] = [];
  private lastHeld = false;
  private previousHeld = false;
  private isSucceeding = false;
  private globalLock: string | null = null;
  private readonly pending: string[] = [];
  private isVerbose = false;
  private line = 0;
  isSendmailTheirs = false;

  constructor(context: ProcmailContext, input: FilterInput, scripts: readonly ProcmailScript[], environment: Environment, message: Message, shared: Shared) {
    this.context = context;
    this.input = input;
    this.scripts = scripts;
    this.environment = environment;
    this.message = message;
    this.shared = shared;
    this.arguments = context.arguments.map(toBytes);
    this.directory = posix.resolve('/', environment.get('HOME') ?? '/', environment.get('MAILDIR') ?? '.');
    this.isVerbose = environment.boolean('VERBOSE', false);
  }

  // ── Expansion ──

  get lineBytesMax(): number {
    return this.environment.lineBytesMax;
  }

  overflow(): void {
    this.overflows += 1;
    this.markOverflow('Exceeded LINEBUF');
  }

  private markOverflow(problem: string): void {
    this.complain(problem);
    this.environment.set('PROCMAIL_OVERFLOW', 'yes');
  }

  value(name: string): string | undefined {
    const c = name.charCodeAt(0);
    if (c >= 0x30 && c <= 0x39) return name === '0' ? 'procmail' : this.arguments[Number(name) - 1];
    switch (name) {
      case '$':
        return String(this.context.processId ?? 0);
      case '#':
        return String(this.arguments.length);
      case '?':
        return String(this.lastExit);
      case '=':
        return String(this.score);
      case '-':
        return this.lastFolder;
      case '_':
        return this.frames.at(-1)?.script.file ?? '';
      default:
        return this.environment.get(name);
    }
  }

  *output(line: string, words: readonly Word[]): Steps<string> {
    const answer = yield* this.program({ line, words }, this.message.forProgram('both', false), this.lineBytesMax);
    if (answer === null) return '';
    if (answer.isTruncated || answer.output.length > this.lineBytesMax) this.markOverflow(`Excessive output quenched from "${line.trim()}"`);
    let end = Math.min(answer.output.length, this.lineBytesMax);
    while (end > 0 && answer.output[end - 1] === 10) end -= 1;
    return Buffer.from(answer.output.buffer, answer.output.byteOffset, end).toString('latin1');
  }

  // ── Programs, files, the log ──

  get origin(): Origin {
    return { file: this.frames.at(-1)?.script.file ?? 'procmail', line: this.line };
  }

  /** The command with a shell where its line has one of SHELLMETAS; null when there is none, or it does not fit LINEBUF. */
  *command(program: Program): Steps<{ readonly command: Command; readonly shown: string } | null> {
    const metas = this.environment.get('SHELLMETAS') ?? '';
    for (const c of program.line)
      if (metas.includes(c)) {
        const shell = this.environment.get('SHELL');
        return {
          command: {
            kind: 'shell',
            line: toUnicode(program.line),
            shell: shell === undefined ? null : toUnicode(shell),
            shellFlags: toUnicode(this.environment.get('SHELLFLAGS') ?? '-c'),
          },
          shown: program.line,
        };
      }
    const overflowsBefore = this.overflows;
    const argv = yield* expandWords(program.words, this);
    if (this.overflows !== overflowsBefore || argv.length === 0) return null;
    // "$@" is not shown: the abstract and LASTFOLDER have an empty word in its place.
    const shown = program.words.some((word) => word.some((part) => part.kind === 'arguments')) ? yield* expandWords(program.words, this, false) : argv;
    return { command: { kind: 'argv', argv: argv.map(toUnicode) }, shown: shown.join(' ') };
  }

  /** Starts a program and waits. Null when there is nothing to start. */
  *program(program: Program, input: Buffer, outputMax: number): Steps<RunAnswer | null> {
    const ready = yield* this.command(program);
    if (ready === null) return null;
    this.verbose(`Executing "${ready.shown}"`);
    yield* this.flush();
    const answer = yield* ask({
      kind: 'run',
      origin: this.origin,
      command: ready.command,
      input,
      wantsOutput: outputMax > 0,
      outputMax,
      environment: this.environment.toRecord(),
      timeoutMs: this.environment.timeoutMs,
      umask: this.umask,
    });
    this.lastExit = answer.exit ?? (answer.signal === null ? 127 : -1);
    return answer;
  }

  /** A `?` condition: the exit code; -1 when it did not end by itself. */
  *condition(program: Program, input: Buffer, line: number): Steps<number> {
    this.line = line;
    const ended = input.length > 0 && input.subarray(-2).toString('latin1') === '\n\n' ? input : Buffer.concat([input, Buffer.from('\n')]);
    const answer = yield* this.program(program, ended, 0);
    return answer === null ? 1 : (answer.exit ?? (answer.signal === null ? 127 : -1));
  }

  complain(text: string): void {
    this.pending.push(`procmail: ${text}\n`);
  }

  verbose(text: string): void {
    if (this.isVerbose) this.pending.push(`procmail: ${text}\n`);
  }

  say(text: string): void {
    this.pending.push(text);
  }

  *flush(): Steps<void> {
    if (this.pending.length === 0) return;
    const text = this.pending.splice(0).join('');
    const file = this.environment.get('LOGFILE');
    yield* ask({ kind: 'log', file: file === undefined || file === '' ? null : toUnicode(file), text: toUnicode(text) });
  }

  *lock(path: string): Steps<boolean> {
    this.verbose(`Locking "${path}"`);
    yield* this.flush();
    const sleepSeconds = Math.max(this.environment.number('LOCKSLEEP', 8), 0);
    const staleSeconds = Math.max(this.environment.number('LOCKTIMEOUT', 1024), 0);
    const isHeld = yield* ask({ kind: 'lock', path: toUnicode(path), style: 'dot', sleepSeconds, staleSeconds });
    if (!isHeld) this.complain(`Lock failure on "${path}"`);
    return isHeld;
  }

  *unlock(path: string): Steps<void> {
    this.verbose(`Unlocking "${path}"`);
    yield* ask({ kind: 'unlock', path: toUnicode(path) });
  }

  /** `$` conditions mostly expand to what they were for the message before. */
  reread(text: string, isCaseSensitive: boolean, from: Condition & { kind: 'expanded' }): Condition {
    const key = `${isCaseSensitive ? 'D' : 'i'}${from.isNegated ? '!' : ' '}${JSON.stringify([from.weight, from.area])}${text}`;
    const known = reread.get(key);
    if (known !== undefined) return known;
    const condition = rereadCondition(text, isCaseSensitive, from);
    if (reread.size >= PROCMAIL_LIMITS.expressionsKept) reread.clear();
    reread.set(key, condition);
    return condition;
  }

  // ── The run ──

  *start(): FilterRun {
    yield* ask({ kind: 'chdir', path: toUnicode(this.directory) });
    for (let left = this.scripts; left.length > 0; left = left.slice(1)) {
      this.frames = [{ script: left[0]!, next: 0, blocks: [] }];
      this.scripts = left.slice(1);
      const end = yield* this.statements();
      if (end !== null) return end;
      // With HOST set to another machine the last file ends the run without a delivery, as if there had been one.
      if (this.isElsewhere && left.length === 1) return yield* this.finish(0);
      this.isElsewhere = false;
    }
    return yield* this.fallOff();
  }

  private isElsewhere = false;

  /** Null: the end of the file was reached. */
  private *statements(): Steps<FilterEnd | null> {
    while (this.frames.length > 0) {
      const frame = this.frames.at(-1)!;
      const statement = frame.script.statements[frame.next];
      if (statement === undefined) {
        this.frames.pop();
        continue;
      }
      frame.next += 1;
      this.shared.steps += 1;
      if (this.shared.steps > PROCMAIL_LIMITS.steps) return yield* this.give(`The run did not end after ${PROCMAIL_LIMITS.steps} statements`);
      if (statement.kind === 'end') {
        const outer = frame.blocks.pop();
        if (outer !== undefined) {
          this.lastHeld = outer.lastHeld;
          this.previousHeld = outer.previousHeld;
        }
      } else if (statement.kind === 'complaint') this.complain(statement.text);
      else if (statement.kind === 'assign') {
        this.line = statement.line;
        const end = yield* this.assign(statement.name, statement.value);
        if (end !== null) return end;
      } else {
        const end = yield* this.recipe(statement, frame);
        if (end !== null) return end;
      }
      if (this.pending.length > 0) yield* this.flush();
    }
    return null;
  }

  private *recipe(recipe: Recipe, frame: Frame): Steps<FilterEnd | null> {
    this.line = recipe.line;
    const { flags } = recipe;
    this.score = 0;
    const isChained = flags.has('A') || flags.has('a');
    let isDue = true;
    if (flags.has('A')) isDue = this.lastHeld;
    if (flags.has('a')) isDue = isDue && this.lastHeld && this.isSucceeding;
    if (flags.has('E')) isDue = isDue && !this.previousHeld;
    if (flags.has('e')) isDue = isDue && this.previousHeld && !this.isSucceeding;
    const holds = isDue && (yield* evaluateConditions(this, recipe));
    if (!isChained) this.lastHeld = holds;
    if (!this.previousHeld || !flags.has('E')) this.previousHeld = holds;
    if (recipe.action.kind === 'block') return yield* this.block(recipe, recipe.action.end, holds, frame);
    if (!holds) return null;
    this.line = recipe.actionLine;
    const done = yield* deliver(this, recipe);
    this.isSucceeding = done !== 'failed';
    if (done !== 'delivered' || flags.has('c')) return null;
    return yield* this.finish(0);
  }

  private *block(recipe: Recipe, end: number, holds: boolean, frame: Frame): Steps<FilterEnd | null> {
    if (!holds) {
      frame.next = end;
      return null;
    }
    const lock = recipe.lock === undefined ? null : recipe.lock === null ? this.environment.lockExtension : yield* expandText(recipe.lock, this);
    if (!recipe.flags.has('c')) {
      frame.blocks.push({ lastHeld: this.lastHeld, previousHeld: this.previousHeld });
      this.isSucceeding = true;
      return null;
    }
    const isLocked = lock !== null && (yield* this.lock(lock));
    const exit = yield* this.clone();
    if (isLocked) yield* this.unlock(lock!);
    if (exit === null) return yield* this.give(`More than ${PROCMAIL_LIMITS.clones} copies of the run`);
    this.isSucceeding = exit === 0 || !(recipe.flags.has('w') || recipe.flags.has('W'));
    if (!this.isSucceeding && !recipe.flags.has('W')) this.complain(`Program failure (${exit}) of "procmail"`);
    frame.next = end;
    return null;
  }

  /** A copy goes through the block and on to the end, then this run goes on behind the block. Null: too many. */
  private *clone(): Steps<number | null> {
    this.shared.clones += 1;
    if (this.shared.clones > PROCMAIL_LIMITS.clones) return null;
    const copy = new Run(this.context, this.input, this.scripts, this.environment.copy(), this.message, this.shared);
    copy.frames = this.frames.map((one) => ({ script: one.script, next: one.next, blocks: one.blocks.slice() }));
    copy.frames.at(-1)!.blocks.push({ lastHeld: this.lastHeld, previousHeld: this.previousHeld });
    copy.arguments = this.arguments;
    copy.score = this.score;
    copy.directory = this.directory;
    copy.umask = this.umask;
    copy.lastFolder = this.lastFolder;
    copy.lastHeld = this.lastHeld;
    copy.previousHeld = this.previousHeld;
    copy.isSucceeding = true;
    copy.isVerbose = this.isVerbose;
    copy.isSendmailTheirs = this.isSendmailTheirs;
    const end = yield* copy.toTheEnd();
    if (copy.directory !== this.directory) yield* ask({ kind: 'chdir', path: toUnicode(this.directory) });
    return end.kind === 'done' ? (end.exitCode ?? 0) : 1;
  }

  private *toTheEnd(): Steps<FilterEnd> {
    const end = yield* this.statements();
    if (end !== null) return end;
    if (this.isElsewhere) return yield* this.finish(0);
    return yield* this.fallOff();
  }

  /** No recipe took it: DEFAULT, then ORGMAIL. */
  private *fallOff(): Steps<FilterEnd> {
    this.line = 0;
    const isDone = yield* deliverByDefault(this);
    if (!isDone) {
      this.hasDelivered = false;
      this.lastFolder = readBoolean(this.environment.get('DELIVERED') ?? 'no', false) ? '**Lost**' : '**Bounced**';
      this.lastSize = this.message.size;
    }
    return yield* this.finish(isDone ? 0 : CANNOT_CREATE);
  }

  /** Abstract, global lock, TRAP, EXITCODE. */
  private *finish(code: number): Steps<FilterEnd> {
    let exitCode = code;
    const wanted = this.environment.get('LOGABSTRACT');
    const isEach = wanted?.trim().toLowerCase().startsWith('a') === true;
    if (isEach ? !this.hasDelivered : readBoolean(wanted ?? 'yes', true)) this.abstract();
    if (this.globalLock !== null) yield* this.unlock(this.globalLock);
    this.globalLock = null;
    if (exitCode !== 0 && readBoolean(this.environment.get('DELIVERED') ?? 'no', false)) exitCode = 0;
    const given = this.environment.get('EXITCODE');
    const forced = given === undefined ? null : /^\s*\+?\d+/.exec(given);
    if (forced !== null) exitCode = Number(forced[0]) & 0xff;
    const trap = this.environment.get('TRAP');
    if (trap !== undefined && trap.trim() !== '') {
      if (given === undefined) this.environment.set('EXITCODE', String(exitCode));
      const answer = yield* this.program(parseProgram(trap), this.message.forProgram('both', false), this.lineBytesMax);
      if (answer !== null && answer.output.length > 0) this.say(Buffer.from(answer.output).toString('latin1'));
      if (given === '' && answer !== null) exitCode = answer.exit ?? 1;
    }
    yield* this.flush();
    return { kind: 'done', exitCode };
  }

  private *give(text: string): Steps<FilterEnd> {
    this.complain(text);
    yield* this.flush();
    return { kind: 'failed', problem: { ...this.origin, text } };
  }

  /** "From …", " Subject: …", "  Folder: …" and the size, in columns. */
  abstract(): void {
    const header = this.message.header.toString('latin1');
    if (header.startsWith('From ')) this.say(`${header.slice(0, header.indexOf('\n')).slice(0, 78)}\n`);
    const subject = /^subject:.*$/im.exec(header);
    if (subject !== null) this.say(` ${subject[0].slice(0, 78)}\n`);
    let folder = `  Folder: ${this.lastFolder.replace(/[\t\n]/g, ' ').slice(0, 60)}`;
    const tabs = Math.max(1, Math.ceil((72 - folder.length) / 8));
    folder += '\t'.repeat(tabs);
    this.say(`${folder}${String(this.lastSize).padStart(7)}\n`);
  }

  // ── Assignments that do something ──

  private *assign(name: string, word: Word | null): Steps<FilterEnd | null> {
    const overflowsBefore = this.overflows;
    const value = word === null ? null : yield* expandText(word, this);
    if (this.overflows !== overflowsBefore) {
      // The manual says that the file is given up; the program goes on without the assignment.
      this.environment.set(name, '');
      return null;
    }
    yield* this.set(name, value);
    return null;
  }

  *set(name: string, value: string | null): Steps<void> {
    this.verbose(value === null ? `Assigning "${name}"` : `Assigning "${name}=${value}"`);
    if (name === 'LOGFILE') yield* this.flush();
    this.environment.set(name, value);
    switch (name) {
      case 'LOG':
        if (value !== null) this.say(value);
        return;
      case 'VERBOSE':
        this.isVerbose = readBoolean(value ?? 'no', this.isVerbose);
        return;
      case 'SENDMAIL':
        this.isSendmailTheirs = value !== null;
        return;
      case 'LASTFOLDER':
        this.lastFolder = value ?? '';
        return;
      case 'UMASK':
        this.umask = value === null ? null : Number.parseInt(/^\s*[0-7]+/.exec(value)?.[0] ?? '0', 8) & 0o777;
        return;
      case 'MAILDIR':
        return yield* this.moveTo(value ?? '');
      case 'HOST':
        if (value !== null && value !== '' && value !== toBytes(this.hostname)) {
          this.verbose(`HOST mismatched "${this.hostname}"`);
          this.isElsewhere = true;
          this.frames = [];
        }
        return;
      case 'SHIFT': {
        const count = value === null ? 0 : Number.parseInt(value, 10);
        if (count > 0) this.arguments = this.arguments.slice(count);
        return;
      }
      case 'LOCKFILE':
        if (this.globalLock !== null) yield* this.unlock(this.globalLock);
        this.globalLock = value !== null && value !== '' && (yield* this.lock(value)) ? value : null;
        return;
      case 'INCLUDERC':
        if (value !== null && value !== '') yield* this.include(value);
        return;
      case 'SWITCHRC':
        if (value === null || value === '') this.frames.pop();
        else yield* this.switchTo(value);
        return;
      default:
    }
  }

  private get hostname(): string {
    return this.context.environment['HOST'] ?? this.input.hostname;
  }

  private *moveTo(value: string): Steps<void> {
    const target = posix.resolve(this.directory, value === '' ? '.' : value);
    if (yield* ask({ kind: 'chdir', path: toUnicode(target) })) {
      this.directory = target;
      return;
    }
    this.complain(`Couldn't chdir to "${value}"`);
    this.environment.set('MAILDIR', '.');
  }

  private *readFile(path: string): Steps<ProcmailScript | null> {
    this.shared.files += 1;
    if (path !== '/dev/null' && this.shared.files <= PROCMAIL_LIMITS.filesOpened && this.frames.length < PROCMAIL_LIMITS.includeDepth) {
      const bytes = yield* ask({ kind: 'file', path: toUnicode(path), bytesMax: PROCMAIL_LIMITS.fileBytes });
      if (bytes !== null && bytes !== 'unsafe') return parseProcmail(bytes, path);
    } else if (path === '/dev/null') return { file: path, statements: [], problems: [] };
    this.complain(`Couldn't read "${path}"`);
    return null;
  }

  private *include(path: string): Steps<void> {
    const script = yield* this.readFile(path);
    if (script !== null) this.frames.push({ script, next: 0, blocks: [] });
  }

  private *switchTo(path: string): Steps<void> {
    const script = yield* this.readFile(path);
    if (script === null) return;
    this.frames.pop();
    this.frames.push({ script, next: 0, blocks: [] });
  }
}

function parseProgram(line: string): Program {
  const script = parseProcmail(Buffer.from(`:0\n|${line.replace(/\n/g, ' ')}\n`, 'latin1'), 'TRAP');
  const first = script.statements.find((one) => one.kind === 'recipe');
  return first?.kind === 'recipe' && first.action.kind === 'pipe' ? first.action.program : { line, words: [] };
}
