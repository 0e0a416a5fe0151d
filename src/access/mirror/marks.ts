/** Flags of the store and marks of a folder: what each side changed since they agreed last decides what both become. */
import { FLAG } from '../../ports.ts';
import type { Marks } from '../../deliver/user-agent/folders/types.ts';
import type { KeywordRoom } from './keyword-room.ts';

const LETTERS: readonly (readonly [letter: string, flag: number])[] = [
  ['D', FLAG.draft],
  ['F', FLAG.flagged],
  ['R', FLAG.answered],
  ['S', FLAG.seen],
  ['T', FLAG.deleted],
];
/** Keywords beyond these are left out: a file of another program's could name any number. */
const KEYWORDS_MAX = 100;
const KEYWORD_CHARS_MAX = 200;

export interface Flags {
  readonly flags: number;
  /** As in the store: separated by blanks, sorted; null for none. */
  readonly keywords: string | null;
}

export function flagsOf(marks: Marks): Flags {
  const [letters = '', ...words] = marks.split(' ');
  let flags = 0;
  for (const [letter, flag] of LETTERS) if (letters.includes(letter)) flags |= flag;
  const keywords = words.filter((word) => word !== '' && word.length <= KEYWORD_CHARS_MAX).slice(0, KEYWORDS_MAX);
  return { flags, keywords: keywords.length === 0 ? null : keywords.sort().join(' ') };
}

/** `canKeep`: keywords that the folder has a place for; null: all. */
export function marksFor({ flags, keywords }: Flags, canKeep: KeywordRoom | null): Marks {
  let letters = '';
  for (const [letter, flag] of LETTERS) if ((flags & flag) !== 0) letters += letter;
  if (keywords === null) return letters;
  const kept = keywords.split(' ').filter((word) => canKeep === null || canKeep.has(word.toLowerCase()));
  return kept.length === 0 ? letters : `${letters} ${kept.sort().join(' ')}`;
}

export interface Merged {
  /** What the folder is to have. */
  readonly marks: Marks;
  /** What the store is to change; null: nothing. */
  readonly change: FlagDelta | null;
}
export interface FlagDelta {
  readonly add: number;
  readonly remove: number;
  readonly addWords: readonly string[];
  readonly removeWords: readonly string[];
}

/**
 * `base`: what both had; `disk`: what the folder has now; `store`: what the store has now. A mark that one side changed is changed; one that both
 * changed they changed alike, as there are only two states.
 */
export function merge(base: Marks, disk: Marks, store: Flags, canKeep: KeywordRoom | null): Merged {
  const was = flagsOf(base);
  const is = flagsOf(disk);
  const changedBits = (was.flags ^ is.flags) & ~(was.flags ^ store.flags);
  const add = changedBits & is.flags;
  const remove = changedBits & ~is.flags;
  const [baseWords, diskWords, storeWords] = [wordsOf(was.keywords), wordsOf(is.keywords), wordsOf(store.keywords)];
  const addWords = [...diskWords]
    .filter(([key]) => !baseWords.has(key) && !storeWords.has(key))
    .map(([, word]) => word)
    .slice(0, Math.max(0, KEYWORDS_MAX - storeWords.size));
  const removeWords = [...baseWords].filter(([key]) => !diskWords.has(key) && storeWords.has(key)).map(([, word]) => word);
  for (const word of addWords) storeWords.set(word.toLowerCase(), word);
  for (const word of removeWords) storeWords.delete(word.toLowerCase());
  const merged = { flags: (store.flags | add) & ~remove, keywords: storeWords.size === 0 ? null : [...storeWords.values()].sort().join(' ') };
  const hasChange = add !== 0 || remove !== 0 || addWords.length > 0 || removeWords.length > 0;
  return { marks: marksFor(merged, canKeep), change: hasChange ? { add, remove, addWords, removeWords } : null };
}

/** The same marks, whatever the case of keywords. */
export function sameMarks(a: Marks, b: Marks): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase() && a.split(' ')[0] === b.split(' ')[0]);
}

function wordsOf(keywords: string | null): Map<string, string> {
  return new Map(keywords === null ? [] : keywords.split(' ').map((word) => [word.toLowerCase(), word]));
}
