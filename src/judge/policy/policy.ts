/** A compiled policy: answers the questions of SMTP sessions. Holds no state of a session; that is the memo's. */
import { type Decision, PERMITTED } from './decision.ts';
import type { PolicyConfig } from './config.ts';
import { runSteps, type Step } from './engine.ts';
import type { PolicyEffects, SmtpFacts } from './facts.ts';
import { rejectUnlistedRecipient, rejectUnlistedSender } from './listed.ts';
import type { Deferral, SessionMemo } from './memo.ts';
import type { PolicyContext } from './ports.ts';
import { type Aborts, Run } from './run.ts';
import { after, DUNNO, REFUSE, type Soon, type Status } from './status.ts';
import type { List, Stage } from './stages.ts';
import { SUBJECT, type SubjectName } from './words.ts';

type Lists = Readonly<Record<List, readonly Step[]>>;

export class Policy {
  readonly config: PolicyConfig;
  /** Things that are allowed and hardly meant, in sentences: a restriction that is never asked. */
  readonly notes: readonly string[];
  readonly #context: PolicyContext;
  readonly #lists: Lists;

  constructor(config: PolicyConfig, context: PolicyContext, lists: Lists, notes: readonly string[]) {
    this.config = config;
    this.#context = context;
    this.#lists = lists;
    this.notes = notes;
  }

  /**
   * What to say to the command that `stage` stands for: client when a connection was accepted, helo, sender (MAIL), recipient (RCPT),
   * data (DATA, first BDAT), endOfData (the message is there), etrn. With delayed refusals the first three answer 'ok' at once, and the
   * recipient's answer includes them. `effects` is one object for a whole transaction.
   */
  evaluate(stage: Stage, facts: SmtpFacts, memo: SessionMemo, effects: PolicyEffects, signal?: Aborts): Decision | Promise<Decision> {
    const { delayReject } = this.config;
    if (delayReject && (stage === 'client' || stage === 'helo' || stage === 'sender')) return PERMITTED;
    if ((stage === 'data' || stage === 'endOfData') && this.#lists[stage].length === 0 && !effects.isDiscarded) return PERMITTED;
    const run = new Run(this.#context, this.config, stage, facts, memo, effects, signal);
    switch (stage) {
      case 'client':
        return this.#conclude(run, this.#client(run));
      case 'helo':
        return this.#conclude(run, this.#helo(run));
      case 'sender':
        return this.#conclude(run, this.#sender(run));
      case 'recipient':
        // RFC 5321 section 4.5.1: postmaster without a domain hears everybody.
        if (facts.recipientText?.toLowerCase() === 'postmaster') return PERMITTED;
        return this.#conclude(
          run,
          delayReject ? after(this.#earlier(run), (status) => (status === REFUSE ? status : this.#recipient(run))) : this.#recipient(run),
        );
      case 'data':
        return this.#conclude(run, this.#message(run, this.#lists.data, 'DATA'));
      case 'endOfData':
        return this.#conclude(run, this.#message(run, this.#lists.endOfData, 'END-OF-MESSAGE'));
      case 'etrn':
        return this.#conclude(run, delayReject ? after(this.#clientAndHelo(run), (status) => (status === REFUSE ? status : this.#etrn(run))) : this.#etrn(run));
    }
  }

  #conclude(run: Run, status: Soon<Status>): Decision | Promise<Decision> {
    return status instanceof Promise ? status.then((late) => decisionOf(run, late)) : decisionOf(run, status);
  }

  // ── The lists, one after the other ─────────────────────────────────────────────────────────────────

  #list(run: Run, list: List, name: SubjectName, deferIfPermit: Deferral | null): Soon<Status> {
    run.depth = 0;
    run.warnDepth = 0;
    run.deferIfPermit = deferIfPermit;
    const steps = this.#lists[list];
    return steps.length === 0 ? DUNNO : runSteps(steps, run, name, SUBJECT[list === 'relay' ? 'recipient' : list]);
  }

  #client(run: Run): Soon<Status> {
    run.deferIfReject = null;
    return after(this.#list(run, 'client', null, null), (status) => {
      run.memo.clientDeferral = run.deferIfPermit;
      return status;
    });
  }

  #helo(run: Run): Soon<Status> {
    const { helo } = run.facts;
    if (helo === null) {
      run.memo.heloDeferral = run.memo.clientDeferral;
      return DUNNO;
    }
    run.deferIfReject = null;
    return after(this.#list(run, 'helo', helo, run.memo.clientDeferral), (status) => {
      run.memo.heloDeferral = run.deferIfPermit;
      return status;
    });
  }

  #sender(run: Run): Soon<Status> {
    const { senderText, sender } = run.facts;
    if (senderText === null) return DUNNO;
    run.memo.isSenderChecked = false;
    run.deferIfReject = null;
    return after(this.#list(run, 'sender', senderText, run.memo.heloDeferral ?? run.memo.clientDeferral), (status) => {
      run.memo.senderDeferral = run.deferIfPermit;
      if (status === REFUSE || sender === null || !this.config.rejectUnlistedSender || run.effects.isDiscarded) return status;
      return this.#implicit(run, 'reject_unlisted_sender', 'sender', rejectUnlistedSender);
    });
  }

  #clientAndHelo(run: Run): Soon<Status> {
    return after(this.#client(run), (status) => (status === REFUSE ? status : this.#helo(run)));
  }

  /** The three lists before the recipient's. When nothing they asked depends on the recipient, they are asked once for each message. */
  #earlier(run: Run): Soon<Status> {
    const { memo, facts, effects } = run;
    const known = memo.earlier;
    if (
      known !== null &&
      known.effects === effects &&
      known.helo === facts.helo &&
      known.sender === facts.senderText &&
      known.login === facts.login &&
      memo.trace === null
    ) {
      return DUNNO;
    }
    memo.earlier = null;
    return after(this.#clientAndHelo(run), (status) => {
      if (status === REFUSE) return status;
      return after(this.#sender(run), (last) => {
        if (last !== REFUSE && !run.isPerRecipient) memo.earlier = { effects, helo: facts.helo, sender: facts.senderText, login: facts.login };
        return last;
      });
    });
  }

  #recipient(run: Run): Soon<Status> {
    const name = run.facts.recipientText ?? '';
    const [first, second]: readonly [List, List] = this.config.relayBeforeRecipient ? ['relay', 'recipient'] : ['recipient', 'relay'];
    run.deferIfReject = null;
    return after(this.#list(run, first, name, run.memo.senderDeferral), (status) => {
      if (status === REFUSE) return status;
      const isDeferred = run.deferIfPermit;
      return after(this.#list(run, second, name, isDeferred), (last) => {
        const deferred = this.#orDeferred(run, last);
        if (deferred === REFUSE || !this.config.rejectUnlistedRecipient || run.effects.isDiscarded) return deferred;
        return this.#implicit(run, 'reject_unlisted_recipient', 'recipient', rejectUnlistedRecipient);
      });
    });
  }

  #etrn(run: Run): Soon<Status> {
    const domain = run.facts.etrnDomain;
    if (domain === null) return DUNNO;
    run.deferIfReject = null;
    return after(this.#list(run, 'etrn', domain, run.memo.heloDeferral ?? run.memo.clientDeferral), (status) => this.#orDeferred(run, status));
  }

  #message(run: Run, steps: readonly Step[], name: string): Soon<Status> {
    if (steps.length === 0) return DUNNO;
    run.deferIfReject = null;
    return after(this.#list(run, run.stage, name, null), (status) => this.#orDeferred(run, status));
  }

  /** A check that could not be made may have refused: then permission is for now not given. */
  #orDeferred(run: Run, status: Status): Status {
    const deferral = run.deferIfPermit;
    if (status === REFUSE || deferral === null) return status;
    run.asking = deferral.by;
    return run.refuse(deferral.code, deferral.enhanced, deferral.text);
  }

  /** A check that is made at the end of a list without being written there. Its "nothing" does not undo a permit. */
  #implicit(run: Run, text: string, list: string, check: (run: Run) => Soon<Status>): Soon<Status> {
    const decidedBy = run.asking;
    run.asking = text;
    return after(check(run), (status) => {
      run.memo.trace?.push({ list, restriction: `(${text})`, says: status === REFUSE ? 'refuse' : 'nothing', text: run.said });
      run.said = '';
      if (status !== REFUSE) run.asking = decidedBy;
      return status;
    });
  }
}

function decisionOf(run: Run, status: Status): Decision {
  if (status === REFUSE && run.reply !== null) {
    const { reply } = run;
    return { kind: reply.code >= 500 ? 'reject' : 'defer', reply, by: run.asking, isHangUp: reply.code === 421 || reply.code === 521 };
  }
  if (run.effects.isDiscarded) return { kind: 'discard', by: run.asking };
  return run.asking === '' ? PERMITTED : { kind: 'ok', by: run.asking };
}
