/** Delivery status notifications as their senders asked for them (RFC 3461): success, never, full, delay; names kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { letter, type Sending, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { eventually } from './harness/wait.ts';
import { REMOTE, startDns, startRemote, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';
const BODY = 'The body of the message, which only comes back when asked for.';

function send(to: string, subject: string, more: Partial<Sending> = {}): Promise<string> {
  const message = letter({ from: 'anna@us.test', to, subject, body: BODY });
  return sendLetter({ port: 25, sender: 'anna@us.test', recipients: [to], message, ...more });
}
/** The report about a message with that subject in anna's inbox. */
function reportOf(imap: ImapClient, subject: string, action: string): Promise<string> {
  return eventually(`a report "${action}" about "${subject}"`, async () =>
    (await imap.messages()).find((text) => text.includes('multipart/report') && text.includes(subject) && new RegExp(`^Action: ${action}\r$`, 'm').test(text)),
  );
}
const reportsAbout = async (imap: ImapClient, subject: string): Promise<number> =>
  (await imap.messages()).filter((text) => text.includes('multipart/report') && text.includes(subject)).length;
/** The queue has tried everything there is and nothing is left. */
const queueIsEmpty = (server: Posthorn): Promise<unknown> =>
  eventually('the queue is empty', async () => JSON.parse(await server.admin('queue', 'list', '--json')).total === 0);

/** An smtpd of Postfix that waits for work takes one more connection with its old settings: asked until several in a row have the new ones. */
async function everyServerKnows(offersDsn: boolean): Promise<void> {
  for (let inARow = 0; inARow < 4; ) {
    const client = await LineClient.open(25, { host: REMOTE });
    await client.smtp(null, /^220/);
    const reply = await client.smtp('EHLO client.test', /^250/);
    await client.smtp('QUIT', /^221/);
    inARow = reply.includes('DSN') === offersDsn ? inARow + 1 : 0;
  }
}

test('reports as the sender asked for them', async (t) => {
  await startDns(t);
  const remote = await startRemote(t);
  const server = await startPosthorn(t, {
    config: { ...US_CONFIG, smtp: { relayFrom: ['127.0.0.1/32'] } },
    users: { 'anna@us.test': PASSWORD, 'bert@us.test': 'bert-password' },
    aliases: { 'team@us.test': ['bert@us.test', 'rita@remote.test'] },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);

  await t.test('NOTIFY=SUCCESS to a mailbox of ours is answered "delivered", with ENVID and ORCPT', async () => {
    await send('bert@us.test', 'local success', { mail: 'RET=HDRS ENVID=QQ+2B314159', rcpt: 'NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bert+2Blist@old.test' });
    const report = await reportOf(imap, 'local success', 'delivered');
    assert.match(report, /^Return-Path: <>\r$/m);
    assert.match(report, /^Original-Envelope-Id: QQ\+314159\r$/m);
    assert.match(report, /^Original-Recipient: rfc822; ?Bert\+list@old\.test\r$/m);
    assert.match(report, /^Final-Recipient: rfc822; ?bert@us\.test\r$/m);
    assert.match(report, /^Status: 2\.\d\.\d/m);
    assert.match(report, /^Reporting-MTA: dns; ?mx\.us\.test\r$/m);
    assert.doesNotMatch(report, new RegExp(BODY));
  });

  await t.test('NOTIFY=SUCCESS to a host that does DSN is passed on, and the answer is its own', async () => {
    await send('rita@remote.test', 'remote success', { mail: 'ENVID=abc', rcpt: 'NOTIFY=SUCCESS ORCPT=rfc822;rita@remote.test' });
    const report = await reportOf(imap, 'remote success', 'delivered');
    assert.match(report, /^Reporting-MTA: dns; ?mx\.remote\.test\r$/m);
    assert.match(report, /^Original-Envelope-Id: abc\r$/m);
    await queueIsEmpty(server);
    assert.equal(await reportsAbout(imap, 'remote success'), 1, 'one report, not ours too');
  });

  await t.test('NOTIFY=SUCCESS to a host that does not: we say "relayed"', async () => {
    remote.set({ smtpd_discard_ehlo_keywords: 'dsn' });
    await remote.reload();
    await everyServerKnows(false);
    // Another domain of that host: a connection kept from before would still know of DSN.
    await send('rob@fallback.test', 'relayed success', { rcpt: 'NOTIFY=SUCCESS' });
    const report = await reportOf(imap, 'relayed success', 'relayed');
    assert.match(report, /^Reporting-MTA: dns; ?mx\.us\.test\r$/m);
    assert.match(report, /^Final-Recipient: rfc822; ?rob@fallback\.test\r$/m);
    assert.match(report, /^Remote-MTA: dns; ?fallback\.test\r$/m);
    remote.set({ smtpd_discard_ehlo_keywords: '' });
    await remote.reload();
    await everyServerKnows(true);
  });

  await t.test('without NOTIFY nobody is told of success', async () => {
    await send('bert@us.test', 'untold');
    await send('rita@remote.test', 'untold');
    await eventually('it is there', () => remote.messages('rita').some((text) => text.includes('Subject: untold')));
    await queueIsEmpty(server);
    assert.equal(await reportsAbout(imap, 'untold'), 0);
  });

  await t.test('NOTIFY=NEVER: a failure is told to nobody, and the trace still knows', async () => {
    await send('nobody@remote.test', 'never told', { rcpt: 'NOTIFY=NEVER' });
    await eventually('the refusal is in the trace', async () => (await server.admin('trace', 'nobody@remote.test')).includes('550'));
    await queueIsEmpty(server);
    assert.equal(await reportsAbout(imap, 'never told'), 0);
  });
  await t.test('NOTIFY=SUCCESS alone is no wish to hear of failure', async () => {
    await send('nobody@remote.test', 'success only', { rcpt: 'NOTIFY=SUCCESS' });
    await queueIsEmpty(server);
    assert.equal(await reportsAbout(imap, 'success only'), 0);
  });

  await t.test('RET=FULL returns the message, RET=HDRS and no RET return its header', async () => {
    await send('nobody@remote.test', 'full return', { mail: 'RET=FULL', rcpt: 'NOTIFY=FAILURE' });
    const full = await reportOf(imap, 'full return', 'failed');
    assert.match(full, /^Content-Type: message\/rfc822\r$/m);
    assert.ok(full.includes(BODY));
    for (const [subject, mail] of [
      ['header return', 'RET=HDRS'],
      ['plain return', undefined],
    ] as const) {
      await send('nobody@remote.test', subject, { mail });
      const report = await reportOf(imap, subject, 'failed');
      assert.match(report, /^Content-Type: text\/rfc822-headers\r$/m);
      assert.match(report, new RegExp(`^Subject: ${subject}\r$`, 'm'));
      assert.ok(!report.includes(BODY), subject);
    }
  });

  await t.test('a list with members here and elsewhere: one report for what was delivered here', async () => {
    await send('team@us.test', 'to the team', { rcpt: 'NOTIFY=SUCCESS' });
    await eventually('a report of any kind', async () => (await reportsAbout(imap, 'to the team')) > 0);
    const reports = (await imap.messages()).filter((text) => text.includes('multipart/report') && text.includes('to the team'));
    for (const report of reports) assert.match(report, /^Action: (delivered|expanded|relayed)\r$/m);
  });
  await imap.logout();
});

test('a delayed message is announced once, and the failure at the end of its life', async (t) => {
  await startDns(t);
  const server = await startPosthorn(t, {
    config: {
      ...US_CONFIG,
      smtp: { relayFrom: ['127.0.0.1/32'] },
      queue: { retryMin: '1s', retryMax: '1s', delayWarning: '1s', lifetime: '6s' },
    },
    users: { 'anna@us.test': PASSWORD },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  await send('anyone@dead.test', 'slow');
  await send('other@dead.test', 'not told of delay', { rcpt: 'NOTIFY=FAILURE' });
  const warning = await reportOf(imap, 'slow', 'delayed');
  assert.match(warning, /^Status: 4\./m);
  assert.match(warning, /^Will-Retry-Until: /m);
  const failure = await reportOf(imap, 'slow', 'failed');
  assert.match(failure, /^Status: 5\.4\.7\r$/m);
  await reportOf(imap, 'not told of delay', 'failed');
  assert.equal(await reportsAbout(imap, 'slow'), 2, 'one warning and one failure');
  assert.equal(await reportsAbout(imap, 'not told of delay'), 1);
  await imap.logout();
});
