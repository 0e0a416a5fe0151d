/**
 * How much work a backtracking matcher may have with a pattern, as a bound `factor * n ** power` for a text of n characters.
 * The bound holds for any text: where the next character does not decide which way to go, all ways are counted.
 *
 * For each node: `ways` bounds the number of different places or paths with which it is left to go deep into what follows, `work`
 * the steps spent inside it while all ways are tried. A loop whose exit is decided by the next character has one way.
 */
import { EVERY, NOTHING, overlaps, type Ranges, union } from './ranges.ts';
import { children, type Node } from './tree.ts';

export interface Cost {
  readonly factor: number;
  readonly power: number;
}

const ONE: Cost = { factor: 1, power: 0 };
const LINEAR: Cost = { factor: 1, power: 1 };
/** More than any text allows. */
export const BOUNDLESS: Cost = { factor: 1, power: Number.POSITIVE_INFINITY };
/** Powers and factors beyond these are as good as boundless. */
const POWER_MAX = 8;
const FACTOR_MAX = 1e9;

const limited = (cost: Cost): Cost => (cost.power > POWER_MAX || cost.factor > FACTOR_MAX ? BOUNDLESS : cost);
const times = (a: Cost, b: Cost): Cost => limited({ factor: a.factor * b.factor, power: a.power + b.power });
// n >= 1, so the sum of the factors at the greater power is a bound of the sum.
const plus = (a: Cost, b: Cost): Cost => limited({ factor: a.factor + b.factor, power: Math.max(a.power, b.power) });
const most = (a: Cost, b: Cost): Cost => limited({ factor: Math.max(a.factor, b.factor), power: Math.max(a.power, b.power) });

/** What may come next. */
interface Follow {
  /** The characters with which it can begin; at any other it fails before it has gone deep. */
  readonly first: Ranges;
  /** How many steps that failure may take: things that may be empty, alternatives. */
  readonly entry: number;
}
/** Nothing can follow but success or failure at once: the end of the pattern. */
const AT_END: Follow = { first: NOTHING, entry: 1 };
const ANYTHING: Follow = { first: EVERY, entry: 1 };

/** Steps until the node and what can follow it have failed at their first character. */
function entryOf(node: Node, after: number): number {
  switch (node.kind) {
    case 'sequence':
      return node.items.reduceRight((next, item) => entryOf(item, next), after);
    case 'alternation':
      return node.options.reduce((sum, option) => sum + entryOf(option, 0), 0) + (isNullable(node) ? after : 0);
    case 'repeat':
      return entryOf(node.body, 0) + (isNullable(node) ? after : 0) + 1;
    case 'group':
    case 'atomic':
      return entryOf(node.body, after);
    case 'set':
      return 1;
    default:
      return after + 1;
  }
}

interface Measure {
  readonly ways: Cost;
  readonly work: Cost;
}

/** Whether a node can match without taking a character. */
export function isNullable(node: Node): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'sequence':
      return node.items.every(isNullable);
    case 'alternation':
      return node.options.some(isNullable);
    case 'repeat':
      return node.least === 0 || isNullable(node.body);
    case 'group':
    case 'atomic':
      return isNullable(node.body);
    default:
      return true; // assertions, and back-references to a group of nothing
  }
}

/** The characters a match of the node can begin with; `after` when it can be empty. */
function firstOf(node: Node, after: Ranges): Ranges {
  switch (node.kind) {
    case 'set':
      return node.ranges;
    case 'sequence': {
      let first = after;
      for (let i = node.items.length - 1; i >= 0; i -= 1) first = firstOf(node.items[i]!, first);
      return first;
    }
    case 'alternation':
      return union(...node.options.map((option) => firstOf(option, after)));
    case 'repeat': {
      const body = firstOf(node.body, after);
      return node.least === 0 ? union(body, after) : body;
    }
    case 'group':
    case 'atomic':
      return firstOf(node.body, after);
    case 'backReference':
      return EVERY;
    case 'assertion':
      return node.what === 'textEnd' || (node.what === 'textEndOrNewline' && after.length === 0) ? NOTHING : after;
    case 'look':
      return EVERY; // it may do work before the first character decides
  }
}

function measure(node: Node, follow: Follow): Measure {
  switch (node.kind) {
    case 'set':
    case 'assertion':
      return { ways: ONE, work: ONE };
    case 'backReference':
      return { ways: ONE, work: LINEAR };
    case 'group':
      return measure(node.body, follow);
    case 'look':
      // Left after its first success; what it matches from the right end (look-behind) is counted without the help of what follows.
      return { ways: ONE, work: plus(ONE, measure(node.body, node.isAhead ? AT_END : ANYTHING).work) };
    case 'atomic':
      return { ways: ONE, work: plus(LINEAR, measure(node.body, AT_END).work) };
    case 'sequence': {
      let ways = ONE;
      let work = ONE;
      const follows = followsOf(node.items, follow);
      node.items.forEach((item, i) => {
        const part = measure(item, follows[i]!);
        work = plus(work, times(ways, part.work));
        ways = times(ways, part.ways);
      });
      return { ways, work };
    }
    case 'alternation':
      return alternatives(node.options, follow);
    case 'repeat':
      return repetition(node, follow);
  }
}

function followsOf(items: readonly Node[], follow: Follow): Follow[] {
  const follows: Follow[] = new Array(items.length);
  let { first, entry } = follow;
  for (let i = items.length - 1; i >= 0; i -= 1) {
    follows[i] = { first, entry };
    first = firstOf(items[i]!, first);
    entry = Math.min(FACTOR_MAX, entryOf(items[i]!, entry));
  }
  return follows;
}

function alternatives(options: readonly Node[], follow: Follow): Measure {
  let work = ONE;
  let sum: Cost = { factor: 0, power: 0 };
  let greatest = ONE;
  let isDecided = true;
  let seen: Ranges = NOTHING;
  for (const option of options) {
    const part = measure(option, follow);
    work = plus(work, part.work);
    sum = plus(sum, part.ways);
    greatest = most(greatest, part.ways);
    const first = firstOf(option, follow.first);
    // Two options that can both be empty have an overlap that no first character shows.
    if (overlaps(seen, first)) isDecided = false;
    seen = union(seen, first);
  }
  if (options.filter(isNullable).length > 1) isDecided = false;
  return { ways: isDecided ? greatest : sum, work };
}

function repetition(node: Node & { kind: 'repeat' }, follow: Follow): Measure {
  const { body, least } = node;
  const isUnbounded = node.most === Number.POSITIVE_INFINITY;
  const first = firstOf(body, NOTHING);
  const isExitDecided = !isNullable(body) && !overlaps(first, follow.first);
  const again: Follow = { first: union(first, follow.first), entry: follow.entry + entryOf(body, 0) };
  const inner = measure(body, node.most > 1 ? again : follow);
  const isInnerSingle = inner.ways.power === 0 && inner.ways.factor === 1;
  const count: Cost = isUnbounded ? LINEAR : { factor: Math.max(1, node.most - least + 1), power: 0 };
  if (node.most === 0) return { ways: ONE, work: ONE };
  if (node.mode === 'possessive') {
    const greedy = repetition({ ...node, mode: 'greedy' }, AT_END);
    return { ways: ONE, work: plus(LINEAR, greedy.work) };
  }
  if (isInnerSingle && !(isUnbounded && isNullable(body))) {
    // Each turn goes one way only. The turns together scan the text once, unless something in the body looks without taking.
    const turns: Cost = isUnbounded ? LINEAR : { factor: node.most, power: 0 };
    const scanned = isUnbounded && inner.work.power === 1 && !looks(body) ? { factor: 2 * inner.work.factor, power: 1 } : times(turns, inner.work);
    const ways = isExitDecided ? ONE : isUnbounded && least === 0 ? LINEAR : count;
    return { ways, work: plus(plus(ONE, scanned), times(turns, { factor: follow.entry, power: 0 })) };
  }
  if (isUnbounded) return { ways: BOUNDLESS, work: BOUNDLESS };
  // Written out: each number of turns, with all the ways of each turn.
  let ways: Cost = { factor: least === 0 ? 1 : 0, power: 0 };
  let work = ONE;
  let reached = ONE;
  for (let turn = 1; turn <= node.most; turn += 1) {
    work = plus(work, times(reached, inner.work));
    reached = times(reached, inner.ways);
    if (turn >= least) ways = plus(ways, reached);
    if (work.power === Number.POSITIVE_INFINITY || ways.power === Number.POSITIVE_INFINITY) return { ways: BOUNDLESS, work: BOUNDLESS };
  }
  return { ways, work };
}

const looks = (node: Node): boolean => node.kind === 'look' || node.kind === 'atomic' || node.kind === 'backReference' || children(node).some(looks);

/** Whether every match must begin at the start of the text. */
function isAnchored(node: Node): boolean {
  if (node.kind === 'assertion') return node.what === 'textStart';
  if (node.kind === 'alternation') return node.options.every(isAnchored);
  if (node.kind === 'group' || node.kind === 'atomic') return isAnchored(node.body);
  if (node.kind === 'sequence') return node.items.length > 0 && isAnchored(node.items[0]!);
  return false;
}

/** The bound for a search: a match begun at each character, unless the pattern is anchored. */
export function costOfSearch(root: Node): Cost {
  const { work } = measure(root, AT_END);
  return isAnchored(root) ? work : times(work, LINEAR);
}

/** The longest text for which the bound stays within `steps`; 0 when none does. */
export function longestWithin(cost: Cost, steps: number): number {
  if (cost.power === Number.POSITIVE_INFINITY || cost.factor > steps) return 0;
  return cost.power === 0 ? Number.POSITIVE_INFINITY : Math.floor((steps / cost.factor) ** (1 / cost.power));
}
