/**
 * ARC (RFC 8617) for a message that is sent on after it was accepted, from what stands in its header: our own Authentication-Results of
 * this hop say what was found. Forged ones were taken out at the door, so the field with our name above the last Received is ours.
 */
import { fieldBytes } from '../../mail/edit.ts';
import { fieldValue } from '../../mail/header.ts';
import type { MessageView } from '../../ports.ts';
import { type ArcResult, NO_ARC } from '../../judge/authenticity/arc.ts';
import { bareText, readChain } from '../../judge/authenticity/arc-chain.ts';
import { sealArc } from '../../judge/authenticity/arc-seal.ts';
import { MessageHeader } from '../../judge/authenticity/message-header.ts';
import { SEALED } from '../../judge/seal.ts';
import type { KeyRing } from '../../judge/signing/ring.ts';
import { after, type Soon } from '../../judge/soon.ts';

export interface SealForwardInput {
  /** As it will leave: seal after all other changes. */
  readonly message: MessageView;
  /** authserv-id of our results. */
  readonly hostname: string;
  /** Whose keys seal, the best first: the domain of the recipient who sends on, the primary domain. */
  readonly domains: readonly string[];
  readonly ring: KeyRing;
  readonly nowSeconds: number;
}

export const NOT_SEALED = {
  unjudged: 'the message bears no results of ours',
  already: 'it was sealed at the door',
  noKey: 'no domain has an RSA key',
  closed: 'the chain is closed, or as long as it may be',
} as const;

export type SealForwardResult =
  /** The fields with their CRLF, topmost first: they go above everything else. */
  { readonly kind: 'sealed'; readonly fields: readonly Buffer[] } | { readonly kind: 'unsealed'; readonly reason: keyof typeof NOT_SEALED };

/** Answers at once for a message in memory. */
export function sealForward(input: SealForwardInput): Soon<SealForwardResult> {
  const { message, hostname } = input;
  const header = new MessageHeader(message.header, message.size);
  const payload = ownResults(header, hostname);
  if (payload === null) return { kind: 'unsealed', reason: 'unjudged' };
  const signer = input.domains.flatMap((domain) => input.ring.signersFor(domain)).find(({ algorithm }) => algorithm === 'rsa');
  if (signer === undefined) return { kind: 'unsealed', reason: 'noKey' };
  // What the judge sealed for another recipient of the message stands above our Received field.
  const received = header.named('received')[0]?.nameStart ?? Number.POSITIVE_INFINITY;
  if (header.arcSeals.some((field) => field.nameStart < received)) return { kind: 'unsealed', reason: 'already' };
  const fields = sealArc({
    message,
    header,
    chain: chainOf(header, payload),
    payload,
    domain: signer.domain,
    selector: signer.selector,
    key: signer.key,
    algorithm: 'rsa-sha256',
    names: SEALED,
    nowSeconds: input.nowSeconds,
  });
  return after(fields, (made): SealForwardResult => {
    if (made === null) return { kind: 'unsealed', reason: 'closed' };
    return { kind: 'sealed', fields: made.map(({ name, value }) => fieldBytes(name, value)).reverse() };
  });
}

/** The value of our Authentication-Results, unfolded; null without any. The topmost is of this hop. */
function ownResults(header: MessageHeader, hostname: string): string | null {
  const own = hostname.toLowerCase();
  for (const field of header.results) {
    const value = fieldValue(header.bytes, field).replace(/[ \t]+/g, ' ');
    const id = /^("?)([^\s;"]{1,255})\1(?: \d+)? ?;/.exec(value);
    if (id !== null && id[2]!.toLowerCase() === own) return value;
  }
  return null;
}

/** The chain as it was found at arrival: verified then, only read again here. */
function chainOf(header: MessageHeader, payload: string): ArcResult {
  const sets = readChain(header);
  if (sets === null) return NO_ARC;
  const highest = Math.max(header.arcSeals.length, header.arcSignatures.length, header.arcResults.length);
  if (typeof sets === 'string') return { ...NO_ARC, result: 'fail', highest, reason: sets };
  const newest = sets[sets.length - 1]!.seal;
  const isPass = /;\s*arc=pass\b/i.test(bareText(payload)) && newest.cv !== 'fail';
  return {
    result: isPass ? 'pass' : 'fail',
    sets,
    highest: sets.length,
    isClosed: newest.cv === 'fail',
    isFromSigned: true,
    sealer: newest.domain,
    reason: isPass ? null : 'not right when it arrived',
  };
}
