/**
 * Tells the store what became of recipients, many at a time: while one report commits, the next one gathers.
 * A result stays in memory until its report is durable, and the courier owns its recipients until then.
 */
import type { Log, StoreWriter } from '../ports.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { Failure } from '../system/failure.ts';
import type { EntryReport, ReportInput, SettledEffects } from './operations.ts';

export interface Settled {
  readonly report: EntryReport;
  readonly bounces: readonly AcceptInput[];
  readonly effects?: readonly SettledEffects[];
  /** Called once the report is durable. */
  committed(): void;
}

export interface ReporterContext {
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  epoch(): number;
  /** Another courier has taken over. */
  onStale(): void;
  /** Room for more work. */
  onProgress(): void;
}

const RECIPIENTS_PER_REPORT = 256;
const REPORTS_AT_ONCE = 3;
const BACKLOG_MAX = 4096;
const RETRY_MS = 1000;

export class Reporter {
  readonly #context: ReporterContext;
  #waiting: Settled[] = [];
  #head = 0;
  #atWork = 0;
  /** Recipients not yet durable. */
  #backlog = 0;
  #isScheduled = false;
  #isPaused = false;
  #isEnded = false;
  #idleWaiters: (() => void)[] = [];

  constructor(context: ReporterContext) {
    this.#context = context;
  }

  /** Too much is waiting to be written: begin nothing new. */
  get isFull(): boolean {
    return this.#backlog >= BACKLOG_MAX;
  }

  add(settled: Settled): void {
    this.#waiting.push(settled);
    this.#backlog += settled.report.results.length;
    this.#schedule();
  }

  /** Resolves when everything told so far is durable (or given up). */
  async idle(): Promise<void> {
    while (this.#backlog > 0 && !this.#isEnded) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  end(): void {
    this.#isEnded = true;
    this.#wakeWaiters();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isPaused || this.#isEnded) return;
    this.#isScheduled = true;
    // After the input of this turn of the event loop: everything that was answered in it goes in one report.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#atWork < REPORTS_AT_ONCE && !this.#isPaused && !this.#isEnded) {
      const batch: Settled[] = [];
      let recipients = 0;
      while (this.#head < this.#waiting.length && recipients < RECIPIENTS_PER_REPORT) {
        const settled = this.#waiting[this.#head++]!;
        batch.push(settled);
        recipients += settled.report.results.length;
      }
      if (this.#head === this.#waiting.length) {
        this.#waiting = [];
        this.#head = 0;
      }
      if (batch.length === 0) return;
      // While the writer is busy with one report, a small one can wait to become larger.
      this.#atWork += 1;
      void this.#send(batch).finally(() => {
        this.#atWork -= 1;
        if (this.#head < this.#waiting.length) this.#schedule();
        this.#context.onProgress();
        if (this.#backlog === 0) this.#wakeWaiters();
      });
      if (recipients < RECIPIENTS_PER_REPORT) return;
    }
  }

  async #send(batch: readonly Settled[]): Promise<void> {
    for (;;) {
      try {
        const bounces = batch.some((settled) => settled.bounces.length > 0) ? batch.flatMap((settled) => settled.bounces) : [];
        const effects = batch.some((settled) => settled.effects !== undefined) ? batch.flatMap((settled) => settled.effects ?? []) : undefined;
        const input: ReportInput = { epoch: this.#context.epoch(), entries: batch.map((settled) => settled.report), bounces, effects };
        await this.#context.writer.run('queue.report', input);
        for (const settled of batch) this.#done(settled, true);
        return;
      } catch (error) {
        if (this.#isEnded) return;
        const code = error instanceof Failure ? error.code : null;
        if (code === 'staleLease') {
          this.end();
          return this.#context.onStale();
        }
        this.#context.log.error('queue.report.failed', { failure: code ?? 'unexpected', entries: batch.length, cause: (error as Error).message });
        if (code !== 'diskFull' && code !== 'storeBusy') {
          // A bug or a damaged row: find the one that cannot be written, so that the others can.
          if (batch.length === 1) return this.#done(batch[0]!, false);
          const half = Math.ceil(batch.length / 2);
          await this.#send(batch.slice(0, half));
          return this.#send(batch.slice(half));
        }
        this.#isPaused = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        this.#isPaused = false;
      }
    }
  }

  /** What cannot be written stays owned until the next start: trying it again at once would only send it twice. */
  #done(settled: Settled, isDurable: boolean): void {
    this.#backlog -= settled.report.results.length;
    if (isDurable) settled.committed();
  }

  #wakeWaiters(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }
}
