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
}

/** What the sessions ask of the tables. */
function rowsOf(options: HouseOptions, credentials: readonly number[], sql: string, parameters: readonly (string | number | null)[]): unknown[][] {
  if (sql.includes('FROM account_option')) return Object.entries(options.accountOptions ?? {});
  const within = (uid: number): boolean => parameters.length < 3 || (uid >= Number(parameters[1]) && uid <= Number(parameters[2]));
  if (sql.includes('FROM pop3_hidden')) return (options.hidden ?? []).filter(within).map((uid) => [uid]);
  if (sql.includes('FROM pop3_uidl')) {
    const kept = (options.messages ?? []).flatMap(({ uid, uidl }) => (uidl === undefined ? [] : [[uid, uidl] as const]));
    if (sql.includes('uidl=?')) return kept.filter(([, uidl]) => uidl === parameters[1]).map(() => [1]);
    if (sql.includes('uid=?')) return kept.filter(([uid]) => uid === parameters[1]).map((row) => [...row]);
    return kept.filter(([uid]) => within(uid)).map((row) => [...row]);
  }
  return credentials.map((id) => [id]);
}

/** Everything that a thread's POP3 sessions share; `connect` begins one. */
export function pop3House(options: HouseOptions = {}) {
  const messages = options.messages ?? [];
  const settings: Pop3Settings = { ...defaultsOf(POP3_SETTINGS), ...options.settings };
  const calls: [string, ...unknown[]][] = [];
  const events: string[] = [];
  let clock = 0;
  const sweeper = new IdleSweeper(() => clock);
  const note = (event: string): void => void events.push(event);
  const inbox = { id: 5, accountId: 1, name: 'INBOX', uidValidity: 0x1a2b, uidNext: 1 + Math.max(0, ...messages.map(({ uid }) => uid)) } as MailboxRow;
  const sizeOf = (m: Stored): number => m.size ?? (m.bytes?.length ?? 0) + (m.prefix?.length ?? 0);
  const login = async (name: string, password: string): Promise<AuthOutcome> => {
    if (name === 'busy') return { kind: 'unavailable', cause: null };
    if (name === 'locked') return { kind: 'locked', retryAfterMs: 1500 };
    return name === 'anna' && password === 'pass word' ? { kind: 'ok', account: ACCOUNT, credentialId: 7 } : { kind: 'refused' };
  };
  const writer = {
    run: async (operation: string, input: unknown) => {
      calls.push([operation, input]);
      if (operation === 'pop3.hide' || operation === 'pop3.forget') return undefined;
      return (POP3_OPERATIONS as Record<string, (tx: any, input: any) => unknown>)[operation]!({ now: SHARED_LOCK_NOW + clock }, input);
    },
    expunge: async (...args: unknown[]) => {
      calls.push(['expunge', ...args]);
      options.expunge?.();
      return { uids: [], modseq: 1 };
    },
    flags: async (...args: unknown[]) => void calls.push(['flags', ...args]),
    copy: async (...args: unknown[]) => {
      calls.push(['copy', ...args]);
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
    mailboxes: () => (options.hasNoTrash === true ? [inbox] : [inbox, { id: 8, name: 'Trash', role: 'trash', isSelectable: true } as MailboxRow]),
    mailboxByName: (accountId: number, name: string) => (accountId === 1 && name === 'INBOX' ? inbox : null),
    messages: (_a: number, _m: number, from: number, to: number, limit: number) =>
      messages
        .filter(({ uid }) => uid >= from && uid <= to)
        .slice(0, limit)
        .map((m): MessageTuple => [m.uid, 1, m.flags ?? 0, null, m.internalDate ?? 0, sizeOf(m), m.uid * 10]),
    bodies: () => [],
    email: (_a: number, id: number): EmailRow | null => {
      const stored = messages.find(({ uid }) => uid * 10 === id)!;
      if (stored.bytes === null) return null;
      const blank = stored.bytes.indexOf('\r\n\r\n');
      return { id, prefix: Buffer.from(stored.prefix ?? ''), headerBytes: blank < 0 ? stored.bytes.length : blank + 4 } as unknown as EmailRow;
    },
    open: (email: EmailRow): MessageReader => {
      const stored = messages.find(({ uid }) => uid * 10 === email.id)!;
      const whole = Buffer.concat([email.prefix, stored.bytes!]);
      const slice = (start: number, end: number): Uint8Array => {
        if (stored.damagedAt !== undefined && end > stored.damagedAt) throw new Failure('corruptBlob');
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
  return { connect, calls, events, pass, settings, accounts, announcements, credentials };
}

/** A session that has logged in; the greeting and replies so far are taken. */
export async function loggedIn(options: HouseOptions = {}) {
  const house = pop3House(options);
  const client = house.connect();
  client.receive('USER anna\r\nPASS pass word\r\n');
  await client.sent();
  return { ...house, ...client };
}
