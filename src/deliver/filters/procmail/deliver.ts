/** What a recipe's action line does: folders, programs, filters, captures, forwards; and the end of the file. */
import type { Address } from '../../../ports.ts';
import { parseMailbox } from '../../../mail/address.ts';
import { type Action, type ActAnswer, ask, type FilterRequest, type MessageVersion } from '../filter.ts';
import { toUnicode } from './environment.ts';
import { expandText, expandWords } from './expand.ts';
import { PROCMAIL_LIMITS } from './limits.ts';
import { asBuffer, ended, isEnded, Message, mboxGrowth, type Part } from './message.ts';
import type { Run } from './run.ts';
import type { Program, Recipe } from './script.ts';

type Steps<T> = Generator<FilterRequest, T, unknown>;
/** 'done': succeeded, and the run goes on in any case. */
export type Delivery = 'delivered' | 'done' | 'failed';

export function* deliver(run: Run, recipe: Recipe): Steps<Delivery> {
  const { action } = recipe;
  const overflowsBefore = run.overflows;
  switch (action.kind) {
    case 'folder': {
      const names = yield* expandWords(action.words, run);
      if (run.overflows !== overflowsBefore) return 'failed';
      return yield* locked(
        run,
        recipe,
        () => lockOfFolder(run, names),
        () => folder(run, names, recipe.flags),
      );
    }
    case 'pipe': {
      const isFilter = recipe.flags.has('f');
      return yield* locked(
        run,
        recipe,
        () => lockOfProgram(run, action.program),
        () => (isFilter ? filter(run, action.program, recipe) : pipe(run, action.program, recipe)),
      );
    }
    case 'capture':
      return yield* locked(
        run,
        recipe,
        () => lockOfProgram(run, action.program),
        () => capture(run, action.variable, action.program, recipe),
      );
    case 'forward': {
      const words = yield* expandWords(action.words, run);
      if (run.overflows !== overflowsBefore) return 'failed';
      const shown = action.words.some((word) => word.some((part) => part.kind === 'arguments')) ? yield* expandWords(action.words, run, false) : words;
      return yield* locked(
        run,
        recipe,
        () => run.environment.lockExtension,
        () => forward(run, words, shown, recipe),
      );
    }
    case 'block':
      return 'done';
  }
}

/** DEFAULT, and ORGMAIL where that fails; each with its lockfile. */
export function* deliverByDefault(run: Run): Steps<boolean> {
  const tried = new Set<string>();
  for (const name of ['DEFAULT', 'ORGMAIL']) {
    const path = run.value(name) ?? (name === 'DEFAULT' ? run.value('ORGMAIL') : undefined);
    if (path === undefined || path === '' || tried.has(path)) continue;
    tried.add(path);
    if (path === run.context.inbox) {
      if (yield* keep(run, true)) return true;
      continue;
    }
    const lock = lockOfFolder(run, [path]);
    const isLocked = lock !== null && (yield* run.lock(lock));
    const outcome = yield* folder(run, [path], new Set());
    if (isLocked) yield* run.unlock(lock!);
    if (outcome === 'delivered') return true;
  }
  return tried.size === 0 && (yield* keep(run, true));
}

function* locked(run: Run, recipe: Recipe, name: () => string | null, work: () => Steps<Delivery>): Steps<Delivery> {
  if (recipe.lock === undefined) return yield* work();
  const path = recipe.lock === null ? name() : yield* expandText(recipe.lock, run);
  if (path === null || path === '') return yield* work();
  // Procmail goes on without the lock when it cannot be had.
  const isHeld = yield* run.lock(path);
  const outcome = yield* work();
  if (isHeld) yield* run.unlock(path);
  return outcome;
}

function lockOfFolder(run: Run, names: readonly string[]): string | null {
  const name = names[0] ?? '';
  return name === '' || name === '/dev/null' || name === run.context.inbox ? null : `${name}${run.environment.lockExtension}`;
}

/** Named after the file that the program's output is appended to. */
function lockOfProgram(run: Run, program: Program): string {
  const at = program.line.indexOf('>>');
  const target = at === -1 ? null : /^[ \t]*(?:"([^"$`]*)"|'([^']*)'|([^\s;&|()"'<>]+))/.exec(program.line.slice(at + 2));
  const path = target === null ? undefined : (target[1] ?? target[2] ?? target[3]);
  if (path === undefined) {
    run.complain(`Couldn't determine implicit lockfile from "${program.line.trim()}"`);
    return run.environment.lockExtension;
  }
  const expanded = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced?: string, plain?: string) => run.value(braced ?? plain ?? '') ?? '');
  return `${expanded}${run.environment.lockExtension}`;
}

/** `h` and `b`: both when neither or both are given. */
function partOf(flags: ReadonlySet<string>): Part {
  if (flags.has('h') === flags.has('b')) return 'both';
  return flags.has('h') ? 'header' : 'body';
}

/** Executes a delivering action and keeps the books: LASTFOLDER, the abstract. */
function* act(run: Run, action: Action, shown: string, size: number): Steps<ActAnswer> {
  yield* run.flush();
  setLastFolder(run, shown);
  const answer = yield* ask({ kind: 'act', action });
  if (answer.isDone) delivered(run, answer.stored === undefined ? shown : shownPath(run, answer.stored), size);
  return answer;
}

function setLastFolder(run: Run, shown: string): void {
  run.lastFolder = shown;
  run.environment.set('LASTFOLDER', shown);
}

function delivered(run: Run, shown: string, size: number): void {
  setLastFolder(run, shown);
  run.verbose(`Assigning "LASTFOLDER=${shown}"`);
  run.lastSize = size;
  run.hasDelivered = true;
  if (run.environment.get('LOGABSTRACT')?.trim().toLowerCase().startsWith('a') === true) run.abstract();
}

function shownPath(run: Run, stored: string): string {
  const prefix = run.directory.endsWith('/') ? run.directory : `${run.directory}/`;
  return stored.startsWith(prefix) ? stored.slice(prefix.length) : stored;
}

function* keep(run: Run, isImplicit: boolean): Steps<boolean> {
  const answer = yield* act(
    run,
    { kind: 'keep', flags: null, isImplicit, origin: run.origin, message: run.message.version() },
    run.context.inbox ?? 'INBOX',
    run.message.size,
  );
  return answer.isDone;
}

type FolderFormat = 'mbox' | 'maildir' | 'mh' | 'directory';

function* folder(run: Run, names: readonly string[], flags: ReadonlySet<string>): Steps<Delivery> {
  const name = names[0] ?? '';
  if (name === '') {
    run.complain('Error while writing to ""');
    return 'failed';
  }
  const part = partOf(flags);
  const isRaw = flags.has('r');
  if (name === '/dev/null') {
    // Thrown away on purpose; a copy of it is nothing at all.
    if (!flags.has('c')) yield* ask({ kind: 'act', action: { kind: 'discard', origin: run.origin, message: null } });
    delivered(run, name, run.message.part(part).length);
    return 'delivered';
  }
  if (name === run.context.inbox) return (yield* keep(run, false)) ? 'delivered' : 'failed';
  const format = formatByName(name) ?? ((yield* ask({ kind: 'stat', path: toUnicode(name) })) === 'directory' ? 'directory' : 'mbox');
  const links: { path: string; format: Exclude<FolderFormat, 'mbox'> }[] = [];
  if (format === 'mbox') {
    for (const extra of names.slice(1)) run.complain(`Skipped "${extra}"`);
  } else
    for (const extra of names.slice(1)) {
      const known = formatByName(extra);
      links.push({ path: toUnicode(plainPath(extra)), format: known ?? 'directory' });
    }
  const bytes = run.message.part(part);
  const answer = yield* act(
    run,
    {
      kind: 'store',
      path: toUnicode(plainPath(name)),
      format,
      links,
      lockFile: null,
      isRaw,
      part,
      umask: run.umask,
      origin: run.origin,
      message: run.message.isChanged && run.message.fromLine === '' ? run.message.version() : run.message.isChanged ? run.message.versionWithFrom() : null,
    },
    name,
    storedSize(run, bytes, format, part, isRaw),
  );
  if (answer.isDone) return 'delivered';
  run.complain(`Error while writing to "${name}"`);
  return 'failed';
}

/** Bytes that end up in the folder, as the abstract shows them. */
function storedSize(run: Run, bytes: Buffer, format: FolderFormat, part: Part, isRaw: boolean): number {
  if (format === 'maildir') return part === 'body' ? bytes.length : bytes.length - run.message.fromLine.length;
  const size = bytes.length + (isRaw || isEnded(bytes) ? 0 : 1);
  return format === 'mbox' && !isRaw ? size + mboxGrowth(bytes) : size;
}

function formatByName(name: string): Exclude<FolderFormat, 'mbox'> | null {
  if (name.endsWith('/.')) return 'mh';
  return name.endsWith('/') ? 'maildir' : null;
}

function plainPath(name: string): string {
  if (name.endsWith('/.')) return name.slice(0, -2) || '/';
  return name.endsWith('/') ? name.replace(/\/+$/, '') || '/' : name;
}

function* pipe(run: Run, program: Program, recipe: Recipe): Steps<Delivery> {
  const { flags } = recipe;
  // A pipe sign alone is standard output, which nobody reads here: a program that reads all and writes nothing that is kept.
  const ready = program.line.trim() === '' ? ({ command: { kind: 'argv', argv: ['cat'] }, shown: '' } as const) : yield* run.command(program);
  if (ready === null) return 'failed';
  const part = partOf(flags);
  const waits = flags.has('w') || flags.has('W');
  run.verbose(`Executing "${ready.shown}"`);
  const answer = yield* act(
    run,
    {
      kind: 'pipe',
      command: ready.command,
      part,
      environment: run.environment.toRecord(),
      waits,
      timeoutMs: run.environment.timeoutMs,
      lockFile: null,
      isRaw: flags.has('r'),
      umask: run.umask,
      origin: run.origin,
      message: run.message.versionWithFrom(),
    },
    ready.shown,
    run.message.forProgram(part, flags.has('r')).length,
  );
  if (answer.isDone) return 'delivered';
  if (!flags.has('W')) run.complain(failureText(answer.exit ?? null, ready.shown));
  return 'failed';
}

function failureText(exit: number | null, shown: string): string {
  return exit === null ? `Failed to execute "${shown}"` : `Program failure (${exit}) of "${shown}"`;
}

function* filter(run: Run, program: Program, recipe: Recipe): Steps<Delivery> {
  const { flags } = recipe;
  const part = partOf(flags);
  const before = run.message;
  const answer = yield* run.program(program, before.forProgram(part, flags.has('r')), PROCMAIL_LIMITS.filterBytes);
  if (answer === null) return 'failed';
  const waits = flags.has('w') || flags.has('W');
  const isStarted = answer.exit !== null || answer.signal !== null;
  const isGood = isStarted && !answer.isTimedOut && !answer.isTruncated && (answer.exit === 0 || !waits) && (flags.has('i') || !answer.isInputRefused);
  if (!isGood) {
    if (!flags.has('W')) run.complain(failureText(answer.exit, program.line.trim()));
    run.complain('Rescue of unfiltered data succeeded');
    return 'failed';
  }
  const output = asBuffer(answer.output);
  const whole = part === 'both' ? output : part === 'header' ? Buffer.concat([output, before.body]) : Buffer.concat([before.header, output]);
  run.message = Message.parse(whole);
  return 'done';
}

function* capture(run: Run, variable: string, program: Program, recipe: Recipe): Steps<Delivery> {
  const { flags } = recipe;
  const answer = yield* run.program(program, run.message.forProgram(partOf(flags), flags.has('r')), run.lineBytesMax);
  if (answer === null) return 'failed';
  if (answer.isTruncated) run.overflow();
  const bytes = asBuffer(answer.output);
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, run.lineBytesMax));
  const waits = flags.has('w') || flags.has('W');
  if (answer.exit === 0 || (!waits && answer.exit !== null)) {
    yield* run.set(variable, text.endsWith('\n') ? text.slice(0, -1) : text);
    return 'done';
  }
  if (!flags.has('W')) run.complain(failureText(answer.exit, program.line.trim()));
  return 'failed';
}

/** To other addresses: one redirect each; with options or a SENDMAIL of the user's own that program is started. */
function* forward(run: Run, words: readonly string[], shownWords: readonly string[], recipe: Recipe): Steps<Delivery> {
  const sendmail = run.value('SENDMAIL') ?? '';
  const sendmailFlags = (run.value('SENDMAILFLAGS') ?? '').split(/[ \t\n]+/).filter((word) => word !== '');
  const argv = [sendmail, ...sendmailFlags, ...words];
  const shown = [sendmail, ...sendmailFlags, ...shownWords].join(' ');
  const part = partOf(recipe.flags);
  const size = withoutFrom(run, part, recipe.flags.has('r')).length;
  const wanted = run.isSendmailTheirs ? null : addresses(run, [...sendmailFlags, ...words]);
  if (wanted !== null) {
    const message = part === 'both' ? run.message.version() : partVersion(withoutFrom(run, part, true));
    for (const address of wanted.to) {
      yield* run.flush();
      const answer = yield* ask({ kind: 'act', action: { kind: 'redirect', address, sender: wanted.sender, dsn: null, origin: run.origin, message } });
      setLastFolder(run, shown);
      if (!answer.isDone) {
        run.complain(`Program failure (${answer.exit ?? 75}) of "${shown}"`);
        return 'failed';
      }
    }
    delivered(run, shown, size);
    return 'delivered';
  }
  const answer = yield* act(
    run,
    {
      kind: 'pipe',
      command: { kind: 'argv', argv: argv.map(toUnicode) },
      part,
      environment: run.environment.toRecord(),
      waits: recipe.flags.has('w') || recipe.flags.has('W'),
      timeoutMs: run.environment.timeoutMs,
      lockFile: null,
      isRaw: recipe.flags.has('r'),
      umask: run.umask,
      origin: run.origin,
      message: run.message.version() ?? { header: run.message.header.subarray(run.message.fromLine.length), body: null },
    },
    shown,
    size,
  );
  if (answer.isDone) return 'delivered';
  if (!recipe.flags.has('W')) run.complain(failureText(answer.exit ?? null, shown));
  return 'failed';
}

function withoutFrom(run: Run, part: Part, isRaw: boolean): Buffer {
  const bytes = run.message.part(part);
  const rest = part === 'body' ? bytes : bytes.subarray(run.message.fromLine.length);
  return isRaw ? rest : ended(rest);
}

function partVersion(bytes: Buffer): MessageVersion {
  const parsed = Message.parse(bytes);
  return { header: parsed.header, body: parsed.body };
}

/** The recipients in sendmail's arguments; null when they ask for what only that program can do. */
function addresses(run: Run, words: readonly string[]): { readonly to: readonly Address[]; readonly sender: Address | null } | null {
  const to: Address[] = [];
  let sender: Address | null = null;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '-oi' || word === '-i' || word === '-bm' || word === '--' || word === '-oem' || word === '-odb') continue;
    if (word === '-f' || word === '-r') {
      at += 1;
      sender = address(run, words[at] ?? '');
      if (sender === null) return null;
    } else if (word.startsWith('-f')) {
      sender = address(run, word.slice(2));
      if (sender === null) return null;
    } else if (word.startsWith('-')) return null;
    else
      for (const one of word.split(',')) {
        if (one.trim() === '') continue;
        const read = address(run, one.trim());
        if (read === null) return null;
        to.push(read);
      }
  }
  return to.length === 0 ? null : { to, sender };
}

function address(run: Run, text: string): Address | null {
  const inner = toUnicode(text).replace(/^<(.*)>$/, '$1');
  return parseMailbox(inner) ?? parseMailbox(`${inner}@${run.input.domain || run.input.hostname}`);
}
