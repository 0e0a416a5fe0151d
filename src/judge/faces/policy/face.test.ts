import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { IdleSweeper } from '../../../net/idle.ts';
import { defaultsOf, MINUTE } from '../../../system/declare.ts';
import { SILENT_LOG } from '../../../system/log.ts';
import type { SpfInput, SpfResult } from '../../authenticity/spf.ts';
import { createGreylist } from '../../greylist/greylist.ts';
import { GREYLIST_OPERATIONS } from '../../greylist/operations.ts';
import { GREYLIST_SETTINGS } from '../../greylist/settings.ts';
import { openJudgeStore } from '../../greylist/testing.ts';
import { createPolicyClient } from '../../policy-client.ts';
import { createRateMemory, openRates } from '../../rates/rates.ts';
import { RATES_SETTINGS } from '../../rates/settings.ts';
import { type PolicyFace, type PolicyFaceOptions, startPolicyFace } from './server.ts';
import { POLICY_FACE_SETTINGS, type PolicyFaceSettings } from './settings.ts';

interface World {
  now: number;
  readonly face: PolicyFace;
  readonly logged: string[];
  readonly spfAsked: SpfInput[];
  tick(ms: number): void;
  /** Asks about RCPT from a stranger; `over` changes attributes. */
  ask(over?: Readonly<Record<string, string>>): Promise<string>;
}

const SPF: Readonly<Record<string, SpfResult['result']>> = { 'pass.test': 'pass', 'fail.test': 'fail', 'remote.test': 'none' };

async function world(
  t: TestContext,
  changes: Partial<PolicyFaceSettings> = {},
  limits: readonly string[] = [],
  over: Partial<PolicyFaceOptions> = {},
): Promise<World> {
  const settings = { ...defaultsOf(POLICY_FACE_SETTINGS), ...changes };
  const logged: string[] = [];
  const log = {
    ...SILENT_LOG,
    info: (event: string) => logged.push(event),
    warn: (event: string) => logged.push(event),
    error: (event: string) => logged.push(event),
  };
  const metrics = { count: () => {}, gauge: () => {} };
  let now = 1_800_000_000_000;
  const store = openJudgeStore(t, GREYLIST_OPERATIONS, () => now);
  const rates = openRates(createRateMemory(65_536), {
    settings: () => ({ ...defaultsOf(RATES_SETTINGS), 'rates.limits': limits }),
    log,
    metrics,
    now: () => now,
  });
  const greylist = createGreylist({ reader: store.reader, writer: store.writer, settings: () => defaultsOf(GREYLIST_SETTINGS), log, metrics });
  const spfAsked: SpfInput[] = [];
  const spf = async (input: SpfInput): Promise<SpfResult> => {
    spfAsked.push(input);
    const domain = input.sender?.domain ?? input.helo;
    return {
      result: SPF[domain] ?? 'none',
      scope: input.sender === null ? 'helo' : 'mailfrom',
      domain,
      mechanism: '-all',
      problem: null,
      explanation: 'see "example"',
    };
  };
  const sweeper = new IdleSweeper(() => now);
  const face = await startPolicyFace({
    listen: ['127.0.0.1:0'],
    greylist,
    spf,
    rates,
    log,
    metrics,
    settings: () => settings,
    hostname: 'mx.us.test',
    now: () => now,
    sweeper,
    ...over,
  });
  const client = createPolicyClient({ log, metrics, sweeper });
  t.after(async () => {
    client.close();
    await face.stop();
    sweeper.stop();
  });
  return {
    get now() {
      return now;
    },
    set now(value) {
      now = value;
    },
    face,
    logged,
    spfAsked,
    tick(ms) {
      now += ms;
      sweeper.sweep();
    },
    ask: (attributes = {}) => client.ask(face.addresses[0]!, { ...STRANGER, ...attributes }, { tryLimit: 1, defaultAction: 'no answer' }),
  };
}
const STRANGER = {
  request: 'smtpd_access_policy',
  protocol_state: 'RCPT',
  protocol_name: 'ESMTP',
  client_address: '192.0.2.66',
  client_name: 'unknown',
  helo_name: 'client.test',
  sender: 'rita@remote.test',
  recipient: 'bob@us.test',
  instance: '1.2.3',
  size: '1000',
  sasl_username: '',
};
const WAIT = 'DEFER_IF_PERMIT 4.7.1 Greylisted: this server does not know you yet, please try again in 180 seconds';
const RECEIVED_SPF =
  'PREPEND Received-SPF: none (mx.us.test: domain of remote.test has no policy for 192.0.2.66) receiver=mx.us.test; client-ip=192.0.2.66; envelope-from="rita@remote.test"; helo="client.test"; identity=mailfrom; mechanism="-all"';

test('a stranger waits, comes back, and the message is marked once', async (t) => {
  const it = await world(t);
  assert.equal(await it.ask(), WAIT);
  assert.equal(await it.ask({ recipient: 'carol@us.test' }), WAIT);
  it.now += 3 * MINUTE;
  assert.equal(await it.ask({ instance: '1.2.4' }), RECEIVED_SPF);
  assert.equal(await it.ask({ instance: '1.2.4' }), 'DUNNO', 'asked at a second place of the restrictions');
  assert.equal(await it.ask({ instance: '1.2.4', recipient: 'carol@us.test' }), 'DUNNO');
  assert.equal(await it.ask({ instance: '1.2.5' }), RECEIVED_SPF, 'the next message');
  assert.equal(it.spfAsked.length, 3, 'once for each message');
  assert.deepEqual(it.spfAsked[0], { ip: '192.0.2.66', helo: 'client.test', sender: { local: 'rita', domain: 'remote.test' }, receiver: 'mx.us.test' });
});

test('where SPF names the client, its domain is what is remembered', async (t) => {
  const it = await world(t);
  assert.equal(await it.ask({ sender: 'rita@pass.test' }), WAIT);
  it.now += 3 * MINUTE;
  assert.match(
    await it.ask({ sender: 'rita@pass.test', client_address: '198.51.100.1', instance: '2' }),
    /^PREPEND Received-SPF: pass .* designates 198\.51\.100\.1\)/,
  );
});

test('SPF fail refuses where that is asked for, and marks otherwise', async (t) => {
  const strict = await world(t, { 'face.policySpf': 'reject', 'face.policyGreylist': false });
  assert.equal(await strict.ask({ sender: 'rita@fail.test' }), '550 5.7.23 SPF: fail.test does not allow 192.0.2.66 to send its mail: see "example"');
  assert.match(
    await strict.ask({ sender: '', helo_name: 'pass.test', instance: '2' }),
    /^PREPEND Received-SPF: pass \(mx\.us\.test: helo name pass\.test .*envelope-from=""; .*identity=helo/,
  );
  const mild = await world(t, { 'face.policyGreylist': false });
  assert.match(await mild.ask({ sender: 'rita@fail.test' }), /^PREPEND Received-SPF: fail /);
  const off = await world(t, { 'face.policySpf': 'off', 'face.policyGreylist': false });
  assert.deepEqual([await off.ask({ sender: 'rita@fail.test' }), off.spfAsked], ['DUNNO', []]);
});

test('rates speak first, each at its stage', async (t) => {
  const it = await world(t, { 'face.policyGreylist': false, 'face.policySpf': 'off' }, [
    'client connections 1/1h',
    'client messages 2/1h',
    'recipient messages 1/1h',
    'client bytes 1500/1h',
    'outbound account recipients 1/1h',
  ]);
  const answers = async (rows: readonly Readonly<Record<string, string>>[]): Promise<string[]> => {
    const out: string[] = [];
    for (const row of rows) out.push((await it.ask(row)).split(' ', 2).join(' '));
    return out;
  };
  assert.deepEqual(await answers([{ protocol_state: 'CONNECT' }, { protocol_state: 'CONNECT' }]), ['DUNNO', '421 4.7.0']);
  assert.deepEqual(
    await answers([
      { protocol_state: 'MAIL', instance: 'a' },
      { recipient: 'a@us.test', instance: 'a' },
      { recipient: 'a@us.test', instance: 'b' },
      { recipient: 'b@us.test', instance: 'b' },
      { recipient: 'c@us.test', instance: 'c' },
      { protocol_state: 'MAIL', instance: 'd' },
    ]),
    ['DUNNO', 'DUNNO', 'DEFER_IF_PERMIT 4.7.1', 'DUNNO', 'DEFER_IF_PERMIT 4.7.1', '450 4.7.1'],
  );
  assert.deepEqual(await answers([{ protocol_state: 'END-OF-MESSAGE' }, { protocol_state: 'END-OF-MESSAGE', recipient: '' }]), ['DUNNO', '450 4.7.1']);
  const signedIn = { sasl_username: 'bob', client_address: '203.0.113.1' };
  assert.deepEqual(
    await answers([
      { ...signedIn, instance: 'x', recipient: 'x@far.test' },
      { ...signedIn, instance: 'y', recipient: 'y@far.test' },
    ]),
    ['DUNNO', 'DEFER_IF_PERMIT 4.7.1'],
  );
});

test('who has signed in, and whoever Postfix does not know the address of, does not wait', async (t) => {
  const it = await world(t);
  assert.equal(await it.ask({ sasl_username: 'bob' }), 'DUNNO');
  assert.equal(await it.ask({ client_address: 'unknown', instance: '2' }), 'DUNNO');
});

test('other stages, other kinds of request and missing attributes are answered DUNNO', async (t) => {
  const it = await world(t);
  for (const over of [
    { protocol_state: 'EHLO' },
    { protocol_state: 'DATA' },
    { protocol_state: 'VRFY' },
    { protocol_state: '' },
    { request: 'junk' },
    { recipient: '' },
  ] as Record<string, string>[])
    assert.equal(await it.ask(over), 'DUNNO', JSON.stringify(over));
});

test('an SPF check that fails leaves the rest at work; a bug is answered DUNNO', async (t) => {
  const it = await world(t, { 'face.policySpf': 'reject' }, [], { spf: () => Promise.reject(new Error('bug')) });
  assert.equal(await it.ask(), WAIT);
  const broken = await world(t, {}, [], {
    greylist: {
      check: () => {
        throw new Error('bug');
      },
      flush: async () => {},
    },
  });
  assert.equal(await broken.ask(), 'DUNNO');
  assert.ok(broken.logged.includes('face.policy.failed'));
});

test('hostile addresses cannot forge header fields or attributes', async (t) => {
  const it = await world(t, { 'face.policyGreylist': false });
  const action = await it.ask({ sender: 'a"b\\c\u0001(x)é@remote.test', helo_name: 'x) pass "y"' });
  assert.match(action, /envelope-from="[\x20-\x7e]*"; helo="x\) pass \\"y\\""; identity=mailfrom/);
});

async function open(t: TestContext, it: World): Promise<Socket> {
  const address = it.face.addresses[0]!;
  const socket = connect(Number(address.slice(address.lastIndexOf(':') + 1)), '127.0.0.1');
  socket.on('error', () => {}); // being cut off is what some tests want
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('many questions at once on a connection are answered in order; nonsense ends it', async (t) => {
  const it = await world(t, { 'face.policyGreylist': false });
  const socket = await open(t, it);
  const question = (state: string, instance: string): string =>
    `request=smtpd_access_policy\nprotocol_state=${state}\nclient_address=192.0.2.1\nsender=a@remote.test\nrecipient=b@us.test\ninstance=${instance}\n\n`;
  socket.write(`${question('RCPT', '1')}${question('DATA', '1')}${question('RCPT', '2')}nonsense\n\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'close');
  assert.deepEqual(
    text.split('\n\n').map((reply) => reply.split(' ', 1)[0]),
    ['action=PREPEND', 'action=DUNNO', 'action=PREPEND', ''],
  );
  assert.ok(it.logged.includes('face.policy.malformed'));
});

test('connections are bounded in number and in silence, and only come from where they may', async (t) => {
  const it = await world(t, { 'face.policyConnectionsMax': 1, 'face.policyIdle': 10_000 });
  const first = await open(t, it);
  const second = await open(t, it);
  await once(second, 'close');
  assert.equal(it.face.connections, 1);
  it.tick(9_000);
  assert.equal(it.face.connections, 1);
  const gone = once(first, 'close');
  it.tick(1_000);
  await gone;
  const closed = await world(t, { 'face.policyFrom': ['192.0.2.0/24'] });
  await once(await open(t, closed), 'close');
  assert.ok(closed.logged.includes('face.policy.refused'));
});

test('a unix socket works, is taken over when nobody answers it, and left alone when somebody does', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-face-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const listen = [`unix:${join(dir, 'policy')}`];
  const it = await world(t, {}, [], { listen });
  assert.equal(await it.ask(), WAIT);
  await assert.rejects(world(t, {}, [], { listen }), /another program uses this socket already/);
  await assert.rejects(world(t, {}, [], { listen: ['127.0.0.1:0', 'unix:/nonexistent/policy'] }), /Cannot listen on unix:\/nonexistent\/policy/);
});
