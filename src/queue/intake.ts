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
  Metrics,
  Orders,
  Recipient,
  Reply,
  StagedMessage,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import type { AcceptInput, AcceptOutput, LocalDelivery, RemoteRecipient } from '../store/operations/accept.types.ts';
import { FAILURES, Failure } from '../system/failure.ts';
import type { FailureCode } from '../ports.ts';

export interface IntakeContext {
  readonly directory: Directory;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly journey: Journey;
  readonly log: Log;
  readonly metrics: Metrics;
  /** More Received fields than this is a loop (RFC 5321 section 6.3). */
  receivedMax(): number;
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
  /** For each recipient: indexes into `deliveries`, whether anything of it is remote, or why it cannot be. */
  readonly outcomes: { readonly local: number[]; readonly isRemote: boolean; readonly refusal: Reply | null }[];
}

const encoder = new TextEncoder();

/**
 * Return-Path at final delivery (RFC 5321 section 4.4) and Delivered-To, by which loops are noticed. Bytes of their own: a Buffer
 * from the pool would take the whole pool along when it travels to the writer.
 */
export function tracePrefix(sender: string | null, deliveredTo: string): Uint8Array {
  return encoder.encode(`Return-Path: <${sender ?? ''}>\r\nDelivered-To: ${deliveredTo}\r\n`);
}

export function expand(recipients: readonly Recipient[], sender: string | null, deliveredToBefore: readonly string[], orders: Orders = NO_ORDERS): Expansion {
  const deliveries: LocalDelivery[] = [];
  const remote: RemoteRecipient[] = [];
  const accounts = new Map<number, number>();
  const addresses = new Set<string>();
  const seenBefore = new Set(deliveredToBefore.map((address) => address.toLowerCase()));
  const addRemote = (address: Address, recipient: Recipient): void => {
    const text = formatAddress(address);
    if (addresses.has(text)) return;
    addresses.add(text);
    remote.push({ address: text, domain: address.domain, orcpt: recipient.orcpt, notify: notifyText(recipient) });
  };
  const outcomes = recipients.map((recipient) => {
    const resolution = recipient.resolution;
    // A filter gets the message as it came, for the recipients as they were named; it gives it back by SMTP.
    if (resolution.kind === 'foreign' || (orders.nexthop !== undefined && resolution.kind === 'deliver')) {
      addRemote(recipient.address, recipient);
      return { local: [], isRemote: true, refusal: null };
    }
    if (resolution.kind !== 'deliver')
      return { local: [], isRemote: false, refusal: resolution.kind === 'loop' ? LOOP : resolution.kind === 'disabled' ? DISABLED : UNKNOWN };
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
        deliveries.push({
          accountId: target.accountId,
          prefix: tracePrefix(sender, finalAddress),
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
    for (const address of resolution.remote) addRemote(address, recipient);
    return { local, isRemote: resolution.remote.length > 0, refusal: null };
  });
  return { deliveries, remote, outcomes };
}

class StoreIntake implements Intake {
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

  async accept(envelope: Envelope, message: StagedMessage, orders: Orders = NO_ORDERS): Promise<{ reply: Reply; perRecipient: Reply[] }> {
    const { writer, log, metrics } = this.#context;
    const digest = message.digest;
    if (digest.receivedCount > this.#context.receivedMax()) return this.#refuse(envelope, TOO_MANY_HOPS);
    const sender = envelope.sender === null ? null : formatAddress(envelope.sender);
    const expansion = expand(envelope.recipients, sender, digest.deliveredTo, orders);
    if (expansion.deliveries.length === 0 && expansion.remote.length === 0) {
      const refusals = expansion.outcomes.map((outcome) => outcome.refusal ?? UNKNOWN);
      return { reply: refusals[0] ?? UNKNOWN, perRecipient: refusals };
    }
    // SMTP has one reply: a recipient that cannot be (a loop) must not vanish behind the 250 for the others. LMTP and pickup hear of each.
    const refusal = expansion.outcomes.find((outcome) => outcome.refusal !== null)?.refusal ?? null;
    if (refusal !== null && envelope.source !== 'lmtp' && envelope.source !== 'pickup') return this.#refuse(envelope, refusal);
    // One target: its fullness is the answer. Several: those that have room get the message, the others wait in the queue.
    const isOneEach =
      envelope.source === 'lmtp' ? expansion.outcomes.every((o) => o.local.length <= 1) : expansion.deliveries.length + expansion.remote.length === 1;
    const input: AcceptInput = {
      id: envelope.id,
      at: envelope.at,
      source: envelope.source,
      sender,
      accountId: envelope.auth?.id ?? null,
      message,
      deliveries: expansion.deliveries,
      remote: expansion.remote,
      envid: envelope.dsn.envid,
      ret: envelope.dsn.ret,
      smtputf8: envelope.smtputf8,
      whenFull: isOneEach ? 'refuse' : 'queue',
      journey: null,
      hold: orders.hold ?? null,
      nexthop: orders.nexthop ?? null,
      isJunk: orders.isJunk === true,
    };
    let output: AcceptOutput;
    try {
      output = await writer.run<AcceptOutput>('accept', input);
    } catch (error) {
      const code = error instanceof Failure ? error.code : 'storeBusy';
      log.error('message.refused', { id: envelope.id, failure: code, cause: (error as Error).message });
      return this.#refuse(envelope, failureReply(code));
    }
    metrics.count('intake.accepted', 1, envelope.source);
    this.#record(envelope, message, sender, expansion, output, orders);
    if (this.#context.onLocal !== undefined)
      output.deliveries.forEach((result, i) => {
        if (result.kind === 'delivered')
          this.#context.onLocal!(envelope, { accountId: expansion.deliveries[i]!.accountId, mailboxId: result.mailboxId, uid: result.uid });
      });
    return this.#replies(envelope, expansion, output);
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

  #record(envelope: Envelope, message: StagedMessage, sender: string | null, expansion: Expansion, output: AcceptOutput, orders: Orders): void {
    const delivered: string[] = [];
    const waiting: string[] = [];
    const full: string[] = [];
    output.deliveries.forEach((result, i) => {
      const address = expansion.deliveries[i]!.address;
      if (result.kind === 'queued' && result.failure === 'held') return; // told by the order to hold
      (result.kind === 'delivered' ? delivered : result.kind === 'queued' ? waiting : full).push(address);
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
        queued: expansion.remote.length > 0 ? expansion.remote.slice(0, JOURNEY_RECIPIENTS_MAX).map((r) => r.address) : undefined,
        waiting: waiting.length > 0 ? waiting : undefined,
        refused: full.length > 0 ? full : undefined,
        entry: output.entryId ?? undefined,
        junk: orders.isJunk === true && delivered.length > 0 ? true : undefined,
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
        expansion.outcomes[i]!.local.some((index) => output.deliveries[index]!.kind === 'delivered'),
    );
    if (asked.length > 0 && envelope.sender !== null) this.#context.onDelivered(envelope, message, asked);
  }
}

export function createIntake(context: IntakeContext): Intake {
  return new StoreIntake(context);
}
