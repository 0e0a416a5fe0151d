import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { addressKey, formatAddress, needsUtf8, parseAddressKey, parseDomain, parseMailbox, parsePath, sameAddress } from './address.ts';

const L64 = 'l'.repeat(64);
const D63 = 'd'.repeat(63);

describe('a mailbox', () => {
  const rows: [text: string, local: string, domain: string][] = [
    ['alice@example.org', 'alice', 'example.org'],
    ['Alice.B+tag@EXAMPLE.Org', 'Alice.B+tag', 'example.org'],
    ["!#$%&'*+-/=?^_`{|}~@a.b", "!#$%&'*+-/=?^_`{|}~", 'a.b'],
    ['"john doe"@example.org', 'john doe', 'example.org'],
    ['"a\\"b\\\\c"@example.org', 'a"b\\c', 'example.org'],
    ['"plain"@example.org', 'plain', 'example.org'],
    ['"a@b"@example.org', 'a@b', 'example.org'],
    ['a@[192.0.2.1]', 'a', '[192.0.2.1]'],
    ['a@[IPv6:2001:DB8::1]', 'a', '[IPv6:2001:db8::1]'],
    ['a@[ipv6:::1]', 'a', '[IPv6:::1]'],
    ['a@tld', 'a', 'tld'],
    ['a@under_score.example', 'a', 'under_score.example'],
    ['a@xn--bcher-kva.example', 'a', 'xn--bcher-kva.example'],
    [`${L64}@example.org`, L64, 'example.org'],
    [`a@${D63}.org`, 'a', `${D63}.org`],
  ];
  for (const [text, local, domain] of rows) test(`${text} is taken`, () => assert.deepEqual(parseMailbox(text), { local, domain }));

  const wrong = [
    '',
    'a',
    '@',
    'a@',
    '@b',
    'a@b@c',
    '.a@b',
    'a.@b',
    'a..b@c',
    'a b@c',
    ' a@b',
    'a@b ',
    'a@b.',
    'a@.b',
    'a@b..c',
    'a@-b.c',
    'a@b-.c',
    'a@b!c',
    '<a@b>',
    '"a@b',
    'a"b"@c',
    '"a"b@c',
    '"a\u0001"@b',
    '"a\\\u0001"@b',
    'a\u0000@b',
    'a@[1.2.3]',
    'a@[1.2.3.256]',
    'a@[IPv6:1::2::3]',
    'a@[IPv6:fe80::1%eth0]',
    'a@[tag:x]',
    'a@[1.2.3.4',
    'a@[1.2.3.4]x',
    'ä@example.org',
    'a@bücher.example',
    `${L64}l@example.org`,
    `a@${D63}d.org`,
    `a@${`${'d'.repeat(60)}.`.repeat(4)}ddddddddddddddd`,
  ];
  for (const text of wrong) test(`${JSON.stringify(text)} is refused`, () => assert.equal(parseMailbox(text), null));

  const international: [text: string, local: string | null, domain: string][] = [
    ['müller@bücher.example', 'müller', 'xn--bcher-kva.example'],
    ['a@Bücher.EXAMPLE', 'a', 'xn--bcher-kva.example'],
    ['用户@例子.测试', '用户', 'xn--fsqu00a.xn--0zwm56d'],
    ['"é x"@a.b', 'é x', 'a.b'],
    ['\ud800@a.b', null, ''],
    ['\ufffd@a.b', null, ''],
    ['a@ﬀ\u200b..b', null, ''],
  ];
  for (const [text, local, domain] of international) {
    test(`${JSON.stringify(text)} with UTF-8`, () => assert.deepEqual(parseMailbox(text, { utf8: true }), local === null ? null : { local, domain }));
  }

  test('a long local part can be let in, within the bound of a path', () => {
    const local = 'v'.repeat(120);
    assert.deepEqual(parseMailbox(`${local}@example.org`, { localBytes: 254 }), { local, domain: 'example.org' });
    assert.equal(parseMailbox(`${'v'.repeat(250)}@example.org`, { localBytes: 254 }), null);
  });
});

describe('a path', () => {
  test('<> is the null path', () => assert.deepEqual(parsePath('<> SIZE=1'), { address: null, end: 2 }));
  test('what follows the bracket is left alone', () => assert.deepEqual(parsePath('FROM:<a@b> X', 5), { address: { local: 'a', domain: 'b' }, end: 10 }));
  test('a source route is dropped', () => assert.deepEqual(parsePath('<@x.example,@y.example:a@b>')?.address, { local: 'a', domain: 'b' }));
  test('a quoted bracket does not end it', () => assert.deepEqual(parsePath('<"a>b"@c>'), { address: { local: 'a>b', domain: 'c' }, end: 9 }));
  test('<Postmaster> needs no domain', () => assert.deepEqual(parsePath('<Postmaster>'), { address: { local: 'Postmaster', domain: '' }, end: 12 }));
  for (const text of ['', '<', 'a@b', '<a>', '<a@b', '<a@b >', '< a@b>', '<@x:>', '<@x a@b>', '<@-x:a@b>', '<<a@b>>', '<a@b,c@d>']) {
    test(`${JSON.stringify(text)} is refused`, () => assert.equal(parsePath(text), null));
  }
});

test('what was parsed and formatted parses to the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (local) => {
      const address = parseMailbox(formatAddress({ local, domain: 'example.org' }), { utf8: true, localBytes: 254 });
      return address === null || (address.local === local && formatAddress(address) === formatAddress({ local, domain: 'example.org' }));
    }),
    { seed: 11, numRuns: 500 },
  );
});

test('any text gives an address or null, and the address survives being written', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '"', '\\', '@', '.', '[', ']', '-', ':', 'ä', ' ', '<', '1'), maxLength: 20 }), (text) => {
      const address = parseMailbox(text, { utf8: true });
      return address === null || sameAddress(address, parseMailbox(formatAddress(address), { utf8: true }));
    }),
    { seed: 12, numRuns: 2000 },
  );
});

test('keys fold case in both halves and take typed addresses', () => {
  assert.equal(parseAddressKey(' Alice@Example.ORG '), 'alice@example.org');
  assert.equal(parseAddressKey('MÜLLER@bücher.example'), 'müller@xn--bcher-kva.example');
  assert.equal(parseAddressKey('nobody'), null);
  assert.equal(addressKey({ local: 'Postmaster', domain: '' }), 'postmaster');
});

test('only a local part beyond ASCII needs SMTPUTF8', () => {
  assert.equal(needsUtf8({ local: 'ä', domain: 'b' }), true);
  assert.equal(needsUtf8({ local: 'a', domain: 'xn--bcher-kva.example' }), false);
});

test('a domain of half a megabyte is refused at once', () => {
  assert.equal(parseDomain('ä.'.repeat(250_000), { utf8: true }), null);
});
