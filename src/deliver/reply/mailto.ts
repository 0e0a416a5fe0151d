/** The mailto URI (RFC 6068, RFC 2368) as a notification method (RFC 5436 section 2.2). */
import { addressKey, parseMailbox } from '../../mail/address.ts';
import { parseAddressList } from '../../mail/address-list.ts';
import type { Address } from '../../ports.ts';
import { REPLY_LIMITS } from './limits.ts';

export interface Mailto {
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly subject: string | null;
  readonly body: string | null;
  /** Further fields that are safe to set: name with its first letter in upper case, decoded value of one line. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** May be set by the URI (RFC 5436 section 2.7: the rest is made by us, or speaks of the way of the message). */
const SAFE_FIELDS: ReadonlySet<string> = new Set(['keywords', 'comments', 'reply-to', 'organization', 'importance', 'priority', 'x-priority']);

/** Null when the text is no mailto URI, or one beyond the bounds. Recipients that are no address make the whole URI invalid. */
export function parseMailto(uri: string): Mailto | null {
  if (uri.length > REPLY_LIMITS.uriCharacters || !/^mailto:/i.test(uri)) return null;
  // RFC 3986: only these characters, and "%" with two digits.
  if (!/^[!$&-;=?-Z[\]_a-z~%]*$/.test(uri) || /%(?![0-9A-Fa-f]{2})/.test(uri)) return null;
  const question = uri.indexOf('?');
  const to: Address[] = [];
  const cc: Address[] = [];
  const known = new Set<string>();
  let isValid = true;
  const add = (list: Address[], value: string): void => {
    for (const item of parseAddressList(value, REPLY_LIMITS.notifyRecipients + 1)) {
      if (item.kind !== 'mailbox') continue;
      const address = parseMailbox(`${quoted(item.local)}@${item.domain}`, { utf8: true });
      if (address === null) {
        isValid = false;
        continue;
      }
      const key = addressKey(address);
      if (known.has(key)) continue;
      known.add(key);
      list.push(address);
    }
  };
  const first = decode(uri.slice(7, question === -1 ? undefined : question));
  if (first === null) return null;
  add(to, first);
  let subject: string | null = null;
  let body: string | null = null;
  const fields: (readonly [string, string])[] = [];
  if (question !== -1 && question + 1 < uri.length) {
    const pairs = uri.slice(question + 1).split('&');
    if (pairs.length > REPLY_LIMITS.uriFields) return null;
    for (const pair of pairs) {
      const equals = pair.indexOf('=');
      const name = equals === -1 ? null : decode(pair.slice(0, equals));
      const value = equals === -1 ? null : decode(pair.slice(equals + 1));
      if (name === null || value === null || !/^[!-9;-~]{1,100}$/.test(name)) return null;
      const key = name.toLowerCase();
      if (key === 'body') body = value;
      else if (key === 'to') add(to, value);
      else if (key === 'cc') add(cc, value);
      else if (key === 'subject') subject = oneLine(value);
      else if (SAFE_FIELDS.has(key)) fields.push([key[0]!.toUpperCase() + key.slice(1), oneLine(value)]);
    }
  }
  if (!isValid || to.length + cc.length === 0 || to.length + cc.length > REPLY_LIMITS.notifyRecipients) return null;
  return { to, cc, subject, body, fields };
}

/** Percent-encoded UTF-8; null when it is none. "+" stays what it is (RFC 6068 section 5). */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // URIError: not UTF-8
  }
}

function oneLine(text: string): string {
  return text
    .replace(/[\x00-\x1f\x7f]+/g, ' ')
    .trim()
    .slice(0, REPLY_LIMITS.subjectCharacters);
}

function quoted(local: string): string {
  return /^[^\s"(),:;<>@[\]\\]+$/.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`;
}
