/** Texts of LDAP: what a key must be escaped to in filters and names, and LDAP URLs. */

/** A value inside a filter (RFC 4515 section 3): the special characters as \XX. */
export function filterValue(text: string): string {
  return text.replace(/[*()\\\0]/g, (char) => `\\${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** A value inside a distinguished name (RFC 4514 section 2.4). */
export function nameValue(text: string): string {
  let out = text.replace(/[",+;<>\\=]/g, '\\$&').replaceAll('\0', '\\00');
  if (out.endsWith(' ')) out = `${out.slice(0, -1)}\\ `;
  return out.startsWith(' ') || out.startsWith('#') ? `\\${out}` : out;
}

export type Scope = 'base' | 'one' | 'sub';
export interface LdapUrl {
  readonly scheme: 'ldap' | 'ldaps' | 'ldapi';
  /** Host, or the path of the socket for ldapi; '' when the URL names none. */
  readonly host: string;
  readonly port: number | null;
  readonly base: string;
  /** Empty: all that the table asks for. */
  readonly attributes: readonly string[];
  readonly scope: Scope;
  readonly filter: string;
}

/** RFC 4516 section 2, extensions passed over unless critical; null when it is none. */
export function parseLdapUrl(text: string): LdapUrl | null {
  const match =
    /^(ldaps?|ldapi):\/\/(\[[0-9A-Fa-f:.]+\]|[^/:?#\s]*)(?::(\d{1,5}))?(?:\/([^?#\s]*)(?:\?([^?#\s]*)(?:\?([^?#\s]*)(?:\?([^?#\s]*)(?:\?([^#\s]*))?)?)?)?)?$/i.exec(
      text,
    );
  if (match === null) return null;
  const port = match[3] === undefined ? null : Number(match[3]);
  const scope = (match[6] ?? '').toLowerCase() || 'base';
  if (
    (port !== null && (port < 1 || port > 65_535)) ||
    !['base', 'one', 'sub'].includes(scope) ||
    (match[8] ?? '').split(',').some((extension) => extension.startsWith('!'))
  )
    return null;
  try {
    return {
      scheme: match[1]!.toLowerCase() as LdapUrl['scheme'],
      host: decodeURIComponent(match[2]!.replace(/^\[|\]$/g, '')),
      port,
      base: decodeURIComponent(match[4] ?? ''),
      attributes: decodeURIComponent(match[5] ?? '')
        .split(',')
        .filter((name) => name !== '' && name !== '*'),
      scope: scope as Scope,
      filter: decodeURIComponent(match[7] ?? '') || '(objectClass=*)',
    };
  } catch {
    return null; // A "%" that is no %XX.
  }
}
