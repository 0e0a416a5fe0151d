/** Which transport and next hop a recipient gets: by class, then by tables, as trivial-rewrite(8) decides. */
import { type Found, findFirst, NULL_SENDER_KEY, transportKeys } from '../directory/tables/search.ts';
import type { Address, Table } from '../ports.ts';
import type { AddressClass } from './classes.ts';
import { type Hop, type HopContext, hopOf, splitTransport } from './hop.ts';
import type { AddressTables, LookupScope } from './lookup.ts';
import { mailerKeys, mailerValue } from './sendmail.ts';
import { go, type Soon, type Walk, wait } from './soon.ts';
import { direct, lineFor, nexthop, type Routes } from './transport.ts';

export interface TransportParts {
  readonly routes: Routes;
  /** The text of `deliver.relayHost`; '' for none. */
  readonly relayHost: string;
  readonly hostname: string;
  readonly defaultTransport: string;
  readonly relayTransport: string;
  readonly virtualTransport: string;
  readonly localTransport: string;
  readonly transportMaps: readonly Table[];
  readonly parentMatches: boolean;
  readonly mailertable: readonly Table[];
  readonly senderRelayHosts: AddressTables;
  readonly senderTransports: AddressTables;
  readonly hops: HopContext;
  readonly scope: LookupScope;
}

export interface Decision {
  readonly channel: string;
  readonly nexthop: string;
  readonly isRelay: boolean;
  /** Which option or table decided, for `posthorn route`. */
  readonly by: string;
  /** When `deliver.transports` decided. */
  readonly hop: Hop | null;
}

export interface TransportChoice {
  /** Neither tables nor transports other than Postfix's defaults: the domain alone decides. */
  readonly isPlain: boolean;
  /** The whole decision for a recipient of this class. */
  decide(address: Address, sender: Address | null, kind: AddressClass): Soon<Decision>;
  /** What the tables say instead of the class; null: nothing. "*" is left out for domains of the directory. */
  override(address: Address, kind: AddressClass): Soon<Decision | null>;
  hop(decision: Decision, domain: string): Hop;
  /** For `isPlain`. */
  byDomain(domain: string): Hop;
}

export function createTransportChoice(parts: TransportParts): TransportChoice {
  const isPlain =
    parts.transportMaps.length === 0 &&
    parts.mailertable.length === 0 &&
    parts.senderRelayHosts.isEmpty &&
    parts.senderTransports.isEmpty &&
    parts.hops.fallback.length === 0 &&
    parts.defaultTransport === 'smtp';
  return {
    isPlain,
    decide: (address, sender, kind) => go(decided(parts, address, sender, kind)),
    override: (address, kind) => go(overridden(parts, address, kind, null)),
    hop: (decision, domain) => decision.hop ?? hopOf(decision.channel, decision.nexthop, domain, parts.hops, decision.isRelay),
    byDomain: (domain) => nexthop(domain, parts.routes),
  };
}

function* decided(parts: TransportParts, address: Address, sender: Address | null, kind: AddressClass): Walk<Decision> {
  const isOffHost = kind === 'relay' || kind === 'default';
  if (isOffHost) {
    const line = lineFor(address.domain, parts.routes);
    if (line !== undefined) return { channel: 'smtp', nexthop: address.domain, isRelay: false, by: 'deliver.transports', hop: line ?? direct(address.domain) };
  }
  const byClass = isOffHost ? yield* offHost(parts, address, sender, kind) : onHost(parts, address, kind);
  return (yield* overridden(parts, address, kind, byClass)) ?? byClass;
}

function onHost(parts: TransportParts, address: Address, kind: AddressClass): Decision {
  if (kind === 'virtualAlias')
    return { channel: 'error', nexthop: '5.1.1 User unknown in virtual alias table', isRelay: false, by: 'policy.virtualAliasDomains', hop: null };
  const isLocal = kind === 'local';
  const { channel, nexthop: host } = splitTransport(isLocal ? parts.localTransport : kind === 'own' ? 'virtual' : parts.virtualTransport);
  const fallback = isLocal ? parts.hostname : address.domain;
  const by = isLocal ? 'route.localTransport' : kind === 'own' ? 'the directory' : 'route.virtualTransport';
  return { channel, nexthop: host === '' && !isReply(channel) ? fallback : host, isRelay: false, by, hop: null };
}

const isReply = (channel: string): boolean => channel === 'error' || channel === 'retry';

function* offHost(parts: TransportParts, address: Address, sender: Address | null, kind: AddressClass): Walk<Decision> {
  let by = kind === 'relay' ? 'route.relayTransport' : 'route.defaultTransport';
  let transport = kind === 'relay' ? parts.relayTransport : parts.defaultTransport;
  if (kind === 'default' && !parts.senderTransports.isEmpty) {
    const found = yield* bySender(parts.senderTransports, sender);
    if (found !== null) {
      transport = found.value.trim();
      by = parts.senderTransports.where(found);
    }
  }
  const { channel, nexthop: named } = splitTransport(transport);
  if (named !== '' || isReply(channel)) return { channel, nexthop: named, isRelay: false, by, hop: null };
  const relay = parts.senderRelayHosts.isEmpty ? null : yield* bySender(parts.senderRelayHosts, sender);
  if (relay !== null) return { channel, nexthop: relay.value.trim(), isRelay: false, by: parts.senderRelayHosts.where(relay), hop: null };
  if (parts.relayHost !== '') return { channel, nexthop: parts.relayHost, isRelay: true, by: 'deliver.relayHost', hop: null };
  return { channel, nexthop: address.domain, isRelay: false, by, hop: null };
}

/** "DUNNO" and an empty value say nothing. */
function* bySender(tables: AddressTables, sender: Address | null): Walk<Found | null> {
  // The null sender is looked up as "<>" (empty_address_relayhost_maps_lookup_key).
  const found = yield* wait(sender === null ? tables.findKey(NULL_SENDER_KEY) : tables.find(sender));
  return found === null || found.value.trim() === '' || /^dunno$/i.test(found.value.trim()) ? null : found;
}

function* overridden(parts: TransportParts, address: Address, kind: AddressClass, before: Decision | null): Walk<Decision | null> {
  const { transportMaps, mailertable, scope } = parts;
  if (transportMaps.length > 0) {
    const keys = transportKeys(address, { delimiters: scope.delimiters, parentMatchesSubdomains: parts.parentMatches });
    if (kind === 'own') keys.pop();
    const found = yield* wait(findFirst(transportMaps, keys));
    if (found !== null) return changed(splitTransport(found.value), address, before, scope.where('transportMaps', found));
  }
  if (mailertable.length === 0 || kind === 'own' || address.domain === '') return null;
  for (const { key, rest } of mailerKeys(address.domain)) {
    const found = yield* wait(findFirst(mailertable, [key]));
    if (found === null) continue;
    const by = scope.where('mailertable', found);
    const value = mailerValue(found.value, rest);
    if (value === null) return { channel: 'retry', nexthop: '4.3.5 mailertable has a value without mailer', isRelay: false, by, hop: null };
    return changed(value, address, before, by);
  }
  return null;
}

/** ":" changes nothing, ":host" the next hop alone, "transport:" goes to the recipient's own domain (transport(5)). */
function changed(value: { channel: string; nexthop: string }, address: Address, before: Decision | null, by: string): Decision | null {
  const { channel, nexthop: host } = value;
  if (channel === '') {
    if (host === '' || before === null) return null;
    return { channel: before.channel, nexthop: host, isRelay: false, by, hop: null };
  }
  const nexthop = host !== '' ? host : isReply(channel) ? '5.0.0 Address is undeliverable' : address.domain;
  return { channel, nexthop, isRelay: false, by, hop: null };
}
