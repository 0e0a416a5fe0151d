/** What name lookups answer: record types, answers, and the face that other rooms hold. Types only. */

export interface Mx {
  /** Lower case, no final dot; '' for a null MX (RFC 7505). */
  readonly exchange: string;
  readonly preference: number;
}
export interface Srv {
  readonly target: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}
/** RFC 6698 section 2.1. */
export interface Tlsa {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly data: Uint8Array;
}
export interface Soa {
  readonly primary: string;
  readonly responsible: string;
  readonly serial: number;
  readonly refreshSeconds: number;
  readonly retrySeconds: number;
  readonly expireSeconds: number;
  readonly minimumSeconds: number;
}

/** The value of one record, by type. Names are in lower case without a final dot; odd octets in them are written \DDD. */
export interface DnsRecords {
  A: string;
  AAAA: string;
  MX: Mx;
  /** The strings of one record, unjoined; one character for each octet (latin1). */
  TXT: readonly string[];
  PTR: string;
  NS: string;
  SRV: Srv;
  TLSA: Tlsa;
  SOA: Soa;
  CNAME: string;
}
export type DnsType = keyof DnsRecords;

export type DnsAnswer<T> =
  | {
      readonly kind: 'found';
      readonly records: readonly T[];
      /** Least TTL of the records and of the aliases that led to them, as the name server said it. */
      readonly ttlSeconds?: number;
      /** The name server says that it verified the answer (AD, RFC 4035 section 3.2.3); worth as much as the way to that server. */
      readonly isAuthentic?: boolean;
    }
  /** The name has no such records; `exists` is false when the name itself does not exist (NXDOMAIN). */
  | { readonly kind: 'none'; readonly exists: boolean; readonly ttlSeconds?: number; readonly isAuthentic?: boolean }
  /** No answer: timeout, SERVFAIL, no server. `reason` is a short phrase for replies and logs. */
  | { readonly kind: 'failed'; readonly reason: string };

/** Name lookups. Nothing here rejects; names may end in a dot, case does not matter. */
export interface Dns {
  mx(name: string): Promise<DnsAnswer<Mx>>;
  addresses4(name: string): Promise<DnsAnswer<string>>;
  addresses6(name: string): Promise<DnsAnswer<string>>;
  /** Each record's strings joined. */
  txt(name: string): Promise<DnsAnswer<string>>;
  /** Each record as its strings. */
  txtStrings(name: string): Promise<DnsAnswer<readonly string[]>>;
  /** Names of an address. */
  ptr(ip: string): Promise<DnsAnswer<string>>;
  ns(name: string): Promise<DnsAnswer<string>>;
  srv(name: string): Promise<DnsAnswer<Srv>>;
  tlsa(name: string): Promise<DnsAnswer<Tlsa>>;
  soa(name: string): Promise<DnsAnswer<Soa>>;
  /** The alias itself; all other questions follow aliases. */
  cname(name: string): Promise<DnsAnswer<string>>;
  /** The same by type. For PTR `name` may be an address. */
  ask<K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>>;
  /** The answer when it is known already, or when the name cannot be asked for; undefined when a packet would be due. Asks nobody. */
  cached<K extends DnsType>(type: K, name: string): DnsAnswer<DnsRecords[K]> | undefined;
  /** Forgets everything and reads the system's list of name servers again; used at reload. */
  clear(): void;
  /** Closes sockets; questions under way fail. */
  close(): void;
}

/** One record of a response, not yet judged. */
export interface DnsRecord {
  readonly name: string;
  readonly type: DnsType;
  readonly ttlSeconds: number;
  readonly data: DnsRecords[DnsType];
}

/** What came back for one question. */
export type DnsResponse =
  | {
      readonly kind: 'response';
      /** RFC 1035 section 4.1.1: 0 no error, 3 no such name; others make the lookup fail. */
      readonly rcode: number;
      readonly isAuthentic: boolean;
      readonly answers: readonly DnsRecord[];
      /** How long absence may be remembered (RFC 2308 section 5): the lesser of the SOA's TTL and its minimum; null without SOA. */
      readonly negativeSeconds: number | null;
    }
  | { readonly kind: 'failed'; readonly reason: string /** Our own refusal, not the servers': not to be remembered. */; readonly isOurs?: boolean };

/** Carries questions to name servers; tests give their own (`dns-testing.ts`). Never rejects. */
export interface DnsTransport {
  ask(name: string, type: DnsType): Promise<DnsResponse>;
  close(): void;
}
