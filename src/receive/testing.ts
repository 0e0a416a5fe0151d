/** For tests of these rooms: a loop context in memory, a listener on it, and conversations written as transcripts. */
import { openStaged } from '../store/blobs/staging.ts';
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { digestMessage } from '../mail/digest.ts';
import { viewOf } from '../mail/view.ts';
import type { IdleSweeper } from '../net/idle.ts';
import { type Listener, listen } from '../net/listen.ts';
import { NET_SETTINGS } from '../net/settings.ts';
import type {
  Account,
  Address,
  Authenticator,
  AuthOutcome,
  Directory,
  Envelope,
  Intake,
  Judge,
  JudgeSession,
  LoopContext,
  MessageWriter,
  Orders,
  Protocol,
  Reply,
  Resolution,
  SaslExchange,
  StagedMessage,
  Staging,
  StoreReader,
  TlsProvider,
} from '../ports.ts';
import { AnnouncementHub } from '../store/announcements.ts';
import { defaultsOf } from '../system/declare.ts';
import { messageIds } from '../system/ids.ts';
import { RECEIVE_SETTINGS } from './settings.ts';
import { createSmtpSession } from './smtp/create.ts';
import type { Mode } from './smtp/service.ts';

export interface Accepted {
  readonly envelope: Envelope;
  /** As staged: our Received field first. */
  readonly bytes: Buffer;
  /** Without our Received field. */
  readonly message: string;
}

/** A LoopContext whose directory, staging and intake are lists in memory. */
export class TestContext {
  readonly accepted: Accepted[] = [];
  readonly logged: { event: string; fields: Record<string, unknown> }[] = [];
  settingsNow: any;
  /** What the intake answers; perRecipient by local part. */
  reply: Reply = { code: 250, enhanced: '2.0.0', text: 'OK queued' };
  perRecipient: Record<string, Reply> = {};
  /** Messages are accepted when this settles. */
  gate: Promise<void> | null = null;
  /** Every write to staging answers a promise. */
  isSlowStaging = false;
  /** Thrown by the next write. */
  stagingError: unknown = null;
  openWriters = 0;
  /** Messages that were read to their end. */
  finished = 0;
  /** Those of them that were thrown away after all. */
  discarded = 0;
  /** Rows of the table credential, for `watchLogin`. */
  credentials = [7];
  /** Accounts by id; take one out to switch it off. */
  readonly accounts = new Map([[ALICE.id, ALICE]]);
  readonly announcements = new AnnouncementHub((error) => {
    throw error;
  });
  tls: TlsProvider = { context: () => null, options: () => null };
  /** Asked beside each session; null: nobody. */
  judge: Judge | null = null;
  /** What came with the messages accepted. */
  readonly orders: (Orders | undefined)[] = [];
  readonly loop: LoopContext<any>;

  constructor(settings: Record<string, unknown> = {}) {
    this.settingsNow = { ...defaultsOf(RECEIVE_SETTINGS), ...defaultsOf(NET_SETTINGS), hostname: 'mx.example.org', domain: 'example.org', ...settings };
    let now = 1_700_000_000_000;
    const clock = () => (now += 1);
    const write = (event: string, fields: Record<string, unknown> = {}) => void this.logged.push({ event, fields });
    const absent = new Proxy({}, { get: (_, name) => assert.fail(`this room must not use ${String(name)}`) }) as any;
    this.loop = {
      settings: () => this.settingsNow,
      log: { debug: write, info: write, warn: write, error: write },
      metrics: { count() {}, gauge() {} },
      journey: { write() {} },
      directory: { ...directory, account: (id) => this.accounts.get(id) ?? null },
      authenticator,
      reader: { rows: () => this.credentials.map((id) => [id]) } as unknown as StoreReader,
      writer: absent,
      announcements: this.announcements,
      staging: this.#staging(),
      intake: this.#intake(),
      judge: null,
      tls: { context: () => this.tls.context(), options: () => this.tls.options() },
      newId: messageIds(1, clock),
      now: clock,
    };
    Object.defineProperty(this.loop, 'judge', { get: () => this.judge });
  }

  #staging(): Staging {
    const stage = (message: Uint8Array): StagedMessage => ({
      size: message.length,
      blob: { kind: 'inline', codec: 0, data: Uint8Array.from(message) },
      digest: digestMessage(message),
    });
    const open = (): MessageWriter => {
      const pieces: Buffer[] = [];
      let isOpen = true;
      let isFinished = false;
      let isWriting = false;
      this.openWriters += 1;
      const close = () => {
        if (isOpen) this.openWriters -= 1;
        isOpen = false;
      };
      return {
        get size() {
          return pieces.reduce((sum, piece) => sum + piece.length, 0);
        },
        write: (chunk) => {
          assert.ok(isOpen, 'write after finish or abort');
          assert.ok(!isWriting, 'write while another one is being waited for');
          if (this.stagingError !== null) throw this.stagingError;
          pieces.push(Buffer.from(chunk));
          if (!this.isSlowStaging) return undefined;
          isWriting = true;
          return new Promise((resolve) =>
            setImmediate(() => {
              isWriting = false;
              resolve();
            }),
          );
        },
        // A slow one stands for a large message, whose beginning has left the memory.
        insert: (bytes) => {
          assert.ok(isOpen && !isWriting, 'insert while the writer is not there for it');
          if (this.isSlowStaging) return false;
          pieces.unshift(Buffer.from(bytes));
          return true;
        },
        view: (from) => viewOf(Buffer.concat(pieces).subarray(from)),
        finish: () => {
          assert.ok(isOpen, 'finish after abort');
          close();
          isFinished = true;
          this.finished += 1;
          const staged = stage(Buffer.concat(pieces));
          return this.isSlowStaging ? Promise.resolve(staged) : staged;
        },
        abort: () => {
          if (!isOpen && isFinished) this.discarded += 1;
          isFinished = false;
          close();
        },
      };
    };
    return { open, stage, read: (message) => openStaged(message, '') };
  }

  #intake(): Intake {
    return {
      accept: async (envelope, message, orders) => {
        this.orders.push(orders);
        if (this.gate !== null) await this.gate;
        assert.ok(message.blob.kind === 'inline');
        const bytes = Buffer.from(message.blob.data);
        const perRecipient = envelope.recipients.map(({ address }) => this.perRecipient[address.local] ?? this.reply);
        if (this.reply.code < 400) this.accepted.push({ envelope, bytes, message: withoutReceived(bytes.toString('latin1')) });
        return { reply: this.reply, perRecipient };
      },
      checkRecipient: ({ address }) => (address.local === 'full' ? { code: 452, enhanced: '4.2.2', text: 'Mailbox is full' } : null),
    };
  }
}

/** The message without our Received field, and what the judge put above it. */
function withoutReceived(text: string): string {
  assert.match(text, /^Received: (?:from|by) /m);
  let at = text.indexOf('\r\n', text.search(/^Received: /m));
  while (text[at + 2] === '\t' || text[at + 2] === ' ') at = text.indexOf('\r\n', at + 2);
  return text.slice(at + 2);
}

/** A judge that lets everything pass but what `steps` say. */
export function judgeWith(steps: Partial<JudgeSession>): Judge {
  const pass = () => null;
  const nothing = () => {};
  const session: JudgeSession = {
    greet: pass,
    talkedEarly: nothing,
    helo: pass,
    mail: pass,
    rcpt: pass,
    data: pass,
    ownsSender: () => false,
    etrn: pass,
    content: pass,
    message: () => ({ reply: null, discard: null, orders: {}, before: null, message: null }),
    settled: nothing,
    reset: nothing,
    close: nothing,
    ...steps,
  };
  return { begin: () => session, beginSubmitted: () => ({ content: pass, message: session.message }) };
}

export const ALICE: Account = { id: 1, login: 'alice@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };

/** example.org is ours: alice (with details), postmaster, bob, full; ana lives at example.net, reached by the alias far. */
const directory: Directory = {
  resolve(address: Address): Resolution {
    if (address.domain !== 'example.org') return { kind: 'foreign' };
    const [local, detail = null] = address.local.toLowerCase().split('+', 2) as [string, string?];
    if (local === 'off') return { kind: 'disabled' };
    if (local === 'round') return { kind: 'loop' };
    if (local === 'far') return { kind: 'deliver', local: [], remote: [{ local: 'ana', domain: 'example.net' }] };
    const accountId = ['', 'alice', 'bob', 'postmaster', 'full', 'grüße'].indexOf(local);
    if (accountId < 1) return { kind: 'unknown' };
    return { kind: 'deliver', local: [{ accountId, address: { local, domain: 'example.org' }, detail }], remote: [] };
  },
  isLocalDomain: (domain) => domain === 'example.org',
  account: (id) => (id === 1 ? ALICE : null),
  accountByLogin: (login) => (login === 'alice@example.org' ? ALICE : null),
  maySendAs: (id, { local, domain }) => id === 1 && domain === 'example.org' && ['alice', 'sales'].includes(local.split('+')[0]!),
};

function check(login: string, password: string): AuthOutcome {
  if (password === 'locked') return { kind: 'locked', retryAfterMs: 61_500 };
  if (password === 'down') return { kind: 'unavailable', cause: new Error('database is away') };
  return login === 'alice@example.org' && password === 'secret' ? { kind: 'ok', account: ALICE, credentialId: 7 } : { kind: 'refused' };
}

/** PLAIN, LOGIN and a mechanism SCRAM-TEST whose last server message must be answered with nothing. Needs TLS or loopback. */
const authenticator: Authenticator = {
  password: async (login, password) => check(login, password),
  mechanisms: (connection) => (connection.tls !== null || connection.isLoopback ? ['SCRAM-TEST', 'PLAIN', 'LOGIN'] : []),
  sasl(mechanism, connection): SaslExchange | null {
    if (!this.mechanisms(connection).includes(mechanism)) return null;
    const heard: string[] = [];
    return {
      async step(response) {
        if (response !== null) heard.push(Buffer.from(response).toString());
        if (mechanism === 'SCRAM-TEST') {
          if (heard.length === 0) return { kind: 'challenge', data: Buffer.from('first') };
          return { kind: 'done', outcome: check('alice@example.org', heard[0]!), data: Buffer.from('v=server') };
        }
        if (mechanism === 'LOGIN') {
          if (heard.length === 0) return { kind: 'challenge', data: Buffer.from('Username:') };
          if (heard.length === 1) return { kind: 'challenge', data: Buffer.from('Password:') };
          return { kind: 'done', outcome: check(heard[0]!, heard[1]!), data: null };
        }
        if (heard.length === 0) return { kind: 'challenge', data: Buffer.alloc(0) };
        const [, login, password] = heard[0]!.split('\0');
        return password === undefined ? { kind: 'malformed' } : { kind: 'done', outcome: check(login!, password), data: null };
      },
    };
  },
};

/** A listener on 127.0.0.1 with a port of its own. */
export async function serve(context: TestContext, mode: Mode = 'smtp', implicitTls = false, sweeper?: IdleSweeper): Promise<Listener> {
  const protocol: Protocol = implicitTls ? 'submissions' : mode;
  return listen(['127.0.0.1:0'], protocol, implicitTls, context.loop, createSmtpSession(context.loop, mode, sweeper), { reusePort: false });
}

export function portOf(listener: Listener): number {
  return Number(listener.addresses[0]!.split(':').at(-1));
}

export async function dial(listener: Listener): Promise<Socket> {
  const socket = connect({ port: portOf(listener), host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/**
 * Runs a transcript against `listener`, or on `socket`. Lines `C: text` are sent, adjoining ones in one write, with CRLF unless they end in a
 * backslash; \r \n \0 \t and \xNN may be written. `S: 250 *` reads one whole reply and compares its last line; `S: 250-SIZE *`
 * wants such a line to come before that. `S: <closed>` waits for the end. `*` stands for anything.
 * With `splitAt`, every client write is cut there (counted over the whole conversation).
 */
export async function talk(listener: Listener | Socket, transcript: string, splitEvery = 0): Promise<void> {
  const socket = 'addresses' in listener ? await dial(listener) : listener;
  const reader = new LineReader(socket);
  const shown: string[] = [];
  let pending = '';
  const send = async (): Promise<void> => {
    const bytes = Buffer.from(pending, 'latin1');
    pending = '';
    if (splitEvery === 0) socket.write(bytes);
    else
      for (let at = 0; at < bytes.length; at += splitEvery)
        await new Promise<void>((done) => socket.write(bytes.subarray(at, at + splitEvery), () => setImmediate(done)));
  };
  try {
    for (const line of transcript.split('\n').map((text) => text.trim())) {
      if (line.startsWith('C:')) {
        shown.push(line);
        pending += unescaped(line.slice(line[2] === ' ' ? 3 : 2));
        continue;
      }
      if (!line.startsWith('S: ')) continue;
      if (pending !== '') await send();
      await expect(reader, line.slice(3), shown);
    }
    if (pending !== '') await send();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${shown.join('\n')}`, { cause: error });
  } finally {
    if ('addresses' in listener) socket.destroy();
    else reader.detach();
  }
}

async function expect(reader: LineReader, wanted: string, shown: string[]): Promise<void> {
  for (;;) {
    const line = await reader.next();
    shown.push(`S: ${line ?? '<closed>'}`);
    if (line === null) {
      assert.equal(wanted, '<closed>', `connection closed, wanted ${wanted}`);
      return;
    }
    if (matches(line, wanted)) return;
    // Lines of a reply before the wanted one are passed over; its last line must be it.
    assert.ok(line[3] === '-', `wanted ${wanted}`);
  }
}

function matches(line: string, wanted: string): boolean {
  const pattern = wanted.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${pattern}$`).test(line);
}

function unescaped(text: string): string {
  const isOpen = text.endsWith('\\');
  const body = (isOpen ? text.slice(0, -1) : text).replace(/\\(?:x([0-9a-f]{2})|([rnt0]))/g, (_, hex, letter) =>
    hex === undefined ? { r: '\r', n: '\n', t: '\t', 0: '\0' }[letter as 'r' | 'n' | 't' | '0'] : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return isOpen ? body : `${body}\r\n`;
}

class LineReader {
  readonly #socket: Socket;
  #text = '';
  #isEnded = false;
  #wake: (() => void) | null = null;
  readonly #onData = (chunk: Buffer): void => {
    this.#text += chunk.toString('latin1');
    this.#wake?.();
  };
  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#wake?.();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onEnd).on('error', this.#onEnd);
    socket.resume(); // an earlier conversation on this socket has paused it
  }

  /** null at the end of the stream. */
  async next(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return line;
      }
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  detach(): void {
    this.#socket.pause();
    this.#socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
    if (this.#text !== '') this.#socket.unshift(Buffer.from(this.#text, 'latin1'));
  }
}
