/**
 * What this thread knows of a folder from its last look, beyond what the store keeps: with it, the next look is told only what differs. It counts
 * while the store's row is as this thread left it; whatever went wrong since, it is forgotten, and everything is compared.
 */
import type { AccountId, MailboxId } from '../../ports.ts';
import type { Binding } from './types.ts';

/** More names are not worth asking for one by one. */
export const DIRTY_MAX = 2000;
const FOLDERS_MAX = 10_000;

export interface Remembered {
  /** Of the folder's worker; null: it remembers nothing. */
  readonly token: string | null;
  /** As the store's row has them. */
  readonly state: string | null;
  readonly modseq: number;
  /** Words that have marks, and how many more can have one; null: any. */
  readonly keywords: { readonly known: readonly string[]; readonly free: number } | null;
  /** Names that were changed from here since that listing: the worker is asked for these whatever it remembers. */
  readonly dirty: ReadonlySet<string>;
}

export class RememberedListings {
  readonly #byFolder = new Map<string, Remembered>();

  /** Takes it out: only who comes to the end of his work puts another in. null: nothing that counts. */
  take(accountId: AccountId, binding: Binding): Remembered | null {
    const key = keyOf(accountId, binding.mailboxId);
    const remembered = this.#byFolder.get(key);
    if (remembered === undefined) return null;
    this.#byFolder.delete(key);
    return remembered.state === binding.state && remembered.modseq === binding.modseq ? remembered : null;
  }

  put(accountId: AccountId, mailboxId: MailboxId, remembered: Remembered): void {
    this.#byFolder.set(keyOf(accountId, mailboxId), remembered.dirty.size > DIRTY_MAX ? { ...remembered, token: null, dirty: new Set() } : remembered);
    if (this.#byFolder.size > FOLDERS_MAX) for (const oldest of this.#byFolder.keys()) return void this.#byFolder.delete(oldest);
  }
}

const keyOf = (accountId: AccountId, mailboxId: MailboxId): string => `${accountId} ${mailboxId}`;
