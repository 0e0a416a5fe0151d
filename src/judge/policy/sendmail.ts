/**
 * Sendmail's access file (cf/README, "Anti-spam configuration control"), the text from which makemap makes its database. Tags Connect:,
 * From: and To:, entries without a tag for all three, hosts with their subdomains, networks by their first numbers, IPv6: networks.
 */
import ipaddr from 'ipaddr.js';
import { TableProblem } from '../../directory/tables/errors.ts';
import { parseIp } from '../../net/networks.ts';
import { WatchedFile, meaningfulLines } from './watched-file.ts';
import type { PolicyContext } from './ports.ts';

export type SendmailTag = 'connect' | 'from' | 'to';

export type SendmailAction =
  | { readonly kind: 'ok' | 'relay' | 'skip' | 'discard' }
  | { readonly kind: 'quarantine'; readonly text: string }
  | { readonly kind: 'error'; readonly code: number; readonly enhanced: string; readonly text: string };

export interface SendmailAccess {
  /** For each host: the name and its parent domains, or the address and its networks. */
  forHosts(tag: SendmailTag, hosts: readonly string[]): SendmailAction | null;
  /** "user@host", its host and parent domains, "user@"; "<>" for the null reverse-path. */
  forAddress(tag: SendmailTag, address: string): SendmailAction | null;
}

/** Tags of other features of Sendmail; what they set is done by other means here. */
const OTHER_TAGS: ReadonlySet<string> = new Set(
  'greetpause clientrate clientconn spam tls_srv tls_clt tls_rcpt try_tls srv_features clt_features tls_srv_features tls_clt_features auto delay authinfo verify cert certissuer certsubject'.split(
    ' ',
  ),
);

type Entries = ReadonlyMap<string, SendmailAction>;

/** Throws TableProblem with file and line. */
export function openSendmailAccess(path: string, context: PolicyContext): SendmailAccess {
  const file = new WatchedFile(
    path.replace(/^(?:hash|btree|dbm|texthash):/, ''),
    (text, name) => {
      const { entries, ignored } = parseSendmailAccess(text, name);
      if (ignored.length > 0) context.log.info('policy.sendmail.ignored', { file: name, tags: ignored.join(' ') });
      return entries;
    },
    context.log,
    context.now,
  );
  return {
    forHosts: (tag, hosts) => findHosts(file.current, tag, hosts),
    forAddress: (tag, address) => findAddress(file.current, tag, address),
  };
}

/** Entries by "tag:key" or ":key", keys in lower case; tags that mean nothing here are told by name. */
export function parseSendmailAccess(text: string, path: string): { entries: Entries; ignored: string[] } {
  const entries = new Map<string, SendmailAction>();
  const ignored = new Set<string>();
  for (const [line, number] of meaningfulLines(text, path)) {
    const match = /^(\S+)\s+(.*)$/.exec(line);
    if (match === null) throw new TableProblem(path, number, `"${line.slice(0, 80)}" has no value after the key`);
    const { tag, key } = splitTag(match[1]!);
    if (OTHER_TAGS.has(tag)) {
      ignored.add(tag);
      continue;
    }
    if (tag !== '' && tag !== 'connect' && tag !== 'from' && tag !== 'to') throw new TableProblem(path, number, `unknown tag "${tag}:"`);
    const action = parseValue(match[2]!.trim());
    if (typeof action === 'string') throw new TableProblem(path, number, action);
    // The first of two equal keys counts, as with makemap without -o.
    const full = `${tag}:${key}`;
    if (!entries.has(full)) entries.set(full, action);
  }
  return { entries, ignored: [...ignored] };
}

function splitTag(word: string): { tag: string; key: string } {
  const lower = word.toLowerCase();
  const match = /^([a-z_]+):(.*)$/.exec(lower);
  const isTag = match !== null && match[1] !== 'ipv6';
  return { tag: isTag ? match[1]! : '', key: canonicalKey(isTag ? match[2]! : lower) };
}

/** Addresses and networks get one form: IPv4 as it is, IPv6 as groups without zeros before them, written out. */
function canonicalKey(key: string): string {
  const bare = key.startsWith('[') && key.endsWith(']') ? key.slice(1, -1) : key;
  if (!bare.startsWith('ipv6:')) return bare;
  const address = bare.slice(5).replace(/:$/, '');
  const whole = parseIp(address);
  if (whole?.includes(':') === true) return `ipv6:${groupsOf(whole).join(':')}`;
  return `ipv6:${address
    .split(':')
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}`;
}

function groupsOf(ip: string): string[] {
  return ipaddr.IPv6.parse(ip).parts.map((part) => part.toString(16));
}

/** An action, or what is wrong with the value. */
export function parseValue(value: string): SendmailAction | string {
  switch (value.toUpperCase()) {
    case 'OK':
      return { kind: 'ok' };
    case 'RELAY':
      return { kind: 'relay' };
    case 'SKIP':
      return { kind: 'skip' };
    case 'DISCARD':
      return { kind: 'discard' };
    case 'REJECT':
      return { kind: 'error', code: 550, enhanced: '5.7.1', text: 'Access denied' };
  }
  if (/^QUARANTINE:/i.test(value)) return { kind: 'quarantine', text: unquoted(value.slice('QUARANTINE:'.length)) };
  const match = /^(?:ERROR:)?(?:(\d\.\d{1,3}\.\d{1,3}):)?"?([45]\d\d)(?:[ \t]+([45]\.\d{1,3}\.\d{1,3}))?(?:[ \t]+([^"]*))?"?$/i.exec(value);
  if (match === null) return `"${value.slice(0, 80)}" is no value: OK, RELAY, REJECT, DISCARD, SKIP, QUARANTINE:reason, ERROR:5.7.1:550 text or 550 text`;
  const code = Number(match[2]);
  return { kind: 'error', code, enhanced: match[1] ?? match[3] ?? `${match[2]![0]}.7.1`, text: match[4]?.trim() || 'Access denied' };
}

const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1').trim();

function find(entries: Entries, tag: SendmailTag, key: string): SendmailAction | undefined {
  return entries.get(`${tag}:${key}`) ?? entries.get(`:${key}`);
}

function* hostKeys(host: string): Generator<string> {
  const ip = parseIp(host);
  if (ip === null) {
    let name = host.toLowerCase();
    for (;;) {
      yield name;
      const dot = name.indexOf('.');
      if (dot === -1) return;
      name = name.slice(dot + 1);
    }
  }
  const isV6 = ip.includes(':');
  const parts = isV6 ? groupsOf(ip) : ip.split('.');
  for (let length = parts.length; length > 0; length -= 1) {
    yield isV6 ? `ipv6:${parts.slice(0, length).join(':')}` : parts.slice(0, length).join('.');
  }
}

function findHosts(entries: Entries, tag: SendmailTag, hosts: readonly string[]): SendmailAction | null {
  for (const host of hosts) {
    for (const key of hostKeys(host)) {
      const action = find(entries, tag, key);
      if (action !== undefined) return action;
    }
  }
  return null;
}

function findAddress(entries: Entries, tag: SendmailTag, address: string): SendmailAction | null {
  const lower = address.toLowerCase();
  const at = lower.lastIndexOf('@');
  if (at === -1) return find(entries, tag, lower) ?? null;
  const local = lower.slice(0, at);
  const domain = lower.slice(at + 1);
  const plus = local.indexOf('+', 1);
  const bare = plus === -1 ? null : local.slice(0, plus);
  const exact =
    find(entries, tag, lower) ?? (bare === null ? undefined : (find(entries, tag, `${bare}+*@${domain}`) ?? find(entries, tag, `${bare}@${domain}`)));
  if (exact !== undefined) return exact;
  const host = domain.startsWith('[') ? domain.slice(1, -1).replace(/^ipv6:/, '') : domain;
  const byHost = findHosts(entries, tag, [host]);
  if (byHost !== null) return byHost;
  return find(entries, tag, `${local}@`) ?? (bare === null ? null : (find(entries, tag, `${bare}@`) ?? null));
}
