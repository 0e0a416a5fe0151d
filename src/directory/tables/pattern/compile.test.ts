import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { compilePattern, type Flavour, PatternProblem, PatternTimeout } from './compile.ts';
import { parsePcre } from './pcre.ts';
import { writeJavaScript, writeRe2 } from './write.ts';

const HUNDRED_KB = 100 * 1024;

for (const [flavour, source] of [
  ['pcre', '(a|a)*$'],
  ['pcre', '(.*a){20}'],
  ['pcre', '(a+)+$'],
  ['pcre', '^(([a-z])+.)+[A-Z]([a-z])+$'],
  ['pcre', '(x+x+)+y'],
  ['pcre', '^(.*?,){11}P'],
  ['pcre', '(\\w+\\s?)*$'],
  ['regexp', '(a|aa)+$'],
  ['regexp', '(.*)*x'],
  ['regexp', '^([[:alnum:]]+[[:punct:]]?)+$'],
] as const)
  test(`${flavour} /${source}/ ends at once on 100 KB that nearly match`, async () => {
    const pattern = compilePattern(source, flavour, '', { deadlineMs: () => 10_000 });
    assert.notEqual(pattern.engineFor(HUNDRED_KB), 'javascript');
    assert.equal(pattern.engineFor(8192), 're2');
    for (const unit of ['a', 'x', 'a,', 'ab '])
      for (const end of ['', '!', '\n\n']) assert.equal(typeof (await pattern.test(unit.repeat(HUNDRED_KB / unit.length) + end)), 'boolean');
  });

test('a long text with an ordinary pattern stays on this thread', () => {
  for (const source of ['^Subject:.*make money', '^[a-z0-9._-]+@example\\.(com|org)$', 'viagra', '^Received: .*dynamic'])
    assert.equal(compilePattern(source, 'pcre').engineFor(40_000), 'javascript', source);
});

test('look-around with many ways to go is matched by the worker, under its deadline', async () => {
  const pattern = compilePattern('^(?=(a+)+$)b', 'pcre', '', { deadlineMs: () => 30 });
  assert.equal(pattern.engineFor(40), 'worker');
  const slow = pattern.test(`${'a'.repeat(40)}!`);
  // What waits behind it is matched by the next worker.
  const behind = compilePattern('(a|b|ab)*(?=c)', 'pcre', '', { deadlineMs: () => 5000 }).exec('xabc');
  await assert.rejects(Promise.resolve(slow), PatternTimeout);
  assert.deepEqual(await behind, ['ab', 'b']);
  assert.deepEqual(await compilePattern('(a|b|ab)*(?=c)', 'pcre', 'A', { deadlineMs: () => 5000 }).exec('abc'), ['ab', 'b']);
});

test('a text that is too long even for RE2 with a large pattern goes to the worker', async () => {
  const words = Array.from({ length: 400 }, (_, i) => `word${i * 7919}`).join('|');
  const pattern = compilePattern(`(${words})`, 'pcre', '', { deadlineMs: () => 5000 });
  assert.equal(pattern.engineFor(HUNDRED_KB), 'worker');
  assert.equal(await pattern.test(`${'-'.repeat(HUNDRED_KB)}WORD7919`), true);
});

const same = (flavour: Flavour, source: string, flags: string, text: string): readonly (string | undefined)[] | null => {
  const groups = compilePattern(source, flavour, flags).exec(text);
  assert.ok(!(groups instanceof Promise));
  return groups === null ? null : [...groups];
};

test('groups are those of PCRE, not those of JavaScript', () => {
  assert.deepEqual(same('pcre', '(?:(a)|b)*', '', 'ab'), ['ab', 'a']);
  assert.deepEqual(same('pcre', '^(?>(a+))(b)', '', 'aab'), ['aab', 'aa', 'b']);
  assert.deepEqual(same('pcre', '(?:(x?)(a*?)?)$', '', ''), ['', '', '']);
});

test('groups of POSIX are those of the longest match', () => {
  assert.deepEqual(same('regexp', '(a|ab)(c|bcd)?', '', 'abcd'), ['abcd', 'a', 'bcd']);
  assert.deepEqual(same('regexp', '(a?)(ab)?', '', 'ab'), ['ab', '', 'ab']);
});

test('case is folded in ASCII and beyond, and the flag switches it off', () => {
  assert.equal(compilePattern('^straße Äther$', 'pcre').test('STRAßE äTHER'), true);
  assert.equal(compilePattern('^ä$', 'pcre', 'i').test('Ä'), false);
  assert.equal(compilePattern('^[^a]$', 'pcre').test('A'), false);
  assert.equal(compilePattern('^k$', 'pcre').test('\u212a'), false); // the sign for kelvin
});

for (const [flavour, source, sentence] of [
  ['pcre', '(', 'a closing bracket is missing'],
  ['pcre', 'a)', 'unmatched closing bracket'],
  ['pcre', '[a', 'the class "[" does not end'],
  ['pcre', '[b-a]', 'a range in a class is out of order'],
  ['pcre', 'a**', 'a quantifier does not follow anything that can be repeated'],
  ['pcre', 'a{2}{3}', 'a quantifier does not follow anything that can be repeated'],
  ['pcre', '^*', 'a quantifier does not follow anything that can be repeated'],
  ['pcre', 'a{3,2}', 'the numbers of a quantifier are out of order'],
  ['pcre', 'a{2000}', 'a quantifier may count to 1000 at most'],
  ['pcre', '(((a{1000}){1000}){1000})', 'the pattern is too large: its counted repeats multiply'],
  ['pcre', '[[:foo:]]', 'there is no class [:foo:]'],
  ['pcre', '\\y', '"\\y" is not supported'],
  ['pcre', '\\', 'a backslash stands at the end'],
  ['pcre', '(a)\\2', 'there is no group 2 to refer to'],
  ['pcre', '(a)?\\1', 'the back-reference to group 1 stands where that group may not have matched'],
  ['pcre', '(?<n>a)(?<n>b)', 'two groups are named "n"'],
  ['pcre', '\\k<x>', 'there is no group named "x"'],
  ['pcre', '(?R)', '"(?R" begins something that is not supported'],
  ['pcre', '(?(1)a|b)', '"(?(" begins something that is not supported'],
  ['pcre', '(?|a)', '"(?|" begins something that is not supported'],
  ['pcre', 'a(*SKIP)b', '"(*SKIP" is not supported'],
  ['pcre', '\\x{1F600}', 'characters above U+FFFF are not supported'],
  ['pcre', '\\p{Nonsense}', 'there is no property "Nonsense"'],
  ['pcre', `${'('.repeat(200)}${')'.repeat(200)}`, 'brackets are nested more than 100 deep'],
  ['regexp', 'a{1', 'a "{" is not followed by numbers and "}"'],
  ['regexp', '(a', 'a closing bracket is missing'],
  ['regexp', '*a', 'a quantifier does not follow anything that can be repeated'],
  ['regexp', '[[.hyphen.]]', 'there is no collating element "hyphen"'],
  ['regexp', '[[:<:]]a', 'there is no class [:<:]'],
  ['regexp', '\\d+', '"\\d" means nothing in a POSIX expression; a pcre table may be what is wanted'],
  ['regexp', '\\1(a)', 'there is no group 1 to refer to'],
] as const)
  test(`${flavour} /${source.length > 40 ? `${source.slice(0, 40)}…` : source}/ is refused: ${sentence}`, () =>
    assert.throws(
      () => compilePattern(source, flavour),
      (error) => error instanceof PatternProblem && error.message === sentence,
    ));

test('flags that do not exist are refused', () => {
  assert.throws(() => compilePattern('a', 'pcre', 'q'), /no pattern flag "q"/);
  assert.throws(() => compilePattern('a', 'regexp', 's'), /no pattern flag "s"/);
  assert.throws(() => compilePattern('a', 'pcre', 'constructor'), PatternProblem);
});

test('no text makes the parsers do anything but give a pattern or say what is wrong', () => {
  const piece = fc.constantFrom(
    'a',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '*',
    '+',
    '?',
    '|',
    '^',
    '$',
    '.',
    '\\',
    '-',
    ',',
    '1',
    '(?',
    ':',
    '<',
    '=',
    '!',
    '\\Q',
    '\\E',
    '[[:',
    ':]]',
    '#',
    ' ',
    '\\g{',
    '\\x{',
    '\u00e4',
    '\ud800',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.constantFrom<Flavour>('pcre', 'regexp'),
      fc.constantFrom('', 'i', 'm', 'x', 'mx'),
      fc.string({ maxLength: 20 }),
      (pieces, flavour, flags, text) => {
        try {
          const pattern = compilePattern(pieces.join(''), flavour, flags);
          if (pattern.engineFor(text.length) !== 'worker') pattern.exec(text);
        } catch (error) {
          assert.ok(error instanceof PatternProblem, String(error));
        }
      },
    ),
    { seed: 20261120, numRuns: 2000 },
  );
});

test('RE2 finds what JavaScript finds', () => {
  const flags = { ignoresCase: true, isMultiline: false, dotMatchesAll: true, isExtended: false, isAnchored: false, dollarIsEnd: false, isUngreedy: false };
  const item = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab-]',
    '[^a]',
    '\\w+',
    '\\s*',
    '(a|b)',
    '(?:ab)?',
    '\\b',
    '$',
    '^',
    'x{2,3}',
    '\\.',
    '[[:digit:]]',
    'c*?',
    '\\h',
  );
  fc.assert(
    fc.property(
      fc.array(item, { minLength: 1, maxLength: 6 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'C', '-', ' ', 'x', '1', '\n', '.'), maxLength: 12 }),
      (items, text) => {
        const { root, groupCount } = parsePcre(items.join(''), flags);
        const linear = writeRe2(root);
        if (linear === null) return;
        assert.equal(RE2JS.compile(linear).test(text), new RegExp(writeJavaScript(root, groupCount).source).test(text), items.join(''));
      },
    ),
    { seed: 20261120, numRuns: 2000 },
  );
});
