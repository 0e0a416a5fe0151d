import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewsQueue } from './news-queue.ts';
import { pause, SliceClock } from './pace.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('of all long commands one has its slice in a turn of the loop, in the order in which they paused', async () => {
  const order: string[] = [];
  const long = async (name: string): Promise<void> => {
    const clock = new SliceClock();
    for (let slice = 1; slice <= 2; slice += 1) {
      await pause(clock);
      order.push(`${name}${slice}`);
    }
  };
  const all = [long('a'), long('b'), long('c')];
  for (let n = 0; n < 6; n += 1) {
    await turn();
    order.push('|');
  }
  await Promise.all(all);
  assert.equal(order.join(' '), 'a1 | b1 | c1 | a2 | b2 | c2 |');
});

test('who has something to tell is asked once, later, and again when there is more', async () => {
  const errors: unknown[] = [];
  const queue = new NewsQueue((error) => errors.push((error as Error).message));
  const told: string[] = [];
  const teller = (name: string, then?: () => void) => ({
    tell(): void {
      told.push(name);
      then?.();
    },
  });
  const b = teller('b');
  let again = true;
  const a = teller('a', () => {
    if (again) queue.add(a);
    again = false;
  });
  const failing = teller('f', () => {
    throw new Error('trouble of its own');
  });
  for (const each of [a, failing, b, a]) queue.add(each);
  assert.deepEqual(told, []);
  for (let n = 0; n < 5; n += 1) await turn();
  assert.deepEqual(told, ['a', 'f', 'b', 'a']);
  assert.deepEqual(errors, ['trouble of its own']);
  queue.add(b);
  for (let n = 0; n < 5; n += 1) await turn();
  assert.deepEqual(told, ['a', 'f', 'b', 'a', 'b']);
});
