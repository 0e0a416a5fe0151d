/** Our milter client and the milters of Debian: OpenDKIM, OpenDMARC, Rspamd, MIMEDefang. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { type TestContext, test } from 'node:test';
import { createMilters } from '../src/judge/milter/chain.ts';
import type { MilterFacts } from '../src/judge/milter/facts.ts';
import type { MilterRuling } from '../src/judge/milter/ruling.ts';
import type { MilterSession } from '../src/judge/milter/session.ts';
import { MILTER_SETTINGS } from '../src/judge/milter/settings.ts';
import { bodyOf, editedMessage, messageInMemory } from '../src/mail/edited-message.ts';
import type { MessageView } from '../src/ports.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { tempDir } from './harness/temp.ts';
import { startMimedefang } from './peers/mimedefang.ts';
import { startNsd } from './peers/nsd.ts';
import { makeDkimKey, startOpendkim } from './peers/opendkim.ts';
import { startOpendmarc } from './peers/opendmarc.ts';
import { RSPAMD_PORT, startRspamd } from './peers/rspamd.ts';
import { CLIENT, US } from './peers/small-internet.ts';

ownNetwork();

const FACTS: MilterFacts = {
  session: 'session',
  client: { ip: CLIENT, port: 4000, name: 'client.test' },
  clientPtr: 'client.test',
  clientConnections: 1,
  localAddress: US,
  localPort: 25,
  helo: 'client.test',
  protocol: 'ESMTP',
  tls: null,
  auth: null,
  queueId: 'queueid1',
};
const RITA = { local: 'rita', domain: 'remote.test' };
const ANNA = { local: 'anna', domain: 'us.test' };

function viewOf(text: string): MessageView {
  const bytes = Buffer.from(text, 'latin1');
  return messageInMemory(bytes, bytes.indexOf('\r\n\r\n') + 4);
}
const message = (subject: string, more: { headers?: Record<string, string>; body?: string } = {}): string =>
  letter({ from: 'rita@remote.test', to: 'anna@us.test', subject, ...more });

interface Outcome extends MilterRuling {
  /** The message after all changes. */
  readonly text: string;
}
async function textOf(view: MessageView): Promise<string> {
  const pieces: Uint8Array[] = [Buffer.from(view.header)];
  for await (const piece of bodyOf(view)) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}

/** Sends messages through these milters, in one session unless `sessions` says otherwise; every step before the end must pass. */
async function send(t: TestContext, milters: readonly string[], texts: readonly string[], sessions = 1): Promise<Outcome[]> {
  const warnings: unknown[] = [];
  const chain = createMilters(
    { ...defaultsOf(MILTER_SETTINGS), 'milter.milters': milters, 'milter.rcptMacros': 'i b r j _ v Z {rcpt_addr} {rcpt_host} {rcpt_mailer}' },
    {
      log: { debug() {}, info() {}, warn: (event, fields) => warnings.push([event, fields]), error: (event, fields) => warnings.push([event, fields]) },
      metrics: { count() {}, gauge() {} },
      hostname: 'mx.us.test',
      domain: 'us.test',
      version: '1.0',
      tempDir: tmpdir(),
    },
  );
  t.after(() => chain.close());
  const outcomes: Outcome[] = [];
  for (let round = 0; round < sessions; round += 1) {
    const session: MilterSession = chain.begin(FACTS);
    assert.equal(await session.connect(), null);
    assert.equal(await session.helo('client.test'), null);
    for (const text of texts) {
      assert.equal(await session.mail(RITA, ['SIZE=1000']), null);
      assert.equal(await session.rcpt(ANNA), null);
      assert.equal(await session.data(), null);
      const view = viewOf(text);
      const ruling = await session.endOfMessage(view);
      outcomes.push({ ...ruling, text: await textOf(editedMessage(view, ruling.edits, ruling.body)) });
    }
    session.close();
  }
  assert.deepEqual(warnings, []);
  return outcomes;
}

test('OpenDKIM signs and verifies, OpenDMARC believes it', async (t) => {
  const key = await makeDkimKey(t, 'remote.test', 'sel');
  await startNsd(t, {
    'test.': `${key.record}\nremote IN A 192.0.2.2\nremote IN TXT "v=spf1 -all"\n_dmarc.remote IN TXT "v=DMARC1; p=reject"\nclient IN A ${CLIENT}`,
  });
  const signer = await startOpendkim(t, { mode: 's', key });
  const verifier = await startOpendkim(t, { mode: 'v', key });
  const dmarc = await startOpendmarc(t, { authservId: 'opendkim.test' });
  const odd = message('signed', { headers: { 'X-Odd': '  two spaces\r\n\tand a fold ' }, body: `${'line\n'.repeat(40_000)}\n\n` });
  const [signed, again] = await send(t, [`unix:${signer} name=opendkim`], [odd, odd]);

  await t.test('the signature is put on top, and nothing else is touched', () => {
    assert.ok(signed!.text.startsWith('DKIM-Signature: v=1;'), signed!.text.slice(0, 200));
    assert.ok(signed!.text.endsWith(odd));
    assert.ok(again!.text.endsWith(odd));
  });

  await t.test('its own verifier finds the signature good, and OpenDMARC in the same chain sees that', async () => {
    const [verified] = await send(t, [`unix:${verifier}`, `unix:${dmarc}`], [signed!.text]);
    assert.equal(verified!.action, 'accept');
    const results = verified!.text.split('\r\n').filter((line) => line.startsWith('Authentication-Results:'));
    assert.equal(results.length, 3);
    assert.match(verified!.text, /Authentication-Results: opendmarc\.test; dmarc=pass \(p=reject/);
    assert.match(verified!.text, /Authentication-Results: opendkim\.test;\r\n\tdkim=pass/);
    assert.ok(verified!.text.endsWith(signed!.text));
  });

  await t.test('one changed byte, and OpenDMARC refuses by the policy', async () => {
    const [verified] = await send(t, [`unix:${verifier}`, `unix:${dmarc} name=opendmarc`], [signed!.text.replace('Subject: signed', 'Subject: forged')]);
    assert.equal(verified!.action, 'reject');
    assert.equal(verified!.milter, 'opendmarc');
    assert.deepEqual(verified!.reply, { code: 550, enhanced: '5.7.1', text: 'rejected by DMARC policy for remote.test' });
  });

  await t.test('simple canonicalization survives: white space reaches the milter as it is', async () => {
    const simple = await startOpendkim(t, { mode: 's', key, config: { Canonicalization: 'simple/simple' } });
    const text = message('simple', { headers: { 'X-Odd': '\t tab  and spaces\r\n   fold\t' } }).replace('Subject: ', 'Subject:');
    const [one] = await send(t, [`unix:${simple}`], [text]);
    const [verified] = await send(t, [`unix:${verifier}`], [one!.text]);
    assert.match(verified!.text, /dkim=pass/);
  });
});

test('Rspamd judges, changes and refuses; a connection serves several sessions', async (t) => {
  await startRspamd(
    t,
    `
rspamd_config:register_symbol({ name = 'TEST_SUBJECT', type = 'normal', score = 1, callback = function(task)
  local subject = task:get_subject() or ''
  if subject == 'spam' then return true, 20 end
  if subject == 'defer' then task:set_pre_result('soft reject', 'not now') return true, 0 end
  if subject == 'change' then
    task:set_milter_reply({ add_headers = { ['X-Why'] = 'because' }, remove_headers = { ['X-Old'] = 1 }, add_rcpt = { 'carl@us.test' }, del_rcpt = { 'anna@us.test' }, change_from = 'new@remote.test' })
    return true, 7
  end
end })`,
  );
  const rspamd = `inet:127.0.0.1:${RSPAMD_PORT} name=rspamd`;
  const texts = [message('plain'), message('spam'), message('defer'), message('change', { headers: { 'X-Old': 'old' } })];
  for (const milter of [rspamd, `${rspamd} reuse=yes`]) {
    const outcomes = await send(t, [milter], texts, 2);
    assert.equal(outcomes.length, 8);
    for (const [plain, spam, later, changed] of [outcomes.slice(0, 4), outcomes.slice(4)]) {
      assert.deepEqual([plain!.action, plain!.text], ['accept', texts[0]]);
      assert.deepEqual([spam!.action, spam!.reply?.code, spam!.reply?.text], ['reject', 554, 'Spam message rejected']);
      assert.deepEqual([later!.action, later!.reply?.code, later!.reply?.text], ['defer', 451, 'not now']);
      assert.equal(changed!.action, 'accept');
      assert.match(changed!.text, /\r\nX-Why: because\r\n/);
      assert.match(changed!.text, /\r\nX-Spam: Yes\r\n/);
      assert.doesNotMatch(changed!.text, /X-Old/);
      assert.deepEqual(changed!.addedRecipients, [{ address: { local: 'carl', domain: 'us.test' }, args: null }]);
      assert.deepEqual(changed!.removedRecipients, [ANNA]);
      assert.deepEqual(changed!.sender?.address, { local: 'new', domain: 'remote.test' });
    }
  }
});

test('MIMEDefang changes everything a milter may change, and answers at every step', async (t) => {
  const socket = await startMimedefang(
    t,
    `
sub filter_relay { my ($ip, $name) = @_; return $ip eq '${CLIENT}' && $name eq 'client.test' ? ('CONTINUE', 'ok') : ('REJECT', 'not told who it is'); }
sub filter_sender { my ($sender) = @_; return $sender =~ /bad/ ? ('REJECT', 'bad sender', '553', '5.1.8') : ('CONTINUE', 'ok'); }
sub filter_recipient { my ($recipient) = @_; return $recipient =~ /nobody/ ? ('TEMPFAIL', 'not now', '450', '4.2.1') : ('CONTINUE', 'ok'); }
sub filter_begin {}
sub filter { return action_accept(); }
sub filter_end {
  my ($entity) = @_;
  return action_bounce('no thanks', '554', '5.6.0') if $Subject eq 'bounce';
  return action_discard() if $Subject eq 'discard';
  return action_quarantine_entire_message('odd') if $Subject eq 'quarantine';
  return unless $Subject eq 'change';
  action_add_header('X-Queue', $QueueID);
  action_insert_header('X-Top', 'on top', 0);
  action_change_header('Subject', 'changed');
  action_delete_header('X-Old', 2);
  add_recipient('<carl@us.test>');
  delete_recipient('<anna@us.test>');
  change_sender('<new@remote.test>');
  append_text_boilerplate($entity, 'Boilerplate.', 0);
}`,
  );
  const milter = `unix:${socket} name=mimedefang`;
  const text = message('change', { headers: { 'X-Old': '1', 'x-old': '2', 'X-OLD': '3' } });

  await t.test('header, body, sender and recipients', async () => {
    const [plain, changed, bounced, discarded] = await send(t, [milter], [message('plain'), text, message('bounce'), message('discard')]);
    assert.deepEqual([plain!.action, plain!.text], ['accept', message('plain')]);
    assert.equal(changed!.action, 'accept');
    const header = changed!.text.slice(0, changed!.text.indexOf('\r\n\r\n'));
    assert.match(header, /^X-Top: on top\r\nFrom: /);
    assert.match(header, /\r\nSubject: changed\r\n/);
    assert.match(header, /\r\nX-Old: 1\r\nX-OLD: 3\r\n/);
    assert.match(header, /\r\nX-Queue: queueid1/);
    assert.match(changed!.text, /\r\n\r\nHello\.\r\n\r\nBoilerplate\.\r\n/);
    assert.deepEqual(changed!.sender, { address: { local: 'new', domain: 'remote.test' }, args: null });
    assert.deepEqual(changed!.addedRecipients, [{ address: { local: 'carl', domain: 'us.test' }, args: null }]);
    assert.deepEqual(changed!.removedRecipients, [ANNA]);
    assert.deepEqual([bounced!.action, bounced!.reply], ['reject', { code: 554, enhanced: '5.6.0', text: 'no thanks' }]);
    assert.equal(discarded!.action, 'discard');
  });

  await t.test('a refusal at MAIL and one at RCPT are its own words, and the session goes on', async () => {
    const chain = createMilters(
      { ...defaultsOf(MILTER_SETTINGS), 'milter.milters': [milter] },
      {
        log: { debug() {}, info() {}, warn() {}, error() {} },
        metrics: { count() {}, gauge() {} },
        hostname: 'mx.us.test',
        domain: 'us.test',
        version: '1.0',
        tempDir: tmpdir(),
      },
    );
    const session = chain.begin(FACTS);
    t.after(() => {
      session.close();
      chain.close();
    });
    assert.equal(await session.connect(), null);
    assert.equal(await session.helo('client.test'), null);
    assert.deepEqual(await session.mail({ local: 'bad', domain: 'remote.test' }), { code: 553, enhanced: '5.1.8', text: 'bad sender' });
    assert.equal(await session.mail(RITA), null);
    assert.deepEqual(await session.rcpt({ local: 'nobody', domain: 'us.test' }), { code: 450, enhanced: '4.2.1', text: 'not now' });
    assert.equal(await session.rcpt(ANNA), null);
    assert.equal(await session.data(), null);
    assert.equal((await session.endOfMessage(viewOf(message('plain')))).action, 'accept');
    assert.equal(await session.mail(RITA), null);
    session.abort();
    assert.equal(await session.mail(RITA), null);
  });
});

test('through the server: signed, changed, redirected, refused, and what a dead milter means', async (t) => {
  const key = await makeDkimKey(t, 'remote.test', 'sel');
  const signer = await startOpendkim(t, { mode: 's', key, config: { InternalHosts: '127.0.0.1' } });
  const defang = await startMimedefang(
    t,
    `
sub filter_begin {}
sub filter { return action_accept(); }
sub filter_end {
  my ($entity) = @_;
  return action_bounce('no thanks', '554', '5.6.0') if $Subject eq 'bounce';
  return action_discard() if $Subject eq 'discard';
  return unless $Subject eq 'change';
  action_change_header('Subject', 'changed');
  add_recipient('<bert@us.test>');
  delete_recipient('<anna@us.test>');
  append_text_boilerplate($entity, 'Boilerplate.', 0);
}`,
  );
  const dead = `unix:${tempDir(t, 'dead')}/nobody.sock`;
  const server = await startPosthorn(t, {
    config: {
      listen: { smtp: ['127.0.0.1:0'] },
      milter: { milters: [`unix:${defang} name=mimedefang`, `${dead} default=accept`, `unix:${signer} name=opendkim`] },
    },
    users: { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' },
  });
  const sendTo = (port: number, subject: string): Promise<string> =>
    sendLetter({ port, sender: 'rita@remote.test', recipients: ['anna@us.test'], message: message(subject) });
  const mailbox = async (user: string): Promise<readonly string[]> => {
    const imap = await ImapClient.login(server.port('imap'), `${user}@us.test`, `${user}-password`);
    const messages = await imap.messages();
    await imap.logout();
    return messages;
  };
  assert.match(await sendTo(server.port('smtp'), 'plain'), /^250/);
  assert.match(await sendTo(server.port('smtp'), 'change'), /^250/);
  assert.match(await sendTo(server.port('smtp'), 'bounce'), /^554 5\.6\.0 no thanks/);
  assert.match(await sendTo(server.port('smtp'), 'discard'), /^250/);
  const [plain, ...none] = await mailbox('anna');
  assert.deepEqual(none, []);
  assert.match(plain!, /\r\nDKIM-Signature: v=1; a=rsa-sha256; c=relaxed\/simple; d=remote\.test; s=sel;/);
  const [changed] = await mailbox('bert');
  assert.match(changed!, /\r\nSubject: changed\r\n/);
  assert.match(changed!, /\r\n\r\nHello\.\r\n\r\nBoilerplate\.\r\n$/);
  // OpenDKIM signed what MIMEDefang had made of it.
  const verifier = await startOpendkim(t, { mode: 'v', key });
  const fromSignature = changed!.slice(changed!.indexOf('DKIM-Signature:'));
  const [verified] = await send(t, [`unix:${verifier}`], [fromSignature]);
  assert.match(verified!.text, /dkim=pass/);

  server.configure({ listen: { smtp: ['127.0.0.1:0'] }, milter: { milters: [dead] } });
  assert.equal((await server.cli(['reload'])).code, 0);
  await assert.rejects(sendTo(server.port('smtp'), 'dead'), /451 4\.7\.1/);
});
