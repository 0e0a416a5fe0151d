/** Names of this machine (local(8)): aliases, users, and what becomes of names that are neither. */
import { TableError } from '../directory/tables/errors.ts';
import { type Found, findFirst, extensionAt } from '../directory/tables/search.ts';
import { addressKey, formatAddress } from '../mail/address.ts';
import type { Address, LocalTask, RemoteTarget, RouteStep, Table } from '../ports.ts';
import type { Expansion } from './aliases/expand.ts';
import type { LookupScope, Trail } from './lookup.ts';
import { after, type Soon, type Walk, wait } from './soon.ts';
import type { SystemUser, SystemUsers } from './system-users.ts';

export interface LocalParts {
  readonly users: SystemUsers;
  /** False for system accounts whose mailbox would be in a home directory: told at RCPT, not by a report to whoever the sender is said to be. */
  hasMailbox(user: SystemUser): boolean;
  /** null: no aliases are configured. */
  readonly aliases: ((address: Address, steps: RouteStep[] | undefined, depth: number) => Soon<Expansion | null>) | null;
  readonly mailboxTransport: string;
  readonly mailboxTransportMaps: readonly Table[];
  readonly mailboxCommand: string;
  readonly mailboxCommandMaps: readonly Table[];
  readonly fallbackTransport: string;
  readonly fallbackTransportMaps: readonly Table[];
  readonly luserRelay: string;
  readonly scope: LookupScope;
}

/** What a local name leads to. */
export interface LocalOutcome {
  readonly targets: readonly RemoteTarget[];
  /** Go through the router again. */
  readonly again: readonly { readonly address: Address; readonly sender?: Address; readonly depth: number }[];
  readonly isUnknown: boolean;
}

/** Where the mailbox of a user is when no .forward or filter says otherwise. */
export type MailboxChoice =
  | { readonly kind: 'transport'; readonly nexthop: string }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'mailbox' };

/** mailbox_transport_maps, mailbox_transport, mailbox_command_maps, mailbox_command. `user` is in lower case, without extension. */
export function mailboxChoice(parts: LocalParts, user: string): Soon<MailboxChoice> {
  return after(mailboxTransport(parts, user), (transport) => {
    if (transport !== null) return { kind: 'transport', nexthop: transport.nexthop };
    return after(foundFor(parts.mailboxCommandMaps, user), (found): MailboxChoice => {
      const command = found === null ? parts.mailboxCommand : found.value.trim();
      return command === '' ? { kind: 'mailbox' } : { kind: 'command', command };
    });
  });
}

const foundFor = (tables: readonly Table[], key: string): Soon<Found | null> => (tables.length === 0 ? null : findFirst(tables, [key]));

function mailboxTransport(parts: LocalParts, user: string): Soon<{ nexthop: string; by: string } | null> {
  return after(foundFor(parts.mailboxTransportMaps, user), (found) => {
    if (found !== null) return { nexthop: found.value.trim(), by: parts.scope.where('mailboxTransportMaps', found) };
    return parts.mailboxTransport === '' ? null : { nexthop: parts.mailboxTransport, by: 'route.mailboxTransport' };
  });
}

export function* localOutcome(parts: LocalParts, address: Address, sender: Address | undefined, trail: Trail | null, depth: number): Walk<LocalOutcome> {
  const steps: RouteStep[] = [];
  const expansion = parts.aliases === null ? null : yield* wait(parts.aliases(address, trail === null ? undefined : steps, depth + 1));
  trail?.insert(steps, depth + 1, address);
  if (expansion === null) return yield* named(parts, address, undefined, null, sender, trail, depth, true);
  const late = expansion.problems.find((problem) => problem.isTemporary);
  if (late !== undefined) throw new TableError('aliases', late.text);
  const targets: RemoteTarget[] = [];
  const again: { address: Address; sender?: Address; depth: number }[] = [];
  for (const problem of expansion.problems) targets.push({ ...address, ...owner(sender), nexthop: `error:${problem.code} ${oneLine(problem.text)}` });
  for (const { address: place, task, sender: own } of expansion.tasks) targets.push({ ...place, ...owner(own ?? sender), task });
  for (const { address: to, sender: own } of expansion.addresses) again.push({ address: to, ...owner(own ?? sender), depth: depth + 1 });
  for (const user of expansion.users) {
    const led = yield* named(parts, user.address, undefined, null, user.sender ?? sender, trail, depth + 1, false);
    // One member that is nobody bounces; the others have their mail.
    if (led.isUnknown) targets.push({ ...user.address, ...owner(user.sender ?? sender), nexthop: `error:5.1.1 User unknown: ${oneLine(user.name)}` });
    targets.push(...led.targets);
    again.push(...led.again);
  }
  return { targets, again, isUnknown: false };
}

const owner = (sender: Address | undefined): { sender?: Address } => (sender === undefined ? {} : { sender });
const oneLine = (text: string): string => text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 500);

/** `name` undefined: the address has not been taken apart yet. */
function* named(
  parts: LocalParts,
  address: Address,
  name: string | undefined,
  detail: string | null,
  sender: Address | undefined,
  trail: Trail | null,
  depth: number,
  isPostmasterRoot: boolean,
): Walk<LocalOutcome> {
  const found = yield* userOf(parts, address, name, detail);
  if (found.user !== null) {
    const { user } = found;
    if (!parts.hasMailbox(user) && (yield* wait(mailboxTransport(parts, user.name))) === null) return noMailbox(user, address, sender, trail, depth);
    trail?.add(depth + 1, `user ${user.name}`, `/etc/passwd (uid ${user.uid})`, address);
    return one({ ...address, ...owner(sender), task: { kind: 'user', user: user.name, detail: found.detail } });
  }
  const transport = (yield* wait(mailboxTransport(parts, found.name))) ?? (yield* wait(fallback(parts, found.name)));
  if (transport !== null) {
    trail?.add(depth + 1, transport.nexthop, transport.by, address);
    return one({ ...address, ...owner(sender), nexthop: transport.nexthop });
  }
  if (parts.luserRelay !== '') {
    const text = luserAddress(parts.luserRelay, address, found.name, found.detail);
    const task = luserTask(text);
    if (task !== null) {
      trail?.add(depth + 1, text, 'route.luserRelay', address);
      return one({ ...address, ...owner(sender), task });
    }
    const to = parts.scope.complete(text);
    if (to === null) throw new TableError('route.luserRelay', `"${oneLine(text).slice(0, 100)}" is no address`);
    trail?.add(depth + 1, formatAddress(to), 'route.luserRelay', address);
    // The relay is nobody himself.
    if (addressKey(to) === addressKey(address)) return { targets: [], again: [], isUnknown: true };
    return { targets: [], again: [{ address: to, ...owner(sender), depth: depth + 1 }], isUnknown: false };
  }
  // The postmaster is there on every machine (RFC 5321 section 4.5.1): without an alias it is the administrator.
  if (isPostmasterRoot && found.name === 'postmaster') {
    const root = yield* wait(parts.users.find('root'));
    if (root !== null) {
      trail?.add(depth + 1, 'user root', 'postmaster without an alias', address);
      return one({ ...address, ...owner(sender), task: { kind: 'user', user: 'root', detail: null } });
    }
  }
  trail?.add(depth + 1, 'no such user', '/etc/passwd', address);
  return { targets: [], again: [], isUnknown: true };
}

function noMailbox(user: SystemUser, address: Address, sender: Address | undefined, trail: Trail | null, depth: number): LocalOutcome {
  trail?.add(depth + 1, `user ${user.name} takes no mail without an alias`, `local.uidMin, local.mailbox (uid ${user.uid})`, address);
  return one({ ...address, ...owner(sender), nexthop: 'error:5.2.1 This system account takes no mail' });
}

const one = (target: RemoteTarget): LocalOutcome => ({ targets: [target], again: [], isUnknown: false });

/** A user whose name has the delimiter in it (www-data) is found before the name is parted. */
function* userOf(
  parts: LocalParts,
  address: Address,
  name: string | undefined,
  detail: string | null,
): Walk<{ name: string; detail: string | null; user: SystemUser | null }> {
  if (name !== undefined) return { name, detail, user: yield* wait(parts.users.find(name)) };
  const whole = address.local.toLowerCase();
  const user = yield* wait(parts.users.find(whole));
  const at = extensionAt(whole, parts.scope.delimiters);
  if (user !== null || at === -1) return { name: whole, detail: null, user };
  const bare = whole.slice(0, at);
  return { name: bare, detail: address.local.slice(at + 1), user: yield* wait(parts.users.find(bare)) };
}

function fallback(parts: LocalParts, name: string): Soon<{ nexthop: string; by: string } | null> {
  return after(foundFor(parts.fallbackTransportMaps, name), (found) => {
    if (found !== null) return { nexthop: found.value.trim(), by: parts.scope.where('fallbackTransportMaps', found) };
    return parts.fallbackTransport === '' ? null : { nexthop: parts.fallbackTransport, by: 'route.fallbackTransport' };
  });
}

/** "|command" or "/file", run and written as the default user. */
function luserTask(text: string): LocalTask | null {
  if (text.startsWith('|')) return { kind: 'command', command: text.slice(1).trim(), user: null };
  return text.startsWith('/') ? { kind: 'file', path: text, user: null } : null;
}

/** $name, ${name}, ${name?text when it is there}, ${name:text when it is not}. */
export function luserAddress(template: string, address: Address, user: string, detail: string | null): string {
  // What a stranger wrote goes to a shell or into a path: the same characters as Postfix's command_expansion_filter, and no "/" in paths.
  const unsafe = template.startsWith('|') ? /[^A-Za-z0-9!@%\-_=+:,./]/g : template.startsWith('/') ? /[^A-Za-z0-9!@%\-_=+:,.]/g : null;
  const pairs: [string, string][] = [
    ['user', user],
    ['local', address.local],
    ['mailbox', address.local],
    ['extension', detail ?? ''],
    ['domain', address.domain],
    ['recipient', `${address.local}@${address.domain}`],
  ];
  // A word that begins with "-" would be an option of the command.
  const values = new Map(pairs.map(([name, value]) => [name, unsafe === null ? value : value.replaceAll(unsafe, '_').replace(/^-/, '_')]));
  return template.replaceAll(
    /\$(?:\{(\w+)(?:([?:])([^}]*))?\}|\((\w+)\)|(\w+))/g,
    (_, braced?: string, sign?: string, text?: string, parens?: string, plain?: string) => {
      const value = values.get(braced ?? parens ?? plain ?? '') ?? '';
      if (sign === undefined) return value;
      return (value !== '') === (sign === '?') ? (text ?? '').replaceAll(/\$(\w+)/g, (__, name: string) => values.get(name) ?? '') : '';
    },
  );
}
