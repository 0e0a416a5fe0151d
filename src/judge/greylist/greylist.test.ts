import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Address } from '../../ports.ts';
import type { LocalStore } from '../../store/local.ts';
import { DAY, defaultsOf, HOUR, MINUTE, SECOND } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { createGreylist, type Greylist, type GreylistAnswer, type GreylistContext, type GreylistInput, greylistSweep } from './greylist.ts';
import { GREYLIST_OPERATIONS } from './operations.ts';
import { GREYLIST_SETTINGS, type GreylistSettings } from './settings.ts';
import { openJudgeStore } from './testing.ts';

const BOB: Address = { local: 'bob', domain: 'us.test' };
const CAROL: Address = { local: 'carol', domain: 'us.test' };
const RITA: Address = { local: 'rita', domain: 'remote.test' };

interface World {
  readonly store: LocalStore;
  readonly context: GreylistContext;
  now: number;
  readonly counted: string[];
  greylist: Greylist;
  check(over?: Partial<GreylistInput>): GreylistAnswer;
  /** As "pass knownClient" or "wait 180". */
  said(over?: Partial<GreylistInput>): string;
  rows(table: 'greylist' | 'greylist_client'): number;
}

function world(t: TestContext, changes: Partial<GreylistSettings> = {}): World {
  const settings = { ...defaultsOf(GREYLIST_SETTINGS), ...changes };
  const counted: string[] = [];
  const it: World = {
    now: 1_800_000_000_000,
    counted,
    store: openJudgeStore(t, GREYLIST_OPERATIONS, () => it.now),
    context: {
      reader: { rows: (sql, ...parameters) => it.store.reader.rows(sql, ...parameters) },
      writer: { run: (operation, input) => it.store.writer.run(operation, input) },
      settings: () => settings,
      log: SILENT_LOG,
      metrics: { count: (_name, _by, label) => counted.push(label!), gauge: () => {} },
    },
    greylist: null as unknown as Greylist,
    check: (over = {}) => it.greylist.check({ clientIp: '192.0.2.7', clientName: null, sender: RITA, recipients: [BOB], spfPass: null, now: it.now, ...over }),
    said(over) {
      const answer = it.check(over);
      return answer.kind === 'wait' ? `wait ${answer.seconds}` : `pass ${answer.reason}`;
    },
    rows: (table) => Number(it.store.reader.rows(`SELECT count(*) FROM ${table}`)[0]![0]),
  };
  it.greylist = createGreylist(it.context);
  return it;
}

test('a new triplet waits, comes back after the delay, and is known from then on', (t) => {
  const it = world(t);
  const first = it.check();
  assert.deepEqual(first, {
    kind: 'wait',
    seconds: 180,
    isNew: true,
    text: '192.0.2.0/24 is not known with this sender and recipient: asked to come back in 180 s',
    reply: { code: 451, enhanced: '4.7.1', text: 'Greylisted: this server does not know you yet, please try again in 180 seconds' },
  });
  it.now += 60 * SECOND;
  assert.equal(it.said(), 'wait 120');
  it.now += 120 * SECOND - 1;
  assert.equal(it.said(), 'wait 1');
  it.now += 1;
  assert.equal(it.said({ clientIp: '192.0.2.99' }), 'pass returned', 'another host of the same network');
  assert.equal(it.said(), 'pass knownTriplet');
  assert.equal(it.said({ recipients: [CAROL] }), 'wait 180', 'another recipient');
  assert.equal(it.said({ clientIp: '192.0.3.7' }), 'wait 180', 'another network');
  assert.equal(it.said({ sender: null }), 'wait 180', 'the null sender is a sender of its own');
  assert.deepEqual(it.counted, ['wait', 'wait', 'wait', 'returned', 'knownTriplet', 'wait', 'wait', 'wait']);
});

test('what one thread has noted another finds in the store, and it outlives a restart', async (t) => {
  const it = world(t);
  it.said();
  await it.greylist.flush();
  it.greylist = createGreylist(it.context);
  it.now += 3 * MINUTE;
  assert.equal(it.said(), 'pass returned');
  await it.greylist.flush();
  it.greylist = createGreylist(it.context);
  assert.equal(it.said(), 'pass knownTriplet');
});

test('of two threads that meet a triplet at once, the earlier time counts and a return is not undone', async (t) => {
  const it = world(t);
  const other = createGreylist(it.context);
  it.said();
  it.now += SECOND;
  const late = { clientIp: '192.0.2.7', clientName: null, sender: RITA, recipients: [BOB], spfPass: null, now: it.now };
  assert.equal(other.check(late).kind, 'wait');
  await it.greylist.flush();
  it.now += 3 * MINUTE - SECOND;
  assert.equal(it.said(), 'pass returned');
  await it.greylist.flush();
  await other.flush();
  const [[first, passed]] = it.store.reader.rows('SELECT first_at, passed_at FROM greylist') as [[number, number]];
  assert.deepEqual([it.now - first, it.now - passed], [3 * MINUTE, 0]);
});

test('a triplet that does not come back within the window begins anew; a known one is forgotten after its lifetime', (t) => {
  const it = world(t);
  it.said();
  it.now += 2 * DAY;
  assert.equal(it.said(), 'wait 180');
  it.now += 3 * MINUTE;
  assert.equal(it.said(), 'pass returned');
  it.now += 36 * DAY - 1;
  assert.equal(it.said(), 'pass knownTriplet', 'seen again just in time');
  it.now += 36 * DAY - 1;
  assert.equal(it.said(), 'pass knownTriplet');
  it.now += 36 * DAY;
  assert.equal(it.said(), 'wait 180');
});

test('a network whose triplets came back often enough does not wait any more', async (t) => {
  const it = world(t, { 'greylist.knownAfter': 3 });
  const strangers = [0, 1, 2, 3].map((n): Address => ({ local: `user${'abcd'[n]}`, domain: 'remote.test' }));
  for (const sender of strangers.slice(0, 3)) {
    assert.equal(it.said({ sender }), 'wait 180');
    it.now += HOUR;
    assert.equal(it.said({ sender }), 'pass returned');
  }
  assert.equal(it.said({ sender: strangers[3]! }), 'pass knownClient');
  assert.equal(it.said({ sender: strangers[3]!, clientIp: '192.0.3.1' }), 'wait 180');
  await it.greylist.flush();
  it.greylist = createGreylist(it.context);
  assert.equal(it.said({ sender: strangers[3]! }), 'pass knownClient');
});

test('several triplets that come back within an hour count once', (t) => {
  const it = world(t, { 'greylist.knownAfter': 2 });
  const recipients = [0, 1, 2].map((n): Address => ({ local: `user${n}`, domain: 'us.test' }));
  for (const recipient of recipients) it.said({ recipients: [recipient] });
  it.now += 3 * MINUTE;
  for (const recipient of recipients) assert.equal(it.said({ recipients: [recipient] }), 'pass returned');
  assert.equal(it.said({ recipients: [CAROL] }), 'wait 180');
});

test('a known client and a known triplet are written once an hour, not with each message', async (t) => {
  const it = world(t, { 'greylist.knownAfter': 1 });
  const writes: number[] = [];
  const { writer } = it.context;
  it.greylist = createGreylist({
    ...it.context,
    writer: {
      run: (operation, input: any) => {
        writes.push(input.triplets.length + input.clients.length);
        return writer.run(operation, input);
      },
    },
  });
  it.said();
  it.now += 3 * MINUTE;
  it.said();
  await it.greylist.flush();
  assert.deepEqual(writes.splice(0), [2]);
  for (let n = 0; n < 100; n += 1) {
    it.now += 30 * SECOND;
    assert.equal(it.said(), 'pass knownClient');
    await it.greylist.flush();
  }
  assert.deepEqual(writes, []);
  it.now += 10 * MINUTE;
  it.said();
  await it.greylist.flush();
  assert.deepEqual(writes, [1]);
});

test('where SPF names the client, the domain stands for all its networks', (t) => {
  const it = world(t);
  assert.equal(it.said({ clientIp: '192.0.2.1', spfPass: 'Big.Test' }), 'wait 180');
  it.now += 3 * MINUTE;
  assert.equal(it.said({ clientIp: '2001:db8:77::1', spfPass: 'big.test' }), 'pass returned');
  assert.equal(it.said({ clientIp: '2001:db8:77::1' }), 'wait 180');
});

test('a message to several comes through for all when it came back for one', (t) => {
  const it = world(t);
  assert.equal(it.said({ recipients: [BOB, CAROL] }), 'wait 180');
  it.now += 3 * MINUTE;
  assert.equal(it.said({ recipients: [CAROL, { local: 'new', domain: 'us.test' }, BOB] }), 'pass returned');
  assert.equal(it.said({ recipients: [BOB] }), 'pass knownTriplet');
  assert.equal(it.said({ recipients: [{ local: 'new', domain: 'us.test' }] }), 'wait 180');
});

test('exempt networks, clients and recipients never wait', (t) => {
  const it = world(t, {
    'greylist.exemptNetworks': ['198.51.100.0/24', '2001:db8::/32'],
    'greylist.exemptClients': ['mx.friend.test', '.big.test'],
    'greylist.exemptRecipients': ['postmaster@', 'carol@us.test', 'open.test'],
  });
  const rows: [Partial<GreylistInput>, string][] = [
    [{ clientIp: '198.51.100.9' }, 'pass exemptClient'],
    [{ clientIp: '2001:db8::25' }, 'pass exemptClient'],
    [{ clientName: 'MX.friend.test' }, 'pass exemptClient'],
    [{ clientName: 'out7.big.test' }, 'pass exemptClient'],
    [{ clientName: 'big.test' }, 'wait 180'],
    [{ recipients: [{ local: 'Postmaster', domain: 'us.test' }] }, 'pass exemptRecipient'],
    [{ recipients: [CAROL] }, 'pass exemptRecipient'],
    [{ recipients: [{ local: 'x', domain: 'open.test' }] }, 'pass exemptRecipient'],
    [{ recipients: [CAROL, BOB] }, 'wait 180'],
    [{ clientIp: null }, 'pass notFromNetwork'],
    [{ clientIp: 'nonsense' }, 'pass notFromNetwork'],
  ];
  for (const [over, said] of rows) assert.equal(it.said(over), said, JSON.stringify(over));
});

test('a dry look changes nothing', async (t) => {
  const it = world(t);
  assert.equal(it.said({ isDry: true }), 'wait 180');
  it.now += 3 * MINUTE;
  assert.equal(it.said({ isDry: true }), 'wait 180');
  it.said();
  it.now += 3 * MINUTE;
  assert.equal(it.said({ isDry: true }), 'pass returned');
  await it.greylist.flush();
  assert.deepEqual([it.rows('greylist'), it.rows('greylist_client'), it.counted], [1, 0, ['wait']]);
});

test('a store that cannot be read lets mail pass, one that cannot be written keeps the thread’s memory', async (t) => {
  const it = world(t);
  const events: string[] = [];
  const log = { ...SILENT_LOG, warn: (event: string) => events.push(event) };
  it.greylist = createGreylist({
    ...it.context,
    log,
    reader: {
      rows: () => {
        throw new Error('disk I/O error');
      },
    },
  });
  assert.equal(it.said(), 'pass unavailable');
  it.greylist = createGreylist({ ...it.context, log, writer: { run: () => Promise.reject(new Error('no writer')) } });
  assert.equal(it.said(), 'wait 180');
  await it.greylist.flush();
  it.now += 3 * MINUTE;
  assert.equal(it.said(), 'pass returned');
  assert.deepEqual(events, ['greylist.unavailable', 'greylist.unsaved']);
});

test('rows are bounded: a flood of strangers pushes itself out, not those who came back', async (t) => {
  const it = world(t, { 'greylist.rowsMax': 300 });
  it.said();
  it.now += 3 * MINUTE;
  it.said();
  for (let n = 0; n < 2000; n += 1) {
    it.now += 1;
    it.said({ clientIp: `10.${n >> 8}.${n & 255}.1` });
    if (n % 250 === 0) await it.greylist.flush();
  }
  await it.greylist.flush();
  assert.equal(it.rows('greylist'), 300);
  it.greylist = createGreylist(it.context);
  assert.equal(it.said(), 'pass knownTriplet');
});

test('the sweep removes what has run out', async (t) => {
  const it = world(t);
  for (let n = 0; n < 50; n += 1) it.said({ clientIp: `10.0.${n}.1` });
  it.now += 3 * MINUTE;
  it.said({ clientIp: '10.0.0.1' });
  await it.greylist.flush();
  const signal = new AbortController().signal;
  assert.equal(await greylistSweep(it.context, it.now + 2 * DAY, signal), 49);
  assert.deepEqual([it.rows('greylist'), it.rows('greylist_client')], [1, 1]);
  assert.equal(await greylistSweep(it.context, it.now + 36 * DAY, signal), 2);
});

test('no mail is lost: whoever tries again after the delay comes through, whatever threads, restarts and others do', async (t) => {
  const it = world(t, { 'greylist.knownAfter': 2, 'greylist.rowsMax': 1000 });
  let client = 0;
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 20 * MINUTE }),
    thread: fc.nat(1),
    others: fc.nat(5),
    doesFlush: fc.boolean(),
    doesRestart: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.boolean(), async (steps, isBounce) => {
      client += 1;
      const threads = [createGreylist(it.context), createGreylist(it.context)];
      const input = { clientIp: `10.1.${client & 255}.9`, clientName: null, sender: isBounce ? null : RITA, recipients: [BOB], spfPass: null };
      let firstAt: number | null = null;
      for (const { waitMs, thread, others, doesFlush, doesRestart } of steps) {
        it.now += waitMs;
        for (let n = 0; n < others; n += 1) threads[1 - thread]!.check({ ...input, clientIp: `10.2.${client & 255}.${n}`, now: it.now });
        const answer = threads[thread]!.check({ ...input, now: it.now });
        firstAt ??= answer.kind === 'wait' ? it.now : it.now - HOUR;
        if (it.now - firstAt >= 3 * MINUTE) assert.equal(answer.kind, 'pass');
        // A note is written within a second; the threads of the test do it before the other one is asked.
        await threads[thread]!.flush();
        if (doesFlush) await threads[1 - thread]!.flush();
        if (doesRestart) threads[thread] = createGreylist(it.context);
      }
      await Promise.all(threads.map((greylist) => greylist.flush()));
    }),
    { seed: 4, numRuns: 60 },
  );
});
