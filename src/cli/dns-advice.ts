/** Which records a mail domain should have, as rows of one table. Pure: what is there already is looked at in dns-check.ts. */
import type { DkimKeyView } from '../judge/signing/admin.ts';
import { txtStrings, zoneLine, zoneTxt } from '../judge/signing/record.ts';
import { reverseNameOf } from '../net/reverse-name.ts';

/** What is known of the server and the domain. Names in lower case A-labels, without final dot. */
export interface DnsFacts {
  readonly domain: string;
  readonly hostname: string;
  /** Public addresses of the server; empty when they are not known. */
  readonly addresses: readonly string[];
  readonly keys: readonly Pick<DkimKeyView, 'selector' | 'name' | 'record' | 'state'>[];
  /** Ports of the protocols that are listened to. */
  readonly ports: Readonly<Partial<Record<ServiceProtocol, number>>>;
  /** Where DMARC and TLS reports shall go; null when the server takes none. */
  readonly reportAddress: string | null;
  /** SHA-256 of the public key of the server's certificate in hexadecimal; null when it is self-signed or cannot be read. */
  readonly certificateKey: string | null;
}
export type ServiceProtocol = 'submission' | 'submissions' | 'imap' | 'imaps' | 'pop3' | 'pop3s' | 'sieve';

/** 'must': mail is lost or refused without it. 'should': mail programs and receivers expect it. 'may': good to have. */
export type Need = 'must' | 'should' | 'may';
export type RecordKind =
  | 'mx'
  | 'host'
  | 'spf'
  | 'heloSpf'
  | 'dkim'
  | 'dmarc'
  | 'dmarcConsent'
  | 'ptr'
  | 'srv'
  | 'tlsReports'
  | 'mtaSts'
  | 'tlsa'
  | 'autoconfig';

export interface WantedRecord {
  readonly kind: RecordKind;
  readonly need: Need;
  /** Owner name without final dot. */
  readonly name: string;
  readonly type: 'MX' | 'A' | 'AAAA' | 'TXT' | 'PTR' | 'SRV' | 'CNAME' | 'TLSA';
  /** The right side, as in a zone file, and the text itself for TXT. */
  readonly data: string;
  /** Lines of a zone file. */
  readonly zone: string;
  /** What it is for: a clause. */
  readonly purpose: string;
  /** Printed as a comment in the zone, with this reason: it needs something that may not be there. */
  readonly onlyIf: string | null;
}

const TTL = 3600;

/** Mail programs look for these (RFC 6186, RFC 8314 section 5.1); with TLS from the first byte first. */
const SERVICES: readonly { readonly protocol: ServiceProtocol; readonly label: string; readonly priority: number }[] = [
  { protocol: 'submissions', label: '_submissions', priority: 0 },
  { protocol: 'submission', label: '_submission', priority: 10 },
  { protocol: 'imaps', label: '_imaps', priority: 0 },
  { protocol: 'imap', label: '_imap', priority: 10 },
  { protocol: 'pop3s', label: '_pop3s', priority: 20 },
  { protocol: 'pop3', label: '_pop3', priority: 30 },
  { protocol: 'sieve', label: '_sieve', priority: 0 }, // RFC 5804 section 1.8
];

function record(
  kind: RecordKind,
  need: Need,
  name: string,
  type: WantedRecord['type'],
  data: string,
  purpose: string,
  onlyIf: string | null = null,
): WantedRecord {
  const zone = type === 'TXT' ? zoneTxt(name, TTL, data) : zoneLine(name, TTL, type, data);
  return { kind, need, name, type, data: type === 'TXT' ? txtStrings(data).join(' ') : data, zone, purpose, onlyIf };
}

/** All records, in the order in which one would write them down. */
export function wantedRecords(facts: DnsFacts): WantedRecord[] {
  const { domain, hostname, addresses } = facts;
  const all: WantedRecord[] = [record('mx', 'must', domain, 'MX', `10 ${hostname}.`, 'where mail for the domain goes')];
  for (const ip of addresses) all.push(record('host', 'must', hostname, ip.includes(':') ? 'AAAA' : 'A', ip, 'the address of the server'));
  if (addresses.length === 0) all.push(record('host', 'must', hostname, 'A', 'ADDRESS', 'the address of the server', 'ADDRESS is the address of this server'));
  all.push(record('spf', 'must', domain, 'TXT', 'v=spf1 mx -all', 'who may send mail of the domain (SPF)'));
  if (hostname !== domain) all.push(record('heloSpf', 'should', hostname, 'TXT', 'v=spf1 a -all', 'the same for reports, whose sender is the server itself'));
  for (const key of facts.keys) {
    if (key.state === 'retired') continue;
    const need = key.state === 'active' ? 'must' : 'should';
    all.push(
      record('dkim', need, key.name, 'TXT', key.record, key.state === 'active' ? 'the key that signs mail (DKIM)' : 'the key that will sign mail next (DKIM)'),
    );
  }
  const rua = facts.reportAddress === null ? '' : `; rua=mailto:${facts.reportAddress}`;
  all.push(
    record('dmarc', 'should', `_dmarc.${domain}`, 'TXT', `v=DMARC1; p=none${rua}`, 'what others shall do with forged mail, and where they report it (DMARC)'),
  );
  const reportDomain = facts.reportAddress?.slice(facts.reportAddress.lastIndexOf('@') + 1) ?? domain;
  if (reportDomain !== domain && !domain.endsWith(`.${reportDomain}`))
    all.push(
      record('dmarcConsent', 'should', `${domain}._report._dmarc.${reportDomain}`, 'TXT', 'v=DMARC1', `that ${reportDomain} takes reports about ${domain}`),
    );
  for (const ip of addresses)
    all.push(record('ptr', 'must', reverseNameOf(ip), 'PTR', `${hostname}.`, 'the name of the address; set by whoever gave you the address'));
  for (const { protocol, label, priority } of SERVICES) {
    const port = facts.ports[protocol];
    if (port !== undefined)
      all.push(record('srv', 'may', `${label}._tcp.${domain}`, 'SRV', `${priority} 1 ${port} ${hostname}.`, `where mail programs find ${protocol}`));
  }
  all.push(
    record(
      'tlsReports',
      'may',
      `_smtp._tls.${domain}`,
      'TXT',
      `v=TLSRPTv1; rua=mailto:${facts.reportAddress ?? `postmaster@${domain}`}`,
      'where others report failed TLS to the server (RFC 8460)',
    ),
  );
  if (facts.certificateKey !== null)
    all.push(
      record(
        'tlsa',
        'may',
        `_25._tcp.${hostname}`,
        'TLSA',
        `3 1 1 ${facts.certificateKey}`,
        'the key of the certificate (DANE)',
        'the zone is signed (DNSSEC) and the key stays when the certificate is renewed',
      ),
    );
  all.push(
    record(
      'mtaSts',
      'may',
      `_mta-sts.${domain}`,
      'TXT',
      'v=STSv1; id=1',
      'that mail must come over TLS (MTA-STS, RFC 8461)',
      `https://mta-sts.${domain}/.well-known/mta-sts.txt says: version: STSv1 / mode: enforce / mx: ${hostname} / max_age: 604800`,
    ),
    record(
      'autoconfig',
      'may',
      `autoconfig.${domain}`,
      'CNAME',
      `${hostname}.`,
      'where some mail programs ask for their settings',
      `a web server answers at https://autoconfig.${domain}/mail/config-v1.1.xml`,
    ),
    record(
      'autoconfig',
      'may',
      `_autodiscover._tcp.${domain}`,
      'SRV',
      `0 0 443 ${hostname}.`,
      'the same for others',
      `a web server answers at https://${hostname}/autodiscover/autodiscover.xml`,
    ),
  );
  return all;
}

/** The records as text for a zone file; what depends on something else is a comment. */
export function zoneText(records: readonly WantedRecord[]): string {
  const lines: string[] = [];
  for (const { zone, purpose, onlyIf, type } of records) {
    lines.push(`; ${purpose}${onlyIf === null ? '' : `; only if ${onlyIf}`}`);
    // The PTR record belongs into the zone of the address, which is seldom one's own.
    const isComment = onlyIf !== null || type === 'PTR';
    lines.push(...zone.split('\n').map((line) => (isComment ? `; ${line}` : line)));
  }
  return lines.join('\n');
}
