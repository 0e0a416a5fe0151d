/** IDLE (RFC 2177, RFC 9051 section 6.3.13): the session is told of changes by the view until the client says DONE. */
import { Cursor } from '../../wire/imap/cursor.ts';
import { SP, scan, TAG_CHAR } from '../../wire/imap/chars.ts';
import { IMAP_LIMITS } from '../../wire/imap/limits.ts';
import type { ImapSession } from './session.ts';

export function idle(session: ImapSession, _args: null, tag: string): null {
  session.out.write('+ idling\r\n');
  session.beginIdle(tag);
  session.tellUpdates(true);
  return null;
}

/**
 * The line that ends IDLE. Clients send the next commands in the same packet as DONE, or even a command without DONE
 * before it: then IDLE is over too, and the command counts.
 */
export function idleLine(session: ImapSession, line: Buffer): void {
  const tag = session.idleTag;
  session.endIdle();
  if (line.length === 4 && line.toString('latin1').toUpperCase() === 'DONE') {
    session.tagged(tag, 'OK IDLE completed', 'all');
    return;
  }
  const tagEnd = scan(TAG_CHAR, line, 0);
  if (tagEnd > 0 && tagEnd <= IMAP_LIMITS.tagBytes && line[tagEnd] === SP && tagEnd + 1 < line.length) {
    session.tagged(tag, 'OK IDLE ended by another command', 'all');
    session.runCommand(line.toString('latin1', 0, tagEnd), new Cursor(line, tagEnd + 1));
    return;
  }
  session.tagged(tag, 'BAD DONE expected', 'none');
}
