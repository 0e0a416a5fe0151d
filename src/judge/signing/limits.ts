/** Every bound of this folder, with its reason. */
export const SIGNING_LIMITS = {
  /** Keys of one domain that are read; a rotation has four. */
  keysPerDomain: 64,
  /** PEM of an RSA key of 4,096 bits has 3.3 KB. */
  keyFileBytes: 16 * 1024,
  infoFileBytes: 4 * 1024,
  /** Domains whose keys (or whose lack of keys) a thread remembers. */
  domains: 10_000,
  /** Field names of one h= tag, oversigned ones counted twice; more would be a tag of its own length class. */
  signedFields: 200,
} as const;

/** How long a thread trusts what it knows of a domain's key files before it looks at the folder again. */
export const KEY_CHECK_MS = 5000;
/** A folder that changed so shortly before it was read may change again within the same clock tick: it is read again. */
export const KEY_SETTLE_MS = 2000;
