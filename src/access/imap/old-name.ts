/**
 * Names that clients write otherwise than the server (RFC 9051 sections 5.1 and 6.3.9.7): letters and accents apart, as macOS has them, or
 * with a separator at the end. Who speaks IMAP4rev2 is told what such a mailbox is called.
 */
import { mailboxRow } from '../../store/rows.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { SPECIAL_USE } from './special-use.ts';
import { OWN_MAILBOXES_SQL } from './own-mailboxes.ts';
import type { Place } from './places.ts';
import type { ImapSession } from './session.ts';

/**
 * "* LIST …" with OLDNAME, to be said before the tagged response; '' when the client wrote the name (or, of RENAME, both) as we do, or does
 * not speak IMAP4rev2. `name`: what the mailbox is called; `given`: as the client wrote it, of RENAME the old name and the new one.
 */
export function oldNameLine(session: ImapSession, attributes: readonly string[], name: string, ...given: readonly string[]): string {
  return session.isRev2 && given.some((each) => each.normalize('NFC') !== each) ? listLine(attributes, name, given[0]!) : '';
}

/** The LIST response that SELECT and EXAMINE have in IMAP4rev2 (section 6.3.2): its attributes are those that LIST would say. */
export function selectedLine(session: ImapSession, { row, name, owner, isOwn }: Place, given: string): string {
  const attributes: string[] = [];
  if (isOwn) {
    const [next] = session.context.reader.rows(OWN_MAILBOXES_SQL, owner, `${row.name}/`, 1);
    attributes.push(next !== undefined && mailboxRow(next).name.startsWith(`${row.name}/`) ? '\\HasChildren' : '\\HasNoChildren');
    const use = row.role === null ? undefined : SPECIAL_USE.get(row.role);
    if (use !== undefined) attributes.push(use);
  }
  return listLine(attributes, name, given);
}

function listLine(attributes: readonly string[], name: string, given: string): string {
  const old = given === name ? '' : ` ("OLDNAME" (${formatMailbox(given, true)}))`;
  return `* LIST (${attributes.join(' ')}) "/" ${formatMailbox(name, true)}${old}\r\n`;
}
