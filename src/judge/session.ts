/** The judge beside one SMTP session: every check in its place, and the decision at the end. */
import { formatAddress } from '../mail/address.ts';
import { fieldBytes } from '../mail/edit.ts';
import { editedMessage } from '../mail/edited-message.ts';
import { networksOf } from '../net/networks.ts';
import type {
  Address,
  Answer,
  ContentFilter,
  HeaderEdit,
  JudgeSession,
  JudgeSymbol,
  MessageView,
  Orders,
  Recipient,
  Reply,
  Ruling,
  SmtpView,
  Visit,
} from '../ports.ts';
import type { Authenticity, AuthenticityResult } from './authenticity/verify.ts';
import type { Dns } from '../net/dns.ts';
import type { JudgeParts } from './compile.ts';
import { type AuthDns, authDns } from './authenticity/auth-dns.ts';
import { domainSymbols } from './domain-lists.ts';
import { ViewFacts, pathText } from './facts.ts';
import type { JudgeContext } from './judge.ts';
import { MilterView } from './milter-view.ts';
import type { MilterSession } from './milter/session.ts';
import type { MilterRuling } from './milter/ruling.ts';
import { PatternFilter } from './patterns/filter.ts';
import type { Decision } from './policy/decision.ts';
import { clientNames } from './policy/client-name.ts';
import { type ClientNames, newEffects, type PolicyEffects } from './policy/facts.ts';
import { SessionMemo } from './policy/memo.ts';
import type { Policy } from './policy/policy.ts';
import type { Stage } from './policy/stages.ts';
import { changedRecipients } from './recipients.ts';
import { RecordingDns } from './recorded-dns.ts';
import { HABIT_REASON } from './rates/habit.ts';
import { recordRefusal, type RefusalStage } from './refusal.ts';
import { forwardingDomain } from './seal.ts';
import { after, firstRefusal, type Soon } from './soon.ts';
import { spamHeaders, spamReply } from './spam.ts';
import { type Hard, type Sum, sumUp, weighed } from './verdict.ts';

const NO_SYMBOLS: readonly JudgeSymbol[] = [];
const ACCEPT: Sum = { action: 'accept', score: 0, by: 'score' };
const RELAY_DENIED: Reply = { code: 554, enhanced: '5.7.1', text: 'Relay access denied' };
const UNAVAILABLE: Reply = { code: 451, enhanced: '4.3.0', text: 'The message could not be checked, try again later' };
const ETRN_REFUSED: Reply = { code: 459, enhanced: '4.7.1', text: 'This server does not keep mail for that domain' };
const ETRN_UNKNOWN: Reply = { code: 458, enhanced: '4.3.0', text: 'Cannot tell now whether mail is kept for that domain' };
const HEADER_TOO_LARGE: Reply = { code: 552, enhanced: '5.3.4', text: 'The header of the message is larger than allowed here' };
/** Refusals of one session that are written into the journey; a dictionary attack is not worth more. */
const REFUSALS_RECORDED_MAX = 10;

export class SmtpJudge implements JudgeSession {
  readonly #context: JudgeContext;
  readonly #parts: JudgeParts;
  readonly #view: SmtpView;
  readonly #facts: ViewFacts;
  readonly #dns: RecordingDns | null;
  #authDns: AuthDns | null = null;
  readonly #authenticityUsed: Authenticity;
  readonly #memo: SessionMemo;
  readonly #milters: MilterSession;
  /** Of the client, which does not change: `judge.exempt` and `smtp.relayFrom`. */
  readonly #passesStrangersChecks: boolean;
  readonly #isInRelayNetworks: boolean;
  /** Aborted when the session is over: nobody waits any more. Made when somebody waits. */
  #aborter: AbortController | null = null;
  readonly #signal = (): AbortSignal => (this.#isClosed ? AbortSignal.abort(ENDED) : (this.#aborter ??= new AbortController()).signal);
  #isClosed = false;
  #effects: PolicyEffects = newEffects();
  #visit: Visit | null = null;
  /** Of the connection: lists that know the client. */
  #doorSymbols: readonly JudgeSymbol[] = NO_SYMBOLS;
  /** Of the message: lists that know its domains. */
  #listSymbols: readonly JudgeSymbol[] = NO_SYMBOLS;
  #holdReason = '';
  #discardReason = '';
  #isHeldForHabit = false;
  #refusals = 0;
  /** What was judged last, for `posthorn explain`. */
  lastSum: Sum = ACCEPT;
  lastSymbols: readonly JudgeSymbol[] = NO_SYMBOLS;
  lastAuthenticity: AuthenticityResult | null = null;
  lastDecision: { readonly stage: RefusalStage; readonly reply: Reply; readonly by: string } | null = null;

  /** `replay`: name lookups from a record instead of the resolver. */
  constructor(context: JudgeContext, parts: JudgeParts, view: SmtpView, replay: { readonly dns: Dns; readonly authenticity: Authenticity } | null = null) {
    this.#context = context;
    this.#authenticityUsed = replay?.authenticity ?? context.authenticity;
    this.#parts = parts;
    this.#view = view;
    this.#facts = new ViewFacts(view);
    this.#passesStrangersChecks = networksOf(parts.settings['judge.exempt']).has(view.client.ip);
    this.#isInRelayNetworks = networksOf(parts.settings['smtp.relayFrom']).has(view.client.ip);
    // Only what strangers send is recorded.
    const isRecorded = parts.settings['judge.record'] && view.mode === 'smtp' && !this.#isExempt && replay === null && !context.isDry;
    this.#dns = isRecorded ? new RecordingDns(context.dns) : null;
    this.#memo = new SessionMemo();
    this.#memo.dns = replay?.dns ?? this.#dns;
    if (view.client.told !== undefined) this.#memo.names = this.#facts.clientNames;
    this.#milters = parts.milters.isEmpty ? parts.milters.begin(NO_FACTS) : parts.milters.begin(new MilterView(view, this.#memo));
  }

  get memo(): SessionMemo {
    return this.#memo;
  }

  /** A client that nothing is known of, and that did not sign in. */
  get #isStranger(): boolean {
    return this.#view.mode === 'smtp' && this.#view.account === null && !this.#isExempt;
  }

  get #isExempt(): boolean {
    return this.#passesStrangersChecks || this.#isInRelayNetworks;
  }

  get #policy(): Policy | null {
    if (this.#view.mode === 'submission') return this.#parts.settings['judge.onSubmission'] ? this.#parts.policy : null;
    return this.#passesStrangersChecks ? this.#parts.exemptPolicy : this.#parts.policy;
  }

  // ── Before the message ─────────────────────────────────────────────────────────────────────────────

  greet(isBehindProxy = false): Answer {
    return firstRefusal([
      () => this.#rate('connections', this.#view.mode === 'smtp' ? 'inbound' : 'outbound'),
      // Whether it waits for its greeting, the proxy has seen.
      () => (isBehindProxy ? null : this.#enter()),
      () => this.#ask('client', 'CONNECT', 'connect'),
      () => this.#milters.connect(),
    ]);
  }

  #enter(): Answer {
    const { door } = this.#context;
    if (door === null || this.#view.mode !== 'smtp' || this.#isExempt) return null;
    const entered = door.enter(this.#view.client.ip);
    if (entered.kind !== 'wait') return this.#admitted(entered);
    this.#visit = entered;
    return entered.admission.then((admission) => {
      this.#visit = null;
      return this.#admitted(admission);
    });
  }

  #admitted(admission: { kind: 'greet'; symbols: readonly JudgeSymbol[] } | { kind: 'refuse'; reply: Reply }): Reply | null {
    // Here a flood is turned away: no socket is kept for the client's QUIT.
    if (admission.kind === 'refuse') return { ...admission.reply, closes: true };
    this.#doorSymbols = admission.symbols;
    return null;
  }

  talkedEarly(): void {
    if (this.#context.door !== null && this.#view.mode === 'smtp' && !this.#isExempt) this.#context.door.talkedEarly(this.#view.client.ip);
  }

  helo(): Answer {
    return firstRefusal([() => this.#ask('helo', this.#view.isEsmtp ? 'EHLO' : 'HELO', 'helo'), () => this.#milters.helo(this.#view.helo ?? '')]);
  }

  mail(): Answer {
    this.#effects = newEffects();
    this.#holdReason = '';
    this.#discardReason = '';
    this.#isHeldForHabit = false;
    this.#facts.forgetMessage();
    this.#dns?.forget(this.#ofClient);
    const { sender, senderText } = this.#view.envelope!;
    // Known by the time the message is judged: nobody waits for it then.
    if (this.#isStranger) void this.#names();
    return firstRefusal([
      () => this.#rate('messages'),
      () => this.#ask('sender', 'MAIL', 'mail'),
      () => this.#refusedAs('mail', 'a milter', this.#milters.mail(sender, parametersOf(senderText))),
    ]);
  }

  /** Looked up once in a session, and part of every message's record. */
  readonly #ofClient = (type: string, name: string): boolean => type === 'PTR' || name.toLowerCase() === this.#memo.names?.reverseName.toLowerCase();

  rcpt(recipient: Recipient, text: string): Answer {
    if (this.#view.mode === 'submission' && this.#view.account === null) return RELAY_DENIED;
    this.#facts.recipient = recipient.address;
    this.#facts.recipientText = pathText(text, recipient.address);
    const args = parametersOf(text);
    const answer = firstRefusal([
      () => this.#ask('recipient', 'RCPT', 'rcpt'),
      () => this.#rate('recipients', undefined, recipient.address),
      () => this.#greylistAll(recipient.address),
    ]);
    return after(answer, (refusal): Answer => {
      if (refusal !== null) {
        this.#milters.rejectedRcpt(recipient.address, refusal, args);
        return refusal;
      }
      return this.#refusedAs('rcpt', 'a milter', this.#milters.rcpt(recipient.address, args));
    });
  }

  /** Mode 'all': before the message is sent. */
  #greylistAll(recipient: Address): Answer {
    const { greylist } = this.#context;
    if (this.#parts.settings['greylist.mode'] !== 'all' || !this.#isStranger) return null;
    const ask = (): Reply | null => this.#greylist(greylist, [recipient], null, 'rcpt');
    return this.#parts.settings['greylist.exemptClients'].length === 0 ? ask() : after(this.#names(), ask);
  }

  #greylist(
    greylist: JudgeContext['greylist'],
    recipients: readonly Address[],
    spfPass: string | null,
    at: RefusalStage,
    judged?: Readonly<Record<string, unknown>>,
  ): Reply | null {
    const names = this.#memo.names;
    const answer = greylist.check({
      clientIp: this.#view.client.ip,
      clientName: names !== null && names.nameStatus === 'ok' ? names.name : this.#view.client.name,
      sender: this.#view.envelope?.sender ?? null,
      recipients,
      spfPass,
      now: this.#context.now(),
      isDry: this.#context.isDry,
    });
    return answer.kind === 'wait' ? this.#refused(at, answer.reply, 'greylisting', judged) : null;
  }

  data(): Answer {
    this.#onlyRecipient();
    return firstRefusal([() => this.#ask('data', 'DATA', 'data'), () => this.#refusedAs('data', 'a milter', this.#milters.data())]);
  }

  /** From DATA on the lists look at the recipient when it is the only one that was accepted. */
  #onlyRecipient(): void {
    const { recipients } = this.#view.envelope!;
    const only = recipients.length === 1 ? recipients[0]!.address : null;
    this.#facts.recipient = only;
    this.#facts.recipientText = only === null ? null : formatAddress(only);
  }

  ownsSender(sender: Address): Soon<boolean> {
    const login = this.#facts.login;
    return login !== null && this.#parts.ownsSender(login, sender);
  }

  etrn(domain: string): Answer {
    if (this.#policy === null) return ETRN_REFUSED;
    this.#facts.etrnDomain = domain;
    return after(this.#ask('etrn', 'ETRN', 'rcpt'), (refusal): Answer => {
      if (refusal !== null) return refusal;
      return this.#parts.isEtrnDomain(domain).then(
        (isOurs) => (isOurs ? null : ETRN_REFUSED),
        (cause: unknown) => {
          this.#context.log.warn('judge.failed', { session: this.#view.id, cause });
          return ETRN_UNKNOWN;
        },
      );
    });
  }

  #ask(stage: Stage, state: ViewFacts['state'], at: RefusalStage): Answer {
    const policy = this.#policy;
    if (policy === null) return null;
    this.#facts.state = state;
    return after(policy.evaluate(stage, this.#facts, this.#memo, this.#effects, this.#signal), (decision) => this.#decided(decision, at));
  }

  #decided(decision: Decision, at: RefusalStage): Reply | null {
    if (decision.kind === 'ok') return null;
    if (decision.kind === 'discard') {
      this.#discardReason ||= decision.by;
      return null;
    }
    return this.#refused(at, decision.reply, decision.by);
  }

  #rate(event: 'connections' | 'messages' | 'recipients', direction?: 'inbound' | 'outbound', recipient?: Address): Answer {
    const { rates, isDry } = this.#context;
    const where = direction ?? (this.#view.account === null ? 'inbound' : 'outbound');
    const subjects = {
      clientIp: this.#view.client.ip,
      account: this.#view.account?.login ?? null,
      sender: this.#view.envelope?.sender ?? null,
      recipients: recipient === undefined ? [] : [recipient],
    };
    const answer = isDry ? rates.look(where, event, subjects) : rates.check(where, event, subjects);
    return answer.kind === 'ok' ? null : this.#refused(event === 'connections' ? 'connect' : event === 'messages' ? 'mail' : 'rcpt', answer.reply, answer.rule);
  }

  #refusedAs(at: RefusalStage, by: string, answer: Answer): Answer {
    if (answer instanceof Promise) return answer.then((reply) => (reply === null ? null : this.#refused(at, reply, by)));
    return answer === null ? null : this.#refused(at, answer, by);
  }

  /** Every refusal passes here: it is recorded, and its words name what `posthorn trace` finds it by. */
  #refused(at: RefusalStage, reply: Reply, by: string, judged?: Readonly<Record<string, unknown>>): Reply {
    this.lastDecision = { stage: at, reply, by };
    if (this.#context.isDry || at === 'connect') return reply;
    const id = this.#view.envelope?.id;
    if (id === undefined) return reply;
    // Recipients can be guessed by the thousand; of messages a connection has `smtp.transactionsMax`.
    if (at !== 'message' && this.#refusals >= REFUSALS_RECORDED_MAX) {
      this.#context.metrics.count('judge.refused', 1, at);
      return reply;
    }
    if (at !== 'message') this.#refusals += 1;
    recordRefusal(this.#context, this.#view, at === 'rcpt' && this.#facts.recipient !== null ? [this.#facts.recipient] : null, at, reply, by, judged);
    return { ...reply, text: `${reply.text}; ref ${id}` };
  }

  // ── The message ────────────────────────────────────────────────────────────────────────────────────

  content(): ContentFilter | null {
    const { patterns, settings } = this.#parts;
    const envelope = this.#view.envelope;
    if (patterns === null || envelope === null || (this.#view.mode === 'submission' && !settings['patterns.submission'])) return null;
    return new PatternFilter(patterns, {
      log: this.#context.log,
      id: envelope.id,
      effects: this.#effects,
      onReason: (kind, text) => {
        if (kind === 'hold') this.#holdReason ||= text;
        else this.#discardReason ||= text;
      },
      onRefusal: (reply, table) => this.#refused('message', reply, table),
    });
  }

  message(view: MessageView): Soon<Ruling> {
    try {
      const ruling = this.#judge(view);
      return ruling instanceof Promise ? this.#inTime(ruling) : ruling;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** What takes too long is asked to come back; nobody waits for the late answer. */
  #inTime(ruling: Promise<Ruling>): Promise<Ruling> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#context.log.warn('judge.timeout', { id: this.#view.envelope?.id, client: this.#view.client.ip });
        resolve(refusedWith(this.#refused('message', UNAVAILABLE, 'judge.timeout')));
      }, this.#parts.settings['judge.timeout']);
      timer.unref();
      ruling.then(
        (ruled) => {
          clearTimeout(timer);
          resolve(ruled);
        },
        (error: unknown) => {
          clearTimeout(timer);
          resolve(this.#failed(error));
        },
      );
    });
  }

  #failed(error: unknown): Ruling {
    // The client has gone and the message with it: nobody hears this answer.
    if (this.#isClosed) return refusedWith(UNAVAILABLE);
    this.#context.log.error('judge.failed', { id: this.#view.envelope?.id, cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    return refusedWith(UNAVAILABLE);
  }

  #judge(view: MessageView): Soon<Ruling> {
    if (view.header.length > this.#parts.settings['judge.headerBytesMax'] || !isWholeHeader(view))
      return refusedWith(this.#refused('message', HEADER_TOO_LARGE, 'judge.headerBytesMax'));
    this.#facts.messageBytes = view.size;
    const { envelope } = this.#view;
    return after(this.#ask('endOfData', 'END-OF-MESSAGE', 'message'), (refusal): Soon<Ruling> => {
      if (refusal !== null) return refusedWith(refusal);
      if (this.#effects.isDiscarded) return this.#discarded(this.#discardReason || 'a rule says DISCARD');
      return after(this.#authenticity(view), (authenticity) => {
        const own = this.#withoutForgeries(view, authenticity);
        return after(this.#domainLists(view, authenticity), () =>
          after(this.#milters.endOfMessage(own), (milters) =>
            // Another transaction has begun: this one was too late.
            this.#view.envelope === envelope ? this.#decide(view, own, authenticity, milters) : refusedWith(UNAVAILABLE),
          ),
        );
      });
    });
  }

  /** Asks the lists of domains about the sender, the author and the links. */
  #domainLists(view: MessageView, authenticity: AuthenticityResult | null): Soon<void> {
    this.#listSymbols = NO_SYMBOLS;
    const { door } = this.#context;
    if (door === null || authenticity === null || this.#parts.settings['door.domainLists'].length === 0) return undefined;
    const query = (domain: string) => door.queryDomainLists(domain);
    return after(domainSymbols(view, this.#view.envelope!.sender, authenticity, query), (symbols) => {
      this.#listSymbols = symbols;
    });
  }

  /** Of the client; looked up once in a session, and never rejects. */
  #names(): Soon<ClientNames> {
    const memo = this.#memo;
    return this.#facts.clientNames ?? memo.names ?? after(clientNames(memo.dns ?? this.#context.dns, this.#view.client.ip), (names) => (memo.names = names));
  }

  #authenticity(view: MessageView): Soon<AuthenticityResult | null> {
    return this.#isStranger ? after(this.#names(), (names) => this.#verify(view, names)) : null;
  }

  #verify(view: MessageView, names: ClientNames): Soon<AuthenticityResult> {
    const envelope = this.#view.envelope!;
    // Name servers that do not answer say nothing about the client.
    const isKnown = names.reverseStatus !== 'temporary' && names.nameStatus !== 'temporary';
    const options: { dns?: AuthDns; reverse?: { name: string | null; isConfirmed: boolean } } = {};
    if (this.#dns !== null) options.dns = this.#authDns ??= authDns(this.#dns);
    if (isKnown) options.reverse = { name: names.reverseStatus === 'ok' ? names.reverseName : null, isConfirmed: names.nameStatus === 'ok' };
    return this.#authenticityUsed.verify(
      {
        id: envelope.id,
        source: 'smtp',
        client: this.#view.client,
        helo: this.#view.helo,
        sender: envelope.sender,
        recipients: envelope.recipients.map(({ address }) => address),
        auth: null,
        tls: this.#view.tls?.version ?? null,
        at: this.#context.now(),
        message: view,
      },
      options,
    );
  }

  /**
   * Without the fields that speak in our name. Before the milters see it: they believe such fields, and what they add themselves under the
   * same names must not be counted among those to go.
   */
  #withoutForgeries(view: MessageView, authenticity: AuthenticityResult | null): MessageView {
    if (authenticity === null) return view;
    const removals = authenticity.edits.filter(({ kind }) => kind !== 'prepend');
    if (this.#parts.settings['judge.spamHeaders']) removals.push(...spamHeaders.removals(view));
    return editedMessage(view, removals);
  }

  /** `view` is the message as it came, `own` without what others wrote in our name: what milters have seen. */
  #decide(view: MessageView, own: MessageView, authenticity: AuthenticityResult | null, milters: MilterRuling): Soon<Ruling> {
    const { settings, weights, thresholds } = this.#parts;
    const envelope = this.#view.envelope!;
    const addresses = envelope.recipients.map(({ address }) => address);
    // What the lists say of a client does not count against an account that sends from there.
    const isJudged = authenticity !== null;
    const symbols = isJudged ? weighed([...this.#doorSymbols, ...authenticity.symbols, ...this.#listSymbols], weights) : NO_SYMBOLS;
    const limits = thresholds.for(addresses);
    const hard: Hard[] = [];
    if (authenticity !== null && authenticity.dmarc.disposition !== 'none')
      hard.push({ action: authenticity.dmarc.disposition, by: authenticity.dmarc.disposition === 'reject' ? 'DMARC_REJECT' : 'DMARC_QUARANTINE' });
    if (milters.action !== 'accept') hard.push({ action: milters.action, by: milters.milter ?? 'a milter' });
    const added = sumUp(symbols, hard, limits);
    // Whether the client is asked to come back is greylisting's word, further down; here it is a message that goes on.
    const sum: Sum = added.action === 'greylist' ? { ...added, action: 'accept' } : added;
    this.lastSum = sum;
    this.lastSymbols = symbols;
    this.lastAuthenticity = authenticity;
    const judged = isJudged ? this.#judged(sum, symbols) : undefined;

    if (sum.action === 'reject' || sum.action === 'defer') {
      if (sum.action === 'reject') this.#report(authenticity);
      const reply =
        sum.by === milters.milter && milters.reply !== null
          ? milters.reply
          : sum.by === 'DMARC_REJECT'
            ? authenticity!.reply!
            : spamReply(sum, symbols, limits);
      return refusedWith(this.#refused('message', reply, sum.by, this.#withHeader(judged, view)));
    }
    if (sum.action === 'discard') {
      this.#report(authenticity);
      return this.#discarded(`${sum.by} says discard`, judged);
    }
    // What is likely spam is asked to come back first, also when it would be marked: only senders of spam do not.
    if (settings['greylist.mode'] === 'likelySpam' && this.#isStranger && sum.score >= limits.greylist) {
      const spfPass = authenticity?.spf?.result === 'pass' ? authenticity.spf.domain : null;
      const comesBack = { ...sum, action: 'greylist' } as const;
      const wait = this.#greylist(
        this.#context.greylist,
        addresses,
        spfPass,
        'message',
        judged === undefined ? undefined : this.#withHeader({ ...judged, action: 'greylist' }, view),
      );
      if (wait !== null) {
        this.lastSum = comesBack;
        return refusedWith(wait);
      }
    }
    const rates = this.#bytes(view.size, addresses);
    if (rates !== null) return refusedWith(rates);
    this.#report(authenticity);

    const isSpam = sum.score >= limits.addHeader;
    const isQuarantined = sum.action === 'quarantine';
    const before: Buffer[] = [];
    for (const edit of authenticity?.edits ?? NO_EDITS) if (edit.kind === 'prepend') before.unshift(fieldBytes(edit.name, edit.value));
    const edited = editedMessage(own, milters.edits, milters.body);
    const message = edited === view ? null : edited;
    if (authenticity !== null && settings['judge.spamHeaders']) before.push(...spamHeaders.fields(sum, symbols, limits));
    for (const line of this.#effects.prepend) before.push(Buffer.from(`${line.replace(/[\r\n\0]+/g, ' ')}\r\n`, 'utf8'));
    const spam = authenticity === null ? null : { score: sum.score, threshold: limits.addHeader, isSpam, symbols };
    const orders: Orders = { ...this.#orders(judged, isSpam, isQuarantined, milters), spam };
    const changes = {
      redirect: this.#effects.redirect,
      bcc: this.#effects.bcc,
      added: milters.addedRecipients.map((added) => added.address),
      removed: milters.removedRecipients,
    };
    return after(changedRecipients(envelope.recipients, changes, this.#context, envelope.id), (recipients): Soon<Ruling> => {
      if (recipients?.length === 0) return this.#discarded('the last recipient was taken away', judged);
      const ruling: Ruling = {
        reply: null,
        discard: null,
        orders,
        before: null,
        message,
        ...(milters.sender === null ? {} : { sender: milters.sender.address }),
        ...(recipients === undefined ? {} : { recipients }),
      };
      return after(this.#endorse(message ?? view, authenticity, recipients ?? envelope.recipients), ({ signatures, seal }) => {
        for (const value of signatures) before.push(fieldBytes('DKIM-Signature', value));
        before.unshift(...seal);
        return before.length === 0 ? ruling : { ...ruling, before: before.length === 1 ? before[0]! : Buffer.concat(before) };
      });
    });
  }

  /** Counted for the domain's DMARC report once it is decided: a message that is to come back is counted when it does. */
  #report(authenticity: AuthenticityResult | null): void {
    if (authenticity !== null && authenticity.report !== null && !this.#context.isDry) this.#context.collector.add(authenticity.report);
  }

  /** Our word for the message: a signature for that of our own people, a seal for what goes on in a stranger's name. */
  #endorse(
    view: MessageView,
    authenticity: AuthenticityResult | null,
    recipients: readonly Recipient[],
  ): Soon<{ readonly signatures: readonly string[]; readonly seal: readonly Buffer[] }> {
    if (authenticity === null) return after(this.#sign(view), (signatures) => ({ signatures, seal: [] }));
    const domain = this.#context.isDry ? null : forwardingDomain(recipients);
    if (domain === null) return NO_ENDORSEMENT;
    return after(this.#context.seal(view, authenticity, domain), (seal) => ({ signatures: [], seal }));
  }

  /** Mail of our own people carries our signature. */
  #sign(view: MessageView): Soon<readonly string[]> {
    const isOurs = this.#view.account !== null || (this.#view.mode === 'smtp' && this.#isInRelayNetworks);
    if (!isOurs || this.#context.isDry) return [];
    return this.#context.sign(view);
  }

  #orders(judged: Orders['judged'], isSpam: boolean, isQuarantined: boolean, milters: MilterRuling): Orders {
    const { settings } = this.#parts;
    const isHeldBack = isQuarantined && settings['judge.quarantine'] === 'hold';
    const reason = this.#effects.isHeld
      ? this.#holdReason || 'a rule says HOLD'
      : isHeldBack
        ? (milters.reason ?? `quarantined: ${this.lastSum.by}`)
        : this.#context.isDry || this.#view.account === null
          ? null
          : this.#context.holdForHabit(this.#view.account, this.#view.envelope!.recipients.length, this.#view.client);
    this.#isHeldForHabit = reason === HABIT_REASON;
    const isJunk = (isQuarantined && !isHeldBack) || (isSpam && settings['judge.spamToJunk']);
    return {
      ...(reason === null ? {} : { hold: reason }),
      ...(isJunk ? { isJunk } : {}),
      // What a content filter gives back comes from a client of judge.exempt: the rule that sent it there must not do so again.
      ...(this.#effects.filter === null || this.#effects.redirect !== null || this.#passesStrangersChecks ? {} : { nexthop: this.#effects.filter }),
      ...(judged === undefined ? {} : { judged }),
    };
  }

  #bytes(size: number, recipients: readonly Address[]): Reply | null {
    const { rates, isDry } = this.#context;
    const where = this.#view.account === null ? 'inbound' : 'outbound';
    const subjects = { clientIp: this.#view.client.ip, account: this.#view.account?.login ?? null, sender: this.#view.envelope?.sender ?? null, recipients };
    const answer = isDry ? rates.look(where, 'bytes', subjects, size) : rates.check(where, 'bytes', subjects, size);
    return answer.kind === 'ok' ? null : this.#refused('message', answer.reply, answer.rule);
  }

  #discarded(rule: string, judged?: Orders['judged']): Ruling {
    this.lastSum = { ...this.lastSum, action: 'discard', by: rule };
    return { ...ACCEPTED, discard: rule, orders: judged === undefined ? {} : { judged } };
  }

  #judged(sum: Sum, symbols: readonly JudgeSymbol[]): Readonly<Record<string, unknown>> {
    const names: Record<string, number> = {};
    for (const { name, score } of symbols) names[name] = score;
    return { action: sum.action, score: sum.score, by: sum.by, symbols: names, dns: this.#dns?.recorded() };
  }

  /** What is refused is kept nowhere: its header travels with the record, so that it can be judged again. */
  #withHeader(judged: Readonly<Record<string, unknown>> | undefined, view: MessageView): Readonly<Record<string, unknown>> | undefined {
    if (judged === undefined || !this.#parts.settings['judge.record']) return judged;
    return { ...judged, header: Buffer.from(view.header.subarray(0, HEADER_RECORDED_MAX)).toString('latin1'), size: view.size };
  }

  // ── After it ───────────────────────────────────────────────────────────────────────────────────────

  settled(isAccepted: boolean): void {
    // What is held for being unlike the account is part of its habit once it is released.
    if (this.#context.isDry || !isAccepted || this.#isHeldForHabit) return;
    const { account, envelope } = this.#view;
    if (account !== null && envelope !== null) this.#context.sent(account, envelope.recipients.length);
  }

  reset(): void {
    this.#milters.abort();
    this.#effects = newEffects();
  }

  close(): void {
    this.#isClosed = true;
    this.#aborter?.abort(ENDED);
    this.#visit?.left();
    this.#visit = null;
    this.#milters.close();
  }
}

const NO_EDITS: readonly HeaderEdit[] = [];
const NO_ENDORSEMENT = { signatures: [], seal: [] };
const HEADER_RECORDED_MAX = 5 * 1024;
const ACCEPTED: Ruling = { reply: null, discard: null, orders: {}, before: null, message: null };
const NO_FACTS = null as never;
/** Made once: by itself, abort() makes an error with a stack for each session. */
const ENDED = new DOMException('The session has ended', 'AbortError');

/** A large message shows only the part of its header that is held in memory: without the blank line at its end there was more. */
function isWholeHeader({ bytes, header, size }: MessageView): boolean {
  if (bytes !== null || header.length >= size) return true;
  const end = header.length;
  return header[end - 1] === 10 && (end === 2 || header[end - 3] === 10);
}

function refusedWith(reply: Reply): Ruling {
  return { ...ACCEPTED, reply };
}

/** "SIZE=100", "BODY=8BITMIME" of "<a@b> SIZE=100 BODY=8BITMIME". */
function parametersOf(text: string): readonly string[] {
  const end = text.lastIndexOf('>');
  const rest = end === -1 ? '' : text.slice(end + 1).trim();
  return rest === '' ? [] : rest.split(/ +/);
}
