/**
 * The names of all extensions, in the order of extensions.ts, and which of them are on when nobody says otherwise. They stand here by
 * themselves so that a process that only reads the settings need not load the engine; extension-names.test.ts holds the two together.
 */

export const EXTENSION_NAMES: readonly string[] = [
  'fileinto',
  'encoded-character',
  'copy',
  'relational',
  'subaddress',
  'regex',
  'index',
  'redirect-dsn',
  'comparator-i;octet',
  'comparator-i;ascii-casemap',
  'comparator-i;ascii-numeric',
  'comparator-i;unicode-casemap',
  'envelope',
  'envelope-dsn',
  'variables',
  'vacation',
  'vacation-seconds',
  'imap4flags',
  'reject',
  'ereject',
  'date',
  'editheader',
  'include',
  'mailbox',
  'mailboxid',
  'mboxmetadata',
  'servermetadata',
  'special-use',
  'environment',
  'vnd.dovecot.environment',
  'imapsieve',
  'enotify',
  'duplicate',
  'spamtest',
  'spamtestplus',
  'virustest',
  'ihave',
  'fcc',
  'extlists',
  'body',
  'foreverypart',
  'mime',
  'extracttext',
  'replace',
  'enclose',
  'convert',
  'vnd.dovecot.debug',
  'vnd.dovecot.report',
  'vnd.dovecot.pipe',
  'vnd.dovecot.filter',
  'vnd.dovecot.execute',
];

export const PROGRAM_NAMES: ReadonlySet<string> = new Set(['vnd.dovecot.pipe', 'vnd.dovecot.filter', 'vnd.dovecot.execute']);

/** They start programs; reports leave the server in the postmaster's name; lists must be made by somebody. */
const OFF_BY_DEFAULT: ReadonlySet<string> = new Set([...PROGRAM_NAMES, 'vnd.dovecot.report', 'extlists']);
export const DEFAULT_EXTENSIONS: readonly string[] = EXTENSION_NAMES.filter((name) => !OFF_BY_DEFAULT.has(name));
