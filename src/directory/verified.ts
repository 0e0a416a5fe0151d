/**
 * Passwords known to be right: what makes the second login of a client that connects every minute cost microseconds.
 * Neither passwords nor hashes are kept, only an HMAC over both under a key of this thread; a changed hash no longer matches.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { BoundedMap } from './bounded.ts';

interface Entry {
  readonly mark: string;
  readonly until: number;
}

export class VerifiedPasswords {
  readonly #key = randomBytes(32);
  readonly #entries = new BoundedMap<number | string, Entry>();

  /** What stands for a password that fits a stored hash; also a key for two checks of the same at the same time. */
  mark(stored: string, password: string): string {
    return createHmac('sha256', this.#key).update(stored).update('\0').update(password).digest('base64');
  }

  /** True when `mark` was remembered for this credential (by id, or the key of one that is kept elsewhere) and is not too old. */
  has(credentialId: number | string, mark: string, now: number): boolean {
    const entry = this.#entries.get(credentialId);
    return entry !== undefined && entry.until > now && entry.mark === mark;
  }

  remember(credentialId: number | string, mark: string, until: number, entriesMax: number): void {
    this.#entries.set(credentialId, { mark, until }, entriesMax);
  }
}
