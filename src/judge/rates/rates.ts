/**
 * Rates: how much a client, network, sender, recipient, account or domain may do in a time, counted over all threads. Each rule gives each
 * of its subjects a token bucket (kept as the time at which it is full again: the generic cell rate algorithm). A question looks at all
 * buckets first and takes from them only when none is empty.
 */
import { BoundedMap } from '../../directory/bounded.ts';
import { clientKey, type Networks, networksOf, wrongNetwork } from '../../net/networks.ts';
import type { Address, Log, Metrics, Reply } from '../../ports.ts';
import { HOUR, MINUTE } from '../../system/declare.ts';
import { networkOf } from '../greylist/triplet.ts';
import { RateMemory } from './memory.ts';
import { parseRule, type RateDirection, type RateEvent, type RateRule, type RateSubject } from './rule.ts';
import type { RatesSettings } from './settings.ts';

export { createRateMemory } from './memory.ts';
export type { RateDirection, RateEvent } from './rule.ts';

/** Whom something is counted for; what is left out or null is not counted. */
export interface RateSubjects {
  readonly clientIp?: string | null;
  /** Null for the null reverse-path, which has no bucket: reports come from everywhere. */
  readonly sender?: Address | null;
  /** At RCPT the one; after the last byte all. */
  readonly recipients?: readonly Address[];
  /** The login name of the signed-in account. */
  readonly account?: string | null;
}

export type RateAnswer =
  | { readonly kind: 'ok' }
  | {
      readonly kind: 'exceeded';
      /** 450 4.7.1, or 421 4.7.0 for connections. */
      readonly reply: Reply;
      readonly retryAfterSeconds: number;
      /** The rule as written, and whom it met: "192.0.2.1", "rita@remote.test". */
      readonly rule: string;
      readonly subject: string;
    };

export interface Rates {
  /** Looks at every bucket, and takes `amount` from all when all have it. */
  check(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount?: number): RateAnswer;
  /** Only looks: would `check` pass? For what is charged when it has been done, and for explain. Tells the log nothing. */
  look(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount?: number): RateAnswer;
  /** Takes without looking: a message was accepted. */
  charge(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount?: number): void;
}

/** Two older options are rules too: so many messages and recipients of an account in an hour. 0 is no limit. */
export interface SubmissionLimits {
  readonly 'submission.messagesPerHourMax'?: number;
  readonly 'submission.recipientsPerHourMax'?: number;
}

export interface RatesContext {
  settings(): RatesSettings & SubmissionLimits;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Unix time in milliseconds; the threads' clocks must agree. */
  now(): number;
}

const OK: RateAnswer = { kind: 'ok' };
/** A subject is named in the log at most this often. */
const TELL_AGAIN_MS = MINUTE;
const TOLD_MAX = 2000;

/** One for each thread, all over the same memory (`createRateMemory`). */
export function openRates(memory: SharedArrayBuffer, context: RatesContext): Rates {
  return new SharedRates(new RateMemory(memory), context);
}

/** A rule made ready: the salt names its buckets, `perUnitMs` is the time one unit takes to refill. */
interface Limit {
  readonly rule: RateRule;
  readonly salt0: number;
  readonly salt1: number;
  readonly perUnitMs: number;
  readonly burst: number;
}
interface Compiled {
  /** What it was made from; settings are replaced as a whole. */
  readonly lines: readonly string[];
  readonly messages: number;
  readonly recipients: number;
  readonly exempt: readonly string[];
  readonly limits: Readonly<Record<RateDirection, Readonly<Record<RateEvent, readonly Limit[]>>>>;
  readonly networks: Networks;
  /** Accounts (with '@') and domains. */
  readonly names: ReadonlySet<string>;
}

/** One bucket of a question. */
interface Draw {
  limit: Limit;
  subject: string;
  lo: number;
  hi: number;
}

class SharedRates implements Rates {
  readonly #memory: RateMemory;
  readonly #context: RatesContext;
  readonly #told = new BoundedMap<string, number>();
  #compiled: Compiled | null = null;
  /** Those of the question under way; the objects are used again. */
  readonly #draws: Draw[] = [];
  #drawn = 0;

  constructor(memory: RateMemory, context: RatesContext) {
    this.#memory = memory;
    this.#context = context;
  }

  check(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount = 1): RateAnswer {
    if (!this.#collect(direction, event, subjects)) return OK;
    const now = this.#context.now();
    const answer = this.#fits(now, amount);
    if (answer.kind === 'ok') this.#take(now, amount);
    else this.#tell(answer, direction, event, now);
    return answer;
  }

  look(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount = 1): RateAnswer {
    return this.#collect(direction, event, subjects) ? this.#fits(this.#context.now(), amount) : OK;
  }

  charge(direction: RateDirection, event: RateEvent, subjects: RateSubjects, amount = 1): void {
    if (this.#collect(direction, event, subjects)) this.#take(this.#context.now(), amount);
  }

  /** Finds the buckets of a question; false when there are none. */
  #collect(direction: RateDirection, event: RateEvent, subjects: RateSubjects): boolean {
    this.#drawn = 0;
    const settings = this.#context.settings();
    const compiled = this.#compile(settings);
    const limits = compiled.limits[direction][event];
    if (limits.length === 0) return false;
    const { clientIp = null, account = null } = subjects;
    if (clientIp !== null && !compiled.networks.isEmpty && compiled.networks.has(clientIp)) return false;
    if (account !== null && compiled.names.has(account.toLowerCase())) return false;
    for (const limit of limits) this.#collectFor(limit, subjects, settings, compiled.names);
    return this.#drawn > 0;
  }

  #collectFor(limit: Limit, subjects: RateSubjects, settings: RatesSettings, exempt: ReadonlySet<string>): void {
    const { clientIp = null, sender = null, recipients = [], account = null } = subjects;
    switch (limit.rule.subject) {
      case 'client':
        if (clientIp !== null) this.#draw(limit, clientKey(clientIp));
        break;
      case 'network': {
        const network = clientIp === null ? null : networkOf(clientIp, settings['rates.network4'], settings['rates.network6']);
        if (network !== null) this.#draw(limit, network);
        break;
      }
      case 'account':
        if (account !== null) this.#draw(limit, account.toLowerCase());
        break;
      case 'sender':
      case 'senderDomain':
        if (sender !== null) this.#drawAddress(limit, sender, limit.rule.subject === 'senderDomain', exempt);
        break;
      default:
        for (const recipient of recipients) this.#drawAddress(limit, recipient, limit.rule.subject === 'recipientDomain', exempt);
    }
  }

  #drawAddress(limit: Limit, address: Address, isDomain: boolean, exempt: ReadonlySet<string>): void {
    if (exempt.size > 0 && exempt.has(address.domain)) return;
    const mailbox = isDomain ? address.domain : `${address.local.toLowerCase()}@${address.domain}`;
    if (exempt.size > 0 && exempt.has(mailbox)) return;
    this.#draw(limit, mailbox);
  }

  #draw(limit: Limit, subject: string): void {
    const { hash } = this.#memory;
    hash.of(subject, limit.salt0, limit.salt1);
    const draw = this.#draws[this.#drawn];
    if (draw === undefined) this.#draws.push({ limit, subject, lo: hash.lo, hi: hash.hi });
    else {
      draw.limit = limit;
      draw.subject = subject;
      draw.lo = hash.lo;
      draw.hi = hash.hi;
    }
    this.#drawn += 1;
  }

  #fits(now: number, amount: number): RateAnswer {
    for (let i = 0; i < this.#drawn; i += 1) {
      const { limit, subject, lo, hi } = this.#draws[i]!;
      const { perUnitMs, burst } = limit;
      const mostMs = burst * perUnitMs;
      // What is larger than the whole bucket passes when the bucket is full: it could never pass otherwise.
      const cost = Math.min(amount, burst) * perUnitMs;
      // A clock that was set back must not lock anybody out for longer than the bucket takes to refill.
      const owed = Math.min(Math.max(0, this.#memory.fullAt(lo, hi) - now), mostMs);
      if (owed + cost > mostMs + TOLERANCE_MS) return exceeded(limit.rule, subject, owed + cost - mostMs);
    }
    return OK;
  }

  #take(now: number, amount: number): void {
    for (let i = 0; i < this.#drawn; i += 1) {
      const { limit, lo, hi } = this.#draws[i]!;
      this.#memory.take(lo, hi, now, amount * limit.perUnitMs, limit.burst * limit.perUnitMs);
    }
  }

  #tell(answer: RateAnswer & { kind: 'exceeded' }, direction: RateDirection, event: RateEvent, now: number): void {
    this.#context.metrics.count('rates.exceeded', 1, event);
    const key = `${answer.rule}\n${answer.subject}`;
    const told = this.#told.get(key);
    if (told !== undefined && Math.abs(now - told) < TELL_AGAIN_MS) return;
    this.#told.set(key, now, TOLD_MAX);
    this.#context.log.warn('rates.exceeded', { direction, rule: answer.rule, subject: answer.subject, retryAfterSeconds: answer.retryAfterSeconds });
  }

  #compile(settings: RatesSettings & SubmissionLimits): Compiled {
    const old = this.#compiled;
    const messages = settings['submission.messagesPerHourMax'] ?? 0;
    const recipients = settings['submission.recipientsPerHourMax'] ?? 0;
    const lines = settings['rates.limits'];
    const exempt = settings['rates.exempt'];
    if (old !== null && old.lines === lines && old.messages === messages && old.recipients === recipients && old.exempt === exempt) return old;
    const empty = (): Record<RateEvent, Limit[]> => ({ connections: [], messages: [], recipients: [], bytes: [] });
    const limits: Record<RateDirection, Record<RateEvent, Limit[]>> = { inbound: empty(), outbound: empty() };
    for (const rule of [...lines.map(parseRule), ...submissionRules(messages, recipients)]) {
      if (typeof rule === 'string') continue; // the settings' check has refused it
      const limit = this.#limitOf(rule);
      for (const direction of ['inbound', 'outbound'] as const)
        if (rule.direction === null || rule.direction === direction) limits[direction][eventOf(rule)].push(limit);
    }
    this.#compiled = {
      lines,
      messages,
      recipients,
      exempt,
      limits,
      networks: networksOf(exempt.filter((entry) => wrongNetwork(entry) === undefined)),
      names: new Set(exempt.filter((entry) => wrongNetwork(entry) !== undefined).map((entry) => entry.toLowerCase())),
    };
    return this.#compiled;
  }

  #limitOf(rule: RateRule): Limit {
    // Buckets belong to the rule as written: a changed rule begins with full ones, an unchanged one keeps its own over a reload.
    const { hash } = this.#memory;
    hash.of(rule.text, 0, 0);
    return { rule, salt0: hash.lo, salt1: hash.hi, perUnitMs: rule.windowMs / rule.amount, burst: rule.burst };
  }
}

/** Sums of fractions of milliseconds: the last unit of a bucket must not be refused for a rounding. */
const TOLERANCE_MS = 0.01;

/** Messages to a recipient are its RCPT commands: at MAIL nobody knows it yet. */
function eventOf(rule: RateRule): RateEvent {
  return rule.event === 'messages' && (rule.subject === 'recipient' || rule.subject === 'recipientDomain') ? 'recipients' : rule.event;
}

function submissionRules(messages: number, recipients: number): RateRule[] {
  const rule = (event: RateEvent, amount: number, text: string): RateRule[] =>
    amount === 0 ? [] : [{ direction: 'outbound', subject: 'account', event, amount, windowMs: HOUR, burst: amount, text: `${text} = ${amount}` }];
  return [...rule('messages', messages, 'submission.messagesPerHourMax'), ...rule('recipients', recipients, 'submission.recipientsPerHourMax')];
}

const WHOSE: Readonly<Record<RateSubject, string>> = {
  client: 'your address',
  network: 'your network',
  sender: 'this sender',
  senderDomain: 'the domain of this sender',
  recipient: 'this recipient',
  recipientDomain: 'the domain of this recipient',
  account: 'this account',
};

function exceeded(rule: RateRule, subject: string, missingMs: number): RateAnswer {
  const retryAfterSeconds = Math.max(1, Math.ceil(missingMs / 1000));
  const [code, enhanced] = rule.event === 'connections' ? ([421, '4.7.0'] as const) : ([450, '4.7.1'] as const);
  const what = rule.event === 'bytes' ? 'Too much mail' : `Too many ${rule.event}`;
  const side = rule.subject === 'recipient' || rule.subject === 'recipientDomain' ? 'for' : 'from';
  const text = `${what} ${side} ${WHOSE[rule.subject]}, please try again in ${retryAfterSeconds} seconds`;
  return { kind: 'exceeded', reply: { code, enhanced, text }, retryAfterSeconds, rule: rule.text, subject };
}
