/** For tests only: a POP3 session over a socket in memory, and a store of a few messages. */
import { EventEmitter } from 'node:events';
import { IdleSweeper } from '../../net/idle.ts';
import type { AuthOutcome, Connection, EmailRow, MailboxRow, MessageReader, MessageTuple, SaslExchange, Session, TlsInfo } from '../../ports.ts';
import { AnnouncementHub } from '../../store/announcements.ts';
import { defaultsOf } from '../../system/declare.ts';
import { Failure } from '../../system/failure.ts';
import { plainExchange } from '../../directory/sasl/plain.ts';
import { POP3_OPERATIONS } from './operations.ts';
import { createPop3Session } from './session.ts';
import { POP3_SETTINGS, type Pop3Context, type Pop3Settings } from './settings.ts';

const ACCOUNT = { id: 1, login: 'anna@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
const SHARED_LOCK_NOW = 1_000_000;

export class FakeSocket extends EventEmitter {
  written = Buffer.alloc(0);
  writes = 0;
  destroyed = false;
  writableEnded = false;
  isPaused = false;
  /** What write() answers: false stands for a full buffer. */
  hasRoom = true;
  write(piece: string | Uint8Array, second?: unknown): boolean {
    this.written = Buffer.concat([this.written, typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece]);
    this.writes += 1;
    if (typeof second === 'function') queueMicrotask(() => second());
    return this.hasRoom;
  }
  end(): void {
    this.writableEnded = true;
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
}

export interface Stored {
  readonly uid: number;
  /** null: gone from the store since the session began. */
  readonly bytes: Buffer | null;
  readonly size?: number;
  readonly prefix?: string;
  readonly damagedAt?: number;
  readonly flags?: number;
  readonly internalDate?: number;
  /** A unique-id that came along from another server. */
  readonly uidl?: string;
}

/** A mailbox besides the inbox; its id, and those of its messages' emails, are its own. */
export interface StoredMailbox {
  readonly id: number;
  readonly name: string;
  readonly role?: MailboxRow['role'];
  readonly isSelectable?: boolean;
  /** 0x2000 and its id unless given. */
  readonly uidValidity?: number;
  readonly messages?: readonly Stored[];
  readonly hidden?: readonly number[];
}

export interface HouseOptions {
  readonly messages?: readonly Stored[];
  readonly settings?: Partial<Pop3Settings>;
  readonly tls?: boolean;
  readonly hasCertificate?: boolean;
  readonly expunge?: () => void;
  readonly serverFinal?: string;
  /** The account's own choices: 'pop3.shows' … */
  readonly accountOptions?: Readonly<Record<string, string>>;
  /** UIDs that POP3 does not show. */
  readonly hidden?: readonly number[];
  readonly hasNoTrash?: boolean;
  readonly mailboxes?: readonly StoredMailbox[];
  /** Called before a mailbox is changed; throws what the writer throws. */
  readonly change?: (mailboxId: number) => void;
}

const INBOX_ID = 5;
/** Emails are known by mailbox and UID. */
const EMAILS_PER_MAILBOX = 100_000_000;

/** The inbox, the trash unless there is none, and the others. */
function boxesOf(options: HouseOptions): StoredMailbox[] {
  const { messages = [], hidden = [], mailboxes = [] } = options;
  const inbox: StoredMailbox = { id: INBOX_ID, name: 'INBOX', uidValidity: 0x1a2b, messages, hidden };
  return [inbox, ...(options.hasNoTrash === true ? [] : [{ id: 8, name: 'Trash', role: 'trash' } as const]), ...mailboxes];
}
function rowOf({ id, name, role = null, isSelectable = true, uidValidity = 0x2000 + id, messages = [], hidden = [] }: StoredMailbox): MailboxRow {
  const uidNext = 1 + Math.max(0, ...messages.map(({ uid }) => uid), ...hidden);
  return { id, accountId: 1, name, role, isSelectable, uidValidity, uidNext, exists: messages.length } as MailboxRow;
}

/** What the sessions ask of the tables. */
function rowsOf(options: HouseOptions, credentials: readonly number[], sql: string, parameters: readonly (string | number | null)[]): unknown[][] {
  if (sql.includes('FROM account_option')) return Object.entries(options.accountOptions ?? {});
  const within = (uid: number): boolean => parameters.length < 3 || (uid >= Number(parameters[1]) && uid <= Number(parameters[2]));
  const boxes = boxesOf(options);
  const keptIn = (box: StoredMailbox) => (box.messages ?? []).flatMap(({ uid, uidl }) => (uidl === undefined ? [] : [[uid, uidl] as const]));
  if (sql.includes('EXISTS (SELECT 1 FROM pop3_hidden')) return boxes.filter(({ hidden }) => (hidden ?? []).length > 0).map(({ id }) => [id]);
  if (sql.includes('EXISTS (SELECT 1 FROM pop3_uidl')) return boxes.filter((box) => keptIn(box).length > 0).map(({ id }) => [id]);
  const box = boxes.find(({ id }) => id === parameters[0]);
  if (sql.includes('FROM pop3_hidden')) return (box?.hidden ?? []).filter(within).map((uid) => [uid]);
  if (sql.includes('FROM pop3_uidl')) {
    const kept = box === undefined ? [] : keptIn(box);
    if (sql.includes('uidl=?')) return kept.filter(([, uidl]) => uidl === parameters[1]).map(() => [1]);
    if (sql.includes('uid=?')) return kept.filter(([uid]) => uid === parameters[1]).map((row) => [...row]);
    return kept.filter(([uid]) => within(uid)).map((row) => [...row]);
  }
  return credentials.map((id) => [id]);
}

/** Everything that a thread's POP3 sessions share; `connect` begins one. */
export function pop3House(options: HouseOptions = {}) {
  /** By name, as from the store; what a test takes out is gone. */
  const mailboxes = new Map(boxesOf(options).map((box) => [box.id, { row: rowOf(box), messages: box.messages ?? [] }]));
  const settings: Pop3Settings = { ...defaultsOf(POP3_SETTINGS), ...options.settings };
  const calls: [string, ...unknown[]][] = [];
  const events: string[] = [];
  let clock = 0;
  const sweeper = new IdleSweeper(() => clock);
  const note = (event: string): void => void events.push(event);
  const sizeOf = (m: Stored): number => m.size ?? (m.bytes?.length ?? 0) + (m.prefix?.length ?? 0);
  const login = async (name: string, password: string): Promise<AuthOutcome> => {
    if (name === 'busy') return { kind: 'unavailable', cause: null };
    if (name.startsWith('visitor:')) return { kind: 'ok', account: { ...ACCOUNT, visitorRights: name.slice('visitor:'.length) } };
    if (name === 'locked') return { kind: 'locked', retryAfterMs: 1500 };
    return name === 'anna' && password === 'pass word' ? { kind: 'ok', account: ACCOUNT, credentialId: 7 } : { kind: 'refused' };
  };
  const change = (mailboxId: number): void => {
    if (!mailboxes.has(mailboxId)) throw new Failure('noSuchMailbox');
    options.change?.(mailboxId);
  };
  const stored = (emailId: number): Stored | undefined =>
    mailboxes.get(Math.floor(emailId / EMAILS_PER_MAILBOX))?.messages.find(({ uid }) => uid === emailId % EMAILS_PER_MAILBOX);
  const writer = {
    run: async (operation: string, input: unknown) => {
      calls.push([operation, input]);
      if (operation === 'pop3.hide') change((input as { mailboxId: number }).mailboxId);
      if (operation === 'pop3.hide' || operation === 'pop3.forget') return undefined;
      return (POP3_OPERATIONS as Record<string, (tx: any, input: any) => unknown>)[operation]!({ now: SHARED_LOCK_NOW + clock }, input);
    },
    expunge: async (...args: unknown[]) => {
      calls.push(['expunge', ...args]);
      options.expunge?.();
      change(args[1] as number);
      return { uids: [], modseq: 1 };
    },
    flags: async (...args: unknown[]) => {
      calls.push(['flags', ...args]);
      change(args[1] as number);
    },
    copy: async (...args: unknown[]) => {
      calls.push(['copy', ...args]);
      change(args[1] as number);
      return { uidValidity: 1, pairs: [] };
    },
    createMailbox: async (...args: unknown[]) => {
      calls.push(['createMailbox', ...args]);
      return { id: 9 };
    },
  };
  const credentials = [7];
  const reader = {
    rows: (sql: string, ...parameters: (string | number | null)[]) => rowsOf(options, credentials, sql, parameters),
    mailboxes: () => [...mailboxes.values()].map(({ row }) => row),
    mailboxById: (_a: number, id: number) => mailboxes.get(id)?.row ?? null,
    mailboxByName: (accountId: number, name: string) => (accountId === 1 ? ([...mailboxes.values()].find(({ row }) => row.name === name)?.row ?? null) : null),
    messages: (_a: number, id: number, from: number, to: number, limit: number) =>
      (mailboxes.get(id)?.messages ?? [])
        .filter(({ uid }) => uid >= from && uid <= to)
        .slice(0, limit)
        .map((m): MessageTuple => [m.uid, 1, m.flags ?? 0, null, m.internalDate ?? 0, sizeOf(m), id * EMAILS_PER_MAILBOX + m.uid]),
    bodies: () => [],
    email: (_a: number, id: number): EmailRow | null => {
      const { bytes, prefix } = stored(id) ?? { bytes: null };
      if (bytes === null) return null;
      const blank = bytes.indexOf('\r\n\r\n');
      return { id, prefix: Buffer.from(prefix ?? ''), headerBytes: blank < 0 ? bytes.length : blank + 4 } as unknown as EmailRow;
    },
    open: (email: EmailRow): MessageReader => {
      const { bytes, damagedAt } = stored(email.id)!;
      const whole = Buffer.concat([email.prefix, bytes!]);
      const slice = (start: number, end: number): Uint8Array => {
        if (damagedAt !== undefined && end > damagedAt) throw new Failure('corruptBlob');
        return whole.subarray(start, Math.min(end, whole.length));
      };
      return {
        size: whole.length,
        prefixBytes: email.prefix.length,
        slice,
        async *stream(start, end) {
          for (let at = start; at < Math.min(end, whole.length); at += 65536) yield slice(at, Math.min(at + 65536, end, whole.length));
        },
        close: () => {},
      };
    },
  };
  const accounts = new Map([[ACCOUNT.id, { ...ACCOUNT }]]);
  const announcements = new AnnouncementHub((error) => {
    throw error;
  });
  const context = {
    settings: () => settings,
    directory: { account: (id: number) => accounts.get(id) ?? null },
    announcements,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count: () => {}, gauge: () => {} },
    reader,
    writer,
    tls: { context: () => (options.hasCertificate === true ? {} : null), options: () => null },
    authenticator: {
      password: login,
      mechanisms: (c: Connection) => (c.tls !== null ? ['PLAIN'] : []),
      sasl: (mechanism: string): SaslExchange | null => {
        if (mechanism.toUpperCase() !== 'PLAIN') return null;
        const plain = plainExchange((_authzid, name, password) => login(name, password));
        if (options.serverFinal === undefined) return plain;
        return { step: async (response) => ({ ...(await plain.step(response)), data: Buffer.from(options.serverFinal!) }) as any };
      },
    },
  } as unknown as Pop3Context;
  const factory = createPop3Session(context, sweeper);

  let connections = 0;
  const connect = () => {
    const socket = new FakeSocket();
    const tlsInfo: TlsInfo = { version: 'TLSv1.3', cipher: '', bits: 256, servername: null, exporter: () => null };
    const connection = {
      id: `c${++connections}`,
      protocol: 'pop3',
      socket: socket as any,
      client: { ip: '192.0.2.1', port: 1, name: null },
      tls: options.tls === false ? null : tlsInfo,
      isLoopback: false,
      startTls: async () => {
        socket.removeAllListeners('data');
        (connection as any).socket = new FakeSocket();
        (connection as any).tls = tlsInfo;
      },
    } as unknown as Connection;
    const session: Session = factory(connection);
    const current = (): FakeSocket => connection.socket as unknown as FakeSocket;
    return {
      session,
      connection,
      socket: current,
      /** Gives bytes to the session as one packet. */
      receive: (text: string | Buffer) => void current().emit('data', Buffer.from(text as string, 'utf8')),
      /** Everything sent since the last call, once all that can go on has gone on. */
      sent: async (): Promise<string> => {
        for (let n = 0; n < 40; n += 1) await new Promise((resolve) => setImmediate(resolve));
        const text = current().written.toString('latin1');
        current().written = Buffer.alloc(0);
        return text;
      },
    };
  };
  const pass = (ms: number): void => {
    clock += ms;
    sweeper.sweep();
  };
  return { connect, calls, events, pass, settings, accounts, announcements, credentials, mailboxes };
}

/** A session that has logged in; the greeting and replies so far are taken. */
export async function loggedIn(options: HouseOptions = {}) {
  const house = pop3House(options);
  const client = house.connect();
  client.receive('USER anna\r\nPASS pass word\r\n');
  await client.sent();
  return { ...house, ...client };
}
