/** Commands that have nothing to do with scripts. */
import { decodeText } from '../../../wire/managesieve/name.ts';
import type { Argument } from '../arguments.ts';
import { canStartTls } from '../capabilities.ts';
import type { ManageSieveSession } from '../session.ts';

export function capability(session: ManageSieveSession): void {
  session.greet();
}

/** RFC 5804 section 2.13: the tag comes back, if there was one. */
export function noop(session: ManageSieveSession, [tag]: readonly Argument[]): void {
  if (tag === null) return session.ok('Nothing was done');
  const value = decodeText(tag as Buffer);
  if (value === null) session.bad('The tag is not UTF-8');
  else session.ok('Nothing was done', { name: 'TAG', value });
}

export function logout(session: ManageSieveSession): void {
  session.ok('Goodbye');
  session.end();
}

export function startTls(session: ManageSieveSession): void | Promise<void> {
  if (!canStartTls(session)) return session.bad(session.connection.tls === null ? 'TLS is not available' : 'TLS is on already');
  return session.startTls();
}

export function unauthenticate(session: ManageSieveSession): void {
  session.leave();
  session.ok('Logged out');
}
