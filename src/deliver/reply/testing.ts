/** For tests only: a message, its facts, and a replier. */
import type { Replier } from './plan.types.ts';
import { type HeaderFacts, readHeaderFacts } from './header-facts.ts';

export const AT = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Facts of a header of these lines, with To: anna@example.org unless a To is among them. */
export function factsOf(...lines: readonly string[]): HeaderFacts {
  const own = lines.some((line) => /^to:/i.test(line)) ? lines : ['To: anna@example.org', ...lines];
  return readHeaderFacts(Buffer.from(`${own.join('\r\n')}\r\n\r\n`));
}

export const REPLIER: Replier = {
  id: 'reply1',
  at: AT,
  hostname: 'mx.example.org',
  owner: { local: 'anna', domain: 'example.org' },
  ownerName: null,
  ownAddresses: ['anna@example.org', 'anna@example.net'],
  repliesToday: 0,
};
