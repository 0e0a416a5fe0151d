import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalAddress, canonicalDomain, canonicalTarget, splitAddress } from './address.ts';

for (const [text, address] of [
  ['Anna@Example.ORG', 'anna@example.org'],
  [' anna@example.org. ', 'anna@example.org'],
  ['ÄNNA@bücher.example', 'änna@xn--bcher-kva.example'],
  ['a\u0308@example.org', 'ä@example.org'],
  ['anna+tag@localhost', 'anna+tag@localhost'],
  ["o'brien@example.org", "o'brien@example.org"],
  ['anna', null],
  ['@example.org', null],
  ['anna@', null],
  ['an na@example.org', null],
  ['an@na@example.org', null],
  ['.anna@example.org', null],
  ['an..na@example.org', null],
  ['anna@exam ple.org', null],
  ['anna@-x.org', null],
  ['anna@x..org', null],
  ['anna@192.0.2.1', null],
  ['anna@[192.0.2.1]', null],
  ['anna@example.org/x', null],
  ['anna@example%2eorg', null],
  [`${'a'.repeat(65)}@example.org`, null],
  [`anna@${'a.'.repeat(130)}org`, null],
] as const)
  test(`the address ${JSON.stringify(text.slice(0, 40))} is ${address}`, () => assert.equal(canonicalAddress(text), address));

test('domains become A-labels', () => {
  assert.equal(canonicalDomain('BÜCHER.example.'), 'xn--bcher-kva.example');
  assert.equal(canonicalDomain('.'), null);
});

test('the case of a local part is kept for other hosts only', () => {
  const isLocal = (domain: string): boolean => domain === 'example.org';
  assert.equal(canonicalTarget('Anna@Example.org', isLocal), 'anna@example.org');
  assert.equal(canonicalTarget('Anna@Remote.example', isLocal), 'Anna@remote.example');
  assert.equal(canonicalTarget('nonsense', isLocal), null);
});

test('an address is parted at its last @', () => {
  assert.deepEqual(splitAddress('a@b@c'), ['a@b', 'c']);
  assert.equal(splitAddress('abc'), null);
});
