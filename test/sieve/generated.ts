// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Random patterns over random texts, a few letters each so that they often match: what :matches and :regex find, and their variables. */
import type { Case } from './cases.ts';

/** Numbers from 0 to below 1; the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const QUESTIONS = 6;
/** Each match says what it found by a mailbox of that name. */
const FOUND = '0=${0} 1=${1} 2=${2} 3=${3} 4=${4}';

/** Scripts of many questions each. */
export function generatedCases(seed: number, scripts: number): readonly Case[] {
  const random = randomOf(seed);
  const pick = (letters: string): string => letters[Math.floor(random() * letters.length)]!;
  const word = (letters: string, most: number): string => Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(letters)).join('');
  return Array.from({ length: scripts }, (_, index) => {
    let script = `require ["variables", "fileinto", "regex", "relational", "comparator-i;ascii-numeric"];\n`;
    const type = ['matches', 'regex', 'contains', 'value'][index % 4]!;
    for (let n = 0; n < QUESTIONS; n += 1) {
      const text = type === 'value' ? word('0129x', 4) : word('abcB', 10);
      let test = `:contains :comparator "i;ascii-casemap" "${text}" "${word('ab', 2)}"`;
      // Pigeonhole 0.5.19 matches "BaBcaa" with "?aa**", and "cc" not with "*??*": such patterns are left out.
      if (type === 'matches')
        test = `:matches :comparator "i;ascii-casemap" "${text}" "${word('ab??**', 7)
          .replace(/^\?+/, '*')
          .replace(/\*[*?]+/g, '*')}"`;
      if (type === 'regex') test = `:regex :comparator "i;ascii-casemap" "${text}" "${word('abc', 2)}(${word('ab.', 2)}${pick('*+?')})${word('abc', 1)}"`;
      if (type === 'value')
        test = `:value "${['gt', 'ge', 'lt', 'le', 'eq', 'ne'][n % 6]}" :comparator "i;ascii-${n % 2 === 0 ? 'numeric' : 'casemap'}" "${text}" "${word('0129x', 4)}"`;
      script += `if string ${test} { fileinto "${n} ${type === 'value' || type === 'contains' ? '' : FOUND}"; }\n`;
    }
    return { script, message: 'plain' };
  });
}
