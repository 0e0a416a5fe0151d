/**
 * Whose token this is: by its signature, or by asking the authorization server. What was good is remembered for a while, under an HMAC of the
 * token; that the server could not be asked is never a refusal.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { BoundedMap } from '../bounded.ts';
import { IssuerError, IssuerLink } from './http.ts';
import { IssuerKeys } from './keys.ts';
import { checksSignatures, type OAuthSettings } from './settings.ts';
import { type Claims, looksSigned, verifySigned } from './signed.ts';

export type TokenAnswer =
  /** `user` as the claim has it. */
  | { readonly kind: 'good'; readonly user: string }
  /** `why` is for the log; it holds nothing of the token. */
  | { readonly kind: 'bad'; readonly why: string; readonly reason: 'invalid_token' | 'insufficient_scope' };

interface Known {
  readonly user: string;
  readonly until: number;
}
type Verdict = { readonly answer: TokenAnswer; readonly expiresAt: number };

export class TokenChecker {
  readonly #now: () => number;
  readonly #clock: () => number;
  readonly #key = randomBytes(32);
  readonly #known = new BoundedMap<string, Known>();
  /** Checks under way: fifty connections of one client at once ask once. */
  readonly #pending = new Map<string, Promise<Verdict>>();
  #link: IssuerLink | null = null;
  #keys: IssuerKeys | null = null;
  #madeFor: OAuthSettings | null = null;

  /** `now`: milliseconds that do not step back. `clock`: Unix time, which tokens are dated by. */
  constructor(now: () => number, clock: () => number = Date.now) {
    this.#now = now;
    this.#clock = clock;
  }

  /** Rejects with IssuerError when it cannot be told now. `entriesMax`: most tokens remembered. */
  async check(token: string, settings: OAuthSettings, entriesMax: number): Promise<TokenAnswer> {
    if (settings !== this.#madeFor) this.#renew(settings);
    const mark = createHmac('sha256', this.#key).update(token).digest('base64');
    const known = this.#known.get(mark);
    if (known !== undefined && known.until > this.#now()) return { kind: 'good', user: known.user };
    let pending = this.#pending.get(mark);
    if (pending === undefined) {
      pending = this.#judge(token, settings).finally(() => this.#pending.delete(mark));
      this.#pending.set(mark, pending);
    }
    const { answer, expiresAt } = await pending;
    // Judged by settings that have changed meanwhile: it counts for whoever waited, and no longer.
    if (answer.kind === 'good' && settings === this.#madeFor) {
      const forMs = Math.min(settings['oauth.cacheTime'], expiresAt - this.#clock());
      if (forMs > 0) this.#known.set(mark, { user: answer.user, until: this.#now() + forMs }, entriesMax);
    }
    return answer;
  }

  /** Other settings may mean another issuer: nothing remembered counts any more. */
  #renew(settings: OAuthSettings): void {
    this.#madeFor = settings;
    this.#known.clear();
    this.#pending.clear();
    this.#link?.close();
    this.#link = null;
    this.#keys = null;
  }

  #issuer(settings: OAuthSettings): { link: IssuerLink; keys: IssuerKeys } {
    if (this.#link === null || this.#keys === null) {
      const file = settings['oauth.caFile'];
      this.#link = new IssuerLink(file === '' ? undefined : readFirst(file, (text) => text));
      this.#keys = new IssuerKeys(this.#link, this.#now);
    }
    return { link: this.#link, keys: this.#keys };
  }

  async #judge(token: string, settings: OAuthSettings): Promise<Verdict> {
    const { link, keys } = this.#issuer(settings);
    if (checksSignatures(settings) && looksSigned(token)) {
      const answer = await verifySigned(token, keys, settings, this.#clock());
      if (answer.kind === 'bad') return { answer: { ...answer, reason: 'invalid_token' }, expiresAt: 0 };
      return this.#weigh(answer.claims, settings);
    }
    if (settings['oauth.introspection'] === '') return bad('it is not signed');
    return this.#introspect(token, link, settings);
  }

  /** RFC 7662 section 2. */
  async #introspect(token: string, link: IssuerLink, settings: OAuthSettings): Promise<Verdict> {
    const id = settings['oauth.clientId'];
    const file = settings['oauth.clientSecretFile'];
    const client = id === '' ? {} : { client: { id, secret: file === '' ? '' : readFirst(file, firstLine) } };
    const answer = await link.ask({
      url: settings['oauth.introspection'],
      form: { token, token_type_hint: 'access_token' },
      timeoutMs: settings['oauth.timeout'],
      ...client,
    });
    if (typeof answer !== 'object' || answer === null) throw new IssuerError('the introspection answer is no object');
    const claims = answer as Claims;
    const active = claims['active'];
    if (typeof active !== 'boolean') throw new IssuerError('the introspection answer does not say "active"');
    if (!active) return bad('it is not active');
    const now = this.#clock();
    const tolerance = settings['oauth.clockTolerance'];
    if (typeof claims['exp'] === 'number' && claims['exp'] * 1000 <= now - tolerance) return bad('it has expired');
    if (typeof claims['nbf'] === 'number' && claims['nbf'] * 1000 > now + tolerance) return bad('it is not valid yet');
    const issuer = settings['oauth.issuer'];
    if (issuer !== '' && claims['iss'] !== issuer) return bad('the claim "iss" does not fit');
    const audience = settings['oauth.audience'];
    const named = typeof claims['aud'] === 'string' ? [claims['aud']] : wordsOf(claims['aud']);
    if (audience.length > 0 && !named.some((word) => audience.includes(word))) return bad('the claim "aud" does not fit');
    return this.#weigh(claims, settings);
  }

  /** What is left once the token is known to be genuine and in force: its scopes, and whose it is. */
  #weigh(claims: Claims, settings: OAuthSettings): Verdict {
    const scopes = wordsOf(claims['scope'] ?? claims['scp']);
    const missing = settings['oauth.scopes'].find((scope) => !scopes.includes(scope));
    if (missing !== undefined) return { answer: { kind: 'bad', why: `the scope "${missing}" is missing`, reason: 'insufficient_scope' }, expiresAt: 0 };
    const name = settings['oauth.userClaim'];
    const user = claims[name];
    if (typeof user !== 'string' || user === '' || user.length > 320) return bad(`there is no claim "${name}"`);
    if (name === 'email' && (claims['email_verified'] === false || claims['email_verified'] === 'false')) return bad('its e-mail address is not verified');
    const expiresAt = typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : Number.POSITIVE_INFINITY;
    return { answer: { kind: 'good', user }, expiresAt };
  }
}

const bad = (why: string): Verdict => ({ answer: { kind: 'bad', why, reason: 'invalid_token' }, expiresAt: 0 });
const firstLine = (text: string): string => text.split(/\r?\n/, 1)[0]!;

/** Words separated by spaces, or a list of them. */
function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter((word) => word !== '');
  return Array.isArray(value) ? value.filter((word): word is string => typeof word === 'string') : [];
}

/** Small files of the administrator, read when they are needed so that a change counts. */
function readFirst(file: string, take: (text: string) => string): string {
  try {
    return take(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new IssuerError(`${file} cannot be read: ${(cause as Error).message}`);
  }
}
