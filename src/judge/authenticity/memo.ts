/** A bounded memory of what was worked out from a text: the oldest goes first. */
export interface Memo<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  clear(): void;
}

export function createMemo<T>(most: number): Memo<T> {
  const known = new Map<string, T>();
  return {
    get: (key) => known.get(key),
    set(key, value) {
      known.delete(key);
      // A Map keeps the order of insertion.
      if (known.size >= most) known.delete(known.keys().next().value!);
      known.set(key, value);
    },
    clear: () => known.clear(),
  };
}
