/**
 * Asks the host that is responsible for an address whether it would take mail for it: the conversation up to RCPT, and no message
 * (Postfix address_verify). Callers keep the answers; nothing is remembered here.
 */
import { formatAddress } from '../mail/address.ts';
import type { Address } from '../ports.ts';
import type { Hop } from '../route/hop.ts';
import { nexthop, readRoutes, type TransportSettings } from '../route/transport.ts';
import { to7bit } from './convert.ts';
import { Outbound, type OutboundContext, type OutboundSettings } from './outbound.ts';
import { SmtpConnection } from './smtp/connection.ts';
import { Dialog } from './smtp/dialog.ts';
import { words } from './smtp/outcome.ts';

/** What the host said to RCPT, or what kept us from asking: 2xx takes it, 5xx does not, 4xx nobody knows. */
export interface CalloutAnswer {
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}

export interface CalloutContext extends Omit<OutboundContext, 'to7bit' | 'settings'> {
  settings(): OutboundSettings & TransportSettings;
  /** Finds the next hop by tables, too. Left out: `deliver.transports` and `deliver.relayHost` alone say. May reject with TableError. */
  transport?(address: Address, sender: string | null): Hop | Promise<Hop>;
}

export interface Callout {
  /** `sender` null is the null reverse-path. Never rejects. */
  ask(address: Address, sender: string | null, signal: AbortSignal): Promise<CalloutAnswer>;
  close(): void;
}

const SWEEP_MS = 1000;

export function createCallout(context: CalloutContext): Callout {
  const outbound = new Outbound({ ...context, to7bit });
  const sweep = setInterval(() => outbound.sweep(), SWEEP_MS);
  sweep.unref();

  async function ask(address: Address, sender: string | null, signal: AbortSignal): Promise<CalloutAnswer> {
    if (/[^\x21-\x7e]/.test(address.local)) return { code: 450, enhanced: '4.6.7', text: 'an address beyond ASCII is not probed' };
    let hop: Hop;
    try {
      hop = (await context.transport?.(address, sender)) ?? nexthop(address.domain, readRoutes(context.settings()));
    } catch (error) {
      return { code: 450, enhanced: '4.3.0', text: `a lookup table does not answer: ${(error as Error).message}` };
    }
    // What is not handed over by SMTP or LMTP has nobody who could be asked.
    if (hop.kind !== 'smtp' && hop.kind !== 'lmtp' && hop.kind !== 'error') return { code: 250, enhanced: '2.1.5', text: `${hop.kind}: nobody to ask` };
    if (hop.kind === 'error') return { code: hop.enhanced.startsWith('5') ? 550 : 450, enhanced: hop.enhanced, text: hop.text };
    const opened = await outbound.open(hop);
    if (!(opened instanceof SmtpConnection)) return { code: opened.isFinal ? 550 : 450, enhanced: opened.enhanced, text: opened.reply };
    const socket = opened.detach();
    const dialog = new Dialog(socket);
    try {
      const mail = await dialog.ask(`MAIL FROM:<${sender ?? ''}>`, signal);
      // The host does not like us or our sender: that says nothing about the address.
      if (mail.code >= 300) return { code: 450, enhanced: mail.enhanced || '4.0.0', text: `${opened.label} said: ${words(mail)}` };
      const rcpt = await dialog.ask(`RCPT TO:<${formatAddress(address)}>`, signal);
      return { code: rcpt.code, enhanced: rcpt.enhanced, text: `${opened.label} said: ${words(rcpt)}` };
    } catch (error) {
      return { code: 450, enhanced: '4.4.2', text: `${opened.label}: ${(error as Error).message}` };
    } finally {
      dialog.detach();
      socket.on('error', () => {}); // what happens after the goodbye changes nothing
      socket.end('QUIT\r\n');
      setTimeout(() => socket.destroy(), SWEEP_MS).unref();
    }
  }

  return {
    ask,
    close: () => {
      clearInterval(sweep);
      outbound.retire();
      outbound.close();
    },
  };
}
