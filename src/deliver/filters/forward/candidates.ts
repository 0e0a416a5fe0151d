/** Which files are looked for as .forward, and which of them are trusted. Pure; the user agent opens them. */

export interface ForwardPathValues {
  readonly user: string;
  readonly home: string;
  readonly shell: string;
  /** The whole recipient address. */
  readonly recipient: string;
  /** Without its delimiter; null: none. */
  readonly extension: string | null;
  /** The character that stood before the extension. */
  readonly delimiter: string;
  readonly domain: string;
  /** The whole local part. */
  readonly local: string;
}

/** As Postfix has it. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: this is Postfix's own notation
export const FORWARD_PATH = '$home/.forward${recipient_delimiter}${extension}, $home/.forward';

/** Characters of an extension that may be part of a file's name; "/" would lead elsewhere. Postfix forward_expansion_filter. */
const SAFE = /^[1234567890!@%_=+:,.a-zA-Z-]{1,200}$/;

/**
 * The paths to look at, in this order; the first that is there is the one, whether it can be trusted or not. `$name`, `${name}`,
 * `${name?text}`, `${name:text}` and `${name?{text}:{text}}` are filled in. A path with an extension in it that cannot be part of a
 * file's name is left out.
 */
export function forwardCandidates(values: ForwardPathValues, path: string = FORWARD_PATH): string[] {
  const extension = values.extension === null || values.extension === '' ? null : values.extension.toLowerCase();
  const isSafe = extension !== null && SAFE.test(extension) && !extension.includes('..');
  const known: ReadonlyMap<string, string> = new Map([
    ['user', values.user.toLowerCase()],
    ['home', values.home],
    ['shell', values.shell],
    ['recipient', safe(values.recipient.toLowerCase())],
    ['extension', isSafe ? extension : ''],
    ['recipient_delimiter', isSafe ? values.delimiter : ''],
    ['domain', safe(values.domain.toLowerCase())],
    ['local', safe(values.local.toLowerCase())],
  ]);
  const found: string[] = [];
  for (const word of splitWords(path)) {
    const expanded = fill(word, known, 0);
    if (expanded.startsWith('/') && !found.includes(expanded)) found.push(expanded);
  }
  return found;
}

const safe = (text: string): string => text.replace(/[^1234567890!@%_=+:,.a-zA-Z-]/g, '_');

/** At commas and white space outside of braces. */
function splitWords(text: string): string[] {
  const words: string[] = [];
  let depth = 0;
  let word = '';
  for (const c of text) {
    if (c === '{') depth += 1;
    else if (c === '}') depth -= 1;
    if (depth <= 0 && (c === ',' || /\s/.test(c))) {
      if (word !== '') words.push(word);
      word = '';
    } else word += c;
  }
  if (word !== '') words.push(word);
  return words;
}

/** Conditions within conditions; the administrator writes them. */
const DEPTH_MAX = 10;

function fill(text: string, known: ReadonlyMap<string, string>, depth: number): string {
  if (depth > DEPTH_MAX) return '';
  let out = '';
  for (let i = 0; i < text.length; ) {
    if (text[i] !== '$') {
      out += text[i];
      i += 1;
    } else if (text[i + 1] === '{') {
      const end = closing(text, i + 1);
      out += condition(text.slice(i + 2, end), known, depth);
      i = end + 1;
    } else {
      const name = /^[a-z_]+/.exec(text.slice(i + 1, i + 40))?.[0] ?? '';
      out += name === '' ? '$' : (known.get(name) ?? '');
      i += 1 + name.length;
    }
  }
  return out;
}

function condition(inner: string, known: ReadonlyMap<string, string>, depth: number): string {
  const name = /^[a-z_]+/.exec(inner)?.[0] ?? '';
  const value = known.get(name) ?? '';
  const sign = inner[name.length];
  const rest = inner.slice(name.length + 1);
  if (sign === undefined) return value;
  if (sign === '?') {
    const isBraced = rest.startsWith('{');
    const end = isBraced ? closing(rest, 0) : rest.length;
    if (value !== '') return fill(isBraced ? rest.slice(1, end) : rest, known, depth + 1);
    const other = rest.slice(end + 1);
    return other.startsWith(':') ? fill(unbraced(other.slice(1)), known, depth + 1) : '';
  }
  return value === '' ? fill(unbraced(rest), known, depth + 1) : '';
}

const unbraced = (text: string): string => (text.startsWith('{') ? text.slice(1, closing(text, 0)) : text);

/** Index of the brace that closes the one at `at`; the length when none does. */
function closing(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i += 1) {
    if (text[i] === '{') depth += 1;
    else if (text[i] === '}' && (depth -= 1) === 0) return i;
  }
  return text.length;
}

export interface ForwardFileFacts {
  /** Of the file itself, symbolic links not followed. */
  readonly isRegular: boolean;
  readonly mode: number;
  readonly uid: number;
}

/** Why a file is not followed, so that mail goes to the mailbox as if it were not there; null: it is good. */
export function forwardFileProblem(facts: ForwardFileFacts, uid: number): string | null {
  if (!facts.isRegular) return 'it is no regular file';
  if (facts.uid !== 0 && facts.uid !== uid) return `it belongs to the user with number ${facts.uid}`;
  return (facts.mode & 0o002) !== 0 ? 'everybody may write to it' : null;
}
