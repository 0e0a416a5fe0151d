/** `posthorn route` behind the control socket: the way of one address, decision by decision. Nothing is delivered or remembered. */
import { refuse } from '../directory/admin/input.ts';
import { DIRECTORY_SETTINGS } from '../directory/settings.ts';
import { createSources } from '../directory/sources/sources.ts';
import type { SourcesSettings } from '../directory/sources/types.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { resolveTargets } from '../deliver/mx.ts';
import { formatAddress, parseMailbox } from '../mail/address.ts';
import { createDns } from '../net/dns.ts';
import type { Address, AdminContext, AdminHandlers, Resolution, RouteStep } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { SILENT_LOG } from '../system/log.ts';
import type { Hop } from './hop.ts';
import type { AllRouteSettings } from './plan.ts';
import { createRouter, createTransports, hopWords, refusalOf } from './router.ts';
import { createSystemUsers } from './system-users.ts';
import { whereFound } from './where.ts';

export interface RouteAnswer {
  readonly steps: readonly RouteStep[];
  readonly kind: Resolution['kind'];
  /** What the client hears when the address is refused: "550 5.1.1 No such user here"; '' when it is not. */
  readonly refusal: string;
  /** One line a destination: the address, and where it goes. */
  readonly destinations: readonly { readonly address: string; readonly goes: string; readonly hosts: readonly string[] }[];
}

export const ROUTE_ADMIN: AdminHandlers = {
  'route.explain': async (context, args): Promise<RouteAnswer> => {
    const address = read(args.address, 'recipient');
    const sender = args.sender === null || args.sender === undefined ? null : readSender(args.sender);
    return explain(context, address, sender, args.mx === true);
  },
};

function read(text: unknown, what: string): Address {
  const bare = typeof text === 'string' ? text.replace(/^<(.*)>$/, '$1').trim() : '';
  const address = parseMailbox(bare, { utf8: true }) ?? (bare.includes('@') ? null : parseMailbox(`${bare}@x`, { utf8: true }));
  if (address === null) return refuse(`"${bare.slice(0, 100)}" is no ${what} address.`);
  return bare.includes('@') ? address : { local: address.local, domain: '' };
}
const readSender = (text: unknown): Address | null => (text === '' || text === '<>' ? null : read(text, 'sender'));

async function explain(context: AdminContext, address: Address, sender: Address | null, wantsMx: boolean): Promise<RouteAnswer> {
  const settings = context.settings() as AllRouteSettings;
  const now = (): number => context.now();
  const tables = createTables({ log: SILENT_LOG, settings: () => settings, now, servers: SERVER_TABLES });
  const { directory } = context;
  const users = createSystemUsers({ file: (context.settings()['local.passwdFile'] as string | undefined) ?? '/etc/passwd', now });
  // As in the threads, but the account of somebody who never had mail is not made for the asking.
  const allSettings = { ...defaultsOf(DIRECTORY_SETTINGS), ...settings } as unknown as SourcesSettings;
  const sources = createSources({
    ...{ tables, passwordTables: tables, directory, now, log: SILENT_LOG, systemUsers: users, checkSystemPassword: null, settings: () => allSettings },
    writer: { run: async () => ({ id: 0, isNew: false }) as never },
  });
  try {
    const host = {
      ...{ tables, directory, users, log: SILENT_LOG, now, where: whereFound, settings: () => settings },
      accountForTable: sources.accountFor,
    };
    const steps: RouteStep[] = [];
    const router = createRouter(host);
    const from = await router.sender(sender);
    if (from !== null && sender !== null && formatAddress(from) !== formatAddress(sender))
      steps.push({ depth: 0, what: `sender ${formatAddress(from)}`, by: 'canonical maps and masquerading' });
    const resolution = await router.resolve(address, from, steps);
    const transports = createTransports(host);
    const destinations: RouteAnswer['destinations'][number][] = [];
    for (const target of targetsOf(resolution, address)) {
      if (target.mailbox !== undefined) destinations.push({ address: formatAddress(target.mailbox), goes: 'mailbox of the store', hosts: [] });
      else if (target.task !== undefined) destinations.push({ address: formatAddress(target), goes: taskWords(target.task), hosts: [] });
      else {
        const text = formatAddress(target);
        const hop =
          target.nexthop === undefined
            ? await transports.transport({ address: text, domain: target.domain }, from === null ? null : formatAddress(from))
            : transports.hop(target.nexthop, target.domain);
        destinations.push({ address: text, goes: hopWords(hop), hosts: wantsMx ? await hostsOf(hop, context) : [] });
      }
    }
    for (const copy of await router.copies(from, [address]))
      steps.push({ depth: 0, what: `copy to ${formatAddress(copy)}`, by: 'alwaysBcc, senderBccMaps, recipientBccMaps' });
    return { steps, kind: resolution.kind, refusal: refusalWords(resolution), destinations };
  } finally {
    tables.close();
  }
}

type Target = Address & { readonly nexthop?: string; readonly task?: import('../ports.ts').LocalTask; readonly mailbox?: Address };

function targetsOf(resolution: Resolution, address: Address): Target[] {
  if (resolution.kind === 'foreign') return [address];
  if (resolution.kind !== 'deliver') return [];
  return [...resolution.local.map((target) => ({ ...target.address, mailbox: target.address })), ...resolution.remote];
}

function taskWords(task: import('../ports.ts').LocalTask): string {
  switch (task.kind) {
    case 'user':
      return `system user ${task.user}${task.detail === null ? '' : `, extension ${task.detail}`}`;
    case 'command':
      return `command ${task.command}, as ${task.user ?? 'the default user'}`;
    case 'file':
      return `file ${task.path}, as ${task.user ?? 'the default user'}`;
  }
}

function refusalWords(resolution: Resolution): string {
  switch (resolution.kind) {
    case 'unknown':
      return '550 5.1.1 No such user here';
    case 'disabled':
      return '550 5.2.1 Mailbox disabled';
    case 'loop':
      return '550 5.4.6 Aliases lead back to themselves, or to too many addresses';
    default: {
      const reply = refusalOf(resolution);
      return reply === null ? '' : `${reply.code} ${reply.enhanced} ${reply.text}`;
    }
  }
}

/** The hosts that would be tried, in their order. */
async function hostsOf(hop: Hop, context: AdminContext): Promise<string[]> {
  if (hop.kind !== 'smtp') return [];
  const settings = context.settings();
  const dns = createDns(
    () => settings,
    () => context.now(),
  );
  try {
    const found = await resolveTargets(hop, { dns, settings, random: () => 0, isOurs: () => false });
    if (found.kind === 'refused') return [`${found.code} ${found.enhanced} ${found.text}`];
    return found.targets.map(({ host, ip, port, preference }) => `${host === ip ? ip : `${host} [${ip}]`} port ${port}, preference ${preference}`);
  } finally {
    dns.close();
  }
}
