/** Received-SPF (RFC 7208 section 9.1). */
import { formatAddress } from '../../mail/address.ts';
import type { Address } from '../../ports.ts';
import { comment, dotAtom, quotedString } from './quoting.ts';
import type { SpfResult } from './spf.ts';

const SAYS: Readonly<Record<SpfResult['result'], string>> = {
  pass: 'permits',
  fail: 'does not permit',
  softfail: 'probably does not permit',
  neutral: 'says nothing about',
  none: 'has no policy about',
  temperror: 'could not be asked about',
  permerror: 'has a broken policy about',
};

export function receivedSpf(receiver: string, spf: SpfResult, ip: string, helo: string | null, sender: Address | null): string {
  const pairs = [`client-ip=${dotAtom(ip)}`];
  if (spf.scope === 'mailfrom' && sender !== null) pairs.push(`envelope-from=${quotedString(formatAddress(sender))}`);
  pairs.push(`helo=${dotAtom(helo ?? '')}`, `receiver=${dotAtom(receiver)}`, `identity=${spf.scope}`);
  if (spf.mechanism !== null) pairs.push(`mechanism=${dotAtom(spf.mechanism)}`);
  if (spf.problem !== null) pairs.push(`problem=${quotedString(spf.problem)}`);
  return `${spf.result} (${comment(`${receiver}: ${spf.domain} ${SAYS[spf.result]} ${ip}`)})\r\n\t${pairs.join(';\r\n\t')}`;
}
