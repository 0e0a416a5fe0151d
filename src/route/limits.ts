/** Bounds of routing that nobody needs to change; the others are options (settings.ts). */
export const ROUTE_LIMITS = {
  /** Canonical mappings that may follow one another, as in Postfix. */
  canonicalDepth: 10,
  /** Next hops of one list ("smtp:[a], [b]"). */
  destinations: 20,
  /** Octets of one header field whose addresses are rewritten; a longer one stays as it is (Postfix header_address_token_limit is 10240 tokens). */
  fieldBytes: 100 * 1024,
  /** Addresses rewritten in one header; a table may have to be asked for each. */
  headerAddresses: 10_000,
  /** Words of the argv of one pipe transport. */
  argvWords: 200,
  /** A file of users is looked at for changes this often, in milliseconds. */
  usersStatMs: 1000,
  /** Bytes of a file of users. */
  usersBytes: 16 * 1024 * 1024,
  /** Steps shown of one address by `posthorn route`. */
  steps: 2000,
} as const;
