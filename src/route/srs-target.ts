/** What the router asks before anything else: is this recipient an SRS address of ours, and whose report is it? */
import type { Address, Reply, StoreReader } from '../ports.ts';
import { parseMailbox } from '../mail/address.ts';
import { isSrs, reverse, type SrsKeys, type SrsNote } from './srs.ts';

export interface SrsContext {
  /** `srs.domain`, or the primary domain. */
  readonly domain: string;
  readonly keys: SrsKeys;
  /** `srs.days`. */
  readonly days: number;
  now(): number;
  /** `findSrsNote` bound to a reader. */
  noted(token: string): Address | null;
}

export type SrsTarget = { readonly kind: 'forward'; readonly address: Address } | { readonly kind: 'refuse'; readonly reply: Reply };

const FORGED: Reply = { code: 550, enhanced: '5.1.1', text: 'This rewritten sender address was not made here' };
const EXPIRED: Reply = { code: 550, enhanced: '5.1.6', text: 'This rewritten sender address has expired' };

/**
 * Null for every address that is not SRS at our domain: it goes its usual way. Reports go on to the sender before, with the null sender;
 * a forged address is refused, so nobody relays by guessing.
 */
export function srsTarget(address: Address, context: SrsContext): SrsTarget | null {
  // First the cheap test: nearly every recipient ends here.
  if (!isSrs(address) || address.domain !== context.domain) return null;
  const found = reverse(address, { keys: context.keys, days: context.days, now: context.now() }, (token) => context.noted(token));
  if (found === null) return null;
  if (found === 'forged') return { kind: 'refuse', reply: FORGED };
  return found === 'expired' ? { kind: 'refuse', reply: EXPIRED } : { kind: 'forward', address: found };
}

/** Notes are rows of filter_memory that belong to no account; the address stands in the key, behind its token. */
export const SRS_NOTE_KIND = 'srs';
const NO_ACCOUNT = 0;

export function srsNoteMemory(note: SrsNote): { accountId: number; kind: string; key: string; until: number } {
  return { accountId: NO_ACCOUNT, kind: SRS_NOTE_KIND, key: `${note.token} ${note.address.local}@${note.address.domain}`, until: note.until };
}

export function findSrsNote(reader: Pick<StoreReader, 'rows'>, token: string): Address | null {
  if (!/^[a-z2-7]{16}$/.test(token)) return null;
  const [row] = reader.rows(
    'SELECT key FROM filter_memory WHERE account_id=? AND kind=? AND key>=? AND key<? LIMIT 1',
    NO_ACCOUNT,
    SRS_NOTE_KIND,
    `${token} `,
    `${token}!`,
  );
  if (row === undefined) return null;
  const text = String(row[0]).slice(token.length + 1);
  const at = text.lastIndexOf('@');
  return parseMailbox(`${quote(text.slice(0, at))}${text.slice(at)}`, { utf8: true, localBytes: 254 });
}

function quote(local: string): string {
  return /^[^\s"(),:;<>@[\]\\]+$/.test(local) && !/^\.|\.\.|\.$/.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`;
}
