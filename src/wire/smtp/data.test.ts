import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ChunkScanner, DataReader, DotStuffer } from './data.ts';

interface Read {
  text: string;
  rest: string | null;
  findings: string;
}

/** Feeds `input` in pieces cut at `cuts`; `rest` is what follows the end, null while there is none. */
function read(input: string, cuts: readonly number[] = [], isNormalizing = false): Read {
  const reader = new DataReader(isNormalizing);
  const bytes = Buffer.from(input, 'latin1');
  const bounds = [0, ...cuts, bytes.length];
  const pieces: Uint8Array[] = [];
  let rest: string | null = null;
  for (let i = 1; i < bounds.length; i += 1) {
    // A copy, so that a view kept too long would be seen.
    const chunk = Buffer.from(bytes.subarray(bounds[i - 1], bounds[i]));
    const found: Uint8Array[] = [];
    const end = reader.push(chunk, 0, found);
    pieces.push(...found.map((piece) => Buffer.from(piece)));
    if (end !== -1) {
      rest = chunk.toString('latin1', end) + bytes.toString('latin1', bounds[i]!);
      break;
    }
  }
  const text = Buffer.concat(pieces).toString('latin1');
  assert.equal(reader.size, text.length);
  const { hasBareLf, hasBareCr, hasNul, has8bit } = reader;
  const findings = [hasBareLf && 'LF', hasBareCr && 'CR', hasNul && 'NUL', has8bit && '8'].filter(Boolean).join(' ');
  return { text, rest, findings: `${findings}/${reader.longestLineBytes}` };
}

const ROWS: readonly (readonly [input: string, text: string, rest: string | null, findings: string])[] = [
  ['.\r\n', '', '', '/0'],
  ['a\r\n.\r\nQUIT\r\n', 'a\r\n', 'QUIT\r\n', '/1'],
  ['a\r\n..\r\n.\r\n', 'a\r\n.\r\n', '', '/1'],
  ['..a\r\n...\r\n.b\r\n.\r\n', '.a\r\n..\r\nb\r\n', '', '/2'],
  ['a.\r\n.\r\n', 'a.\r\n', '', '/2'],
  ['a\r\n.', 'a\r\n', null, '/1'],
  ['a\r\n.\r', 'a\r\n', null, '/1'],
  ['a\n.\r\nb', 'a\n.\r\nb', null, 'LF/1'],
  ['a\n.\nb', 'a\n.\nb', null, 'LF/1'],
  ['a\r\n.\nb', 'a\r\n\nb', null, 'LF/1'],
  ['a\r.\rb', 'a\r.\rb', null, 'CR/0'],
  ['a\r\n.\rb', 'a\r\n\rb', null, 'CR/1'],
  ['a\r\n.\r\r\nb', 'a\r\n\r\r\nb', null, 'CR/1'],
  ['a\r.\r\nb', 'a\r.\r\nb', null, 'CR/3'],
  ['a\r\r\n.\r\n', 'a\r\r\n', '', 'CR/2'],
  ['\r\n.\r\n', '\r\n', '', '/0'],
  ['a\0b\r\n.\r\n', 'a\0b\r\n', '', 'NUL/3'],
  ['\xe9\r\n.\r\n', '\xe9\r\n', '', '8/1'],
  ['\n', '\n', null, 'LF/0'],
  ['.\n', '\n', null, 'LF/0'],
];
for (const [input, text, rest, findings] of ROWS)
  test(`data ${JSON.stringify(input)} is read the same however it is cut`, () => {
    assert.deepEqual(read(input), { text, rest, findings });
    for (let first = 0; first <= input.length; first += 1) {
      for (let second = first; second <= input.length; second += 1)
        assert.deepEqual(read(input, [first, second]), { text, rest, findings }, `cut at ${first}, ${second}`);
    }
  });

test('normalizing turns a bare LF into CRLF and never into an end', () => {
  for (let cut = 0; cut < 12; cut += 1)
    assert.deepEqual(read('a\n.\r\nb\n..\r\n.\r\n', [cut], true), { text: 'a\r\n.\r\nb\r\n..\r\n', rest: '', findings: 'LF/2' });
});

test('stuffed and read again, a message is the same', () => {
  const line = fc.constantFrom('', '.', '..', 'a', '.a', 'a.', '...\x80');
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(30), { maxLength: 4 }), fc.array(fc.nat(40), { maxLength: 4 }), (lines, cuts, readCuts) => {
      const message = Buffer.from(lines.map((text) => `${text}\r\n`).join(''), 'latin1');
      const stuffer = new DotStuffer();
      const sent: Buffer[] = [];
      let from = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), message.length]) {
        const to = Math.min(Math.max(cut, from), message.length);
        sent.push(...stuffer.push(message.subarray(from, to)));
        from = to;
      }
      sent.push(stuffer.end());
      const wire = Buffer.concat(sent).toString('latin1');
      const sorted = readCuts.filter((cut) => cut <= wire.length).sort((a, b) => a - b);
      const back = read(wire, sorted);
      assert.equal(back.text, message.toString('latin1'));
      assert.equal(back.rest, '');
    }),
    { seed: 42, numRuns: 500 },
  );
});

test('a message without a last CRLF is sent with one', () => {
  const stuffer = new DotStuffer();
  assert.equal(Buffer.concat([...stuffer.push(Buffer.from('a')), stuffer.end()]).toString(), 'a\r\n.\r\n');
});

test('chunks are scanned the same however they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(13, 10, 0, 65, 200), { maxLength: 12 }), fc.nat(12), (bytes, cut) => {
      const whole = new ChunkScanner();
      whole.push(Uint8Array.from(bytes));
      const parts = new ChunkScanner();
      parts.push(Uint8Array.from(bytes.slice(0, cut)));
      parts.push(Uint8Array.from(bytes.slice(cut)));
      assert.deepEqual(parts.finish(), whole.finish());
      assert.deepEqual({ ...parts }, { ...whole });
      const text = Buffer.from(bytes).toString('latin1');
      assert.equal(whole.hasBareLf, /(?:^|[^\r])\n/.test(text));
      assert.equal(whole.hasBareCr, /\r(?!\n)/.test(text));
      assert.equal(whole.hasNul, text.includes('\0'));
      assert.equal(whole.has8bit, bytes.includes(200));
      if (!whole.hasBareCr) assert.equal(whole.longestLineBytes, Math.max(...text.split(/\r?\n/).map((part) => part.length)));
    }),
    { seed: 7, numRuns: 2000 },
  );
});
