/**
 * qmail's own programs, for hosts where they are not installed: bouncesaying, condredirect, except, forward, preline. A line is taken to
 * pieces only as far as needed; what is to be run goes to the shell as it stands.
 */

export type Builtin =
  | { readonly kind: 'bouncesaying'; readonly text: ShellWord /** null: always. */; readonly program: string | null }
  | { readonly kind: 'condredirect'; readonly address: ShellWord; readonly program: string }
  | { readonly kind: 'except'; readonly program: string }
  | { readonly kind: 'forward'; readonly addresses: readonly ShellWord[] }
  | { readonly kind: 'preline'; readonly program: string };

/** `source` as it stands; `value`: what it means, null where only the shell can tell. */
export interface ShellWord {
  readonly source: string;
  readonly value: string | null;
}

const NAMES: ReadonlySet<string> = new Set(['bouncesaying', 'condredirect', 'except', 'forward', 'preline']);
/** Where a program of that name would be. */
export const PROGRAM_DIRECTORIES = ['/var/qmail/bin', '/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin'];

/** The name of the builtin that a line after "|" begins with, or null. */
export function builtinName(line: string): string | null {
  const name = /^[ \t]*([a-z]+)(?=[ \t]|$)/.exec(line)?.[1];
  return name !== undefined && NAMES.has(name) ? name : null;
}

/** null: the line is more than this program with its arguments (a pipeline, a list), or lacks one; the shell may say so. */
export function parseBuiltin(line: string): Builtin | null {
  const words = shellWords(line);
  if (words === null) return null;
  const rest = (from: number): string | null => (words.length > from ? line.slice(words[from]!.at).trim() : null);
  const program = rest(1);
  switch (words[0]?.source) {
    case 'bouncesaying':
      return words.length < 2 ? null : { kind: 'bouncesaying', text: words[1]!, program: rest(2) };
    case 'condredirect': {
      const condition = rest(2);
      return condition === null ? null : { kind: 'condredirect', address: words[1]!, program: condition };
    }
    case 'except':
      return program === null ? null : { kind: 'except', program };
    case 'forward':
      return words.length < 2 ? null : { kind: 'forward', addresses: words.slice(1) };
    case 'preline':
      // Its options leave lines out; nobody who writes them wants all three.
      return program === null || program.startsWith('-') ? null : { kind: 'preline', program };
    default:
      return null;
  }
}

type PlacedWord = ShellWord & { readonly at: number };

/** The words of a simple command; null where operators or open quotes make it something else. */
function shellWords(line: string): PlacedWord[] | null {
  const words: PlacedWord[] = [];
  let start = -1;
  let value: string | null = '';
  let quote = '';
  const finish = (end: number): void => {
    if (start !== -1) words.push({ source: line.slice(start, end), value, at: start });
    start = -1;
    value = '';
  };
  for (let i = 0; i < line.length; i += 1) {
    const c = line[i]!;
    if (quote === "'") {
      if (c === "'") quote = '';
      else if (value !== null) value += c;
      continue;
    }
    if (quote === '"') {
      if (c === '"') quote = '';
      else if (c === '$' || c === '`') value = null;
      else if (c === '\\' && '\\"$`'.includes(line[i + 1] ?? '')) {
        i += 1;
        if (value !== null) value += line[i];
      } else if (value !== null) value += c;
      continue;
    }
    if (c === ' ' || c === '\t') {
      finish(i);
      continue;
    }
    if (c === ';' || c === '|' || c === '&' || c === '\n') return null;
    if (start === -1) start = i;
    if (c === "'" || c === '"') quote = c;
    else if (c === '\\' && i + 1 < line.length) {
      i += 1;
      if (value !== null) value += line[i];
    } else if ('$`*?[~<>(){}'.includes(c) || (c === '#' && start === i)) value = null;
    else if (value !== null) value += c;
  }
  if (quote !== '') return null;
  finish(line.length);
  return words;
}
