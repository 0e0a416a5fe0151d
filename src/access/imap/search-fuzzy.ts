/** How alike a field and a few words are, for FUZZY (RFC 6203): words in any order, with other endings, or with a letter wrong. */
import { foldForSearch } from '../../mail/text.ts';
import { likeness as wordLikeness } from '../../search/word-likeness.ts';

/** Words of one key that are compared, words of one field, characters of one word: comparing two costs the product of their lengths. */
const WANTED_MAX = 16;
const WORDS_MAX = 500;
const LETTERS_MAX = 40;

const NO_LETTER = /[^\p{L}\p{N}\p{M}]+/u;

function wordsOf(text: string, most: number): string[] {
  const words: string[] = [];
  for (const word of foldForSearch(text).split(NO_LETTER, most)) if (word !== '') words.push(word.slice(0, LETTERS_MAX));
  return words;
}

/** Gives a function that answers 1 to 100 for a text in which each word of `wanted` has one like it, 0 for others. */
export function likeness(wanted: string): (text: string) => number {
  const asked = wordsOf(wanted, WANTED_MAX);
  if (asked.length === 0) return () => 0;
  return (text) => {
    const words = wordsOf(text, WORDS_MAX);
    let sum = 0;
    for (const word of asked) {
      let best = 0;
      for (const other of words) {
        const score = wordLikeness(word, other);
        if (score > best) best = score;
        if (best === 100) break;
      }
      if (best === 0) return 0;
      sum += best;
    }
    return Math.max(1, Math.round(sum / asked.length));
  };
}
