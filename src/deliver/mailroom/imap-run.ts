/** One message at one IMAP event: its scripts run, and what they want is put into one operation (RFC 6785 section 3). */
import type {
  Account,
  EmailRow,
  ImapHappening,
  ImapMessageEvent,
  JourneyEvent,
  Log,
  MailboxRow,
  MessageReader,
  StoreReader,
  StoreWriter,
} from '../../ports.ts';
import type { MailboxTarget } from '../../store/operations/accept.types.ts';
import { formatFlags } from '../../wire/imap/format.ts';
import type { Action, FilterEnd, FilterInput, FilterProblem, FilterRun, FlagSet } from '../filters/filter.ts';
import type { CompiledScript } from '../scripts/compiled.ts';
import type { SieveCause } from '../filters/sieve/sieve.ts';
import { driveRun } from './drive.ts';
import { type HostParts, storeHost } from './host.ts';
import type { CompiledSieve } from './mailroom.ts';
import type { FlagDelta, ImapScriptInput } from './operations.ts';
import { Planner, type PlannerContext } from './plan.ts';
import type { FilterStep, MailroomInput } from './types.ts';

export interface ImapRunParts<S> {
  readonly context: Omit<PlannerContext, 'reader'> & { readonly reader: StoreReader };
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  settings(): { readonly 'sieve.imapExpunge': boolean };
  readonly included: HostParts['included'];
  readonly program: HostParts['program'];
  run(scripts: readonly S[], input: FilterInput, cause: SieveCause): FilterRun;
}

export interface ImapRunEnd {
  readonly kind: 'done' | 'failed';
  /** The journey's id: that of the message as it came in, where it did. */
  readonly id: string;
  readonly event: JourneyEvent | null;
  readonly problem: FilterProblem | null;
}

/** A body is put beside the header up to here; larger ones are read piece by piece. */
const BODY_IN_MEMORY_MAX = 256 * 1024;

/** null: the message or its mailbox is gone. Rejects with Failure when the store cannot do what is wanted. */
export async function runAtImap<S>(
  parts: ImapRunParts<S>,
  what: ImapHappening,
  message: ImapMessageEvent,
  scripts: readonly CompiledScript<CompiledSieve<S>>[],
): Promise<ImapRunEnd | null> {
  const { reader } = parts.context;
  const { account, mailboxId } = what;
  const mailbox = reader.mailboxById(account.id, mailboxId);
  const row = reader.message(account.id, mailboxId, message.uid);
  const email = row === null ? null : reader.email(account.id, row[6]);
  if (mailbox === null || row === null || email === null) return null;
  // As at delivery, scripts see the message as it came, without this account's trace fields.
  const bytes = reader.openBlob(email.blobId);
  try {
    return await new ImapRun(parts, what, message, mailbox, { flags: row[2], keywords: row[3] }, email, bytes).run(scripts);
  } finally {
    bytes.close();
  }
}

interface Flags {
  readonly flags: number;
  readonly keywords: string | null;
}

class ImapRun<S> {
  readonly #parts: ImapRunParts<S>;
  readonly #what: ImapHappening;
  readonly #message: ImapMessageEvent;
  readonly #mailbox: MailboxRow;
  readonly #flags: Flags;
  readonly #email: EmailRow;
  readonly #bytes: MessageReader;
  readonly #id: string;
  /** Stands for "where it is": what a plan puts there is not copied, but kept. */
  readonly #here: MailboxTarget;

  constructor(
    parts: ImapRunParts<S>,
    what: ImapHappening,
    message: ImapMessageEvent,
    mailbox: MailboxRow,
    flags: Flags,
    email: EmailRow,
    bytes: MessageReader,
  ) {
    this.#parts = parts;
    this.#what = what;
    this.#message = message;
    this.#mailbox = mailbox;
    this.#flags = flags;
    this.#email = email;
    this.#bytes = bytes;
    this.#here = { name: mailbox.name };
    const [known] = parts.context.reader.rows('SELECT journey_id FROM email WHERE id=?', email.id);
    this.#id = (known?.[0] as string | null | undefined) ?? parts.context.newId();
  }

  async run(scripts: readonly CompiledScript<CompiledSieve<S>>[]): Promise<ImapRunEnd> {
    const { context } = this.#parts;
    const { account } = this.#what;
    const planner = new Planner(context, account, this.#input(), { reader: this.#bytes, headerBytes: this.#email.headerBytes });
    const { actions, end } = await this.#filter(scripts, planner);
    let keep: Extract<Action, { kind: 'keep' }> | null = null;
    for (const action of actions) {
      if (action.kind === 'keep') keep = action;
      else await planner.act(action, this.#here);
    }
    let problem: FilterProblem | null = null;
    if (end.kind === 'failed') {
      problem = end.problem;
      const script = scripts.find(({ file }) => file === end.problem.file) ?? null;
      await planner.problem(problem, `${problem.file}:${problem.line}:${problem.text}`, script, this.#mailbox.name);
    }
    const plan = planner.plan();
    const copies = plan.copies.filter(({ mailbox }) => mailbox !== this.#here);
    const isKept = keep !== null || problem !== null || copies.length < plan.copies.length;
    const [added, removed] = keep === null ? [null, null] : changes(this.#flags, keep.flags);
    const steps = [...plan.steps, ...this.#flagSteps(added, removed, isKept)];
    if (copies.length > 0 || plan.effects !== null || added !== null || removed !== null || !isKept) {
      const input: ImapScriptInput = {
        accountId: account.id,
        mailboxId: this.#mailbox.id,
        uid: this.#message.uid,
        emailId: this.#email.id,
        copies,
        effects: plan.effects,
        added,
        removed,
        isKept,
        expunges: this.#parts.settings()['sieve.imapExpunge'],
        messageId: this.#id,
      };
      await this.#parts.writer.run('imapsieve.done', input);
    }
    return { kind: end.kind, id: this.#id, event: this.#event(steps), problem };
  }

  async #filter(scripts: readonly CompiledScript<CompiledSieve<S>>[], planner: Planner): Promise<{ actions: readonly Action[]; end: FilterEnd }> {
    const runnable: S[] = [];
    for (const { compiled } of scripts) {
      if ('script' in compiled) runnable.push(compiled.script);
      // One that cannot be compiled keeps the message where it is, whatever the others say.
      else return { actions: [], end: { kind: 'failed', problem: compiled.problems[0]! } };
    }
    const { account, cause } = this.#what;
    const { host, settle } = storeHost(this.#parts, account, this.#id, this.#bytes);
    const run = this.#parts.run(runnable, await this.#filterInput(), {
      kind: 'imap',
      cause,
      mailbox: this.#mailbox.name,
      flags: flagNames(this.#flags),
      changedFlags: this.#message.changedFlags,
      email: account.login,
    });
    const driven = await driveRun(run, host);
    for (const memory of settle()) planner.remember(memory);
    return driven;
  }

  /** RFC 6785 section 3.4: what is sent on comes from the owner of the mailbox. */
  #input(): MailroomInput {
    const owner = ownerOf(this.#what.account);
    const email = this.#email;
    const { headerBytes, envelope, bodyStructure, parts, messageId, sentAt } = email;
    return {
      id: this.#id,
      at: this.#parts.context.now(),
      source: 'imap',
      accountId: this.#what.account.id,
      sender: owner,
      recipient: owner,
      final: owner,
      detail: null,
      orcpt: null,
      message: {
        size: email.blobBytes,
        blob: { kind: 'inline', codec: 0, data: NO_BYTES },
        digest: {
          headerBytes,
          envelope,
          bodyStructure,
          parts,
          messageId,
          sentAt,
          has8bit: false,
          hasLongLine: false,
          receivedCount: 0,
          // The command of a client is no step of a mail loop: the copy at hand was delivered here long ago, or never.
          deliveredTo: [],
          isTruncated: false,
        },
      },
      isJunk: false,
      arrival: null,
      mayRefuse: false,
    };
  }

  async #filterInput(): Promise<FilterInput> {
    const { context } = this.#parts;
    const { hostname, domain } = context.settings();
    const owner = ownerOf(this.#what.account);
    const { headerBytes, blobBytes } = this.#email;
    const at = context.now();
    return {
      header: await this.#bytes.slice(0, headerBytes),
      size: blobBytes,
      body: blobBytes - headerBytes <= BODY_IN_MEMORY_MAX ? await this.#bytes.slice(headerBytes, blobBytes) : null,
      envelope: { sender: null, recipient: owner, final: owner, detail: null, orcpt: null, helo: null, clientIp: null, clientName: null },
      user: this.#what.account.login,
      home: null,
      hostname,
      domain,
      at,
      zoneMinutes: -new Date(at).getTimezoneOffset(),
      spam: null,
      virus: 0,
    };
  }

  #flagSteps(added: FlagDelta | null, removed: FlagDelta | null, isKept: boolean): FilterStep[] {
    const steps: FilterStep[] = [];
    if (added !== null) steps.push({ what: `marked ${textOf(added)}`, by: '' });
    if (removed !== null) steps.push({ what: `no longer marked ${textOf(removed)}`, by: '' });
    if (!isKept) steps.push({ what: this.#parts.settings()['sieve.imapExpunge'] ? 'expunged' : 'marked \\Deleted', by: '' });
    return steps;
  }

  #event(steps: readonly FilterStep[]): JourneyEvent | null {
    if (steps.length === 0) return null;
    const { account, cause } = this.#what;
    return {
      id: this.#id,
      at: this.#parts.context.now(),
      stage: 'access',
      event: 'filtered',
      keys: [account.login],
      fields: {
        to: [account.login],
        cause,
        mailbox: this.#mailbox.name,
        actions: [`after ${cause} in "${this.#mailbox.name}"`, ...steps.map(({ what, by }) => (by === '' ? what : `${what} (${by})`))],
      },
    };
  }
}

const NO_BYTES = new Uint8Array(0);

function ownerOf({ login }: Account): { local: string; domain: string } {
  const at = login.lastIndexOf('@');
  return { local: login.slice(0, at), domain: login.slice(at + 1) };
}

function flagNames({ flags, keywords }: Flags): string[] {
  const text = formatFlags(flags, keywords, false).slice(1, -1);
  return text === '' ? [] : text.split(' ');
}

function textOf({ flags, keywords }: FlagDelta): string {
  return flagNames({ flags, keywords: keywords.join(' ') }).join(' ');
}

/** What must be added and removed so that the message has the flags that a keep names. */
function changes(now: Flags, wanted: FlagSet | null): [added: FlagDelta | null, removed: FlagDelta | null] {
  const flags = wanted?.flags ?? 0;
  const keywords = wanted?.keywords ?? [];
  const present = now.keywords === null || now.keywords === '' ? [] : now.keywords.split(' ');
  const lower = (words: readonly string[]): Set<string> => new Set(words.map((word) => word.toLowerCase()));
  const [isPresent, isWanted] = [lower(present), lower(keywords)];
  const added = {
    flags: flags & ~now.flags,
    keywords: keywords.filter((word) => !isPresent.has(word.toLowerCase())),
  };
  const removed = {
    flags: now.flags & ~flags,
    keywords: present.filter((word) => !isWanted.has(word.toLowerCase())),
  };
  const orNull = (delta: FlagDelta): FlagDelta | null => (delta.flags === 0 && delta.keywords.length === 0 ? null : delta);
  return [orNull(added), orNull(removed)];
}
