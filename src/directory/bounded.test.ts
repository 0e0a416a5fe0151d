import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedMap } from './bounded.ts';

test('a bounded map keeps what is asked for, and forgets the rest', () => {
  const map = new BoundedMap<number, string>();
  for (let n = 0; n < 1000; n += 1) {
    map.set(n, String(n), 10);
    assert.equal(map.refresh(0, 10), '0');
  }
  assert.equal(map.get(999), '999');
  assert.equal(map.get(900), undefined);
  let kept = 0;
  for (let n = 0; n < 1000; n += 1) if (map.get(n) !== undefined) kept += 1;
  assert.ok(kept <= 10);
  map.delete(0);
  assert.equal(map.get(0), undefined);
  map.clear();
  assert.equal(map.isEmpty, true);
  assert.equal(map.set(1, 'x', 0), 'x');
  assert.equal(map.isEmpty, true);
});
