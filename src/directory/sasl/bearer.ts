/**
 * Bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2 (as Google describes it and mail programs send it). Both say no in two steps: first a
 * challenge that tells why, then, after an answer without meaning, the refusal.
 */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { TOKEN_MESSAGE_OCTETS_MAX } from './limits.ts';
import { decodeText } from './plain.ts';
import { decodeName } from './scram.ts';

/** What the client said. `user` is the identity it wants, "" for that of the token. */
export interface BearerMessage {
  readonly user: string;
  readonly token: string;
}
/** `reason` is a status of RFC 6750 section 3.1, for the client. */
export interface BearerAnswer {
  readonly outcome: AuthOutcome;
  readonly reason: 'invalid_token' | 'insufficient_scope';
}
export interface BearerCallbacks {
  verify(message: BearerMessage): Promise<BearerAnswer>;
  /** What clients may learn of how to get a better token. */
  hints(): { readonly scope: string; readonly configuration: string };
}

const MALFORMED: SaslStep = { kind: 'malformed' };
const EMPTY = new Uint8Array(0);
const SEPARATOR = '\x01';

/** kvpairs of RFC 7628 section 3.1; null when a pair is none or a key comes twice. */
function pairsOf(text: string): Map<string, string> | null {
  const pairs = new Map<string, string>();
  for (const pair of text.split(SEPARATOR)) {
    const at = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, at));
    if (!/^[A-Za-z]+$/.test(key) || pairs.has(key) || !/^[\x20-\x7e\t\r\n]*$/.test(pair.slice(at + 1))) return null;
    pairs.set(key, pair.slice(at + 1));
  }
  return pairs;
}

/** "Bearer" SP b64token (RFC 6750 section 2.1); "" when a client sends no token to learn where to get one; null for anything else. */
function tokenOf(auth: string | undefined): string | null {
  if (auth === '') return '';
  const match = auth === undefined ? null : /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(auth);
  return match === null ? null : match[1]!;
}

/** client-resp of RFC 7628 section 3.1: gs2-header kvsep *kvpair kvsep. */
export function parseOauthBearer(text: string): BearerMessage | null {
  const match = /^[ny],(?:a=([^,\x01]{1,1024}))?,\x01(.*)\x01\x01$/s.exec(text);
  const user = match === null ? null : match[1] === undefined ? '' : decodeName(match[1]);
  const pairs = match === null ? null : pairsOf(match[2]!);
  const token = tokenOf(pairs?.get('auth'));
  return user === null || token === null ? null : { user, token };
}

/** "user=" address ^A "auth=Bearer " token ^A ^A */
export function parseXoauth2(text: string): BearerMessage | null {
  const match = /^user=([^\x01]{1,1024})\x01auth=([^\x01]*)\x01\x01$/.exec(text);
  const token = tokenOf(match?.[2]);
  return match === null || token === null ? null : { user: match[1]!, token };
}

export function bearerExchange(mechanism: 'OAUTHBEARER' | 'XOAUTH2', callbacks: BearerCallbacks): SaslExchange {
  let state: 'start' | 'asked' | 'refused' | 'done' = 'start';
  let refusal: AuthOutcome = { kind: 'refused' };

  function reasonOf(answer: BearerAnswer): Buffer {
    const { scope, configuration } = callbacks.hints();
    const optional = { ...(scope === '' ? {} : { scope }), ...(configuration === '' ? {} : { 'openid-configuration': configuration }) };
    // XOAUTH2 speaks in numbers of HTTP; clients look for 400 and 401 to ask for a fresh token.
    const status = mechanism === 'OAUTHBEARER' ? { status: answer.reason } : { status: answer.reason === 'invalid_token' ? '401' : '403', schemes: 'bearer' };
    return Buffer.from(JSON.stringify({ ...status, ...optional }));
  }

  return {
    async step(response) {
      if (response === null) {
        if (state !== 'start') return MALFORMED;
        state = 'asked';
        return { kind: 'challenge', data: EMPTY };
      }
      if (state === 'refused') {
        // ^A, an empty line, or whatever else was sent: it says nothing (RFC 7628 section 3.2.3).
        state = 'done';
        return { kind: 'done', outcome: refusal, data: null };
      }
      if (state === 'done') return MALFORMED;
      state = 'done';
      const text = response.length > TOKEN_MESSAGE_OCTETS_MAX ? null : decodeText(response);
      const message = text === null ? null : mechanism === 'OAUTHBEARER' ? parseOauthBearer(text) : parseXoauth2(text);
      if (message === null) return MALFORMED;
      const answer = await callbacks.verify(message);
      if (answer.outcome.kind !== 'refused') return { kind: 'done', outcome: answer.outcome, data: null };
      refusal = answer.outcome;
      state = 'refused';
      return { kind: 'challenge', data: reasonOf(answer) };
    },
  };
}
