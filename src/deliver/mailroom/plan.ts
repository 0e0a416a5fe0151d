/**
 * From a filter's actions to what the writer commits: copies in mailboxes, messages sent on and back, things remembered. The one place
 * where actions of any language become effects for an account of the store.
 */
import { join } from 'node:path';
import { editedMessage, messageInMemory } from '../../mail/edited-message.ts';
import { fieldBytes } from '../../mail/edit.ts';
import { addressKey, formatAddress } from '../../mail/address.ts';
import type { Account, Address, MessageId, Reply, StagedMessage, Staging, StoreReader } from '../../ports.ts';
import type { AcceptInput, DeliveryEffect, FilterMemory, LocalCopy, MailboxTarget } from '../../store/operations/accept.types.ts';
import type { Action, FilterProblem, FlagSet, MessageVersion } from '../filters/filter.ts';
import { FORWARD_REFUSALS, type ForwardInput, planForward } from '../forwarding/plan.ts';
import { forwardsToday } from '../forwarding/operations.ts';
import type { SealForwardInput, SealForwardResult } from '../forwarding/seal.ts';
import type { ForwardingSettings } from '../forwarding/settings.ts';
import { type HeaderFacts, readHeaderFacts } from '../reply/header-facts.ts';
import { REPLY_REFUSALS } from '../reply/may-reply.ts';
import { isRemembered, repliesToday } from '../reply/memory.ts';
import { composeNotification } from '../reply/notification.ts';
import { ownAddressesOf } from '../reply/own-addresses.ts';
import type { PlannedMail, Replier, ReplyPlan } from '../reply/plan.types.ts';
import { composeRejection, refusalReply } from '../reply/rejection.ts';
import { composeScriptReport, scriptReportMemory } from '../reply/script-report.ts';
import type { ReplySettings } from '../reply/settings.ts';
import { planVacation } from '../reply/vacation.ts';
import { srsNoteMemory } from '../../route/srs-target.ts';
import { mailboxOfObjectId } from '../../store/object-id.ts';
import { roleOfUse } from './drive.ts';
import { inboxName } from './names.ts';
import { bornEvent, type Original, outgoing, stageBytes, stageVersion, turnsAlone } from './outgoing.ts';
import type { FilterPlan, FilterStep, MailroomInput } from './types.ts';

export interface PlannerContext {
  settings(): ReplySettings & ForwardingSettings & { readonly hostname: string; readonly domain: string; readonly 'sieve.programDirectory': string };
  readonly reader: Pick<StoreReader, 'rows' | 'mailboxes' | 'mailboxByName'>;
  readonly staging: Staging;
  newId(): MessageId;
  now(): number;
  /** Does mail for this address leave this machine? */
  isOffSite(address: Address): boolean | Promise<boolean>;
  isOurDomain(domain: string): boolean | Promise<boolean>;
  maySendAs(accountId: number, address: Address): boolean;
  /** null: senders stay as they are (`srs.enabled`). */
  srs(): ForwardInput['srs'];
  /** null: nothing is sealed. */
  seal(input: Pick<SealForwardInput, 'message' | 'domains'>): SealForwardResult | Promise<SealForwardResult> | null;
}

const NO_BYTES = new Uint8Array(0);

/** Carries the actions of one run over into a plan. Rejects with Failure when staging fails. */
export class Planner {
  readonly #context: PlannerContext;
  readonly #account: Account;
  readonly #input: MailroomInput;
  readonly #original: Original;
  #facts: HeaderFacts | null = null;
  #header: Uint8Array | null = null;
  #replier: Omit<Replier, 'id'> | null = null;
  #replies = 0;
  #forwards = 0;
  /** The account's own lists and thresholds say so: nobody is answered. */
  isSpam = false;
  readonly #copies: LocalCopy[] = [];
  readonly #items: DeliveryEffect[] = [];
  readonly #steps: FilterStep[] = [];
  readonly #notified: string[] = [];
  #refusal: Reply | null = null;
  constructor(context: PlannerContext, account: Account, input: MailroomInput, original: Original) {
    this.#context = context;
    this.#account = account;
    this.#input = input;
    this.#original = original;
  }

  remember(memory: FilterMemory): void {
    this.#items.push({ accept: null, memories: [memory], isOnce: false });
  }

  add(item: DeliveryEffect, step: FilterStep): void {
    this.#items.push(item);
    this.#steps.push(step);
  }

  step(what: string, by: string): void {
    this.#steps.push({ what, by });
  }

  /** `inbox`: where a keep without another word goes. */
  async act(action: Action, inbox: MailboxTarget): Promise<void> {
    const by = action.origin.line > 0 ? `${action.origin.file}:${action.origin.line}` : action.origin.file;
    switch (action.kind) {
      case 'keep':
        await this.#copy(inbox, action.flags, action.message);
        return this.step(`kept in ${nameOf(inbox)}${action.isImplicit ? ', as no rule says otherwise' : ''}`, action.isImplicit ? '' : by);
      case 'fileInto': {
        const target = this.#mailbox(action.mailbox, action.specialUse, action.mailboxId);
        await this.#copy(target, action.flags, action.message);
        return this.step(`filed into ${nameOf(target)}`, by);
      }
      case 'discard':
        return this.step('thrown away', by);
      case 'redirect':
        return this.#redirect(action, by, inbox);
      case 'reject':
        return this.#reject(action, by, inbox);
      case 'vacation':
        return this.#vacation(action, by);
      case 'notify':
        return this.#notify(action, by);
      case 'send':
        return this.#send(action, by);
      case 'pipe':
        return this.#pipe(action, by, inbox);
      case 'defer':
        await this.#copy(inbox, null, action.message);
        return this.step(`kept in ${nameOf(inbox)}: "${action.text}"`, by);
      case 'store':
        // An account of the store has no file system: the message stays where its owner sees it.
        await this.#copy(inbox, null, action.message);
        return this.step(`kept in ${nameOf(inbox)}: there is no ${action.path} for this account`, by);
    }
  }

  /** The owner hears of it once; `state`: which form of the script it is; `script`: where it is kept, when it is one of those that are run. */
  async problem(problem: FilterProblem, state: string, script: { readonly scope: string; readonly name: string } | null, keptIn = 'INBOX'): Promise<void> {
    const { now, newId, settings, reader, staging } = this.#context;
    this.step(
      `${problem.isPassedOver === true ? 'a mistake is passed over' : 'the filter fails'}: ${problem.text}`,
      problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file,
    );
    const at = now();
    const memory = scriptReportMemory(problem, state, at);
    if (isRemembered(reader, this.#account.id, memory.kind, memory.key, at)) return;
    const id = newId();
    const to = this.#owner();
    const mail = composeScriptReport(problem, { id, at, hostname: settings().hostname, to, state, keptIn });
    const message = await stageBytes(staging, mail.bytes);
    const operation = script === null ? undefined : { name: 'script.reported', input: { scope: script.scope, name: script.name } };
    this.#items.push({ accept: this.#intoInbox(id, at, message, to), memories: mail.memories, isOnce: true, operation });
  }

  plan(): FilterPlan {
    if (this.#refusal !== null && this.#copies.length === 0 && this.#items.every((item) => item.accept === null))
      return { refusal: this.#refusal, copies: [], effects: null, steps: this.#steps };
    const effects = this.#items.length === 0 && this.#forwards === 0 ? null : { items: this.#items, forwards: this.#forwards };
    return { refusal: null, copies: this.#copies, effects, steps: this.#steps };
  }

  // ── copies ─────────────────────────────────────────────────────────────────────────────────────────

  #mailbox(name: string, specialUse: string | null, objectId: string | null = null): MailboxTarget {
    const known = objectId === null ? null : mailboxOfObjectId(this.#context.reader, this.#account.id, objectId);
    if (known?.isSelectable === true) return mailboxTarget(known.name);
    const role = specialUse === null ? null : roleOfUse(specialUse);
    if (role !== null && this.#context.reader.mailboxes(this.#account.id).some((row) => row.role === role)) return { role };
    return mailboxTarget(name);
  }

  async #copy(mailbox: MailboxTarget, flags: FlagSet | null, version: MessageVersion): Promise<void> {
    this.#copies.push({
      mailbox,
      flags: flags?.flags ?? 0,
      keywords: flags === null || flags.keywords.length === 0 ? null : flags.keywords.join(' '),
      message: version === null ? null : await stageVersion(this.#context.staging, NO_BYTES, version, this.#original),
    });
  }

  #intoInbox(id: MessageId, at: number, message: StagedMessage, to: Address): AcceptInput {
    const address = formatAddress(to);
    return {
      id,
      at,
      source: 'reply',
      sender: null,
      accountId: null,
      message,
      deliveries: [
        { accountId: this.#account.id, prefix: NO_BYTES, mailbox: { role: 'inbox' }, flags: 0, keywords: null, address, orcpt: null, notify: 'never' },
      ],
      remote: [],
      envid: null,
      ret: null,
      smtputf8: false,
      whenFull: 'refuse',
      journey: bornEvent(id, this.#input.id, { at, source: 'reply', from: null, to: [address], size: message.size }),
    };
  }

  // ── sent on ────────────────────────────────────────────────────────────────────────────────────────

  async #redirect(action: Extract<Action, { kind: 'redirect' }>, by: string, inbox: MailboxTarget): Promise<void> {
    const context = this.#context;
    const input = this.#input;
    const account = this.#account;
    const isOffSite = await context.isOffSite(action.address);
    const sender = action.sender ?? input.sender;
    const isSenderOurs = sender !== null && (await context.isOurDomain(sender.domain));
    const planned = planForward(
      {
        accountId: account.id,
        sender,
        recipient: input.final,
        to: action.address,
        isOffSite,
        isSpam: this.#isSpam(),
        deliveredTo: input.message.digest.deliveredTo,
        forwardsToday: (isOffSite ? forwardsToday(context.reader, account.id, context.now()) : 0) + this.#forwards,
        isOurDomain: () => isSenderOurs,
        srs: context.srs(),
      },
      context.settings(),
    );
    const to = formatAddress(action.address);
    if (planned.kind === 'refuse') {
      const target = planned.reason === 'spam' ? ({ role: 'junk' } as const) : inbox;
      await this.#copy(target, null, action.message);
      return this.step(`not sent on to ${to}: ${FORWARD_REFUSALS[planned.reason]}; kept in ${nameOf(target)}`, by);
    }
    const id = context.newId();
    const at = context.now();
    const top = Buffer.concat(planned.edits.map((edit) => (edit.kind === 'prepend' ? fieldBytes(edit.name, edit.value) : NO_BYTES)));
    const message = planned.isSealed ? await this.#sealed(top, action.message) : await stageVersion(context.staging, top, action.message, this.#original);
    const accept = outgoing({
      id,
      about: input.id,
      at,
      source: 'forward',
      sender: planned.sender,
      to: [planned.to],
      message,
      accountId: account.id,
      notify: action.dsn?.notify ?? null,
      ret: action.dsn?.ret ?? null,
    });
    // The mark in the header can be filtered away; the count cannot, so that forwards in a circle end.
    const arrival = turnsAlone(input.arrival);
    this.#items.push({ accept: { ...accept, arrival }, memories: planned.note === null ? [] : [srsNoteMemory(planned.note)], isOnce: false });
    if (planned.counts !== null) this.#forwards += 1;
    this.step(`sent on to ${to} as message ${id}`, by);
  }

  /** With our ARC set on top, where the message fits in memory; a larger one goes without (RFC 8617 demands nothing). */
  async #sealed(top: Uint8Array, version: MessageVersion): Promise<StagedMessage> {
    const { staging } = this.#context;
    const staged = await stageVersion(staging, top, version, this.#original);
    const reader = staging.read(staged);
    try {
      if (staged.size > SEALED_BYTES_MAX) return staged;
      const bytes = await reader.slice(0, staged.size);
      const view = messageInMemory(bytes, staged.digest.headerBytes);
      const result = await this.#context.seal({ message: view, domains: [this.#input.final.domain, this.#context.settings().domain] });
      if (result === null || result.kind !== 'sealed') return staged;
      const sealed = editedMessage(view, []);
      return await stageBytes(staging, Buffer.concat([...result.fields, sealed.bytes ?? bytes]));
    } finally {
      reader.close();
    }
  }

  async #send(action: Extract<Action, { kind: 'send' }>, by: string): Promise<void> {
    const { staging, newId, now } = this.#context;
    const id = newId();
    const message = await stageVersion(staging, NO_BYTES, action.message, this.#original);
    const accept = outgoing({
      id,
      about: this.#input.id,
      at: now(),
      source: 'reply',
      sender: action.sender,
      to: action.to,
      message,
      accountId: this.#account.id,
    });
    this.#items.push({ accept: { ...accept, arrival: turnsAlone(this.#input.arrival) }, memories: [], isOnce: false });
    this.step(`a message ${id} was sent to ${action.to.map(formatAddress).join(', ')}`, by);
  }

  /** Programs run from the queue, by the user agent: they are tried again, and hold up no delivery. */
  async #pipe(action: Extract<Action, { kind: 'pipe' }>, by: string, inbox: MailboxTarget): Promise<void> {
    const { staging, newId, now, settings } = this.#context;
    const command = commandText(action, settings()['sieve.programDirectory']);
    if (command === null) {
      await this.#copy(inbox, null, action.message);
      return this.step(`kept in ${nameOf(inbox)}: there is no folder for programs (option sieve.programDirectory)`, by);
    }
    const id = newId();
    const message = await stageVersion(staging, NO_BYTES, action.message, this.#original);
    const base = outgoing({
      id,
      about: this.#input.id,
      at: now(),
      source: 'forward',
      sender: this.#input.sender,
      to: [this.#input.final],
      message,
      accountId: this.#account.id,
    });
    const accept: AcceptInput = { ...base, remote: base.remote.map((one) => ({ ...one, task: { kind: 'command', command, user: null } })) };
    this.#items.push({ accept, memories: [], isOnce: false });
    this.step(`given to the program ${command.slice(0, 200)} as message ${id}`, by);
  }

  // ── sent back ──────────────────────────────────────────────────────────────────────────────────────

  async #reject(action: Extract<Action, { kind: 'reject' }>, by: string, inbox: MailboxTarget): Promise<void> {
    const reply = this.#input.mayRefuse ? refusalReply(action) : null;
    if (reply !== null && this.#copies.length === 0 && this.#items.length === 0) {
      this.#refusal = reply;
      return this.step(`refused: ${reply.code} ${reply.enhanced} ${reply.text}`, by);
    }
    const input = this.#input;
    const replier = this.#replierNow();
    const plan = composeRejection(action, {
      ...replier,
      sender: input.sender,
      recipient: input.recipient,
      orcpt: input.orcpt,
      envid: null,
      arrivalAt: input.at,
      header: await this.#headerFacts(),
      headerBytes: await this.#headerBytes(),
      isSpam: input.arrival?.spam?.isSpam === true,
      isForged: input.arrival?.spam?.symbols.some(({ name }) => name === 'SPF_FAIL') === true,
      settings: this.#context.settings(),
    });
    if (plan.kind === 'skip' && plan.reason !== 'nullSender') {
      // Nobody may be told: what is refused in silence would be lost.
      await this.#copy(input.arrival?.spam?.isSpam === true ? { role: 'junk' } : inbox, null, action.message);
      return this.step(`not refused (${REPLY_REFUSALS[plan.reason]}), but kept`, by);
    }
    await this.#reply('rejection', replier.id, plan, by);
  }

  async #vacation(action: Extract<Action, { kind: 'vacation' }>, by: string): Promise<void> {
    const { reader, now, settings } = this.#context;
    const replier = this.#replierNow();
    const plan = planVacation(
      action,
      {
        ...replier,
        sender: this.#input.sender,
        recipient: this.#input.final,
        header: await this.#headerFacts(),
        isSpam: this.#isSpam(),
        settings: settings(),
      },
      (key) => isRemembered(reader, this.#account.id, 'vacation', key, now()),
    );
    await this.#reply('vacation notice', replier.id, plan, by);
  }

  async #notify(action: Extract<Action, { kind: 'notify' }>, by: string): Promise<void> {
    const replier = this.#replierNow();
    const header = await this.#headerFacts();
    const plan = composeNotification(action, { ...replier, sender: this.#input.sender, header, notified: this.#notified, settings: this.#context.settings() });
    if (plan.kind === 'send') this.#notified.push(...plan.to.map(addressKey));
    await this.#reply('notification', replier.id, plan, by);
  }

  async #reply(what: string, id: MessageId, plan: ReplyPlan, by: string): Promise<void> {
    if (plan.kind === 'skip') return this.step(`no ${what}: ${REPLY_REFUSALS[plan.reason]}`, by);
    this.#replies += 1;
    const { staging } = this.#context;
    const message = await stageBytes(staging, plan.bytes);
    const accept = outgoing({
      id,
      about: this.#input.id,
      at: this.#context.now(),
      source: 'reply',
      sender: plan.sender,
      to: plan.to,
      message,
      accountId: null,
    });
    this.#items.push({ accept, memories: plan.memories, isOnce: true });
    this.step(`${what} sent to ${plan.to.map(formatAddress).join(', ')} as message ${id}`, by);
    if (plan.fcc !== null) await this.#fileReply(plan, plan.fcc);
  }

  async #fileReply(plan: PlannedMail, fcc: NonNullable<PlannedMail['fcc']>): Promise<void> {
    this.#copies.push({
      mailbox: this.#mailbox(fcc.mailbox, fcc.specialUse),
      flags: fcc.flags?.flags ?? 0,
      keywords: fcc.flags === null || fcc.flags.keywords.length === 0 ? null : fcc.flags.keywords.join(' '),
      message: await stageBytes(this.#context.staging, plan.bytes),
      prefix: NO_BYTES,
    });
  }

  #replierNow(): Replier {
    const { reader, settings, now, newId, maySendAs } = this.#context;
    const account = this.#account;
    this.#replier ??= {
      at: now(),
      hostname: settings().hostname,
      owner: this.#owner(),
      ownerName: null,
      ownAddresses: ownAddressesOf(reader, account),
      maySendAs: (address) => maySendAs(account.id, address),
      repliesToday: repliesToday(reader, account.id, now()),
    };
    return { ...this.#replier, id: newId(), repliesToday: this.#replier.repliesToday + this.#replies };
  }

  /** By the judge, by DMARC's quarantine, or by the account's own lists and thresholds. */
  #isSpam(): boolean {
    return this.#input.arrival?.spam?.isSpam === true || this.#input.isJunk || this.isSpam;
  }

  #owner(): Address {
    const { login } = this.#account;
    const at = login.lastIndexOf('@');
    return { local: login.slice(0, at), domain: login.slice(at + 1) };
  }

  async #headerBytes(): Promise<Uint8Array> {
    this.#header ??= await this.#original.reader.slice(0, this.#original.headerBytes);
    return this.#header;
  }

  async #headerFacts(): Promise<HeaderFacts> {
    this.#facts ??= readHeaderFacts(await this.#headerBytes());
    return this.#facts;
  }
}

/** Above this a forwarded message is not sealed: the seal would need it whole in memory. */
const SEALED_BYTES_MAX = 16 * 1024 * 1024;

export function mailboxTarget(name: string): MailboxTarget {
  return inboxName(name) === 'INBOX' ? { role: 'inbox' } : { name };
}

function nameOf(target: MailboxTarget): string {
  if ('name' in target) return `"${target.name}"`;
  return target.role === 'inbox' ? 'INBOX' : `the ${target.role} mailbox`;
}

/** For the shell. Programs named by scripts are those of the administrator's folder and no others; null: there is no such folder. */
function commandText(action: Extract<Action, { kind: 'pipe' }>, directory: string): string | null {
  if (action.command.kind === 'shell') return action.command.line;
  const [name, ...rest] = action.command.argv;
  if (name === undefined || name.includes('/') || name.startsWith('.') || directory === '') return null;
  return [join(directory, name), ...rest].map((word) => (/^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}
