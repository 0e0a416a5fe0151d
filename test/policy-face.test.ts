/** Postfix asks Posthorn about strangers (check_policy_service): greylisting, SPF, rates. And Posthorn asks a policy server in Python. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { authDns } from '../src/judge/authenticity/auth-dns.ts';
import { createSpf, SPF_LIMITS } from '../src/judge/authenticity/spf.ts';
import { type PolicyFace, startPolicyFace } from '../src/judge/faces/policy/server.ts';
import { POLICY_FACE_SETTINGS } from '../src/judge/faces/policy/settings.ts';
import { createGreylist, type Greylist } from '../src/judge/greylist/greylist.ts';
import { GREYLIST_OPERATIONS } from '../src/judge/greylist/operations.ts';
import { GREYLIST_SETTINGS } from '../src/judge/greylist/settings.ts';
import { openJudgeStore } from '../src/judge/greylist/testing.ts';
import { createPolicyClient } from '../src/judge/policy-client.ts';
import { createRateMemory, openRates } from '../src/judge/rates/rates.ts';
import { RATES_SETTINGS } from '../src/judge/rates/settings.ts';
import { createDns } from '../src/net/dns.ts';
import { DNS_SETTINGS } from '../src/net/dns-settings.ts';
import { defaultsOf, HOUR, MINUTE } from '../src/system/declare.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { letter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { keepRunning, need } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { startNsd } from './peers/nsd.ts';
import type { Postfix } from './peers/postfix.ts';
import { CLIENT, REMOTE, startRemote } from './peers/small-internet.ts';

ownNetwork();

const METRICS = { count: () => {}, gauge: () => {} };
const STRANGER = '192.0.2.66';
const ZONE = `
client      IN A    ${CLIENT}
; says who may send its mail: the client, nobody else
honest      IN TXT  "v=spf1 a:client.test -all"
honest      IN MX   10 client
; says nothing
quiet       IN MX   10 client
`;

interface Face {
  readonly face: PolicyFace;
  readonly greylist: Greylist;
  /** Added to the time of day that face, greylist and rates see. */
  aheadMs: number;
  limits: readonly string[];
  settings: Readonly<Record<keyof typeof POLICY_FACE_SETTINGS, any>>;
}

/** Posthorn's policy server with a real store, real DNS and real SPF, and a clock that can be put forward. */
async function startFace(t: TestContext): Promise<Face> {
  const now = (): number => Date.now() + it.aheadMs;
  const store = openJudgeStore(t, GREYLIST_OPERATIONS, now);
  const dns = createDns(() => ({ ...defaultsOf(DNS_SETTINGS), 'dns.servers': ['127.0.0.1:53'] }));
  const spf = createSpf(authDns(dns), () => SPF_LIMITS, now);
  const rateSettings = { ...defaultsOf(RATES_SETTINGS) };
  const greylist = createGreylist({
    reader: store.reader,
    writer: store.writer,
    settings: () => defaultsOf(GREYLIST_SETTINGS),
    log: SILENT_LOG,
    metrics: METRICS,
  });
  const it = { aheadMs: 0, limits: [], greylist, settings: { ...defaultsOf(POLICY_FACE_SETTINGS), 'face.policySpf': 'reject' } } as Omit<Face, 'face'>;
  const rates = openRates(createRateMemory(65_536), {
    settings: () => ({ ...rateSettings, 'rates.limits': it.limits }),
    log: SILENT_LOG,
    metrics: METRICS,
    now,
  });
  const face = await startPolicyFace({
    listen: ['127.0.0.1:0', `unix:${join(tempDir(t, 'face'), 'policy')}`],
    greylist,
    spf: (input) => spf.check(input),
    rates,
    log: SILENT_LOG,
    metrics: METRICS,
    settings: () => it.settings,
    hostname: 'mx.remote.test',
    now,
  });
  atEnd(t, () => face.stop());
  return Object.assign(it, { face });
}

/** MAIL and RCPT from an address of this small internet; answers the reply to the first recipient that is not accepted, or to the last. */
async function greet(from: string): Promise<LineClient> {
  const client = await LineClient.open(25, { host: REMOTE, from });
  try {
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^250/);
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}
async function offer(from: string, sender: string, recipients: readonly string[]): Promise<string> {
  const client = await greet(from);
  await client.smtp(`MAIL FROM:<${sender}>`, /^250/);
  let reply = '';
  for (const recipient of recipients) reply = await client.smtp(`RCPT TO:<${recipient}>`, /^[245]/);
  client.close();
  return reply;
}
async function send(from: string, sender: string, recipients: readonly string[], subject: string): Promise<string> {
  const client = await greet(from);
  await client.smtp(`MAIL FROM:<${sender}>`, /^250/);
  for (const recipient of recipients) await client.smtp(`RCPT TO:<${recipient}>`, /^250/);
  await client.smtp('DATA', /^354/);
  client.send(letter({ from: sender, to: recipients[0]!, subject }));
  const reply = await client.smtp('.', /^[245]/);
  client.close();
  return reply;
}
const message = (postfix: Postfix, user: string, subject: string): Promise<string> =>
  eventually(`"${subject}" for ${user}`, () => postfix.messages(user).find((text) => text.includes(`Subject: ${subject}\n`)));

test('Postfix asks Posthorn', async (t) => {
  need('nsd', 'postfix');
  await startNsd(t, { 'test.': ZONE, '2.0.192.in-addr.arpa.': '20 IN PTR client.test.\n', '.': '' });
  const it = await startFace(t);
  const [tcp, unix] = it.face.addresses as [string, string];
  const postfix = await startRemote(t, { main: { smtpd_recipient_restrictions: `reject_unauth_destination, check_policy_service inet:${tcp}` } });

  await t.test('a stranger is asked to come back, does so too early, then in time', async () => {
    assert.match(
      await offer(CLIENT, 'h@quiet.test', ['rita@remote.test']),
      /^450 4\.7\.1 <rita@remote\.test>: Recipient address rejected: Greylisted: .* in 180 seconds$/,
    );
    it.aheadMs += MINUTE;
    assert.match(await offer(CLIENT, 'h@quiet.test', ['rita@remote.test']), /^450 4\.7\.1 .*Greylisted: .* in 1[12]\d seconds$/);
    it.aheadMs += 3 * MINUTE;
    assert.match(await send(CLIENT, 'h@quiet.test', ['rita@remote.test'], 'came back'), /^250/);
    const text = await message(postfix, 'rita', 'came back');
    assert.match(text, /\nReceived-SPF: none \(mx\.remote\.test: domain of quiet\.test has no policy for 192\.0\.2\.20\)/);
    assert.match(await offer(STRANGER, 'h@quiet.test', ['rob@remote.test']), /^450 4\.7\.1/, 'another triplet');
  });

  await t.test('the notes are in the store', async () => {
    await it.greylist.flush();
    assert.match(await offer(CLIENT, 'h@quiet.test', ['rita@remote.test']), /^250/);
  });

  await t.test('who may not send for a domain is refused for good, who may is marked once for all recipients', async () => {
    assert.match(
      await offer(STRANGER, 'h@honest.test', ['rita@remote.test']),
      /^550 5\.7\.23 <rita@remote\.test>: Recipient address rejected: SPF: honest\.test does not allow 192\.0\.2\.66 to send its mail$/,
    );
    const both = ['rita@remote.test', 'rob@remote.test'];
    assert.match(await offer(CLIENT, 'h@honest.test', both), /^450 4\.7\.1 .*Greylisted/);
    it.aheadMs += 3 * MINUTE;
    assert.match(await send(CLIENT, 'h@honest.test', both, 'marked'), /^250/);
    for (const user of ['rita', 'rob']) {
      const fields = (await message(postfix, user, 'marked')).match(/^Received-SPF: .*/gm);
      assert.deepEqual([fields?.length, fields?.[0]?.slice(0, 18)], [1, 'Received-SPF: pass']);
    }
  });

  await t.test('who has used up a limit is deferred', async () => {
    it.limits = ['sender messages 2/1h', 'client recipients 3/1h'];
    it.aheadMs += HOUR;
    const sent = ['first', 'second', 'third'].map((name) => () => offer(CLIENT, 'h@honest.test', [`${name === 'first' ? 'rita' : 'rob'}@remote.test`]));
    assert.match(await sent[0]!(), /^250/);
    assert.match(await sent[1]!(), /^250/);
    assert.match(
      await sent[2]!(),
      /^450 4\.7\.1 <rob@remote\.test>: Recipient address rejected: Too many messages from this sender, please try again in \d+ seconds$/,
    );
    it.limits = [];
  });

  await t.test('at two places of the restrictions and over a unix socket it is asked as well, and counts once', async () => {
    it.limits = ['client recipients 2/1h'];
    it.aheadMs += HOUR;
    postfix.set({ smtpd_client_restrictions: `check_policy_service ${unix}`, smtpd_sender_restrictions: `check_policy_service ${unix}` });
    await postfix.reload();
    assert.match(await offer(CLIENT, 'h@honest.test', ['rita@remote.test', 'rob@remote.test']), /^250/);
    assert.match(await offer(CLIENT, 'h@honest.test', ['rita@remote.test']), /^450 4\.7\.1 .*Too many recipients from your address/);
    it.limits = [];
  });

  await t.test('without delay, connections and messages are counted where they happen, and bytes at the end', async () => {
    it.limits = ['client connections 2/1h', 'client bytes 1KiB/1h'];
    it.aheadMs += HOUR;
    postfix.set({ smtpd_delay_reject: 'no', smtpd_sender_restrictions: '', smtpd_end_of_data_restrictions: `check_policy_service inet:${tcp}` });
    await postfix.reload();
    assert.match(await send(CLIENT, 'h@honest.test', ['rita@remote.test'], 'small'), /^250/);
    const client = await greet(CLIENT);
    await client.smtp('MAIL FROM:<h@honest.test>', /^250/);
    await client.smtp('RCPT TO:<rita@remote.test>', /^250/);
    await client.smtp('DATA', /^354/);
    client.send(letter({ from: 'h@honest.test', to: 'rita@remote.test', subject: 'too much', body: 'x '.repeat(1000) }));
    await client.smtp('.', /^450 4\.7\.1 .*Too much mail from your address/);
    client.close();
    const third = await LineClient.open(25, { host: REMOTE, from: CLIENT });
    await third.smtp(null, /^421 4\.7\.0 .*Too many connections from your address/);
    assert.ok(await third.ended());
    it.limits = [];
  });

  await t.test('mail flows on when Posthorn does not answer and Postfix is told so', async () => {
    await it.face.stop();
    const service = `{ inet:${tcp}, timeout=5s, try_limit=1, default_action=DUNNO }`;
    postfix.set({
      smtpd_delay_reject: 'yes',
      smtpd_client_restrictions: '',
      smtpd_end_of_data_restrictions: '',
      smtpd_recipient_restrictions: `reject_unauth_destination, check_policy_service ${service}`,
    });
    await postfix.reload();
    // An smtpd process that waits with its old settings may take one more connection.
    await eventually('Postfix goes on without', async () => (await offer(STRANGER, 'h@quiet.test', ['rob@remote.test'])).startsWith('250'));
  });
});

const PYTHON = `
import os, socketserver, sys
class Policy(socketserver.StreamRequestHandler):
    def handle(self):
        while True:
            attributes = {}
            while True:
                line = self.rfile.readline().decode()
                if line == "": return
                if line == "\\n": break
                name, _, value = line.rstrip("\\n").partition("=")
                attributes[name] = value
            if attributes["sender"] == "cut@remote.test" and not os.path.exists(sys.argv[1]):
                open(sys.argv[1], "w").close()
                return
            print("%s %s %s" % (self.client_address[1], attributes["protocol_state"], attributes["sender"]), file=open(sys.argv[2], "a"))
            self.wfile.write(("action=PREPEND X-Asked: %s\\n\\n" % attributes["sender"]).encode())
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Policy)
print(server.server_address[1], flush=True)
server.serve_forever()
`;

test('Posthorn asks a policy server written in Python', async (t) => {
  need('python3');
  const dir = tempDir(t, 'python');
  const [cut, asked] = [join(dir, 'cut'), join(dir, 'asked')];
  writeFileSync(asked, '');
  const python = keepRunning('python3', ['-c', PYTHON, cut, asked]);
  atEnd(t, () => python.child.kill('SIGKILL'));
  const port = await eventually('the port of the policy server', () => /^\d+\n/.exec(python.output())?.[0].trim());
  const service = createPolicyClient({ log: SILENT_LOG, metrics: METRICS });
  atEnd(t, () => service.close());
  const ask = (sender: string): Promise<string> =>
    service.ask(`inet:127.0.0.1:${port}`, { request: 'smtpd_access_policy', protocol_state: 'RCPT', sender, recipient: 'bob@us.test' }, { retryMs: 1 });
  for (const sender of ['a@remote.test', 'b@remote.test']) assert.equal(await ask(sender), `PREPEND X-Asked: ${sender}`);
  assert.equal(await ask('cut@remote.test'), 'PREPEND X-Asked: cut@remote.test', 'cut off once, asked again');
  const lines = readFileSync(asked, 'utf8').trim().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ').slice(1).join(' ')),
    ['RCPT a@remote.test', 'RCPT b@remote.test', 'RCPT cut@remote.test'],
  );
  assert.equal(new Set(lines.map((line) => line.split(' ')[0])).size, 2, 'one connection until it was cut');
  python.child.kill('SIGKILL');
  await eventually('the server is gone', () => python.child.signalCode);
  assert.equal(await ask('c@remote.test'), '451 4.3.5 Server configuration problem');
});
