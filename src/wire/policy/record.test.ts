import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { POLICY_LIMITS } from './limits.ts';
import { type PolicyRead, PolicyReader, writePolicyReply, writePolicyRequest } from './record.ts';

function readAll(chunks: readonly Buffer[]): PolicyRead[] {
  const reader = new PolicyReader();
  const out: PolicyRead[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let read = reader.next(); read.kind !== 'more'; read = reader.next()) {
      out.push(read);
      if (read.kind === 'fault') return out;
    }
  }
  return out;
}
const records = (reads: readonly PolicyRead[]): unknown[] => reads.map((read) => (read.kind === 'record' ? Object.fromEntries(read.record) : read));

const REQUEST = 'request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a=b@example.org\nhelo_name=\n\n';

test('a request is read wherever its bytes are split', () => {
  const bytes = Buffer.from(REQUEST + REQUEST);
  const one = { request: 'smtpd_access_policy', protocol_state: 'RCPT', sender: 'a=b@example.org', helo_name: '' };
  for (let at = 0; at <= bytes.length; at += 1)
    assert.deepEqual(records(readAll([Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))])), [one, one]);
  assert.deepEqual(records(readAll([...bytes].map((byte) => Buffer.from([byte])))), [one, one]);
});

for (const [text, fault] of [
  ['\n', 'malformed'],
  ['novalue\n\n', 'malformed'],
  ['=value\n\n', 'malformed'],
  ['a=b\0c\n\n', 'malformed'],
  [`a=${'x'.repeat(POLICY_LIMITS.recordBytes)}`, 'tooLarge'],
  [`a=b\n${'x'.repeat(POLICY_LIMITS.recordBytes - 3)}`, 'tooLarge'],
  [`${Array.from({ length: POLICY_LIMITS.attributes + 1 }, (_, i) => `n${i}=v\n`).join('')}\n`, 'tooManyAttributes'],
] as const)
  test(`${JSON.stringify(text.slice(0, 30))}… is ${fault}, and stays so`, () => {
    const reader = new PolicyReader();
    reader.push(Buffer.from(text));
    assert.deepEqual(reader.next(), { kind: 'fault', fault });
    reader.push(Buffer.from('a=b\n\n'));
    assert.deepEqual(reader.next(), { kind: 'fault', fault });
  });

test('of an attribute that is sent twice the first value counts, and CRLF ends a line too', () => {
  assert.deepEqual(records(readAll([Buffer.from('action=OK\r\naction=REJECT\r\n\r\n')])), [{ action: 'OK' }]);
});

test('what is written is read back; values cannot forge attributes', () => {
  const name = fc.stringMatching(/^[a-z][a-z_]{0,20}$/);
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(name, fc.string({ unit: 'binary', maxLength: 60 }), { minKeys: 1, maxKeys: 20 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 7 }),
      (requests, step) => {
        const bytes = Buffer.from(requests.map(writePolicyRequest).join(''));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += step) chunks.push(Buffer.from(bytes.subarray(at, at + step)));
        const clean = (text: string): string => text.toWellFormed().replace(/[\0\r\n]/g, '?');
        assert.deepEqual(
          records(readAll(chunks)),
          requests.map((request) => ({ ...Object.fromEntries(Object.entries(request).map(([key, value]) => [key, clean(value)])) })),
        );
      },
    ),
    { seed: 1, numRuns: 200 },
  );
  assert.equal(writePolicyReply('DUNNO\n\naction=OK'), 'action=DUNNO??action=OK\n\n');
});

test('any bytes are a record, a wish for more or a fault; never an exception', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 10 }), (chunks) => {
      for (const read of readAll(chunks.map((chunk) => Buffer.from(chunk)))) assert.ok(read.kind !== 'record' || read.record.size > 0);
    }),
    { seed: 2, numRuns: 500 },
  );
});
