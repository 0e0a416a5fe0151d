import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HeaderEdit } from '../ports.ts';
import { applyEdits, bytesOfText, fieldBytes, latin1OfText, textOfBytes, textOfLatin1 } from './edit.ts';
import { scanHeaders } from './header.ts';

const HEADER = 'Received: a\r\nSubject:  odd\tspacing \r\nX-A: 1\r\nx-a: 2\r\n folded\r\nX-A: 3\r\n\r\n';
const edit = (header: string, ...edits: HeaderEdit[]): string => applyEdits(Buffer.from(header, 'latin1'), edits).toString('latin1');

const ROWS: readonly (readonly [what: string, edits: readonly HeaderEdit[], result: string])[] = [
  ['no edits', [], HEADER],
  [
    'the last one prepended is on top',
    [
      { kind: 'prepend', name: 'A', value: '1' },
      { kind: 'prepend', name: 'B', value: '2' },
    ],
    `B: 2\r\nA: 1\r\n${HEADER}`,
  ],
  ['append', [{ kind: 'append', name: 'Z', value: 'z' }], HEADER.replace(/\r\n$/, 'Z: z\r\n\r\n')],
  ['insert at 0', [{ kind: 'insert', index: 0, name: 'Z', value: 'z' }], `Z: z\r\n${HEADER}`],
  ['insert at 1', [{ kind: 'insert', index: 1, name: 'Z', value: 'z' }], HEADER.replace('Subject', 'Z: z\r\nSubject')],
  ['insert far behind', [{ kind: 'insert', index: 99, name: 'Z', value: 'z' }], HEADER.replace(/\r\n$/, 'Z: z\r\n\r\n')],
  ['change the second of a name, whatever its case', [{ kind: 'change', name: 'X-a', nth: 2, value: 'two' }], HEADER.replace('x-a: 2\r\n folded', 'X-a: two')],
  ['delete the second', [{ kind: 'change', name: 'X-A', nth: 2, value: '' }], HEADER.replace('x-a: 2\r\n folded\r\n', '')],
  [
    'what was the second is the first after the first is deleted',
    [
      { kind: 'change', name: 'X-A', nth: 1, value: '' },
      { kind: 'change', name: 'X-A', nth: 1, value: '' },
    ],
    HEADER.replace('X-A: 1\r\nx-a: 2\r\n folded\r\n', ''),
  ],
  [
    'deleting from the last to the first',
    [3, 2, 1].map((nth) => ({ kind: 'change' as const, name: 'x-a', nth, value: '' })),
    'Received: a\r\nSubject:  odd\tspacing \r\n\r\n',
  ],
  [
    'an added field counts, for those who change later',
    [
      { kind: 'change', name: 'X-A', nth: 1, value: '' },
      { kind: 'prepend', name: 'x-a', value: 'new' },
      { kind: 'change', name: 'X-A', nth: 1, value: 'newer' },
    ],
    `X-A: newer\r\n${HEADER.replace('X-A: 1\r\n', '')}`,
  ],
  ['change what is not there: added', [{ kind: 'change', name: 'New', nth: 1, value: 'v' }], HEADER.replace(/\r\n$/, 'New: v\r\n\r\n')],
  ['delete what is not there: nothing', [{ kind: 'change', name: 'New', nth: 1, value: '' }], HEADER],
  ['a value with its own leading space', [{ kind: 'prepend', name: 'A', value: '\tx' }], `A:\tx\r\n${HEADER}`],
  ['a value that begins with a fold', [{ kind: 'prepend', name: 'A', value: '\r\n x' }], `A:\r\n x\r\n${HEADER}`],
  ['folds with LF become CRLF', [{ kind: 'prepend', name: 'A', value: 'x\n\ty' }], `A: x\r\n\ty\r\n${HEADER}`],
  ['a value cannot begin another field', [{ kind: 'prepend', name: 'A', value: 'x\r\nBcc: y\rz\0' }], `A: x Bcc: y z \r\n${HEADER}`],
  ['a value cannot end the header', [{ kind: 'prepend', name: 'A', value: 'x\r\n\r\n \n y\n' }], `A: x\r\n y\r\n${HEADER}`],
  ['a name cannot hold a colon or a line', [{ kind: 'prepend', name: 'A:\r\n B', value: 'x' }], `AB: x\r\n${HEADER}`],
  ['a name of nothing', [{ kind: 'prepend', name: ' ', value: 'x' }], `X-Unnamed: x\r\n${HEADER}`],
];
for (const [what, edits, result] of ROWS)
  test(`edit: ${what}`, () => {
    assert.equal(edit(HEADER, ...edits), result);
  });

test('a header without blank line or last line end keeps what it has and gets its field on a line of its own', () => {
  assert.equal(edit('A: 1\r\nB: 2', { kind: 'append', name: 'C', value: '3' }), 'A: 1\r\nB: 2\r\nC: 3\r\n');
  assert.equal(edit('', { kind: 'append', name: 'C', value: '3' }), 'C: 3\r\n');
  assert.equal(edit('\r\nbody', { kind: 'append', name: 'C', value: '3' }), 'C: 3\r\n\r\nbody');
});

test('lines that are no fields are kept and not counted', () => {
  const header = 'From me to you\r\nA: 1\r\n\r\n';
  assert.equal(edit(header, { kind: 'insert', index: 0, name: 'Z', value: 'z' }), 'From me to you\r\nZ: z\r\nA: 1\r\n\r\n');
});

test('no field escapes an edit by its number', () => {
  const many = 'Authentication-Results: forged\r\n'.repeat(20_000);
  const edits = Array.from({ length: 20_000 }, () => ({ kind: 'change' as const, name: 'Authentication-Results', nth: 1, value: '' }));
  assert.equal(edit(`${many}A: 1\r\n\r\n`, ...edits), 'A: 1\r\n\r\n');
  assert.equal(edit(`${many}A: 1\r\n\r\n`, ...edits.map((one, index) => ({ ...one, nth: 20_000 - index }))), 'A: 1\r\n\r\n');
});

test('text of any bytes goes back to the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (raw) => {
      const bytes = Buffer.from(raw);
      assert.deepEqual(bytesOfText(textOfBytes(bytes)), bytes);
      assert.equal(latin1OfText(textOfLatin1(bytes.toString('latin1'))), bytes.toString('latin1'));
    }),
    { seed: 2001, numRuns: 500 },
  );
  assert.equal(textOfBytes(Buffer.from('né')), 'né');
  assert.deepEqual(fieldBytes('A', textOfBytes(Buffer.from('n\xe9', 'latin1'))), Buffer.from('A: n\xe9\r\n', 'latin1'));
});

test('whatever the edits, the untouched fields stay byte for byte and in order, and each edit is at most one field', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', '\t', '\r', '\n', '\0', ':', 'é', '\udc80'), maxLength: 12 });
  const any: fc.Arbitrary<HeaderEdit> = fc.oneof(
    fc.record({ kind: fc.constantFrom('prepend' as const, 'append' as const), name: text, value: text }),
    fc.record({ kind: fc.constant('insert' as const), index: fc.integer({ min: -1, max: 9 }), name: text, value: text }),
    fc.record({ kind: fc.constant('change' as const), nth: fc.integer({ min: -1, max: 4 }), name: fc.constantFrom('Gone', 'Other'), value: text }),
  );
  fc.assert(
    fc.property(fc.array(any, { maxLength: 8 }), (edits) => {
      const header = Buffer.from('Keep: 1\r\nGone: a\r\nKeep:2\r\n x\r\ngone : b\r\n\r\n');
      const out = applyEdits(header, edits);
      const section = scanHeaders(out);
      assert.ok(section.isComplete && section.end === out.length, JSON.stringify(out.toString('latin1')));
      assert.ok(section.fields.length <= 4 + edits.length);
      const kept = section.fields.map((field) => out.toString('latin1', field.nameStart, field.end)).filter((line) => line.startsWith('Keep'));
      assert.deepEqual(kept, ['Keep: 1\r\n', 'Keep:2\r\n x\r\n']);
    }),
    { seed: 2002, numRuns: 1000 },
  );
});
