import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address, Directory, Recipient, Resolution } from '../ports.ts';
import { expand } from './expand.ts';
import { reach, type ReachContext } from './reach.ts';

const at = (text: string): Address => ({ local: text.split('@')[0]!, domain: text.split('@')[1]! });
const UNKNOWN: Resolution = { kind: 'unknown' };

/** A directory that knows anna@us.test, and no other host. */
function world(resolve?: ReachContext['resolve']): ReachContext {
  const local = { accountId: 1, address: at('anna@us.test'), detail: null };
  const known: Resolution = { kind: 'deliver', local: [local], remote: [] };
  const directory = {
    resolve: ({ local, domain }: Address) => (domain !== 'us.test' ? { kind: 'foreign' } : local === 'anna' ? known : UNKNOWN),
  } as unknown as Directory;
  return { directory, ...(resolve === undefined ? {} : { resolve }) };
}
const places = async (to: string, resolve?: ReachContext['resolve']): Promise<unknown> => {
  const found = await reach(at(to), world(resolve));
  return found === null ? null : { local: found.deliveries.map(({ address }) => address), remote: found.remote.map(({ address }) => address) };
};

test('a report goes to a mailbox of ours at once, and to another host by the queue', async () => {
  assert.deepEqual(await places('anna@us.test'), { local: ['anna@us.test'], remote: [] });
  assert.deepEqual(await places('rita@remote.test'), { local: [], remote: ['rita@remote.test'] });
});

test('a sender whom only routing knows is resolved when the report leaves the queue', async () => {
  const routed: Resolution = { kind: 'deliver', local: [], remote: [at('rita@friend.test')] };
  assert.deepEqual(await places('SRS0=abc=de=friend.test=rita@us.test', () => routed), { local: [], remote: ['SRS0=abc=de=friend.test=rita@us.test'] });
});

test('a sender whom nobody knows gets no report', async () => {
  assert.equal(await places('nobody@us.test'), null);
  assert.equal(await places('nobody@us.test', async () => UNKNOWN), null);
});

test('while a table is down the report waits in the queue', async () => {
  assert.deepEqual(await places('listed@us.test', () => Promise.reject(new Error('down'))), { local: [], remote: ['listed@us.test'] });
});

const alias = (name: string, ...remote: string[]): Recipient => ({
  address: at(name),
  resolution: { kind: 'deliver', local: [], remote: remote.map(at) },
  notify: null,
  orcpt: null,
});

test("what an alias sends elsewhere leaves in our name; what stays in its domain, tasks and lists with an owner keep the sender's", () => {
  const srs = at('SRS0=x@us.test');
  const one = expand([alias('info@us.test', 'a@far.test', 'b@us.test')], 'rita@friend.test', [], {}, srs);
  assert.deepEqual(
    one.remote.map(({ address }) => address),
    ['b@us.test'],
  );
  assert.deepEqual(
    [...one.inNameOf].map(([sender, list]) => [sender, list.map(({ address }) => address)]),
    [['SRS0=x@us.test', ['a@far.test']]],
  );
  const owned: Recipient = {
    ...alias('list@us.test'),
    resolution: { kind: 'deliver', local: [], remote: [{ ...at('m@far.test'), sender: at('owner-list@us.test') }] },
  };
  assert.deepEqual([...expand([owned], 'rita@friend.test', [], {}, srs).inNameOf.keys()], ['owner-list@us.test']);
  const task: Recipient = {
    ...alias('sys@us.test'),
    resolution: { kind: 'deliver', local: [], remote: [{ ...at('sys@host.test'), task: { kind: 'user', user: 'sys', detail: null } }] },
  };
  assert.equal(expand([task], 'rita@friend.test', [], {}, srs).remote.length, 1);
  assert.equal(expand([alias('info@us.test', 'a@far.test')], 'rita@friend.test', []).remote.length, 1);
});

test('a report for an account with rules of its own goes by the queue, where they are followed', async () => {
  const found = await reach(at('anna@us.test'), { ...world(), mailroom: { hasRules: (accountId) => accountId === 1 } });
  assert.deepEqual([found!.deliveries.length, found!.remote.map(({ address }) => address)], [0, ['anna@us.test']]);
  const plain = await reach(at('anna@us.test'), { ...world(), mailroom: { hasRules: () => false } });
  assert.equal(plain!.deliveries.length, 1);
});
