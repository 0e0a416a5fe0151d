/** Who never waits, compiled from the lists in the settings. */
import { networksOf } from '../../net/networks.ts';
import type { Address } from '../../ports.ts';
import type { GreylistSettings } from './settings.ts';

interface Names {
  readonly exact: ReadonlySet<string>;
  /** Suffixes with their leading dot. */
  readonly below: readonly string[];
}
const known = new WeakMap<readonly string[], Names>();

function namesOf(list: readonly string[]): Names {
  let names = known.get(list);
  if (names === undefined) {
    const lower = list.map((entry) => entry.toLowerCase());
    names = { exact: new Set(lower.filter((entry) => !entry.startsWith('.'))), below: lower.filter((entry) => entry.startsWith('.')) };
    known.set(list, names);
  }
  return names;
}

/** By address or forward-confirmed name. Gives what matched, for the explanation. */
export function exemptClient(ip: string, name: string | null, settings: GreylistSettings): string | null {
  const networks = networksOf(settings['greylist.exemptNetworks']);
  if (!networks.isEmpty && networks.has(ip)) return ip;
  const names = settings['greylist.exemptClients'];
  if (name === null || names.length === 0) return null;
  const { exact, below } = namesOf(names);
  const lower = name.toLowerCase();
  return exact.has(lower) || below.some((suffix) => lower.endsWith(suffix)) ? lower : null;
}

/** "user@domain", "user@" or "domain". */
export function isExemptRecipient(recipient: Address, settings: GreylistSettings): boolean {
  const list = settings['greylist.exemptRecipients'];
  if (list.length === 0) return false;
  const { exact } = namesOf(list);
  const local = recipient.local.toLowerCase();
  return exact.has(`${local}@`) || exact.has(recipient.domain) || exact.has(`${local}@${recipient.domain}`);
}
