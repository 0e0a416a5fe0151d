/** Where a message goes by its points and the account's lists. Pure. */
import { addressKey } from '../../mail/address.ts';
import type { Address, JudgeSymbol } from '../../ports.ts';
import { bestHit, type ListHit } from './address-lists.ts';
import type { SortingPreferences } from './preferences.ts';

export interface SortingVerdict {
  readonly score: number;
  readonly symbols: readonly JudgeSymbol[];
  /** From where on the judge calls a message spam, for accounts that have not chosen. */
  readonly threshold?: number;
  /** To be kept apart whatever the points: DMARC asks for it, a filter said so. */
  readonly isQuarantined: boolean;
}

export type SortingTarget = 'inbox' | 'junk' | 'discard';
export interface Sorted {
  readonly target: SortingTarget;
  /** For the journey: what decided. */
  readonly reason: string;
  /** The allow list decided: no challenge is sent, forwards count as wanted. */
  readonly isAllowed: boolean;
}

/** What the symbols prove about who sent the message. */
export interface Proof {
  /** DMARC passed, so the author's domain (From) is true. */
  readonly dmarc: boolean;
  /** SPF passed for the envelope's domain. */
  readonly spf: boolean;
}

export function proofOf(symbols: readonly JudgeSymbol[]): Proof {
  let dmarc = false;
  let spf = false;
  for (const { name } of symbols) {
    if (name === 'DMARC_PASS' || name === 'ARC_TRUSTED') dmarc = true;
    else if (name === 'SPF_PASS') spf = true;
  }
  return { dmarc, spf };
}

/** The judge's default. */
const USUAL_THRESHOLD = 6;

const QUARANTINE: ReadonlySet<string> = new Set(['DMARC_QUARANTINE', 'DMARC_REJECT']);

/**
 * `hits`: `findListed` for the sender and the author. `author`: key of the one address in From, or null. `verdict` null: nobody judged the
 * message (our own users, this machine), so it has no points; lists count and need no proof.
 *
 * An allow entry counts only where the address is proven, the author by DMARC, the envelope's sender by SPF: the names of acquaintances are
 * what spam is sent in. A block entry needs no proof.
 */
export function sortByScore(
  preferences: SortingPreferences,
  hits: readonly ListHit[],
  verdict: SortingVerdict | null,
  sender: Address | null,
  author: string | null,
): Sorted {
  const proof = verdict === null ? { dmarc: true, spf: true } : proofOf(verdict.symbols);
  let unproven: ListHit | null = null;
  if (hits.length > 0) {
    const ofAuthor = author === null ? null : bestHit(author, hits);
    const ofSender = sender === null ? null : bestHit(addressKey(sender), hits);
    const isAuthorAllowed = ofAuthor?.kind === 'allow' && (proof.dmarc || preferences.allowsUnproven);
    const blocked = ofAuthor?.kind === 'block' ? ofAuthor : ofSender?.kind === 'block' && !isAuthorAllowed ? ofSender : null;
    if (blocked !== null) return { target: preferences.blocked, reason: `${blocked.pattern} is on the block list`, isAllowed: false };
    if (isAuthorAllowed) return allowed(ofAuthor);
    // The envelope's sender alone does not vouch for what readers see: without an author's domain that is its own, it does not count.
    if (ofSender?.kind === 'allow' && sender !== null && (preferences.allowsUnproven || (proof.spf && isOfDomain(author, sender)))) return allowed(ofSender);
    unproven = ofAuthor ?? ofSender;
  }
  if (verdict === null) return { target: 'inbox', reason: 'not judged', isAllowed: false };
  const remark = unproven === null ? '' : `; ${unproven.pattern} is on the allow list, but nothing proves that it is the sender`;
  const points = verdict.score.toFixed(1);
  if (verdict.score >= preferences.discardAt)
    return { target: 'discard', reason: `${points} points, ${preferences.discardAt} are thrown away${remark}`, isAllowed: false };
  const junkAt = preferences.junkAt ?? verdict.threshold ?? USUAL_THRESHOLD;
  if (verdict.score >= junkAt) return { target: 'junk', reason: `${points} points, ${junkAt} are junk${remark}`, isAllowed: false };
  const quarantined = verdict.symbols.find(({ name }) => QUARANTINE.has(name));
  if (verdict.isQuarantined || quarantined !== undefined) return { target: 'junk', reason: `${quarantined?.text ?? 'quarantined'}${remark}`, isAllowed: false };
  return { target: 'inbox', reason: `${points} points${remark}`, isAllowed: false };
}

function allowed(hit: ListHit): Sorted {
  return { target: 'inbox', reason: `${hit.pattern} is on the allow list`, isAllowed: true };
}

function isOfDomain(author: string | null, sender: Address): boolean {
  return author?.endsWith(`@${sender.domain.toLowerCase()}`) ?? false;
}
