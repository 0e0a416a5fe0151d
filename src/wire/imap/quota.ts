/** Arguments of GETQUOTA and SETQUOTA (RFC 9208 section 7). */
import type { Cursor } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

/** SP quota-root-name; one character for each byte. */
export function quotaRootArgument(cursor: Cursor): string {
  cursor.sp();
  const root = cursor.astring().toString('latin1');
  cursor.end();
  return root;
}

/** SP quota-root-name SP "(" [resource SP limit *(SP resource SP limit)] ")" */
export function setQuotaArguments(cursor: Cursor): { root: string; limits: [resource: string, limit: number][] } {
  cursor.sp();
  const root = cursor.astring().toString('latin1');
  cursor.sp();
  const limits: [string, number][] = [];
  cursor.list(IMAP_LIMITS.quotaResources, 0, () => {
    const resource = cursor.word();
    cursor.sp();
    limits.push([resource, cursor.number(Number.MAX_SAFE_INTEGER)]);
  });
  cursor.end();
  return { root, limits };
}
