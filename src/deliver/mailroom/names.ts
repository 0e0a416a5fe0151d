/** INBOX is written as people like (RFC 9051 section 5.1). */
export function inboxName(name: string): string {
  return name.toUpperCase() === 'INBOX' ? 'INBOX' : name;
}
