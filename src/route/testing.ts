/** A router over tables that stand in the test, a directory of one domain and a few system users. */
import { createTables } from '../directory/tables/open.ts';
import { TABLES_SETTINGS } from '../directory/tables/settings.ts';
import { readAddress } from './lookup.ts';
import type { Address, Directory, Resolution, Table } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { SILENT_LOG } from '../system/log.ts';
import { ALIAS_SETTINGS } from './aliases/settings.ts';
import type { AllRouteSettings } from './plan.ts';
import type { RouterContext } from './router.ts';
import { ROUTE_SETTINGS } from './settings.ts';
import { parsePasswd } from './system-users.ts';

export function routeSettings(changes: Partial<AllRouteSettings> = {}): AllRouteSettings {
  return {
    ...defaultsOf(ROUTE_SETTINGS),
    ...defaultsOf(ALIAS_SETTINGS),
    ...defaultsOf(TABLES_SETTINGS),
    hostname: 'mx.host.test',
    domain: 'host.test',
    'directory.recipientDelimiters': '+',
    'policy.localDomains': [],
    'policy.virtualAliasDomains': [],
    'policy.virtualAliasMaps': [],
    'policy.virtualMailboxDomains': [],
    'policy.virtualMailboxMaps': [],
    'policy.relayDomains': [],
    'policy.parentDomainMatches': true,
    'deliver.relayHost': '',
    'deliver.transports': [],
    ...changes,
  };
}

export function at(text: string): Address {
  const address = readAddress(text);
  if (address === null) throw new Error(`"${text}" is no address`);
  return address;
}

/** own.test has ann (1), bob (2, switched off), and "out" and "circle", which are aliases. */
export const DIRECTORY = {
  isLocalDomain: (domain: string) => domain === 'own.test',
  resolve({ local, domain }: Address): Resolution {
    if (domain !== 'own.test') return { kind: 'foreign' };
    const [user, detail = null] = local.toLowerCase().split('+');
    if (user === 'ann') return { kind: 'deliver', local: [{ accountId: 1, address: { local: 'ann', domain }, detail }], remote: [] };
    if (user === 'bob') return { kind: 'disabled' };
    if (user === 'out') return { kind: 'deliver', local: [], remote: [at('elsewhere@far.test')] };
    return user === 'circle' ? { kind: 'loop' } : { kind: 'unknown' };
  },
} as unknown as Directory;

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nrita:x:1000:1000::/home/rita:/bin/sh\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n';

/** Tables of the type "later" answer the pairs of inline: after a while. */
export function routeContext(changes: Partial<AllRouteSettings> = {}): RouterContext & { set(more: Partial<AllRouteSettings>): void } {
  let settings = routeSettings(changes);
  const users = parsePasswd(PASSWD);
  const later = (source: string, { name, open }: { name: string; open(spec: string): Table }): Table => {
    const inner = open(`inline:${source}`);
    return { name, kind: 'fixed', find: async (key) => inner.find(key) };
  };
  return {
    tables: createTables({ log: SILENT_LOG, settings: () => settings, now: () => 0, servers: { later } }),
    directory: DIRECTORY,
    users: { find: (name) => users.get(name) ?? null },
    log: SILENT_LOG,
    now: () => 0,
    settings: () => settings,
    accountForTable: (login) => (login === 'vic@box.test' ? 7 : null),
    set: (more) => {
      settings = { ...settings, ...more };
    },
  };
}
