/**
 * Logins without a password: tokens of an authorization server, certificates of clients, nobody in particular. Whoever vouches names an
 * account by its own login, never by an alias: an alias that leads to Anna may be the address of a colleague who has left.
 */
import type { Account, AuthContext, AuthOutcome, Connection, SaslExchange } from '../ports.ts';
import { canonicalAddress } from './address.ts';
import { type Admission, type AdmissionParts, countedName, REFUSED } from './admission.ts';
import { scopeOf } from './credentials.ts';
import { checksTokens } from './oauth/settings.ts';
import { TokenChecker } from './oauth/tokens.ts';
import { anonymousExchange } from './sasl/anonymous.ts';
import { type BearerAnswer, bearerExchange, type BearerMessage } from './sasl/bearer.ts';
import { externalExchange } from './sasl/external.ts';
import type { DirectorySettings } from './settings.ts';

/** A certificate with more names than that is not somebody's own. */
const CERTIFICATE_NAMES_MAX = 20;

export class Proofs {
  readonly #parts: AdmissionParts;
  readonly #admission: Admission;
  readonly #tokens: TokenChecker;

  constructor(parts: AdmissionParts, admission: Admission) {
    this.#parts = parts;
    this.#admission = admission;
    this.#tokens = new TokenChecker(() => parts.now());
  }

  /** Whether a mechanism of these can work on this connection. */
  isPossible(mechanism: string, connection: Connection, settings: DirectorySettings): boolean {
    if (mechanism === 'OAUTHBEARER' || mechanism === 'XOAUTH2') return checksTokens(settings);
    if (mechanism === 'ANONYMOUS') return this.#anonymousAccount(connection.protocol, settings) !== null;
    return this.#certifiedNames(connection, settings).some(
      (name) => this.#parts.sources?.isActive() === true || this.#known(name, settings)?.isDisabled === false,
    );
  }

  exchange(mechanism: string, connection: Connection, context: AuthContext): SaslExchange {
    if (mechanism === 'ANONYMOUS') return anonymousExchange((trace) => this.#anonymous(trace, context));
    if (mechanism === 'EXTERNAL') return externalExchange((authzid) => this.#external(authzid, connection, context));
    const name = mechanism === 'XOAUTH2' ? 'XOAUTH2' : 'OAUTHBEARER';
    return bearerExchange(name, {
      verify: (message) => this.#bearer(message, context, name),
      hints: () => {
        const settings = this.#parts.settings();
        return { scope: settings['oauth.scopes'].join(' '), configuration: settings['oauth.configuration'] };
      },
    });
  }

  /** The account whose own login this is, in our tables already. */
  #known(name: string, settings: DirectorySettings): Account | null {
    const login = canonicalAddress(name.includes('@') ? name : `${name}@${settings['auth.defaultDomain'] || (settings.domain ?? '')}`);
    const account = login === null ? null : this.#parts.directory.accountByLogin(login);
    return account?.login === login ? account : null;
  }

  /** The account of a name that others vouch for. Rejects when a table cannot tell. */
  async #accountOf(name: string): Promise<Account | null> {
    const { sources } = this.#parts;
    const known = this.#known(name, this.#parts.settings());
    if (known === null) return (await sources?.find(name)) ?? null;
    // In the tables of old, but not there any more.
    return sources === undefined || (await sources.vouches(known)) ? known : null;
  }

  // ── Tokens ──

  async #bearer(message: BearerMessage, context: AuthContext, method: string): Promise<BearerAnswer> {
    const { user, token } = message;
    const refused = (outcome: AuthOutcome, reason: BearerAnswer['reason'] = 'invalid_token'): BearerAnswer => ({ outcome, reason });
    // A program that wants to know where tokens are to be had has not failed yet (RFC 7628 section 4.3).
    if (token === '') return refused(REFUSED);
    const asked = countedName(user);
    const locked = this.#admission.locked(asked, context, method);
    if (locked !== null) return refused(locked);
    const settings = this.#parts.settings();
    try {
      const answer = await this.#tokens.check(token, settings, settings['auth.cacheEntries']);
      const fingerprint = this.#admission.fingerprint(token);
      if (answer.kind === 'bad') return refused(await this.#admission.refuse(asked, fingerprint, `token: ${answer.why}`, context, method), answer.reason);
      const name = countedName(answer.user);
      const account = await this.#accountOf(answer.user);
      const reason = account === null ? 'the user of the token has no account' : this.#admission.whyNot(account, user, name);
      if (account === null || reason !== null) return refused(await this.#admission.refuse(asked || name, fingerprint, reason ?? '', context, method));
      return refused(this.#admission.admit(account.login, account, null, context, method));
    } catch (cause) {
      return refused(this.#admission.unavailable(asked, cause, context));
    }
  }

  // ── Certificates ──

  /**
   * Names in a certificate that an authority of the administrator's own has signed. The usual authorities do not count: what they attest is
   * that somebody once read mail for an address.
   */
  #certifiedNames(connection: Connection, settings: DirectorySettings): readonly string[] {
    const certificate = connection.tls?.certificate ?? null;
    if (certificate === null || !certificate.isTrusted || (settings['tls.clientCaFile'] ?? '') === '') return [];
    return (certificate.names ?? []).slice(0, CERTIFICATE_NAMES_MAX);
  }

  async #external(authzid: string, connection: Connection, context: AuthContext): Promise<AuthOutcome> {
    const names = this.#certifiedNames(connection, this.#parts.settings());
    const asked = countedName(authzid || (names[0] ?? ''));
    const locked = this.#admission.locked(asked, context, 'EXTERNAL');
    if (locked !== null) return locked;
    let reason = 'nobody named in the certificate has an account';
    try {
      for (const name of names) {
        const account = await this.#accountOf(name);
        if (account === null) continue;
        const why = this.#admission.whyNot(account, authzid, countedName(name));
        if (why === null) return this.#admission.admit(account.login, account, null, context, 'EXTERNAL');
        reason = why;
      }
    } catch (cause) {
      return this.#admission.unavailable(asked, cause, context);
    }
    return this.#admission.refuse(asked, '', reason, context, 'EXTERNAL');
  }

  // ── Anybody ──

  /** Reading only by its protocols: not where mail is sent, nor where filters are written. */
  #anonymousAccount(protocol: Connection['protocol'], settings: DirectorySettings): Account | null {
    const scope = scopeOf(protocol);
    if (settings['auth.anonymousAccount'] === '' || (scope !== 'imap' && scope !== 'pop3')) return null;
    const account = this.#known(settings['auth.anonymousAccount'], settings);
    return account === null || account.isDisabled ? null : account;
  }

  async #anonymous(trace: string, context: AuthContext): Promise<AuthOutcome> {
    const account = this.#anonymousAccount(context.protocol, this.#parts.settings());
    const locked = this.#admission.locked('', context, 'ANONYMOUS');
    if (locked !== null) return locked;
    if (account === null) return this.#admission.refuse('', '', 'there is no account for anybody', context, 'ANONYMOUS');
    const visitor: Account = { ...account, visitorRights: this.#parts.settings()['auth.anonymousRights'] };
    // In nobody's name: it must not clear the failures of who guesses the account's password.
    return this.#admission.admit('', visitor, null, context, 'ANONYMOUS', trace === '' ? {} : { trace });
  }
}
