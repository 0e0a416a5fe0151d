import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestMessage } from '../../mail/digest.ts';
import { defaultsOf } from '../../system/declare.ts';
import type { PlannedMail } from './plan.types.ts';
import { composeRejection, refusalReply, type RejectAction, type RejectionInput } from './rejection.ts';
import { REPLY_SETTINGS } from './settings.ts';
import { AT, factsOf, REPLIER } from './testing.ts';

const action: RejectAction = { kind: 'reject', origin: { file: 's', line: 1 }, message: null, text: 'I am not taking mail from you.', variant: 'reject' };
const HEADER = Buffer.from('From: bob@example.com\r\nTo: anna@example.org\r\nSubject: birdseed\r\nMessage-ID: <m1@example.com>\r\n\r\n');
const input: RejectionInput = {
  ...REPLIER,
  sender: { local: 'bob', domain: 'example.com' },
  recipient: { local: 'anna', domain: 'example.org' },
  orcpt: 'rfc822;annie@example.org',
  envid: 'QQ1',
  arrivalAt: AT - 1000,
  header: factsOf('Subject: birdseed', 'Message-ID: <m1@example.com>'),
  headerBytes: HEADER,
  isSpam: false,
  isForged: false,
  settings: defaultsOf(REPLY_SETTINGS),
};
const sent = (over: Partial<RejectAction> = {}, more: Partial<RejectionInput> = {}): string => {
  const plan = composeRejection({ ...action, ...over }, { ...input, ...more });
  assert.equal(plan.kind, 'send');
  assert.equal((plan as PlannedMail).sender, null);
  return (plan as PlannedMail).bytes.toString();
};

test('reject makes an MDN with the disposition of RFC 5429 section 2.2.1', () => {
  const text = sent();
  assert.match(
    digestMessage(Buffer.from(text)).bodyStructure,
    /^\(\("text" "plain" .*\("message" "disposition-notification" .*\("text" "rfc822-headers" .*"report" \("report-type" "disposition-notification"/,
  );
  for (const line of [
    'Reporting-UA: mx.example.org; Posthorn',
    'Original-Recipient: rfc822; annie@example.org',
    'Final-Recipient: rfc822; anna@example.org',
    'Original-Message-ID: <m1@example.com>',
    'Disposition: automatic-action/MDN-sent-automatically; deleted',
    'Auto-Submitted: auto-replied (rejected)',
    'In-Reply-To: <m1@example.com>',
    'I am not taking mail from you.',
  ])
    assert.ok(text.includes(`${line}\r\n`), `${line}\n${text}`);
});

test('ereject makes a DSN with the action "failed" and the reason in words', () => {
  const text = sent({ variant: 'ereject', text: 'Grüße, nein' });
  assert.match(digestMessage(Buffer.from(text)).bodyStructure, /"message" "delivery-status".*"report-type" "delivery-status"/);
  for (const line of [
    'Reporting-MTA: dns; mx.example.org',
    'Original-Envelope-Id: QQ1',
    'Action: failed',
    'Status: 5.7.1',
    'Diagnostic-Code: X-Posthorn; 550 5.7.1 The message was refused by the',
  ])
    assert.ok(text.includes(`${line}\r\n`), `${line}\n${text}`);
  assert.match(text, /Gr=C3=BC=C3=9Fe, nein/);
});

test('no report goes to the null sender, about spam, to a forged sender, to oneself, or beyond the limit of the day', () => {
  const skipped = (over: Partial<RejectionInput>): unknown => composeRejection(action, { ...input, ...over });
  assert.deepEqual(skipped({ sender: null }), { kind: 'skip', reason: 'nullSender' });
  assert.deepEqual(skipped({ isSpam: true }), { kind: 'skip', reason: 'spam' });
  assert.deepEqual(skipped({ isForged: true }), { kind: 'skip', reason: 'forged' });
  assert.deepEqual(skipped({ sender: { local: 'anna', domain: 'example.org' } }), { kind: 'skip', reason: 'oneself' });
  assert.deepEqual(skipped({ repliesToday: 500 }), { kind: 'skip', reason: 'limit' });
});

test('what goes back is the header alone, bounded, or nothing', () => {
  assert.ok(sent().includes('\r\nSubject: birdseed\r\n'));
  const none = sent({}, { settings: { ...input.settings, 'reply.rejectedReport': 'none' } });
  assert.doesNotMatch(digestMessage(Buffer.from(none)).bodyStructure, /rfc822-headers/);
  const big = sent({}, { headerBytes: Buffer.from(`X: ${'y'.repeat(5000)}\n`.repeat(100)) });
  assert.ok(big.length < 80_000);
  assert.ok(big.split('\r\n').every((line) => line.length <= 998));
});

test('at the door: ASCII as it is, other texts of ereject replaced, of reject left for a report (RFC 5429 sections 2.1.1 and 2.2)', () => {
  const reply = (text: string, variant: RejectAction['variant'], code?: string): unknown =>
    refusalReply({ ...action, text, variant, ...(code === undefined ? {} : { code }) });
  assert.deepEqual(reply('No.', 'reject'), { code: 550, enhanced: '5.7.1', text: 'No.' });
  assert.deepEqual(reply('Two\r\nlines', 'ereject', '5.2.1'), { code: 550, enhanced: '5.2.1', text: 'Two lines' });
  assert.deepEqual(reply('Grüße', 'ereject'), { code: 550, enhanced: '5.7.1', text: 'The message was refused by the recipient' });
  assert.equal(reply('Grüße', 'reject'), null);
  assert.equal(reply('Two\nlines', 'reject'), null);
  assert.equal(reply('x'.repeat(500), 'reject'), null);
  assert.equal((reply('x'.repeat(500), 'ereject') as { text: string }).text.length, 400);
  assert.equal((reply('No.', 'ereject', '2.0.0') as { enhanced: string }).enhanced, '5.7.1');
});
