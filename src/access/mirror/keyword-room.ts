/** Which keywords a folder has room for: those it has a mark for, and as many more as there are marks left. */
export class KeywordRoom {
  readonly #known: Set<string>;
  #free: number;

  constructor(known: Iterable<string>, free: number) {
    this.#known = new Set([...known].map((word) => word.toLowerCase()));
    this.#free = free;
  }

  /** `word` in lower case. Asking takes the room: who asks is going to use it. */
  has(word: string): boolean {
    if (this.#known.has(word)) return true;
    if (this.#free <= 0) return false;
    this.#free -= 1;
    this.#known.add(word);
    return true;
  }
}
