/** `.qmail` as a run, by the rules of qmail-local: one line after the other, and all forwards together at the end. */
import { parseDomain } from '../../../mail/address.ts';
import type { Address } from '../../../ports.ts';
import { type Action, ask, type FilterInput, type FilterRequest, type FilterRun, type MessageVersion, type Origin } from '../filter.ts';
import { type Builtin, builtinName, parseBuiltin, PROGRAM_DIRECTORIES, type ShellWord } from './builtins.ts';
import { deliveredToLine, qmailEnvironment, senderText } from './environment.ts';

export interface QmailFile {
  /** Below the home directory: ".qmail-list". */
  readonly name: string;
  readonly text: string;
  /** The file's x bit: it may only forward. */
  readonly isForwardOnly: boolean;
  readonly defaultPart: string | null;
}

export interface QmailContext {
  /** As addressed, extension included, and its domain: "user-ext", "example.org". */
  readonly local: string;
  readonly host: string;
  /** '' for none. */
  readonly extension: string;
  /** What an address without a file, and an empty file, mean: the text of a .qmail file ("./Maildir/"); null: the server's own mailbox. */
  readonly defaultDelivery: string | null;
}

export const QMAIL_LIMITS = { /** Of one file. */ lines: 10_000, forwards: 10_000, outputBytes: 4096 } as const;

/** `file` null: there is none for this address. */
export function runQmail(file: QmailFile | null, context: QmailContext, input: FilterInput): FilterRun {
  return new Qmail(file, context, input).run();
}

/** How the run ends before its last line. */
type Stop = { readonly kind: 'defer' | 'reject'; readonly text: string; readonly code?: string };

class Qmail {
  readonly #file: QmailFile | null;
  readonly #context: QmailContext;
  readonly #input: FilterInput;
  readonly #forwards: { readonly address: Address; readonly origin: Origin }[] = [];
  #isForwardOnly: boolean;
  #environment: Readonly<Record<string, string>> = {};
  #sender: NewSender = { kind: 'same' };
  #is99 = false;
  #hasActed = false;

  constructor(file: QmailFile | null, context: QmailContext, input: FilterInput) {
    this.#file = file;
    this.#context = context;
    this.#input = input;
    this.#isForwardOnly = file?.isForwardOnly ?? false;
  }

  *run(): FilterRun {
    const stop = yield* this.#lines();
    if (stop === null) {
      for (const { address, origin } of this.#forwards) yield* this.#act(this.#redirect(address, origin));
      // A file of comments is how mail is thrown away.
      if (!this.#hasActed) yield* act({ kind: 'discard', origin: { file: `~/${this.#file?.name ?? '.qmail'}`, line: 0 }, message: null });
    } else {
      const base = { origin: stop.origin, message: null };
      if (stop.stop.kind === 'defer') yield* act({ kind: 'defer', text: stop.stop.text, ...base });
      else yield* act({ kind: 'reject', text: stop.stop.text, variant: 'ereject', ...(stop.stop.code === undefined ? {} : { code: stop.stop.code }), ...base });
    }
    return { kind: 'done', exitCode: null };
  }

  *#lines(): Generator<FilterRequest, { stop: Stop; origin: Origin } | null, unknown> {
    const { local, host, extension } = this.#context;
    const name = `~/${this.#file?.name ?? '.qmail'}`;
    const whole: Origin = { file: name, line: 0 };
    if (hasLine(this.#input.header, deliveredToLine(local, host)))
      return { stop: { kind: 'reject', text: 'this message is looping: it has my Delivered-To line already', code: '5.4.6' }, origin: whole };
    if (this.#file === null && extension !== '')
      return { stop: { kind: 'reject', text: 'there is no mailbox of that name here', code: '5.1.1' }, origin: whole };
    this.#sender = yield* this.#newSender();
    const newSender = this.#sender.kind === 'same' ? senderText(this.#input) : this.#sender.text;
    this.#environment = qmailEnvironment(this.#input, { local, host, extension, defaultPart: this.#file?.defaultPart ?? null, newSender });
    let text = this.#file?.text ?? '';
    if (text === '') {
      if (this.#context.defaultDelivery === null) {
        yield* this.#act({ kind: 'keep', flags: null, isImplicit: true, origin: whole, message: null });
        return null;
      }
      text = this.#context.defaultDelivery;
      this.#isForwardOnly = false;
    }
    let line = 0;
    for (let at = 0; at < text.length && !this.#is99; ) {
      const newline = text.indexOf('\n', at);
      const end = newline === -1 ? text.length : newline;
      line += 1;
      const origin = { file: name, line };
      if (line > QMAIL_LIMITS.lines) return { stop: { kind: 'defer', text: `the file has more than ${QMAIL_LIMITS.lines} lines` }, origin };
      const stop = yield* this.#line(trimmed(text, at, end), origin);
      if (stop !== null) return { stop, origin };
      at = end + 1;
    }
    return null;
  }

  *#line(line: string, origin: Origin): Generator<FilterRequest, Stop | null, unknown> {
    switch (line[0]) {
      case undefined:
        return origin.line === 1 ? { kind: 'defer', text: 'the first line of the .qmail file is blank (#4.2.1)' } : null;
      case '#':
        return null;
      case '.':
      case '/':
        if (this.#isForwardOnly) return { kind: 'defer', text: 'the .qmail file delivers to a file, but its x bit is set (#4.7.0)' };
        return yield* this.#store(line, origin);
      case '|':
        if (this.#isForwardOnly) return { kind: 'defer', text: 'the .qmail file runs a program, but its x bit is set (#4.7.0)' };
        return yield* this.#program(line.slice(1), origin);
      case '+':
        if (line === '+list') this.#isForwardOnly = true;
        return null;
      case '&':
        return this.#forward(line.slice(1), origin);
      default:
        return this.#forward(line, origin);
    }
  }

  *#store(line: string, origin: Origin): Generator<FilterRequest, Stop | null, unknown> {
    const isMaildir = line.endsWith('/');
    const path = isMaildir ? line.replace(/(?<=.)\/+$/, '') : line;
    const base = { links: [], lockFile: null, isRaw: false, part: 'both', umask: null, origin, message: null } as const;
    const answer = yield* this.#act({ kind: 'store', path, format: isMaildir ? 'maildir' : 'mbox', ...base });
    return answer.isDone ? null : { kind: 'defer', text: answer.problem ?? `${path} cannot be written (#4.3.0)` };
  }

  /** Kept until the end: a file that fails further down must not have forwarded already. */
  #forward(text: string, origin: Origin): Stop | null {
    const address = forwardAddress(text, this.#context.host);
    if (address === null) return { kind: 'defer', text: `"${text.slice(0, 80)}" is no address to forward to` };
    if (this.#forwards.length >= QMAIL_LIMITS.forwards) return { kind: 'defer', text: `there are more than ${QMAIL_LIMITS.forwards} forwards` };
    this.#forwards.push({ address, origin });
    return null;
  }

  #redirect(address: Address, origin: Origin): Action {
    return { kind: 'redirect', address, sender: senderOf(this.#sender, address), dsn: null, origin, message: null };
  }

  *#program(line: string, origin: Origin): Generator<FilterRequest, Stop | null, unknown> {
    const name = builtinName(line);
    if (name !== null && !(yield* isInstalled(name))) {
      const builtin = parseBuiltin(line);
      if (builtin !== null) return yield* this.#builtin(builtin, origin);
    }
    return yield* this.#pipe(line, origin, null);
  }

  *#pipe(line: string, origin: Origin, message: MessageVersion): Generator<FilterRequest, Stop | null, unknown> {
    const answer = yield* this.#act({
      kind: 'pipe',
      command: { kind: 'shell', line, shell: '/bin/sh' },
      part: 'both',
      environment: this.#environment,
      waits: true,
      timeoutMs: null,
      lockFile: null,
      isRaw: true,
      umask: null,
      origin,
      message,
    });
    const exit = answer.exit ?? (answer.isDone ? 0 : null);
    if (exit === 99) this.#is99 = true;
    if (exit === 0 || exit === 99) return null;
    const text = answer.problem ?? (exit === null ? 'the program crashed' : `the program ended with status ${exit}`);
    return exit !== null && PERMANENT.has(exit) ? { kind: 'reject', text, code: '5.3.0' } : { kind: 'defer', text };
  }

  *#builtin(builtin: Builtin, origin: Origin): Generator<FilterRequest, Stop | null, unknown> {
    switch (builtin.kind) {
      case 'preline': {
        const { UFLINE, RPLINE, DTLINE } = this.#environment;
        const lines = Buffer.from(`${UFLINE}${RPLINE}${DTLINE}`);
        return yield* this.#pipe(builtin.program, origin, { header: Buffer.concat([lines, this.#input.header]), body: null });
      }
      case 'forward': {
        for (const word of builtin.addresses) {
          const stop = this.#forward(yield* this.#word(word, origin), origin);
          if (stop !== null) return stop;
        }
        return null;
      }
      case 'except':
      case 'bouncesaying':
      case 'condredirect':
        return yield* this.#condition(builtin, origin);
    }
  }

  /** A program that decides with 0, for now with 111; anything else means "no". */
  *#condition(builtin: Extract<Builtin, { kind: 'except' | 'bouncesaying' | 'condredirect' }>, origin: Origin): Generator<FilterRequest, Stop | null, unknown> {
    if (builtin.program !== null) {
      const body = this.#input.body ?? (yield* ask({ kind: 'bytes', from: this.#input.header.length, to: this.#input.size }));
      const answer = yield* ask({
        kind: 'run',
        origin,
        command: { kind: 'shell', line: builtin.program, shell: '/bin/sh' },
        input: Buffer.concat([this.#input.header, body]),
        wantsOutput: false,
        outputMax: 0,
        environment: this.#environment,
        timeoutMs: null,
        umask: null,
      });
      if (answer.exit === null || answer.exit === 111) return { kind: 'defer', text: `${builtin.kind}: the program cannot tell now` };
      if (answer.exit !== 0) return null;
    }
    if (builtin.kind === 'except') return { kind: 'reject', text: 'except: the program succeeded', code: '5.3.0' };
    if (builtin.kind === 'bouncesaying') return { kind: 'reject', text: yield* this.#word(builtin.text, origin), code: '5.7.1' };
    const stop = this.#forward(yield* this.#word(builtin.address, origin), origin);
    if (stop === null) this.#is99 = true;
    return stop;
  }

  /** What a word means to the shell. */
  *#word(word: ShellWord, origin: Origin): Generator<FilterRequest, string, unknown> {
    if (word.value !== null) return word.value;
    const answer = yield* ask({
      kind: 'run',
      origin,
      command: { kind: 'shell', line: `printf %s ${word.source}`, shell: '/bin/sh' },
      input: null,
      wantsOutput: true,
      outputMax: QMAIL_LIMITS.outputBytes,
      environment: this.#environment,
      timeoutMs: null,
      umask: null,
    });
    return Buffer.from(answer.output).toString('utf8');
  }

  *#act(action: Action) {
    this.#hasActed = true;
    return yield* act(action);
  }

  /** Reports about forwards go to the list's owner where `.qmail-list-owner` is there; each to its own address with `-owner-default` too. */
  *#newSender(): Generator<FilterRequest, NewSender, unknown> {
    if (this.#file === null || this.#input.envelope.sender === null) return { kind: 'same' };
    const { local, host } = this.#context;
    if ((yield* ask({ kind: 'stat', path: `${this.#file.name}-owner` })) === null) return { kind: 'same' };
    if ((yield* ask({ kind: 'stat', path: `${this.#file.name}-owner-default` })) === null)
      return { kind: 'owner', address: { local: `${local}-owner`, domain: host }, text: `${local}-owner@${host}` };
    return { kind: 'each', local: `${local}-owner-`, domain: host, text: `${local}-owner-@${host}-@[]` };
  }
}

type NewSender =
  | { readonly kind: 'same' }
  | { readonly kind: 'owner'; readonly address: Address; readonly text: string }
  | { readonly kind: 'each'; readonly local: string; readonly domain: string; readonly text: string };

function senderOf(sender: NewSender, recipient: Address): Address | null {
  if (sender.kind === 'same') return null;
  return sender.kind === 'owner' ? sender.address : { local: `${sender.local}${recipient.local}=${recipient.domain}`, domain: sender.domain };
}

/** Exit codes that end a delivery for good; any other than 0 and 99 is tried again. */
const PERMANENT: ReadonlySet<number> = new Set([100, 64, 65, 70, 76, 77, 78, 112]);

/** Longest local part of a forward; VERP and SRS write long ones. */
const LOCAL_CHARS = 240;

/** Forward lines have no quoting: what stands before the last "@" is the name as it is. */
function forwardAddress(text: string, host: string): Address | null {
  const bare = text.trim().replace(/^<(.*)>$/, '$1');
  const at = bare.lastIndexOf('@');
  const local = at === -1 ? bare : bare.slice(0, at);
  if (local === '' || local.length > LOCAL_CHARS || /[\x00-\x1f\x7f\ufffd]/.test(local)) return null;
  const domain = at === -1 ? host : parseDomain(bare.slice(at + 1), { utf8: true });
  return domain === null ? null : { local, domain };
}

function* isInstalled(name: string): Generator<FilterRequest, boolean, unknown> {
  for (const directory of PROGRAM_DIRECTORIES) if ((yield* ask({ kind: 'stat', path: `${directory}/${name}` })) === 'file') return true;
  return false;
}

function trimmed(text: string, from: number, to: number): string {
  let end = to;
  while (end > from && (text[end - 1] === ' ' || text[end - 1] === '\t' || text[end - 1] === '\r')) end -= 1;
  return text.slice(from, end);
}

/** Whether the header has this line, exactly. Line ends of the message may be CRLF. */
function hasLine(header: Uint8Array, line: string): boolean {
  const wanted = Buffer.from(line.slice(0, -1));
  const all = Buffer.from(header.buffer, header.byteOffset, header.length);
  for (let at = all.indexOf(wanted); at !== -1; at = all.indexOf(wanted, at + 1)) {
    const next = all[at + wanted.length];
    if ((at === 0 || all[at - 1] === 0x0a) && (next === 0x0a || next === 0x0d)) return true;
  }
  return false;
}

function* act(action: Action) {
  return yield* ask({ kind: 'act', action });
}
