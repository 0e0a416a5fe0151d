/** Mail of our own people: signed, limited, held when it is unlike them; rates of strangers; and the reports of others. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { promises } from 'node:dns';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { authenticate } from 'mailauth';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { attempt, JUDGED, mail, zones } from './judge/world.ts';
import { startNsd } from './peers/nsd.ts';
import { CLIENT, US } from './peers/small-internet.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';

const USERS = { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' };
const SINK = '192.0.2.3';

/** Signed in after STARTTLS; answers the first refusal, or the reply to the message. */
async function submit(user: string, password: string, recipients: readonly string[], message: string, sender = user): Promise<string> {
  const client = await LineClient.open(587, { host: US, from: CLIENT });
  try {
    await client.smtp(null, /^220/);
    await client.smtp('EHLO laptop.test', /^250/);
    await client.smtp('STARTTLS', /^220/);
    await client.startTls();
    await client.smtp('EHLO laptop.test', /^250/);
    await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`, /^235/);
    let reply = await client.smtp(`MAIL FROM:<${sender}>`, /^/);
    for (const recipient of recipients) if (reply.startsWith('250')) reply = await client.smtp(`RCPT TO:<${recipient}>`, /^/);
    if (!reply.startsWith('250')) return reply;
    await client.smtp('DATA', /^354/);
    client.send(message.replaceAll(/^\./gm, '..'));
    return await client.smtp('.', /^/);
  } finally {
    client.close();
  }
}

async function inbox(server: Posthorn, user: keyof typeof USERS): Promise<readonly string[]> {
  const imap = await ImapClient.login(server.port('imap'), user, USERS[user]);
  const messages = await imap.messages();
  await imap.logout();
  return messages;
}

test('mail that goes out is signed or sealed, and others verify it with the records we print', async (t) => {
  need('opendkim-testmsg');
  // libunbound answers for "test." by itself (RFC 6761): the domain that signs is another.
  const server = await startPosthorn(t, {
    config: { ...JUDGED, smtp: { relayFrom: ['192.0.2.66'] } },
    users: { 'sam@signed.example': 'sam-password', 'anna@us.test': 'anna-password' },
    aliases: { 'away@us.test': ['x@sink.test'] },
  });
  const sink = await startSmtpSink(t, SINK, 25);
  const keys = await server.admin('dkim', 'list', 'signed.example');
  assert.match(keys, /signed\.example +\S+ +rsa 2048 +\S+ +signs/);
  assert.match(keys, /signed\.example +\S+ +ed25519 +\S+ +signs/);
  const records = await server.admin('dkim', 'show', 'signed.example');
  await startNsd(t, { ...zones(await server.admin('dkim', 'show', 'us.test')), 'example.': records });

  /** The message at the other end, whose signatures are right and not after a change. */
  async function verified(subject: string): Promise<string> {
    const taken = await eventually(`"${subject}" has arrived`, () => sink.taken.find(({ message }) => message.includes(`\r\nSubject: ${subject}\r\n`)));
    const { message } = taken;
    assert.match(message, /^DKIM-Signature: v=1; a=rsa-sha256;[\s\S]*?\r\nDKIM-Signature: v=1; a=ed25519-sha256;/m);
    await succeed('opendkim-testmsg', [], { input: Buffer.from(message, 'latin1') });
    const changed = await run('opendkim-testmsg', [], { input: Buffer.from(message.replace(`Subject: ${subject}`, `Subject: no ${subject}`), 'latin1') });
    assert.notEqual(changed.code, 0);
    return message;
  }
  const ours = (subject: string, body?: string): string => mail({ from: 'Sam <sam@signed.example>', subject, body });

  await t.test('from submission', async () => {
    assert.match(await submit('sam@signed.example', 'sam-password', ['x@sink.test'], ours('submitted', 'one\n.two\n\n\n')), /^250 /);
    await verified('submitted');
  });
  await t.test('from submission, 1 MB', async () => {
    const body = randomBytes(750_000).toString('base64').replaceAll(/.{76}/g, '$&\n');
    assert.match(await submit('sam@signed.example', 'sam-password', ['x@sink.test'], ours('large', body)), /^250 /);
    assert.ok((await verified('large')).endsWith(`${body.replaceAll('\n', '\r\n')}\r\n`));
  });
  await t.test('without Date and Message-ID, which are added before it is signed', async () => {
    const bare = ours('bare').replaceAll(/^(?:Date|Message-ID): .*\r\n/gm, '');
    assert.match(await submit('sam@signed.example', 'sam-password', ['x@sink.test'], bare), /^250 /);
    assert.match(await verified('bare'), /\r\nMessage-I[dD]: <.*@/);
  });
  await t.test('from the sendmail command', async () => {
    const result = await server.cli(['sendmail', '-i', '-f', 'sam@signed.example', 'x@sink.test'], { input: ours('by command').replaceAll('\r\n', '\n') });
    assert.equal(result.code, 0, result.stderr);
    await verified('by command');
  });
  await t.test('from a host that may relay', async () => {
    const heard = await attempt({ ip: '192.0.2.66', helo: 'host.test', sender: 'sam@signed.example', recipients: ['x@sink.test'], message: ours('relayed') });
    assert.match(heard.reply, /^250 /, heard.reply);
    await verified('relayed');
  });
  await t.test('what an alias sends on is sealed, and the next host sees what was found here', async () => {
    assert.match((await attempt({ recipients: ['away@us.test'], message: mail({ subject: 'sent on' }) })).reply, /^250 /);
    const { message } = await eventually('it has arrived', () => sink.taken.find(({ message }) => message.includes('Subject: sent on')));
    assert.match(
      message,
      /^ARC-Seal: [\s\S]*?; cv=none; d=us\.test; i=1;[\s\S]*?\r\nARC-Message-Signature: [\s\S]*?\r\nARC-Authentication-Results: i=1; mx\.us\.test;.* spf=pass /,
    );

    const resolver = new promises.Resolver();
    resolver.setServers(['127.0.0.1:53']);
    const witness = await authenticate(Buffer.from(message, 'latin1'), {
      ip: US,
      helo: 'mx.us.test',
      sender: 'rita@friend.test',
      disableBimi: true,
      resolver: (async (name: string, type: string) => resolver.resolve(name, type)) as never,
    });
    assert.ok(witness.arc !== false);
    assert.equal(witness.arc.status.result, 'pass', JSON.stringify(witness.arc));
    const heard = await attempt({ ip: '192.0.2.2', message });
    assert.match(heard.reply, /^250 /);
    assert.match((await inbox(server, 'anna@us.test'))[0]!, /arc=pass/);
  });
  await t.test('but not what strangers send', async () => {
    const heard = await attempt({ recipients: ['sam@signed.example'], message: mail({ subject: 'not ours' }) });
    assert.match(heard.reply, /^250 /);
    const imap = await ImapClient.login(server.port('imap'), 'sam@signed.example', 'sam-password');
    assert.doesNotMatch((await imap.messages())[0]!, /DKIM-Signature/);
    await imap.logout();
  });
});

test('rates', async (t) => {
  await startNsd(t, zones());
  const sink = await startSmtpSink(t, SINK, 25);
  const config = { ...JUDGED, threads: { loops: 2 }, submission: { messagesPerHourMax: 3 }, rates: { limits: ['client connections 6/1h'], habit: false } };
  const server = await startPosthorn(t, { config, users: USERS });

  await t.test('messages of an account, on both threads together', async () => {
    for (const subject of ['one', 'two', 'three'])
      assert.match(await submit('anna@us.test', 'anna-password', ['x@sink.test'], mail({ from: 'anna@us.test', subject })), /^250 /);
    assert.match(await submit('anna@us.test', 'anna-password', ['x@sink.test'], mail({ from: 'anna@us.test' })), /^450 4\.7\.1 .*; ref /);
    assert.match(await submit('bert@us.test', 'bert-password', ['x@sink.test'], mail({ from: 'bert@us.test', subject: 'of another' })), /^250 /);
    await eventually('what was accepted has arrived', () => sink.taken.length === 4);
  });

  await t.test('connections of a client, on both threads together', async () => {
    const greetings: string[] = [];
    for (let i = 0; i < 12; i += 1) greetings.push((await attempt({ ip: '192.0.2.66', message: null })).step);
    assert.deepEqual(greetings, [...Array<string>(6).fill('message'), ...Array<string>(6).fill('greeting')]);
    assert.match((await attempt({ ip: '192.0.2.66' })).reply, /^421 4\.7\.0 /);
    assert.match((await attempt({ ip: '192.0.2.2', message: null })).reply, /^250 /);
  });

  await t.test('recipients, bytes and exemptions', async () => {
    server.configure({
      ...config,
      listen: server.listen,
      rates: { limits: ['inbound sender recipients 2/1h', 'inbound senderDomain bytes 20KiB/1h'], exempt: ['friend.test'] },
    });
    await server.admin('reload');
    const three = ['anna@us.test', 'bert@us.test', 'anna+x@us.test'];
    const heard = await attempt({ sender: 'x@plain.test', recipients: three, message: mail({ from: 'x@plain.test', subject: 'to two' }) });
    assert.deepEqual(
      heard.rcpt.map((reply) => reply.slice(0, 9)),
      ['250 2.1.5', '250 2.1.5', '450 4.7.1'],
    );
    const large = mail({ from: 'y@plain.test', subject: 'large', body: 'x\n'.repeat(15_000) });
    assert.match((await attempt({ sender: 'y@plain.test', message: large })).reply, /^450 4\.7\.1 .*; ref /);
    assert.match((await attempt({ sender: 'y@friend.test', message: large })).reply, /^250 /);
  });
});

test('an account that suddenly sends to many is held, and goes on when it is released', async (t) => {
  await startNsd(t, zones());
  const sink = await startSmtpSink(t, SINK, 25);
  const config = { ...JUDGED, rates: { habitLearn: '0s', habitLeast: 3, habitFactor: 2 } };
  const server = await startPosthorn(t, { config, users: USERS, aliases: { 'postmaster@us.test': ['bert@us.test'] } });
  const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `x${i}@sink.test`);
  const send = (count: number, subject: string): Promise<string> =>
    submit('anna@us.test', 'anna-password', many(count), mail({ from: 'anna@us.test', subject }));

  assert.match(await send(2, 'as always'), /^250 /);
  await eventually('it has arrived', () => sink.taken.length === 1);
  assert.match(await send(6, 'suddenly'), /^250 /);
  assert.match(await send(1, 'and on'), /^250 /);

  const notice = async (user: keyof typeof USERS, words: RegExp): Promise<string> =>
    eventually(`a notice for ${user}`, async () => (await inbox(server, user)).find((message) => words.test(message)));
  await t.test('its owner and the postmaster are told, once', async () => {
    assert.match(await notice('anna@us.test', /Subject: Your outgoing mail is being held/), /mail was sent to \d+ recipients/);
    assert.match(await notice('bert@us.test', /Subject: Mail of anna@us\.test is held/), /posthorn queue release --from anna@us\.test/);
    assert.equal((await inbox(server, 'anna@us.test')).length, 1);
  });
  await t.test('the queue has it, held', async () => {
    const list = await server.admin('queue', 'list', '--held');
    assert.match(list, /anna@us\.test +x0@sink\.test \+5 +held/);
    assert.match(list, /2 messages\./);
    assert.equal(sink.taken.length, 1);
  });
  await t.test('released, it goes out, and so does what comes later', async () => {
    await server.admin('queue', 'release', '--from', 'anna@us.test');
    await eventually('it has arrived', () => sink.taken.some(({ message }) => message.includes('Subject: suddenly')));
    assert.match(await send(6, 'later'), /^250 /);
    await eventually('later mail is not held', () => sink.taken.some(({ message }) => message.includes('Subject: later')));
    assert.match(await server.admin('queue', 'list'), /Nothing waits/);
  });
});

test('DMARC reports', async (t) => {
  await startNsd(t, zones());
  const sink = await startSmtpSink(t, SINK, 25);
  const config = { ...JUDGED, dmarc: { reportAddress: 'dmarc@us.test', sendReports: true } };
  const server = await startPosthorn(t, { config, users: USERS, aliases: { 'dmarc@us.test': ['anna@us.test'] } });

  await t.test('one of another server is read', async () => {
    const row = (ip: string, count: number, result: string): string =>
      `<record><row><source_ip>${ip}</source_ip><count>${count}</count><policy_evaluated><disposition>none</disposition><dkim>${result}</dkim><spf>${result}</spf></policy_evaluated></row>` +
      `<identifiers><header_from>us.test</header_from></identifiers><auth_results><spf><domain>us.test</domain><result>${result}</result></spf></auth_results></record>`;
    const xml =
      '<?xml version="1.0"?><feedback><report_metadata><org_name>Friend Inc.</org_name><email>reports@friend.test</email><report_id>r-1</report_id>' +
      '<date_range><begin>1795046400</begin><end>1795132799</end></date_range></report_metadata>' +
      `<policy_published><domain>us.test</domain><p>none</p></policy_published>${row(US, 7, 'pass')}${row('203.0.113.9', 2, 'fail')}</feedback>`;
    const name = 'friend.test!us.test!1795046400!1795132799.xml.gz';
    const message = mail({
      from: 'reports@friend.test',
      subject: 'Report Domain: us.test Submitter: friend.test Report-ID: <r-1>',
      lines: [
        'MIME-Version: 1.0',
        `Content-Type: application/gzip; name="${name}"`,
        'Content-Transfer-Encoding: base64',
        `Content-Disposition: attachment; filename="${name}"`,
      ],
      body: gzipSync(xml).toString('base64').replaceAll(/.{76}/g, '$&\n'),
    });
    assert.match((await attempt({ sender: 'reports@friend.test', recipients: ['dmarc@us.test'], message })).reply, /^250 /);
    const list = await eventually('the report is there', async () => {
      const text = await server.admin('dmarc', 'reports');
      return text.includes('Friend Inc.') ? text : null;
    });
    assert.match(list, /us\.test +Friend Inc\. +2026-11-1\d +2026-11-\d\d +9 +7/);
    const shown = await server.admin('dmarc', 'show', 'us.test');
    assert.match(shown, /203\.0\.113\.9 +2 +0 +.*none pass/);
    assert.match(shown, /9 messages in 1 report: 2 from 1 source failed/);
  });

  await t.test('what was done with mail in the name of a domain is reported to it when the day is over', async () => {
    assert.match((await attempt({ message: mail({ from: 'boss@strict.test' }) })).reply, /^550 5\.7\.26 /);
    await server.stop();
    // It was yesterday.
    const store = new DatabaseSync(join(server.dataDir, 'store.db'));
    store.exec('PRAGMA foreign_keys=OFF; UPDATE dmarc_day SET day=day-2; UPDATE dmarc_row SET day=day-2');
    store.close();
    await server.start();
    const { sender, recipients, message } = await eventually('the report has arrived', () => sink.taken[0]);
    assert.deepEqual([sender, recipients], ['postmaster@us.test', ['dmarc@strict.test']]);
    assert.match(message, /^DKIM-Signature: v=1; a=rsa-sha256; [\s\S]*d=us\.test;/);
    assert.match(message, /\r\nSubject: Report Domain: strict\.test Submitter: us\.test Report-ID:\s/);
    const part = /\r\nContent-Type: application\/gzip[\s\S]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(message)![1]!;
    const xml = gunzipSync(Buffer.from(part, 'base64')).toString();
    assert.match(xml, /<source_ip>192\.0\.2\.20<\/source_ip>\s*<count>1<\/count>\s*<policy_evaluated>\s*<disposition>reject<\/disposition>/);
    assert.match(await server.admin('dmarc', 'outgoing'), /strict\.test +1 +sent/);
  });
});
