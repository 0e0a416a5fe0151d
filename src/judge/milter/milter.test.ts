import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { applyEdits } from '../../mail/edit.ts';
import { bodyOf } from '../../mail/edited-message.ts';
import { IdleSweeper } from '../../net/idle.ts';
import { ACTION, STEP } from '../../wire/milter/codes.ts';
import type { MilterCommand } from '../../wire/milter/command.ts';
import type { Options } from '../../wire/milter/negotiate.ts';
import type { MilterResponse } from '../../wire/milter/response.ts';
import type { MilterRuling } from './ruling.ts';
import type { MilterSession } from './session.ts';
import { chainOf, CONTINUE_ALL, FACTS, type Logged, messageOfText, type Script, type ScriptedMilter, scriptedMilter } from './testing.ts';

const MESSAGE = 'From: <rita@remote.test>\nSubject:  odd\n space\nX-A: 1\n\nHello.\nWorld.\n';
const RITA = { local: 'rita', domain: 'remote.test' };
const ANNA = { local: 'anna', domain: 'us.test' };
const ALL_NO_REPLY =
  STEP.noReplyConnect |
  STEP.noReplyHelo |
  STEP.noReplyMail |
  STEP.noReplyRcpt |
  STEP.noReplyData |
  STEP.noReplyHeader |
  STEP.noReplyEndOfHeaders |
  STEP.noReplyBody;

async function milter(t: TestContext, options: Partial<Options> = {}, script: Script = CONTINUE_ALL): Promise<ScriptedMilter> {
  const scripted = await scriptedMilter(options, script);
  t.after(() => scripted.close());
  return scripted;
}
/** "Continue" to all but the commands of that kind. */
const answering =
  (kind: MilterCommand['kind'], ...responses: MilterResponse[]): Script =>
  (command, socket) =>
    command.kind === kind ? responses : CONTINUE_ALL(command, socket);
const at = ({ port }: ScriptedMilter, more = ''): string => `inet:127.0.0.1:${port} name=m${port} ${more}`;

const bodyChunks = ({ seen }: ScriptedMilter): Buffer[] => seen.flatMap((command) => (command.kind === 'body' ? [command.chunk] : []));

async function deliver(session: MilterSession, text = MESSAGE): Promise<MilterRuling> {
  assert.equal(await session.mail(RITA, ['SIZE=100', 'BODY=8BITMIME']), null);
  assert.equal(await session.rcpt(ANNA), null);
  assert.equal(await session.data(), null);
  return session.endOfMessage(messageOfText(text));
}
async function whole(t: TestContext, milters: readonly string[], text = MESSAGE, log: Logged[] = []): Promise<MilterRuling> {
  const chain = chainOf(milters, { log });
  const session = chain.begin(FACTS);
  t.after(() => {
    session.close();
    chain.close();
  });
  assert.equal(await session.connect(), null);
  assert.equal(await session.helo('client.test'), null);
  return deliver(session, text);
}
const edited = (ruling: MilterRuling, text = MESSAGE): string =>
  applyEdits(messageOfText(text).header, ruling.edits).toString('latin1').replaceAll('\r\n', '\n');

test('without milters nothing is done and nothing is waited for', () => {
  const chain = chainOf([]);
  assert.ok(chain.isEmpty);
  const session = chain.begin(FACTS);
  assert.equal(session, chain.begin(FACTS));
  assert.equal(session.isActive, false);
  assert.equal(session.connect(), null);
  assert.equal(session.mail(null), null);
  assert.equal((session.endOfMessage(messageOfText(MESSAGE)) as MilterRuling).action, 'accept');
});

test('a milter hears the whole session in order, with the macros of each stage', async (t) => {
  const one = await milter(t, { steps: STEP.leadingSpace });
  assert.equal((await whole(t, [at(one)])).action, 'accept');
  const { macros } = one.seen.find((command) => command.kind === 'macro') as Extract<MilterCommand, { kind: 'macro' }>;
  assert.deepEqual(Object.fromEntries(macros), {
    j: 'mx.us.test',
    '{daemon_name}': 'mx.us.test',
    '{daemon_addr}': '192.0.2.1',
    '{daemon_port}': '25',
    v: 'Posthorn 9.9',
    _: 'client.test [192.0.2.20]',
    '{client_addr}': '192.0.2.20',
    '{client_name}': 'client.test',
    '{client_port}': '4000',
    '{client_ptr}': 'client.test',
    '{client_connections}': '1',
  });
  assert.deepEqual(
    one.seen.filter((command) => command.kind !== 'macro' && command.kind !== 'negotiate'),
    [
      { kind: 'connect', name: 'client.test', peer: { family: 'inet', port: 4000, address: '192.0.2.20' } },
      { kind: 'helo', name: 'client.test' },
      { kind: 'mail', address: '<rita@remote.test>', args: ['SIZE=100', 'BODY=8BITMIME'] },
      { kind: 'rcpt', address: '<anna@us.test>', args: [] },
      { kind: 'data' },
      { kind: 'header', name: 'From', value: ' <rita@remote.test>' },
      { kind: 'header', name: 'Subject', value: '  odd\n space' },
      { kind: 'header', name: 'X-A', value: ' 1' },
      { kind: 'endOfHeaders' },
      { kind: 'body', chunk: Buffer.from('Hello.\r\nWorld.\r\n') },
      { kind: 'endOfMessage', chunk: Buffer.alloc(0) },
    ],
  );
});

test('white space before a value is only sent to milters that ask for it', async (t) => {
  const one = await milter(t);
  await whole(t, [at(one)]);
  assert.deepEqual(
    one.seen.filter((command) => command.kind === 'header').map((command) => command.value),
    ['<rita@remote.test>', 'odd\n space', '1'],
  );
});

test('a milter that wants nothing before the end is not waited for', async (t) => {
  const one = await milter(t, { steps: ALL_NO_REPLY }, (command) =>
    command.kind === 'negotiate' || command.kind === 'endOfMessage' ? [{ kind: 'continue' }] : [],
  );
  const chain = chainOf([at(one)]);
  const session = chain.begin(FACTS);
  t.after(() => session.close());
  assert.equal(await session.connect(), null);
  assert.equal(session.helo('client.test'), null);
  assert.equal(session.mail(RITA), null);
  assert.equal(session.rcpt(ANNA), null);
  assert.equal(session.data(), null);
  assert.equal((await session.endOfMessage(messageOfText(MESSAGE))).action, 'accept');
  assert.deepEqual(
    one.seen.map((command) => command.kind).filter((kind) => kind !== 'macro'),
    ['negotiate', 'connect', 'helo', 'mail', 'rcpt', 'data', 'header', 'header', 'header', 'endOfHeaders', 'body', 'endOfMessage'],
  );
});

test('steps that a milter does not want are not sent', async (t) => {
  const steps = STEP.noConnect | STEP.noHelo | STEP.noMail | STEP.noRcpt | STEP.noData | STEP.noHeaders | STEP.noEndOfHeaders | STEP.noBody;
  const one = await milter(t, { steps });
  assert.equal((await whole(t, [at(one)])).action, 'accept');
  assert.deepEqual(
    one.seen.filter((command) => command.kind !== 'macro').map((command) => command.kind),
    ['negotiate', 'endOfMessage'],
  );
});

test('an old milter of version 2 is spoken to in its own way', async (t) => {
  const one = await milter(t, { version: 2, actions: ACTION.addHeaders, steps: STEP.noHelo });
  assert.equal((await whole(t, [at(one)])).action, 'accept');
  assert.ok(!one.seen.some((command) => command.kind === 'data' || command.kind === 'helo'));
});

test('the macros a milter asked for are sent instead of ours', async (t) => {
  const one = await milter(t, {
    macros: new Map([
      ['connect', ['{client_addr}', 'unheard-of']],
      ['mail', []],
    ]),
  });
  await whole(t, [at(one)]);
  const macros = one.seen.filter((command) => command.kind === 'macro');
  assert.deepEqual(macros[0], { kind: 'macro', command: 67, macros: [['{client_addr}', '192.0.2.20']] });
  assert.ok(!macros.some((command) => command.command === 77));
});

const CHANGES: MilterResponse[] = [
  { kind: 'addHeader', name: 'X-Add', value: 'a\n\tb' },
  { kind: 'insertHeader', index: 0, name: 'X-Top', value: 'top' },
  { kind: 'insertHeader', index: 2, name: 'X-Below', value: 'below the first that was shown' },
  { kind: 'changeHeader', index: 1, name: 'subject', value: 'new' },
  { kind: 'changeHeader', index: 1, name: 'X-A', value: '' },
  { kind: 'replaceBody', chunk: Buffer.from('New ') },
  { kind: 'replaceBody', chunk: Buffer.from('body.\r\n') },
  { kind: 'changeSender', address: '<new@remote.test>', args: 'RET=HDRS' },
  { kind: 'addRecipient', address: 'carl@us.test', args: null },
  { kind: 'addRecipient', address: '<dora@us.test>', args: 'NOTIFY=NEVER' },
  { kind: 'addRecipient', address: 'postmaster', args: null },
  { kind: 'deleteRecipient', address: '<anna@us.test>' },
  { kind: 'addRecipient', address: 'not an address', args: null },
  { kind: 'progress' },
  { kind: 'accept' },
];
const CHANGED = 'X-Top: top\nX-Below: below the first that was shown\nFrom: <rita@remote.test>\nsubject: new\nX-Add: a\n\tb\n\n';

test('every modification arrives', async (t) => {
  const one = await milter(t, {}, answering('endOfMessage', ...CHANGES));
  const log: Logged[] = [];
  const ruling = await whole(t, [at(one)], MESSAGE, log);
  assert.equal(ruling.action, 'accept');
  assert.equal(edited(ruling), CHANGED);
  assert.equal(ruling.body?.bytes?.toString(), 'New body.\r\n');
  assert.deepEqual(ruling.sender, { address: { local: 'new', domain: 'remote.test' }, args: 'RET=HDRS' });
  assert.deepEqual(ruling.addedRecipients, [
    { address: { local: 'carl', domain: 'us.test' }, args: null },
    { address: { local: 'dora', domain: 'us.test' }, args: 'NOTIFY=NEVER' },
    { address: { local: 'postmaster', domain: 'us.test' }, args: null },
  ]);
  assert.deepEqual(ruling.removedRecipients, [ANNA]);
  assert.deepEqual(
    log.map(({ event, fields }) => [event, fields['address']]),
    [['milter.badAddress', 'not an address']],
  );
});

test('each milter sees what those before it changed', async (t) => {
  const first = await milter(t, {}, answering('endOfMessage', ...CHANGES));
  const second = await milter(
    t,
    { steps: STEP.leadingSpace },
    answering('endOfMessage', { kind: 'insertHeader', index: 1, name: 'X-Second', value: ' two' }, { kind: 'continue' }),
  );
  const ruling = await whole(t, [at(first), at(second)]);
  assert.deepEqual(
    second.seen.filter((command) => command.kind === 'header').map((command) => `${command.name}:${command.value}`),
    ['X-Top: top', 'X-Below: below the first that was shown', 'From: <rita@remote.test>', 'subject: new', 'X-Add: a\n\tb'],
  );
  assert.deepEqual(bodyChunks(second).map(String), ['New body.\r\n']);
  // X-Top stands above the Received field, which is number 1 by now.
  assert.equal(edited(ruling), CHANGED.replace('X-Below', 'X-Second: two\nX-Below'));
});

const DECISIONS: readonly (readonly [MilterCommand['kind'], MilterResponse, string])[] = [
  ['mail', { kind: 'reject' }, 'mail 550 5.7.1'],
  ['mail', { kind: 'tempfail' }, 'mail 451 4.7.1'],
  ['mail', { kind: 'connectionFail' }, 'mail 421 4.7.0'],
  ['mail', { kind: 'shutdown' }, 'mail 421 4.7.0'],
  ['mail', { kind: 'reply', text: '553 5.1.8 no, 100%% no' }, 'mail 553 5.1.8 no, 100% no'],
  ['rcpt', { kind: 'reply', text: '450 4.2.1 later' }, 'rcpt 450 4.2.1 later'],
  ['data', { kind: 'reject' }, 'data 550 5.7.1'],
  ['header', { kind: 'reject' }, 'end reject 550 5.7.1'],
  ['endOfHeaders', { kind: 'tempfail' }, 'end defer 451 4.7.1'],
  ['body', { kind: 'reject' }, 'end reject 550 5.7.1'],
  ['body', { kind: 'discard' }, 'end discard'],
  ['rcpt', { kind: 'discard' }, 'end discard'],
  ['mail', { kind: 'accept' }, 'end accept'],
  ['connect', { kind: 'accept' }, 'end accept'],
  ['header', { kind: 'accept' }, 'end accept'],
  ['endOfMessage', { kind: 'reply', text: '554 5.6.0 line one\r\n554 5.6.0 line two' }, 'end reject 554 5.6.0 line one\nline two'],
  ['endOfMessage', { kind: 'discard' }, 'end discard'],
  // What has no place where it is said, or is no refusal: the milter is broken, and its default action says "later".
  ['mail', { kind: 'reply', text: '250 fine' }, 'mail 451 4.7.1'],
  ['helo', { kind: 'quarantine', reason: 'x' }, 'helo 451 4.7.1'],
  ['endOfMessage', { kind: 'reply', text: 'what' }, 'end defer 451 4.7.1'],
];
for (const [step, response, outcome] of DECISIONS)
  test(`"${response.kind}" at ${step}: ${outcome.replace('\n', ' / ')}`, async (t) => {
    const one = await milter(t, {}, answering(step, response));
    const two = await milter(t);
    const chain = chainOf([at(one), at(two)]);
    const session = chain.begin(FACTS);
    t.after(() => session.close());
    const said = async (): Promise<string> => {
      for (const [name, result] of [
        ['connect', () => session.connect()],
        ['helo', () => session.helo('client.test')],
        ['mail', () => session.mail(RITA)],
        ['rcpt', () => session.rcpt(ANNA)],
        ['data', () => session.data()],
      ] as const) {
        const reply = await result();
        if (reply !== null) return `${name} ${reply.code} ${reply.enhanced} ${reply.text}`;
      }
      const ruling = await session.endOfMessage(messageOfText(MESSAGE));
      return `end ${ruling.action}${ruling.reply === null ? '' : ` ${ruling.reply.code} ${ruling.reply.enhanced} ${ruling.reply.text}`}`;
    };
    const text = await said();
    assert.ok(text.startsWith(outcome), text);
    // A decisive answer is not asked for again by the next milter; an acceptance is one milter's own.
    assert.equal(
      two.seen.some((command) => command.kind === 'endOfMessage'),
      text === 'end accept',
    );
  });

test('a refusal at connect is repeated at MAIL, and nobody is asked again', async (t) => {
  const one = await milter(t, {}, answering('connect', { kind: 'reply', text: '554 5.7.1 not you' }));
  const session = chainOf([at(one)]).begin(FACTS);
  t.after(() => session.close());
  const refusal = { code: 554, enhanced: '5.7.1', text: 'not you' };
  assert.deepEqual(await session.connect(), refusal);
  assert.deepEqual(await session.helo('client.test'), refusal);
  assert.deepEqual(await session.mail(RITA), refusal);
  assert.equal((await session.endOfMessage(messageOfText(MESSAGE))).action, 'accept');
});

test('a milter that says skip gets the end, not the rest of the body', async (t) => {
  const one = await milter(t, { steps: STEP.skip }, answering('body', { kind: 'skip' }));
  const ruling = await whole(t, [at(one)], `A: 1\n\n${'x'.repeat(70)}\n`.repeat(1).concat(`${'y'.repeat(70)}\n`.repeat(4000)));
  assert.equal(ruling.action, 'accept');
  assert.equal(one.seen.filter((command) => command.kind === 'body').length, 1);
  assert.equal(one.seen.filter((command) => command.kind === 'endOfMessage').length, 1);
});

test('a quarantine holds the message when nobody refuses it', async (t) => {
  const one = await milter(t, {}, answering('endOfMessage', { kind: 'quarantine', reason: 'odd' }, { kind: 'continue' }));
  const ruling = await whole(t, [at(one), at(await milter(t))]);
  assert.deepEqual([ruling.action, ruling.reason, ruling.milter], ['quarantine', 'odd', `m${one.port}`]);
  const refused = await whole(t, [at(one), at(await milter(t, {}, answering('endOfMessage', { kind: 'reject' })))]);
  assert.equal(refused.action, 'reject');
});

test('several messages go through one session, and an abandoned one is aborted', async (t) => {
  const one = await milter(t);
  const session = chainOf([at(one)]).begin(FACTS);
  t.after(() => session.close());
  await session.connect();
  await session.helo('client.test');
  assert.equal((await deliver(session)).action, 'accept');
  await session.mail(RITA);
  session.abort();
  await session.mail(null);
  assert.equal((await deliver(session)).action, 'accept');
  assert.deepEqual(
    one.seen.map((command) => command.kind).filter((kind) => kind === 'mail' || kind === 'abort' || kind === 'endOfMessage'),
    ['mail', 'endOfMessage', 'mail', 'abort', 'mail', 'abort', 'mail', 'endOfMessage'],
  );
  assert.equal(one.connections(), 1);
});

test('a recipient that was refused elsewhere is told to the milter that wants to know', async (t) => {
  const one = await milter(t, { steps: STEP.rejectedRcpt });
  const session = chainOf([at(one)]).begin(FACTS);
  t.after(() => session.close());
  await session.connect();
  await session.mail(RITA);
  await session.rejectedRcpt({ local: 'nobody', domain: 'us.test' }, { code: 550, enhanced: '5.1.1', text: 'No such user' });
  assert.deepEqual(one.seen.at(-2), {
    kind: 'macro',
    command: 82,
    macros: [
      ['i', 'q1'],
      ['{rcpt_addr}', 'No such user'],
      ['{rcpt_host}', '5.1.1'],
      ['{rcpt_mailer}', 'error'],
    ],
  });
});

for (const [action, outcome] of [
  ['tempfail', 'defer 451'],
  ['reject', 'reject 550'],
  ['shutdown', 'defer 421'],
  ['accept', 'accept '],
  ['quarantine', 'quarantine '],
] as const)
  test(`a milter that dies in the middle of a message: default=${action} means ${outcome}`, async (t) => {
    const one = await milter(t, {}, (command, socket) => {
      if (command.kind !== 'endOfMessage') return CONTINUE_ALL(command, socket);
      // Half of its work is done; none of it may be kept.
      socket.end(Buffer.from([0, 0, 0, 6, 0x68, 0x58, 0, 0x79, 0, 0, 0]));
      return [];
    });
    const log: Logged[] = [];
    const ruling = await whole(t, [at(one, `default=${action}`)], MESSAGE, log);
    assert.equal(`${ruling.action} ${ruling.reply?.code ?? ''}`, outcome);
    assert.deepEqual(ruling.edits, []);
    assert.equal(log[0]!.event, 'milter.failed');
  });

test('a milter that nobody listens for: refused at every step, or passed over', async (t) => {
  const gone = await milter(t);
  await gone.close();
  const session = chainOf([at(gone)]).begin(FACTS);
  assert.equal((await session.connect())?.code, 451);
  assert.equal((await session.mail(RITA))?.code, 451);
  const open = chainOf([at(gone, 'default=accept')]).begin(FACTS);
  assert.equal(await open.connect(), null);
  assert.equal((await deliver(open)).action, 'accept');
});

test('a milter that does not answer in time is given up', async (t) => {
  let clock = 0;
  const idle = new IdleSweeper(() => clock);
  t.after(() => idle.stop());
  let asked = (): void => {};
  const silent = await milter(t, {}, (command, socket) => {
    if (command.kind !== 'mail') return CONTINUE_ALL(command, socket);
    asked();
    return [];
  });
  const log: Logged[] = [];
  const session = chainOf([at(silent, 'command-timeout=7s')], { idle, log }).begin(FACTS);
  await session.connect();
  const heard = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const result = session.mail(RITA);
  await heard;
  clock = 6999;
  idle.sweep();
  assert.equal(log.length, 0);
  clock = 7001;
  idle.sweep();
  assert.equal((await result)?.code, 451);
  assert.equal(log[0]!.fields['code'], 'timeout');
});

test('a milter of another protocol is given up at the negotiation', async (t) => {
  for (const wrong of [{ version: 7 }, { version: 1 }, { actions: 0x1000 }] as const) {
    const log: Logged[] = [];
    const session = chainOf([at(await milter(t, wrong))], { log }).begin(FACTS);
    assert.equal((await session.connect())?.code, 451);
    assert.equal(log[0]!.fields['code'], 'protocol');
  }
});

test('too many changes, or too large a body, break the milter and not the server', async (t) => {
  const many = Array.from({ length: 1001 }, () => ({ kind: 'addHeader' as const, name: 'X', value: 'y' }));
  assert.equal((await whole(t, [at(await milter(t, {}, answering('endOfMessage', ...many, { kind: 'accept' })))])).action, 'defer');
  const long = Array.from({ length: 200 }, () => ({ kind: 'addHeader' as const, name: 'X', value: 'y'.repeat(10_000) }));
  assert.equal((await whole(t, [at(await milter(t, {}, answering('endOfMessage', ...long, { kind: 'accept' })))])).action, 'defer');
  const body = Array.from({ length: 20 }, () => ({ kind: 'replaceBody' as const, chunk: Buffer.alloc(65_000, 'z') }));
  const chain = chainOf([at(await milter(t, {}, answering('endOfMessage', ...body, { kind: 'accept' })))], {
    settings: { 'milter.bodyBytesMax': 1024 * 1024 },
  });
  const session = chain.begin(FACTS);
  t.after(() => session.close());
  await session.connect();
  assert.equal((await deliver(session)).action, 'defer');
});

test('a long replaced body is held in a file and read as often as wanted', async (t) => {
  const chunks = Array.from({ length: 10 }, (_, index) => ({ kind: 'replaceBody' as const, chunk: Buffer.alloc(65_000, 65 + index) }));
  const first = await milter(t, {}, answering('endOfMessage', ...chunks, { kind: 'accept' }));
  const second = await milter(t, { steps: STEP.noReplyBody }, (command, socket) => (command.kind === 'body' ? [] : CONTINUE_ALL(command, socket)));
  const ruling = await whole(t, [at(first), at(second)]);
  assert.equal(ruling.body!.size, 650_000);
  assert.equal(ruling.body!.bytes, null);
  const expected = Buffer.concat(chunks.map(({ chunk }) => chunk));
  for (let again = 0; again < 2; again += 1) {
    const pieces: Uint8Array[] = [];
    for await (const piece of ruling.body!.stream()) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).equals(expected));
  }
  assert.ok(Buffer.concat(bodyChunks(second)).equals(expected));
});

test('a replaced body gets CRLF wherever a line ends, however it is cut', async (t) => {
  const body = 'a\nb\r\n\n\r\nc\rd\n';
  for (let cut = 0; cut <= body.length; cut += 1) {
    const chunks = [body.slice(0, cut), body.slice(cut)].map((text) => ({ kind: 'replaceBody' as const, chunk: Buffer.from(text) }));
    const ruling = await whole(t, [at(await milter(t, {}, answering('endOfMessage', ...chunks, { kind: 'accept' })))]);
    assert.equal(ruling.body!.bytes!.toString(), 'a\r\nb\r\n\r\n\r\nc\rd\r\n', `cut at ${cut}`);
  }
});

test('a streamed message is sent without its header, in chunks that a milter can take', async (t) => {
  const one = await milter(t);
  const small = messageOfText(MESSAGE);
  const body = Buffer.alloc(200_000, 'b');
  const view = {
    ...small,
    bytes: null,
    size: small.header.length + body.length,
    async *stream() {
      const all = Buffer.concat([small.header, body]);
      for (let from = 0; from < all.length; from += 65_536) yield all.subarray(from, from + 65_536);
    },
  };
  const session = chainOf([at(one)]).begin(FACTS);
  t.after(() => session.close());
  await session.connect();
  await session.mail(RITA);
  assert.equal((await session.endOfMessage(view)).action, 'accept');
  const chunks = bodyChunks(one);
  assert.ok(Buffer.concat(chunks).equals(body));
  assert.ok(chunks.every((chunk) => chunk.length <= 65_535));
  const parts: Uint8Array[] = [];
  for await (const part of bodyOf(view)) parts.push(part);
  assert.ok(Buffer.concat(parts).equals(body));
});

test('with reuse=yes one connection serves session after session', async (t) => {
  const one = await milter(t);
  const chain = chainOf([at(one, 'reuse=yes')]);
  for (let round = 0; round < 3; round += 1) {
    const session = chain.begin(FACTS);
    assert.equal(await session.connect(), null);
    assert.equal((await deliver(session)).action, 'accept');
    session.close();
  }
  chain.close();
  assert.equal(one.connections(), 1);
  assert.equal(one.seen.filter((command) => command.kind === 'quitNewConnection').length, 2);
});

test('a rested connection that turns out to be dead is replaced, and the milter hears everything again', async (t) => {
  let isSecond = false;
  const one = await milter(t, { steps: STEP.noReplyConnect | STEP.noReplyHelo }, (command, socket) => {
    if (command.kind === 'connect' || command.kind === 'helo') return [];
    if (isSecond && command.kind === 'mail') {
      isSecond = false;
      return 'close';
    }
    return CONTINUE_ALL(command, socket);
  });
  const chain = chainOf([at(one, 'reuse=yes')]);
  const first = chain.begin(FACTS);
  await first.connect();
  await deliver(first);
  first.close();
  isSecond = true;
  const second = chain.begin(FACTS);
  t.after(() => chain.close());
  assert.equal(second.connect(), null);
  assert.equal(second.helo('client.test'), null);
  assert.equal((await deliver(second)).action, 'accept');
  second.close();
  assert.equal(one.connections(), 2);
  const kinds = one.seen.map((command) => command.kind).filter((kind) => kind === 'connect' || kind === 'helo' || kind === 'mail');
  assert.deepEqual(kinds.slice(-6), ['connect', 'helo', 'mail', 'connect', 'helo', 'mail']);
});

test('steps begun before the last one was answered are asked in their order', async (t) => {
  const one = await milter(t);
  const session = chainOf([at(one)]).begin(FACTS);
  t.after(() => session.close());
  const results = [session.connect(), session.helo('client.test'), session.mail(RITA), session.rcpt(ANNA), session.data()];
  assert.deepEqual(await Promise.all(results), [null, null, null, null, null]);
  assert.deepEqual(
    one.seen.map((command) => command.kind).filter((kind) => kind !== 'macro'),
    ['negotiate', 'connect', 'helo', 'mail', 'rcpt', 'data'],
  );
});

test('closing while a milter is asked lets the one who waits go on', async (t) => {
  const one = await milter(t, {}, (command, socket) => (command.kind === 'mail' ? [] : CONTINUE_ALL(command, socket)));
  const log: Logged[] = [];
  const session = chainOf([at(one)], { log }).begin(FACTS);
  await session.connect();
  const waiting = session.mail(RITA);
  session.close();
  assert.equal(await waiting, null);
  assert.deepEqual(log, []);
});
