/**
 * The client for `check_policy_service`: asks other programs by Postfix's policy delegation protocol. Connections are kept and used
 * again, one question at a time on each. A server that is gone, slow or talks nonsense never holds a session longer than asked
 * for: the default action is the answer then, and the log says why.
 */
import { connect, type Socket } from 'node:net';
import { type IdleSweeper, type IdleWatched, idle } from '../net/idle.ts';
import type { Log, Metrics } from '../ports.ts';
import { SECOND } from '../system/declare.ts';
import { PolicyReader, writePolicyRequest } from '../wire/policy/record.ts';

export interface PolicyAskOptions {
  /** For connecting and answering together, in one try; seen by a clock that ticks once a second. Default 100 s (smtpd_policy_service_timeout). */
  readonly timeoutMs?: number;
  /** Default "451 4.3.5 Server configuration problem" (smtpd_policy_service_default_action). */
  readonly defaultAction?: string;
  /** Pause before a try that follows a failed one. Default 1 s (smtpd_policy_service_retry_delay). */
  readonly retryMs?: number;
  /** Tries in all; default 2 (smtpd_policy_service_try_limit). */
  readonly tryLimit?: number;
  /** Gives up with the default action, for a session that has ended. */
  readonly signal?: AbortSignal;
}

export interface PolicyService {
  /** The action of the server at `endpoint` ("inet:host:port", "host:port", "unix:/path"); the default action when there is none. Never rejects. */
  ask(endpoint: string, attributes: Readonly<Record<string, string>>, options?: PolicyAskOptions): Promise<string>;
  /** Closes every connection; questions under way get their default action. */
  close(): void;
}

export interface PolicyClientOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  /** An unused connection is closed after this. Default 300 s (smtpd_policy_service_max_idle). */
  readonly maxIdleMs?: number;
  /** A connection is not used again at this age. Default 1000 s (smtpd_policy_service_max_ttl). */
  readonly maxTtlMs?: number;
  /** A connection is not used again after this many questions; 0 = no limit (smtpd_policy_service_request_limit). */
  readonly requestLimit?: number;
  /** Open connections to one server; further questions wait for a free one, within their timeout. Default 50. */
  readonly connectionsMax?: number;
  /** Tests give their own. */
  readonly sweeper?: IdleSweeper;
}

export const DEFAULT_POLICY_ACTION = '451 4.3.5 Server configuration problem';
/** Questions that wait for a connection to one server; the next is answered with the default action at once. */
const WAITING_MAX = 1000;
/** Servers remembered. They come from the configuration, so there are few; a bound all the same. */
const ENDPOINTS_MAX = 200;

export type PolicyEndpoint = { readonly host: string; readonly port: number } | { readonly path: string };

/** Null when `text` is no place of a policy server. Without a host it is this machine. */
export function parsePolicyEndpoint(text: string): PolicyEndpoint | null {
  const local = /^(?:unix|local):(.+)$/.exec(text);
  if (local !== null) return { path: local[1]! };
  const address = /^(?:inet:)?(?:\[([0-9A-Fa-f:.]+)\]:|([^\s:[\]]+):|)([0-9]{1,5})$/.exec(text);
  if (address === null) return null;
  const port = Number(address[3]);
  return port < 1 || port > 65_535 ? null : { host: address[1] ?? address[2] ?? '127.0.0.1', port };
}

/** One question on its way; settles with the action or with why there is none. */
interface Question {
  readonly bytes: string;
  readonly deadline: number;
  settle(result: PolicyResult): void;
}
type PolicyResult =
  | { readonly kind: 'action'; readonly action: string }
  /** `isStale`: the connection had been used before and may have been closed by the server meanwhile. */
  | { readonly kind: 'failed'; readonly cause: string; readonly isStale: boolean };

export function createPolicyClient(options: PolicyClientOptions): PolicyService {
  const pools = new Map<string, Pool>();
  return {
    ask: (endpoint, attributes, ask = {}) => askService(pools, options, endpoint, writePolicyRequest(attributes), ask),
    close() {
      for (const pool of pools.values()) pool.close();
      pools.clear();
    },
  };
}

async function askService(pools: Map<string, Pool>, options: PolicyClientOptions, endpoint: string, bytes: string, ask: PolicyAskOptions): Promise<string> {
  const { log, metrics } = options;
  const fallback = ask.defaultAction ?? DEFAULT_POLICY_ACTION;
  const pool = poolOf(pools, options, endpoint);
  if (pool === null) {
    log.warn('policy.service.failed', { service: endpoint, cause: 'this is no place of a policy server, such as inet:127.0.0.1:10023 or unix:/path' });
    return fallback;
  }
  let tries = ask.tryLimit ?? 2;
  // A kept connection that turns out to be dead is no failure of the server: once, a fresh one is tried without counting or pausing.
  let mayReuse = true;
  for (;;) {
    const result = await pool.ask(bytes, ask.timeoutMs ?? 100 * SECOND, mayReuse, ask.signal);
    if (result.kind === 'action') return result.action;
    if (ask.signal?.aborted === true) return fallback;
    if (result.isStale && mayReuse) {
      mayReuse = false;
      continue;
    }
    mayReuse = false;
    tries -= 1;
    log.warn('policy.service.failed', { service: endpoint, cause: result.cause, triesLeft: Math.max(0, tries) });
    metrics.count('policy.service.failed', 1, endpoint);
    if (tries <= 0 || pool.isClosed || !(await pause(ask.retryMs ?? SECOND, ask.signal))) return fallback;
  }
}

function poolOf(pools: Map<string, Pool>, options: PolicyClientOptions, endpoint: string): Pool | null {
  const known = pools.get(endpoint);
  if (known !== undefined) return known;
  const place = parsePolicyEndpoint(endpoint);
  if (place === null || pools.size >= ENDPOINTS_MAX) return null;
  const pool = new Pool(place, options);
  pools.set(endpoint, pool);
  return pool;
}

/** False when the signal came first. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  if (signal?.aborted === true) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (isOver: boolean): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      resolve(isOver);
    };
    const onAbort = (): void => end(false);
    const timer = setTimeout(end, ms, true);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The connections to one server, and the questions that wait for one. */
class Pool implements IdleWatched {
  deadline = Number.POSITIVE_INFINITY;
  isClosed = false;
  readonly place: PolicyEndpoint;
  readonly sweeper: IdleSweeper;
  readonly maxIdleMs: number;
  readonly maxTtlMs: number;
  readonly requestLimit: number;
  readonly #connectionsMax: number;
  readonly #free: Connection[] = [];
  readonly #open = new Set<Connection>();
  readonly #waiting = new Set<Question>();

  constructor(place: PolicyEndpoint, options: PolicyClientOptions) {
    this.place = place;
    this.sweeper = options.sweeper ?? idle;
    this.maxIdleMs = options.maxIdleMs ?? 300 * SECOND;
    this.maxTtlMs = options.maxTtlMs ?? 1000 * SECOND;
    this.requestLimit = options.requestLimit ?? 0;
    this.#connectionsMax = options.connectionsMax ?? 50;
  }

  ask(bytes: string, timeoutMs: number, mayReuse: boolean, signal: AbortSignal | undefined): Promise<PolicyResult> {
    if (this.isClosed || signal?.aborted === true) return Promise.resolve({ kind: 'failed', cause: 'given up', isStale: false });
    return new Promise((resolve) => {
      // Started here, so that a question asked after a quiet hour does not count from the last tick of the clock.
      this.#watch();
      const onAbort = (): void => {
        this.#waiting.delete(question);
        for (const connection of this.#open) if (connection.question === question) connection.end('given up');
        question.settle({ kind: 'failed', cause: 'given up', isStale: false });
      };
      const question: Question = {
        bytes,
        deadline: this.sweeper.now + timeoutMs,
        settle(result) {
          signal?.removeEventListener('abort', onAbort);
          resolve(result);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const free = mayReuse ? this.#takeFree() : undefined;
      if (free !== undefined) free.ask(question);
      else this.#openFor(question);
    });
  }

  #takeFree(): Connection | undefined {
    for (let connection = this.#free.pop(); connection !== undefined; connection = this.#free.pop()) {
      if (connection.isUsable()) return connection;
      connection.end('too old');
    }
    return undefined;
  }

  #openFor(question: Question): void {
    // Room is made by the free connection that was idle longest, for a question that insists on a fresh one.
    if (this.#open.size >= this.#connectionsMax) this.#free.shift()?.end('replaced');
    if (this.#open.size < this.#connectionsMax) {
      const connection = new Connection(this);
      this.#open.add(connection);
      connection.ask(question);
    } else if (this.#waiting.size < WAITING_MAX) this.#waiting.add(question);
    else question.settle({ kind: 'failed', cause: 'too many questions are waiting for this server', isStale: false });
  }

  /** A connection has answered and may take the next question. */
  release(connection: Connection): void {
    if (!connection.isUsable()) {
      connection.end('used up');
      return;
    }
    const next = this.#nextWaiting();
    if (next !== undefined) connection.ask(next);
    else this.#free.push(connection);
  }

  /** A connection is closed. */
  gone(connection: Connection): void {
    this.#open.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    const next = this.isClosed ? undefined : this.#nextWaiting();
    if (next !== undefined) this.#openFor(next);
    if (this.#open.size === 0 && this.#waiting.size === 0) this.#unwatch();
  }

  #nextWaiting(): Question | undefined {
    for (const question of this.#waiting) {
      this.#waiting.delete(question);
      return question;
    }
    return undefined;
  }

  #watch(): void {
    if (this.deadline === 0) return;
    this.deadline = 0; // looked at with every tick, as long as there are connections
    this.sweeper.watch(this);
  }
  #unwatch(): void {
    this.deadline = Number.POSITIVE_INFINITY;
    this.sweeper.unwatch(this);
  }

  onIdle(now: number): void {
    for (const question of this.#waiting) {
      if (question.deadline > now) continue;
      this.#waiting.delete(question);
      question.settle({ kind: 'failed', cause: 'no connection was free in time', isStale: false });
    }
    for (const connection of this.#open) connection.tick(now);
    if (this.#open.size === 0 && this.#waiting.size === 0) this.#unwatch();
  }

  close(): void {
    this.isClosed = true;
    for (const question of this.#waiting) question.settle({ kind: 'failed', cause: 'closed', isStale: false });
    this.#waiting.clear();
    for (const connection of this.#open) connection.end('closed');
    this.#unwatch();
  }
}

class Connection {
  question: Question | null = null;
  readonly #pool: Pool;
  readonly #socket: Socket;
  readonly #reader = new PolicyReader();
  readonly #bornAt: number;
  #asked = 0;
  #usedAt: number;
  #isEnded = false;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#bornAt = this.#usedAt = pool.sweeper.now;
    const socket = connect('path' in pool.place ? { path: pool.place.path } : { ...pool.place, noDelay: true });
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error: Error) => this.end(error.message === '' ? 'cannot be reached' : error.message));
    socket.on('end', () => this.end('closed by the server'));
    socket.on('close', () => this.end('closed by the server'));
    // A kept connection must not keep the program alive.
    socket.unref();
  }

  isUsable(): boolean {
    const { requestLimit, maxTtlMs, sweeper } = this.#pool;
    return !this.#isEnded && (requestLimit === 0 || this.#asked < requestLimit) && sweeper.now - this.#bornAt < maxTtlMs;
  }

  ask(question: Question): void {
    this.question = question;
    this.#asked += 1;
    this.#socket.ref();
    this.#socket.write(question.bytes);
  }

  #read(chunk: Buffer): void {
    if (this.question === null) {
      this.end('an answer without a question');
      return;
    }
    this.#reader.push(chunk);
    const read = this.#reader.next();
    if (read.kind === 'more') return;
    const action = read.kind === 'record' ? read.record.get('action')?.trim() : undefined;
    if (action === undefined || action === '' || this.#reader.isInside) {
      this.end('the answer makes no sense');
      return;
    }
    const { question } = this;
    this.question = null;
    this.#usedAt = this.#pool.sweeper.now;
    this.#socket.unref();
    this.#pool.release(this);
    question.settle({ kind: 'action', action });
  }

  tick(now: number): void {
    if (this.question !== null) {
      if (this.question.deadline <= now) this.end('no answer in time', true);
    } else if (now - this.#usedAt >= this.#pool.maxIdleMs || now - this.#bornAt >= this.#pool.maxTtlMs) this.end('idle');
  }

  /** Idempotent. A question under way fails; after a timeout it is not "stale": the server had its time. */
  end(cause: string, isTimeout = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.destroy();
    const { question } = this;
    this.question = null;
    this.#pool.gone(this);
    question?.settle({ kind: 'failed', cause, isStale: !isTimeout && this.#asked > 1 });
  }
}
