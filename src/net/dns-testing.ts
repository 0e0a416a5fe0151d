/** Name lookups from a table, for tests of the rooms that ask. */
import { createDns } from './dns.ts';
import { DNS_SETTINGS, type DnsSettings } from './dns-settings.ts';
import type { Dns, DnsRecord, DnsRecords, DnsResponse, DnsTransport, DnsType } from './dns-types.ts';
import { reverseNameOf } from './reverse-name.ts';
import { defaultsOf } from '../system/declare.ts';

/**
 * What is asked for, "TYPE name" ("PTR 192.0.2.1" may name the address): records, or why there are none. Names that stand nowhere do not
 * exist; names that stand there with another type exist. Aliases ("CNAME name") are followed.
 */
export type FakeZone = { readonly [question: string]: readonly DnsRecords[DnsType][] | 'servfail' | 'timeout' | 'nxdomain' };

export interface FakeTransport extends DnsTransport {
  /** Questions that reached us, in order, as in the zone's keys. */
  readonly asked: string[];
  /** May be changed while the test runs. */
  zone: FakeZone;
}

export function fakeTransport(zone: FakeZone, ttlSeconds: number | ((question: string) => number) = 300, negativeSeconds: number | null = 60): FakeTransport {
  const asked: string[] = [];
  const transport: FakeTransport = {
    asked,
    zone,
    ask: (name, type) => {
      asked.push(`${type} ${name}`);
      return Promise.resolve(respond(byWireName(transport.zone), name, type, typeof ttlSeconds === 'number' ? () => ttlSeconds : ttlSeconds, negativeSeconds));
    },
    close: () => {},
  };
  return transport;
}

/** A Dns that answers from `zone`, with the real cache before it. `asked` tells what was not cached. */
export function fakeDns(zone: FakeZone, now: () => number = () => 0, settings: Partial<DnsSettings> = {}): Dns & { readonly asked: readonly string[] } {
  const transport = fakeTransport(zone);
  const values = { ...defaultsOf(DNS_SETTINGS), ...settings };
  return Object.assign(
    createDns(() => values, now, transport),
    { asked: transport.asked },
  );
}

function byWireName(zone: FakeZone): Map<string, FakeZone[string]> {
  const found = new Map<string, FakeZone[string]>();
  for (const [question, value] of Object.entries(zone)) {
    const [type, name] = question.split(' ') as [string, string];
    found.set(`${type} ${(type === 'PTR' && /^[0-9a-f.:]+$/i.test(name) ? reverseNameOf(name) : name).toLowerCase()}`, value);
  }
  return found;
}

function respond(
  zone: Map<string, FakeZone[string]>,
  name: string,
  type: DnsType,
  ttl: (question: string) => number,
  negativeSeconds: number | null,
): DnsResponse {
  const answers: DnsRecord[] = [];
  let owner = name;
  for (let hop = 0; hop < 20; hop += 1) {
    const own = zone.get(`${type} ${owner}`);
    if (own === 'timeout') return { kind: 'failed', reason: 'name server did not answer in time' };
    if (own === 'servfail') return { kind: 'response', rcode: 2, isAuthentic: false, answers: [], negativeSeconds: null };
    const alias = own === undefined ? zone.get(`CNAME ${owner}`) : undefined;
    if (own === 'nxdomain' || (own === undefined && alias === undefined)) {
      const exists = own === undefined && [...zone.keys()].some((key) => key.endsWith(` ${owner}`));
      return { kind: 'response', rcode: exists ? 0 : 3, isAuthentic: false, answers, negativeSeconds };
    }
    const isAlias = own === undefined;
    for (const data of (own ?? alias) as readonly DnsRecords[DnsType][]) {
      answers.push({ name: owner, type: isAlias ? 'CNAME' : type, ttlSeconds: ttl(`${type} ${owner}`), data });
    }
    if (!isAlias) return { kind: 'response', rcode: 0, isAuthentic: false, answers, negativeSeconds: answers.length === 0 ? negativeSeconds : null };
    owner = (alias as readonly string[])[0]!;
  }
  return { kind: 'response', rcode: 0, isAuthentic: false, answers, negativeSeconds: null };
}
