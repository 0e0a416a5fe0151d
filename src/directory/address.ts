/** Addresses and domains as administrators and users type them, turned into the form the tables hold. */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

/** RFC 5321 section 4.5.3.1. */
const LOCAL_OCTETS_MAX = 64;
const DOMAIN_OCTETS_MAX = 255;

/** True when every character is ASCII. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** The form in which local parts are compared: lower case, Unicode in NFC (RFC 6532 section 3.1). */
export function foldLocal(local: string): string {
  const lower = local.toLowerCase();
  return isAscii(lower) ? lower : lower.normalize('NFC');
}

/** A domain in lower case A-labels without a final dot; null when it is none. One label ("localhost") is a domain. */
export function canonicalDomain(text: string): string | null {
  const trimmed = text.endsWith('.') ? text.slice(0, -1) : text;
  if (trimmed === '' || trimmed.length > DOMAIN_OCTETS_MAX || isIP(trimmed) !== 0) return null;
  // The URL parser would take other characters for the end of a host or decode them.
  if (/[\s/\\?#@:%[\]<>^|"']/.test(trimmed)) return null;
  const ascii = isAscii(trimmed) ? trimmed.toLowerCase() : domainToASCII(trimmed);
  if (ascii.length > DOMAIN_OCTETS_MAX) return null;
  for (const label of ascii.split('.')) if (!/^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label)) return null;
  return ascii;
}

/** Splits at the last "@" (a quoted local part may hold others); null when there is none or a side is empty. */
export function splitAddress(address: string): [local: string, domain: string] | null {
  const at = address.lastIndexOf('@');
  return at <= 0 || at === address.length - 1 ? null : [address.slice(0, at), address.slice(at + 1)];
}

/** "Alice@Example.ORG." as "alice@example.org"; null when it cannot be an address. */
export function canonicalAddress(text: string): string | null {
  const parts = splitAddress(text.trim());
  if (parts === null) return null;
  const local = foldLocal(parts[0]);
  const domain = canonicalDomain(parts[1]);
  if (domain === null || Buffer.byteLength(local) > LOCAL_OCTETS_MAX || /[\x00-\x20\x7f"(),:;<>@[\\\]]/.test(local)) return null;
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return null;
  return `${local}@${domain}`;
}

/** As canonicalAddress, but keeps the case of the local part: for targets at other hosts, where case may matter. */
export function canonicalTarget(text: string, isLocalDomain: (domain: string) => boolean): string | null {
  const folded = canonicalAddress(text);
  if (folded === null) return null;
  const [local] = splitAddress(text.trim())!;
  const [, domain] = splitAddress(folded)!;
  return isLocalDomain(domain) ? folded : `${local}@${domain}`;
}
