import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Admission, Visit } from '../../ports.ts';
import { networkKey } from './door.ts';
import { doorHouse, settled } from './testing.ts';

const STRANGER = '192.0.2.1';

/** The admission of a visit as it stands now. */
function outcome(entered: Admission | Visit): { readonly now: Admission | null } {
  const seen: { now: Admission | null } = { now: null };
  if (entered.kind === 'wait') void entered.admission.then((admission) => (seen.now = admission));
  else seen.now = entered;
  return seen;
}
const refusal = (admission: Admission | null): string =>
  admission?.kind === 'refuse' ? `${admission.reply.code} ${admission.reply.enhanced} ${admission.reply.text}` : 'none';

test('a stranger waits for the greeting once; this thread, the others and a restarted one know it afterwards', async (t) => {
  const house = doorHouse(t);
  const seen = outcome(house.door.enter(STRANGER));
  await house.pass(900);
  assert.equal(seen.now, null);
  await house.pass(200);
  assert.deepEqual(seen.now, { kind: 'greet', symbols: [] });
  assert.equal(house.door.enter(STRANGER).kind, 'greet');
  await house.door.close();
  assert.equal(house.another().enter(STRANGER).kind, 'greet');
});

test('what passed is written after a few seconds, in one operation', async (t) => {
  const house = doorHouse(t);
  for (let i = 1; i < 20; i += 1) house.door.enter(`192.0.2.${i}`);
  await house.pass(1100);
  await house.pass(5100);
  await house.door.close(); // waits for the write under way
  assert.equal(house.store.reader.rows('SELECT count(*) FROM passed_client')[0]![0], 19);
});

test('a client is forgotten when its time is over', async (t) => {
  const house = doorHouse(t, { 'door.passedFor': 60_000 });
  outcome(house.door.enter(STRANGER));
  await house.pass(1100);
  await house.door.close();
  await house.pass(61_000);
  assert.equal(house.door.enter(STRANGER).kind, 'wait');
  assert.equal(house.another().enter(STRANGER).kind, 'wait');
});

test('a client that spoke too early is told to come back later, and waits again after that', async (t) => {
  const house = doorHouse(t, { 'door.talkedEarlyFor': 60_000 });
  const visit = house.door.enter(STRANGER);
  assert.ok(visit.kind === 'wait');
  visit.left();
  house.door.talkedEarly(STRANGER);
  assert.match(refusal(outcome(house.door.enter(STRANGER)).now), /^421 4\.7\.0 /);
  await house.pass(61_000);
  assert.equal(house.door.enter(STRANGER).kind, 'wait');
});

test('a client that passed and then speaks too early has passed no longer, in the store neither', async (t) => {
  const house = doorHouse(t, { 'door.talkedEarlyFor': 0 });
  outcome(house.door.enter(STRANGER));
  await house.pass(1100);
  await house.pass(6000);
  await settled();
  house.door.talkedEarly(STRANGER);
  assert.equal(house.door.enter(STRANGER).kind, 'wait');
  await house.door.close();
  assert.equal(house.another().enter(STRANGER).kind, 'wait');
});

test('a client that leaves before its greeting has not passed', async (t) => {
  const house = doorHouse(t);
  const visit = house.door.enter(STRANGER);
  assert.ok(visit.kind === 'wait');
  const seen = outcome(visit);
  visit.left();
  assert.equal(house.door.waiting, 0);
  await house.pass(2000);
  assert.equal(seen.now, null);
  assert.equal(house.door.enter(STRANGER).kind, 'wait');
});

test('neighbours in an IPv6 /64 are one client, in IPv4 they are not', async (t) => {
  const house = doorHouse(t);
  outcome(house.door.enter('2001:db8:0:1::5'));
  outcome(house.door.enter(STRANGER));
  await house.pass(1100);
  assert.equal(house.door.enter('2001:db8:0:1:ffff::9').kind, 'greet');
  assert.equal(house.door.enter('2001:db8:0:2::5').kind, 'wait');
  assert.equal(house.door.enter('192.0.2.2').kind, 'wait');
  assert.equal(networkKey('2001:db8:0:1::5'), '2001:db8:0:1::/64');
});

test('this machine, networks that may relay and exempt ones are greeted at once and looked up nowhere', (t) => {
  const house = doorHouse(t, { 'door.exempt': ['198.51.100.0/24'], 'smtp.relayFrom': ['203.0.113.0/24'], 'door.dnsbl': ['bl.test'] });
  for (const ip of ['127.0.0.1', '127.9.9.9', '::1', '198.51.100.7', '203.0.113.7']) assert.deepEqual(house.door.enter(ip), { kind: 'greet', symbols: [] });
  assert.deepEqual(house.transport.asked, []);
});

test('a client listed above the threshold is refused without waiting, with the words of its worst list', async (t) => {
  const house = doorHouse(
    t,
    { 'door.dnsbl': ['a.test*1', 'b.test*2'] },
    { 'A 1.2.0.192.a.test': ['127.0.0.2'], 'A 1.2.0.192.b.test': ['127.0.0.3'], 'TXT 1.2.0.192.b.test': [['see https://b.test/?192.0.2.1']] },
  );
  const seen = outcome(house.door.enter(STRANGER));
  await settled();
  assert.equal(refusal(seen.now), '554 5.7.1 No mail is taken from your address 192.0.2.1, it is listed by b.test; it says: see https://b.test/?192.0.2.1');
  assert.deepEqual(house.events, [['door.refused', { client: STRANGER, reason: 'listed', score: 3, lists: ['a.test=127.0.0.2*1', 'b.test=127.0.0.3*2'] }]]);
  assert.equal(house.counts.get('door.refused listed'), 1);
});

test('below the threshold the lists give symbols, and TXT is not asked for', async (t) => {
  const house = doorHouse(t, { 'door.dnsbl': ['a.test*2'] }, { 'A 1.2.0.192.a.test': ['127.0.0.2'] });
  const seen = outcome(house.door.enter(STRANGER));
  await settled();
  await house.pass(1100);
  assert.deepEqual(seen.now, { kind: 'greet', symbols: [{ name: 'DNSBL_A_TEST', score: 2, text: 'a.test answers 127.0.0.2' }] });
  assert.deepEqual(house.transport.asked, ['A 1.2.0.192.a.test']);
  // Known and cached: at once.
  assert.deepEqual(house.door.enter(STRANGER), seen.now);
});

test('with threshold 0 nobody is refused for lists', async (t) => {
  const house = doorHouse(t, { 'door.dnsbl': ['a.test*9'], 'door.dnsblThreshold': 0, 'door.greetingDelay': 0 }, { 'A 1.2.0.192.a.test': ['127.0.0.2'] });
  const seen = outcome(house.door.enter(STRANGER));
  await settled();
  assert.equal(seen.now?.kind, 'greet');
});

test('a client on a list of the good does not wait', async (t) => {
  const house = doorHouse(t, { 'door.dnsbl': ['wl.test*-2'], 'door.allowlistThreshold': -2 }, { 'A 1.2.0.192.wl.test': ['127.0.0.2'] });
  const seen = outcome(house.door.enter(STRANGER));
  await settled();
  assert.equal(seen.now?.kind, 'greet');
});

test('a dead list delays a known client by no more than the bound, and refuses nobody', async (t) => {
  const house = doorHouse(t, { 'door.dnsbl': ['dead.test*9'], 'door.greetingDelay': 0, 'door.dnsblTimeout': 500 });
  house.transport.ask = () => new Promise(() => {});
  const seen = outcome(house.door.enter(STRANGER));
  await house.pass(450);
  assert.equal(seen.now, null);
  await house.pass(100);
  assert.deepEqual(seen.now, { kind: 'greet', symbols: [] });
});

test('a listing that comes while the client waits refuses it before its time', async (t) => {
  const house = doorHouse(t, { 'door.dnsbl': ['a.test*3'], 'door.greetingDelay': 10_000 }, { 'A 1.2.0.192.a.test': ['127.0.0.2'] });
  const seen = outcome(house.door.enter(STRANGER));
  await house.pass(50);
  assert.match(refusal(seen.now), /^554 5\.7\.1 .*listed by a\.test; look up your address there$/);
});

test('when too many wait, strangers are told to come back; known clients and exempt ones come in', async (t) => {
  const house = doorHouse(t, { 'door.waitingMax': 2, 'door.dnsbl': ['a.test'] });
  outcome(house.door.enter('192.0.2.77'));
  await house.pass(1100);
  house.door.enter('192.0.2.2');
  house.door.enter('192.0.2.3');
  const asked = house.transport.asked.length;
  assert.match(refusal(outcome(house.door.enter('192.0.2.4')).now), /^421 4\.3\.2 /);
  assert.match(refusal(outcome(house.door.enter('192.0.2.5')).now), /^421 4\.3\.2 /);
  assert.equal(house.transport.asked.length, asked, 'no packet for those');
  assert.equal(house.door.enter('192.0.2.77').kind, 'greet');
  assert.equal(house.events.filter(([event]) => event === 'door.overload').length, 1);
  assert.equal(house.counts.get('door.refused overload'), 2);
  await house.pass(1100);
  assert.equal(house.door.enter('192.0.2.4').kind, 'wait');
});

test('tables say permit, reject or nothing; the first word counts', async (t) => {
  const words: Record<string, string> = {
    '192.0.2.1': 'permit',
    '192.0.2.2': 'REJECT Go away',
    '192.0.2.3': 'dunno',
    '192.0.2.4': 'perhaps',
    '192.0.2.6': 'reject',
  };
  const house = doorHouse(
    t,
    { 'door.access': ['cidr:one', 'cidr:broken', 'tcp:two'] },
    {},
    {
      'cidr:one': (ip) => words[ip] ?? null,
      'cidr:broken': () => {
        throw new Error('cannot');
      },
      'tcp:two': async (ip) => (ip === '192.0.2.5' ? 'OK' : null),
    },
  );
  assert.equal(house.door.enter('192.0.2.1').kind, 'greet');
  assert.equal(refusal(outcome(house.door.enter('192.0.2.2')).now), '554 5.7.1 Go away');
  assert.match(refusal(outcome(house.door.enter('192.0.2.6')).now), /^554 5\.7\.1 No mail is taken from your address 192\.0\.2\.6/);
  const five = outcome(house.door.enter('192.0.2.5'));
  await settled();
  assert.equal(five.now?.kind, 'greet');
  const strangers = ['192.0.2.3', '192.0.2.4'].map((ip) => outcome(house.door.enter(ip)));
  await settled();
  assert.deepEqual(
    strangers.map(({ now }) => now),
    [null, null],
  );
  await house.pass(1100);
  assert.deepEqual(
    strangers.map(({ now }) => now?.kind),
    ['greet', 'greet'],
  );
  assert.ok(house.events.some(([event]) => event === 'door.access.failed'));
  assert.ok(house.events.some(([event]) => event === 'door.access.unknown'));
  assert.equal(house.door.waiting, 0);
});

test('a client that leaves while a table is asked is forgotten', async (t) => {
  let answer: (word: string | null) => void = () => {};
  const house = doorHouse(t, { 'door.access': ['tcp:slow'] }, {}, { 'tcp:slow': () => new Promise((resolve) => (answer = resolve)) });
  const visit = house.door.enter(STRANGER);
  assert.ok(visit.kind === 'wait');
  visit.left();
  answer(null);
  await settled();
  assert.equal(house.door.waiting, 0);
});

test('the store keeps no more clients than allowed; the oldest go', async (t) => {
  const house = doorHouse(t);
  const remember = (passed: readonly string[]): Promise<void> =>
    house.store.writer.run('door.remember', { passed, forgotten: [], keepMs: 1_000_000, rowsMax: 3 });
  await remember(['a', 'b']);
  await house.pass(10);
  await remember(['c', 'd', 'a']);
  assert.deepEqual(house.store.reader.rows('SELECT client FROM passed_client ORDER BY client').flat(), ['a', 'c', 'd']);
  await house.pass(2_000_000);
  await remember(['e']);
  assert.deepEqual(house.store.reader.rows('SELECT client FROM passed_client').flat(), ['e']);
});

test('many clients are written in several operations, and all of them before the end', async (t) => {
  const house = doorHouse(t);
  for (let i = 0; i < 1000; i += 1) house.door.enter(`10.0.${i >> 8}.${i & 255}`);
  await house.pass(1100);
  await house.door.close();
  assert.equal(house.store.reader.rows('SELECT count(*) FROM passed_client')[0]![0], 1000);
});
