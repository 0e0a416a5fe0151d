/** From a response to an answer: follows aliases, tells absence of the name from absence of the records, and finds how long it holds. */
import { DNS_LIMITS } from './dns-limits.ts';
import type { DnsAnswer, DnsRecord, DnsRecords, DnsResponse, DnsType } from './dns-types.ts';

export interface Read<T> {
  readonly answer: DnsAnswer<T>;
  readonly ttlMs: number;
  /** An alias whose target the response did not speak of: to be asked for. */
  readonly follow: string | null;
}

const RCODES: ReadonlyMap<number, string> = new Map([
  [1, 'name server did not understand the question (FORMERR)'],
  [2, 'name server failure (SERVFAIL)'],
  [4, 'name server does not know such questions (NOTIMP)'],
  [5, 'name server refused the question'],
]);

export function rcodeReason(rcode: number): string {
  return RCODES.get(rcode) ?? `name lookup failed (RCODE ${rcode})`;
}

/** `name` in lower case without final dot. Every TTL is the server's; the caller caps it. */
export function readAnswer<K extends DnsType>(response: DnsResponse, name: string, type: K): Read<DnsRecords[K]> {
  if (response.kind === 'failed') {
    return { answer: { kind: 'failed', reason: response.reason }, ttlMs: response.isOurs === true ? 0 : DNS_LIMITS.failureMs, follow: null };
  }
  const { rcode, answers, isAuthentic } = response;
  if (rcode !== 0 && rcode !== 3) return { answer: { kind: 'failed', reason: rcodeReason(rcode) }, ttlMs: DNS_LIMITS.failureMs, follow: null };
  let target = name;
  let ttlSeconds = 0x7fffffff;
  let aliases = 0;
  if (type !== 'CNAME') {
    for (;;) {
      const alias = aliasOf(answers, target);
      if (alias === null) break;
      aliases += 1;
      if (aliases > DNS_LIMITS.chainLength) {
        return { answer: { kind: 'failed', reason: 'too many aliases (CNAME)' }, ttlMs: DNS_LIMITS.failureMs, follow: null };
      }
      ttlSeconds = Math.min(ttlSeconds, alias.ttlSeconds);
      target = alias.data as string;
    }
  }
  const records: DnsRecords[K][] = [];
  for (const record of answers) {
    if (record.type !== type || record.name !== target || records.length === DNS_LIMITS.answerRecords) continue;
    records.push(record.data as DnsRecords[K]);
    ttlSeconds = Math.min(ttlSeconds, record.ttlSeconds);
  }
  if (records.length > 0) {
    const answer = { kind: 'found', records, ttlSeconds, isAuthentic } as const;
    return { answer, ttlMs: ttlSeconds * 1000, follow: null };
  }
  // RFC 6604 section 3: after aliases the code is about the last name.
  const negative = Math.min(ttlSeconds, response.negativeSeconds ?? DNS_LIMITS.negativeWithoutSoaSeconds);
  const isSilent = aliases > 0 && rcode === 0 && response.negativeSeconds === null;
  return {
    answer: { kind: 'none', exists: rcode === 0, ttlSeconds: negative, isAuthentic },
    ttlMs: negative * 1000,
    follow: isSilent ? target : null,
  };
}

function aliasOf(answers: readonly DnsRecord[], name: string): DnsRecord | null {
  for (const record of answers) if (record.type === 'CNAME' && record.name === name) return record;
  return null;
}
