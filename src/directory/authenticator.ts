/**
 * Who may log in. Every wrong answer looks and lasts the same, whether the user exists or not; the login guard slows
 * and locks; old hashes are renewed on the way.
 */
import { randomBytes } from 'node:crypto';
import type { Account, Announcements, AuthContext, Authenticator, AuthOutcome, Connection, SaslExchange, StoreReader, StoreWriter } from '../ports.ts';
import { isAscii } from './address.ts';
import { Admission, type AdmissionParts, countedName, LOGIN_OCTETS_MAX } from './admission.ts';
import { type Credential, covers, credentialsOf, scopeOf } from './credentials.ts';
import { argon2Parameters, hashPassword, needsRehash, PASSWORD_OCTETS_MAX, verifyPassword } from './password.ts';
import { Proofs } from './proofs.ts';
import { loginExchange, plainExchange } from './sasl/plain.ts';
import { saslprep } from './sasl/saslprep.ts';
import { CHANNEL_BINDINGS, type ScramCallbacks, scramExchange, type ScramUser } from './sasl/scram.ts';
import { hmac, parseScramSecret, SCRAM_SALT_OCTETS, type ScramHash, type ScramSecret, scramSecret } from './sasl/scram-secret.ts';
import { loadSecret } from './secret.ts';
import type { DirectorySettings } from './settings.ts';
import type { PasswordTrial } from './sources/types.ts';
import { VerifiedPasswords } from './verified.ts';

export interface AuthenticatorParts extends AdmissionParts {
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  /** Tells when credentials may have changed. */
  readonly announcements: Announcements;
  /** The same bytes in every thread and at every start; when not given, those of loadSecret(dataDir). `sources` are asked after our own credentials. */
  readonly secret?: Uint8Array;
}

/** While users are added by the thousand, credentials are not looked through after each. */
const SCRAM_CHECK_INTERVAL_MS = 5_000;

/** `credential` null: the password is kept elsewhere. */
type Attempt = { kind: 'ok'; account: Account; credential: Credential | null; password: string } | { kind: 'wrong' };

/** The bytes of a channel binding (RFC 5802 section 6), null when there are none. */
function bindingOf(connection: Connection, type: string): Uint8Array | null {
  const { tls } = connection;
  return (type === 'tls-exporter' ? tls?.exporter() : type === 'tls-server-end-point' ? tls?.endPoint?.() : null) ?? null;
}

interface ScramName {
  readonly hash: ScramHash;
  readonly isPlus: boolean;
}
const SCRAM_NAMES: ReadonlyMap<string, ScramName> = new Map([
  ['SCRAM-SHA-256-PLUS', { hash: 'SHA-256', isPlus: true }],
  ['SCRAM-SHA-1-PLUS', { hash: 'SHA-1', isPlus: true }],
  ['SCRAM-SHA-256', { hash: 'SHA-256', isPlus: false }],
  ['SCRAM-SHA-1', { hash: 'SHA-1', isPlus: false }],
]);

class EmbeddedAuthenticator implements Authenticator {
  readonly #parts: AuthenticatorParts;
  readonly #admission: Admission;
  readonly #proofs: Proofs;
  readonly #verified = new VerifiedPasswords();
  /** Checks under way by mark: fifty connections of one client at once hash its password once. */
  readonly #pending = new Map<string, Promise<boolean>>();
  #pendingCount = 0;
  readonly #renewing = new Set<number>();
  /** A hash nobody's password fits, made with the parameters now in force. */
  #dummy: { key: string; hash: Promise<string> } | null = null;
  readonly #secret: Uint8Array;
  #isScramStale = true;
  #scramCheckedAt = Number.NEGATIVE_INFINITY;
  /** Hashes of which every credential has a secret. */
  #scramHashes: ReadonlySet<ScramHash> = new Set();
  /** The stored form that a table gave last: the check of a name that nobody has there costs as much. */
  #tableForm: string | null = null;

  constructor(parts: AuthenticatorParts) {
    this.#parts = parts;
    this.#secret = parts.secret ?? loadSecret(parts.settings().dataDir ?? '.');
    this.#admission = new Admission(parts, this.#secret);
    this.#proofs = new Proofs(parts, this.#admission);
    parts.announcements.on('directory', () => {
      this.#isScramStale = true;
    });
  }

  mechanisms(connection: Connection): readonly string[] {
    const settings = this.#parts.settings();
    if (connection.tls === null && !(connection.isLoopback && settings['auth.plainOnLoopback'])) return [];
    // Before TLS 1.3 there is the server's certificate to bind to, but most clients could not: that is taken, not announced.
    let isPlusNamed: boolean | null = null;
    const namesPlus = (): boolean =>
      (isPlusNamed ??= settings['auth.plusAnnounced'].includes(scopeOf(connection.protocol)) && bindingOf(connection, 'tls-exporter') !== null);
    return settings['auth.mechanisms'].filter((name) => {
      if (name === 'PLAIN' || name === 'LOGIN') return true;
      const scram = SCRAM_NAMES.get(name);
      if (scram === undefined) return this.#proofs.isPossible(name, connection, settings);
      return this.#scramPossible(scram.hash, settings) && (!scram.isPlus || namesPlus());
    });
  }

  /** A client that finds SCRAM uses it and asks no further, so it is offered only when it can work for everybody. */
  #scramPossible(hash: ScramHash, settings: DirectorySettings): boolean {
    if (!settings['auth.scram'] || this.#parts.sources?.isActive() === true) return false;
    const now = this.#parts.now();
    if (this.#isScramStale && now - this.#scramCheckedAt >= SCRAM_CHECK_INTERVAL_MS) {
      this.#isScramStale = false;
      this.#scramCheckedAt = now;
      const everyHas = (form: ScramHash): boolean =>
        this.#parts.reader.rows('SELECT 1 FROM credential WHERE scram IS NULL OR instr(scram, ?)=0 LIMIT 1', `SCRAM-${form}$`).length === 0;
      this.#scramHashes = new Set((['SHA-256', 'SHA-1'] as const).filter(everyHas));
    }
    return this.#scramHashes.has(hash);
  }

  async password(login: string, password: string, context: AuthContext): Promise<AuthOutcome> {
    return this.#login('', login, password, context, 'password');
  }

  sasl(mechanism: string, connection: Connection, context: AuthContext): SaslExchange | null {
    const offered = this.mechanisms(connection);
    const name = mechanism.toUpperCase();
    const scram = SCRAM_NAMES.get(name);
    if (!offered.includes(name) && !(scram !== undefined && this.#takesUnannounced(name, scram, offered, connection))) return null;
    const verify = (authzid: string, login: string, password: string): Promise<AuthOutcome> => this.#login(authzid, login, password, context, name);
    if (name === 'PLAIN') return plainExchange(verify);
    if (name === 'LOGIN') return loginExchange(verify);
    if (scram === undefined) return this.#proofs.exchange(name, connection, context);
    const { hash, isPlus } = scram;
    const channel = { isPlus, hash, isPlusOffered: offered.includes(`SCRAM-${hash}-PLUS`), binding: (type: string) => bindingOf(connection, type) };
    return scramExchange(channel, this.#scramCallbacks(context, name, hash));
  }

  /** -PLUS is taken from any client that asks for it, announced or not. */
  #takesUnannounced(name: string, scram: ScramName, offered: readonly string[], connection: Connection): boolean {
    if (!scram.isPlus || !this.#parts.settings()['auth.mechanisms'].includes(name) || !offered.includes(`SCRAM-${scram.hash}`)) return false;
    return CHANNEL_BINDINGS.some((type) => bindingOf(connection, type) !== null);
  }

  // ── Passwords ──────────────────────────────────────────────────────────────────────────────────────

  async #login(authzid: string, login: string, password: string, context: AuthContext, method: string): Promise<AuthOutcome> {
    const settings = this.#parts.settings();
    const name = countedName(login);
    const locked = this.#admission.locked(name, context, method);
    if (locked !== null) return locked;
    let attempt: Attempt;
    try {
      attempt = await this.#attempt(login, password, context, settings);
    } catch (cause) {
      return this.#admission.unavailable(name, cause, context);
    }
    if (attempt.kind === 'wrong') return this.#admission.refuse(name, this.#admission.fingerprint(password), 'wrong name or password', context, method);
    const reason = this.#admission.whyNot(attempt.account, authzid, name);
    if (reason !== null) return this.#admission.refuse(name, '', reason, context, method);
    if (attempt.credential !== null) this.#renew(attempt.credential, attempt.password, attempt.account, settings);
    return this.#admission.admit(name, attempt.account, attempt.credential, context, method);
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

  /** Turns an old or weak hash into a new one, and adds the SCRAM secrets that were missing. Nobody waits for it. */
  #renew(credential: Credential, password: string, account: Account, settings: DirectorySettings): void {
    if (this.#renewing.has(credential.id)) return;
    const parameters = argon2Parameters(settings);
    // App passwords are our own: long, and hashed as they should be.
    const isHashOld = credential.kind === 'password' && needsRehash(credential.hash, parameters);
    const missing = scramHashesOf(settings).filter((hash) => parseScramSecret(credential.scram, hash) === null);
    const isScramMissing = missing.length > 0 && saslprep(password, true) !== null;
    if (!isHashOld && !isScramMissing) return;
    this.#renewing.add(credential.id);
    const renew = async (): Promise<void> => {
      const hash = isHashOld ? await hashPassword(saslprep(password) ?? password, parameters) : credential.hash;
      const scram = isScramMissing ? await this.#missingSecrets(credential, account, password, missing, settings) : credential.scram;
      await this.#parts.writer.run('credential.rehash', { id: credential.id, oldHash: credential.hash, hash, scram });
      this.#parts.log.info('auth.rehashed', { account: account.login });
    };
    renew()
      .catch((cause) => this.#parts.log.warn('auth.rehash.failed', { account: account.login, cause: String(cause) }))
      .finally(() => this.#renewing.delete(credential.id));
  }

  /** What is stored stays, with the salt that clients may have kept the keys for; what is missing is made with the same. */
  async #missingSecrets(
    credential: Credential,
    account: Account,
    password: string,
    missing: readonly ScramHash[],
    settings: DirectorySettings,
  ): Promise<string | null> {
    const present = anyScramSecret(credential.scram);
    if (present === null) return scramSecretFor(this.#parts.reader, account.id, credential.kind, password, settings);
    const added = await scramSecret(password, present.iterations, present.salt, missing);
    return added === null ? credential.scram : `${credential.scram} ${added}`;
  }

  // ── SCRAM ──────────────────────────────────────────────────────────────────────────────────────────

  #scramCallbacks(context: AuthContext, method: string, hash: ScramHash): ScramCallbacks {
    const settings = this.#parts.settings();
    let name = '';
    let authzid = '';
    let account: Account | null = null;
    let credentials: Credential[] = [];
    let locked: AuthOutcome | null = null;
    return {
      begin: (login, actAs) => {
        name = countedName(login);
        authzid = actAs;
        locked = this.#admission.locked(name, context, method);
        if (locked !== null) return null;
        account = Buffer.byteLength(login) > LOGIN_OCTETS_MAX ? null : this.#parts.directory.accountByLogin(login);
        credentials = account === null ? [] : credentialsOf(this.#parts.reader, account.id);
        return this.#scramUser(name, credentials, context, settings, hash);
      },
      finish: async (credentialId) => {
        const credential = credentials.find((candidate) => candidate.id === credentialId);
        if (account === null || credential === undefined) return this.#admission.refuse(name, '', 'wrong name or password', context, method);
        const reason = this.#admission.whyNot(account, authzid, name);
        if (reason !== null) return this.#admission.refuse(name, '', reason, context, method);
        return this.#admission.admit(name, account, credential, context, method);
      },
      refuse: async () => locked ?? this.#admission.refuse(name, '', 'channel binding was taken out of the offer', context, method),
    };
  }

  /** The salt of the account's main password and every secret made with it. Users who do not exist have a salt of the same look that stays the same. */
  #scramUser(name: string, credentials: readonly Credential[], context: AuthContext, settings: DirectorySettings, hash: ScramHash): ScramUser {
    const main = parseScramSecret(credentials.find((credential) => credential.kind === 'password')?.scram ?? null, hash);
    if (main === null) {
      const salt = hmac(this.#secret, 'scram-salt ' + name).subarray(0, SCRAM_SALT_OCTETS);
      return { salt, iterations: settings['auth.scramIterations'], secrets: [] };
    }
    const secrets: { id: number; secret: ScramSecret }[] = [];
    for (const credential of credentials) {
      const secret = covers(credential, context.protocol) ? parseScramSecret(credential.scram, hash) : null;
      if (secret !== null && secret.iterations === main.iterations && secret.salt.equals(main.salt)) secrets.push({ id: credential.id, secret });
    }
    return { salt: main.salt, iterations: main.iterations, secrets };
  }
}

/**
 * The SCRAM secrets for a new credential of an account (0 for one yet to be made); null when SCRAM is off or cannot be had for this password.
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
  const hashes = scramHashesOf(settings);
  if (hashes.length === 0) return null;
  const others = accountId === 0 ? [] : credentialsOf(reader, accountId).filter((other) => kind === 'app' || other.kind === 'app');
  for (const { scram } of others) {
    const shared = anyScramSecret(scram);
    if (shared !== null) return scramSecret(password, shared.iterations, shared.salt, hashes);
  }
  return scramSecret(password, settings['auth.scramIterations'], undefined, hashes);
}

const anyScramSecret = (stored: string | null): ScramSecret | null => parseScramSecret(stored) ?? parseScramSecret(stored, 'SHA-1');

/** Which secrets are kept: that of SHA-1 only for those who offer it. */
function scramHashesOf(settings: DirectorySettings): ScramHash[] {
  if (!settings['auth.scram']) return [];
  return settings['auth.mechanisms'].some((name) => SCRAM_NAMES.get(name)?.hash === 'SHA-1') ? ['SHA-256', 'SHA-1'] : ['SHA-256'];
}

/** The authenticator over the directory's own credentials. */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  return new EmbeddedAuthenticator(parts);
}
