/**
 * DKIM verification (RFC 6376, 8301, 8463). First everything that needs no body: syntax, keys, the signature over the header. Only when
 * one of these is right is the body hashed, once for all signatures (and for ARC); then each result is finished.
 */
import { createHash, verify as cryptoVerify } from 'node:crypto';
import type { AuthDns } from './auth-dns.ts';
import type { BodyHash, BodyHashes } from './body-hash.ts';
import { canonicalSignature, signedFields } from './canonical-header.ts';
import { allowsHash, type DkimKey, parseKey } from './dkim-key.ts';
import { isWithin } from './domain-name.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import type { Memo } from './memo.ts';
import type { MessageHeader } from './message-header.ts';
import { isBad, parseSignature, type Signature } from './signature.ts';
import { type Steps, wait } from './steps.ts';

export type DkimCode = 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror';

export interface DkimResult {
  readonly result: DkimCode;
  /** The signature is right, even where policy does not let it pass. */
  readonly isVerified: boolean;
  /** d= canonical; '' when unreadable. */
  readonly domain: string;
  readonly selector: string;
  /** i= as given, decoded, or null. One character a byte. */
  readonly identity: string | null;
  /** "rsa-sha256", "ed25519-sha256" …, or ''. */
  readonly algorithm: string;
  /** Of the key, or 0 when it is not known. */
  readonly bits: number;
  /** The beginning of b=, which tells signatures apart (RFC 6008). */
  readonly signature: string;
  /** The key says t=y. */
  readonly isTesting: boolean;
  readonly reason: string | null;
}

export interface DkimOptions {
  readonly rsaBitsMin: number;
  readonly signaturesMax: number;
  readonly domainSignaturesMax: number;
  /** Unix time in seconds. */
  readonly nowSeconds: number;
  /** Signatures of this domain and those around it are checked first, when there are more than may be. */
  readonly prefer: string | null;
}

export type Keys = Memo<DkimKey | string | null>;

/** A result that waits for the body hash. */
export type PendingDkim = () => DkimResult;

/** Fields that RFC 5322 section 3.6 and RFC 2045 allow once: another one above the signed one is what a reader would be shown. */
const ONCE: ReadonlySet<string> = new Set([
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'message-id',
  'in-reply-to',
  'references',
  'subject',
  'date',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
]);

/** Everything but the body, for all DKIM-Signature fields of the message, in its order. */
export function* checkDkim(header: MessageHeader, dns: AuthDns, keys: Keys, options: DkimOptions, hashes: BodyHashes): Steps<PendingDkim[]> {
  const fields = header.signatures.slice(0, AUTHENTICITY_LIMITS.signatureFields);
  const parsed = fields.map((field) => parseSignature(header.bytes, field, 'dkim'));
  const good = parsed.filter((signature): signature is Signature => !isBad(signature));
  const chosen = choose(good, options);
  // All questions go out before the first answer is waited for.
  if (chosen.size > 1) for (const signature of chosen) void dns.txt(keyName(signature));
  const pending: PendingDkim[] = [];
  for (const signature of parsed) {
    if (isBad(signature)) {
      const { result, reason, domain, selector, algorithm } = signature;
      const known = {
        result,
        isVerified: false,
        domain,
        selector,
        identity: null,
        algorithm,
        bits: 0,
        signature: signature.signature.slice(0, 12),
        isTesting: false,
        reason,
      };
      pending.push(() => known);
    } else if (!chosen.has(signature)) {
      const skipped = outcome(signature, 'neutral', 'not checked: too many signatures', null);
      pending.push(() => skipped);
    } else pending.push(yield* checkOne(header, signature, dns, keys, options, hashes));
  }
  return pending;
}

/** Those that are checked: of the author's domain first, then in the order of the message. */
function choose(signatures: readonly Signature[], options: DkimOptions): ReadonlySet<Signature> {
  const { prefer } = options;
  let ordered = signatures;
  if (signatures.length > options.domainSignaturesMax && prefer !== null) {
    const isNear = (signature: Signature): boolean => isWithin(prefer, signature.domain) || isWithin(signature.domain, prefer);
    ordered = [...signatures.filter(isNear), ...signatures.filter((signature) => !isNear(signature))];
  }
  const chosen = new Set<Signature>();
  const counts = new Map<string, number>();
  for (const signature of ordered) {
    const count = counts.get(signature.domain) ?? 0;
    if (chosen.size >= options.signaturesMax || count >= options.domainSignaturesMax) continue;
    counts.set(signature.domain, count + 1);
    chosen.add(signature);
  }
  return chosen;
}

function* checkOne(header: MessageHeader, signature: Signature, dns: AuthDns, keys: Keys, options: DkimOptions, hashes: BodyHashes): Steps<PendingDkim> {
  const known = (result: DkimCode, reason: string, key: DkimKey | null = null): PendingDkim => {
    const value = outcome(signature, result, reason, key);
    return () => value;
  };
  if (header.isTruncated) return known('neutral', 'header is too large');
  const time = wrongTime(signature, options.nowSeconds);
  if (time !== null) return known('fail', time);
  const key = yield* findKey(keyName(signature), dns, keys);
  if (typeof key !== 'object') return known('permerror', key);
  if ('failed' in key) return known('temperror', key.failed);
  if (key.type !== signature.keyType) return known('permerror', 'key is of another type', key);
  if (!allowsHash(key, signature.hash)) return known('permerror', 'key does not allow this hash', key);
  if (key.isStrict && signature.identityDomain !== signature.domain) return known('permerror', 'key wants i= in the domain d= itself', key);
  if (!isHeaderSigned(header, signature, key)) return known('fail', 'signature did not verify', key);
  const hash = hashes.want(signature.bodyForm, signature.hash, signature.bodyBytes);
  const repeated = repeatedField(header, signature);
  return () => finish(signature, key, hash, repeated, options);
}

function finish(signature: Signature, key: DkimKey, hash: BodyHash, repeated: string | null, options: DkimOptions): DkimResult {
  const digest = hash.digest();
  if (signature.bodyBytes !== null && signature.bodyBytes > hash.size) return outcome(signature, 'fail', 'l= goes beyond the body', key);
  if (!digest.equals(signature.bodyHash)) return outcome(signature, 'fail', 'body hash did not verify', key);
  const policy = (reason: string): DkimResult => ({ ...outcome(signature, 'policy', reason, key), isVerified: true });
  if (signature.hash === 'sha1') return policy('rsa-sha1 is not accepted'); // RFC 8301 section 3.1
  if (signature.isDraft) return policy('v=1 is missing');
  if (key.type === 'rsa' && key.bits < options.rsaBitsMin) return policy(`key of ${key.bits} bits is too short`); // RFC 8301 section 3.2
  if (signature.bodyBytes !== null && signature.bodyBytes < hash.size) return policy(`${hash.size - signature.bodyBytes} octets of the body are not signed`);
  if (repeated !== null) return policy(`${repeated} stands more often than it is signed`);
  return { ...outcome(signature, 'pass', null, key), isVerified: true };
}

function outcome(signature: Signature, result: DkimCode, reason: string | null, key: DkimKey | null): DkimResult {
  return {
    result,
    isVerified: false,
    domain: signature.domain,
    selector: signature.selector,
    identity: signature.identity,
    algorithm: `${signature.keyType}-${signature.hash}`,
    bits: key?.bits ?? 0,
    signature: signature.signature.toString('base64', 0, 9),
    isTesting: key?.isTesting === true,
    reason,
  };
}

export function keyName(signature: { readonly selector: string; readonly domain: string }): string {
  return `${signature.selector}._domainkey.${signature.domain}`;
}

/** Why the times of a signature forbid it, or null. */
export function wrongTime(signature: Signature, nowSeconds: number): string | null {
  const { signedAt, expiresAt } = signature;
  if (signedAt !== null && signedAt > nowSeconds + AUTHENTICITY_LIMITS.clockSkewSeconds) return 'signature is from the future';
  if (expiresAt === null) return null;
  if (signedAt !== null && expiresAt <= signedAt) return 'signature expires before it was made';
  return expiresAt < nowSeconds - AUTHENTICITY_LIMITS.clockSkewSeconds ? 'signature has expired' : null;
}

/** The key at a name: itself, a phrase why there is none, or why DNS could not say. */
export function* findKey(name: string, dns: AuthDns, keys: Keys): Steps<DkimKey | string | { readonly failed: string }> {
  const answer = yield* wait(dns.txt(name));
  if (answer.kind === 'failed') return { failed: answer.reason };
  if (answer.kind === 'none') return 'no key for signature';
  let problem = 'no key for signature';
  let tried = 0;
  for (const text of answer.records) {
    let key = keys.get(text);
    if (key === undefined) {
      key = parseKey(text);
      keys.set(text, key);
    }
    if (key === null) continue;
    if (typeof key === 'object') return key;
    problem = key;
    tried += 1;
    if (tried >= AUTHENTICITY_LIMITS.keyRecords) break;
  }
  return problem;
}

/** The signature over the header fields and itself is right. */
export function isHeaderSigned(header: MessageHeader, signature: Signature, key: DkimKey): boolean {
  const text = signedFields(header, signature.names, signature.headerForm) + canonicalSignature(header.bytes, signature.field, signature.headerForm);
  return isSigned(Buffer.from(text, 'latin1'), signature.hash, signature.signature, key);
}

export function isSigned(data: Buffer, hash: 'sha256' | 'sha1', signature: Buffer, key: DkimKey): boolean {
  try {
    // RFC 8463 section 3: Ed25519 signs the hash of the data.
    if (key.type === 'ed25519') return cryptoVerify(null, createHash(hash).update(data).digest(), key.key, signature);
    return cryptoVerify(hash, data, key.key, signature);
  } catch {
    return false; // OpenSSL refuses some keys and signatures altogether: then nothing was verified
  }
}

/** A field that may stand once, is signed, and stands more often than h= names it (RFC 6376 section 8.15). */
function repeatedField(header: MessageHeader, signature: Signature): string | null {
  for (const name of new Set(signature.names)) {
    if (!ONCE.has(name)) continue;
    const present = header.named(name).length;
    if (present > 1 && present > signature.names.filter((own) => own === name).length) return name;
  }
  return null;
}
