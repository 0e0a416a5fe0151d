import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { AdminContext } from '../../ports.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { type DkimKeyList, type DkimKeyView, ensureDkimKeys, SIGNING_ADMIN } from './admin.ts';
import { readKeys } from './keys.ts';
import { txtStrings, zoneTxt } from './record.ts';
import { createKeyRing } from './ring.ts';
import { SIGNING_DEFAULTS, testDataDir } from './testing.ts';

const START = Date.UTC(2026, 6, 1);
const HOUR = 3_600_000;

function bench(t: TestContext) {
  const clock = { now: START };
  const dataDir = testDataDir(t);
  const context = {
    dataDir,
    log: SILENT_LOG,
    now: () => clock.now,
    settings: () => ({ ...SIGNING_DEFAULTS, 'dkim.rsaBits': 1024 }),
  } as unknown as AdminContext;
  return {
    clock,
    dataDir,
    context,
    ring: createKeyRing({ dataDir, log: SILENT_LOG, now: () => clock.now }),
    call: <T>(name: string, args: unknown): Promise<T> => SIGNING_ADMIN[name]!(context, args, () => {}, new AbortController().signal) as Promise<T>,
  };
}
type Keys = { keys: DkimKeyView[] };
const selectors = (keys: readonly { selector: string }[]): string[] => keys.map((key) => key.selector);
const states = async (b: ReturnType<typeof bench>): Promise<string[]> =>
  (await b.call<DkimKeyList>('dkim.list', { domain: 'example.org' })).keys.map((key) => `${key.selector} ${key.state}`);

test('keys are made in files that only their owner reads', async (t) => {
  const b = bench(t);
  const { keys } = await b.call<Keys>('dkim.create', { domain: 'Example.ORG' });
  assert.deepEqual(selectors(keys), ['s202607', 's202607e']);
  const directory = join(b.dataDir, 'dkim', 'example.org');
  assert.equal(statSync(join(b.dataDir, 'dkim')).mode & 0o777, 0o700);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(directory).sort(), ['s202607.json', 's202607.key', 's202607e.json', 's202607e.key']);
  for (const name of readdirSync(directory)) assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  assert.match(readFileSync(join(directory, 's202607.key'), 'latin1'), /^-----BEGIN PRIVATE KEY-----/);
});

test('the first keys sign at once, a rotated one when its time has come, and the old one no more', async (t) => {
  const b = bench(t);
  assert.deepEqual(b.ring.signersFor('example.org'), []);
  await b.call('dkim.create', { domain: 'example.org' });
  b.clock.now += 6000;
  assert.deepEqual(selectors(b.ring.signersFor('example.org')), ['s202607', 's202607e']);
  const { keys, replaced } = await b.call<Keys & { replaced: string[] }>('dkim.rotate', { domain: 'example.org' });
  assert.deepEqual(
    [selectors(keys), replaced],
    [
      ['s202607-2', 's202607-2e'],
      ['s202607', 's202607e'],
    ],
  );
  b.clock.now += 6000;
  assert.deepEqual(selectors(b.ring.signersFor('example.org')), ['s202607', 's202607e']);
  assert.deepEqual(await states(b), ['s202607 active', 's202607e active', 's202607-2 published', 's202607-2e published']);
  b.clock.now += 48 * HOUR;
  assert.deepEqual(selectors(b.ring.signersFor('example.org')), ['s202607-2', 's202607-2e']);
  assert.deepEqual(await states(b), ['s202607 retired', 's202607e retired', 's202607-2 active', 's202607-2e active']);
  await b.call('dkim.remove', { domain: 'example.org', selector: 's202607' });
  assert.deepEqual(await states(b), ['s202607e retired', 's202607-2 active', 's202607-2e active']);
});

test('a key that waits can be made to sign now; one that signs is not removed by accident', async (t) => {
  const b = bench(t);
  await b.call('dkim.create', { domain: 'example.org', algorithm: 'ed25519', selector: 'one' });
  await b.call('dkim.rotate', { domain: 'example.org', selector: 'two' });
  await assert.rejects(b.call('dkim.rotate', { domain: 'example.org' }), /waits to take over already/);
  await assert.rejects(b.call('dkim.remove', { domain: 'example.org', selector: 'one' }), /signs the mail/);
  assert.deepEqual((await b.call<{ retired: string[] }>('dkim.activate', { domain: 'example.org', selector: 'two' })).retired, ['one']);
  assert.deepEqual(await states(b), ['one retired', 'two active']);
  await b.call('dkim.remove', { domain: 'example.org', selector: 'two', force: true });
  b.clock.now += 6000;
  assert.deepEqual(b.ring.signersFor('example.org'), []);
});

for (const [args, message] of [
  [{ domain: '../etc' }, /is not a domain/],
  [{ domain: '' }, /give the domain/],
  [{ domain: 'example.org', selector: '../x' }, /is not a selector/],
  [{ domain: 'example.org', algorithm: 'dsa' }, /must be rsa, ed25519 or both/],
  [{ domain: 'example.org', rsaBits: 512 }, /1024 to 4096/],
] as const)
  test(`${JSON.stringify(args)} makes no key`, async (t) => {
    const b = bench(t);
    await assert.rejects(b.call('dkim.create', args), message);
    assert.deepEqual(readdirSync(b.dataDir), []);
  });

test('a taken selector is refused and the key stays', async (t) => {
  const b = bench(t);
  await b.call('dkim.create', { domain: 'example.org', algorithm: 'ed25519', selector: 'one' });
  const before = readKeys(b.dataDir, 'example.org').keys[0]!.record;
  await assert.rejects(b.call('dkim.create', { domain: 'example.org', algorithm: 'ed25519', selector: 'one' }), /is taken/);
  assert.equal(readKeys(b.dataDir, 'example.org').keys[0]!.record, before);
});

test('a domain without keys is given some once', async (t) => {
  const b = bench(t);
  assert.equal((await ensureDkimKeys(b.context, 'example.org')).length, 2);
  assert.deepEqual(await ensureDkimKeys(b.context, 'example.org'), []);
});

test('a damaged or foreign file is named, and the other keys go on signing', async (t) => {
  const b = bench(t);
  await b.call('dkim.create', { domain: 'example.org', algorithm: 'ed25519', selector: 'good' });
  const directory = join(b.dataDir, 'dkim', 'example.org');
  writeFileSync(join(directory, 'bad.key'), 'nothing');
  writeFileSync(join(directory, 'UPPER.key'), 'nothing');
  writeFileSync(join(directory, 'large.key'), 'x'.repeat(100_000));
  writeFileSync(join(directory, 'good.json'), '{"state":"active","createdAt":1,"activeFrom":1}');
  mkdirSync(join(directory, 'folder.key'));
  const { keys, problems } = await b.call<DkimKeyList>('dkim.list', {});
  assert.deepEqual(selectors(keys), ['good']);
  assert.equal(problems.length, 4);
  assert.deepEqual(selectors(b.ring.signersFor('example.org')), ['good']);
  writeFileSync(join(directory, 'good.json'), '{"state":"odd"}');
  assert.deepEqual((await b.call<DkimKeyList>('dkim.list', {})).keys, []);
});

test('a key copied here without a description signs', async (t) => {
  const b = bench(t);
  await b.call('dkim.create', { domain: 'example.org', algorithm: 'ed25519', selector: 'one' });
  const directory = join(b.dataDir, 'dkim', 'example.net');
  mkdirSync(directory);
  writeFileSync(join(directory, 'mine.key'), readFileSync(join(b.dataDir, 'dkim', 'example.org', 'one.key')), { mode: 0o640 });
  chmodSync(join(directory, 'mine.key'), 0o640);
  b.clock.now = Date.now() + 1000;
  assert.deepEqual(selectors(b.ring.signersFor('example.net')), ['mine']);
  assert.equal((await b.call<DkimKeyList>('dkim.list', { domain: 'example.net' })).keys[0]!.mode, 0o640);
});

test('records are cut into strings of at most 255 octets, with quotes and odd octets escaped', () => {
  const strings = txtStrings(`v=DKIM1; p=${'A'.repeat(400)}`);
  assert.deepEqual(
    strings.map((text) => text.length - 2),
    [255, 156],
  );
  assert.deepEqual(txtStrings('a"b\\c\u00e9'), ['"a\\"b\\\\c\\195\\169"']);
  assert.deepEqual(txtStrings(''), ['""']);
  assert.equal(zoneTxt('x.example.org', 60, 'v=1'), 'x.example.org. 60 IN TXT "v=1"');
});
