/** A short stress run with a fixed seed; `npm run stress -- --minutes 5 --clients 30` is the long one. First, that the model notices what is wrong. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { allAreTold, pageIsRight, savedIsRight } from './stress/actions-pages.ts';
import { Belief, type Memory, type Moment, type Slot } from './stress/belief.ts';
import { isKnownTo } from './stress/client.ts';
import { Context } from './stress/contexts.ts';
import { Register } from './stress/registers.ts';
import { runStress } from './stress/run.ts';
import { Truth } from './stress/truth.ts';
import { Violation } from './stress/violation.ts';
import { Wire } from './stress/wire.ts';

const QUIET: Moment = { mode: { isCondstore: true, isQresync: true }, reader: { connection: {}, since: performance.now() }, mayExpunge: true, isAsked: true };

/** A client of a mailbox with uids 2, 4 and 6, all known. */
function client(memory: Memory | null = null): { truth: Truth; belief: Belief } {
  const truth = new Truth();
  const belief = new Belief(truth, truth.mailbox('ann/INBOX'), false, memory);
  belief.exists(3);
  belief.highest(20);
  belief.uidValidity = 1;
  belief.opened(memory !== null);
  if (memory === null) for (const [i, uid] of [2, 4, 6].entries()) tell(belief, `${i + 1} FETCH (UID ${uid} FLAGS () MODSEQ (${uid}))`);
  belief.synchronised();
  belief.tagged(true);
  return { truth, belief };
}
function tell(belief: Belief, text: string, moment: Moment = QUIET): void {
  belief.fetch(Number(text.split(' ')[0]), text, text.indexOf('('), moment);
}
const breaks = (rule: RegExp, run: () => void): void =>
  assert.throws(run, (error) => error instanceof Violation && rule.test(error.rule), `no rule like ${rule} was broken`);

test('the model notices numbers that shrink, move or are not there', () => {
  const { belief } = client();
  breaks(/EXISTS never shrinks/, () => belief.exists(2));
  breaks(/FETCH has a number/, () => tell(belief, '4 FETCH (FLAGS ())'));
  breaks(/uid behind a sequence number stays/, () => tell(belief, '2 FETCH (UID 5 FLAGS ())'));
  belief.exists(4);
  breaks(/uids ascend/, () => tell(belief, '4 FETCH (UID 5 FLAGS ())'));
  breaks(/told as VANISHED/, () => belief.expunge(1, QUIET));
  breaks(/VANISHED never comes during/, () => belief.vanished('4', false, { ...QUIET, mayExpunge: false }));
  breaks(/EXPUNGE never comes during/, () => belief.expunge(1, { ...QUIET, mayExpunge: false, mode: { isCondstore: true, isQresync: false } }));
  breaks(/VANISHED names what the client has/, () => belief.vanished('5', false, QUIET));
  breaks(/only what was .Deleted/, () => belief.vanished('4', false, QUIET));
});

test('the model notices mod-sequences that go down, lie or come without a message', () => {
  const { belief } = client();
  breaks(/never goes down/, () => tell(belief, '3 FETCH (UID 6 MODSEQ (5))'));
  breaks(/one state of a message/, () => tell(belief, '3 FETCH (UID 6 FLAGS (work) MODSEQ (6))', { ...QUIET, mode: { isCondstore: true, isQresync: false } }));
  breaks(/told HIGHESTMODSEQ knows all/, () => tell(belief, '1 FETCH (UID 2 FLAGS (later) MODSEQ (19))'));
  breaks(/never 0/, () => belief.highest(0));
  breaks(/told with MODSEQ/, () => tell(belief, '1 FETCH (UID 2 FLAGS (later))', { ...QUIET, isAsked: false }));
});

test('the model notices a resynchronisation that leaves something out', () => {
  const { belief } = client();
  const memory = belief.memory([])!;
  assert.equal(memory.level, 20);
  const truth = new Truth();
  const again = new Belief(truth, truth.mailbox('ann/INBOX'), false, memory);
  again.exists(2);
  again.highest(30);
  breaks(/names all that is gone/, () => again.opened(true));
});

test('the model notices flags nobody set, messages that are lost, doubled, exchanged or come back', () => {
  const { truth, belief } = client();
  const { mailbox } = belief;
  truth.appended(mailbox, 8, 'a', ['work'], performance.now());
  const record = mailbox.message(8);
  const late = { connection: {}, since: performance.now() + 60_000 };
  truth.read(record, 'work', late);
  breaks(/flags told are flags/, () => truth.read(record, '\\Seen work', late));
  breaks(/flags told are flags/, () => truth.read(record, '', late));
  breaks(/one message for ever/, () => truth.content(record, 'b'));
  breaks(/new message has a new uid/, () => truth.appended(mailbox, 8, 'a', [], performance.now()));
  breaks(/never lost/, () => truth.audit(mailbox, new Map()));
  const present = new Map([2, 4, 6, 8].map((uid) => [uid, uid === 8 ? 'a' : `m${uid}`]));
  breaks(/nothing is doubled/, () => truth.audit(mailbox, present));
  for (const uid of [2, 4, 6]) mailbox.allow(`m${uid}`);
  truth.audit(mailbox, present);
  truth.write(record, '\\Deleted', 1, null);
  mailbox.beginExpunge(null);
  mailbox.gone(8);
  breaks(/does not come back/, () => truth.audit(mailbox, present));
});

test('the model notices a context that is told wrongly, or not', () => {
  const { belief } = client();
  const context = new Context('c1', true, 'SORT {} (ARRIVAL) UTF-8 SEEN', belief, [6, 2]);
  belief.contexts.set('c1', context);
  belief.contextUpdated('ESEARCH (TAG "c1") UID ADDTO (2 4)');
  assert.deepEqual(context.uids, [6, 4, 2]);
  belief.contextUpdated('ESEARCH (TAG "c1") UID REMOVEFROM (1 6 2 2) ADDTO (2 2,6)');
  assert.deepEqual(context.uids, [4, 2, 6]);
  breaks(/what was asked/, () => belief.contextUpdated('ESEARCH (TAG "c2") UID ADDTO (0 4)'));
  breaks(/what was asked/, () => belief.contextUpdated('ESEARCH (TAG "c1") ADDTO (1 2)'));
  breaks(/position in the result/, () => belief.contextUpdated('ESEARCH (TAG "c1") UID ADDTO (0 4)'));
  breaks(/not in the result/, () => belief.contextUpdated('ESEARCH (TAG "c1") UID ADDTO (1 4)'));
  breaks(/where it is/, () => belief.contextUpdated('ESEARCH (TAG "c1") UID REMOVEFROM (1 6)'));
  breaks(/that the client has/, () => belief.contextUpdated('ESEARCH (TAG "c1") UID ADDTO (1 9)'));
  belief.mailbox.message(4).moves = 1;
  breaks(/before a result is expunged/, () => belief.vanished('4', false, QUIET));
});

test('a context by numbers stands for messages, whatever their numbers become; CANCELUPDATE ends what it must follow', () => {
  const { belief } = client();
  const context = new Context('c1', false, 'SEARCH {} SEEN', belief, [1, 3]);
  belief.contexts.set('c1', context);
  belief.mailbox.message(4).moves = 1;
  belief.vanished('4', false, QUIET);
  belief.contextUpdated('ESEARCH (TAG "c1") REMOVEFROM (0 2)');
  assert.deepEqual(context.uids, [2]);
  context.isLost = true;
  belief.mailbox.message(2).moves = 1;
  belief.vanished('2', false, QUIET);
});

test('the model notices messages left out of FETCH, of a page and of "$", and such as do not belong there', () => {
  const { belief } = client();
  const [a, b, c] = belief.slots as [Slot, Slot, Slot];
  const set = (...slots: Slot[]): Set<Slot> => new Set(slots);
  pageIsRight(belief, [a, b, c], [b, c], set(b, c), '');
  for (const told of [set(b), set(a, b), set(a, b, c)]) breaks(/PARTIAL/, () => pageIsRight(belief, [a, b, c], [b, c], told, ''));
  savedIsRight(belief, [a, c], set(a, c), '');
  for (const told of [set(a), set(a, b, c)]) breaks(/"\$" stands/, () => savedIsRight(belief, [a, c], told, ''));
  allAreTold(belief, [a, b], set(a, b, c), '');
  breaks(/each message that was asked for/, () => allAreTold(belief, [a, b], set(a), ''));
  // What somebody may have removed may be missing.
  belief.mailbox.message(b.uid).moves = 1;
  allAreTold(belief, [a, b], set(a), '');
  savedIsRight(belief, [a, b], set(a), '');
  pageIsRight(belief, [a, b, c], [b, c], set(a, c), '');
});

test('the model notices annotations and rights that nobody wrote, or that were replaced', () => {
  const register = new Register('INBOX /private/comment');
  const first = register.begin('a');
  register.read(null, performance.now());
  register.read('a', performance.now());
  register.end(first, true);
  const later = performance.now() + 60_000;
  register.read('a', later);
  breaks(/written and not replaced/, () => register.read(null, later));
  breaks(/written and not replaced/, () => register.read('b', later));
  const refused = register.begin('b');
  register.end(refused, false);
  breaks(/written and not replaced/, () => register.read('b', later));
  // Whether it was carried out nobody knows.
  register.end(register.begin('c'), null);
  register.read('a', later);
  register.read('c', later);
});

test('the model notices replaced messages that stay, and parts that are missing in what was put together', () => {
  const { truth, belief } = client();
  const { mailbox } = belief;
  truth.appended(mailbox, 8, 'old', [], performance.now());
  truth.join('new', mailbox.message(8), true);
  truth.text('new', 'Begin new\r\nBegin old\r\nEnd old\r\n\r\nEnd new\r\n');
  breaks(/has its parts/, () => truth.text('new', 'Begin new\r\nBegin old\r\n\r\nEnd new\r\n'));
  breaks(/has its parts/, () => truth.text('new', 'Begin new\r\nEnd new\r\n'));
  mailbox.message(8).isTaken = true;
  breaks(/moved or replaced is gone/, () => truth.audit(mailbox, new Map([[8, 'old']])));
});

test('the model notices that NOTIFY told of less than there is', () => {
  const there = { uids: [2, 4], uidNext: 7, flags: new Map(), modseqs: new Map() };
  assert.equal(isKnownTo({ messages: 2, uidNext: 7 }, there), true);
  assert.equal(isKnownTo({ messages: 2, uidNext: 6 }, there), false);
  assert.equal(isKnownTo({ messages: 3, uidNext: 7 }, there), false);
  // Nothing was told, and nothing needed to be.
  assert.equal(isKnownTo(null, there), true);
});

test('a connection that compresses: what comes is read, and what cannot be read is noticed', async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  const heard = Promise.withResolvers<string>();
  const broken = Promise.withResolvers<Violation>();
  const accepted = once(server, 'connection');
  const events = { response: heard.resolve, broken: broken.resolve, closed: () => {} };
  const wire = await Wire.open({ port: (server.address() as AddressInfo).port, isTls: false }, events);
  t.after(() => wire!.cut());
  await accepted;
  wire!.compress();
  const [socket] = sockets as [Socket];
  socket.write(deflateRawSync('* OK compressed\r\n', { finishFlush: constants.Z_SYNC_FLUSH }));
  assert.equal(await heard.promise, '* OK compressed');
  wire!.send('c1 NOOP\r\n');
  const [sent] = (await once(socket, 'data')) as [Buffer];
  assert.equal(String(inflateRawSync(sent, { finishFlush: constants.Z_SYNC_FLUSH })), 'c1 NOOP\r\n');
  socket.write(Buffer.alloc(50, 0xff));
  assert.match((await broken.promise).rule, /compressed can be read/);
});

test('a report says what the client was told of the message, the resynchronisation before included', () => {
  const { truth, belief } = client();
  for (let i = 0; i < 12; i += 1) tell(belief, `2 FETCH (UID 4 FLAGS (later) MODSEQ (${30 + i}))`);
  belief.assume(belief.slots[1]!, 'later work', 'STORE', false);
  const story = belief.story(4);
  assert.equal(story.length, 10);
  assert.match(story.at(-1)!, /\(later work\) 41: worked out from STORE/);
  const again = new Belief(truth, truth.mailbox('ann/INBOX'), false, belief.memory([]));
  assert.deepEqual(again.story(4), story);
});

test('twenty clients, deliveries and a kill: every response is as it must be', async (t) => {
  const { violation, ...counts } = await runStress(t, { seconds: 20, clients: 20, seed: 20_261_120, kills: 1, say: (text) => t.diagnostic(text) });
  t.diagnostic(JSON.stringify(counts));
  assert.equal(violation, null);
  assert.ok(counts.actions > 200 && counts.resynchronised > 10, 'clients did much less than they should');
});
