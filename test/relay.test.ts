/** Everything that leaves goes to a relay host, with a login: a Postfix whose SASL is Dovecot's, and another Posthorn with SCRAM. */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startDovecot } from './peers/dovecot.ts';
import { REMOTE, startDns, startRemote, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';

const send = (subject: string, to: string): Promise<string> =>
  sendLetter({ port: 25, sender: 'anna@us.test', recipients: [to], message: letter({ from: 'anna@us.test', to, subject }) });
const queueText = (server: Posthorn): Promise<string> => server.admin('queue', 'list', '--json');

test('a Postfix as relay host: AUTH PLAIN after STARTTLS, a wrong password waits, no TLS means no password', async (t) => {
  await startDns(t);
  const sockets = tempDir(t, 'sasl');
  const auth = join(sockets, 'auth');
  await startDovecot(t, {
    address: '127.0.0.1',
    imapPort: 1143,
    lmtpPort: 1024,
    users: { 'us-relay': 'relay-secret' },
    extra: `service auth {\n  unix_listener ${auth} {\n    mode = 0666\n  }\n}\n`,
  });
  const relay = await startRemote(t, {
    domains: ['remote.test', 'null.test', 'elsewhere.test'],
    main: {
      mynetworks: '127.0.0.0/8',
      smtpd_sasl_auth_enable: 'yes',
      smtpd_sasl_type: 'dovecot',
      smtpd_sasl_path: auth,
      smtpd_tls_auth_only: 'yes',
      smtpd_relay_restrictions: 'permit_sasl_authenticated, reject',
      smtpd_recipient_restrictions: 'permit_sasl_authenticated, reject',
      smtpd_sasl_authenticated_header: 'yes',
    },
  });
  const files = tempDir(t, 'secrets');
  const password = join(files, 'relay-password');
  writeFileSync(password, 'relay-secret\n');
  chmodSync(password, 0o600);
  const config = (deliver: Record<string, string>): Parameters<typeof startPosthorn>[1] => ({
    config: { ...US_CONFIG, smtp: { relayFrom: ['127.0.0.1/32'] }, deliver: { relayUser: 'us-relay', relayPasswordFile: password, ...deliver } },
    users: { 'anna@us.test': PASSWORD },
  });
  const server = await startPosthorn(t, config({ relayHost: `[${REMOTE}]:25` }));

  await t.test('mail goes there whatever the MX of its domain, logged in and in TLS', async () => {
    for (const domain of ['remote.test', 'null.test', 'elsewhere.test']) await send(`relayed to ${domain}`, `rita@${domain}`);
    for (const domain of ['remote.test', 'null.test', 'elsewhere.test']) {
      const got = await eventually(`mail to ${domain}`, () => relay.messages('rita').find((text) => text.includes(`Subject: relayed to ${domain}\n`)));
      assert.match(got, /Authenticated sender: us-relay/);
      assert.match(got, /using TLSv1\.3/);
    }
  });

  await t.test('a name instead of an address: its MX is looked up', async () => {
    server.configure(config({ relayHost: 'remote.test' })!.config!);
    await server.admin('reload');
    await send('by the MX of the relay', 'rita@elsewhere.test');
    const got = await eventually('it is there', () => relay.messages('rita').find((text) => text.includes('Subject: by the MX of the relay')));
    assert.match(got, /Authenticated sender: us-relay/);
  });

  await t.test('with a wrong password mail waits, the reason in the queue; with the right one it goes', async () => {
    writeFileSync(password, 'wrong\n');
    // Another spelling of the same host: nothing is reused from before.
    server.configure(config({ relayHost: '[mx.remote.test]:25' })!.config!);
    await server.admin('reload');
    await send('wrong password', 'rita@elsewhere.test');
    await eventually('the refused login is noted', async () => /login refused: 535/.test(await queueText(server)));
    writeFileSync(password, 'relay-secret\n');
    await eventually('it goes out after a retry', async () => {
      await server.admin('queue', 'retry', '--all');
      return relay.messages('rita').some((text) => text.includes('Subject: wrong password'));
    });
  });

  await t.test('a relay host that offers no TLS never hears the password', async () => {
    relay.set({ smtpd_tls_security_level: 'none', smtpd_tls_auth_only: 'no' });
    await relay.reload();
    await eventually('STARTTLS is gone from its answer', async () => {
      const client = await LineClient.open(25, { host: REMOTE });
      await client.smtp(null, /^220/);
      const isGone = !(await client.smtp('EHLO client.test', /^250/)).includes('STARTTLS');
      client.close();
      return isGone;
    });
    server.configure(config({ relayHost: '[cname.mx.test]:25' })!.config!);
    await server.admin('reload');
    const before = relay.log.length;
    await send('no TLS', 'rita@elsewhere.test');
    await eventually('the reason is noted', async () => /no TLS, and the password is not sent/.test(await queueText(server)));
    assert.doesNotMatch(relay.log.slice(before), /sasl_username|auth=1/);
  });
});

test('another Posthorn as relay host: SCRAM-SHA-256, over STARTTLS and over TLS from the first byte, verified', async (t) => {
  await startDns(t);
  const remote = await startRemote(t);
  const certificate = await makeCertificate(tempDir(t, 'relay-certificate'), ['relay.us.test', 'IP:192.0.2.3']);
  const relayConfig = (...mechanisms: string[]) =>
    ({
      hostname: 'relay.us.test',
      domain: 'us.test',
      listen: { smtp: ['192.0.2.3:25'], submission: ['192.0.2.3:587'], submissions: ['192.0.2.3:465'] },
      dns: { servers: ['127.0.0.1:53'] },
      auth: { mechanisms },
      tls: { certificate: certificate.certificate, key: certificate.key },
    }) as const;
  const relay = await startPosthorn(t, { config: relayConfig('SCRAM-SHA-256'), users: { 'anna@us.test': 'relay-secret' } });
  const password = join(tempDir(t, 'secrets'), 'relay-password');
  writeFileSync(password, 'relay-secret\n', { mode: 0o600 });
  const config = (relayHost: string) =>
    ({
      ...US_CONFIG,
      smtp: { relayFrom: ['127.0.0.1/32'] },
      deliver: { relayHost, relayUser: 'anna@us.test', relayPasswordFile: password, tls: 'verify', tlsCaFile: certificate.certificate },
    }) as const;
  const server = await startPosthorn(t, { config: config('[192.0.2.3]:587'), users: { 'anna@us.test': PASSWORD } });

  for (const [name, relayHost] of [
    ['STARTTLS', '[192.0.2.3]:587'],
    ['implicit TLS', 'smtps:[192.0.2.3]:465'],
  ] as const)
    await t.test(`by ${name}`, async () => {
      server.configure(config(relayHost));
      await server.admin('reload');
      await send(`through the relay by ${name}`, 'rita@remote.test');
      const got = await eventually('it is at its destination', () => remote.messages('rita').find((text) => text.includes(`through the relay by ${name}`)));
      assert.match(got, /by relay\.us\.test \(Posthorn\) with ESMTPSA/);
      assert.match(got, /by mx\.us\.test \(Posthorn\) with ESMTP/);
    });

  await t.test('a bounce made by the relay finds its way back to the account there', async () => {
    await send('comes back', 'nobody@remote.test');
    // The reader here types a password.
    relay.configure(relayConfig('SCRAM-SHA-256', 'PLAIN'));
    await relay.admin('reload');
    const imap = await ImapClient.login(relay.port('imap'), 'anna@us.test', 'relay-secret');
    const report = await eventually('the report', async () => (await imap.messages()).find((text) => text.includes('nobody@remote.test')));
    assert.match(report, /^Reporting-MTA: dns; ?relay\.us\.test\r$/m);
    await imap.logout();
  });

  await t.test('a relay whose certificate is not the right one gets neither password nor mail', async () => {
    const other = await makeCertificate(tempDir(t, 'other-certificate'), ['other.test']);
    server.configure({ ...config('[192.0.2.3]:587'), deliver: { ...config('[192.0.2.3]:587').deliver, tlsCaFile: other.certificate } });
    await server.restart(); // Nothing open is reused.
    await send('not for strangers', 'rita@remote.test');
    await eventually('the reason is noted', async () => /self.signed|certificate/i.test(await queueText(server)));
    assert.ok(!remote.messages('rita').some((text) => text.includes('not for strangers')));
  });
});
