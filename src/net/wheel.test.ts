import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Wheel, type WheelEntry } from './wheel.ts';

test('entries fire once, never early, and within two ticks of their time', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.boolean(), fc.integer({ min: 1, max: 400 })), { maxLength: 60 }), (plan) => {
      let now = 0;
      const wheel = new Wheel(10, () => now);
      const fired = new Map<WheelEntry, number>();
      const due: { entry: WheelEntry; at: number; isRemoved: boolean }[] = [];
      for (const [delay, isRemoved, step] of plan) {
        const entry: WheelEntry = {
          fire: () => {
            assert.ok(!fired.has(entry), 'fired twice');
            fired.set(entry, now);
          },
        };
        wheel.add(entry, delay);
        const item = { entry, at: now + delay, isRemoved: false };
        due.push(item);
        if (isRemoved) {
          wheel.remove(entry);
          item.isRemoved = true;
        }
        now += step;
        wheel.turn();
      }
      while (wheel.size > 0) {
        now += 10;
        wheel.turn();
      }
      wheel.stop();
      for (const { entry, at, isRemoved } of due) {
        const when = fired.get(entry);
        if (isRemoved) assert.equal(when, undefined);
        // A step of the test may be 400 ms long; the wheel itself adds at most two ticks.
        else assert.ok(when !== undefined && when >= at && when <= at + 420, `due ${at}, fired ${when}`);
      }
    }),
    { seed: 11, numRuns: 200 },
  );
});

test('an entry that fires may add and remove others', () => {
  let now = 0;
  const wheel = new Wheel(10, () => now);
  const log: string[] = [];
  const second: WheelEntry = { fire: () => log.push('second') };
  const third: WheelEntry = { fire: () => log.push('third') };
  wheel.add(
    {
      fire: () => {
        log.push('first');
        wheel.remove(second);
        wheel.add(third, 10);
      },
    },
    10,
  );
  wheel.add(second, 10);
  for (now = 10; wheel.size > 0; now += 10) wheel.turn();
  assert.deepEqual(log, ['first', 'third']);
});
