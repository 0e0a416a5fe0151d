import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listZones, parseListEntry, parseListFilter } from './list-entry.ts';

const FILTERS: [filter: string, fits: string[], not: string[]][] = [
  ['127.0.0.2', ['127.0.0.2'], ['127.0.0.3', '127.0.1.2', '127.0.0.22']],
  ['127.0.0.[1..4;8]', ['127.0.0.1', '127.0.0.4', '127.0.0.8'], ['127.0.0.5', '127.0.0.0', '127.0.0.9']],
  ['127.0.[0..255].[1..3]', ['127.0.0.1', '127.0.255.3'], ['127.0.9.0', '127.1.9.1']],
  ['[127].0.0.[10;11]', ['127.0.0.10'], ['127.0.0.1']],
];
for (const [text, fits, not] of FILTERS) {
  test(`filter ${text}`, () => {
    const filter = parseListFilter(text);
    assert.ok(typeof filter === 'function');
    for (const address of fits) assert.ok(filter(address), address);
    for (const address of not) assert.ok(!filter(address), address);
  });
}
for (const text of [
  '127.0.0',
  '127.0.0.256',
  '127.0.0.[4..1]',
  '127.0.0.[]',
  '127.0.0.1..4',
  '127.0.0.[1,2]',
  '127.0.0.2.',
  '127.0.0.x',
  '[127.0.0.1]',
  '127.0.0.[1..2..3]',
]) {
  test(`no filter: ${text}`, () => assert.equal(typeof parseListFilter(text), 'string'));
}

test('an entry is a zone, perhaps with a filter and a weight', () => {
  const weights = ['bl.test', 'bl.test*2', 'WL.test*-3', 'bl.test=127.0.0.2', 'bl.test=127.0.0.[2..3]*+4'].map((text) => {
    const entry = parseListEntry(text);
    assert.ok(typeof entry !== 'string', String(entry));
    return [entry.zone, entry.filter !== null, entry.weight];
  });
  assert.deepEqual(weights, [
    ['bl.test', false, 1],
    ['bl.test', false, 2],
    ['wl.test', false, -3],
    ['bl.test', true, 1],
    ['bl.test', true, 4],
  ]);
});
for (const text of [
  '',
  'bl..test',
  'bl.test*',
  'bl.test*x',
  'bl.test*5000',
  'bl.test=',
  'bl.test=127.0.0.300',
  'a b.test',
  'bl.test*2=127.0.0.1',
  '*2',
  '=127.0.0.1',
]) {
  test(`no entry: "${text}"`, () => assert.equal(typeof parseListEntry(text), 'string'));
}

test('several entries of one zone are one question; the same list is compiled once', () => {
  const setting = ['a.test=127.0.0.2*1', 'b.test', 'A.test.=127.0.0.3*2'];
  const zones = listZones(setting);
  assert.deepEqual(
    zones.map(({ zone, entries }) => [zone, entries.length]),
    [
      ['a.test', 2],
      ['b.test', 1],
    ],
  );
  assert.equal(listZones(setting), zones);
});
