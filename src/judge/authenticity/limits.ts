/** Every bound of this room that is no option, with its reason. Options are in settings.ts. */
export const AUTHENTICITY_LIMITS = {
  /** Octets of one SPF, DMARC or key record that are looked at; a TXT record of a dozen strings is already rare. */
  recordBytes: 8 * 1024,
  /** Terms of one SPF record: 8 KiB of "a " would be 4,096. */
  spfTerms: 512,
  /** RFC 7208 section 4.6.4: address names of one mx, and names of one ptr. */
  spfNames: 10,
  /** Octets of an explanation after its macros were expanded; it goes into a reply. */
  spfExplanationBytes: 400,
  /** SPF results remembered for pairs of client and domain. */
  spfResults: 10_000,
  /** How long they are; a changed record is noticed that much later. */
  spfResultMs: 60_000,
  /** Compiled SPF and DMARC records and public keys remembered by their text. */
  compiled: 2_000,
  /** Octets of one signature field: 16 KiB of h= is more than any signer writes. */
  signatureBytes: 16 * 1024,
  /** Names in h=. */
  signedNames: 500,
  /** Signature fields of one message that are looked at, whatever is done with them. */
  signatureFields: 100,
  /** Key records of one name that are tried (RFC 6376 section 3.6.2.2 leaves it open). */
  keyRecords: 2,
  /** Longer RSA keys only cost time. */
  rsaBitsMost: 8192,
  /** A signature from this far in the future, or expired no longer ago, is a wrong clock. */
  clockSkewSeconds: 300,
  /** RFC 8617 section 4.2.1. */
  arcSets: 50,
  /** All ARC fields together: every seal covers all before it, so the work grows with the square of the number of sets. */
  arcBytes: 256 * 1024,
  /** Domains of From that DMARC is asked about when there are several. */
  authorDomains: 3,
  /** Octets of From that are parsed. */
  authorBytes: 8 * 1024,
  /** Signatures that Authentication-Results lists. */
  listedSignatures: 10,
} as const;
