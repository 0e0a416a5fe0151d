/** What one run carries: variables, the message as it is now, how much it may still do. */
import type { Groups } from '../../../directory/tables/pattern/compile.ts';
import { formatAddress } from '../../../mail/address.ts';
import { type Answers, ask, type FilterInput, type FilterRequest } from '../filter.ts';
import { MaildropFailure, TEMPFAIL } from './errors.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import { MaildropMessage } from './message.ts';
import type { MaildropScript } from './script.ts';
import { fromUnicode, toUmask, toUnicode } from './values.ts';

/** What maildrop sets itself, unless the driver gives another value. */
/** What maildrop sets at the start by itself. */
export const DEFAULTS: readonly (readonly [string, string])[] = [
  ['LOCKEXT', '.lock'],
  ['LOCKSLEEP', '5'],
  ['LOCKTIMEOUT', '60'],
  ['LOCKREFRESH', '15'],
  ['UMASK', '077'],
  ['SENDMAIL', '/usr/sbin/sendmail -oi'],
  ['SHELL', '/bin/sh'],
];

export class RunState {
  readonly script: MaildropScript;
  readonly input: FilterInput;
  readonly variables = new Map<string, string>();
  message: MaildropMessage;
  /** File of the statement being carried out: an included one has its own name. */
  file: string;
  /** Of the statement being carried out; 0 at the end of the file. */
  line = 0;
  logFile: string | null = null;
  /** As the driver gave them. */
  readonly initialDefault: string;
  readonly initialSendmail: string;
  /** Lines for the log that wait until the run may ask again. */
  readonly #warnings: string[] = [];
  #steps = 0;

  constructor(script: MaildropScript, environment: Readonly<Record<string, string>>, input: FilterInput) {
    this.script = script;
    this.file = script.file;
    this.input = input;
    this.message = original(input);
    for (const [name, value] of DEFAULTS) this.variables.set(name, value);
    this.variables.set('HOSTNAME', fromUnicode(input.hostname));
    this.variables.set('LOGNAME', fromUnicode(input.user));
    if (input.home !== null) this.variables.set('HOME', fromUnicode(input.home));
    this.variables.set('FROM', input.envelope.sender === null ? '' : fromUnicode(formatAddress(input.envelope.sender)));
    for (const [name, value] of Object.entries(environment)) this.variables.set(fromUnicode(name), fromUnicode(value));
    this.initialDefault = this.get('DEFAULT');
    this.initialSendmail = this.get('SENDMAIL');
    this.variables.set('SIZE', String(input.size));
    this.variables.set('LINES', String(this.message.lines() - (this.message.size - input.size)));
  }

  get(name: string): string {
    return this.variables.get(name) ?? '';
  }

  /** After a filter program. */
  setSize(): void {
    this.variables.set('SIZE', String(this.message.size));
    this.variables.set('LINES', String(this.message.lines()));
  }

  /** MATCH and, for groups up to the last that took part, MATCH1...; others keep their value. */
  setMatch(groups: Groups): void {
    let last = groups.length - 1;
    while (last > 0 && groups[last] === undefined) last -= 1;
    this.variables.set('MATCH', fromUnicode(groups[0]!));
    for (let i = 1; i <= last; i += 1) this.variables.set(`MATCH${i}`, fromUnicode(groups[i] ?? ''));
  }

  /** What the statement being carried out, or the one at `line`, fails with. */
  failure(line: number, sentence: string, exitCode: number = TEMPFAIL): MaildropFailure {
    return new MaildropFailure(this.file, line, sentence, exitCode);
  }

  /** Counts what a run does, so that it has an end. Throws MaildropFailure. */
  step(line: number): void {
    this.#steps += 1;
    if (this.#steps > MAILDROP_LIMITS.steps) throw new MaildropFailure(this.file, line, 'the filter does not come to an end', TEMPFAIL, true);
  }

  bounded(value: string): string {
    if (value.length <= MAILDROP_LIMITS.valueChars) return value;
    throw new MaildropFailure(this.file, this.line, `a value is longer than ${MAILDROP_LIMITS.valueChars} bytes`, TEMPFAIL, true);
  }

  /** For the server's log; told when the statement is over. */
  warn(line: number, sentence: string): void {
    if (this.#warnings.length < 100) this.#warnings.push(`${this.file}(${line}): ${sentence}\n`);
  }

  *tellWarnings(): Generator<FilterRequest, void, unknown> {
    for (let text = this.#warnings.shift(); text !== undefined; text = this.#warnings.shift()) yield* ask({ kind: 'log', file: null, text });
  }

  get hasWarnings(): boolean {
    return this.#warnings.length > 0;
  }

  get umask(): number | null {
    return toUmask(this.get('UMASK'));
  }

  get shell(): string | null {
    const shell = this.get('SHELL');
    return shell === '' ? null : toUnicode(shell);
  }

  /** All variables, as programs get them. */
  environment(): Record<string, string> {
    const out: Record<string, string> = {};
    for (const [name, value] of this.variables) {
      if (name === '' || name.includes('=') || name.includes('\0')) continue;
      const end = value.indexOf('\0');
      out[toUnicode(name)] = toUnicode(end === -1 ? value : value.slice(0, end));
    }
    return out;
  }

  /** Runs a shell command and keeps its exit code in RETURNCODE. `outputMax` 0: its output is not wanted. */
  *run(line: string, input: Uint8Array | null, outputMax: number): Generator<FilterRequest, Answers['run'], unknown> {
    const answer = yield* ask({
      kind: 'run',
      origin: { file: this.file, line: this.line },
      command: { kind: 'shell', line: toUnicode(line), shell: this.shell },
      input,
      wantsOutput: outputMax > 0,
      outputMax,
      environment: this.environment(),
      timeoutMs: null,
      umask: this.umask,
    });
    this.variables.set('RETURNCODE', answer.exit === null ? KILLED : String(answer.exit));
    return answer;
  }
}

/** What maildrop has in RETURNCODE after a command that a signal ended: -1 without its sign. */
const KILLED = '18446744073709551615';

/** maildrop ends a last line that has no line end. */
function original(input: FilterInput): MaildropMessage {
  const body = input.body ?? new Uint8Array(0);
  const last = body.length > 0 ? body.at(-1) : input.header.at(-1);
  if (last === 10 || last === undefined) return new MaildropMessage(input.header, body, true);
  if (body.length === 0) return new MaildropMessage(Buffer.concat([input.header, LINE_END]), body, false);
  return new MaildropMessage(input.header, Buffer.concat([body, LINE_END]), false);
}
const LINE_END = Uint8Array.of(10);
