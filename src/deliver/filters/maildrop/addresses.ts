/** Address fields as this language shows and compares them. Texts have one character per byte. */
import { type AddressItem, type Mailbox, parseAddressList } from '../../../mail/address-list.ts';

const addressOf = ({ local, domain }: Mailbox): string => (domain === '' ? local : `${quotedLocal(local)}@${domain}`);

/** Specials and blanks make a local part a quoted string (RFC 5322 section 3.2.4). */
function quotedLocal(local: string): string {
  return /[\s()<>@,;:\\"[\]]/.test(local) ? `"${local.replace(/["\\]/g, '\\$&')}"` : local;
}

/** The addresses of a list, each with a line end behind it. */
export function getAddresses(list: string): string {
  let out = '';
  for (const item of parseAddressList(list)) if (item.kind === 'mailbox') out += `${addressOf(item)}\n`;
  return out;
}

export function hasAddress(list: string, address: string): boolean {
  const wanted = address.toLowerCase();
  return parseAddressList(list).some((item) => item.kind === 'mailbox' && addressOf(item).toLowerCase() === wanted);
}

/**
 * An address field in the one form that patterns see: names without quotes where they need none, comments as names, single spaces.
 * `decode` turns a name's encoded words into text; the result is Unicode.
 */
export function canonicalList(list: string, decode: (text: string) => string): string {
  let out = '';
  let separator = '';
  for (const item of parseAddressList(list)) {
    out += separator + shown(item, decode);
    separator = item.kind === 'mailbox' ? ', ' : '';
    if (item.kind === 'groupEnd') out = out.replace(/, ;$/, ';');
  }
  return out;
}

function shown(item: AddressItem, decode: (text: string) => string): string {
  if (item.kind === 'group') return `${name(decode(item.name))}: `;
  if (item.kind === 'groupEnd') return ';';
  return item.name === null || item.name === '' ? decode(addressOf(item)) : `${name(decode(item.name))} <${decode(addressOf(item))}>`;
}

function name(text: string): string {
  return /[()<>@,;:\\".[\]]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : text;
}
