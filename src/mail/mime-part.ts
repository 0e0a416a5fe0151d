/** One part of a message and what its own header says of it (RFC 2045, RFC 2183, RFC 2557, RFC 3282). */
import { byLength, lookUp } from './field-table.ts';
import { fieldValue, type HeaderField, scanHeaders } from './header.ts';
import { MAIL_LIMITS } from './limits.ts';
import { type Param, type Parameterized, parseParameterized, withoutComments } from './params.ts';

/**
 * Offsets count from the first byte of the whole message. Texts from the header have one character per byte;
 * parameter values are decoded.
 */
export interface MimePart {
  readonly headerStart: number;
  /** Just past the blank line. */
  bodyStart: number;
  /** Without the line end that belongs to the next delimiter line (RFC 2046 section 5.1.1). */
  bodyEnd: number;
  /** Line ends (LF) in the body. */
  lines: number;
  /** Lower case, with the defaults of RFC 2045 section 5.2. */
  type: string;
  subtype: string;
  params: readonly Param[];
  id: string | null;
  description: string | null;
  /** Content-Transfer-Encoding in lower case; "7bit" when not given. */
  encoding: string;
  disposition: Parameterized | null;
  language: readonly string[];
  location: string | null;
  md5: string | null;
  /** Of a multipart: at least one. */
  readonly children: MimePart[];
  /** Of a message/rfc822 or message/global: the message inside, with its ENVELOPE in IMAP form. */
  message: { readonly envelope: string; readonly part: MimePart } | null;
}

const NO_PARAMS: readonly Param[] = [];
const NO_LANGUAGE: readonly string[] = [];

export function newPart(headerStart: number, isInDigest: boolean): MimePart {
  return {
    headerStart,
    bodyStart: headerStart,
    bodyEnd: headerStart,
    lines: 0,
    type: isInDigest ? 'message' : 'text',
    subtype: isInDigest ? 'rfc822' : 'plain',
    params: NO_PARAMS,
    id: null,
    description: null,
    encoding: '7bit',
    disposition: null,
    language: NO_LANGUAGE,
    location: null,
    md5: null,
    children: [],
    message: null,
  };
}

type ContentKey = 'type' | 'encoding' | 'id' | 'description' | 'disposition' | 'language' | 'location' | 'md5';
const KEYS = byLength<ContentKey>([
  ['content-type', 'type'],
  ['content-transfer-encoding', 'encoding'],
  ['content-id', 'id'],
  ['content-description', 'description'],
  ['content-disposition', 'disposition'],
  ['content-language', 'language'],
  ['content-location', 'location'],
  ['content-md5', 'md5'],
]);

/** Which Content-* fields a header had already: the first of each counts. */
export interface SeenContent {
  type: boolean;
  encoding: boolean;
}

/** Reads one Content-* field into the part. Gives the octets of text it kept. */
export function readContentField(part: MimePart, seen: SeenContent, bytes: Uint8Array, field: HeaderField): number {
  const key = lookUp(KEYS, bytes, field);
  if (key === null) return 0;
  const value = fieldValue(bytes, field, MAIL_LIMITS.textBytes);
  switch (key) {
    case 'type':
      if (seen.type) return 0;
      seen.type = true;
      setContentType(part, value);
      break;
    case 'encoding':
      if (seen.encoding) return 0;
      seen.encoding = true;
      part.encoding = encodingName(value);
      break;
    case 'disposition':
      if (part.disposition !== null) return 0;
      part.disposition = parseParameterized(value);
      if (part.disposition.value === '') part.disposition = { value: 'attachment', params: part.disposition.params };
      break;
    case 'language':
      if (part.language.length > 0) return 0;
      part.language = languages(value);
      break;
    case 'location':
      // RFC 2557 section 4.4: white space inside a folded URI is not part of it.
      part.location ??= value.replace(/\s+/g, '');
      break;
    default:
      part[key] ??= value;
  }
  return value.length;
}

/** Type, parameters and encoding that a part's header gives; its offsets mean nothing. */
export function contentOf(header: Uint8Array): MimePart {
  const part = newPart(0, false);
  const seen = { type: false, encoding: false };
  for (const field of scanHeaders(header).fields) readContentField(part, seen, header, field);
  return part;
}

function setContentType(part: MimePart, value: string): void {
  const parsed = parseParameterized(value);
  const slash = parsed.value.indexOf('/');
  let type = slash === -1 ? parsed.value : parsed.value.slice(0, slash);
  let subtype = slash === -1 ? '' : token(parsed.value.slice(slash + 1));
  if (subtype === '') {
    // Not a media type at all: "text" and "multipart" alone are seen in old mail and meant well, the rest is opaque.
    if (type === '') {
      part.params = parsed.params; // "charset=utf-8" says it of the default
      return;
    }
    if (type === 'text') subtype = 'plain';
    else if (type === 'multipart') subtype = 'mixed';
    else {
      type = 'application';
      subtype = 'octet-stream';
    }
  }
  if (type === '') type = 'application';
  part.type = type;
  part.subtype = subtype;
  part.params = parsed.params;
}

/** What no token has (RFC 2045 section 5.1), beside blanks and control characters. */
const NO_TOKEN = /[()<>@,;:\\"/[\]?=]/;

/** What stands before the first character that no token has: the subtype of "text/plain, text/html" is plain. */
function token(text: string): string {
  const end = text.search(NO_TOKEN);
  return end === -1 ? text : text.slice(0, end);
}

/** Quotes, comments, blanks and what follows a semicolon are no part of the name. */
function encodingName(value: string): string {
  const name = /[\s";(]/.test(value) ? parseParameterized(value).value : value.toLowerCase();
  return name === '' ? '7bit' : name;
}

function languages(value: string): readonly string[] {
  const tags = withoutComments(value)
    .split(',', 50)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
  return tags;
}
