/** The server is killed again and again while mail comes in; afterwards the ledger must balance. */
import { setTimeout as pause } from 'node:timers/promises';
import { ImapClient } from '../harness/imap-client.ts';
import { Posthorn } from '../harness/posthorn.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { type Balance, copyKey, type Findings, Ledger } from './ledger.ts';
import { BOUNCES_TO, Load, LOCAL_USERS, MARK_HEADER } from './load.ts';
import { seeded } from './random.ts';
import { type Sink, startSink } from './sink.ts';

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly clients: number;
  readonly say: (text: string) => void;
}
export const PASSWORD = 'torture-password';
/** Read in pages so that no answer grows with the mailbox. */
const PAGE = 500;

/** A server for the torture on 127.0.0.1:25 of our own network: relays for loopback, all remote mail goes to the sink. */
export async function tortureServer(owner: Owner, sinkPort: number | null): Promise<Posthorn> {
  const server = new Posthorn(tempDir(owner, 'torture'), {
    config: {
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

export async function runKills(owner: Owner, options: KillOptions): Promise<Balance> {
  const random = seeded(options.seed);
  const ledger = new Ledger();
  const sink = await startSink();
  atEnd(owner, () => sink.close());
  const server = await tortureServer(owner, sink.port);
  const load = new Load({ port: 25, clients: options.clients, random: seeded(options.seed + 1), ledger });
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
  const balance = ledger.balance(await find(server, sink));
  await server.stop();
  await server.admin('store', 'check');
  return balance;
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
  for (const match of text.matchAll(/[a-z0-9]+@(?:remote|us)\.test/g)) found.set(match[0], (found.get(match[0]) ?? 0) + 1);
  return found;
}

async function find(server: Posthorn, sink: Sink): Promise<Findings> {
  const mailbox = new Map<string, number>();
  for (const user of LOCAL_USERS)
    for (const id of await marks(server, `${user}@us.test`, `BODY.PEEK[HEADER.FIELDS (${MARK_HEADER})]`)) add(mailbox, copyKey(id.mark, `${user}@us.test`));
  const bounce = new Map<string, number>();
  for (const { mark, text } of await marks(server, BOUNCES_TO, 'BODY.PEEK[]'))
    for (const recipient of new Set(text.match(/^Final-Recipient: *rfc822; *(\S+)/gim)?.map((line) => line.replace(/^.*; */, '')) ?? []))
      add(bounce, copyKey(mark, recipient));
  return { mailbox, sink: sink.taken, bounce, queue: new Map() };
}
const add = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

async function marks(server: Posthorn, user: string, item: string): Promise<{ mark: string; text: string }[]> {
  const imap = await ImapClient.login(server.port('imap'), user, PASSWORD);
  const { untagged } = await imap.ok('EXAMINE INBOX');
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
