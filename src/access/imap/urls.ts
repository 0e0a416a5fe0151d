/** From an IMAP URL to the bytes it names, for CATENATE and URLFETCH. The message is opened, nothing of it is held. */
import type { Account } from '../../ports.ts';
import type { ImapUrl } from '../../wire/imap/url.ts';
import { HEADER_BYTES, OpenMessage } from './open-message.ts';
import { findPlace, may, type Place } from './places.ts';
import { headerFields, sectionSpan } from './section.ts';
import type { ImapSession } from './session.ts';

/** The mailbox of a URL as `account` sees it, when its messages may be read there; null otherwise. `selected`: what relative names start from. */
export function urlPlace(session: ImapSession, account: Account | null, url: ImapUrl, selected: string): Place | null {
  let name = url.mailbox;
  if (!url.isRooted) name = name === '' ? selected : selected.slice(0, selected.lastIndexOf('/') + 1) + name;
  if (account === null || name === '') return null;
  const place = findPlace({ context: session.context, account }, name);
  if (place === null || !place.row.isSelectable || !may(place, 'r')) return null;
  return url.uidValidity === null || url.uidValidity === place.row.uidValidity ? place : null;
}

export interface OpenUrl {
  readonly message: OpenMessage;
  readonly bodyStructure: string;
}

/** The message of a URL; null: it is not there. To be closed. */
export function openUrl(session: ImapSession, place: Place, url: ImapUrl): OpenUrl | null {
  const { reader } = session.context;
  const row = reader.message(place.owner, place.row.id, url.uid);
  const email = row === null ? null : reader.email(place.owner, row[6]);
  return email === null ? null : { message: new OpenMessage(reader, email), bodyStructure: email.bodyStructure };
}

export interface UrlPart {
  readonly size: number;
  pieces(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** What a URL names of its message, as FETCH BODY would give it; null: there is no such part. */
export async function urlPart(message: OpenMessage, url: ImapUrl): Promise<UrlPart | null> {
  const found = sectionSpan(message.root, url.section);
  if (found === null) return null;
  if (url.section.fields.length > 0) {
    const header = await message.reader.slice(found.start, Math.min(found.end, found.start + HEADER_BYTES));
    const fields = headerFields(header, url.section.fields, url.section.text === 'HEADER.FIELDS.NOT');
    const [start, end] = cut(0, fields.length, url.partial);
    return { size: end - start, pieces: () => [fields.subarray(start, end)] };
  }
  const [start, end] = cut(found.start, found.end, url.partial);
  return { size: end - start, pieces: () => message.reader.stream(start, end) };
}

function cut(start: number, end: number, partial: ImapUrl['partial']): [start: number, end: number] {
  if (partial === null) return [start, end];
  const from = Math.min(start + partial.start, end);
  return [from, Math.min(from + partial.count, end)];
}
