/** Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), or UTF-8 once a client enabled it (RFC 6855, RFC 9051 section 5.1). */

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,';
const BASE64_VALUE = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i += 1) BASE64_VALUE[BASE64.charCodeAt(i)] = i;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The name in Unicode, with INBOX in any case made "INBOX" (also as first level). Bytes above 127 make it UTF-8, as
 * clients with UTF8=ACCEPT send it; in ASCII, "&" begins modified UTF-7. A "&" that begins none stands for itself:
 * such clients leave it bare, and an old server may have created such names. null: not valid UTF-8, or a control character.
 */
export function decodeMailboxName(bytes: Uint8Array): string | null {
  let name: string;
  if (bytes.some((byte) => byte >= 0x80)) {
    try {
      name = utf8.decode(bytes);
    } catch {
      return null; // the decoder throws for malformed input and for nothing else
    }
  } else {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    name = text.includes('&') ? (decodeUtf7(text) ?? text) : text;
  }
  for (let i = 0; i < name.length; i += 1) {
    const c = name.charCodeAt(i);
    if (c < 0x20 || c === 0x7f) return null;
  }
  if (name.length >= 5 && /^inbox(\/|$)/i.test(name)) return `INBOX${name.slice(5)}`;
  return name;
}

/** Decodes modified UTF-7; null when `text` is not what encodeUtf7 would make of any name. */
export function decodeUtf7(text: string): string | null {
  let out = '';
  let at = 0;
  for (;;) {
    const amp = text.indexOf('&', at);
    if (amp === -1) return out + text.slice(at);
    const dash = text.indexOf('-', amp);
    if (dash === -1) return null;
    out += text.slice(at, amp);
    if (dash === amp + 1) out += '&';
    else {
      const shifted = decodeShift(text, amp + 1, dash);
      if (shifted === null) return null;
      out += shifted;
    }
    at = dash + 1;
  }
}

function decodeShift(text: string, start: number, end: number): string | null {
  let out = '';
  let bits = 0;
  let count = 0;
  for (let i = start; i < end; i += 1) {
    const value = BASE64_VALUE[text.charCodeAt(i)] ?? -1;
    if (value === -1) return null;
    bits = ((bits << 6) | value) & 0x3fffff;
    count += 6;
    if (count >= 16) {
      count -= 16;
      const unit = (bits >> count) & 0xffff;
      // Printable ASCII must stand for itself, or one name would have two spellings.
      if (unit >= 0x20 && unit < 0x7f) return null;
      out += String.fromCharCode(unit);
    }
  }
  if (count >= 6 || (bits & ((1 << count) - 1)) !== 0 || !out.isWellFormed()) return null;
  return out;
}

export function encodeUtf7(name: string): string {
  let out = '';
  let shift = '';
  for (let i = 0; i < name.length; i += 1) {
    const c = name.charCodeAt(i);
    if (c >= 0x20 && c < 0x7f) {
      if (shift !== '') {
        out += encodeShift(shift);
        shift = '';
      }
      out += c === 0x26 ? '&-' : name[i];
    } else shift += name[i];
  }
  return shift === '' ? out : out + encodeShift(shift);
}

function encodeShift(text: string): string {
  const bytes = Buffer.from(text, 'utf16le').swap16();
  return `&${bytes.toString('base64').replaceAll('=', '').replaceAll('/', ',')}-`;
}
