/**
 * The mailroom: what the rules of an account of the store make of a message. Its lists and thresholds, challenges to strangers, and Sieve.
 * Reads and plans only; the writer commits what was planned together with the delivery.
 */
import { randomBytes } from 'node:crypto';
import { addressKey, formatAddress } from '../../mail/address.ts';
import type { Account, Announcements, Directory, Log, Metrics, MessageReader, Recipient, StoreReader, StoreWriter } from '../../ports.ts';
import type { MailboxTarget } from '../../store/operations/accept.types.ts';
import { type ChallengePlan, CHALLENGE_COUNT, planChallenge } from '../challenge/plan.ts';
import { challengeStore, hasChallenges } from '../challenge/read.ts';
import type { ChallengeSettings } from '../challenge/settings.ts';
import { TOKEN_BYTES } from '../challenge/token.ts';
import type { FilterInput, FilterProblem, FilterRun } from '../filters/filter.ts';
import { readHeaderFacts } from '../reply/header-facts.ts';
import { repliesToday } from '../reply/memory.ts';
import { ownAddressesOf } from '../reply/own-addresses.ts';
import type { CompiledScript, CompiledScripts, ScriptCache } from '../scripts/compiled.ts';
import { findListed, listKeys } from '../sorting/address-lists.ts';
import { readPreferences, type SortingPreferences, sortingPreferences } from '../sorting/preferences.ts';
import type { SortingSettings } from '../sorting/settings.ts';
import { proofOf, sortByScore, type Sorted } from '../sorting/sort.ts';
import { driveRun, type StoreHost } from './drive.ts';
import { storeHost } from './host.ts';
import { outgoing, stageBytes } from './outgoing.ts';
import { Planner, type PlannerContext } from './plan.ts';
import type { FilterPlan, Mailroom, MailroomInput } from './types.ts';

/** A compiled script, or why there is none. */
export type CompiledSieve<S> = { readonly script: S } | { readonly problems: readonly FilterProblem[] };

export interface SieveRunner<S> {
  run(scripts: readonly S[], input: FilterInput): FilterRun;
  /** Programs of the administrator; left out where they are switched off. */
  program?: StoreHost['run'];
}

export interface MailroomParts<S> {
  readonly context: Omit<PlannerContext, 'settings' | 'reader'> & {
    settings(): ReturnType<PlannerContext['settings']> &
      SortingSettings &
      ChallengeSettings & { readonly 'directory.recipientDelimiters': string; readonly 'reply.never': readonly string[] };
    readonly reader: StoreReader;
  };
  readonly directory: Directory;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly announcements: Announcements;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly scripts: ScriptCache<CompiledSieve<S>>;
  readonly sieve: SieveRunner<S>;
  /** The text that `include` names, for an account and its domain. */
  included(accountId: number, domain: string, location: 'personal' | 'global', name: string): string | null;
}

/** What an account has said about its mail beside scripts; null: nothing. */
interface OwnRules {
  readonly preferences: SortingPreferences;
  readonly asksStrangers: boolean;
}

const ACCOUNTS_MAX = 20_000;
/** A body is put beside the header for the filter up to here; larger ones are read piece by piece. */
const BODY_IN_MEMORY_MAX = 256 * 1024;

class StoreMailroom<S> implements Mailroom {
  readonly #parts: MailroomParts<S>;
  readonly #rules = new Map<number, OwnRules | null>();
  #rulesFor: object | null = null;

  constructor(parts: MailroomParts<S>) {
    this.#parts = parts;
    parts.announcements.on('directory', () => this.#rules.clear());
  }

  sort(input: MailroomInput): FilterPlan | null | Promise<FilterPlan | null> {
    const { directory, scripts: cache } = this.#parts;
    const account = directory.account(input.accountId);
    if (account === null) return null;
    const scripts = cache.of(account.id, account.login.slice(account.login.lastIndexOf('@') + 1));
    const rules = this.#rulesOf(account.id);
    if (scripts.isEmpty && rules === null) return null;
    return this.#sort(account, input, scripts, rules);
  }

  hasRules(accountId: number): boolean {
    const account = this.#parts.directory.account(accountId);
    if (account === null) return false;
    return !this.#parts.scripts.of(accountId, account.login.slice(account.login.lastIndexOf('@') + 1)).isEmpty || this.#rulesOf(accountId) !== null;
  }

  asksStrangers(accountId: number): boolean {
    return this.#rulesOf(accountId)?.asksStrangers === true;
  }

  wroteTo(accountId: number, recipients: readonly Recipient[]): void {
    const { context, writer, log } = this.#parts;
    const to = recipients.map(({ address }) => addressKey(address));
    const until = context.now() + context.settings()['challenge.known'];
    writer.run('challenge.wrote', { accountId, to, until }).catch((cause: unknown) => log.warn('challenge.wrote.failed', { cause }));
  }

  #rulesOf(accountId: number): OwnRules | null {
    const settings = this.#parts.context.settings();
    if (this.#rulesFor !== settings) {
      this.#rulesFor = settings;
      this.#rules.clear();
    }
    let known = this.#rules.get(accountId);
    if (known !== undefined) return known;
    const { reader } = this.#parts.context;
    const own = readPreferences(reader, accountId);
    const hasLists = reader.rows('SELECT 1 FROM address_list WHERE account_id=? LIMIT 1', accountId).length > 0;
    known =
      own.size === 0 && !hasLists && settings['sorting.discard'] === 'off'
        ? null
        : { preferences: sortingPreferences(own, settings), asksStrangers: hasChallenges(own) };
    if (this.#rules.size >= ACCOUNTS_MAX) this.#rules.delete(this.#rules.keys().next().value!);
    this.#rules.set(accountId, known);
    return known;
  }

  async #sort(account: Account, input: MailroomInput, scripts: CompiledScripts<CompiledSieve<S>>, rules: OwnRules | null): Promise<FilterPlan | null> {
    const { context, log, metrics } = this.#parts;
    const reader = context.staging.read(input.message);
    const headerBytes = input.message.digest.headerBytes;
    const planner = new Planner(context, account, input, { reader, headerBytes });
    try {
      const header = await reader.slice(0, headerBytes);
      let inbox: MailboxTarget = input.isJunk ? { role: 'junk' } : { role: 'inbox' };
      if (rules !== null) {
        const sorted = this.#sorted(account, input, header, rules);
        if (sorted.target === 'discard') {
          planner.step(`thrown away: ${sorted.reason}`, '');
          return planner.plan();
        }
        if (sorted.reason !== 'not judged') inbox = sorted.target === 'junk' ? { role: 'junk' } : { role: 'inbox' };
        planner.step(`sorted to ${sorted.target}: ${sorted.reason}`, '');
        planner.isSpam = sorted.target === 'junk';
        if (rules.asksStrangers && (await this.#challenged(account, input, header, sorted, planner))) return planner.plan();
      }
      if (scripts.isEmpty) {
        await planner.act({ kind: 'keep', flags: null, isImplicit: true, message: null, origin: NO_ORIGIN }, inbox);
        return planner.plan();
      }
      await this.#filter(account, input, header, reader, scripts, planner, inbox);
      return planner.plan();
    } catch (error) {
      // Rules that cannot be followed must not cost the message: it goes where it goes without them.
      metrics.count('filter.failed');
      log.error('filter.failed', { id: input.id, account: account.login, cause: (error as Error).stack ?? (error as Error).message });
      return null;
    } finally {
      reader.close();
    }
  }

  #sorted(account: Account, input: MailroomInput, header: Uint8Array, { preferences }: OwnRules): Sorted {
    const facts = readHeaderFacts(header);
    const author = facts.from.length === 1 ? facts.from[0]! : null;
    const hits = findListed(this.#parts.context.reader, account.id, listKeys(input.sender, author));
    const spam = input.arrival?.spam ?? null;
    const verdict = spam === null ? null : { score: spam.score, threshold: spam.threshold, symbols: spam.symbols, isQuarantined: input.isJunk && !spam.isSpam };
    return sortByScore(preferences, hits, verdict, input.sender, author);
  }

  /** True when the message was disposed of: held until its sender answers, or an answer itself. */
  async #challenged(account: Account, input: MailroomInput, header: Uint8Array, sorted: Sorted, planner: Planner): Promise<boolean> {
    const { context } = this.#parts;
    const { reader } = context;
    const settings = context.settings();
    const at = context.now();
    const id = context.newId();
    const owner = ownerOf(account);
    const spam = input.arrival?.spam ?? null;
    const plan: ChallengePlan = planChallenge(
      {
        id,
        at,
        hostname: settings.hostname,
        owner,
        ownerName: null,
        ownAddresses: ownAddressesOf(reader, account),
        repliesToday: repliesToday(reader, account.id, at),
        sender: input.sender,
        header: readHeaderFacts(header),
        detail: input.detail,
        sorted: sorted.target,
        isAllowed: sorted.isAllowed,
        isOurs: spam === null,
        proof: proofOf(spam?.symbols ?? []),
        challengesToday: repliesToday(reader, account.id, at, CHALLENGE_COUNT),
        random: randomBytes(TOKEN_BYTES),
        delimiters: settings['directory.recipientDelimiters'],
        never: settings['reply.never'],
        settings,
      },
      challengeStore(reader, account.id, at),
    );
    const mailbox = settings['challenge.mailbox'];
    switch (plan.kind) {
      case 'deliver':
        return false;
      case 'answer':
        planner.add(
          {
            accept: null,
            memories: [],
            isOnce: false,
            operation: { name: 'challenge.answer', input: { accountId: account.id, mailbox, tokenHash: plan.tokenHash } },
          },
          { what: `${plan.author} has answered: what waited of theirs is in INBOX`, by: 'challenge' },
        );
        await planner.act({ kind: 'keep', flags: { flags: 1, keywords: [] }, isImplicit: false, message: null, origin: CHALLENGE }, { role: 'inbox' });
        return true;
      case 'hold':
        await planner.act(
          {
            kind: 'fileInto',
            mailbox: plan.mailbox,
            flags: { flags: 0, keywords: [plan.keyword] },
            isCreated: true,
            specialUse: null,
            message: null,
            origin: CHALLENGE,
          },
          { role: 'inbox' },
        );
        if (plan.ask !== null) {
          const { mail, tokenHash, until } = plan.ask;
          const message = await stageBytes(context.staging, mail.bytes);
          const accept = outgoing({ id, about: input.id, at, source: 'reply', sender: mail.sender, to: mail.to, message, accountId: null });
          const row = { accountId: account.id, tokenHash, sender: plan.author!, until };
          planner.add(
            { accept, memories: mail.memories, isOnce: false, operation: { name: 'challenge.ask', input: row } },
            { what: `${mail.to.map(formatAddress).join(', ')} was asked to confirm, with message ${id}`, by: 'challenge' },
          );
        } else planner.step(plan.reason, 'challenge');
        return true;
    }
  }

  async #filter(
    account: Account,
    input: MailroomInput,
    header: Uint8Array,
    reader: MessageReader,
    scripts: CompiledScripts<CompiledSieve<S>>,
    planner: Planner,
    inbox: MailboxTarget,
  ): Promise<void> {
    const { context, log, metrics, sieve } = this.#parts;
    const runnable: S[] = [];
    const broken: { problem: FilterProblem; state: string; script: CompiledScript<CompiledSieve<S>> }[] = [];
    const all = [...scripts.before, ...(scripts.personal === null ? [] : [scripts.personal]), ...scripts.after];
    for (const script of all) {
      const { compiled, file } = script;
      if ('script' in compiled) runnable.push(compiled.script);
      else if (compiled.problems[0] !== undefined)
        broken.push({ problem: compiled.problems[0], state: `${file}:${compiled.problems[0].line}:${compiled.problems[0].text}`, script });
    }
    for (const { problem, state, script } of broken) await planner.problem(problem, state, script);
    const keep = { kind: 'keep', flags: null, isImplicit: true, message: null, origin: NO_ORIGIN } as const;
    if (runnable.length === 0) return planner.act(keep, inbox);
    const { host, settle } = storeHost({ context, log, included: this.#parts.included, program: sieve.program }, account, input.id, reader);
    const body = input.message.size - header.length <= BODY_IN_MEMORY_MAX ? await reader.slice(header.length, input.message.size) : null;
    const driving = driveRun(sieve.run(runnable, this.#input(account, input, header, body)), host);
    const { actions, end } = driving instanceof Promise ? await driving : driving;
    metrics.count('filter.runs', 1, end.kind);
    for (const action of actions) await planner.act(action, inbox);
    for (const memory of settle()) planner.remember(memory);
    if (end.kind !== 'failed') return;
    log.warn('filter.script.failed', { id: input.id, account: account.login, file: end.problem.file, line: end.problem.line, cause: end.problem.text });
    if (!actions.some(({ kind }) => kind === 'keep')) await planner.act(keep, inbox);
    const failed = all.find(({ file }) => file === end.problem.file) ?? null;
    await planner.problem(end.problem, `${end.problem.file}:${end.problem.line}:${end.problem.text}`, failed);
  }

  #input(account: Account, input: MailroomInput, header: Uint8Array, body: Uint8Array | null): FilterInput {
    const { arrival } = input;
    const { hostname, domain } = this.#parts.context.settings();
    return {
      header,
      size: input.message.size,
      body,
      envelope: {
        sender: input.sender,
        recipient: input.recipient,
        final: input.final,
        detail: input.detail,
        orcpt: input.orcpt,
        helo: arrival?.helo ?? null,
        clientIp: arrival?.ip ?? null,
        clientName: arrival?.name ?? null,
      },
      user: account.login,
      home: null,
      hostname,
      domain,
      at: this.#parts.context.now(),
      zoneMinutes: -new Date(input.at).getTimezoneOffset(),
      spam: arrival?.spam ?? null,
      virus: 0,
    };
  }
}

const NO_ORIGIN = { file: '', line: 0 };
const CHALLENGE = { file: 'challenge', line: 0 };

function ownerOf({ login }: Account): { local: string; domain: string } {
  const at = login.lastIndexOf('@');
  return { local: login.slice(0, at), domain: login.slice(at + 1) };
}

export function createMailroom<S>(parts: MailroomParts<S>): Mailroom {
  return new StoreMailroom(parts);
}
