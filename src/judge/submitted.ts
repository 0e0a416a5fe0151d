/** Mail of programs on this machine: no stranger to be judged, but the content patterns apply to it, and it is signed. */
import { fieldBytes } from '../mail/edit.ts';
import type { ContentFilter, Envelope, JudgeSubmission, MessageView, Orders, Recipient, Ruling } from '../ports.ts';
import type { JudgeParts } from './compile.ts';
import type { JudgeContext } from './judge.ts';
import { PatternFilter } from './patterns/filter.ts';
import { newEffects } from './policy/facts.ts';
import { changedRecipients } from './recipients.ts';
import { after, type Soon } from './soon.ts';

const AS_IT_IS: Ruling = { reply: null, discard: null, orders: {}, before: null, message: null };

export class SubmittedJudge implements JudgeSubmission {
  readonly #context: JudgeContext;
  readonly #parts: JudgeParts;
  readonly #envelope: Envelope;
  readonly #effects = newEffects();
  #holdReason = '';
  #discardReason = '';

  constructor(context: JudgeContext, parts: JudgeParts, envelope: Envelope) {
    this.#context = context;
    this.#parts = parts;
    this.#envelope = envelope;
  }

  content(): ContentFilter | null {
    const { patterns, settings } = this.#parts;
    if (patterns === null || !settings['patterns.submission']) return null;
    return new PatternFilter(patterns, {
      log: this.#context.log,
      id: this.#envelope.id,
      effects: this.#effects,
      onReason: (kind, text) => {
        if (kind === 'hold') this.#holdReason ||= text;
        else this.#discardReason ||= text;
      },
    });
  }

  message(view: MessageView): Soon<Ruling> {
    const effects = this.#effects;
    if (effects.isDiscarded) return { ...AS_IT_IS, discard: this.#discardReason || 'a rule says DISCARD' };
    const orders: Orders = {
      ...(effects.isHeld ? { hold: this.#holdReason || 'a rule says HOLD' } : {}),
      ...(effects.filter === null || effects.redirect !== null ? {} : { nexthop: effects.filter }),
    };
    const changes = { redirect: effects.redirect, bcc: effects.bcc, added: [], removed: [] };
    const changed = changedRecipients(this.#envelope.recipients, changes, this.#context, this.#envelope.id);
    return changed instanceof Promise ? changed.then((recipients) => this.#ruling(view, orders, recipients)) : this.#ruling(view, orders, changed);
  }

  #ruling(view: MessageView, orders: Orders, recipients: readonly Recipient[] | undefined): Soon<Ruling> {
    const ruling: Ruling = { ...AS_IT_IS, orders, ...(recipients === undefined ? {} : { recipients }) };
    const signed = (signatures: readonly string[]): Ruling =>
      signatures.length === 0 ? ruling : { ...ruling, before: Buffer.concat(signatures.map((value) => fieldBytes('DKIM-Signature', value))) };
    // A message without a signature is better than none.
    const failed = (cause: unknown): Ruling => {
      this.#context.log.error('judge.failed', { id: this.#envelope.id, cause });
      return ruling;
    };
    try {
      const done = after(this.#context.sign(view), signed);
      return done instanceof Promise ? done.catch(failed) : done;
    } catch (cause) {
      return failed(cause);
    }
  }
}
