/**
 * What to tell Postfix: rates first (they cost nothing), then SPF, then greylisting. Every answer is an access(5) action; whatever goes
 * wrong here, the other server is told to go on as if it had not asked.
 */
import { BoundedMap } from '../../../directory/bounded.ts';
import type { Log, Reply } from '../../../ports.ts';
import type { SpfInput, SpfResult } from '../../authenticity/spf.ts';
import type { Greylist } from '../../greylist/greylist.ts';
import type { RateEvent, Rates, RateSubjects } from '../../rates/rates.ts';
import type { Question } from './question.ts';
import { receivedSpf } from './received-spf.ts';
import type { PolicyFaceSettings } from './settings.ts';

export interface PolicyFaceContext {
  readonly greylist: Greylist;
  /** Left out: SPF is not checked, whatever the settings say. */
  readonly spf?: (input: SpfInput) => SpfResult | Promise<SpfResult>;
  readonly rates: Rates;
  readonly log: Log;
  settings(): PolicyFaceSettings;
  /** This host's name, for Received-SPF. */
  readonly hostname: string;
  /** Unix time in milliseconds. */
  now(): number;
}

export const DUNNO = 'DUNNO';
/** Messages remembered, of all servers that ask. One that is forgotten is checked anew at its next recipient. */
const MESSAGES_MAX = 5000;

/** What was found out about one message, between its recipients. */
interface Message {
  isCounted: boolean;
  spf: SpfResult | null;
  isMarked: boolean;
  /** The last recipient and its answer: a server that asks at two places of its restrictions counts once. */
  recipient: string;
  action: string;
}

export class PolicyDecider {
  readonly #context: PolicyFaceContext;
  readonly #messages = new BoundedMap<string, Message>();

  constructor(context: PolicyFaceContext) {
    this.#context = context;
  }

  /** `server` tells apart the instances of several Postfix machines. Rejects on bugs only. */
  async decide(question: Question, server: string): Promise<string> {
    switch (question.state) {
      case 'CONNECT':
        return this.#rate(question, 'connections', { clientIp: question.clientIp, account: question.account }) ?? DUNNO;
      case 'MAIL':
        return this.#countMessage(question, this.#message(question, server)) ?? DUNNO;
      case 'RCPT':
        return this.#recipient(question, this.#message(question, server));
      case 'END-OF-MESSAGE':
        return this.#rate(question, 'bytes', this.#subjects(question), question.size) ?? DUNNO;
      default:
        return DUNNO;
    }
  }

  #message(question: Question, server: string): Message {
    const key = `${server} ${question.instance}`;
    const known = question.instance === '' ? undefined : this.#messages.refresh(key, MESSAGES_MAX);
    if (known !== undefined) return known;
    const message: Message = { isCounted: false, spf: null, isMarked: false, recipient: '', action: DUNNO };
    return question.instance === '' ? message : this.#messages.set(key, message, MESSAGES_MAX);
  }

  async #recipient(question: Question, message: Message): Promise<string> {
    const { recipient } = question;
    if (recipient === null) return DUNNO;
    const name = `${recipient.local}@${recipient.domain}`;
    if (message.recipient === name) return message.action;
    const action = await this.#newRecipient(question, message);
    message.recipient = name;
    // A field is written once; asked again about this recipient, there is nothing more to do.
    message.action = action.startsWith('PREPEND ') ? DUNNO : action;
    return action;
  }

  async #newRecipient(question: Question, message: Message): Promise<string> {
    const limited = this.#countMessage(question, message) ?? this.#rate(question, 'recipients', this.#subjects(question));
    if (limited !== null) return limited;
    // Who has signed in is no stranger.
    if (question.account !== null || question.clientIp === null) return DUNNO;
    const settings = this.#context.settings();
    message.spf ??= await this.#checkSpf(question, settings);
    const { spf } = message;
    if (spf !== null && spf.result === 'fail' && settings['face.policySpf'] === 'reject') return spfRefusal(spf, question.clientIp);
    if (settings['face.policyGreylist']) {
      const answer = this.#context.greylist.check({
        clientIp: question.clientIp,
        clientName: question.clientName,
        sender: question.sender,
        recipients: [question.recipient!],
        spfPass: spf !== null && spf.result === 'pass' ? spf.domain : null,
        now: this.#context.now(),
      });
      if (answer.kind === 'wait') return actionOf(answer.reply, question);
    }
    if (spf === null || message.isMarked) return DUNNO;
    message.isMarked = true;
    return `PREPEND ${receivedSpf(spf, question, this.#context.hostname)}`;
  }

  async #checkSpf(question: Question, settings: PolicyFaceSettings): Promise<SpfResult | null> {
    const { spf, hostname, log } = this.#context;
    if (spf === undefined || settings['face.policySpf'] === 'off') return null;
    try {
      return await spf({ ip: question.clientIp!, helo: question.helo, sender: question.sender, receiver: hostname });
    } catch (cause) {
      // Without SPF the message is judged by the rest.
      log.error('face.policy.failed', { client: question.clientIp, cause });
      return null;
    }
  }

  #subjects(question: Question): RateSubjects {
    return {
      clientIp: question.clientIp,
      sender: question.sender,
      recipients: question.recipient === null ? [] : [question.recipient],
      account: question.account,
    };
  }

  /** Once for each message, at MAIL or at its first recipient. */
  #countMessage(question: Question, message: Message): string | null {
    if (message.isCounted) return null;
    const action = this.#rate(question, 'messages', this.#subjects(question));
    message.isCounted = action === null;
    return action;
  }

  #rate(question: Question, event: RateEvent, subjects: RateSubjects, amount = 1): string | null {
    const answer = this.#context.rates.check(question.account === null ? 'inbound' : 'outbound', event, subjects, amount);
    return answer.kind === 'ok' ? null : actionOf(answer.reply, question);
  }
}

/** At RCPT a later restriction of theirs may still refuse for good; elsewhere Postfix knows no such thing, and 421 ends the session. */
function actionOf(reply: Reply, question: Question): string {
  return question.state === 'RCPT' && reply.code !== 421 ? `DEFER_IF_PERMIT ${reply.enhanced} ${reply.text}` : `${reply.code} ${reply.enhanced} ${reply.text}`;
}

/** 550 5.7.23 (RFC 7372 section 3.2), with what the domain says to it. */
function spfRefusal(spf: SpfResult, clientIp: string): string {
  const said = spf.explanation === null ? '' : `: ${spf.explanation.slice(0, 200)}`;
  return `550 5.7.23 SPF: ${spf.domain.slice(0, 255)} does not allow ${clientIp} to send its mail${said}`;
}
