import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatAddress } from '../../mail/address.ts';
import { defaultsOf } from '../../system/declare.ts';
import { parseMailto } from './mailto.ts';
import { composeNotification, type NotificationInput, type NotifyAction } from './notification.ts';
import type { PlannedMail } from './plan.types.ts';
import { composeScriptReport, scriptReportMemory } from './script-report.ts';
import { REPLY_SETTINGS } from './settings.ts';
import { AT, factsOf, REPLIER } from './testing.ts';

describe('mailto URIs', () => {
  const good: readonly (readonly [uri: string, to: string, subject?: string, body?: string])[] = [
    ['mailto:chris@example.com', 'chris@example.com'],
    ['MAILTO:chris@example.com?Subject=current%20issue', 'chris@example.com', 'current issue'],
    ['mailto:infobot@example.com?body=send%20current%0D%0Asend%20index', 'infobot@example.com', undefined, 'send current\r\nsend index'],
    ['mailto:?to=joe@example.com&cc=bob@example.com&body=hello', 'joe@example.com bob@example.com', undefined, 'hello'],
    ['mailto:addr1@an.example,addr2@an.example', 'addr1@an.example addr2@an.example'],
    ['mailto:addr1@an.example%2C%20addr2@an.example', 'addr1@an.example addr2@an.example'],
    ['mailto:addr1@an.example?to=addr1@AN.example', 'addr1@an.example'],
    ['mailto:gorby%25kremvax@example.com', 'gorby%kremvax@example.com'],
    ['mailto:unlikely%3Faddress@example.com', 'unlikely?address@example.com'],
    ['mailto:%22not%40me%22@example.org', '"not@me"@example.org'],
    ['mailto:a+b@example.org', 'a+b@example.org'],
    ['mailto:user@example.org?subject=caf%C3%A9', 'user@example.org', 'café'],
  ];
  for (const [uri, to, subject = null, body = null] of good)
    test(uri, () => {
      const found = parseMailto(uri)!;
      assert.equal([...found.to, ...found.cc].map(formatAddress).join(' '), to);
      assert.equal(found.subject, subject);
      assert.equal(found.body, body);
    });
  for (const uri of [
    'http://example.com/',
    'mailto:',
    'mailto:?subject=x',
    'mailto:nobody',
    'mailto:a@b.example?x',
    'mailto:a@b.example?%zz=1',
    'mailto:a%FF@b.example',
    'mailto:a@b.example?a b=c',
    `mailto:${'a@b.example,'.repeat(2000)}`,
    `mailto:${Array.from({ length: 11 }, (_, i) => `a${i}@b.example`).join(',')}`,
  ])
    test(`invalid: ${uri.slice(0, 60)}`, () => assert.equal(parseMailto(uri), null));
  test('unsafe fields are passed over, none can be broken out of', () => {
    const found = parseMailto(
      'mailto:a@b.example?from=eve@x.example&received=x&auto-submitted=no&date=x&message-id=x&bcc=eve@x.example&keywords=a%0D%0ABcc:%20eve@x.example',
    )!;
    assert.deepEqual(found.fields, [['Keywords', 'a Bcc: eve@x.example']]);
    assert.deepEqual(found.to.map(formatAddress), ['a@b.example']);
  });
});

const action: NotifyAction = {
  kind: 'notify',
  origin: { file: 's', line: 1 },
  message: null,
  method: 'mailto:0123456789@sms.example.net?to=backup@example.com',
  from: null,
  importance: 2,
  options: [],
  text: 'From Knitting list: A new sweater',
  fcc: null,
};
const input: NotificationInput = {
  ...REPLIER,
  sender: { local: 'knitting-bounces', domain: 'example.com' },
  header: factsOf('Subject: [Knitting] A new sweater', 'Message-ID: <m1@example.com>', 'List-Id: <knitting.example.com>', 'Precedence: list'),
  notified: [],
  settings: defaultsOf(REPLY_SETTINGS),
};
function sent(over: Partial<NotifyAction> = {}, more: Partial<NotificationInput> = {}): PlannedMail {
  const plan = composeNotification({ ...action, ...over }, { ...input, ...more });
  assert.equal(plan.kind, 'send');
  return plan as PlannedMail;
}

test('a notification is composed as RFC 5436 section 2.7 says, also about list mail', () => {
  const mail = sent();
  const text = mail.bytes.toString();
  assert.ok(text.startsWith('Auto-Submitted: auto-notified; owner-email="anna@example.org"\r\n'), text);
  for (const line of [
    'From: <anna@example.org>',
    'To: 0123456789@sms.example.net, backup@example.com',
    'Subject: From Knitting list: A new sweater',
    'Message-ID: <reply1@mx.example.org>',
    'References: <m1@example.com>',
  ])
    assert.ok(text.includes(`${line}\r\n`), line);
  assert.deepEqual(mail.sender, REPLIER.owner);
  assert.deepEqual(mail.to.map(formatAddress), ['0123456789@sms.example.net', 'backup@example.com']);
});

test('the subject is :message, else that of the URI, else that of the message', () => {
  const method = 'mailto:a@b.example?subject=of%20the%20URI&body=B';
  assert.match(sent({ method }).bytes.toString(), /\r\nSubject: From Knitting/);
  assert.match(sent({ method, text: null }).bytes.toString(), /\r\nSubject: of the URI\r\n[\s\S]*\r\n\r\nB\r\n$/);
  assert.match(sent({ text: null }).bytes.toString(), /\r\nSubject: \[Knitting\] A new sweater\r\n/);
});

test('the null sender triggers a notification that has the null sender too', () => {
  assert.equal(sent({}, { sender: null }).sender, null);
});

test(':from is used for header and envelope where the owner may use it', () => {
  const mail = sent({ from: 'Anna <anna@example.net>' });
  assert.deepEqual(mail.sender, { local: 'anna', domain: 'example.net' });
  assert.match(mail.bytes.toString(), /\r\nFrom: Anna <anna@example.net>\r\n/);
  assert.deepEqual(sent({ from: 'eve@example.com' }).sender, REPLIER.owner);
});

test('importance shows in the fields that programs know', () => {
  assert.match(sent({ importance: 1 }).bytes.toString(), /\r\nImportance: high\r\n/);
  assert.doesNotMatch(sent().bytes.toString(), /Importance/);
});

test('no notification about automatic mail, none to a bad target, none twice to one address, none beyond the limit', () => {
  const plan = (over: Partial<NotifyAction>, more: Partial<NotificationInput> = {}): unknown =>
    composeNotification({ ...action, ...over }, { ...input, ...more });
  assert.deepEqual(plan({}, { header: factsOf('Auto-Submitted: auto-notified') }), { kind: 'skip', reason: 'automatic' });
  assert.deepEqual(plan({ method: 'xmpp:a@b.example' }), { kind: 'skip', reason: 'badTarget' });
  assert.deepEqual(plan({ method: 'mailto:a@b.example' }, { notified: ['a@b.example'] }), { kind: 'skip', reason: 'repeated' });
  assert.deepEqual(plan({}, { repliesToday: 500 }), { kind: 'skip', reason: 'limit' });
});

test('the owner of a failing script is told file, line and sentence, and once for each state', () => {
  const problem = { file: 'sieve:holiday', line: 7, text: 'there is no "fileinto" without require' };
  const mail = composeScriptReport(problem, { id: 'r1', at: AT, hostname: 'mx.example.org', to: REPLIER.owner, state: 5, keptIn: 'INBOX' });
  const text = mail.bytes.toString();
  assert.match(text, /sieve:holiday, line 7: there is no "fileinto" without require/);
  assert.match(text, /\r\nAuto-Submitted: auto-generated\r\n/);
  assert.equal(scriptReportMemory(problem, 5, AT).key, mail.memories[0]!.key);
  assert.notEqual(scriptReportMemory(problem, 6, AT).key, mail.memories[0]!.key);
});
