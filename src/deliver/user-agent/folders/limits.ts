/** Bounds of what a user's folders may cost. */

/** Messages of one folder: what Dovecot's users are known to have, several times over. */
export const FILES_MAX = 500_000;
/** Folders of one user (the store takes as many mailboxes). */
export const FOLDERS_MAX = 10_000;
/** Messages that travel in one answer, unless one alone is larger. */
export const READ_BYTES = 8 * 1024 * 1024;
/** A file above is no message that this server would have taken. */
export const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
/** Files named in one request: its head stays well below what frames allow. */
export const FILES_AT_ONCE = 1000;
/** An mbox file above is not mirrored: it is read whole whenever it changes. */
export const MBOX_BYTES_MAX = 1024 * 1024 * 1024;
export const KEYWORDS_FILE_BYTES = 64 * 1024;
/** Two changes within one tick of the file system's clock leave the same time: one that young is not trusted. */
export const CLOCK_TICK_MS = 1000;
