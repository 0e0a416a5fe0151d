import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DAY, defaultsOf, HOUR, MINUTE } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import type { LocalStore } from '../../store/local.ts';
import { openJudgeStore } from '../greylist/testing.ts';
import { addTo, type Figures, limitOf } from './habit-figures.ts';
import { createHabit, type Habit, type HabitAnswer, type HabitContext } from './habit.ts';
import { administratorNotice, composeNotice, type HabitIncident, ownerNotice } from './habit-notice.ts';
import { HABIT_OPERATIONS } from './operations.ts';
import { createRateMemory } from './rates.ts';
import { RATES_SETTINGS, type RatesSettings } from './settings.ts';

interface World {
  readonly store: LocalStore;
  readonly context: HabitContext;
  readonly events: string[];
  now: number;
  habit: Habit;
  account(login: string, createdAt: number): Promise<number>;
  /** Asks, and records what is usual. */
  send(account: number, recipients: number): HabitAnswer['kind'];
  /** So many recipients on each of so many days, in one hour of it. */
  days(account: number, count: number, recipients: number): Promise<void>;
}

/** Monday, the first hour. */
const START = Math.floor(1_800_000_000_000 / DAY) * DAY;

function world(t: TestContext, changes: Partial<RatesSettings> = {}): World {
  const settings = { ...defaultsOf(RATES_SETTINGS), ...changes };
  const events: string[] = [];
  const store = openJudgeStore(t, HABIT_OPERATIONS, () => START);
  const context: HabitContext = {
    memory: createRateMemory(65_536),
    reader: store.reader,
    writer: store.writer,
    settings: () => settings,
    log: { ...SILENT_LOG, warn: (event) => events.push(event) },
    metrics: { count: () => {}, gauge: () => {} },
  };
  const it: World = {
    store,
    context,
    events,
    now: START,
    habit: createHabit(context),
    account: (login, createdAt) => store.writer.run('test.account', { login, createdAt }),
    send(account, recipients) {
      const answer = it.habit.isUnusual(account, recipients, it.now);
      if (answer.kind === 'usual') it.habit.record(account, recipients, it.now);
      return answer.kind;
    },
    async days(account, count, recipients) {
      for (let n = 0; n < count; n += 1) {
        assert.equal(it.send(account, recipients), 'usual', `day ${n}`);
        await it.habit.flush();
        it.now += DAY;
      }
    },
  };
  return it;
}

test('while it learns, nothing is unusual; then far more than the habit is', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  await it.days(bob, 14, 60);
  assert.equal(it.send(bob, 200), 'usual', 'five times the habit is not yet far above it');
  assert.equal(it.send(bob, 300), 'unusual');
  const answer = createHabit(it.context).isUnusual(bob, 1, it.now);
  assert.equal(answer.kind, 'held', 'other threads know at once');
});

test('an account that never sent and suddenly does is held above the least, once the installation is known', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  const eve = await it.account('eve@us.test', START - 400 * DAY);
  const dora = await it.account('dora@us.test', START - 400 * DAY);
  assert.equal(it.send(dora, 5000), 'usual', 'a new installation knows nobody');
  await it.days(bob, 15, 1);
  for (let n = 0; n < 100; n += 1) assert.equal(it.send(eve, 1), 'usual');
  const answer = it.habit.isUnusual(eve, 1, it.now);
  assert.deepEqual(answer, { kind: 'unusual', window: 'hour', recipients: 101, limit: 100, average: 0 });
});

test('slow and steady, but far more in a day than ever, is unusual too', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  await it.days(bob, 15, 20);
  const kinds: string[] = [];
  for (let n = 0; n < 24 && kinds.at(-1) !== 'unusual'; n += 1) {
    kinds.push(it.send(bob, 40));
    it.now += HOUR;
  }
  const answer = it.habit.isUnusual(bob, 0, it.now, true);
  assert.equal(kinds.at(-1), 'unusual');
  assert.ok(kinds.length > 10, `${kinds.length}`);
  assert.equal(answer.kind, 'usual', 'the mark of the moment is over and no incident was begun');
});

test('a newsletter once in four weeks is a habit', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  await it.days(bob, 10, 5);
  assert.equal(it.send(bob, 2000), 'usual', 'learning');
  await it.habit.flush();
  it.now += DAY;
  await it.days(bob, 27, 5);
  assert.equal(it.send(bob, 2000), 'usual');
  assert.equal(it.send(bob, 2000), 'unusual');
});

test('an incident is told once, holds everything, survives a restart, and ends with a release', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  await it.days(bob, 15, 10);
  assert.equal(it.send(bob, 1000), 'unusual');
  const other = createHabit(it.context);
  assert.deepEqual(await Promise.all([it.habit.beginIncident(bob, it.now), other.beginIncident(bob, it.now)]), [true, false]);
  assert.deepEqual(it.events, ['habit.incident']);
  it.now += HOUR;
  assert.equal(it.send(bob, 1), 'held');
  const restarted = createHabit({ ...it.context, memory: createRateMemory(65_536) });
  assert.equal(restarted.isUnusual(bob, 1, it.now).kind, 'held');
  assert.deepEqual(await it.habit.release(bob, 1000, it.now), { wasHeld: true });
  assert.equal(it.send(bob, 1000), 'usual', 'for a day it is not judged');
  assert.equal(restarted.isUnusual(bob, 1, it.now).kind, 'usual', 'nor by another thread that had read of the incident');
  await it.habit.flush();
  it.now += 2 * DAY;
  assert.equal(it.send(bob, 1000), 'usual', 'and what was released belongs to the habit');
  assert.equal(it.send(bob, 5000), 'unusual');
});

test('an incident that nobody ends is over after rates.habitHold, and the next is told again', async (t) => {
  const it = world(t);
  const bob = await it.account('bob@us.test', START);
  await it.days(bob, 15, 10);
  assert.equal(it.send(bob, 1000), 'unusual');
  assert.equal(await it.habit.beginIncident(bob, it.now), true);
  it.now += DAY - 1;
  assert.equal(it.send(bob, 1), 'held');
  it.now += 2 * MINUTE;
  assert.equal(it.send(bob, 1), 'usual');
  assert.equal(it.send(bob, 1000), 'unusual');
  assert.equal(await it.habit.beginIncident(bob, it.now), true);
});

test('a dry question counts nothing; switched off, nothing is unusual; a store that cannot be read lets mail go out', async (t) => {
  const it = world(t, { 'rates.habitLearn': 0 });
  const bob = await it.account('bob@us.test', START);
  for (let n = 0; n < 9; n += 1) assert.equal(it.habit.isUnusual(bob, 90, it.now, true).kind, 'usual');
  assert.equal(it.habit.isUnusual(bob, 101, it.now, true).kind, 'unusual');
  assert.equal(it.send(bob, 100), 'usual');
  assert.equal(createHabit({ ...it.context, settings: () => ({ ...it.context.settings(), 'rates.habit': false }) }).isUnusual(bob, 101, it.now).kind, 'usual');
  const broken = createHabit({
    ...it.context,
    reader: {
      rows: () => {
        throw new Error('disk I/O error');
      },
    },
  });
  assert.equal(broken.isUnusual(bob, 1000, it.now).kind, 'usual');
  assert.deepEqual(it.events, ['habit.unavailable']);
  assert.equal(it.habit.isUnusual(4711, 1000, it.now).kind, 'usual', 'no such account');
});

test('figures: hours fold into average, deviation and peak; late notes count in the hour under way', () => {
  let figures: Figures | null = null;
  for (const [at, count] of [
    [0, 10],
    [HOUR - 1, 10],
    [HOUR, 40],
    [HOUR / 2, 2],
    [5 * HOUR, 0],
  ] as const)
    figures = addTo(figures, count, at, HOUR);
  assert.equal(figures!.at, 5 * HOUR);
  assert.equal(figures!.count, 0);
  assert.equal(figures!.mean, 20 + 0.1 * 22);
  assert.equal(figures!.deviation, 10 + 0.1 * (22 - 10));
  assert.equal(Math.round(figures!.peak), 42);
  assert.equal(limitOf(figures, 5 * HOUR, HOUR, 5, 10), Math.ceil(5 * (22.2 + 11.2)));
  assert.equal(limitOf(null, 0, HOUR, 5, 10), 10);
});

const INCIDENT: HabitIncident = {
  kind: 'unusual',
  window: 'hour',
  recipients: 1200,
  limit: 100,
  average: 7,
  login: 'bob@us.test',
  clientIp: '192.0.2.66',
  at: START,
  until: START + DAY,
};

test('the notices say what happened and what to do', () => {
  const owner = ownerNotice(INCIDENT);
  assert.match(owner.text.replaceAll('\r\n', ' '), /From your account bob@us\.test mail was sent to 1200 recipients within an hour\. Usually it is about 7\./);
  assert.match(owner.text, /192\.0\.2\.66/);
  const administrator = administratorNotice(INCIDENT);
  assert.match(administrator.text, /\r\n {2}posthorn queue release --from bob@us\.test\r\n/);
  assert.doesNotMatch(administratorNotice({ ...INCIDENT, clientIp: null }).text, /came from/);
  for (const line of `${owner.text}${administrator.text}`.split('\r\n')) assert.ok(line.length <= 76, line);
  const message = Buffer.from(composeNotice(owner, { to: { local: 'bob', domain: 'us.test' }, host: 'mx.us.test', id: 'abc', at: START })).toString();
  assert.match(message, /\r\nFrom: Mail Server <postmaster@mx\.us\.test>\r\nTo: <bob@us\.test>\r\nSubject: Your outgoing mail is being held\r\n/);
  assert.match(message, /\r\nAuto-Submitted: auto-generated\r\n/);
});
