/** Commands on stored scripts (RFC 5804 sections 2.5 and 2.7 to 2.11). What the writer refuses is put into words by the session. */
import { brokenLimit, limitsOf } from '../../../deliver/scripts/quota.ts';
import { heldBesides, listScripts as stored, scriptText } from '../../../deliver/scripts/reader.ts';
import { formatListed } from '../../../wire/managesieve/format.ts';
import type { Argument } from '../arguments.ts';
import type { ManageSieveSession } from '../session.ts';

export function haveSpace(session: ManageSieveSession, [name, bytes]: readonly Argument[]): void {
  const held = heldBesides(session.context.reader, session.scope, name as string);
  const broken = brokenLimit(held, bytes as number, limitsOf(session.settings));
  if (broken === null) session.ok('There is room');
  else if (broken === 'count') session.no('There are too many scripts', 'QUOTA/MAXSCRIPTS');
  else session.no(broken === 'size' ? 'The script is too large' : 'All scripts together would be too large', 'QUOTA/MAXSIZE');
}

export function listScripts(session: ManageSieveSession): void {
  for (const { name, isActive } of stored(session.context.reader, session.scope)) session.say(formatListed(name, isActive));
  session.ok();
}

export function getScript(session: ManageSieveSession, [name]: readonly Argument[]): void {
  const text = scriptText(session.context.reader, session.scope, name as string);
  if (text === null) return session.no('There is no script by that name', 'NONEXISTENT');
  session.say(`{${text.length}}\r\n`);
  session.out.bytes(text);
  session.say('\r\n');
  session.ok();
}

export async function setActive(session: ManageSieveSession, [name]: readonly Argument[]): Promise<void> {
  // It would not run, and a client would show it as running.
  if (name !== '' && session.account?.source === 'system') return session.no('Your mail is sorted by files in your home directory, such as .dovecot.sieve');
  await session.context.writer.run('script.activate', { scope: session.scope, name });
  session.context.log.info('script.activated', { session: session.connection.id, account: session.account?.login, script: name });
  session.ok(name === '' ? 'No script is active' : 'The script is active');
}

export async function deleteScript(session: ManageSieveSession, [name]: readonly Argument[]): Promise<void> {
  await session.context.writer.run('script.delete', { scope: session.scope, name });
  session.context.log.info('script.deleted', { session: session.connection.id, account: session.account?.login, script: name });
  session.ok('The script is deleted');
}

export async function renameScript(session: ManageSieveSession, [from, to]: readonly Argument[]): Promise<void> {
  await session.context.writer.run('script.rename', { scope: session.scope, from, to });
  session.context.log.info('script.renamed', { session: session.connection.id, account: session.account?.login, script: from, to });
  session.ok('The script is renamed');
}
