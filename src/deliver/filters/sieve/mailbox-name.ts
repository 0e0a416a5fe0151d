/** Names of mailboxes in scripts (RFC 5228 section 4.1): Unicode, levels joined by "/". */

const NAME_BYTES_MAX = 1000;
const LEVELS_MAX = 50;

/** A sentence when there can be no mailbox of that name. */
export function mailboxProblem(name: string): string | null {
  if (name === '') return 'the name of a mailbox may not be empty';
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `the name of a mailbox may have ${NAME_BYTES_MAX} octets at most`;
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name) || !name.isWellFormed()) return 'the name of a mailbox may not hold control characters';
  const levels = name.split('/');
  if (levels.length > LEVELS_MAX) return `a mailbox may have ${LEVELS_MAX} levels at most`;
  if (levels.includes('')) return `"${name.slice(0, 60)}" is no name of a mailbox`;
  return null;
}
