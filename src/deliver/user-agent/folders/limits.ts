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
/** An mbox file above is not mirrored: when it is rewritten it is read whole. */
export const MBOX_BYTES_MAX = 1024 * 1024 * 1024;
export const KEYWORDS_FILE_BYTES = 64 * 1024;
/**
 * Two changes within one tick of the file system's clock leave the same time: one that young is not trusted. The kernel's own file systems
 * keep the time of the last timer interrupt (10 ms at the most); of others only whole seconds are sure, and their clock may be another machine's.
 */
export const LOCAL_CLOCK_TICK_MS = 40;
export const CLOCK_TICK_MS = 2000;
/** Files in the listings that a user's worker remembers, of all folders together: 40 MB of names. */
export const LISTED_FILES_MAX = 200_000;
/** Lines of a folder taken in before others have their turn. */
export const LINES_AT_ONCE = 2000;
/** Letters a to z of a maildir's file names. */
export const KEYWORD_LETTERS = 26;
/** A list of subscribed folders. */
export const SUBSCRIPTIONS_BYTES_MAX = 1024 * 1024;
/** Dovecot's list of UIDs: 80 bytes for each of FILES_MAX messages, and then some. */
export const UIDS_BYTES_MAX = 64 * 1024 * 1024;
/** Folders watched for one user: two of the system's watches each, of which a user has 8192 on old machines. */
export const WATCHED_MAX = 500;
/** Another mail program that holds a lock file longer than this has died. */
export const LOCK_STALE_MS = 60_000;
