/** For tests of this room: a loop context in memory, connections without a network, and conversations as transcripts. */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import type { Account, AuthOutcome, Authenticator, Connection, Directory, LoopContext, Protocol, SaslExchange } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { MemoryStore, memoryStaging } from './memory-store.ts';
import { isWorking } from './pace.ts';
import { createImapSession, type ImapSession } from './session.ts';
import { IMAP_SETTINGS, type ImapSettings } from './settings.ts';

export const ALICE: Account = { id: 1, login: 'alice@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
export const PASSWORD = 'wonderland';

function outcome(login: string, password: string): AuthOutcome {
  if (login === 'locked@example.org') return { kind: 'locked', retryAfterMs: 30_000 };
  if (login === 'broken@example.org') return { kind: 'unavailable', cause: 'test' };
  return login === ALICE.login && password === PASSWORD ? { kind: 'ok', account: ALICE } : { kind: 'refused' };
}

/** PLAIN; and TWOSTEP, which sends data with its success as SCRAM does. */
const authenticator: Authenticator = {
  password: async (login, password) => outcome(login, password),
  mechanisms: (connection) => (connection.tls === null && !connection.isLoopback ? [] : ['PLAIN', 'TWOSTEP']),
  sasl: (mechanism): SaslExchange | null => {
    if (mechanism === 'PLAIN')
      return {
        step: async (response) => {
          if (response === null) return { kind: 'challenge', data: new Uint8Array(0) };
          const parts = Buffer.from(response).toString('utf8').split('\0');
          return parts.length === 3 ? { kind: 'done', outcome: outcome(parts[1]!, parts[2]!), data: null } : { kind: 'malformed' };
        },
      };
    if (mechanism === 'TWOSTEP') return { step: async () => ({ kind: 'done', outcome: { kind: 'ok', account: ALICE }, data: Buffer.from('v=final') }) };
    return null;
  },
};

export class TestServer {
  readonly store = new MemoryStore();
  settings: ImapSettings;
  /** What the sessions told the scripts for IMAP events, and whether they want to hear. */
  readonly sieve: { readonly events: unknown[]; isWanted: boolean } = { events: [], isWanted: false };
  readonly logged: { event: string; fields: unknown }[] = [];
  hasTls = false;
  /** Staged messages that were given back. */
  aborted = 0;
  accounts: Account[] = [ALICE];
  readonly context: LoopContext<ImapSettings>;
  readonly #factory: (connection: Connection) => ImapSession;
  readonly inbox: number;

  /** `over`: parts of a real store, where memory does not do (rights, options, search). */
  constructor(settings: Partial<ImapSettings> = {}, over: Partial<LoopContext<ImapSettings>> = {}) {
    this.settings = { ...defaultsOf(IMAP_SETTINGS), ...settings };
    const { store } = this;
    this.inbox = store.addMailbox(ALICE.id, 'INBOX', 'inbox').id;
    const write = (event: string, fields: unknown) => void this.logged.push({ event, fields });
    const directory = { account: (id: number) => this.accounts.find((account) => account.id === id) ?? null } as Partial<Directory> as Directory;
    this.context = {
      settings: () => this.settings,
      log: { debug() {}, info() {}, warn: write, error: write },
      metrics: { count() {}, gauge() {} },
      journey: { write() {} },
      directory,
      authenticator,
      reader: store,
      writer: store,
      announcements: store,
      staging: memoryStaging(store, () => {
        this.aborted += 1;
      }),
      imapSieve: {
        isWanted: () => this.sieve.isWanted,
        happened: ({ mailboxId, cause, fromId }, messages) => void this.sieve.events.push({ mailboxId, cause, fromId, messages }),
        url: () => null,
      },
      judge: null,
      intake: null as never,
      tls: { context: () => (this.hasTls ? ({} as never) : null), options: () => null },
      newId: () => 'id',
      now: () => store.now(),
      ...over,
    };
    this.#factory = createImapSession(this.context) as (connection: Connection) => ImapSession;
  }

  #connections = 0;

  connect(over: Partial<{ protocol: Protocol; isLoopback: boolean; isTls: boolean; ip: string }> = {}): Client {
    this.#connections += 1;
    return new Client((connection) => this.#factory(connection), over, `test${this.#connections}`);
  }

  /** Logged in, and with a mailbox selected when one is named; what was said so far is forgotten. */
  async client(mailbox?: string): Promise<Client> {
    const client = this.connect();
    await client.exchange(`l LOGIN ${ALICE.login} ${PASSWORD}\r\n`);
    if (mailbox !== undefined) await client.exchange(`s SELECT ${mailbox}\r\n`);
    client.output();
    return client;
  }
}

/** A socket whose other end is the test. */
class TestSocket extends Duplex {
  heard = '';
  /** While set, nothing that is written is taken. */
  isStalled = false;
  #stalled: (() => void) | null = null;
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.heard += chunk.toString('latin1');
    if (this.isStalled) this.#stalled = done;
    else done();
  }
  unstall(): void {
    this.isStalled = false;
    this.#stalled?.();
    this.#stalled = null;
  }
}

const TLS = { version: 'TLSv1.3', cipher: 'test', bits: 256, servername: null, exporter: () => null };

export class Client {
  readonly socket = new TestSocket({ allowHalfOpen: false, decodeStrings: true });
  readonly session: ImapSession;
  readonly connection: Connection;

  constructor(
    factory: (connection: Connection) => ImapSession,
    over: Partial<{ protocol: Protocol; isLoopback: boolean; isTls: boolean; ip: string }>,
    id = 'test',
  ) {
    this.connection = {
      id,
      protocol: over.protocol ?? 'imap',
      socket: this.socket as never,
      client: { ip: over.ip ?? '192.0.2.1', port: 1, name: null },
      localAddress: '192.0.2.2',
      localPort: 143,
      tls: over.isTls ? TLS : null,
      startTls: async () => {
        this.socket.removeAllListeners('data');
        this.connection.tls = TLS;
      },
      isLoopback: over.isLoopback ?? true,
    };
    this.session = factory(this.connection);
  }

  /** Bytes from the client, as one packet. */
  send(bytes: string | Buffer): void {
    this.socket.emit('data', typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes));
  }

  /** What the server said since the last time. One character per byte. */
  output(): string {
    const text = this.socket.heard;
    this.socket.heard = '';
    return text;
  }

  async exchange(bytes: string | Buffer): Promise<string> {
    this.send(bytes);
    await settle(() => this.socket.heard.length);
    return this.output();
  }

  get isClosed(): boolean {
    return this.socket.writableEnded || this.socket.destroyed;
  }

  disconnect(): void {
    this.socket.destroy();
  }
}

/** Waits until nothing has happened for a few turns of the event loop. */
export async function settle(progress: () => number = () => 0): Promise<void> {
  let before = -1;
  for (let quiet = 0; quiet < 6; quiet += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (progress() !== before || isWorking()) quiet = 0;
    before = progress();
  }
}

/**
 * Holds a conversation: "C: " lines are sent (neighbours in one packet), "S: " lines must be the answer, byte for byte.
 * Lines end in CRLF; "C| " is sent without one. "--" waits until all is quiet, when one side speaks twice.
 */
export async function talk(client: Client, transcript: string): Promise<void> {
  let toSend = '';
  let expected = '';
  const turn = async (): Promise<void> => {
    if (toSend !== '') client.send(toSend);
    await settle(() => client.socket.heard.length);
    assert.equal(readable(client.output()), readable(expected), `after the client said:\n${toSend}`);
    toSend = '';
    expected = '';
  };
  for (const line of transcript.split('\n')) {
    const text = line.trimStart();
    if (text.startsWith('C: ') || text === 'C:' || text.startsWith('C| ')) {
      if (expected !== '') await turn();
      toSend += text.startsWith('C| ') ? text.slice(3) : `${text.slice(3)}\r\n`;
    } else if (text.startsWith('S: ') || text === 'S:') expected += `${Buffer.from(text.slice(3), 'utf8').toString('latin1')}\r\n`;
    else if (text === '--') await turn();
    else assert.equal(text, '', 'a transcript has lines that begin with C: or S:');
  }
  if (toSend !== '' || expected !== '') await turn();
}

function readable(bytes: string): string {
  return bytes.replaceAll('\r\n', '\n').replaceAll('\r', '<CR>');
}
