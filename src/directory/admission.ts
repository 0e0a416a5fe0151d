/** What becomes of an attempt, whatever was shown: locked, refused after a delay, or admitted; counted, logged, and noted on the credential. */
import { createHash } from 'node:crypto';
import type { Account, AuthContext, AuthOutcome, Directory, Log, Metrics, StoreWriter } from '../ports.ts';
import { foldLocal } from './address.ts';
import type { Credential } from './credentials.ts';
import { LoginGuard } from './guard.ts';
import { PASSWORD_OCTETS_MAX } from './password.ts';
import type { DirectorySettings } from './settings.ts';
import type { AccountSources } from './sources/types.ts';

export interface AdmissionParts {
  readonly directory: Directory;
  readonly writer: Pick<StoreWriter, 'run'>;
  settings(): DirectorySettings;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Milliseconds; does not step back. */
  now(): number;
  readonly sources?: AccountSources;
  /** Waits before a refusal is given; tests hand in their own. */
  delay?(ms: number): Promise<void>;
}

export const REFUSED: AuthOutcome = { kind: 'refused' };
/** Longer names are nobody's (RFC 5321 section 4.5.3.1: 64 + 1 + 255). */
export const LOGIN_OCTETS_MAX = 320;
/** `used_at` is for people: hourly is enough, and a login need not cost a write. */
const USED_INTERVAL_MS = 3_600_000;
const USED_ENTRIES_MAX = 10_000;

/** The form in which names are compared and counted. */
export function countedName(login: string): string {
  return foldLocal(login.slice(0, LOGIN_OCTETS_MAX));
}

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #secret: Uint8Array;
  readonly #guard = new LoginGuard();
  readonly #usedNotedAt = new Map<number, number>();

  /** `secret`: the same bytes in every thread and at every start. */
  constructor(parts: AdmissionParts, secret: Uint8Array) {
    this.#parts = parts;
    this.#secret = secret;
  }

  /** What stands for a wrong password or token in the guard's memory. */
  fingerprint(secret: string): string {
    return createHash('sha256').update(this.#secret).update(secret.slice(0, PASSWORD_OCTETS_MAX)).digest('base64');
  }

  /** Why what was right does not open this account, or null. One acts as oneself, by whichever of one's addresses. */
  whyNot(account: Account, authzid: string, name: string): string | null {
    if (account.isDisabled) return 'account is disabled';
    if (authzid !== '' && foldLocal(authzid) !== name && this.#parts.directory.accountByLogin(authzid)?.id !== account.id) return 'may not act as another user';
    return null;
  }

  /** One allowance for an account, by whichever of its names it is tried; none for those who give no name. */
  #guardKey(name: string): string {
    if (name === '') return '';
    return this.#parts.directory.accountByLogin(name)?.login ?? this.#parts.sources?.nameOf(name) ?? name;
  }

  /** Null: an attempt may be made. */
  locked(name: string, context: AuthContext, method: string): AuthOutcome | null {
    const retryAfterMs = this.#guard.lockedFor(this.#guardKey(name), context.client.ip, this.#parts.now(), this.#parts.settings());
    if (retryAfterMs === 0) return null;
    this.#parts.metrics.count('auth.refused', 1, context.protocol);
    this.#logRefusal(name, 'locked after too many failures', context, method);
    return { kind: 'locked', retryAfterMs };
  }

  unavailable(name: string, cause: unknown, context: AuthContext): AuthOutcome {
    this.#parts.log.error('auth.unavailable', { session: context.session, protocol: context.protocol, login: name, cause: String(cause) });
    return { kind: 'unavailable', cause };
  }

  /** `fingerprint`: "" when the mechanism shows none. Resolves after the guard's delay. */
  async refuse(name: string, fingerprint: string, reason: string, context: AuthContext, method: string): Promise<AuthOutcome> {
    const waitMs = this.#guard.failed(this.#guardKey(name), context.client.ip, fingerprint, this.#parts.now(), this.#parts.settings());
    this.#parts.metrics.count('auth.refused', 1, context.protocol);
    this.#logRefusal(name, reason, context, method);
    if (waitMs > 0) await (this.#parts.delay ?? sleep)(waitMs);
    return REFUSED;
  }

  #logRefusal(login: string, reason: string, context: AuthContext, method: string): void {
    this.#parts.log.warn('auth.refused', { session: context.session, protocol: context.protocol, client: context.client.ip, login, method, reason });
  }

  /** `name` "": nobody in particular. `credential` null: what was shown is kept elsewhere. `more` goes to the log. */
  admit(
    name: string,
    account: Account,
    credential: Credential | null,
    context: AuthContext,
    method: string,
    more: Readonly<Record<string, string>> = {},
  ): AuthOutcome {
    const { log, metrics, now, writer } = this.#parts;
    if (name !== '') this.#guard.succeeded(this.#guardKey(name), context.client.ip);
    metrics.count('auth.ok', 1, context.protocol);
    log.info('auth.ok', {
      session: context.session,
      protocol: context.protocol,
      client: context.client.ip,
      account: account.login,
      method,
      ...(credential?.kind === 'app' ? { credential: credential.id } : {}),
      ...more,
    });
    if (credential === null) return { kind: 'ok', account };
    const at = now();
    const notedAt = Math.max(credential.usedAt ?? 0, this.#usedNotedAt.get(credential.id) ?? 0);
    if (at - notedAt >= USED_INTERVAL_MS) {
      if (this.#usedNotedAt.size >= USED_ENTRIES_MAX) this.#usedNotedAt.clear();
      this.#usedNotedAt.set(credential.id, at);
      writer
        .run('credential.used', { id: credential.id, at, from: context.client.ip })
        .catch((cause) => log.debug('auth.used.unsaved', { account: account.login, cause: String(cause) }));
    }
    return { kind: 'ok', account, credentialId: credential.id };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
