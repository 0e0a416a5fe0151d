/**
 * One evaluation under way: the facts, what was put off, and the two ways to say no (now, or only if nothing else refuses).
 * Created for every question, so it holds references and no work.
 */
import type { Aborts } from '../../directory/tables/match-list.ts';
import type { Address, Reply } from '../../ports.ts';
import { clientNames } from './client-name.ts';
import type { PolicyConfig, ReplyCodes } from './config.ts';
import type { ClientNames, PolicyEffects, SmtpFacts } from './facts.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { Deferral, SessionMemo } from './memo.ts';
import type { PolicyContext, PolicyDns } from './ports.ts';
import { after, DUNNO, REFUSE, type Soon, type Status } from './status.ts';
import type { Stage } from './stages.ts';
import type { Subject, SubjectName } from './words.ts';

/** defer_if_permit: go on, and defer if nothing refuses. defer: refuse for now, at once. */
export type TempfailAction = 'defer_if_permit' | 'defer';

export type { Aborts };

export class Run {
  readonly facts: SmtpFacts;
  readonly memo: SessionMemo;
  readonly effects: PolicyEffects;
  readonly context: PolicyContext;
  readonly policy: PolicyConfig;
  readonly codes: ReplyCodes;
  /** Aborted when nobody waits any more; a function makes it when it is needed, which is seldom. */
  readonly aborts: Aborts | undefined;
  /** The list being evaluated. */
  stage: Stage;
  /** How deep the list that is being worked on lies within others (classes, access tables). */
  depth = 0;
  /** The depth at which warn_if_reject stands, or 0. */
  warnDepth = 0;
  deferIfPermit: Deferral | null = null;
  deferIfReject: Deferral | null = null;
  /** Set with REFUSE. */
  reply: Reply | null = null;
  /** The restriction being asked; who decided, in the end. */
  asking = '';
  /** What the restriction says besides its status, for the trace. */
  said = '';
  /** Something asked depends on the recipient, or must be asked anew for each. */
  isPerRecipient = false;
  isRecipientChecked = false;

  constructor(context: PolicyContext, policy: PolicyConfig, stage: Stage, facts: SmtpFacts, memo: SessionMemo, effects: PolicyEffects, signal?: Aborts) {
    this.context = context;
    this.policy = policy;
    this.codes = policy.codes;
    this.stage = stage;
    this.facts = facts;
    this.memo = memo;
    this.effects = effects;
    this.aborts = signal;
  }

  get signal(): AbortSignal | undefined {
    return typeof this.aborts === 'function' ? this.aborts() : this.aborts;
  }

  /** The recipient as an address; null when there is none, or (after DATA) several. */
  get recipient(): Address | null {
    return this.facts.recipientCount > 1 && (this.stage === 'data' || this.stage === 'endOfData') ? null : this.facts.recipient;
  }
  get recipientText(): string | null {
    return this.recipient === null ? null : this.facts.recipientText;
  }

  get dns(): PolicyDns {
    return this.memo.dns ?? this.context.dns;
  }

  names(): Soon<ClientNames> {
    return this.facts.clientNames ?? this.memo.names ?? after(clientNames(this.dns, this.facts.client.ip), (names) => (this.memo.names = names));
  }

  /** "<name>: Subject rejected: why", the usual form. `code` with `enhanced`, whose first digit follows the code. */
  reject(code: number, enhanced: string, name: SubjectName, subject: Subject, why: string): Soon<Status> {
    return after(this.#rejected(name, subject, why), (text) => this.refuse(code, enhanced, text));
  }

  /** As reject, but for a check that could not be made: refuses now or, by default, only if nothing else does. */
  tempfail(action: TempfailAction, code: number, enhanced: string, name: SubjectName, subject: Subject, why: string): Soon<Status> {
    return after(this.#rejected(name, subject, why), (text) => {
      if (action === 'defer' || this.warnDepth > 0) return this.refuse(code, enhanced, text);
      this.deferIfPermit ??= this.#deferral(code, enhanced, text);
      this.said = `later, if nothing refuses: ${text}`;
      return DUNNO;
    });
  }

  /** The permission that may have been is not known: what refuses later, refuses for now only. */
  deferRejection(code: number, enhanced: string, name: SubjectName, subject: Subject, why: string): Soon<Status> {
    return after(this.#rejected(name, subject, why), (text) => {
      this.deferIfReject ??= this.#deferral(code, enhanced, text);
      this.said = `if something refuses: ${text}`;
      return DUNNO;
    });
  }

  /** Refuses with a text of its own. `isOurs`: a mistake of ours, which warn_if_reject does not turn into a warning. */
  refuse(code: number, enhanced: string, text: string, isOurs = false): Status {
    const reply = makeReply(code, enhanced, text);
    if (this.warnDepth > 0 && !isOurs) {
      this.said = `would refuse: ${reply.code} ${reply.enhanced} ${reply.text}`;
      this.context.log.info('policy.warning', { ...this.#about(), code: reply.code, enhanced: reply.enhanced, text: reply.text, restriction: this.asking });
      return DUNNO;
    }
    const deferral = this.deferIfReject;
    if (deferral !== null && reply.code >= 500) {
      this.reply = makeReply(deferral.code, deferral.enhanced, deferral.text);
      this.asking = deferral.by;
      this.warnDepth = 0;
      this.deferIfReject = null;
    } else this.reply = reply;
    this.said = `${this.reply.code} ${this.reply.enhanced} ${this.reply.text}`;
    return REFUSE;
  }

  /** `use` with what `question` answers, or the temporary refusal of a table that cannot answer. `name`: what was looked up. */
  consult<T>(name: string, question: () => Soon<T>, use: (answer: T) => Soon<Status>): Soon<Status> {
    let answer: Soon<T>;
    try {
      answer = question();
    } catch (cause) {
      return this.lookupFailed(name, cause);
    }
    return answer instanceof Promise ? answer.then(use, (cause: unknown): Status => this.lookupFailed(name, cause)) : use(answer);
  }

  /** A table that cannot answer. */
  lookupFailed(name: string, cause: unknown): Status {
    this.context.log.warn('policy.lookup.failed', {
      ...this.#about(),
      restriction: this.asking,
      cause: String(cause instanceof Error ? cause.message : cause),
    });
    return this.refuse(451, '4.3.0', `<${name}>: Temporary lookup failure`, true);
  }

  /** A table that answers nonsense, or a policy that cannot work. */
  misconfigured(why: string): Status {
    this.context.log.warn('policy.misconfigured', { ...this.#about(), restriction: this.asking, cause: why });
    return this.refuse(451, '4.3.5', 'Server configuration error', true);
  }

  note(event: string, text: string): void {
    this.said = text;
    this.context.log.info(event, { ...this.#about(), restriction: this.asking, text });
  }

  #about(): Record<string, unknown> {
    const { facts } = this;
    return { session: facts.instance, client: facts.client.ip, helo: facts.helo, sender: facts.senderText, rcpt: facts.recipientText };
  }

  #rejected(name: SubjectName, subject: Subject, why: string): Soon<string> {
    if (name !== null) return `<${name}>: ${subject} rejected: ${why}`;
    return after(this.names(), (names) => `<${names.name}[${this.facts.client.ip}]>: ${subject} rejected: ${why}`);
  }

  #deferral(code: number, enhanced: string, text: string): Deferral {
    return { code, enhanced, text, by: this.asking };
  }
}

/** A reply that is fit to be sent: a code of refusal, an enhanced code of its class, no control characters, one line. */
function makeReply(code: number, enhanced: string, text: string): Reply {
  if (code < 400 || code > 599 || !/^[245]\.\d{1,3}\.\d{1,3}$/.test(enhanced)) return { code: 450, enhanced: '4.7.1', text: 'Service unavailable' };
  const digit = code < 500 ? '4' : '5';
  const most = POLICY_LIMITS.replyCharacters - 5 - enhanced.length;
  const short = text.length > most ? text.slice(0, most) : text;
  return { code, enhanced: digit + enhanced.slice(1), text: /[\x00-\x1f\x7f]/.test(short) ? short.replace(/[\x00-\x1f\x7f]/g, ' ') : short };
}
