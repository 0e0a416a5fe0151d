/** Values in trace fields that a sender may have chosen: nothing he sends can end a value, a comment or the field. */

const PVALUE_MOST = 255;
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+$/;
const MAILBOX = /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]*@[A-Za-z0-9\-_.]+$/;

/** A value as token, as mailbox or domain (RFC 8601 section 2.2), or as quoted string of printable ASCII; '?' for anything else. */
export function pvalue(text: string): string {
  if (text.length <= PVALUE_MOST && (TOKEN.test(text) || MAILBOX.test(text))) return text;
  return quotedString(text);
}

/** A dot-atom (RFC 7208 section 9.1) or a quoted string. */
export function dotAtom(text: string): string {
  return text.length <= PVALUE_MOST && /^[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*$/.test(text) ? text : quotedString(text);
}

export function quotedString(text: string): string {
  return `"${text
    .slice(0, PVALUE_MOST)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')}"`;
}

/** The inside of a comment: printable ASCII without what a comment, or a sloppy reader of it, gives a meaning. */
export function comment(text: string): string {
  return text.slice(0, PVALUE_MOST).replace(/[^\x20-\x7e]|[()\\"]/g, '?');
}
