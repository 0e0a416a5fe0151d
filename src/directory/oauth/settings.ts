/** Options of logins with tokens of an authorization server: table `[oauth]` in posthorn.toml. */
import { duration, list, MINUTE, HOUR, path, SECOND, type SettingsOf, text } from '../../system/declare.ts';

/** Signatures that a public key verifies. With HMAC whoever can verify can also sign, and "none" is no signature (RFC 8725 section 3.1). */
export const TOKEN_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Tokens and keys travel on this way: in clear only where nobody listens. */
export function wrongIssuerUrl(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (url === null) return 'is no URL';
  if (url.username !== '' || url.password !== '') return 'must not hold a password; see oauth.clientId and oauth.clientSecretFile';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))) return undefined;
  return 'must begin with https:// (http:// only for this machine itself)';
}
const isUrl = (value: string): boolean => /^https?:/i.test(value);

export const OAUTH_SETTINGS = {
  'oauth.introspection': text({
    default: '',
    accepts: 'an https URL, or ""',
    doc: 'Where the authorization server answers what a token is worth; for tokens that are not signed, or when oauth.keys is empty.',
    see: 'RFC 7662; Dovecot introspection_url',
    check: wrongIssuerUrl,
  }),
  'oauth.clientId': text({ default: '', doc: 'Name of this server at the authorization server, for oauth.introspection.', see: 'RFC 7662 section 2.1' }),
  'oauth.clientSecretFile': path({ default: '', doc: 'File whose first line is the secret of oauth.clientId; the service user must be able to read it.' }),
  'oauth.keys': text({
    default: '',
    accepts: 'an https URL or the absolute path of a file with a JSON Web Key Set, or ""',
    doc: 'Keys that verify signed tokens (JWT) without asking; needs oauth.issuer and oauth.audience.',
    see: 'RFC 7517, RFC 9068; Dovecot local_validation_key_dict',
    check: (value) => (isUrl(value) ? wrongIssuerUrl(value) : value.startsWith('/') ? undefined : 'must be an https URL or an absolute path'),
  }),
  'oauth.issuer': text({
    default: '',
    accepts: 'text',
    doc: 'The issuer ("iss") that tokens must name; empty takes what oauth.introspection vouches for.',
    see: 'RFC 9068 section 4; Dovecot issuers',
  }),
  'oauth.audience': list({
    default: [],
    doc: 'Audiences ("aud") of which a token must name one: a token made for another service opens nothing here.',
    see: 'RFC 9068 section 4, RFC 8725 section 3.9',
  }),
  'oauth.algorithms': list({
    default: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'],
    accepts: `a list of ${TOKEN_ALGORITHMS.join(', ')}`,
    doc: 'Signatures that count.',
    see: 'RFC 8725 section 3.1',
    check: (entry) => ((TOKEN_ALGORITHMS as readonly string[]).includes(entry) ? undefined : `must be one of ${TOKEN_ALGORITHMS.join(', ')}`),
  }),
  'oauth.userClaim': text({
    default: 'email',
    accepts: 'the name of a claim: email, preferred_username, sub, username',
    doc: 'Which claim of a token is the login name. It must be one that users cannot choose for themselves; an e-mail address that is marked as not verified counts for nothing.',
    see: 'Dovecot username_attribute',
    check: (value) => (/^[A-Za-z0-9_.:/-]{1,100}$/.test(value) ? undefined : 'is no name of a claim'),
  }),
  'oauth.scopes': list({
    default: [],
    accepts: 'a list of scopes: ["mail"]',
    doc: 'Scopes that a token must have, all of them.',
    see: 'RFC 6749 section 3.3; Dovecot scope',
    check: (entry) => (/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(entry) ? undefined : 'is no scope'),
  }),
  'oauth.configuration': text({
    default: '',
    accepts: 'an https URL, or ""',
    doc: 'URL of the OpenID configuration, told to programs whose token is refused so that they can get another.',
    see: 'RFC 7628 section 3.2.2',
    check: wrongIssuerUrl,
  }),
  'oauth.timeout': duration({
    default: 5 * SECOND,
    least: 100,
    most: 1 * MINUTE,
    doc: 'Longest wait for the authorization server; then the login is a temporary failure.',
  }),
  'oauth.cacheTime': duration({
    default: 1 * MINUTE,
    least: 0,
    most: 1 * HOUR,
    doc: 'How long a token that was good is not checked again, at most until it expires; a token taken back opens logins so long.',
    see: 'RFC 7662 section 4; Dovecot auth_cache_ttl',
  }),
  'oauth.clockTolerance': duration({
    default: 30 * SECOND,
    least: 0,
    most: 10 * MINUTE,
    doc: 'How far the clocks of the issuer and of this server may differ.',
  }),
  'oauth.caFile': path({ default: '', doc: 'Authorities that vouch for the authorization server, in PEM; empty is the usual ones.' }),
};
export type OAuthSettings = SettingsOf<typeof OAUTH_SETTINGS>;

/** Whether tokens can be checked at all. Keys without issuer and audience would take tokens that were made for anybody. */
export function checksTokens(settings: OAuthSettings): boolean {
  return settings['oauth.introspection'] !== '' || checksSignatures(settings);
}
export function checksSignatures(settings: OAuthSettings): boolean {
  return settings['oauth.keys'] !== '' && settings['oauth.issuer'] !== '' && settings['oauth.audience'].length > 0;
}
