/** INTERNAL, the mechanism that signs URLs (RFC 4467 section 2.4.1): nobody but this server needs to know how. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { UrlAccess, UrlAuth } from '../../wire/imap/url.ts';

export const URL_KEY_BYTES = 32;

/** Which way a token was made, so that there can be another one some day. */
const HMAC_SHA256 = '01';

/** In hexadecimal; `rump` is the URL up to and with who may use it. */
export function urlToken(key: Uint8Array, rump: string): string {
  return HMAC_SHA256 + createHmac('sha256', key).update(rump, 'latin1').digest('hex');
}

export function isTokenRight(key: Uint8Array, { rump, token }: UrlAuth): boolean {
  const right = Buffer.from(urlToken(key, rump), 'latin1');
  const given = Buffer.from(token, 'latin1');
  return right.length === given.length && timingSafeEqual(right, given);
}

/**
 * May a user who is logged in as `login` use the URL (RFC 4467 section 3)? `submitters`: the logins of servers that take mail for users;
 * `anonymous`: the login of everybody, or "".
 */
export function mayUse(access: UrlAccess, login: string, submitters: readonly string[], anonymous: string): boolean {
  switch (access.kind) {
    case 'anonymous':
      return true;
    case 'authuser':
      return login !== anonymous;
    case 'user':
      return access.user.toLowerCase() === login && login !== anonymous;
    default:
      return submitters.includes(login);
  }
}
