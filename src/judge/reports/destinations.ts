/** Where a domain has its reports sent to (RFC 7489 section 6.2), and whether those places want them (section 7.1). */
import { organisationalDomain } from '../authenticity/organisation.ts';
import { canonicalDomain } from '../../directory/address.ts';
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import type { Dns } from '../../net/dns.ts';
import type { Address } from '../../ports.ts';
import { REPORT_LIMITS } from './limits.ts';

export interface Destination {
  readonly address: Address;
  /** Largest report it takes; null for any. */
  readonly bytesMax: number | null;
}
export type DestinationsAnswer =
  | {
      readonly kind: 'ok';
      readonly destinations: readonly Destination[] /** Those that were left out, a sentence each. */;
      readonly refused: readonly string[];
    }
  /** The name server did not answer for one of them. */
  | { readonly kind: 'later'; readonly reason: string };

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** "mailto:dmarc@example.org!10m" as an address and a size; null for anything else. */
export function parseDestination(uri: string): Destination | null {
  if (uri.length > 1000 || !/^mailto:/i.test(uri)) return null;
  const match = /^([^!?#]+)(?:!(\d{1,12})([kmgt]?))?$/i.exec(uri.slice(7).trim());
  if (match === null) return null;
  let text: string;
  try {
    text = decodeURIComponent(match[1]!);
  } catch {
    return null; // a stray percent sign
  }
  const parsed = parseMailbox(text, { utf8: true });
  const domain = parsed === null ? null : canonicalDomain(parsed.domain);
  if (parsed === null || domain === null) return null;
  return { address: { local: parsed.local, domain }, bytesMax: match[2] === undefined ? null : Number(match[2]) * UNITS[match[3]!.toLowerCase()]! };
}

/** The domain that one organisation owns below a public suffix; the name itself when it is one. */
function organisation(domain: string): string {
  return organisationalDomain(domain) ?? domain;
}

/** Reads rua= of the policy at `domain` and asks every foreign destination's zone whether it agreed. Each address once. */
export async function reportDestinations(domain: string, rua: readonly string[], dns: Pick<Dns, 'txt'>): Promise<DestinationsAnswer> {
  const found = new Map<string, Destination>();
  const refused: string[] = [];
  for (const uri of rua.slice(0, REPORT_LIMITS.destinations)) {
    const wanted = parseDestination(uri);
    if (wanted === null) {
      refused.push(`${uri} is no mailto: address`);
      continue;
    }
    const host = wanted.address.domain;
    let checked: Destination = wanted;
    if (organisation(host) !== organisation(domain)) {
      const answer = await dns.txt(`${domain}._report._dmarc.${host}`);
      if (answer.kind === 'failed') return { kind: 'later', reason: `${host}: ${answer.reason}` };
      const record = answer.kind === 'found' ? answer.records.find((text) => /^v\s*=\s*DMARC1\s*(?:;|$)/.test(text)) : undefined;
      if (record === undefined) {
        refused.push(`${host} has not agreed to get reports about ${domain} (no record at ${domain}._report._dmarc.${host})`);
        continue;
      }
      checked = override(record, wanted);
    }
    const key = formatAddress(checked.address);
    if (!found.has(key)) found.set(key, checked);
  }
  return { kind: 'ok', destinations: [...found.values()], refused };
}

/** The agreeing record may name another address, at the same host only (section 7.1, step 7). */
function override(record: string, wanted: Destination): Destination {
  const rua = /(?:^|;)\s*rua\s*=\s*([^;]*)/i.exec(record)?.[1];
  const other = rua === undefined ? null : parseDestination(rua.split(',')[0]!.trim());
  return other !== null && other.address.domain === wanted.address.domain ? other : wanted;
}
