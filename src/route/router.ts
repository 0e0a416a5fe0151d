/** Where addresses lead: rewriting, virtual aliases, address classes, the directory, local names. The port `Router`, and what the courier asks. */
import { TableError } from '../directory/tables/errors.ts';
import { addressKey, formatAddress, parseMailbox } from '../mail/address.ts';
import type { AccountId, Address, LocalTarget, RemoteTarget, Reply, Resolution, Router, RouteStep } from '../ports.ts';
import type { AddressClass } from './classes.ts';
import { type Completion, routedElsewhere } from './complete.ts';
import { rewriteHeader } from './header.ts';
import { type Hop, hopOf, splitTransport } from './hop.ts';
import { ROUTE_LIMITS } from './limits.ts';
import { localOutcome, type MailboxChoice, mailboxChoice } from './local.ts';
import { Trail } from './lookup.ts';
import { type AllRouteSettings, type Plan, type PlanHost, planKeeper } from './plan.ts';
import { after, go, type Soon, type Walk, wait } from './soon.ts';
import type { SrsTarget } from './srs-target.ts';
import { parseNexthop } from './transport.ts';

export interface RouterContext extends PlanHost {
  /** The values now in force; the same object until they change. */
  settings(): AllRouteSettings;
  /** The store's account of a virtual mailbox that tables name; null when there is none. */
  accountForTable(login: string): Soon<AccountId | null>;
  /** Reports to senders that were rewritten for forwarding (`srs-target.ts`). */
  srs?(address: Address): SrsTarget | null;
}

const UNKNOWN: Resolution = { kind: 'unknown' };
const DISABLED: Resolution = { kind: 'disabled' };
const LOOP: Resolution = { kind: 'loop' };
const FOREIGN: Resolution = { kind: 'foreign' };
const CIRCLE = '5.4.6 The aliases of this address lead in a circle';

/** Throws RouteProblem and TableProblem for settings that are wrong from the start. */
export function createRouter(context: RouterContext): Router {
  const plan = planKeeper(() => context.settings(), context);
  return {
    resolve(address, sender, steps) {
      const now = plan();
      const reversed = context.srs?.(address) ?? null;
      if (reversed !== null) return bySrs(reversed, address, steps);
      // The usual case: a domain of the directory or of somebody else, and nothing configured that could say otherwise.
      if (now.isPlain && steps === undefined) return context.directory.resolve(address);
      return go(new Resolving(now, context, steps === undefined ? null : new Trail(steps, ROUTE_LIMITS.steps)).run(address, sender));
    },
    sender(address) {
      if (address === null) return null;
      const now = plan();
      if (now.rewriter.isIdle('envelope_sender') && address.domain !== '' && now.completion.parentDomain === '') return address;
      return now.rewriter.rewrite(address, 'envelope_sender', now.completion, null, 0);
    },
    copies(sender, recipients) {
      const now = plan();
      if (now.settings['route.alwaysBcc'] === '' && now.senderBcc.isEmpty && now.recipientBcc.isEmpty) return NOBODY;
      return go(copies(now, sender, recipients));
    },
    header(header, isLocalClient) {
      const now = plan();
      const how = completionFor(now, isLocalClient);
      return how === null ? null : rewriteHeader(header, (address, place) => now.rewriter.rewrite(address, place, how, null, 0));
    },
  };
}

const NOBODY: readonly Address[] = [];

/** null: the header of such mail is left alone. */
function completionFor(plan: Plan, isLocalClient: boolean): Completion | null {
  if (isLocalClient) return plan.completion;
  const domain = plan.settings['route.remoteHeaderRewriteDomain'];
  return domain === ''
    ? null
    : { ...plan.completion, origin: domain.toLowerCase(), parentDomain: plan.completion.parentDomain === '' ? '' : domain.toLowerCase() };
}

function bySrs(target: SrsTarget, address: Address, steps: RouteStep[] | undefined): Resolution {
  const by = 'SRS';
  if (target.kind === 'forward') {
    steps?.push({ depth: 0, what: formatAddress(target.address), by });
    return { kind: 'deliver', local: [], remote: [target.address] };
  }
  const { enhanced, text } = target.reply;
  steps?.push({ depth: 0, what: `refused: ${enhanced} ${text}`, by });
  return { kind: 'deliver', local: [], remote: [{ ...address, nexthop: `error:${enhanced} ${text}` }] };
}

/**
 * The reply to RCPT when all a recipient leads to is refused by routing (a user who has moved, "error:" in a table); null otherwise. What
 * leads somewhere as well is taken, and the rest is reported.
 */
export function refusalOf(resolution: Resolution): Reply | null {
  if (resolution.kind !== 'deliver' || resolution.local.length > 0 || resolution.remote.length === 0) return null;
  let last: { enhanced: string; text: string } | null = null;
  for (const { nexthop } of resolution.remote) {
    if (nexthop === undefined || !/^(?:error|retry):/.test(nexthop)) return null;
    const hop = parseNexthop(nexthop);
    if (hop?.kind !== 'error') return null;
    last = hop;
  }
  return { code: last!.enhanced.startsWith('4') ? 450 : 550, enhanced: last!.enhanced, text: last!.text };
}

interface Waiting {
  readonly address: Address;
  readonly depth: number;
  readonly sender?: Address;
}

/** One address on its way through everything. */
class Resolving {
  readonly #plan: Plan;
  readonly #context: RouterContext;
  readonly #trail: Trail | null;
  readonly #local = new Map<AccountId, LocalTarget>();
  readonly #remote = new Map<string, RemoteTarget>();
  readonly #queue: Waiting[] = [];
  readonly #seen = new Set<string>();
  #isUnknown = false;
  #isDisabled = false;
  #isLoop = false;
  /** The limit that was passed: then nothing is delivered at all. */
  #passed: string | null = null;
  #targets = 0;

  constructor(plan: Plan, context: RouterContext, trail: Trail | null) {
    this.#plan = plan;
    this.#context = context;
    this.#trail = trail;
  }

  *run(given: Address, sender: Address | null): Walk<Resolution> {
    const { rewriter, completion } = this.#plan;
    this.#trail?.add(0, formatAddress(given), sender === null ? 'recipient' : `recipient, from ${formatAddress(sender)}`);
    const start = yield* wait(rewriter.rewrite(given, 'envelope_recipient', completion, this.#trail, 0));
    this.#later({ address: start, depth: 0 });
    for (let i = 0; i < this.#queue.length; i += 1) {
      // Bounded as a whole: one address is one place in the queue of a transaction.
      if (this.#targets > this.#most || this.#queue.length > this.#most) return this.#stop('aliases.targetsMax');
      yield* this.#expand(this.#queue[i]!, sender);
      if (this.#passed !== null) return this.#stop(this.#passed);
    }
    return this.#outcome(given);
  }

  get #most(): number {
    return this.#plan.settings['aliases.targetsMax'];
  }

  #stop(why: string): Resolution {
    this.#trail?.add(0, 'refused: the aliases lead to too many addresses', why);
    return LOOP;
  }

  #later(next: Waiting): void {
    const key = addressKey(next.address);
    if (this.#seen.has(key)) {
      this.#isLoop = true;
      return;
    }
    this.#seen.add(key);
    this.#queue.push(next);
  }

  *#expand(next: Waiting, sender: Address | null): Walk<void> {
    const { virtual } = this.#plan;
    if (virtual.isIdle) return yield* this.#final(next, sender);
    const outcome = yield* wait(virtual.expand(next.address, this.#trail, next.depth));
    if (outcome.kind === 'limit') {
      this.#passed = outcome.option;
      return;
    }
    if (outcome.kind === 'loop') {
      this.#isLoop = true;
      this.#memberFails(next, CIRCLE);
      return this.#trail?.add(next.depth + 1, 'refused: aliases lead back to themselves', 'virtualAliasMaps', next.address);
    }
    for (const { address, depth, refusal } of outcome.targets) {
      if (refusal !== null) this.#refuse({ address, depth, ...owner(next) }, refusal);
      else {
        this.#seen.add(addressKey(address));
        yield* this.#final({ address, depth, ...owner(next) }, sender);
      }
    }
  }

  *#final(next: Waiting, sender: Address | null): Walk<void> {
    const plan = this.#plan;
    const { address, depth } = next;
    const kind = yield* wait(plan.classes.of(address.domain));
    if (kind !== 'default' && kind !== 'relay') {
      const moved = routedElsewhere(address.local, plan.completion);
      if (moved !== null && !(kind === 'own' && this.#context.directory.resolve(address).kind === 'deliver')) {
        this.#trail?.add(depth + 1, formatAddress(moved), 'route.swapBangPath, route.percentHack', address);
        return this.#later({ ...next, address: moved, depth: depth + 1 });
      }
    }
    if (!plan.relocated.isEmpty) {
      const found = yield* wait(plan.relocated.find(address));
      if (found !== null) return this.#refuse(next, `5.1.6 User has moved to ${found.value.trim()}`, plan.relocated.where(found));
    }
    if (kind === 'relay' || kind === 'default') return yield* this.#offHost(next, sender, kind);
    if (kind === 'virtualAlias') {
      this.#trail?.add(depth + 1, 'no such address', 'policy.virtualAliasDomains', address);
      return this.#unknown(next);
    }
    if (kind === 'own') {
      const decision = yield* wait(plan.transports.override(address, 'own'));
      if (decision === null || decision.channel === 'virtual') return this.#own(next);
      return decision.channel === 'local' ? yield* this.#localName(next) : this.#route(next, decision);
    }
    const decision = yield* wait(plan.transports.decide(address, sender, kind));
    if (decision.channel === 'local') return yield* this.#localName(next);
    if (decision.channel === 'virtual') return yield* this.#mailbox(next);
    return this.#route(next, decision);
  }

  *#offHost(next: Waiting, sender: Address | null, kind: AddressClass): Walk<void> {
    const { transports } = this.#plan;
    const said = this.#trail === null ? yield* wait(transports.override(next.address, kind)) : yield* wait(transports.decide(next.address, sender, kind));
    // What a table refuses is refused at RCPT already; all else the courier decides when its turn comes.
    if (said !== null && said.channel === 'error') return this.#refuse(next, said.nexthop, said.by);
    if (said !== null && said.channel === 'local') return yield* this.#localName(next);
    if (said !== null && said.channel === 'virtual') return yield* this.#mailbox(next);
    if (said !== null) this.#trail?.add(next.depth + 1, hopWords(transports.hop(said, next.address.domain)), `${said.by} (${kind} domain)`, next.address);
    this.#send({ ...next.address, ...owner(next) });
  }

  #route(next: Waiting, { channel, nexthop, by }: { channel: string; nexthop: string; by: string }): void {
    if (channel === 'error') return this.#refuse(next, nexthop, by);
    this.#trail?.add(next.depth + 1, `${channel}:${nexthop}`, by, next.address);
    this.#send({ ...next.address, ...owner(next), nexthop: `${channel}:${nexthop}` });
  }

  #refuse(next: Waiting, words: string, by?: string): void {
    if (by !== undefined) this.#trail?.add(next.depth + 1, `refused: ${words}`, by, next.address);
    this.#send({ ...next.address, ...owner(next), nexthop: `error:${words}` });
  }

  /** A member of an alias who is nobody bounces when there are others; alone it is the recipient that is unknown. */
  #unknown(next: Waiting): void {
    this.#isUnknown = true;
    this.#memberFails(next, '5.1.1 User unknown');
  }

  #memberFails(next: Waiting, words: string): void {
    if (next.depth > 0) this.#bounced.push({ ...next.address, ...owner(next), nexthop: `error:${words}` });
  }
  readonly #bounced: RemoteTarget[] = [];

  #own(next: Waiting): void {
    const { address, depth } = next;
    const found = this.#context.directory.resolve(address);
    switch (found.kind) {
      case 'deliver':
        for (const target of found.local) {
          this.#targets += 1;
          if (!this.#local.has(target.accountId)) this.#local.set(target.accountId, target);
          this.#trail?.add(depth + 1, `mailbox of ${formatAddress(target.address)}`, 'the directory', address);
        }
        for (const target of found.remote) {
          this.#trail?.add(depth + 1, formatAddress(target), 'an alias of the directory', address);
          if (target.task !== undefined || target.nexthop !== undefined) this.#send(target);
          else
            this.#later({
              address: { local: target.local, domain: target.domain },
              depth: depth + 1,
              ...owner(target.sender ? { sender: target.sender } : next),
            });
        }
        return;
      case 'disabled':
        this.#isDisabled = true;
        this.#memberFails(next, '5.2.1 This mailbox is switched off');
        return this.#trail?.add(depth + 1, 'the account is switched off', 'the directory', address);
      case 'loop':
        this.#isLoop = true;
        this.#memberFails(next, CIRCLE);
        return this.#trail?.add(depth + 1, 'refused: aliases lead back to themselves', 'the directory', address);
      default:
        this.#trail?.add(depth + 1, 'no such address', 'the directory', address);
        this.#unknown(next);
    }
  }

  *#localName(next: Waiting): Walk<void> {
    const led = yield* localOutcome(this.#plan.local, next.address, next.sender, this.#trail, next.depth);
    if (led.isUnknown) return this.#unknown(next);
    for (const target of led.targets) this.#send(target);
    for (const again of led.again) this.#later(again);
  }

  /** virtual(8): accounts of the store, or files below a directory. */
  *#mailbox(next: Waiting): Walk<void> {
    const { mailboxes, settings, scope } = this.#plan;
    const { address, depth } = next;
    const found = yield* wait(mailboxes.find(address));
    const base = settings['route.virtualMailboxBase'];
    if (base !== '') {
      if (found === null) return this.#unknown(next);
      const path = `${base.replace(/\/+$/, '')}/${found.value.trim().replace(/^\/+/, '')}`;
      if (path.split('/').includes('..') || path.includes('\0'))
        throw new TableError(found.table.name, `the mailbox "${found.value.slice(0, 100)}" leaves ${base}`);
      this.#trail?.add(depth + 1, path, mailboxes.where(found), address);
      const user = settings['route.virtualMailboxUser'];
      return this.#send({ ...address, ...owner(next), task: { kind: 'file', path, user: user === '' ? null : user } });
    }
    if (found === null && !mailboxes.isEmpty) {
      this.#trail?.add(depth + 1, 'no such mailbox', 'policy.virtualMailboxMaps', address);
      return this.#unknown(next);
    }
    const at = found === null || found.key.startsWith('@') || !found.key.includes('@') ? addressKey(address) : found.key.toLowerCase();
    // A table may well answer with the login itself.
    const named = found === null ? null : parseMailbox(found.value.trim(), { utf8: true });
    const login = named === null ? at : addressKey(named);
    const accountId = yield* wait(this.#context.accountForTable(login));
    if (accountId === null) {
      this.#trail?.add(depth + 1, `no mailbox "${login}"`, 'the store', address);
      return this.#unknown(next);
    }
    this.#trail?.add(depth + 1, `mailbox of ${login}`, found === null ? 'policy.virtualMailboxDomains' : mailboxes.where(found), address);
    this.#targets += 1;
    const cut = address.local.length > 1 ? detailOf(address.local, scope.delimiters) : null;
    if (!this.#local.has(accountId)) this.#local.set(accountId, { accountId, address: parseMailbox(login, { utf8: true }) ?? address, detail: cut });
  }

  #send(target: RemoteTarget): void {
    this.#targets += 1;
    const key = `${addressKey(target)} ${target.nexthop ?? ''} ${target.task === undefined ? '' : JSON.stringify(target.task)}`;
    if (!this.#remote.has(key)) this.#remote.set(key, target);
  }

  #outcome(given: Address): Resolution {
    if (this.#local.size + this.#remote.size > 0) {
      for (const target of this.#bounced) this.#send(target);
      const remote = [...this.#remote.values()];
      const [only] = remote;
      const isItself = this.#local.size === 0 && remote.length === 1 && addressKey(only!) === addressKey(given) && only!.local === given.local && isBare(only!);
      return isItself ? FOREIGN : { kind: 'deliver', local: [...this.#local.values()], remote };
    }
    if (this.#isUnknown) return UNKNOWN;
    if (this.#isLoop) return LOOP;
    return this.#isDisabled ? DISABLED : UNKNOWN;
  }
}

const owner = (from: { readonly sender?: Address | null }): { sender?: Address } => (from.sender ? { sender: from.sender } : {});
const isBare = (target: RemoteTarget): boolean => target.nexthop === undefined && target.task === undefined && target.sender === undefined;

function detailOf(local: string, delimiters: string): string | null {
  for (let i = 1; i < local.length; i += 1) if (delimiters.includes(local[i]!)) return local.slice(i + 1);
  return null;
}

function* copies(plan: Plan, sender: Address | null, recipients: readonly Address[]): Walk<readonly Address[]> {
  const found = new Map<string, Address>();
  const add = (address: Address): void => void (found.has(addressKey(address)) ? undefined : found.set(addressKey(address), address));
  const always = plan.settings['route.alwaysBcc'];
  if (always !== '') {
    const address = plan.scope.complete(always);
    if (address !== null) add(address);
  }
  if (sender !== null && !plan.senderBcc.isEmpty) {
    const hit = yield* wait(plan.senderBcc.find(sender));
    if (hit !== null) add(plan.senderBcc.read(hit.value.trim(), hit));
  }
  if (plan.recipientBcc.isEmpty) return [...found.values()];
  for (const recipient of recipients) {
    const address = yield* wait(plan.rewriter.rewrite(recipient, 'envelope_recipient', plan.completion, null, 0));
    const hit = yield* wait(plan.recipientBcc.find(address));
    if (hit !== null) add(plan.recipientBcc.read(hit.value.trim(), hit));
  }
  return [...found.values()];
}

/** What the courier and the user agent ask. */
export interface Transports {
  /** The next hop of a queued recipient that has none yet. Throws or rejects with TableError. `sender` "" or null: the null reverse-path. */
  transport(recipient: { readonly address: string; readonly domain: string }, sender: string | null): Hop | Promise<Hop>;
  /** The hop of a text: `RemoteTarget.nexthop`, FILTER of the policy, "transport:nexthop" of tables. Never throws. */
  hop(text: string, domain: string): Hop;
  /** Where the mailbox of a system user is, when no .forward or filter says otherwise. */
  mailbox(user: string): MailboxChoice | Promise<MailboxChoice>;
  /** Generic addresses, for mail that leaves by SMTP. */
  generic(): Plan['generic'];
  /** Named transports, by name. */
  named(): Plan['named'];
}

export function createTransports(context: PlanHost & { settings(): AllRouteSettings }): Transports {
  const keeper = planKeeper(() => context.settings(), context);
  return {
    transport(recipient, sender) {
      const plan = keeper();
      const { classes, transports } = plan;
      if (transports.isPlain && classes.isPlain) return transports.byDomain(recipient.domain);
      const at = recipient.address.lastIndexOf('@');
      const address = parseMailbox(recipient.address, READ) ?? {
        local: at === -1 ? recipient.address : recipient.address.slice(0, at),
        domain: recipient.domain,
      };
      const from = sender === null || sender === '' ? null : parseMailbox(sender, READ);
      return after(classes.of(recipient.domain), (kind) =>
        after(transports.decide(address, from, kind), (decision) => transports.hop(decision, recipient.domain)),
      );
    },
    hop: (text, domain) => hopFromText(text, domain, keeper()),
    mailbox: (user) => mailboxChoice(keeper().local, user.toLowerCase()),
    generic: () => keeper().generic,
    named: () => keeper().named,
  };
}
const READ = { utf8: true, localBytes: 1000 } as const;

function hopFromText(text: string, domain: string, plan: Plan): Hop {
  const { channel, nexthop } = splitTransport(text);
  return hopOf(channel, nexthop, domain, { named: plan.named, fallback: plan.settings['route.fallbackRelay'] });
}

/** A hop in a few words, for people. */
export function hopWords(hop: Hop): string {
  switch (hop.kind) {
    case 'smtp': {
      const host = hop.mx ? `the mail hosts of ${hop.host}` : `[${hop.host}]`;
      return `${hop.transport?.name ?? (hop.implicitTls ? 'smtps' : 'smtp')}: ${host}${hop.port === null ? '' : `, port ${hop.port}`}`;
    }
    case 'lmtp':
      return `${hop.transport?.name ?? 'lmtp'}: ${hop.path ?? `[${hop.host}]:${hop.port}`}`;
    case 'error':
      return `${hop.enhanced.startsWith('4') ? 'kept in the queue' : 'refused'}: ${hop.enhanced} ${hop.text}`;
    case 'discard':
      return 'thrown away';
    case 'pipe':
      return `program ${hop.transport.name}: ${hop.transport.argv.join(' ')}`;
    default:
      return hop.kind === 'local' ? 'users of this machine' : 'mailboxes of this machine';
  }
}
