import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompilePace } from './pace.ts';

/** A clock that only work and sleep move. */
function stage() {
  let now = 0;
  const slept: number[] = [];
  const pace = new CompilePace({
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
      now += ms;
    },
  });
  const check = (bytes: number, ms: number, text: string) =>
    pace.run(bytes, () => {
      now += ms;
      return text;
    });
  return { pace, check, slept };
}

test('small scripts are checked at once, large ones in turn, with a rest after each', async () => {
  const { check, slept } = stage();
  assert.equal(check(100, 1, 'small'), 'small');
  const large = [check(20_000, 100, 'a'), check(20_000, 5000, 'b'), check(20_000, 10, 'c')];
  assert.equal(check(100, 1, 'between'), 'between');
  assert.deepEqual(await Promise.all(large), ['a', 'b', 'c']);
  assert.deepEqual(slept.slice(0, 2), [400, 5000]);
});

test('a check that fails is told to whoever asked, and the next ones go on', async () => {
  const { pace, check } = stage();
  const failed = pace.run(20_000, () => {
    throw new Error('a bug');
  });
  const next = check(20_000, 1, 'next');
  await assert.rejects(async () => failed, /a bug/);
  assert.equal(await next, 'next');
});

test('when too many wait, further ones are turned away', async () => {
  const { check } = stage();
  const waiting = Array.from({ length: 20 }, (_, n) => check(20_000, 1, String(n)));
  assert.equal(check(20_000, 1, 'too many'), null);
  await Promise.all(waiting);
  assert.equal(await check(20_000, 1, 'again'), 'again');
});
