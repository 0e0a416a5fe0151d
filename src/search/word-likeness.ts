/** How much a word of a text is like a word that is sought: misspelt, inflected, part of a longer one. */

/** Scores of the kinds of likeness, of 100. */
const EQUAL = 100;
const BEGINS = 95;
const STEM = 85;
const CONTAINS = 80;
/** Ends of a word that inflection may take away. */
const ENDING_MAX = 3;
/** Scripts without spaces between words begin here: there a word is sought anywhere in a run. */
const FIRST_UNSPACED = 0x2e80;

/** Edits that a word of that length may have. */
function editsMax(length: number): number {
  return length <= 3 ? 0 : length <= 5 ? 1 : length <= 9 ? 2 : 3;
}

/** 0 (not alike) to 100. Both folded. */
export function likeness(sought: string, word: string): number {
  if (word === sought) return EQUAL;
  if (word.startsWith(sought)) return BEGINS;
  if (sought.length < 3) return sought.charCodeAt(0) >= FIRST_UNSPACED && word.includes(sought) ? CONTAINS : 0;
  if (word.length >= 4 && sought.length - word.length <= ENDING_MAX && sought.startsWith(word)) return STEM;
  if ((sought.length >= 4 || sought.charCodeAt(0) >= FIRST_UNSPACED) && word.includes(sought)) return CONTAINS;
  const most = editsMax(sought.length);
  if (most === 0 || Math.abs(word.length - sought.length) > most) return 0;
  const edits = editDistance(sought, word, most);
  return edits > most ? 0 : Math.round(100 - (100 * edits) / sought.length);
}

/**
 * Insertions, deletions, substitutions and swaps of neighbours that make `b` of `a` (optimal string alignment); `most`+1 when more.
 * Both are short: words that are sought are cut, and others differ from them by `most` characters in length.
 */
export function editDistance(a: string, b: string, most: number): number {
  let before: number[] = [];
  let above: number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row: number[] = [i];
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let edits = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a.charCodeAt(i - 1) === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === b.charCodeAt(j - 1))
        edits = Math.min(edits, before[j - 2]! + 1);
      row.push(edits);
      if (edits < least) least = edits;
    }
    if (least > most) return most + 1;
    before = above;
    above = row;
  }
  return Math.min(above[b.length]!, most + 1);
}
