/** Mailboxes and paths of the SMTP envelope (RFC 5321 section 4.1.2, RFC 6531 section 3.3). */
import { isIPv4, isIPv6 } from 'node:net';
import { toASCII } from 'tr46';
import type { Address } from '../ports.ts';
import { ADDRESS_LIMITS } from './limits.ts';

export interface AddressOptions {
  /** Take UTF-8 in local part and domain (SMTPUTF8, or our own tools); without it any non-ASCII character is refused. */
  readonly utf8?: boolean;
  /** Octets of the unquoted local part; RFC 5321 section 4.5.3.1.1 says 64, senders with VERP or SRS use more. */
  readonly localBytes?: number;
}

/** A path found in a command line: `address` is null for the null reverse-path `<>`. */
export interface Path {
  readonly address: Address | null;
  /** Index just past the closing bracket (or past the bare mailbox). */
  readonly end: number;
}

/** atext (RFC 5322 section 3.2.3), one flag per ASCII code. */
const ATEXT = new Uint8Array(128);
for (const c of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~") ATEXT[c.charCodeAt(0)] = 1;
/** Letters, digits, hyphen and, because real host names have it, underscore. */
const LABEL = new Uint8Array(128);
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') LABEL[c.charCodeAt(0)] = 1;

const DQUOTE = 0x22;
const DOT = 0x2e;
const AT = 0x40;
const BACKSLASH = 0x5c;
const LESS = 0x3c;
const GREATER = 0x3e;

/**
 * Parses a whole mailbox, `local@domain`, without brackets or surrounding space. Null when it is not one.
 * The local part is unquoted, the domain in lower case with A-labels, a literal keeps its brackets.
 */
export function parseMailbox(text: string, options: AddressOptions = {}): Address | null {
  const found = scanMailbox(text, 0, text.length, options);
  return found !== null && found.end === text.length ? found.address : null;
}

/**
 * Scans the path that starts at `at` with `<`: `<>`, `<mailbox>` or `<@a,@b:mailbox>`, whose source route is dropped
 * (RFC 5321 appendix C). `<postmaster>` alone gives an empty domain (section 4.5.1). Null when there is none.
 */
export function parsePath(text: string, at = 0, options: AddressOptions = {}): Path | null {
  if (text.charCodeAt(at) !== LESS) return null;
  let start = at + 1;
  if (text.charCodeAt(start) === GREATER) return { address: null, end: start + 1 };
  if (text.charCodeAt(start) === AT) {
    const colon = text.indexOf(':', start);
    // A colon inside an address literal of the route cannot be a route's end; such routes are not worth more code.
    if (colon === -1 || !isSourceRoute(text.slice(start, colon), options)) return null;
    start = colon + 1;
  }
  if (text.charCodeAt(start + 10) === GREATER && text.slice(start, start + 10).toLowerCase() === 'postmaster') {
    return { address: { local: text.slice(start, start + 10), domain: '' }, end: start + 11 };
  }
  const found = scanMailbox(text, start, text.length, options);
  if (found === null || text.charCodeAt(found.end) !== GREATER) return null;
  return { address: found.address, end: found.end + 1 };
}

function isSourceRoute(route: string, options: AddressOptions): boolean {
  if (route.length > ADDRESS_LIMITS.mailboxBytes) return false;
  for (const hop of route.split(',')) if (hop.charCodeAt(0) !== AT || parseDomain(hop.slice(1), options) === null) return false;
  return true;
}

/** The longest mailbox that starts at `at`; `end` is the index just past it. */
function scanMailbox(text: string, at: number, limit: number, options: AddressOptions): { address: Address; end: number } | null {
  const quoted = text.charCodeAt(at) === DQUOTE;
  const localEnd = quoted ? scanQuoted(text, at, limit, options) : scanDotString(text, at, limit, options);
  if (localEnd === at || text.charCodeAt(localEnd) !== AT) return null;
  const local = quoted ? unquote(text.slice(at + 1, localEnd - 1)) : text.slice(at, localEnd);
  let end = localEnd + 1;
  if (text.charCodeAt(end) === 0x5b) {
    const close = text.indexOf(']', end);
    if (close === -1) return null;
    end = close + 1;
  } else {
    for (let c = text.charCodeAt(end); end < limit && c !== GREATER && c > 0x20 && c !== 0x2c; c = text.charCodeAt(end)) end += 1;
  }
  const domain = parseDomain(text.slice(localEnd + 1, end), options);
  if (domain === null) return null;
  // As written, quotes included; what formatAddress writes is never longer.
  const localBytes = byteLength(text.slice(at, localEnd));
  if (localBytes > (options.localBytes ?? ADDRESS_LIMITS.localBytes)) return null;
  if (localBytes + 1 + domain.length > ADDRESS_LIMITS.mailboxBytes) return null;
  return { address: { local, domain }, end };
}

function byteLength(text: string): number {
  return isPrintableAscii(text) ? text.length : Buffer.byteLength(text);
}

function isPrintableAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

/** A character beyond ASCII that may stand in a local part: no C1 controls, no lone surrogates (checked by isWellFormed). */
function isUtf8Text(code: number, options: AddressOptions): boolean {
  return options.utf8 === true && code >= 0xa0 && code !== 0xfffd;
}

/** Dot-string = Atom *("." Atom). Returns `at` when there is none. */
function scanDotString(text: string, at: number, limit: number, options: AddressOptions): number {
  let end = at;
  let wasDot = true;
  let isAscii = true;
  for (; end < limit; end += 1) {
    const c = text.charCodeAt(end);
    if (c === DOT) {
      if (wasDot) return at;
      wasDot = true;
    } else if (c < 128 ? ATEXT[c] === 1 : isUtf8Text(c, options)) {
      if (c >= 128) isAscii = false;
      wasDot = false;
    } else break;
  }
  if (wasDot) return at;
  return isAscii || text.slice(at, end).isWellFormed() ? end : at;
}

/** Quoted-string = DQUOTE *QcontentSMTP DQUOTE. Returns `at` when there is none. The empty one is allowed by the grammar. */
function scanQuoted(text: string, at: number, limit: number, options: AddressOptions): number {
  for (let end = at + 1; end < limit; end += 1) {
    let c = text.charCodeAt(end);
    if (c === DQUOTE) return text.slice(at, end).isWellFormed() ? end + 1 : at;
    if (c === BACKSLASH) {
      end += 1;
      c = end < limit ? text.charCodeAt(end) : 0;
      if (c < 0x20 || c > 0x7e) return at;
    } else if (c < 0x20 || c === 0x7f || (c >= 128 && !isUtf8Text(c, options))) return at;
  }
  return at;
}

function unquote(inner: string): string {
  if (!inner.includes('\\')) return inner;
  let out = '';
  for (let i = 0; i < inner.length; i += 1) {
    if (inner.charCodeAt(i) === BACKSLASH) i += 1;
    out += inner[i];
  }
  return out;
}

/**
 * A domain or address literal in its canonical form, or null: lower case, U-labels turned into A-labels,
 * labels of 1 to 63 octets that neither start nor end with a hyphen, 255 octets in all (RFC 5321 section 4.1.2).
 */
export function parseDomain(text: string, options: AddressOptions = {}): string | null {
  if (text.length === 0 || text.length > 4 * ADDRESS_LIMITS.domainBytes) return null;
  if (text.charCodeAt(0) === 0x5b) return parseLiteral(text);
  let isAscii = true;
  let labelStart = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const c = i === text.length ? DOT : text.charCodeAt(i);
    if (c === DOT) {
      if (i === labelStart || text.charCodeAt(labelStart) === 0x2d || text.charCodeAt(i - 1) === 0x2d) return null;
      if (isAscii && i - labelStart > ADDRESS_LIMITS.labelBytes) return null;
      labelStart = i + 1;
    } else if (c >= 128) {
      if (options.utf8 !== true) return null;
      isAscii = false;
    } else if (LABEL[c] === 0) return null;
  }
  if (isAscii) return text.length > ADDRESS_LIMITS.domainBytes ? null : text.toLowerCase();
  const ascii = toASCII(text, { checkBidi: true, checkJoiners: true, checkHyphens: false, verifyDNSLength: true });
  // What the mapping makes of odd characters must still be a domain of ours.
  return ascii === null || /[^\x00-\x7f]/.test(ascii) ? null : parseDomain(ascii);
}

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3), else null. General literals have no registered tag. */
function parseLiteral(text: string): string | null {
  if (text.charCodeAt(text.length - 1) !== 0x5d || text.length > 64) return null;
  const inner = text.slice(1, -1);
  if (isIPv4(inner)) return text;
  if (inner.slice(0, 5).toLowerCase() !== 'ipv6:') return null;
  const ip = inner.slice(5);
  return isIPv6(ip) && !ip.includes('%') ? `[IPv6:${ip.toLowerCase()}]` : null;
}

/** The mailbox as it is written in a command or header: the local part quoted when it is no dot-string. Inverse of parseMailbox. */
export function formatAddress(address: Address): string {
  const local = formatLocal(address.local);
  return address.domain === '' ? local : `${local}@${address.domain}`;
}

function formatLocal(local: string): string {
  if (scanDotString(local, 0, local.length, { utf8: true }) === local.length && local.length > 0) return local;
  return `"${local.replace(/["\\]/g, '\\$&')}"`;
}

/** Same mailbox: domains compare without case (they are canonical), local parts exactly (RFC 5321 section 2.4). */
export function sameAddress(a: Address | null, b: Address | null): boolean {
  if (a === null || b === null) return a === b;
  return a.local === b.local && a.domain === b.domain;
}

/** The key under which a mailbox is looked up here: "local@domain", local part in lower case, unquoted. */
export function addressKey(address: Address): string {
  return address.domain === '' ? address.local.toLowerCase() : `${address.local.toLowerCase()}@${address.domain}`;
}

/** Key of an address typed by a person or a client; null when it is no mailbox. Takes UTF-8. */
export function parseAddressKey(text: string): string | null {
  const address = parseMailbox(text.trim(), { utf8: true, localBytes: ADDRESS_LIMITS.mailboxBytes });
  return address === null ? null : addressKey(address);
}

/** True when the mailbox can only travel with SMTPUTF8 (RFC 6531): its local part is not ASCII. */
export function needsUtf8(address: Address): boolean {
  return !isPrintableAscii(address.local);
}
