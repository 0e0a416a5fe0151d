/** Domain names as these checks compare them: lower case, A-labels, no final dot. */
import { parseDomain } from '../../mail/address.ts';

const NAME_BYTES = 253;

/**
 * Canonical form of a name that stands in a signature, a record or a header (`text` has one character a byte, UTF-8 allowed by
 * RFC 8616); null when it is none. Address literals are none either.
 */
export function domainName(text: string): string | null {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  if (bare.length === 0 || bare.length > 4 * NAME_BYTES || bare.charCodeAt(0) === 0x5b) return null;
  const domain = isAscii(bare) ? parseDomain(bare) : parseUtf8(bare);
  return domain === null || domain.length > NAME_BYTES ? null : domain;
}

function parseUtf8(text: string): string | null {
  const decoded = Buffer.from(text, 'latin1').toString('utf8');
  return decoded.includes('�') ? null : parseDomain(decoded, { utf8: true });
}

/** `name` is `domain` or below it; both canonical. */
export function isWithin(name: string, domain: string): boolean {
  if (name.length === domain.length) return name === domain;
  return name.length > domain.length && name.endsWith(domain) && name.charCodeAt(name.length - domain.length - 1) === 0x2e;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7e) return false;
  return true;
}
