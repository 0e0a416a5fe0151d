/** What this room asks of DNS. Answers that are known come at once; tests give a table (testing.ts). */
import type { Dns, DnsAnswer, Mx } from '../../net/dns.ts';

export type Answer<T> = DnsAnswer<T>;
export type Asked<T> = Answer<T> | Promise<Answer<T>>;

export interface AuthDns {
  /** Each record's strings joined without a space, one character a byte. */
  txt(name: string): Asked<string>;
  addresses4(name: string): Asked<string>;
  addresses6(name: string): Asked<string>;
  mx(name: string): Asked<Mx>;
  /** Names of an address. */
  ptr(ip: string): Asked<string>;
}

/** Joined once for each answer object, which lives as long as the cache keeps it. One map for all: they are dear to make and to collect. */
const joined = new WeakMap<object, Answer<string>>();

/** The server's resolver: its cache is asked first, so that a warm one costs no turn of the event loop. */
export function authDns(dns: Dns): AuthDns {
  const join = (answer: Answer<readonly string[]>): Answer<string> => {
    if (answer.kind !== 'found') return answer;
    let whole = joined.get(answer);
    if (whole === undefined) {
      whole = { ...answer, records: answer.records.map((strings) => (strings.length === 1 ? strings[0]! : strings.join(''))) };
      joined.set(answer, whole);
    }
    return whole;
  };
  return {
    txt(name) {
      const known = dns.cached('TXT', name);
      return known === undefined ? dns.txt(name) : join(known);
    },
    addresses4: (name) => dns.cached('A', name) ?? dns.addresses4(name),
    addresses6: (name) => dns.cached('AAAA', name) ?? dns.addresses6(name),
    mx: (name) => dns.cached('MX', name) ?? dns.mx(name),
    ptr: (ip) => dns.cached('PTR', ip) ?? dns.ptr(ip),
  };
}
