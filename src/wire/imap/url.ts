/**
 * IMAP URLs of messages and parts of messages (RFC 5092; with authorisation, RFC 4467; with a range of octets, RFC 5550 section 3.3).
 * URLs of servers, lists, whole mailboxes and searches are none here: no command takes them.
 */
import { Cursor, ImapSyntaxError } from './cursor.ts';
import { type Section, sectionSpec } from './fetch.ts';
import { IMAP_LIMITS } from './limits.ts';

/** Who may use an authorised URL (RFC 4467 section 3). */
export type UrlAccess =
  /** The user, or whoever submits mail for the user. */
  { readonly kind: 'user' | 'submit'; readonly user: string } | { readonly kind: 'authuser' | 'anonymous' };

export interface UrlAuth {
  readonly access: UrlAccess;
  /** The URL up to here: what is signed. */
  readonly rump: string;
  /** In lower case; null: not signed yet. */
  readonly mechanism: string | null;
  readonly token: string;
}

export interface ImapUrl {
  /** null: relative to the session. `user` null: not given. */
  readonly server: { readonly user: string | null; readonly host: string } | null;
  /** In Unicode; '' is the mailbox that is selected. */
  readonly mailbox: string;
  /** False: a name beside the selected mailbox (RFC 3986 section 4.2, relative-path reference). */
  readonly isRooted: boolean;
  readonly uidValidity: number | null;
  readonly uid: number;
  readonly section: Section;
  /** `count` left out in the URL: Infinity. */
  readonly partial: { readonly start: number; readonly count: number } | null;
  /** Unix milliseconds. */
  readonly expiresAt: number | null;
  readonly auth: UrlAuth | null;
}

const WHOLE: Section = { path: [], text: 'all', fields: [] };
/** In the order in which they must stand; a "/" goes before some. */
const PARAMETERS = ['UIDVALIDITY', 'UID', 'SECTION', 'PARTIAL', 'EXPIRE', 'URLAUTH'] as const;
const AFTER_SLASH: ReadonlySet<string> = new Set(['UID', 'SECTION', 'PARTIAL']);
const UINT32 = 0xffffffff;

/** null: not such a URL. `text` has one character per byte. */
export function parseImapUrl(text: string): ImapUrl | null {
  if (text.length > IMAP_LIMITS.urlBytes || !/^[\x21-\x7e]+$/.test(text)) return null;
  const found = /^(?:imap:)?\/\/([^/]*)\//i.exec(text);
  if (found === null && /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(text)) return null;
  const server = found === null ? null : parseServer(found[1]!);
  if (found !== null && server === null) return null;
  const isRooted = found !== null || text.startsWith('/');
  const at = found === null ? (isRooted ? 1 : 0) : found[0].length;
  const [mailboxText, values] = parameters(text.slice(at)) ?? [];
  if (mailboxText === undefined || values === undefined) return null;
  const mailbox = percentDecoded(mailboxText);
  const uid = positive(values.get('UID'));
  const uidValidity = values.has('UIDVALIDITY') ? positive(values.get('UIDVALIDITY')) : null;
  const section = values.has('SECTION') ? parseSection(values.get('SECTION')!) : WHOLE;
  const partial = values.has('PARTIAL') ? parsePartial(values.get('PARTIAL')!) : null;
  const expiresAt = values.has('EXPIRE') ? parseExpire(values.get('EXPIRE')!) : null;
  const auth = values.has('URLAUTH') ? parseAuth(text, values.get('URLAUTH')!) : null;
  const isWrong =
    mailbox === null ||
    (mailbox === '' && isRooted) ||
    uid === 0 ||
    uidValidity === 0 ||
    section === null ||
    (values.has('PARTIAL') && partial === null) ||
    (values.has('EXPIRE') && (expiresAt === null || auth === null)) ||
    (values.has('URLAUTH') && auth === null);
  if (isWrong) return null;
  return { server, mailbox: inboxName(mailbox!), isRooted, uidValidity, uid, section: section!, partial, expiresAt, auth };
}

function inboxName(name: string): string {
  return name.length === 5 && name.toUpperCase() === 'INBOX' ? 'INBOX' : name;
}

/** [iuserinfo "@"] host [":" port] */
function parseServer(authority: string): ImapUrl['server'] {
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1).toLowerCase();
  if (!/^(?:\[[0-9a-f:.]+\]|[a-z0-9._~%-]+)(?::\d{1,5})?$/.test(host)) return null;
  if (at === -1) return { user: null, host };
  const [, encoded, method] = /^([^;]*)(?:;AUTH=([^;]+))?$/i.exec(authority.slice(0, at)) ?? [];
  if (encoded === undefined || (encoded === '' && method === undefined)) return null;
  const user = percentDecoded(encoded);
  return user === null ? null : { user: user === '' ? null : user, host };
}

/** The mailbox, still encoded, and the parameters behind it. ";" stands nowhere else: it would be encoded. */
function parameters(path: string): [mailbox: string, values: ReadonlyMap<string, string>] | null {
  const pieces = path.split(';');
  const values = new Map<string, string>();
  let mailbox = '';
  let place = -1;
  for (const [i, piece] of pieces.entries()) {
    const equals = piece.indexOf('=');
    const name = i === 0 ? '' : piece.slice(0, equals).toUpperCase();
    const order = (PARAMETERS as readonly string[]).indexOf(name);
    if (i > 0 && (equals === -1 || order <= place)) return null;
    place = order;
    let value = i === 0 ? piece : piece.slice(equals + 1);
    const next = pieces[i + 1];
    if (next !== undefined) {
      const wantsSlash = AFTER_SLASH.has(next.slice(0, next.indexOf('=')).toUpperCase());
      // ";UID=20" alone: of the mailbox that is selected.
      if (wantsSlash && !(i === 0 && piece === '')) {
        if (!value.endsWith('/')) return null;
        value = value.slice(0, -1);
      }
    }
    if (i === 0) mailbox = value;
    else values.set(name, value);
  }
  return [mailbox, values];
}

/** nz-number; 0 for anything else. */
function positive(text: string | undefined): number {
  if (text === undefined || !/^[1-9]\d{0,9}$/.test(text)) return 0;
  const value = Number(text);
  return value > UINT32 ? 0 : value;
}

function parseSection(text: string): Section | null {
  const spec = percentDecoded(text);
  if (spec === null || spec === '') return null;
  const cursor = new Cursor(Buffer.from(spec, 'latin1'));
  try {
    const { section } = sectionSpec(cursor);
    return cursor.isAtEnd ? section : null;
  } catch (error) {
    if (error instanceof ImapSyntaxError) return null;
    throw error;
  }
}

/** number ["." nz-number] */
function parsePartial(text: string): ImapUrl['partial'] {
  const [, start, count] = /^(\d{1,15})(?:\.([1-9]\d{0,14}))?$/.exec(text) ?? [];
  if (start === undefined) return null;
  return { start: Number(start), count: count === undefined ? Number.POSITIVE_INFINITY : Number(count) };
}

/** date-time (RFC 3339 section 5.6) */
function parseExpire(text: string): number | null {
  const decoded = percentDecoded(text)?.toUpperCase() ?? '';
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(decoded)) return null;
  const at = Date.parse(decoded);
  return Number.isNaN(at) ? null : at;
}

/** access [":" mechanism ":" token] */
function parseAuth(text: string, value: string): UrlAuth | null {
  const pieces = value.split(':');
  const [accessText = '', mechanism, token = ''] = pieces;
  const access = parseAccess(accessText);
  if (access === null || (pieces.length !== 1 && pieces.length !== 3)) return null;
  if (mechanism !== undefined && (!/^[A-Za-z0-9.-]+$/.test(mechanism) || !/^[0-9A-Fa-f]{32,}$/.test(token))) return null;
  // The parameter is the last one.
  const rump = text.slice(0, text.length - value.length + accessText.length);
  return { access, rump, mechanism: mechanism?.toLowerCase() ?? null, token: token.toLowerCase() };
}

function parseAccess(text: string): UrlAccess | null {
  const lower = text.toLowerCase();
  if (lower === 'authuser' || lower === 'anonymous') return { kind: lower };
  const plus = text.indexOf('+');
  const kind = lower.slice(0, plus);
  if (kind !== 'user' && kind !== 'submit') return null;
  const user = percentDecoded(text.slice(plus + 1));
  return user === null || user === '' ? null : { kind, user };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Percent-encoded UTF-8 as Unicode; null when it is neither, or has control characters. */
function percentDecoded(text: string): string | null {
  if (!text.includes('%')) return text;
  const bytes = Buffer.allocUnsafe(text.length);
  let to = 0;
  for (let i = 0; i < text.length; i += 1) {
    let byte = text.charCodeAt(i);
    if (byte === 0x25) {
      const hex = text.slice(i + 1, i + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return null;
      byte = Number.parseInt(hex, 16);
      i += 2;
    }
    if (byte < 0x20 || byte === 0x7f) return null;
    bytes[to] = byte;
    to += 1;
  }
  try {
    return UTF8.decode(bytes.subarray(0, to));
  } catch {
    // Not UTF-8: RFC 5092 section 3 has nothing else.
    return null;
  }
}
