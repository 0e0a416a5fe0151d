/**
 * This server as a policy server: Postfix connects, asks about clients, senders and recipients, and does what it is told. Many questions
 * on a connection, one after the other.
 */
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '../../../net/address.ts';
import { type IdleSweeper, type IdleWatched, idle } from '../../../net/idle.ts';
import { canonicalIp, networksOf } from '../../../net/networks.ts';
import type { Metrics } from '../../../ports.ts';
import { PolicyReader, type PolicyRecord, writePolicyReply } from '../../../wire/policy/record.ts';
import { DUNNO, PolicyDecider, type PolicyFaceContext } from './decide.ts';
import { readQuestion } from './question.ts';

export interface PolicyFaceOptions extends PolicyFaceContext {
  /** `face.policyListen`; a unix socket can be listened on by one thread only. */
  readonly listen: readonly string[];
  readonly reusePort?: boolean;
  readonly metrics: Metrics;
  /** Tests give their own. */
  readonly sweeper?: IdleSweeper;
}

export interface PolicyFace {
  /** As bound: "127.0.0.1:10031" with the port the system chose, "unix:/path". */
  readonly addresses: readonly string[];
  readonly connections: number;
  /** Stops listening and closes every connection once its question under way is answered. */
  stop(): Promise<void>;
}

/** Replies that the other side does not read. */
const UNREAD_BYTES_MAX = 64 * 1024;

/** Rejects with an Error that names the address when one cannot be bound; nothing stays bound then. */
export async function startPolicyFace(options: PolicyFaceOptions): Promise<PolicyFace> {
  const face = new Face(options);
  try {
    for (const text of options.listen) await face.bind(text);
  } catch (error) {
    await face.stop();
    throw error;
  }
  if (face.addresses.length > 0) options.log.info('face.policy.listening', { listen: face.addresses });
  return face;
}

class Face implements PolicyFace {
  readonly addresses: string[] = [];
  readonly options: PolicyFaceOptions;
  readonly decider: PolicyDecider;
  readonly sweeper: IdleSweeper;
  readonly #servers: Server[] = [];
  readonly #open = new Set<Conversation>();
  #whenEmpty: (() => void) | null = null;

  constructor(options: PolicyFaceOptions) {
    this.options = options;
    this.decider = new PolicyDecider(options);
    this.sweeper = options.sweeper ?? idle;
  }

  get connections(): number {
    return this.#open.size;
  }

  async bind(text: string): Promise<void> {
    const address = parseListenAddress(text);
    if (address === null) throw new Error(`Cannot listen on "${text}" as a policy server: this is no address with a port, such as 127.0.0.1:10031.`);
    if (address.kind === 'unix') await removeStaleSocket(address.path);
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => reject(new Error(`Cannot listen on ${text} as a policy server: ${cause.message}.`, { cause })));
      // Postfix is another user: whoever may pass through to the socket may ask.
      if (address.kind === 'unix') server.listen({ path: address.path, readableAll: true, writableAll: true }, resolve);
      else server.listen({ host: address.host, port: address.port, reusePort: this.options.reusePort ?? false }, resolve);
    });
    server.on('error', (cause) => this.options.log.error('net.accept.failed', { protocol: 'policy', address: text, cause: String(cause) }));
    this.#servers.push(server);
    this.addresses.push(boundAddress(server, address));
  }

  #accept(socket: Socket): void {
    socket.on('error', () => {}); // 'close' follows and is what counts
    const settings = this.options.settings();
    const ip = canonicalIp(socket.remoteAddress);
    const isFull = this.#open.size >= settings['face.policyConnectionsMax'];
    // A unix socket has no address; its folder says who may.
    if (isFull || (ip !== '' && !networksOf(settings['face.policyFrom']).has(ip))) {
      this.options.log.warn('face.policy.refused', { from: ip || 'unix', cause: isFull ? 'too many connections' : 'not in face.policyFrom' });
      socket.destroy();
      return;
    }
    this.options.metrics.count('face.policy.connections');
    this.#open.add(new Conversation(this, socket, ip || 'unix'));
  }

  closed(conversation: Conversation): void {
    this.#open.delete(conversation);
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) server.close();
    if (this.#open.size === 0) return;
    const empty = new Promise<void>((resolve) => (this.#whenEmpty = resolve));
    for (const conversation of this.#open) conversation.drain();
    await empty;
  }
}

class Conversation implements IdleWatched {
  deadline: number;
  readonly #face: Face;
  readonly #socket: Socket;
  readonly #server: string;
  readonly #reader = new PolicyReader();
  #isBusy = false;
  #isDraining = false;

  constructor(face: Face, socket: Socket, server: string) {
    this.#face = face;
    this.#socket = socket;
    this.#server = server;
    this.deadline = face.sweeper.now + face.options.settings()['face.policyIdle'];
    face.sweeper.watch(this);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      if (!this.#isBusy) void this.#answerAll();
    });
    socket.on('end', () => {
      if (!this.#isBusy) socket.destroy();
    });
    socket.once('close', () => {
      face.sweeper.unwatch(this);
      face.closed(this);
    });
  }

  /** One question after the other; what comes meanwhile waits in the socket. */
  async #answerAll(): Promise<void> {
    const { options, sweeper } = this.#face;
    this.#isBusy = true;
    for (;;) {
      const read = this.#reader.next();
      if (read.kind === 'more') break;
      if (read.kind === 'fault') {
        options.log.warn('face.policy.malformed', { from: this.#server, cause: read.fault });
        this.#socket.destroy();
        return;
      }
      this.#socket.pause();
      this.#socket.write(writePolicyReply(await this.#answer(read.record)));
      if (this.#socket.destroyed) return;
      if (this.#isDraining || this.#socket.readableEnded || this.#socket.writableLength > UNREAD_BYTES_MAX) {
        this.#socket.destroySoon();
        return;
      }
      this.#socket.resume();
    }
    this.#isBusy = false;
    this.deadline = sweeper.now + options.settings()['face.policyIdle'];
  }

  async #answer(record: PolicyRecord): Promise<string> {
    const { options, decider } = this.#face;
    let action = DUNNO;
    try {
      const question = readQuestion(record);
      if (question !== null) action = await decider.decide(question, this.#server);
      const isDecided = action !== DUNNO && !action.startsWith('PREPEND ');
      if (isDecided)
        options.log.info('face.policy.decided', {
          from: this.#server,
          client: question?.clientIp,
          sender: record.get('sender'),
          recipient: record.get('recipient'),
          action,
        });
    } catch (cause) {
      // A bug of ours is no reason to keep anybody's mail.
      options.log.error('face.policy.failed', { from: this.#server, cause });
    }
    options.metrics.count('face.policy.requests', 1, action.split(' ', 1)[0]!);
    return action;
  }

  onIdle(): void {
    if (!this.#isBusy) this.#socket.destroy();
  }

  drain(): void {
    this.#isDraining = true;
    if (!this.#isBusy) this.#socket.destroy();
  }
}

function boundAddress(server: Server, wanted: ListenAddress): string {
  const bound = server.address();
  if (wanted.kind === 'unix' || bound === null || typeof bound === 'string') return `unix:${wanted.kind === 'unix' ? wanted.path : bound}`;
  return formatListenAddress(bound.address, bound.port);
}

/** A socket file that nobody answers is left over from a crash and is removed; one that somebody answers is left alone. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!existsSync(path) || !lstatSync(path).isSocket()) return;
  const isAnswered = await new Promise<boolean>((resolve) => {
    const probe = dial(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (isAnswered) throw new Error(`Cannot listen on unix:${path} as a policy server: another program uses this socket already.`);
  unlinkSync(path);
}
