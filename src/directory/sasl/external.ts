/** SASL EXTERNAL (RFC 4422 appendix A): who somebody is, TLS has told already; the client may name the identity to act as. */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { MESSAGE_OCTETS_MAX } from './limits.ts';
import { decodeText } from './plain.ts';

const MALFORMED: SaslStep = { kind: 'malformed' };
const EMPTY = new Uint8Array(0);

/** `admit` is called once, with "" when the identity is to be that of the certificate. */
export function externalExchange(admit: (authzid: string) => Promise<AuthOutcome>): SaslExchange {
  let state: 'start' | 'asked' | 'done' = 'start';
  return {
    async step(response) {
      if (response === null) {
        if (state !== 'start') return MALFORMED;
        state = 'asked';
        return { kind: 'challenge', data: EMPTY };
      }
      const authzid = response.length > MESSAGE_OCTETS_MAX ? null : decodeText(response);
      if (state === 'done' || authzid === null) return MALFORMED;
      state = 'done';
      return { kind: 'done', outcome: await admit(authzid), data: null };
    },
  };
}
