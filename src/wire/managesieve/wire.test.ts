import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCapability, formatListed, formatResponse, formatString } from './format.ts';
import { literalMark, parseLine, type Word } from './line.ts';
import { LINE_OCTETS_MAX, SKIPPED_OCTETS_MAX } from './limits.ts';
import { scriptName } from './name.ts';
import { CommandReader, type ReaderEvent } from './reader.ts';

const shown = (words: readonly Word[]): unknown[] =>
  words.map((word) => (word.kind === 'string' ? [word.bytes.toString('utf8')] : word.kind === 'number' ? word.value : word.text));

for (const [line, expected] of [
  ['LOGOUT', ['LOGOUT']],
  ['Putscript "foo" "bar"', ['Putscript', ['foo'], ['bar']]],
  ['HAVESPACE "a" 999999', ['HAVESPACE', ['a'], 999999]],
  ['HAVESPACE "a" 4294967295', ['HAVESPACE', ['a'], 4294967295]],
  ['HAVESPACE "a" 4294967296', ['HAVESPACE', ['a'], '4294967296']],
  ['HAVESPACE "a" 007', ['HAVESPACE', ['a'], '007']],
  ['NOOP "a\\"b\\\\c"', ['NOOP', ['a"b\\c']]],
  ['NOOP ""', ['NOOP', ['']]],
  ['NOOP "ä {3+}"', ['NOOP', ['ä {3+}']]],
  ['LOGOUT  ', ['LOGOUT']],
  ['', []],
] as const)
  test(`the line ${JSON.stringify(line)} is taken`, () => {
    const parsed = parseLine(Buffer.from(line));
    assert.ok(parsed.kind === 'words');
    assert.deepEqual(shown(parsed.words), expected);
    assert.equal(parsed.literalOctets, null);
  });

for (const line of [
  'NOOP  "a"',
  ' NOOP',
  'NOOP "a',
  'NOOP "a"b',
  'NOOP "a\\n"',
  'NOOP "a\\',
  'NOOP "a\0"',
  'NOOP (a)',
  'NOOP {3+} x',
  'NOOP {+}',
  'NOOP {a+}',
  'NOOP\\',
  'NOOP é',
  'A B C D E',
  'a'.repeat(1025),
])
  test(`the line ${JSON.stringify(line.slice(0, 20))} is refused`, () => assert.equal(parseLine(Buffer.from(line)).kind, 'wrong'));

test('a literal is announced at the end of a line, with or without plus', () => {
  for (const [line, octets] of [
    ['PUTSCRIPT "a" {31+}', 31],
    ['PUTSCRIPT "a" {0}', 0],
    ['{12+}', 12],
  ] as const) {
    const parsed = parseLine(Buffer.from(line));
    assert.ok(parsed.kind === 'words');
    assert.equal(parsed.literalOctets, octets);
  }
  assert.equal(literalMark(Buffer.from('x {99999999999999999999+}'))?.octets, Number.POSITIVE_INFINITY);
  for (const line of ['{}', '{+}', '3}', 'x{3+', '{3-}']) assert.equal(literalMark(Buffer.from(line)), null, line);
});

function read(input: Buffer, cuts: readonly number[], literalOctetsMax = 1000): ReaderEvent[] {
  const reader = new CommandReader({ literalOctetsMax });
  const events: ReaderEvent[] = [];
  let from = 0;
  for (const cut of [...cuts, input.length]) {
    if (cut <= from) continue;
    reader.push(Buffer.from(input.subarray(from, cut)));
    from = cut;
    for (let event = reader.next(); event !== null; event = reader.next()) {
      events.push(event);
      if (event.kind === 'flood') return events;
    }
  }
  return events;
}
const told = (events: readonly ReaderEvent[]): unknown[] => events.map((event) => ('words' in event ? [event.kind, ...shown(event.words)] : event));

const CONVERSATION = Buffer.from(
  [
    'CAPABILITY',
    'PUTSCRIPT {3+}\r\nfoo {6+}\r\n"\r\n{9}',
    'BAD(( {4+}\r\nLOGO "x" {2}\r\nUT',
    `PUTSCRIPT "large" {2000+}\r\n${'x'.repeat(2000)}`,
    `NOOP "${'y'.repeat(LINE_OCTETS_MAX)}" {5+}\r\nab\r\nc`,
    'NOOP "\u00e4"\nCHECKSCRIPT {0+}\r\n',
    'LOGOUT',
    '',
  ].join('\r\n'),
);
const EXPECTED = [
  ['words', 'CAPABILITY'],
  ['words', 'PUTSCRIPT', ['foo'], ['"\r\n{9}']],
  { kind: 'wrong', text: 'A word begins with a character that none may begin with' },
  ['literalTooBig', 'PUTSCRIPT', ['large']],
  { kind: 'wrong', text: 'Line is too long' },
  ['words', 'NOOP', ['ä']],
  ['words', 'CHECKSCRIPT', ['']],
  ['words', 'LOGOUT'],
];

test('commands come out whole, and refused ones are passed over with their literals', () => {
  const events = told(read(CONVERSATION, []));
  assert.deepEqual(
    events.map((event) => ((event as { kind?: string }).kind === 'wrong' ? 'wrong' : event)),
    EXPECTED.map((event) => ('kind' in event ? 'wrong' : event)),
  );
  assert.deepEqual(told(read(CONVERSATION, [])), told(read(CONVERSATION, Array.from(CONVERSATION.keys()))), 'one byte at a time');
});

test('input cut anywhere reads the same', () => {
  const whole = told(read(CONVERSATION, []));
  fc.assert(
    fc.property(fc.array(fc.nat(CONVERSATION.length), { maxLength: 6 }), (cuts) => {
      assert.deepEqual(
        told(
          read(
            CONVERSATION,
            cuts.sort((a, b) => a - b),
          ),
        ),
        whole,
      );
    }),
    { seed: 5804, numRuns: 500 },
  );
});

test('a literal nobody wants to pass over ends the connection, at once', () => {
  assert.deepEqual(told(read(Buffer.from(`NOOP {${SKIPPED_OCTETS_MAX + 1}+}\r\n`), [])), [{ kind: 'flood' }]);
  assert.deepEqual(told(read(Buffer.from('NOOP {99999999999999999999999+}\r\n'), [])), [{ kind: 'flood' }]);
});

test('the literals of one command have one bound', () => {
  assert.deepEqual(told(read(Buffer.from(`PUTSCRIPT {600+}\r\n${'n'.repeat(600)} {600+}\r\n${'s'.repeat(600)}\r\nLOGOUT\r\n`), [])), [
    ['literalTooBig', 'PUTSCRIPT', ['n'.repeat(600)]],
    ['words', 'LOGOUT'],
  ]);
});

test('after STARTTLS nothing that came before counts', () => {
  const reader = new CommandReader({ literalOctetsMax: 100 });
  reader.push(Buffer.from('NOOP {50+}\r\nhalf of it'));
  assert.equal(reader.next(), null);
  reader.reset();
  assert.equal(reader.buffered, 0);
  reader.push(Buffer.from('LOGOUT\r\n'));
  assert.deepEqual(told([reader.next()!]), [['words', 'LOGOUT']]);
});

test('any bytes are read to their end without an exception, however they are cut', () => {
  const piece = fc.oneof(
    fc.constantFrom('\r\n', '\n', '\r', ' ', '"', '\\', '{', '}', '{3+}\r\n', '{0}\r\n', '{20+}\r\n', '(', '*', 'NOOP', '7', '\0', 'ä'),
    fc.string({ maxLength: 12 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(300), { maxLength: 5 }), (pieces, cuts) => {
      const input = Buffer.from(`${pieces.join('')}\r\n`);
      assert.deepEqual(
        told(
          read(
            input,
            cuts.sort((a, b) => a - b),
            16,
          ),
        ),
        told(read(input, [], 16)),
      );
    }),
    { seed: 45804, numRuns: 3000 },
  );
});

test('what we write, our own grammar reads back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const events = read(Buffer.from(`NOOP ${formatString(text)}\r\n`), []);
      assert.deepEqual(told(events), [['words', 'NOOP', [Buffer.from(text).toString('utf8')]]]);
    }),
    { seed: 75804, numRuns: 1000 },
  );
});

test('responses', () => {
  assert.equal(formatResponse('OK', null), 'OK\r\n');
  assert.equal(formatResponse('NO', 'There is no "x"', 'NONEXISTENT'), 'NO (NONEXISTENT) "There is no \\"x\\""\r\n');
  assert.equal(formatResponse('NO', 'line 1: a\r\nline 2: b'), 'NO {20}\r\nline 1: a\r\nline 2: b\r\n');
  assert.equal(formatResponse('OK', 'Done', { name: 'TAG', value: 'a\nb' }), 'OK (TAG {3}\r\na\nb) "Done"\r\n');
  assert.equal(formatResponse('BYE', 'Over there', { name: 'REFERRAL', value: 'sieve://b.example' }), 'BYE (REFERRAL "sieve://b.example") "Over there"\r\n');
  assert.equal(formatCapability('STARTTLS', null), '"STARTTLS"\r\n');
  assert.equal(formatCapability('SASL', ''), '"SASL" ""\r\n');
  assert.equal(formatListed('clever"script', true), '"clever\\"script" ACTIVE\r\n');
  assert.equal(formatString('x'.repeat(1025)), `{1025}\r\n${'x'.repeat(1025)}`);
});

test('script names', () => {
  for (const name of ['a', 'ä/ö', ' ', 'x'.repeat(128), '\u{1f600}'.repeat(128)]) assert.equal(scriptName(name), name);
  assert.equal(scriptName('a\u0308'), 'ä', 'NFC');
  for (const name of ['', 'a\0', 'a\nb', '\u007f', '\u0085', '\u2028', '\u2029', 'x'.repeat(129), '\ud800', 'x'.repeat(100_000)])
    assert.equal(scriptName(name), null, JSON.stringify(name.slice(0, 10)));
});
