/** Letters after ":2," of a maildir's file names and the marks they stand for. Small letters are keywords, named by Dovecot's file dovecot-keywords. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../agents/result.ts';
import { KEYWORDS_FILE_BYTES } from './limits.ts';
import type { Marks } from './types.ts';

/** Letters that stand for words, here. */
export interface LetterWords {
  readonly words: ReadonlyMap<string, string>;
  /** By the word in lower case. */
  readonly letters: ReadonlyMap<string, string>;
}

const FLAG_LETTERS = 'DFRST';

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
  let fd: number;
  try {
    fd = openSync(join(folder, 'dovecot-keywords'), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === null) throw error;
    return letterWords([]); // not there, or not for us
  }
  try {
    if (!fstatSync(fd).isFile()) return letterWords([]);
    const buffer = Buffer.alloc(KEYWORDS_FILE_BYTES);
    return parseKeywords(buffer.toString('latin1', 0, readSync(fd, buffer)));
  } finally {
    closeSync(fd);
  }
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
