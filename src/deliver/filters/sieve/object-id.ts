/** Object ids of mailboxes in scripts (RFC 9042). */

/** objectid (RFC 8474 section 7). */
export function isObjectId(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,255}$/.test(text);
}
