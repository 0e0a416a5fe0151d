/** UNAUTHENTICATE (RFC 8437): back to where a connection begins, so that a client can log in as somebody else. TLS stays. */
import { capabilityLine, has } from './capability.ts';
import { forgetComparator } from './comparator.ts';
import type { ImapSession } from './session.ts';

export function unauthenticate(session: ImapSession, _args: null, tag: string): string | null | Promise<null> {
  if (!has(session, 'UNAUTHENTICATE')) return 'BAD Unknown command';
  session.shared.leave(session);
  forgetComparator(session);
  session.unauthenticated();
  const text = `OK [${capabilityLine(session)}] UNAUTHENTICATE completed`;
  if (!session.input.isCompressed) return text;
  // Section 4.1: compression ends behind this response, and behind the command on the other way.
  session.tagged(tag, text, 'none');
  return session.input.endCompression().then(() => null);
}
