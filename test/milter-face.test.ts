/** Posthorn's judge behind Debian's Postfix: the milter face, with mail that flows, is changed, refused, held and thrown away. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { startMilterFace } from '../src/judge/faces/milter/face.ts';
import { MILTER_FACE_SETTINGS } from '../src/judge/faces/milter/settings.ts';
import type { HeaderEdit, JudgeInput, Verdict } from '../src/ports.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startNsd } from './peers/nsd.ts';
import { startPostfix } from './peers/postfix.ts';
import { REMOTE } from './peers/small-internet.ts';

ownNetwork();

const PORT = 8890;
const ACCEPT: Verdict = { action: 'accept', reply: null, score: 0, symbols: [], edits: [] };

/** The judge of these tests goes by the subject. */
function judge(input: JudgeInput): Verdict {
  const subject = /^Subject: (.*)$/m.exec(Buffer.from(input.message.header).toString('latin1'))?.[1]?.trim() ?? '';
  const reply = (code: number, enhanced: string, text: string) => ({ code, enhanced, text });
  switch (subject) {
    case 'refuse':
      return { ...ACCEPT, action: 'reject', reply: reply(554, '5.7.1', '100% spam; reference abc') };
    case 'refuse in two lines':
      return { ...ACCEPT, action: 'reject', reply: reply(550, '5.7.1', 'not like this\nreference abc') };
    case 'later':
      return { ...ACCEPT, action: 'greylist', reply: reply(451, '4.7.1', 'Greylisted, please come back') };
    case 'discard':
      return { ...ACCEPT, action: 'discard' };
    case 'hold':
      return { ...ACCEPT, action: 'quarantine', symbols: [{ name: 'ODD', score: 9, text: 'odd' }] };
    case 'edit': {
      const edits: HeaderEdit[] = [
        { kind: 'change', name: 'Authentication-Results', nth: 1, value: '' },
        { kind: 'change', name: 'Authentication-Results', nth: 1, value: '' },
        { kind: 'change', name: 'X-Old', nth: 1, value: 'changed' },
        { kind: 'insert', index: 1, name: 'X-Second', value: 'below From' },
        { kind: 'prepend', name: 'Authentication-Results', value: 'mx.remote.test;\r\n\tspf=pass' },
        { kind: 'append', name: 'X-Score', value: '1.5' },
      ];
      return { ...ACCEPT, action: 'addHeader', edits };
    }
    default:
      return ACCEPT;
  }
}

test('Postfix asks us about each message', async (t) => {
  need('postfix');
  await startNsd(t, { 'test.': 'client IN A 192.0.2.20', '2.0.192.in-addr.arpa.': '20 IN PTR client.test.' });
  const inputs: JudgeInput[] = [];
  const events: string[] = [];
  const note = (event: string): void => {
    events.push(event);
  };
  let count = 0;
  const face = await startMilterFace({
    listen: [`127.0.0.1:${PORT}`],
    judge: (input) => {
      inputs.push(input);
      return judge(input);
    },
    settings: () => defaultsOf(MILTER_FACE_SETTINGS),
    newId: () => {
      count += 1;
      return `judged${count}`;
    },
    now: Date.now,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count() {}, gauge() {} },
    tempDir: tmpdir(),
  });
  t.after(() => face.close());
  const postfix = await startPostfix(t, {
    address: `${REMOTE}:25`,
    hostname: 'mx.remote.test',
    domains: ['remote.test'],
    users: ['rita'],
    main: { smtpd_milters: `inet:127.0.0.1:${PORT}`, milter_default_action: 'tempfail', smtpd_authorized_xclient_hosts: '192.0.2.0/24', inet_protocols: 'all' },
  });
  const send = (subject: string, more: { headers?: Record<string, string>; body?: string } = {}): Promise<string> =>
    sendLetter({
      port: 25,
      host: REMOTE,
      sender: 'anna@us.test',
      recipients: ['rita@remote.test'],
      message: letter({ from: 'anna@us.test', to: 'rita@remote.test', subject, ...more }),
    });
  const arrived = (subject: string): Promise<string> =>
    eventually(`"${subject}" is delivered`, () => postfix.messages('rita').find((message) => message.includes(`Subject: ${subject}\n`)));

  await t.test('mail flows, and the judge sees it as it was sent', async () => {
    assert.match(await send('plain', { headers: { 'X-Fold': 'a\r\n\tb' } }), /^250/);
    await arrived('plain');
    const input = inputs.at(-1)!;
    assert.deepEqual(input.client, { ip: REMOTE, port: input.client!.port, name: null });
    assert.equal(input.helo, 'client.test');
    assert.deepEqual(input.sender, { local: 'anna', domain: 'us.test' });
    assert.deepEqual(input.recipients, [{ local: 'rita', domain: 'remote.test' }]);
    assert.equal(
      Buffer.from(input.message.bytes!).toString('latin1'),
      letter({ from: 'anna@us.test', to: 'rita@remote.test', subject: 'plain', headers: { 'X-Fold': 'a\r\n\tb' } }),
    );
  });

  await t.test('a refusal reaches the sender with our words', async () => {
    assert.match(await send('refuse'), /^554 5\.7\.1 100% spam; reference abc$/m);
    assert.match(await send('refuse in two lines'), /^550-5\.7\.1 not like this\r?\n550 5\.7\.1 reference abc$/m);
    assert.match(await send('later'), /^451 4\.7\.1 Greylisted, please come back$/m);
  });

  await t.test('header edits are made: forged results go, ours are on top', async () => {
    const forged = { 'Authentication-Results': 'mx.remote.test; dmarc=pass', 'AUTHENTICATION-RESULTS': 'mx.remote.test; spf=pass', 'X-Old': 'old' };
    assert.match(await send('edit', { headers: forged }), /^250/);
    const message = await arrived('edit');
    const header = message.slice(0, message.indexOf('\n\n'));
    assert.match(header, /^Return-Path: .*\n(?:X-Original-To|Delivered-To).*\n.*\nAuthentication-Results: mx\.remote\.test;\n\tspf=pass\nReceived: from/);
    assert.equal(header.match(/^authentication-results:/gim)?.length, 1);
    assert.match(header, /\nX-Old: changed\n/i);
    assert.match(header, /\nFrom: <anna@us\.test>\nX-Second: below From\nTo:/);
    assert.match(header, /\nX-Score: 1\.5$/);
  });

  await t.test('a discarded message is accepted and never seen, a quarantined one waits in the hold queue', async () => {
    assert.match(await send('discard'), /^250/);
    assert.match(await send('hold'), /^250/);
    const held = await eventually('a message is on hold', async () =>
      (await postfix.queue()).find((entry) => (entry as { queue_name?: string }).queue_name === 'hold'),
    );
    assert.equal(held.sender, 'anna@us.test');
    assert.match(postfix.log, /milter-hold|hold: .*ODD|quarantine/i);
    assert.match(await send('after'), /^250/);
    await arrived('after');
    assert.ok(!postfix.messages('rita').some((message) => message.includes('Subject: discard')));
  });

  await t.test('a large message is judged whole', async () => {
    const body = `${'0123456789'.repeat(7)}\n`.repeat(40_000);
    assert.match(await send('large', { body }), /^250/);
    const input = inputs.at(-1)!;
    assert.equal(input.message.bytes, null);
    assert.equal(input.message.size, letter({ from: 'anna@us.test', to: 'rita@remote.test', subject: 'large', body }).length);
    await arrived('large');
  });

  await t.test('several messages of one session, one of them abandoned, and IPv6 clients', async () => {
    const client = await LineClient.open(25, { host: REMOTE });
    await client.smtp(null, /^220/);
    await client.smtp('XCLIENT NAME=six.test ADDR=IPV6:2001:db8::7', /^220/);
    await client.smtp('EHLO six.test', /^250/);
    await client.smtp('MAIL FROM:<anna@us.test>', /^250/);
    await client.smtp('RSET', /^250/);
    for (const subject of ['first', 'refuse', 'second']) {
      await client.smtp('MAIL FROM:<>', /^250/);
      await client.smtp('RCPT TO:<rita@remote.test>', /^250/);
      await client.smtp('DATA', /^354/);
      client.send(`Subject: ${subject}\r\n\r\nHello.\r\n`);
      await client.smtp('.', subject === 'refuse' ? /^554/ : /^250/);
    }
    await client.smtp('QUIT', /^221/);
    client.close();
    await arrived('second');
    const input = inputs.at(-1)!;
    assert.equal(input.client!.ip, '2001:db8::7');
    assert.equal(input.client!.name, 'six.test');
    assert.equal(input.sender, null);
  });

  await t.test('without us, Postfix does what it was told to', async () => {
    await face.close();
    const client = await LineClient.open(25, { host: REMOTE });
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^250/);
    await client.smtp('MAIL FROM:<anna@us.test>', /^451 4\.7\.1/);
    client.close();
    assert.ok(!events.includes('face.milter.failed'));
  });
});

test('the whole program as milter of a Postfix: SPF, DKIM and DMARC for a server that has none', async (t) => {
  await startNsd(t, {
    'test.': [
      `remote IN MX 10 mx.remote`,
      `mx.remote IN A ${REMOTE}`,
      `bad IN MX 10 mx.remote`,
      'bad IN TXT "v=spf1 -all"',
      '_dmarc.bad IN TXT "v=DMARC1; p=reject"',
      'good IN MX 10 mx.remote',
      `good IN TXT "v=spf1 ip4:${REMOTE} -all"`,
      '_dmarc.good IN TXT "v=DMARC1; p=reject"',
    ].join('\n'),
    '2.0.192.in-addr.arpa.': '2 IN PTR mx.remote.test.',
  });
  const server = await startPosthorn(t, { config: { face: { milterListen: [`127.0.0.1:${PORT}`] } } });
  const postfix = await startPostfix(t, {
    address: `${REMOTE}:25`,
    hostname: 'mx.remote.test',
    domains: ['remote.test'],
    users: ['rita'],
    main: { smtpd_milters: `inet:127.0.0.1:${PORT}`, milter_default_action: 'tempfail' },
  });
  const send = (from: string, subject: string): Promise<string> =>
    sendLetter({
      port: 25,
      host: REMOTE,
      sender: from,
      recipients: ['rita@remote.test'],
      message: letter({ from, to: 'rita@remote.test', subject, headers: { 'Authentication-Results': 'mx.us.test; dmarc=pass header.from=bad.test' } }),
    });
  assert.match(await send('carl@good.test', 'good'), /^250/);
  assert.match(await send('carl@bad.test', 'bad'), /^5\d\d 5\.7\./);
  const message = await eventually('the good one is delivered', () => postfix.messages('rita')[0]);
  assert.match(message, /\nAuthentication-Results: mx\.us\.test;[\s\S]*dmarc=pass[\s\S]*\nReceived: from/);
  assert.doesNotMatch(message, /header\.from=bad\.test/);
  await server.event('face.milter.judged');
});
