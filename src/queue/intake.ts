/**
 * The door between receiving and keeping: expands recipients, checks for loops, and has the writer put the message
 * into all mailboxes and the queue in one transaction. A reply leaves here only after that transaction is durable.
 */
import { formatAddress } from '../mail/address.ts';
import type {
  Address,
  Directory,
  Envelope,
  Intake,
  Journey,
  LocalTarget,
  Log,
  MessageId,
  Metrics,
  Orders,
  Recipient,
  RemoteTarget,
  Reply,
  Resolution,
  Router,
  StagedMessage,
  Staging,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import type { FilterPlan, FilterStep, Mailroom } from '../deliver/mailroom/types.ts';
import type { AcceptInput, AcceptOutput, Arrival, LocalDelivery, RemoteRecipient } from '../store/operations/accept.types.ts';
import { FAILURES, Failure } from '../system/failure.ts';
import type { FailureCode } from '../ports.ts';
import { discardUnused } from './unused.ts';

export interface IntakeContext {
  readonly directory: Directory;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly journey: Journey;
  readonly log: Log;
  readonly metrics: Metrics;
  /** More Received fields than this is a loop (RFC 5321 section 6.3). */
  receivedMax(): number;
  /** Where addresses lead that come only now: copies for always_bcc and the like. Left out: nobody asks for copies. */
  readonly router?: Router;
  /** Where messages that rules make are staged. Left out: nothing of what comes to nothing is removed before the next start. */
  readonly staging?: Pick<Staging, 'discard'>;
  /** The accounts' own rules. Left out: everything goes to the inbox (or junk). */
  readonly mailroom?: Mailroom;
  /** The sender under which a stranger's mail leaves by an alias (SRS), or null: it stays. Left out: it always stays. */
  onwardSender?(sender: Address): Address | null | Promise<Address | null>;
  /** May aliases send spam on to other hosts (`forwarding.spam`)? Left out: yes. */
  forwardsSpam?(): boolean;
  /** Ids for entries of the queue beside the message's own. Left out: nothing is taken that needs them. */
  newId?(): MessageId;
  /** Told of local deliveries whose sender asked for NOTIFY=SUCCESS, after the commit. */
  onDelivered?(envelope: Envelope, message: StagedMessage, recipients: readonly Recipient[]): void;
  /** Told of every local delivery, after the commit: for mail that is for the server itself. */
  onLocal?(envelope: Envelope, delivery: { readonly accountId: number; readonly mailboxId: number; readonly uid: number }): void;
}

const LOOP: Reply = { code: 554, enhanced: '5.4.6', text: 'Mail loop: this message was here before' };
const TOO_MANY_HOPS: Reply = { code: 554, enhanced: '5.4.6', text: 'Too many hops: the message has passed more mail servers than is plausible' };
const UNKNOWN: Reply = { code: 550, enhanced: '5.1.1', text: 'No such user here' };
const DISABLED: Reply = { code: 550, enhanced: '5.2.1', text: 'This mailbox is switched off' };

const NO_ORDERS: Orders = {};

const TABLE_DOWN: Reply = { code: 451, enhanced: '4.3.0', text: 'A lookup table does not answer now, try again later' };

/** Steps of a filter named in one journey row. */
const STEPS_MAX = 32;
/** Recipients named in one journey row; the rest are counted. */
const JOURNEY_RECIPIENTS_MAX = 50;

export function failureReply(code: FailureCode): Reply {
  const [replyCode, enhanced, text] = FAILURES[code].smtp;
  return { code: replyCode, enhanced, text };
}

/** NOTIFY as the queue keeps it (RFC 3461 section 4.1). */
export function notifyText(recipient: Recipient): string | null {
  if (recipient.notify === null) return null;
  return recipient.notify === 'never' ? 'never' : [...recipient.notify].sort().join(',');
}

/** Where the recipients of one transaction lead, with each target once. */
interface Expansion {
  readonly deliveries: LocalDelivery[];
  readonly remote: RemoteRecipient[];
  /** What is sent on in another's name (the owner of a list), by that name. */
  readonly inNameOf: ReadonlyMap<string, RemoteRecipient[]>;
  /** For each recipient: indexes into `deliveries`, whether anything of it is remote, or why it cannot be. */
  readonly outcomes: { local: readonly number[]; isRemote: boolean; refusal: Reply | null }[];
  /** For each of `deliveries`: the recipient that first led there, and the plus detail. */
  readonly causes: { readonly recipient: Recipient; readonly target: LocalTarget }[];
  /** Targets of aliases at other hosts that do not get it because it is spam. */
  readonly notSentOn: readonly string[];
}

const encoder = new TextEncoder();

/**
 * Return-Path at final delivery (RFC 5321 section 4.4) and Delivered-To, by which loops are noticed. Bytes of their own: a Buffer
 * from the pool would take the whole pool along when it travels to the writer.
 */
export function tracePrefix(sender: string | null, deliveredTo: string): Uint8Array {
  return encoder.encode(`Return-Path: <${sender ?? ''}>\r\nDelivered-To: ${deliveredTo}\r\n`);
}

const isSentTo = (recipient: Recipient, address: string): boolean => formatAddress(recipient.address) === address;

const NOBODY_ELSE: ReadonlyMap<string, RemoteRecipient[]> = new Map();

export function expand(
  recipients: readonly Recipient[],
  sender: string | null,
  deliveredToBefore: readonly string[],
  orders: Orders = NO_ORDERS,
  onwardSender: Address | null = null,
  keepsSpam = false,
): Expansion {
  const deliveries: LocalDelivery[] = [];
  const remote: RemoteRecipient[] = [];
  const causes: { recipient: Recipient; target: LocalTarget }[] = [];
  let inNameOf: Map<string, RemoteRecipient[]> | null = null;
  const notSentOn: string[] = [];
  const accounts = new Map<number, number>();
  const addresses = new Set<string>();
  const seenBefore = new Set(deliveredToBefore.map((address) => address.toLowerCase()));
  const addRemote = (target: RemoteTarget, recipient: Recipient): void => {
    const text = formatAddress(target);
    const { task, nexthop } = target;
    const key = task === undefined ? text : `${text} ${JSON.stringify(task)}`;
    if (addresses.has(key)) return;
    addresses.add(key);
    // Where an alias led to work on this machine, X-Original-To and the filters are told how the message was addressed.
    const orcpt = recipient.orcpt ?? (task === undefined || isSentTo(recipient, text) ? null : `rfc822;${formatAddress(recipient.address)}`);
    const one: RemoteRecipient = { address: text, domain: target.domain, orcpt, notify: notifyText(recipient), nexthop, task };
    const named = target.sender === undefined && onwardSender !== null && isSentOn(target, recipient) ? onwardSender : target.sender;
    const owner = named === undefined ? sender : named === null ? null : formatAddress(named);
    if (owner === sender) remote.push(one);
    else {
      inNameOf ??= new Map();
      const list = inNameOf.get(owner ?? '');
      if (list === undefined) inNameOf.set(owner ?? '', [one]);
      else list.push(one);
    }
  };
  const outcomes = recipients.map((recipient) => {
    const resolution = recipient.resolution;
    // A filter gets the message as it came, for the recipients as they were named; it gives it back by SMTP.
    if (resolution.kind === 'foreign' || (orders.nexthop !== undefined && resolution.kind === 'deliver')) {
      addRemote(recipient.address, recipient);
      return { local: [], isRemote: true, refusal: null };
    }
    if (resolution.kind !== 'deliver') return { local: [], isRemote: false, refusal: refusalOf(resolution) };
    // Before any target is added: a recipient that is refused must not be delivered to in part.
    if (seenBefore.size > 0 && resolution.local.some((target) => seenBefore.has(formatAddress(target.address).toLowerCase())))
      return { local: [], isRemote: false, refusal: LOOP };
    const local: number[] = [];
    for (const target of resolution.local) {
      const finalAddress = formatAddress(target.address);
      let index = accounts.get(target.accountId);
      if (index === undefined) {
        index = deliveries.length;
        accounts.set(target.accountId, index);
        const returnPath = target.sender === undefined ? sender : target.sender === null ? null : formatAddress(target.sender);
        causes.push({ recipient, target });
        deliveries.push({
          accountId: target.accountId,
          prefix: tracePrefix(returnPath, finalAddress),
          mailbox: { role: orders.isJunk === true ? 'junk' : 'inbox' },
          flags: 0,
          keywords: null,
          address: finalAddress,
          orcpt: recipient.orcpt,
          notify: notifyText(recipient),
        });
      }
      local.push(index);
    }
    let isRemote = false;
    for (const target of resolution.remote) {
      // Somebody here has it: spam need not go on in our name. Where nobody has, it must not be lost.
      if (keepsSpam && local.length > 0 && isSentOn(target, recipient)) {
        notSentOn.push(formatAddress(target));
        continue;
      }
      isRemote = true;
      addRemote(target, recipient);
    }
    return { local, isRemote, refusal: null };
  });
  return { deliveries, remote, inNameOf: inNameOf ?? NOBODY_ELSE, outcomes, causes, notSentOn };
}

/** In the words of a table, where it has some: they may say "later". */
function refusalOf(resolution: Exclude<Resolution, { kind: 'deliver' | 'foreign' }>): Reply {
  if (resolution.kind === 'unknown') return resolution.reply ?? UNKNOWN;
  return resolution.kind === 'loop' ? LOOP : DISABLED;
}

/** What the rules of the accounts say, in the order of the expansion's deliveries. */
type Plans = (FilterPlan | null)[];

/** An entry of its own for the recipients that hear of the message in another name; its journey leads back to the message. */
function underOwnId(input: AcceptInput, id: MessageId): AcceptInput {
  const to = input.remote.map(({ address }) => address);
  const fields = { source: 'alias', from: input.sender ?? '<>', to, recipients: to.length, size: input.message.size, about: input.id };
  return { ...input, id, journey: { id, at: input.at, stage: 'receive', event: 'accepted', keys: [...to, input.id], fields } };
}

/** Within one domain nothing is sent on: it is the same user on another host. */
function isSentOn({ task, domain }: RemoteTarget, { address }: Recipient): boolean {
  return task === undefined && domain !== address.domain;
}

/** A message ready for the writer, or why it is refused. */
export type Prepared =
  | { readonly kind: 'refused'; readonly reply: Reply; readonly perRecipient: Reply[] /** The rules that refused. */; readonly plans?: Plans | null }
  | { readonly kind: 'ready'; readonly input: AcceptInput; readonly expansion: Expansion; readonly plans: Plans | null };

export class StoreIntake implements Intake {
  readonly #context: IntakeContext;

  constructor(context: IntakeContext) {
    this.#context = context;
  }

  checkRecipient(recipient: Recipient, sizeBytes: number): Reply | null {
    const resolution = recipient.resolution;
    if (resolution.kind !== 'deliver' || resolution.local.length !== 1 || resolution.remote.length > 0) return null;
    const account = this.#context.directory.account(resolution.local[0]!.accountId);
    if (account === null || (account.quotaBytes === 0 && account.quotaMessages === 0)) return null;
    const usage = this.#context.reader.usage(account.id);
    if (usage === null) return null;
    const isFull =
      (account.quotaBytes !== 0 && usage.bytes + Math.max(1, sizeBytes) > account.quotaBytes) ||
      (account.quotaMessages !== 0 && usage.messages + 1 > account.quotaMessages);
    return isFull ? failureReply('overQuota') : null;
  }

  accept(envelope: Envelope, message: StagedMessage, orders: Orders = NO_ORDERS): Promise<{ reply: Reply; perRecipient: Reply[] }> {
    const { router } = this.#context;
    if (router === undefined) return this.#acceptAll(envelope, message, orders);
    let asked: readonly Address[] | Promise<readonly Address[]>;
    try {
      asked = router.copies(
        envelope.sender,
        envelope.recipients.map(({ address }) => address),
      );
    } catch (error) {
      asked = Promise.reject(error);
    }
    // The usual case: nobody else gets a copy.
    if (!(asked instanceof Promise) && asked.length === 0) return this.#acceptAll(envelope, message, orders);
    return this.#acceptWithCopies(envelope, message, orders, asked, router);
  }

  async #acceptWithCopies(
    envelope: Envelope,
    message: StagedMessage,
    orders: Orders,
    asked: readonly Address[] | Promise<readonly Address[]>,
    router: Router,
  ): Promise<{ reply: Reply; perRecipient: Reply[] }> {
    const copies = await this.#copies(envelope, message, asked, router);
    if (copies === null) return this.#refuse(envelope, TABLE_DOWN);
    const answer = await this.#acceptAll({ ...envelope, recipients: [...envelope.recipients, ...copies] }, message, orders);
    return { reply: answer.reply, perRecipient: answer.perRecipient.slice(0, envelope.recipients.length) };
  }

  /** Further recipients, resolved; null when a table cannot answer. Nobody is told of theirs, and none of them costs the message. */
  async #copies(
    envelope: Envelope,
    message: StagedMessage,
    asked: readonly Address[] | Promise<readonly Address[]>,
    router: Router,
  ): Promise<Recipient[] | null> {
    const { log } = this.#context;
    try {
      const addresses = await asked;
      const seenBefore = new Set(message.digest.deliveredTo.map((address) => address.toLowerCase()));
      const copies: Recipient[] = [];
      for (const address of addresses) {
        const resolution = await router.resolve(address, envelope.sender);
        const isLoop = resolution.kind === 'deliver' && resolution.local.some((target) => seenBefore.has(formatAddress(target.address).toLowerCase()));
        if ((resolution.kind === 'deliver' && !isLoop) || resolution.kind === 'foreign') copies.push({ address, resolution, notify: 'never', orcpt: null });
        // A message that was in the archive before is there; an archive that is not is the administrator's mistake, not the sender's.
        else if (!isLoop) log.warn('route.copy.failed', { id: envelope.id, to: formatAddress(address), cause: resolution.kind });
      }
      return copies;
    } catch (error) {
      log.error('route.unavailable', { id: envelope.id, cause: (error as Error).message });
      return null;
    }
  }

  async prepare(
    envelope: Envelope,
    message: StagedMessage,
    orders: Orders = NO_ORDERS,
    arrival: Arrival | null = arrivalOf(envelope, orders),
  ): Promise<Prepared> {
    const digest = message.digest;
    if (digest.receivedCount > this.#context.receivedMax())
      return { kind: 'refused', reply: TOO_MANY_HOPS, perRecipient: envelope.recipients.map(() => TOO_MANY_HOPS) };
    const sender = envelope.sender === null ? null : formatAddress(envelope.sender);
    const asked = this.#onwardSender(envelope);
    const keepsSpam = (orders.isJunk === true || orders.spam?.isSpam === true) && this.#context.forwardsSpam?.() === false;
    const expansion = expand(envelope.recipients, sender, digest.deliveredTo, orders, asked instanceof Promise ? await asked : asked, keepsSpam);
    // SMTP has one reply: a recipient that cannot be (a loop) must not vanish behind the 250 for the others. LMTP and pickup hear of each.
    const hearsOfEach = envelope.source === 'lmtp' || envelope.source === 'pickup';
    const planning = this.#sort(envelope, message, orders, expansion, arrival, hearsOfEach);
    const plans = planning instanceof Promise ? await planning : planning;
    const deliveries = plans === null ? expansion.deliveries : applyPlans(expansion, plans);
    const others = [...expansion.inNameOf];
    if (deliveries.length === 0 && expansion.remote.length === 0 && others.length === 0) {
      const refusals = expansion.outcomes.map((outcome) => outcome.refusal ?? UNKNOWN);
      return { kind: 'refused', reply: refusals[0] ?? UNKNOWN, perRecipient: refusals, plans };
    }
    const refusal = expansion.outcomes.find((outcome) => outcome.refusal !== null)?.refusal ?? null;
    if (refusal !== null && !hearsOfEach) return { kind: 'refused', reply: refusal, perRecipient: envelope.recipients.map(() => refusal) };
    // One target: its fullness is the answer. Several: those that have room get the message, the others wait in the queue.
    const isOneEach =
      envelope.source === 'lmtp'
        ? expansion.outcomes.every((o) => o.local.length <= 1)
        : deliveries.length + expansion.remote.length === 1 && others.length === 0;
    const mayWait = orders.hold !== undefined || (!isOneEach && deliveries.length > 0) || hasTask(expansion.remote) || others.length > 0;
    const input: AcceptInput = {
      id: envelope.id,
      at: envelope.at,
      source: envelope.source,
      sender,
      accountId: envelope.auth?.id ?? null,
      message,
      deliveries,
      remote: expansion.remote,
      envid: envelope.dsn.envid,
      ret: envelope.dsn.ret,
      smtputf8: envelope.smtputf8,
      whenFull: isOneEach ? 'refuse' : 'queue',
      journey: null,
      hold: orders.hold ?? null,
      nexthop: orders.nexthop ?? null,
      isJunk: orders.isJunk === true,
      arrival: mayWait ? arrival : null,
    };
    if (others.length > 0) {
      const base: AcceptInput = { ...input, deliveries: [], sharesMessage: true };
      // One entry of the queue for each sender, and an id for each entry: the first goes by that of the message where nothing else is queued.
      const isFree = deliveries.length === 0 && expansion.remote.length === 0;
      const also = others.map(([name, remote], i): AcceptInput => {
        const one = { ...base, sender: name === '' ? null : name, remote };
        return (isFree && i === 0) || this.#context.newId === undefined ? one : underOwnId(one, this.#context.newId());
      });
      return { kind: 'ready', input: { ...input, also }, expansion, plans };
    }
    return { kind: 'ready', input, expansion, plans };
  }

  /** SPF of the next host asks about the sender: a stranger's mail that an alias sends elsewhere leaves in our name. */
  #onwardSender({ sender, recipients }: Envelope): Address | null | Promise<Address | null> {
    const { onwardSender } = this.#context;
    if (sender === null || onwardSender === undefined) return null;
    const goesOn = recipients.some((one) => one.resolution.kind === 'deliver' && one.resolution.remote.some((target) => isSentOn(target, one)));
    return goesOn ? onwardSender(sender) : null;
  }

  async #acceptAll(envelope: Envelope, message: StagedMessage, orders: Orders): Promise<{ reply: Reply; perRecipient: Reply[] }> {
    const { writer, log, metrics } = this.#context;
    const prepared = await this.prepare(envelope, message, orders);
    if (prepared.kind === 'refused') {
      metrics.count('intake.refused', 1, prepared.reply.enhanced);
      for (const plan of prepared.plans ?? []) if (plan !== null && plan.refusal !== null) this.#recordRefusal(envelope, plan.refusal, plan);
      return prepared;
    }
    const { input, expansion, plans } = prepared;
    let output: AcceptOutput;
    try {
      output = await writer.run<AcceptOutput>('accept', input);
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'storeBusy';
      log.error('message.refused', { id: envelope.id, failure: code, cause: (error as Error).message });
      return this.#refuse(envelope, failureReply(code));
    }
    metrics.count('intake.accepted', 1, envelope.source);
    this.#record(envelope, message, input, expansion, output, orders);
    if (plans !== null) {
      this.#recordPlans(envelope, input, expansion, plans);
      if (this.#context.staging !== undefined) discardUnused(this.#context.staging, input.deliveries, output.deliveries);
    }
    // Whom an account writes to is no stranger to it.
    const { mailroom } = this.#context;
    if (envelope.auth !== null && mailroom?.asksStrangers?.(envelope.auth.id) === true) mailroom.wroteTo?.(envelope.auth.id, envelope.recipients);
    if (this.#context.onLocal !== undefined)
      output.deliveries.forEach((result, i) => {
        if (result.kind === 'delivered')
          this.#context.onLocal!(envelope, { accountId: input.deliveries[i]!.accountId, mailboxId: result.mailboxId, uid: result.uid });
      });
    return this.#replies(envelope, expansion, output);
  }

  /** Asks each account's rules; null when no account has any. */
  #sort(
    envelope: Envelope,
    message: StagedMessage,
    orders: Orders,
    expansion: Expansion,
    arrival: Arrival | null,
    hearsOfEach: boolean,
  ): Plans | null | Promise<Plans | null> {
    const mailroom = this.#context.mailroom;
    if (mailroom === undefined || expansion.deliveries.length === 0 || orders.hold !== undefined) return null;
    const isAlone = expansion.deliveries.length === 1 && expansion.remote.length === 0 && expansion.inNameOf.size === 0 && envelope.recipients.length === 1;
    const answers = expansion.causes.map(({ recipient, target }) =>
      mailroom.sort({
        id: envelope.id,
        at: envelope.at,
        source: envelope.source,
        accountId: target.accountId,
        sender: target.sender === undefined ? envelope.sender : target.sender,
        recipient: recipient.address,
        final: target.address,
        detail: target.detail,
        orcpt: recipient.orcpt,
        message,
        isJunk: orders.isJunk === true,
        arrival,
        mayRefuse:
          isAlone || (hearsOfEach && recipient.resolution.kind === 'deliver' && recipient.resolution.local.length + recipient.resolution.remote.length === 1),
      }),
    );
    if (answers.some((answer) => answer instanceof Promise)) return Promise.all(answers);
    return answers.every((answer) => answer === null) ? null : (answers as Plans);
  }

  #refuse(envelope: Envelope, reply: Reply): { reply: Reply; perRecipient: Reply[] } {
    this.#context.metrics.count('intake.refused', 1, reply.enhanced);
    return { reply, perRecipient: envelope.recipients.map(() => reply) };
  }

  #replies(envelope: Envelope, expansion: Expansion, output: AcceptOutput): { reply: Reply; perRecipient: Reply[] } {
    const kept: Reply = { code: 250, enhanced: '2.0.0', text: `Ok: ${output.entryId === null ? 'delivered' : 'queued'} as ${envelope.id}` };
    const perRecipient = expansion.outcomes.map((outcome) => {
      if (outcome.refusal !== null) return outcome.refusal;
      if (outcome.isRemote) return kept;
      const results = outcome.local.map((index) => output.deliveries[index]!);
      const refused = results.find((result) => result.kind === 'refused');
      return refused !== undefined && results.every((result) => result.kind === 'refused') ? failureReply(refused.failure) : kept;
    });
    // One that was kept means the message is ours; recipients that cannot have it were refused at RCPT or are in the queue.
    const reply = perRecipient.find((r) => r.code === 250) ?? perRecipient[0] ?? kept;
    return { reply, perRecipient };
  }

  /** A message that the recipient's own rules refused has a path to be found by, too. */
  #recordRefusal(envelope: Envelope, reply: Reply, plan: FilterPlan): void {
    const to = envelope.recipients.slice(0, JOURNEY_RECIPIENTS_MAX).map(({ address }) => formatAddress(address));
    const from = envelope.sender === null ? '<>' : formatAddress(envelope.sender);
    const { client } = envelope;
    this.#context.journey.write({
      id: envelope.id,
      at: envelope.at,
      stage: 'deliver',
      event: 'refused',
      keys: [...to, from, ...(client === null ? [] : [client.ip])],
      fields: {
        stage: 'message',
        from,
        to,
        ip: client?.ip,
        name: client?.name ?? undefined,
        helo: envelope.helo ?? undefined,
        ...{ code: reply.code, enhanced: reply.enhanced, reply: reply.text },
        by: `the rules of ${to.join(', ')} (${plan.steps.map(({ by }) => by).join(', ')})`,
      },
    });
  }

  /** What the rules did, a row for each account that has some. */
  #recordPlans(envelope: Envelope, input: AcceptInput, expansion: Expansion, plans: Plans): void {
    let at = 0;
    plans.forEach((plan, i) => {
      // One that refused (LMTP) has no delivery.
      const address = plan?.refusal == null ? input.deliveries[at++]!.address : formatAddress(expansion.causes[i]!.target.address);
      if (plan !== null && plan.steps.length > 0) this.#context.journey.write(filteredEvent(envelope.id, envelope.at, address, plan.steps));
    });
  }

  #record(envelope: Envelope, message: StagedMessage, input: AcceptInput, expansion: Expansion, output: AcceptOutput, orders: Orders): void {
    const { sender } = input;
    const delivered: string[] = [];
    const handled: string[] = [];
    const waiting: string[] = [];
    const full: string[] = [];
    output.deliveries.forEach((result, i) => {
      const address = input.deliveries[i]!.address;
      if (result.kind === 'queued' && result.failure === 'held') return; // told by the order to hold
      (result.kind === 'delivered' ? delivered : result.kind === 'handled' ? handled : result.kind === 'queued' ? waiting : full).push(address);
    });
    const to = envelope.recipients.slice(0, JOURNEY_RECIPIENTS_MAX).map((recipient) => formatAddress(recipient.address));
    const keys = [...to];
    if (sender !== null) keys.push(sender);
    for (const address of delivered) if (!keys.includes(address)) keys.push(address);
    if (message.digest.messageId !== null) keys.push(message.digest.messageId);
    if (envelope.client !== null) keys.push(envelope.client.ip);
    this.#context.journey.write({
      id: envelope.id,
      at: envelope.at,
      stage: 'receive',
      event: 'accepted',
      keys,
      fields: {
        source: envelope.source,
        from: sender ?? '<>',
        to,
        recipients: envelope.recipients.length,
        size: message.size,
        ip: envelope.client?.ip,
        name: envelope.client?.name ?? undefined,
        helo: envelope.helo ?? undefined,
        tls: envelope.tls ?? undefined,
        login: envelope.auth?.login,
        messageId: message.digest.messageId ?? undefined,
        delivered: delivered.length > 0 ? delivered : undefined,
        handled: handled.length > 0 ? handled : undefined,
        queued: queuedAddresses(expansion),
        waiting: waiting.length > 0 ? waiting : undefined,
        refused: full.length > 0 ? full : undefined,
        entry: output.entryId ?? undefined,
        junk: orders.isJunk === true && delivered.length > 0 ? true : undefined,
        notSentOn: expansion.notSentOn.length > 0 ? expansion.notSentOn.slice(0, JOURNEY_RECIPIENTS_MAX) : undefined,
        held: orders.hold,
        nexthop: orders.nexthop,
        judged: orders.judged,
      },
    });
    if (this.#context.onDelivered === undefined) return;
    const asked = envelope.recipients.filter(
      (recipient, i) =>
        recipient.notify !== null &&
        recipient.notify !== 'never' &&
        recipient.notify.has('success') &&
        expansion.outcomes[i]!.local.some((index) => output.deliveries[index]?.kind === 'delivered'),
    );
    if (asked.length > 0 && envelope.sender !== null) this.#context.onDelivered(envelope, message, asked);
  }
}

function queuedAddresses({ remote, inNameOf }: Expansion): string[] | undefined {
  const all = inNameOf.size === 0 ? remote : [...remote, ...[...inNameOf.values()].flat()];
  return all.length === 0 ? undefined : all.slice(0, JOURNEY_RECIPIENTS_MAX).map((r) => r.address);
}

function hasTask(remote: readonly RemoteRecipient[]): boolean {
  return remote.some(({ task }) => task !== undefined);
}

/** What is worth keeping for filters that run later; null when nothing is known. */
function arrivalOf({ client, helo }: Envelope, { spam }: Orders): Arrival | null {
  if (client === null && helo === null && (spam === undefined || spam === null)) return null;
  return { ip: client?.ip ?? null, name: client?.name ?? null, helo, spam: spam ?? null };
}

/** The deliveries as the rules want them. Recipients whose rules refuse get their refusal; indexes of the others move up. */
function applyPlans(expansion: Expansion, plans: Plans): LocalDelivery[] {
  const deliveries: LocalDelivery[] = [];
  const moved = new Map<number, number>();
  const refusals = new Map<number, Reply>();
  expansion.deliveries.forEach((delivery, i) => {
    const plan = plans[i] ?? null;
    if (plan !== null && plan.refusal !== null) {
      refusals.set(i, plan.refusal);
      return;
    }
    moved.set(i, deliveries.length);
    deliveries.push(plan === null ? delivery : { ...delivery, copies: plan.copies, effects: plan.effects });
  });
  for (const outcome of expansion.outcomes) {
    if (refusals.size > 0 && outcome.refusal === null && !outcome.isRemote) {
      const refused = outcome.local.find((index) => refusals.has(index));
      if (refused !== undefined && outcome.local.length === 1) outcome.refusal = refusals.get(refused)!;
    }
    outcome.local = outcome.local.flatMap((index) => moved.get(index) ?? []);
  }
  return deliveries;
}

export function filteredEvent(id: string, at: number, to: string, steps: readonly FilterStep[]): Parameters<Journey['write']>[0] {
  return {
    id,
    at,
    stage: 'deliver',
    event: 'filtered',
    fields: { to: [to], actions: steps.slice(0, STEPS_MAX).map(({ what, by }) => (by === '' ? what : `${what} (${by})`)) },
  };
}

export function createIntake(context: IntakeContext): StoreIntake {
  return new StoreIntake(context);
}
