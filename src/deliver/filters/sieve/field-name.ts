/** Names of header fields. */

/** field-name (RFC 5322 section 2.2): printable ASCII without colon. */
export function isFieldName(name: string): boolean {
  return /^[!-9;-~]{1,200}$/.test(name);
}
