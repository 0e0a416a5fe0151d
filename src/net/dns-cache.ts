/**
 * A bounded map of what runs out. When it is full the oldest goes, unless it was used since it was put in or last spared: a flood of
 * names that are asked once cannot push out those that every message needs.
 */
interface Entry<V> {
  readonly value: V;
  readonly until: number;
  wasUsed: boolean;
}

/** Entries spared in a row before one goes all the same: bounds the work of one `set`. */
const SPARED_MAX = 64;

export class TtlCache<V> {
  readonly #entries = new Map<string, Entry<V>>();

  get size(): number {
    return this.#entries.size;
  }

  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until <= now) {
      this.#entries.delete(key);
      return undefined;
    }
    entry.wasUsed = true;
    return entry.value;
  }

  /** `until` in the clock of `get`. */
  set(key: string, value: V, until: number, now: number, entriesMax: number): void {
    this.#entries.delete(key);
    while (this.#entries.size >= entriesMax) this.#evict(now);
    this.#entries.set(key, { value, until, wasUsed: false });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  #evict(now: number): void {
    let spared = 0;
    // A Map keeps the order of insertion; what is spared goes to its end and is met again later.
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.wasUsed || entry.until <= now || spared === SPARED_MAX) return;
      entry.wasUsed = false;
      spared += 1;
      this.#entries.set(key, entry);
    }
  }
}
