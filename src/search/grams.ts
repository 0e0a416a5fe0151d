/**
 * Trigrams: three characters (code points) each. They are cut and told apart here rather than by FTS5's own trigram tokenizer, which takes
 * several times as long because it looks at every one of them, stops at NUL in some versions and not in others, and knows nothing of
 * odd surrogates. To FTS5 each is a word: ASCII is moved to where its "ascii" tokenizer sees letters only. (What stood there before
 * shares words with it; the check of the text tells them apart.)
 */
import { SEARCH_LIMITS } from './limits.ts';

/** ASCII characters in a word begin here; two bytes each. */
const MOVED = 0x100;
const SPACE = 0x20;

/** NUL, half of a pair (which may be half of a whole character elsewhere), or what such a half may have become. */
function isOdd(code: number): boolean {
  return code === 0 || code === 0xfffd || (code >= 0xd800 && code <= 0xdfff);
}

function moved(code: number): number {
  return code < 0x80 ? code + MOVED : code;
}

/** Cuts texts into words for the index. Keeps 2 MB for it. */
export class GramCutter {
  readonly #seen = new Uint8Array(1 << 21);
  #found = new Int32Array(4096);

  /** The different trigrams of a text as words, each once. */
  words(text: string): string {
    let count = 0;
    let others: Set<string> | null = null;
    // The last two characters; a negative one: there is none, or it is odd.
    let a = -1;
    let b = -1;
    for (let at = 0; at < text.length; at += 1) {
      let c = text.charCodeAt(at);
      if (c < 0x80) {
        if (c === 0) c = -1;
        else if (a >= 0 && b >= 0 && a < 0x80 && b < 0x80) {
          const gram = (a << 14) | (b << 7) | c;
          if (this.#seen[gram] === 0) {
            this.#seen[gram] = 1;
            if (count === this.#found.length) this.#grow();
            this.#found[count] = gram;
            count += 1;
          }
          a = b;
          b = c;
          continue;
        }
      } else if (c >= 0xd800) {
        c = text.codePointAt(at)!;
        if (c > 0xffff) at += 1;
        if (isOdd(c)) c = -1;
      }
      if (a >= 0 && b >= 0 && c >= 0) (others ??= new Set()).add(word(a, b, c));
      a = b;
      b = c;
    }
    const units = new Uint16Array(count * 4);
    for (let i = 0; i < count; i += 1) {
      const gram = this.#found[i]!;
      this.#seen[gram] = 0;
      units[i * 4] = MOVED + (gram >> 14);
      units[i * 4 + 1] = MOVED + ((gram >> 7) & 0x7f);
      units[i * 4 + 2] = MOVED + (gram & 0x7f);
      units[i * 4 + 3] = SPACE;
    }
    const ascii = Buffer.from(units.buffer).toString('utf16le');
    return others === null ? ascii : ascii + [...others].join(' ');
  }

  #grow(): void {
    const larger = new Int32Array(this.#found.length * 2);
    larger.set(this.#found);
    this.#found = larger;
  }
}

function word(a: number, b: number, c: number): string {
  return String.fromCodePoint(moved(a), moved(b), moved(c));
}

/** The different trigrams of a text that is sought, as words; those with odd characters are left out, as in the index. */
export function trigrams(text: string): string[] {
  const codes = Array.from(text, (character) => character.codePointAt(0)!);
  const grams = new Set<string>();
  for (let i = 0; i + 2 < codes.length; i += 1) {
    const [a, b, c] = [codes[i]!, codes[i + 1]!, codes[i + 2]!];
    if (!isOdd(a) && !isOdd(b) && !isOdd(c)) grams.add(word(a, b, c));
  }
  return [...grams];
}

/** One word as an FTS5 expression. */
export function quoted(gram: string): string {
  return `"${gram}"`;
}

/** The FTS5 expression that every text matches that contains `needle`; null: it has no trigram, all texts must be looked at. */
export function candidateQuery(needle: string): string | null {
  // A needle may be long; what is far beyond the limit below need not be cut up.
  const grams = trigrams(needle.slice(0, SEARCH_LIMITS.gramsMax * 64));
  if (grams.length === 0) return null;
  const step = Math.max(1, grams.length / SEARCH_LIMITS.gramsMax);
  const chosen: string[] = [];
  for (let at = 0; at < grams.length && chosen.length < SEARCH_LIMITS.gramsMax; at += step) chosen.push(quoted(grams[Math.floor(at)]!));
  return chosen.join(' AND ');
}
