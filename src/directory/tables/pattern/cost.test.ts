import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { costOfSearch, longestWithin } from './cost.ts';
import { parsePcre } from './pcre.ts';
import type { Node } from './tree.ts';

const FLAGS = { ignoresCase: false, isMultiline: false, dotMatchesAll: true, isExtended: false, isAnchored: false, dollarIsEnd: true, isUngreedy: false };
const tree = (source: string): Node => parsePcre(source, FLAGS).root;

/** A backtracking matcher that counts its steps; gives up beyond `most`. */
function stepsOf(root: Node, text: string, most: number): number {
  let steps = 0;
  const isWord = (i: number): boolean => /\w/.test(text[i] ?? '');
  class TooMany extends Error {}
  const match = (node: Node, at: number, then: (at: number) => boolean): boolean => {
    steps += 1;
    if (steps > most) throw new TooMany();
    switch (node.kind) {
      case 'set': {
        const code = text.charCodeAt(at);
        for (let i = 0; i < node.ranges.length; i += 2) if (code >= node.ranges[i]! && code <= node.ranges[i + 1]!) return then(at + 1);
        return false;
      }
      case 'sequence': {
        const run = (i: number, from: number): boolean => (i === node.items.length ? then(from) : match(node.items[i]!, from, (next) => run(i + 1, next)));
        return run(0, at);
      }
      case 'alternation':
        return node.options.some((option) => match(option, at, then));
      case 'group':
        return match(node.body, at, then);
      case 'repeat': {
        const turn = (count: number, from: number): boolean => {
          const again = (): boolean => count < node.most && match(node.body, from, (next) => (next > from || count < node.least) && turn(count + 1, next));
          if (count < node.least) return again();
          return node.mode === 'lazy' ? then(from) || again() : again() || then(from);
        };
        return turn(0, at);
      }
      case 'look': {
        const isFound = match(node.body, at, () => true);
        return isFound !== node.isNegative && then(at);
      }
      case 'assertion':
        if (node.what === 'textStart') return at === 0 && then(at);
        if (node.what === 'textEnd') return at === text.length && then(at);
        return (isWord(at - 1) !== isWord(at)) === (node.what === 'wordBoundary') && then(at);
      default:
        throw new Error(`the test makes no ${node.kind}`);
    }
  };
  try {
    for (let start = 0; start <= text.length; start += 1) if (match(root, start, () => true)) break;
  } catch (error) {
    if (!(error instanceof TooMany)) throw error;
    return Number.POSITIVE_INFINITY;
  }
  return steps;
}

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\w', '\\b', '$', '^');
const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}', '{0,3}', '{1,}');
const { pattern } = fc.letrec<{ pattern: string; item: string; branch: string }>((tie) => ({
  pattern: fc.array(tie('branch'), { minLength: 1, maxLength: 2 }).map((branches) => branches.join('|')),
  branch: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => items.join('')),
  item: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(atom, quantifier).map(([a, q]) => (/^[$^]$|^\\b$/.test(a) ? a : a + q)),
    fc.tuple(tie('pattern'), quantifier).map(([p, q]) => `(?:${p})${q}`),
    tie('pattern').map((p) => `(?=${p})`),
  ),
}));

test('no text takes more steps than the bound says (up to a constant for the bookkeeping of the matcher)', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 24 }),
    fc.nat(24).map((n) => `${'a'.repeat(n)}!`),
    fc.nat(12).map((n) => `${'ab'.repeat(n)}c`),
  );
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      const root = tree(source);
      const cost = costOfSearch(root);
      if (cost.power === Number.POSITIVE_INFINITY) return;
      // An anchored pattern is tried at each character all the same here.
      const bound = 12 * cost.factor * (subject.length + 1) ** cost.power + 3 * subject.length;
      const steps = stepsOf(root, subject, Math.min(2e6, bound));
      assert.ok(steps <= bound || bound > 2e6, `${source} on ${subject}: more than ${bound} steps`);
    }),
    { seed: 20261120, numRuns: 1500 },
  );
});

for (const [source, power] of [
  ['^abc$', 0],
  ['abc', 1],
  ['^[a-z]*@', 1],
  ['^[^@]+@[^@]+$', 1],
  ['^.*@.*$', 2],
  ['^([a-z0-9]+\\.)+com$', 1],
  ['^(?:[a-z]+\\.)*$', 1],
  ['^(?!.*bad).*good', 1],
  ['^a*a*a*a*b', 4],
] as const)
  test(`${source} takes at most n to the power of ${power} steps`, () => assert.equal(costOfSearch(tree(source)).power, power));

for (const source of ['(a|a)*$', '(a+)+$', '(a|ab)*c', '(.*a)+b', '(\\w+\\s?)*$', '(a?)*b', '(?:(?:x+)+)?y'])
  test(`${source} is never trusted to backtracking`, () => assert.equal(longestWithin(costOfSearch(tree(source)), 1e6), 0));

test('many counted choices are as bad as a loop', () => {
  assert.equal(longestWithin(costOfSearch(tree('(.*a){20}')), 1e6), 0);
  assert.equal(longestWithin(costOfSearch(tree('(?:a|a)'.repeat(40))), 1e6), 0);
});

test('the longest text is the one whose bound is just within the steps', () => {
  assert.equal(longestWithin({ factor: 1, power: 2 }, 1e6), 1000);
  assert.equal(longestWithin({ factor: 10, power: 0 }, 1e6), Number.POSITIVE_INFINITY);
  assert.equal(longestWithin({ factor: 1e7, power: 0 }, 1e6), 0);
});
