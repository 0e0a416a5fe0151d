/** SASL ANONYMOUS (RFC 4505): anybody, with a word about who it may be for the log. */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { TRACE_OCTETS_MAX } from './limits.ts';
import { decodeText } from './plain.ts';

const MALFORMED: SaslStep = { kind: 'malformed' };
const EMPTY = new Uint8Array(0);
/** RFC 4505 section 3, of its tables those that would change how a log reads: control, format and private characters. */
const PROHIBITED = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

/** `admit` is called once, with the trace information ("" for none). */
export function anonymousExchange(admit: (trace: string) => Promise<AuthOutcome>): SaslExchange {
  let state: 'start' | 'asked' | 'done' = 'start';
  return {
    async step(response) {
      if (response === null) {
        if (state !== 'start') return MALFORMED;
        state = 'asked';
        return { kind: 'challenge', data: EMPTY };
      }
      const trace = response.length > TRACE_OCTETS_MAX ? null : decodeText(response);
      if (state === 'done' || trace === null || PROHIBITED.test(trace)) return MALFORMED;
      state = 'done';
      return { kind: 'done', outcome: await admit(trace), data: null };
    },
  };
}
