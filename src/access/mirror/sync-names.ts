/**
 * Makes the list of mailboxes and the list of folders equal. A row of mirror_folder binds one to the other; what only one side has was made there, or
 * removed on the other side when it was bound. Renaming is seen by the name that was bound (in the store) and by the inode (in the folder).
 */
import type { FolderState } from '../../deliver/user-agent/folders/types.ts';
import type { MailboxRow } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { type FolderKind, folderKind, freePath, nameOfPath, pathOf } from './names.ts';
import { askFolders, type Binding, bindingsOf, FoldersFailed, type Work } from './types.ts';

const FILES_AT_ONCE = 500;
/** Failures remembered, of all accounts in a thread. */
const TOLD_MAX = 10_000;

interface Names {
  readonly kind: FolderKind;
  readonly folders: Map<string, FolderState>;
  readonly mailboxes: Map<number, MailboxRow>;
  readonly bindings: Map<number, Binding>;
}

function read(work: Work, folders: readonly FolderState[]): Names {
  const { reader } = work.context;
  return {
    kind: folderKind(work.mailbox),
    folders: new Map(folders.map((folder) => [folder.path, folder])),
    mailboxes: new Map(
      reader
        .mailboxes(work.accountId)
        .filter((row) => row.isSelectable)
        .map((row) => [row.id, row]),
    ),
    bindings: new Map(bindingsOf(reader, work.accountId).map((binding) => [binding.mailboxId, binding])),
  };
}

/** Mailboxes without a folder that one is to be made for; a special mailbox without messages waits for its first. */
function wantsFolder(row: MailboxRow, names: Names): boolean {
  if (pathOf(row.name, names.kind) === null) return false;
  if (row.exists > 0 || row.name === 'INBOX') return true;
  if (row.role !== null) return false;
  for (const other of names.mailboxes.values()) if (other.name.startsWith(`${row.name}/`)) return false;
  return true;
}

/** Nothing to be done, as far as names go. Cheap: for every LIST. */
export function namesAgree(work: Work, folders: readonly FolderState[]): boolean {
  const names = read(work, folders);
  const bound = new Set<string>();
  for (const binding of names.bindings.values()) {
    if (names.mailboxes.get(binding.mailboxId)?.name !== binding.name) return false;
    const folder = names.folders.get(binding.path);
    if (folder === undefined ? binding.path !== '' : folder.identity !== binding.identity) return false;
    bound.add(binding.path);
  }
  for (const path of names.folders.keys()) if (!bound.has(path) && nameOfPath(path, names.kind) !== null) return false;
  for (const row of names.mailboxes.values()) if (!names.bindings.has(row.id) && wantsFolder(row, names)) return false;
  return true;
}

/** One failure does not keep the other names from being made equal; it is logged, and tried again with the next look. */
export async function syncNames(work: Work, folders: readonly FolderState[]): Promise<void> {
  const { context } = work;
  const names = read(work, folders);
  const step = async (name: string, act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      if (error instanceof Failure && error.code === 'staleLease') throw error;
      if (!(error instanceof Failure || error instanceof FoldersFailed)) throw error;
      const fields = { user: work.user, folder: name, cause: error.message };
      const key = `${work.accountId} ${name}`;
      if (work.told.has(key)) context.log.debug('mirror.folder.failed', fields);
      else context.log.warn('mirror.folder.failed', fields);
      if (work.told.size >= TOLD_MAX) work.told.clear();
      work.told.add(key);
    }
  };
  for (const binding of [...names.bindings.values()]) {
    const row = names.mailboxes.get(binding.mailboxId);
    const folder = names.folders.get(binding.path);
    if (row === undefined) await step(binding.name, () => removed(work, names, binding));
    else if (row.name !== binding.name) await step(row.name, () => renamed(work, names, binding, row));
    else if (folder === undefined && binding.path !== '') await step(binding.name, () => vanished(work, names, binding, row));
    else if (folder !== undefined && folder.identity !== binding.identity) await bind(work, names, row, binding.path, folder.identity);
  }
  const bound = new Set([...names.bindings.values()].map((binding) => binding.path));
  for (const folder of names.folders.values()) if (!bound.has(folder.path)) await step(folder.path, () => found(work, names, folder));
  for (const row of names.mailboxes.values()) if (!names.bindings.has(row.id) && wantsFolder(row, names)) await step(row.name, () => made(work, names, row));
}

async function bind(work: Work, names: Names, row: { readonly id: number; readonly name: string }, path: string, identity: string): Promise<void> {
  const { accountId, owner } = work;
  await work.context.writer.run('mirror.bind', { accountId, owner, mailboxId: row.id, path, name: row.name, identity });
  names.bindings.set(row.id, { mailboxId: row.id, path, name: row.name, identity, state: null, modseq: 0 });
}

async function unbind(work: Work, names: Names, binding: Binding, expunges: boolean): Promise<void> {
  const { accountId, owner } = work;
  await work.context.writer.run('mirror.unbind', { accountId, owner, mailboxId: binding.mailboxId, expunges });
  names.bindings.delete(binding.mailboxId);
}

async function identityOf(work: Work, path: string): Promise<string> {
  const { answer } = await askFolders(work, { op: 'scan', only: [path] });
  return answer.folders[0]?.identity ?? '';
}

const isTaken =
  (names: Names) =>
  (path: string): boolean =>
    names.folders.has(path) || [...names.bindings.values()].some((binding) => binding.path === path);

/** Deleted in the store: what was in it goes; what came into the folder meanwhile stays, and with it the folder, which becomes a mailbox again. */
async function removed(work: Work, names: Names, binding: Binding): Promise<void> {
  const rows = work.context.reader.rows(
    "SELECT name, file, coalesce(marks, '') FROM mirror_file WHERE account_id=? AND mailbox_id=?",
    work.accountId,
    binding.mailboxId,
  ) as [string, string, string][];
  if (names.folders.has(binding.path)) {
    for (let from = 0; from < rows.length; from += FILES_AT_ONCE) {
      const changes = rows.slice(from, from + FILES_AT_ONCE).map(([name, file, marks]) => ({ name, file, marks, wanted: null }));
      await askFolders(work, { op: 'change', path: binding.path, changes });
    }
    if (binding.path !== '') {
      const { answer } = await askFolders(work, { op: 'remove', path: binding.path });
      if (answer.isDone) names.folders.delete(binding.path);
    }
  }
  await unbind(work, names, binding, false);
}

async function renamed(work: Work, names: Names, binding: Binding, row: MailboxRow): Promise<void> {
  const wanted = pathOf(row.name, names.kind);
  if (wanted === null) return unbind(work, names, binding, false); // no folder can have this name: the store keeps the mail
  // The inbox's messages were moved to a new mailbox (RFC 9051 section 6.3.6): their files move, the inbox stays.
  if (binding.path === '' || wanted === '') return movedOut(work, names, binding, row, wanted);
  const folder = names.folders.get(binding.path);
  if (folder === undefined) {
    // Renamed before a crash, perhaps.
    const known = [...names.folders.values()].find((other) => other.identity === binding.identity);
    if (known !== undefined) return bind(work, names, row, known.path, known.identity);
    return vanished(work, names, binding, row);
  }
  const path = freePath(wanted, isTaken(names));
  const { answer } = await askFolders(work, { op: 'rename', path: binding.path, to: path });
  if (!answer.isDone) return;
  names.folders.delete(binding.path);
  names.folders.set(path, { ...folder, path });
  await bind(work, names, row, path, folder.identity);
}

async function movedOut(work: Work, names: Names, binding: Binding, row: MailboxRow, wanted: string): Promise<void> {
  const path = names.folders.has(wanted) ? wanted : freePath(wanted, isTaken(names));
  await askFolders(work, { op: 'make', path });
  const rows = work.context.reader.rows(
    "SELECT name, file, coalesce(marks, '') FROM mirror_file WHERE account_id=? AND mailbox_id=?",
    work.accountId,
    binding.mailboxId,
  ) as [string, string, string][];
  for (let from = 0; from < rows.length; from += FILES_AT_ONCE) {
    const files = rows.slice(from, from + FILES_AT_ONCE).map(([name, file, marks]) => ({ name, file, marks }));
    await askFolders(work, { op: 'move', path: binding.path, to: path, files });
  }
  const identity = await identityOf(work, path);
  await bind(work, names, row, path, identity);
  names.folders.set(path, { path, identity, state: null });
}

/** Not in the folder's list any more: renamed there, or removed with what was in it. */
async function vanished(work: Work, names: Names, binding: Binding, row: MailboxRow): Promise<void> {
  const { context, accountId } = work;
  const bound = new Set([...names.bindings.values()].map((other) => other.path));
  const other = [...names.folders.values()].find((folder) => folder.identity === binding.identity && !bound.has(folder.path));
  const name = other === undefined ? null : nameOfPath(other.path, names.kind);
  if (other !== undefined && name !== null && (row.name === name || context.reader.mailboxByName(accountId, name) === null)) {
    if (row.name !== name) await context.writer.renameMailbox(accountId, row.id, name);
    return bind(work, names, { id: row.id, name }, other.path, other.identity);
  }
  await unbind(work, names, binding, true);
  const left = context.reader.mailboxById(accountId, row.id);
  // A special mailbox stays, empty; so does what never reached the folder.
  if (row.role !== null || left === null || left.exists > 0) return;
  await context.writer.deleteMailbox(accountId, row.id);
  names.mailboxes.delete(row.id);
}

/** A folder that somebody else made. */
async function found(work: Work, names: Names, folder: FolderState): Promise<void> {
  const { context, accountId } = work;
  const name = nameOfPath(folder.path, names.kind);
  if (name === null) return;
  let row = context.reader.mailboxByName(accountId, name);
  if (row !== null && names.bindings.has(row.id)) return; // two paths for one name: the first is it
  if (row === null || !row.isSelectable) row = await context.writer.createMailbox(accountId, name, name === 'INBOX' ? 'inbox' : null);
  names.mailboxes.set(row.id, row);
  await bind(work, names, row, folder.path, folder.identity);
}

async function made(work: Work, names: Names, row: MailboxRow): Promise<void> {
  const wanted = pathOf(row.name, names.kind)!;
  if (wanted === '') return bind(work, names, row, '', names.folders.get('')?.identity ?? '');
  const path = freePath(wanted, isTaken(names));
  const { answer } = await askFolders(work, { op: 'make', path });
  if (!answer.isDone) return;
  await bind(work, names, row, path, await identityOf(work, path));
}
