/** Whether and how a message is sent on: sender, loop mark, count. Pure. */
import { addressKey, formatAddress } from '../../mail/address.ts';
import type { AccountId, Address, HeaderEdit } from '../../ports.ts';
import { rewriteSender, type SrsNote, type SrsPolicy } from '../../route/srs.ts';
import type { ForwardingSettings } from './settings.ts';

export const FORWARD_REFUSALS = {
  spam: 'the message is spam (option forwarding.spam)',
  loop: 'the message was here before',
  limit: 'the account has sent on as many messages today as it may (option forwarding.perDay)',
} as const;
export type ForwardRefusal = keyof typeof FORWARD_REFUSALS;

export interface ForwardInput {
  /** Whose rule sends on; null for an alias of the administrator, which is not counted. */
  readonly accountId: AccountId | null;
  /** The envelope sender as it came; null: `<>`. */
  readonly sender: Address | null;
  /** The address whose mail is sent on: goes into Delivered-To. */
  readonly recipient: Address;
  readonly to: Address;
  /** `to` is at another host: only such mail is counted, rewritten and sealed. */
  readonly isOffSite: boolean;
  readonly isSpam: boolean;
  /** Addresses of the Delivered-To fields it came with (`Digest.deliveredTo`). */
  readonly deliveredTo: readonly string[];
  /** Sent on to other hosts today by this account (`forwardsToday`). */
  readonly forwardsToday: number;
  /** Is the sender's domain one that this server may send for? */
  isOurDomain(domain: string): boolean;
  /** Null: senders are not rewritten (`srs.enabled`). */
  readonly srs: (SrsPolicy & { readonly domain: string }) | null;
}

export type ForwardPlan =
  | {
      readonly kind: 'send';
      readonly to: Address;
      readonly sender: Address | null;
      /** To be made on the copy that is sent on. */
      readonly edits: readonly HeaderEdit[];
      /** To be kept by `srsNoteMemory` in the same transaction, or null. */
      readonly note: SrsNote | null;
      /** The account whose day counts one more (`countForwardIn`), or null. */
      readonly counts: AccountId | null;
      readonly isSealed: boolean;
    }
  /** The message is not lost by it: the caller keeps it in the account's store (spam in junk), or reports to the sender where there is none. */
  | { readonly kind: 'refuse'; readonly reason: ForwardRefusal };

export function planForward(input: ForwardInput, settings: ForwardingSettings): ForwardPlan {
  const { sender, recipient, isOffSite } = input;
  const own = formatAddress(recipient);
  const ownKey = addressKey(recipient);
  if (input.deliveredTo.some((address) => address.toLowerCase() === ownKey || address === own)) return { kind: 'refuse', reason: 'loop' };
  if (isOffSite) {
    if (input.isSpam && !settings['forwarding.spam']) return { kind: 'refuse', reason: 'spam' };
    const most = settings['forwarding.perDay'];
    if (input.accountId !== null && most > 0 && input.forwardsToday >= most) return { kind: 'refuse', reason: 'limit' };
  }
  // RFC 7208 section 11.4 names the trouble; reports (null sender) and our own users' mail have none.
  const rewritten =
    isOffSite && sender !== null && input.srs !== null && !input.isOurDomain(sender.domain) ? rewriteSender(sender, input.srs.domain, input.srs) : null;
  return {
    kind: 'send',
    to: input.to,
    sender: rewritten?.address ?? sender,
    edits: [{ kind: 'prepend', name: 'Delivered-To', value: own }],
    note: rewritten?.note ?? null,
    counts: isOffSite ? input.accountId : null,
    isSealed: isOffSite && settings['forwarding.seal'],
  };
}
