/** posthorn dns and posthorn doctor against a real name server and a running server. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import { cliContext } from '../src/cli/context.ts';
import { registerDkim } from '../src/cli/dkim.ts';
import { registerDns } from '../src/cli/dns-command.ts';
import { registerDoctor } from '../src/cli/doctor-command.ts';
import type { CliIo } from '../src/cli/io.ts';
import { type DnsFacts, wantedRecords, zoneText } from '../src/cli/dns-advice.ts';
import { checkRecords, isSerious, type RecordFinding } from '../src/cli/dns-check.ts';
import { DNS_SETTINGS } from '../src/net/dns-settings.ts';
import { createDns, type Dns } from '../src/net/dns.ts';
import { generateKey } from '../src/judge/signing/keys.ts';
import { dkimRecord } from '../src/judge/signing/record.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { startNsd } from './peers/nsd.ts';
import { US } from './peers/small-internet.ts';

ownNetwork();

async function facts(): Promise<DnsFacts> {
  const keys = await Promise.all(
    (['rsa', 'ed25519'] as const).map(async (algorithm) => {
      const record = dkimRecord(algorithm, createPublicKey(await generateKey(algorithm, 4096)));
      return { selector: algorithm, name: `${algorithm}._domainkey.us.test`, record, state: 'active' as const };
    }),
  );
  return {
    domain: 'us.test',
    hostname: 'mx.us.test',
    addresses: [US, '2001:db8::1'],
    keys,
    ports: { submission: 587, submissions: 465, imap: 143, imaps: 993, pop3: 110, pop3s: 995 },
    reportAddress: 'dmarc@us.test',
    certificateKey: 'ab'.repeat(32),
  };
}

async function checked(t: TestContext, known: DnsFacts, zones: Readonly<Record<string, string>>): Promise<readonly RecordFinding[]> {
  await startNsd(t, { ...zones, '.': '' });
  const settings = { ...defaultsOf(DNS_SETTINGS), 'dns.servers': ['127.0.0.1:53'] };
  const dns: Dns = createDns(() => settings);
  atEnd(t, () => dns.close());
  return checkRecords(wantedRecords(known), known, dns);
}

test('a zone made of the text that is printed has everything, doubtful records too', async (t) => {
  need('nsd');
  const known = await facts();
  const text = zoneText(wantedRecords(known));
  // The records that are comments count as well here; the ones of the addresses have zones of their own.
  const whole = text.replace(/^; (\S+\. 3600 IN (?!PTR))/gm, '$1');
  const findings = await checked(t, known, {
    'test.': whole,
    '2.0.192.in-addr.arpa.': '1 IN PTR mx.us.test.',
    '8.b.d.0.1.0.0.2.ip6.arpa.': '1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 IN PTR mx.us.test.',
  });
  assert.deepEqual(
    findings.filter(({ state }) => state !== 'right').map(({ record, state, advice }) => `${record.type} ${record.name} ${state} ${advice}`),
    [],
  );
});

test('an empty zone, a wrong zone, and dead name servers are told apart', async (t) => {
  need('nsd');
  const known = await facts();
  await t.test('empty', async (t2) => {
    const findings = await checked(t2, known, { 'test.': '' });
    assert.ok(findings.every(({ state }) => state === 'missing'));
  });
  await t.test('wrong', async (t2) => {
    const findings = await checked(t2, known, {
      'test.': [
        'us IN MX 10 mx.other.test.',
        'mx.us IN CNAME other.test.',
        'other IN A 192.0.2.99',
        'us IN TXT "v=spf1 a:other.test -all"',
        'rsa._domainkey.us IN TXT "v=DKIM1; k=rsa; p=AAAA"',
        '_dmarc.us IN TXT "v=DMARC1; p=perhaps"',
      ].join('\n'),
    });
    const wrong = findings.filter(({ state }) => state === 'wrong').map(({ record }) => record.kind);
    assert.deepEqual(wrong, ['mx', 'host', 'spf', 'dkim', 'dmarc']);
    assert.ok(findings.some(isSerious));
  });
  await t.test('dead', async (t2) => {
    const settings = { ...defaultsOf(DNS_SETTINGS), 'dns.servers': ['127.0.0.1:53'], 'dns.timeout': 200, 'dns.tries': 1 };
    const dns = createDns(() => settings);
    atEnd(t2, () => dns.close());
    const findings = await checkRecords(wantedRecords(known), known, dns);
    assert.ok(findings.every(({ state }) => state === 'unknown'));
  });
});

/** The commands in this process, on the running server. */
async function command(server: Posthorn, ...args: string[]): Promise<{ text: string; code: number }> {
  const lines: string[] = [];
  const io = { print: (text: string) => void lines.push(text), note: (text: string) => void lines.push(text), isInteractive: false } as unknown as CliIo;
  const context = cliContext(io, { serve: async () => {}, openLocalAdmin: async () => assert.fail('the server runs') }, () => server.configFile);
  const program = new Command('posthorn').exitOverride();
  registerDkim(program, context.open, io);
  registerDns(program, context);
  registerDoctor(program, context);
  const before = process.exitCode;
  process.exitCode = 0;
  await program.parseAsync(args, { from: 'user' });
  const code = Number(process.exitCode);
  process.exitCode = before;
  return { text: lines.join('\n'), code };
}

test('keys are made on the running server, their records put into the zone, and then dns and doctor are content with them', async (t) => {
  need('nsd');
  const server = await startPosthorn(t, {
    config: { listen: { smtp: [`${US}:25`], submissions: [`${US}:465`], imaps: [`${US}:993`] }, dns: { servers: ['127.0.0.1:53'] } },
    users: { 'anna@us.test': 'anna-password' },
  });
  const dns = await startNsd(t, { 'test.': '', '.': '' });

  await t.test('without a zone both say what is missing', async () => {
    const advice = await command(server, 'dns', 'us.test');
    assert.equal(advice.code, 1);
    assert.match(advice.text, /MISSING {2}us\.test\. 3600 IN MX 10 mx\.us\.test\./);
    const health = await command(server, 'doctor');
    assert.equal(health.code, 2);
    assert.match(health.text, /WRONG +host name +mx\.us\.test has no address in DNS\.\n +Breaks: .*\n +Cure: +mx\.us\.test\. IN A 192\.0\.2\.1/);
    assert.match(health.text, /ok +open relay +strangers may not relay/);
    assert.match(health.text, /ok +ports /);
  });

  await t.test('with the zone that is printed nothing is missing', async (t2) => {
    await command(server, 'dkim', 'create', 'us.test', '--selector', 'key');
    const { text } = await command(server, 'dns', 'us.test', '--zone');
    assert.match(text, /^key\._domainkey\.us\.test\. 3600 IN TXT \($/m);
    assert.match(text, /^keye\._domainkey\.us\.test\. 3600 IN TXT "v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}="$/m);
    await dns.stop();
    await startNsd(t2, { 'test.': text, '2.0.192.in-addr.arpa.': '1 IN PTR mx.us.test.', '.': '' });
    const advice = await command(server, 'dns', 'us.test');
    assert.equal(advice.code, 0, advice.text);
    assert.match(advice.text, /All that us\.test needs is there\./);
    const health = await command(server, 'doctor', '--full', '--json');
    const bad = health.text
      .split('\n')
      .map((line) => JSON.parse(line) as { check: string; level: string; what: string })
      .filter(({ level }) => level === 'bad');
    assert.deepEqual(bad, []);
  });

  await t.test('a key that others can read is found', async () => {
    const file = join(server.dataDir, 'dkim/us.test/key.key');
    chmodSync(file, 0o644);
    assert.match(
      (await command(server, 'doctor')).text,
      /key\.key can be read by other users\.\n +Breaks: they can sign mail in your name\.\n +Cure: +chmod 600/,
    );
    chmodSync(file, 0o600);
  });

  await t.test('a backup has the keys, as closed as they were', async (t2) => {
    const target = join(tempDir(t2, 'backup'), 'copy');
    await server.admin('backup', target);
    assert.equal(statSync(join(target, 'dkim')).mode & 0o777, 0o700);
    assert.equal(statSync(join(target, 'dkim/us.test/key.key')).mode & 0o777, 0o600);
    await succeed('cmp', [join(target, 'dkim/us.test/key.key'), join(server.dataDir, 'dkim/us.test/key.key')]);
    const restored = join(tempDir(t2, 'restored'), 'data');
    await server.stop();
    server.configure({ dataDir: restored });
    await server.admin('restore', target);
    assert.equal(statSync(join(restored, 'dkim/us.test/key.key')).mode & 0o777, 0o600);
  });
});
