/** Reverse DNS of a client: the name its address has, and whether that name leads back to the address. */
import type { Dns, DnsAnswer } from './dns-types.ts';
import { parseIp } from './networks.ts';

export interface ReverseName {
  /** The confirmed name, else the first one; null without any. Lower case, no final dot. */
  readonly ptr: string | null;
  /** The name's A or AAAA records contain the address. */
  readonly confirmed: boolean;
  /** No certain answer: PTR (then `ptr` is null) or the name's addresses (then it is not) could not be looked up now. */
  readonly isTemporary: boolean;
}

/** PTR records whose names are asked for in turn; an address with more of them has no honest use for all. */
const NAMES_MAX = 5;

/** Answers at once when everything is cached. `ip` is canonical text; never rejects. */
export function reverseName(dns: Pick<Dns, 'ask' | 'cached'>, ip: string): ReverseName | Promise<ReverseName> {
  const pointers = dns.cached('PTR', ip);
  if (pointers === undefined) return lookUp(dns, ip);
  const names = namesOf(pointers);
  const addresses: DnsAnswer<string>[] = [];
  for (const name of names) {
    const answer = dns.cached(typeFor(ip), name);
    if (answer === undefined) return lookUp(dns, ip);
    addresses.push(answer);
    if (confirms(answer, ip)) break;
  }
  return judge(pointers, names, addresses, ip);
}

async function lookUp(dns: Pick<Dns, 'ask'>, ip: string): Promise<ReverseName> {
  const pointers = await dns.ask('PTR', ip);
  const names = namesOf(pointers);
  const addresses = await Promise.all(names.map((name) => dns.ask(typeFor(ip), name)));
  return judge(pointers, names, addresses, ip);
}

const typeFor = (ip: string): 'A' | 'AAAA' => (ip.includes(':') ? 'AAAA' : 'A');

/** Names that could be host names: an address as a name proves nothing, and escapes never stand in one. */
function namesOf(pointers: DnsAnswer<string>): readonly string[] {
  if (pointers.kind !== 'found') return [];
  return pointers.records.filter((name) => name !== '' && !name.includes('\\') && parseIp(name) === null).slice(0, NAMES_MAX);
}

function confirms(answer: DnsAnswer<string>, ip: string): boolean {
  return answer.kind === 'found' && answer.records.includes(ip);
}

function judge(pointers: DnsAnswer<string>, names: readonly string[], addresses: readonly DnsAnswer<string>[], ip: string): ReverseName {
  if (pointers.kind === 'failed') return { ptr: null, confirmed: false, isTemporary: true };
  const found = addresses.findIndex((answer) => confirms(answer, ip));
  if (found !== -1) return { ptr: names[found]!, confirmed: true, isTemporary: false };
  return { ptr: names[0] ?? null, confirmed: false, isTemporary: addresses.some((answer) => answer.kind === 'failed') };
}
