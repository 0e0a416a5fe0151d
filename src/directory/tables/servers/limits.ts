/** What a table on a server may cost. What an administrator may want to change is in settings.ts. */

/** A key longer than this is no address and no host name: the lookup fails for now instead of being sent anywhere. */
export const KEY_CHARACTERS_MAX = 8192;
/** Bytes of one .cf, .toml or my.cnf file. */
export const PARAMETER_FILE_BYTES_MAX = 256 * 1024;
/** Rows, or directory entries, one answer may have; more is a query that forgot its condition. */
export const ROWS_MAX = 10_000;
/** Bytes one answer may have, in any protocol that names no smaller limit itself. */
export const ANSWER_BYTES_MAX = 1024 * 1024;
/** tcp_table(5): replies are no longer than this, newline included. */
export const TCP_REPLY_BYTES_MAX = 4096;
/** socketmap_table(5): replies are no longer than this, without the netstring's own bytes. */
export const SOCKETMAP_REPLY_BYTES_MAX = 100_000;
/** The protocol of memcached: longer keys are refused by the server. */
export const MEMCACHE_KEY_BYTES_MAX = 250;
/** Servers one table may name. */
export const HOSTS_MAX = 32;
/** How often one file is looked at for changes. */
export const FILE_CHECK_EVERY_MS = 1000;
/** Searches in a row that one continuation may lead to (chase_referrals). */
export const REFERRAL_HOPS_MAX = 5;
/** Certificates read from a folder of authorities (tls_CApath, tls_ca_cert_dir). */
export const AUTHORITY_FILES_MAX = 1000;
