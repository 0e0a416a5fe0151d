/** From a server's reply to the fate of a recipient (RFC 5321 section 4.2.1, RFC 3463). */
import type { ReceivedReply } from '../../wire/smtp/reply.ts';
import { type Outcome, outcome } from '../agent.ts';

/** The words as one line: "550 5.1.1 No such user". Control characters cannot get into logs and reports. */
export function words(reply: ReceivedReply): string {
  const text = reply.lines.length === 1 ? reply.lines[0]! : reply.lines.join(' ');
  const line = reply.enhanced === '' ? `${reply.code} ${text}` : `${reply.code} ${reply.enhanced} ${text}`;
  return clean(line);
}

export function clean(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 || code === 127) return text.replace(/[\x00-\x1f\x7f]+/g, ' ');
  }
  return text;
}

/** A reply whose class is neither 2, 4 nor 5 where an end is due counts as temporary: when unsure, not for ever. */
export function outcomeOf(reply: ReceivedReply, host: string): Outcome {
  const leading = Math.floor(reply.code / 100);
  if (leading === 2) return outcome('delivered', reply.code, reply.enhanced === '' ? '2.0.0' : reply.enhanced, words(reply), host);
  if (leading === 5) return outcome('failed', reply.code, reply.enhanced === '' ? enhancedFor(reply.code) : reply.enhanced, words(reply), host);
  if (leading === 4) return outcome('deferred', reply.code, reply.enhanced === '' ? '4.0.0' : reply.enhanced, words(reply), host);
  return outcome('deferred', 451, '4.5.0', `unexpected reply: ${words(reply)}`, host);
}

/** RFC 3463 codes for the replies whose meaning RFC 5321 section 4.2.3 fixes. */
function enhancedFor(code: number): string {
  switch (code) {
    case 552:
      return '5.2.2';
    case 553:
      return '5.1.3';
    case 500:
    case 501:
    case 502:
    case 503:
    case 504:
      return '5.5.0';
    case 530:
    case 535:
      return '5.7.0';
    default:
      return '5.0.0';
  }
}
