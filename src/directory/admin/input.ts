/** What administrators type, checked. Every refusal is a sentence for the terminal. */
import type { AdminContext } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { canonicalAddress, canonicalDomain } from '../address.ts';
import { PASSWORD_OCTETS_MAX } from '../password.ts';
import { saslprep } from '../sasl/saslprep.ts';
import type { DirectorySettings } from '../settings.ts';

export function settingsOf(context: AdminContext): DirectorySettings {
  return context.settings() as DirectorySettings;
}

/** An error of the person who typed. */
export function refuse(sentence: string): never {
  throw new Failure('cannot', sentence);
}

export function addressInput(value: unknown, what = 'address'): string {
  if (typeof value !== 'string' || value === '') return refuse(`Please give the ${what}, such as anna@example.org.`);
  return canonicalAddress(value) ?? refuse(`"${value}" is not an address; it should look like anna@example.org.`);
}

export function domainInput(value: unknown): string {
  if (typeof value !== 'string' || value === '') return refuse('Please give the domain, such as example.org.');
  return canonicalDomain(value) ?? refuse(`"${value}" is not a domain; it should look like example.org.`);
}

/** A count or size of zero or more; `fallback` when not given. */
export function countInput(value: unknown, what: string, fallback: number): number {
  if (value === undefined || value === null) return fallback;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) return refuse(`The ${what} must be a whole number, 0 for no limit.`);
  return value;
}

/** A password somebody chose. */
export function passwordInput(value: unknown, settings: DirectorySettings): string {
  if (typeof value !== 'string' || value === '') return refuse('The password is empty.');
  if (Buffer.byteLength(value) > PASSWORD_OCTETS_MAX) return refuse(`The password is longer than ${PASSWORD_OCTETS_MAX} bytes.`);
  if (/[\x00-\x1f\x7f]/.test(value)) return refuse('The password holds a control character (a tab or a line end); no mail program could send it.');
  // SCRAM could not be offered to anybody while one password cannot be used with it.
  if (saslprep(value, true) === null) return refuse('The password holds characters that mail programs do not send alike (RFC 4013); please choose others.');
  if (value !== value.trim()) return refuse('The password begins or ends with a space, which many mail programs take away.');
  const least = settings['auth.passwordCharactersMin'];
  if ([...value].length < least) return refuse(`The password is too short: at least ${least} characters (option auth.passwordCharactersMin).`);
  return value;
}

/** The account with this login; throws Failure 'noSuchAccount'. */
export function accountInput(context: AdminContext, value: unknown): { id: number; login: string } {
  const login = addressInput(value, 'user');
  const [row] = context.reader.rows('SELECT id FROM account WHERE login=?', login);
  if (row === undefined) throw new Failure('noSuchAccount', `There is no user ${login}.`);
  return { id: row[0] as number, login };
}

/**
 * An account whose mail goes through the rules of the store: scripts, lists, challenges. Throws Failure 'cannot' for users of this machine,
 * whose own files sort their mail: what is switched on for them here would do nothing.
 */
export function sortedAccountInput(context: AdminContext, value: unknown): { id: number; login: string } {
  const account = accountInput(context, value);
  if (isUserOfMachine(context, account.id))
    return refuse(
      `${account.login} is a user of this machine, whose mail is sorted by ~/.procmailrc, ~/.mailfilter or ~/.dovecot.sieve (local.filters), not by this.`,
    );
  return account;
}

export function isUserOfMachine(context: Pick<AdminContext, 'reader'>, accountId: number): boolean {
  return context.reader.rows("SELECT 1 FROM account WHERE id=? AND source='system'", accountId).length > 0;
}
