/** The issuer's public keys (RFC 7517): from a file that is looked at again when it changes, or from a URL, kept and asked for again in time. */
import { readFile, stat } from 'node:fs/promises';
import type { JSONWebKeySet } from 'jose';
import { type IssuerLink, IssuerError } from './http.ts';
import { ANSWER_BYTES_MAX, BACK_OFF_MS, BACK_OFF_MS_MAX, FILE_FRESH_MS, KEYS_AGAIN_MS, KEYS_FRESH_MS } from './limits.ts';

export interface KeySource {
  /** An https URL or a path. */
  readonly place: string;
  readonly timeoutMs: number;
}

export class IssuerKeys {
  readonly #link: IssuerLink;
  readonly #now: () => number;
  #place = '';
  #keys: JSONWebKeySet | null = null;
  #stamp = '';
  #askedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #failure: IssuerError | null = null;
  #pending: Promise<void> | null = null;

  constructor(link: IssuerLink, now: () => number) {
    this.#link = link;
    this.#now = now;
  }

  /**
   * The keys as known. `isMissing`: one was not among them, look again if that was not done just now. Rejects with IssuerError when there are
   * none, or when the one that is missing may be among those that cannot be had now.
   */
  async keys(source: KeySource, isMissing = false): Promise<JSONWebKeySet> {
    if (source.place !== this.#place) {
      this.#place = source.place;
      this.#keys = null;
      this.#stamp = '';
      this.#askedAt = Number.NEGATIVE_INFINITY;
      this.#failures = 0;
      this.#failure = null;
    }
    if (this.#isDue(isMissing)) await (this.#pending ??= this.#look(source).finally(() => (this.#pending = null)));
    if (this.#keys === null || (isMissing && this.#failure !== null)) throw this.#failure ?? new IssuerError('the keys are not there yet');
    return this.#keys;
  }

  #isDue(isMissing: boolean): boolean {
    const age = this.#now() - this.#askedAt;
    if (this.#failures > 0) return age >= Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS * 2 ** Math.min(20, this.#failures - 1));
    if (!this.#place.startsWith('http')) return age >= FILE_FRESH_MS || isMissing;
    return age >= (isMissing ? KEYS_AGAIN_MS : KEYS_FRESH_MS);
  }

  /** Never rejects: what was wrong is told by `keys` where it matters. */
  async #look(source: KeySource): Promise<void> {
    this.#askedAt = this.#now();
    try {
      this.#keys = /^https?:/i.test(source.place)
        ? keySet(await this.#link.ask({ url: source.place, timeoutMs: source.timeoutMs }))
        : await this.#fromFile(source.place);
      this.#failures = 0;
      this.#failure = null;
    } catch (cause) {
      this.#failures += 1;
      this.#failure = cause instanceof IssuerError ? cause : new IssuerError(`the keys in ${source.place} cannot be read: ${(cause as Error).message}`);
    }
  }

  async #fromFile(file: string): Promise<JSONWebKeySet> {
    const { mtimeMs, ctimeMs, ino, size } = await stat(file);
    if (size > ANSWER_BYTES_MAX) throw new Error('it is too large');
    const stamp = `${mtimeMs} ${ctimeMs} ${ino} ${size}`;
    if (stamp === this.#stamp && this.#keys !== null) return this.#keys;
    const keys = keySet(JSON.parse(await readFile(file, 'utf8')));
    this.#stamp = stamp;
    return keys;
  }
}

function keySet(value: unknown): JSONWebKeySet {
  const keys = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : null;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) throw new IssuerError('what should be a key set is none');
  return { keys } as JSONWebKeySet;
}
