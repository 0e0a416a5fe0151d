import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ALL_ACTIONS, ALL_STEPS, COMMAND, MACRO_STAGES, STEP } from './codes.ts';
import { type MilterCommand, parseCommand, writeCommand } from './command.ts';
import { NO_MACRO_LISTS, stepsOf } from './negotiate.ts';
import { type Packet, PacketReader, packet } from './packet.ts';
import { formatReplyText, parseReplyText } from './reply-text.ts';
import { type MilterResponse, parseResponse, writeResponse } from './response.ts';

/** With Object.prototype, as parsed values have. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record<T>(model, { noNullPrototype: true });
const byteText = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 40 });
const word = fc.string({ unit: fc.constantFrom(...'abc{}_-j'), minLength: 1, maxLength: 8 });
const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const options = record({
  version: u32,
  actions: u32,
  steps: u32,
  macros: fc.array(fc.tuple(fc.constantFrom(...MACRO_STAGES), fc.array(word, { maxLength: 4 })), { maxLength: 4 }).map((pairs) => new Map(pairs)),
});
const peer = fc.oneof(
  record({ family: fc.constantFrom('inet' as const, 'inet6' as const), port: fc.integer({ min: 0, max: 65535 }), address: byteText }),
  record({ family: fc.constant('unix' as const), path: byteText }),
  record({ family: fc.constant('unknown' as const) }),
);
const command: fc.Arbitrary<MilterCommand> = fc.oneof(
  record({ kind: fc.constant('negotiate' as const), options }),
  record({
    kind: fc.constant('macro' as const),
    command: fc.constantFrom(...Object.values(COMMAND)),
    macros: fc.array(fc.tuple(word, byteText), { maxLength: 5 }),
  }),
  record({ kind: fc.constant('connect' as const), name: byteText, peer }),
  record({ kind: fc.constant('helo' as const), name: byteText }),
  record({ kind: fc.constantFrom('mail' as const, 'rcpt' as const), address: byteText, args: fc.array(word, { maxLength: 3 }) }),
  record({ kind: fc.constant('header' as const), name: word, value: byteText }),
  record({ kind: fc.constantFrom('body' as const, 'endOfMessage' as const), chunk: bytes }),
  record({ kind: fc.constant('unknown' as const), line: byteText }),
  record({ kind: fc.constantFrom('data' as const, 'endOfHeaders' as const, 'abort' as const, 'quit' as const, 'quitNewConnection' as const) }),
);
const response: fc.Arbitrary<MilterResponse> = fc.oneof(
  record({ kind: fc.constant('negotiate' as const), options }),
  record({ kind: fc.constant('reply' as const), text: byteText }),
  record({ kind: fc.constant('addHeader' as const), name: word, value: byteText }),
  record({ kind: fc.constantFrom('insertHeader' as const, 'changeHeader' as const), index: u32, name: word, value: byteText }),
  record({ kind: fc.constant('replaceBody' as const), chunk: bytes }),
  record({ kind: fc.constantFrom('changeSender' as const, 'addRecipient' as const), address: byteText, args: fc.option(byteText) }),
  record({ kind: fc.constant('deleteRecipient' as const), address: byteText }),
  record({ kind: fc.constant('quarantine' as const), reason: byteText }),
  record({
    kind: fc.constantFrom(
      'continue' as const,
      'accept' as const,
      'reject' as const,
      'tempfail' as const,
      'discard' as const,
      'skip' as const,
      'progress' as const,
      'connectionFail' as const,
      'shutdown' as const,
    ),
  }),
);

/** Feeds `wire` in pieces of at most `step` bytes. */
function read(wire: Buffer, step: number): { packets: Packet[]; failure: string | null } {
  const reader = new PacketReader();
  const packets: Packet[] = [];
  for (let at = 0; at < wire.length; at += step) {
    reader.push(Buffer.from(wire.subarray(at, at + step)));
    for (let next = reader.next(); next !== null; next = reader.next()) packets.push(next);
  }
  return { packets, failure: reader.failure };
}

test('commands come back as they were written, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(command, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (commands, step) => {
      const { packets, failure } = read(Buffer.concat(commands.map(writeCommand)), step);
      assert.equal(failure, null);
      assert.deepEqual(packets.map(parseCommand), commands);
    }),
    { seed: 1101, numRuns: 400 },
  );
});

test('responses come back as they were written, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(response, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 50 }), (responses, step) => {
      const { packets, failure } = read(Buffer.concat(responses.map(writeResponse)), step);
      assert.equal(failure, null);
      assert.deepEqual(packets.map(parseResponse), responses);
    }),
    { seed: 1102, numRuns: 400 },
  );
});

test('any bytes at all are read without an exception', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (code, garbage, step) => {
      const data = Buffer.from(garbage);
      parseCommand({ code, data });
      parseResponse({ code, data });
      parseReplyText(data.toString('latin1'));
      read(data, step);
      const { packets } = read(packet(code, data), step);
      assert.deepEqual(packets, [{ code, data }]);
    }),
    { seed: 1103, numRuns: 1000 },
  );
});

test('every letter with every short payload is a value or null', () => {
  for (let code = 0; code < 256; code += 1)
    for (const data of [[], [0], [0, 0], [1], [0, 0, 0, 0], [0, 0, 0, 0, 0], [65, 0, 52], [65, 0, 52, 0, 1]]) {
      const one = { code, data: Buffer.from(data) };
      assert.notEqual(parseCommand(one), undefined);
      assert.notEqual(parseResponse(one), undefined);
    }
});

test('a length of nothing or of too much ends the reading with a sentence', () => {
  assert.match(read(Buffer.from([0, 0, 0, 0, 1, 2]), 3).failure!, /without a code/);
  assert.match(read(Buffer.from([0x7f, 0, 0, 0, 1, 2]), 1).failure!, /more than/);
  assert.match(read(Buffer.from([0x7f, 0, 0, 0, 1, 2]), 6).failure!, /more than/);
});

test('a NUL in a text cannot make two texts of one', () => {
  const wire = writeCommand({ kind: 'header', name: 'Subject', value: 'a\0b' });
  assert.deepEqual(parseCommand(read(wire, 99).packets[0]!), { kind: 'header', name: 'Subject', value: 'a b' });
});

test('an old milter is not sent what its version does not know', () => {
  const old = stepsOf({ version: 2, actions: ALL_ACTIONS, steps: ALL_STEPS & 0x7f, macros: NO_MACRO_LISTS });
  assert.ok(old & STEP.noData && old & STEP.noUnknown);
  assert.equal(stepsOf({ version: 2, actions: 0, steps: STEP.skip, macros: NO_MACRO_LISTS }) & STEP.skip, 0);
});

const REPLIES: readonly (readonly [raw: string, code: number | null, enhanced?: string, text?: string])[] = [
  ['550 5.7.1 go away', 550, '5.7.1', 'go away'],
  ['451 4.7.0 later\r\n', 451, '4.7.0', 'later'],
  ['550-5.7.1 one\r\n550 5.7.1 two', 550, '5.7.1', 'one\ntwo'],
  ['550 no enhanced', 550, '5.7.1', 'no enhanced'],
  ['450', 450, '4.7.1', 'Command rejected'],
  ['550 5.7.1 100%% sure', 550, '5.7.1', '100% sure'],
  ['550 4.7.1 wrong class', 550, '5.7.1', '4.7.1 wrong class'],
  ['250 2.0.0 fine', null],
  ['5500 no', null],
  ['', null],
  ['550x', null],
];
for (const [raw, code, enhanced, text] of REPLIES)
  test(`the custom reply ${JSON.stringify(raw)} is ${code === null ? 'refused' : `read as ${code} ${enhanced}`}`, () => {
    assert.deepEqual(parseReplyText(raw), code === null ? null : { code, enhanced, text });
  });

test('a reply written as text is read back', () => {
  const reply = { code: 554, enhanced: '5.7.1', text: '50% of it\nwas née bad' };
  assert.deepEqual(parseReplyText(formatReplyText(reply)), reply);
});
