/** IPv6: mail in over it, out to a host that has nothing else, and the way round when it is broken. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need, succeed } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startPostfix } from './peers/postfix.ts';
import { startDns, startRemote, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';

test('mail over IPv6', async (t) => {
  need('curl');
  await startDns(t);
  const server = await startPosthorn(t, {
    config: {
      ...US_CONFIG,
      listen: { ...US_CONFIG.listen, smtp: ['192.0.2.1:25', '127.0.0.1:25', '[::1]:25', '[2001:db8::1]:25'], imap: ['[::1]:1143'] },
      smtp: { relayFrom: ['::1/128'] },
    },
    users: { 'anna@us.test': PASSWORD },
  });
  const imap = await ImapClient.login(1143, 'anna@us.test', PASSWORD, { host: '::1' });
  const find = (subject: string): Promise<string> =>
    eventually(`"${subject}" in the mailbox`, async () => (await imap.messages()).find((text) => text.includes(`Subject: ${subject}\r\n`)));
  const send = (to: string, subject: string): Promise<string> =>
    sendLetter({ port: 25, host: '::1', sender: 'anna@us.test', recipients: [to], message: letter({ from: 'anna@us.test', to, subject }) });

  await t.test('in over [::1], read over it by curl; the trace has the address as RFC 5321 writes it', async () => {
    const message = letter({ from: 'rita@remote.test', to: 'anna@us.test', subject: 'by six' });
    const envelope = ['--mail-from', 'rita@remote.test', '--mail-rcpt', 'anna@us.test', '--upload-file', '-'];
    await succeed('curl', ['--silent', '--show-error', ...envelope, 'smtp://[::1]:25/client.test'], { input: message });
    assert.match(await find('by six'), /\[IPv6:::1\]/);
    const text = await succeed('curl', ['--silent', '--show-error', '--user', `anna@us.test:${PASSWORD}`, 'imap://[::1]:1143/INBOX;MAILINDEX=1']);
    assert.match(text, /Subject: by six/);
    assert.match(await server.admin('trace', '::1'), /rita@remote\.test/);
  });

  await t.test('a stranger at an IPv6 address may not relay', async () => {
    const client = await LineClient.open(25, { host: '2001:db8::1', from: '2001:db8::2' });
    await client.smtp(null, /^220/);
    await client.smtp('EHLO [IPv6:2001:db8::2]', /^250/);
    await client.smtp('MAIL FROM:<a@remote.test>', /^250/);
    await client.smtp('RCPT TO:<rita@six.test>', /^55[04] 5\.7\.1/);
    client.close();
  });

  await t.test('out to a host that has only an IPv6 address', async () => {
    const six = await startPostfix(t, {
      name: 'six',
      address: '[2001:db8::2]:25',
      hostname: 'mx.six.test',
      domains: ['six.test'],
      users: ['rita'],
      main: { inet_protocols: 'ipv6', mynetworks: '[::1]/128' },
    });
    await send('rita@six.test', 'out by six');
    const got = await eventually('it is there', () => six.messages('rita').find((text) => text.includes('Subject: out by six')));
    assert.match(got, /from mx\.us\.test .*\[IPv6:2001:db8::/);
    const to = 'rita@[IPv6:2001:db8::2]';
    await send(to, 'to a literal');
    await eventually('the host there is asked', async () => /554|550/.test(await server.admin('trace', to)));
    await six.stop();
  });

  await t.test('a dead IPv6 address, or one without a way there: IPv4 takes over at once', async () => {
    const remote = await startRemote(t, { domains: ['sixdead.test', 'sixfar.test'] });
    for (const domain of ['sixdead.test', 'sixfar.test']) {
      await send(`rita@${domain}`, `to ${domain}`);
      await eventually(`mail to ${domain}`, () => remote.messages('rita').some((text) => text.includes(`Subject: to ${domain}\n`)));
    }
  });
  await imap.logout();
});
