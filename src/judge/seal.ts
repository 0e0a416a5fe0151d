/** ARC (RFC 8617) for mail that goes on to another host in a stranger's name: an alias that leads elsewhere, a relay domain. */
import { fieldBytes } from '../mail/edit.ts';
import type { MessageView, Recipient } from '../ports.ts';
import { sealArc } from './authenticity/arc-seal.ts';
import { MessageHeader } from './authenticity/message-header.ts';
import type { AuthenticityResult } from './authenticity/verify.ts';
import type { KeyRing } from './signing/ring.ts';
import { after, type Soon } from './soon.ts';

/** What a forwarder vouches for: what readers see, and what ties the message together. */
export const SEALED = [
  'from',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'reply-to',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'list-id',
  'dkim-signature',
];

/** Whose keys seal: the domain by which the message came here; null when nobody sends it on. */
export function forwardingDomain(recipients: readonly Recipient[]): string | null {
  for (const { address, resolution } of recipients)
    if (resolution.kind === 'foreign' || (resolution.kind === 'deliver' && resolution.remote.length > 0)) return address.domain.toLowerCase();
  return null;
}

/** The three fields with their CRLF, topmost first; empty when there is no key, or the chain is closed. */
export function sealed(
  message: MessageView,
  authenticity: AuthenticityResult,
  domains: readonly string[],
  ring: KeyRing,
  nowSeconds: number,
): Soon<readonly Buffer[]> {
  // Few verifiers know Ed25519 in ARC.
  const signer = domains.flatMap((domain) => ring.signersFor(domain)).find(({ algorithm }) => algorithm === 'rsa');
  if (signer === undefined) return [];
  const fields = sealArc({
    message,
    header: message.header === authenticity.header.bytes ? authenticity.header : new MessageHeader(message.header, message.size),
    chain: authenticity.arc,
    payload: authenticity.payload,
    domain: signer.domain,
    selector: signer.selector,
    key: signer.key,
    algorithm: 'rsa-sha256',
    names: SEALED,
    nowSeconds,
  });
  return after(fields, (made) => (made === null ? [] : made.map(({ name, value }) => fieldBytes(name, value)).reverse()));
}
