/**
 * Who may log in. Every wrong answer looks and lasts the same, whether the user exists or not; the login guard slows
 * and locks; old hashes are renewed on the way.
 */
import { createHash, randomBytes } from 'node:crypto';
import type {
  Account,
  Announcements,
  AuthContext,
  Authenticator,
  AuthOutcome,
  Connection,
  Directory,
  Log,
  Metrics,
  SaslExchange,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import { foldLocal, isAscii } from './address.ts';
import { type Credential, covers, credentialsOf, scopeOf } from './credentials.ts';
import { LoginGuard } from './guard.ts';
import { argon2Parameters, hashPassword, needsRehash, PASSWORD_OCTETS_MAX, verifyPassword } from './password.ts';
import { loginExchange, plainExchange } from './sasl/plain.ts';
import { saslprep } from './sasl/saslprep.ts';
import { type ScramCallbacks, scramExchange, type ScramUser } from './sasl/scram.ts';
import { hmac, parseScramSecret, SCRAM_SALT_OCTETS, scramSecret } from './sasl/scram-secret.ts';
import { loadSecret } from './secret.ts';
import type { DirectorySettings } from './settings.ts';
import type { AccountSources, PasswordTrial } from './sources/types.ts';
import { VerifiedPasswords } from './verified.ts';

export interface AuthenticatorParts {
  readonly directory: Directory;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  settings(): DirectorySettings;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Milliseconds; does not step back. */
  now(): number;
  /** Tells when credentials may have changed. */
  readonly announcements: Announcements;
  /** The same bytes in every thread and at every start; when not given, those of loadSecret(dataDir). */
  readonly secret?: Uint8Array;
  /** Passwords that others know; asked after our own. */
  readonly sources?: AccountSources;
  /** Waits before a refusal is given; tests hand in their own. */
  delay?(ms: number): Promise<void>;
}

const REFUSED: AuthOutcome = { kind: 'refused' };
/** `used_at` is for people: hourly is enough, and a login need not cost a write. */
const USED_INTERVAL_MS = 3_600_000;
/** Longer names are nobody's (RFC 5321 section 4.5.3.1: 64 + 1 + 255). */
const LOGIN_OCTETS_MAX = 320;
/** While users are added by the thousand, credentials are not looked through after each. */
const SCRAM_CHECK_INTERVAL_MS = 5_000;

/** `credential` null: the password is kept elsewhere. */
type Attempt = { kind: 'ok'; account: Account; credential: Credential | null; password: string } | { kind: 'wrong' };

function canBind(connection: Connection): boolean {
  return connection.tls !== null && connection.tls.exporter() !== null;
}

class EmbeddedAuthenticator implements Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #guard = new LoginGuard();
  readonly #verified = new VerifiedPasswords();
  /** Checks under way by mark: fifty connections of one client at once hash its password once. */
  readonly #pending = new Map<string, Promise<boolean>>();
  #pendingCount = 0;
  readonly #renewing = new Set<number>();
  readonly #usedNotedAt = new Map<number, number>();
  /** A hash nobody's password fits, made with the parameters now in force. */
  #dummy: { key: string; hash: Promise<string> } | null = null;
  readonly #secret: Uint8Array;
  #isScramStale = true;
  #scramCheckedAt = Number.NEGATIVE_INFINITY;
  #isScramPossible = false;
  /** The stored form that a table gave last: the check of a name that nobody has there costs as much. */
  #tableForm: string | null = null;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.#secret = parts.secret ?? loadSecret(parts.settings().dataDir ?? '.');
    parts.announcements.on('directory', () => {
      this.#isScramStale = true;
    });
  }

  mechanisms(connection: Connection): readonly string[] {
    const settings = this.#parts.settings();
    if (connection.tls === null && !(connection.isLoopback && settings['auth.plainOnLoopback'])) return [];
    const isScramPossible = this.#scramPossible(settings);
    return settings['auth.mechanisms'].filter((name) => {
      if (name === 'SCRAM-SHA-256-PLUS') return isScramPossible && canBind(connection) && settings['auth.plusAnnounced'].includes(scopeOf(connection.protocol));
      return name === 'SCRAM-SHA-256' ? isScramPossible : true;
    });
  }

  /** A client that finds SCRAM uses it and asks no further, so it is offered only when it can work for everybody. */
  #scramPossible(settings: DirectorySettings): boolean {
    if (!settings['auth.scram'] || this.#parts.sources?.isActive() === true) return false;
    const now = this.#parts.now();
    if (this.#isScramStale && now - this.#scramCheckedAt >= SCRAM_CHECK_INTERVAL_MS) {
      this.#isScramStale = false;
      this.#scramCheckedAt = now;
      this.#isScramPossible = this.#parts.reader.rows('SELECT 1 FROM credential WHERE scram IS NULL LIMIT 1').length === 0;
    }
    return this.#isScramPossible;
  }

  async password(login: string, password: string, context: AuthContext): Promise<AuthOutcome> {
    return this.#login('', login, password, context, 'password');
  }

  sasl(mechanism: string, connection: Connection, context: AuthContext): SaslExchange | null {
    const offered = this.mechanisms(connection);
    const name = mechanism.toUpperCase();
    // -PLUS is taken from any client that asks for it, announced or not.
    const isPlusAsked =
      name === 'SCRAM-SHA-256-PLUS' && offered.includes('SCRAM-SHA-256') && canBind(connection) && this.#parts.settings()['auth.mechanisms'].includes(name);
    if (!offered.includes(name) && !isPlusAsked) return null;
    const verify = (authzid: string, login: string, password: string): Promise<AuthOutcome> => this.#login(authzid, login, password, context, name);
    if (name === 'PLAIN') return plainExchange(verify);
    if (name === 'LOGIN') return loginExchange(verify);
    const channel = {
      isPlus: name === 'SCRAM-SHA-256-PLUS',
      isPlusOffered: offered.includes('SCRAM-SHA-256-PLUS'),
      binding: () => connection.tls?.exporter() ?? null,
    };
    return scramExchange(channel, this.#scramCallbacks(context, name));
  }

  // ── Passwords ──────────────────────────────────────────────────────────────────────────────────────

  async #login(authzid: string, login: string, password: string, context: AuthContext, method: string): Promise<AuthOutcome> {
    const settings = this.#parts.settings();
    const name = foldLocal(login.slice(0, LOGIN_OCTETS_MAX));
    const locked = this.#lockedOutcome(name, context, method);
    if (locked !== null) return locked;
    let attempt: Attempt;
    try {
      attempt = await this.#attempt(login, password, context, settings);
    } catch (cause) {
      this.#parts.log.error('auth.unavailable', { session: context.session, protocol: context.protocol, login: name, cause: String(cause) });
      return { kind: 'unavailable', cause };
    }
    if (attempt.kind === 'wrong') return this.#refuse(name, this.#fingerprint(password), 'wrong name or password', context, method);
    const reason = this.#whyNot(attempt.account, authzid, name);
    if (reason !== null) return this.#refuse(name, '', reason, context, method);
    if (attempt.credential !== null) this.#renew(attempt.credential, attempt.password, attempt.account, settings);
    return this.#admit(name, attempt.account, attempt.credential, context, method);
  }

  /** Finds the credential that fits. An unknown name costs one hash of a dummy, like a wrong password. */
  async #attempt(login: string, password: string, context: AuthContext, settings: DirectorySettings): Promise<Attempt> {
    const isPossible = login !== '' && Buffer.byteLength(login) <= LOGIN_OCTETS_MAX && Buffer.byteLength(password) <= PASSWORD_OCTETS_MAX;
    const account = isPossible ? this.#parts.directory.accountByLogin(login) : null;
    const credentials = account === null ? [] : credentialsOf(this.#parts.reader, account.id);
    // Typed with another keyboard, the same password may come in another Unicode form; new hashes are of the prepared one.
    const prepared = isAscii(password) ? password : (saslprep(password) ?? password);
    const forms = prepared === password ? [password] : [prepared, password];
    let hasMainPassword = false;
    for (const credential of credentials) {
      if (credential.kind === 'password') hasMainPassword = true;
      if (!covers(credential, context.protocol)) continue;
      for (const form of forms) {
        if (!(await this.#fits(credential.id, credential.hash, form, settings))) continue;
        // An app password of somebody who is not there any more.
        if (credential.kind === 'app' && this.#parts.sources !== undefined && !(await this.#parts.sources.vouches(account!))) break;
        return { kind: 'ok', account: account!, credential, password: form };
      }
    }
    if (hasMainPassword) return { kind: 'wrong' };
    const { sources } = this.#parts;
    let dummy: string | null = null;
    if (sources !== undefined && isPossible && password !== '' && sources.isActive()) {
      const answer = await sources.check(login, this.#trial(forms, settings));
      if (answer.kind === 'unavailable') throw answer.cause;
      if (answer.kind === 'wrong') return { kind: 'wrong' };
      if (answer.kind === 'ok') {
        const found = this.#parts.directory.account(answer.accountId);
        if (found === null) throw new Error('the account was removed meanwhile');
        return { kind: 'ok', account: found, credential: null, password };
      }
      if (answer.isTabled) dummy = this.#tableForm;
    }
    dummy ??= await this.#dummyHash(settings);
    for (const form of forms) await this.#check(null, () => verifyPassword(dummy, isPossible ? form : ''));
    return { kind: 'wrong' };
  }

  /** What was typed, for those who know passwords that we do not. */
  #trial(forms: readonly string[], settings: DirectorySettings): PasswordTrial {
    return {
      fits: async (key, stored) => {
        this.#tableForm = stored;
        for (const form of forms) if (await this.#fits(key, stored, form, settings)) return true;
        return false;
      },
      asks: async (key, stamp, ask) => {
        for (const form of forms) if (await this.#remembered(key, stamp, form, settings, () => ask(form))) return true;
        return false;
      },
    };
  }

  #fits(key: number | string, stored: string, password: string, settings: DirectorySettings): Promise<boolean> {
    return this.#remembered(key, stored, password, settings, () => verifyPassword(stored, password));
  }

  /** What was right is known for a while, as long as `stored` (a hash, or what else changes with the password) is the same. */
  async #remembered(key: number | string, stored: string, password: string, settings: DirectorySettings, work: () => Promise<boolean>): Promise<boolean> {
    // Two users may have the same clear text, and what is asked under way is shared by mark.
    const mark = this.#verified.mark(typeof key === 'string' ? `${key}\0${stored}` : stored, password);
    const now = this.#parts.now();
    if (this.#verified.has(key, mark, now)) return true;
    const isRight = await this.#check(mark, work);
    if (isRight) this.#verified.remember(key, mark, now + settings['auth.cacheTime'], settings['auth.cacheTime'] === 0 ? 0 : settings['auth.cacheEntries']);
    return isRight;
  }

  /** Hashes, but never more than `auth.pendingMax` at a time. */
  #check(mark: string | null, work: () => Promise<boolean>): Promise<boolean> {
    const running = mark === null ? undefined : this.#pending.get(mark);
    if (running !== undefined) return running;
    if (this.#pendingCount >= this.#parts.settings()['auth.pendingMax']) return Promise.reject(new Error('too many logins are waiting'));
    this.#pendingCount += 1;
    const check = work().finally(() => {
      this.#pendingCount -= 1;
      if (mark !== null) this.#pending.delete(mark);
    });
    if (mark !== null) this.#pending.set(mark, check);
    return check;
  }

  #dummyHash(settings: DirectorySettings): Promise<string> {
    const parameters = argon2Parameters(settings);
    const key = `${parameters.memoryKiB},${parameters.passes},${parameters.lanes}`;
    if (this.#dummy?.key !== key) {
      const dummy = { key, hash: hashPassword(randomBytes(24).toString('base64'), parameters) };
      // A failure is the caller's to report, and the next login tries again.
      dummy.hash.catch(() => {
        if (this.#dummy === dummy) this.#dummy = null;
      });
      this.#dummy = dummy;
    }
    return this.#dummy.hash;
  }

  #fingerprint(password: string): string {
    return createHash('sha256').update(this.#secret).update(password.slice(0, PASSWORD_OCTETS_MAX)).digest('base64');
  }

  /** Turns an old or weak hash into a new one, and adds the SCRAM secret that was missing. Nobody waits for it. */
  #renew(credential: Credential, password: string, account: Account, settings: DirectorySettings): void {
    if (credential.kind !== 'password' || this.#renewing.has(credential.id)) return;
    const parameters = argon2Parameters(settings);
    const isHashOld = needsRehash(credential.hash, parameters);
    const isScramMissing = settings['auth.scram'] && credential.scram === null && saslprep(password, true) !== null;
    if (!isHashOld && !isScramMissing) return;
    this.#renewing.add(credential.id);
    const renew = async (): Promise<void> => {
      const hash = isHashOld ? await hashPassword(saslprep(password) ?? password, parameters) : credential.hash;
      const scram = (await scramSecretFor(this.#parts.reader, account.id, 'password', password, settings)) ?? credential.scram;
      await this.#parts.writer.run('credential.rehash', { id: credential.id, oldHash: credential.hash, hash, scram });
      this.#parts.log.info('auth.rehashed', { account: account.login });
    };
    renew()
      .catch((cause) => this.#parts.log.warn('auth.rehash.failed', { account: account.login, cause: String(cause) }))
      .finally(() => this.#renewing.delete(credential.id));
  }

  // ── SCRAM ──────────────────────────────────────────────────────────────────────────────────────────

  #scramCallbacks(context: AuthContext, method: string): ScramCallbacks {
    const settings = this.#parts.settings();
    let name = '';
    let authzid = '';
    let account: Account | null = null;
    let credentials: Credential[] = [];
    let locked: AuthOutcome | null = null;
    return {
      begin: (login, actAs) => {
        name = foldLocal(login.slice(0, LOGIN_OCTETS_MAX));
        authzid = actAs;
        locked = this.#lockedOutcome(name, context, method);
        if (locked !== null) return null;
        account = Buffer.byteLength(login) > LOGIN_OCTETS_MAX ? null : this.#parts.directory.accountByLogin(login);
        credentials = account === null ? [] : credentialsOf(this.#parts.reader, account.id);
        return this.#scramUser(name, credentials, context, settings);
      },
      finish: async (credentialId) => {
        const credential = credentials.find((candidate) => candidate.id === credentialId);
        if (account === null || credential === undefined) return this.#refuse(name, '', 'wrong name or password', context, method);
        const reason = this.#whyNot(account, authzid, name);
        return reason === null ? this.#admit(name, account, credential, context, method) : this.#refuse(name, '', reason, context, method);
      },
      refuse: async () => locked ?? this.#refuse(name, '', 'channel binding was taken out of the offer', context, method),
    };
  }

  /** The salt of the account's main password and every secret made with it. Users who do not exist have a salt of the same look that stays the same. */
  #scramUser(name: string, credentials: readonly Credential[], context: AuthContext, settings: DirectorySettings): ScramUser {
    const main = parseScramSecret(credentials.find((credential) => credential.kind === 'password')?.scram ?? null);
    if (main === null) {
      const salt = hmac(this.#secret, 'scram-salt ' + name).subarray(0, SCRAM_SALT_OCTETS);
      return { salt, iterations: settings['auth.scramIterations'], secrets: [] };
    }
    const secrets: { id: number; secret: NonNullable<ReturnType<typeof parseScramSecret>> }[] = [];
    for (const credential of credentials) {
      const secret = covers(credential, context.protocol) ? parseScramSecret(credential.scram) : null;
      if (secret !== null && secret.iterations === main.iterations && secret.salt.equals(main.salt)) secrets.push({ id: credential.id, secret });
    }
    return { salt: main.salt, iterations: main.iterations, secrets };
  }

  // ── Outcomes ───────────────────────────────────────────────────────────────────────────────────────

  /** Why a right password does not open this account, or null. To act as somebody else is not possible yet. */
  #whyNot(account: Account, authzid: string, name: string): string | null {
    if (account.isDisabled) return 'account is disabled';
    if (authzid !== '' && foldLocal(authzid) !== name && this.#parts.directory.accountByLogin(authzid)?.id !== account.id) return 'may not act as another user';
    return null;
  }

  /** One allowance for an account, by whichever of its names it is tried. */
  #guardKey(name: string): string {
    return this.#parts.directory.accountByLogin(name)?.login ?? this.#parts.sources?.nameOf(name) ?? name;
  }

  #lockedOutcome(name: string, context: AuthContext, method: string): AuthOutcome | null {
    const retryAfterMs = this.#guard.lockedFor(this.#guardKey(name), context.client.ip, this.#parts.now(), this.#parts.settings());
    if (retryAfterMs === 0) return null;
    this.#parts.metrics.count('auth.refused', 1, context.protocol);
    this.#logRefusal(name, 'locked after too many failures', context, method);
    return { kind: 'locked', retryAfterMs };
  }

  async #refuse(name: string, fingerprint: string, reason: string, context: AuthContext, method: string): Promise<AuthOutcome> {
    const waitMs = this.#guard.failed(this.#guardKey(name), context.client.ip, fingerprint, this.#parts.now(), this.#parts.settings());
    this.#parts.metrics.count('auth.refused', 1, context.protocol);
    this.#logRefusal(name, reason, context, method);
    if (waitMs > 0) await (this.#parts.delay ?? sleep)(waitMs);
    return REFUSED;
  }

  #logRefusal(login: string, reason: string, context: AuthContext, method: string): void {
    this.#parts.log.warn('auth.refused', { session: context.session, protocol: context.protocol, client: context.client.ip, login, method, reason });
  }

  #admit(name: string, account: Account, credential: Credential | null, context: AuthContext, method: string): AuthOutcome {
    const { log, metrics, now, writer } = this.#parts;
    this.#guard.succeeded(this.#guardKey(name), context.client.ip);
    metrics.count('auth.ok', 1, context.protocol);
    log.info('auth.ok', {
      session: context.session,
      protocol: context.protocol,
      client: context.client.ip,
      account: account.login,
      method,
      ...(credential?.kind === 'app' ? { credential: credential.id } : {}),
    });
    if (credential === null) return { kind: 'ok', account };
    const at = now();
    const notedAt = Math.max(credential.usedAt ?? 0, this.#usedNotedAt.get(credential.id) ?? 0);
    if (at - notedAt >= USED_INTERVAL_MS) {
      if (this.#usedNotedAt.size >= 10_000) this.#usedNotedAt.clear();
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

/**
 * The SCRAM secret for a new credential of an account (0 for one yet to be made); null when SCRAM is off or cannot be had for this password.
 * A server must name the salt before it knows which password the client holds, so an app password is made with the salt and
 * iterations of the account's other credentials, and a new main password with those of its app passwords.
 */
export async function scramSecretFor(
  reader: StoreReader,
  accountId: number,
  kind: Credential['kind'],
  password: string,
  settings: DirectorySettings,
): Promise<string | null> {
  if (!settings['auth.scram']) return null;
  const others = accountId === 0 ? [] : credentialsOf(reader, accountId).filter((other) => kind === 'app' || other.kind === 'app');
  for (const { scram } of others) {
    const shared = parseScramSecret(scram);
    if (shared !== null) return scramSecret(password, shared.iterations, shared.salt);
  }
  return scramSecret(password, settings['auth.scramIterations']);
}

/** The authenticator over the directory's own credentials. */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  return new EmbeddedAuthenticator(parts);
}
