/** `FROM:` and `TO:` before a path (RFC 5321 section 4.1.1.2). */

/**
 * Longest local part taken in a path. RFC 5321 section 4.5.3.1.1 asks for 64, but VERP and SRS senders are longer, and so are such
 * addresses of others that mail is relayed to; the whole path is bounded by `mail/limits.ts`.
 */
export const PATH_LOCAL_BYTES_MAX = 254;

const COLON = 58;
const SPACE = 32;

/**
 * Offset of the path in `FROM:<path>`, or -1 when `rest` does not begin with the keyword and a colon.
 * Blanks before the path are accepted: Outlook and others write `MAIL FROM: <a@b>`, and nothing can be hidden there.
 */
export function pathStart(rest: string, keyword: 'FROM' | 'TO'): number {
  const colon = keyword.length;
  if (rest.charCodeAt(colon) !== COLON || rest.slice(0, colon).toUpperCase() !== keyword) return -1;
  let at = colon + 1;
  while (rest.charCodeAt(at) === SPACE) at += 1;
  return at;
}
