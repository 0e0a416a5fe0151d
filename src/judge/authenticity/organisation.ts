/** The organisational domain (RFC 7489 section 3.2): the name just below a public suffix, by the list that comes with `tldts`. */
import { createRequire } from 'node:module';

// Names are canonical already; private suffixes (github.io) are owned by different people, so they count.
const OPTIONS = { allowPrivateDomains: true, extractHostname: false, validateHostname: false, detectIp: false } as const;

/** The list is loaded with the first question: a thread that asks none does not carry it. */
let getDomain: typeof import('tldts').getDomain | undefined;

/** Null for a public suffix itself. */
export function organisationalDomain(domain: string): string | null {
  getDomain ??= (createRequire(import.meta.url)('tldts') as typeof import('tldts')).getDomain;
  return getDomain(domain, OPTIONS);
}
