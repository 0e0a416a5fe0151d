import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Driven, drive, type LittleWorld, littleInput } from './testing.ts';
import { type ForwardContext, runForward } from './run.ts';

const CONTEXT: ForwardContext = {
  homeDirectory: '/home/ann',
  origin: 'example.org',
  isOwn: ({ local, domain }) => domain === 'example.org' && /^ann(\+.*)?$/i.test(local),
  mayRun: (place) => place === 'forward',
  mayWrite: (place) => place === 'forward',
};
const run = (text: string, world: LittleWorld = {}, header = 'Subject: hello\n'): Driven =>
  drive(runForward(text, '~/.forward', CONTEXT, littleInput(header)), world);

/** text, world, what is done, problem ("line text"). */
const ROWS: readonly [text: string, world: LittleWorld, done: readonly string[], problem?: string][] = [
  ['', {}, ['0 keep by itself']],
  ['\n \n# nothing\n', {}, ['0 keep by itself']],
  ['bob', {}, ['1 redirect bob@example.org']],
  ['bob, bob@example.org\nBOB\n', {}, ['1 redirect bob@example.org']],
  ['\\ann, bob@far.test\n', {}, ['1 keep', '1 redirect bob@far.test']],
  ['ann\nann+lists, ann@example.org\n', {}, ['1 keep']],
  ['ann@far.test', {}, ['1 redirect ann@far.test']],
  ['\ufeffbob\r\ncat\r\n', {}, ['1 redirect bob@example.org', '2 redirect cat@example.org']],
  ['"|vacation ann", \\ann\n', {}, ['1 pipe vacation ann', '1 keep']],
  ['|true\n|true\n|false\n', {}, ['1 pipe true', '3 pipe false']],
  ['"|exit 75"\nbob\n', { exits: { 'exit 75': 75 } }, ['1 pipe exit 75', '2 redirect bob@example.org', '1 defer: temporary failure']],
  ['"|exit 67"\nbob\n', { exits: { 'exit 67': 67 } }, ['1 pipe exit 67', '1 reject 5.1.1: user unknown: "exit 67"', '2 redirect bob@example.org']],
  ['|odd', { exits: { odd: 3 } }, ['1 pipe odd', '1 reject 5.3.0: the program ended with status 3: "odd"']],
  ['|killed', { exits: { killed: null } }, ['1 pipe killed', '1 defer: the program could not be run']],
  [
    '/var/mail/x\n/home/ann/Maildir/\n~/mbox\n~/Mail/\n',
    {},
    ['1 mbox /var/mail/x', '2 maildir /home/ann/Maildir', '3 mbox /home/ann/mbox', '4 maildir /home/ann/Mail'],
  ],
  ['/full\nbob', { broken: ['/full'] }, ['1 mbox /full', '2 redirect bob@example.org', '1 defer: it is broken']],
  [':include:/lists/a\n', { files: { '/lists/a': 'bob\ncat\n' } }, ['1 redirect bob@example.org', '2 redirect cat@example.org']],
  [':include:/lists/a\n', { files: { '/lists/a': '\\ann\n:include:/lists/a\n:include:/lists/b', '/lists/b': ':include:/lists/a' } }, ['1 keep']],
  [':include:/lists/a\nbob', { files: { '/lists/a': '|true\n' } }, ['2 redirect bob@example.org'], '1 programs may not be named here'],
  [':include:/lists/a\nbob', { files: { '/lists/a': '\n\n/file\n' } }, ['2 redirect bob@example.org'], '3 files may not be named here'],
  [':include:/lists/none\nbob', {}, ['2 redirect bob@example.org'], '1 the list /lists/none cannot be read'],
  [':include:/lists/a', { files: { '/lists/a': 'unsafe' } }, [], '1 the list /lists/a is not followed, because others may write to it'],
  [':include:lists/a', {}, [], '1 ":include:lists/a" is no full path'],
  ['bob\n\n~cat/mbox\n<>\n', {}, ['1 redirect bob@example.org'], '3 "~cat/mbox": a file of another user cannot be given with "~"'],
  ['bob\0cat', {}, [], '1 "bob\0cat": a control character in an address'],
];

for (const [text, world, done, problem] of ROWS)
  test(`.forward with ${JSON.stringify(text)}${world.exits === undefined ? '' : ` ${JSON.stringify(world.exits)}`}`, () => {
    const driven = run(text, world);
    assert.deepEqual(driven.done, done);
    if (problem === undefined) assert.deepEqual(driven.end, { kind: 'done', exitCode: null });
    else assert.equal(driven.end.kind === 'failed' ? `${driven.end.problem.line} ${driven.end.problem.text}` : 'done', problem);
  });

test('mail that was delivered to this address before is refused as a loop, whatever the file says', () => {
  for (const field of ['Delivered-To: ann@example.org', 'delivered-to:   ANN@Example.org  ']) {
    const driven = run('bob', {}, `Received: x\n${field}\nSubject: y\n`);
    assert.deepEqual(driven.done, ['0 reject 5.4.6: mail forwarding loop for ann@example.org']);
  }
  for (const field of ['Delivered-To: ann+x@example.org', 'X-Delivered-To: ann@example.org', 'Subject: a\n\nDelivered-To: ann@example.org'])
    assert.deepEqual(run('bob', {}, `${field}\n`).done, ['1 redirect bob@example.org']);
});

test('lists within each other end at a limit, and the mailbox gets the message', () => {
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`/l${i}`, `:include:/l${i + 1}\n`]));
  const { end } = run(':include:/l0', { files });
  assert.equal(end.kind, 'failed');
});

test('a list of ten thousand and more members is no .forward any more', () => {
  const { end, done } = run(Array.from({ length: 10_100 }, (_, i) => `user${i}`).join('\n'));
  assert.equal(end.kind, 'failed');
  assert.ok(done.length <= 10_001);
});

test('any text at all ends in actions or a problem, never in an exception and never in nothing', () => {
  const pieces = fc.constantFrom(
    'bob',
    ',',
    ' ',
    '\n',
    '"',
    '\\',
    '|',
    '/x',
    '~/',
    ':include:',
    '<',
    '>',
    '(',
    ')',
    '@',
    '.',
    ';',
    ':',
    '[',
    ']',
    '#',
    '\0',
    'é',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      const driven = run(parts.join(''));
      assert.ok(driven.done.length > 0 || driven.end.kind === 'failed');
    }),
    { seed: 4, numRuns: 3000 },
  );
});
