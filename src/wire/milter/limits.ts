/** Every bound of the milter protocol, with its reason. */
export const MILTER_LIMITS = {
  /** Payload of one packet we take. libmilter sends 64 KiB at most; Postfix sends a whole header field (100 KiB), others a whole body. */
  packetBytesMax: 1024 * 1024 + 1024,
  /** Body bytes in one packet that we send: what every libmilter takes (MILTER_CHUNK_SIZE). */
  chunkBytes: 65_535,
  /** Texts in one packet (macros, ESMTP arguments); Sendmail sends some dozens. */
  textsMax: 1000,
  /** Length of a reply's text as a whole; libmilter allows 32 lines of 980 octets. */
  replyBytesMax: 32 * 1024,
} as const;
