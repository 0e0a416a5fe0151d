/** Collations: the examples of RFC 4790, RFC 5051 and RFC 5255, and what must hold of each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ASCII_NUMERIC, COLLATIONS, type Collation, matchingCollations, UNICODE_CASEMAP } from './collation.ts';

const collation = (id: string): Collation => COLLATIONS.find((each) => each.id === id)!;
const ASCII_CASEMAP = collation('i;ascii-casemap');
const OCTET = collation('i;octet');

function order(by: Collation, texts: readonly string[]): string[] {
  return [...texts].sort((a, b) => (by.key(a) < by.key(b) ? -1 : by.key(a) > by.key(b) ? 1 : 0));
}

test('i;ascii-numeric: the examples of RFC 4790 section 9.1.1', () => {
  const { key } = ASCII_NUMERIC;
  assert.ok(key('0') < key('1') && key('1') < key('4294967298'));
  assert.equal(key('4294967298'), key('04294967298'));
  assert.equal(key('4294967298'), key('4294967298b'));
  assert.ok(key('04294967298') < key(''));
  assert.equal(key(''), key('x'));
  assert.equal(key('x'), key('y'));
  assert.equal(key('000'), key('0'));
  assert.ok(key('9'.repeat(100)) < key('1'.repeat(101)));
  assert.ok(key('9'.repeat(1_000_000)) < key('none'));
});

test('i;octet orders by octets of UTF-8, not by UTF-16', () => {
  assert.deepEqual(order(OCTET, ['b', 'B', 'a', '', '\u{1f600}', '\uff21', 'é']), ['', 'B', 'a', 'b', 'é', '\uff21', '\u{1f600}']);
});

test('i;ascii-casemap folds ASCII letters and no others', () => {
  assert.equal(ASCII_CASEMAP.fold('Straße É é'), 'STRAßE É é');
  assert.deepEqual(order(ASCII_CASEMAP, ['b', 'A', 'B', 'a', 'é', 'É']), ['A', 'a', 'b', 'B', 'É', 'é']);
});

test('i;unicode-casemap: the example of RFC 5051 section 2', () => {
  assert.equal(UNICODE_CASEMAP.fold('\u01c4'), '\u0044\u007a\u030c');
  assert.equal(UNICODE_CASEMAP.fold('\u01c6'), '\u0044\u007a\u030c');
});

for (const [what, text, folded] of [
  ['letters with marks come apart', 'Élan', 'E\u0301LAN'],
  ['sharp s has no simple mapping', 'straße', 'STRAßE'],
  ['ligatures are decomposed after their case', 'ﬁt', 'fiT'],
  ['alpha with iota below', '\u1f80', '\u0391\u0313\u0345'],
  ['omega with iota below', '\u1ff3', '\u03a9\u0345'],
  ['dz', '\u01f3', 'Dz'],
  ['lj and nj', '\u01c9\u01cc', 'LjNj'],
  ['Georgian has no case here', '\u10d0', '\u10d0'],
  ['Cyrillic', 'привет', 'ПРИВЕТ'.normalize('NFKD')],
  ['beyond U+FFFF', '\u{10428}', '\u{10400}'],
  ['full width letters', 'ａ', 'A'],
] as const)
  test(`i;unicode-casemap: ${what}`, () => assert.equal(UNICODE_CASEMAP.fold(text), folded));

test('the example of RFC 5255 section 4.6: what decodes is ordered by letters', () => {
  assert.deepEqual(order(UNICODE_CASEMAP, ['сергей', 'Алексей']), ['Алексей', 'сергей']);
});

test('folding is the same for texts that differ in case of simple letters', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-zÀ-ÖØ-Þα-ρσ-ωа-я ]*$/), (text) => assert.equal(UNICODE_CASEMAP.fold(text.toUpperCase()), UNICODE_CASEMAP.fold(text))),
    { seed: 51, numRuns: 300 },
  );
});

test('keys have one character per octet and order as their octets do', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      for (const by of COLLATIONS) {
        const [x, y] = [by.key(a), by.key(b)];
        assert.ok(!/[^\x00-\xff]/.test(x));
        const octetOrder = Buffer.compare(Buffer.from(by.fold(a)), Buffer.from(by.fold(b)));
        assert.equal(x < y ? -1 : x > y ? 1 : 0, octetOrder);
      }
    }),
    { seed: 52, numRuns: 500 },
  );
});

for (const [pattern, ids] of [
  ['i;octet', ['i;octet']],
  ['I;OCTET', ['i;octet']],
  ['+i;octet', ['i;octet']],
  ['*', ['i;unicode-casemap', 'i;ascii-casemap', 'i;octet']],
  ['i;*casemap', ['i;unicode-casemap', 'i;ascii-casemap']],
  ['i;*i*p', ['i;unicode-casemap', 'i;ascii-casemap']],
  ['i;oct*octet', []],
  ['i;ascii-numeric', []],
  ['cz;*', []],
  ['**', []],
  ['', []],
  ['-i;octet', []],
  [`${'*a'.repeat(200)}`, []],
] as const)
  test(`collations that match ${JSON.stringify(pattern.slice(0, 30))}`, () =>
    assert.deepEqual(
      matchingCollations(pattern).map(({ id }) => id),
      ids,
    ));
