import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { digestMessage } from '../../mail/digest.ts';
import { defaultsOf } from '../../system/declare.ts';
import type { PlannedMail } from './plan.types.ts';
import { REPLY_SETTINGS } from './settings.ts';
import { AT, factsOf, REPLIER } from './testing.ts';
import { planVacation, type VacationAction, type VacationInput } from './vacation.ts';

const settings = defaultsOf(REPLY_SETTINGS);
const action: VacationAction = {
  kind: 'vacation',
  origin: { file: 'sieve:v', line: 2 },
  message: null,
  subject: null,
  from: null,
  addresses: [],
  handle: 'h',
  isMime: false,
  text: 'I am away.\nBack soon.',
  periodSeconds: 7 * 86_400,
  fcc: null,
};
const BOB = { local: 'bob', domain: 'example.com' };
const input: VacationInput = {
  ...REPLIER,
  sender: BOB,
  recipient: { local: 'anna', domain: 'example.org' },
  header: factsOf(
    'From: Bob <bob@example.com>',
    'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= and more',
    'Message-ID: <m1@example.com>',
    'References: <r1@example.com> <r2@example.com>',
  ),
  isSpam: false,
  settings,
};
const never = (): boolean => false;
function send(over: Partial<VacationAction> = {}, more: Partial<VacationInput> = {}): PlannedMail {
  const plan = planVacation({ ...action, ...over }, { ...input, ...more }, never);
  assert.equal(plan.kind, 'send');
  return plan as PlannedMail;
}
const textOf = (mail: PlannedMail): string => mail.bytes.toString('utf8');

test('the notice goes to the envelope sender with the null sender and is remembered', () => {
  const mail = send();
  assert.deepEqual(mail.to, [BOB]);
  assert.equal(mail.sender, null);
  assert.equal(mail.memories[0]!.kind, 'vacation');
  assert.equal(mail.memories[0]!.until, AT + 7 * 86_400_000);
  assert.ok(mail.memories[0]!.key.length <= 255);
  assert.deepEqual(mail.memories[1]!.kind, 'reply');
});

test('its header is what RFC 5230 section 5 asks for', () => {
  const text = textOf(send());
  for (const line of [
    'Date: Fri, 02 Jan 2026 03:04:05 +0000',
    'From: <anna@example.org>',
    'To: bob@example.com',
    'Message-ID: <reply1@mx.example.org>',
    'In-Reply-To: <m1@example.com>',
    'References: <r1@example.com> <r2@example.com> <m1@example.com>',
    'Auto-Submitted: auto-replied (vacation)',
    'Content-Type: text/plain; charset=us-ascii',
  ])
    assert.ok(text.includes(`${line}\r\n`), `${line}\n${text}`);
  assert.match(text, /\r\nSubject: Auto: =\?utf-8\?B\?R3LDvMOfZQ==\?= and more\r\n/);
  assert.ok(text.endsWith('\r\n\r\nI am away.\r\nBack soon.\r\n'));
});

test('without a subject there is a fixed one, without a Message-ID no thread', () => {
  const text = textOf(send({}, { header: factsOf('From: bob@example.com') }));
  assert.ok(text.includes('\r\nSubject: Automated reply\r\n'));
  assert.doesNotMatch(text, /In-Reply-To|References/);
});

test(':subject is encoded if and only if it has other than ASCII', () => {
  assert.ok(textOf(send({ subject: 'Away' })).includes('\r\nSubject: Away\r\n'));
  assert.match(textOf(send({ subject: 'Bin später da' })), /\r\nSubject: Bin =\?utf-8\?Q\?sp=C3=A4ter\?= da\r\n/i);
  assert.doesNotMatch(textOf(send({ subject: 'x\r\nBcc: eve@example.com' })), /\nBcc/);
});

test(':from counts where the owner may write as that address, and is passed over elsewhere', () => {
  assert.ok(textOf(send({ from: '"Anna A." <anna@example.net>' })).includes('\r\nFrom: "Anna A." <anna@example.net>\r\n'));
  assert.ok(textOf(send({ from: 'boss@example.com' })).includes('\r\nFrom: <anna@example.org>\r\n'));
  assert.ok(textOf(send({ from: 'not an address' })).includes('\r\nFrom: <anna@example.org>\r\n'));
  assert.ok(textOf(send({ from: 'team@example.org' }, { maySendAs: ({ local }) => local === 'team' })).includes('\r\nFrom: <team@example.org>\r\n'));
});

test('text in other than ASCII travels as UTF-8 in quoted-printable, and no line is too long', () => {
  const text = textOf(send({ text: `Grüße\n${'x'.repeat(5000)}` }));
  assert.match(text, /charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n/);
  assert.ok(text.split('\r\n').every((line) => line.length <= 998));
  assert.doesNotMatch(text, /[^\x00-\x7f]/);
});

describe(':mime', () => {
  test('gives its Content fields and body, and no other field', () => {
    const entity =
      'Content-Type: multipart/alternative;\n boundary=foo\nBcc: eve@example.com\nSubject: evil\n\n--foo\n\ntext\n--foo\nContent-Type: text/html\n\n<b>x</b>\n--foo--\n';
    const mail = send({ isMime: true, text: entity });
    const text = textOf(mail);
    assert.doesNotMatch(text, /Bcc|evil/);
    assert.match(digestMessage(mail.bytes).bodyStructure, /^\(\("text" "plain" .*\("text" "html" .*"alternative"/);
    assert.equal((text.match(/^MIME-Version/gim) ?? []).length, 1);
  });
  test('with raw UTF-8 in a text part is encoded', () => {
    const text = textOf(send({ isMime: true, text: 'Content-Type: text/html; charset=utf-8\n\n<p>Grüße</p>' }));
    assert.match(text, /Content-Type: text\/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>Gr=C3=BC=C3=9Fe<\/p>\r\n$/);
  });
  test('with 8-bit inside a multipart is declared 8bit', () => {
    assert.match(
      textOf(send({ isMime: true, text: 'Content-Type: multipart/mixed; boundary=b\n\n--b\n\nGrüße\n--b--\n' })),
      /boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n/,
    );
  });
  test('without any field is plain text', () => {
    assert.match(
      textOf(send({ isMime: true, text: 'just text, no header' })),
      /Content-Type: text\/plain; charset=us-ascii\r\n.*\r\n\r\njust text, no header\r\n$/s,
    );
  });
});

test('nobody is told twice in the period; another handle or sender is another matter', () => {
  const first = send();
  const remembered = (key: string): boolean => key === first.memories[0]!.key;
  assert.deepEqual(planVacation(action, input, remembered), { kind: 'skip', reason: 'repeated' });
  assert.equal(planVacation({ ...action, handle: 'other' }, input, remembered).kind, 'send');
  assert.equal(planVacation(action, { ...input, sender: { local: 'eve', domain: 'example.com' } }, remembered).kind, 'send');
  // RFC 5230 section 4.2: the same string in another place is another response.
  assert.notEqual(
    send({ handle: 'ab' }, { sender: { local: 'c', domain: 'd.example' } }).memories[0]!.key,
    send({ handle: 'a' }, { sender: { local: 'bc', domain: 'd.example' } }).memories[0]!.key,
  );
});

test('the period is the one that the engine asks for', () => {
  assert.equal(send({ periodSeconds: 3600 }).memories[0]!.until, AT + 3_600_000);
});

test('an account has a limit for the day', () => {
  assert.deepEqual(planVacation(action, { ...input, repliesToday: 500 }, never), { kind: 'skip', reason: 'limit' });
});

test(':addresses are one’s own too, in both directions', () => {
  const header = factsOf('To: tjs@example.edu');
  assert.deepEqual(planVacation(action, { ...input, header }, never), { kind: 'skip', reason: 'notAddressed' });
  assert.equal(planVacation({ ...action, addresses: ['TJS@example.edu'] }, { ...input, header }, never).kind, 'send');
  assert.deepEqual(planVacation({ ...action, addresses: ['bob@example.com'] }, input, never), { kind: 'skip', reason: 'oneself' });
});

test('a notice is never answered by another one: two accounts with vacation exchange one each at most', () => {
  const notice = send();
  const header = digestHeader(notice);
  const back = planVacation(action, { ...input, sender: null, header }, never);
  assert.equal(back.kind, 'skip');
  // Even where somebody put a sender on it.
  assert.deepEqual(planVacation(action, { ...input, sender: BOB, header }, never), { kind: 'skip', reason: 'automatic' });
});
function digestHeader(mail: PlannedMail): VacationInput['header'] {
  return factsOf(...mail.bytes.toString('latin1').split('\r\n\r\n', 1)[0]!.split('\r\n'));
}
