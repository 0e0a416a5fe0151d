import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress } from '../../mail/address.ts';
import { defaultsOf } from '../../system/declare.ts';
import { reverse } from '../../route/srs.ts';
import { type ForwardInput, type ForwardPlan, planForward } from './plan.ts';
import { FORWARDING_SETTINGS } from './settings.ts';

const settings = defaultsOf(FORWARDING_SETTINGS);
const srs = { keys: [Buffer.alloc(32, 1)], days: 21, now: 20_000 * 86_400_000, domain: 'us.example' };
const input: ForwardInput = {
  accountId: 7,
  sender: { local: 'bob', domain: 'example.com' },
  recipient: { local: 'anna', domain: 'us.example' },
  to: { local: 'anna', domain: 'elsewhere.example' },
  isOffSite: true,
  isSpam: false,
  deliveredTo: [],
  forwardsToday: 0,
  isOurDomain: (domain) => domain === 'us.example',
  srs,
};
const plan = (over: Partial<ForwardInput> = {}): ForwardPlan => planForward({ ...input, ...over }, settings);
function sent(over: Partial<ForwardInput> = {}): Extract<ForwardPlan, { kind: 'send' }> {
  const found = plan(over);
  assert.equal(found.kind, 'send');
  return found as Extract<ForwardPlan, { kind: 'send' }>;
}

test("a stranger's mail leaves with a sender of ours, which leads back", () => {
  const found = sent();
  assert.equal(found.sender!.domain, 'us.example');
  assert.deepEqual(reverse(found.sender!, srs), input.sender);
  assert.equal(found.counts, 7);
  assert.equal(found.isSealed, true);
});

test('the null sender, our own users, and mail that stays here keep their sender', () => {
  assert.equal(sent({ sender: null }).sender, null);
  assert.deepEqual(sent({ sender: { local: 'carl', domain: 'us.example' } }).sender, { local: 'carl', domain: 'us.example' });
  const inside = sent({ isOffSite: false, isSpam: true, forwardsToday: 1e9 });
  assert.deepEqual([inside.sender, inside.counts, inside.isSealed], [input.sender, null, false]);
  assert.deepEqual(sent({ srs: null }).sender, input.sender);
});

test('the copy bears Delivered-To, and one that bears it already is a loop', () => {
  assert.deepEqual(sent().edits, [{ kind: 'prepend', name: 'Delivered-To', value: 'anna@us.example' }]);
  assert.deepEqual(plan({ deliveredTo: ['x@y.example', 'ANNA@us.example'] }), { kind: 'refuse', reason: 'loop' });
  assert.equal(plan({ deliveredTo: ['anna@us.example.net'] }).kind, 'send');
});

test('spam stays here unless the option says otherwise', () => {
  assert.deepEqual(plan({ isSpam: true }), { kind: 'refuse', reason: 'spam' });
  assert.equal(planForward({ ...input, isSpam: true }, { ...settings, 'forwarding.spam': true }).kind, 'send');
});

test('an account has a limit for the day, an alias of the administrator has none', () => {
  assert.deepEqual(plan({ forwardsToday: 2000 }), { kind: 'refuse', reason: 'limit' });
  assert.equal(sent({ forwardsToday: 2000, accountId: null }).counts, null);
  assert.equal(planForward({ ...input, forwardsToday: 1e9 }, { ...settings, 'forwarding.perDay': 0 }).kind, 'send');
});

test('two servers that forward to each other stop at the first return', () => {
  // anna@us → anna@elsewhere → anna@us: each puts its own mark on top.
  const marks: string[] = [];
  let hops = 0;
  for (let at = input.recipient, next = input.to; hops < 10; [at, next] = [next, at]) {
    const found = plan({ recipient: at, to: next, deliveredTo: marks });
    if (found.kind === 'refuse') break;
    marks.push(formatAddress(at));
    hops += 1;
  }
  assert.equal(hops, 2);
});
