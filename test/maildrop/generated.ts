/** Expressions made at random from a seed, many to a filter file. */
import fc from 'fast-check';
import type { Case } from './cases.ts';

const number = fc.constantFrom('0', '1', '2', '3', '10', '0.5', '100', '"7x"', '""', '"abc"', '"0"', '"-4"', '"1e3"', '$SIZE');
const text = fc.constantFrom('"a"', '"ab"', '"B"', '""', '"0"', '"foo bar"', "'x.y'", '$A', '"$A$B"', '"10"', '"9"', 'word');
const pattern = fc.constantFrom('/a/', '/^a/', '/B/:D', '/o+/', '/(.)(.)/', '/./:,2', '/o/:,3,0.5', '/$/', '/x|foo/', '/[0-9]+/');

const { expression } = fc.letrec<{ expression: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(number, text),
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc
      .tuple(
        tie('expression'),
        fc.constantFrom('+', '-', '*', '|', '&', '<', '<=', '>', '>=', '==', '!=', 'lt', 'le', 'gt', 'ge', 'eq', 'ne', '||', '&&'),
        tie('expression'),
      )
      .map(([a, operator, b]) => `(${a}) ${operator} (${b})`),
    fc.tuple(tie('expression'), pattern).map(([a, b]) => `(${a}) =~ ${b}`),
    tie('expression').map((a) => `!(${a})`),
    fc.tuple(fc.constantFrom('length', 'tolower', 'toupper', 'escape'), tie('expression')).map(([name, a]) => `${name}(${a})`),
    // In parentheses: a pattern's options would take the comma for theirs, and the whole file would be a mistake.
    fc.tuple(tie('expression'), fc.nat(3), fc.nat(3)).map(([a, from, count]) => `substr((${a}), ${from}, ${count})`),
    pattern.map((a) => `(${a})`),
    fc
      .tuple(fc.constantFrom('+', '*', '|', '&', '&&', '||', 'eq', '<'), number, number, number)
      .map(([operator, a, b, c]) => `(${a} ${operator} ${b} + ${c} * 2)`),
  ),
}));

/** `files` filter files of `lines` expressions each. */
export function expressionCases(files: number, lines: number): Case[] {
  const all = fc.sample(expression, { seed: 20_251_120, numRuns: files * lines });
  return Array.from({ length: files }, (_, i) => ({
    name: `generated ${i + 1}`,
    script: `A="Foo"\nB="12"\n${all
      .slice(i * lines, (i + 1) * lines)
      .map((one) => `X=${one}\nsystem 'echo "$X|$MATCH|$MATCH1|$MATCH2"'\n`)
      .join('')}exit\n`,
    message: 'plain',
  }));
}
