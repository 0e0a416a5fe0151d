/** Public keys in DNS (RFC 6376 section 3.6.1, RFC 8463 section 4): parsed and checked once for each record text. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { HashAlgorithm } from './body-hash.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { base64, parseTags, withoutFws } from './tags.ts';

export type KeyType = 'rsa' | 'ed25519';

export interface DkimKey {
  readonly type: KeyType;
  readonly key: KeyObject;
  readonly bits: number;
  /** Null: any. */
  readonly hashes: ReadonlySet<string> | null;
  /** t=y: the domain only tries DKIM. */
  readonly isTesting: boolean;
  /** t=s: the domain of i= must be d= itself. */
  readonly isStrict: boolean;
}

/** SubjectPublicKeyInfo of Ed25519 before the 32 octets of the key (RFC 8410 section 4). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const EXPONENT_BITS_MOST = 64n;

/** The key in a TXT record, or a short phrase that says why there is none. Null: the record is no key record at all. */
export function parseKey(text: string): DkimKey | string | null {
  if (text.length > AUTHENTICITY_LIMITS.recordBytes) return 'key record is too long';
  const list = parseTags(text);
  if (typeof list === 'string') return /(?:^|;)\s*p\s*=/.test(text) ? `key record: ${list}` : null;
  const { tags, names } = list;
  const version = tags.get('v');
  if (version !== undefined && (version !== 'DKIM1' || names[0] !== 'v')) return 'key record has an unknown version';
  const p = tags.get('p');
  if (p === undefined) return version === undefined ? null : 'key record has no p=';
  const type = (tags.get('k') ?? 'rsa').toLowerCase();
  if (type !== 'rsa' && type !== 'ed25519') return 'key has an unknown type';
  const services = colonList(tags.get('s'));
  if (services !== null && !services.has('*') && !services.has('email')) return 'key is not for mail';
  if (withoutFws(p) === '') return 'key was revoked';
  const data = base64(p);
  const key = data === null ? null : type === 'rsa' ? rsaKey(data) : ed25519Key(data);
  if (key === null) return 'key record has no valid key';
  const flags = colonList(tags.get('t'));
  return {
    type,
    key,
    bits: type === 'rsa' ? key.asymmetricKeyDetails!.modulusLength! : 256,
    hashes: colonList(tags.get('h')),
    isTesting: flags?.has('y') === true,
    isStrict: flags?.has('s') === true,
  };
}

function rsaKey(der: Buffer): KeyObject | null {
  // Most publish SubjectPublicKeyInfo, some the bare RSAPublicKey of RFC 6376's ABNF.
  for (const format of ['spki', 'pkcs1'] as const) {
    const key = publicKey(der, format);
    if (key === null) continue;
    const details = key.asymmetricKeyDetails;
    if (key.asymmetricKeyType !== 'rsa' || details?.modulusLength === undefined) return null;
    if (details.modulusLength > AUTHENTICITY_LIMITS.rsaBitsMost) return null;
    // A long exponent makes each verification expensive.
    return details.publicExponent === undefined || details.publicExponent >> EXPONENT_BITS_MOST > 0n ? null : key;
  }
  return null;
}

function ed25519Key(data: Buffer): KeyObject | null {
  if (data.length === 32) return publicKey(Buffer.concat([ED25519_PREFIX, data]), 'spki');
  return data.length === 44 && data.subarray(0, 12).equals(ED25519_PREFIX) ? publicKey(data, 'spki') : null;
}

function publicKey(der: Buffer, type: 'spki' | 'pkcs1'): KeyObject | null {
  try {
    return createPublicKey({ key: der, format: 'der', type });
  } catch {
    return null; // what is in DNS is no key: said so by the caller
  }
}

function colonList(text: string | undefined): ReadonlySet<string> | null {
  if (text === undefined) return null;
  const words = withoutFws(text).toLowerCase().split(':');
  return new Set(words);
}

export function allowsHash(key: DkimKey, algorithm: HashAlgorithm): boolean {
  return key.hashes === null || key.hashes.has(algorithm);
}
