import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { applyEdits } from '../../../mail/edit.ts';
import { IdleSweeper } from '../../../net/idle.ts';
import type { HeaderEdit, JudgeInput, Verdict } from '../../../ports.ts';
import { defaultsOf } from '../../../system/declare.ts';
import { ALL_ACTIONS, ALL_STEPS, COMMAND, STEP } from '../../../wire/milter/codes.ts';
import { type MilterCommand, writeCommand } from '../../../wire/milter/command.ts';
import { NO_MACRO_LISTS } from '../../../wire/milter/negotiate.ts';
import { PacketReader } from '../../../wire/milter/packet.ts';
import { type MilterResponse, parseResponse } from '../../../wire/milter/response.ts';
import { chainOf, FACTS, messageOfText } from '../../milter/testing.ts';
import { changes } from './answer.ts';
import { type MilterFaceOptions, startMilterFace } from './face.ts';
import { MILTER_FACE_SETTINGS } from './settings.ts';

const RITA = { local: 'rita', domain: 'remote.test' };
const ANNA = { local: 'anna', domain: 'us.test' };
const ACCEPT: Verdict = { action: 'accept', reply: null, score: 0, symbols: [], edits: [] };
const MESSAGE = 'From: <rita@remote.test>\nSubject:  odd\n space\nAuthentication-Results: us.test; forged\n\nHello.\n';

interface Faced {
  readonly address: string;
  readonly inputs: JudgeInput[];
  readonly log: string[];
}
async function face(
  t: TestContext,
  judge: MilterFaceOptions['judge'],
  more: Partial<MilterFaceOptions> & { settings?: MilterFaceOptions['settings'] } = {},
): Promise<Faced> {
  const inputs: JudgeInput[] = [];
  const log: string[] = [];
  const note = (event: string): void => {
    log.push(event);
  };
  let count = 0;
  const running = await startMilterFace({
    listen: ['127.0.0.1:0'],
    judge: (input) => {
      inputs.push(input);
      return judge(input);
    },
    settings: () => defaultsOf(MILTER_FACE_SETTINGS),
    newId: () => {
      count += 1;
      return `id${count}`;
    },
    now: () => 1_795_000_000_000,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count() {}, gauge() {} },
    tempDir: tmpdir(),
    ...more,
  });
  t.after(() => running.close());
  return { address: running.addresses[0]!, inputs, log };
}

/** One message through our own client: both ends of the protocol at once. */
async function through(t: TestContext, faced: Faced, text = MESSAGE) {
  const session = chainOf([`${faced.address.startsWith('unix:') ? '' : 'inet:'}${faced.address}`]).begin({
    ...FACTS,
    tls: { version: 'TLSv1.3', cipher: 'AES', bits: 256 },
    auth: { type: 'PLAIN', authen: 'rita@remote.test' },
  });
  t.after(() => session.close());
  assert.equal(await session.connect(), null);
  assert.equal(await session.helo('client.test'), null);
  assert.equal(await session.mail(RITA), null);
  assert.equal(await session.rcpt(ANNA), null);
  assert.equal(await session.data(), null);
  const view = messageOfText(text);
  const ruling = await session.endOfMessage(view);
  return { ...ruling, header: applyEdits(view.header, ruling.edits).toString('latin1').replaceAll('\r\n', '\n') };
}

test('the judge is told what the mail server knows', async (t) => {
  const faced = await face(t, () => ACCEPT);
  assert.equal((await through(t, faced)).action, 'accept');
  const { message, ...input } = faced.inputs[0]!;
  assert.deepEqual(input, {
    id: 'id1',
    source: 'submission',
    client: { ip: '192.0.2.20', port: 4000, name: 'client.test' },
    helo: 'client.test',
    sender: RITA,
    recipients: [ANNA],
    auth: { id: 0, login: 'rita@remote.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0 },
    tls: 'TLSv1.3 AES',
    at: 1_795_000_000_000,
  });
  assert.equal(Buffer.from(message.bytes!).toString('latin1'), MESSAGE.replaceAll('\n', '\r\n'));
});

const reply = { code: 554, enhanced: '5.7.1', text: '100% spam\nsee trace' };
const OUTCOMES: readonly (readonly [verdict: Partial<Verdict>, action: string, text: string | null])[] = [
  [{ action: 'reject', reply }, 'reject', '554 5.7.1 100% spam\nsee trace'],
  [{ action: 'reject' }, 'reject', '550 5.7.1 Message refused'],
  [{ action: 'defer', reply: { code: 450, enhanced: '4.7.1', text: 'later' } }, 'defer', '450 4.7.1 later'],
  [{ action: 'greylist' }, 'defer', '451 4.7.1 Please try again later'],
  [{ action: 'discard' }, 'discard', null],
  [{ action: 'quarantine', symbols: [{ name: 'ODD', score: 9, text: 'odd' }] }, 'quarantine', null],
  [{ action: 'addHeader' }, 'accept', null],
];
for (const [verdict, action, text] of OUTCOMES)
  test(`the verdict ${verdict.action} arrives as ${text ?? action}`, async (t) => {
    const ruling = await through(t, await face(t, () => ({ ...ACCEPT, ...verdict })));
    assert.equal(ruling.action, action);
    assert.equal(ruling.reply === null ? null : `${ruling.reply.code} ${ruling.reply.enhanced} ${ruling.reply.text}`, text);
    if (action === 'quarantine') assert.equal(ruling.reason, 'ODD');
  });

test('header edits arrive: forged results go, ours come on top', async (t) => {
  const edits: HeaderEdit[] = [
    { kind: 'change', name: 'Authentication-Results', nth: 1, value: '' },
    { kind: 'prepend', name: 'Authentication-Results', value: 'us.test;\r\n\tspf=pass' },
    { kind: 'append', name: 'X-Spam', value: 'no' },
  ];
  const ruling = await through(t, await face(t, () => ({ ...ACCEPT, edits })));
  assert.equal(ruling.header, 'Authentication-Results: us.test;\n\tspf=pass\nFrom: <rita@remote.test>\nSubject:  odd\n space\nX-Spam: no\n\n');
});

test('the edits a mail server is told have the effect that our own have', () => {
  const name = fc.constantFrom('A', 'B', 'C');
  const value = fc.constantFrom('x', 'y', ' z');
  const edit: fc.Arbitrary<HeaderEdit> = fc.oneof(
    fc.record({ kind: fc.constantFrom('prepend' as const, 'append' as const), name, value }),
    fc.record({ kind: fc.constant('insert' as const), index: fc.nat(6), name, value }),
    fc.record({ kind: fc.constant('change' as const), nth: fc.integer({ min: 1, max: 3 }), name, value: fc.constantFrom('', 'x', 'w') }),
  );
  fc.assert(
    fc.property(fc.array(name, { maxLength: 5 }), fc.array(edit, { maxLength: 6 }), (names, edits) => {
      const header = Buffer.from(`${names.map((one, index) => `${one}: ${index}\r\n`).join('')}\r\n`);
      const said = changes(
        edits,
        names.map((one) => one.toLowerCase()),
        { actions: ALL_ACTIONS, hasLeadingSpace: true },
      );
      // As a mail server does it: its own Received field is on top and counts when inserting.
      const received = 'Received';
      const toEdit = (change: (typeof said)[number]): HeaderEdit => {
        if (change.kind === 'addHeader') return { kind: 'append', name: change.name, value: change.value };
        if (change.kind === 'insertHeader') return { kind: 'insert', index: change.index, name: change.name, value: change.value };
        if (change.kind === 'changeHeader') return { kind: 'change', nth: change.index, name: change.name, value: change.value };
        return assert.fail(change.kind);
      };
      const server = applyEdits(Buffer.concat([Buffer.from(`${received}: 1\r\n`), header]), said.map(toEdit)).toString();
      // The name of a changed field keeps the spelling it had with us or with them: compare without case.
      assert.equal(server.replace(`${received}: 1\r\n`, '').toLowerCase(), applyEdits(header, edits).toString().toLowerCase());
    }),
    { seed: 3001, numRuns: 2000 },
  );
});

test('a mail server that lets us change nothing is told nothing to change', () => {
  assert.deepEqual(
    changes(
      [
        { kind: 'prepend', name: 'A', value: 'x' },
        { kind: 'change', name: 'B', nth: 1, value: '' },
      ],
      ['b'],
      { actions: 0, hasLeadingSpace: false },
    ),
    [],
  );
});

test('a long message is judged whole, from a file', async (t) => {
  const body = `${'0123456789'.repeat(7)}\n`.repeat(20_000);
  let judged = '';
  const faced = await face(t, async (input) => {
    assert.equal(input.message.bytes, null);
    const pieces: Uint8Array[] = [];
    for await (const piece of input.message.stream()) pieces.push(piece);
    judged = Buffer.concat(pieces).toString('latin1');
    assert.equal(input.message.size, judged.length);
    return ACCEPT;
  });
  await through(t, faced, `A: 1\n\n${body}`);
  assert.ok(judged === `A: 1\n\n${body}`.replaceAll('\n', '\r\n'));
});

test('a judge that fails, and a message too large to judge, mean "later" or pass, as the administrator wishes', async (t) => {
  const failing = () => Promise.reject(new Error('no'));
  const wishes = { ...defaultsOf(MILTER_FACE_SETTINGS), 'face.milterFailure': 'accept' as const };
  const strict = await face(t, failing);
  assert.equal((await through(t, strict)).action, 'defer');
  assert.ok(strict.log.includes('face.milter.unjudged'));
  assert.equal((await through(t, await face(t, failing, { settings: () => wishes }))).action, 'accept');
  const small = await face(t, () => ACCEPT, { settings: () => ({ ...wishes, 'face.milterFailure': 'tempfail', 'face.milterMessageBytesMax': 5 }) });
  assert.equal((await through(t, small)).action, 'defer');
  assert.equal(small.inputs.length, 0);
});

/** A mail server by hand. */
class Peer {
  readonly socket: Socket;
  readonly #reader = new PacketReader();
  readonly #answers: (MilterResponse | null)[] = [];
  #wake: (() => void) | null = null;
  isClosed = false;
  constructor(address: string) {
    this.socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) });
    this.socket.on('error', () => {}); // Being sent away is what some tests are about.
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake?.();
    });
    this.socket.on('data', (chunk) => {
      this.#reader.push(chunk as Buffer);
      for (let packet = this.#reader.next(); packet !== null; packet = this.#reader.next()) this.#answers.push(parseResponse(packet));
      this.#wake?.();
    });
  }
  say(...commands: MilterCommand[]): void {
    this.socket.write(Buffer.concat(commands.map(writeCommand)));
  }
  async answer(): Promise<MilterResponse | null> {
    while (this.#answers.length === 0) {
      if (this.isClosed) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#answers.shift()!;
  }
}
const offer = (version: number, actions: number, steps: number): MilterCommand => ({
  kind: 'negotiate',
  options: { version, actions, steps, macros: NO_MACRO_LISTS },
});

test('an old mail server that must be answered each time is answered each time', async (t) => {
  const faced = await face(t, () => ACCEPT);
  const peer = new Peer(faced.address);
  t.after(() => peer.socket.destroy());
  peer.say(offer(2, 0x3f, 0x7f));
  const negotiated = await peer.answer();
  assert.ok(negotiated?.kind === 'negotiate');
  assert.deepEqual([negotiated.options.version, negotiated.options.steps, negotiated.options.macros.size], [2, 0, 0]);
  for (const command of [
    { kind: 'connect', name: '[192.0.2.7]', peer: { family: 'inet6', port: 9, address: 'IPv6:2001:db8::7' } },
    { kind: 'helo', name: 'x' },
    { kind: 'mail', address: '<>', args: [] },
    { kind: 'rcpt', address: '<anna@us.test>', args: [] },
    { kind: 'header', name: 'Subject', value: 'no space' },
    { kind: 'endOfHeaders' },
    { kind: 'body', chunk: Buffer.from('x\r\n') },
    { kind: 'endOfMessage', chunk: Buffer.from('last\r\n') },
  ] satisfies MilterCommand[]) {
    peer.say(command);
    assert.deepEqual(await peer.answer(), { kind: 'continue' }, command.kind);
  }
  const input = faced.inputs[0]!;
  assert.deepEqual(input.client, { ip: '2001:db8::7', port: 9, name: null });
  assert.equal(input.sender, null);
  assert.equal(Buffer.from(input.message.bytes!).toString(), 'Subject: no space\r\n\r\nx\r\nlast\r\n');
});

test('an abandoned message leaves nothing for the next, whatever session it is in', async (t) => {
  const faced = await face(t, () => ACCEPT);
  const peer = new Peer(faced.address);
  t.after(() => peer.socket.destroy());
  peer.say(offer(6, ALL_ACTIONS, ALL_STEPS));
  await peer.answer();
  const start: MilterCommand[] = [
    { kind: 'mail', address: '<rita@remote.test>', args: [] },
    { kind: 'rcpt', address: '<anna@us.test>', args: [] },
    { kind: 'header', name: 'A', value: ' 1' },
  ];
  peer.say({ kind: 'connect', name: 'client.test', peer: { family: 'inet', port: 1, address: '192.0.2.20' } }, ...start, { kind: 'abort' });
  peer.say(...start, { kind: 'quitNewConnection' }, { kind: 'connect', name: 'x', peer: { family: 'unknown' } });
  peer.say(...start, { kind: 'endOfMessage', chunk: Buffer.alloc(0) });
  assert.deepEqual(await peer.answer(), { kind: 'continue' });
  assert.equal(faced.inputs.length, 1);
  assert.equal(faced.inputs[0]!.client, null);
  assert.equal(Buffer.from(faced.inputs[0]!.message.bytes!).toString(), 'A: 1\r\n\r\n');
  assert.deepEqual(faced.inputs[0]!.recipients, [ANNA]);
});

test('while the judge thinks, the mail server hears that we are alive', async (t) => {
  let clock = 0;
  const idle = new IdleSweeper(() => clock);
  t.after(() => idle.stop());
  let done = (_: Verdict): void => {};
  let asked = (): void => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const faced = await face(
    t,
    () => {
      asked();
      return new Promise<Verdict>((resolve) => {
        done = resolve;
      });
    },
    { idle },
  );
  const peer = new Peer(faced.address);
  t.after(() => peer.socket.destroy());
  peer.say(offer(6, ALL_ACTIONS, ALL_STEPS), { kind: 'endOfMessage', chunk: Buffer.alloc(0) });
  assert.equal((await peer.answer())?.kind, 'negotiate');
  await begun;
  clock = 10_001;
  idle.sweep();
  assert.deepEqual(await peer.answer(), { kind: 'progress' });
  done(ACCEPT);
  assert.deepEqual(await peer.answer(), { kind: 'continue' });
  clock += 3 * 3600_000;
  idle.sweep();
  assert.equal(await peer.answer(), null); // Silent for too long.
});

test('garbage, an unheard-of version and too many connections are sent away', async (t) => {
  const faced = await face(t, () => ACCEPT, { settings: () => ({ ...defaultsOf(MILTER_FACE_SETTINGS), 'face.milterConnectionsMax': 1 }) });
  const garbage = new Peer(faced.address);
  garbage.socket.write('GET / HTTP/1.0\r\n\r\n');
  assert.equal(await garbage.answer(), null);
  const ancient = new Peer(faced.address);
  ancient.say(offer(1, 0, 0));
  assert.equal(await ancient.answer(), null);
  const first = new Peer(faced.address);
  t.after(() => first.socket.destroy());
  first.say(offer(6, 0, STEP.noReplyBody));
  assert.equal((await first.answer())?.kind, 'negotiate');
  assert.equal(await new Peer(faced.address).answer(), null);
  assert.deepEqual(faced.log, ['face.milter.refused', 'face.milter.refused', 'face.milter.refused']);
});

test('any bytes at all end in an answer or an end, never in an exception', async (t) => {
  const faced = await face(t, () => ACCEPT);
  const letters = Object.values(COMMAND);
  const packets = fc.sample(fc.tuple(fc.constantFrom(...letters), fc.uint8Array({ maxLength: 30 })), { seed: 3002, numRuns: 300 });
  for (const [code, data] of packets) {
    const peer = new Peer(faced.address);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(data.length + 1, 0);
    head[4] = code;
    peer.socket.write(head);
    peer.socket.end(Buffer.from(data));
    while ((await peer.answer()) !== null);
  }
  assert.ok(!faced.log.includes('face.milter.failed'));
});

test('a unix socket is listened on, also where a crash left its file', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-face-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = `unix:${join(dir, 'milter.sock')}`;
  await face(t, () => ACCEPT, { listen: [path] });
  const second = await face(t, () => ACCEPT, { listen: [path] });
  assert.equal((await through(t, second)).action, 'accept');
  await assert.rejects(startMilterFace({ listen: ['127.0.0.1:0', 'nowhere'] } as unknown as MilterFaceOptions), /no address/);
});
