/** Canonical addresses and masquerading, in the order of cleanup(8), for the four places an address may stand in. */
import { formatAddress, sameAddress } from '../mail/address.ts';
import type { Address } from '../ports.ts';
import { type Completion, completed } from './complete.ts';
import { ROUTE_LIMITS } from './limits.ts';
import type { AddressTables, Trail } from './lookup.ts';
import { go, type Soon, type Walk, wait } from './soon.ts';

export type Place = 'envelope_sender' | 'envelope_recipient' | 'header_sender' | 'header_recipient';

export interface RewriteParts {
  readonly canonical: AddressTables;
  readonly canonicalClasses: ReadonlySet<string>;
  readonly senderCanonical: AddressTables;
  readonly senderCanonicalClasses: ReadonlySet<string>;
  readonly recipientCanonical: AddressTables;
  readonly recipientCanonicalClasses: ReadonlySet<string>;
  readonly masquerade: Masquerade | null;
  readonly masqueradeClasses: ReadonlySet<string>;
}

export interface Rewriter {
  /** Nothing is ever changed in this place but what is incomplete. */
  isIdle(place: Place): boolean;
  /** Completed with `how`, mapped, masqueraded; the same object when nothing changes. */
  rewrite(address: Address, place: Place, how: Completion, trail: Trail | null, depth: number): Soon<Address>;
}

export function createRewriter(parts: RewriteParts): Rewriter {
  const tablesOf = (place: Place): readonly AddressTables[] => {
    const isSender = place === 'envelope_sender' || place === 'header_sender';
    const specific = isSender ? parts.senderCanonical : parts.recipientCanonical;
    const classes = isSender ? parts.senderCanonicalClasses : parts.recipientCanonicalClasses;
    const list: AddressTables[] = [];
    if (!specific.isEmpty && classes.has(place)) list.push(specific);
    if (!parts.canonical.isEmpty && parts.canonicalClasses.has(place)) list.push(parts.canonical);
    return list;
  };
  const row = (place: Place) => ({ tables: tablesOf(place), masquerade: parts.masqueradeClasses.has(place) ? parts.masquerade : null });
  const rows = {
    envelope_sender: row('envelope_sender'),
    envelope_recipient: row('envelope_recipient'),
    header_sender: row('header_sender'),
    header_recipient: row('header_recipient'),
  };
  return {
    isIdle: (place) => rows[place].tables.length === 0 && rows[place].masquerade === null,
    rewrite(address, place, how, trail, depth) {
      const whole = completed(address, how);
      if (trail !== null && whole !== address) trail.add(depth, formatAddress(whole), 'completed with the option domain');
      const { tables, masquerade } = rows[place];
      if (tables.length === 0) return masquerade === null ? whole : masked(whole, masquerade, trail, depth);
      return go(mapped(whole, tables, masquerade, trail, depth));
    },
  };
}

function* mapped(address: Address, tables: readonly AddressTables[], masquerade: Masquerade | null, trail: Trail | null, depth: number): Walk<Address> {
  let current = address;
  for (const table of tables) {
    for (let i = 0; i < ROUTE_LIMITS.canonicalDepth; i += 1) {
      const hit = yield* wait(table.map(current));
      const target = hit?.targets[0];
      if (hit === null || target === undefined) break;
      if (sameAddress(target, current)) break;
      current = target;
      trail?.add(depth, formatAddress(current), table.where(hit.found));
    }
  }
  return masquerade === null ? current : masked(current, masquerade, trail, depth);
}

function masked(address: Address, masquerade: Masquerade, trail: Trail | null, depth: number): Address {
  const shown = masquerade(address);
  if (trail !== null && shown !== address) trail.add(depth, formatAddress(shown), 'masqueradeDomains');
  return shown;
}

/** The address without its subdomain; the same object when none applies. */
export type Masquerade = (address: Address) => Address;

/** `domains`: "example.org", or "!sub.example.org" for what stays; the first that fits decides. null when there is none. */
export function createMasquerade(domains: readonly string[], exceptions: readonly string[]): Masquerade | null {
  if (domains.length === 0) return null;
  const rules = domains.map((entry) => {
    const bangs = /^!*/.exec(entry)![0].length;
    const domain = entry.slice(bangs).toLowerCase();
    return { domain, below: `.${domain}`, isCut: bangs % 2 === 0 };
  });
  const spared = new Set(exceptions.map((name) => name.toLowerCase()));
  return (address) => {
    if (spared.has(address.local.toLowerCase())) return address;
    const domain = address.domain.toLowerCase();
    for (const rule of rules) {
      if (domain === rule.domain) return address;
      if (domain.endsWith(rule.below)) return rule.isCut ? { local: address.local, domain: rule.domain } : address;
    }
    return address;
  };
}
