/** A courier with a real store in a folder of its own, a clock that is set by hand, and a server that takes mail. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DELIVER_SETTINGS } from '../deliver/settings.ts';
import type { Dns } from '../net/dns.ts';
import { DNS_SETTINGS } from '../net/dns-settings.ts';
import type { AdminContext, Directory, JourneyEvent, Log } from '../ports.ts';
import { type LocalStore, openLocalStore } from '../store/local.ts';
import type { AcceptInput, AcceptOutput, LocalDelivery } from '../store/operations/accept.types.ts';
import { STORE_SETTINGS } from '../store/settings.ts';
import type { Operations, Transaction } from '../store/transaction.ts';
import { defaultsOf } from '../system/declare.ts';
import { messageIds } from '../system/ids.ts';
import { QUEUE_ADMIN } from './admin.ts';
import { type Courier, type CourierContext, startCourier } from './courier.ts';
import { tracePrefix } from './expand.ts';
import { QUEUE_OPERATIONS } from './operations.ts';
import { QUEUE_SETTINGS } from './settings.ts';

export interface SinkMessage {
  readonly from: string;
  readonly to: string[];
  readonly text: string;
  readonly connection: number;
}
export interface Sink {
  readonly port: number;
  readonly messages: SinkMessage[];
  connections: number;
  /** The reply to a command line; undefined for the usual one. "cut" closes the connection, "wait" says nothing until `say`. */
  answer: (line: string) => string | undefined;
  extensions: string[];
  /** To every connection. */
  say(reply: string): void;
  /** Resolves when this many messages were taken. */
  got(count: number): Promise<void>;
}

/** A small SMTP server that keeps what it takes. */
export async function sink(t: TestContext): Promise<Sink> {
  const sockets = new Set<Socket>();
  const waiters: { count: number; resolve: () => void }[] = [];
  const made: Sink = {
    port: 0,
    messages: [],
    connections: 0,
    answer: () => undefined,
    extensions: ['PIPELINING', '8BITMIME'],
    say: (reply) => {
      for (const socket of sockets) socket.write(`${reply}\r\n`);
    },
    got: (count) => new Promise((resolve) => (made.messages.length >= count ? resolve() : waiters.push({ count, resolve }))),
  };
  const server = createServer({ noDelay: true }, (socket) => {
    const connection = ++made.connections;
    sockets.add(socket);
    socket.on('error', () => {});
    let input = '';
    let from = '';
    let to: string[] = [];
    let isData = false;
    socket.write('220 sink.test\r\n');
    socket.on('data', (chunk) => {
      input += chunk.toString('latin1');
      for (;;) {
        if (isData) {
          const end = input.startsWith('.\r\n') ? 0 : input.indexOf('\r\n.\r\n') + 2;
          if (end === 1) return;
          const text = input.slice(0, end);
          input = input.slice(end + 3);
          isData = false;
          const reply = made.answer('.') ?? '250 2.0.0 taken';
          if (reply.startsWith('2')) made.messages.push({ from, to, text, connection });
          if (reply === 'cut') return void socket.destroy();
          socket.write(`${reply}\r\n`);
          for (const waiter of waiters) if (made.messages.length >= waiter.count) waiter.resolve();
          continue;
        }
        const end = input.indexOf('\r\n');
        if (end < 0) return;
        const line = input.slice(0, end);
        input = input.slice(end + 2);
        let reply = made.answer(line);
        if (reply === 'cut') return void socket.destroy();
        if (reply === 'wait') continue;
        const verb = line.slice(0, 4).toUpperCase();
        if (reply === undefined) {
          reply = '250 2.0.0 ok';
          if (verb === 'EHLO') reply = ['250-sink.test', ...made.extensions.map((word) => `250-${word}`), '250 HELP'].join('\r\n');
          if (verb === 'DATA') reply = to.length > 0 ? '354 go' : '503 5.5.1 no recipients';
          if (verb === 'QUIT') reply = '221 bye';
        }
        if (verb === 'MAIL') {
          from = /<(.*?)>/.exec(line)?.[1] ?? '';
          to = [];
        }
        if (verb === 'RCPT' && reply.startsWith('2')) to.push(/<(.*?)>/.exec(line)?.[1] ?? '');
        if (reply.startsWith('354')) isData = true;
        socket.write(`${reply}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return Object.assign(made, { port: (server.address() as { port: number }).port });
}

/** As much of an account as a delivery needs. */
const TEST_OPERATIONS: Operations = {
  'test.account': (tx: Transaction, input: { login: string; quotaMessages: number }) => {
    const id = tx.nextId('account');
    tx.run(
      'INSERT INTO account (id, login, quota_messages, next_uid_validity, created_at) VALUES (?, ?, ?, 1, ?)',
      id,
      input.login,
      input.quotaMessages,
      tx.now,
    );
    return id;
  },
  'test.quota': (tx: Transaction, input: { id: number; quotaMessages: number }) =>
    tx.run('UPDATE account SET quota_messages=? WHERE id=?', input.quotaMessages, input.id),
  'test.damage': (tx: Transaction) => tx.run("UPDATE blob SET data=x'00112233'"),
};

export interface House {
  readonly store: LocalStore;
  readonly courier: () => Courier;
  readonly settings: Record<string, unknown>;
  readonly clock: { now: number };
  readonly events: JourneyEvent[];
  readonly logs: string[];
  /** The first journey event that fits, past or to come. */
  event(name: string, fits?: (event: JourneyEvent) => boolean): Promise<JourneyEvent>;
  log(name: string): Promise<void>;
  submit(recipients: readonly string[], more?: Partial<AcceptInput> & { text?: string; notify?: string }): Promise<{ id: string; entryId: number }>;
  /** An administrative command, as the CLI sends it. */
  admin(name: string, args?: unknown): Promise<any>;
  rows(sql: string): unknown[][];
  /** An account of this address with room for so many messages (0: no limit); answers a delivery to it. */
  account(login: string, quotaMessages: number): Promise<LocalDelivery>;
  quota(accountId: number, quotaMessages: number): Promise<void>;
  start(): Courier;
}

/** `more`: of the courier's context, made of what the house has. */
export function house(
  t: TestContext,
  settings: Record<string, unknown> = {},
  directory: Partial<Directory> = {},
  dns?: Partial<Dns>,
  more: (context: CourierContext) => Partial<CourierContext> = () => ({}),
): House {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-queue-'));
  const clock = { now: 1_000_000_000_000 };
  const now = (): number => clock.now;
  const events: JourneyEvent[] = [];
  const logs: string[] = [];
  const watchers: (() => void)[] = [];
  const told = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  const until = (fits: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!fits()) return;
        watchers.splice(watchers.indexOf(look), 1);
        resolve();
      };
      watchers.push(look);
      look();
    });
  const write = (name: string, fields?: unknown): void => {
    logs.push(`${name} ${JSON.stringify(fields)}`);
    told();
  };
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const values = {
    ...defaultsOf(QUEUE_SETTINGS),
    ...defaultsOf(DELIVER_SETTINGS),
    ...defaultsOf(DNS_SETTINGS),
    hostname: 'us.test',
    domain: 'us.test',
    ...settings,
  };
  const journey = (more: readonly JourneyEvent[]): void => {
    events.push(...more);
    told();
  };
  const store = openLocalStore({ dataDir, settings: defaultsOf(STORE_SETTINGS), log, now, operations: { ...QUEUE_OPERATIONS, ...TEST_OPERATIONS }, journey });
  const newId = messageIds(7, now);
  const full: Directory = {
    resolve: () => ({ kind: 'foreign' }),
    isLocalDomain: () => false,
    account: () => null,
    accountByLogin: () => null,
    maySendAs: () => false,
    ...directory,
  };
  const base: CourierContext = {
    settings: () => values as ReturnType<CourierContext['settings']>,
    log,
    metrics: { count: () => {}, gauge: () => {} },
    journey: { write: (event) => journey([event]) },
    reader: store.reader,
    writer: store.writer,
    announcements: store.announcements,
    staging: store.staging,
    intake: { accept: () => Promise.reject(new Error('not used')), checkRecipient: () => null },
    directory: full,
    newId,
    now,
    random: () => 0.5,
    ...(dns === undefined ? {} : { dns: dns as Dns }),
  };
  const context: CourierContext = { ...base, ...more(base) };
  const couriers: Courier[] = [];
  t.after(async () => {
    for (const courier of couriers) await courier.stop(100);
    await store.close();
    rmSync(dataDir, { recursive: true });
  });
  const made: House = {
    store,
    courier: () => couriers[couriers.length - 1]!,
    settings: values,
    clock,
    events,
    logs,
    async event(name, fits = () => true) {
      const find = (): JourneyEvent | undefined => events.find((event) => event.event === name && fits(event));
      await until(() => find() !== undefined);
      return find()!;
    },
    log: (name) => until(() => logs.some((line) => line.startsWith(`${name} `))),
    async submit(recipients, more = {}) {
      const { text, notify, ...rest } = more;
      const staging = store.staging.open();
      await staging.write(Buffer.from(text ?? 'Subject: hello\r\nMessage-ID: <1@sender.test>\r\n\r\nbody\r\n'));
      const input: AcceptInput = {
        id: newId(),
        at: clock.now,
        source: 'smtp',
        sender: 'from@sender.test',
        accountId: null,
        message: await staging.finish(),
        deliveries: [],
        remote: recipients.map((address) => ({ address, domain: address.slice(address.lastIndexOf('@') + 1), orcpt: null, notify: notify ?? null })),
        envid: null,
        ret: null,
        smtputf8: false,
        whenFull: 'queue',
        journey: null,
        ...rest,
      };
      const output = await store.writer.run<AcceptOutput>('accept', input);
      return { id: input.id, entryId: output.entryId! };
    },
    admin: (name, args = {}) =>
      QUEUE_ADMIN[name]!({ ...context, dataDir, isServerRunning: true } as unknown as AdminContext, args, () => {}, new AbortController().signal),
    rows: (sql) => store.reader.rows(sql),
    async account(login, quotaMessages) {
      const accountId = await store.writer.run<number>('test.account', { login, quotaMessages });
      return {
        accountId,
        prefix: tracePrefix('from@sender.test', login),
        mailbox: { role: 'inbox' },
        flags: 0,
        keywords: null,
        address: login,
        orcpt: null,
        notify: null,
      };
    },
    async quota(id, quotaMessages) {
      await store.writer.run('test.quota', { id, quotaMessages });
    },
    start() {
      const courier = startCourier(context);
      couriers.push(courier);
      return courier;
    },
  };
  return made;
}
