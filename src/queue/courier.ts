/**
 * The courier: one thread that brings queued mail out. It loads recipients, lets the schedule say whose turn it is, runs
 * attempts, and reports what came of them. Crash safety: see README.md.
 */
import { type JobSource, outcome, type Outcome } from '../deliver/agent.ts';

import { to7bit } from '../deliver/convert.ts';
import { Outbound, type OutboundSettings, type WireHop } from '../deliver/outbound.ts';
import type { SmtpConnection } from '../deliver/smtp/connection.ts';
import { createDns, type Dns } from '../net/dns.ts';
import type { DnsSettings } from '../net/dns-settings.ts';
import type {
  Announcement,
  Announcements,
  Directory,
  Intake,
  Journey,
  Log,
  MessageId,
  Metrics,
  Milliseconds,
  Staging,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import type { Mailroom } from '../deliver/mailroom/types.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { Failure } from '../system/failure.ts';
import { type Notice, noticesFor } from './bounce.ts';
import type { QueuedRecipient, QueueEntry } from './entry.ts';
import { byHand, type HandsContext } from './hands.ts';
import { type HopContext, HopFinder } from './hop-finder.ts';
import { type HandHop, type Hop, REENTER_HOP } from './hop.ts';
import { BatchJob } from './job.ts';
import { Loader } from './loader.ts';
import { deliverLocal } from './local.ts';
import { Fifo } from './fifo.ts';
import type { EntryReport, RecipientReport, SettledEffects } from './operations.ts';
import { Reporter } from './reporter.ts';
import { afterFailure, beforeWarning, isDelayWarningDue, wants } from './retry.ts';
import { type Batch, type DeadReason, type Destination, Schedule } from './schedule.ts';
import type { QueueSettings } from './settings.ts';
import { storeSource } from './source.ts';

export type CourierSettings = QueueSettings & OutboundSettings & DnsSettings & { readonly domain: string; readonly 'route.destinationRateDelay'?: number };

export interface CourierContext extends HopContext {
  settings(): CourierSettings;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly journey: Journey;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly announcements: Announcements;
  readonly staging: Staging;
  readonly intake: Intake;
  readonly directory: Directory;
  newId(): MessageId;
  now(): Milliseconds;
  readonly mailroom?: Mailroom;
  /** What is delivered on this machine. Left out: nothing can be. */
  readonly hands?: HandsContext;
  /** For tests. */
  readonly dns?: Dns;
  readonly random?: () => number;
}

export interface Courier {
  /** Ends idle connections, lets attempts under way finish for up to `deadlineMs`, reports, and stops. */
  stop(deadlineMs: number): Promise<void>;
}

const LOSSES_MAX = 3; // connections lost under one recipient before that counts as an attempt
const DEAD_MAX_MS = 30 * 60_000;
const GAUGES_MS = 10_000;
const NOTICES_AT_ONCE = 16;
const OLDEST_DUE = `SELECT r.next_attempt_at FROM queue_recipient r INDEXED BY queue_due CROSS JOIN queue_entry e ON e.id=r.entry_id
 WHERE r.attempts>0 AND e.is_held=0 ORDER BY r.next_attempt_at LIMIT 1`;

interface Unwritten {
  readonly entry: QueueEntry;
  readonly notices: readonly Notice[];
  readonly report: EntryReport;
  readonly accepts: readonly AcceptInput[];
  readonly effects: readonly SettledEffects[] | undefined;
  committed(): void;
}

/** Starts at once; a failure to take the lease is logged and tried again each second. */
export function startCourier(context: CourierContext): Courier {
  return new QueueCourier(context);
}

class QueueCourier implements Courier {
  readonly #context: CourierContext;
  readonly #random: () => number;
  readonly #hops: HopFinder;
  readonly #loader: Loader;
  readonly #schedule: Schedule;
  readonly #outbound: Outbound;
  readonly #reporter: Reporter;
  readonly #unwatch: () => void;
  readonly #ticker: NodeJS.Timeout;
  #epoch = 0;
  #taking: Promise<void> | null = null;
  #isStopping = false;
  #isTurnDue = false;
  /** Aborted when programs must not be waited for any longer. */
  readonly #stopping = new AbortController();
  #underWay = 0;
  #gaugesAt = 0;
  #stopWaiter: (() => void) | null = null;
  /** Results whose reports to the sender are still to be written. */
  readonly #unwritten = new Fifo<Unwritten>();
  #writing = 0;

  constructor(context: CourierContext) {
    this.#context = context;
    this.#random = context.random ?? Math.random;
    this.#hops = new HopFinder(context);
    this.#loader = new Loader(storeSource(context.reader), () => context.settings()['queue.memoryRecipientsMax']);
    this.#schedule = new Schedule(() => {
      const settings = context.settings();
      return {
        concurrencyInitial: settings['deliver.concurrencyInitial'],
        concurrencyMax: settings['deliver.concurrencyPerDestinationMax'],
        connectionsMax: settings['deliver.connectionsMax'],
        recipientsMax: settings['deliver.recipientsPerMessageMax'],
        deadMin: settings['queue.retryMin'],
        deadMax: Math.max(settings['queue.retryMin'], DEAD_MAX_MS),
        rateDelayMs: settings['route.destinationRateDelay'] ?? 0,
      };
    });
    this.#outbound = new Outbound({
      settings: context.settings,
      dns: context.dns ?? createDns(context.settings, context.now),
      log: context.log,
      metrics: context.metrics,
      now: context.now,
      random: this.#random,
      to7bit,
    });
    this.#reporter = new Reporter({
      writer: context.writer,
      log: context.log,
      epoch: () => this.#epoch,
      onStale: () => this.#stale(),
      onProgress: () => this.#wake(),
    });
    this.#unwatch = context.announcements.on('queue', (announcement) => this.#announced(announcement));
    this.#ticker = setInterval(() => this.#tick(), 1000);
    this.#takeLease();
  }

  async stop(deadlineMs: number): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      setTimeout(() => this.#stopping.abort(), deadlineMs).unref();
      this.#unwatch();
      this.#outbound.retire();
    }
    await this.#taking;
    if (this.#underWay > 0)
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, deadlineMs);
        this.#stopWaiter = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
    clearInterval(this.#ticker);
    this.#outbound.close();
    await Promise.race([this.#reporter.idle(), new Promise((resolve) => setTimeout(resolve, 5000).unref())]);
    this.#reporter.end();
  }

  // ── turns ──────────────────────────────────────────────────────────────────────────────────────────

  #takeLease(): void {
    if (this.#taking !== null || this.#isStopping) return;
    this.#taking = this.#context.writer
      .run<number>('courier.start', null)
      .then(
        (epoch) => {
          this.#epoch = epoch;
          this.#context.log.info('courier.started', { epoch });
          this.#wake();
        },
        (error: Error) => this.#context.log.error('courier.start.failed', { cause: error.message }),
      )
      .finally(() => {
        this.#taking = null;
      });
  }

  #stale(): void {
    this.#context.log.error('courier.stale', { epoch: this.#epoch });
    this.#isStopping = true;
    this.#outbound.retire();
    this.#outbound.close();
  }

  #wake(): void {
    if (this.#isTurnDue || this.#isStopping || this.#epoch === 0) return;
    this.#isTurnDue = true;
    setImmediate(() => {
      this.#isTurnDue = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#isStopping || this.#reporter.isFull) return;
    const now = this.#context.now();
    let loaded: ReturnType<Loader['fill']> = [];
    try {
      loaded = this.#loader.fill(now);
    } catch (error) {
      // The store cannot be read now: the tick comes back to it.
      this.#context.log.error('queue.read.failed', { cause: (error as Error).message });
    }
    for (const { entry, recipient } of loaded) this.#route(entry, recipient, now);
    for (let batch = this.#schedule.start(); batch !== null; batch = this.#schedule.start()) this.#launch(batch);
    if (loaded.length > 0) this.#wake();
  }

  /** Once a second. */
  #tick(): void {
    this.#outbound.sweep();
    if (this.#epoch === 0) return this.#takeLease();
    this.#wake();
    const now = this.#context.now();
    if (now >= this.#gaugesAt) {
      this.#gaugesAt = now + GAUGES_MS;
      this.#gauges(now);
    }
  }

  #announced(announcement: Announcement): void {
    if (announcement.kind !== 'queue') return;
    let isChanged = false;
    for (const { entryId, isChange } of announcement.entries) {
      if (isChange === true) {
        isChanged = true;
        const entry = this.#loader.entries.get(entryId);
        if (entry !== undefined) entry.isDropped = true;
        this.#loader.rewind(entryId - 1);
      }
      this.#loader.announced();
    }
    if (isChanged) {
      this.#schedule.revive();
      for (const { entry, recipient } of this.#schedule.sweepDropped()) this.#loader.release(entry, recipient);
    }
    this.#wake();
  }

  /** Where a recipient goes, or what becomes of it at once. Tables that must be asked elsewhere are waited for; the recipient is ours meanwhile. */
  #route(entry: QueueEntry, recipient: QueuedRecipient, now: number): void {
    let hop: Hop | Promise<Hop>;
    try {
      hop = this.#hops.find(entry, recipient);
    } catch (error) {
      return this.#settle(entry, [recipient], [this.#tableDown(entry, error)], 0);
    }
    if (!(hop instanceof Promise)) return this.#place(hop, entry, recipient, now);
    this.#underWay += 1;
    hop
      .then(
        (found) => {
          if (this.#isStopping || entry.isDropped) this.#loader.release(entry, recipient);
          else this.#place(found, entry, recipient, this.#context.now());
        },
        (error: unknown) => this.#settle(entry, [recipient], [this.#tableDown(entry, error)], 0),
      )
      .finally(() => {
        this.#underWay -= 1;
        if (this.#underWay === 0) this.#stopWaiter?.();
        this.#wake();
      });
  }

  #tableDown(entry: QueueEntry, error: unknown): Outcome {
    const cause = error instanceof Error ? error.message : String(error);
    this.#context.log.error('route.unavailable', { id: entry.id, cause });
    return outcome('deferred', 451, '4.3.0', `a lookup table does not answer: ${cause}`, '');
  }

  #place(found: Hop, entry: QueueEntry, recipient: QueuedRecipient, now: number): void {
    // A mailbox or user of this machine: resolved again, which says what is to be done.
    const hop = found.kind === 'local' || found.kind === 'virtual' ? REENTER_HOP : found;
    if (hop.kind === 'error') {
      const kind = hop.enhanced.startsWith('5') ? 'failed' : 'deferred';
      return this.#settle(entry, [recipient], [outcome(kind, kind === 'failed' ? 550 : 450, hop.enhanced, hop.text, '')], 0);
    }
    const dead = this.#schedule.deadFor(hop.key, now);
    if (dead !== null) return this.#settle(entry, [recipient], [postponed(dead.reason)], dead.until);
    this.#schedule.add(hop, entry, recipient);
  }

  // ── attempts ───────────────────────────────────────────────────────────────────────────────────────

  #launch(batch: Batch): void {
    this.#underWay += 1;
    const { hop } = batch.destination;
    if (hop.kind === 'mailbox') return void this.#deliverLocally(batch);
    if (hop.kind !== 'smtp' && hop.kind !== 'lmtp') return void this.#deliverByHand(batch, hop as HandHop);
    const connection = this.#outbound.reuse(hop);
    if (connection !== null) connection.engage(new Slot(this, batch, hop, connection));
    else
      this.#outbound.open(hop).then(
        (opened) => {
          if ('isFinal' in opened) this.#unreachable(batch, opened, opened.isFinal);
          else opened.engage(new Slot(this, batch, hop, opened));
        },
        (error: Error) => {
          this.#context.log.error('deliver.unexpected', { cause: error.stack ?? error.message });
          this.#unreachable(batch, { code: 451, enhanced: '4.3.0', reply: `internal error: ${error.message}`, host: '' }, false);
        },
      );
  }

  #unreachable(batch: Batch, reason: DeadReason, isFinal: boolean): void {
    const { destination } = batch;
    if (this.#isStopping) {
      for (const recipient of batch.recipients) this.#loader.release(batch.entry, recipient);
    } else if (isFinal) {
      for (const each of [batch, ...this.#schedule.drain(destination)])
        this.#settleAll(each, outcome('failed', reason.code, reason.enhanced, reason.reply, reason.host), 0);
    } else {
      const dead = this.#schedule.unreachable(destination, reason, this.#context.now());
      if (dead === null) this.giveBack(batch, batch.recipients);
      else
        for (const each of [batch, ...dead.batches])
          this.#settleAll(each, outcome('deferred', reason.code, reason.enhanced, reason.reply, reason.host), dead.until);
    }
    this.released(destination);
  }

  async #deliverLocally(batch: Batch): Promise<void> {
    const { entry, destination } = batch;
    let at = 0;
    try {
      for (; at < batch.recipients.length; at++) {
        const recipient = batch.recipients[at]!;
        const fate = await deliverLocal(entry, recipient, this.#epoch, this.#context);
        if (fate === null) {
          this.#context.metrics.count('queue.delivered', 1, 'local');
          this.#loader.release(entry, recipient);
        } else this.#settle(entry, [recipient], [fate], 0);
      }
    } catch (error) {
      this.#context.log.error('queue.local.failed', { id: entry.id, cause: (error as Error).message });
      const rest = batch.recipients.slice(at);
      // A lease taken over or an entry deleted: not ours any more. A bug: later, or nobody would look at them again while there is other mail.
      if (error instanceof Failure) for (const recipient of rest) this.#loader.release(entry, recipient);
      else this.#settle(entry, rest, new Array<Outcome>(rest.length).fill(outcome('deferred', 451, '4.3.0', 'internal error, see the server log', '')), 0);
    }
    this.released(destination);
  }

  async #deliverByHand(batch: Batch, hop: HandHop): Promise<void> {
    const { entry, recipients, destination } = batch;
    const { hands } = this.#context;
    if (hands === undefined) this.#settleAll(batch, outcome('deferred', 451, '4.3.5', 'nothing is delivered on this machine', ''), 0);
    else {
      const results = await byHand(hop, entry, recipients, hands, this.#stopping.signal);
      let done = 0;
      for (const { fate } of results) if (fate.kind === 'delivered') done += 1;
      if (done > 0) this.#schedule.succeeded(destination);
      for (const [i, { fate, accepts, effects }] of results.entries()) this.#settle(entry, [recipients[i]!], [fate], 0, accepts, effects);
    }
    this.released(destination);
  }

  // ── called by slots ────────────────────────────────────────────────────────────────────────────────

  takeNext(destination: Destination, early: boolean): BatchJob | null {
    if (this.#isStopping || this.#reporter.isFull) return null;
    if (early && !this.#schedule.isCrowded(destination)) return null;
    const batch = this.#schedule.next(destination);
    return batch === null ? null : new BatchJob(batch, this.#context.reader);
  }

  firstJob(batch: Batch): BatchJob {
    return new BatchJob(batch, this.#context.reader);
  }

  done(batch: Batch, outcomes: readonly Outcome[]): void {
    const { destination, entry } = batch;
    let settledCount = 0;
    let accepted = 0;
    let isTooMany = false;
    for (let i = 0; i < outcomes.length; i++) {
      const one = outcomes[i]!;
      if (one.kind === 'delivered') accepted += 1;
      if (one.kind !== 'again') settledCount += 1;
      else if (one.code === 452 || one.code === 552) isTooMany = true;
      if (one.kind === 'deferred' && one.code === 421) this.#schedule.slowDown(destination);
    }
    if (accepted > 0) this.#schedule.succeeded(destination);
    if (settledCount === outcomes.length) return this.#settle(entry, batch.recipients, outcomes, 0);
    if (isTooMany && settledCount > 0) destination.recipientsMax = Math.min(destination.recipientsMax, settledCount);
    const again: QueuedRecipient[] = [];
    const settled: QueuedRecipient[] = [];
    const fates: Outcome[] = [];
    for (let i = 0; i < outcomes.length; i++) {
      const recipient = batch.recipients[i]!;
      const one = outcomes[i]!;
      if (one.kind === 'again' && (isTooMany || ++recipient.losses < LOSSES_MAX)) again.push(recipient);
      else {
        settled.push(recipient);
        fates.push(one.kind === 'again' ? { ...one, kind: 'deferred' } : one);
      }
    }
    if (settled.length > 0) this.#settle(entry, settled, fates, 0);
    if (again.length > 0) this.giveBack(batch, again);
  }

  giveBack(batch: Batch, recipients: QueuedRecipient[]): void {
    if (batch.entry.isDropped || this.#isStopping) for (const recipient of recipients) this.#loader.release(batch.entry, recipient);
    else this.#schedule.giveBack(batch, recipients);
  }

  /** A new connection was refused every message with 421: as good as no connection. */
  refused(destination: Destination, reason: DeadReason): void {
    const dead = this.#schedule.unreachable(destination, reason, this.#context.now());
    for (const each of dead?.batches ?? []) this.#settleAll(each, postponed(reason), dead!.until);
  }

  keep(hop: WireHop, connection: SmtpConnection): void {
    this.#outbound.keep(hop, connection);
  }

  released(destination: Destination): void {
    const restMs = destination.rateDelayMs;
    if (restMs > 0 && !this.#isStopping) {
      this.#schedule.pause(destination);
      setTimeout(() => {
        this.#schedule.resume(destination);
        this.#wake();
      }, restMs).unref();
    }
    this.#schedule.release(destination);
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#stopWaiter?.();
    this.#wake();
  }

  // ── results ────────────────────────────────────────────────────────────────────────────────────────

  #settleAll(batch: Batch, one: Outcome, notBefore: number): void {
    this.#settle(batch.entry, batch.recipients, new Array<Outcome>(batch.recipients.length).fill(one), notBefore);
  }

  /** From outcomes to a report: retry or expiry, and the reports the sender is owed. */
  #settle(
    entry: QueueEntry,
    recipients: readonly QueuedRecipient[],
    outcomes: readonly Outcome[],
    notBefore: number,
    accepts: readonly AcceptInput[] = [],
    effects: readonly SettledEffects[] = [],
  ): void {
    const { settings: current, metrics } = this.#context;
    const settings = current();
    const now = this.#context.now();
    const results: RecipientReport[] = [];
    const notices: Notice[] = [];
    for (let i = 0; i < recipients.length; i++) {
      const recipient = recipients[i]!;
      const fate = outcomes[i]!;
      let kind: RecipientReport['kind'] = fate.kind === 'again' ? 'deferred' : fate.kind;
      let nextAttemptAt = 0;
      let isWarned = false;
      let isExpired = false;
      if (kind === 'deferred') {
        const after = afterFailure(now, entry.createdAt, recipient.attempts + 1, entry.sender === null, notBefore, settings, this.#random);
        if (after.kind === 'expired') {
          kind = 'failed';
          isExpired = true;
        } else {
          nextAttemptAt = Math.max(notBefore, beforeWarning(after.at, now, entry.createdAt, recipient.isWarned, entry.sender, recipient.notify, settings));
          isWarned = isDelayWarningDue(now, entry.createdAt, recipient.isWarned, entry.sender, recipient.notify, settings);
        }
      }
      if (kind === 'failed') {
        if (entry.sender === null || wants(recipient.notify, 'failure')) notices.push({ action: 'failed', recipient, fate, isExpired, retryUntil: null });
      } else if (isWarned) {
        notices.push({ action: 'delayed', recipient, fate, isExpired: false, retryUntil: entry.createdAt + settings['queue.lifetime'] });
      } else if (kind === 'delivered' && recipient.notify !== null && entry.sender !== null && !fate.isDsnPassed && wants(recipient.notify, 'success')) {
        notices.push({ action: 'relayed', recipient, fate, isExpired: false, retryUntil: null });
      }
      results.push({
        n: recipient.n,
        address: recipient.address,
        kind,
        code: fate.code,
        enhanced: isExpired ? '5.4.7' : fate.enhanced,
        reply: fate.reply,
        host: fate.host,
        nextAttemptAt,
        isWarned,
        isExpired,
      });
      metrics.count(kind === 'delivered' ? 'queue.delivered' : kind === 'deferred' ? 'queue.deferred' : 'queue.failed');
    }
    const report = { entryId: entry.entryId, id: entry.id, results };
    const committed = (): void => {
      for (const recipient of recipients) this.#loader.release(entry, recipient);
    };
    const owed = entry.isDropped ? notices.filter((notice) => this.#isStillQueued(entry, notice.recipient)) : notices;
    const extra = effects.length === 0 ? undefined : effects;
    if (owed.length === 0) return this.#reporter.add({ report, bounces: accepts, effects: extra, committed });
    this.#underWay += 1;
    this.#unwritten.push({ entry, notices: owed, report, accepts, effects: extra, committed });
    this.#writeNotices();
  }

  /** Not so when the administrator deleted it during the attempt: deleted mail is gone without a word. */
  #isStillQueued(entry: QueueEntry, recipient: QueuedRecipient): boolean {
    try {
      return this.#context.reader.rows('SELECT 1 FROM queue_recipient WHERE entry_id=? AND n=?', entry.entryId, recipient.n).length > 0;
    } catch (error) {
      this.#context.log.error('queue.read.failed', { cause: (error as Error).message });
      return true; // when unsure, the sender hears of it
    }
  }

  /** A dead destination ends thousands of messages at once: their reports are written a few at a time, for each holds the message meanwhile. */
  #writeNotices(): void {
    while (this.#writing < NOTICES_AT_ONCE) {
      const next = this.#unwritten.shift();
      if (next === undefined) return;
      const { entry, notices, report, accepts, effects, committed } = next;
      this.#writing += 1;
      noticesFor(entry, notices, this.#context)
        .then(
          (bounces) => this.#reporter.add({ report, bounces: accepts.length === 0 ? bounces : [...bounces, ...accepts], effects, committed }),
          (error: Error) => {
            // Without its report a failure must not be settled: the recipient stays and is tried again later.
            this.#context.log.error('queue.bounce.failed', { id: entry.id, cause: error.stack ?? error.message });
            this.#postponeAll(entry, report.results, committed, accepts, effects);
          },
        )
        .finally(() => {
          this.#writing -= 1;
          this.#underWay -= 1;
          if (this.#underWay === 0) this.#stopWaiter?.();
          this.#writeNotices();
        });
    }
  }

  /** The report to the sender could not be made: what is not delivered is looked at again later. */
  #postponeAll(
    entry: QueueEntry,
    results: readonly RecipientReport[],
    committed: () => void,
    accepts: readonly AcceptInput[],
    effects: readonly SettledEffects[] | undefined,
  ): void {
    const at = this.#context.now() + this.#context.settings()['queue.retryMin'];
    // What is tried again makes its forwards and answers again.
    const isDone = results.some(({ kind }) => kind === 'delivered');
    this.#reporter.add({
      report: {
        entryId: entry.entryId,
        id: entry.id,
        results: results.map((result) =>
          result.kind === 'delivered' ? result : { ...result, kind: 'deferred', nextAttemptAt: at, isWarned: false, isExpired: false },
        ),
      },
      bounces: isDone ? accepts : [],
      effects: isDone ? effects : undefined,
      committed,
    });
  }

  #gauges(now: number): void {
    const { metrics, reader } = this.#context;
    metrics.gauge('queue.memoryRecipients', this.#loader.total);
    metrics.gauge('queue.connections', this.#outbound.connections);
    metrics.gauge('queue.destinations', this.#schedule.destinations.size);
    try {
      // Held mail is not late.
      const due = reader.rows(OLDEST_DUE)[0]?.[0] as number | undefined;
      const fresh = reader.rows('SELECT created_at FROM queue_entry WHERE is_held=0 ORDER BY id LIMIT 1')[0]?.[0] as number | undefined;
      metrics.gauge('queue.oldestDueSeconds', due === undefined ? 0 : Math.max(0, Math.round((now - due) / 1000)));
      metrics.gauge('queue.oldestEntrySeconds', fresh === undefined ? 0 : Math.max(0, Math.round((now - fresh) / 1000)));
      metrics.gauge('queue.entries', Number(reader.rows('SELECT count(*) FROM queue_entry')[0]?.[0] ?? 0));
    } catch (error) {
      this.#context.log.debug('queue.gauges.failed', { cause: (error as Error).message });
    }
  }
}

/** The engagement of one connection with one destination. */
class Slot implements JobSource {
  readonly #courier: QueueCourier;
  readonly #destination: Destination;
  readonly #hop: WireHop;
  readonly #connection: SmtpConnection;
  #first: Batch | null;
  #successes = 0;
  /** The server's goodbye to a message that it had not begun to take. */
  #goodbye: DeadReason | null = null;

  constructor(courier: QueueCourier, batch: Batch, hop: WireHop, connection: SmtpConnection) {
    this.#courier = courier;
    this.#destination = batch.destination;
    this.#hop = hop;
    this.#connection = connection;
    this.#first = batch;
  }

  next(early = false): BatchJob | null {
    const first = this.#first;
    if (first === null) return this.#courier.takeNext(this.#destination, early);
    this.#first = null;
    return this.#courier.firstJob(first);
  }

  done(job: BatchJob, outcomes: readonly Outcome[]): void {
    for (const one of outcomes)
      if (one.kind === 'delivered') this.#successes += 1;
      else if (one.kind === 'deferred' && one.reply.startsWith('421')) this.#goodbye = one;
    this.#courier.done(job.batch, outcomes);
  }

  idle(): void {
    this.#courier.keep(this.#hop, this.#connection);
    this.#courier.released(this.#destination);
  }

  closed(): void {
    if (this.#first !== null) this.#courier.giveBack(this.#first, this.#first.recipients);
    this.#first = null;
    if (this.#goodbye !== null && this.#successes === 0) this.#courier.refused(this.#destination, this.#goodbye);
    this.#courier.released(this.#destination);
  }
}

function postponed(reason: DeadReason): Outcome {
  return outcome('deferred', reason.code, reason.enhanced, `not tried, for an attempt failed recently: ${reason.reply}`, reason.host);
}
