import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Nexthop } from '../route/transport.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { type Batch, Schedule, type ScheduleLimits } from './schedule.ts';

const LIMITS: ScheduleLimits = {
  concurrencyInitial: 2,
  concurrencyMax: 4,
  connectionsMax: 100,
  recipientsMax: 3,
  rateDelayMs: 0,
  deadMin: 1000,
  deadMax: 4000,
};
const hop = (domain: string): Nexthop => ({ kind: 'smtp', key: domain, host: domain, port: null, mx: true, implicitTls: false, isRelay: false });
const REASON = { code: 421, enhanced: '4.4.1', reply: 'no route', host: '' };

let ids = 0;
function entry(sender: string): QueueEntry {
  const entryId = ++ids;
  return {
    entryId,
    id: String(entryId),
    blobId: 1,
    size: 1,
    headerBytes: 1,
    headerMessageId: null,
    source: 'smtp',
    accountId: null,
    sender,
    envid: null,
    ret: null,
    smtputf8: false,
    has8bit: false,
    createdAt: 0,
    nexthop: null,
    isJunk: false,
    arrival: null,
    outside: null,
    senderKey: sender,
    owned: new Set(),
    isDropped: false,
  };
}
function recipient(n: number, domain = 'd.test'): QueuedRecipient {
  return {
    n,
    address: `u${n}@${domain}`,
    orcpt: null,
    notify: null,
    kind: 'remote',
    domain,
    accountId: null,
    attempts: 0,
    isWarned: false,
    nexthop: null,
    task: null,
    outside: null,
    lane: 'fresh',
    losses: 0,
  };
}
const label = (batch: Batch | null): string => (batch === null ? '-' : `${batch.entry.sender}:${batch.recipients.map((one) => one.n).join(',')}`);

test('recipients of one entry to one destination go together, up to the limit', () => {
  const schedule = new Schedule(() => LIMITS);
  const a = entry('a');
  for (let n = 0; n < 4; n++) schedule.add(hop('d.test'), a, recipient(n));
  schedule.add(hop('e.test'), a, recipient(4));
  assert.deepEqual([label(schedule.start()), label(schedule.start()), label(schedule.start()), label(schedule.start())], ['a:0,1,2', 'a:4', 'a:3', '-']);
});
test('a destination with a rate delay has one attempt at a time, and none while it rests', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1, rateDelayMs: 1000 }));
  for (let n = 0; n < 3; n++) schedule.add(hop('d.test'), entry('a'), recipient(n));
  const first = schedule.start()!;
  assert.equal(schedule.start(), null, 'one at a time');
  assert.equal(schedule.next(first.destination), null, 'not on the same connection either');
  schedule.pause(first.destination);
  schedule.release(first.destination);
  assert.equal(schedule.start(), null, 'it rests');
  schedule.resume(first.destination);
  assert.equal(label(schedule.start()), 'a:1');
});
test('senders take turns within a destination', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1 }));
  for (let n = 0; n < 3; n++) schedule.add(hop('d.test'), entry('a'), recipient(n));
  schedule.add(hop('d.test'), entry('b'), recipient(9));
  const first = schedule.start()!;
  const order = [label(first), ...Array.from({ length: 3 }, () => label(schedule.next(first.destination)))];
  assert.deepEqual(order, ['a:0', 'b:9', 'a:1', 'a:2']);
});
test('destinations take turns when connections are short', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1, connectionsMax: 1 }));
  for (let n = 0; n < 5; n++) schedule.add(hop('big.test'), entry('a'), recipient(n));
  schedule.add(hop('small.test'), entry('b'), recipient(9));
  const first = schedule.start()!;
  assert.equal(schedule.start(), null);
  // Another destination waits for the only connection: this one gets no second message.
  assert.equal(schedule.next(first.destination), null);
  schedule.release(first.destination);
  assert.equal(label(schedule.start()), 'b:9');
});
test('concurrency starts small, grows with success, shrinks with failure', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1 }));
  for (let n = 0; n < 20; n++) schedule.add(hop('d.test'), entry(`s${n}`), recipient(n));
  const first = schedule.start()!;
  assert.notEqual(schedule.start(), null);
  assert.equal(schedule.start(), null);
  schedule.succeeded(first.destination);
  schedule.succeeded(first.destination);
  schedule.succeeded(first.destination);
  assert.notEqual(schedule.start(), null);
  for (let i = 0; i < 50; i++) schedule.succeeded(first.destination);
  assert.equal(first.destination.window, LIMITS.concurrencyMax);
  schedule.slowDown(first.destination);
  assert.equal(schedule.next(first.destination), null, 'three in use, two allowed: this one must end');
});
test('a destination that cannot be reached is put off as a whole, longer each time', () => {
  const schedule = new Schedule(() => LIMITS);
  for (let n = 0; n < 10; n++) schedule.add(hop('d.test'), entry(`s${n}`), recipient(n));
  const batch = schedule.start()!;
  const dead = schedule.unreachable(batch.destination, REASON, 0);
  assert.equal(dead!.batches.length, 9);
  assert.equal(dead!.until, 1000);
  schedule.release(batch.destination);
  assert.equal(schedule.waiting, 0);
  assert.equal(schedule.deadFor('d.test', 999)!.reason, REASON);
  assert.equal(schedule.deadFor('d.test', 1000), null);
  // Then a single connection tries.
  for (let n = 0; n < 5; n++) schedule.add(hop('d.test'), entry(`s${n}`), recipient(n));
  const again = schedule.start()!;
  assert.equal(schedule.start(), null);
  assert.equal(schedule.unreachable(again.destination, REASON, 1000)!.until, 3000);
  schedule.release(again.destination);
  schedule.revive();
  assert.equal(schedule.deadFor('d.test', 1500), null);
});
test('a refused connection while others work only means: fewer', () => {
  const schedule = new Schedule(() => LIMITS);
  for (let n = 0; n < 10; n++) schedule.add(hop('d.test'), entry(`s${n}`), recipient(n));
  const one = schedule.start()!;
  const two = schedule.start()!;
  assert.equal(schedule.unreachable(two.destination, REASON, 0), null);
  schedule.giveBack(two);
  schedule.release(two.destination);
  assert.equal(schedule.start(), null);
  assert.equal(label(schedule.next(one.destination)).startsWith('s'), true);
});
test('what is given back goes out before the rest of its sender', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1 }));
  for (let n = 0; n < 3; n++) schedule.add(hop('d.test'), entry('a'), recipient(n));
  const batch = schedule.start()!;
  schedule.giveBack(batch);
  assert.equal(label(schedule.next(batch.destination)), 'a:0');
});
test('dropped entries leave the lines', () => {
  const schedule = new Schedule(() => LIMITS);
  const a = entry('a');
  schedule.add(hop('d.test'), a, recipient(0));
  schedule.add(hop('d.test'), entry('b'), recipient(1));
  a.isDropped = true;
  assert.equal(schedule.sweepDropped().length, 1);
  assert.equal(label(schedule.start()), 'b:1');
  assert.equal(schedule.waiting, 0);
});
test('nothing is remembered of a destination that has nothing to do', () => {
  const schedule = new Schedule(() => LIMITS);
  schedule.add(hop('d.test'), entry('a'), recipient(0));
  const batch = schedule.start()!;
  schedule.release(batch.destination);
  assert.equal(schedule.destinations.size, 0);
  assert.equal(schedule.active, 0);
});
test('nothing is remembered of a destination whose last message went out by a connection in use', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, recipientsMax: 1, concurrencyInitial: 1 }));
  for (let n = 0; n < 2; n++) schedule.add(hop('d.test'), entry('a'), recipient(n));
  const { destination } = schedule.start()!;
  schedule.succeeded(destination);
  assert.equal(label(schedule.next(destination)), 'a:1');
  schedule.release(destination);
  assert.equal(schedule.start(), null);
  assert.equal(schedule.destinations.size, 0);
});
test('nothing is remembered of a destination whose mail was dropped', () => {
  const schedule = new Schedule(() => ({ ...LIMITS, connectionsMax: 1 }));
  const a = entry('a');
  for (let n = 0; n < 20; n++) schedule.add(hop(`d${n}.test`), a, recipient(n));
  const { destination } = schedule.start()!;
  a.isDropped = true;
  assert.equal(schedule.sweepDropped().length, 19);
  schedule.release(destination);
  assert.equal(schedule.start(), null);
  assert.equal(schedule.destinations.size, 0);
});
