/** The stress run: a server, its clients, deliveries, moments at which all is looked at, and a kill in the middle. */
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Posthorn } from '../harness/posthorn.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { ImapClient } from '../harness/imap-client.ts';
import { type Random, seeded } from '../torture/random.ts';
import { type Fresh, LINES_SHOWN, type Place, StressClient, type World } from './client.ts';
import { Deliveries } from './deliveries.ts';
import { VARYING, VARYING_RIGHTS, VARYING_START } from './actions-rights.ts';
import { ALL_RIGHTS } from './effects.ts';
import { flagsOf, parseFetch } from './parse.ts';
import { type MailboxTruth, Truth } from './truth.ts';
import type { Register } from './registers.ts';
import { Shaker } from './shaker.ts';
import { Violation } from './violation.ts';
import type { Endpoint } from './wire.ts';

export interface StressOptions {
  readonly seconds: number;
  readonly clients: number;
  readonly seed: number;
  /** The server is killed so often, in the middle of everything. */
  readonly kills: number;
  /** Threads that serve connections; 2 unless given. */
  readonly loops?: number;
  /** The server's threads are stopped and starved at random moments, so that they meet in other orders. */
  readonly isShaken?: boolean;
  /** Clients open one mailbox after the other, more than anything else. */
  readonly isRestless?: boolean;
  readonly say: (text: string) => void;
}
export interface StressResult {
  /** null: all rules held. */
  readonly violation: string | null;
  readonly actions: number;
  readonly connections: number;
  readonly resynchronised: number;
  readonly responses: number;
  readonly flags: number;
  readonly states: number;
  readonly contents: number;
  readonly delivered: number;
}

const PASSWORD = 'stress-password';
const IMAP_PORT = 143;
const IMAPS_PORT = 993;
/** Part of the connections with TLS. */
const SECURE = 0.15;
const LMTP_PORT = 24;
/** Who shares the mailbox Team of ann, with which rights. */
const SHARED: Readonly<Record<string, string>> = { ann: ALL_RIGHTS, ben: ALL_RIGHTS, cat: 'lrs', dan: 'lrswit' };
/** Accounts of the clients in turn: most of them on one. */
const TURNS = ['ann', 'ben', 'ann', 'cat', 'ann', 'dan', 'ann', 'ben'] as const;
/** All is looked at so often. */
const LOOK_EVERY_MS = 20_000;
/** Longer than any one action takes, its answer included. */
const ARRIVE_MS = 70_000;
const EVENTS_OF_BUGS = /^(imap\.bug|thread\.exception|imap\.message\.damaged|server\.exception)$/;

export async function runStress(owner: Owner, options: StressOptions): Promise<StressResult> {
  const run = new StressRun(await startServer(owner, options.loops ?? 2), options);
  return run.go();
}

async function startServer(owner: Owner, loops: number): Promise<Posthorn> {
  const server = new Posthorn(tempDir(owner, 'stress'), {
    config: {
      listen: {
        smtp: [],
        submission: [],
        submissions: [],
        lmtp: [`127.0.0.1:${LMTP_PORT}`],
        imap: [`127.0.0.1:${IMAP_PORT}`],
        imaps: [`127.0.0.1:${IMAPS_PORT}`],
        pop3: [],
        pop3s: [],
        sieve: [],
      },
      // Views of one mailbox in two threads: each hears of the other's changes a little later.
      threads: { loops },
      imap: { compress: true },
      log: { format: 'json' },
    },
  });
  atEnd(owner, () => server.kill());
  await server.start();
  for (const user of Object.keys(SHARED)) await server.addUser(`${user}@us.test`, PASSWORD);
  const ann = await ImapClient.login(server.port('imap'), 'ann@us.test', PASSWORD);
  await ann.ok('CREATE Team');
  for (const [user, rights] of Object.entries(SHARED)) if (user !== 'ann') await ann.ok(`SETACL Team ${user}@us.test ${rights}`);
  await ann.ok(`CREATE ${VARYING}`);
  for (const user of Object.keys(SHARED)) if (user !== 'ann') await ann.ok(`SETACL ${VARYING} ${user}@us.test ${VARYING_START}`);
  await ann.logout();
  for (const user of Object.keys(SHARED)) {
    const client = await ImapClient.login(server.port('imap'), `${user}@us.test`, PASSWORD);
    await client.ok('CREATE Work');
    await client.logout();
  }
  return server;
}

/** While the run stands still: clients wait for `go`; `arrived` of them are there, and with the last one `all` is called. */
interface Standing {
  readonly go: Promise<void>;
  readonly arrived: Set<StressClient>;
  readonly all: () => void;
}

class StressRun implements World {
  readonly truth = new Truth();
  readonly password = PASSWORD;
  readonly registers = new Map<string, Register>();
  isDown = false;
  isOver = false;
  readonly isRestless: boolean;
  readonly #server: Posthorn;
  readonly #options: StressOptions;
  readonly #clients: StressClient[] = [];
  readonly #deliveries: Deliveries;
  #violation: string | null = null;
  /** The message that it is about. */
  #subject: { readonly mailbox: MailboxTruth; readonly uid: number } | null = null;
  #failed: () => void = () => {};
  readonly #failure = new Promise<void>((resolve) => {
    this.#failed = resolve;
  });
  #standing: Standing | null = null;

  constructor(server: Posthorn, options: StressOptions) {
    this.#server = server;
    this.#options = options;
    this.isRestless = options.isRestless === true;
    for (let i = 0; i < options.clients; i += 1) {
      const user = TURNS[i % TURNS.length]!;
      this.#clients.push(new StressClient(`${user}${i + 1}`, `${user}@us.test`, this.#places(user), seeded(options.seed * 1000 + i), this));
    }
    this.#deliveries = new Deliveries(this.truth, LMTP_PORT, seeded(options.seed * 1000 + 999), Object.keys(SHARED));
  }

  #places(user: string): Place[] {
    const own = ['INBOX', 'Work'].map((path) => ({ path, mailbox: this.truth.mailbox(`${user}/${path}`), rights: ALL_RIGHTS }));
    const team = this.truth.mailbox('ann/Team');
    const shared = { path: user === 'ann' ? 'Team' : 'Other Users/ann@us.test/Team', mailbox: team, rights: SHARED[user]! };
    // Most of the time everybody is at the shared one.
    const varying = this.truth.mailbox(`ann/${VARYING}`);
    const open =
      user === 'ann'
        ? { path: VARYING, mailbox: varying, rights: ALL_RIGHTS }
        : { path: `Other Users/ann@us.test/${VARYING}`, mailbox: varying, rights: VARYING_RIGHTS, isVarying: true };
    return this.isRestless ? [...own, shared, open] : [...own, shared, shared, shared, open];
  }

  failed(client: StressClient, error: unknown): void {
    if (this.#violation !== null) return;
    const what = error instanceof Violation ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
    const belief = client.session?.belief ?? null;
    const uid = error instanceof Violation ? error.uid : 0;
    this.#subject = belief === null || uid === 0 ? null : { mailbox: belief.mailbox, uid };
    this.#violation = [
      `seed ${this.#options.seed}, client ${client.name} (${client.login}) broke off: ${what}`,
      `it believed: ${belief?.toString() ?? 'nothing'}`,
      ...(belief === null ? [] : [`since ${belief.beginning}`]),
      ...(this.#subject === null ? [] : [`of uid ${uid} it was told last:`, ...belief!.story(uid)]),
      `it said and heard, until ${Math.round(performance.now())}:`,
      ...client.lines.slice(-LINES_SHOWN),
      ...(belief?.cameWith == null
        ? []
        : [`it had come with what it knew after: ${belief.cameWith.began}, level ${belief.cameWith.level}`, ...belief.cameWith.lines]),
    ].join('\n');
    this.isOver = true;
    this.#failed();
    this.#standing?.all();
  }

  endpoint(random: Random): Endpoint {
    const isTls = random.next() < SECURE;
    return { port: isTls ? IMAPS_PORT : IMAP_PORT, isTls };
  }

  breakpoint(client: StressClient): Promise<void> | null {
    const standing = this.#standing;
    if (standing === null) return null;
    standing.arrived.add(client);
    if (standing.arrived.size === this.#clients.length) standing.all();
    return standing.go;
  }

  async go(): Promise<StressResult> {
    const options = this.#options;
    const living = new Map<string, Promise<void>>();
    const keep = (name: string, life: Promise<void>): void => {
      living.set(name, life);
      void life.finally(() => living.delete(name));
    };
    for (const client of this.#clients) keep(client.name, client.live());
    keep('deliveries', this.#deliveries.live());
    const shaker = options.isShaken === true ? new Shaker(() => (this.isDown ? null : this.#server.pid), seeded(options.seed * 1000 + 998)) : null;
    const end = performance.now() + options.seconds * 1000;
    const killEvery = (options.seconds * 1000) / (options.kills + 1);
    let nextKill = performance.now() + killEvery;
    let kills = 0;
    let nextLook = performance.now() + Math.min(LOOK_EVERY_MS, (options.seconds * 1000) / 3);
    while (performance.now() < end && !this.isOver) {
      const next = Math.min(end, nextLook, kills < options.kills ? nextKill : end);
      await Promise.race([pause(Math.max(0, next - performance.now())), this.#failure]);
      if (this.isOver) break;
      if (kills < options.kills && performance.now() >= nextKill) {
        kills += 1;
        nextKill += killEvery;
        await this.#kill(kills);
      } else if (performance.now() >= nextLook) {
        await this.#look();
        nextLook = performance.now() + LOOK_EVERY_MS;
      }
    }
    if (!this.isOver) await this.#look();
    await shaker?.end();
    this.isOver = true;
    this.#deliveries.stop();
    for (const client of this.#clients) client.session?.cut();
    await Promise.race([Promise.all(living.values()), pause(ARRIVE_MS, undefined, { ref: false })]);
    if (living.size > 0) this.#violation ??= `${[...living.keys()].join(', ')} did not come to an end`;
    await this.#askServer();
    await this.#lastChecks();
    return this.#result();
  }

  async #kill(number: number): Promise<void> {
    this.#options.say(`kill ${number}`);
    this.isDown = true;
    await this.#server.kill();
    // History older than that is forgotten: clients that come back from before must be told of all that is not there.
    if (number % 2 === 1) forgetHistory(this.#server.dataDir);
    await this.#server.start();
    this.isDown = false;
  }

  /** Stands still, and compares what each client believes with what is there. */
  async #look(): Promise<void> {
    const rest = Promise.withResolvers<void>();
    const arrival = Promise.withResolvers<void>();
    const standing: Standing = { go: rest.promise, arrived: new Set(), all: arrival.resolve };
    this.#standing = standing;
    const late = pause(ARRIVE_MS, undefined, { ref: false }).then(() => {
      // The next time may have come long since.
      const missing = this.#standing === standing ? this.#clients.filter((client) => !standing.arrived.has(client)) : [];
      if (missing.length > 0) this.failed(missing[0]!, new Violation('every client comes to rest', missing.map((client) => client.name).join(' ')));
    });
    await Promise.race([arrival.promise, late]);
    try {
      await this.#deliveries.quiesce();
      if (this.isOver) return;
      const fresh = await this.#fresh();
      const each = this.#clients.map((client) =>
        client.level(fresh).catch((error) => {
          this.failed(client, error);
        }),
      );
      await Promise.race([Promise.all(each), this.#failure]);
      if (!this.isOver) this.#say();
    } catch (error) {
      if (error instanceof Violation || this.isOver) this.failed(this.#clients[0]!, error);
      else throw error;
    } finally {
      this.#standing = null;
      this.#deliveries.resume();
      rest.resolve();
    }
  }

  async #fresh(): Promise<Map<MailboxTruth, Fresh>> {
    const all = new Map<MailboxTruth, Fresh>();
    for (const user of Object.keys(SHARED)) {
      const imap = await ImapClient.login(this.#server.port('imap'), `${user}@us.test`, PASSWORD);
      for (const { path, mailbox } of this.#places(user)) {
        if (!mailbox.key.startsWith(`${user}/`) || all.has(mailbox)) continue;
        const { untagged } = await imap.ok(`EXAMINE "${path}"`);
        const marks = new Map<number, string>();
        const flags = new Map<number, string>();
        const modseqs = new Map<number, number>();
        const reader = { connection: imap, since: performance.now() };
        if (!untagged.includes('0 EXISTS')) {
          for (const line of (await imap.ok('FETCH 1:* (UID FLAGS MODSEQ ENVELOPE)')).untagged) {
            const at = /^\d+ FETCH /.exec(line)?.[0].length;
            if (at === undefined) continue;
            const items = parseFetch(line, at);
            const uid = Number(items.get('UID'));
            const record = mailbox.message(uid);
            flags.set(uid, flagsOf(items.get('FLAGS')!));
            modseqs.set(uid, Number((items.get('MODSEQ') as string[])[0]));
            marks.set(uid, String((items.get('ENVELOPE') as string[])[1]));
            this.truth.read(record, flags.get(uid)!, reader);
            this.truth.state(record, modseqs.get(uid)!, flags.get(uid)!, line);
          }
        }
        this.truth.audit(mailbox, marks);
        const uidNext = Number(/\[UIDNEXT (\d+)\]/.exec(untagged.join('\n'))?.[1]);
        all.set(mailbox, { uids: [...flags.keys()], uidNext, flags, modseqs });
      }
      await imap.logout();
    }
    return all;
  }

  /** After a violation: what the server says of the message that it is about. */
  async #askServer(): Promise<void> {
    const subject = this.#subject;
    if (subject === null || !this.#server.isRunning) return;
    const [user, path] = subject.mailbox.key.split('/') as [string, string];
    const imap = await ImapClient.login(this.#server.port('imap'), `${user}@us.test`, PASSWORD);
    await imap.command(`EXAMINE "${path}"`);
    const { untagged } = await imap.command(`UID FETCH ${subject.uid} (UID FLAGS MODSEQ)`);
    await imap.logout();
    this.#violation += `\nthe server has now: ${untagged.join('; ') || `no uid ${subject.uid}`}`;
  }

  async #lastChecks(): Promise<void> {
    const bugs = this.#server.log.lines.filter((line) => EVENTS_OF_BUGS.test(line.event));
    if (bugs.length > 0) this.#violation ??= `the log has ${bugs.length} bugs: ${JSON.stringify(bugs[0])}`;
    if (!this.#server.isRunning) this.#violation ??= 'the server has ended';
    await this.#server.stop();
    const check = await this.#server.cli(['store', 'check']);
    if (check.code !== 0) this.#violation ??= `posthorn store check: ${check.stdout}${check.stderr}`;
  }

  #say(): void {
    const { actions, responses, states, resynchronised } = this.#result();
    this.#options.say(`${actions} commands and more, ${responses} responses, ${states} states, ${resynchronised} resynchronisations: all is as it must be`);
  }

  #result(): StressResult {
    const sum = (pick: (client: StressClient) => number): number => this.#clients.reduce((total, client) => total + pick(client), 0);
    return {
      violation: this.#violation,
      actions: sum((client) => client.counts.actions),
      connections: sum((client) => client.counts.connections),
      resynchronised: sum((client) => client.counts.resynchronised),
      ...this.truth.counts,
      delivered: this.#deliveries.count,
    };
  }
}

/** What housekeeping does with old history once an hour, for the older half of it. The server is not running. */
function forgetHistory(dataDir: string): void {
  const database = new DatabaseSync(join(dataDir, 'store.db'));
  try {
    const rows = database.prepare('SELECT account_id, mailbox_id, modseq, uid FROM expunged ORDER BY modseq').all() as Record<string, number>[];
    const old = rows.slice(0, Math.floor(rows.length / 2));
    database.exec('BEGIN');
    const remove = database.prepare('DELETE FROM expunged WHERE account_id=? AND mailbox_id=? AND modseq=? AND uid=?');
    const raise = database.prepare('UPDATE mailbox SET expunged_floor=max(expunged_floor, ?) WHERE id=?');
    for (const row of old) {
      remove.run(row['account_id']!, row['mailbox_id']!, row['modseq']!, row['uid']!);
      raise.run(row['modseq']!, row['mailbox_id']!);
    }
    database.exec('COMMIT');
  } finally {
    database.close();
  }
}
