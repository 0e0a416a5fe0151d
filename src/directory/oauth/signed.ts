/** Signed tokens (RFC 7519, RFC 9068): signature, issuer, audience and time. */
import type { JWTPayload } from 'jose';
import type { IssuerKeys } from './keys.ts';
import { KEYS_TRIED_MAX } from './limits.ts';
import type { OAuthSettings } from './settings.ts';

export type Claims = Readonly<Record<string, unknown>>;
export type SignedAnswer = { readonly kind: 'good'; readonly claims: Claims } | { readonly kind: 'bad'; readonly why: string };

/** "typ" of an access token; others (logout tokens, proofs) are signed by the same keys and mean something else (RFC 8725 section 3.11). */
const TOKEN_TYPES: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt', 'application/jwt']);

/** Three parts of base64url, the first of which says "{": anything else is for introspection. */
export function looksSigned(token: string): boolean {
  return /^ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token);
}

/** Rejects with IssuerError when the keys cannot be had. `now` is Unix time in milliseconds. */
export async function verifySigned(token: string, keys: IssuerKeys, settings: OAuthSettings, now: number): Promise<SignedAnswer> {
  const jose = await import('jose');
  const source = { place: settings['oauth.keys'], timeoutMs: settings['oauth.timeout'] };
  const options = {
    issuer: settings['oauth.issuer'],
    audience: [...settings['oauth.audience']],
    algorithms: [...settings['oauth.algorithms']],
    clockTolerance: settings['oauth.clockTolerance'] / 1000,
    currentDate: new Date(now),
    requiredClaims: ['exp'],
  };
  for (let isMissing = false; ; isMissing = true) {
    const known = jose.createLocalJWKSet(await keys.keys(source, isMissing));
    try {
      const { payload, protectedHeader } = await jose.jwtVerify(token, known, options);
      return judge(payload, protectedHeader.typ);
    } catch (error) {
      if (error instanceof jose.errors.JWKSMultipleMatchingKeys) {
        let tried = 0;
        for await (const key of error) {
          if (tried >= KEYS_TRIED_MAX) break;
          tried += 1;
          try {
            const { payload, protectedHeader } = await jose.jwtVerify(token, key, options);
            return judge(payload, protectedHeader.typ);
          } catch (inner) {
            if (inner instanceof jose.errors.JWSSignatureVerificationFailed) continue;
            if (inner instanceof jose.errors.JOSEError) return { kind: 'bad', why: inner.code };
            throw inner;
          }
        }
        return { kind: 'bad', why: error.code };
      }
      if (error instanceof jose.errors.JWKSNoMatchingKey && !isMissing) continue;
      if (error instanceof jose.errors.JWTClaimValidationFailed) return { kind: 'bad', why: `the claim "${error.claim}" does not fit` };
      if (error instanceof jose.errors.JOSEError) return { kind: 'bad', why: error.code };
      // A key in the set that is too short or none at all: nothing that time would mend.
      if (error instanceof TypeError) return { kind: 'bad', why: error.message };
      throw error;
    }
  }
}

function judge(payload: JWTPayload, type: string | undefined): SignedAnswer {
  if (type !== undefined && !TOKEN_TYPES.has(type.toLowerCase())) return { kind: 'bad', why: 'it is another kind of token' };
  return { kind: 'good', claims: payload };
}
