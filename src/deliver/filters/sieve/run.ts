/** One run: what the steps of a script read and change while they go through a message. */
import { SieveFailure } from './failure.ts';
import type { FilterInput, FilterProblem, FilterRequest, Origin } from '../filter.ts';
import type { SieveLimits } from './limits.ts';
import { SieveMessage } from './message.ts';
import { Result } from './result.ts';
import type { SieveScript } from './script.ts';

/** What comes after a command: the next one (undefined), or out of the block. */
export type Flow = undefined | 'stop' | 'return' | { readonly kind: 'break' /** Of a named loop (RFC 5703 section 3.3). */; readonly name: string | null };

/** A computation that may ask the driver. */
export type Steps<T> = Generator<FilterRequest, T, unknown>;

/** What a delivery or an IMAP command started (RFC 6785). */
export type SieveCause =
  | { readonly kind: 'delivery' }
  | {
      readonly kind: 'imap';
      /** "APPEND", "COPY" or "FLAG". */
      readonly cause: 'APPEND' | 'COPY' | 'FLAG';
      /** Name of the mailbox, levels joined by "/". */
      readonly mailbox: string;
      /** Flags the message has now, as IMAP writes them. */
      readonly flags: readonly string[];
      readonly changedFlags: readonly string[];
      /** Address of the user who did it. */
      readonly email: string;
    };

/** Variables of one script that runs; an included script has its own (RFC 6609 section 3.4). */
export interface Scope {
  readonly script: SieveScript;
  readonly values: string[];
  /** ${0} and on, of the last match that succeeded. */
  matches: readonly string[];
}

const NO_MATCHES: readonly string[] = [];

export function newScope(script: SieveScript): Scope {
  return { script, values: new Array<string>(script.variables.length).fill(''), matches: NO_MATCHES };
}

/** The script `by` includes the one with this text. */
export type CompileIncluded = (
  text: string,
  file: string,
  by: SieveScript,
) => { readonly script: SieveScript } | { readonly problems: readonly FilterProblem[] };

export class Run {
  readonly input: FilterInput;
  readonly cause: SieveCause;
  readonly limits: SieveLimits;
  readonly message: SieveMessage;
  readonly result: Result;
  readonly globals = new Map<string, string>();
  /** The internal variable of imap4flags (RFC 5232 section 3.2). */
  flags: readonly string[] = [];
  scope: Scope;
  /** Scripts that were included so far, by location and name, and those that are running now. */
  readonly included = new Set<string>();
  readonly including: string[] = [];
  includeCount = 0;
  /** For extensions that keep something for the length of a run: by the extension's name. */
  readonly memory = new Map<string, unknown>();
  /** Line of the command that is being done. */
  line = 0;
  #steps = 0;

  /** Compiles a script that another one includes. */
  readonly compile: CompileIncluded;

  constructor(script: SieveScript, input: FilterInput, cause: SieveCause, limits: SieveLimits, compile: CompileIncluded) {
    this.compile = compile;
    this.input = input;
    this.cause = cause;
    this.limits = limits;
    this.message = new SieveMessage(input);
    // RFC 6785 section 3.3: at IMAP events fileinto makes another message, wherever it goes.
    this.result = new Result(limits, () => this.message.version(), cause.kind === 'imap' ? 'keep' : undefined);
    this.scope = newScope(script);
    if (cause.kind === 'imap') this.flags = cause.flags;
  }

  /** The next script of a chain begins: it knows the message, the flags and what was decided, but no variable of those before it. */
  nextScript(): void {
    this.result.nextScript();
    this.globals.clear();
    this.included.clear();
  }

  /** Counts work: characters looked at, commands done. Throws when the run has had its share. */
  charge(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.limits.steps) this.fail('the script takes too much processing time');
  }

  origin(line: number = this.line): Origin {
    return { file: this.scope.script.file, line };
  }

  fail(text: string, line: number = this.line): never {
    throw new SieveFailure(this.origin(line), text);
  }
}
