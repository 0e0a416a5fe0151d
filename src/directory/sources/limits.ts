/** Bounds of the accounts that come from elsewhere. */

/** How often the quota of an account is read again while it is in use, in milliseconds. */
export const QUOTA_REFRESH_MS = 5 * 60_000;
/** Accounts whose last reading is remembered in each thread. */
export const QUOTA_ENTRIES_MAX = 50_000;
/** Where the file of system passwords cannot be looked at, a right one is remembered this long, in milliseconds. */
export const BLIND_CACHE_MS = 60_000;
/** Accounts being made at a time, in each thread; the next ones are told to come back. */
export const MAKING_MAX = 1000;
