/** Bounds of the SASL messages, in octets after base64 is undone. */

/** Names and passwords: RFC 4616 section 2 allows 255 octets for each part, passwords here may be longer. */
export const MESSAGE_OCTETS_MAX = 2048;
/** Tokens with many claims have 4 to 8 KiB; SMTP carries 12,288 octets of base64 (RFC 4954 section 4), which are 9,216. */
export const TOKEN_MESSAGE_OCTETS_MAX = 12_288;
/** RFC 4505 section 2: 255 characters of up to four octets; an address has 320 at most. */
export const TRACE_OCTETS_MAX = 1020;
