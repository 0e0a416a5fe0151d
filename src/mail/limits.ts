/**
 * Every bound this room keeps, with its reason. Passing one never loses a byte of the message: what lies beyond
 * is only not taken apart (the digest says `isTruncated`).
 */
export const MAIL_LIMITS = {
  /** Octets of one header section that are looked at; Postfix keeps 100 KiB, real mail stays below 64 KiB. */
  headerBytes: 1024 * 1024,
  /** Fields of one header section. */
  headerFields: 1000,
  /** RFC 5322 section 2.1.1: a line, and so a name, has at most 998 octets. */
  fieldNameBytes: 998,
  /** Multiparts and messages within each other; the serialisers walk the tree by recursion. */
  depth: 100,
  /** Body parts of one message, counting multiparts. */
  parts: 10_000,
  /** RFC 2046 section 5.1.1 allows 70; generators of longer ones exist. */
  boundaryBytes: 250,
  /** Parameters of one field, continuations (RFC 2231) counted one by one. */
  parameters: 200,
  /** One parameter value, after continuations are joined. */
  parameterBytes: 16 * 1024,
  /** Text kept for envelopes and body structures of one message; the bound on what a digest can weigh. */
  structureBytes: 2 * 1024 * 1024,
  /** One text of an envelope or body structure (subject, description, location). */
  textBytes: 64 * 1024,
  /** Mailboxes and group marks of one address field. */
  addresses: 10_000,
  /** Comments within comments. */
  commentDepth: 100,
  /** Delivered-To addresses kept for loop detection. */
  deliveredTo: 100,
  /** Message-ID longer than this is not kept. */
  messageIdBytes: 998,
} as const;

export type MailLimits = { readonly [K in keyof typeof MAIL_LIMITS]: number };

/** RFC 5321 section 4.5.3.1: sizes in octets. A path has 256 with its angle brackets. */
export const ADDRESS_LIMITS = { localBytes: 64, domainBytes: 255, mailboxBytes: 254, labelBytes: 63 } as const;
