import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { checkOwnUidlFormat, uidlFormat } from './uidl.ts';

const PARTS = { uid: 10, uidValidity: 0x6259_0080, file: '1650000000.M1P2.host,S=10,W=11' };

for (const [format, expected] of [
  ['posthorn', '625900800000000a'],
  ['%08Xu%08Xv', '0000000a62590080'],
  ['%08xu%08xv', '0000000a62590080'],
  ['%Xu.%Xv', 'a.62590080'],
  ['%v-%u', '1650000000-10'],
  ['UID%u-%v', 'UID10-1650000000'],
  ['%05u%%', '00010%'],
  ['%f', '1650000000.M1P2.host,S=10,W=11'],
  ['%g', '1650000000.M1P2.host'],
  ['%Mg', createHash('md5').update('1650000000.M1P2.host').digest('hex')],
] as const)
  test(`the format ${format} makes ${expected}`, () => {
    const made = uidlFormat(format);
    assert.ok(!('fault' in made));
    assert.equal(made(PARTS), expected);
  });

for (const [format, fault] of [
  ['', /must name the message/],
  ['%v', /must name the message/],
  ['%m', /none of/],
  ['%8u', /none of/],
  ['%{uid}', /none of/],
  ['%u %v', /visible ASCII/],
  ['%uü', /visible ASCII/],
  ['100%', /none of/],
] as const)
  test(`the format ${JSON.stringify(format)} is refused`, () => {
    const made = uidlFormat(format);
    assert.match('fault' in made ? made.fault : '', fault);
  });

test('without a file, or above 70 characters, there is no unique-id', () => {
  const byFile = uidlFormat('%f');
  assert.ok(!('fault' in byFile));
  assert.equal(byFile({ ...PARTS, file: null }), null);
  assert.equal(byFile({ ...PARTS, file: 'x'.repeat(71) }), null);
  assert.equal(byFile({ ...PARTS, file: 'a b' }), null);
});

test("the server's own format is made of numbers only", () => {
  for (const format of ['posthorn', '%08Xu%08Xv', '%u']) assert.equal(checkOwnUidlFormat(format), undefined);
  for (const format of ['%f', '%u%Mg', '%m', `%u${'x'.repeat(70)}`]) assert.match(checkOwnUidlFormat(format) ?? '', /\w/);
});
