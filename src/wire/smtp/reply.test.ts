import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { enhancedLength, formatReply, ReplyParser } from './reply.ts';

test('a reply of one line', () => assert.equal(formatReply(250, '2.1.0', 'OK'), '250 2.1.0 OK\r\n'));
test('a reply of several lines repeats its codes', () => assert.equal(formatReply(214, '2.0.0', 'a\nb'), '214-2.0.0 a\r\n214 2.0.0 b\r\n'));
test('nothing a peer said can make a new line or a control sequence', () => assert.equal(formatReply(550, '', 'x\r\x1b\xe9'), '550 x???\r\n'));

const STREAM = '220 mx ESMTP\r\n250-mx\r\n250-SIZE 100\r\n250 HELP\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n354\r\n451 4.7.1\r\n250 5.0.0 odd\n';
const REPLIES = [
  { code: 220, enhanced: '', lines: ['mx ESMTP'] },
  { code: 250, enhanced: '', lines: ['mx', 'SIZE 100', 'HELP'] },
  { code: 550, enhanced: '5.1.1', lines: ['no', 'such user'] },
  { code: 354, enhanced: '', lines: [''] },
  { code: 451, enhanced: '4.7.1', lines: [''] },
  { code: 250, enhanced: '', lines: ['5.0.0 odd'] },
];
test('replies are read the same however they are cut', () => {
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const parser = new ReplyParser();
    assert.deepEqual([...parser.push(Buffer.from(STREAM.slice(0, cut))), ...parser.push(Buffer.from(STREAM.slice(cut)))], REPLIES);
    assert.equal(parser.failure, null);
    assert.equal(parser.isInside, false);
  }
});

const BAD: readonly (readonly [name: string, bytes: string])[] = [
  ['no code', 'hello\r\n'],
  ['a code of 199', '199 x\r\n'],
  ['a code of 600', '600 x\r\n'],
  ['no blank after the code', '250x\r\n'],
  ['two codes in one reply', '250-a\r\n251 b\r\n'],
  ['an endless line', 'x'.repeat(5000)],
  ['an endless line with its end', `250 ${'x'.repeat(5000)}\r\n`],
  ['endless lines', '250-x\r\n'.repeat(300)],
  ['an empty line', '\r\n'],
];
for (const [name, bytes] of BAD)
  test(`${name} is no reply`, () => {
    const parser = new ReplyParser();
    assert.deepEqual(parser.push(Buffer.from(bytes)), []);
    assert.notEqual(parser.failure, null);
    assert.deepEqual(parser.push(Buffer.from('250 OK\r\n')), [], 'and nothing after it is either');
  });

test('any bytes give replies or a failure', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const reply of new ReplyParser().push(Buffer.from(bytes))) assert.ok(reply.code >= 200 && reply.code < 600);
    }),
    { seed: 1, numRuns: 500 },
  ));

test('an enhanced code must be of the class of its reply', () => {
  assert.equal(enhancedLength('5.1.1 x', 550), 5);
  assert.equal(enhancedLength('5.1.1', 550), 5);
  assert.equal(enhancedLength('4.1.1 x', 550), 0);
  assert.equal(enhancedLength('5.1111.1 x', 550), 0);
  assert.equal(enhancedLength('5.1.1x', 550), 0);
  assert.equal(enhancedLength('', 550), 0);
});
