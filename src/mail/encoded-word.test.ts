import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeCharset, isKnownCharset } from './charset.ts';
import { decodeHeaderBytes, decodeWords, encodeWords } from './encoded-word.ts';

describe('encoded words', () => {
  const rows: [value: string, text: string][] = [
    ['plain', 'plain'],
    ['=?utf-8?Q?Gr=C3=BC=C3=9Fe_da?=', 'Grüße da'],
    ['=?ISO-8859-1?q?a?= b', 'a b'],
    ['=?utf-8?B?w6k=?=', 'é'],
    ['=?utf-8?B?w6k?=', 'é'],
    ['=?utf-8?Q?a?= =?utf-8?Q?b?=', 'ab'],
    ['=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E9?=', 'aé'],
    ['=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=', 'é'],
    ['=?utf-8?B?4pg=?= =?UTF-8?B?hQ==?=', '★'],
    ['=?utf-8?Q?a?=b=?utf-8?Q?c?=', 'abc'],
    ['x =?utf-8*en?Q?a?= y', 'x a y'],
    ['=?utf-8?Q??=', ''],
    ['=?utf-8?Q?a b?=', 'a b'],
    ['=?utf-8?Q?what??=', 'what?'],
    ['=?utf-8?Q?=ZZ=?=', '=ZZ='],
    ['=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', '日本'],
    ['=?cp850?Q?=82?=', 'é'],
    ['=?no-such-charset?Q?=C3=A9?=', 'é'],
    ['=?utf-8?X?a?=', '=?utf-8?X?a?='],
    ['=?utf-8?Q?a', '=?utf-8?Q?a'],
    ['=??Q?a?=', '=??Q?a?='],
    ['=?', '=?'],
  ];
  for (const [value, text] of rows) test(JSON.stringify(value), () => assert.equal(decodeHeaderBytes(Buffer.from(value, 'latin1')), text));

  test('raw bytes are UTF-8, or else windows-1252', () => {
    assert.equal(decodeHeaderBytes(Buffer.from('Grüße')), 'Grüße');
    assert.equal(decodeHeaderBytes(Buffer.from('Gr\xfc\xdfe \x80', 'latin1')), 'Grüße €');
  });

  test('what is encoded is decoded to the same, in words of at most 75 ASCII characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', 'Z', ' ', 'é', '★', '😀', '=?', '?=', '_', '"', '.'), maxLength: 200 }), (text) => {
        const encoded = encodeWords(text);
        assert.match(encoded, /^[\x20-\x7e]*$/);
        for (const word of encoded.match(/=\?utf-8\?[QB]\?[^?]*\?=/g) ?? []) assert.ok(word.length <= 75);
        assert.equal(decodeWords(encoded), text);
      }),
      { seed: 51, numRuns: 1000 },
    );
  });

  test('any bytes decode, a megabyte in linear time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => typeof decodeHeaderBytes(bytes) === 'string'),
      { seed: 52, numRuns: 500 },
    );
    for (const pattern of ['=?', '=?a?q?', '=?a?b?=', '=?utf-8?q?a?= ', '?=', '=?utf-8?b?']) {
      decodeHeaderBytes(Buffer.from(pattern.repeat(1_000_000 / pattern.length)));
    }
  });
});

describe('charsets', () => {
  const rows: [label: string, hex: string, text: string][] = [
    ['utf-8', 'c3a9', 'é'],
    ['UTF8', 'c3a9', 'é'],
    ['"utf-8"', 'c3a9', 'é'],
    ['us-ascii', 'c3a9', 'é'],
    ['us-ascii', 'e9', 'é'],
    ['iso-8859-1', 'e980', 'é€'],
    ['iso-8859-15', 'a4', '€'],
    ['koi8-r', 'd0', 'п'],
    ['gb2312', 'c4e3', '你'],
    ['big5', 'a741', '你'],
    ['euc-kr', 'b0a1', '가'],
    ['utf-16', '00e9', 'é'],
    ['utf-16', 'fffee900', 'é'],
    ['utf-16le', 'e900', 'é'],
    ['utf-7', '2b414f6b2d', 'é'],
    ['cp437', '82', 'é'],
    ['windows-1251', 'ef', 'п'],
    ['made-up', 'e9', 'é'],
    ['', 'e9', 'é'],
    ['utf-8', 'ff', 'ÿ'],
  ];
  for (const [label, hex, text] of rows) test(`${label} ${hex}`, () => assert.equal(decodeCharset(Buffer.from(hex, 'hex'), label), text));
  test('known and unknown labels are told apart', () => {
    assert.deepEqual(['utf-8', 'US-ASCII', 'iso-8859-1', 'cp437', 'made-up', ''].map(isKnownCharset), [true, true, true, true, false, false]);
  });
});
