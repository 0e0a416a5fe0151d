/** Bounds of the POP3 grammar. */

/** A command line with its CRLF: RFC 2449 section 4 asks for 255; SASL initial responses need more (RFC 5034 section 4). */
export const COMMAND_LINE_OCTETS_MAX = 512;
/** A line of a SASL exchange in base64 with its CRLF (RFC 4954 section 4 has the same bound). */
export const SASL_LINE_OCTETS_MAX = 12288;
