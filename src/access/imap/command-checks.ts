/** May this command be run, before anybody looks at its arguments? */
import { NO_RIGHT } from './acl-check.ts';
import { type Command, SELECTED } from './commands.ts';
import type { ImapSession } from './session.ts';
import { mayReadSelected } from './tell-updates.ts';
import { isRefusedBeforeUtf8, UTF8_REFUSAL } from './utf8-only.ts';

/** Commands that name messages by sequence number (RFC 9586 section 3.2). */
const BY_NUMBER = new Set(['FETCH', 'STORE', 'SEARCH', 'COPY', 'MOVE', 'REPLACE', 'SORT', 'THREAD']);
/** Possible whatever the rights on the selected mailbox have become. */
const LEAVING = new Set(['CLOSE', 'UNSELECT']);

/** The response of a command that is not legal in this state, or not permitted any more; null: it may be tried. */
export function refusalInState(session: ImapSession, verb: string, command: Command): string | null {
  if (!command.from.includes(session.state)) return `BAD ${whyNotNow(session, verb, command)}`;
  if (command.from === SELECTED && !LEAVING.has(verb) && !mayReadSelected(session)) return NO_RIGHT;
  return null;
}

function whyNotNow(session: ImapSession, verb: string, command: Command): string {
  if (session.state === 'notAuthenticated') return `${verb} needs a login first`;
  return command.from.includes('selected') ? `${verb} needs a selected mailbox` : `${verb} is not possible after login`;
}

/** The response of a command that does not go with what the client has ENABLEd, or has not; null: it does. */
export function refusalInMode(session: ImapSession, verb: string): string | null {
  if (isRefusedBeforeUtf8(session, verb)) return UTF8_REFUSAL;
  if (session.isUidOnly && BY_NUMBER.has(verb)) return 'BAD [UIDREQUIRED] Sequence numbers are not possible after ENABLE UIDONLY';
  return null;
}
