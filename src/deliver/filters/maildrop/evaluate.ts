/**
 * Expressions. What needs nothing from outside is evaluated in one go (`evaluate`); backquotes, `lookup` and gdbm ask the driver, and
 * only the branches of an expression that hold one of these are walked as a generator (`resolve`).
 */
import { type Groups, PatternProblem } from '../../../directory/tables/pattern/compile.ts';
import { ask, type FilterRequest } from '../filter.ts';
import { getAddresses } from './addresses.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import { compiled, type PatternCache, type Searcher } from './pattern.ts';
import type { Binary, Expression, FunctionName, Pattern } from './script.ts';
import type { RunState } from './state.ts';
import {
  compareTexts,
  escaped,
  fromBytes,
  fromNumber,
  fromUnicode,
  isTrue,
  substitute,
  toBits,
  toLower,
  toNumber,
  toUnicode,
  toUpper,
  truth,
} from './values.ts';

export type Asking<T> = Generator<FilterRequest, T, unknown>;

/** Value of an expression that needs nothing. Throws MaildropFailure when a value grows too long. */
export function evaluate(expression: Expression, state: RunState): string {
  switch (expression.kind) {
    case 'text': {
      let out = '';
      for (const part of expression.parts) out += part.kind === 'literal' ? part.text : substituted(part.text, state);
      return state.bounded(out);
    }
    case 'assign': {
      const value = evaluate(expression.value, state);
      state.variables.set(expression.name, value);
      return value;
    }
    case 'and': {
      const left = evaluate(expression.left, state);
      return isTrue(left) ? evaluate(expression.right, state) : left;
    }
    case 'or': {
      const left = evaluate(expression.left, state);
      return isTrue(left) ? left : evaluate(expression.right, state);
    }
    case 'binary':
      return BINARY[expression.operator](evaluate(expression.left, state), evaluate(expression.right, state));
    case 'not':
    case 'complement':
      return unary(expression.kind, evaluate(expression.value, state));
    case 'match':
      return match(expression.pattern, expression.subject === null ? null : evaluate(expression.subject, state), state);
    case 'call':
      return call(
        expression.name,
        expression.args.map((arg) => evaluate(arg, state)),
        state,
      );
  }
}

/** Value of any expression. */
export function* resolve(expression: Expression, state: RunState): Asking<string> {
  if (!expression.needs) return evaluate(expression, state);
  switch (expression.kind) {
    case 'text': {
      let out = '';
      for (const part of expression.parts) {
        if (part.kind === 'command') out += yield* commandOutput(substituted(part.text, state), state);
        else out += part.kind === 'literal' ? part.text : substituted(part.text, state);
      }
      return state.bounded(out);
    }
    case 'assign': {
      const value = yield* resolve(expression.value, state);
      state.variables.set(expression.name, value);
      return value;
    }
    case 'and': {
      const left = yield* resolve(expression.left, state);
      return isTrue(left) ? yield* resolve(expression.right, state) : left;
    }
    case 'or': {
      const left = yield* resolve(expression.left, state);
      return isTrue(left) ? left : yield* resolve(expression.right, state);
    }
    case 'binary': {
      const left = yield* resolve(expression.left, state);
      return BINARY[expression.operator](left, yield* resolve(expression.right, state));
    }
    case 'not':
    case 'complement':
      return unary(expression.kind, yield* resolve(expression.value, state));
    case 'match':
      return match(expression.pattern, expression.subject === null ? null : yield* resolve(expression.subject, state), state);
    case 'call': {
      if (expression.name.startsWith('gdbm')) return yield* gdbm(expression.name, expression.args, state);
      const args: string[] = [];
      for (const arg of expression.args) args.push(yield* resolve(arg, state));
      return expression.name === 'lookup' ? yield* lookup(args, state) : call(expression.name, args, state);
    }
  }
}

export function substituted(text: string, state: RunState): string {
  return substitute(text, state.variables, MAILDROP_LIMITS.valueChars + 1);
}

function unary(kind: 'not' | 'complement', value: string): string {
  return kind === 'not' ? truth(!isTrue(value)) : fromNumber(Number(BigInt.asIntN(64, ~toBits(value))));
}

const compared =
  (holds: (order: number) => boolean) =>
  (a: string, b: string): string =>
    truth(holds(compareTexts(a, b)));

const BINARY: Readonly<Record<Binary, (a: string, b: string) => string>> = {
  '|': (a, b) => fromNumber(Number(toBits(a) | toBits(b))),
  '&': (a, b) => fromNumber(Number(toBits(a) & toBits(b))),
  '+': (a, b) => fromNumber(toNumber(a) + toNumber(b)),
  '-': (a, b) => fromNumber(toNumber(a) - toNumber(b)),
  '*': (a, b) => fromNumber(toNumber(a) * toNumber(b)),
  '/': (a, b) => fromNumber(toNumber(a) / toNumber(b)),
  '<': (a, b) => truth(toNumber(a) < toNumber(b)),
  '<=': (a, b) => truth(toNumber(a) <= toNumber(b)),
  '>': (a, b) => truth(toNumber(a) > toNumber(b)),
  '>=': (a, b) => truth(toNumber(a) >= toNumber(b)),
  '==': (a, b) => truth(toNumber(a) === toNumber(b)),
  '!=': (a, b) => truth(toNumber(a) !== toNumber(b)),
  lt: compared((order) => order < 0),
  le: compared((order) => order <= 0),
  gt: compared((order) => order > 0),
  ge: compared((order) => order >= 0),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
};

function call(name: FunctionName, args: readonly string[], state: RunState): string {
  const [first = '', second = '', third] = args;
  switch (name) {
    case 'escape':
      return state.bounded(escaped(first));
    case 'length':
      return String(first.length);
    case 'tolower':
      return toLower(first);
    case 'toupper':
      return toUpper(first);
    case 'substr': {
      const start = Math.max(0, Math.trunc(toNumber(second)) || 0);
      const count = third === undefined ? first.length : Math.max(0, Math.trunc(toNumber(third)) || 0);
      return first.slice(start, start + count);
    }
    case 'hasaddr':
      return truth(state.message.hasRecipient(first));
    case 'getaddr':
      return getAddresses(first);
    case 'time':
      return String(Math.floor(state.input.at / 1000));
    default:
      throw new Error(`"${name}" asks the driver and is not evaluated here`);
  }
}

/** Output of a command that gets the message; line ends become spaces, and those at both ends go. */
function* commandOutput(line: string, state: RunState): Asking<string> {
  const answer = yield* state.run(line, state.message.bytes(), MAILDROP_LIMITS.backquoteBytes);
  return fromBytes(answer.output)
    .replace(/[\r\n]/g, ' ')
    .replace(/^[ \t]+/, '')
    .trimEnd();
}

// ── Patterns ─────────────────────────────────────────────────────────────────────────────────────────

/** The pattern with its variables replaced; null, and a line in the log, when it cannot be compiled. */
export function searcherOf(pattern: Pattern, state: RunState): Searcher | null {
  const source = pattern.source.includes('$') ? substituted(pattern.source, state) : pattern.source;
  const searcher = cached(state.script.patterns, source, pattern.isCaseSensitive);
  if (!(searcher instanceof PatternProblem)) return searcher;
  state.warn(pattern.line, `the pattern cannot be used: ${searcher.message}`);
  return null;
}

function cached(patterns: PatternCache, source: string, isCaseSensitive: boolean): Searcher | PatternProblem {
  return patterns.get(toUnicode(source), isCaseSensitive);
}

/** Worth of a message in which an unweighted pattern was found: maildrop counts the line twice. A text counts 1. */
const FOUND_IN_MESSAGE = '2';

/** `subject` null: the message. */
function match(pattern: Pattern, subject: string | null, state: RunState): string {
  const searcher = searcherOf(pattern, state);
  if (searcher === null) return '0';
  if (pattern.weights !== null) return weighed(pattern.weights, occurrences(searcher, pattern, subject, state));
  if (subject !== null) return truth(found(searcher, toUnicode(subject), state));
  for (const line of state.message.searched(pattern.inHeader, pattern.inBody)) if (found(searcher, line, state)) return FOUND_IN_MESSAGE;
  return '0';
}

function found(searcher: Searcher, text: string, state: RunState): boolean {
  const groups = searcher.test(text) ? searcher.first(text) : null;
  if (groups === null) return false;
  state.setMatch(groups);
  return true;
}

function weighed({ first, factor }: { readonly first: number; readonly factor: number }, count: number): string {
  let sum = 0;
  let worth = first;
  for (let i = 0; i < count; i += 1) {
    sum += worth;
    worth *= factor;
  }
  return fromNumber(sum);
}

/** In a text every occurrence counts, in a message every line that has one. */
function occurrences(searcher: Searcher, pattern: Pattern, subject: string | null, state: RunState): number {
  let count = 0;
  if (subject === null) {
    for (const line of state.message.searched(pattern.inHeader, pattern.inBody)) if (searcher.test(line)) count += 1;
    return count;
  }
  for (const _ of searcher.all(toUnicode(subject))) {
    count += 1;
    if (count % 1000 === 0) state.step(pattern.line);
  }
  return count;
}

/** All that a `foreach` walks over: every match in a text, the first of each line of the message. MATCH1... are those of the last one, as in maildrop. */
export function matches(pattern: Pattern, subject: string | null, state: RunState): string[] {
  const out: string[] = [];
  const searcher = searcherOf(pattern, state);
  if (searcher === null) return out;
  const add = (groups: Groups): void => {
    if (out.length >= MAILDROP_LIMITS.matches) throw state.failure(pattern.line, `the pattern has more than ${MAILDROP_LIMITS.matches} matches`);
    state.setMatch(groups);
    out.push(fromUnicode(groups[0]!));
  };
  if (subject === null) {
    for (const line of state.message.searched(pattern.inHeader, pattern.inBody)) {
      const groups = searcher.test(line) ? searcher.first(line) : null;
      if (groups !== null) add(groups);
    }
    return out;
  }
  for (const groups of searcher.all(toUnicode(subject))) add(groups);
  return out;
}

/** `lookup(text, file, options)`: does a pattern of the file match? Blank lines and those with "#" in front are none. */
function* lookup([text = '', path = '', options = '']: readonly string[], state: RunState): Asking<string> {
  const answer = yield* ask({ kind: 'file', path: toUnicode(path), bytesMax: MAILDROP_LIMITS.fileBytes });
  if (answer === null || answer === 'unsafe') throw state.failure(state.line, `"${toUnicode(path)}" for lookup cannot be read`);
  const subject = toUnicode(text);
  for (const line of toUnicode(fromBytes(answer)).split('\n')) {
    const source = line.trimStart();
    if (source === '' || source.startsWith('#')) continue;
    state.step(state.line);
    const searcher = compiled(source, options.includes('D'));
    if (searcher instanceof PatternProblem) throw state.failure(state.line, `a pattern of "${toUnicode(path)}" cannot be used: ${searcher.message}`);
    if (searcher.test(subject)) return '1';
  }
  return '0';
}

/** There is no GDBM: a file cannot be opened, nothing is found, nothing is stored. The default of `gdbmfetch` holds. */
function* gdbm(name: FunctionName, args: readonly Expression[], state: RunState): Asking<string> {
  const values: string[] = [];
  for (const arg of args.slice(0, 2)) values.push(yield* resolve(arg, state));
  if (name === 'gdbmopen') {
    state.warn(state.line, `the GDBM file "${toUnicode(values[0] ?? '')}" is not opened: GDBM files are not supported`);
    return '-1';
  }
  if (name === 'gdbmstore') return '-1';
  if (name === 'gdbmclose') return '';
  if (args.length === 3) return yield* resolve(args[2]!, state);
  // Two arguments: options when they look like it, else the default.
  return values[1] === undefined || /^[DI]*$/.test(values[1]) ? '' : values[1];
}
