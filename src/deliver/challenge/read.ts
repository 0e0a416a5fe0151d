/** Questions to the store about challenges; all synchronous. */
import type { AccountId, StoreReader } from '../../ports.ts';
import { bestHit, findListed } from '../sorting/address-lists.ts';
import { isRemembered } from '../reply/memory.ts';
import type { ChallengeStore } from './plan.ts';

type Reader = Pick<StoreReader, 'rows'>;

/** Kind of filter_memory for those whom an account has written to; the key is their address. */
export const WROTE = 'wrote';

/** Preference by which an account has challenges switched on. */
export const CHALLENGE_PREFERENCE = 'challenge';

/** `preferences`: of `readPreferences`. */
export function hasChallenges(preferences: ReadonlyMap<string, string>): boolean {
  return preferences.get(CHALLENGE_PREFERENCE) === 'on';
}

export function challengeStore(reader: Reader, accountId: AccountId, now: number): ChallengeStore {
  return {
    asked(tokenHash) {
      const [row] = reader.rows('SELECT sender FROM challenge WHERE token_hash=? AND account_id=? AND until>?', tokenHash, accountId, now);
      return row === undefined ? null : String(row[0]);
    },
    isWaiting: (author) => reader.rows('SELECT 1 FROM challenge WHERE account_id=? AND sender=? AND until>? LIMIT 1', accountId, author, now).length > 0,
    isKnown: (author) => isRemembered(reader, accountId, WROTE, author, now) || bestHit(author, findListed(reader, accountId, [author]))?.kind === 'allow',
  };
}
