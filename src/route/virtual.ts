/** Virtual aliases (virtual(5)) and Sendmail's virtusertable: one address to all it leads to, with limits. */
import { findFirst } from '../directory/tables/search.ts';
import { addressKey, formatAddress } from '../mail/address.ts';
import type { Address, Table } from '../ports.ts';
import type { AddressTables, LookupScope, Trail } from './lookup.ts';
import { errorValue, expandVirtuser, virtuserKeys } from './sendmail.ts';
import { go, type Soon, type Walk, wait } from './soon.ts';

export interface VirtualTarget {
  readonly address: Address;
  /** In the tree of `posthorn route`. */
  readonly depth: number;
  /** The table says that there is no such address: "5.1.1 User unknown". */
  readonly refusal: string | null;
}
/** 'loop': the aliases lead back to themselves only. 'limit': more than the options allow. */
export type VirtualOutcome =
  | { readonly kind: 'targets'; readonly targets: readonly VirtualTarget[] }
  | { readonly kind: 'loop' }
  | { readonly kind: 'limit'; readonly option: string };

export interface VirtualLimits {
  readonly recursion: number;
  readonly expansion: number;
  readonly addressLength: number;
}

export interface VirtualParts {
  readonly aliases: AddressTables;
  readonly virtusers: readonly Table[];
  readonly scope: LookupScope;
  readonly limits: VirtualLimits;
}

export interface VirtualAliases {
  readonly isIdle: boolean;
  expand(address: Address, trail: Trail | null, depth: number): Soon<VirtualOutcome>;
}

export function createVirtualAliases(parts: VirtualParts): VirtualAliases {
  return {
    isIdle: parts.aliases.isEmpty && parts.virtusers.length === 0,
    expand: (address, trail, depth) => go(expanded(parts, address, trail, depth)),
  };
}

interface Next {
  readonly address: Address;
  readonly depth: number;
  /** Aliases between this one and the address asked for. */
  readonly level: number;
}

function* expanded(parts: VirtualParts, start: Address, trail: Trail | null, depth: number): Walk<VirtualOutcome> {
  const { limits } = parts;
  const targets: VirtualTarget[] = [];
  // Each address is followed once: what leads back to one of them adds nothing.
  const seen = new Set<string>([addressKey(start)]);
  const queue: Next[] = [{ address: start, depth, level: 0 }];
  let hasCycle = false;
  for (let i = 0; i < queue.length; i += 1) {
    const next = queue[i]!;
    if (next.level > limits.recursion) return { kind: 'limit', option: 'route.virtualAliasRecursionLimit' };
    const led = yield* leads(parts, next, trail);
    if (led === null) {
      targets.push({ address: next.address, depth: next.depth, refusal: null });
      continue;
    }
    if (typeof led === 'string') {
      targets.push({ address: next.address, depth: next.depth, refusal: led });
      continue;
    }
    const own = addressKey(next.address);
    for (const address of led) {
      if (formatAddress(address).length > limits.addressLength) return { kind: 'limit', option: 'route.virtualAliasAddressLengthLimit' };
      const key = addressKey(address);
      // An alias that names itself keeps a copy.
      if (key === own) targets.push({ address, depth: next.depth + 1, refusal: null });
      else if (seen.has(key)) hasCycle = true;
      else {
        seen.add(key);
        queue.push({ address, depth: next.depth + 1, level: next.level + 1 });
      }
      if (queue.length - i + targets.length > limits.expansion + 1) return { kind: 'limit', option: 'route.virtualAliasExpansionLimit' };
    }
  }
  return targets.length === 0 && hasCycle ? { kind: 'loop' } : { kind: 'targets', targets };
}

/** null: no alias. A text: refused. */
function* leads(parts: VirtualParts, next: Next, trail: Trail | null): Walk<readonly Address[] | string | null> {
  const { aliases, virtusers, scope } = parts;
  const hit = yield* wait(aliases.map(next.address));
  if (hit !== null) {
    for (const target of hit.targets) trail?.add(next.depth + 1, formatAddress(target), aliases.where(hit.found), next.address);
    return hit.targets;
  }
  if (virtusers.length === 0) return null;
  const found = yield* wait(findFirst(virtusers, virtuserKeys(next.address, scope.delimiters)));
  if (found === null) return null;
  const where = scope.where('virtusertable', found);
  const value = expandVirtuser(found.value.trim(), next.address, scope.delimiters);
  if (/^error:/i.test(value)) {
    const { enhanced, text } = errorValue(value.slice(6));
    trail?.add(next.depth + 1, `refused: ${enhanced} ${text}`, where, next.address);
    return `${enhanced} ${text}`;
  }
  // "@other" keeps the user; in Sendmail that is written "%1@other".
  const address = aliases.read(value.startsWith('@') ? `${formatAddress({ local: next.address.local, domain: '' })}${value}` : value, found);
  trail?.add(next.depth + 1, formatAddress(address), where, next.address);
  return [address];
}
