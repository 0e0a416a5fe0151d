/** Arguments of GENURLAUTH, RESETKEY and URLFETCH (RFC 4467 section 9, RFC 5524 section 5). URLs are left as they are: a wrong one is no syntax error. */
import { CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { IMAP_LIMITS } from './limits.ts';

export interface UrlToSign {
  readonly url: string;
  /** In upper case. */
  readonly mechanism: string;
}

export type UrlItem = 'BODY' | 'BINARY' | 'BODYPARTSTRUCTURE';

export interface UrlToFetch {
  readonly url: string;
  /** null: in the manner of RFC 4467, the data alone. */
  readonly items: readonly UrlItem[] | null;
}

const ITEMS: readonly string[] = ['BODY', 'BINARY', 'BODYPARTSTRUCTURE'];

function url(cursor: Cursor): string {
  const bytes = cursor.astring();
  if (bytes.length > IMAP_LIMITS.urlBytes) throw new ImapSyntaxError('URL is too long');
  return bytes.toString('latin1');
}

function hasMore(cursor: Cursor): boolean {
  return cursor.peek() === SP && cursor.at + 1 < cursor.bytes.length;
}

/** 1*(SP url-rump SP mechanism) */
export function genUrlAuthArguments(cursor: Cursor): UrlToSign[] {
  const urls: UrlToSign[] = [];
  do {
    cursor.sp();
    const given = url(cursor);
    cursor.sp();
    urls.push({ url: given, mechanism: cursor.word() });
    if (urls.length > IMAP_LIMITS.urls) throw new ImapSyntaxError('Too many URLs');
  } while (hasMore(cursor));
  cursor.end();
  return urls;
}

/** [SP mailbox *(SP mechanism)] */
export function resetKeyArguments(cursor: Cursor): { name: string | null; mechanisms: string[] } {
  const mechanisms: string[] = [];
  if (!hasMore(cursor)) {
    cursor.end();
    return { name: null, mechanisms };
  }
  cursor.sp();
  const name = cursor.mailbox();
  while (hasMore(cursor)) {
    cursor.sp();
    mechanisms.push(cursor.word());
    if (mechanisms.length > IMAP_LIMITS.urlMechanisms) throw new ImapSyntaxError('Too many mechanisms');
  }
  cursor.end();
  return { name, mechanisms };
}

/** 1*(SP (url-full / "(" url-full *(SP url-fetch-param) ")")) */
export function urlFetchArguments(cursor: Cursor): UrlToFetch[] {
  const urls: UrlToFetch[] = [];
  do {
    cursor.sp();
    urls.push(cursor.take(OPEN) ? extended(cursor) : { url: url(cursor), items: null });
    if (urls.length > IMAP_LIMITS.urls) throw new ImapSyntaxError('Too many URLs');
  } while (hasMore(cursor));
  cursor.end();
  return urls;
}

function extended(cursor: Cursor): UrlToFetch {
  const given = url(cursor);
  const items: UrlItem[] = [];
  while (cursor.take(SP)) {
    const item = cursor.word();
    if (!ITEMS.includes(item)) throw new ImapSyntaxError(`Unknown URLFETCH parameter ${item.slice(0, 40)}`);
    // RFC 5524 section 3.1.
    if (items.includes(item as UrlItem)) throw new ImapSyntaxError('A parameter is given twice');
    items.push(item as UrlItem);
  }
  cursor.expect(CLOSE);
  if (items.includes('BODY') && items.includes('BINARY')) throw new ImapSyntaxError('BODY and BINARY exclude each other');
  return { url: given, items: items.length === 0 ? null : items };
}
