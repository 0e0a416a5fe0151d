/**
 * What stands on the right-hand side of an alias, in .forward and in :include: files: addresses, programs, files, lists. One grammar, that
 * of aliases(5), read as Postfix reads it. Pure; linear in the text; what makes no sense becomes an `invalid` entry, the rest stays good.
 */
import { parseDomain } from './address.ts';
import { type Joined, scanWords, type Word } from './destination-words.ts';

export type Destination = { /** From 1, where it stands. */ readonly line: number } & (
  | {
      readonly kind: 'address';
      /** Unquoted, in the case it was written. */
      readonly local: string;
      /** Canonical (lower case, A-labels); null: a name without a domain. */
      readonly domain: string | null;
      /** Written with a backslash before it: the user's own mailbox, nothing is looked up any more. */
      readonly isFinal: boolean;
    }
  /** For the shell. Not empty. */
  | { readonly kind: 'command'; readonly command: string }
  /** From "/" on, or "~/…" below the home directory of who wrote it. A maildir's path ends in "/". */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'maildir'; readonly path: string }
  /** As written; only what begins with "/" can be meant. */
  | { readonly kind: 'include'; readonly path: string }
  /** What it was meant to be nobody can tell. `problem`: a sentence. */
  | { readonly kind: 'invalid'; readonly text: string; readonly problem: string }
);

export interface DestinationOptions {
  /**
   * 'value': one logical line, as in an alias (line breaks are white space). 'lines': a file of them, each line by itself, those that begin
   * with "#" being comments.
   */
  readonly form: 'value' | 'lines';
  /** Number of the first line; 1 when left out. */
  readonly line?: number;
  readonly limits?: DestinationLimits;
}

export type DestinationLimits = { readonly [K in keyof typeof DESTINATION_LIMITS]: number };

/** Bounds of one text; passing one is a problem of the whole text, since a list cut short would be no list of anybody's. */
export const DESTINATION_LIMITS = {
  /** Characters of an :include: file or value: 100,000 members of 80 characters. */
  textChars: 8 * 1024 * 1024,
  /** Destinations of one text. */
  entries: 100_000,
  /** Characters of one line; a whole list may stand on it. */
  lineChars: 1024 * 1024,
} as const;

export type Destinations =
  | { readonly destinations: Destination[]; readonly problem?: undefined }
  | { readonly destinations?: undefined; readonly problem: { readonly line: number; readonly text: string } };

/** Reads the destinations of a text, in their order, doubles included. */
export function parseDestinations(text: string, options: DestinationOptions): Destinations {
  const limits = options.limits ?? DESTINATION_LIMITS;
  const first = options.line ?? 1;
  if (text.length > limits.textChars) return { problem: { line: first, text: `there are more than ${limits.textChars} characters` } };
  const found: Destination[] = [];
  if (options.form === 'value') {
    if (text.length > limits.lineChars) return { problem: { line: first, text: `the line has more than ${limits.lineChars} characters` } };
    parseLine(text, first, found);
    if (found.length > limits.entries) return { problem: { line: first, text: `there are more than ${limits.entries} destinations` } };
    return { destinations: found };
  }
  let line = first;
  for (let at = 0; at < text.length; line += 1) {
    const newline = text.indexOf('\n', at);
    let end = newline === -1 ? text.length : newline;
    const next = end + 1;
    if (end - at > limits.lineChars) return { problem: { line, text: `the line has more than ${limits.lineChars} characters` } };
    while (at < end && isBlank(text.charCodeAt(at))) at += 1;
    while (end > at && isBlank(text.charCodeAt(end - 1))) end -= 1;
    if (at < end && text.charCodeAt(at) !== 0x23) parseLine(text.slice(at, end), line, found);
    if (found.length > limits.entries) return { problem: { line, text: `there are more than ${limits.entries} destinations` } };
    at = next;
  }
  return { destinations: found };
}

const isBlank = (code: number): boolean => code === 0x20 || (code >= 0x09 && code <= 0x0d);

/** What most lines of a list are, told apart without taking them to pieces. */
const PLAIN = /^([a-z0-9_][a-z0-9._+=-]{0,63})(?:@([a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9][a-z0-9-]{0,62}){0,10}))?$/i;

function parseLine(text: string, line: number, found: Destination[]): void {
  if (text.length < 256) {
    const plain = PLAIN.exec(text);
    if (plain !== null) {
      found.push(address(plain[1]!, plain[2] ?? null, false, line, text));
      return;
    }
  }
  collect(scanWords(text), line, found);
}

/**
 * Words between commas are addresses of their own ("bob cat" are two), or the display name of what stands in angle brackets. A colon is
 * part of an address, or ends the name of a group where a semicolon follows.
 */
function collect(words: readonly Word[], line: number, found: Destination[]): void {
  let lastSemicolon = -1;
  for (let i = words.length - 1; i >= 0 && lastSemicolon === -1; i -= 1) if (words[i]!.kind === 'semicolon') lastSemicolon = i;
  let pending: Joined[] = [];
  const finish = (): void => {
    for (const joined of pending) found.push(destination(joined, line));
    pending = [];
  };
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    if (word.kind === 'comma' || word.kind === 'semicolon') finish();
    else if (word.kind === 'angle') {
      pending = [];
      // "<>" leads nowhere; what it was written for nobody can tell.
      found.push(word.inner === null ? { kind: 'invalid', text: '<>', problem: 'an empty address', line } : destination(word.inner, line));
    } else if (word.kind === 'include') {
      finish();
      found.push({ kind: 'include', path: word.path, line });
    } else if (word.colonAt !== -1 && lastSemicolon > i && word.domainAt === -1) {
      pending = [];
      const rest = word.text.slice(word.colonAt + 1);
      if (rest !== '') pending.push({ ...word, text: rest, colonAt: -1, isEscaped: false });
    } else if (word.colonAt !== -1 && lastSemicolon > i && word.colonAt < word.domainAt) {
      const rest = word.text.slice(word.colonAt + 1);
      pending = [{ ...word, text: rest, colonAt: -1, domainAt: word.domainAt - word.colonAt - 1, isEscaped: false }];
    } else pending.push(word);
  }
  finish();
}

function destination(word: Joined, line: number): Destination {
  if (word.isBroken) return { kind: 'invalid', text: word.text, problem: 'an angle bracket that does not close', line };
  // A backslash says "just this user"; before a program or file it says nothing.
  const isMarked = word.isEscaped || word.text.charCodeAt(0) === 0x5c;
  const text = word.text.charCodeAt(0) === 0x5c ? word.text.slice(1) : word.text;
  const first = text.charCodeAt(0);
  if (first === 0x7c) {
    const command = text.slice(1).trim();
    return command === '' ? { kind: 'invalid', text, problem: 'there is no command after "|"', line } : { kind: 'command', command, line };
  }
  if (first === 0x2f || first === 0x7e) return file(text, line);
  if (text.slice(0, 9).toLowerCase() === ':include:') return { kind: 'include', path: text.slice(9).trim(), line };
  if (word.domainAt > 0) {
    const cut = word.domainAt - (word.text.length - text.length);
    return address(text.slice(0, cut - 1), text.slice(cut), isMarked, line, text);
  }
  // "ann@example.org" within quotes is an address too: so do the people who write .forward files.
  const at = text.lastIndexOf('@');
  return at > 0 ? address(text.slice(0, at), text.slice(at + 1), isMarked, line, text) : address(text, null, isMarked, line, text);
}

function file(text: string, line: number): Destination {
  if (text.charCodeAt(0) === 0x7e && text.charCodeAt(1) !== 0x2f)
    return { kind: 'invalid', text, problem: 'a file of another user cannot be given with "~"', line };
  if (text.includes('\0')) return { kind: 'invalid', text, problem: 'a NUL character in the name of a file', line };
  return { kind: text.endsWith('/') ? 'maildir' : 'file', path: text, line };
}

/** Longest local part taken; RFC 5321 section 4.5.3.1.1 says 64, VERP and SRS write longer ones. */
const LOCAL_CHARS = 240;

function address(local: string, domain: string | null, isFinal: boolean, line: number, text: string): Destination {
  if (local === '') return { kind: 'invalid', text, problem: 'an address without a name', line };
  if (local.length > LOCAL_CHARS) return { kind: 'invalid', text: text.slice(0, LOCAL_CHARS), problem: 'a name that is too long', line };
  if (hasControls(local)) return { kind: 'invalid', text, problem: 'a control character in an address', line };
  if (domain === null) return { kind: 'address', local, domain: null, isFinal, line };
  const canonical = parseDomain(domain.length > 1 && domain.endsWith('.') ? domain.slice(0, -1) : domain, { utf8: true });
  if (canonical === null) return { kind: 'invalid', text, problem: `"${domain.slice(0, 80)}" is no domain`, line };
  return { kind: 'address', local, domain: canonical, isFinal, line };
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code === 0x7f || code === 0xfffd) return true;
  }
  return false;
}
