/** Chooses where mail for a domain goes next: the transport list, the relay host, or the domain's MX. Pure. */
import { isIP } from 'node:net';
import type { SmtpTransport } from './named.ts';

/** `mx`: look up the MX of `host` first. `port` null means the protocol's own. */
export type Nexthop =
  | {
      readonly kind: 'smtp';
      readonly key: string;
      readonly host: string;
      readonly port: number | null;
      readonly mx: boolean;
      readonly implicitTls: boolean;
      readonly isRelay: boolean;
      /** Settings of its own (`transport.smtp`). */
      readonly transport?: SmtpTransport;
      /** To be tried one after the other when none of this one's hosts can be found or reached. */
      readonly fallback?: readonly SmtpHop[];
      /** The host is the recipient's own domain, by way of a named transport: what is wrong with it is the sender's mistake, not the administrator's. */
      readonly isDomainsOwn?: boolean;
    }
  | {
      readonly kind: 'lmtp';
      readonly key: string;
      readonly host: string;
      readonly port: number | null;
      readonly path: string | null;
      readonly transport?: SmtpTransport;
    }
  | { readonly kind: 'error'; readonly key: string; readonly enhanced: string; readonly text: string };

export type SmtpHop = Extract<Nexthop, { readonly kind: 'smtp' }>;

export interface TransportLine {
  /** "example.org", ".example.org" for subdomains, "*" for all. */
  readonly pattern: string;
  /** null: no change, as if the line were not there (an empty nexthop in transport(5)). */
  readonly nexthop: Nexthop | null;
}

export interface TransportSettings {
  readonly 'deliver.relayHost': string;
  readonly 'deliver.transports': readonly string[];
}

/** "[host]:port", "[host]", "host:port", "host", "[IPv6:…]:port"; null when malformed or out of range. */
export function parseHostPort(input: string): { host: string; port: number | null; literal: boolean } | null {
  let host = input;
  let rest = '';
  let literal = false;
  if (input.startsWith('[')) {
    const end = input.indexOf(']');
    if (end < 0) return null;
    host = input.slice(1, end);
    rest = input.slice(end + 1);
    literal = true;
    if (/^ipv6:/i.test(host)) host = host.slice(5);
  } else {
    const colon = input.indexOf(':');
    if (colon >= 0) {
      host = input.slice(0, colon);
      rest = input.slice(colon);
    }
  }
  if (host === '' || host.length > 255 || !/^[A-Za-z0-9._:-]+$/.test(host) || (host.includes(':') && isIP(host) !== 6)) return null;
  let port: number | null = null;
  if (rest !== '') {
    if (!/^:\d{1,5}$/.test(rest)) return null;
    port = Number(rest.slice(1));
    if (port < 1 || port > 65535) return null;
  }
  if (isIP(host) !== 0) literal = true;
  return { host: host.toLowerCase(), port, literal };
}

/** Reads a nexthop in the words of Postfix's transport(5); null when it cannot be one. */
export function parseNexthop(input: string, isRelay = false): Nexthop | null {
  const value = input.trim();
  const colon = value.indexOf(':');
  const word = colon < 0 ? '' : value.slice(0, colon).toLowerCase();
  if (word === 'error' || word === 'retry') {
    const match = /^([45]\.\d{1,3}\.\d{1,3})[ \t]+/.exec(value.slice(colon + 1));
    const enhanced = match?.[1] ?? (word === 'error' ? '5.0.0' : '4.0.0');
    const text = value.slice(colon + 1 + (match?.[0].length ?? 0)).trim();
    return { kind: 'error', key: value, enhanced, text: text === '' ? 'Mail for this domain is not accepted' : text };
  }
  if (word === 'lmtp') {
    const rest = value.slice(colon + 1);
    if (rest.startsWith('unix:')) return rest.length > 5 && rest[5] === '/' ? { kind: 'lmtp', key: value, host: '', port: null, path: rest.slice(5) } : null;
    const target = parseHostPort(rest.startsWith('inet:') ? rest.slice(5) : rest);
    return target === null ? null : { kind: 'lmtp', key: `lmtp:[${target.host}]:${target.port ?? 24}`, host: target.host, port: target.port ?? 24, path: null };
  }
  const named = word === 'smtp' || word === 'smtps' || word === 'relay';
  const target = parseHostPort(named ? value.slice(colon + 1) : value);
  if (target === null) return null;
  const implicitTls = word === 'smtps' || (isRelay && target.port === 465);
  const port = target.port ?? (word === 'smtps' ? 465 : null);
  const mx = !target.literal;
  const name = mx ? target.host : `[${target.host}]`;
  return {
    kind: 'smtp',
    key: `${implicitTls ? 'smtps' : 'smtp'}:${name}:${port ?? ''}${isRelay ? ':relay' : ''}`,
    host: target.host,
    port,
    mx,
    implicitTls,
    isRelay,
  };
}

/**
 * What a FILTER action names instead of a recipient's own next hop; null for "smtp:" alone, which names none. Mail is not let past a filter
 * because its name is wrong: it waits until somebody mends the table.
 */
export function filterHop(text: string): Nexthop | null {
  if (/^(?:smtp|relay):$/i.test(text.trim())) return null;
  const hop = parseNexthop(text);
  return (
    hop ?? { kind: 'error', key: text, enhanced: '4.3.5', text: `The content filter "${text.slice(0, 100)}" is no next hop such as smtp:[127.0.0.1]:10025` }
  );
}

/** One line of `deliver.transports`; null when malformed. */
export function parseTransportLine(line: string): TransportLine | null {
  const match = /^(\S{1,255})[ \t]+(\S.*)$/.exec(line.trim());
  if (match === null) return null;
  const pattern = match[1]!.toLowerCase();
  const value = match[2]!.trim();
  // In transport(5) "smtp:" alone means: that protocol, to the domain's own MX.
  if (value === ':' || value === 'smtp:') return { pattern, nexthop: null };
  const nexthop = parseNexthop(value);
  return nexthop === null ? null : { pattern, nexthop };
}

export interface Routes {
  readonly exact: ReadonlyMap<string, Nexthop | null>;
  readonly relay: Nexthop | null;
}

/** Reads the settings once; `nexthop` is then a few map lookups. Earlier lines win. */
export function readRoutes(settings: TransportSettings): Routes {
  const exact = new Map<string, Nexthop | null>();
  for (const text of settings['deliver.transports']) {
    const line = parseTransportLine(text);
    if (line !== null && !exact.has(line.pattern)) exact.set(line.pattern, line.nexthop);
  }
  return { exact, relay: settings['deliver.relayHost'] === '' ? null : parseNexthop(settings['deliver.relayHost'], true) };
}

const LABELS_MAX = 128; // a domain has at most 127 labels (RFC 1035 section 2.3.4)

/** What `deliver.transports` says of a domain: null for "its own mail hosts", undefined when no line names it. */
export function lineFor(domain: string, routes: Routes): Nexthop | null | undefined {
  const { exact } = routes;
  if (exact.size === 0) return undefined;
  let found = exact.get(domain);
  let at = domain.indexOf('.');
  for (let i = 0; found === undefined && at >= 0 && i < LABELS_MAX; i++) {
    found = exact.get(domain.slice(at));
    at = domain.indexOf('.', at + 1);
  }
  return found === undefined ? exact.get('*') : found;
}

/** Where mail for `domain` (lower case, A-labels, or an address literal in brackets) goes next. */
export function nexthop(domain: string, routes: Routes): Nexthop {
  const found = lineFor(domain, routes);
  return found ?? (found === null ? direct(domain) : (routes.relay ?? direct(domain)));
}

/** The domain's own mail hosts. */
export function direct(domain: string): Nexthop {
  const literal = domain.startsWith('[');
  let host = domain;
  if (literal) {
    host = domain.slice(1, -1);
    if (/^ipv6:/i.test(host)) host = host.slice(5);
    if (isIP(host) === 0) return { kind: 'error', key: `error:${domain}`, enhanced: '5.1.2', text: 'Bad address literal' };
  }
  return { kind: 'smtp', key: domain, host, port: null, mx: !literal, implicitTls: false, isRelay: false };
}
