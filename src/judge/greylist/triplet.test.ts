import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMailbox } from '../../mail/address.ts';
import { networkOf, senderKey, tripletKey } from './triplet.ts';

for (const [ip, bits4, bits6, network] of [
  ['192.0.2.77', 24, 64, '192.0.2.0/24'],
  ['192.0.2.77', 32, 64, '192.0.2.77/32'],
  ['192.0.2.77', 20, 64, '192.0.0.0/20'],
  ['::ffff:192.0.2.77', 24, 64, '192.0.2.0/24'],
  ['2001:db8:1:2:3:4:5:6', 24, 64, '2001:db8:1:2::/64'],
  ['2001:db8:1:2ff:3:4:5:6', 24, 56, '2001:db8:1:200::/56'],
  ['1.2.3', 24, 64, null],
  ['1.2.3.400', 24, 64, null],
  ['mx.example.org', 24, 64, null],
  ['', 24, 64, null],
] as const)
  test(`"${ip}" with ${bits4} and ${bits6} bits belongs to ${network}`, () => assert.equal(networkOf(ip, bits4, bits6), network));

for (const [sender, key] of [
  ['Rita@remote.test', 'rita@remote.test'],
  ['list-bounces+bob=us.test@lists.test', 'list-bounces@lists.test'],
  ['bounce-20261120-4711@lists.test', 'bounce-#-#@lists.test'],
  ['prvs=4211abcdef=rita@remote.test', 'rita@remote.test'],
  ['SRS0=ab+c=XY=remote.test=rita@forward.test', 'remote.test=rita@forward.test'],
  ['SRS1=ab=one.test==cd=XY=remote.test=rita@forward.test', 'remote.test=rita@forward.test'],
] as const)
  test(`what changes from try to try is no part of the sender: ${sender}`, () => assert.equal(senderKey(parseMailbox(sender, { localBytes: 200 })), key));

test('the null sender is one sender', () => assert.equal(senderKey(null), '<>'));

test('keys have 22 characters and tell triplets apart', () => {
  const bob = { local: 'bob', domain: 'us.test' };
  assert.match(tripletKey('a', 'b', bob), /^[\w-]{22}$/);
  assert.equal(tripletKey('a', 'b', bob), tripletKey('a', 'b', { local: 'BOB', domain: 'us.test' }));
  assert.notEqual(tripletKey('a', 'b', bob), tripletKey('b', 'a', bob));
});
