/**
 * Syntax to steps. Everything that can be known before a message comes is checked here: words, arguments, what must be required,
 * where elsif and require may stand; the rest of each word's checks is in its own compile function.
 */
import type { FilterProblem } from '../filter.ts';
import { type Bound, Call, CompileProblem, type CompileContext } from './call.ts';
import { PROBLEMS_MAX, type SieveLimits } from './limits.ts';
import type { ArgumentType, CommandSpec, SieveExtensions, Step, TagSpec, TestSpec } from './registry.ts';
import type { Flow, Run } from './run.ts';
import type { SieveScript } from './script.ts';
import { type Branch, choose, constantTest, sequence } from './steps.ts';
import { type Argument, parseSieve, type StringLiteral, type SyntaxNode } from './syntax.ts';
import { decodeEncodedCharacters, type Text, templateText, textsOf, VARIABLE_NAME, type VariableReference } from './text.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface CompileOptions {
  /** As problems and origins name the script: "sieve:main". */
  readonly file: string;
  readonly extensions: SieveExtensions;
  readonly limits: SieveLimits;
}

export type Compiled = { readonly script: SieveScript } | { readonly problems: readonly FilterProblem[] };

export function compileWith(vocabulary: Vocabulary, text: string, options: CompileOptions): Compiled {
  const { file, limits } = options;
  if (Buffer.byteLength(text) > limits.scriptBytes) return { problems: [{ file, line: 0, text: `the script has more than ${limits.scriptBytes} octets` }] };
  const parsed = parseSieve(text, file, limits);
  if ('problem' in parsed) return { problems: [parsed.problem] };
  return new Compiler(vocabulary, options).script(parsed.commands);
}

const TYPE_WORDS: Readonly<Record<ArgumentType, string>> = { string: 'a text', strings: 'a text or a list of texts', number: 'a number' };

class Compiler implements CompileContext {
  readonly file: string;
  readonly limits: SieveLimits;
  readonly extensions: SieveExtensions;
  readonly loops: (string | null)[] = [];
  readonly notes = new Map<string, unknown>();
  readonly vocabulary: Vocabulary;
  readonly #problems: FilterProblem[] = [];
  readonly #on = new Set<string>();
  readonly #slots = new Map<string, number>();
  readonly #globals = new Set<string>();
  readonly #names = { reference: (name: string): VariableReference | string => this.#reference(name) };

  constructor(vocabulary: Vocabulary, options: CompileOptions) {
    this.vocabulary = vocabulary;
    this.file = options.file;
    this.extensions = options.extensions;
    this.limits = options.limits;
  }

  script(commands: readonly SyntaxNode[]): Compiled {
    let first = 0;
    while (first < commands.length && commands[first]!.name === 'require') {
      this.#guard(() => this.#require(commands[first]!));
      first += 1;
    }
    const body = this.#block(commands.slice(first));
    if (this.#problems.length > 0) return { problems: this.#problems };
    return {
      script: { file: this.file, body, variables: [...this.#slots.keys()], required: this.#on, extensions: this.extensions, limits: this.limits },
    };
  }

  // ── What a script requires ─────────────────────────────────────────────────────────────────────────

  isOn(extension: string): boolean {
    return this.#on.has(extension);
  }

  isAvailable(extension: string): boolean {
    return this.vocabulary.isAvailable(extension, this.extensions);
  }

  require(extension: string): void {
    for (const name of this.vocabulary.closure(extension)) this.#on.add(name);
  }

  #require(node: SyntaxNode): void {
    const argument = node.arguments[0];
    if (node.arguments.length !== 1 || argument === undefined || (argument.kind !== 'string' && argument.kind !== 'strings')) {
      throw new CompileProblem(node.line, 'require takes a text or a list of texts');
    }
    if (node.tests.length > 0 || node.block !== null) throw new CompileProblem(node.line, 'require takes no tests and no block');
    for (const { value, line } of literals(argument)) {
      if (this.isAvailable(value)) this.require(value);
      else this.#note(line, `the extension "${shorten(value)}" is not supported here`);
    }
  }

  // ── Commands ───────────────────────────────────────────────────────────────────────────────────────

  #note(line: number, text: string): void {
    if (this.#problems.length < PROBLEMS_MAX) this.#problems.push({ file: this.file, line, text });
  }

  /** Notes a problem and goes on; what failed gives undefined. */
  #guard<T>(compile: () => T): T | undefined {
    try {
      return compile();
    } catch (error) {
      if (!(error instanceof CompileProblem)) throw error;
      this.#note(error.line, error.message);
      return undefined;
    }
  }

  #block(nodes: readonly SyntaxNode[]): Step<Flow> {
    const steps: Step<Flow>[] = [];
    // Once there are as many problems as are told, no more are looked for.
    for (let at = 0; at < nodes.length && this.#problems.length < PROBLEMS_MAX; at += 1) {
      const node = nodes[at]!;
      if (node.name === 'if') {
        let end = at + 1;
        while (end < nodes.length && (nodes[end]!.name === 'elsif' || nodes[end]!.name === 'else')) end += 1;
        steps.push(this.#if(nodes.slice(at, end)));
        at = end - 1;
        continue;
      }
      const step = this.#guard(() => this.#command(node));
      if (step !== undefined) steps.push(step);
    }
    return sequence(steps);
  }

  #if(nodes: readonly SyntaxNode[]): Step<Flow> {
    const branches: Branch[] = [];
    let isDecided = false;
    let hasElse = false;
    for (const node of nodes) {
      this.#guard(() => {
        if (hasElse) throw new CompileProblem(node.line, `${node.name} after else`);
        if (node.arguments.length > 0) throw new CompileProblem(node.arguments[0]!.line, `${node.name} takes no arguments`);
        const wanted = node.name === 'else' ? 0 : 1;
        if (node.tests.length !== wanted || node.hasTestList) {
          throw new CompileProblem(node.line, wanted === 0 ? 'else takes no test' : `${node.name} takes one test`);
        }
        if (node.block === null) throw new CompileProblem(node.line, `${node.name} needs a block`);
        if (node.name === 'else') hasElse = true;
        if (isDecided) return;
        const test = wanted === 0 ? null : this.#test(node.tests[0]!);
        if (test?.constant === false) return;
        // What stands in a branch that cannot be taken is not looked at: it may use what ihave did not find (RFC 5463 section 4).
        branches.push({ test: test?.constant === true ? null : test, block: this.#block(node.block), line: node.line });
        if (test === null || test.constant === true) isDecided = true;
      });
    }
    return branches.length === 0 ? sequence([]) : choose(branches);
  }

  #command(node: SyntaxNode): Step<Flow> {
    if (node.name === 'require') throw new CompileProblem(node.line, 'require must come before all other commands');
    if (node.name === 'elsif' || node.name === 'else') throw new CompileProblem(node.line, `${node.name} without an if before it`);
    const found = this.vocabulary.command(node.name);
    const spec = this.#usable(found, node, 'command');
    if (spec.hasBlock !== true && node.block !== null) throw new CompileProblem(node.line, `the command ${node.name} takes no block`);
    if (spec.hasBlock === true && node.block === null) throw new CompileProblem(node.line, `the command ${node.name} needs a block`);
    const step = spec.compile(this.#call(spec, node, false));
    const { line } = node;
    const { now } = step;
    if (now !== undefined) {
      return {
        now(run: Run) {
          run.line = line;
          run.charge(1);
          return now(run);
        },
      };
    }
    return {
      *ask(run) {
        run.line = line;
        run.charge(1);
        return yield* step.ask(run);
      },
    };
  }

  #usable<S>(found: readonly { readonly spec: S; readonly extension: string }[] | undefined, node: SyntaxNode, what: 'command' | 'test'): S {
    if (found === undefined) {
      const other = what === 'command' ? this.vocabulary.test(node.name) : this.vocabulary.command(node.name);
      throw new CompileProblem(
        node.line,
        `there is no ${what} "${shorten(node.name)}"${other === undefined ? '' : `; it is a ${what === 'command' ? 'test' : 'command'}`}`,
      );
    }
    const usable = found.find(({ extension }) => extension === '' || this.#on.has(extension));
    if (usable !== undefined) return usable.spec;
    throw new CompileProblem(node.line, `the ${what} "${node.name}" needs require "${found[0]!.extension}"`);
  }

  // ── Tests ──────────────────────────────────────────────────────────────────────────────────────────

  #test(node: SyntaxNode): Step<boolean> {
    const spec = this.#usable(this.vocabulary.test(node.name), node, 'test');
    return spec.compile(this.#call(spec, node, true));
  }

  /** The tests of allof and anyof, up to one that decides. */
  #tests(spec: CommandSpec | TestSpec, node: SyntaxNode): readonly Step<boolean>[] {
    const wanted = spec.tests ?? 'none';
    if (wanted === 'none' && (node.tests.length > 0 || node.hasTestList)) throw new CompileProblem(node.line, `${node.name} takes no tests`);
    if (wanted === 'one' && (node.tests.length !== 1 || node.hasTestList)) throw new CompileProblem(node.line, `${node.name} takes one test`);
    if (wanted === 'list' && !node.hasTestList) throw new CompileProblem(node.line, `${node.name} takes a list of tests in parentheses`);
    const steps: Step<boolean>[] = [];
    for (const test of node.tests) {
      const step = this.#guard(() => this.#test(test)) ?? UNKNOWN;
      steps.push(step);
      if (wanted === 'list' && step.constant !== undefined && step.constant === (node.name === 'anyof')) break;
    }
    return steps;
  }

  // ── Arguments ──────────────────────────────────────────────────────────────────────────────────────

  #call(spec: CommandSpec | TestSpec, node: SyntaxNode, isTest: boolean): Call {
    const bound = new Map<string, Bound>();
    const groups = new Map<string, string>();
    const positional: Argument[] = [];
    for (let at = 0; at < node.arguments.length; at += 1) {
      const argument = node.arguments[at]!;
      if (argument.kind !== 'tag') {
        positional.push(argument);
        continue;
      }
      if (positional.length > 0) throw new CompileProblem(argument.line, `the tag :${argument.name} must come before the positional arguments of ${node.name}`);
      const tag = this.#tag(spec, node.name, argument);
      const key = `:${tag.name}`;
      if (bound.has(key)) throw new CompileProblem(argument.line, `the tag ${key} is given twice`);
      if (tag.group !== undefined) {
        const other = groups.get(tag.group);
        if (other !== undefined) throw new CompileProblem(argument.line, `the tags ${other} and ${key} exclude each other`);
        groups.set(tag.group, key);
      }
      if (tag.argument === null) bound.set(key, { kind: 'flag', line: argument.line });
      else {
        at += 1;
        bound.set(key, this.#bind(tag.argument, node.arguments[at], tag.isConstant === true, key, argument.line));
      }
    }
    this.#bindPositional(spec, node, positional, bound);
    const tests = this.#tests(spec, node);
    const compileBlock = (): Step<Flow> => this.#block(node.block ?? []);
    return new Call({ name: node.name, line: node.line, context: this, tests, isTest, bound, compileBlock });
  }

  #tag(spec: CommandSpec | TestSpec, word: string, argument: Extract<Argument, { kind: 'tag' }>): TagSpec {
    const found = this.vocabulary.tag(spec, argument.name);
    if (found.length === 0) throw new CompileProblem(argument.line, `${word} knows no tag :${shorten(argument.name)}`);
    const usable = found.find(({ needs }) => needs === undefined || this.#on.has(needs));
    if (usable === undefined) throw new CompileProblem(argument.line, `the tag :${argument.name} needs require "${found[0]!.needs}"`);
    return usable;
  }

  #bindPositional(spec: CommandSpec | TestSpec, node: SyntaxNode, given: readonly Argument[], bound: Map<string, Bound>): void {
    const specs = spec.positional ?? [];
    const optional = specs.filter(({ isOptional }) => isOptional === true).length;
    if (given.length > specs.length || given.length < specs.length - optional) {
      const wanted = optional === 0 ? String(specs.length) : `${specs.length - optional} to ${specs.length}`;
      throw new CompileProblem(node.line, `${node.name} takes ${wanted} positional argument${wanted === '1' ? '' : 's'}, not ${given.length}`);
    }
    let missing = specs.length - given.length;
    let at = 0;
    for (const positional of specs) {
      if (positional.isOptional === true && missing > 0) {
        missing -= 1;
        continue;
      }
      bound.set(
        positional.name,
        this.#bind(positional.type, given[at], positional.isConstant === true, `argument ${positional.name} of ${node.name}`, node.line),
      );
      at += 1;
    }
  }

  #bind(type: ArgumentType, argument: Argument | undefined, isConstant: boolean, what: string, line: number): Bound {
    if (argument === undefined || argument.kind === 'tag') throw new CompileProblem(argument?.line ?? line, `${what} must be ${TYPE_WORDS[type]}`);
    if (type === 'number') {
      if (argument.kind !== 'number') throw new CompileProblem(argument.line, `${what} must be a number`);
      return { kind: 'number', value: argument.value, line: argument.line };
    }
    if (argument.kind === 'number' || (type === 'string' && argument.kind === 'strings')) {
      throw new CompileProblem(argument.line, `${what} must be ${TYPE_WORDS[type]}`);
    }
    const texts = literals(argument).map((literal) => this.#text(literal));
    if (isConstant && texts.some((text) => text.constant === null)) throw new CompileProblem(argument.line, `${what} may not hold variables`);
    if (type === 'string') return { kind: 'string', text: texts[0]!, line: argument.line };
    return { kind: 'strings', texts: textsOf(texts, argument.line), line: argument.line };
  }

  #text({ value, line }: StringLiteral): Text {
    let source = value;
    if (this.#on.has('encoded-character')) {
      const decoded = decodeEncodedCharacters(source);
      if ('problem' in decoded) throw new CompileProblem(line, decoded.problem);
      source = decoded.text;
    }
    if (!this.#on.has('variables')) return { constant: source, line, value: () => source };
    const text = templateText(source, line, this.#names);
    if (typeof text === 'string') throw new CompileProblem(line, text);
    return text;
  }

  // ── Variables ──────────────────────────────────────────────────────────────────────────────────────

  #reference(name: string): VariableReference | string {
    const dot = name.indexOf('.');
    if (dot !== -1) {
      const namespace = name.slice(0, dot);
      if (namespace === 'global' && this.#on.has('include')) return { kind: 'global', name: name.slice(dot + 1) };
      const computed = this.vocabulary.namespace(namespace, (extension) => this.#on.has(extension));
      if (computed !== null) return { kind: 'computed', value: (run) => computed(run, name.slice(dot + 1)) };
      return `there is no variable namespace "${shorten(namespace)}"`;
    }
    if (this.#globals.has(name)) return { kind: 'global', name };
    let slot = this.#slots.get(name);
    if (slot === undefined) {
      if (this.#slots.size >= this.limits.variables) return `the script has more than ${this.limits.variables} variables`;
      slot = this.#slots.size;
      this.#slots.set(name, slot);
    }
    return { kind: 'slot', slot };
  }

  variable(name: string, line: number): VariableReference {
    if (!VARIABLE_NAME.test(name)) throw new CompileProblem(line, `"${shorten(name)}" is no name of a variable`);
    const reference = this.#reference(name.toLowerCase());
    if (typeof reference === 'string') throw new CompileProblem(line, reference);
    if (reference.kind === 'computed') throw new CompileProblem(line, `the variable "${shorten(name)}" cannot be set`);
    return reference;
  }

  declareGlobal(name: string, line: number): void {
    if (!VARIABLE_NAME.test(name) || name.includes('.')) throw new CompileProblem(line, `"${shorten(name)}" is no name of a variable`);
    const key = name.toLowerCase();
    if (this.#slots.has(key)) throw new CompileProblem(line, `the variable "${shorten(name)}" is used before it is declared global`);
    if (this.#globals.size >= this.limits.variables) throw new CompileProblem(line, `the script has more than ${this.limits.variables} variables`);
    this.#globals.add(key);
  }
}

/** Stands for a test that has a problem: neither true nor false, so that what is beside it is compiled. */
const UNKNOWN: Step<boolean> = { now: constantTest(false).now! };

function literals(argument: Argument): readonly StringLiteral[] {
  if (argument.kind === 'string') return [{ value: argument.value, line: argument.line }];
  return argument.kind === 'strings' ? argument.items : [];
}

/** Words of the script in a message, never longer than a line. */
function shorten(text: string): string {
  const clean = text.replace(/[\x00-\x1f\x7f]/g, '?');
  return clean.length > 60 ? `${clean.slice(0, 60)}…` : clean;
}
