/** What writing a message to a user's file system came to, and how the system's errors read in mail's terms. */

export type Stored = {
  readonly kind: 'stored';
  /** The file that holds the message (of a maildir: its path below new/). */
  readonly path: string;
  /** Further names of the same file, in further folders. */
  readonly links?: readonly string[];
  /** Bytes written. */
  readonly bytes: number;
};
/** `isTemporary`: trying again later may help. `code` and `enhanced` as in RFC 3463. */
export type NotStored = { readonly kind: 'failed'; readonly isTemporary: boolean; readonly code: number; readonly enhanced: string; readonly text: string };
export type StoreResult = Stored | NotStored;

/** Errors of the disk that pass when somebody makes room (`full`), by themselves (`again`), or when the machine has more to give (`system`). */
const ERRNO = new Map<string, 'full' | 'again' | 'system'>([
  ['ENOSPC', 'full'],
  ['EDQUOT', 'full'],
  ['EFBIG', 'full'],
  ['EAGAIN', 'again'],
  ['ESTALE', 'again'],
  ['EINTR', 'again'],
  ['ETIMEDOUT', 'again'],
  ['EBUSY', 'again'],
  ['EIO', 'system'],
  ['ENOMEM', 'system'],
  ['ENFILE', 'system'],
  ['EMFILE', 'system'],
  ['EROFS', 'system'],
]);

export function stored(path: string, bytes: number): Stored {
  return { kind: 'stored', path, bytes };
}

export function notStored(code: number, enhanced: string, text: string): NotStored {
  return { kind: 'failed', isTemporary: code < 500, code, enhanced, text };
}

/** A full disk and what may pass is deferred, anything else (no permission, not a directory) is the user's own doing and fails. */
export function storeFailure(error: unknown, doing: string): NotStored {
  const errno = errnoOf(error);
  const text = `${doing}: ${errno ?? String(error)}`;
  switch (errno === null ? 'system' : ERRNO.get(errno)) {
    case 'full':
      return notStored(452, '4.2.2', text);
    case 'again':
      return notStored(451, '4.2.0', text);
    case 'system':
      return notStored(451, '4.3.0', text);
    default:
      return notStored(550, '5.2.0', text);
  }
}

/** "ENOENT" and the like; null for what is no error of the system. */
export function errnoOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : null;
}
