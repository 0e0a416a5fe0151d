/** Addresses that lack something are completed, as trivial-rewrite(8) does. Pure. */
import type { Address } from '../ports.ts';
import { readAddress } from './lookup.ts';

export interface Completion {
  /** For addresses without a domain (myorigin). */
  readonly origin: string;
  readonly appendOrigin: boolean;
  /** For domains without a dot (mydomain); '' leaves them. */
  readonly parentDomain: string;
  readonly swapBangPath: boolean;
  readonly percentHack: boolean;
}

/** The same object when nothing is missing. */
export function completed(address: Address, how: Completion): Address {
  let { local, domain } = address;
  if (domain === '') {
    const moved = routedElsewhere(local, how);
    if (moved !== null) ({ local, domain } = moved);
    else if (how.appendOrigin) domain = how.origin;
  }
  if (domain.endsWith('.') && domain.length > 1) domain = domain.slice(0, -1);
  if (how.parentDomain !== '' && domain !== '' && !domain.includes('.') && !domain.startsWith('[')) domain = `${domain}.${how.parentDomain}`;
  const lower = domain.toLowerCase();
  return local === address.local && lower === address.domain ? address : { local, domain: lower };
}

/** The address that a local part names by "site!user" or "user%site"; null when it names none. */
export function routedElsewhere(local: string, how: Completion): Address | null {
  if (how.swapBangPath) {
    const bang = local.indexOf('!');
    if (bang > 0 && bang < local.length - 1) return { local: local.slice(bang + 1), domain: local.slice(0, bang).toLowerCase() };
  }
  if (how.percentHack) {
    const percent = local.lastIndexOf('%');
    if (percent > 0 && percent < local.length - 1) return { local: local.slice(0, percent), domain: local.slice(percent + 1).toLowerCase() };
  }
  return null;
}

/** Reads "user", "user@host" or "\"a b\"@host" as people write them in tables, and completes it; null when it is no address. */
export function completeText(text: string, how: Completion): Address | null {
  const trimmed = text.endsWith('.') && text.includes('@') ? text.slice(0, -1) : text;
  const whole = readAddress(trimmed);
  if (whole !== null) return completed(whole, how);
  if (trimmed.includes('@')) return null;
  // Read with a domain that is there only for the reading.
  const bare = readAddress(`${trimmed}@x`);
  return bare === null ? null : completed({ local: bare.local, domain: '' }, how);
}
