import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY, defaultsOf, HOUR, MINUTE } from '../system/declare.ts';
import { afterFailure, beforeWarning, isDelayWarningDue, waitAfter, wants } from './retry.ts';
import { QUEUE_SETTINGS } from './settings.ts';

const settings = defaultsOf(QUEUE_SETTINGS);
const middle = (): number => 0.5;

test('waits double from five minutes to four hours', () => {
  const waits = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map((attempts) => waitAfter(attempts, settings, middle) / MINUTE);
  assert.deepEqual(waits, [5.6, 10, 20, 40, 80, 160, 211.2, 211.2, 211.2]);
});
test('waits are spread by an eighth to both sides, but never below five minutes or above four hours', () => {
  const bounds = [1, 2, 6, 7, 100].map((attempts) => [waitAfter(attempts, settings, () => 0) / MINUTE, waitAfter(attempts, settings, () => 1) / MINUTE]);
  assert.deepEqual(bounds, [
    [5, 6.2],
    [8.8, 11.2],
    [140.8, 179.2],
    [182.4, 240],
    [182.4, 240],
  ]);
});
test('the last attempt comes at the end of the lifetime, and a failure after that is final', () => {
  const near = afterFailure(5 * DAY - MINUTE, 0, 30, false, 0, settings, middle);
  assert.deepEqual(near, { kind: 'retry', at: 5 * DAY });
  assert.deepEqual(afterFailure(5 * DAY, 0, 31, false, 0, settings, middle), { kind: 'expired' });
});
test('bounces are given up after a day', () => {
  assert.deepEqual(afterFailure(DAY, 0, 5, true, 0, settings, middle), { kind: 'expired' });
  assert.equal(afterFailure(DAY - HOUR, 0, 5, true, 0, settings, middle).kind, 'retry');
});
test('a dead destination sets the earliest time', () => {
  assert.deepEqual(afterFailure(0, 0, 1, false, HOUR, settings, middle), { kind: 'retry', at: HOUR });
});
test('one warning after four hours, never for the null sender or against NOTIFY', () => {
  assert.equal(isDelayWarningDue(4 * HOUR, 0, false, 'a@us.test', null, settings), true);
  assert.equal(isDelayWarningDue(4 * HOUR - 1, 0, false, 'a@us.test', null, settings), false);
  assert.equal(isDelayWarningDue(4 * HOUR, 0, true, 'a@us.test', null, settings), false);
  assert.equal(isDelayWarningDue(4 * HOUR, 0, false, null, null, settings), false);
  assert.equal(isDelayWarningDue(4 * HOUR, 0, false, 'a@us.test', 'failure', settings), false);
  assert.equal(isDelayWarningDue(4 * HOUR, 0, false, 'a@us.test', 'never', settings), false);
});
test('without NOTIFY failure and delay are reported, success is not', () => {
  assert.deepEqual([wants(null, 'failure'), wants(null, 'delay'), wants(null, 'success')], [true, true, false]);
  assert.deepEqual([wants('never', 'failure'), wants('success,failure', 'failure'), wants('success', 'failure')], [false, true, false]);
});

test('an attempt is brought forward to the time of the delay warning, once, and never below the shortest wait', () => {
  const settings = {
    'queue.retryMin': 300_000,
    'queue.retryMax': 14_400_000,
    'queue.lifetime': 432_000_000,
    'queue.bounceLifetime': 86_400_000,
    'queue.delayWarning': 14_400_000,
  };
  const at = (next: number, now: number, isWarned = false, sender: string | null = 'a@b', notify: string | null = null): number =>
    beforeWarning(next, now, 0, isWarned, sender, notify, settings);
  assert.equal(at(19_000_000, 9_000_000), 14_400_000);
  assert.equal(at(19_000_000, 14_300_000), 14_600_000);
  assert.equal(at(12_000_000, 9_000_000), 12_000_000);
  assert.equal(at(19_000_000, 15_000_000), 19_000_000);
  assert.equal(at(19_000_000, 9_000_000, true), 19_000_000);
  assert.equal(at(19_000_000, 9_000_000, false, null), 19_000_000);
  assert.equal(at(19_000_000, 9_000_000, false, 'a@b', 'failure'), 19_000_000);
});
