/** Command lines: the verb and what follows it (RFC 5321 section 4.1.1). */
import { LIMITS } from './limits.ts';

export interface CommandLine {
  /** In upper case; empty for an empty line. */
  readonly verb: string;
  /** Without leading and trailing blanks. */
  readonly rest: string;
}

const SPACE = 32;
const TAB = 9;

/** Splits one line (without CRLF). Never fails: what is no verb is for the table to refuse. */
export function parseCommand(line: string): CommandLine {
  let end = line.length;
  while (end > 0 && isBlank(line.charCodeAt(end - 1))) end -= 1;
  let at = 0;
  while (at < end && !isBlank(line.charCodeAt(at))) at += 1;
  const verb = line.slice(0, at).toUpperCase();
  while (at < end && isBlank(line.charCodeAt(at))) at += 1;
  return { verb, rest: line.slice(at, end) };
}

/** The argument of BDAT (RFC 3030 section 2): `chunk-size [SP "LAST"]`, or null when malformed. */
export function parseBdat(rest: string): { size: number; isLast: boolean } | null {
  const space = rest.indexOf(' ');
  const digits = space === -1 ? rest : rest.slice(0, space);
  if (digits.length === 0 || digits.length > LIMITS.chunkDigitsMax || !isDigits(digits)) return null;
  if (
    space !== -1 &&
    rest
      .slice(space + 1)
      .trim()
      .toUpperCase() !== 'LAST'
  )
    return null;
  return { size: Number(digits), isLast: space !== -1 };
}

/** One or more ASCII digits and nothing else. */
export function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return text.length > 0;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
