import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableError } from '../errors.ts';
import { type Link, LinkLost, LinkPool, type PoolServer } from './pool.ts';
import { type TestContext, testContext } from './testing.ts';

class FakeLink implements Link {
  isOpen = true;
  readonly server: string;
  constructor(server: string) {
    this.server = server;
  }
  close(): void {
    this.isOpen = false;
  }
}

interface Fake extends PoolServer<FakeLink> {
  isUp: boolean;
  readonly links: FakeLink[];
  attempts: number;
}
function fake(name: string): Fake {
  const server: Fake = {
    name,
    isUp: true,
    links: [],
    attempts: 0,
    connect() {
      server.attempts += 1;
      if (!server.isUp) return Promise.reject(new LinkLost('refused'));
      const link = new FakeLink(name);
      server.links.push(link);
      return Promise.resolve(link);
    },
  };
  return server;
}

const NEVER = new AbortController().signal;
const nameOf = (link: FakeLink): Promise<string> => (link.isOpen ? Promise.resolve(link.server) : Promise.reject(new LinkLost('closed')));
function pool(context: TestContext, ...groups: Fake[][]): LinkPool<FakeLink> {
  return new LinkPool(context, groups, () => 0);
}

test('a connection is used again', async () => {
  const a = fake('a');
  const links = pool(testContext('t'), [a]);
  for (let i = 0; i < 5; i += 1) assert.equal(await links.use(nameOf, NEVER), 'a');
  assert.equal(a.attempts, 1);
  links.close();
  assert.equal(a.links[0]!.isOpen, false);
});

test('the next server is asked when one is away, and the lost one is left alone until its cool-down ends', async () => {
  const context = testContext('t', { 'tables.serverCooldown': 1000 });
  const [a, b] = [fake('a'), fake('b')];
  const links = pool(context, [a], [b]);
  a.isUp = false;
  assert.equal(await links.use(nameOf, NEVER), 'b');
  b.links[0]!.close();
  assert.equal(await links.use(nameOf, NEVER), 'b');
  assert.equal(a.attempts, 1, 'not tried again yet');
  a.isUp = true;
  context.time = 1001;
  b.links[1]!.close();
  assert.equal(await links.use(nameOf, NEVER), 'a');
  assert.deepEqual(
    context.events.map(({ event, fields }) => `${event} ${fields['server']}`),
    ['table.server.lost a', 'table.server.back a'],
  );
  links.close();
});

test('when no server is left the question fails, at once while all are left alone', async () => {
  const context = testContext('t', { 'tables.serverCooldown': 1000 });
  const [a, b] = [fake('a'), fake('b')];
  a.isUp = b.isUp = false;
  const links = pool(context, [a, b]);
  await assert.rejects(links.use(nameOf, NEVER), (error) => error instanceof TableError && /no server answers \(a: refused; b: refused\)/.test(error.message));
  await assert.rejects(links.use(nameOf, NEVER), TableError);
  assert.deepEqual([a.attempts, b.attempts], [1, 1]);
  links.close();
});

test('without a cool-down each server is tried once for a question', async () => {
  const a = fake('a');
  a.isUp = false;
  const links = pool(testContext('t', { 'tables.serverCooldown': 0 }), [a]);
  await assert.rejects(links.use(nameOf, NEVER), TableError);
  assert.equal(a.attempts, 1);
  await assert.rejects(links.use(nameOf, NEVER), TableError);
  assert.equal(a.attempts, 2);
  links.close();
});

test('an idle connection that broke unnoticed is replaced without a failure', async () => {
  const a = fake('a');
  const links = pool(testContext('t'), [a]);
  await links.use(nameOf, NEVER);
  let isFirst = true;
  const broken = (link: FakeLink): Promise<string> => {
    if (!isFirst) return nameOf(link);
    isFirst = false;
    return Promise.reject(new LinkLost('reset'));
  };
  assert.equal(await links.use(broken, NEVER), 'a');
  assert.equal(a.attempts, 2);
  links.close();
});

test("a server's own refusal is no reason to ask another", async () => {
  const [a, b] = [fake('a'), fake('b')];
  const links = pool(testContext('t'), [a], [b]);
  const refused = new TableError('t', 'syntax error');
  await assert.rejects(
    links.use(() => Promise.reject(refused), NEVER),
    (error) => error === refused,
  );
  assert.equal(b.attempts, 0);
  assert.equal(a.links[0]!.isOpen, true, 'the connection is good');
  links.close();
});

test('no more connections than allowed; the rest waits in order, and too many fail', async () => {
  const a = fake('a');
  const links = pool(testContext('t', { 'tables.connectionsMax': 2, 'tables.waitingMax': 3 }), [a]);
  const gates: (() => void)[] = [];
  const order: number[] = [];
  const ask = (id: number): Promise<void> =>
    links.use(async () => {
      order.push(id);
      await new Promise<void>((resolve) => gates.push(resolve));
    }, NEVER);
  const asked = [0, 1, 2, 3, 4].map(ask);
  await assert.rejects(ask(5), /too many lookups are waiting/);
  while (order.length < 5) {
    await new Promise(setImmediate);
    gates.shift()?.();
  }
  for (const gate of gates) gate();
  await Promise.all(asked);
  assert.deepEqual(order, [0, 1, 2, 3, 4]);
  assert.equal(a.attempts, 2);
  links.close();
});

test('an abort ends the work, the wait and the connecting', async () => {
  const a = fake('a');
  const links = pool(testContext('t', { 'tables.connectionsMax': 1 }), [a]);
  const [first, second] = [new AbortController(), new AbortController()];
  const working = links.use(() => new Promise(() => {}), first.signal);
  const waiting = links.use(nameOf, second.signal);
  await new Promise(setImmediate);
  second.abort(new Error('second'));
  await assert.rejects(waiting, /second/);
  first.abort(new Error('first'));
  await assert.rejects(working, /first/);
  assert.equal(a.links[0]!.isOpen, false, 'a question may still be on its way there');
  assert.equal(await links.use(nameOf, NEVER), 'a');
  const hanging = new LinkPool<FakeLink>(testContext('t'), [[{ name: 'h', connect: () => new Promise(() => {}) }]]);
  const third = new AbortController();
  const connecting = hanging.use(nameOf, third.signal);
  third.abort(new Error('third'));
  await assert.rejects(connecting, /third/);
  links.close();
  hanging.close();
});

test('of several servers one that says nothing is left alone', async () => {
  const [a, b] = [fake('a'), fake('b')];
  const links = pool(testContext('t', { 'tables.serverCooldown': 1000 }), [a], [b]);
  const deadline = new AbortController();
  const silent = links.use((link) => (link.server === 'a' ? new Promise<string>(() => {}) : nameOf(link)), deadline.signal);
  await new Promise(setImmediate);
  deadline.abort(new TableError('t', 'late'));
  await assert.rejects(silent, /late/);
  assert.equal(await links.use(nameOf, NEVER), 'b');
  links.close();
});

test('idle connections go after a while', async () => {
  const a = fake('a');
  const links = pool(testContext('t', { 'tables.connectionIdle': 60_000 }), [a]);
  await links.use(nameOf, NEVER);
  links.onIdle(links.deadline - 1);
  assert.equal(a.links[0]!.isOpen, true);
  links.onIdle(links.deadline);
  assert.equal(a.links[0]!.isOpen, false);
  assert.equal(links.deadline, Number.POSITIVE_INFINITY);
  links.close();
});

test('a closed pool answers nothing and keeps nothing', async () => {
  const a = fake('a');
  const links = pool(testContext('t'), [a]);
  let finish = (): void => {};
  const working = links.use(() => new Promise<void>((resolve) => (finish = resolve)), NEVER);
  await new Promise(setImmediate);
  links.close();
  finish();
  await working;
  assert.equal(a.links[0]!.isOpen, false);
  await assert.rejects(links.use(nameOf, NEVER), /closed/);
});
