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
  Log,
  MessageId,
  Metrics,
  Orders,
  Recipient,
  Reply,
  Router,
  StagedMessage,
  Staging,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import type { Mailroom } from '../deliver/mailroom/types.ts';
import type { AcceptInput, AcceptOutput, Arrival, RemoteRecipient } from '../store/operations/accept.types.ts';
import { FAILURES, Failure } from '../system/failure.ts';
import type { FailureCode } from '../ports.ts';
import { applyPlans, type Expansion, expand, isSentOn, NO_ORDERS, type Plans, UNKNOWN } from './expand.ts';
import { recordAccepted, recordPlans, recordRefusal } from './intake-journey.ts';
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

const TOO_MANY_HOPS: Reply = { code: 554, enhanced: '5.4.6', text: 'Too many hops: the message has passed more mail servers than is plausible' };
const TABLE_DOWN: Reply = { code: 451, enhanced: '4.3.0', text: 'A lookup table does not answer now, try again later' };

export function failureReply(code: FailureCode): Reply {
  const [replyCode, enhanced, text] = FAILURES[code].smtp;
  return { code: replyCode, enhanced, text };
}

/** An entry of its own for the recipients that hear of the message in another name; its journey leads back to the message. */
function underOwnId(input: AcceptInput, id: MessageId): AcceptInput {
  const to = input.remote.map(({ address }) => address);
  const fields = { source: 'alias', from: input.sender ?? '<>', to, recipients: to.length, size: input.message.size, about: input.id };
  return { ...input, id, journey: { id, at: input.at, stage: 'receive', event: 'accepted', keys: [...to, input.id], fields } };
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
      for (const plan of prepared.plans ?? []) if (plan !== null && plan.refusal !== null) recordRefusal(this.#context.journey, envelope, plan.refusal, plan);
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
    recordAccepted(this.#context.journey, envelope, message, input, expansion, output, orders);
    this.#tellDelivered(envelope, message, expansion, output);
    if (plans !== null) {
      recordPlans(this.#context.journey, envelope, input, expansion, plans);
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

  /** Whose sender asked for NOTIFY=SUCCESS. */
  #tellDelivered(envelope: Envelope, message: StagedMessage, expansion: Expansion, output: AcceptOutput): void {
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

function hasTask(remote: readonly RemoteRecipient[]): boolean {
  return remote.some(({ task }) => task !== undefined);
}

/** What is worth keeping for filters that run later; null when nothing is known. */
function arrivalOf({ client, helo }: Envelope, { spam }: Orders): Arrival | null {
  if (client === null && helo === null && (spam === undefined || spam === null)) return null;
  return { ip: client?.ip ?? null, name: client?.name ?? null, helo, spam: spam ?? null };
}

export function createIntake(context: IntakeContext): StoreIntake {
  return new StoreIntake(context);
}
