/** UTF8=ONLY (RFC 6855 section 6), behind `imap.utf8Only`: nothing with names or messages is done before ENABLE UTF8=ACCEPT. */
import type { ImapSession } from './session.ts';

export const UTF8_REFUSAL = 'NO [CANNOT] ENABLE UTF8=ACCEPT first';

/** Those of the commands that are legal before a mailbox is selected. */
const COMMANDS_WITH_NAMES: ReadonlySet<string> = new Set(
  'SELECT EXAMINE CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE LIST LSUB XLIST STATUS NAMESPACE GETMETADATA SETMETADATA'
    .concat(' SETACL DELETEACL GETACL LISTRIGHTS MYRIGHTS GETQUOTA GETQUOTAROOT SETQUOTA NOTIFY ESEARCH GENURLAUTH RESETKEY URLFETCH')
    .split(' '),
);

/** Must the client say first that it knows UTF-8? */
export function needsUtf8(session: ImapSession): boolean {
  return !session.isUtf8 && session.context.settings()['imap.utf8Only'];
}

/** Is the command refused until then? */
export function isRefusedBeforeUtf8(session: ImapSession, verb: string): boolean {
  return needsUtf8(session) && COMMANDS_WITH_NAMES.has(verb);
}
