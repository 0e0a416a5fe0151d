/** LMTP both ways: Debian's Postfix delivers into our mailboxes, over TCP and a unix socket; we deliver into Debian's Dovecot, by all our tables. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { privateMachine } from './harness/private-machine.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { startDovecot } from './peers/dovecot.ts';
import { startPostfix } from './peers/postfix.ts';
import { CLIENT, REMOTE, startDns, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';

test('a Postfix in front delivers to us by LMTP, with an answer for each recipient', async (t) => {
  await startDns(t);
  const socket = join(tempDir(t, 'lmtp'), 'lmtp');
  const server = await startPosthorn(t, {
    config: { listen: { lmtp: ['127.0.0.1:24', `unix:${socket}`] }, dns: { servers: ['127.0.0.1:53'] } },
    users: { 'anna@us.test': PASSWORD, 'bert@us.test': PASSWORD },
  });
  const front = await startPostfix(t, {
    name: 'front',
    address: `${REMOTE}:25`,
    hostname: 'front.us.test',
    domains: ['front.test'],
    users: ['rita'],
    main: { mynetworks: `127.0.0.0/8 ${REMOTE}/32 ${CLIENT}/32`, relay_domains: 'us.test', relay_transport: 'lmtp:inet:127.0.0.1:24' },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);

  for (const [way, transport] of [
    ['TCP', 'lmtp:inet:127.0.0.1:24'],
    ['a unix socket', `lmtp:unix:${socket}`],
  ] as const)
    await t.test(`over ${way}: known recipients have it, the unknown one comes back`, async () => {
      front.set({ relay_transport: transport });
      await front.reload();
      const subject = `LMTP over ${way}`;
      const message = letter({ from: 'rita@front.test', to: 'anna@us.test', subject, body: '.a dot\n..two\nend' });
      const recipients = ['anna@us.test', 'bert@us.test', 'nobody@us.test'];
      assert.match(await sendLetter({ host: REMOTE, port: 25, sender: 'rita@front.test', recipients, message }), /^250/);
      const got = await eventually('the message is here', async () => (await imap.messages()).find((text) => text.includes(`Subject: ${subject}\r\n`)));
      assert.match(got, /\bwith LMTP/);
      assert.match(got, /^Return-Path: <rita@front\.test>\r$/m);
      assert.ok(got.endsWith('\r\n.a dot\r\n..two\r\nend\r\n'), got);
      const report = await eventually('Postfix tells its sender', () =>
        front.messages('rita').find((text) => text.includes('MAILER-DAEMON') && text.includes(`Subject: ${subject}`)),
      );
      assert.match(report, /^Final-Recipient: rfc822; nobody@us\.test$/m);
      assert.match(report, /^Status: 5\.1\.1$/m);
      assert.doesNotMatch(report, /Final-Recipient: rfc822; (anna|bert)@/);
      assert.equal((await imap.messages()).filter((text) => text.includes(`Subject: ${subject}\r\n`)).length, 1);
    });

  await t.test('after the data each recipient has a reply of its own: one full, one not', async () => {
    await server.admin('user', 'quota', 'bert@us.test', 'none', '--messages', '1');
    const client = await LineClient.open(24);
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^5/);
    await client.smtp('LHLO client.test', /^250/);
    await client.smtp('MAIL FROM:<rita@front.test>', /^250/);
    await client.smtp('RCPT TO:<anna@us.test>', /^250/);
    const second = await client.smtp('RCPT TO:<bert@us.test>', /^(250|452)/);
    await client.smtp('RCPT TO:<nobody@us.test>', /^550 5\.1\.1/);
    await client.smtp('DATA', /^354/);
    client.send(letter({ from: 'rita@front.test', to: 'anna@us.test', subject: 'own replies' }));
    await client.smtp('.', /^250/);
    if (second.startsWith('250')) await client.smtp(null, /^452 4\.2\.2/);
    await client.smtp('QUIT', /^221/);
    client.close();
  });
  await imap.logout();
});

test('we deliver into a Dovecot by LMTP: as transport of a domain, and as relay host', async (t) => {
  await startDns(t);
  const dir = tempDir(t, 'dovecot-socket');
  const socket = join(dir, 'lmtp');
  const dovecot = await startDovecot(t, { address: REMOTE, imapPort: 1143, lmtpPort: 24, lmtpSocket: socket, users: { rita: 'x', rob: 'x' } });
  const mails = (user: string): string[] => {
    const folder = join(dovecot.mailboxes, user, 'Maildir/new');
    return existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1')) : [];
  };
  const server = await startPosthorn(t, {
    config: {
      ...US_CONFIG,
      smtp: { relayFrom: ['127.0.0.1/32'] },
      deliver: { transports: [`inner.test lmtp:inet:[${REMOTE}]:24`, `.inner.test lmtp:unix:${socket}`], relayHost: `lmtp:inet:${REMOTE}:24` },
    },
    users: { 'anna@us.test': PASSWORD },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  for (const [what, domain] of [
    ['over TCP by a transport', 'inner.test'],
    ['over a unix socket by a transport', 'deep.inner.test'],
    ['as relay host', 'elsewhere.test'],
  ] as const)
    await t.test(what, async () => {
      const recipients = [`rita@${domain}`, `rob@${domain}`, `nobody@${domain}`];
      const message = letter({ from: 'anna@us.test', to: recipients[0]!, subject: what, body: '.a dot\nend' });
      assert.match(await sendLetter({ port: 25, sender: 'anna@us.test', recipients, message }), /^250/);
      for (const user of ['rita', 'rob']) {
        const got = await eventually(`${user} has it`, () => mails(user).find((text) => text.includes(`Subject: ${what}\n`)));
        assert.match(got, /\n\n\.a dot\nend\n$/);
      }
      const report = await eventually('the unknown one is reported', async () =>
        (await imap.messages()).find((text) => text.includes('multipart/report') && text.includes(`nobody@${domain}`)),
      );
      assert.match(report, /^Status: 5\.1\.1\r$/m);
      assert.doesNotMatch(report, /Final-Recipient: rfc822; (rita|rob)/);
    });
  await imap.logout();
});

test('a Dovecot keeps the mailboxes: of a virtual domain by transport map, of the users of this machine by mailbox_transport', async (t) => {
  await startDns(t);
  const machine = privateMachine(t);
  for (const user of ['rita', 'rob']) machine.addUser(user);
  machine.homeFile('rob', '.forward', 'rita@virtual.test\n');
  const dir = tempDir(t, 'dovecot-maps');
  const socket = join(dir, 'lmtp');
  const dovecot = await startDovecot(t, { address: REMOTE, imapPort: 1143, lmtpPort: 24, lmtpSocket: socket, users: { rita: 'x', rob: 'x' } });
  const mails = (user: string, subject: string): string[] => {
    const folder = join(dovecot.mailboxes, user, 'Maildir/new');
    const all = existsSync(folder) ? readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1')) : [];
    return all.filter((text) => text.includes(`\nSubject: ${subject}\n`));
  };
  writeFileSync(join(dir, 'transport'), `virtual.test lmtp:inet:${REMOTE}:24\n`);
  writeFileSync(join(dir, 'mailboxes'), 'rita@virtual.test rita/\nlost@virtual.test lost/\n');
  const server = await startPosthorn(t, {
    config: {
      ...US_CONFIG,
      smtp: { relayFrom: ['127.0.0.1/32'] },
      policy: {
        localDomains: ['host.test'],
        virtualMailboxDomains: ['virtual.test'],
        virtualMailboxMaps: [`texthash:${join(dir, 'mailboxes')}`],
      },
      route: { transportMaps: [`texthash:${join(dir, 'transport')}`], mailboxTransport: `lmtp:unix:${socket}` },
      local: { mailbox: 'Maildir/' },
    },
    users: { 'anna@us.test': PASSWORD },
  });
  const send = async (subject: string, recipients: readonly string[]): Promise<void> => {
    const message = letter({ from: 'anna@us.test', to: recipients[0]!, subject });
    assert.match(await sendLetter({ port: 25, sender: 'anna@us.test', recipients, message }), /^250/);
  };
  const one = async (user: string, subject: string): Promise<string> => {
    await eventually(`"${subject}" for ${user}`, () => mails(user, subject).length > 0);
    assert.equal(mails(user, subject).length, 1);
    return mails(user, subject)[0]!;
  };

  await t.test('the virtual domain: over TCP; who is in no table is refused at RCPT, whom Dovecot does not know is reported', async () => {
    const client = await LineClient.open(25);
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^250/);
    await client.smtp('MAIL FROM:<anna@us.test>', /^250/);
    await client.smtp('RCPT TO:<nobody@virtual.test>', /^550 5\.1\.1/);
    client.close();
    await send('to a virtual user', ['rita@virtual.test', 'lost@virtual.test']);
    await one('rita', 'to a virtual user');
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
    const report = await eventually('the report', async () => (await imap.messages()).find((text) => text.includes('lost@virtual.test')));
    assert.match(report, /^Status: 5\.1\.1\r$/m);
    await imap.logout();
  });

  await t.test('users of this machine: over a unix socket, once their .forward has been read', async () => {
    await send('to a system user', ['rita@host.test']);
    assert.match(await one('rita', 'to a system user'), /^Delivered-To: rita@host\.test$/m);
    await send('to one who forwards', ['rob@host.test']);
    await one('rita', 'to one who forwards');
    assert.deepEqual(mails('rob', 'to one who forwards'), []);
  });
});
