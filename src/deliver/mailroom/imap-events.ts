/**
 * Sieve at IMAP events (RFC 6785): after APPEND, COPY, MOVE and changes of flags the script runs that the mailbox's annotation or the
 * administrator's rules name, once for each message. Commands do not wait for it: the messages of an account are worked off one after
 * another, and what the script wants is committed in one transaction.
 */
import type { Account, AccountId, Announcements, ImapHappening, ImapMessageEvent, ImapSieve, Journey, Log, MailboxId, Metrics } from '../../ports.ts';
import { imapSieveScripts } from '../../store/annotations.ts';
import { Failure } from '../../system/failure.ts';
import { type CompiledScript, scriptFile } from '../scripts/compiled.ts';
import { accountScope, GLOBAL } from '../scripts/scope.ts';
import { type ImapRule, imapRule } from './imap-rules.ts';
import { type ImapRunParts, runAtImap } from './imap-run.ts';
import type { CompiledSieve } from './mailroom.ts';
import type { ImapSieveSettings } from './settings.ts';

export interface ImapEventsParts<S> extends ImapRunParts<S> {
  settings(): ImapSieveSettings & { readonly 'listen.sieve': readonly string[]; readonly hostname: string };
  readonly announcements: Announcements;
  readonly journey: Journey;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Never throws. */
  compile(text: Uint8Array, file: string): CompiledSieve<S>;
  /** The text of a script, as `include` finds it. */
  scriptText(accountId: AccountId, domain: string, location: 'personal' | 'global', name: string): Uint8Array | null;
}

interface Job {
  readonly what: ImapHappening;
  readonly messages: readonly ImapMessageEvent[];
}

/** RFC 5804 section 1.8. */
const SIEVE_PORT = 4190;
/** Accounts whose annotations are remembered. */
const ACCOUNTS_MAX = 20_000;
/** Compiled scripts that are kept; the oldest go. */
const COMPILED_MAX = 500;

class ImapEvents<S> implements ImapSieve {
  readonly #parts: ImapEventsParts<S>;
  /** Names of scripts by mailbox; null: the account has none. */
  readonly #named = new Map<AccountId, ReadonlyMap<MailboxId, string> | null>();
  readonly #compiled = new Map<string, { readonly text: Uint8Array; readonly script: CompiledScript<CompiledSieve<S>> }>();
  readonly #waiting = new Map<AccountId, { jobs: Job[]; messages: number; isToldFull: boolean }>();
  #rules: readonly ImapRule[] = [];
  #rulesFor: object | null = null;
  /** Settles when nothing waits any more. */
  #idle: Promise<void> = Promise.resolve();

  constructor(parts: ImapEventsParts<S>) {
    this.#parts = parts;
    parts.announcements.on('metadata', (news) => {
      if (news.kind === 'metadata') this.#named.delete(news.accountId);
    });
    parts.announcements.on('directory', (news) => {
      // An account that was removed leaves no trace.
      if (news.kind === 'directory') for (const id of news.accounts ?? this.#named.keys()) this.#named.delete(id);
    });
  }

  url(): string | null {
    const settings = this.#parts.settings();
    const [first] = settings['listen.sieve'];
    if (!settings['sieve.imapScripts'] || first === undefined) return null;
    const port = Number(/\d+$/.exec(first)?.[0] ?? SIEVE_PORT);
    return `sieve://${settings.hostname}${port === SIEVE_PORT || port === 0 ? '' : `:${port}`}`;
  }

  isWanted(what: ImapHappening): boolean {
    const personal = this.#personal(what);
    return (personal !== undefined && personal !== '') || this.#matching(what).length > 0;
  }

  happened(what: ImapHappening, messages: readonly ImapMessageEvent[]): void {
    const { settings, log } = this.#parts;
    const id = what.account.id;
    let queue = this.#waiting.get(id);
    const isNew = queue === undefined;
    if (queue === undefined) {
      queue = { jobs: [], messages: 0, isToldFull: false };
      this.#waiting.set(id, queue);
    }
    const room = Math.max(0, settings()['sieve.imapWaitingMax'] - queue.messages);
    if (messages.length > room && !queue.isToldFull) {
      queue.isToldFull = true;
      log.warn('imapsieve.many', { account: what.account.login, mailbox: what.mailboxId, messages: messages.length - room });
    }
    if (room > 0) queue.jobs.push({ what, messages: messages.slice(0, room) });
    queue.messages += Math.min(room, messages.length);
    if (isNew) {
      const worked = this.#work(id, queue);
      this.#idle = this.#idle.then(() => worked);
    }
  }

  /** For tests and the end: everything that was told so far has been worked off. */
  settled(): Promise<void> {
    return this.#idle;
  }

  forget(): void {
    this.#compiled.clear();
  }

  // ── Which scripts ──────────────────────────────────────────────────────────────────────────────────

  /** Section 2.3.1: the mailbox's own entry counts, even an empty one, and only without it that of the server. */
  #personal({ account, mailboxId }: ImapHappening): string | undefined {
    if (!this.#parts.settings()['sieve.imapScripts']) return undefined;
    let named = this.#named.get(account.id);
    if (named === undefined) {
      const found = imapSieveScripts(this.#parts.context.reader, account.id);
      named = found.size === 0 ? null : found;
      if (this.#named.size >= ACCOUNTS_MAX) this.#named.delete(this.#named.keys().next().value!);
      this.#named.set(account.id, named);
    }
    return named === null ? undefined : (named.get(mailboxId) ?? named.get(0));
  }

  #matching({ account, mailboxId, cause, fromId }: ImapHappening): readonly ImapRule[] {
    const settings = this.#parts.settings();
    if (this.#rulesFor !== settings) {
      this.#rulesFor = settings;
      this.#rules = settings['sieve.imapRules'].map(imapRule).filter((rule) => typeof rule !== 'string');
    }
    if (this.#rules.length === 0 || !this.#rules.some(({ causes }) => causes.has(cause))) return NO_RULES;
    const { reader } = this.#parts.context;
    const mailbox = reader.mailboxById(account.id, mailboxId);
    if (mailbox === null) return NO_RULES;
    const from = fromId === null ? null : reader.mailboxById(account.id, fromId);
    return this.#rules.filter(
      (rule) =>
        rule.causes.has(cause) && rule.matches(mailbox) && (rule.comesFrom === null || (from !== null && from.id !== mailbox.id && rule.comesFrom(from))),
    );
  }

  /** The administrator's first, in their order, then the user's. Those that do not exist are passed over (section 2.3.1). */
  #scripts(what: ImapHappening): CompiledScript<CompiledSieve<S>>[] {
    const { account } = what;
    const found: (CompiledScript<CompiledSieve<S>> | null)[] = this.#matching(what).map((rule) => this.#script(account, 'global', rule.script));
    const personal = this.#personal(what);
    if (personal !== undefined && personal !== '') found.push(this.#script(account, 'personal', personal));
    return found.filter((script) => script !== null);
  }

  #script({ id, login }: Account, location: 'personal' | 'global', name: string): CompiledScript<CompiledSieve<S>> | null {
    const text = this.#parts.scriptText(id, login.slice(login.lastIndexOf('@') + 1), location, name);
    if (text === null) return null;
    const scope = location === 'personal' ? accountScope(id) : GLOBAL;
    const key = `${scope} ${name}`;
    const known = this.#compiled.get(key);
    this.#compiled.delete(key);
    const isSame = known !== undefined && Buffer.compare(known.text, text) === 0;
    const entry = isSame
      ? known
      : { text, script: { scope, name, file: scriptFile(scope, name), compiled: this.#parts.compile(text, scriptFile(scope, name)) } };
    this.#compiled.set(key, entry);
    if (this.#compiled.size > COMPILED_MAX) this.#compiled.delete(this.#compiled.keys().next().value!);
    return entry.script;
  }

  // ── Running them ───────────────────────────────────────────────────────────────────────────────────

  async #work(id: AccountId, queue: { jobs: Job[]; messages: number }): Promise<void> {
    // The command's answer goes out first.
    await turn();
    for (let job = queue.jobs.shift(); job !== undefined; job = queue.jobs.shift()) {
      await this.#do(job, () => {
        queue.messages -= 1;
      });
    }
    this.#waiting.delete(id);
  }

  async #do({ what, messages }: Job, done: () => void): Promise<void> {
    const { log, metrics, journey } = this.#parts;
    let scripts: readonly CompiledScript<CompiledSieve<S>>[] | null = null;
    for (const message of messages) {
      try {
        scripts ??= this.#scripts(what);
        const end = scripts.length === 0 ? null : await runAtImap(this.#parts, what, message, scripts);
        if (end !== null) {
          metrics.count('imapsieve.runs', 1, end.kind);
          if (end.event !== null) journey.write(end.event);
          if (end.problem !== null)
            log.warn('filter.script.failed', {
              id: end.id,
              account: what.account.login,
              file: end.problem.file,
              line: end.problem.line,
              cause: end.problem.text,
            });
        }
      } catch (error) {
        metrics.count('imapsieve.runs', 1, 'undone');
        const cause = error instanceof Failure ? error.message : ((error as Error).stack ?? String(error));
        log.warn('imapsieve.failed', { account: what.account.login, mailbox: what.mailboxId, uid: message.uid, cause });
      }
      done();
      await turn();
    }
  }
}

const NO_RULES: readonly ImapRule[] = [];

/** Everybody else has a turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface ImapEventsHandle extends ImapSieve {
  settled(): Promise<void>;
  /** Options changed: compile everything anew. */
  forget(): void;
}

export function createImapEvents<S>(parts: ImapEventsParts<S>): ImapEventsHandle {
  return new ImapEvents(parts);
}
