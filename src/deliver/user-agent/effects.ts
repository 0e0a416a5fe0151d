/** What one delivery comes to, gathered while filters run: forwards, keeps, replies, failures, and the steps for the journey. */
import type { Action, FilterProblem, Origin } from '../filters/filter.ts';
import { printable } from './exit-codes.ts';
import { ACTIONS_MAX, LOG_LINES_MAX, STEP_CHARS_MAX, STEPS_MAX } from './limits.ts';
import { type Changed, type DeliveryAnswer, type DeliveryStep, type Forward, type Keep, type Reply, simpleAnswer } from './types.ts';

export class Effects {
  readonly forwards: Forward[] = [];
  readonly keeps: Keep[] = [];
  readonly replies: Reply[] = [];
  /** Of those that are `isPlanned` the courier tells what came of them, once it has. */
  #steps: (DeliveryStep & { readonly isPlanned: boolean })[] = [];
  areForwardsRefused = false;
  readonly logged: string[] = [];
  problem: FilterProblem | null = null;
  /** The address of this mailbox, once something was sent on. */
  deliveredTo: string | null = null;
  /** Something was done with the message on this machine, or it was thrown away as the user wished. */
  isHandled = false;
  /** How it was delivered, for the reply. */
  words = '';
  /** A full disk and the like that a script was told of. */
  passing: DeliveryAnswer | null = null;
  readonly #failures: DeliveryAnswer[] = [];
  #actions = 0;

  /** False when one more would be too many. */
  count(): boolean {
    this.#actions += 1;
    return this.#actions <= ACTIONS_MAX;
  }

  /** Nothing became of the message: neither stored nor sent on, thrown away, refused or failed. */
  get isNothingDone(): boolean {
    return !this.isHandled && this.#failures.length === 0 && this.forwards.length === 0;
  }

  step(origin: Origin, text: string, isPlanned = false): void {
    if (this.#steps.length < STEPS_MAX)
      this.#steps.push({ origin: { file: origin.file, line: origin.line }, text: printable(text).slice(0, STEP_CHARS_MAX), isPlanned });
  }

  /** Too many: then none of them is sent on, or one message would come back as hundreds of reports. */
  refuseForwards(): void {
    if (this.areForwardsRefused) return;
    this.areForwardsRefused = true;
    this.forwards.length = 0;
    this.#steps = this.#steps.filter(({ isPlanned }) => !isPlanned);
  }

  get steps(): DeliveryStep[] {
    return this.#steps.map(({ origin, text }) => ({ origin, text }));
  }

  log(text: string): void {
    for (const line of text.split('\n')) if (line !== '' && this.logged.length < LOG_LINES_MAX) this.logged.push(printable(line));
  }

  done(words: string): void {
    this.isHandled = true;
    if (this.words === '') this.words = words;
  }

  /** Answers other than 'delivered' of one target among several. */
  fail(answer: DeliveryAnswer): void {
    if (answer.outcome !== 'delivered') this.#failures.push(answer);
  }

  reply(action: Action, message: Changed): void {
    if (action.kind === 'vacation' || action.kind === 'notify' || action.kind === 'reject' || action.kind === 'send')
      this.replies.push({ action: { ...action, message: null }, message });
  }

  /**
   * The whole answer. One deferred target defers the recipient, and nothing is committed then: all is tried again (what was written to files
   * already will be there twice, as with Postfix). Otherwise a failed one fails it; what the others got stays.
   */
  answer(): DeliveryAnswer {
    const deferred = this.#failures.find((failure) => failure.outcome === 'deferred');
    const worst = deferred ?? this.#failures[0];
    const base = worst ?? simpleAnswer('delivered', 250, '2.0.0', this.words || (this.forwards.length > 0 ? 'forwarded' : 'delivered'));
    const { steps, logged, problem, deliveredTo } = this;
    if (deferred !== undefined) return { ...base, steps, logged, problem, deliveredTo };
    const { forwards, keeps, replies } = this;
    const done = this.#steps.filter(({ isPlanned }) => !isPlanned).map(({ origin, text }) => ({ origin, text }));
    return { ...base, forwards, keeps, replies, steps: done, logged, problem, deliveredTo };
  }
}
