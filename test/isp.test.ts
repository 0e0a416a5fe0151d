/** The ISP of examples/isp: virtual users, aliases, passwords and relay hosts in Debian's MariaDB. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { localizedExample } from './harness/localized.ts';
import { type Config, ROOT, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { attempt, mail, zones } from './judge/world.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startMariaDb } from './peers/mariadb.ts';
import { startNsd } from './peers/nsd.ts';
import { startPostfix } from './peers/postfix.ts';
import { REMOTE, US } from './peers/small-internet.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';

const HERE: Config = {
  listen: { smtp: [`${US}:25`], submission: [`${US}:587`], submissions: [], imaps: [], pop3s: [], metrics: [] },
  dns: { servers: ['127.0.0.1:53'] },
  deliver: { bindAddress4: US },
  door: { greetingDelay: '0s' },
  greylist: { mode: 'off' },
  tables: { serverCooldown: '0s' },
  log: { format: 'json' },
};
/** What each of them types. */
const PASSWORDS: Readonly<Record<string, string>> = {
  anna: 'anna-secret',
  bert: 'bert-secret',
  cora: 'cora-secret',
  dora: 'dora-secret',
  full: 'full-secret',
  gone: 'gone-secret',
};

test('virtual users in MariaDB', async (t) => {
  need('sieve-connect', 'doveadm');
  const mariadb = await startMariaDb(t, 3306);
  await mariadb.sql("CREATE DATABASE mail; GRANT SELECT ON mail.* TO 'posthorn'@'127.0.0.1' IDENTIFIED BY 'the-password';");
  await mariadb.sql(readFileSync(join(ROOT, 'examples/isp/schema.sql'), 'utf8'), 'mail');
  const stored: Readonly<Record<string, string>> = {
    anna: (await succeed('openssl', ['passwd', '-6', PASSWORDS['anna']!])).trim(),
    bert: (await succeed('doveadm', ['pw', '-s', 'BLF-CRYPT', '-r', '4', '-p', PASSWORDS['bert']!])).trim(),
    cora: (await succeed('doveadm', ['pw', '-s', 'SSHA256', '-p', PASSWORDS['cora']!])).trim(),
    dora: `{PLAIN}${PASSWORDS['dora']}`,
    full: `{PLAIN}${PASSWORDS['full']}`,
    gone: `{PLAIN}${PASSWORDS['gone']}`,
  };
  await mariadb.sql("INSERT INTO virtual_domains VALUES ('isp.test'), ('other.test');", 'mail');
  for (const [user, password] of Object.entries(stored))
    await mariadb.sql(
      `INSERT INTO virtual_users VALUES ('${user}@isp.test', '${password}', ${user === 'full' ? 20_000 : 0}, ${user === 'gone' ? 'FALSE' : 'TRUE'}, 'isp.test');`,
      'mail',
    );
  await mariadb.sql(
    "INSERT INTO virtual_aliases VALUES ('info@isp.test', 'anna@isp.test'), ('info@isp.test', 'bert@isp.test'), ('abroad@isp.test', 'rob@remote.test'), ('@other.test', 'bert@isp.test'), ('hello@other.test', 'anna@isp.test');" +
      "INSERT INTO sender_relays VALUES ('anna@isp.test', '[192.0.2.3]:25');",
    'mail',
  );
  await startNsd(t, zones(`isp IN MX 10 mx.us\nother IN MX 10 mx.us\nisp IN TXT "v=spf1 ip4:${US} -all"\n`));
  const peer = await startPostfix(t, {
    name: 'remote',
    address: `${REMOTE}:25`,
    hostname: 'mx.remote.test',
    domains: ['remote.test'],
    users: ['rita', 'rob'],
    main: { mynetworks: `127.0.0.0/8 ${REMOTE}/32`, smtp_bind_address: REMOTE },
  });
  const relay = await startSmtpSink(t, '192.0.2.3', 25);
  const dir = tempDir(t, 'isp');
  const certificate = await makeCertificate(dir, ['localhost', 'mx.us.test']);
  const config = localizedExample('isp', dir, { 'mail.example.org': 'mx.us.test', 'example.org': 'isp.test' }, HERE, {
    tls: { certificate: certificate.certificate, key: certificate.key },
  });
  const server = await startPosthorn(t, { config });

  const login = (user: string): Promise<ImapClient> => ImapClient.login(server.port('imap'), `${user}@isp.test`, PASSWORDS[user]!);
  async function withSubject(user: string, subject: string, mailbox = 'INBOX'): Promise<string[]> {
    const imap = await login(user);
    const { status } = await imap.command(`EXAMINE "${mailbox}"`);
    const found = status.startsWith('OK') ? (await imap.messages(mailbox)).filter((text) => text.includes(`\r\nSubject: ${subject}\r\n`)) : [];
    await imap.logout();
    return found;
  }
  async function one(user: string, subject: string, mailbox?: string): Promise<string> {
    await eventually(`"${subject}" for ${user}`, async () => (await withSubject(user, subject, mailbox)).length > 0);
    const found = await withSubject(user, subject, mailbox);
    assert.equal(found.length, 1);
    return found[0]!;
  }
  async function receive(subject: string, to: string, body?: string): Promise<void> {
    const heard = await attempt({ recipients: [to], message: mail({ subject, body }) });
    assert.match(heard.reply, /^250 /, `${heard.step}: ${heard.reply}`);
  }
  async function submit(user: string, to: string, subject: string, from = `${user}@isp.test`): Promise<string> {
    const client = await LineClient.open(587, { host: US });
    try {
      await client.smtp(null, /^220/);
      await client.smtp('EHLO laptop.test', /^250/);
      await client.smtp('STARTTLS', /^220/);
      await client.startTls();
      await client.smtp('EHLO laptop.test', /^250/);
      await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}@isp.test\0${PASSWORDS[user]}`).toString('base64')}`, /^235/);
      for (const command of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`]) {
        const reply = await client.smtp(command, /^/);
        if (!reply.startsWith('250')) return reply;
      }
      await client.smtp('DATA', /^354/);
      client.send(`${mail({ from, subject })}.\r\n`);
      return await client.smtp(null, /^/);
    } finally {
      client.close();
    }
  }

  await t.test('mail for a user of the table makes the account; unknown and switched off users are refused', async () => {
    await receive('first', 'anna@isp.test');
    assert.match(await one('anna', 'first'), /^Return-Path: <rita@friend\.test>\r\nDelivered-To: anna@isp\.test\r\n/);
    for (const user of ['nobody', 'gone']) {
      const heard = await attempt({ recipients: [`${user}@isp.test`], message: null });
      assert.match(heard.reply, /^550 5\.1\.1 .*User unknown in virtual mailbox table/, user);
    }
    assert.match((await attempt({ recipients: ['x@remote.test'], message: null })).reply, /^554 5\.7\.1 /);
    await receive('in capitals, with a detail', 'Anna+Shop@ISP.Test');
    await one('anna', 'in capitals, with a detail');
  });

  await t.test('aliases: several users, another host, a catch-all that leaves users alone', async () => {
    await receive('to info', 'info@isp.test');
    for (const user of ['anna', 'bert']) await one(user, 'to info');
    await receive('caught', 'whoever@other.test');
    await one('bert', 'caught');
    assert.deepEqual(await withSubject('anna', 'caught'), []);
    await receive('not caught', 'hello@other.test');
    await one('anna', 'not caught');
    assert.deepEqual(await withSubject('bert', 'not caught'), []);
    await mariadb.sql("INSERT INTO virtual_aliases VALUES ('@isp.test', 'bert@isp.test');", 'mail');
    await receive('to anna all the same', 'anna@isp.test');
    await one('anna', 'to anna all the same');
    await receive('abroad', 'abroad@isp.test');
    const sent = await eventually('it is at the peer', () => peer.messages('rob').find((text) => text.includes('Subject: abroad\n')));
    assert.match(sent, /^Return-Path: <SRS0=.*=friend\.test=rita@mx\.us\.test>/);
  });

  await t.test('every kind of stored password opens IMAP, POP3 and submission; a wrong one none', async () => {
    for (const user of ['anna', 'bert', 'cora', 'dora']) {
      const imap = await login(user);
      await imap.ok('EXAMINE INBOX');
      await imap.logout();
      const pop = await LineClient.open(server.port('pop3'));
      await pop.expect(/^\+OK/);
      pop.send(`USER ${user}@isp.test\r\n`);
      await pop.expect(/^\+OK/);
      pop.send(`PASS ${PASSWORDS[user]}\r\n`);
      await pop.expect(/^\+OK/);
      pop.close();
    }
    await assert.rejects(ImapClient.login(server.port('imap'), 'anna@isp.test', 'wrong'));
    await assert.rejects(ImapClient.login(server.port('imap'), 'gone@isp.test', PASSWORDS['gone']!));
    await mariadb.sql("UPDATE virtual_users SET password='{PLAIN}another-secret' WHERE email='dora@isp.test';", 'mail');
    await assert.rejects(ImapClient.login(server.port('imap'), 'dora@isp.test', PASSWORDS['dora']!));
    await (await ImapClient.login(server.port('imap'), 'dora@isp.test', 'another-secret')).logout();
  });

  await t.test('a script put by sieve-connect sorts the mail of a user of the table', async () => {
    const script = join(dir, 'main.sieve');
    writeFileSync(script, 'require ["fileinto", "mailbox", "envelope", "subaddress"];\nif envelope :detail "to" "list" { fileinto :create "Lists"; }\n');
    for (const args of [
      ['--upload', '--localsieve', script, '--remotesieve', 'main'],
      ['--activate', '--remotesieve', 'main'],
    ]) {
      const common = ['--server', 'localhost', '--port', String(server.port('sieve')), '--4', '--nosrv', '--user', 'anna@isp.test'];
      const how = ['--tlscafile', certificate.certificate, '--noclearchan', '--authmech', 'PLAIN', '--passwordfd', '0'];
      const result = await run('sieve-connect', [...common, ...how, ...args], { input: `${PASSWORDS['anna']}\n`, timeoutMs: 30_000 });
      assert.equal(result.code, 0, result.stdout + result.stderr);
    }
    await receive('sorted', 'anna+list@isp.test');
    await one('anna', 'sorted', 'Lists');
  });

  await t.test('mail leaves by the relay host of its sender, other mail by MX; nobody sends as another', async () => {
    assert.match(await submit('anna', 'rob@remote.test', 'by her relay'), /^250 /);
    const taken = await eventually('it is at the relay host', () => relay.taken.find(({ message }) => message.includes('Subject: by her relay\r\n')));
    assert.deepEqual([taken.sender, taken.recipients], ['anna@isp.test', ['rob@remote.test']]);
    assert.match(await submit('bert', 'rob@remote.test', 'by MX'), /^250 /);
    await eventually('it is at the peer', () => peer.messages('rob').find((text) => text.includes('Subject: by MX\n')));
    assert.equal(relay.taken.length, 1);
    assert.match(await submit('bert', 'rob@remote.test', 'forged', 'anna@isp.test'), /^5\d\d /);
  });

  await t.test('the quota of the table counts', async () => {
    await receive('fits', 'full@isp.test', `${'x'.repeat(70)}\n`.repeat(200));
    await one('full', 'fits');
    const heard = await attempt({ recipients: ['full@isp.test'], message: mail({ subject: 'does not', body: `${'x'.repeat(70)}\n`.repeat(200) }) });
    assert.match(heard.reply, /^452 4\.2\.2/);
    assert.match(await server.admin('user', 'list', 'isp.test'), /full@isp\.test .*19.5 KiB|full@isp\.test .*20 KB/);
  });

  await t.test('while the database is down: 451, no login; afterwards a Postfix delivers what it kept', async () => {
    await mariadb.stop();
    const heard = await attempt({ recipients: ['cora@isp.test'], message: null });
    assert.match(heard.reply, /^451 4\.3\./);
    const imap = await ImapClient.open(server.port('imap'));
    assert.match((await imap.command(`LOGIN cora@isp.test ${PASSWORDS['cora']}`)).status, /^NO \[UNAVAILABLE\]/);
    imap.wire.close();
    const message = letter({ from: 'rita@remote.test', to: 'cora@isp.test', subject: 'kept for later' });
    assert.match(await sendLetter({ host: REMOTE, port: 25, sender: 'rita@remote.test', recipients: ['cora@isp.test'], message }), /^250/);
    await eventually('the peer keeps it', async () =>
      (await peer.queue()).some(({ recipients }) => recipients.some((one) => /451 4\.3\./.test(one.delay_reason ?? ''))),
    );
    await mariadb.start();
    await succeed('postqueue', ['-c', peer.config, '-f']);
    await one('cora', 'kept for later');
  });

  await t.test('the whole way of an address, told by command, and the way of a message', async () => {
    assert.match(await server.admin('route', 'info@isp.test'), /aliases\.cf[\s\S]*anna@isp\.test[\s\S]*bert@isp\.test/);
    assert.match(await server.admin('trace', 'bert@isp.test'), /caught|bert@isp\.test/);
  });
});
