import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { PlannerContext } from '../deliver/mailroom/plan.ts';
import { FORWARDING_SETTINGS } from '../deliver/forwarding/settings.ts';
import { REPLY_SETTINGS } from '../deliver/reply/settings.ts';
import type { DeliveryAnswer, DeliveryTask, LocalConfiguration } from '../deliver/user-agent/types.ts';
import { formatAddress } from '../mail/address.ts';
import { parsePipeTransport, type PipeTransport } from '../route/named.ts';
import type { Account, Address, RemoteTarget, Resolution, Staging } from '../ports.ts';
import { DAY, defaultsOf } from '../system/declare.ts';
import { TURNS_MAX } from './again.ts';
import type { CourierContext } from './courier.ts';
import type { HandsContext } from './hands.ts';
import type { Hop } from './hop.ts';
import { createIntake } from './intake.ts';
import { type House, house, type Sink, sink } from './testing.ts';

const FOREIGN: Resolution = { kind: 'foreign' };

const at = (text: string): RemoteTarget => ({ local: text.slice(0, text.indexOf('@')), domain: text.slice(text.indexOf('@') + 1) });

/** "user@domain", or "|user" for what the user agent does. */
const target = (text: string): RemoteTarget =>
  text.startsWith('|') ? { ...at(`${text.slice(1)}@us.test`), task: { kind: 'user', user: text.slice(1), detail: null } } : at(text);

/** Routing by a table of addresses, and hands that take in again. */
interface Way {
  readonly table?: Readonly<Record<string, readonly string[]>>;
  readonly transport?: CourierContext['transport'];
  readonly hands?: (base: CourierContext) => Partial<HandsContext>;
  /** Of the reports to senders. */
  readonly staging?: (base: Staging) => Staging;
}

async function both(t: TestContext, { table = {}, transport, hands = () => ({}), staging = (base) => base }: Way): Promise<{ h: House; s: Sink }> {
  const s = await sink(t);
  const resolve = (address: Address): Resolution => {
    const targets = table[formatAddress(address)];
    return targets === undefined ? FOREIGN : { kind: 'deliver', local: [], remote: targets.map(target) };
  };
  const h = house(t, { 'deliver.relayHost': `[127.0.0.1]:${s.port}` }, {}, undefined, (base) => ({
    resolve,
    staging: staging(base.staging),
    ...(transport === undefined ? {} : { transport }),
    hands: {
      settings: () => ({ 'directory.recipientDelimiters': '+' }),
      log: base.log,
      journey: base.journey,
      reader: base.reader,
      staging: base.staging,
      intake: createIntake({ ...base, receivedMax: () => 50 }),
      directory: base.directory,
      resolve,
      userAgent: null,
      localFor: () => Promise.reject(new Error('not used')),
      systemAccount: () => Promise.resolve(null),
      planner: {} as PlannerContext,
      now: base.now,
      newId: base.newId,
      ...hands(base),
    },
  }));
  return { h, s };
}

const ANSWER: DeliveryAnswer = {
  outcome: 'delivered',
  code: 250,
  enhanced: '2.0.0',
  text: 'forwarded',
  forwards: [],
  keeps: [],
  replies: [],
  steps: [],
  logged: [],
  problem: null,
  deliveredTo: null,
};
const RITA: Account = { id: 1, login: 'rita@us.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0, source: 'system', systemUser: 'rita' };

/** A user agent that answers what the test says, and planning that sends on within this site. */
function users(base: CourierContext, answer: (task: DeliveryTask) => Partial<DeliveryAnswer>): Partial<HandsContext> {
  return {
    userAgent: { deliver: (task) => Promise.resolve({ ...ANSWER, ...answer(task) }) },
    systemAccount: () => Promise.resolve(RITA),
    localFor: () => Promise.resolve({ configuration: { mailbox: 'store' } as LocalConfiguration, transport: null }),
    planner: {
      settings: () => ({
        ...defaultsOf(FORWARDING_SETTINGS),
        ...defaultsOf(REPLY_SETTINGS),
        hostname: 'us.test',
        domain: 'us.test',
        'sieve.programDirectory': '',
      }),
      reader: base.reader,
      staging: base.staging,
      newId: base.newId,
      now: base.now,
      isOffSite: () => false,
      isOurDomain: () => true,
      maySendAs: () => true,
      srs: () => null,
      seal: () => null,
    },
  };
}

const isEmpty = (h: House): void => assert.deepEqual(h.rows('SELECT id FROM queue_entry'), []);
const sentTo = (s: Sink): string[] => s.messages.flatMap(({ to }) => to).sort();

test('an address that leads to itself and to another gets one copy each, whether routing has been asked already or not', async (t) => {
  const { h, s } = await both(t, { table: { 'ann@them.test': ['ann@them.test', 'copy@them.test'] } });
  h.start();
  await h.submit(['ann@them.test'], { source: 'forward' });
  await s.got(1);
  await h.submit(['ann@them.test', 'copy@them.test']);
  await s.got(2);
  await h.courier().stop(1000);
  assert.deepEqual(sentTo(s), ['ann@them.test', 'ann@them.test', 'copy@them.test', 'copy@them.test']);
  isEmpty(h);
});

test('addresses that lead to each other end with a report, not in a circle', async (t) => {
  const { h, s } = await both(t, { table: { 'ann@them.test': ['berta@them.test'], 'berta@them.test': ['ann@them.test'] } });
  h.start();
  await h.submit(['ann@them.test']);
  const failed = await h.event('failed');
  assert.equal(failed.fields.enhanced, '5.4.6');
  await s.got(1);
  assert.deepEqual(sentTo(s), ['from@sender.test']);
  assert.ok(h.events.filter(({ event }) => event === 'reentered').length <= TURNS_MAX);
});

test('what a transport calls a mailbox of this machine, and nothing else does, waits for the administrator', async (t) => {
  const { h } = await both(t, { transport: (): Hop => ({ kind: 'local', key: 'local:', nexthop: '' }) });
  h.start();
  await h.submit(['ann@them.test']);
  const deferred = await h.event('deferred');
  assert.equal(deferred.fields.enhanced, '4.3.5');
  assert.deepEqual(h.rows('SELECT address, attempts FROM queue_recipient'), [['ann@them.test', 1]]);
  assert.deepEqual(
    h.events.filter(({ event }) => event === 'reentered'),
    [],
  );
});

test('a target of a user that fails is reported, and the others have their mail', async (t) => {
  const forward = { address: at('other@them.test'), sender: null, dsn: null, origin: { file: '~/.forward', line: 1 }, message: null };
  const { h, s } = await both(t, {
    table: { 'rita@us.test': ['|rita'] },
    hands: (base) => users(base, () => ({ outcome: 'failed', code: 554, enhanced: '5.3.0', text: 'the program died', forwards: [forward] })),
  });
  h.start();
  await h.submit(['rita@us.test'], { source: 'forward' });
  await s.got(2);
  await h.courier().stop(1000);
  assert.deepEqual(sentTo(s), ['from@sender.test', 'other@them.test']);
  isEmpty(h);
});

test('a failure that cannot be reported now is gone through again as a whole, and nothing is sent on twice', async (t) => {
  const forward = { address: at('other@them.test'), sender: null, dsn: null, origin: { file: '~/.forward', line: 1 }, message: null };
  let isBroken = true;
  const { h, s } = await both(t, {
    table: { 'rita@us.test': ['|rita'] },
    hands: (base) => users(base, () => ({ outcome: 'failed', code: 554, enhanced: '5.3.0', text: 'the program died', forwards: [forward] })),
    staging: (base) => ({
      ...base,
      open: () => {
        if (isBroken) throw new Error('no room for reports');
        return base.open();
      },
    }),
  });
  h.start();
  await h.submit(['rita@us.test'], { source: 'forward' });
  await h.event('deferred');
  isBroken = false;
  h.clock.now += DAY;
  await s.got(2);
  await h.courier().stop(1000);
  assert.deepEqual(sentTo(s), ['from@sender.test', 'other@them.test']);
  isEmpty(h);
});

test('users who send on to each other, and whose programs take the marks out of the header, end with a report', async (t) => {
  let runs = 0;
  const { h, s } = await both(t, {
    table: { 'rita@us.test': ['|rita'], 'sam@us.test': ['|sam'] },
    hands: (base) =>
      users(base, ({ final }) => {
        runs += 1;
        const message = Buffer.from('Subject: round and round\r\n\r\nbody\r\n');
        return {
          forwards: [
            { address: at(final.local === 'rita' ? 'sam@us.test' : 'rita@us.test'), sender: null, dsn: null, origin: { file: 'rc', line: 1 }, message },
          ],
        };
      }),
  });
  h.start();
  await h.submit(['rita@us.test']);
  await s.got(1);
  await h.courier().stop(1000);
  assert.deepEqual(sentTo(s), ['from@sender.test']);
  assert.ok(runs <= TURNS_MAX);
  isEmpty(h);
});

test('no address becomes an option of a program', async (t) => {
  const ran: (readonly string[])[] = [];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  const transport = parsePipeTransport('vac user=games argv=/usr/bin/vac -f ${sender} -- ${recipient} ${user}');
  assert.ok(typeof transport !== 'string');
  const { h, s } = await both(t, {
    transport: ({ domain }): Hop =>
      domain === 'pipe.test'
        ? { kind: 'pipe', key: 'vac:', transport: { ...transport, recipientsMax: 10 } as PipeTransport, nexthop: '' }
        : { kind: 'smtp', key: 'sink', host: '127.0.0.1', port: s0.port, mx: false, implicitTls: false, isRelay: false },
    hands: (base) => ({
      ...users(base, ({ work }) => {
        if (work.kind === 'pipe') ran.push(work.argv);
        return {};
      }),
      localFor: () => Promise.resolve({ configuration: {} as LocalConfiguration, transport: null }),
    }),
  });
  const s0 = s;
  h.start();
  await h.submit(['-rf@pipe.test', 'ann@pipe.test']);
  await h.event('delivered', ({ fields }) => String(fields.to) === 'ann@pipe.test');
  const failed = await h.event('failed');
  assert.deepEqual([failed.fields.to, failed.fields.enhanced], [['-rf@pipe.test'], '5.1.3']);
  assert.deepEqual(ran, [['/usr/bin/vac', '-f', 'from@sender.test', '--', 'ann@pipe.test', 'ann']]);
});
