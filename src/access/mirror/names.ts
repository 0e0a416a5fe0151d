/** Names of mailboxes and paths of folders. */
import type { FolderPath } from '../../deliver/user-agent/folders/types.ts';
import { decodeUtf7, encodeUtf7 } from '../../wire/imap/utf7.ts';

export type FolderKind = 'maildir' | 'mbox';

export function folderKind(mailbox: string): FolderKind {
  return mailbox.endsWith('/') && !mailbox.startsWith('/') ? 'maildir' : 'mbox';
}

/** "Lists/Cars" is ".Lists.Cars" in Maildir++, where a dot inside a level would be another level. null: no folder can have this name. */
export function pathOf(name: string, kind: FolderKind): FolderPath | null {
  if (name === 'INBOX') return '';
  const levels = name.split('/');
  if (levels.some((level) => level === '' || /[\0\n\t]/.test(level))) return null;
  if (kind === 'maildir') {
    const path = `.${levels.map((level) => encodeUtf7(level).replaceAll('.', '_')).join('.')}`;
    return path.length > 200 ? null : path;
  }
  if (levels.some((level) => level.startsWith('.') || level.endsWith('.lock') || Buffer.byteLength(level) > 200)) return null;
  return levels.join('/');
}

/** null: this is no mailbox that anybody could name. */
export function nameOfPath(path: FolderPath, kind: FolderKind): string | null {
  if (path === '') return 'INBOX';
  const levels = kind === 'maildir' ? path.slice(1).split('.') : path.split('/');
  // A name that is no modified UTF-7 was made by somebody who did not know better: it is taken as it stands.
  const name = (kind === 'maildir' ? levels.map((level) => decodeUtf7(level) ?? level) : levels).join('/');
  if (name.toUpperCase() === 'INBOX' || levels.some((level) => level === '') || levels.length > 50 || Buffer.byteLength(name) > 1000) return null;
  if (name.split('/').some((level) => level === '') || /[\0-\x1f\x7f\ufffd]/.test(name)) return null;
  return name;
}

/** Another path where the first is another mailbox's: names that differ only in what a path cannot show. */
export function freePath(path: FolderPath, isTaken: (path: FolderPath) => boolean): FolderPath {
  let free = path;
  while (isTaken(free)) free += '_';
  return free;
}
