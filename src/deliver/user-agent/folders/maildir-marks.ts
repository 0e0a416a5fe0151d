/** Letters after ":2," of a maildir's file names and the marks they stand for. Small letters are keywords, named by Dovecot's file dovecot-keywords. */
import { join } from 'node:path';
import { KEYWORD_LETTERS, KEYWORDS_FILE_BYTES } from './limits.ts';
import { readSmall, replaceLocked } from './lock-file.ts';
import type { Marks } from './types.ts';

/** Letters that stand for words, here. */
export interface LetterWords {
  readonly words: ReadonlyMap<string, string>;
  /** By the word in lower case. */
  readonly letters: ReadonlyMap<string, string>;
}

const FLAG_LETTERS = 'DFRST';
const KEYWORDS_FILE = 'dovecot-keywords';
/** As IMAP takes it, and as the lines of the file are read back. */
const KEYWORD = /^[^\s(){%*"\\\]\0-\x1f\x7f-\uffff]{1,200}$/;

export function letterWords(pairs: Iterable<readonly [string, string]>): LetterWords {
  const words = new Map<string, string>([['P', '$Forwarded'], ...pairs]);
  return { words, letters: new Map([...words].map(([letter, word]) => [word.toLowerCase(), letter])) };
}

/** Lines "0 name" to "25 name" are the letters a to z. */
export function parseKeywords(text: string): LetterWords {
  const pairs: [string, string][] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d{1,2}) ([^\s(){%*"\\\]\0-\x1f\x7f-\uffff]{1,200})$/.exec(line);
    if (match !== null && Number(match[1]) < 26) pairs.push([String.fromCharCode(97 + Number(match[1])), match[2]!]);
  }
  return letterWords(pairs);
}

export function readKeywords(folder: string): LetterWords {
  return parseKeywords(readSmall(join(folder, KEYWORDS_FILE), KEYWORDS_FILE_BYTES)?.toString('latin1') ?? '');
}

/** Letters that no word has yet. */
export function freeLetters({ words }: LetterWords): string[] {
  return Array.from({ length: KEYWORD_LETTERS }, (_, i) => String.fromCharCode(97 + i)).filter((letter) => !words.has(letter));
}

/**
 * The folder's words, after those in `marks` that are new have been given letters (as far as there are any) and written where Dovecot and this server
 * look for them. While another program holds the file's lock they get none: the store keeps them, and they are tried again with their next change.
 */
export function keywordsWith(folder: string, present: LetterWords, marks: readonly Marks[]): LetterWords {
  const isMissing = (word: string, known: LetterWords): boolean => !known.letters.has(word.toLowerCase()) && KEYWORD.test(word);
  const wanted = new Set(marks.flatMap((text) => text.split(' ').slice(1)));
  if (![...wanted].some((word) => isMissing(word, present)) || freeLetters(present).length === 0) return present;
  const replaced = replaceLocked(join(folder, KEYWORDS_FILE), KEYWORDS_FILE_BYTES, (text) => {
    const known = parseKeywords(text);
    const free = freeLetters(known);
    const lines = new Map([...known.words].filter(([letter]) => letter !== 'P'));
    for (const word of wanted) {
      const letter = isMissing(word, letterWords(lines)) ? free.shift() : undefined;
      if (letter !== undefined) lines.set(letter, word);
    }
    return [...lines]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([letter, word]) => `${letter.charCodeAt(0) - 97} ${word}\n`)
      .join('');
  });
  return replaced === null ? present : parseKeywords(replaced);
}

export function marksOf(letters: string, { words }: LetterWords): Marks {
  const flags = new Set<string>();
  const keywords = new Set<string>();
  for (const letter of letters) {
    const word = words.get(letter);
    if (FLAG_LETTERS.includes(letter)) flags.add(letter);
    else if (word !== undefined) keywords.add(word);
    else if (letter === ',') break; // extensions of others follow
  }
  return [[...flags].sort().join(''), ...[...keywords].sort()].join(' ').trimEnd();
}

/** The letters for these marks; what `present` has beyond them and nobody here knows stays. */
export function lettersFor(marks: Marks, present: string, { words, letters }: LetterWords): string {
  const [flags = '', ...keywords] = marks.split(' ');
  const wanted = new Set<string>(flags);
  for (const keyword of keywords) {
    const letter = letters.get(keyword.toLowerCase());
    if (letter !== undefined) wanted.add(letter);
  }
  const comma = present.indexOf(',');
  for (const letter of comma === -1 ? present : present.slice(0, comma))
    if (!FLAG_LETTERS.includes(letter) && !words.has(letter) && /[A-Za-z]/.test(letter)) wanted.add(letter);
  return (
    [...wanted]
      .filter((letter) => /[A-Za-z]/.test(letter))
      .sort()
      .join('') + (comma === -1 ? '' : present.slice(comma))
  );
}
