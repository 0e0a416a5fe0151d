/** One use of a command or test while it is compiled: its arguments, checked against its row, by name. */
import type { Step } from './registry.ts';
import type { Flow } from './run.ts';
import type { Text, Texts, VariableReference } from './text.ts';
import type { SieveExtensions } from './registry.ts';
import type { SieveLimits } from './limits.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A script that cannot be compiled; the compiler notes it and goes on with the next command. */
export class CompileProblem extends Error {
  readonly line: number;
  constructor(line: number, text: string) {
    super(text);
    this.line = line;
  }
}

export type Bound =
  | { readonly kind: 'flag'; readonly line: number }
  | { readonly kind: 'number'; readonly value: number; readonly line: number }
  | { readonly kind: 'string'; readonly text: Text; readonly line: number }
  | { readonly kind: 'strings'; readonly texts: Texts; readonly line: number };

/** What the compile functions of extensions may ask of the compiler. */
export interface CompileContext {
  readonly file: string;
  readonly limits: SieveLimits;
  readonly extensions: SieveExtensions;
  /** Names of the loops around (foreverypart), innermost last. */
  readonly loops: (string | null)[];
  /** Has the script required it? */
  isOn(extension: string): boolean;
  /** Can it be required here at all? */
  isAvailable(extension: string): boolean;
  /** Switches it on, as `require` would (ihave). */
  require(extension: string): void;
  /** The variable of that name, to be written to; throws a CompileProblem. */
  variable(name: string, line: number): VariableReference;
  /** Binds names to variables shared by all scripts of the run (RFC 6609 section 3.4.1). */
  declareGlobal(name: string, line: number): void;
  /** The words that are known (vocabulary.ts). */
  readonly vocabulary: Vocabulary;
  /** A place for a value shared by the extensions while one script is compiled. */
  readonly notes: Map<string, unknown>;
}

export class Call {
  readonly name: string;
  readonly line: number;
  readonly context: CompileContext;
  /** The tests given to it, compiled. */
  readonly tests: readonly Step<boolean>[];
  /** The call is a test, not a command. */
  readonly isTest: boolean;
  readonly #bound: ReadonlyMap<string, Bound>;
  readonly #compileBlock: () => Step<Flow>;

  constructor(o: {
    name: string;
    line: number;
    context: CompileContext;
    tests: readonly Step<boolean>[];
    isTest: boolean;
    bound: ReadonlyMap<string, Bound>;
    compileBlock: () => Step<Flow>;
  }) {
    this.name = o.name;
    this.line = o.line;
    this.context = o.context;
    this.tests = o.tests;
    this.isTest = o.isTest;
    this.#bound = o.bound;
    this.#compileBlock = o.compileBlock;
  }

  /** Tags are named with their colon (":copy"), positional arguments without. */
  has(name: string): boolean {
    return this.#bound.has(name);
  }

  /** The text of a 'string' argument; null when it was not given. */
  text(name: string): Text | null {
    const bound = this.#bound.get(name);
    return bound?.kind === 'string' ? bound.text : null;
  }
  /** Of one that must be there. */
  needText(name: string): Text {
    return this.text(name) ?? this.problem(`the argument ${name} is missing`);
  }

  texts(name: string): Texts | null {
    const bound = this.#bound.get(name);
    return bound?.kind === 'strings' ? bound.texts : null;
  }
  needTexts(name: string): Texts {
    return this.texts(name) ?? this.problem(`the argument ${name} is missing`);
  }

  number(name: string): number | null {
    const bound = this.#bound.get(name);
    return bound?.kind === 'number' ? bound.value : null;
  }

  /** Compiles the block in braces. What it may use (loops) must be set up before. */
  block(): Step<Flow> {
    return this.#compileBlock();
  }

  problem(text: string, line: number = this.line): never {
    throw new CompileProblem(line, text);
  }
}
