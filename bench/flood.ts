/**
 * A flood of new connections, each from an address that was never seen, while a known sender goes on: what the door costs, and what the
 * sender feels of it. The server has one core, the flood another.
 */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Posthorn } from '../test/harness/posthorn.ts';
import { need } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { startNsd } from '../test/peers/nsd.ts';
import { type Rbldnsd, startRbldnsd } from '../test/peers/rbldnsd.ts';
import { Group, machine } from './harness/group.ts';
import { table } from './harness/table.ts';
import { PASSWORD, USERS } from './harness/targets.ts';

export interface FloodOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
}
/** New connections a second. */
const RATE = 2000;
const SERVER = '192.0.2.1:25';
/** All of it is made local: any address in it can be a source. The sender has one of its own. */
const CLIENTS = '10.0.0.0/8';
const SENDER = '10.255.255.1';
const SENDER_EVERY_MS = 50;
/** A bot that got no answer gives up. */
const PATIENCE_MS = 5000;

/** What one bot does after connecting. */
type Manner = 'talks at once' | 'leaves after 0.3 s' | 'waits for the greeting';
interface Scenario {
  readonly label: string;
  /** In turn. */
  readonly manners: readonly Manner[];
  /** Two DNS lists are asked; one address in four is on one of them. */
  readonly withLists: boolean;
}
const SCENARIOS: readonly Scenario[] = [
  { label: 'no flood', manners: [], withLists: false },
  { label: 'talk at once', manners: ['talks at once'], withLists: false },
  { label: 'leave without a word', manners: ['leaves after 0.3 s'], withLists: false },
  { label: 'wait for the greeting', manners: ['waits for the greeting'], withLists: false },
  { label: 'all three in turn', manners: ['talks at once', 'leaves after 0.3 s', 'waits for the greeting'], withLists: false },
  { label: 'the same, two DNS lists', manners: ['talks at once', 'leaves after 0.3 s', 'waits for the greeting'], withLists: true },
];

interface Outcome {
  opened: number;
  greeted: number;
  refused: number;
  later: number;
  silent: number;
}
interface Result extends Outcome {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Milliseconds from connecting to 250 after the message, sorted. */
  readonly latencies: readonly number[];
  readonly anonymous: number;
}

export async function flood(options: FloodOptions): Promise<void> {
  need('taskset', 'ip', 'rbldnsd', 'nsd');
  execFileSync('ip', ['route', 'add', 'local', CLIENTS, 'dev', 'lo']);
  execFileSync('taskset', ['-cp', '1', String(process.pid)], { stdio: 'ignore' });
  options.say(`Connection flood: ${RATE} new clients a second, server on one core, ${machine()}`);
  const rows: (string | number)[][] = [];
  for (const scenario of SCENARIOS) {
    const owner = programOwner();
    try {
      const result = await measure(owner, scenario, options.isQuick ? 5 : 15);
      const connections = result.opened / result.seconds;
      rows.push([
        scenario.label,
        connections,
        (result.cpuSeconds / result.seconds) * 100,
        result.opened === 0 ? '-' : (result.cpuSeconds / result.opened) * 1e6,
        result.greeted,
        result.refused,
        result.later,
        result.silent,
        at(result.latencies, 0.5),
        at(result.latencies, 0.99),
        result.anonymous / 1e6,
      ]);
    } finally {
      await owner.end();
    }
  }
  const head = ['flood', 'new/s', 'CPU %', 'µs each', 'greeted', '5xx', '421', 'no answer', 'sender ms', 'p99 ms', 'anon MB'];
  options.say(`\n${table(head, rows)}\n"sender": a known client, a connection for each message of 1 KB, connect to 250.`);
}

const at = (sorted: readonly number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

async function measure(owner: Owner, scenario: Scenario, seconds: number): Promise<Result> {
  const group = Group.make(owner, 'flood');
  // The sender is in order, the bots have no names; rbldnsd refuses what is not about its lists, which then goes to NSD.
  await startNsd(owner, {
    'test.': `mx.sender IN A ${SENDER}\nsender IN MX 10 mx.sender\nsender IN TXT "v=spf1 mx -all"\nperf IN MX 10 mx.perf\nmx.perf IN A 192.0.2.1`,
    '10.in-addr.arpa.': '1.255.255 IN PTR mx.sender.test.',
  });
  const lists = scenario.withLists ? await listsOf(owner) : null;
  const server = new Posthorn(tempDir(owner, 'bench-flood'), {
    config: {
      hostname: 'mx.perf.test',
      domain: 'perf.test',
      listen: { smtp: [SERVER], lmtp: [], pop3: [], pop3s: [], submission: [], submissions: [], imap: [], imaps: [] },
      dns: { servers: lists === null ? ['127.0.0.1:53'] : [lists.address, '127.0.0.1:53'] },
      ...(lists === null ? {} : { door: { dnsbl: ['bl.example*3', 'other.example*3'] } }),
    },
    prefix: [...group.prefix, 'taskset', '-c', '0'],
  });
  atEnd(owner, () => server.stop());
  await server.start();
  if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
  await server.addUser(`${USERS[0]}@perf.test`, PASSWORD);
  await send(); // waits for its greeting this once
  await pause(500);

  const outcome: Outcome = { opened: 0, greeted: 0, refused: 0, later: 0, silent: 0 };
  const latencies: number[] = [];
  const end = performance.now() + seconds * 1000;
  const cpu = group.usage().cpuSeconds;
  await Promise.all([runFlood(scenario, outcome, end), keepSending(latencies, end)]);
  // What the last bots cost after the end of the flood is counted, the time until they have gone is not.
  const cpuSeconds = group.usage().cpuSeconds - cpu;
  return { ...outcome, seconds, cpuSeconds, latencies: latencies.sort((a, b) => a - b), anonymous: group.anonymous() };
}

/** 10.64.0.0/10 is one client in four of 10.0.0.0/8. */
function listsOf(owner: Owner): Promise<Rbldnsd> {
  return startRbldnsd(owner, {
    'bl.example': { type: 'ip4trie', data: ':127.0.0.2:Listed, see https://bl.example/?$\n10.64.0.0/10' },
    'other.example': { type: 'ip4trie', data: ':127.0.0.2:Listed\n203.0.113.0/24' },
  });
}

/** Opens connections at an even rate, catching up when a turn of the loop came late; ends when the last bot has gone. */
async function runFlood(scenario: Scenario, outcome: Outcome, end: number): Promise<void> {
  if (scenario.manners.length === 0) return;
  const bots = new Set<Promise<void>>();
  const start = performance.now();
  for (let now = start; now < end; now = performance.now()) {
    const due = Math.floor(((now - start) * RATE) / 1000);
    while (outcome.opened < due) {
      const n = outcome.opened++;
      const bot: Promise<void> = visit(sourceOf(n), scenario.manners[n % scenario.manners.length]!, outcome).finally(() => bots.delete(bot));
      bots.add(bot);
    }
    await pause(2);
  }
  await Promise.all(bots);
}

/** A new address for each, all over 10.0.0.0/8 (a step that shares no factor with 2^24 visits every one before any twice). */
function sourceOf(n: number): string {
  const host = (n * 6_700_417 + 257) & 0xffffff;
  return `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`;
}

function visit(source: string, manner: Manner, outcome: Outcome): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: SERVER.slice(0, -3), port: 25, localAddress: source });
    let heard = '';
    const timer = setTimeout(() => socket.destroy(), manner === 'leaves after 0.3 s' ? 300 : PATIENCE_MS);
    socket.on('connect', () => {
      if (manner === 'talks at once') socket.write('EHLO bot.example\r\n');
    });
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (heard.startsWith('220')) socket.destroy();
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      clearTimeout(timer);
      if (heard.startsWith('220')) outcome.greeted += 1;
      else if (heard.startsWith('5')) outcome.refused += 1;
      else if (heard.startsWith('421')) outcome.later += 1;
      else if (manner !== 'leaves after 0.3 s') outcome.silent += 1;
      resolve();
    });
  });
}

async function keepSending(latencies: number[], end: number): Promise<void> {
  for (let next = performance.now(); next < end; next = Math.max(next + SENDER_EVERY_MS, performance.now())) {
    await pause(Math.max(0, next - performance.now()));
    latencies.push(await send());
  }
}

const LETTER = `From: <anna@sender.test>\r\nTo: <${USERS[0]}@perf.test>\r\nSubject: beside the flood\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\nMessage-ID: <flood@sender.test>\r\n\r\n${'The quick brown fox jumps over the lazy dog.\r\n'.repeat(20)}.\r\n`;
/** Sent when the reply before has come. */
const STEPS = [null, 'EHLO mx.sender.test\r\n', 'MAIL FROM:<anna@sender.test>\r\n', `RCPT TO:<${USERS[0]}@perf.test>\r\n`, 'DATA\r\n', LETTER];

/** One message on a connection of its own; milliseconds to the last 250. */
function send(): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ host: SERVER.slice(0, -3), port: 25, localAddress: SENDER, noDelay: true });
    let heard = '';
    let step = 0;
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      if (!/^(?:\d{3}-.*\r\n)*\d{3} .*\r\n$/.test(heard)) return;
      if (!/^[23]/.test(heard)) return reject(new Error(`the sender heard ${heard}`));
      heard = '';
      step += 1;
      if (step < STEPS.length) return void socket.write(STEPS[step]!);
      resolve(performance.now() - start);
      socket.end('QUIT\r\n');
    });
    socket.on('error', reject);
  });
}
