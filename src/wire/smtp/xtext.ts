/** xtext (RFC 3461 section 4): printable ASCII with `+XX` for everything else. */

/** The decoded text (bytes as UTF-8), or null when malformed. */
export function decodeXtext(text: string): string | null {
  if (!text.includes('+')) return isXchars(text) ? text : null;
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 43) {
      const high = hexDigit(text.charCodeAt(i + 1));
      const low = hexDigit(text.charCodeAt(i + 2));
      if (high === -1 || low === -1) return null;
      bytes[length++] = high * 16 + low;
      i += 2;
    } else {
      if (code < 33 || code > 126 || code === 61) return null;
      bytes[length++] = code;
    }
  }
  return bytes.toString('utf8', 0, length);
}

/** `text` as xtext; what is not printable ASCII, `+` and `=` become `+XX` for each byte of UTF-8. */
export function encodeXtext(text: string): string {
  if (isXchars(text) && !text.includes('+')) return text;
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const isPlain = byte >= 33 && byte <= 126 && byte !== 43 && byte !== 61;
    out += isPlain ? String.fromCharCode(byte) : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

function isXchars(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 33 || code > 126 || code === 61) return false;
  }
  return true;
}

/** Lower case is accepted too: some senders write it. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 65 && code <= 70) return code - 55;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}
