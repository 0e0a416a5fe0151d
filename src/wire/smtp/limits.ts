/** Bounds of the SMTP grammar, with their reasons. Sizes are in bytes and count the line ending where there is one. */
export const LIMITS = {
  /** RFC 5321 section 4.5.3.1.4 asks for 512; RFC 4954 section 4 for 12,288 with AUTH; extensions add to MAIL and RCPT. */
  commandLineBytesMax: 12_288,
  /** RFC 5321 section 4.5.3.1.3 asks for 256; SMTPUTF8 and quoting need more. */
  pathBytesMax: 1_024,
  /** Parameters of one MAIL, RCPT or XCLIENT command; all extensions known to us together have ten. */
  parametersMax: 20,
  /** RFC 3461 section 4.2: ORCPT is at most 500 characters; ENVID 100. */
  orcptBytesMax: 500,
  envidBytesMax: 100,
  /** One line of a reply from a peer (RFC 5321 section 4.5.3.1.5 asks for 512). */
  replyLineBytesMax: 4_096,
  /** Lines in one reply from a peer; an EHLO reply has one for each extension. */
  replyLinesMax: 200,
  /** A BDAT chunk size has at most this many digits; the size itself is limited by the message size. */
  chunkDigitsMax: 15,
} as const;
