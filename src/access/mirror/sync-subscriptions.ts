/**
 * Makes an account's subscriptions and the folders' list of them (Dovecot's `subscriptions`, `.subscriptions` beside mbox files) equal: what either side
 * changed since both agreed, the other changes too. Where there is no list, none is made before somebody subscribes or unsubscribes.
 */
import type { FolderPath } from '../../deliver/user-agent/folders/types.ts';
import { Failure } from '../../system/failure.ts';
import { folderKind, nameOfPath, pathOf } from './names.ts';
import { askFolders, type Work } from './types.ts';

/** Kept in mirror_place. */
interface Agreed {
  /** What the list looked like; "" for none. */
  readonly state: string;
  readonly names: readonly string[];
}

const SUBSCRIBED = 'SELECT name FROM mailbox WHERE account_id=?1 AND is_subscribed=1 UNION SELECT name FROM subscription WHERE account_id=?1 ORDER BY 1';

function agreedOn({ context, accountId }: Work): Agreed | null {
  const [row] = context.reader.rows('SELECT subscriptions FROM mirror_place WHERE account_id=?', accountId) as unknown as [string | null][];
  return row === undefined || row[0] === null ? null : (JSON.parse(row[0]) as Agreed);
}

const subscribedIn = ({ context, accountId }: Work): string[] => (context.reader.rows(SUBSCRIBED, accountId) as unknown as [string][]).map(([name]) => name);

/** `state`: of the list, as a scan of all folders told it. Cheap: for every LIST. */
export function subscriptionsAgree(work: Work, state: string | undefined): boolean {
  if (state === undefined) return true;
  const agreed = agreedOn(work);
  if (agreed === null || agreed.state !== state) return false;
  const names = subscribedIn(work);
  return names.length === agreed.names.length && names.every((name, i) => name === agreed.names[i]);
}

/** Under the account's lease, after the names of folders and mailboxes were made equal. */
export async function syncSubscriptions(work: Work): Promise<void> {
  const { context, accountId, owner } = work;
  const before = agreedOn(work);
  const { answer } = await askFolders(work, { op: 'subscriptions', add: [], remove: [] });
  const kind = folderKind(work.mailbox);
  const inList = new Set(answer.paths?.flatMap((path) => nameOfPath(path, kind) ?? []));
  const known = new Set(before?.names);
  if (answer.paths !== null) await pull(work, inList, before === null || before.state === '' ? null : known);
  const wanted = new Set(subscribedIn(work));
  const isPushed = answer.paths !== null || (before !== null && isOther(wanted, known));
  const state = isPushed ? await push(work, wanted, inList, answer.state) : answer.state;
  // Not pushed now: what the list has stays agreed on, so that the next look finds the same difference.
  const names = state === null ? new Set([...inList, ...[...wanted].filter((name) => pathOf(name, kind) === null)]) : wanted;
  const agreed: Agreed = { state: state ?? UNKNOWN, names: [...names].sort(byBytes) };
  await context.writer.run('mirror.subscribed', { accountId, owner, subscriptions: JSON.stringify(agreed) });
}

/** A state that no list ever has. */
const UNKNOWN = '?';

/** `known`: what was agreed on; null: there was no list, and so nobody has taken anything out of it. */
async function pull(work: Work, inList: ReadonlySet<string>, known: ReadonlySet<string> | null): Promise<void> {
  const { context, accountId } = work;
  const kind = folderKind(work.mailbox);
  const present = new Set(subscribedIn(work));
  try {
    for (const name of inList) if (!present.has(name) && known?.has(name) !== true) await context.writer.subscribe(accountId, name, true);
    for (const name of known ?? [])
      if (!inList.has(name) && present.has(name) && pathOf(name, kind) !== null) await context.writer.subscribe(accountId, name, false);
  } catch (error) {
    // A list longer than the store allows is taken in as far as it goes.
    if (!(error instanceof Failure && error.code === 'limit')) throw error;
  }
}

/** Makes the list have what the account has. Answers what it looks like then; null when it could not be changed. */
async function push(work: Work, wanted: ReadonlySet<string>, inList: ReadonlySet<string>, state: string): Promise<string | null> {
  const kind = folderKind(work.mailbox);
  const pathsOf = (names: readonly string[]): FolderPath[] => names.flatMap((name) => pathOf(name, kind) ?? []);
  const add = pathsOf([...wanted].filter((name) => !inList.has(name)));
  const remove = pathsOf([...inList].filter((name) => !wanted.has(name)));
  if (add.length + remove.length === 0) return state;
  const { answer } = await askFolders(work, { op: 'subscriptions', add, remove });
  return answer.isDone ? answer.state : null;
}

function isOther(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size !== b.size || [...a].some((name) => !b.has(name));
}

/** As SQLite orders text. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
