/**
 * A map that holds at most about `entriesMax` entries and forgets those not asked for lately. Two generations: when the young one is
 * full it becomes the old one, and what was old goes. (Deleting a Map's first key at every insertion looks simpler, but V8 then walks
 * over all the deleted ones before it.)
 */
export class BoundedMap<K, V> {
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    return value === undefined ? this.#old.get(key) : value;
  }

  /** Keeps nothing when `entriesMax` is 0. Answers `value`. */
  set(key: K, value: V, entriesMax: number): V {
    if (entriesMax <= 0) return value;
    if (this.#young.size >= Math.ceil(entriesMax / 2) && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
    return value;
  }

  /** As get, and makes the entry young again. */
  refresh(key: K, entriesMax: number): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    return old === undefined ? undefined : this.set(key, old, entriesMax);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
  get isEmpty(): boolean {
    return this.#young.size === 0 && this.#old.size === 0;
  }
}
