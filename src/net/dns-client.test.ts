import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import packet from 'dns-packet';
import fc from 'fast-check';
import { defaultsOf } from '../system/declare.ts';
import { DnsClient, serverEndpoints } from './dns-client.ts';
import { DNS_SETTINGS, type DnsSettings } from './dns-settings.ts';
import type { DnsResponse } from './dns-types.ts';

const VALUES: DnsSettings = { ...defaultsOf(DNS_SETTINGS), 'dns.timeout': 250, 'dns.deadline': 4000 };

interface Seen {
  readonly question: packet.DecodedPacket;
  readonly via: 'udp' | 'tcp';
  readonly port: number;
}
interface NameServer {
  readonly address: string;
  readonly seen: Seen[];
  connections: number;
}
/** Datagrams or frames to send for a question, in order; [] keeps silent. */
type Behaviour = (seen: Seen, n: number) => readonly Buffer[];

/** A name server in this process, on UDP and TCP of one port. */
async function nameServer(t: TestContext, behave: Behaviour): Promise<NameServer> {
  const server: NameServer = { address: '', seen: [], connections: 0 };
  const take = (message: Buffer, via: 'udp' | 'tcp', port: number): readonly Buffer[] => {
    const seen = { question: packet.decode(message) as packet.DecodedPacket, via, port };
    server.seen.push(seen);
    return behave(seen, server.seen.length);
  };
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    server.connections += 1;
    sockets.add(socket);
    let input = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk]);
      while (input.length >= 2 && input.length >= 2 + input.readUInt16BE(0)) {
        const end = 2 + input.readUInt16BE(0);
        for (const answer of take(input.subarray(2, end), 'tcp', socket.remotePort!)) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
        input = input.subarray(end);
      }
    });
  });
  tcp.listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as { port: number };
  const udp: UdpSocket = createSocket('udp4');
  udp.on('message', (message: Buffer, from: RemoteInfo) => {
    for (const answer of take(message, 'udp', from.port)) udp.send(answer, from.port, from.address);
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  t.after(() => {
    udp.close();
    tcp.close();
    for (const socket of sockets) socket.destroy();
  });
  return Object.assign(server, { address: `127.0.0.1:${port}` });
}

function client(t: TestContext, servers: readonly NameServer[], more: Partial<DnsSettings> = {}): DnsClient {
  const made = new DnsClient({ ...VALUES, 'dns.servers': servers.map((server) => server.address), ...more });
  t.after(() => made.close());
  return made;
}

function answer(question: packet.DecodedPacket, data: string, more: Partial<packet.Packet> = {}): Buffer {
  const name = question.questions![0]!.name;
  return packet.encode({
    type: 'response',
    id: question.id ?? 0,
    flags: 0,
    questions: question.questions ?? [],
    answers: [{ type: 'A', name, ttl: 60, data }],
    ...more,
  });
}
function addresses(response: DnsResponse): unknown {
  return response.kind === 'response' ? response.answers.map((record) => record.data) : response.reason;
}
const good: Behaviour = ({ question }) => [answer(question, '192.0.2.1')];
const silent: Behaviour = () => [];

test('an answer comes by UDP', async (t) => {
  const server = await nameServer(t, good);
  assert.deepEqual(addresses(await client(t, [server]).ask('a.test', 'A')), ['192.0.2.1']);
  assert.equal(server.seen[0]!.via, 'udp');
});

test('a cut answer is asked for again by TCP, several on one connection', async (t) => {
  const server = await nameServer(t, ({ question, via }) => [
    via === 'udp' ? answer(question, '192.0.2.9', { flags: packet.TRUNCATED_RESPONSE }) : answer(question, '192.0.2.2'),
  ]);
  const asker = client(t, [server]);
  const found = await Promise.all(['a.test', 'b.test', 'c.test'].map((name) => asker.ask(name, 'A')));
  assert.deepEqual(found.map(addresses), [['192.0.2.2'], ['192.0.2.2'], ['192.0.2.2']]);
  assert.equal(server.connections, 1);
});

test('a TCP connection that ends or lies is no answer; the next question has a new one', async (t) => {
  const cut: Behaviour = ({ question, via }, n) => {
    if (via === 'udp') return [answer(question, '192.0.2.9', { flags: packet.TRUNCATED_RESPONSE })];
    return [n < 3 ? answer({ ...question, questions: [{ name: 'other.test', type: 'A' }] }, '203.0.113.1') : answer(question, '192.0.2.2')];
  };
  const server = await nameServer(t, cut);
  assert.deepEqual(addresses(await client(t, [server]).ask('a.test', 'A')), ['192.0.2.2']);
  assert.equal(server.connections, 2);
});

test('a server that keeps silent is passed over, and asked last from then on', async (t) => {
  const dead = await nameServer(t, silent);
  const alive = await nameServer(t, good);
  const asker = client(t, [dead, alive]);
  for (let i = 0; i < 6; i += 1) assert.deepEqual(addresses(await asker.ask(`n${i}.test`, 'A')), ['192.0.2.1']);
  assert.equal(dead.seen.length, 3);
  assert.equal(alive.seen.length, 6);
});

test('with all servers silent the answer is a failure, within the deadline', async (t) => {
  const dead = await nameServer(t, silent);
  assert.deepEqual(await client(t, [dead]).ask('a.test', 'A'), { kind: 'failed', reason: 'name server did not answer in time' });
  assert.equal(dead.seen.length, VALUES['dns.tries']);
});

test('a server that is not there fails at once', async (t) => {
  const server = await nameServer(t, good);
  const gone = createSocket('udp4');
  gone.bind(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address();
  gone.close();
  await once(gone, 'close');
  const nobody = { address: `127.0.0.1:${port}`, seen: [], connections: 0 };
  assert.deepEqual(addresses(await client(t, [nobody], { 'dns.timeout': 60_000, 'dns.deadline': 60_000 }).ask('a.test', 'A')), 'name server cannot be reached');
  assert.deepEqual(addresses(await client(t, [nobody, server], { 'dns.timeout': 60_000 }).ask('a.test', 'A')), ['192.0.2.1']);
});

test('SERVFAIL of one server is mended by another; of all, it is the answer', async (t) => {
  const broken = await nameServer(t, ({ question }) => [answer(question, '192.0.2.9', { answers: [], flags: 2 })]);
  const alive = await nameServer(t, good);
  assert.deepEqual(addresses(await client(t, [broken, alive]).ask('a.test', 'A')), ['192.0.2.1']);
  const alone = await client(t, [broken]).ask('a.test', 'A');
  assert.equal(alone.kind === 'response' && alone.rcode, 2);
});

test('forged answers are not taken: another id, another name, another type', async (t) => {
  const server = await nameServer(t, ({ question }) => [
    answer({ ...question, id: ((question.id ?? 0) + 1) & 0xffff }, '203.0.113.1'),
    answer({ ...question, questions: [{ name: 'b.test', type: 'A' }] }, '203.0.113.2'),
    answer({ ...question, questions: [{ name: question.questions![0]!.name, type: 'AAAA' }] }, '203.0.113.3'),
    Buffer.from([1, 2, 3]),
    answer(question, '192.0.2.1'),
  ]);
  assert.deepEqual(addresses(await client(t, [server]).ask('a.test', 'A')), ['192.0.2.1']);
});

test('an answer in other letters than ours is checked by TCP', async (t) => {
  const name = 'abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.test'; // no run of random bits leaves all of it as it is
  const server = await nameServer(t, ({ question, via }) => [
    via === 'udp'
      ? answer({ ...question, questions: [{ name, type: 'A' }] }, '203.0.113.1')
      : answer({ ...question, questions: [{ name, type: 'A' }] }, '192.0.2.1', { answers: [{ type: 'A', name, ttl: 60, data: '192.0.2.1' }] }),
  ]);
  assert.deepEqual(addresses(await client(t, [server]).ask(name, 'A')), ['192.0.2.1']);
  assert.deepEqual(
    server.seen.map(({ via }) => via),
    ['udp', 'tcp'],
  );
});

test('a server that knows no EDNS is asked without', async (t) => {
  const server = await nameServer(t, ({ question }) => [
    (question.additionals?.length ?? 0) > 0 ? answer(question, '', { answers: [], flags: 1 }) : answer(question, '192.0.2.1'),
  ]);
  const asker = client(t, [server]);
  for (const name of ['a.test', 'b.test']) assert.deepEqual(addresses(await asker.ask(name, 'A')), ['192.0.2.1']);
  assert.deepEqual(
    server.seen.map(({ question }) => question.additionals?.length ?? 0),
    [1, 0, 0],
  );
});

test('ids and ports differ from question to question', async (t) => {
  const server = await nameServer(t, good);
  const asker = client(t, [server]);
  await Promise.all(Array.from({ length: 200 }, (_, i) => asker.ask(`n${i}.test`, 'A')));
  assert.ok(new Set(server.seen.map(({ port }) => port)).size >= 6, 'ports'); // 8 sockets, each missed by 200 questions once in 10^11 runs
  assert.ok(new Set(server.seen.map(({ question }) => question.id)).size >= 180, 'ids');
});

test('more lookups under way than allowed fail at once', async (t) => {
  const server = await nameServer(t, silent);
  const asker = client(t, [server], { 'dns.questionsMax': 10, 'dns.tries': 1 });
  const found = await Promise.all(Array.from({ length: 12 }, (_, i) => asker.ask(`n${i}.test`, 'A')));
  assert.equal(found.filter((response) => response.kind === 'failed' && response.isOurs === true).length, 2);
});

test('questions under way fail when the lookups end', async (t) => {
  const server = await nameServer(t, silent);
  const asker = client(t, [server], { 'dns.timeout': 60_000, 'dns.deadline': 60_000 });
  const asked = asker.ask('a.test', 'A');
  asker.close();
  assert.equal((await asked).kind, 'failed');
  assert.equal((await asker.ask('a.test', 'A')).kind, 'failed');
});

test('whatever a server sends, every question is answered, and never with what it did not ask', async (t) => {
  let junk: Buffer[] = [];
  const server = await nameServer(t, ({ question }) => {
    const right = answer(question, '192.0.2.1');
    // Garbage behind the right id, then the answer: what passes for an answer must be about our name.
    return [...junk.map((bytes) => Buffer.concat([right.subarray(0, 2), bytes])), right];
  });
  const asker = client(t, [server], { 'dns.timeout': 500 });
  let n = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 4 }), async (random) => {
      junk = random.map((bytes) => Buffer.from(bytes));
      n += 1;
      const found = await asker.ask(`n${n}.test`, 'A');
      assert.deepEqual(addresses(found), ['192.0.2.1']);
    }),
    { seed: 21, numRuns: 150 },
  );
});

test('servers are addresses with or without a port', () => {
  assert.deepEqual(serverEndpoints(['192.0.2.1', '192.0.2.1:5353', '[2001:db8::1]:53', '2001:db8::1']), [
    { address: '192.0.2.1', port: 53, family: 4 },
    { address: '192.0.2.1', port: 5353, family: 4 },
    { address: '2001:db8::1', port: 53, family: 6 },
    { address: '2001:db8::1', port: 53, family: 6 },
  ]);
  assert.ok(serverEndpoints([]).length > 0);
});
