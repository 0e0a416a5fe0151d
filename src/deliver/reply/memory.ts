/** What was said to whom: keys of filter_memory, and reading them. Writing is in `operations.ts`. */
import { createHash } from 'node:crypto';
import { addressKey } from '../../mail/address.ts';
import type { Address, AccountId, StoreReader } from '../../ports.ts';
import { DAY } from '../../system/declare.ts';
import type { Memory } from './plan.types.ts';

/** A key of at most 255 characters from texts of any length; the texts' borders count (RFC 5230 section 4.2). */
export function memoryKey(...texts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}:${text}`);
  return hash.digest('base64url');
}

export function vacationKey(handle: string, sender: Address): string {
  return memoryKey(handle, addressKey(sender));
}

export function isRemembered(reader: Pick<StoreReader, 'rows'>, accountId: AccountId, kind: string, key: string, now: number): boolean {
  return reader.rows('SELECT 1 FROM filter_memory WHERE account_id=? AND kind=? AND key=? AND until>?', accountId, kind, key, now).length > 0;
}

const REPLY = 'reply';

/** Days since 1970 (UTC), as text that sorts. */
export function dayKey(now: number): string {
  return String(Math.floor(now / DAY)).padStart(7, '0');
}

/** The row by which an automatic mail counts for its day. */
export function countedReply(id: string, now: number, kind = REPLY): Memory {
  return { kind, key: `${dayKey(now)}:${id}`, until: (Math.floor(now / DAY) + 2) * DAY };
}

/** Automatic mail of the account since midnight (UTC). */
export function repliesToday(reader: Pick<StoreReader, 'rows'>, accountId: AccountId, now: number, kind = REPLY): number {
  const day = dayKey(now);
  return Number(
    reader.rows('SELECT count(*) FROM filter_memory WHERE account_id=? AND kind=? AND key>=? AND key<?', accountId, kind, `${day}:`, `${day};`)[0]![0],
  );
}
