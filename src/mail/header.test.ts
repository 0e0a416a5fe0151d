import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fieldName, fieldValue, firstField, foldHeader, isField, scanHeaders, unfold } from './header.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const pairs = (text: string): [string, string][] => {
  const input = bytes(text);
  return scanHeaders(input).fields.map((field) => [fieldName(input, field), fieldValue(input, field)]);
};

describe('a header section', () => {
  const rows: [text: string, end: number, ...fields: [string, string][]][] = [
    ['', 0],
    ['\r\nbody', 2],
    ['\nbody', 1],
    ['A: b\r\n\r\nbody', 8, ['A', 'b']],
    ['A: b\n\nbody', 6, ['A', 'b']],
    ['A: b', 4, ['A', 'b']],
    ['A:\r\n\r\n', 6, ['A', '']],
    ['A: b\r\n c\r\n\td\r\n\r\n', 16, ['A', 'b c\td']],
    ['A :b\r\nC:d\r\n\r\n', 13, ['A', 'b'], ['C', 'd']],
    ['From x@y Mon\r\nA: b\r\n\r\n', 22, ['', 'From x@y Mon'], ['A', 'b']],
    [' fold of nothing\r\nA: b\r\n\r\n', 26, ['', 'fold of nothing'], ['A', 'b']],
    ['A: b\r\n \r\nC: d\r\n\r\n', 17, ['A', 'b'], ['C', 'd']],
    ['A: b\rc\r\n\r\n', 10, ['A', 'b\rc']],
    [':x\r\nA\xe4: b\r\n\r\n', 13, ['', ':x'], ['', 'A\xe4: b']],
  ];
  for (const [text, end, ...fields] of rows) {
    test(JSON.stringify(text), () => {
      assert.deepEqual(pairs(text), fields);
      assert.equal(scanHeaders(bytes(text)).end, end);
    });
  }

  test('begins where it is told', () => {
    const input = bytes('xxxA: b\r\n\r\n');
    assert.deepEqual(scanHeaders(input, 3).fields[0], { nameStart: 3, nameEnd: 4, valueStart: 5, valueEnd: 7, end: 9 });
  });

  test('too many fields or bytes are left out, the end is still found', () => {
    const input = bytes(`${'A: b\r\n'.repeat(50)}\r\nbody`);
    const limits = { headerBytes: 10_000, headerFields: 10, fieldNameBytes: 998 };
    const byCount = scanHeaders(input, 0, limits);
    assert.deepEqual([byCount.fields.length, byCount.end, byCount.isTruncated], [10, 302, true]);
    const bySize = scanHeaders(input, 0, { ...limits, headerBytes: 20 });
    assert.deepEqual([bySize.fields.length, bySize.end, bySize.isTruncated], [3, 302, true]);
  });

  test('no byte is lost: the fields and the blank line are the section', () => {
    const unit = fc.constantFrom('a', ':', ' ', '\t', '\r\n', '\n', '\r', 'é', '\0');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        const input = bytes(text);
        const { fields, end, isComplete } = scanHeaders(input);
        let at = 0;
        for (const field of fields) {
          assert.equal(field.nameStart, at);
          assert.ok(field.nameEnd <= field.valueStart && field.valueStart <= field.valueEnd && field.valueEnd <= field.end);
          at = field.end;
        }
        assert.equal(end - at, isComplete ? (input[end - 2] === 0x0d ? 2 : 1) : 0);
      }),
      { seed: 31, numRuns: 3000 },
    );
  });
});

test('fields are found without regard to case', () => {
  const input = bytes('SUBJECT: one\r\nsubject: two\r\n\r\n');
  const { fields } = scanHeaders(input);
  assert.equal(fieldValue(input, firstField(input, fields, 'subject')!), 'one');
  assert.equal(firstField(input, fields, 'subjec'), null);
  assert.equal(isField(bytes('SUBJEC\x14: x'), { nameStart: 0, nameEnd: 7, valueStart: 8, valueEnd: 8, end: 8 }, 'subject'), false);
});

test('unfolding takes out line ends only', () => {
  assert.equal(unfold('a\r\n b\n\tc'), 'a b\tc');
});

describe('folding', () => {
  test('a short field stays on one line', () => assert.equal(foldHeader('A', 'b c'), 'A: b c\r\n'));
  test('line ends in a value cannot start a field', () => assert.equal(foldHeader('A', 'b\r\nEvil: c\r\n\r\nd'), 'A: b Evil: c d\r\n'));
  test('no line is longer than it must be, and unfolding gives the value back', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'bb', 'é'), minLength: 1, maxLength: 90 }), { maxLength: 30 }), (words) => {
        const value = words.join(' ');
        const folded = foldHeader('Subject', value);
        assert.equal(folded.replace(/\r\n/g, ''), `Subject: ${value}`);
        for (const line of folded.split('\r\n'))
          assert.ok(Buffer.byteLength(line) <= 78 || line.trim().split(' ').length === 1 || line.startsWith('Subject: '), line);
      }),
      { seed: 32, numRuns: 300 },
    );
  });
  test('a word longer than a line may be is cut', () => {
    for (const word of ['x'.repeat(3000), 'é'.repeat(3000), `a ${'x'.repeat(999)} b`]) {
      for (const line of foldHeader('Subject', word).split('\r\n')) assert.ok(Buffer.byteLength(line) <= 998);
    }
  });
});
