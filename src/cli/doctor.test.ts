import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { SETTINGS } from '../settings.ts';
import { defaultsOf } from '../system/declare.ts';
import { selfSigned } from '../system/self-signed.ts';
import { DOCTOR_SETTINGS } from './doctor-settings.ts';
import { CHECKS, exitCodeOf, runChecks } from './doctor-checks.ts';
import { findingText } from './doctor.ts';
import type { DoctorEnvironment, Finding } from './doctor-types.ts';
import { type Zone, zoneDns } from './dns-testing.ts';

const NOW = Date.UTC(2026, 6, 1);
const ZONE: Zone = {
  'MX us.test': [{ exchange: 'mx.us.test', preference: 10 }],
  'A mx.us.test': ['192.0.2.1'],
  'TXT us.test': ['v=spf1 mx -all'],
  'TXT mx.us.test': ['v=spf1 a -all'],
  'TXT _dmarc.us.test': ['v=DMARC1; p=reject'],
  'TXT s1._domainkey.us.test': ['v=DKIM1; p=AAAA'],
  'PTR 1.2.0.192.in-addr.arpa': ['mx.us.test'],
};
const KEY = {
  domain: 'us.test',
  selector: 's1',
  algorithm: 'rsa',
  bits: 2048,
  state: 'active',
  createdAt: NOW,
  activeFrom: NOW,
  name: 's1._domainkey.us.test',
  record: 'v=DKIM1; p=AAAA',
  file: '/data/dkim/us.test/s1.key',
  mode: 0o600,
};

/** A world in which all is well, with what a test changes. */
function world(change: Partial<DoctorEnvironment> & { zone?: Zone; answers?: Record<string, unknown>; set?: Record<string, unknown> } = {}): DoctorEnvironment {
  const answers: Record<string, unknown> = {
    'dkim.list': { keys: [KEY], problems: [] },
    'queue.list': { entries: [], total: 0 },
    'store.check': { problems: [], messages: 3, isRepairable: false },
    ...change.answers,
  };
  return {
    settings: {
      ...defaultsOf(SETTINGS),
      ...defaultsOf(DOCTOR_SETTINGS),
      hostname: 'mx.us.test',
      domain: 'us.test',
      dataDir: '/data',
      user: 'posthorn',
      ...change.set,
    } as DoctorEnvironment['settings'],
    baseDir: '/',
    configFile: '/etc/posthorn.toml',
    admin: { call: async (name) => answers[name], close: async () => {} },
    dns: zoneDns({ ...ZONE, ...change.zone }),
    status: {
      version: '1',
      pid: 1,
      startedAt: NOW,
      configFile: null,
      dataDir: '/data',
      listen: { smtp: ['192.0.2.1:25'] },
      sessions: {},
      threads: [{ name: 'loop1', state: 'running', restarts: 0 }],
      facts: {},
    },
    domains: ['us.test'],
    addresses: ['192.0.2.1'],
    ownAddresses: ['192.0.2.1'],
    sourceAddresses: ['192.0.2.1'],
    isFull: false,
    isRoot: false,
    now: () => NOW,
    reach: async () => 'open',
    smtp: async () => ({ codes: [220, 250, 250, 554, 250, 221], localAddress: '192.0.2.1' }),
    certificates: () => [],
    isTrusted: () => true,
    space: () => ({ freePercent: 50, freeInodesPercent: 50 }),
    file: () => ({ mode: 0o600, changedAt: NOW - 1000 }),
    text: () => 'hostname = "mx.us.test"\n',
    clockIsSynchronised: async () => true,
    ...change,
  };
}

async function findings(name: string, env: DoctorEnvironment): Promise<Finding[]> {
  const found: Finding[] = [];
  await runChecks(
    env,
    CHECKS.filter((check) => check.name === name),
    (_name, some) => found.push(...some),
  );
  return found;
}
const levels = (found: readonly Finding[]): string[] => found.map(({ level }) => level);

test('where all is well every check says so in one short line', async () => {
  const leaf = { subject: 'CN=mx.us.test', issuer: 'CN=CA', validFrom: '2026-01-01', validTo: '2027-01-01', checkHost: () => 'mx.us.test' };
  const shown: string[] = [];
  const worst = await runChecks(
    world({ certificates: () => [{ file: '/tls.pem', chain: [leaf as unknown as X509Certificate], problem: null }] }),
    CHECKS,
    (name, some) => {
      assert.equal(some.length, 1, name);
      shown.push(findingText(name, some[0]!));
    },
  );
  assert.equal(worst, 'ok', shown.join('\n'));
  assert.equal(exitCodeOf(worst), 0);
  for (const line of shown) assert.ok(!line.includes('\n') && line.length < 110, line);
});

for (const [what, check, change, level, sentence] of [
  ['the server does not run', 'server', { status: null }, 'bad', /does not run/],
  ['a port is closed', 'ports', { reach: async () => 'refused' }, 'bad', /192\.0\.2\.1 port 25.*refused/],
  ['a firewall is silent', 'ports', { reach: async () => 'timeout' }, 'bad', /Nothing answers/],
  ['the host name is local', 'host name', { set: { hostname: 'localhost' } }, 'bad', /not one that others can look up/],
  ['the host name is not in DNS', 'host name', { dns: zoneDns({}) }, 'bad', /no address in DNS/],
  ['the host name leads elsewhere', 'host name', { zone: { 'A mx.us.test': ['192.0.2.9'] } }, 'bad', /not this server/],
  ['name servers are dead', 'host name', { zone: { 'A mx.us.test': 'dead' } }, 'unknown', /could not be looked up/],
  ['the address has no name', 'addresses', { zone: { 'PTR 1.2.0.192.in-addr.arpa': undefined as never } }, 'bad', /no name in reverse DNS/],
  ['the name does not lead back', 'addresses', { zone: { 'PTR 1.2.0.192.in-addr.arpa': ['x.isp.test'] } }, 'bad', /does not lead back/],
  [
    'the name is another',
    'addresses',
    { zone: { 'PTR 1.2.0.192.in-addr.arpa': ['x.isp.test'], 'A x.isp.test': ['192.0.2.1'] } },
    'warn',
    /greets as mx\.us\.test/,
  ],
  ['there is no certificate', 'certificates', {}, 'warn', /self-signed certificate that the server made/],
  [
    'a certificate cannot be used',
    'certificates',
    { certificates: () => [{ file: '/c.pem', chain: [], problem: 'The key does not belong to it.' }] },
    'bad',
    /does not belong/,
  ],
  ['SPF is missing', 'DNS', { zone: { 'TXT us.test': undefined as never } }, 'bad', /TXT us\.test is missing/],
  ['mail is not signed', 'DKIM keys', { answers: { 'dkim.list': { keys: [], problems: [] } } }, 'warn', /Mail of us\.test is not signed/],
  ['a key is open', 'DKIM keys', { answers: { 'dkim.list': { keys: [{ ...KEY, mode: 0o644 }], problems: [] } } }, 'bad', /read by other users/],
  ['a key is short', 'DKIM keys', { answers: { 'dkim.list': { keys: [{ ...KEY, bits: 1024 }], problems: [] } } }, 'warn', /1024 bits/],
  [
    'the address is listed',
    'blocklists',
    { set: { 'doctor.blocklists': ['bl.test'] }, zone: { 'A 1.2.0.192.bl.test': ['127.0.0.2'], 'TXT 1.2.0.192.bl.test': ['see http://bl.test'] } },
    'bad',
    /listed by bl\.test: see/,
  ],
  [
    'the list refuses us',
    'blocklists',
    { set: { 'doctor.blocklists': ['bl.test'] }, zone: { 'A 1.2.0.192.bl.test': ['127.255.255.254'] } },
    'unknown',
    /refuses questions/,
  ],
  ['strangers may relay', 'open relay', { smtp: async () => ({ codes: [220, 250, 250, 250, 250, 221], localAddress: '192.0.2.1' }) }, 'bad', /from a stranger/],
  [
    'we are no stranger',
    'open relay',
    { set: { 'smtp.relayFrom': ['192.0.2.0/24'] }, smtp: async () => ({ codes: [220, 250, 250, 250], localAddress: '192.0.2.1' }) },
    'unknown',
    /smtp\.relayFrom/,
  ],
  [
    'mail waits long',
    'queue',
    {
      answers: {
        'queue.list': {
          entries: [{ id: 'abc', createdAt: NOW - 86_400_000, isHeld: false, recipients: [{ lastReply: '450 later', lastHost: 'mx.b.test' }] }],
          total: 7,
        },
      },
    },
    'warn',
    /7 messages.*mx\.b\.test said: 450 later/,
  ],
  ['the disk is nearly full', 'disk', { space: () => ({ freePercent: 2, freeInodesPercent: 50 }) }, 'bad', /Only 2 %/],
  ['inodes run out', 'disk', { space: () => ({ freePercent: 50, freeInodesPercent: 8 }) }, 'warn', /8 % of the inodes/],
  ['files are from the future', 'clock', { file: () => ({ mode: 0o600, changedAt: NOW + 3_600_000 }) }, 'bad', /behind/],
  ['no time server', 'clock', { clockIsSynchronised: async () => false }, 'warn', /does not follow/],
  ['a password lies open', 'files', { text: () => 'apiPassword = "x"\n', file: () => ({ mode: 0o644, changedAt: 0 }) }, 'bad', /holds a password/],
  [
    'a table file lies open',
    'files',
    {
      text: (path: string) => (path.endsWith('.cf') ? 'password = x\n' : 'maps = ["mysql:/etc/users.cf"]\n'),
      file: (path: string) => ({ mode: path.endsWith('.cf') ? 0o644 : 0o600, changedAt: 0 }),
    },
    'bad',
    /users\.cf holds a password/,
  ],
  ['root runs it', 'files', { isRoot: true, set: { user: '' } }, 'warn', /rights of root/],
  ['a milter is dead', 'milters', { set: { 'milter.milters': ['inet:127.0.0.1:8891'] }, reach: async () => 'refused' }, 'bad', /does not answer/],
  ['a check fails itself', 'queue', { admin: { call: async () => Promise.reject(new Error('gone')), close: async () => {} } }, 'unknown', /gone/],
] as const)
  test(`when ${what}, ${check} says ${level} and how to cure it`, async () => {
    const found = await findings(check, world(change as Parameters<typeof world>[0]));
    const one = found.find((finding) => sentence.test(finding.what));
    assert.ok(one !== undefined, JSON.stringify(found));
    assert.equal(one.level, level);
    if (level === 'bad' || level === 'warn') assert.ok((one.cure ?? '') !== '' && (one.breaks ?? '') !== '', JSON.stringify(one));
  });

test('certificates: expired, for another name, self-signed, with a broken chain', async () => {
  const make = async (names: string[], at: number): Promise<X509Certificate> => new X509Certificate((await selfSigned(names, at)).certificate);
  const good = await make(['mx.us.test'], NOW);
  const see = async (chain: X509Certificate[], now = NOW): Promise<string> =>
    (await findings('certificates', world({ now: () => now, isTrusted: () => false, certificates: () => [{ file: '/c.pem', chain, problem: null }] })))
      .map(({ what }) => what)
      .join(' ');
  assert.match(await see([good]), /self-signed/);
  assert.match(await see([good], NOW + 900 * 86_400_000), /has expired/);
  assert.match(await see([good], NOW + 820 * 86_400_000), /expires in \d days/);
  assert.match(await see([await make(['other.test'], NOW)]), /No certificate is for mx\.us\.test/);
  assert.match(await see([good, await make(['other.test'], NOW)]), /did not issue the one before/);
});

test('the worst finding makes the exit code', async () => {
  assert.equal(exitCodeOf(await runChecks(world({ status: null }))), 2);
  assert.equal(
    exitCodeOf(
      await runChecks(
        world({ clockIsSynchronised: async () => false }),
        CHECKS.filter(({ name }) => name === 'clock'),
      ),
    ),
    1,
  );
  assert.deepEqual(
    levels(
      await findings('store', world({ isFull: true, answers: { 'store.check': { problems: ['Message 3 is damaged'], messages: 3, isRepairable: false } } })),
    ),
    ['bad'],
  );
});
