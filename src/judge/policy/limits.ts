/** Bounds of the policy room. What an administrator writes is bounded too: a table may be filled by others. */
export const POLICY_LIMITS = {
  /** Restrictions that an access table names may name tables' restrictions again; Postfix stops at 100. */
  depth: 100,
  /** Entries of one restriction list or class, arguments counted. */
  listEntries: 1000,
  /** Parsed access actions kept, for tables whose results differ from key to key. */
  actionsRemembered: 2000,
  /** An access action longer than this is an error of the table. */
  actionCharacters: 2000,
  /** A reply line, code included (RFC 5321 section 4.5.3.1.5 says 512 with CRLF). */
  replyCharacters: 510,
  /** TXT records of a DNS list, joined. */
  rblTextCharacters: 500,
  /** Mail exchangers or name servers of one domain that check_*_{mx,ns}_access looks at, and addresses of each. */
  serversChecked: 20,
  serverAddressesChecked: 20,
  /** Parent domains asked for name servers when a name has none. */
  parentDomainsAsked: 10,
  /** sleep N: seconds. */
  sleepSeconds: 60,
  /** BCC and PREPEND actions of one message. */
  effectsOfOneKind: 50,
  /** Files of Sendmail and qmail. */
  fileBytes: 64 * 1024 * 1024,
  fileLines: 1_000_000,
  /** Looks at a file for changes at most this often. */
  fileCheckMs: 1000,
} as const;
