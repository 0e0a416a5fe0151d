/** What the restrictions need from other rooms. */
import type { Dns, DnsAnswer } from '../../net/dns.ts';
import type { TablesSettings } from '../../directory/tables/settings.ts';
import type { Address, Log, Metrics, Tables } from '../../ports.ts';

/** Name lookups. `cached` answers at once what is remembered: the default lists then decide without waiting. */
export type PolicyDns = Pick<Dns, 'mx' | 'addresses4' | 'addresses6' | 'txt' | 'ptr'> & {
  ns(name: string): Promise<DnsAnswer<string>>;
  cached?(type: string, name: string): DnsAnswer<any> | undefined;
};

/** Whose an address is (Postfix's address classes). `routed`: ours by its domain, but the local part asks for another host (user%other@ours). */
export type RecipientClass = 'local' | 'virtualAlias' | 'virtualMailbox' | 'relay' | 'routed' | 'foreign';

/** Which addresses are ours, and which of them exist. Throws or rejects with TableError when a table cannot answer. */
export interface RecipientClasses {
  classify(address: Address): RecipientClass | Promise<RecipientClass>;
  /** For addresses of our own classes: does it exist? True for `foreign`. */
  isListed(address: Address): boolean | Promise<boolean>;
}

/** Who may use a sender address. */
export interface SenderOwners {
  /** owned: by this login. other: it has owners, this login is not one. nobody: it has no owner. */
  ownership(login: string | null, address: Address): 'owned' | 'other' | 'nobody' | Promise<'owned' | 'other' | 'nobody'>;
}

export interface ProbeAnswer {
  readonly status: 'deliverable' | 'undeliverable' | 'unknown';
  /** What the other server said, or why it is not known. */
  readonly text: string;
}
/** Does mail to this address arrive? Asks the server responsible and remembers (`probes.ts`). */
export interface AddressProber {
  probe(address: Address, signal?: AbortSignal): ProbeAnswer | Promise<ProbeAnswer>;
}

export interface PolicyServiceOptions {
  readonly timeoutMs?: number;
  readonly defaultAction?: string;
  readonly retryMs?: number;
  readonly tryLimit?: number;
  readonly signal?: AbortSignal;
}
/** Asks a server of Postfix's policy delegation protocol; answers its action, or the default action when it cannot be asked. */
export interface PolicyService {
  ask(endpoint: string, attributes: Readonly<Record<string, string>>, options?: PolicyServiceOptions): Promise<string>;
}

export interface PolicyContext {
  readonly hostname: string;
  readonly dns: PolicyDns;
  readonly tables: Tables;
  /** The tables' settings, for files that lists of networks and domains name. */
  tablesSettings(): TablesSettings;
  readonly recipients: RecipientClasses;
  readonly owners: SenderOwners;
  readonly prober: AddressProber;
  readonly service: PolicyService;
  readonly log: Log;
  readonly metrics: Metrics;
  /** One of this machine's addresses (permit_inet_interfaces, permit_mx_backup). */
  isOwnAddress(ip: string): boolean;
  /** A name of this server (permit_mx_backup). */
  isOwnName(name: string): boolean;
  now(): number;
}
