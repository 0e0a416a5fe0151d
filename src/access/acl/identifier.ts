/** Identifiers in access control lists (RFC 4314 sections 2 and 3): logins, "anyone", "authenticated", and "-" before them. */
import { saslprep } from '../../directory/sasl/saslprep.ts';
import type { Directory } from '../../ports.ts';

/** Who may share with whom; part of the settings of IMAP. */
export interface SharingSettings {
  readonly 'imap.sharing': string;
  readonly 'imap.sharedAccounts': readonly string[];
}

/** Everybody who has logged in: there is no access without a login, unless the administrator allows it. */
const EVERYBODY: ReadonlySet<string> = new Set(['anyone', 'authenticated']);

/**
 * `text`: the identifier as it is stored, or null when it cannot be one (RFC 4314 section 3 has BAD for it).
 * `isKnown`: mailboxes of `owner` (a login) can be shared with it. Aliases are not known: the answer would tell whose they are.
 */
export function canonicalIdentifier(
  directory: Pick<Directory, 'accountByLogin'>,
  settings: SharingSettings,
  owner: string,
  identifier: string,
): { readonly text: string | null; readonly isKnown: boolean } {
  const sign = identifier.startsWith('-') ? '-' : '';
  const name = saslprep(identifier.slice(sign.length), true);
  if (name === null || name === '') return { text: null, isKnown: false };
  if (EVERYBODY.has(name)) return { text: sign + name, isKnown: settings['imap.sharing'] !== 'none' };
  const account = directory.accountByLogin(name);
  const folded = name.normalize('NFC').toLowerCase();
  const isLogin = account !== null && (account.login === folded || (!folded.includes('@') && account.login.startsWith(`${folded}@`)));
  if (!isLogin) return { text: sign + folded, isKnown: false };
  return { text: sign + account.login, isKnown: account.login === owner || mayShare(settings, owner, account.login) };
}

const domainOf = (login: string): string => login.slice(login.lastIndexOf('@') + 1);

/** May mailboxes of `owner` be given to `other` (imap.sharing)? */
export function mayShare(settings: SharingSettings, owner: string, other: string): boolean {
  if (settings['imap.sharing'] === 'none') return false;
  return settings['imap.sharing'] === 'all' || settings['imap.sharedAccounts'].includes(owner) || domainOf(owner) === domainOf(other);
}
