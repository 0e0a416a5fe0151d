import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { connect as tlsConnect, createSecureContext } from 'node:tls';
import type { Connection, Protocol, TlsProvider } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { selfSigned } from '../system/self-signed.ts';
import { ConnectionCounts } from './counts.ts';
import { type Listener, listen, type NetContext } from './listen.ts';
import { NET_SETTINGS } from './settings.ts';
import { writePaced } from './write.ts';

const NO_TLS: TlsProvider = { context: () => null, options: () => null };

function net(settings: Record<string, unknown> = {}, tls: TlsProvider = NO_TLS): NetContext {
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return {
    tls,
    settings: () => ({ ...defaultsOf(NET_SETTINGS), ...settings }) as any,
    log,
    metrics: { count() {}, gauge() {} },
    counts: new ConnectionCounts(),
  };
}

const serve = (context: NetContext, onConnection: (connection: Connection) => void, protocol: Protocol = 'smtp', implicitTls = false): Promise<Listener> =>
  listen(
    ['127.0.0.1:0'],
    protocol,
    implicitTls,
    context,
    (connection) => {
      onConnection(connection);
      return { drain: () => connection.socket.end() };
    },
    { reusePort: false },
  );

const portOf = (listener: Listener): number => Number(listener.addresses[0]!.split(':').at(-1));
const dial = (listener: Listener): Socket => connect({ port: portOf(listener), host: '127.0.0.1' }).on('error', () => {});

async function everything(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a connection knows both ends', async () => {
  const arrived: Connection[] = [];
  const listener = await serve(net(), (connection) => {
    arrived.push(connection);
    connection.socket.end('bye');
  });
  const socket = dial(listener);
  assert.equal(await everything(socket), 'bye');
  const [connection] = arrived;
  assert.equal(connection!.client.ip, '127.0.0.1');
  assert.equal(connection!.localPort, portOf(listener));
  assert.equal(connection!.isLoopback, true);
  assert.equal(connection!.tls, null);
  await listener.drain(0);
});

test('a port in use is an error that names it', async () => {
  const first = await serve(net(), () => {});
  await assert.rejects(
    listen([first.addresses[0]!], 'imap', false, net(), () => ({ drain() {} }), { reusePort: false }),
    {
      message: `Cannot listen on ${first.addresses[0]} for imap: the port is in use by another program.`,
    },
  );
  await first.stop();
});

test('no addresses are no listener, and that is fine', async () => {
  const listener = await listen([], 'lmtp', false, net(), () => ({ drain() {} }), { reusePort: false });
  assert.deepEqual(listener.addresses, []);
  await listener.drain(0);
});

test('the same port on IPv4 and IPv6 can be listed, and [::] alone means both', async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  try {
    const both = await listen([`127.0.0.1:${port}`, `[::1]:${port}`, `[::]:0`], 'smtp', false, net(), () => ({ drain() {} }), { reusePort: false });
    assert.equal(both.addresses.length, 3);
    await both.stop();
  } catch (error) {
    // A machine without IPv6 says so.
    assert.match(String(error), /does not (have this address|support this kind)/);
  }
});

test('a session that fails at its beginning costs its connection, one that fails at its end not the others', async () => {
  let sessions = 0;
  const listener = await listen(
    ['127.0.0.1:0'],
    'smtp',
    false,
    net(),
    (connection) => {
      sessions += 1;
      if (sessions === 1) throw new Error('a bug');
      if (sessions === 2)
        return {
          drain() {
            throw new Error('another');
          },
        };
      return { drain: () => connection.socket.end('bye') };
    },
    { reusePort: false },
  );
  const dial = () => connect(Number(listener.addresses[0]!.split(':').at(-1)), '127.0.0.1');
  assert.equal(await everything(dial()), '');
  const second = everything(dial());
  while (sessions < 2) await new Promise((resolve) => setImmediate(resolve));
  const third = everything(dial());
  while (sessions < 3) await new Promise((resolve) => setImmediate(resolve));
  await listener.drain(60_000);
  assert.deepEqual(await Promise.all([second, third]), ['', 'bye']);
});

test('a stale unix socket is replaced, a living one is not', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-net-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const address = `unix:${join(folder, 'lmtp')}`;
  const session = (connection: Connection) => {
    connection.socket.end(connection.client.ip);
    return { drain() {} };
  };
  const living = await listen([address], 'lmtp', false, net(), session, { reusePort: false });
  // The other mail server runs as another user, and our umask is closed.
  assert.equal(statSync(address.slice(5)).mode & 0o666, 0o666);
  await assert.rejects(listen([address], 'lmtp', false, net(), session, { reusePort: false }), /another program uses this socket already/);
  assert.equal(await everything(connect(address.slice(5))), '127.0.0.1');
  await living.drain(0);
  writeFileSync(join(folder, 'file'), '');
  await assert.rejects(listen([`unix:${join(folder, 'file')}`], 'lmtp', false, net(), session, { reusePort: false }), /the port is in use by another program/);
});

for (const [protocol, reply] of [
  ['smtp', '421 4.7.0 '],
  ['lmtp', '421 4.3.2 '],
  ['imap', '* BYE '],
  ['pop3', '-ERR '],
] as const)
  test(`one connection too many is told so in ${protocol}`, async () => {
    const listener = await serve(net({ 'net.connectionsMax': 1 }), (connection) => connection.socket.write('hello'), protocol);
    const first = dial(listener);
    await new Promise((resolve) => first.once('data', resolve));
    assert.ok((await everything(dial(listener))).startsWith(reply));
    first.destroy();
    while (listener.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    const third = dial(listener);
    assert.equal(String(await new Promise((resolve) => third.once('data', resolve))), 'hello', 'the place is free again');
    third.destroy();
    await listener.drain(0);
  });

test('one client is limited, loopback only when it is told to be', async () => {
  for (const [countLoopback, expected] of [
    [false, 'hello'],
    [true, '421 4.7.0 Too many connections, try again later\r\n'],
  ] as const) {
    const listener = await serve(net({ 'net.connectionsPerClientMax': 1, 'net.countLoopback': countLoopback }), (connection) =>
      connection.socket.write('hello'),
    );
    const first = dial(listener);
    await new Promise((resolve) => first.once('data', resolve));
    const second = dial(listener);
    assert.equal(String(await new Promise((resolve) => second.once('data', resolve))), expected);
    first.destroy();
    second.destroy();
    await listener.drain(0);
  }
});

test('a PROXY header names the client, wherever it is cut', async () => {
  const seen: string[] = [];
  const listener = await serve(net({ 'net.proxyFrom': ['127.0.0.0/8'] }), (connection) => {
    seen.push(`${connection.client.ip}:${connection.client.port} ${connection.localAddress}:${connection.localPort} ${connection.isLoopback}`);
    connection.socket.on('data', (chunk) => connection.socket.end(chunk));
  });
  for (const cut of [1, 20, 44, 46]) {
    const socket = dial(listener);
    const bytes = 'PROXY TCP4 192.0.2.1 198.51.100.7 40000 25\r\nhello';
    socket.setNoDelay(true);
    await new Promise<void>((resolve) => socket.write(bytes.slice(0, cut), () => setImmediate(resolve)));
    socket.write(bytes.slice(cut));
    assert.match(await everything(socket), /^h/);
  }
  assert.deepEqual(new Set(seen), new Set(['192.0.2.1:40000 198.51.100.7:25 false']));
  await listener.drain(0);
});

test('a client that must send a PROXY header and does not is dropped', async () => {
  const listener = await serve(net({ 'net.proxyFrom': ['127.0.0.1'] }), () => assert.fail('no session'));
  const socket = dial(listener);
  socket.write('EHLO x\r\n');
  assert.equal(await everything(socket).catch(() => ''), '');
  await listener.drain(0);
});

async function provider(): Promise<TlsProvider> {
  const { certificate, key } = await selfSigned(['mx.example.org'], Date.now());
  const context = createSecureContext({ cert: certificate, key });
  return { context: () => context, options: () => ({ minVersion: 'TLSv1.2' }) };
}

test('implicit TLS is described, and both ends export the same bytes', async () => {
  const arrived: Connection[] = [];
  const listener = await serve(
    net({}, await provider()),
    (connection) => {
      arrived.push(connection);
      void writePaced(connection.socket, Buffer.alloc(100_000, 'x')).then(() => connection.socket.end());
    },
    'imaps',
    true,
  );
  const client = tlsConnect({ port: portOf(listener), host: '127.0.0.1', rejectUnauthorized: false, servername: 'mx.example.org' });
  await new Promise((resolve) => client.once('secureConnect', resolve));
  const exported = client.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    const { tls } = arrived[0]!;
    if (received !== chunk.length) return;
    assert.equal(tls!.version, 'TLSv1.3');
    assert.match(tls!.cipher, /^TLS_/);
    assert.ok(tls!.bits === 128 || tls!.bits === 256);
    assert.equal(tls!.servername, 'mx.example.org');
    assert.deepEqual(Buffer.from(tls!.exporter()!), exported);
    // RFC 5929 section 4: the hash of the certificate as the client sees it.
    assert.deepEqual(Buffer.from(tls!.endPoint!()!), createHash('sha256').update(client.getPeerCertificate().raw).digest());
  });
  await new Promise((resolve) => client.once('close', resolve));
  assert.equal(received, 100_000);
  await listener.drain(0);
});

test('a PROXY header may stand before implicit TLS, in the same packet', async () => {
  const arrived: Connection[] = [];
  const listener = await serve(
    net({ 'net.proxyFrom': ['127.0.0.1'] }, await provider()),
    (connection) => {
      arrived.push(connection);
      connection.socket.end('secret');
    },
    'imaps',
    true,
  );
  const socket = dial(listener);
  socket.cork();
  socket.write('PROXY TCP4 192.0.2.1 198.51.100.7 40000 993\r\n');
  const client = tlsConnect({ socket, rejectUnauthorized: false });
  setImmediate(() => socket.uncork());
  assert.equal(await everything(client), 'secret');
  assert.equal(arrived[0]!.client.ip, '192.0.2.1');
  await listener.drain(0);
});

test('a client that speaks no TLS where it must costs nothing but its connection', async () => {
  const listener = await serve(net({}, await provider()), () => assert.fail('no session'), 'imaps', true);
  const socket = dial(listener);
  socket.write('a LOGIN x y\r\n');
  await everything(socket).catch(() => '');
  await listener.drain(0);
  assert.equal(listener.connections, 0);
});
