/** The settings made ready to route with. Throws RouteProblem and TableProblem; `check.ts` turns them into lines of the configuration. */
import { domainToASCII } from 'node:url';
import { type MatchList, matchList } from '../directory/tables/match-list.ts';
import type { Found } from '../directory/tables/search.ts';
import type { TablesSettings } from '../directory/tables/settings.ts';
import type { Directory, Log, Table, Tables } from '../ports.ts';
import type { SettingsOf } from '../system/declare.ts';
import { createAliases } from './aliases/database.ts';
import { type AliasPlace, type ExpansionHooks, expandAliases } from './aliases/expand.ts';
import { createIncludes } from './aliases/include.ts';
import type { ALIAS_SETTINGS } from './aliases/settings.ts';
import { type AddressClasses, createClasses } from './classes.ts';
import { type Completion, completeText } from './complete.ts';
import { createGeneric, type Generic } from './generic.ts';
import type { LocalParts } from './local.ts';
import { AddressTables, type LookupScope } from './lookup.ts';
import { type NamedTransport, parsePipeTransport, parseSmtpTransport } from './named.ts';
import { RouteProblem } from './problem.ts';
import { createMasquerade, createRewriter, type Rewriter } from './rewrite.ts';
import type { RouteSettings } from './settings.ts';
import type { SystemUsers } from './system-users.ts';
import { readRoutes, type TransportSettings } from './transport.ts';
import { createTransportChoice, type TransportChoice } from './transports.ts';
import { createVirtualAliases, type VirtualAliases } from './virtual.ts';

/** Options of other rooms that routing reads. */
export interface NeighbourSettings extends TransportSettings {
  readonly hostname: string;
  /** Completes addresses without a domain. */
  readonly domain: string;
  readonly 'directory.recipientDelimiters': string;
  readonly 'policy.localDomains': readonly string[];
  readonly 'policy.virtualAliasDomains': readonly string[];
  readonly 'policy.virtualAliasMaps': readonly string[];
  readonly 'policy.virtualMailboxDomains': readonly string[];
  readonly 'policy.virtualMailboxMaps': readonly string[];
  readonly 'policy.relayDomains': readonly string[];
  readonly 'policy.parentDomainMatches': boolean;
  /** Left out: every user of this machine has a mailbox. */
  readonly 'local.mailbox'?: string;
  readonly 'local.uidMin'?: number;
  readonly 'local.usersAllowed'?: readonly string[];
}
export type AllRouteSettings = RouteSettings & SettingsOf<typeof ALIAS_SETTINGS> & NeighbourSettings & TablesSettings;

/** What a plan is made with. */
export interface PlanHost {
  readonly tables: Tables;
  readonly directory: Directory;
  readonly users: SystemUsers;
  readonly log: Log;
  /** Unix time in milliseconds; does not step back. */
  now(): number;
  /** Where a finding stands, for `posthorn route`; the table's name when left out. */
  readonly where?: (found: Found) => string;
}

/** Everything the settings say of routing, compiled. */
export interface Plan {
  readonly settings: AllRouteSettings;
  readonly completion: Completion;
  readonly scope: LookupScope;
  readonly classes: AddressClasses;
  readonly rewriter: Rewriter;
  readonly virtual: VirtualAliases;
  readonly relocated: AddressTables;
  readonly mailboxes: AddressTables;
  readonly senderBcc: AddressTables;
  readonly recipientBcc: AddressTables;
  readonly transports: TransportChoice;
  readonly local: LocalParts;
  readonly generic: Generic;
  readonly named: ReadonlyMap<string, NamedTransport>;
  /** Recipients at domains of the directory, and at all others, need nothing but the directory. */
  readonly isPlain: boolean;
}

const ascii = (domain: string): string => domainToASCII(domain) || domain.toLowerCase();

export function compilePlan(settings: AllRouteSettings, host: PlanHost): Plan {
  const open = (key: keyof AllRouteSettings): Table[] => (settings[key] as readonly string[]).map((spec) => host.tables.open(spec));
  const list = (key: keyof AllRouteSettings, parents: boolean): MatchList =>
    matchList(settings[key] as readonly string[], {
      name: String(key),
      parentMatchesSubdomains: parents,
      tables: host.tables,
      context: { log: host.log, now: () => host.now(), settings: () => settings },
    });
  const classes = createClasses(
    [
      ['local', list('policy.localDomains', false)],
      ['virtualAlias', list('policy.virtualAliasDomains', false)],
      ['virtualMailbox', list('policy.virtualMailboxDomains', false)],
      ['relay', list('policy.relayDomains', settings['policy.parentDomainMatches'])],
    ],
    host.directory,
  );
  const completion = completionOf(settings);
  const { origin } = completion;
  const scope: LookupScope = {
    delimiters: settings['directory.recipientDelimiters'],
    isOwn: (domain) => domain === origin || classes.isLocal(domain),
    complete: (text) => completeText(text, completion),
    where: (option, found) => `${option} ${host.where === undefined ? found.table.name : host.where(found)}`,
  };
  const propagates = new Set(settings['route.propagateExtensions']);
  const maps = (option: string, key: keyof AllRouteSettings, extension = ''): AddressTables =>
    new AddressTables(option, open(key), scope, propagates.has(extension));
  const named = namedTransports(settings);
  const rewriter = createRewriter({
    canonical: maps('canonicalMaps', 'route.canonicalMaps', 'canonical'),
    canonicalClasses: new Set(settings['route.canonicalClasses']),
    senderCanonical: maps('senderCanonicalMaps', 'route.senderCanonicalMaps', 'canonical'),
    senderCanonicalClasses: new Set(settings['route.senderCanonicalClasses']),
    recipientCanonical: maps('recipientCanonicalMaps', 'route.recipientCanonicalMaps', 'canonical'),
    recipientCanonicalClasses: new Set(settings['route.recipientCanonicalClasses']),
    masquerade: createMasquerade(settings['route.masqueradeDomains'], settings['route.masqueradeExceptions']),
    masqueradeClasses: new Set(settings['route.masqueradeClasses']),
  });
  const virtual = createVirtualAliases({
    aliases: maps('virtualAliasMaps', 'policy.virtualAliasMaps', 'virtual'),
    virtusers: open('route.virtusertable'),
    scope,
    limits: {
      recursion: settings['route.virtualAliasRecursionLimit'],
      expansion: settings['route.virtualAliasExpansionLimit'],
      addressLength: settings['route.virtualAliasAddressLengthLimit'],
    },
  });
  const relocated = maps('relocatedMaps', 'route.relocatedMaps');
  const transports = createTransportChoice({
    routes: readRoutes(settings),
    relayHost: settings['deliver.relayHost'],
    hostname: settings.hostname,
    defaultTransport: settings['route.defaultTransport'],
    relayTransport: settings['route.relayTransport'],
    virtualTransport: settings['route.virtualTransport'],
    localTransport: settings['route.localTransport'],
    transportMaps: open('route.transportMaps'),
    parentMatches: settings['route.transportParentDomainMatches'],
    mailertable: open('route.mailertable'),
    senderRelayHosts: maps('senderDependentRelayHostMaps', 'route.senderDependentRelayHostMaps'),
    senderTransports: maps('senderDependentDefaultTransportMaps', 'route.senderDependentDefaultTransportMaps'),
    hops: { named, fallback: settings['route.fallbackRelay'] },
    scope,
  });
  return {
    ...{ settings, completion, scope, classes, rewriter, virtual, relocated, transports, named },
    mailboxes: maps('virtualMailboxMaps', 'policy.virtualMailboxMaps'),
    senderBcc: maps('senderBccMaps', 'route.senderBccMaps'),
    recipientBcc: maps('recipientBccMaps', 'route.recipientBccMaps'),
    local: localParts(settings, host, scope, classes, open),
    generic: createGeneric({
      maps: maps('genericMaps', 'route.genericMaps', 'generic'),
      genericstable: open('route.genericstable'),
      genericsDomains: new Set([origin, ...settings['route.genericsDomains'].map(ascii)]),
      scope,
    }),
    isPlain:
      classes.isPlain &&
      virtual.isIdle &&
      relocated.isEmpty &&
      rewriter.isIdle('envelope_recipient') &&
      completion.parentDomain === '' &&
      settings['route.transportMaps'].length === 0 &&
      settings['route.mailertable'].length === 0 &&
      !settings['route.swapBangPath'] &&
      !settings['route.percentHack'],
  };
}

function completionOf(settings: AllRouteSettings): Completion {
  const parent = settings['route.parentDomain'] || settings.hostname.slice(settings.hostname.indexOf('.') + 1);
  return {
    origin: ascii(settings.domain),
    appendOrigin: settings['route.appendOrigin'],
    parentDomain: settings['route.appendDomain'] ? ascii(parent) : '',
    swapBangPath: settings['route.swapBangPath'],
    percentHack: settings['route.percentHack'],
  };
}

/** By name. Throws RouteProblem for a name given twice. */
export function namedTransports(settings: Pick<RouteSettings, 'transport.smtp' | 'transport.pipe'>): ReadonlyMap<string, NamedTransport> {
  const named = new Map<string, NamedTransport>();
  const add = (key: 'transport.smtp' | 'transport.pipe', parse: (line: string) => NamedTransport | string): void => {
    for (const line of settings[key]) {
      const transport = parse(line);
      if (typeof transport === 'string') throw new RouteProblem(key, `"${line}": ${transport}`);
      if (named.has(transport.name)) throw new RouteProblem(key, `"${transport.name}" is the name of two transports`);
      named.set(transport.name, transport);
    }
  };
  add('transport.smtp', parseSmtpTransport);
  add('transport.pipe', parsePipeTransport);
  return named;
}

function localParts(
  settings: AllRouteSettings,
  host: PlanHost,
  scope: LookupScope,
  classes: AddressClasses,
  open: (key: keyof AllRouteSettings) => Table[],
): LocalParts {
  return {
    users: host.users,
    hasMailbox: hasMailbox(settings),
    aliases: settings['aliases.sources'].length === 0 ? null : aliasExpander(settings, host, classes),
    mailboxTransport: settings['route.mailboxTransport'],
    mailboxTransportMaps: open('route.mailboxTransportMaps'),
    mailboxCommand: settings['route.mailboxCommand'],
    mailboxCommandMaps: open('route.mailboxCommandMaps'),
    fallbackTransport: settings['route.fallbackTransport'],
    fallbackTransportMaps: open('route.fallbackTransportMaps'),
    luserRelay: settings['route.luserRelay'],
    scope,
  };
}

/** Nothing is written into the home directories of system accounts, as the user agent has it (`targets.ts`). */
function hasMailbox(settings: AllRouteSettings): LocalParts['hasMailbox'] {
  const { 'local.mailbox': mailbox = 'store', 'local.uidMin': uidMin = 0, 'local.usersAllowed': allowed = [] } = settings;
  if (mailbox === 'store' || mailbox.startsWith('/')) return () => true;
  // Root's mail is kept in the store: the reports of the machine's own programs go there.
  return ({ uid, name }) => uid === 0 || uid >= uidMin || allowed.includes(name);
}

function aliasExpander(settings: AllRouteSettings, host: PlanHost, classes: AddressClasses): NonNullable<LocalParts['aliases']> {
  const surroundings = { log: host.log, settings: () => settings, now: () => host.now() };
  const commands = new Set<string>(settings['aliases.commands']);
  const files = new Set<string>(settings['aliases.files']);
  const hooks: ExpansionHooks = {
    aliases: createAliases({ sources: settings['aliases.sources'] }, host.tables, surroundings),
    includes: createIncludes(surroundings),
    delimiters: settings['directory.recipientDelimiters'],
    origin: ascii(settings.domain),
    isLocal: (domain) => (host.directory.isLocalDomain(domain) ? false : classes.isLocal(domain)),
    mayRun: (place: AliasPlace) => commands.has(place),
    mayWrite: (place: AliasPlace) => files.has(place),
    owner: settings['aliases.owner'],
  };
  const limits = { depthMax: settings['aliases.depthMax'], targetsMax: settings['aliases.targetsMax'] };
  return (address, steps, depth) => expandAliases(address, hooks, limits, steps, depth);
}

/** The plan of the settings now in force: made anew when they change. One that cannot be made leaves the one before, and the log says so. */
export function planKeeper(settings: () => AllRouteSettings, host: PlanHost): () => Plan {
  let plan = compilePlan(settings(), host);
  let tried = plan.settings;
  return () => {
    const now = settings();
    if (now === tried) return plan;
    tried = now;
    try {
      plan = compilePlan(now, host);
    } catch (error) {
      host.log.error('route.settings.failed', { cause: error instanceof Error ? error.message : String(error) });
    }
    return plan;
  };
}
