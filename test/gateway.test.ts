/** The gateway of examples/gateway before an inner server, which is Debian's Postfix with users of its own. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { letter, sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { localizedExample } from './harness/localized.ts';
import { type Config, type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run, succeed } from './harness/run.ts';
import { atEnd, type Owner, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { attempt, mail, zones } from './judge/world.ts';
import { makeCertificate } from './peers/certificate.ts';
import { startNsd } from './peers/nsd.ts';
import { type Postfix, startPostfix } from './peers/postfix.ts';
import { startSlapd } from './peers/slapd.ts';
import { CLIENT, REMOTE, US } from './peers/small-internet.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';

const PARTNERS = '192.0.2.3';
/** libunbound, which OpenDKIM asks with, answers for "test." by itself (RFC 6761): the domain that signs is another. */
const INNER = 'inner.example';

/** The words of the example and what they are here. */
const NAMES = {
  'gw.example.org': 'mx.us.test',
  'exchange.example.org': 'inner.host.test',
  'example.org': INNER,
  '10.0.0.25': REMOTE,
  '10.0.0.10': '127.0.0.1',
  'slow-partner.example': 'slow.test',
  'narrow-partner.example': 'narrow.test',
};
const HERE: Config = {
  listen: { smtp: [`${US}:25`], lmtp: [], metrics: [] },
  dns: { servers: ['127.0.0.1:53'] },
  deliver: { bindAddress4: US },
  door: { greetingDelay: '0s' },
  greylist: { mode: 'off' },
  log: { format: 'json' },
};
const MORE_ZONES = `
inner.host      IN A     ${REMOTE}
slow            IN MX 10 mx.slow
mx.slow         IN A     ${PARTNERS}
narrow          IN MX 10 mx.narrow
mx.narrow       IN A     ${PARTNERS}
`;

interface World {
  readonly server: Posthorn;
  readonly inner: Postfix;
  readonly dir: string;
}

async function startWorld(t: Owner, ...changes: readonly Config[]): Promise<World> {
  const inner = await startPostfix(t, {
    name: 'inner',
    address: `${REMOTE}:25`,
    hostname: 'inner.host.test',
    domains: [INNER],
    users: ['rita', 'rob'],
    main: {
      mynetworks: `127.0.0.0/8 ${REMOTE}/32`,
      relayhost: '[mx.us.test]',
      smtp_bind_address: REMOTE,
      smtp_tls_security_level: 'encrypt',
      smtpd_tls_security_level: 'may',
      smtp_tls_loglevel: '1',
    },
  });
  const certificate = join(inner.config, 'cert.pem');
  inner.set({ smtp_tls_chain_files: `${join(inner.config, 'key.pem')}, ${certificate}` });
  await inner.reload();
  const dir = tempDir(t, 'gateway');
  const config = localizedExample('gateway', dir, NAMES, HERE, ...changes);
  writeFileSync(join(dir, 'inner-ca.pem'), await succeed('cat', [certificate]));
  const printed = await succeed('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256']);
  writeFileSync(join(dir, 'inner-certificates'), `${/=(\S+)/.exec(printed)![1]} inner.host.test\n`);
  const server = await startPosthorn(t, { config });
  return { server, inner, dir };
}

const isQueued = async (server: Posthorn, pattern: RegExp): Promise<boolean> => pattern.test(await server.admin('queue', 'list', '--json'));
const got = (inner: Postfix, user: string, subject: string): string[] => inner.messages(user).filter((text) => text.includes(`\nSubject: ${subject}\n`));
async function arrived(inner: Postfix, user: string, subject: string): Promise<string> {
  await eventually(`"${subject}" for ${user}`, () => got(inner, user, subject).length > 0);
  const found = got(inner, user, subject);
  assert.equal(found.length, 1);
  return found[0]!;
}

test('a gateway before a Postfix', async (t) => {
  need('opendkim-testmsg');
  const { server, inner } = await startWorld(t);
  const keys = await server.admin('dkim', 'create', INNER);
  const records = keys.slice(keys.indexOf('Put into the zone:') + 'Put into the zone:'.length);
  await startNsd(t, { ...zones(MORE_ZONES), 'example.': `inner IN MX 10 mx.us.test.\n${records}` });
  const friend = await startSmtpSink(t, CLIENT, 25);
  /** It goes on to Rita. A process of the inner server that began before a reload may answer the first attempt. */
  async function flushed(subject: string): Promise<void> {
    await eventually(`"${subject}" goes on`, async () => {
      await server.admin('queue', 'flush');
      return got(inner, 'rita', subject).length > 0;
    });
    await arrived(inner, 'rita', subject);
  }
  const connections = (): number => inner.log.match(/smtpd\[\d+\]: connect from/g)?.length ?? 0;

  await t.test('good recipients are taken and handed over by TLS, unknown ones refused in the words of the inner server', async () => {
    const heard = await attempt({ recipients: [`nobody@${INNER}`], message: null });
    assert.equal(heard.step, 'RCPT');
    assert.match(heard.reply, /^550 5\.1\.1 .*nobody@inner\.example.*undeliverable address: .*User unknown in virtual mailbox table/s);
    assert.match((await attempt({ recipients: [`rita@${INNER}`], message: mail({ subject: 'good' }) })).reply, /^250 /);
    const message = await arrived(inner, 'rita', 'good');
    assert.match(message, /^Return-Path: <rita@friend\.test>\n/);
    assert.match(message, /\(using TLSv1\.[23] with cipher/);
    assert.match(message, /^Authentication-Results: mx\.us\.test;[\s\S]*?spf=pass/m);
  });

  await t.test('the inner server is asked once about each address', async () => {
    const before = connections();
    assert.match((await attempt({ recipients: [`nobody@${INNER}`], message: null })).reply, /^550 5\.1\.1 /);
    assert.match((await attempt({ recipients: [`rita@${INNER}`], message: null })).reply, /^250 /);
    assert.equal(connections(), before);
  });

  await t.test('while it is down: known addresses are taken and wait, others are told to come back; afterwards what waited arrives', async () => {
    await inner.stop();
    assert.match((await attempt({ recipients: [`rita@${INNER}`], message: mail({ subject: 'while down' }) })).reply, /^250 /);
    assert.match((await attempt({ recipients: [`rob@${INNER}`], message: null })).reply, /^450 4\.1\.1 .*unverified address/);
    await eventually('the failed attempt is known', () => isQueued(server, /"attempts":[1-9]/));
    assert.match(await server.admin('queue', 'list'), new RegExp(`rita@${INNER}`));
    await inner.start();
    await flushed('while down');
  });

  await t.test('without TLS nothing is handed over', async () => {
    inner.set({ smtpd_tls_security_level: 'none' });
    await inner.reload();
    // A connection that is kept for the next message is in TLS still.
    await eventually('no connection is left', async () => !/ESTAB/.test(await succeed('ss', ['-tnH', 'dst', `${REMOTE}:25`])));
    assert.match((await attempt({ recipients: [`rita@${INNER}`], message: mail({ subject: 'no TLS' }) })).reply, /^250 /);
    await eventually('it waits', () => isQueued(server, /TLS is required, but was not offered/));
    assert.deepEqual(got(inner, 'rita', 'no TLS'), []);
  });

  await t.test("nor with another's certificate", async () => {
    const other = await makeCertificate(tempDir(t, 'other'), ['inner.host.test']);
    const own = { smtpd_tls_chain_files: `${join(inner.config, 'key.pem')}, ${join(inner.config, 'cert.pem')}`, smtpd_tls_security_level: 'may' };
    inner.set({ ...own, smtpd_tls_chain_files: `${other.key}, ${other.certificate}` });
    await inner.reload();
    await eventually('it waits still', async () => {
      await server.admin('queue', 'flush');
      return isQueued(server, /certificate/i);
    });
    assert.deepEqual(got(inner, 'rita', 'no TLS'), []);
    inner.set(own);
    await inner.reload();
    await flushed('no TLS');
  });

  await t.test('what the inner server sends goes out, signed', async () => {
    const message = letter({ from: `rita@${INNER}`, to: 'x@friend.test', subject: 'outgoing', body: 'From within.' });
    assert.match(await sendLetter({ host: REMOTE, port: 25, sender: `rita@${INNER}`, recipients: ['x@friend.test'], message }), /^250/);
    const taken = await eventually('it is at friend.test', () => friend.taken.find((one) => one.message.includes('Subject: outgoing\r\n')));
    assert.equal(taken.sender, `rita@${INNER}`);
    assert.match(taken.message, /^DKIM-Signature: /m);
    await succeed('opendkim-testmsg', [], { input: Buffer.from(taken.message, 'latin1') });
  });

  await t.test('what could not be asked while it was down is not remembered as unknown', async () => {
    // It counts for some seconds, which have passed by now.
    await eventually('it is asked again', async () => /^250 /.test((await attempt({ recipients: [`rob@${INNER}`], message: null })).reply));
    assert.match((await attempt({ recipients: [`rob@${INNER}`], message: mail({ subject: 'for rob' }) })).reply, /^250 /);
    await arrived(inner, 'rob', 'for rob');
  });

  await t.test('mail between its own users by way of the gateway comes back in', async () => {
    const client = await LineClient.open(25, { host: US, from: CLIENT });
    client.close();
    const message = letter({ from: `rita@${INNER}`, to: `rob@${INNER}`, subject: 'inner to inner' });
    assert.match(await sendLetter({ host: REMOTE, port: 25, sender: `rita@${INNER}`, recipients: [`rob@${INNER}`], message }), /^250/);
    await arrived(inner, 'rob', 'inner to inner');
  });

  await t.test('strangers may not send elsewhere: not without the certificate, nor from another address with it', async () => {
    const elsewhere = { recipients: ['x@friend.test'], message: null };
    assert.match((await attempt(elsewhere)).reply, /^554 5\.7\.1 .*Relay access denied/);
    const bare = await attempt({ ...elsewhere, ip: REMOTE, helo: 'inner.host.test', sender: `rita@${INNER}` });
    assert.match(bare.reply, /^554 5\.7\.1 .*Access denied/);
    const stolen = await withCertificate(inner, CLIENT);
    assert.match(stolen, /554 5\.7\.1 .*Relay access denied/);
    assert.match(await withCertificate(inner, REMOTE), /250 2\.1\.5/);
  });

  await t.test('the whole way of an address, told by command', async () => {
    const told = await server.admin('route', `rita@${INNER}`);
    assert.match(told, /inner: \[inner\.host\.test\], port 25/);
    assert.match(told, /transport/);
    assert.match(await server.admin('route', 'x@slow.test'), /slow:/);
  });
});

/** All the replies of an attempt to send elsewhere, with the inner server's certificate, from an address. */
async function withCertificate(inner: Postfix, from: string): Promise<string> {
  const commands = ['EHLO inner.host.test', `MAIL FROM:<rita@${INNER}>`, 'RCPT TO:<x@friend.test>', 'QUIT'];
  const result = await run(
    'python3',
    [
      '-c',
      `import smtplib, ssl, sys
context = ssl._create_unverified_context()
context.load_cert_chain(sys.argv[1], sys.argv[2])
s = smtplib.SMTP('${US}', 25, 'inner.host.test', source_address=(sys.argv[3], 0), timeout=30)
s.starttls(context=context)
for command in sys.argv[4:]:
    code, text = s.docmd(command)
    print(code, text.decode())
`,
      join(inner.config, 'cert.pem'),
      join(inner.config, 'key.pem'),
      from,
      ...commands,
    ],
    { timeoutMs: 40_000 },
  );
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

/** A host that answers the end of each message only when it is told to, and counts who is there. */
interface SlowHost {
  /** Messages whose end waits for its answer. */
  readonly held: readonly (() => void)[];
  /** Subjects, in the order in which they were taken. */
  readonly taken: readonly string[];
  peak: number;
  release(): void;
}

async function startSlowHost(owner: Owner, ip: string): Promise<SlowHost> {
  const held: (() => void)[] = [];
  const taken: string[] = [];
  const sockets = new Set<Socket>();
  const host: SlowHost = {
    held,
    taken,
    peak: 0,
    release() {
      for (const go of held.splice(0)) go();
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    host.peak = Math.max(host.peak, sockets.size);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // 'close' follows
    socket.setEncoding('latin1');
    let text = '';
    let isData = false;
    socket.write('220 partner ESMTP\r\n');
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf(isData ? '\r\n.\r\n' : '\r\n'); end >= 0; end = text.indexOf(isData ? '\r\n.\r\n' : '\r\n')) {
        const part = text.slice(0, end);
        text = text.slice(end + (isData ? 5 : 2));
        if (isData) {
          isData = false;
          const subject = /^Subject: (.*)$/m.exec(part.replaceAll('\r', ''))![1]!;
          const go = (): void => {
            taken.push(subject);
            socket.write('250 2.0.0 taken\r\n');
          };
          held.push(go);
        } else {
          isData = part === 'DATA';
          socket.write(isData ? '354 go on\r\n' : part === 'QUIT' ? '221 2.0.0 bye\r\n' : '250 2.0.0 ok\r\n');
        }
      }
    });
  });
  server.listen(25, ip);
  await once(server, 'listening');
  atEnd(owner, () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return host;
}

test('each destination has a treatment of its own', async (t) => {
  await startNsd(t, { ...zones(MORE_ZONES), 'example.': 'inner IN MX 10 mx.us.test.' });
  const { server, inner } = await startWorld(t);
  const partner = await startSlowHost(t, PARTNERS);
  async function send(domain: string, count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) {
      const message = letter({ from: `rita@${INNER}`, to: `p@${domain}`, subject: `${domain} ${n}` });
      assert.match(await sendLetter({ host: REMOTE, port: 25, sender: `rita@${INNER}`, recipients: [`p@${domain}`], message }), /^250/);
    }
    await eventually('the inner server has sent all', async () => (await inner.queue()).length === 0);
  }

  await t.test('two connections and not more', async () => {
    await send('narrow.test', 6);
    for (let done = 0; done < 6; done += 2) {
      await eventually('two messages are under way', () => partner.held.length === 2);
      assert.equal(partner.peak, 2);
      partner.release();
    }
    await eventually('all have arrived', () => partner.taken.length === 6);
    assert.equal(partner.peak, 2);
  });

  await t.test('a destination that is given a pause gets one message at a time', async () => {
    await send('slow.test', 3);
    for (let done = 0; done < 3; done += 1) {
      await eventually('a message is under way', () => partner.held.length > 0);
      assert.equal(partner.held.length, 1);
      partner.release();
    }
    await eventually('all have arrived', () => partner.taken.filter((subject) => subject.startsWith('slow.test')).length === 3);
    assert.match(await server.admin('route', 'p@slow.test'), /slow/);
  });
});

test('recipients from LDAP: nobody is asked at RCPT', async (t) => {
  await startNsd(t, { ...zones(MORE_ZONES), 'example.': 'inner IN MX 10 mx.us.test.' });
  const suffix = 'dc=inner,dc=example';
  await startSlapd(t, {
    port: 389,
    suffix,
    password: 'the-password',
    schema: `attributetype ( 1.3.6.1.4.1.99999.1.9 NAME 'proxyAddresses' EQUALITY caseIgnoreIA5Match SUBSTR caseIgnoreIA5SubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 1.3.6.1.4.1.99999.1.10 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.9 NAME 'user' SUP top AUXILIARY MAY ( proxyAddresses $ userAccountControl ) )`,
    ldif: [
      `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: Inner\ndc: inner\n`,
      `dn: cn=Rita,${suffix}\nobjectClass: inetOrgPerson\nobjectClass: user\ncn: Rita\nsn: Rita\nmail: rita@${INNER}\nproxyAddresses: SMTP:rita@${INNER}\nproxyAddresses: smtp:boss@${INNER}\nuserAccountControl: 512\n`,
      `dn: cn=Gone,${suffix}\nobjectClass: inetOrgPerson\nobjectClass: user\ncn: Gone\nsn: Gone\nmail: gone@${INNER}\nproxyAddresses: SMTP:gone@${INNER}\nuserAccountControl: 514\n`,
    ].join('\n'),
  });
  const { inner } = await startWorld(t, {
    policy: {
      recipientRestrictions: ['reject_non_fqdn_recipient', 'permit_tls_clientcerts', 'reject_unauth_destination'],
      relayRecipientMaps: [`ldap:${join(await recipients(t), 'recipients.cf')}`],
    },
  });
  await inner.stop();
  for (const [user, reply] of [
    ['rita', /^250 /],
    ['boss', /^250 /],
    ['gone', /^550 5\.1\.1 .*User unknown in relay recipient table/],
    ['nobody', /^550 5\.1\.1 .*User unknown in relay recipient table/],
  ] as const)
    assert.match((await attempt({ recipients: [`${user}@${INNER}`], message: null })).reply, reply, user);
});

/** The example's recipients.cf with the tree of this test. */
async function recipients(t: Owner): Promise<string> {
  const dir = tempDir(t, 'recipients');
  localizedExample('gateway', dir, {
    ...NAMES,
    'cn=posthorn,cn=Users,dc=example,dc=org': 'cn=admin,dc=inner,dc=example',
    'dc=example,dc=org': 'dc=inner,dc=example',
  });
  return dir;
}
