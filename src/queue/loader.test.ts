/** The loader and the schedule together, against a model of the queue tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Nexthop } from '../route/transport.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { type LoadedRow, Loader, type QueueSource } from './loader.ts';
import { Schedule } from './schedule.ts';

interface Row {
  readonly entryId: number;
  readonly n: number;
  readonly sender: string;
  readonly domain: string;
  attempts: number;
  at: number;
}

/** Rows in order of (entryId, n), as the primary key gives them. */
class Model implements QueueSource {
  rows: Row[] = [];
  readonly held = new Set<number>();
  reads = 0;

  add(entryId: number, sender: string, count: number, domain: (n: number) => string, at = 0, attempts = 0): void {
    for (let n = 0; n < count; n++) this.rows.push({ entryId, n, sender, domain: domain(n), attempts, at });
  }
  fresh(entryId: number, n: number, limit: number): LoadedRow[] {
    this.reads += 1;
    const found: LoadedRow[] = [];
    for (let i = this.#from(entryId, n); i < this.rows.length && found.length < limit; i++) {
      const row = this.rows[i]!;
      if (row.attempts === 0 && row.at >= 0 && !this.held.has(row.entryId)) found.push(loaded(row));
    }
    return found;
  }
  headers(entryId: number, limit: number): [number, string][] {
    const found: [number, string][] = [];
    for (let i = this.#from(entryId, Number.MAX_SAFE_INTEGER); i < this.rows.length && found.length < limit; ) {
      const row = this.rows[i]!;
      if (row.at >= 0 && !this.held.has(row.entryId)) found.push([row.entryId, row.sender]);
      i = this.#from(row.entryId, Number.MAX_SAFE_INTEGER);
    }
    return found;
  }
  due(at: number, entryId: number, n: number, now: number, limit: number): LoadedRow[] {
    const key = (row: Row): [number, number, number] => [row.at, row.entryId, row.n];
    const less = (a: number[], b: number[]): number => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!;
    return this.rows
      .filter((row) => row.attempts > 0 && row.at >= 0 && row.at <= now && !this.held.has(row.entryId) && less(key(row), [at, entryId, n]) > 0)
      .sort((a, b) => less(key(a), key(b)))
      .slice(0, limit)
      .map(loaded);
  }
  /** Deleted rows are marked (at < 0), so that the search below stays a search. */
  delete(entryId: number, n: number): void {
    this.rows[this.#from(entryId, n - 1)]!.at = -1;
  }
  get left(): number {
    return this.rows.filter((row) => row.at >= 0).length;
  }
  #from(entryId: number, n: number): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      const row = this.rows[mid]!;
      if (row.entryId < entryId || (row.entryId === entryId && row.n <= n)) low = mid + 1;
      else high = mid;
    }
    return low;
  }
}

function loaded(row: Row): LoadedRow {
  return {
    entry: {
      entryId: row.entryId,
      id: String(row.entryId),
      blobId: 1,
      size: 1,
      headerBytes: 1,
      headerMessageId: null,
      source: 'smtp',
      accountId: null,
      sender: row.sender,
      envid: null,
      ret: null,
      smtputf8: false,
      has8bit: false,
      createdAt: 0,
      nexthop: null,
      isJunk: false,
      arrival: null,
      senderKey: row.sender,
    },
    recipient: {
      n: row.n,
      address: `u${row.n}@${row.domain}`,
      orcpt: null,
      notify: null,
      kind: 'remote',
      domain: row.domain,
      accountId: null,
      attempts: row.attempts,
      isWarned: false,
      nexthop: null,
      task: null,
    },
    nextAttemptAt: row.at,
  };
}
const hop = (domain: string): Nexthop => ({ kind: 'smtp', key: domain, host: domain, port: null, mx: true, implicitTls: false, isRelay: false });

/** Delivers `most` batches, one at a time in each of the open turns, and notes who was served when. */
function run(
  model: Model,
  most: number,
  seen: (entry: QueueEntry, recipient: QueuedRecipient, delivered: number) => void,
  arrive: (delivered: number) => void = () => {},
): Loader {
  const loader = new Loader(model, () => 2000);
  const schedule = new Schedule(() => ({
    concurrencyInitial: 5,
    concurrencyMax: 5,
    connectionsMax: 10,
    recipientsMax: 1,
    rateDelayMs: 0,
    deadMin: 1,
    deadMax: 1,
  }));
  let delivered = 0;
  while (delivered < most) {
    for (const { entry, recipient } of loader.fill(delivered)) schedule.add(hop(recipient.domain), entry, recipient);
    assert.ok(loader.total <= 2000 + 4 * 256, `memory is bounded (${loader.total})`);
    const batches = [];
    for (let batch = schedule.start(); batch !== null; batch = schedule.start()) batches.push(batch);
    if (batches.length === 0) break;
    for (const batch of batches) {
      for (const recipient of batch.recipients) {
        delivered += 1;
        model.delete(batch.entry.entryId, recipient.n);
        loader.release(batch.entry, recipient);
        seen(batch.entry, recipient, delivered);
      }
      schedule.release(batch.destination);
    }
    arrive(delivered);
    loader.announced();
  }
  return loader;
}

test('a mailing of 100,000 recipients in one message does not hold up a single message of another sender', () => {
  const model = new Model();
  model.add(1, 'mailing', 100_000, (n) => `d${n % 50}.test`);
  model.add(2, 'person', 1, () => 'd0.test');
  let servedAt = 0;
  run(model, 3000, (entry, _recipient, delivered) => {
    if (entry.entryId === 2) servedAt = delivered;
  });
  assert.ok(servedAt > 0 && servedAt < 1500, `served after ${servedAt} others`);
});
test('a mailing of 100,000 messages does not hold up a single one behind them', () => {
  const model = new Model();
  for (let i = 1; i <= 100_000; i++) model.add(i, 'mailing', 1, () => `d${i % 50}.test`);
  model.add(100_001, 'person', 1, () => 'd0.test');
  let servedAt = 0;
  run(model, 5000, (entry, _recipient, delivered) => {
    if (entry.entryId === 100_001) servedAt = delivered;
  });
  assert.ok(servedAt > 0 && servedAt < 3000, `served after ${servedAt} others`);
});
test('messages that arrive while a mailing is under way are served soon after they come', () => {
  const model = new Model();
  for (let i = 1; i <= 20_000; i++) model.add(i, 'mailing', 1, () => `d${i % 50}.test`);
  const came = new Map<number, number>();
  const waits: number[] = [];
  let next = 20_001;
  run(
    model,
    15_000,
    (entry, _recipient, delivered) => {
      const at = came.get(entry.entryId);
      if (at !== undefined) waits.push(delivered - at);
    },
    (delivered) => {
      if (came.size < 20 && delivered > 3000 + came.size * 500) {
        came.set(next, delivered);
        model.add(next, `person${next}`, 1, () => `d${next % 50}.test`);
        next += 1;
      }
    },
  );
  assert.equal(waits.length, 20);
  assert.ok(Math.max(...waits) < 500, `longest wait: ${Math.max(...waits)} deliveries`);
});
test('everything is delivered once, whatever lane it came by', () => {
  const model = new Model();
  for (let i = 1; i <= 3000; i++) model.add(i, `s${i % 3}`, 1 + (i % 4), (n) => `d${(i + n) % 7}.test`);
  for (let i = 3001; i <= 4000; i++) model.add(i, 'old', 1, () => 'd1.test', i - 3000, 1);
  const total = model.rows.length;
  const seen = new Set<string>();
  run(model, 100_000, (entry, recipient) => {
    const key = `${entry.entryId} ${recipient.n}`;
    assert.ok(!seen.has(key), `${key} twice`);
    seen.add(key);
  });
  assert.equal(seen.size, total);
  assert.equal(model.left, 0);
});
test('a retry is loaded when its time has come, and not again while it is in memory', () => {
  const model = new Model();
  model.add(1, 'a', 1, () => 'd.test', 5000, 1);
  const loader = new Loader(model, () => 2000);
  assert.equal(loader.fill(1000).length, 0);
  assert.equal(loader.fill(6000).length, 1);
  assert.equal(loader.fill(8000).length, 0);
  loader.rewind();
  assert.equal(loader.fill(10_000).length, 0);
});
test('a released entry is found again by looking from its number', () => {
  const model = new Model();
  for (let i = 1; i <= 3; i++) model.add(i, 'a', 1, () => 'd.test');
  model.held.add(2);
  const loader = new Loader(model, () => 2000);
  assert.deepEqual(
    loader.fill(0).map((one) => one.entry.entryId),
    [1, 3],
  );
  model.held.delete(2);
  loader.rewind(1);
  assert.deepEqual(
    loader.fill(0).map((one) => one.entry.entryId),
    [2],
  );
});
test('an entry dropped while an attempt runs is looked at again when the attempt has ended', () => {
  const model = new Model();
  model.add(1, 'a', 1, () => 'd.test');
  const loader = new Loader(model, () => 2000);
  const [one] = loader.fill(0);
  one!.entry.isDropped = true;
  loader.rewind(0);
  assert.equal(loader.fill(0).length, 0);
  loader.release(one!.entry, one!.recipient);
  assert.equal(loader.fill(0).length, 1);
});

test('a fresh recipient dated a moment ahead of our clock is not passed over', () => {
  const model = new Model();
  model.add(1, 'a', 1, () => 'd.test', 1001);
  const loader = new Loader(model, () => 2000);
  assert.equal(loader.fill(1000).length, 1);
});

test('a retry written late, for a time that was passed meanwhile, is found though the memory is never empty', () => {
  const model = new Model();
  model.add(1, 'a', 1, () => 'd.test', 5000, 1);
  const loader = new Loader(model, () => 2000);
  assert.equal(loader.fill(6000).length, 1);
  model.add(2, 'a', 1, () => 'd.test', 4000, 1);
  const found: number[] = [];
  for (let now = 6000; now <= 130_000; now += 1000) found.push(...loader.fill(now).map((one) => one.entry.entryId));
  assert.deepEqual(found, [2]);
});
