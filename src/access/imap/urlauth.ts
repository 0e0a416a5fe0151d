/**
 * GENURLAUTH, URLFETCH and RESETKEY (RFC 4467, RFC 5524): URLs of messages that others may fetch without the owner's password, for as
 * long as the owner likes. A key for each mailbox signs them; what the owner of the URL may no longer read, nobody reads by it.
 */
import { randomBytes } from 'node:crypto';
import type { Account } from '../../ports.ts';
import { findSection } from '../../mail/part-index.ts';
import { imapString } from '../../wire/imap/format.ts';
import { type ImapUrl, parseImapUrl } from '../../wire/imap/url.ts';
import type { UrlItem, UrlToFetch, UrlToSign } from '../../wire/imap/urlauth.ts';
import { placeWith, visitorRefusal } from './acl-check.ts';
import { bodyPartStructure } from './body-part-structure.ts';
import { has } from './capability.ts';
import { sendBinary, sendSection } from './fetch-body.ts';
import { type OpenMessage, UnknownEncoding } from './open-message.ts';
import type { Place } from './places.ts';
import type { ImapSession } from './session.ts';
import { isTokenRight, mayUse, URL_KEY_BYTES, urlToken } from './urlauth-token.ts';
import { type OpenUrl, openUrl, urlPlace } from './urls.ts';

const NOT_OFFERED = 'BAD Unknown command';

/** Section 7: any URL that cannot be signed makes the command BAD, and nothing is signed. */
export async function genUrlAuth(session: ImapSession, urls: readonly UrlToSign[]): Promise<string> {
  if (!has(session, 'URLAUTH')) return NOT_OFFERED;
  const refusal = visitorRefusal(session);
  if (refusal !== null) return refusal;
  const places: Place[] = [];
  const rumps: string[] = [];
  for (const { url: text, mechanism } of urls) {
    if (mechanism !== 'INTERNAL') return 'BAD Unknown mechanism';
    const url = parseImapUrl(text);
    if (url?.auth == null || url.auth.mechanism !== null) return 'BAD This URL cannot be authorised';
    if (url.partial !== null && !has(session, 'URL-PARTIAL')) return 'BAD This URL cannot be authorised';
    const { account } = session;
    const place = isUserOf(session, url, account) ? urlPlace(session, account, url, '') : null;
    if (place === null) return 'BAD This URL is not of a mailbox of yours';
    places.push(place);
    rumps.push(url.auth.rump);
  }
  let response = '* GENURLAUTH';
  for (const [i, { row, owner }] of places.entries()) {
    const input = { accountId: owner, mailboxId: row.id, fresh: randomBytes(URL_KEY_BYTES) };
    const key = keyOf(session, row.id) ?? (await session.context.writer.run<Uint8Array>('urlauth.key', input));
    response += ` ${imapString(`${rumps[i]!}:internal:${urlToken(key, rumps[i]!)}`)}`;
  }
  session.out.write(`${response}\r\n`);
  return 'OK GENURLAUTH completed';
}

/** The URL must name the user it speaks for (section 7, RESETKEY and GENURLAUTH: the user's own table of keys). */
function isUserOf(session: ImapSession, url: ImapUrl, account: Account | null): boolean {
  const user = url.server?.user;
  return user != null && account !== null && session.context.directory.accountByLogin(user)?.id === account.id;
}

function keyOf(session: ImapSession, mailboxId: number): Uint8Array | null {
  const [row] = session.context.reader.rows('SELECT key FROM urlauth_key WHERE mailbox_id=?', mailboxId);
  return (row?.[0] as Uint8Array | undefined) ?? null;
}

/** Others' mailboxes have one key too: only who may administer them takes back everybody's URLs. */
export async function resetKey(session: ImapSession, { name, mechanisms }: { name: string | null; mechanisms: readonly string[] }): Promise<string> {
  if (!has(session, 'URLAUTH')) return NOT_OFFERED;
  const { writer } = session.context;
  if (mechanisms.some((mechanism) => mechanism !== 'INTERNAL')) return 'NO [CANNOT] Unknown mechanism';
  if (name === null) {
    const refusal = visitorRefusal(session);
    if (refusal !== null) return refusal;
    await writer.run('urlauth.reset', { accountId: session.account!.id, mailboxId: null });
    return 'OK All keys removed';
  }
  const place = placeWith(session, name, 'a');
  if (typeof place === 'string') return place;
  await writer.run('urlauth.reset', { accountId: place.owner, mailboxId: place.row.id });
  return 'OK [URLMECH INTERNAL] Key changed';
}

/** Each URL has an untagged response of its own, NIL when it is not right for whatever reason: the client is not told which. */
export async function urlFetch(session: ImapSession, urls: readonly UrlToFetch[]): Promise<string> {
  if (!has(session, 'URLAUTH')) return NOT_OFFERED;
  if (urls.some(({ items }) => items !== null) && !has(session, 'URLAUTH=BINARY')) return 'BAD URLFETCH takes no parameters here';
  for (const { url: text, items } of urls) {
    const label = `* URLFETCH ${imapString(text)}`;
    const url = parseImapUrl(text);
    const opened = url === null ? null : authorized(session, url);
    if (opened === null) session.out.write(`${label} NIL\r\n`);
    else await send(session, opened, url!, label, items);
    if (session.out.isFull) await session.out.drain();
    if (session.isClosed) return '';
  }
  return 'OK URLFETCH completed';
}

/** The message, opened, when the URL is right and this session may use it. */
function authorized(session: ImapSession, url: ImapUrl): OpenUrl | null {
  const { directory } = session.context;
  const settings = session.context.settings();
  const { auth, server, expiresAt } = url;
  if (auth === null || auth.mechanism !== 'internal' || server?.user == null) return null;
  if (expiresAt !== null && expiresAt <= session.context.now()) return null;
  if (url.partial !== null && !has(session, 'URL-PARTIAL')) return null;
  const { login, visitorRights } = session.account!;
  const isVisitor = visitorRights !== undefined;
  if (!mayUse(auth.access, login, isVisitor ? [] : settings['imap.urlauthSubmitters'], isVisitor ? login : '')) return null;
  const owner = directory.accountByLogin(server.user);
  if (owner === null || owner.isDisabled) return null;
  const place = urlPlace(session, owner, url, '');
  const key = place === null ? null : keyOf(session, place.row.id);
  return place !== null && key !== null && isTokenRight(key, auth) ? openUrl(session, place, url) : null;
}

async function send(session: ImapSession, opened: OpenUrl, url: ImapUrl, label: string, items: readonly UrlItem[] | null): Promise<void> {
  const { out } = session;
  const { message } = opened;
  const partial = url.partial === null ? null : { start: url.partial.start, count: url.partial.count };
  const { section } = url;
  let isBegun = false;
  try {
    await message.check();
    if (items !== null && findSection(message.root, section.path) === null) {
      out.write(`${label} NIL\r\n`);
      return;
    }
    const isBinary = items?.includes('BINARY') === true && (await canDecode(message, url));
    isBegun = true;
    if (items === null) await sendSection(out, message, { kind: 'section', label, section, setsSeen: false, partial });
    else {
      out.write(label);
      for (const item of items) {
        out.write(' (');
        if (item === 'BODYPARTSTRUCTURE') out.write(`BODYPARTSTRUCTURE ${bodyPartStructure(opened.bodyStructure, section.path) ?? 'NIL'}`);
        else if (item === 'BODY') await sendSection(out, message, { kind: 'section', label: 'BODY', section, setsSeen: false, partial });
        else if (isBinary) await sendBinary(out, message, { kind: 'binary', label: 'BINARY', path: section.path, setsSeen: false, partial });
        else out.write('BINARY NIL');
        out.write(')');
      }
    }
    out.write('\r\n');
  } catch (error) {
    // Half a literal cannot be taken back.
    if (isBegun) session.abort();
    throw error;
  } finally {
    message.close();
  }
}

/** RFC 5524 section 3.1: what cannot be decoded is NIL; headers have no encoding to be undone. */
async function canDecode(message: OpenMessage, url: ImapUrl): Promise<boolean> {
  if (url.section.text !== 'all') return false;
  try {
    await message.checkBinary(url.section.path);
    return true;
  } catch (error) {
    if (error instanceof UnknownEncoding) return false;
    throw error;
  }
}
