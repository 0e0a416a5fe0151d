import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DAY, HOUR, MINUTE } from '../system/declare.ts';
import { type House, house, type Sink, sink } from './testing.ts';

async function both(t: TestContext, settings: Record<string, unknown> = {}): Promise<{ h: House; s: Sink }> {
  const s = await sink(t);
  return { s, h: house(t, { 'deliver.relayHost': `[127.0.0.1]:${s.port}`, ...settings }) };
}
const isEmpty = (h: House): void => {
  assert.deepEqual(h.rows('SELECT * FROM queue_recipient'), []);
  assert.deepEqual(h.rows('SELECT id FROM queue_entry'), []);
  assert.deepEqual(h.rows('SELECT id FROM blob'), []);
};

test('a message is handed over, and entry, recipient and bytes are gone', async (t) => {
  const { h, s } = await both(t);
  h.start();
  const { id } = await h.submit(['a@them.test'], { text: 'Subject: x\r\n\r\n.hello\r\n' });
  const event = await h.event('delivered');
  assert.equal(event.id, id);
  assert.equal(event.fields.reply, '250 2.0.0 taken');
  assert.deepEqual(s.messages, [{ from: 'from@sender.test', to: ['a@them.test'], text: 'Subject: x\r\n\r\n..hello\r\n', connection: 1 }]);
  isEmpty(h);
});

test('mail that waited while no courier ran is found at the start', async (t) => {
  const { h, s } = await both(t);
  for (let i = 0; i < 300; i++) await h.submit([`u${i}@them.test`]);
  h.start();
  await s.got(300);
  assert.equal(new Set(s.messages.map((message) => message.to[0])).size, 300);
  assert.ok(s.connections <= 20, `${s.connections} connections for 300 messages`);
});

test('recipients of a message go in one transaction, and each has its own fate', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line.startsWith('RCPT TO:<bad@') ? '550 5.1.1 no such user' : line.startsWith('RCPT TO:<slow@') ? '451 4.7.1 come back' : undefined);
  h.start();
  const { id } = await h.submit(['good@them.test', 'bad@them.test', 'slow@them.test']);
  await h.event('bounced');
  await h.event('deferred');
  await s.got(2);
  assert.deepEqual(s.messages[0]!.to, ['good@them.test']);
  const bounce = s.messages.find((message) => message.from === '')!;
  assert.deepEqual(bounce.to, ['from@sender.test']);
  assert.match(bounce.text, /Final-Recipient: rfc822; bad@them\.test/);
  assert.match(bounce.text, /Diagnostic-Code: smtp; 550 5\.1\.1 no such user/);
  assert.match(bounce.text, /Subject: hello/);
  await h.event('delivered', (event) => event.id !== id);
  const left = h.rows('SELECT address, attempts, next_attempt_at, last_code, last_reply FROM queue_recipient');
  assert.deepEqual(left, [['slow@them.test', 1, h.clock.now + 5.6 * MINUTE, 451, '451 4.7.1 come back']]);
});

test('nothing is sent to the null sender; a report of ours that fails is shown to the postmaster once', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line.startsWith('RCPT TO:<from@sender.test>') || line.includes('bad@') || line.includes('postmaster@') ? '550 5.1.1 no' : undefined);
  h.start();
  await h.submit(['bad@them.test'], { sender: null });
  await h.event('failed');
  assert.equal(h.events.filter((event) => event.event === 'bounced').length, 0);
  await h.submit(['bad@them.test']);
  const last = await h.event('failed', (event) => (event.fields.to as string[]).includes('postmaster@us.test'));
  assert.ok(last);
  assert.deepEqual(
    h.events.filter((event) => event.event === 'bounced').map((event) => event.fields.to),
    [['from@sender.test'], ['postmaster@us.test']],
  );
  isEmpty(h);
});

test('NOTIFY=NEVER keeps failures silent, NOTIFY=SUCCESS reports the handing over where the server does not', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line.includes('bad@') ? '550 5.1.1 no' : undefined);
  h.start();
  await h.submit(['bad@them.test'], { notify: 'never' });
  await h.event('failed');
  const { id } = await h.submit(['good@them.test'], { notify: 'success' });
  await h.event('reported', (event) => event.id === id);
  await s.got(2);
  assert.match(s.messages[1]!.text, /Action: relayed/);
  assert.equal(
    h.events.some((event) => event.event === 'bounced'),
    false,
  );
});

test('a warning goes out after four hours, once', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line.includes('slow@') ? '450 4.2.0 later' : undefined);
  h.start();
  const { id } = await h.submit(['slow@them.test']);
  await h.event('deferred');
  h.clock.now += 4 * HOUR;
  await h.admin('queue.retry', { ids: [id] });
  await h.event('warned');
  await s.got(1);
  assert.match(s.messages[0]!.text, /Action: delayed/);
  assert.match(s.messages[0]!.text, /Will-Retry-Until:/);
  const events = h.events.length;
  h.clock.now += HOUR;
  await h.admin('queue.retry', { ids: [id] });
  await h.event('deferred', (event) => h.events.indexOf(event) >= events);
  assert.equal(h.events.filter((event) => event.event === 'warned').length, 1);
});

test('after five days the message comes back as expired', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line.includes('slow@') ? '450 4.2.0 later' : undefined);
  h.start();
  const { id } = await h.submit(['slow@them.test'], { notify: 'failure' });
  await h.event('deferred');
  h.clock.now += 5 * DAY;
  await h.admin('queue.retry', { ids: [id] });
  const failed = await h.event('expired');
  assert.equal(failed.fields.enhanced, '5.4.7');
  await s.got(1);
  assert.match(s.messages[0]!.text, /Status: 5\.4\.7/);
  assert.match(s.messages[0]!.text, /450 4\.2\.0 later/);
});

test('a destination that cannot be reached is tried once, and its mail put off together', async (t) => {
  const h = house(t, { 'deliver.relayHost': '[127.0.0.1]:1', 'deliver.concurrencyInitial': 1 });
  for (let i = 0; i < 50; i++) await h.submit([`u${i}@them.test`]);
  h.start();
  await h.event('deferred', () => h.events.filter((event) => event.event === 'deferred').length === 50);
  assert.equal(h.logs.filter((line) => line.startsWith('deliver.connect.failed ')).length, 1);
  const { id } = await h.submit(['late@them.test']);
  const late = await h.event('deferred', (event) => event.id === id);
  assert.match(String(late.fields.reply), /^not tried, for an attempt failed recently: connecting failed/);
  assert.equal(h.logs.filter((line) => line.startsWith('deliver.connect.failed ')).length, 1);
  assert.deepEqual(h.rows('SELECT count(*), min(attempts), max(attempts) FROM queue_recipient'), [[51, 1, 1]]);
});

test('mail for a domain without mail comes back at once', async (t) => {
  const { h, s } = await both(t, { 'deliver.transports': ['closed.test error:5.1.10 we take no mail'] });
  h.start();
  await h.submit(['a@closed.test']);
  await s.got(1);
  assert.match(s.messages[0]!.text, /Status: 5\.1\.10/);
});

test('a connection lost after the dot is a deferral, and the next try delivers', async (t) => {
  const { h, s } = await both(t);
  s.answer = (line) => (line === '.' ? 'cut' : undefined);
  h.start();
  const { id } = await h.submit(['a@them.test']);
  const deferred = await h.event('deferred');
  assert.match(String(deferred.fields.reply), /may arrive twice/);
  s.answer = () => undefined;
  await h.admin('queue.retry', { ids: [id] });
  await h.event('delivered');
  isEmpty(h);
});

test('a server that closes a kept connection costs no attempt', async (t) => {
  const { h, s } = await both(t);
  let mails = 0;
  s.answer = (line) => (line.startsWith('MAIL') && ++mails === 2 ? 'cut' : undefined);
  h.start();
  await h.submit(['a@them.test']);
  await h.event('delivered');
  await h.submit(['b@them.test']);
  await s.got(2);
  assert.equal(
    h.events.some((event) => event.event === 'deferred'),
    false,
  );
});

test('too many recipients for the server: the rest follows at once', async (t) => {
  const { h, s } = await both(t);
  let count = 0;
  s.answer = (line) => {
    if (line.startsWith('MAIL')) count = 0;
    return line.startsWith('RCPT') && ++count > 2 ? '452 4.5.3 too many' : undefined;
  };
  h.start();
  await h.submit(Array.from({ length: 7 }, (_, i) => `u${i}@them.test`));
  await s.got(4);
  assert.deepEqual(
    s.messages.flatMap((message) => message.to).sort(),
    Array.from({ length: 7 }, (_, i) => `u${i}@them.test`),
  );
  assert.equal(
    h.events.some((event) => event.event === 'deferred'),
    false,
  );
});

test('held mail waits until it is released; deleted mail is gone without a word', async (t) => {
  const { h, s } = await both(t);
  const first = await h.submit(['a@them.test']);
  const second = await h.submit(['b@them.test']);
  assert.deepEqual(await h.admin('queue.hold', { ids: [first.id] }), { changed: 1 });
  assert.deepEqual(await h.admin('queue.delete', { sender: '@sender.test', recipient: 'b@them.test' }), { changed: 1 });
  h.start();
  const third = await h.submit(['c@them.test']);
  await h.event('delivered', (event) => event.id === third.id);
  assert.deepEqual(
    s.messages.map((message) => message.to[0]),
    ['c@them.test'],
  );
  assert.equal((await h.admin('queue.list', { isHeld: true })).total, 1);
  await h.admin('queue.release', { all: true });
  await h.event('delivered', (event) => event.id === first.id);
  assert.equal(
    h.events.some((event) => event.event === 'delivered' && event.id === second.id),
    false,
  );
  isEmpty(h);
});

test('a courier with an old epoch settles nothing', async (t) => {
  const { h, s } = await both(t);
  h.start();
  await h.log('courier.started');
  await h.store.writer.run('courier.start', null);
  await h.submit(['a@them.test']);
  await h.log('courier.stale');
  assert.equal(s.messages.length, 1);
  assert.deepEqual(h.rows('SELECT address, attempts FROM queue_recipient'), [['a@them.test', 0]]);
});

test('stopping lets the message under way end, and reports it', async (t) => {
  const { h, s } = await both(t);
  let stopped: Promise<void> | undefined;
  s.answer = (line) => {
    if (line === 'DATA') stopped ??= h.courier().stop(5000);
    return undefined;
  };
  h.start();
  await h.submit(['a@them.test']);
  await s.got(1);
  await stopped;
  isEmpty(h);
});

test('a large message is streamed out of its file', async (t) => {
  const { h, s } = await both(t);
  h.start();
  let seed = 1;
  const lines = Array.from({ length: 20_000 }, () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return `${seed.toString(36)}${(seed * 7919).toString(36)} line`;
  });
  const text = `Subject: big\r\n\r\n${lines.join('\r\n')}\r\n`;
  await h.submit(['a@them.test'], { text });
  await s.got(1);
  assert.equal(s.messages[0]!.text, text);
});

test('a server that answers each message with 421 is left alone after the first', async (t) => {
  const { h, s } = await both(t, { 'deliver.concurrencyInitial': 1 });
  s.answer = (line) => (line.startsWith('MAIL') ? '421 4.7.0 not now' : undefined);
  for (let i = 0; i < 20; i++) await h.submit([`u${i}@them.test`]);
  h.start();
  await h.event('deferred', () => h.events.filter((event) => event.event === 'deferred').length === 20);
  assert.equal(s.connections, 1);
});

test('a relay host that does not exist keeps mail waiting instead of returning it', async (t) => {
  const h = house(
    t,
    { 'deliver.relayHost': '[no-such-relay]' },
    {},
    { addresses4: async () => ({ kind: 'none', exists: false }), addresses6: async () => ({ kind: 'none', exists: false }) },
  );
  h.start();
  await h.submit(['a@them.test']);
  const deferred = await h.event('deferred');
  assert.deepEqual([deferred.fields.code, deferred.fields.enhanced], [451, '4.1.2']);
});

test('a domain that does not exist returns mail at once', async (t) => {
  const none = async () => ({ kind: 'none', exists: false }) as const;
  const h = house(t, { 'deliver.transports': ['sender.test [127.0.0.1]:1'] }, {}, { mx: none, addresses4: none, addresses6: none });
  h.start();
  await h.submit(['a@gone.test', 'b@gone.test']);
  const failed = await h.event('failed');
  assert.deepEqual([failed.fields.to, failed.fields.enhanced], [['a@gone.test', 'b@gone.test'], '5.1.2']);
  await h.event('bounced');
});

test('a full mailbox is tried again and delivered once, out of the queue in the same transaction', async (t) => {
  const { h } = await both(t);
  const delivery = await h.account('u@us.test', 1);
  await h.submit([], { deliveries: [delivery] });
  await h.submit([], { deliveries: [delivery] });
  assert.equal(h.rows('SELECT count(*) FROM queue_recipient')[0]![0], 1);
  h.start();
  h.clock.now += HOUR;
  await h.admin('queue.retry', { all: true });
  const deferred = await h.event('deferred');
  assert.deepEqual([deferred.fields.enhanced, deferred.fields.to], ['4.2.2', ['u@us.test']]);
  await h.quota(delivery.accountId, 0);
  h.clock.now += HOUR;
  await h.admin('queue.retry', { all: true });
  await h.event('delivered');
  assert.equal(h.rows('SELECT count(*) FROM message')[0]![0], 2);
  assert.deepEqual(h.rows('SELECT id FROM queue_entry'), []);
  assert.equal(h.rows('SELECT count(*) FROM blob')[0]![0], 2);
});

test('a message whose bytes are damaged waits, harms no other, and comes back without them when its time is over', async (t) => {
  const { h, s } = await both(t);
  const { id } = await h.submit(['a@them.test']);
  await h.store.writer.run('test.damage', null);
  h.start();
  const deferred = await h.event('deferred');
  assert.match(String(deferred.fields.reply), /cannot be read/);
  await h.submit(['b@them.test']);
  await s.got(1);
  h.clock.now += 5 * DAY;
  await h.admin('queue.retry', { all: true });
  await h.event('expired', (event) => event.id === id);
  await s.got(2);
  assert.deepEqual([s.messages[1]!.from, s.messages[1]!.to], ['', ['from@sender.test']]);
  assert.match(s.messages[1]!.text, /Final-Recipient: rfc822; a@them\.test/);
});

test('mail deleted during its attempt brings no report, whatever the answer', async (t) => {
  const { h, s } = await both(t);
  s.extensions = [];
  const asked = Promise.withResolvers<void>();
  s.answer = (line) => {
    if (!line.startsWith('RCPT TO:<a@')) return undefined;
    asked.resolve();
    return 'wait';
  };
  h.start();
  const { id } = await h.submit(['a@them.test']);
  await asked.promise;
  await h.admin('queue.delete', { ids: [id] });
  s.say('550 5.1.1 nobody');
  await h.event('failed', (event) => event.id === id);
  await h.courier().stop(1000);
  isEmpty(h);
  assert.deepEqual(s.messages, []);
  assert.equal(
    h.events.some((event) => event.event === 'bounced'),
    false,
  );
});

test('a full mailbox whose delivery fails in an unexpected way is put off like any other', async (t) => {
  const { h } = await both(t);
  const delivery = await h.account('u@us.test', 1);
  for (let i = 0; i < 2; i++) await h.submit([], { deliveries: [delivery] });
  const { writer } = h.store;
  const run = writer.run.bind(writer) as (operation: string, input: unknown) => Promise<any>;
  writer.run = (operation, input) => (operation === 'queue.deliverLocal' ? Promise.reject(new Error('unexpected')) : run(operation, input));
  h.start();
  h.clock.now += HOUR;
  await h.admin('queue.retry', { all: true });
  const deferred = await h.event('deferred');
  assert.deepEqual([deferred.fields.enhanced, deferred.fields.to], ['4.3.0', ['u@us.test']]);
  writer.run = run;
  await h.quota(delivery.accountId, 0);
  h.clock.now += HOUR;
  await h.admin('queue.retry', { all: true });
  await h.event('delivered');
  assert.deepEqual(h.rows('SELECT id FROM queue_entry'), []);
});
