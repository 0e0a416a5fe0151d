import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { PROXY_HEADER_BYTES_MAX, parseProxyHeader } from './proxy.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const ip4 = Buffer.from(`${SIGNATURE}2111000cc0000201c63364079c400019`, 'hex');
const ip6 = Buffer.from(`${SIGNATURE}21210024${'20010db8'}${'0'.repeat(22)}01${'20010db8'}${'0'.repeat(22)}029c400019`, 'hex');

test('version 1 names the client', () => {
  assert.deepEqual(parseProxyHeader(Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 40000 25\r\nEHLO')), {
    kind: 'done',
    bytes: 44,
    addresses: { sourceIp: '192.0.2.1', sourcePort: 40000, destinationIp: '198.51.100.7', destinationPort: 25 },
  });
  const six = parseProxyHeader(Buffer.from('PROXY TCP6 2001:DB8::1 2001:db8:0:0::2 1 25\r\n'));
  assert.ok(six.kind === 'done' && six.addresses?.sourceIp === '2001:db8::1' && six.addresses.destinationIp === '2001:db8::2');
});

test('version 2 names the client', () => {
  assert.deepEqual(parseProxyHeader(ip4), {
    kind: 'done',
    bytes: 28,
    addresses: { sourceIp: '192.0.2.1', sourcePort: 40000, destinationIp: '198.51.100.7', destinationPort: 25 },
  });
  assert.deepEqual(parseProxyHeader(ip6), {
    kind: 'done',
    bytes: 52,
    addresses: { sourceIp: '2001:db8::1', sourcePort: 40000, destinationIp: '2001:db8::2', destinationPort: 25 },
  });
});

test("the balancer's own connections name nobody", () => {
  assert.deepEqual(parseProxyHeader(Buffer.from('PROXY UNKNOWN\r\n')), { kind: 'done', bytes: 15, addresses: null });
  assert.deepEqual(parseProxyHeader(Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n')), { kind: 'done', bytes: 35, addresses: null });
  assert.deepEqual(parseProxyHeader(Buffer.from(`${SIGNATURE}20000000`, 'hex')), { kind: 'done', bytes: 16, addresses: null });
});

test('every beginning of a header asks for more', () => {
  for (const header of [Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.7 40000 25\r\n'), ip4, ip6]) {
    for (let length = 0; length < header.length; length += 1) assert.equal(parseProxyHeader(header.subarray(0, length)).kind, 'more', `${length} bytes`);
  }
});

for (const text of [
  'EHLO x\r\n',
  'PROXY\r\n',
  'PROXY TCP4 192.0.2.1 198.51.100.7 40000\r\n',
  'PROXY TCP4 192.0.2.1 198.51.100.7 40000 65536\r\n',
  'PROXY TCP4 192.0.2.1 198.51.100.7 -1 25\r\n',
  'PROXY TCP4 192.0.2.256 198.51.100.7 1 25\r\n',
  'PROXY TCP4 ::1 ::1 1 25\r\n',
  'PROXY TCP6 192.0.2.1 198.51.100.7 1 25\r\n',
  'PROXY UDP4 192.0.2.1 198.51.100.7 1 25\r\n',
  'PROXY  TCP4 192.0.2.1 198.51.100.7 1 25\r\n',
  `PROXY TCP4 ${'1'.repeat(200)}`,
])
  test(`"${text.slice(0, 50).trim()}" is no header`, () => assert.equal(parseProxyHeader(Buffer.from(text)).kind, 'malformed'));

for (const hex of [
  `${SIGNATURE}31110000`,
  `${SIGNATURE}22110000`,
  `${SIGNATURE}2111000b${'00'.repeat(11)}`,
  `${SIGNATURE}2112000c${'00'.repeat(12)}`,
  `${SIGNATURE}2111ffff`,
])
  test(`version 2 header ${hex.slice(24)} is malformed`, () => assert.equal(parseProxyHeader(Buffer.from(hex, 'hex')).kind, 'malformed'));

test('any bytes are answered, and none beyond the limit asks for more', () =>
  fc.assert(
    fc.property(fc.constantFrom('', SIGNATURE, Buffer.from('PROXY ').toString('hex')), fc.uint8Array({ maxLength: 600 }), (start, bytes) => {
      const input = Buffer.concat([Buffer.from(start, 'hex'), bytes]);
      const header = parseProxyHeader(input);
      if (input.length >= PROXY_HEADER_BYTES_MAX) assert.notEqual(header.kind, 'more');
      if (header.kind === 'done') assert.ok(header.bytes <= input.length);
    }),
    { seed: 5, numRuns: 1000 },
  ));
