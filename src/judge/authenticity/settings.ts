/** Options of authenticity: `[authenticity]` in posthorn.toml. */
import { parseDomain } from '../../mail/address.ts';
import { choice, count, duration, flag, list, MINUTE, SECOND, type SettingsOf } from '../../system/declare.ts';

const wrongDomain = (entry: string): string | undefined => (parseDomain(entry, { utf8: true }) === null || entry.startsWith('[') ? 'is no domain' : undefined);

export const AUTHENTICITY_SETTINGS = {
  'authenticity.spfHelo': flag({ default: true, doc: 'Check SPF for the HELO name too, beside that of MAIL FROM.', see: 'RFC 7208 section 2.3' }),
  'authenticity.spfLookupsMax': count({
    default: 10,
    least: 1,
    most: 30,
    doc: 'Terms of an SPF policy that may ask DNS; more is an error of the policy.',
    see: 'RFC 7208 section 4.6.4',
  }),
  'authenticity.spfVoidMax': count({
    default: 2,
    least: 0,
    most: 30,
    doc: 'Lookups of an SPF policy that may find nothing; more is an error of the policy.',
    see: 'RFC 7208 section 4.6.4',
  }),
  'authenticity.spfTimeout': duration({
    default: 20 * SECOND,
    least: SECOND,
    most: 5 * MINUTE,
    doc: 'Time for one SPF check; longer is a temporary error.',
    see: 'RFC 7208 section 4.6.4',
  }),
  'authenticity.rsaBitsMin': count({
    default: 1024,
    least: 1024,
    most: 4096,
    doc: 'Shortest RSA key whose DKIM and ARC signatures count.',
    see: 'RFC 8301 section 3.2',
  }),
  'authenticity.dkimSignaturesMax': count({
    default: 10,
    least: 1,
    most: 50,
    doc: 'DKIM signatures of one message that are verified; those of the author are first.',
  }),
  'authenticity.dkimDomainMax': count({ default: 5, least: 1, most: 50, doc: 'DKIM signatures of one domain that are verified.' }),
  'authenticity.arcTrustedSealers': list({
    default: [],
    accepts: 'a list of domains: ["lists.example.org"]',
    check: wrongDomain,
    doc: 'Forwarders whose ARC seal is believed: a message that passed DMARC before them is not refused after them. Names below these count too.',
    see: 'RFC 8617 section 7.2.1',
  }),
  'authenticity.dmarcOverrides': list({
    default: [],
    accepts: 'a list such as ["example.org none", "example.com reject"]',
    check: wrongDmarcOverride,
    doc: 'DMARC policies of single domains (and those below them) that count instead of the published ones: none, quarantine or reject.',
  }),
  'authenticity.dmarcPolicy': choice({
    default: 'reject',
    of: ['none', 'quarantine', 'reject'],
    doc: 'The strictest thing done for a DMARC policy: "reject" honours every policy, "none" only notes the results.',
  }),
  'authenticity.severalFrom': choice({
    default: 'reject',
    of: ['none', 'quarantine', 'reject'],
    doc: 'What is done with a message that has several From fields, whose author cannot be told.',
    see: 'RFC 7489 section 6.6.1',
  }),
  'authenticity.receivedSpf': flag({ default: true, doc: 'Add Received-SPF beside Authentication-Results.', see: 'RFC 7208 section 9.1' }),
} as const;
export type AuthenticitySettings = SettingsOf<typeof AUTHENTICITY_SETTINGS>;

const OVERRIDE = /^(\S+)[ \t]+(none|quarantine|reject)$/;

function wrongDmarcOverride(entry: string): string | undefined {
  const match = OVERRIDE.exec(entry.trim());
  return match === null ? 'must be a domain and none, quarantine or reject' : wrongDomain(match[1]!);
}

/** The overrides by canonical domain. */
export function readDmarcOverrides(lines: readonly string[]): ReadonlyMap<string, 'none' | 'quarantine' | 'reject'> {
  const policies = new Map<string, 'none' | 'quarantine' | 'reject'>();
  for (const line of lines) {
    const match = OVERRIDE.exec(line.trim());
    const domain = match === null ? null : parseDomain(match[1]!, { utf8: true });
    if (match !== null && domain !== null) policies.set(domain, match[2] as 'none' | 'quarantine' | 'reject');
  }
  return policies;
}
