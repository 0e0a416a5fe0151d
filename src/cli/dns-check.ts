/** Each wanted record against what name servers answer: right, missing, wrong, or not to be learned. */
import { authDns } from '../judge/authenticity/auth-dns.ts';
import { isSpfRecord } from '../judge/authenticity/spf-record.ts';
import { checkSpf } from '../judge/authenticity/spf.ts';
import type { Dns, DnsAnswer } from '../net/dns.ts';
import type { DnsFacts, RecordKind, WantedRecord } from './dns-advice.ts';

export type RecordState = 'right' | 'missing' | 'wrong' | 'unknown';

export interface RecordFinding {
  readonly record: WantedRecord;
  readonly state: RecordState;
  /** What is there, as text. */
  readonly found: readonly string[];
  /** What is wrong and what to change, in a sentence; '' when all is well. */
  readonly advice: string;
}

interface Judged {
  readonly state: RecordState;
  readonly found: readonly string[];
  readonly advice: string;
}
type Check = (record: WantedRecord, facts: DnsFacts, dns: Dns) => Promise<Judged>;

const right = (found: readonly string[], advice = ''): Judged => ({ state: 'right', found, advice });
const wrong = (found: readonly string[], advice: string): Judged => ({ state: 'wrong', found, advice });
const missing = (advice: string): Judged => ({ state: 'missing', found: [], advice });

/** The records, or what to say when there are none. */
function recordsOf<T>(answer: DnsAnswer<T>): readonly T[] | Judged {
  if (answer.kind === 'found') return answer.records;
  if (answer.kind === 'failed') return { state: 'unknown', found: [], advice: `could not be asked: ${answer.reason}` };
  return [];
}
const isJudged = (value: object): value is Judged => 'state' in value;

const CHECKS: Readonly<Record<RecordKind, Check>> = {
  mx: async ({ name }, { hostname }, dns) => {
    const all = recordsOf(await dns.mx(name));
    if (isJudged(all)) return all;
    const found = all.map(({ preference, exchange }) => `${preference} ${exchange}.`);
    if (found.length === 0) return missing('mail for the domain has no way here');
    if (all.some(({ exchange }) => exchange === '')) return wrong(found, 'the record "." says that the domain takes no mail (RFC 7505): remove it');
    const ours = all.filter(({ exchange }) => exchange === hostname);
    if (ours.length === 0) return wrong(found, `mail goes to another server: name ${hostname} instead`);
    const better = all.filter(({ preference }) => preference < ours[0]!.preference);
    return right(found, better.length > 0 ? `other servers get the mail first (${better.map(({ exchange }) => exchange).join(', ')})` : '');
  },

  host: async ({ name, type, data }, { addresses }, dns) => {
    const all = recordsOf(await (type === 'A' ? dns.addresses4(name) : dns.addresses6(name)));
    if (isJudged(all)) return all;
    if (all.length === 0) return missing(type === 'A' ? 'most servers cannot reach this one' : 'servers with IPv6 only cannot reach this one');
    const alias = await dns.cname(name);
    // RFC 2181 section 10.3.
    if (alias.kind === 'found')
      return wrong([`CNAME ${alias.records[0]}`], `the target of an MX record must not be an alias: give ${name} its own ${type} record`);
    const foreign = all.filter((ip) => !addresses.includes(ip));
    if (!all.includes(data))
      return wrong(all, `the name leads to ${all.join(', ')}, not to this server (${data}); option doctor.addresses names other addresses of it`);
    return right(all, foreign.length > 0 ? `${foreign.join(', ')} is not known as an address of this server` : '');
  },

  spf: async ({ name }, facts, dns) => judgeSpf(name, facts, dns, false),
  heloSpf: async ({ name }, facts, dns) => judgeSpf(name, facts, dns, true),

  dkim: async ({ name }, { keys }, dns) => {
    const all = recordsOf(await dns.txt(name));
    if (isJudged(all)) return all;
    const key = keys.find((one) => one.name === name)!;
    if (all.length === 0)
      return missing(key.state === 'active' ? 'signatures cannot be verified, as if there were none' : 'put it there before the key begins to sign');
    if (all.length > 1) return wrong(all, 'there must be one record at this name only: remove the others');
    if (publicKeyOf(all[0]!) === publicKeyOf(key.record)) return right(all);
    return wrong(all, 'it holds another key: replace it, or no signature can be verified');
  },

  dmarc: async ({ name }, { reportAddress }, dns) => {
    const all = recordsOf(await dns.txt(name));
    if (isJudged(all)) return all;
    const ours = all.filter((text) => /^v\s*=\s*DMARC1\s*(?:;|$)/.test(text));
    if (ours.length === 0) return missing('others let forged mail of the domain pass, and large receivers may refuse bulk mail');
    if (ours.length > 1) return wrong(ours, 'with two policies none counts: remove one');
    const policy = /;\s*p\s*=\s*(none|quarantine|reject)\s*(?:;|$)/i.exec(ours[0]!)?.[1]?.toLowerCase();
    if (policy === undefined) return wrong(ours, 'it needs p=none, p=quarantine or p=reject right after v=DMARC1');
    const rua = /;\s*rua\s*=\s*([^;]*)/i.exec(ours[0]!)?.[1] ?? '';
    const notes: string[] = [];
    if (policy === 'none') notes.push('with p=none forged mail still passes; p=quarantine or p=reject once the reports show that yours passes');
    if (reportAddress !== null && !rua.toLowerCase().includes(reportAddress.toLowerCase()))
      notes.push(`rua= does not name ${reportAddress}, so posthorn dmarc sees no reports`);
    return right(ours, notes.join('; '));
  },

  dmarcConsent: async ({ name }, _facts, dns) => {
    const all = recordsOf(await dns.txt(name));
    if (isJudged(all)) return all;
    return all.some((text) => /^v\s*=\s*DMARC1/.test(text)) ? right(all) : missing('others will not send their reports to an address in another domain');
  },

  ptr: async ({ name }, { hostname, addresses }, dns) => {
    const all = recordsOf(await dns.ask('PTR', name));
    if (isJudged(all)) return all;
    if (all.length === 0) return missing(`many servers refuse mail from an address without a name: ask the provider of the address to set ${hostname}`);
    if (!all.includes(hostname))
      return wrong(all, `the address is called ${all.join(', ')}; many servers compare it with ${hostname}: ask the provider of the address to change it`);
    // Forward-confirmed: the name must lead back to one of ours.
    const back = [...found(await dns.addresses4(hostname)), ...found(await dns.addresses6(hostname))];
    return addresses.some((ip) => back.includes(ip)) ? right(all) : wrong(all, `${hostname} does not lead back to this address`);
  },

  srv: async ({ name, data }, _facts, dns) => {
    const all = recordsOf(await dns.srv(name));
    if (isJudged(all)) return all;
    const texts = all.map(({ priority, weight, port, target }) => `${priority} ${weight} ${port} ${target}.`);
    if (texts.length === 0) return missing('some mail programs cannot find the server by themselves');
    const [, , port, target] = data.split(' ');
    return all.some((one) => String(one.port) === port && `${one.target}.` === target)
      ? right(texts)
      : wrong(texts, `it leads elsewhere; the server is at ${data}`);
  },

  tlsReports: async ({ name }, _facts, dns) => {
    const all = recordsOf(await dns.txt(name));
    if (isJudged(all)) return all;
    const ours = all.filter((text) => /^v\s*=\s*TLSRPTv1\s*;/.test(text));
    if (ours.length === 0) return missing('nobody tells you when TLS to this server fails');
    if (ours.length > 1) return wrong(ours, 'with two records none counts: remove one');
    return /;\s*rua\s*=\s*(?:mailto:|https:)/i.test(ours[0]!) ? right(ours) : wrong(ours, 'it needs rua=mailto:ADDRESS');
  },

  mtaSts: async ({ name }, _facts, dns) => {
    const all = recordsOf(await dns.txt(name));
    if (isJudged(all)) return all;
    const ours = all.filter((text) => /^v\s*=\s*STSv1\s*;/.test(text));
    if (ours.length === 0) return missing('');
    if (ours.length > 1) return wrong(ours, 'with two records none counts: remove one');
    return /;\s*id\s*=\s*[A-Za-z0-9]{1,32}\s*(?:;|$)/.test(ours[0]!)
      ? right(ours)
      : wrong(ours, 'it needs id= with letters and digits, changed with every change of the policy');
  },

  tlsa: async ({ name }, { certificateKey, hostname }, dns) => {
    const answer = await dns.tlsa(name);
    const all = recordsOf(answer);
    if (isJudged(all)) return all;
    const texts = all.map(({ usage, selector, matchingType, data }) => `${usage} ${selector} ${matchingType} ${Buffer.from(data).toString('hex')}`);
    if (texts.length === 0) {
      const host = await dns.addresses4(hostname);
      const isSigned = host.kind === 'found' && host.isAuthentic === true;
      return missing(isSigned ? 'the zone is signed, so other servers could verify this one' : '');
    }
    // Other forms (the whole certificate, an authority's) are compared by those who use them; ours must not be contradicted.
    const simple = texts.filter((text) => text.startsWith('3 1 1 '));
    if (simple.length === texts.length && !simple.includes(`3 1 1 ${certificateKey}`))
      return wrong(texts, 'it names another key: servers that verify it (DANE) will not deliver here');
    return right(texts);
  },

  autoconfig: async ({ name, type }, _facts, dns) => {
    const all: readonly unknown[] | Judged = recordsOf<unknown>(await (type === 'SRV' ? dns.srv(name) : dns.addresses4(name)));
    if (isJudged(all)) return all as Judged;
    return all.length === 0 ? missing('') : right([`leads to ${type === 'SRV' ? 'a server' : String(all[0])}`]);
  },
};

const found = <T>(answer: DnsAnswer<T>): readonly T[] => (answer.kind === 'found' ? answer.records : []);

/** p= of a key record, without the white space that zone files bring. */
function publicKeyOf(record: string): string {
  return /(?:^|;)\s*p\s*=\s*([^;]*)/.exec(record)?.[1]?.replace(/\s/g, '') ?? '';
}

async function judgeSpf(name: string, facts: DnsFacts, dns: Dns, isHelo: boolean): Promise<Judged> {
  const all = recordsOf(await dns.txt(name));
  if (isJudged(all)) return all;
  const ours = all.filter(isSpfRecord);
  if (ours.length === 0)
    return missing(
      isHelo ? 'delivery reports of this server count as unauthenticated' : 'large receivers refuse mail of a domain that does not say who may send it',
    );
  if (ours.length > 1) return wrong(ours, 'with two SPF records none counts: join them into one');
  if (/(?:^|\s)\+?all(?:\s|$)/i.test(ours[0]!)) return wrong(ours, 'it lets everybody send mail of the domain: end it with -all');
  for (const ip of facts.addresses) {
    const input = { ip, helo: facts.hostname, sender: isHelo ? null : { local: 'postmaster', domain: name } };
    const { result: code, problem } = await checkSpf(input, authDns(dns));
    if (code === 'temperror') return { state: 'unknown', found: ours, advice: `could not be asked: ${problem ?? 'a name in it'}` };
    if (code === 'permerror') return wrong(ours, `it has a mistake (${problem ?? 'unknown'}), so none of it counts`);
    if (code !== 'pass') return wrong(ours, `it does not let this server send (${ip}: ${code}): add "mx", or ${ip.includes(':') ? 'ip6' : 'ip4'}:${ip}`);
  }
  return right(ours);
}

/** All records, looked up side by side; in the order given. */
export async function checkRecords(records: readonly WantedRecord[], facts: DnsFacts, dns: Dns): Promise<RecordFinding[]> {
  return Promise.all(records.map(async (record) => ({ record, ...(await CHECKS[record.kind](record, facts, dns)) })));
}

/** Is this a reason for a bad exit code? */
export function isSerious({ record, state }: RecordFinding): boolean {
  // What is optional may be missing; when it is there and wrong, it does harm.
  return record.need === 'must' ? state !== 'right' : state === 'wrong';
}
