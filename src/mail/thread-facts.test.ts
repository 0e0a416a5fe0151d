import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageIds, REFERENCES_MAX, threadFacts } from './thread-facts.ts';

const ROWS: readonly (readonly [value: string, ids: readonly string[]])[] = [
  ['', []],
  ['no id here', []],
  ['<a@b>', ['a@b']],
  [' <a@b> <c@d>\t<e@f>', ['a@b', 'c@d', 'e@f']],
  ['<a@b><c@d>', ['a@b', 'c@d']],
  ['<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ['01KF8JCEOCBS0045PS@xxx.yyy.com']],
  ['<01KF8JCEOCBS0045PS@xxx.yyy.com>', ['01KF8JCEOCBS0045PS@xxx.yyy.com']],
  ['<"a\\"b"@c>', ['a"b@c']],
  ['<"a>b"@c>', ['a>b@c']],
  ['<A@B>', ['A@B']],
  ['<noat>', ['noat']],
  ['<a@\r\n b>', ['a@b']],
  ['<>', []],
  ['<unclosed', []],
  ['<unclosed <a@b>', ['a@b']],
  ['<"unclosed <a@b>', ['a@b']],
  ['(comment <x@y>) <a@b>', ['a@b']],
  ['(nested (<x@y>) \\) ) <a@b>', ['a@b']],
  ['(unclosed <a@b>', ['a@b']],
  ['Your message of Monday <a@b>', ['a@b']],
  [`<${'x'.repeat(2000)}> <a@b>`, ['a@b']],
  ['<a@[192.0.2.1]>', ['a@[192.0.2.1]']],
];
for (const [value, ids] of ROWS) test(`message ids in ${JSON.stringify(value.slice(0, 60))}`, () => assert.deepEqual(messageIds(value), ids));

const facts = (header: string): ReturnType<typeof threadFacts> => threadFacts(Buffer.from(`${header}\r\n`));

test('references come from References, else the first id of In-Reply-To', () => {
  assert.deepEqual(facts('References: <a@x>\r\n <b@x> <a@x>\r\nIn-Reply-To: <c@x>\r\n').references, ['a@x', 'b@x', 'a@x']);
  assert.deepEqual(facts('References: none\r\nIn-Reply-To: <c@x> <d@x>\r\n').references, ['c@x']);
  assert.deepEqual(facts('In-Reply-To: nobody\r\n').references, []);
  assert.deepEqual(facts('From: x\r\n'), { messageId: null, references: [], baseSubject: '', isReply: false });
});

test('the subject is decoded before its base is found, and folded', () => {
  assert.deepEqual(facts('Subject: =?utf-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n'), {
    messageId: '1@x',
    references: [],
    baseSubject: 'GRU\u0308ßE',
    isReply: true,
  });
});

test('of too many references the first and the last are kept', () => {
  const ids = Array.from({ length: 1000 }, (_, n) => `<${n}@x>`);
  const { references } = facts(`References: ${ids.join('\r\n ')}\r\n`);
  assert.equal(references.length, REFERENCES_MAX);
  assert.equal(references[0], '0@x');
  assert.equal(references.at(-1), '999@x');
});

test('hostile fields take linear time', () => {
  const many = 100_000;
  assert.deepEqual(messageIds('('.repeat(many)), []);
  assert.deepEqual(messageIds('<"'.repeat(8000)), []);
});
