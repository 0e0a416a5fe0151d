/**
 * What a worker told last about each folder, so that the next answer need only have what differs. Memory of one process: another worker, or this one
 * after a restart, answers with everything.
 */
import { randomBytes } from 'node:crypto';
import { LISTED_FILES_MAX } from './limits.ts';
import type { FolderPath } from './types.ts';

export interface Listing<T> {
  readonly token: string;
  readonly names: T;
  readonly files: number;
  /** What the marks were read with; with another they mean something else. */
  readonly key: string;
}

export class Listings<T> {
  readonly #byPath = new Map<FolderPath, Listing<T>>();
  readonly #process = randomBytes(9).toString('base64url');
  #count = 0;
  #files = 0;

  /** null: it is unknown by now. */
  find(path: FolderPath, token: string, key: string): T | null {
    const listing = this.#byPath.get(path);
    return listing !== undefined && listing.token === token && listing.key === key ? listing.names : null;
  }

  /** The token; null when the folder is too large to be remembered. */
  keep(path: FolderPath, names: T, files: number, key: string): string | null {
    this.forget(path);
    if (files > LISTED_FILES_MAX) return null;
    this.#count += 1;
    const token = `${this.#process}.${this.#count}`;
    this.#byPath.set(path, { token, names, files, key });
    this.#files += files;
    for (const oldest of this.#byPath.keys()) {
      if (this.#files <= LISTED_FILES_MAX) break;
      this.forget(oldest);
    }
    return token;
  }

  forget(path: FolderPath): void {
    this.#files -= this.#byPath.get(path)?.files ?? 0;
    this.#byPath.delete(path);
  }
}

export interface Difference {
  /** New, or elsewhere than before. */
  readonly present: string[];
  readonly gone: string[];
}

/** `always`: names that are told of whether they changed or not. */
export function differenceOf(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>, always: readonly string[]): Difference {
  const present: string[] = [];
  const gone: string[] = [];
  let kept = 0;
  const asked = new Set(always);
  for (const [name, file] of now) {
    const known = before.get(name);
    if (known !== undefined) kept += 1;
    if (known !== file) {
      present.push(name);
      asked.delete(name);
    }
  }
  if (kept < before.size)
    for (const name of before.keys())
      if (!now.has(name)) {
        gone.push(name);
        asked.delete(name);
      }
  for (const name of asked) (now.has(name) ? present : gone).push(name);
  return { present, gone };
}
