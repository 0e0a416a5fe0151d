import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../../system/declare.ts';
import { SIEVE_SETTINGS } from '../filters/sieve/settings.ts';
import { sieveEngine } from './engine.ts';

const engine = (settings: Partial<ReturnType<typeof defaultsOf<typeof SIEVE_SETTINGS>>> = {}) => {
  const now = { ...defaultsOf(SIEVE_SETTINGS), ...settings };
  return sieveEngine(() => now);
};
const check = (text: string | Uint8Array) => engine().check(typeof text === 'string' ? Buffer.from(text) : text, 'sieve:x');

test('what is announced can be required', () => {
  const { extensions, notifyMethods, redirectsMax } = engine();
  for (const name of ['fileinto', 'vacation', 'imap4flags', 'variables', 'include']) assert.ok(extensions().includes(name), name);
  for (const name of extensions()) assert.deepEqual(check(`require "${name}";`).problems, [], name);
  assert.deepEqual(notifyMethods(), ['mailto']);
  assert.equal(redirectsMax(), 4);
  assert.ok(
    !engine({ 'sieve.extensions': ['-vacation'] })
      .extensions()
      .includes('vacation'),
  );
  assert.equal(engine({ 'sieve.redirectsMax': 7 }).redirectsMax(), 7);
});

test('problems come with their lines, and never as an exception', () => {
  assert.deepEqual(
    check('keep;\nfoo;\n').problems.map(({ line }) => line),
    [2],
  );
  assert.equal(check(Buffer.from([0xff, 0xfe])).problems[0]!.text, 'the script is not UTF-8 text');
  assert.deepEqual(check('\ufeffkeep;'), { problems: [], warnings: [] }, 'a byte order mark is left out');
  assert.deepEqual(check(''), { problems: [], warnings: [] });
  assert.equal(check(`${'if true {'.repeat(5000)}`).problems.length > 0, true);
});

test('what is hardly meant is a warning', () => {
  const many = Array.from({ length: 6 }, (_, n) => `redirect "${n}@example.net";`).join('\n');
  assert.deepEqual(
    check(many).warnings.map(({ line, text }) => [line, text]),
    [[5, 'a message is redirected at most 4 times, this redirect might be ignored']],
  );
  assert.deepEqual(
    check('if true {\n  stop;\n  keep;\n}\nkeep;\n').warnings.map(({ line, text }) => [line, text]),
    [[3, 'this is never done: the script has stopped before']],
  );
});

test('options that change count at once', () => {
  let now = defaultsOf(SIEVE_SETTINGS);
  const changing = sieveEngine(() => now);
  assert.deepEqual(changing.check(Buffer.from('require "vacation";'), 'x').problems, []);
  now = { ...now, 'sieve.extensions': ['-vacation'] };
  assert.equal(changing.check(Buffer.from('require "vacation";'), 'x').problems.length, 1);
});
