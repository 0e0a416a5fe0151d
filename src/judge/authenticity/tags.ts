/** Tag lists: `name=value; name=value` (RFC 6376 section 3.2), which signatures, keys and DMARC records are made of. */

export interface TagList {
  /** Values by name, case-sensitive, without the white space around them. */
  readonly tags: ReadonlyMap<string, string>;
  /** Names in order. */
  readonly names: readonly string[];
}

const TAG_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;

/**
 * The tags, or a short phrase when it is no tag list. A name that stands twice makes the whole list invalid; with `isStrict` so does an
 * empty tag before the end, which is common enough in DNS.
 */
export function parseTags(text: string, isStrict = false): TagList | string {
  const tags = new Map<string, string>();
  const names: string[] = [];
  for (let start = 0; start <= text.length; ) {
    const semicolon = text.indexOf(';', start);
    const end = semicolon === -1 ? text.length : semicolon;
    const equals = text.indexOf('=', start);
    if (equals === -1 || equals >= end) {
      if (trimFws(text, start, end) !== '' || (isStrict && semicolon !== -1)) return 'syntax error in its tags';
    } else {
      const name = trimFws(text, start, equals);
      if (!TAG_NAME.test(name)) return 'syntax error in its tags';
      if (tags.has(name)) return `${name}= stands twice`;
      tags.set(name, trimFws(text, equals + 1, end));
      names.push(name);
    }
    start = end + 1;
  }
  return { tags, names };
}

/** The list with the value of b= (and the white space around it) taken out, as it was signed (RFC 6376 section 3.7). */
export function withoutSignature(text: string): string {
  for (let start = 0; start <= text.length; ) {
    const semicolon = text.indexOf(';', start);
    const end = semicolon === -1 ? text.length : semicolon;
    const equals = text.indexOf('=', start);
    if (equals !== -1 && equals < end && trimFws(text, start, equals) === 'b') return text.slice(0, equals + 1) + text.slice(end);
    start = end + 1;
  }
  return text;
}

function isFws(c: number): boolean {
  return c === 0x20 || c === 0x09 || c === 0x0d || c === 0x0a;
}

function trimFws(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isFws(text.charCodeAt(from))) from += 1;
  while (to > from && isFws(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

/** Without any folding white space: of b=, bh=, p= and h=. */
export function withoutFws(text: string): string {
  return /[ \t\r\n]/.test(text) ? text.replace(/[ \t\r\n]+/g, '') : text;
}

/** Decoded base64, or null when it is none. */
export function base64(text: string): Buffer | null {
  const bare = withoutFws(text);
  return bare !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? Buffer.from(bare, 'base64') : null;
}
