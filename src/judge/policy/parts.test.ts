// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the macros of Postfix's reply templates
/** The small grammars: words, filters, macros, host names, enhanced codes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isHostName } from './hostname.ts';
import { compileTemplate, expandTemplate } from './macros.ts';
import { parseRblFilter } from './rbl-filter.ts';
import { reversedAddress } from './restrictions/rbl.ts';
import { parsePolicyServer } from './restrictions/service.ts';
import { POLICY_DEFAULTS } from './config.ts';
import { splitWords } from './split.ts';
import { enhancedFor, splitEnhanced, SUBJECT } from './words.ts';

for (const [entry, words] of [
  ['a, b  c\t,,d', ['a', 'b', 'c', 'd']],
  ['', []],
  ['check x:{ a, b } c', ['check', 'x:{ a, b }', 'c']],
  ['check { x:y, { a = b } }', ['check', '{ x:y, { a = b } }']],
] as const) {
  test(`"${entry}" is parted into ${words.length} words`, () => assert.deepEqual(splitWords(entry), words));
}
for (const entry of ['a}', '{a', 'a {b}}']) test(`"${entry}" has braces that do not match`, () => assert.equal(typeof splitWords(entry), 'string'));

for (const [pattern, yes, no] of [
  ['127.0.0.2', '127.0.0.2', '127.0.0.3'],
  ['127.0.0.[1..4;8]', '127.0.0.8', '127.0.0.5'],
  ['127.[0;2].[1..255].1', '127.2.9.1', '127.1.9.1'],
  ['[127.0.0.[1..4]]', '127.0.0.1', '127.0.0.9'],
] as const) {
  test(`filter ${pattern} takes ${yes} and not ${no}`, () => {
    const filter = parseRblFilter(pattern);
    assert.ok(typeof filter !== 'string' && filter.matches(yes) && !filter.matches(no));
  });
}
for (const pattern of ['', '127.0.0', '127.0.0.256', '127.0.0.[', '127.0.0.[]', '127.0.0.[5..2]', '127.0.0.1.1', '127.0.0.[1,2]', '127..0.1', '127.0.0.1x']) {
  test(`filter "${pattern}" is refused`, () => assert.equal(typeof parseRblFilter(pattern), 'string'));
}

const KNOWN = new Set(['a', 'empty']);
const values = (name: string): string => (name === 'a' ? 'A' : '');
for (const [template, text] of [
  ['x $a y', 'x A y'],
  ['${a}$(a)$a', 'AAA'],
  ['${a?yes}${a:no}${empty?yes}${empty:no}', 'yesno'],
  ['${a?{got $a}:{none}} ${empty?{got}:{none $a}}', 'got A none A'],
  ['$$a', '$a'],
  ['${a?; $a}', '; A'],
] as const) {
  test(`macros: ${template}`, () => {
    const compiled = compileTemplate(template, KNOWN);
    assert.ok(typeof compiled !== 'string');
    assert.equal(expandTemplate(compiled, values), text);
  });
}
for (const template of ['$', '$b', '${a', '${a!x}', '${a?{x}y}', '${a:{x', '$(a}'])
  test(`macros: ${template} is refused`, () => assert.equal(typeof compileTemplate(template, KNOWN), 'string'));

test('values of macros bring no macros and no control characters', () => {
  const compiled = compileTemplate('$a', KNOWN);
  assert.ok(typeof compiled !== 'string');
  assert.equal(
    expandTemplate(compiled, () => '$a\r\nü'),
    '$a___',
  );
});

test('any text is a template or a sentence', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', '(', ')', '?', ':', 'a', ' '), maxLength: 200 }), (text) => {
      const compiled = compileTemplate(text, KNOWN);
      if (typeof compiled !== 'string') expandTemplate(compiled, values);
    }),
    { seed: 7, numRuns: 500 },
  );
});

for (const [name, is] of [
  ['a.test', true],
  ['a_b.test', true],
  ['1a.2', true],
  ['1.2', false],
  ['', false],
  ['a..b', false],
  ['.a', false],
  ['a.', false],
  ['-a', false],
  ['a-', false],
  ['a-.b', false],
  [`${'x'.repeat(64)}.a`, false],
  [`${'x.'.repeat(127)}xx`, false],
  ['a b', false],
  ['ä.test', false],
] as const) {
  test(`"${name.slice(0, 20)}" is ${is ? 'a' : 'no'} host name`, () => assert.equal(isHostName(name), is));
}

test('addresses are reversed for lists', () => {
  assert.equal(reversedAddress('192.0.2.1'), '1.2.0.192');
  assert.equal(reversedAddress('2001:db8::21'), '1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2');
});

for (const [given, client, sender, recipient] of [
  ['5.1.1', '5.0.0', '5.1.7', '5.1.1'],
  ['4.1.2', '4.0.0', '4.1.8', '4.1.2'],
  ['5.1.8', '5.0.0', '5.1.8', '5.1.2'],
  ['5.1.7', '5.0.0', '5.1.7', '5.1.3'],
  ['5.7.1', '5.7.1', '5.7.1', '5.7.1'],
] as const) {
  test(`${given} about a client, a sender, a recipient`, () => {
    assert.deepEqual(
      [enhancedFor(given, SUBJECT.client), enhancedFor(given, SUBJECT.sender), enhancedFor(given, SUBJECT.recipient)],
      [client, sender, recipient],
    );
  });
}
test('a text begins with an enhanced code only when it is one', () => {
  assert.deepEqual(splitEnhanced('5.1.1 no', 'x'), { enhanced: '5.1.1', text: 'no' });
  assert.deepEqual(splitEnhanced('5.1.1', 'x'), { enhanced: '5.1.1', text: '' });
  for (const text of ['5.1.1no', '5.1 no', '3.1.1 no', '5.1.1111 no']) assert.equal(splitEnhanced(text, 'x').enhanced, 'x', text);
});

test('a policy server is a place, or a place with settings', () => {
  assert.equal(parsePolicyServer('inet:127.0.0.1:10031', POLICY_DEFAULTS).endpoint, 'inet:127.0.0.1:10031');
  const server = parsePolicyServer('{ unix:/run/x, timeout=10s, try_limit = 1, { default_action = 450 4.7.0 later }, policy_context=a }', POLICY_DEFAULTS);
  assert.deepEqual(server, {
    endpoint: 'unix:/run/x',
    context: 'a',
    options: { timeoutMs: 10_000, tryLimit: 1, retryMs: 1000, defaultAction: '450 4.7.0 later' },
  });
  for (const wrong of ['{}', '{ unix:/x, nonsense=1 }', '{ unix:/x, timeout=soon }']) assert.throws(() => parsePolicyServer(wrong, POLICY_DEFAULTS), wrong);
});
