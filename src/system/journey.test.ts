import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { JourneyEvent } from '../ports.ts';
import { journeyQuery } from './admin.ts';
import { openJourney } from './journey.ts';
import { FIELDS_CHARACTERS_MAX } from './journey-fields.ts';
import { findKey, keyHash, packKeys } from './journey-keys.ts';

const event = (id: string, at: number, name: string, keys: string[] = [], fields: Record<string, unknown> = {}): JourneyEvent => ({
  id,
  at,
  stage: 'receive',
  event: name,
  fields,
  keys,
});
const open = (t: { after(f: () => void): void }, options = { keepMs: 1000, rowsMax: 1_000_000 }) => {
  const journey = openJourney(':memory:', options);
  t.after(() => journey.close());
  return journey;
};

test('a message is found by its id, an address in any case, its Message-ID with or without brackets, and its client', (t) => {
  const journey = open(t);
  journey.write([
    event('0000000000000001', 10, 'accepted', ['Bob@Example.org', '<M1@x>', '192.0.2.1'], { size: 5 }),
    event('0000000000000002', 20, 'accepted', ['carol@example.org', '<m2@x>', '192.0.2.1']),
  ]);
  journey.write([event('0000000000000001', 30, 'delivered')]);
  for (const text of ['0000000000000001', 'bob@example.org', ' BOB@EXAMPLE.ORG ', 'm1@x', '<m1@X>']) {
    const found = journey.find({ text });
    assert.deepEqual(
      found.map((message) => [message.id, message.events.map((e) => e.event)]),
      [['0000000000000001', ['accepted', 'delivered']]],
      text,
    );
    assert.deepEqual(found[0]!.events[0]!.fields, { size: 5 });
  }
  assert.deepEqual(
    journey.find({ text: '192.0.2.1' }).map((message) => message.id),
    ['0000000000000002', '0000000000000001'],
  );
  assert.deepEqual(journey.find({ text: 'nobody@example.org' }), []);
});

test('a time range and a limit narrow what is found', (t) => {
  const journey = open(t);
  journey.write(Array.from({ length: 50 }, (_, i) => event(String(i).padStart(16, '0'), i, 'accepted', ['a@b'])));
  assert.equal(journey.find({ text: 'a@b' }).length, 20);
  assert.deepEqual(
    journey.find({ text: 'a@b', since: 10, until: 12 }).map((message) => message.events[0]!.at),
    [12, 11, 10],
  );
  assert.deepEqual(
    journey.find({ text: 'a@b', limit: 1 }).map((message) => message.events[0]!.at),
    [49],
  );
  assert.deepEqual(journey.find({ text: '0000000000000005', since: 10 }), []);
});

test('old rows go, then the surplus, with all their keys', (t) => {
  const journey = open(t, { keepMs: 1000, rowsMax: 1000 });
  journey.write(Array.from({ length: 5000 }, (_, i) => event(String(i).padStart(16, '0'), i, 'accepted', ['a@b', `<${i}@x>`])));
  let removed = 0;
  for (let more = journey.prune(2000); more > 0; more = journey.prune(2000)) removed += more;
  assert.equal(removed, 4000);
  assert.equal(journey.find({ text: '3999@x' }).length, 0);
  assert.equal(journey.find({ text: '4000@x' }).length, 1);
  assert.equal(journey.find({ text: 'a@b', limit: 1000 }).length, 1000);
  for (let more = journey.prune(5500); more > 0; more = journey.prune(5500)) removed += more;
  assert.equal(removed, 4500);
  assert.equal(journey.find({ text: 'a@b', limit: 1000 })[0]!.events[0]!.at, 4999);
});

test('a batch that fails leaves nothing behind and the next one goes through', (t) => {
  const journey = open(t);
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  assert.throws(() => journey.write([event('0000000000000001', 1, 'accepted', ['a@b']), event('0000000000000002', 2, 'accepted', [], circular)]));
  assert.deepEqual(journey.find({ text: 'a@b' }), []);
  journey.write([event('0000000000000003', 3, 'accepted', ['a@b'])]);
  assert.equal(journey.find({ text: 'a@b' }).length, 1);
});

test('fields that are too long are cut, and stay JSON', (t) => {
  const journey = open(t);
  journey.write([
    event('0000000000000001', 1, 'accepted', [], { reply: 'x'.repeat(100_000), to: Array.from({ length: 5000 }, (_, i) => `user${i}@example.org`) }),
  ]);
  const fields = journey.find({ text: '0000000000000001' })[0]!.events[0]!.fields;
  assert.ok(JSON.stringify(fields).length <= FIELDS_CHARACTERS_MAX);
  assert.equal(fields.to.at(-1), '… 4980 more');
});

test('hashes of keys are safe integers that differ', () => {
  const seen = new Set<number>();
  for (let i = 0; i < 100_000; i += 1) {
    const hash = keyHash(`user${i}@example.org`);
    assert.ok(Number.isSafeInteger(hash) && hash >= 0);
    seen.add(hash);
  }
  assert.equal(seen.size, 100_000);
});

test('a chunk answers the events of a key', () => {
  const entries = Array.from({ length: 5000 }, (_, i) => ({ hash: keyHash(`k${i % 1000}`), id: 100 + i }));
  const chunk = packKeys(entries, 100);
  assert.deepEqual(findKey(chunk, 100, keyHash('k7')), [107, 1107, 2107, 3107, 4107]);
  assert.deepEqual(findKey(chunk, 100, keyHash('other')), []);
  assert.deepEqual(findKey(packKeys([], 5), 5, keyHash('k7')), []);
});

test('what was written before is found after the file is opened again, chunks and tail', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-journey-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'journey.db');
  const options = { keepMs: 1e9, rowsMax: 1e9 };
  let journey = openJourney(path, options);
  const all = Array.from({ length: 10_000 }, (_, i) => event(String(i).padStart(16, '0'), i, 'accepted', ['a@b', `<${i}@x>`]));
  journey.write(all.slice(0, 9000));
  journey.close();
  journey = openJourney(path, options);
  journey.write(all.slice(9000));
  for (const i of [0, 4095, 4096, 8191, 8192, 8999, 9000, 9999])
    assert.deepEqual(
      journey.find({ text: `${i}@x` }).map((message) => message.events[0]!.at),
      [i],
    );
  assert.deepEqual(
    journey.find({ text: 'a@b', limit: 3 }).map((message) => message.events[0]!.at),
    [9999, 9998, 9997],
  );
  assert.deepEqual(
    journey.find({ text: 'a@b', since: 4094, until: 4097 }).map((message) => message.events[0]!.at),
    [4097, 4096, 4095, 4094],
  );
  while (journey.prune(2e9) > 0);
  assert.deepEqual(journey.find({ text: 'a@b' }), []);
  journey.close();
  journey = openJourney(path, options);
  journey.write([event('fresh00000000000', 1, 'accepted', ['a@b'])]);
  assert.deepEqual(
    journey.find({ text: 'a@b' }).map((message) => message.id),
    ['fresh00000000000'],
  );
  journey.close();
});

test('a damaged file is put aside', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-journey-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'journey.db');
  writeFileSync(path, 'this is not a database, whatever its name says. '.repeat(100));
  const journey = openJourney(path, { keepMs: 1000, rowsMax: 1000 });
  journey.write([event('0000000000000001', 1, 'accepted', ['a@b'])]);
  assert.equal(journey.find({ text: 'a@b' }).length, 1);
  journey.close();
  assert.ok(existsSync(`${path}.damaged`));
});

test('a query from the socket is checked', () => {
  assert.deepEqual(journeyQuery({ text: 'a', since: 1, limit: null }), { text: 'a', since: 1 });
  for (const wrong of [undefined, {}, { text: '' }, { text: 5 }, { text: 'x'.repeat(3000) }, { text: 'a', since: 'now' }, { text: 'a', limit: 0 }])
    assert.throws(() => journeyQuery(wrong), Error);
});
