/** Host names and addresses as the restrictions take them. Pure; linear in the length of the name. */
import ipaddr from 'ipaddr.js';

const NAME_CHARACTERS_MAX = 255;
const LABEL_CHARACTERS_MAX = 63;

/**
 * A host name: letters, digits, hyphens and, because real names have it, underscores; no empty label, no label over 63 characters or with
 * a hyphen at its ends; not made of digits alone (that is an address). `utf8` takes letters beyond ASCII too (RFC 6531).
 */
export function isHostName(name: string, utf8 = false): boolean {
  if (name.length === 0 || name.length > NAME_CHARACTERS_MAX) return false;
  let labelStart = 0;
  let isNumeric = true;
  for (let i = 0; i <= name.length; i += 1) {
    const c = i === name.length ? 0x2e : name.charCodeAt(i);
    if (c === 0x2e) {
      const length = i - labelStart;
      if (length === 0 || length > LABEL_CHARACTERS_MAX || name.charCodeAt(i - 1) === 0x2d) return false;
      labelStart = i + 1;
    } else if (c === 0x2d) {
      if (i === labelStart) return false;
    } else if (c < 0x30 || c > 0x39) {
      const isLetter = (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a) || c === 0x5f;
      if (!isLetter && !(utf8 && c >= 0xa0)) return false;
      isNumeric = false;
    }
  }
  return !isNumeric;
}

/** "192.0.2.1" or "2001:db8::1", nothing around it. */
export function isHostAddress(text: string): boolean {
  if (text.includes(':')) return ipaddr.IPv6.isValid(text) && !text.includes('%');
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) return false;
  return !text.startsWith('0.') || text === '0.0.0.0';
}

/** The address in `text` of an address literal without its brackets (RFC 5321 section 4.1.3), or null. */
export function literalAddress(text: string): string | null {
  if (text.slice(0, 5).toLowerCase() === 'ipv6:') {
    const ip = text.slice(5);
    return ip.includes(':') && isHostAddress(ip) ? ip : null;
  }
  return !text.includes(':') && isHostAddress(text) ? text : null;
}

/** Without the dot that may end a name; two dots stay, and are wrong. */
export function withoutFinalDot(name: string): string {
  return name.length > 1 && name.endsWith('.') && !name.endsWith('..') ? name.slice(0, -1) : name;
}

/** The last label is all digits: no name of the DNS. */
export function hasNumericEnd(name: string): boolean {
  return /^\d+$/.test(name.slice(name.lastIndexOf('.') + 1));
}
