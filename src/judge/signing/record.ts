/** Records for a zone file (RFC 1035 section 5.1), and what a DKIM key's record says. Pure. */
import type { KeyObject } from 'node:crypto';

export type KeyAlgorithm = 'rsa' | 'ed25519';

/** RFC 1035 section 3.3: a character-string has at most 255 octets. */
const STRING_OCTETS_MAX = 255;

/** Text of the TXT record at SELECTOR._domainkey.DOMAIN (RFC 6376 section 3.6.1, RFC 8463 section 4). */
export function dkimRecord(algorithm: KeyAlgorithm, publicKey: KeyObject): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // An Ed25519 key stands there as its 32 octets, without the ASN.1 around it.
  const value = algorithm === 'rsa' ? spki : spki.subarray(spki.length - 32);
  return `v=DKIM1; k=${algorithm}; p=${value.toString('base64')}`;
}

/** Quoted strings of at most 255 octets each, for the right side of a TXT record. */
export function txtStrings(text: string): string[] {
  const bytes = Buffer.from(text, 'utf8');
  const strings: string[] = [];
  for (let at = 0; at < bytes.length || strings.length === 0; at += STRING_OCTETS_MAX) {
    let quoted = '"';
    for (const octet of bytes.subarray(at, at + STRING_OCTETS_MAX)) {
      if (octet === 0x22 || octet === 0x5c) quoted += `\\${String.fromCharCode(octet)}`;
      else quoted += octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`;
    }
    strings.push(`${quoted}"`);
  }
  return strings;
}

/** One line of a zone file: "name. TTL IN TYPE data". `name` without final dot. */
export function zoneLine(name: string, ttl: number, type: string, data: string): string {
  return `${name}. ${ttl} IN ${type} ${data}`;
}

/** A TXT record; a long text is put in parentheses, a string a line. */
export function zoneTxt(name: string, ttl: number, text: string): string {
  const strings = txtStrings(text);
  return zoneLine(name, ttl, 'TXT', strings.length === 1 ? strings[0]! : `(\n    ${strings.join('\n    ')} )`);
}
