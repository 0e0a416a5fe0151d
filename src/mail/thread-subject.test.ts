import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseSubject } from './thread-subject.ts';

/** Subject, base, whether it is a reply or forward. */
const ROWS: readonly (readonly [subject: string, base: string, isReply: boolean])[] = [
  ['', '', false],
  ['Hello', 'Hello', false],
  ['  Hello \t world\r\n  again ', 'Hello world again', false],
  ['Re: Hello', 'Hello', true],
  ['RE:Hello', 'Hello', true],
  ['re  :  Hello', 'Hello', true],
  ['Fw: Hello', 'Hello', true],
  ['FWD: Hello', 'Hello', true],
  ['Forward: Hello', 'Forward: Hello', false],
  ['Aw: Hello', 'Aw: Hello', false],
  ['Re Hello', 'Re Hello', false],
  ['Regarding: Hello', 'Regarding: Hello', false],
  ['Re: Re: fwd: Hello', 'Hello', true],
  ['Re[2]: Hello', 'Hello', true],
  ['Re [list] : Hello', 'Hello', true],
  ['Re[[2]]: Hello', 'Re[[2]]: Hello', false],
  ['[list] Hello', 'Hello', false],
  ['[list] [other] Hello', 'Hello', false],
  ['[list] Re: Hello', 'Hello', true],
  ['Re: [list] Hello', 'Hello', true],
  ['Re: [list] Re: [other]  Hello', 'Hello', true],
  ['[list]', '[list]', false],
  ['[a] [b]', '[b]', false],
  ['[a] [b] ', '[b]', false],
  ['Re: [a]', '[a]', true],
  ['[a [b] c', '[a [b] c', false],
  ['[]x', 'x', false],
  ['Hello (fwd)', 'Hello', true],
  ['Hello (FWD) (fwd)  ', 'Hello', true],
  ['Hello(fwd)', 'Hello', true],
  ['(fwd)', '', true],
  ['Hello (fwd) there', 'Hello (fwd) there', false],
  ['[Fwd: Hello]', 'Hello', true],
  ['[fwd: Re: [list] Hello (fwd)]', 'Hello', true],
  ['[Fwd: [Fwd: Hello]]', 'Hello', true],
  ['[Fwd: Hello', '[Fwd: Hello', false],
  ['[Fwd: Hello] there', 'there', false],
  ['[Fwd:]', '', true],
  ['Re:', '', true],
  ['Re: ', '', true],
  ['Re: Re:', '', true],
  ['[list] Re:', '', true],
  [': Hello', ': Hello', false],
  ['Re: [Fwd: [list] Hello] (fwd)', 'Hello', true],
  ['[x][Fwd: a]', 'a', true],
  ['Re: ümläut 中文', 'ümläut 中文', true],
];

for (const [subject, base, isReply] of ROWS) {
  test(`base subject of ${JSON.stringify(subject)}`, () => assert.deepEqual(baseSubject(subject), { base, isReply }));
}

test('long hostile subjects take one pass', () => {
  const many = 200_000;
  assert.equal(baseSubject(`${'[x]'.repeat(many)}end`).base, 'end');
  assert.equal(baseSubject('re:'.repeat(many)).base, '');
  assert.equal(baseSubject(`${'[fwd:'.repeat(many)}x${']'.repeat(many)}`).base, 'x');
  assert.equal(baseSubject(`x${'(fwd) '.repeat(many)}`).base, 'x');
  assert.equal(baseSubject('['.repeat(many)).base.length, many);
  assert.equal(baseSubject(`re${' '.repeat(many)}[`).base, 're [');
});
