import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseArguments, parseBase64, parseCommand, parseNumber, uniqueId } from './command.ts';
import { LineCounter, MessageOut } from './message-out.ts';

for (const [line, verb, rest] of [
  ['QUIT', 'QUIT', ''],
  ['retr 1', 'RETR', '1'],
  ['PASS  two  spaces ', 'PASS', ' two  spaces '],
  ['', '', ''],
  [' X', '', 'X'],
] as const)
  test(`the line ${JSON.stringify(line)} is ${verb} with ${JSON.stringify(rest)}`, () => assert.deepEqual(parseCommand(line), { verb, rest }));

test('numbers, arguments, base64 and unique-ids', () => {
  assert.equal(parseNumber('007'), 7);
  for (const wrong of ['', '-1', '1.5', '0x1', ' 1', '1234567890']) assert.equal(parseNumber(wrong), null, wrong);
  assert.deepEqual(parseArguments(' 1  2 '), ['1', '2']);
  assert.deepEqual(parseArguments('  '), []);
  assert.deepEqual(parseBase64('='), new Uint8Array(0));
  assert.deepEqual(parseBase64('YWI='), Buffer.from('ab'));
  for (const wrong of ['YWI', 'Y=I=', '*', 'YWI-', '====']) assert.equal(parseBase64(wrong), null, wrong);
  assert.equal(uniqueId(0xffffffff, 1), 'ffffffff00000001');
});

/** What a client makes of a multi-line response. */
function unstuffed(wire: Buffer): string {
  const text = wire.toString('latin1');
  assert.ok(text.endsWith('.\r\n'));
  return text.slice(0, -3).replace(/(^|\n)\./g, '$1');
}

test('any message comes through, however it is cut, and nothing in it ends the response', () => {
  const piece = fc.constantFrom('\r\n', '.', '.\r\n', '\n', '\r', 'text', '..', '\0');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(40), { maxLength: 4 }), (pieces, cuts) => {
      const message = Buffer.from(pieces.join(''), 'latin1');
      const out = new MessageOut(false);
      const sent: Uint8Array[] = [];
      let from = 0;
      for (const cut of [...cuts, message.length].map((at) => Math.min(at, message.length)).sort((a, b) => a - b)) {
        sent.push(out.push(message.subarray(from, cut)));
        from = cut;
      }
      sent.push(out.end());
      const wire = Buffer.concat(sent);
      const given = message.toString('latin1');
      const got = unstuffed(wire);
      const ending = given === '' || given.endsWith('\r\n') ? '' : given.endsWith('\r') ? '\n' : '\r\n';
      assert.equal(got, given + ending);
      // The end, as a strict client looks for it, comes once, at the end.
      assert.equal(('\r\n' + wire.toString('latin1')).indexOf('\r\n.\r\n') + 3, wire.length);
    }),
    { seed: 1939, numRuns: 2000 },
  );
});

test('a chunk without dots or NUL is given on as it is', () => {
  const chunk = Buffer.from('a.b\r\nc\r\n');
  assert.deepEqual(new MessageOut(true).push(chunk), chunk);
  assert.equal(new MessageOut(true).push(chunk).buffer, chunk.buffer);
});

test('NUL is replaced in a copy', () => {
  const chunk = Buffer.from('a\0b\0');
  assert.deepEqual(Buffer.from(new MessageOut(true).push(chunk)), Buffer.from([0x61, 0x80, 0x62, 0x80]));
  assert.deepEqual(chunk, Buffer.from('a\0b\0'));
});

test('lines are counted across chunks', () => {
  const counter = new LineCounter(2);
  assert.equal(Buffer.from(counter.take(Buffer.from('on'))).toString(), 'on');
  assert.equal(Buffer.from(counter.take(Buffer.from('e\r\ntwo\r'))).toString(), 'e\r\ntwo\r');
  assert.equal(counter.isDone, false);
  assert.equal(Buffer.from(counter.take(Buffer.from('\nthree\r\n'))).toString(), '\n');
  assert.equal(counter.isDone, true);
  assert.equal(counter.take(Buffer.from('x')).length, 0);
});
