import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { IdleSweeper } from '../net/idle.ts';
import { SILENT_LOG } from '../system/log.ts';
import { PolicyReader } from '../wire/policy/record.ts';
import { createPolicyClient, DEFAULT_POLICY_ACTION, type PolicyClientOptions, type PolicyService, parsePolicyEndpoint } from './policy-client.ts';

/** What the server writes after the nth question (from 1) it was asked in all; null for silence. */
type Behaviour = (question: Readonly<Record<string, string>>, n: number, socket: Socket) => string | null;

class Server {
  endpoint = '';
  connections = 0;
  questions = 0;
  readonly sockets = new Set<Socket>();

  take(socket: Socket, behaviour: Behaviour): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('error', () => {}); // a client that gives up resets the connection
    socket.on('close', () => this.sockets.delete(socket));
    const reader = new PolicyReader();
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      for (let read = reader.next(); read.kind === 'record'; read = reader.next()) {
        this.questions += 1;
        const answer = behaviour(Object.fromEntries(read.record), this.questions, socket);
        if (answer !== null) socket.write(answer);
      }
    });
  }
}

async function serve(t: TestContext, behaviour: Behaviour, path: string | null = null): Promise<Server> {
  const server = new Server();
  const listener = createServer((socket) => server.take(socket, behaviour));
  listener.listen(path === null ? { host: '127.0.0.1', port: 0 } : { path });
  await once(listener, 'listening');
  t.after(() => {
    for (const socket of server.sockets) socket.destroy();
    listener.close();
  });
  server.endpoint = path === null ? `inet:127.0.0.1:${(listener.address() as AddressInfo).port}` : `unix:${path}`;
  return server;
}

function client(t: TestContext, over: Partial<PolicyClientOptions> = {}): { service: PolicyService; warnings: unknown[]; tick(ms: number): void } {
  let now = 0;
  const sweeper = new IdleSweeper(() => now);
  const warnings: unknown[] = [];
  const log = { ...SILENT_LOG, warn: (_event: string, fields?: unknown) => warnings.push(fields) };
  const service = createPolicyClient({ log, metrics: { count: () => {}, gauge: () => {} }, sweeper, ...over });
  t.after(() => {
    service.close();
    sweeper.stop();
  });
  return {
    service,
    warnings,
    tick(ms) {
      now += ms;
      sweeper.sweep();
    },
  };
}
const FAST = { retryMs: 0 };

test('one connection serves question after question, and questions at the same time have one each', async (t) => {
  const server = await serve(t, (question) => `action=PREPEND X-Sender: ${question['sender']}\n\n`);
  const { service } = client(t);
  for (const sender of ['a@example.org', 'b=c@example.org', ''])
    assert.equal(await service.ask(server.endpoint, { sender }), `PREPEND X-Sender: ${sender}`.trim());
  assert.equal(server.connections, 1);
  await Promise.all([1, 2, 3].map((n) => service.ask(server.endpoint, { sender: `${n}` })));
  assert.equal(server.connections, 3);
});

test('a unix socket is asked as well', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-policy-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const server = await serve(t, () => 'action=OK\n\n', join(dir, 'policy'));
  assert.equal(await client(t).service.ask(server.endpoint, { request: 'smtpd_access_policy' }), 'OK');
});

test('a server that closes the connection after each answer costs no failure', async (t) => {
  const server = await serve(t, (question, _n, socket) => {
    if (!socket.writableEnded) socket.end(`action=DUNNO ${question['n']}\n\n`);
    return null;
  });
  const { service, warnings } = client(t);
  for (const n of [1, 2, 3]) assert.equal(await service.ask(server.endpoint, { n: `${n}` }, FAST), `DUNNO ${n}`);
  assert.deepEqual([server.connections, warnings], [3, []]);
});

test('a server that dies in the middle of a question is asked once more on a fresh connection', async (t) => {
  const server = await serve(t, (_question, n, socket) => {
    if (n === 1) socket.destroy();
    return n === 1 ? null : 'action=OK\n\n';
  });
  const { service, warnings } = client(t);
  assert.equal(await service.ask(server.endpoint, { a: 'b' }, FAST), 'OK');
  assert.deepEqual([server.connections, server.questions, warnings.length], [2, 2, 1]);
});

test('a kept connection that died is replaced without counting as a failure', async (t) => {
  const server = await serve(t, (_question, n, socket) => {
    if (n === 2) socket.destroy();
    return n === 2 ? null : `action=OK ${n}\n\n`;
  });
  const { service, warnings } = client(t);
  assert.equal(await service.ask(server.endpoint, { a: 'b' }), 'OK 1');
  assert.equal(await service.ask(server.endpoint, { a: 'b' }, { tryLimit: 1 }), 'OK 3');
  assert.deepEqual(warnings, []);
});

for (const [name, answer] of [
  ['no action', 'result=OK\n\n'],
  ['an empty action', 'action=\n\n'],
  ['no attribute', 'OK\n\n'],
  ['two answers', 'action=OK\n\naction=OK\n\n'],
  ['more than a record may have', `action=${'x'.repeat(40_000)}\n\n`],
])
  test(`${name} is no answer: the default action, after as many tries as asked for`, async (t) => {
    const server = await serve(t, () => answer!);
    const { service, warnings } = client(t);
    assert.equal(await service.ask(server.endpoint, { a: 'b' }, { ...FAST, tryLimit: 3, defaultAction: 'DUNNO' }), 'DUNNO');
    assert.deepEqual([server.connections, warnings.length], [3, 3]);
  });

test('a server that is not there, or a place that is none, gives the default action', async (t) => {
  const { service } = client(t);
  assert.equal(await service.ask('unix:/nonexistent/policy', { a: 'b' }, FAST), DEFAULT_POLICY_ACTION);
  assert.equal(await service.ask('nonsense', { a: 'b' }, FAST), DEFAULT_POLICY_ACTION);
});

test('a silent server is given up after the timeout', async (t) => {
  let wasAsked = (): void => {};
  const server = await serve(t, () => {
    wasAsked();
    return null;
  });
  const { service, tick } = client(t);
  const asked = new Promise<void>((resolve) => (wasAsked = resolve));
  const answer = service.ask(server.endpoint, { a: 'b' }, { timeoutMs: 5000, tryLimit: 1, defaultAction: 'DEFER' });
  await asked;
  tick(4000);
  tick(1000);
  assert.equal(await answer, 'DEFER');
});

test('questions beyond the connections wait for a free one, or for their timeout', async (t) => {
  const held: Socket[] = [];
  let all = (): void => {};
  const server = await serve(t, (_question, n, socket) => {
    held.push(socket);
    if (n === 2) all();
    return n > 2 ? 'action=THIRD\n\n' : null;
  });
  const { service, tick } = client(t, { connectionsMax: 2 });
  const isFull = new Promise<void>((resolve) => (all = resolve));
  const answers = ['1', '2', '3', '4'].map((a, i) => service.ask(server.endpoint, { a }, { timeoutMs: i === 3 ? 1000 : 9000, tryLimit: 1 }));
  await isFull;
  tick(1000);
  assert.equal(await answers[3], DEFAULT_POLICY_ACTION);
  held[0]!.write('action=FIRST\n\n');
  assert.equal(await answers[0], 'FIRST');
  assert.equal(await answers[2], 'THIRD');
  held[1]!.write('action=SECOND\n\n');
  assert.equal(await answers[1], 'SECOND');
  assert.equal(server.connections, 2);
});

test('connections end when idle, when old, and after so many questions', async (t) => {
  const server = await serve(t, () => 'action=OK\n\n');
  const { service, tick } = client(t, { maxIdleMs: 10_000, maxTtlMs: 25_000, requestLimit: 3 });
  const ask = (): Promise<string> => service.ask(server.endpoint, { a: 'b' });
  await ask();
  tick(9000);
  await ask();
  assert.equal(server.connections, 1);
  tick(10_000);
  await ask();
  assert.equal(server.connections, 2, 'idle');
  for (let n = 0; n < 3; n += 1) await ask();
  assert.equal(server.connections, 3, 'after three questions');
  for (let n = 0; n < 3; n += 1) tick(9000);
  await ask();
  assert.equal(server.connections, 4, 'old');
});

test('a session that ends, and the end of the client, settle what is under way', async (t) => {
  let wasAsked = (): void => {};
  const server = await serve(t, () => {
    wasAsked();
    return null;
  });
  const { service } = client(t);
  const abort = new AbortController();
  let asked = new Promise<void>((resolve) => (wasAsked = resolve));
  const first = service.ask(server.endpoint, { a: 'b' }, { signal: abort.signal });
  await asked;
  abort.abort();
  assert.equal(await first, DEFAULT_POLICY_ACTION);
  asked = new Promise<void>((resolve) => (wasAsked = resolve));
  const second = service.ask(server.endpoint, { a: 'b' }, { defaultAction: 'DUNNO' });
  await asked;
  service.close();
  assert.equal(await second, 'DUNNO');
});

test('the places of policy servers', () => {
  const rows: [string, unknown][] = [
    ['inet:127.0.0.1:10023', { host: '127.0.0.1', port: 10_023 }],
    ['policy.example.org:10', { host: 'policy.example.org', port: 10 }],
    ['inet:[2001:db8::1]:10', { host: '2001:db8::1', port: 10 }],
    ['inet:10023', { host: '127.0.0.1', port: 10_023 }],
    ['unix:/run/policy', { path: '/run/policy' }],
    ['unix:', null],
    ['inet:host:0', null],
    ['inet:host:65536', null],
    ['inet:host', null],
    ['', null],
  ];
  for (const [text, place] of rows) assert.deepEqual(parsePolicyEndpoint(text), place, text);
});
