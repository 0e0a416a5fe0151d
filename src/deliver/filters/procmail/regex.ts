/**
 * Searching with procmail's expressions in time linear in the text: a table of state sets made as they are needed (the first match to
 * end wins, as in procmail), and a walk with positions where `\/` asks what was matched.
 */
import { PROCMAIL_LIMITS } from './limits.ts';
import { ACCEPT, BEGIN, CONSUME, END, type Instructions, MARK, parseExpression, SPLIT } from './regex-parse.ts';

const NEWLINE = 10;

export interface Found {
  /** Symbols consumed up to the end of the match: 0 nothing, 1 the place before the text, n + 1 n characters, length + 2 the end too. */
  readonly end: number;
  /** Text right of `\/`: offsets into the searched bytes; null when the match does not cross one. */
  readonly match: { readonly from: number; readonly to: number } | null;
}

export class Expression {
  readonly code: Instructions;
  /** Class of each symbol: symbols that no set tells apart share one. */
  private readonly classOf: Uint16Array;
  private readonly classCount: number;
  /** A symbol of each class. */
  private readonly example: number[];
  private table: Int32Array;
  private stateSets: Int32Array[] = [];
  private isAccepting: boolean[] = [];
  private known = new Map<string, number>();
  private readonly visited: Int32Array;
  private visit = 0;
  private stack: number[] = [];

  constructor(code: Instructions) {
    this.code = code;
    this.visited = new Int32Array(code.op.length);
    const byMembership = new Map<string, number>();
    this.classOf = new Uint16Array(258);
    this.example = [];
    for (let symbol = 0; symbol < 258; symbol += 1) {
      let key = '';
      for (const set of code.sets) key += set[symbol];
      let known = byMembership.get(key);
      if (known === undefined) {
        known = byMembership.size;
        byMembership.set(key, known);
        this.example.push(symbol);
      }
      this.classOf[symbol] = known;
    }
    this.classCount = byMembership.size;
    this.table = new Int32Array(0);
    this.reset();
  }

  /** The first match to end at or after the symbol `from` (0: before the text, 1: its first character). */
  search(text: Uint8Array, from: number): Found | null {
    const end = this.firstEnd(text, from);
    if (end === -1) return null;
    if (!this.code.hasMark) return { end, match: null };
    return this.walk(text, from);
  }

  test(text: Uint8Array): boolean {
    return this.firstEnd(text, 0) !== -1;
  }

  private firstEnd(text: Uint8Array, from: number): number {
    const classOf = this.classOf;
    const width = this.classCount;
    let state = 0;
    if (this.isAccepting[0]!) return from;
    const last = text.length + 1;
    for (let at = from; at <= last; at += 1) {
      const symbol = at === 0 ? BEGIN : at === last ? END : text[at - 1]!;
      const slot = state * width + classOf[symbol]!;
      let to = this.table[slot]!;
      if (to === -1) to = this.transition(state, classOf[symbol]!, slot);
      if (this.isAccepting[to]!) return at + 1;
      state = to;
    }
    return -1;
  }

  private reset(): void {
    this.stateSets = [];
    this.isAccepting = [];
    this.known = new Map();
    this.table = new Int32Array(16 * this.classCount).fill(-1);
    this.visit += 1;
    this.stateOf(this.closure(this.code.start, []));
  }

  /** Adds what is reached from `index` without consuming. */
  private closure(index: number, into: number[]): number[] {
    const { op, next, argument } = this.code;
    const stack = this.stack;
    stack.push(index);
    while (stack.length > 0) {
      const at = stack.pop()!;
      if (this.visited[at] === this.visit) continue;
      this.visited[at] = this.visit;
      if (op[at] === SPLIT) {
        stack.push(argument[at]!);
        stack.push(next[at]!);
      } else if (op[at] === MARK) stack.push(next[at]!);
      else into.push(at);
    }
    return into;
  }

  private stateOf(members: number[]): number {
    members.sort((a, b) => a - b);
    const key = members.join(',');
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const state = this.stateSets.length;
    if ((state + 1) * this.classCount > this.table.length) {
      const larger = new Int32Array(this.table.length * 2).fill(-1);
      larger.set(this.table);
      this.table = larger;
    }
    this.known.set(key, state);
    this.stateSets.push(Int32Array.from(members));
    this.isAccepting.push(members.some((index) => this.code.op[index] === ACCEPT));
    return state;
  }

  private transition(state: number, symbolClass: number, slot: number): number {
    const { argument, next, sets, op, start } = this.code;
    const symbol = this.example[symbolClass]!;
    const members: number[] = [];
    this.visit += 1;
    for (const index of this.stateSets[state]!) if (op[index] === CONSUME && sets[argument[index]!]![symbol] === 1) this.closure(next[index]!, members);
    this.closure(start, members);
    if (this.stateSets.length >= PROCMAIL_LIMITS.tableStates) {
      // The slot belongs to the table that goes; the next visit finds its way in the new one.
      this.reset();
      return this.stateOf(members);
    }
    const to = this.stateOf(members);
    this.table[slot] = to;
    return to;
  }

  /**
   * Of all matches the one whose `\/` is crossed earliest, and of these the longest: the left part as short as can be, the right part as
   * long as can be. A match that crosses none ends the search where nothing better was found before.
   */
  private walk(text: Uint8Array, from: number): Found | null {
    const { op, argument, next, sets, start } = this.code;
    const size = op.length;
    const markedVisit = new Int32Array(size).fill(-1);
    const plainVisit = new Int32Array(size).fill(-1);
    let marked: number[] = []; // index, position of the mark: by position, earliest first
    let plain: number[] = [];
    let nextMarked: number[] = [];
    let nextPlain: number[] = [];
    let bestMark = -1;
    let bestEnd = -1;
    let plainEnd = -1;
    const stack: number[] = [];
    const last = text.length + 1;
    const add = (index: number, mark: number, at: number): void => {
      stack.push(index, mark);
      while (stack.length > 0) {
        const held = stack.pop()!;
        const node = stack.pop()!;
        const visits = held === -1 ? plainVisit : markedVisit;
        if (visits[node] === at) continue;
        visits[node] = at;
        if (op[node] === SPLIT) stack.push(argument[node]!, held, next[node]!, held);
        else if (op[node] === MARK) stack.push(next[node]!, at);
        else if (op[node] === ACCEPT) {
          if (held === -1) plainEnd = at;
          else if (bestMark === -1 || held <= bestMark) {
            bestMark = held;
            bestEnd = at;
          }
        } else if (held === -1) nextPlain.push(node);
        else nextMarked.push(node, held);
      }
    };
    for (let at = from; ; at += 1) {
      // Here `at` symbols are consumed. Marked ways come first: they were crossed earlier than any that crosses now.
      if (at > from) {
        const symbol = at - 1 === 0 ? BEGIN : at - 1 === last ? END : text[at - 2]!;
        nextMarked = [];
        nextPlain = [];
        for (let i = 0; i < marked.length; i += 2) {
          if (bestMark !== -1 && marked[i + 1]! > bestMark) continue;
          if (sets[argument[marked[i]!]!]![symbol] === 1) add(next[marked[i]!]!, marked[i + 1]!, at);
        }
        if (bestMark === -1) for (const index of plain) if (sets[argument[index]!]![symbol] === 1) add(next[index]!, -1, at);
      }
      if (bestMark === -1) add(start, -1, at);
      if (plainEnd !== -1 && bestMark === -1) return { end: plainEnd, match: null };
      [marked, nextMarked] = [nextMarked, marked];
      [plain, nextPlain] = [nextPlain, plain];
      if (at > last || (bestMark !== -1 && marked.length === 0)) break;
    }
    if (bestMark === -1) return null;
    return { end: bestEnd, match: { from: place(bestMark, text.length), to: place(bestEnd, text.length) } };
  }
}

/** Symbols consumed, as an offset into the text. */
function place(consumed: number, length: number): number {
  return Math.min(Math.max(consumed - 1, 0), length);
}

/**
 * How often it is found, one after the other; a line end that ended one match may begin the next. `each` returns false to stop.
 * Infinity when it is found without consuming anything.
 */
export function countMatches(expression: Expression, text: Uint8Array, each: (found: Found) => boolean): number {
  let count = 0;
  let from = 0;
  let reached = 0;
  while (from <= text.length + 1) {
    const found = expression.search(text, from);
    if (found === null) return count;
    count += 1;
    if (!each(found)) return count;
    if (found.end > text.length + 1) return count;
    const end = place(found.end, text.length);
    if (end <= reached) return Number.POSITIVE_INFINITY;
    reached = end;
    from = text[end - 1] === NEWLINE ? end : end + 1;
  }
  return count;
}

export interface CompiledExpression {
  /** Null: too large; it matches nothing. */
  readonly expression: Expression | null;
  readonly problem: string | null;
}

/** `pattern` one character a byte. Never throws. */
export function compileExpression(pattern: string, isCaseSensitive: boolean): CompiledExpression {
  const code = parseExpression(pattern, isCaseSensitive);
  if (code === null) return { expression: null, problem: 'The expression is too large' };
  return { expression: new Expression(code), problem: code.isMalformed ? `Invalid regexp "${pattern}"` : null };
}
