/**
 * What judging one message costs: CPU of this process, nothing waited for (DNS answers are in the cache). A connection for each message.
 * Beside it Debian's OpenDKIM and OpenDMARC, given the same messages as milters.
 */
import { createPublicKey } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DkimSigner, KeyRing } from '../src/judge/signing/ring.ts';
import { dkimRecord, type KeyAlgorithm } from '../src/judge/signing/record.ts';
import { signMessage } from '../src/judge/signing/sign.ts';
import { testOptions, testRing } from '../src/judge/signing/testing.ts';
import { Client, type JudgeHouse, judgeHouse, replyText } from '../src/judge/testing.ts';
import type { AllJudgeSettings } from '../src/judge/all-settings.ts';
import { fieldBytes } from '../src/mail/edit.ts';
import { viewOf } from '../src/mail/view.ts';
import type { FakeZone } from '../src/net/dns-testing.ts';
import type { MessageView, Ruling } from '../src/ports.ts';
import { need } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { startOpendkim } from '../test/peers/opendkim.ts';
import { startOpendmarc } from '../test/peers/opendmarc.ts';
import { startNsd } from '../test/peers/nsd.ts';
import { machine } from './harness/group.ts';
import { prose } from './harness/message.ts';
import { median, table } from './harness/table.ts';

export interface JudgeBenchOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  readonly isAlone?: boolean;
}
const DOMAIN = 'good.test';
const SENDER = '192.0.2.20';
const EXEMPT = '127.0.0.1';
const CLOCK_TICKS = 100;
/** Kinds of messages and settings that are measured, in the order of the table. */
interface Case {
  readonly label: string;
  readonly ip?: string;
  readonly settings?: Partial<AllJudgeSettings>;
  readonly signed?: readonly KeyAlgorithm[];
  /** Up to DATA only: what the restriction lists cost. */
  readonly isEnvelope?: boolean;
  /** The first attempt is refused; what is measured comes later. */
  readonly isGreylisted?: boolean;
  /** Programs beside us whose CPU is counted. */
  readonly peers?: readonly string[];
}

export async function judge(options: JudgeBenchOptions): Promise<void> {
  const isAlone = options.isAlone === true;
  if (!isAlone) need('opendkim', 'opendmarc', 'nsd');
  const owner = programOwner();
  const dir = tempDir(owner, 'bench-judge');
  try {
    const ring = testRing([DOMAIN]);
    const zone = zoneOf(ring.signers);
    const checks = join(dir, 'header_checks');
    writeFileSync(checks, Array.from({ length: 100 }, (_, n) => `/^Subject:.*(viagra|casino|lottery) number ${n}\\b/ REJECT spam of kind ${n}\n`).join(''));
    const cases: Case[] = [
      { label: 'client of judge.exempt', ip: EXEMPT },
      { label: 'restriction lists alone (to DATA)', isEnvelope: true },
      { label: 'default policy, SPF, DMARC; no signature' },
      { label: 'the same, RSA-2048 signature', signed: ['rsa'] },
      { label: 'the same, Ed25519 signature', signed: ['ed25519'] },
      { label: 'both signatures', signed: ['rsa', 'ed25519'] },
      { label: 'RSA, greylisting of all', signed: ['rsa'], settings: { 'greylist.mode': 'all' }, isGreylisted: true },
      { label: 'RSA, 100 header_checks', signed: ['rsa'], settings: { 'patterns.headerChecks': [`regexp:${checks}`] } },
    ];
    if (!isAlone) cases.push(...(await milterCases(owner, ring.signers)));
    options.say(`Judging one message, warm DNS, ${machine()}`);
    const rows: (string | number)[][] = [];
    for (const bytes of [4096, 65_536])
      for (const one of cases) {
        const messages = await messagesOf(bytes, one, ring.signers);
        const count = (one.peers === undefined ? 4000 : 1000) / (options.isQuick ? 4 : 1) / (bytes > 10_000 ? 2 : 1);
        const { ourMs, peerMs, wallMs } = await measure(owner, one, zone, messages, count, options.isQuick ? 3 : 7);
        rows.push([`${bytes / 1024} KB`, one.label, ourMs * 1000, peerMs === null ? '-' : peerMs * 1000, wallMs * 1000]);
      }
    options.say(`\n${table(['message', 'judged with', 'our CPU µs', 'their CPU µs', 'wall µs'], rows)}`);
    options.say('"their": of the milters opendkim and opendmarc, for the same messages.');
  } finally {
    await owner.end();
  }
}

function zoneOf(signers: readonly DkimSigner[]): FakeZone {
  return {
    'PTR 192.0.2.20': ['client.good.test'],
    'A client.good.test': [SENDER],
    'TXT client.good.test': [['v=spf1 a -all']],
    'MX good.test': [{ exchange: 'mx.good.test', preference: 10 }],
    'A mx.good.test': ['192.0.2.50'],
    'TXT good.test': [['v=spf1 ip4:192.0.2.0/28 mx ip4:192.0.2.20 -all']],
    'TXT _dmarc.good.test': [['v=DMARC1; p=reject']],
    ...Object.fromEntries(signers.map((signer) => [`TXT ${signer.selector}._domainkey.${DOMAIN}`, [[recordOf(signer)]]])),
  };
}
const recordOf = (signer: DkimSigner): string => dkimRecord(signer.algorithm, createPublicKey(signer.key));

/** Their keys come from a file (see `test/peers/opendkim.ts`), what else they ask from NSD. */
async function milterCases(owner: Owner, signers: readonly DkimSigner[]): Promise<Case[]> {
  const rsa = signers.find(({ algorithm }) => algorithm === 'rsa')!;
  await startNsd(owner, {
    'good.test.': `@ IN MX 10 mx\n@ IN TXT "v=spf1 ip4:192.0.2.0/28 mx ip4:${SENDER} -all"\n_dmarc IN TXT "v=DMARC1; p=reject"\nmx IN A 192.0.2.50\nclient IN A ${SENDER}`,
    '2.0.192.in-addr.arpa.': '20 IN PTR client.good.test.',
  });
  const opendkim = await startOpendkim(owner, { mode: 'v', key: { domain: DOMAIN, selector: rsa.selector, file: '', record: '', text: recordOf(rsa) } });
  const opendmarc = await startOpendmarc(owner, { authservId: 'opendkim.test' });
  return [
    { label: 'RSA, milter opendkim', signed: ['rsa'], settings: { 'milter.milters': [`unix:${opendkim}`] }, peers: ['opendkim'] },
    {
      label: 'RSA, opendkim and opendmarc',
      signed: ['rsa'],
      settings: { 'milter.milters': [`unix:${opendkim}`, `unix:${opendmarc}`] },
      peers: ['opendkim', 'opendmarc'],
    },
    {
      label: 'opendkim and opendmarc, exempt',
      ip: EXEMPT,
      signed: ['rsa'],
      settings: { 'milter.milters': [`unix:${opendkim}`, `unix:${opendmarc}`] },
      peers: ['opendkim', 'opendmarc'],
    },
  ];
}

/** Different ones, so that nothing is found again by its content. */
async function messagesOf(bytes: number, one: Case, signers: readonly DkimSigner[]): Promise<MessageView[]> {
  const used = signers.filter(({ algorithm }) => one.signed?.includes(algorithm));
  const ring: KeyRing = { signersFor: () => used, reload() {} };
  const views: MessageView[] = [];
  for (let n = 0; n < MESSAGES; n += 1) {
    const head = `From: Anna Sender <anna@${DOMAIN}>\r\nTo: <anna@us.test>\r\nSubject: Measurement ${n} of a message\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <bench.${n}@${DOMAIN}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n`;
    const plain = Buffer.from(head + prose(bytes - head.length, bytes + n, '\r\n'));
    const signatures = used.length === 0 ? [] : await signMessage(viewOf(plain), DOMAIN, ring, testOptions(Date.UTC(2023, 10, 14)));
    views.push(viewOf(Buffer.concat([...signatures.map((value) => fieldBytes('DKIM-Signature', value)), plain])));
  }
  return views;
}
const MESSAGES = 20;

interface Cost {
  readonly ourMs: number;
  readonly peerMs: number | null;
  readonly wallMs: number;
}

/** The median of some rounds, each of `count` messages, after one that warms everything up. */
async function measure(owner: Owner, one: Case, zone: FakeZone, messages: readonly MessageView[], count: number, rounds: number): Promise<Cost> {
  const house = judgeHouse(
    { after: (end: () => void) => atEnd(owner, async () => end()) } as never,
    { 'judge.exempt': [`${EXEMPT}/32`], ...one.settings },
    zone,
  );
  if (one.isGreylisted === true) {
    await judgeOne(house, one, messages[0]!).catch(() => {}); // "come back later"
    house.now += 3_600_000;
  }
  const ours: number[] = [];
  const theirs: number[] = [];
  const walls: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const cpu = process.cpuUsage();
    const peers = one.peers === undefined ? 0 : cpuMsOf(one.peers);
    const start = performance.now();
    for (let n = 0; n < count; n += 1) {
      await judgeOne(house, one, messages[n % messages.length]!);
      house.journey.length = 0;
    }
    const wall = performance.now() - start;
    const used = process.cpuUsage(cpu);
    if (round === 0) continue;
    ours.push((used.user + used.system) / 1000 / count);
    walls.push(wall / count);
    if (one.peers !== undefined) theirs.push((cpuMsOf(one.peers) - peers) / count);
  }
  return { ourMs: median(ours), peerMs: theirs.length === 0 ? null : median(theirs), wallMs: median(walls) };
}

async function judgeOne(house: JudgeHouse, one: Case, view: MessageView): Promise<void> {
  const client = new Client(house, one.ip === undefined ? {} : { ip: one.ip });
  const refusal = (await client.open('client.good.test')) ?? (await client.mail(`anna@${DOMAIN}`)) ?? (await client.rcpt('anna@us.test'));
  if (refusal !== null) throw new Error(`${one.label}: ${replyText(refusal)}`);
  const ruling: Ruling | null = one.isEnvelope === true ? null : await client.data(view);
  if (ruling !== null && ruling.reply !== null) throw new Error(`${one.label}: ${replyText(ruling.reply)}`);
  const found = client.session.lastAuthenticity;
  if (one.signed !== undefined && found !== null && found.dkim.filter(({ result }) => result === 'pass').length !== one.signed.length)
    throw new Error(`${one.label}: ${found.authenticationResults}`);
  client.done();
  client.session.close();
}

/** CPU of all processes of these names; there are only ours in this process namespace. */
function cpuMsOf(names: readonly string[]): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(pid);
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    if (!names.includes(name)) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks * 1000) / CLOCK_TICKS;
}
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return ''; // ended meanwhile
  }
}
