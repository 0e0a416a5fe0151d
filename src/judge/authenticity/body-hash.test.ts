import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyHash, BodyHashes } from './body-hash.ts';
import { messageView } from './testing.ts';

/** The canonical forms as RFC 6376 sections 3.4.3 and 3.4.4 word them. */
function canonical(form: 'simple' | 'relaxed', body: string): string {
  let text = body.replace(/\r?\n/g, '\r\n');
  if (form === 'relaxed') text = text.replace(/[ \t]+/g, ' ').replace(/ (?=\r\n|$)/g, '');
  text = text.replace(/(?:\r\n)+$/, '');
  return text === '' && form === 'relaxed' ? '' : `${text}\r\n`;
}
const digest = (text: string): string => createHash('sha256').update(text, 'latin1').digest('base64');
function hashOf(form: 'simple' | 'relaxed', body: string, step = body.length, limit: number | null = null): BodyHash {
  const hash = new BodyHash(form, 'sha256', limit);
  const bytes = Buffer.from(body, 'latin1');
  for (let at = 0; at < bytes.length; at += Math.max(1, step)) hash.update(bytes.subarray(at, at + Math.max(1, step)));
  return hash;
}

const BODIES = [
  '',
  '\r\n',
  '\r\n\r\n\r\n',
  ' ',
  ' \r\n',
  'a',
  'a\r\n',
  'a\r\n\r\n',
  ' a  b\t\tc \r\n\r\n d \r\n \r\n',
  'a\nb\n\n',
  'a\rb\r\r\nc\r',
  '\r',
  '\r \r\n',
  'x \r y',
];
for (const form of ['simple', 'relaxed'] as const)
  for (const body of BODIES)
    test(`${form} form of ${JSON.stringify(body)}, in pieces of every size`, () => {
      for (let step = 1; step <= body.length + 1; step += 1) {
        const hash = hashOf(form, body, step);
        assert.equal(hash.digest().toString('base64'), digest(canonical(form, body)));
        assert.equal(hash.size, canonical(form, body).length);
      }
    });

test('the bodies of RFC 6376 section 3.4.6', () => {
  assert.equal(canonical('relaxed', ' C \r\nD \t E\r\n\r\n\r\n'), ' C\r\nD E\r\n');
  assert.equal(hashOf('relaxed', '').digest().toString('base64'), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
  assert.equal(hashOf('simple', '').digest().toString('base64'), 'frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=');
});

test('any body in any pieces has the hash of its canonical form', () => {
  const piece = fc.constantFrom('a', 'word', ' ', '\t', '  ', '\r\n', '\n', '\r', '\r\n\r\n', '\0', '\xff', '.');
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('simple' as const, 'relaxed' as const),
      (pieces, step, form) => {
        const body = pieces.join('');
        assert.equal(hashOf(form, body, step).digest().toString('base64'), digest(canonical(form, body)));
      },
    ),
    { seed: 6376, numRuns: 400 },
  );
});

test('mailauth makes the same hashes of bodies with CRLF', () => {
  const { dkimBody } = createRequire(import.meta.url)('mailauth/lib/dkim/body') as {
    dkimBody(form: string, algorithm: string, limit: number | false): { update(chunk: Buffer): void; digest(encoding: 'base64'): string };
  };
  const line = fc.array(fc.constantFrom('a', 'bc', ' ', '\t', 'é'), { maxLength: 12 }).map((words) => words.join(''));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.constantFrom('simple' as const, 'relaxed' as const), fc.option(fc.nat(40)), (lines, form, limit) => {
      const body = Buffer.from(lines.join('\r\n'), 'latin1');
      // A body of blanks without a line end is empty to us and a blank line to mailauth; no signer sends one.
      fc.pre(form === 'simple' || lines.at(-1)?.trim() !== '' || lines.at(-1) === '' || lines.some((text) => text.trim() !== ''));
      const theirs = dkimBody(form, 'sha256', limit ?? false);
      theirs.update(body);
      const ours = new BodyHash(form, 'sha256', limit);
      ours.update(body);
      assert.equal(ours.digest().toString('base64'), theirs.digest('base64'));
    }),
    { seed: 8301, numRuns: 300 },
  );
});

test('l= hashes the first octets of the canonical form and counts the rest', () => {
  for (let limit = 0; limit <= 8; limit += 1) {
    const hash = hashOf('relaxed', 'a  b \r\n\r\nc', 1, limit);
    assert.equal(hash.digest().toString('base64'), digest('a b\r\n\r\nc\r\n'.slice(0, limit)));
    assert.equal(hash.size, 10);
  }
});

test('megabytes of blank lines and of one line are hashed in blocks', () => {
  const lines = '\r\n'.repeat(700_000);
  const long = 'x'.repeat(1_000_000);
  for (const step of [2_000_000, 65_536]) {
    assert.equal(hashOf('relaxed', lines, step).digest().toString('base64'), digest(''));
    assert.equal(hashOf('simple', lines, step).digest().toString('base64'), digest('\r\n'));
    assert.equal(hashOf('simple', '\n'.repeat(700_000), step).digest().toString('base64'), digest('\r\n'));
    assert.equal(hashOf('relaxed', `${lines}x`, step).digest().toString('base64'), digest(`${lines}x\r\n`));
    assert.equal(hashOf('simple', long, step).digest().toString('base64'), digest(`${long}\r\n`));
    assert.equal(
      hashOf('relaxed', ' '.repeat(1_000_000) + long, step)
        .digest()
        .toString('base64'),
      digest(` ${long}\r\n`),
    );
  }
});

test('signatures that ask for the same hash share it, in memory and streamed', async () => {
  const message = Buffer.from('A: b\r\n\r\nbody\r\n');
  for (const pieceBytes of [0, 1, 5, 8, 9, 100]) {
    const hashes = new BodyHashes();
    const hash = hashes.want('relaxed', 'sha256', null);
    assert.equal(hashes.want('relaxed', 'sha256', null), hash);
    assert.notEqual(hashes.want('simple', 'sha256', null), hash);
    await hashes.feed(messageView(message, pieceBytes), 8);
    assert.equal(hash.digest().toString('base64'), digest('body\r\n'));
  }
});
