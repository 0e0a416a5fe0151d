/** The server is killed again and again while mail comes in; afterwards the ledger must balance. */
import { setTimeout as pause } from 'node:timers/promises';
import { ImapClient } from '../harness/imap-client.ts';
import { type Config, Posthorn } from '../harness/posthorn.ts';
import type { PrivateMachine } from '../harness/private-machine.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { type Balance, copyKey, type Findings, Ledger } from './ledger.ts';
import { BOUNCES_TO, Load, LOCAL_USERS, MARK_HEADER } from './load.ts';
import { seeded } from './random.ts';
import { AWAY, makeRuledAccounts, makeSystemUsers, marksOutside, RULED_USERS, RULES_CONFIG, STORE_PLACES } from './rules.ts';
import { type Sink, startSink } from './sink.ts';

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  readonly say: (text: string) => void;
  /** A third of the mail is for recipients with rules (`rules.ts`): Sieve, programs, forwards, Maildirs. */
  readonly hasRules?: boolean;
}
export const PASSWORD = 'torture-password';
/** Read in pages so that no answer grows with the mailbox. */
const PAGE = 500;

/** A server for the torture on 127.0.0.1:25 of our own network: relays for loopback, all remote mail goes to the sink. */
export async function tortureServer(owner: Owner, sinkPort: number | null, more: Config = {}): Promise<Posthorn> {
  const server = new Posthorn(tempDir(owner, 'torture'), {
    config: {
      ...more,
      listen: { smtp: ['127.0.0.1:25'], imap: ['127.0.0.1:143'], submission: [], submissions: [], lmtp: [], imaps: [], pop3: [], pop3s: [] },
      smtp: { relayFrom: ['127.0.0.1/32'] },
      deliver: sinkPort === null ? {} : { relayHost: `[127.0.0.1]:${sinkPort}` },
      queue: { retryMin: '1s', retryMax: '2s' },
      log: { format: 'json' },
    },
  });
  atEnd(owner, () => server.kill());
  await server.start();
  for (const user of [...LOCAL_USERS, BOUNCES_TO.split('@')[0]!]) await server.addUser(`${user}@us.test`, PASSWORD);
  return server;
}

export interface KillsResult extends Balance {
  /** Copies found for each recipient with rules. */
  readonly ruled: ReadonlyMap<string, number>;
}

export async function runKills(owner: Owner, options: KillOptions): Promise<KillsResult> {
  const random = seeded(options.seed);
  const ledger = new Ledger();
  const sink = await startSink();
  atEnd(owner, () => sink.close());
  const machine = options.hasRules === true ? makeSystemUsers(owner) : null;
  const server = await tortureServer(owner, sink.port, machine === null ? {} : RULES_CONFIG);
  if (machine !== null) await makeRuledAccounts(server, PASSWORD);
  const ruled = machine === null ? [] : RULED_USERS;
  const load = new Load({ port: 25, clients: options.clients, random: seeded(options.seed + 1), ledger, ruled });
  for (let kill = 1; kill <= options.kills; kill += 1) {
    if (random.next() < 0.2) {
      // While it starts and recovers: no waiting for the ready line.
      await server.kill();
      server.spawn();
      await pause(random.between(20, 400));
      await server.kill();
      await server.start();
    }
    await pause(random.between(100, 1500));
    await server.kill();
    options.say(`kill ${kill} of ${options.kills}: ${ledger.acknowledged} acknowledged so far`);
    await server.start();
  }
  await pause(200);
  await load.stop();
  await drainQueue(server);
  await server.restart();
  const findings = await find(server, sink);
  if (machine !== null) await findRuled(server, machine, findings);
  const balance = ledger.balance(findings);
  await server.stop();
  await server.admin('store', 'check');
  return { ...balance, ruled: countRuled(findings) };
}

function countRuled({ mailbox, sink }: Findings): Map<string, number> {
  const counts = new Map<string, number>(RULED_USERS.map((recipient) => [recipient, 0]));
  for (const [key, count] of [...mailbox, ...sink]) {
    const recipient = key.slice(key.indexOf(' ') + 1);
    const before = counts.get(recipient);
    if (before !== undefined) counts.set(recipient, before + count);
  }
  return counts;
}

async function drainQueue(server: Posthorn): Promise<void> {
  await eventually(
    'the queue is empty',
    async () => {
      await server.admin('queue', 'flush');
      return (await queued(server)).size === 0;
    },
    90_000,
  );
}

/** Copies still queued, as "<Message-ID without its domain> recipient". */
async function queued(server: Posthorn): Promise<Map<string, number>> {
  const list = JSON.parse(await server.admin('queue', 'list', '--json')) as unknown;
  const text = JSON.stringify(list);
  // An empty list in whatever shape: no recipient of ours is named.
  const found = new Map<string, number>();
  for (const match of text.matchAll(/[a-z0-9]+@(?:remote|us|host)\.test/g)) found.set(match[0], (found.get(match[0]) ?? 0) + 1);
  return found;
}

/** What has gone through rules, under the address it was sent to. */
async function findRuled(server: Posthorn, machine: PrivateMachine, { mailbox, sink }: Findings): Promise<void> {
  for (const { recipient, account, mailbox: name } of STORE_PLACES)
    for (const { mark } of await marks(server, account, `BODY.PEEK[HEADER.FIELDS (${MARK_HEADER})]`, name)) add(mailbox, copyKey(mark, recipient));
  for (const [recipient, found] of marksOutside(machine, MARK_HEADER)) for (const mark of found) add(sink, copyKey(mark, recipient));
  for (const [key, count] of [...sink])
    if (key.endsWith(` ${AWAY}`)) {
      sink.delete(key);
      sink.set(copyKey(key.slice(0, key.indexOf(' ')), 'away@us.test'), count);
    }
}

async function find(server: Posthorn, sink: Sink): Promise<Findings> {
  const mailbox = new Map<string, number>();
  for (const user of LOCAL_USERS)
    for (const id of await marks(server, `${user}@us.test`, `BODY.PEEK[HEADER.FIELDS (${MARK_HEADER})]`)) add(mailbox, copyKey(id.mark, `${user}@us.test`));
  const bounce = new Map<string, number>();
  for (const { mark, text } of await marks(server, BOUNCES_TO, 'BODY.PEEK[]'))
    for (const recipient of new Set(text.match(/^Final-Recipient: *rfc822; *(\S+)/gim)?.map((line) => line.replace(/^.*; */, '')) ?? []))
      add(bounce, copyKey(mark, recipient));
  return { mailbox, sink: new Map(sink.taken), bounce, queue: new Map() };
}
const add = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

async function marks(server: Posthorn, user: string, item: string, mailbox = 'INBOX'): Promise<{ mark: string; text: string }[]> {
  const imap = await ImapClient.login(server.port('imap'), user, PASSWORD);
  const { status, untagged } = await imap.command(`EXAMINE "${mailbox}"`);
  if (!status.startsWith('OK')) return [];
  const count = Number(untagged.join('\n').match(/(\d+) EXISTS/)?.[1] ?? 0);
  const found: { mark: string; text: string }[] = [];
  for (let from = 1; from <= count; from += PAGE) {
    const { literals } = await imap.ok(`FETCH ${from}:${Math.min(count, from + PAGE - 1)} ${item}`);
    for (const text of literals) {
      const mark = new RegExp(`^${MARK_HEADER}: *(\\S+)`, 'im').exec(text)?.[1];
      if (mark !== undefined) found.push({ mark, text });
    }
  }
  await imap.logout();
  return found;
}
