/**
 * FUZZY (RFC 6203): emails with words like those asked for, in any order. Emails that share enough trigrams with enough of the words are
 * candidates; the words of their texts decide. Of words shorter than three characters only the beginning can be compared; a word of four or five
 * that is misspelt in its middle has no trigram left and is not found.
 */
import type { AccountId, EmailId, SimilarEmail, TextScope } from '../ports.ts';
import type { Connection } from '../store/engines/sqlite.ts';
import { quoted, trigrams } from './grams.ts';
import { decodeKept } from './kept-text.ts';
import { firstRow } from './layout.ts';
import { SEARCH_LIMITS } from './limits.ts';
import { partsOf, type TextPart } from './parts.ts';
import { likeness } from './word-likeness.ts';

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
/** Of a word's trigrams, how many an email must have: one wrong letter takes up to three away. */
const GRAMS_SHARED = 0.4;
/** Of the words, how many must be found. */
const WORDS_FOUND = 0.6;
/** Rows of one trigram that are counted at once. */
const ROWS = 8192;
/** Words of texts whose likeness is remembered; the same ones come again and again. */
const REMEMBERED_MAX = 100_000;

/** The words that count of what was asked: folded as the texts are. */
export function soughtWords(text: string): string[] {
  const words = new Set<string>();
  for (const [word] of text.slice(0, 4096).matchAll(WORD)) {
    words.add(word.slice(0, SEARCH_LIMITS.fuzzyWordLength));
    if (words.size >= SEARCH_LIMITS.fuzzyWords) break;
  }
  return [...words];
}

/** Best first. */
export async function findSimilar(
  index: Connection,
  accountId: AccountId,
  scope: TextScope,
  text: string,
  limit: number,
  pause: () => Promise<void>,
): Promise<SimilarEmail[]> {
  const words = soughtWords(text);
  const rows = Number(index.get('SELECT last FROM account WHERE id=?', accountId)?.[0] ?? 0);
  if (words.length === 0 || rows === 0) return [];
  const found = new FuzzySearch(index, firstRow(accountId), rows, partsOf(scope), words, pause);
  const similar: SimilarEmail[] = [];
  for (const row of await found.candidates()) {
    const one = await found.compare(row);
    if (one !== null) similar.push(one);
  }
  // Of two that are alike as much the newer one.
  similar.sort((a, b) => b.relevancy - a.relevancy || b.email - a.email);
  return similar.slice(0, limit);
}

class FuzzySearch {
  readonly #index: Connection;
  readonly #first: number;
  readonly #rows: number;
  readonly #parts: readonly TextPart[];
  readonly #words: readonly string[];
  readonly #wordsLeast: number;
  readonly #pause: () => Promise<void>;
  readonly #remembered = new Map<string, Uint8Array | null>();
  #sliceAt = performance.now();

  constructor(index: Connection, first: number, rows: number, parts: readonly TextPart[], words: readonly string[], pause: () => Promise<void>) {
    this.#index = index;
    this.#first = first;
    this.#rows = rows;
    this.#parts = parts;
    this.#words = words;
    this.#wordsLeast = Math.ceil(words.length * WORDS_FOUND);
    this.#pause = pause;
  }

  /** Numbers (without the account's first row) of the emails to compare, the most promising first. */
  async candidates(): Promise<number[]> {
    const grams = this.#words.map(trigrams).filter((some) => some.length > 0);
    if (grams.length === 0) return Array.from({ length: this.#rows }, (_, i) => this.#rows - i);
    const found = new Uint8Array(this.#rows + 1);
    const shared = new Uint16Array(this.#rows + 1);
    const counts = new Uint8Array(this.#rows + 1);
    for (const some of grams) {
      counts.fill(0);
      for (const gram of some) for (const part of this.#parts) await this.#count(part, gram, counts);
      const least = Math.max(1, Math.floor(some.length * GRAMS_SHARED));
      for (let n = 1; n <= this.#rows; n += 1) {
        if (counts[n]! < least) continue;
        found[n]! += 1;
        shared[n]! += counts[n]!;
      }
    }
    const least = Math.max(1, this.#wordsLeast - (this.#words.length - grams.length));
    const candidates: number[] = [];
    for (let n = this.#rows; n >= 1; n -= 1) if (found[n]! >= least) candidates.push(n);
    candidates.sort((a, b) => found[b]! - found[a]! || shared[b]! - shared[a]!);
    return candidates.slice(0, SEARCH_LIMITS.fuzzyCandidates);
  }

  async #count(part: TextPart, gram: string, counts: Uint8Array): Promise<void> {
    const sql = `SELECT rowid FROM ${part.grams} WHERE ${part.grams} MATCH ? AND rowid BETWEEN ? AND ?`;
    const query = quoted(gram);
    for (let from = 1; from <= this.#rows; from += ROWS) {
      const to = Math.min(this.#rows, from + ROWS - 1);
      for (const [row] of this.#index.all(sql, query, this.#first + from, this.#first + to)) counts[row - this.#first]! += 1;
      if (this.#isOver()) await this.#breathe();
    }
  }

  /** null: not alike enough, or no longer there. */
  async compare(row: number): Promise<SimilarEmail | null> {
    const best = new Uint8Array(this.#words.length);
    let email: EmailId | null = null;
    for (const part of this.#parts) {
      const kept = this.#index.get(`SELECT email_id, ${part.column} FROM ${part.table} WHERE row=?`, this.#first + row);
      if (kept === undefined) continue;
      email = kept[0];
      this.#compareText(decodeKept(kept[1]), best);
      if (this.#isOver()) await this.#breathe();
    }
    let sum = 0;
    let count = 0;
    for (const score of best) {
      sum += score;
      if (score > 0) count += 1;
    }
    if (email === null || count < this.#wordsLeast) return null;
    return { email, relevancy: Math.max(1, Math.round(sum / best.length)) };
  }

  #compareText(text: string, best: Uint8Array): void {
    let left = SEARCH_LIMITS.fuzzyTextWords;
    for (const [word] of text.matchAll(WORD)) {
      left -= 1;
      if (left < 0) return;
      const scores = this.#scores(word);
      if (scores === null) continue;
      for (let i = 0; i < best.length; i += 1) if (scores[i]! > best[i]!) best[i] = scores[i]!;
    }
  }

  /** Likeness of a text's word to each of the words; null: none. */
  #scores(word: string): Uint8Array | null {
    let scores = this.#remembered.get(word);
    if (scores !== undefined) return scores;
    scores = Uint8Array.from(this.#words, (sought) => likeness(sought, word));
    if (scores.every((score) => score === 0)) scores = null;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(word, scores);
    return scores;
  }

  #isOver(): boolean {
    return performance.now() - this.#sliceAt >= SEARCH_LIMITS.querySliceMs;
  }

  async #breathe(): Promise<void> {
    await this.#pause();
    this.#sliceAt = performance.now();
  }
}
