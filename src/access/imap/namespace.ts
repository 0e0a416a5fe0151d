/** NAMESPACE (RFC 2342): own mailboxes without a prefix; those of others, where mailboxes may be shared, below theirs. */
import { encodeUtf7 } from '../../wire/imap/utf7.ts';
import { hasSharedAccounts } from './acl-check.ts';
import type { ImapSession } from './session.ts';

export function namespace(session: ImapSession): string {
  const settings = session.context.settings();
  const isShared = settings['imap.sharing'] !== 'none';
  const others = isShared ? place(session, settings['imap.otherUsersPrefix']) : 'NIL';
  const shared = isShared && hasSharedAccounts(session) ? place(session, settings['imap.sharedPrefix']) : 'NIL';
  session.out.write(`* NAMESPACE (("" "/")) ${others} ${shared}\r\n`);
  return 'OK NAMESPACE completed';
}

/** One namespace: its prefix with the separator at its end, always quoted as the grammar has it. */
function place(session: ImapSession, prefix: string): string {
  const bytes = session.isUtf8 || session.isRev2 ? Buffer.from(prefix, 'utf8').toString('latin1') : encodeUtf7(prefix);
  return `(("${bytes.replace(/["\\]/g, '\\$&')}/" "/"))`;
}
