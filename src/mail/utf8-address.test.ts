import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressList, emptyHeader, envelopeOf } from './envelope.ts';
import { withUtf8Addresses } from './utf8-address.ts';

const raw = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

test('a local part beyond ASCII is given as UTF-8, names and subjects stay encoded words', () => {
  const envelope = envelopeOf({
    ...emptyHeader(),
    subject: raw('Grüße'),
    from: raw('Jörg <jörg@bücher.example>'),
    to: raw('用户@例子.example, anna@example.org'),
  });
  assert.match(envelope, /^[\x20-\x7e]*$/);
  const shown = Buffer.from(withUtf8Addresses(envelope), 'latin1').toString('utf8');
  assert.match(shown, /\(\("=\?utf-8\?[^"]*\?=" NIL "jörg" "xn--bcher-kva\.example"\)\)/);
  assert.match(shown, /\(\(NIL NIL "用户" "xn--fsqu00a\.example"\)\(NIL NIL "anna" "example\.org"\)\)/);
  assert.match(shown, /^\(NIL "=\?utf-8\?/);
});

test('an ENVELOPE within a BODYSTRUCTURE is changed too, strings that only look like an address are not', () => {
  const inner = addressList(raw('jörg@example.org'));
  const quoted = '"(NIL NIL \\"=?utf-8?Q?x?=\\" \\"h\\")"';
  const literal = '{41}\r\n(NIL NIL "=?utf-8?Q?j=C3=B6rg?=" "h") "';
  const text = `("message" "rfc822" NIL NIL ${quoted} "7bit" 10 (NIL ${literal} ${inner} NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 1 1) 3)`;
  const shown = Buffer.from(withUtf8Addresses(text), 'latin1').toString('utf8');
  assert.equal(shown, text.replace(inner, '((NIL NIL "jörg" "example.org"))'));
});

test('a group, an ASCII envelope and damaged text are left as they are', () => {
  for (const text of [
    '((NIL NIL "=?utf-8?Q?a=C3=B6?=" NIL)(NIL NIL NIL NIL))',
    '(NIL NIL "anna" "example.org")',
    '(NIL NIL "=?utf-8?Q?a?= \\',
    '({9999}\r\n=?utf-8?',
    '((" =?utf-8?',
  ])
    assert.equal(withUtf8Addresses(text), text);
});

test('whatever an envelope is made of, the result is as well formed, and local parts are what they were', () => {
  const local = fc.string({ unit: fc.constantFrom('a', 'ö', '例', '😀', '.', '-'), minLength: 1, maxLength: 30 }).filter((text) => !/^\.|\.\.|\.$/.test(text));
  fc.assert(
    fc.property(fc.array(local, { minLength: 1, maxLength: 5 }), (locals) => {
      const list = addressList(raw(locals.map((each) => `${each}@example.org`).join(', ')));
      const shown = Buffer.from(withUtf8Addresses(list), 'latin1').toString('utf8');
      assert.equal(shown, `(${locals.map((each) => `(NIL NIL "${each}" "example.org")`).join('')})`);
    }),
    { seed: 31, numRuns: 200 },
  );
});
