import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMailbox } from '../../mail/address.ts';
import { isAutomaticAddress, mayReply, mayReportRejection, type ReplyFacts, type ReplyRefusal } from './may-reply.ts';
import { factsOf } from './testing.ts';

const BOB = { local: 'bob', domain: 'example.com' };
const OWN = ['anna@example.org', 'Anna@Example.NET'];
function verdict(lines: readonly string[], over: Partial<ReplyFacts> = {}): ReplyRefusal | null {
  return mayReply({ sender: BOB, header: factsOf(...lines), ownAddresses: OWN, isSpam: false, mustBeAddressed: true, ...over });
}

test('a personal message is answered', () => {
  assert.equal(verdict(['Subject: hello', 'From: bob@example.com']), null);
});

test('the null sender is never answered (RFC 3834 section 2)', () => {
  assert.equal(verdict([], { sender: null }), 'nullSender');
});

describe('header fields that forbid an answer', () => {
  const rows: readonly (readonly [line: string, ReplyRefusal | null])[] = [
    ['Auto-Submitted: auto-replied', 'automatic'],
    ['Auto-Submitted: AUTO-GENERATED; x=y', 'automatic'],
    ['Auto-Submitted: (why) auto-notified; owner-email="a@b.example"', 'automatic'],
    ['Auto-Submitted: no', null],
    ['Auto-Submitted: No (a person wrote this)', null],
    ['List-Id: <news.example.com>', 'list'],
    ['list-help: <mailto:x@example.com>', 'list'],
    ['List-Subscribe: <mailto:x@example.com>', 'list'],
    ['List-Unsubscribe: <mailto:x@example.com>', 'list'],
    ['List-Post: NO', 'list'],
    ['List-Owner: <mailto:x@example.com>', 'list'],
    ['List-Archive: <https://example.com/>', 'list'],
    ['Mailing-List: contact x', 'list'],
    ['Precedence: bulk', 'bulk'],
    ['Precedence: Junk', 'bulk'],
    ['Precedence: list', 'bulk'],
    ['Precedence: first-class', null],
    ['X-Auto-Response-Suppress: OOF, DR', 'suppressed'],
    ['X-Auto-Response-Suppress: All', 'suppressed'],
    ['X-Auto-Response-Suppress: DR, NDR', null],
    ['X-Autoreply: yes', 'automatic'],
    ['X-Posthorn-Challenge: 1', 'automatic'],
    ['Content-Type: multipart/report; report-type=delivery-status', 'automatic'],
    ['Content-Type: multipart/mixed; boundary=x', null],
  ];
  for (const [line, expected] of rows) test(line, () => assert.equal(verdict([line]), expected));
});

describe('senders that are programs by their name', () => {
  const programs = [
    'MAILER-DAEMON@example.com',
    'mailer-daemon@example.com',
    'LISTSERV@example.com',
    'majordomo@example.com',
    'noreply@example.com',
    'no-reply+17@example.com',
    'owner-news@example.com',
    'news-request@example.com',
    'news-owner@example.com',
    'news-bounces@example.com',
    'news-bounces+anna=example.org@example.com',
    'bounce-17-anna=example.org@example.com',
    'bounces+17@example.com',
  ];
  for (const text of programs)
    test(text, () => {
      assert.equal(isAutomaticAddress(parseMailbox(text)!), true);
      assert.equal(verdict([], { sender: parseMailbox(text) }), 'automaticSender');
    });
  for (const text of [
    'postmaster@example.com',
    'ownership@example.com',
    'request@example.com',
    'bob@example.com',
    'SRS0=aaaaaa=bb=example.net=eve@example.com',
  ])
    test(`${text} is a person`, () => assert.equal(isAutomaticAddress(parseMailbox(text)!), false));
});

test('oneself is not answered, under any own address, with or without detail', () => {
  for (const text of ['anna@example.org', 'ANNA@example.net', 'anna+shop@example.org'])
    assert.equal(verdict([], { sender: parseMailbox(text) }), 'oneself', text);
  assert.equal(verdict([], { sender: parseMailbox('anna-b@example.org') }), null);
});

test('reply.never names addresses, domains and local parts', () => {
  for (const entry of ['bob@example.com', '@example.com', 'BOB@']) assert.equal(verdict([], { never: [entry] }), 'listedSender', entry);
  for (const entry of ['bo@', '@ample.com', 'rob@example.com']) assert.equal(verdict([], { never: [entry] }), null, entry);
});

test('spam is not answered', () => assert.equal(verdict([], { isSpam: true }), 'spam'));

describe('the message must name the recipient (RFC 5230 section 4.5)', () => {
  for (const name of ['To', 'Cc', 'Bcc', 'Resent-To', 'Resent-Cc', 'Resent-Bcc'])
    test(name, () => assert.equal(verdict(['To: other@example.com', `${name}: "Anna" <ANNA@Example.org>, x@example.com`]), null));
  test('nowhere: no answer', () => assert.equal(verdict(['To: list@example.com']), 'notAddressed'));
  test('in From only: no answer', () => assert.equal(verdict(['To: list@example.com', 'From: anna@example.org']), 'notAddressed'));
  test('with detail, and in a group', () => assert.equal(verdict(['To: friends: Anna <anna+club@example.org>, c@example.com;']), null));
  test('not asked for where it does not matter', () => assert.equal(verdict(['To: list@example.com'], { mustBeAddressed: false }), null));
});

test('a rejection is reported to persons and programs alike, but not to the null sender, about spam, or to a forged sender', () => {
  assert.equal(mayReportRejection(BOB, false, false), null);
  assert.equal(mayReportRejection(null, false, false), 'nullSender');
  assert.equal(mayReportRejection(BOB, true, false), 'spam');
  assert.equal(mayReportRejection(BOB, false, true), 'forged');
});

test('hostile headers neither throw nor take long', () => {
  const header = factsOf(
    'Auto-Submitted: (((((',
    `To: ${'<<a@,'.repeat(20_000)}`,
    `References: ${'<a@b> '.repeat(10_000)}`,
    `Subject: ${'=?utf-8?q?'.repeat(2000)}`,
    '\0: x',
    `X-Auto-Response-Suppress: ${', '.repeat(400)}`,
  );
  assert.ok(header.references.length <= 500);
  assert.ok((header.subject ?? '').length <= 500);
});
