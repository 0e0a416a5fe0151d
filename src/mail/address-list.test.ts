import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseAddressList } from './address-list.ts';

/** One item as `name|route|local|domain`, groups as `name:` and `;`. */
function show(value: string): string[] {
  return parseAddressList(value).map((item) => {
    if (item.kind === 'group') return `${item.name}:`;
    if (item.kind === 'groupEnd') return ';';
    return [item.name ?? '-', item.route ?? '-', item.local, item.domain].join('|');
  });
}

describe('an address field', () => {
  const rows: [value: string, ...items: string[]][] = [
    [''],
    [' ,, , '],
    ['a@b', '-|-|a|b'],
    ['<a@b>', '-|-|a|b'],
    ['Alice <a@b>', 'Alice|-|a|b'],
    ['Alice  B.  Example <a@b>, c@d', 'Alice B. Example|-|a|b', '-|-|c|d'],
    ['"Last, First" <a@b>', 'Last, First|-|a|b'],
    ['"q \\"x\\" \\\\" <a@b>', 'q "x" \\|-|a|b'],
    ['a@b (Alice (the one))', 'Alice (the one)|-|a|b'],
    ['<a@b> (Alice)', 'Alice|-|a|b'],
    ['<undisclosed-recipients:;@b>, c@d', '-|-|undisclosed-recipients:;|b', '-|-|c|d'],
    ['<Undisclosed-Recipient:;>', '-|-|Undisclosed-Recipient:;|'],
    ['<a; <b@c>', '-|-|a|', '-|-|b|c'],
    ['"" <a@b>', '-|-|a|b'],
    ['(before) a@b', 'before|-|a|b'],
    ['a@b, c@d (Carol)', '-|-|a|b', 'Carol|-|c|d'],
    ['Friends: a@b, Carol <c@d>;', 'Friends:', '-|-|a|b', 'Carol|-|c|d', ';'],
    ['undisclosed-recipients:;', 'undisclosed-recipients:', ';'],
    ['A: a@b; , B: c@d;, e@f', 'A:', '-|-|a|b', ';', 'B:', '-|-|c|d', ';', '-|-|e|f'],
    ['Open: a@b, c@d', 'Open:', '-|-|a|b', '-|-|c|d', ';'],
    ['Mary <@x.test,@y.test:mary@example.net>', 'Mary|@x.test,@y.test|mary|example.net'],
    ['a . b @ c . d', '-|-|a.b|c.d'],
    ['Pete(nice) <pete(x)@silly.test(y)>', 'Pete|-|pete|silly.test'],
    ['"odd local"@b', '-|-|odd local|b'],
    ['<"odd@local"@b>', '-|-|odd@local|b'],
    ['a@[192.0.2.1], b@c', '-|-|a|[192.0.2.1]', '-|-|b|c'],
    ['root', '-|-|root|'],
    ['root, a@b', '-|-|root|', '-|-|a|b'],
    ['a@b <a@b>', 'a@b|-|a|b'],
    ['a@b c@d', '-|-|a|b', '-|-|c|d'],
    ['<a@b> Alice', '-|-|a|b'],
    ['Alice <a@b', 'Alice|-|a|b'],
    ['Alice <a@b, c@d', 'Alice|-|a|b', '-|-|c|d'],
    ['<>', '-|-||'],
    ['Name <>', 'Name|-||'],
    ['"unfinished <a@b>', '-|-|unfinished <a@b>|'],
    ['a@b (unfinished', 'unfinished|-|a|b'],
    ['Alice\r\n <a@b>', 'Alice|-|a|b'],
    ['=?utf-8?Q?Al=C3=AFce?= <a@b>', '=?utf-8?Q?Al=C3=AFce?=|-|a|b'],
  ];
  for (const [value, ...items] of rows) test(JSON.stringify(value), () => assert.deepEqual(show(value), items));
});

test('no more items are given than asked for', () => {
  assert.equal(parseAddressList('a@b,'.repeat(100), 10).length, 10);
});

test('any bytes give a list whose groups are closed', () => {
  const unit = fc.constantFrom('a', '"', '\\', '@', '.', ',', ';', ':', '<', '>', '(', ')', '[', ']', ' ', '\r\n', 'é');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (value) => {
      let depth = 0;
      for (const item of parseAddressList(value)) {
        if (item.kind === 'group') depth += 1;
        if (item.kind === 'groupEnd') depth -= 1;
        assert.ok(depth === 0 || depth === 1);
      }
      assert.equal(depth, 0);
    }),
    { seed: 21, numRuns: 3000 },
  );
});

test('a megabyte of one pattern after another is done in linear time', () => {
  for (const pattern of ['(', '(a)', '<', '<@,', '"', '\\', '@', ',', ':', ';', 'a ', 'a@b ', '<a@b', '[', 'a@[', '<@a:', '. ', 'x@y<']) {
    assert.ok(parseAddressList(pattern.repeat(Math.floor(1_000_000 / pattern.length))).length <= 10_001, pattern);
  }
});
