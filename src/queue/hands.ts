/** Deliveries that need no connection: thrown away, taken in again, given to the user agent. Each answers an outcome and what is to be committed with it. */
import { type Outcome, outcome } from '../deliver/agent.ts';
import { headerEnd } from '../mail/view.ts';
import { formatAddress } from '../mail/address.ts';
import type { Action, MessageVersion, Origin } from '../deliver/filters/filter.ts';
import { extensionAt } from '../directory/tables/search.ts';
import { mailboxObjectId } from '../store/object-id.ts';
import { bornEvent } from '../deliver/mailroom/outgoing.ts';
import { Planner, type PlannerContext } from '../deliver/mailroom/plan.ts';
import type { FilterStep } from '../deliver/mailroom/types.ts';
import type { Changed, DeliveryAnswer, DeliveryTask, LocalConfiguration, MessageSource, PipeJob, StoreMailbox } from '../deliver/user-agent/types.ts';
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
import { namesOption, pipeArguments } from '../route/pipe-arguments.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';
import { isResolved, leadsToItself, nextTurn, TURNS_MAX, turnsOf } from './again.ts';
import { addressOf, type QueuedRecipient, type QueueEntry } from './entry.ts';
import type { HandHop } from './hop.ts';
import { tracePrefix } from './expand.ts';
import type { StoreIntake } from './intake.ts';
import { filteredEvent } from './intake-journey.ts';
import type { SettledEffects } from './operations.ts';
import { acceptOf, restage } from './local.ts';

/** The user agent as the courier sees it (`deliver/user-agent/client.ts`). */
export interface UserAgent {
  /** Never rejects for what users do; Failure 'cannot' when the helper cannot be reached. */
  deliver(task: DeliveryTask, message: MessageSource, signal: AbortSignal): Promise<DeliveryAnswer>;
}

export interface LocalPlace {
  readonly configuration: LocalConfiguration;
  readonly transport: string | null;
  /** The mailbox of the user that is no mailbox of the store: its path, a maildir's with "/" at the end. Left out: in the store. */
  readonly file?: string | null;
}

export interface HandsContext {
  settings(): { readonly 'directory.recipientDelimiters': string };
  readonly log: Log;
  readonly journey: Journey;
  readonly reader: Pick<StoreReader, 'openBlob' | 'mailboxes'>;
  readonly staging: Staging;
  readonly intake: Pick<StoreIntake, 'prepare'>;
  readonly directory: Directory;
  resolve(address: Address, sender: Address | null): Resolution | Promise<Resolution>;
  /** null: there is none (the server may not run programs for users). */
  readonly userAgent: UserAgent | null;
  /** How a user's mail is handed over; `transport`: what goes to the mailbox goes there instead. Rejects with TableError. */
  localFor(user: string | null): Promise<LocalPlace>;
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
    const isRefused = recipients.map((one) => namesOption(hop.transport, argumentsOf(hop, entry, [one], context)));
    const run = recipients.filter((_, i) => !isRefused[i]);
    const result = run.length === 0 ? null : await guarded(entry, context, () => throughPipe(hop, entry, run, context, signal));
    return recipients.map((one, i) => (isRefused[i] ? OPTION : one === run[0] ? result! : only(result!.fate)));
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
  const arrival = nextTurn(entry.arrival);
  if (turnsOf(arrival) > TURNS_MAX) return only(outcome('failed', 554, '5.4.6', 'mail loop: forwards or tables of this server lead in a circle', ''));
  if (resolution.kind === 'foreign' || (isResolved(entry) && leadsToItself(resolution, recipient.address)))
    return only(outcome('deferred', 451, '4.3.5', `a transport says that ${recipient.address} is a mailbox of this machine, and nothing else does`, ''));
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
  const prepared = await context.intake.prepare(envelope, message, { isJunk: entry.isJunk, spam: arrival.spam }, arrival);
  if (prepared.kind === 'refused') {
    context.staging.discard?.(message);
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
    arrival,
    also: input.also?.map((other) => ({ ...other, source: entry.source, arrival })),
    journey: bornEvent(id, entry.id, { at, source: 'forward', from: entry.sender, to: [recipient.address], size: message.size }),
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
  const place = await context.localFor(user);
  const { configuration } = place;
  const task: DeliveryTask = {
    ...taskOf(entry, [recipient], work, work.kind === 'user' ? work.detail : detailOf(recipient, configuration), configuration),
    storeMailboxes: account === null || configuration.mailbox !== 'store' ? null : storeMailboxes(account, context),
  };
  const answer = await ask(entry, task, context, signal);
  if (answer.outcome === 'deferred' && answer.problem === null) return only(fateOf(answer));
  return commit(entry, recipient, account, task, answer, place, context);
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

/** Programs of an alias are told the extension that the alias was used with. */
function detailOf({ address }: QueuedRecipient, { recipientDelimiter }: LocalConfiguration): string | null {
  const { local } = addressOf(address);
  const at = extensionAt(local, recipientDelimiter);
  return at === -1 ? null : local.slice(at + 1);
}

/** For the tests of a Sieve script. */
function storeMailboxes(account: Account, context: HandsContext): StoreMailbox[] {
  const rows = context.reader.mailboxes(account.id).filter(({ isSelectable }) => isSelectable);
  return rows.map((row) => ({ name: row.name, role: row.role, objectId: mailboxObjectId(row) }));
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
    dsn: { notify: recipients[0]!.notify, ret: entry.ret as 'FULL' | 'HDRS' | null, envid: entry.envid },
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
  place: LocalPlace,
  context: HandsContext,
): Promise<HandResult> {
  const { transport } = place;
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
    // One target that failed is reported; what the others are owed is theirs all the same.
    if (answer.outcome !== 'deferred') {
      const inbox = entry.isJunk ? ({ role: 'junk' } as const) : ({ role: 'inbox' } as const);
      for (const action of actionsOf(answer)) {
        if (transport !== null && action.kind === 'keep') passed = true;
        else await planner.act(action, inbox);
      }
    }
    if (answer.problem !== null) {
      const keptIn = answer.outcome === 'deferred' ? 'the queue, to be tried again' : 'INBOX';
      await planner.problem(answer.problem, `${answer.problem.file}:${answer.problem.line}:${answer.problem.text}`, null, keptIn);
    }
    if (passed) planner.step(`handed on by ${transport}`, 'the mailbox transport');
    const plan = planner.plan();
    if (plan.steps.length > 0) context.journey.write(filteredEvent(entry.id, context.now(), recipient.address, plan.steps));
    const effects: SettledEffects[] = [];
    if (plan.effects !== null) {
      const items = plan.effects.items.map((item) => (item.accept === null ? item : { ...item, accept: toOwner(item.accept, recipient, task, place) }));
      effects.push({ accountId: account.id, effects: { ...plan.effects, items } });
    }
    const accepts: AcceptInput[] = [];
    if (plan.copies.length > 0)
      accepts.push({
        ...acceptOf(entry, message),
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
      });
    if (passed)
      accepts.push({
        ...acceptOf(entry, message),
        remote: [{ address: recipient.address, domain: recipient.domain, orcpt: recipient.orcpt, notify: recipient.notify, nexthop: transport }],
      });
    return { fate: fateOf(answer), accepts, effects };
  } finally {
    reader.close();
  }
}

/** What the owner is told of a filter goes where the owner reads: into the mailbox on disk, or to the mailbox transport. */
function toOwner(accept: AcceptInput, { address, domain }: QueuedRecipient, { work }: DeliveryTask, { transport, file = null }: LocalPlace): AcceptInput {
  if (accept.deliveries.length === 0 || work.kind !== 'user' || (transport === null && file === null)) return accept;
  const way = transport !== null ? { nexthop: transport } : { task: { kind: 'file' as const, path: file!, user: work.user } };
  return { ...accept, deliveries: [], remote: [{ address, domain, orcpt: null, notify: 'never', ...way }] };
}

function by(origin: Origin): string {
  return origin.line > 0 ? `${origin.file}:${origin.line}` : origin.file;
}

function* actionsOf(answer: DeliveryAnswer): Iterable<Action> {
  for (const { address, sender, dsn, message, origin } of answer.forwards) yield { kind: 'redirect', address, sender, dsn, message: version(message), origin };
  for (const { mailbox, flags, isCreated, specialUse, mailboxId = null, message, origin } of answer.keeps)
    yield mailbox === 'INBOX' && specialUse === null && mailboxId === null
      ? { kind: 'keep', flags, isImplicit: false, message: version(message), origin }
      : { kind: 'fileInto', mailbox, flags, isCreated, specialUse, mailboxId, message: version(message), origin };
  for (const { action, message } of answer.replies) yield { ...action, message: version(message) };
}

// ── Pipe transports ──────────────────────────────────────────────────────────────────────────────────

const OPTION = only(outcome('failed', 550, '5.1.3', 'an address that begins with "-" cannot be given to a program', ''));

function argumentsOf(
  hop: Extract<HandHop, { kind: 'pipe' }>,
  entry: QueueEntry,
  recipients: readonly QueuedRecipient[],
  context: HandsContext,
): Parameters<typeof pipeArguments>[1] {
  const { arrival } = entry;
  return {
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
  };
}

async function throughPipe(
  hop: Extract<HandHop, { kind: 'pipe' }>,
  entry: QueueEntry,
  recipients: readonly QueuedRecipient[],
  context: HandsContext,
  signal: AbortSignal,
): Promise<HandResult> {
  if (context.userAgent === null) return only(NO_AGENT);
  const { transport } = hop;
  const argv = pipeArguments(transport, argumentsOf(hop, entry, recipients, context));
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
    nullSender: transport.nullSender,
  };
  return only(fateOf(await ask(entry, taskOf(entry, recipients, job, null, (await context.localFor(null)).configuration), context, signal)));
}
