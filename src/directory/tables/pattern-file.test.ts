import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCidrFile } from './cidr-file.ts';
import { TableProblem } from './errors.ts';
import { matchRules, parsePatternFile } from './pattern-file.ts';

const first = (text: string, key: string): string | null => {
  const hit = matchRules(parsePatternFile(text, 'pcre', 'f').rules, key);
  assert.ok(!(hit instanceof Promise));
  return hit === null ? null : hit.result;
};

test('rules are tried in order, within the if that holds', () => {
  const text = 'if /a/\n/b/ a and b\nif !/c/\n/d/ a, d, no c\nendif\nendif\n!/z/ no z\n';
  for (const [key, result] of [
    ['ab', 'a and b'],
    ['ad', 'a, d, no c'],
    ['adc', 'no z'],
    ['z', null],
  ] as const)
    assert.equal(first(text, key), result, key);
});

test('matching can go on behind a rule', () => {
  const { rules } = parsePatternFile('/a/ one\n/b/ two\n/a/ three\n', 'regexp', 'f');
  const results: string[] = [];
  for (let from = 0; ; ) {
    const hit = matchRules(rules, 'a', from);
    assert.ok(!(hit instanceof Promise));
    if (hit === null) break;
    results.push(`${hit.rule.line} ${hit.result}`);
    from = hit.index + 1;
  }
  assert.deepEqual(results, ['1 one', '3 three']);
});

test('rules behind one that needs the worker are tried when it does not hold', async () => {
  const { rules } = parsePatternFile('if /(a|ab)*(?=z)/A\n/(x|xy)*(?!q)$/A never\nendif\n/(.)/ found $1\n', 'pcre', 'f', { deadlineMs: () => 5000 });
  assert.equal((await matchRules(rules, 'abz'))?.result, 'found a');
});

for (const [text, problem] of [
  ['/a/ x\n/(/ y\n', 'f:2: a closing bracket is missing (in /(/)'],
  ['# c\n/a', 'f:2: the pattern has no closing delimiter "/"'],
  ['/a\\/', 'f:1: the pattern has no closing delimiter "/"'],
  ['xax y', 'f:1: a rule begins with a pattern between delimiters, such as /pattern/'],
  ['/a/q x', 'f:1: there is no pattern flag "q" (in /a/q)'],
  ['/(a)/ $2', 'f:1: "$2" in the result refers to a group that the pattern does not have'],
  ['!/(a)/ $1', 'f:1: a pattern with "!" matches nothing that "$n" could stand for'],
  ['endif', 'f:1: there is no "if" for this "endif"'],
  ['/a/ x\nif /a/\n/b/ y', 'f:2: this "if" has no "endif"'],
  [`${'if /a/\n'.repeat(51)}${'endif\n'.repeat(51)}`, 'f:51: "if" is nested more than 50 deep'],
] as const)
  test(`a file is refused: ${problem}`, () =>
    assert.throws(
      () => parsePatternFile(text, 'pcre', 'f'),
      (error) => error instanceof TableProblem && error.message === problem,
    ));

test('more rules than allowed are refused, and so is a result that the caller does not want', () => {
  assert.throws(() => parsePatternFile('/a/ x\n/b/ y\n', 'pcre', 'f', { rulesMax: 1 }), /f:2: there are more than 1 rules/);
  const checkResult = (result: string): void => {
    if (!/^(OK|REJECT)/.test(result)) throw new Error(`"${result}" is no action`);
  };
  assert.throws(() => parsePatternFile('/a/ OK\n/b/ OKAY\n/c/ KO\n', 'pcre', 'f', { checkResult }), /f:3: "KO" is no action/);
});

test('text after if and endif, and rules without a result, are warned of', () => {
  const { warnings } = parsePatternFile('if /a/ foo\n/b/\nendif bar\n', 'pcre', 'f');
  assert.deepEqual(warnings.map((warning) => warning.line).sort(), [1, 2, 3]);
});

for (const [text, problem] of [
  ['10.0.0.1/8 x', 'f:1: "10.0.0.1/8" has bits set beyond the first 8'],
  ['10.0.0.0/33 x', 'f:1: the length of the network in "10.0.0.0/33" is not a number from 0 to 32'],
  ['10.0.0 x', 'f:1: "10.0.0" is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32'],
  ['010.0.0.1 x', 'f:1: "010.0.0.1" is neither an address nor a network such as 192.0.2.0/24 or 2001:db8::/32'],
  ['10.0.0.0/8', 'f:1: the rule has no result'],
  ['if 10.0.0.0/8', 'f:1: this "if" has no "endif"'],
  ['endif', 'f:1: there is no "if" for this "endif"'],
] as const)
  test(`a cidr file is refused: ${problem}`, () => assert.throws(() => parseCidrFile(text, 'f'), { message: problem }));

test('with many rules the index finds what the walk through them finds', () => {
  const network = fc.tuple(fc.nat(3), fc.nat(3), fc.constantFrom(8, 16, 24, 32)).map(([a, b, bits]) => {
    const octets = [10, a, b, 1].map((octet, i) => (i * 8 < bits ? octet : 0));
    return `${octets.join('.')}/${bits}`;
  });
  fc.assert(
    fc.property(fc.array(network, { minLength: 13, maxLength: 40 }), fc.nat(3), fc.nat(3), fc.nat(3), (networks, a, b, c) => {
      const text = networks.map((cidr, i) => `${cidr} ${i}\n`).join('');
      const ip = `10.${a}.${b}.${c}`;
      // An if that always holds keeps the rules from being indexed.
      assert.equal(parseCidrFile(text, 'f').find(ip), parseCidrFile(`if 0.0.0.0/0\n${text}endif\n`, 'f').find(ip));
    }),
    { seed: 3, numRuns: 300 },
  );
});

test('any text is a table or a problem with its line', () => {
  const piece = fc.constantFrom('/a/', ' x', '\n', 'if ', 'endif', '!', '10.0.0.0/8', '::1', '$1', '(', ')', '#', ' ', '/', 'i', '\\', '~');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
      for (const parse of [(text: string) => parsePatternFile(text, 'regexp', 'f'), (text: string) => parseCidrFile(text, 'f')])
        try {
          parse(pieces.join(''));
        } catch (error) {
          assert.ok(error instanceof TableProblem && /^f:\d+: /.test(error.message), String(error));
        }
    }),
    { seed: 11, numRuns: 1000 },
  );
});
