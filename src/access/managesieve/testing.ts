/** For tests only: ManageSieve sessions over sockets in memory, and a real store. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import type { ScriptEngine } from '../../deliver/scripts/engine.types.ts';
import { SCRIPT_OPERATIONS } from '../../deliver/scripts/operations.ts';
import { SCRIPTS_SETTINGS } from '../../deliver/scripts/settings.ts';
import { plainExchange } from '../../directory/sasl/plain.ts';
import { IdleSweeper } from '../../net/idle.ts';
import type { Account, AuthOutcome, Connection, SaslExchange, Session, TlsInfo } from '../../ports.ts';
import { openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { createManageSieveSession } from './create.ts';
import { MANAGESIEVE_SETTINGS, type ManageSieveContext, type ManageSieveSettings } from './settings.ts';

/** A language of one word a line: "keep" is right, "hm" deserves a warning, "#" begins a comment, anything else is wrong. */
export const SMALL_ENGINE: ScriptEngine = {
  extensions: () => ['fileinto', 'vacation'],
  notifyMethods: () => ['mailto'],
  redirectsMax: () => 4,
  check: (text, file) => {
    const rows = Buffer.from(text)
      .toString('utf8')
      .split(/\r?\n/)
      .map((word, n) => ({ file, line: n + 1, text: `"${word}" is unknown`, word }));
    return {
      problems: rows.filter(({ word }) => word !== '' && word !== 'keep' && word !== 'hm' && !word.startsWith('#')),
      warnings: rows.filter(({ word }) => word === 'hm').map((row) => ({ ...row, text: 'hm has no effect' })),
    };
  },
};

/** A socket whose other end is the test. */
class TestSocket extends Duplex {
  heard: Buffer[] = [];
  isStalled = false;
  #stalled: (() => void) | null = null;
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.heard.push(chunk);
    if (this.isStalled) this.#stalled = done;
    else done();
  }
  unstall(): void {
    this.isStalled = false;
    this.#stalled?.();
  }
}

const TLS: TlsInfo = { version: 'TLSv1.3', cipher: '', bits: 256, servername: null, exporter: () => null };

export interface HouseOptions {
  readonly settings?: Partial<ManageSieveSettings>;
  readonly hasCertificate?: boolean;
}

/** A thread with a store and the accounts anna@example.org and bert@example.org, whose password is "pass word". */
export async function house(t: TestContext, options: HouseOptions = {}) {
  const settings: ManageSieveSettings = {
    ...defaultsOf(MANAGESIEVE_SETTINGS),
    ...defaultsOf(SCRIPTS_SETTINGS),
    'sieve.scriptBytesMax': 1024 * 1024,
    ...options.settings,
  };
  let clock = 1_800_000_000_000;
  const store = openLocalStore({
    dataDir: testDirectory(t),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: () => clock,
    operations: {
      ...SCRIPT_OPERATIONS,
      'test.account': (tx, login: string) => {
        const id = tx.nextId('account');
        tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
        return id;
      },
      'test.disable': (tx, id: number) => {
        tx.run('UPDATE account SET is_disabled=1 WHERE id=?', id);
        tx.announce({ kind: 'directory', accounts: [id] });
      },
    },
    journey: () => {},
  });
  t.after(() => store.close());
  const ids = new Map<string, number>();
  for (const name of ['anna', 'bert']) ids.set(name, await store.writer.run<number>('test.account', `${name}@example.org`));
  const accountOf = (id: number): Account | null => {
    const [row] = store.reader.rows('SELECT login, is_disabled FROM account WHERE id=?', id);
    return row === undefined ? null : { id, login: row[0] as string, isDisabled: row[1] === 1, quotaBytes: 0, quotaMessages: 0 };
  };
  const login = async (name: string, password: string): Promise<AuthOutcome> => {
    if (name === 'busy') return { kind: 'unavailable', cause: null };
    if (name === 'locked') return { kind: 'locked', retryAfterMs: 1500 };
    const id = ids.get(name);
    return id !== undefined && password === 'pass word' ? { kind: 'ok', account: accountOf(id)! } : { kind: 'refused' };
  };
  const logged: { event: string; fields: unknown }[] = [];
  const note = (event: string, fields: unknown): void => void logged.push({ event, fields });
  const sweeper = new IdleSweeper(() => clock);
  const context = {
    settings: () => settings,
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count: () => {}, gauge: () => {} },
    directory: { account: accountOf },
    reader: store.reader,
    writer: store.writer,
    announcements: store.announcements,
    tls: { context: () => (options.hasCertificate === true ? {} : null), options: () => null },
    authenticator: {
      password: login,
      mechanisms: (connection: Connection) => (connection.tls !== null ? ['PLAIN', 'TWOSTEP'] : []),
      sasl: (mechanism: string): SaslExchange | null => {
        if (mechanism.toUpperCase() === 'PLAIN') return plainExchange((_authzid, name, password) => login(name, password));
        // Sends data with its success, as SCRAM does.
        if (mechanism === 'TWOSTEP')
          return { step: async () => ({ kind: 'done', outcome: { kind: 'ok', account: accountOf(ids.get('anna')!)! }, data: Buffer.from('v=final') }) };
        return null;
      },
    },
  } as unknown as ManageSieveContext;
  const factory = createManageSieveSession(context, SMALL_ENGINE, sweeper);
  return {
    settings,
    logged,
    store,
    id: (name: string): number => ids.get(name)!,
    connect: (isTls = true): Client => new Client(factory, isTls),
    /** Logged in as anna (or another); what was said so far is forgotten. */
    enter: async (name = 'anna'): Promise<Client> => {
      const client = new Client(factory, true);
      const said = await client.exchange(`AUTHENTICATE "PLAIN" "${plain(name)}"\r\n`);
      assert.match(said, /OK "Logged in"\r\n$/);
      return client;
    },
    pass: (ms: number): void => {
      clock += ms;
      sweeper.sweep();
    },
  };
}

/** The initial response of PLAIN. */
export function plain(name: string, password = 'pass word'): string {
  return Buffer.from(`\0${name}\0${password}`).toString('base64');
}

export class Client {
  socket = new TestSocket({ allowHalfOpen: false });
  readonly session: Session;
  readonly connection: Connection;

  constructor(factory: (connection: Connection) => Session, isTls: boolean) {
    const connection = {
      id: 'c1',
      protocol: 'sieve',
      socket: this.socket,
      client: { ip: '192.0.2.1', port: 1, name: null },
      tls: isTls ? TLS : null,
      isLoopback: false,
      startTls: async () => {
        this.socket = new TestSocket({ allowHalfOpen: false });
        Object.assign(connection, { socket: this.socket, tls: TLS });
      },
    };
    this.connection = connection as unknown as Connection;
    this.session = factory(this.connection);
  }

  send(bytes: string | Buffer): void {
    this.socket.emit('data', Buffer.from(bytes as string, 'utf8'));
  }
  /** What the server said since the last time. */
  output(): string {
    const text = Buffer.concat(this.socket.heard).toString('utf8');
    this.socket.heard = [];
    return text;
  }
  async settled(): Promise<string> {
    let before = -1;
    for (let quiet = 0; quiet < 8; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.socket.heard.length !== before) quiet = 0;
      before = this.socket.heard.length;
    }
    return this.output();
  }
  async exchange(bytes: string | Buffer): Promise<string> {
    this.send(bytes);
    return this.settled();
  }
  get isClosed(): boolean {
    return this.socket.writableEnded || this.socket.destroyed;
  }
}

/** Holds a conversation: "C: " lines are sent (neighbours in one packet), "S: " lines must be the answer, byte for byte. "--" waits. */
export async function talk(client: Client, transcript: string): Promise<void> {
  let toSend = '';
  let expected = '';
  const turn = async (): Promise<void> => {
    if (toSend !== '') client.send(toSend);
    assert.equal((await client.settled()).replaceAll('\r\n', '\n'), expected, `after the client said:\n${toSend}`);
    toSend = '';
    expected = '';
  };
  for (const line of transcript.split('\n')) {
    const text = line.trimStart();
    if (text.startsWith('C: ') || text === 'C:') {
      if (expected !== '') await turn();
      toSend += `${text.slice(3)}\r\n`;
    } else if (text.startsWith('S: ') || text === 'S:') expected += `${text.slice(3)}\n`;
    else if (text === '--') await turn();
    else assert.equal(text, '', 'a transcript has lines that begin with C: or S:');
  }
  if (toSend !== '' || expected !== '') await turn();
}
