/** What is wrong with the options of routing, found by making everything of them once: before the start, and before a reload counts. */
import { existsSync } from 'node:fs';
import { TableProblem } from '../directory/tables/errors.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import type { Directory } from '../ports.ts';
import { SILENT_LOG } from '../system/log.ts';
import { ALIAS_SETTINGS } from './aliases/settings.ts';
import { type AllRouteSettings, compilePlan } from './plan.ts';
import { RouteProblem } from './problem.ts';
import { ROUTE_SETTINGS } from './settings.ts';
import { parseNexthop } from './transport.ts';
import { BUILTIN_TRANSPORTS, type NamedTransport } from './named.ts';
import { hopOf, isWrong, splitTransport } from './hop.ts';

/** Options that name a transport. */
const TRANSPORTS = [
  ...['route.defaultTransport', 'route.relayTransport', 'route.virtualTransport', 'route.localTransport'],
  ...['route.mailboxTransport', 'route.fallbackTransport'],
] as const;

/** By option; empty when all is well. Nobody is asked anything: tables of servers are only opened. */
export function routeRules(settings: AllRouteSettings): { key: string; message: string }[] {
  const now = (): number => Date.now();
  const tables = createTables({ log: SILENT_LOG, settings: () => settings, now, servers: SERVER_TABLES });
  try {
    const { named } = compilePlan(settings, {
      tables,
      directory: NOBODY,
      users: { find: () => null },
      log: SILENT_LOG,
      now,
    });
    return [...wrongTransports(settings, named), ...missingFiles(named), ...wrongFallbacks(settings)];
  } catch (error) {
    if (error instanceof RouteProblem) return [{ key: error.setting, message: error.sentence }];
    if (error instanceof TableProblem) return [{ key: keyNaming(settings, error), message: error.message }];
    throw error;
  } finally {
    tables.close();
  }
}

const NOBODY = { isLocalDomain: () => false } as unknown as Directory;

function wrongTransports(settings: AllRouteSettings, named: ReadonlyMap<string, NamedTransport>): { key: string; message: string }[] {
  return TRANSPORTS.flatMap((key) => {
    const value = (settings as unknown as Record<string, string>)[key]!;
    if (value === '') return [];
    const { channel, nexthop } = splitTransport(value);
    if (BUILTIN_TRANSPORTS.has(channel) || named.has(channel)) {
      const hop = hopOf(channel, nexthop, '', { named, fallback: [] });
      // A next hop that is left out is the recipient's domain.
      return nexthop !== '' && hop.kind === 'error' && isWrong(hop)
        ? [{ key, message: `"${value}": ${hop.text.replace(/^Mail transport unavailable: /, '')}` }]
        : [];
    }
    return [{ key, message: `there is no transport "${channel}"; there are ${[...BUILTIN_TRANSPORTS, ...named.keys()].join(', ')}` }];
  });
}

/** Certificates and passwords that would be missed at the first connection. */
function missingFiles(named: ReadonlyMap<string, NamedTransport>): { key: string; message: string }[] {
  return [...named.values()].flatMap((transport) =>
    transport.kind === 'pipe'
      ? []
      : [transport.tlsCaFile, transport.passwordFile]
          .filter((file) => file !== null && !existsSync(file))
          .map((file) => ({ key: 'transport.smtp', message: `"${transport.name}": there is no file ${file}` })),
  );
}

function wrongFallbacks(settings: AllRouteSettings): { key: string; message: string }[] {
  return settings['route.fallbackRelay'].flatMap((host) =>
    parseNexthop(`smtp:${host}`) === null ? [{ key: 'route.fallbackRelay', message: `"${host}" is no host, such as "[relay.example.org]:587"` }] : [],
  );
}

/** The option that names the table at fault. */
function keyNaming(settings: AllRouteSettings, problem: TableProblem): string {
  for (const key of Object.keys({ ...ROUTE_SETTINGS, ...ALIAS_SETTINGS })) {
    const value = (settings as unknown as Readonly<Record<string, unknown>>)[key];
    if (key === problem.file) return key;
    if (Array.isArray(value) && value.some((text: unknown) => typeof text === 'string' && text.includes(problem.file))) return key;
  }
  return 'route.canonicalMaps';
}
