import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CommandReader } from './reader.ts';

const LIMITS = { lineBytesMax: 200, literalBytesMax: 100 };

/** Everything a reader says about `chunks`, as text. */
function events(chunks: readonly Buffer[], limits = LIMITS): string[] {
  const reader = new CommandReader(limits);
  const said: string[] = [];
  let message = '';
  for (const chunk of chunks) {
    reader.push(chunk);
    for (;;) {
      if (reader.literalLeft > 0) {
        const piece = reader.takeLiteral();
        if (piece === null) break;
        message += piece.toString('latin1');
        if (reader.literalLeft === 0) {
          said.push(`message ${message}`);
          message = '';
        }
        continue;
      }
      const event = reader.next();
      if (event === null) break;
      said.push(event === 'continue' ? event : `${event} ${reader.bytes.toString('latin1')}`);
    }
  }
  return said;
}

const whole = (text: string): string[] => events([Buffer.from(text, 'latin1')]);

test('a command ends at CRLF', () => assert.deepEqual(whole('a NOOP\r\nb NOOP\r\n'), ['command a NOOP', 'command b NOOP']));
test('a bare LF is reported, and the next command is read', () => assert.deepEqual(whole('a NOOP\nb NOOP\r\n'), ['bareLf a NOOP', 'command b NOOP']));
test('a synchronising literal is asked for', () =>
  assert.deepEqual(whole('a LOGIN {2}\r\nab {3+}\r\nc\r\n\r\n'), ['continue', 'command a LOGIN {2}\r\nab {3+}\r\nc\r\n']));
test('the message of APPEND is handed on, not gathered', () =>
  assert.deepEqual(whole('a append box (\\Seen) {5}\r\nhello\r\nb NOOP\r\n'), [
    'append a append box (\\Seen) ',
    'message hello',
    'appendEnd ',
    'command b NOOP',
  ]));
test('the mailbox of APPEND may be a literal', () =>
  assert.deepEqual(whole('a APPEND {3+}\r\nbox {5+}\r\nhello\r\n'), ['append a APPEND {3+}\r\nbox ', 'message hello', 'appendEnd ']));
test('a literal8 and several messages', () =>
  assert.deepEqual(whole('a APPEND box ~{2+}\r\na\0 {1+}\r\nb UTF8 (~{1+}\r\nc)\r\n'), [
    'append a APPEND box ',
    'message a\0',
    'append  ',
    'message b',
    'append  UTF8 (',
    'message c',
    'appendEnd )',
  ]));
test('an overlong line is dropped with what belongs to it', () =>
  assert.deepEqual(whole(`a ${'x'.repeat(300)} {4+}\r\nb \r\n ${'y'.repeat(300)}\r\nc NOOP\r\n`), [`tooLong a ${'x'.repeat(126)}`, 'command c NOOP']));
test('a literal beyond the limit is refused before it is sent', () =>
  assert.deepEqual(whole('a LOGIN {101}\r\nb NOOP\r\n'), ['literalTooBig a LOGIN {101}\r\n', 'command b NOOP']));
test('a non-synchronising literal beyond the limit is dropped with its command', () =>
  assert.deepEqual(whole(`a LOGIN {101+}\r\n${'\r\n'.repeat(50)}x password\r\nb NOOP\r\n`), ['literalTooBig a LOGIN {101+}\r', 'command b NOOP']));
test('literals of one command are counted together', () =>
  assert.deepEqual(
    whole(`a X {60+}\r\n${'y'.repeat(60)} {60}\r\nb NOOP\r\n`)
      .at(-2)
      ?.slice(0, 13),
    'literalTooBig',
  ));

test('chunks may end anywhere: the same events for every split', () => {
  const text = Buffer.from(
    `a NOOP\r\nb LOGIN {3}\r\nx\r\n "y" {2+}\r\n{}\r\nc APPEND {3+}\r\nbox (\\Seen) ~{7+}\r\n1\r\n2\r\n3\r\nd X ${'z'.repeat(250)}{9+}\r\n\r\ne NOOP\r\n\r\ne {200+}\r\n${'\r\n'.repeat(100)}\r\nf IDLE\r\nDONE\r\n`,
    'latin1',
  );
  const expected = events([text]);
  assert.equal(expected.at(-1), 'command DONE');
  for (let at = 1; at < text.length; at += 1) assert.deepEqual(events([text.subarray(0, at), Buffer.from(text.subarray(at))]), expected, `split at ${at}`);
  assert.deepEqual(events(Array.from(text, (byte) => Buffer.from([byte]))), expected, 'byte by byte');
});

test('random bytes never throw, and splitting them changes nothing', () => {
  const piece = fc.oneof(
    fc.constantFrom('\r\n', '{3}', '{3+}', '~{2+}\r\n', 'a APPEND b ', '"', ' ', '{99999999999999999999}\r\n'),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(200), (pieces, at) => {
      const text = Buffer.from(pieces.join(''), 'latin1');
      assert.deepEqual(events([text.subarray(0, at), Buffer.from(text.subarray(at))]), events([text]));
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('nothing is kept once everything was read', () => {
  const reader = new CommandReader(LIMITS);
  reader.push(Buffer.from('a NOOP\r\n'));
  assert.equal(reader.next(), 'command');
  assert.equal(reader.buffered, 0);
});
