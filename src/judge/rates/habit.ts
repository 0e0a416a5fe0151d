/**
 * Habit: an account whose password was stolen suddenly sends to far more recipients than it ever did. Its mail is held then, before the
 * world hears of it. What is sent is counted in the memory of the rates, so all threads see it at once; the habit itself is a row that is
 * written every few minutes.
 */
import { BoundedMap } from '../../directory/bounded.ts';
import type { AccountId, Log, Metrics, StoreReader, StoreWriter } from '../../ports.ts';
import { DAY, HOUR, MINUTE } from '../../system/declare.ts';
import { limitOf } from './habit-figures.ts';
import { RateMemory } from './memory.ts';
import { HABIT_COLUMNS, type HabitNotesInput, type HabitRow, habitRow } from './operations.ts';
import type { RatesSettings } from './settings.ts';

/** Why mail is held in the queue then; released mail is known by it. */
export const HABIT_REASON = 'this account suddenly sends far more than it used to';

export interface HabitContext {
  /** That of the rates. */
  readonly memory: SharedArrayBuffer;
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  settings(): RatesSettings;
  readonly log: Log;
  readonly metrics: Metrics;
}

export type HabitAnswer =
  | { readonly kind: 'usual' }
  /** An incident is open: hold this message too. */
  | { readonly kind: 'held' }
  /** Hold this message, then `beginIncident`; when that answers true, tell the owner and the administrator. */
  | UnusualSending;

export interface UnusualSending {
  readonly kind: 'unusual';
  readonly window: 'hour' | 'day';
  /** Recipients within the hour or day, this message's among them; how many would not be unusual; the average of such times. */
  readonly recipients: number;
  readonly limit: number;
  readonly average: number;
}

export interface Habit {
  /**
   * Whether mail of this account to `recipients` more is to be held. What is usual is counted; a dry question counts nothing. Never throws:
   * when the store cannot be read, mail goes out.
   */
  isUnusual(accountId: AccountId, recipients: number, now: number, isDry?: boolean): HabitAnswer;
  /** A message was accepted and not held: it becomes part of the habit. */
  record(accountId: AccountId, recipients: number, now: number): void;
  /** True for the first who says so: once for each incident. Rejects with Failure when the store cannot write. */
  beginIncident(accountId: AccountId, now: number): Promise<boolean>;
  /** Ends an incident (`recipients`: of the mail that was held and is released now). For a day the account is not judged. */
  release(accountId: AccountId, recipients: number, now: number): Promise<{ wasHeld: boolean }>;
  /** Writes what is waiting to be written. */
  flush(): Promise<void>;
}

const USUAL: HabitAnswer = { kind: 'usual' };
const HELD: HabitAnswer = { kind: 'held' };
const WRITE_AFTER_MS = 3 * MINUTE;
/** How old a row in memory may be. Until other threads have read that an incident is open, the shared memory tells them. */
const READ_AGAIN_MS = MINUTE;
const ROWS_MAX = 10_000;
const NOTES_MAX = 10_000;
/** A day has its own count, with so many times the least of an hour. */
const DAY_LEAST = 4;
const ALLOWED_AFTER_RELEASE_MS = DAY;

interface Known {
  readonly row: HabitRow | null;
  readonly createdAt: number;
  readonly readAt: number;
}

/** One for each thread that takes mail of accounts. */
export function createHabit(context: HabitContext): Habit {
  return new AccountHabit(context);
}

class AccountHabit implements Habit {
  readonly #context: HabitContext;
  readonly #memory: RateMemory;
  readonly #known = new BoundedMap<AccountId, Known>();
  #notes = new Map<AccountId, number>();
  #notedAt = 0;
  #timer: NodeJS.Timeout | null = null;
  /** When the first account was seen to send: a new installation knows nobody's habit. */
  #watchedSince: { value: number; readAt: number } | null = null;

  constructor(context: HabitContext) {
    this.#context = context;
    this.#memory = new RateMemory(context.memory);
  }

  isUnusual(accountId: AccountId, recipients: number, now: number, isDry = false): HabitAnswer {
    const settings = this.#context.settings();
    if (!settings['rates.habit']) return USUAL;
    let known: Known | null;
    let watchedSince: number;
    try {
      known = this.#read(accountId, now);
      // Somebody may have let the mail go since: while it is held, the store is asked each time.
      if (known !== null && (isHeld(known.row, now) || this.#isMarked(accountId, now))) known = this.#read(accountId, now, 0);
      watchedSince = this.#readWatchedSince(now);
    } catch (cause) {
      this.#context.log.warn('habit.unavailable', { account: accountId, cause });
      return USUAL;
    }
    if (known === null) return USUAL; // no such account any more
    const { row } = known;
    if (row !== null && row.allowedUntil > now) return USUAL;
    if (isHeld(row, now) || this.#isMarked(accountId, now)) return HELD;
    const isLearning = now - Math.max(known.createdAt, watchedSince) < settings['rates.habitLearn'];
    const factor = settings['rates.habitFactor'];
    const least = settings['rates.habitLeast'];
    const hour = limitOf(row?.hour ?? null, now, HOUR, factor, least);
    const day = limitOf(row?.day ?? null, now, DAY, factor, least * DAY_LEAST);
    if (!isLearning) {
      const unusual =
        this.#exceeds(accountId, 'hour', HOUR, hour, recipients, now, row?.hour.mean) ??
        this.#exceeds(accountId, 'day', DAY, day, recipients, now, row?.day.mean);
      if (unusual !== null) {
        if (!isDry) this.#mark(accountId, now);
        return unusual;
      }
    }
    if (!isDry) {
      this.#take(accountId, 'hour', HOUR, hour, recipients, now);
      this.#take(accountId, 'day', DAY, day, recipients, now);
    }
    return USUAL;
  }

  record(accountId: AccountId, recipients: number, now: number): void {
    if (!this.#context.settings()['rates.habit']) return;
    const waiting = this.#notes.get(accountId);
    if (waiting === undefined && this.#notes.size >= NOTES_MAX) return;
    this.#notes.set(accountId, (waiting ?? 0) + recipients);
    this.#notedAt = now;
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.flush(), WRITE_AFTER_MS);
    this.#timer.unref();
  }

  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#notes.size === 0) return;
    const input: HabitNotesInput = { at: this.#notedAt, notes: [...this.#notes] };
    this.#notes = new Map();
    try {
      await this.#context.writer.run('habit.note', input);
    } catch (cause) {
      // The habit knows a little less; what is limited now is counted in memory.
      this.#context.log.warn('habit.unsaved', { accounts: input.notes.length, cause });
    }
  }

  async beginIncident(accountId: AccountId, now: number): Promise<boolean> {
    const until = now + this.#context.settings()['rates.habitHold'];
    const { isNew } = await this.#context.writer.run<{ isNew: boolean }>('habit.incident', { accountId, at: now, until });
    this.#known.delete(accountId);
    if (isNew) {
      this.#context.metrics.count('habit.incidents');
      this.#context.log.warn('habit.incident', { account: accountId, until: new Date(until).toISOString() });
    }
    return isNew;
  }

  async release(accountId: AccountId, recipients: number, now: number): Promise<{ wasHeld: boolean }> {
    const input = { accountId, at: now, allowedUntil: now + ALLOWED_AFTER_RELEASE_MS, recipients };
    const output = await this.#context.writer.run<{ wasHeld: boolean }>('habit.release', input);
    this.#known.delete(accountId);
    return output;
  }

  #read(accountId: AccountId, now: number, ageMsMax = READ_AGAIN_MS): Known | null {
    const old = this.#known.get(accountId);
    if (old !== undefined && Math.abs(now - old.readAt) < ageMsMax) return old;
    const [found] = this.#context.reader.rows(
      `SELECT account.created_at, ${HABIT_COLUMNS} FROM account LEFT JOIN sender_habit ON account_id=id WHERE id=?`,
      accountId,
    ) as unknown[][];
    if (found === undefined) return null;
    const row = found[1] === null ? null : habitRow(found.slice(1));
    return this.#known.set(accountId, { row, createdAt: Number(found[0]), readAt: now }, ROWS_MAX);
  }

  #readWatchedSince(now: number): number {
    const old = this.#watchedSince;
    // Once it is long ago it stays so.
    if (old !== null && (old.value < now || Math.abs(now - old.readAt) < READ_AGAIN_MS)) return old.value;
    const [[since]] = this.#context.reader.rows('SELECT min(since) FROM sender_habit') as [[number | null]];
    this.#watchedSince = { value: since ?? now, readAt: now };
    return this.#watchedSince.value;
  }

  #exceeds(
    accountId: AccountId,
    window: 'hour' | 'day',
    windowMs: number,
    limit: number,
    recipients: number,
    now: number,
    average: number | undefined,
  ): UnusualSending | null {
    const { hash } = this.#memory;
    hash.of(String(accountId), SALT[window], SALT[window]);
    const owed = Math.max(0, this.#memory.fullAt(hash.lo, hash.hi) - now);
    const sent = Math.round((owed * limit) / windowMs);
    return sent + recipients <= limit ? null : { kind: 'unusual', window, recipients: sent + recipients, limit, average: Math.round(average ?? 0) };
  }

  #take(accountId: AccountId, window: 'hour' | 'day', windowMs: number, limit: number, recipients: number, now: number): void {
    const { hash } = this.#memory;
    hash.of(String(accountId), SALT[window], SALT[window]);
    this.#memory.take(hash.lo, hash.hi, now, (recipients * windowMs) / limit, windowMs);
  }

  #mark(accountId: AccountId, now: number): void {
    const { hash } = this.#memory;
    hash.of(String(accountId), SALT.mark, SALT.mark);
    this.#memory.set(hash.lo, hash.hi, now + READ_AGAIN_MS);
  }

  #isMarked(accountId: AccountId, now: number): boolean {
    const { hash } = this.#memory;
    hash.of(String(accountId), SALT.mark, SALT.mark);
    const until = this.#memory.fullAt(hash.lo, hash.hi);
    return until > now && until <= now + READ_AGAIN_MS;
  }
}

const isHeld = (row: HabitRow | null, now: number): boolean => row !== null && row.heldUntil > now;

/** Any three numbers: they keep these counts apart from each other. */
const SALT = { hour: 0x11, day: 0x22, mark: 0x33 } as const;
