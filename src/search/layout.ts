/**
 * Row numbers. An account's emails have numbers of their own, 1, 2, 3 … in the order of their ids, and stand together:
 * a search walks its account's range alone, and the distances the index keeps are small.
 */
import type { AccountId } from '../ports.ts';

/** A thousand million emails of one account in the index's life, eight million accounts: together 2^53. */
const EMAILS_OF_ACCOUNT = 2 ** 30;
export const ACCOUNTS_MAX = 2 ** 23;

export function firstRow(accountId: AccountId): number {
  return accountId * EMAILS_OF_ACCOUNT;
}

/** The last row the account can have. */
export function lastRow(accountId: AccountId): number {
  return (accountId + 1) * EMAILS_OF_ACCOUNT - 1;
}

/** Can the account's emails be numbered? Those of others are not indexed: searches read them. */
export function isNumbered(accountId: AccountId): boolean {
  return accountId > 0 && accountId < ACCOUNTS_MAX;
}
