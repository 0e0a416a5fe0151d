/** Addresses of this host and what they are outside (smtp_generic_maps, genericstable), for mail that leaves by SMTP. */
import { findFirst } from '../directory/tables/search.ts';
import type { Address, Table } from '../ports.ts';
import { type HeaderPlace, rewriteHeader } from './header.ts';
import type { AddressTables, LookupScope } from './lookup.ts';
import { genericsKeys } from './sendmail.ts';
import { go, type Soon, type Walk, wait } from './soon.ts';

export interface Generic {
  /** Nothing is configured: nothing changes. */
  readonly isIdle: boolean;
  sender(address: Address): Soon<Address>;
  recipient(address: Address): Soon<Address>;
  /** null when nothing changes. */
  header(header: Uint8Array): Soon<Uint8Array | null>;
}

export interface GenericParts {
  readonly maps: AddressTables;
  readonly genericstable: readonly Table[];
  readonly genericsDomains: ReadonlySet<string>;
  readonly scope: LookupScope;
}

export function createGeneric(parts: GenericParts): Generic {
  const isIdle = parts.maps.isEmpty && parts.genericstable.length === 0;
  const map = (address: Address, isSender: boolean): Soon<Address> => (isIdle ? address : go(mapped(parts, address, isSender)));
  return {
    isIdle,
    sender: (address) => map(address, true),
    recipient: (address) => map(address, false),
    header: (header) => (isIdle ? null : rewriteHeader(header, (address, place: HeaderPlace) => map(address, place === 'header_sender'))),
  };
}

function* mapped(parts: GenericParts, address: Address, isSender: boolean): Walk<Address> {
  // Once: generic addresses do not lead to one another.
  const current = (yield* wait(parts.maps.map(address)))?.targets[0] ?? address;
  // Sendmail's table is about senders of certain domains only.
  if (!isSender || current !== address || parts.genericstable.length === 0 || !parts.genericsDomains.has(current.domain.toLowerCase())) return current;
  const found = yield* wait(findFirst(parts.genericstable, genericsKeys(current, parts.scope.delimiters)));
  if (found === null) return current;
  const value = found.value.trim();
  return value.startsWith('@') ? { local: current.local, domain: value.slice(1).toLowerCase() } : parts.maps.read(value, found);
}
