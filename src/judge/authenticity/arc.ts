/**
 * ARC validation (RFC 8617 section 5.2): does the chain of those who handled the message hold? The newest ARC-Message-Signature first, as it
 * is most likely to fail, then the seals from the newest to the oldest.
 */
import type { AuthDns } from './auth-dns.ts';
import { type ArcSet, readChain } from './arc-chain.ts';
import type { BodyHashes } from './body-hash.ts';
import { canonicalField, canonicalSignature } from './canonical-header.ts';
import { allowsHash } from './dkim-key.ts';
import { findKey, isHeaderSigned, isSigned, type Keys, keyName, wrongTime } from './dkim.ts';
import type { MessageHeader } from './message-header.ts';
import { isBad, parseSignature, type Signature } from './signature.ts';
import type { Steps } from './steps.ts';

export interface ArcResult {
  readonly result: 'none' | 'pass' | 'fail';
  /** The sets, oldest first; empty when they make no chain. */
  readonly sets: readonly ArcSet[];
  /** Instances that stand in the header, for the next seal: also of a broken chain. */
  readonly highest: number;
  /** cv= of the newest seal: a chain that was sealed as failed is not sealed again (RFC 8617 section 5.1.2). */
  readonly isClosed: boolean;
  /** The newest ARC-Message-Signature covers From; without that a chain says nothing about the author. */
  readonly isFromSigned: boolean;
  /** d= of the newest seal, or null. */
  readonly sealer: string | null;
  readonly reason: string | null;
}

export type PendingArc = () => ArcResult;

export interface ArcOptions {
  readonly rsaBitsMin: number;
  readonly nowSeconds: number;
}

export const NO_ARC: ArcResult = { result: 'none', sets: [], highest: 0, isClosed: false, isFromSigned: false, sealer: null, reason: null };

/** Everything but the body. */
export function* checkArc(header: MessageHeader, dns: AuthDns, keys: Keys, options: ArcOptions, hashes: BodyHashes): Steps<PendingArc> {
  const sets = readChain(header);
  if (sets === null) return () => NO_ARC;
  if (typeof sets === 'string') {
    const broken: ArcResult = {
      ...NO_ARC,
      result: 'fail',
      highest: Math.max(header.arcSeals.length, header.arcSignatures.length, header.arcResults.length),
      reason: sets,
    };
    return () => broken;
  }
  const newest = sets.at(-1)!;
  const base = { sets, highest: sets.length, isClosed: newest.seal.cv === 'fail', isFromSigned: false, sealer: newest.seal.domain };
  const fail = (reason: string): PendingArc => {
    const value: ArcResult = { ...base, result: 'fail', reason };
    return () => value;
  };
  for (const set of sets) {
    const expected = set.instance === 1 ? 'none' : 'pass';
    if (set.seal.cv !== expected) return fail(`seal ${set.instance} says cv=${set.seal.cv}`);
  }
  const parsed = parseSignature(header.bytes, newest.message, 'arc');
  if (isBad(parsed)) return fail(`ARC-Message-Signature ${newest.instance}: ${parsed.reason}`);
  let signature: Signature = parsed;
  if (signature.names.includes('arc-seal')) return fail(`ARC-Message-Signature ${newest.instance} signs ARC-Seal`);
  const time = wrongTime(signature, options.nowSeconds);
  if (time !== null) return fail(time);
  // All questions go out before the first answer is waited for.
  void dns.txt(keyName(signature));
  const key = yield* findKey(keyName(signature), dns, keys);
  if (typeof key !== 'object' || 'failed' in key) return fail(typeof key === 'object' ? key.failed : key);
  if (key.type !== signature.keyType || !allowsHash(key, signature.hash) || (key.type === 'rsa' && key.bits < options.rsaBitsMin))
    return fail('key does not suit');
  // Without c= it is simple/simple by RFC 8617 section 4.1.2; the drafts meant relaxed/relaxed, and some sealers still do.
  if (!signature.hasForms && !isHeaderSigned(header, signature, key)) signature = { ...signature, headerForm: 'relaxed', bodyForm: 'relaxed' };
  if (!isHeaderSigned(header, signature, key)) return fail(`ARC-Message-Signature ${newest.instance} did not verify`);

  for (const set of sets) void dns.txt(keyName(set.seal));
  const covered = coveredBySeals(header, sets);
  for (let last = sets.length - 1; last >= 0; last -= 1) {
    const { seal, instance } = sets[last]!;
    const sealKey = yield* findKey(keyName(seal), dns, keys);
    if (typeof sealKey !== 'object' || 'failed' in sealKey) return fail(`ARC-Seal ${instance}: ${typeof sealKey === 'object' ? sealKey.failed : sealKey}`);
    if (sealKey.type !== seal.keyType || !allowsHash(sealKey, 'sha256') || (sealKey.type === 'rsa' && sealKey.bits < options.rsaBitsMin))
      return fail(`ARC-Seal ${instance}: key does not suit`);
    if (!isSigned(Buffer.from(covered(last), 'latin1'), 'sha256', seal.signature, sealKey)) return fail(`ARC-Seal ${instance} did not verify`);
  }
  const hash = hashes.want(signature.bodyForm, signature.hash, signature.bodyBytes);
  return () => {
    if (!hash.digest().equals(signature.bodyHash) || (signature.bodyBytes !== null && signature.bodyBytes > hash.size))
      return { ...base, result: 'fail', reason: 'body hash did not verify' };
    return { ...base, isFromSigned: signature.isFromSigned, result: 'pass', reason: null };
  };
}

/** What the seal at an index covers (RFC 8617 section 5.1.1): all sets up to its own, the signature of its own left out. */
function coveredBySeals(header: MessageHeader, sets: readonly ArcSet[]): (last: number) => string {
  const before: string[] = [''];
  const own: string[] = [];
  for (const set of sets) {
    const start = before.at(-1)! + canonicalField(header.bytes, set.results, 'relaxed') + canonicalField(header.bytes, set.message, 'relaxed');
    own.push(start + canonicalSignature(header.bytes, set.seal.field, 'relaxed'));
    before.push(start + canonicalField(header.bytes, set.seal.field, 'relaxed'));
  }
  return (last) => own[last]!;
}
