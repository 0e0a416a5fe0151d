/** The model of the stress run (`npm run stress`) notices what is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Belief, type Memory, type Moment } from './stress/belief.ts';
import { Truth } from './stress/truth.ts';
import { Violation } from './stress/violation.ts';

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
