/** Credentials as stored, and which of them open which protocol. */
import type { AccountId, Protocol, StoreReader } from '../ports.ts';

/** Protocol groups an app password may be limited to. */
export const SCOPES = ['imap', 'pop3', 'smtp', 'sieve'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Credential {
  readonly id: number;
  readonly kind: 'password' | 'app';
  readonly hash: string;
  /** RFC 5803 form, or null. */
  readonly scram: string | null;
  /** '*' or scopes separated by spaces. */
  readonly scopes: string;
  readonly usedAt: number | null;
}

/** All of one account, app passwords first: they cost next to nothing to check. */
export function credentialsOf(reader: StoreReader, accountId: AccountId): Credential[] {
  return reader
    .rows('SELECT id, kind, hash, scram, scopes, used_at FROM credential WHERE account_id=? ORDER BY kind, id', accountId)
    .map(([id, kind, hash, scram, scopes, usedAt]) => ({ id, kind, hash, scram, scopes, usedAt }) as Credential);
}

export function scopeOf(protocol: Protocol): Scope {
  if (protocol === 'imap' || protocol === 'imaps') return 'imap';
  if (protocol === 'sieve') return 'sieve';
  return protocol === 'pop3' || protocol === 'pop3s' ? 'pop3' : 'smtp';
}

/** Whether a credential opens this protocol. */
export function covers(credential: Credential, protocol: Protocol): boolean {
  return credential.scopes === '*' || credential.scopes.split(' ').includes(scopeOf(protocol));
}
