/** SASL PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login, as deployed). */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { MESSAGE_OCTETS_MAX } from './limits.ts';

/** Verifies name and password; `authzid` is "" or the account to act as. */
export type VerifyPassword = (authzid: string, login: string, password: string) => Promise<AuthOutcome>;

const MALFORMED: SaslStep = { kind: 'malformed' };
const EMPTY = new Uint8Array(0);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 to text; null when it is not UTF-8 or holds NUL. */
export function decodeText(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    return utf8.decode(bytes);
  } catch {
    return null; // not UTF-8: no such user or password here
  }
}

const done = async (outcome: Promise<AuthOutcome>): Promise<SaslStep> => ({ kind: 'done', outcome: await outcome, data: null });

/** message = [authzid] NUL authcid NUL passwd. Asked without an initial response, it sends an empty challenge. */
export function plainExchange(verify: VerifyPassword): SaslExchange {
  let isAsked = false;
  return {
    async step(response) {
      if (response === null) {
        if (isAsked) return MALFORMED;
        isAsked = true;
        return { kind: 'challenge', data: EMPTY };
      }
      if (response.length > MESSAGE_OCTETS_MAX) return MALFORMED;
      const first = response.indexOf(0);
      const second = first < 0 ? -1 : response.indexOf(0, first + 1);
      if (second < 0) return MALFORMED;
      const authzid = decodeText(response.subarray(0, first));
      const login = decodeText(response.subarray(first + 1, second));
      const password = decodeText(response.subarray(second + 1));
      if (authzid === null || login === null || login === '' || password === null || password === '') return MALFORMED;
      return done(verify(authzid, login, password));
    },
  };
}

const USERNAME = Buffer.from('Username:');
const PASSWORD = Buffer.from('Password:');

/** Name and password in turn. Outlook sends the name as initial response, and some clients look at the exact prompts. */
export function loginExchange(verify: VerifyPassword): SaslExchange {
  let state: 'start' | 'name' | 'password' | 'done' = 'start';
  let login = '';
  return {
    async step(response) {
      if (response === null) {
        if (state !== 'start') return MALFORMED;
        state = 'name';
        return { kind: 'challenge', data: USERNAME };
      }
      const text = response.length > MESSAGE_OCTETS_MAX ? null : decodeText(response);
      if (text === null || text === '') return MALFORMED;
      if (state === 'start' || state === 'name') {
        state = 'password';
        login = text;
        return { kind: 'challenge', data: PASSWORD };
      }
      if (state === 'done') return MALFORMED;
      state = 'done';
      return done(verify('', login, text));
    },
  };
}
