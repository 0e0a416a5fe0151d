/** The Received-SPF field (RFC 7208 section 9.1), on one line: that is how Postfix's PREPEND takes it. */
import { formatAddress } from '../../../mail/address.ts';
import type { SpfResult } from '../../authenticity/spf.ts';
import type { Question } from './question.ts';

/** Longest value of a key, which the sender may have chosen. */
const VALUE_MAX = 320;

export function receivedSpf(result: SpfResult, question: Question, receiver: string): string {
  const who = result.scope === 'helo' ? `helo name ${plain(result.domain)}` : `domain of ${plain(result.domain)}`;
  const mechanism = result.mechanism === null ? '' : `; mechanism=${quoted(result.mechanism)}`;
  const problem = result.problem === null ? '' : `; problem=${quoted(result.problem)}`;
  const sender = question.sender === null ? '' : formatAddress(question.sender);
  return (
    `Received-SPF: ${result.result} (${plain(receiver)}: ${who} ${COMMENT[result.result]} ${question.clientIp}) receiver=${plain(receiver)}; ` +
    `client-ip=${question.clientIp}; envelope-from=${quoted(sender)}; helo=${quoted(question.helo)}; identity=${result.scope}${mechanism}${problem}`
  );
}

const COMMENT: Readonly<Record<SpfResult['result'], string>> = {
  pass: 'designates',
  fail: 'does not designate',
  softfail: 'probably does not designate',
  neutral: 'says nothing about',
  none: 'has no policy for',
  temperror: 'could not be asked about',
  permerror: 'has an unusable policy for',
};

/** Only what a domain name may contain: no parenthesis ends the comment early. */
function plain(text: string): string {
  return text.slice(0, VALUE_MAX).replace(/[^A-Za-z0-9._:[\]-]/g, '?');
}

/** quoted-string (RFC 5322 section 3.2.4) of printable ASCII. */
function quoted(text: string): string {
  return `"${text
    .slice(0, VALUE_MAX)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/["\\]/g, '\\$&')}"`;
}
