/** Whose a script is, and when it runs. */
import type { AccountId } from '../../ports.ts';

/** 'account:ID', 'domain:NAME' or 'global', as in the table filter_script. */
export type Scope = string;

/** 'personal': of an account, one of them active. 'before' and 'after': run around it, in order of name. 'include': only for `include :global`. */
export type Place = 'personal' | 'before' | 'after' | 'include';
/** Those of domains and of the whole server. */
export const SHARED_PLACES = ['before', 'after', 'include'] as const satisfies readonly Place[];

export const GLOBAL: Scope = 'global';
export const accountScope = (accountId: AccountId): Scope => `account:${accountId}`;
/** `domain` in its canonical form (lower case, A-labels). */
export const domainScope = (domain: string): Scope => `domain:${domain}`;

/** The account that a change in this scope concerns; null: any. */
export function accountOf(scope: Scope): AccountId | null {
  return scope.startsWith('account:') ? Number(scope.slice('account:'.length)) : null;
}
