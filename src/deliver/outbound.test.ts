import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type FakeZone, fakeDns } from '../net/dns-testing.ts';
import { nexthop, readRoutes } from '../route/transport.ts';
import { defaultsOf } from '../system/declare.ts';
import { to7bit } from './convert.ts';
import { Outbound, type OutboundSettings, type WireHop } from './outbound.ts';
import { DELIVER_SETTINGS } from './settings.ts';
import { SmtpConnection } from './smtp/connection.ts';
import { engage, scriptedServer, testJob } from './testing.ts';

function outbound(t: TestContext, zone: FakeZone, more: Partial<OutboundSettings> = {}): { out: Outbound; clock: { now: number } } {
  const clock = { now: 0 };
  const settings: OutboundSettings = { ...defaultsOf(DELIVER_SETTINGS), hostname: 'us.test', ...more };
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const out = new Outbound({
    settings: () => settings,
    dns: fakeDns(zone, () => clock.now),
    log: silent,
    metrics: { count: () => {}, gauge: () => {} },
    now: () => clock.now,
    random: () => 0.5,
    to7bit,
  });
  t.after(() => {
    out.retire();
    out.close();
  });
  return { out, clock };
}
function hopFor(domain: string, transports: string[] = []): WireHop {
  const hop = nexthop(domain, readRoutes({ 'deliver.relayHost': '', 'deliver.transports': transports }));
  assert.ok(hop.kind !== 'error');
  return hop;
}
const OPEN = 'S: 220 mx\nC: EHLO us.test\nS: 250 mx\n';

test('when the first MX does not answer the next one is used', async (t) => {
  const server = await scriptedServer([OPEN]);
  t.after(() => server.close());
  const { out } = outbound(
    t,
    {
      'MX d.test': [
        { exchange: 'dead.test', preference: 1 },
        { exchange: 'live.test', preference: 2 },
      ],
      'A dead.test': ['127.0.0.9'],
      'A live.test': ['127.0.0.1'],
    },
    { 'deliver.smtpPort': server.port },
  );
  const opened = await out.open(hopFor('d.test'));
  assert.ok(opened instanceof SmtpConnection);
  assert.equal(opened.label, `live.test[127.0.0.1]:${server.port}`);
});

test('a first MX that greets with 554 is passed over', async (t) => {
  const server = await scriptedServer(['S: 554 no', OPEN]);
  t.after(() => server.close());
  const { out } = outbound(
    t,
    {
      'A d.test': ['127.0.0.1', '127.0.0.1'],
    },
    { 'deliver.smtpPort': server.port },
  );
  assert.ok((await out.open(hopFor('d.test'))) instanceof SmtpConnection);
});

test('when no host answers the last reason is told', async (t) => {
  const server = await scriptedServer([]);
  await server.close();
  const { out } = outbound(t, { 'A d.test': ['127.0.0.1'] }, { 'deliver.smtpPort': server.port });
  const opened = await out.open(hopFor('d.test'));
  assert.ok(!(opened instanceof SmtpConnection));
  assert.deepEqual([opened.isFinal, opened.enhanced], [false, '4.4.1']);
  assert.match(opened.reply, /ECONNREFUSED/);
});

test('a kept connection serves the next message, and is closed with QUIT when unused', async (t) => {
  const server = await scriptedServer([`${OPEN}C: QUIT`]);
  t.after(() => server.close());
  const { out, clock } = outbound(t, { 'A d.test': ['127.0.0.1'] }, { 'deliver.smtpPort': server.port });
  const hop = hopFor('d.test');
  const opened = await out.open(hop);
  assert.ok(opened instanceof SmtpConnection);
  opened.idleSince = clock.now;
  out.keep(hop, opened);
  assert.equal(out.reuse(hop), opened);
  assert.equal(out.reuse(hop), null);
  out.keep(hop, opened);
  clock.now += 10_000;
  const closed = new Promise<void>((resolve) => opened.socket.on('close', resolve));
  out.sweep();
  assert.equal(out.reuse(hop), null);
  await server.close();
  await closed;
  assert.equal(out.connections, 0);
});

test('LMTP over a unix socket', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-lmtp-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'lmtp');
  const replies = ['250 unix', '250 ok', '250 ok', '354 go'];
  const server = createServer((socket) => {
    socket.write('220 lmtp\r\n');
    let isData = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      if (isData) return void (chunk.toString().endsWith('\r\n.\r\n') && socket.write('250 2.1.5 kept\r\n'));
      const reply = replies.shift() ?? '500 what';
      isData = reply.startsWith('354');
      socket.write(`${reply}\r\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  const { out } = outbound(t, {});
  const opened = await out.open(hopFor('d.test', [`d.test lmtp:unix:${path}`]));
  assert.ok(opened instanceof SmtpConnection, JSON.stringify(opened));
  const { fates } = await engage(opened, [testJob(['a@d.test'])]);
  assert.deepEqual(fates, [['delivered 250 2.1.5']]);
  out.close();
});
