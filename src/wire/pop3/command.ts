/** POP3 command lines (RFC 1939 section 3, RFC 2449 section 4). */

export interface CommandLine {
  /** In upper case; "" for an empty line. */
  readonly verb: string;
  /** Everything after the first space, spaces included: a password may begin or end with one. "" when there is nothing. */
  readonly rest: string;
}

/** Parses one line without its CRLF, as latin1 text. */
export function parseCommand(line: string): CommandLine {
  const space = line.indexOf(' ');
  if (space < 0) return { verb: line.toUpperCase(), rest: '' };
  return { verb: line.slice(0, space).toUpperCase(), rest: line.slice(space + 1) };
}

/** A message-number or line count: digits only, at most 9 of them; null for anything else. */
export function parseNumber(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

/** The arguments of a command, parted by spaces; trailing spaces (some clients send one) do not count. */
export function parseArguments(rest: string): string[] {
  const trimmed = rest.trim();
  return trimmed === '' ? [] : trimmed.split(/ +/);
}

/** A line of base64 as bytes; null when it is none. "=" alone is the empty response (RFC 4422 section 4). */
export function parseBase64(text: string): Uint8Array | null {
  if (text === '=') return new Uint8Array(0);
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}

/** A unique-id (RFC 1939 section 7): UIDVALIDITY and UID in hex. Stable as long as the IMAP UID is. */
export function uniqueId(uidValidity: number, uid: number): string {
  return uidValidity.toString(16).padStart(8, '0') + uid.toString(16).padStart(8, '0');
}
