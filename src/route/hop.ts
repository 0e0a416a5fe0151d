/** From "transport:nexthop" to what the courier does: every transport this server knows, by name. Pure. */
import { ROUTE_LIMITS } from './limits.ts';
import type { NamedTransport, PipeTransport, SmtpTransport } from './named.ts';
import { direct, type Nexthop, parseHostPort, parseNexthop, type SmtpHop } from './transport.ts';

/** Next hops, and what is no host: thrown away, given to a program, or to the mailboxes of this machine. `key` names the destination. */
export type Hop =
  | Nexthop
  | { readonly kind: 'discard'; readonly key: string; readonly text: string }
  | { readonly kind: 'pipe'; readonly key: string; readonly transport: PipeTransport; readonly nexthop: string }
  /** A user or alias of this machine (local(8)), or a virtual mailbox: routing resolves the address again and says the task. */
  | { readonly kind: 'local' | 'virtual'; readonly key: string; readonly nexthop: string };

export interface HopContext {
  readonly named: ReadonlyMap<string, NamedTransport>;
  /** `route.fallbackRelay`. */
  readonly fallback: readonly string[];
}

/** Splits at the first colon; an address literal has its colons inside brackets. */
export function splitTransport(value: string): { readonly channel: string; readonly nexthop: string } {
  const text = value.trim();
  const colon = text.indexOf(':');
  return colon === -1 ? { channel: text, nexthop: '' } : { channel: text.slice(0, colon).trim(), nexthop: text.slice(colon + 1).trim() };
}

/** `domain` is the recipient's: the host where no other is named. `isRelay`: the host is `deliver.relayHost`, which we log in at. Never throws. */
export function hopOf(channel: string, nexthop: string, domain: string, context: HopContext, isRelay = false): Hop {
  switch (channel) {
    case 'smtp':
    case 'relay':
    case 'smtps':
      return smtpHop(channel, nexthop, domain, context, isRelay);
    case 'lmtp':
      return lmtpHop(nexthop === '' ? domain : nexthop, null);
    case 'error':
    case 'retry':
      return parseNexthop(`${channel}:${nexthop}`)!;
    case 'discard':
      return { kind: 'discard', key: `discard:${nexthop}`, text: nexthop };
    case 'local':
    case 'virtual':
      return { kind: channel, key: `${channel}:`, nexthop };
  }
  const transport = context.named.get(channel);
  if (transport === undefined) return wrong(`${channel}:${nexthop}`, `there is no transport "${channel.slice(0, 100)}"`);
  if (transport.kind === 'pipe') {
    const host = nexthop === '' ? domain : nexthop;
    return { kind: 'pipe', key: `${channel}:${host}`, transport, nexthop: host };
  }
  if (transport.protocol === 'lmtp') return lmtpHop(nexthop === '' ? domain : nexthop, transport);
  return smtpHop(channel, nexthop, domain, context, isRelay, transport);
}

/** A mistake in a table is put right while mail waits. */
const wrong = (key: string, text: string): Nexthop => ({ kind: 'error', key: `wrong:${key}`, enhanced: '4.3.5', text: `Mail transport unavailable: ${text}` });

/** The text names no next hop: a mistake of the administrator's, not an `error:` meant as one. */
export const isWrong = (hop: Hop): boolean => hop.kind === 'error' && hop.key.startsWith('wrong:');

function lmtpHop(nexthop: string, transport: SmtpTransport | null): Nexthop {
  const first = nexthop.split(/[,\s]+/, 1)[0]!;
  const hop = parseNexthop(`lmtp:${first}`);
  if (hop?.kind !== 'lmtp') return wrong(`lmtp:${nexthop}`, `"${first.slice(0, 100)}" is neither unix:/path nor inet:host:port`);
  if (transport === null) return hop;
  return { ...hop, key: `${transport.name}:${hop.key}`, port: /:\d+$/.test(first) ? hop.port : (transport.port ?? hop.port), transport };
}

function smtpHop(channel: string, nexthop: string, domain: string, context: HopContext, isRelay: boolean, transport?: SmtpTransport): Nexthop {
  const hosts = nexthop.split(/[,\s]+/).filter((host) => host !== '');
  if (hosts.length > ROUTE_LIMITS.destinations) return wrong(`${channel}:${nexthop}`, `more than ${ROUTE_LIMITS.destinations} hosts in one list`);
  if (hosts.length === 0 && domain === '') return wrong(`${channel}:`, 'neither a host nor a domain');
  const hops: SmtpHop[] = [];
  for (const host of hosts.length === 0 ? [''] : hosts) {
    const hop = oneHost(channel, host, domain, isRelay, transport);
    if (hop === null) return wrong(`${channel}:${nexthop}`, `"${host.slice(0, 100)}" is no host`);
    if (hop.kind !== 'smtp') return hop; // a bad address literal, or (for the relay host) LMTP
    hops.push(hop);
  }
  const [first, ...others] = hops;
  // The transport "relay" goes to hosts of ours, for which a relay elsewhere is no substitute (master.cf has it so).
  const spare = transport?.fallback ?? (channel === 'relay' ? [] : context.fallback);
  for (const host of spare) {
    const hop = oneHost('smtp', host, domain, false, transport);
    if (hop?.kind === 'smtp') others.push(hop);
  }
  return others.length === 0 ? first! : { ...first!, fallback: others };
}

function oneHost(channel: string, host: string, domain: string, isRelay: boolean, transport: SmtpTransport | undefined): Nexthop | null {
  if (transport === undefined) {
    if ((host === '' || host === domain) && !isRelay && (channel !== 'smtps' || domain.startsWith('['))) return direct(domain);
    if (host === '') return parseNexthop(`${channel}:${domain}`);
    // The relay host may be written with a protocol of its own.
    return isRelay && /^[a-z]+:/i.test(host) && parseHostPort(host) === null
      ? parseNexthop(host, true)
      : parseNexthop(`${channel}:${host.replace(/^inet:/, '')}`, isRelay);
  }
  const own = host === '' || host === domain;
  if (own && domain.startsWith('[')) {
    const literal = direct(domain);
    if (literal.kind !== 'smtp') return literal;
  }
  const target = parseHostPort(own ? domain : host.replace(/^(?:inet|smtps?|relay):/, ''));
  if (target === null) return null;
  const port = target.port ?? transport.port ?? (transport.implicitTls ? 465 : null);
  const name = target.literal ? `[${target.host}]` : target.host;
  const hop: SmtpHop = {
    ...{ kind: 'smtp', host: target.host, port, mx: !target.literal, implicitTls: transport.implicitTls, isRelay, transport },
    key: `${transport.name}:${name}:${port ?? ''}`,
  };
  return own && !target.literal ? { ...hop, isDomainsOwn: true } : hop;
}

/** What one destination is given at once; null: as the options of `deliver` say. */
export interface DestinationLimits {
  readonly concurrency: number | null;
  readonly rateDelayMs: number;
  readonly recipientsMax: number | null;
}

/** `rateDelayMs`: `route.destinationRateDelay`. With a delay, one message at a time goes to a destination, as in Postfix. */
export function limitsOf(hop: Hop, rateDelayMs: number): DestinationLimits {
  const transport = hop.kind === 'smtp' || hop.kind === 'lmtp' || hop.kind === 'pipe' ? hop.transport : undefined;
  const delay = transport?.rateDelayMs ?? rateDelayMs;
  return { concurrency: delay > 0 ? 1 : (transport?.concurrency ?? null), rateDelayMs: delay, recipientsMax: transport?.recipientsMax ?? null };
}
