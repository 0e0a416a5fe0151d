/** What the mirror works with. */
import type { UserAgentClient } from '../../deliver/user-agent/client.ts';
import type { FolderAnswer, FolderRequest } from '../../deliver/user-agent/folders/types.ts';
import type { RememberedListings } from './remembered.ts';
import type { Directory, Log, Metrics, Staging, StoreReader, StoreWriter } from '../../ports.ts';

export interface MirrorSettings {
  readonly 'local.mailbox': string;
  readonly 'local.folderPoll': number;
  readonly 'local.folderWatch': boolean;
}

export interface MirrorContext {
  settings(): MirrorSettings;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly reader: StoreReader;
  /** The store's own, not the mirrored one. */
  readonly writer: StoreWriter;
  readonly staging: Staging;
  readonly directory: Pick<Directory, 'account'>;
  readonly agent: Pick<UserAgentClient, 'folders' | 'watch'>;
  now(): number;
  newId(): string;
}

/** One account's folders, while somebody holds their lease. */
export interface Work {
  readonly context: MirrorContext;
  readonly accountId: number;
  readonly user: string;
  /** `local.mailbox`. */
  readonly mailbox: string;
  readonly owner: string;
  /** What was logged already and still fails: clients ask every minute. */
  readonly told: Set<string>;
  readonly listings: RememberedListings;
}

/** The folders could not be looked at; `reason` as in FolderFailure. */
export class FoldersFailed extends Error {
  readonly reason: string;
  constructor(text: string, reason: string) {
    super(text);
    this.name = 'FoldersFailed';
    this.reason = reason;
  }
}

type AnswerTo<R extends FolderRequest> = Extract<FolderAnswer, { op: R['op'] }>;

/** Asks the user's worker. Throws FoldersFailed. */
export async function askFolders<R extends FolderRequest>(
  work: Pick<Work, 'context' | 'user' | 'mailbox'>,
  request: R,
  given?: Uint8Array,
): Promise<{ answer: AnswerTo<R>; body: Uint8Array }> {
  const { answer, body } = await work.context.agent.folders(work.user, work.mailbox, request, given);
  if ('failed' in answer) throw new FoldersFailed(answer.failed, answer.reason);
  return { answer: answer as unknown as AnswerTo<R>, body };
}

/** A row of mirror_folder. */
export interface Binding {
  readonly mailboxId: number;
  readonly path: string;
  readonly name: string;
  readonly identity: string;
  readonly state: string | null;
  readonly modseq: number;
}

const BINDINGS = 'SELECT mailbox_id, path, name, identity, state, modseq FROM mirror_folder WHERE account_id=?';

function bindingOf(row: readonly unknown[]): Binding {
  const [mailboxId, path, name, identity, state, modseq] = row as [number, string, string, string, string | null, number];
  return { mailboxId, path, name, identity, state, modseq };
}

export function bindingOfMailbox(reader: StoreReader, accountId: number, mailboxId: number): Binding | null {
  const [row] = reader.rows(`${BINDINGS} AND mailbox_id=?`, accountId, mailboxId);
  return row === undefined ? null : bindingOf(row);
}

export function bindingOfName(reader: StoreReader, accountId: number, name: string): Binding | null {
  const [row] = reader.rows(`${BINDINGS} AND name=?`, accountId, name);
  return row === undefined ? null : bindingOf(row);
}

export function bindingsOf(reader: StoreReader, accountId: number): Binding[] {
  return reader.rows(BINDINGS, accountId).map(bindingOf);
}
