/** Deliveries that need no connection: thrown away, taken in again, given to the user agent. Each answers an outcome and what is to be committed with it. */
import { type Outcome, outcome } from '../deliver/agent.ts';
import { headerEnd } from '../mail/view.ts';
import { formatAddress } from '../mail/address.ts';
import type { Action, MessageVersion, Origin } from '../deliver/filters/filter.ts';
import { Planner, type PlannerContext } from '../deliver/mailroom/plan.ts';
import type { FilterStep } from '../deliver/mailroom/types.ts';
import type { Changed, DeliveryAnswer, DeliveryTask, LocalConfiguration, MessageSource, PipeJob } from '../deliver/user-agent/types.ts';
import type {
  Account,
  Address,
  Directory,
  DsnNotify,
  Envelope,
  Journey,
  LocalTask,
  Log,
  Milliseconds,
  Recipient,
  Resolution,
  Staging,
  StoreReader,
} from '../ports.ts';
import { pipeArguments } from '../route/pipe-arguments.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { addressOf, type QueuedRecipient, type QueueEntry } from './entry.ts';
import type { HandHop } from './hop.ts';
import { filteredEvent, type StoreIntake, tracePrefix } from './intake.ts';
import type { SettledEffects } from './operations.ts';
import { restage } from './local.ts';

/** The user agent as the courier sees it (`deliver/user-agent/client.ts`). */
export interface UserAgent {
  /** Never rejects for what users do; Failure 'cannot' when the helper cannot be reached. */
  deliver(task: DeliveryTask, message: MessageSource, signal: AbortSignal): Promise<DeliveryAnswer>;
}

export interface HandsContext {
  settings(): { readonly 'directory.recipientDelimiters': string };
  readonly log: Log;
  readonly journey: Journey;
  readonly reader: Pick<StoreReader, 'openBlob'>;
  readonly staging: Staging;
  readonly intake: Pick<StoreIntake, 'prepare'>;
  readonly directory: Directory;
  resolve(address: Address, sender: Address | null): Resolution | Promise<Resolution>;
  /** null: there is none (the server may not run programs for users). */
  readonly userAgent: UserAgent | null;
  /** How a user's mail is handed over; `transport`: what goes to the mailbox goes there instead. Rejects with TableError. */
  localFor(user: string | null): Promise<{ readonly configuration: LocalConfiguration; readonly transport: string | null }>;
  /** The store's account of a system user; made when it is missing. */
  systemAccount(user: string): Promise<Account | null>;
  readonly planner: PlannerContext;
  now(): Milliseconds;
  newId(): string;
}

export interface HandResult {
  readonly fate: Outcome;
  readonly accepts: readonly AcceptInput[];
  readonly effects: readonly SettledEffects[];
}

const NOTHING: readonly never[] = [];

function only(fate: Outcome): HandResult {
  return { fate, accepts: NOTHING, effects: NOTHING };
}

/** What becomes of each recipient, in order; recipients of one pipe run may share a fate. Never rejects. */
export async function byHand(
  hop: HandHop,
  entry: QueueEntry,
  recipients: readonly QueuedRecipient[],
  context: HandsContext,
  signal: AbortSignal,
): Promise<HandResult[]> {
  if (hop.kind === 'pipe') {
    const result = await guarded(entry, context, () => throughPipe(hop, entry, recipients, context, signal));
    return recipients.map((_, i) => (i === 0 ? result : only(result.fate)));
  }
  const results: HandResult[] = [];
  for (const recipient of recipients)
    results.push(
      await guarded(entry, context, async () => {
        if (hop.kind === 'discard') return only(outcome('delivered', 250, '2.0.0', `thrown away, as a table says: ${hop.text}`, 'local'));
        if (hop.kind === 'reenter') return reenter(entry, recipient, context);
        return byUserAgent(entry, recipient, recipient.task!, context, signal);
      }),
    );
  return results;
}

async function guarded(entry: QueueEntry, context: HandsContext, work: () => Promise<HandResult>): Promise<HandResult> {
  try {
    return await work();
  } catch (error) {
    context.log.error('queue.hands.failed', { id: entry.id, cause: (error as Error).stack ?? (error as Error).message });
    return only(outcome('deferred', 451, '4.3.0', 'internal error, see the server log', ''));
  }
}

function notifyOf(text: string | null): DsnNotify | null {
  if (text === null) return null;
  return text === 'never' ? 'never' : new Set(text.split(/[ ,]+/) as ('success' | 'failure' | 'delay')[]);
}

// ── Taken in again ───────────────────────────────────────────────────────────────────────────────────

/** An address of ours that came into the queue (a forward, a reply): resolved and filtered like any other, in the transaction that takes it from the queue. */
async function reenter(entry: QueueEntry, recipient: QueuedRecipient, context: HandsContext): Promise<HandResult> {
  const address = addressOf(recipient.address);
  const sender = entry.sender === null ? null : addressOf(entry.sender);
  let resolution: Resolution;
  try {
    resolution = await context.resolve(address, sender);
  } catch (error) {
    return only(outcome('deferred', 451, '4.3.0', `a lookup table does not answer: ${(error as Error).message}`, ''));
  }
  const known: Recipient = { address, resolution, notify: notifyOf(recipient.notify), orcpt: recipient.orcpt };
  const id = context.newId();
  const envelope: Envelope = {
    id,
    source: 'pickup',
    sender,
    recipients: [known],
    client: null,
    helo: null,
    auth: entry.accountId === null ? null : context.directory.account(entry.accountId),
    dsn: { envid: entry.envid, ret: entry.ret as 'FULL' | 'HDRS' | null },
    smtputf8: entry.smtputf8,
    body: entry.has8bit ? '8BITMIME' : '7BIT',
    at: context.now(),
    tls: null,
  };
  const message = await restage(entry, context);
  const prepared = await context.intake.prepare(envelope, message, { isJunk: entry.isJunk, spam: entry.arrival?.spam ?? null });
  if (prepared.kind === 'refused') {
    const reply = prepared.perRecipient[0] ?? prepared.reply;
    return only(outcome(reply.code >= 500 ? 'failed' : 'deferred', reply.code, reply.enhanced, reply.text, ''));
  }
  const { input, plans } = prepared;
  const at = envelope.at;
  context.journey.write({ id: entry.id, at, stage: 'route', event: 'reentered', fields: { to: [recipient.address], as: id } });
  for (const [i, plan] of (plans ?? []).entries())
    if (plan !== null && plan.steps.length > 0 && input.deliveries[i] !== undefined)
      context.journey.write(filteredEvent(id, at, input.deliveries[i].address, plan.steps));
  const accept: AcceptInput = {
    ...input,
    source: entry.source,
    whenFull: 'queue',
    arrival: entry.arrival,
    journey: {
      id,
      at,
      stage: 'receive',
      event: 'accepted',
      keys: [recipient.address, entry.id],
      fields: { source: 'forward', from: entry.sender ?? '<>', to: [recipient.address], recipients: 1, size: message.size, about: entry.id },
    },
  };
  return { fate: outcome('delivered', 250, '2.0.0', `taken in again as ${id}`, 'local'), accepts: [accept], effects: NOTHING };
}

// ── The user agent ───────────────────────────────────────────────────────────────────────────────────

const NO_AGENT = outcome('deferred', 451, '4.3.5', 'this server cannot deliver to system users and programs: it was not started by root', '');

async function byUserAgent(entry: QueueEntry, recipient: QueuedRecipient, work: LocalTask, context: HandsContext, signal: AbortSignal): Promise<HandResult> {
  if (context.userAgent === null) return only(NO_AGENT);
  const user = work.kind === 'user' ? work.user : null;
  // Before anything is done in the user's name: what is done twice cannot be taken back.
  const account = user === null ? null : await context.systemAccount(user);
  if (user !== null && account === null) return only(outcome('deferred', 451, '4.3.5', `there is no account for the user ${user}`, ''));
  const { configuration, transport } = await context.localFor(user);
  const task = taskOf(entry, [recipient], work, work.kind === 'user' ? work.detail : null, configuration);
  const answer = await ask(entry, task, context, signal);
  if (answer.outcome !== 'delivered' && answer.problem === null) return only(fateOf(answer));
  return commit(entry, recipient, account, task, answer, transport, context);
}

function fateOf(answer: DeliveryAnswer): Outcome {
  return outcome(answer.outcome, answer.code, answer.enhanced, answer.text, answer.outcome === 'delivered' ? 'local' : '');
}

async function ask(entry: QueueEntry, task: DeliveryTask, context: HandsContext, signal: AbortSignal): Promise<DeliveryAnswer> {
  const reader = context.reader.openBlob(entry.blobId);
  try {
    const answer = await context.userAgent!.deliver(task, { size: entry.size, slice: (start, end) => reader.slice(start, end) }, signal);
    for (const line of answer.logged) context.log.debug('local.logged', { id: entry.id, line });
    return answer;
  } finally {
    reader.close();
  }
}

function taskOf(
  entry: QueueEntry,
  recipients: readonly QueuedRecipient[],
  work: DeliveryTask['work'],
  detail: string | null,
  configuration: LocalConfiguration,
): DeliveryTask {
  const final = addressOf(recipients[0]!.address);
  const { arrival } = entry;
  const original = recipients[0]!.orcpt;
  return {
    id: entry.id,
    at: entry.createdAt,
    sender: entry.sender === null ? null : addressOf(entry.sender),
    recipient: original?.startsWith('rfc822;') ? addressOf(original.slice(7)) : final,
    final,
    detail,
    orcpt: original,
    helo: arrival?.helo ?? null,
    clientIp: arrival?.ip ?? null,
    clientName: arrival?.name ?? null,
    work,
    spam: arrival?.spam ?? null,
    virus: 0,
    configuration,
  };
}

function version(changed: Changed): MessageVersion {
  if (changed === null) return null;
  const end = headerEnd(changed);
  return { header: changed.subarray(0, end), body: changed.subarray(end) };
}

/** What the user's rules want beside files and programs: sent on, kept in the store, answered. */
async function commit(
  entry: QueueEntry,
  recipient: QueuedRecipient,
  account: Account | null,
  task: DeliveryTask,
  answer: DeliveryAnswer,
  transport: string | null,
  context: HandsContext,
): Promise<HandResult> {
  const steps: FilterStep[] = answer.steps.map(({ origin, text }) => ({ what: text, by: by(origin) }));
  const isPlain = answer.forwards.length + answer.keeps.length + answer.replies.length === 0 && answer.problem === null;
  if (isPlain) {
    if (steps.length > 0) context.journey.write(filteredEvent(entry.id, context.now(), recipient.address, steps));
    return only(fateOf(answer));
  }
  // A program or file of an alias has no rules of its own that could want more.
  if (account === null) return only(fateOf(answer));
  const reader = context.reader.openBlob(entry.blobId);
  try {
    // The digest of a message in the queue is not at hand: it is staged again where copies, forwards or answers need it.
    const message = await restage(entry, context);
    const planner = new Planner(
      context.planner,
      account,
      {
        id: entry.id,
        at: entry.createdAt,
        source: entry.source,
        accountId: account.id,
        sender: task.sender,
        recipient: task.recipient,
        final: task.final,
        detail: task.detail,
        orcpt: task.orcpt,
        message,
        isJunk: entry.isJunk,
        arrival: entry.arrival,
        mayRefuse: false,
      },
      { reader, headerBytes: entry.headerBytes },
    );
    for (const { what, by: where } of steps) planner.step(what, where);
    let passed = false;
    if (answer.outcome === 'delivered') {
      const inbox = entry.isJunk ? ({ role: 'junk' } as const) : ({ role: 'inbox' } as const);
      for (const action of actionsOf(answer)) {
        if (transport !== null && action.kind === 'keep') passed = true;
        else await planner.act(action, inbox);
      }
    }
    if (answer.problem !== null) await planner.problem(answer.problem, `${answer.problem.file}:${answer.problem.line}:${answer.problem.text}`, null);
    if (passed) planner.step(`handed on by ${transport}`, 'the mailbox transport');
    const plan = planner.plan();
    if (plan.steps.length > 0) context.journey.write(filteredEvent(entry.id, context.now(), recipient.address, plan.steps));
    const effects: SettledEffects[] = plan.effects === null ? [] : [{ accountId: account.id, effects: plan.effects }];
    const accepts: AcceptInput[] = [];
    if (plan.copies.length > 0)
      accepts.push({
        id: entry.id,
        at: entry.createdAt,
        source: entry.source,
        sender: entry.sender,
        accountId: entry.accountId,
        message,
        deliveries: [
          {
            accountId: account.id,
            prefix: tracePrefix(entry.sender, formatAddress(task.final)),
            mailbox: { role: 'inbox' },
            flags: 0,
            keywords: null,
            copies: plan.copies,
            address: recipient.address,
            orcpt: recipient.orcpt,
            notify: recipient.notify,
          },
        ],
        remote: [],
        envid: entry.envid,
        ret: entry.ret,
        smtputf8: entry.smtputf8,
        whenFull: 'queue',
        journey: null,
      });
    if (passed)
      accepts.push({
        id: entry.id,
        at: entry.createdAt,
        source: entry.source,
        sender: entry.sender,
        accountId: entry.accountId,
        message,
        deliveries: [],
        remote: [{ address: recipient.address, domain: recipient.domain, orcpt: recipient.orcpt, notify: recipient.notify, nexthop: transport }],
        envid: entry.envid,
        ret: entry.ret,
        smtputf8: entry.smtputf8,
        whenFull: 'queue',
        journey: null,
      });
    return { fate: fateOf(answer), accepts, effects };
  } finally {
    reader.close();
  }
}

function by(origin: Origin): string {
  return origin.line > 0 ? `${origin.file}:${origin.line}` : origin.file;
}

function* actionsOf(answer: DeliveryAnswer): Iterable<Action> {
  for (const { address, sender, dsn, message, origin } of answer.forwards) yield { kind: 'redirect', address, sender, dsn, message: version(message), origin };
  for (const { mailbox, flags, isCreated, specialUse, message, origin } of answer.keeps)
    yield mailbox === 'INBOX' && specialUse === null
      ? { kind: 'keep', flags, isImplicit: false, message: version(message), origin }
      : { kind: 'fileInto', mailbox, flags, isCreated, specialUse, message: version(message), origin };
  for (const { action, message } of answer.replies) yield { ...action, message: version(message) };
}

// ── Pipe transports ──────────────────────────────────────────────────────────────────────────────────

async function throughPipe(
  hop: Extract<HandHop, { kind: 'pipe' }>,
  entry: QueueEntry,
  recipients: readonly QueuedRecipient[],
  context: HandsContext,
  signal: AbortSignal,
): Promise<HandResult> {
  if (context.userAgent === null) return only(NO_AGENT);
  const { transport } = hop;
  const { arrival } = entry;
  const argv = pipeArguments(transport, {
    sender: entry.sender === null ? null : addressOf(entry.sender),
    recipients: recipients.map(({ address, orcpt }) => ({
      address: addressOf(address),
      original: orcpt?.startsWith('rfc822;') ? addressOf(orcpt.slice(7)) : null,
    })),
    nexthop: hop.nexthop,
    queueId: entry.id,
    size: entry.size,
    delimiters: context.settings()['directory.recipientDelimiters'],
    clientAddress: arrival?.ip ?? '',
    clientHelo: arrival?.helo ?? '',
    clientHostname: arrival?.name ?? '',
  });
  const job: PipeJob = {
    kind: 'pipe',
    name: transport.name,
    argv,
    user: transport.user,
    group: transport.group,
    directory: transport.directory,
    environment: {},
    flags: transport.flags,
    eol: transport.eol === '\r\n' ? '\r\n' : '\n',
    sizeMax: transport.sizeMax,
    timeLimitMs: transport.timeLimitMs,
  };
  return only(fateOf(await ask(entry, taskOf(entry, recipients, job, null, (await context.localFor(null)).configuration), context, signal)));
}
