/**
 * Challenge and response, as a pure decision about one message for one account that has it switched on.
 *
 *   unknown ── asked ──▶ waiting ── answered, released, or written to ──▶ known
 *                          └── no answer in time ──▶ unknown
 *
 * Why two servers that both do this never loop: a challenge has the null sender, says Auto-Submitted and bears a field of its own, and each of
 * the three alone keeps it from being challenged; whoever an account has written to is known to it, so what comes back from there is
 * not asked about; and an author who is being asked is not asked a second time.
 */
import type { Address } from '../../ports.ts';
import type { HeaderFacts } from '../reply/header-facts.ts';
import { mayReply, type ReplyRefusal, REPLY_REFUSALS } from '../reply/may-reply.ts';
import { countedReply } from '../reply/memory.ts';
import type { PlannedMail, Replier } from '../reply/plan.types.ts';
import type { Proof, SortingTarget } from '../sorting/sort.ts';
import { composeChallenge } from './message.ts';
import type { ChallengeSettings } from './settings.ts';
import { tokenHash, tokenIn, tokenOf, waitingKeyword } from './token.ts';

/** Kind of filter_memory by which challenges count for their day. */
export const CHALLENGE_COUNT = 'challenged';

export interface ChallengeInput extends Replier {
  readonly sender: Address | null;
  readonly header: HeaderFacts;
  /** Plus detail of the recipient, or null. */
  readonly detail: string | null;
  /** Where sorting would put it; only mail for the inbox is asked about. */
  readonly sorted: SortingTarget;
  /** The allow list decided. */
  readonly isAllowed: boolean;
  /** The message comes from an account or program of this server: nobody judged it. */
  readonly isOurs: boolean;
  readonly proof: Proof;
  /** `repliesToday` of kind CHALLENGE_COUNT. */
  readonly challengesToday: number;
  /** TOKEN_BYTES random bytes. */
  readonly random: Uint8Array;
  readonly delimiters: string;
  readonly never: readonly string[];
  readonly settings: ChallengeSettings;
}

/** Questions to the store. */
export interface ChallengeStore {
  /** The author (key) of a challenge that can still be answered, by the hash of its token; null when there is none. */
  asked(tokenHash: string): string | null;
  /** Does this author have a challenge that can still be answered? */
  isWaiting(author: string): boolean;
  /** On the allow list, or written to by the account. */
  isKnown(author: string): boolean;
}

export type ChallengePlan =
  /** No business of ours: as sorting and filters say. */
  | { readonly kind: 'deliver'; readonly reason: string }
  /** An answer: run 'challenge.answer' (`answerIn`), and deliver the answer itself to the inbox with the flag seen. */
  | { readonly kind: 'answer'; readonly tokenHash: string; readonly author: string }
  /** Into `mailbox` with `keyword`, past the filters; filters run when it is released. */
  | {
      readonly kind: 'hold';
      readonly mailbox: string;
      readonly keyword: string;
      readonly author: string | null;
      readonly reason: string;
      /** The question and the row of table challenge, in the same transaction (`challengeIn`); null when the author is being asked already. */
      readonly ask: { readonly mail: PlannedMail; readonly tokenHash: string; readonly until: number } | null;
    };

export function planChallenge(input: ChallengeInput, store: ChallengeStore): ChallengePlan {
  const { header, settings, sender } = input;
  const isAutomatic = sender === null || header.autoSubmitted !== null || header.isChallenge || header.isReport;
  const token = tokenIn(input.detail, header.subject);
  // A program that answers (a vacation notice, a report) is not a sender who says yes.
  if (token !== null && !isAutomatic) {
    const hash = tokenHash(token);
    const author = store.asked(hash);
    if (author !== null) return { kind: 'answer', tokenHash: hash, author };
  }
  if (input.isOurs) return { kind: 'deliver', reason: 'from this server' };
  if (input.sorted !== 'inbox') return { kind: 'deliver', reason: `sorted to ${input.sorted}` };
  const author = header.from.length === 1 ? header.from[0]! : null;
  if (input.isAllowed) return { kind: 'deliver', reason: 'on the allow list' };
  // Whether a known name is forged is the judge's question; who could not be asked must not lock out friends without DMARC.
  if (author !== null && store.isKnown(author)) return { kind: 'deliver', reason: 'a known sender' };
  const why = whyNotAsked(input, author);
  if (why !== null) {
    if (settings['challenge.unasked'] === 'deliver' || isAutomatic) return { kind: 'deliver', reason: `not asked: ${why}` };
    return {
      kind: 'hold',
      mailbox: settings['challenge.mailbox'],
      keyword: waitingKeyword(author ?? ''),
      author,
      reason: `held, not asked: ${why}`,
      ask: null,
    };
  }
  const held = { kind: 'hold', mailbox: settings['challenge.mailbox'], keyword: waitingKeyword(author!), author: author! } as const;
  if (store.isWaiting(author!)) return { ...held, reason: 'the sender was asked already', ask: null };
  const fresh = tokenOf(input.random);
  const bytes = composeChallenge({
    ...input,
    to: sender!,
    token: fresh,
    baseUrl: settings['challenge.baseUrl'],
    waitDays: Math.round(settings['challenge.wait'] / 86_400_000),
  });
  return {
    ...held,
    reason: 'an unknown sender was asked',
    ask: {
      mail: { kind: 'send', to: [sender!], sender: null, bytes, memories: [countedReply(input.id, input.at, CHALLENGE_COUNT)], fcc: null },
      tokenHash: tokenHash(fresh),
      until: input.at + settings['challenge.wait'],
    },
  };
}

/** Null when the author can and may be asked. */
function whyNotAsked(input: ChallengeInput, author: string | null): string | null {
  const { sender, header } = input;
  const refusal: ReplyRefusal | null = mayReply({
    sender,
    header,
    ownAddresses: input.ownAddresses,
    isSpam: false,
    never: input.never,
    mustBeAddressed: false,
    delimiters: input.delimiters,
  });
  if (refusal !== null) return REPLY_REFUSALS[refusal];
  if (author === null) return 'the message has no single author';
  if (!input.proof.dmarc) return 'DMARC does not prove the sender';
  // DMARC speaks for the author's domain alone: a question to another one would reach somebody who may know nothing of it.
  const domain = author.slice(author.lastIndexOf('@') + 1);
  if (domain !== sender!.domain.toLowerCase()) return 'the envelope names another domain than the author';
  if (input.challengesToday >= input.settings['challenge.perDay']) return 'as many senders as may be were asked today';
  return null;
}
