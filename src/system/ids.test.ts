import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageIds, steadyClock } from './ids.ts';

test('the clock follows the wall and never steps back', () => {
  const wall = [100, 105, 40, 60, 104, 106, 106];
  const now = steadyClock(() => wall.shift()!);
  assert.deepEqual([now(), now(), now(), now(), now(), now(), now()], [100, 105, 105, 105, 105, 106, 106]);
});

test('ids differ and are in order while the wall clock steps back', () => {
  let wall = 1_800_000_000_000;
  const next = messageIds(
    7,
    steadyClock(() => wall),
  );
  const ids: string[] = [];
  for (let i = 0; i < 5000; i += 1) {
    wall += i % 3 === 0 ? -1000 : i % 7;
    ids.push(next());
  }
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
  assert.ok(ids.every((id) => /^[0-9a-z]{16}$/.test(id)));
});

test('more ids in a millisecond than the counter has digits for are still different', () => {
  const next = messageIds(7, () => 1_800_000_000_000);
  const last = new Set<string>();
  for (let i = 0; i < 36 ** 4 + 10; i += 1)
    if (i < 5 || i > 36 ** 4 - 5) last.add(next());
    else next();
  assert.equal(last.size, 5 + 4 + 10);
});

test('threads of one start make different ids', () => {
  const [a, b] = [messageIds(1, () => 5), messageIds(2, () => 5)];
  assert.notEqual(a(), b());
});
