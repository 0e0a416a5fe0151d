/**
 * Does mail to an address arrive: asks the server responsible, remembers the answer, and asks again in the background before it is too
 * old to be used (Postfix ADDRESS_VERIFICATION_README). A session waits a short while for a first answer and then goes on without.
 */
import { addressKey } from '../../mail/address.ts';
import type { Address, Log, StoreReader, StoreWriter } from '../../ports.ts';
import { BoundedMap } from '../../directory/bounded.ts';
import type { ProbeRecord, ProbeSweep } from './operations.ts';
import type { AddressProber, ProbeAnswer, RecipientClasses } from './ports.ts';
import { after, type Soon } from './status.ts';

export interface CalloutAnswer {
  /** 2xx: the server would take it. 5xx: it never will. 4xx and 0 (no server was reached): not known. */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}
/** Goes to the server responsible and asks, without sending anything. */
export type Callout = (address: Address, signal: AbortSignal) => Promise<CalloutAnswer>;

export interface ProbeSettings {
  readonly positiveExpireMs: number;
  readonly positiveRefreshMs: number;
  readonly negativeExpireMs: number;
  readonly negativeRefreshMs: number;
  /** Longest that a session waits for a first answer. */
  readonly waitMs: number;
  /** Longest that a callout may take. */
  readonly calloutMs: number;
  /** Callouts at the same time; beyond it the answer is "not known". */
  readonly pendingMax: number;
  readonly rowsMax: number;
}

export interface ProberOptions {
  readonly callout: Callout;
  /** Addresses of our own need no callout. */
  readonly recipients: RecipientClasses;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly log: Log;
  settings(): ProbeSettings;
  now(): number;
}

const REMEMBERED_MAX = 10_000;
const TEXT_CHARACTERS_MAX = 400;
/** "Not known" is asked again after this: a server that was down for a minute must not cost its users hours of mail. */
const UNKNOWN_COUNTS_MS = 10_000;
const IN_PROGRESS: ProbeAnswer = { status: 'unknown', text: 'Address verification in progress' };
const DELIVERABLE: ProbeAnswer = { status: 'deliverable', text: '' };
const STATUS: Readonly<Record<number, ProbeAnswer['status']>> = { 1: 'deliverable', 2: 'undeliverable', 3: 'unknown' };

export function createProber(options: ProberOptions): AddressProber {
  return new Prober(options);
}

/** What `probe.sweep` is to be given now. */
export function probeSweepInput(settings: ProbeSettings, now: number): ProbeSweep {
  return { positiveBefore: now - settings.positiveExpireMs, negativeBefore: now - settings.negativeExpireMs, rowsMax: settings.rowsMax };
}

type Remembered = Pick<ProbeRecord, 'status' | 'checkedAt' | 'text'>;

class Prober implements AddressProber {
  readonly #options: ProberOptions;
  readonly #known = new BoundedMap<string, Remembered>();
  readonly #pending = new Map<string, Promise<ProbeAnswer>>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  probe(address: Address, signal?: AbortSignal): Soon<ProbeAnswer> {
    return after(this.#options.recipients.classify(address), (kind): Soon<ProbeAnswer> => {
      if (kind === 'foreign' || kind === 'relay') return this.#remote(address, signal);
      return after(this.#options.recipients.isListed(address), (listed) => (listed ? DELIVERABLE : { status: 'undeliverable', text: 'User unknown' }));
    });
  }

  #remote(address: Address, signal?: AbortSignal): Soon<ProbeAnswer> {
    const key = addressKey(address);
    const settings = this.#options.settings();
    const record = this.#recall(key);
    const now = this.#options.now();
    if (record !== null) {
      const age = now - record.checkedAt;
      const isGood = record.status === 1;
      const isAnswer = record.status !== 3 || age < UNKNOWN_COUNTS_MS;
      if (isAnswer && age < (isGood ? settings.positiveExpireMs : settings.negativeExpireMs)) {
        if (age >= (isGood ? settings.positiveRefreshMs : settings.negativeRefreshMs)) this.#ask(key, address, settings);
        return { status: STATUS[record.status]!, text: record.text };
      }
    }
    const asked = this.#ask(key, address, settings);
    return asked === null ? { status: 'unknown', text: 'Too many address verifications at a time' } : within(asked, settings.waitMs, signal);
  }

  #recall(key: string): Remembered | null {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const [row] = this.#options.reader.rows('SELECT status, checked_at, text FROM address_probe WHERE address=?', key);
    if (row === undefined) return null;
    const [status, checkedAt, text] = row as [1 | 2 | 3, number, string];
    return this.#known.set(key, { status, checkedAt, text }, REMEMBERED_MAX);
  }

  /** The answer of a callout, a new one or the one under way; null when there are too many. */
  #ask(key: string, address: Address, settings: ProbeSettings): Promise<ProbeAnswer> | null {
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= settings.pendingMax) return null;
    const answer = this.#callOut(key, address, settings).finally(() => this.#pending.delete(key));
    this.#pending.set(key, answer);
    return answer;
  }

  async #callOut(key: string, address: Address, settings: ProbeSettings): Promise<ProbeAnswer> {
    const { callout, log, now, writer } = this.#options;
    let heard: CalloutAnswer;
    try {
      heard = await callout(address, AbortSignal.timeout(settings.calloutMs));
    } catch (cause) {
      heard = { code: 0, enhanced: '', text: cause instanceof Error ? cause.message : String(cause) };
    }
    const status = heard.code >= 200 && heard.code < 300 ? 1 : heard.code >= 500 ? 2 : 3;
    const text = [heard.code === 0 ? '' : String(heard.code), heard.enhanced, heard.text]
      .filter((part) => part !== '')
      .join(' ')
      .slice(0, TEXT_CHARACTERS_MAX);
    const record: ProbeRecord = { address: key, status, checkedAt: now(), text, replacesGoodBefore: now() - settings.positiveExpireMs };
    const before = this.#known.get(key);
    // As in the table: one failure does not make a known good address bad.
    const isKept = before !== undefined && before.status === 1 && status !== 1 && before.checkedAt >= record.replacesGoodBefore;
    if (!isKept) this.#known.set(key, record, REMEMBERED_MAX);
    log.debug('policy.probe', { address: key, status: STATUS[status], text });
    try {
      await writer.run('probe.record', record);
    } catch (cause) {
      log.warn('policy.probe.unsaved', { address: key, cause: cause instanceof Error ? cause.message : String(cause) });
    }
    return { status: STATUS[status]!, text };
  }
}

/** The answer, or "in progress" once the time is over or the session gone; the callout goes on for those who ask later. */
function within(answer: Promise<ProbeAnswer>, waitMs: number, signal?: AbortSignal): Promise<ProbeAnswer> {
  return new Promise((resolve) => {
    const done = (value: ProbeAnswer): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      resolve(value);
    };
    const giveUp = (): void => done(IN_PROGRESS);
    const timer = setTimeout(giveUp, waitMs);
    signal?.addEventListener('abort', giveUp, { once: true });
    answer.then(done, giveUp);
  });
}
