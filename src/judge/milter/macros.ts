/** Macros: what Sendmail's configuration language calls the facts of a connection, by name. */
import { formatAddress } from '../../mail/address.ts';
import { formatDate } from '../../mail/date.ts';
import { latin1OfText } from '../../mail/edit.ts';
import type { Address } from '../../ports.ts';
import type { MacroStage } from '../../wire/milter/codes.ts';
import { macroNames } from '../../wire/milter/negotiate.ts';
import type { MilterFacts } from './facts.ts';
import type { MilterSettings } from './settings.ts';

export type MacroPair = readonly [name: string, value: string];
export type MacroLists = Readonly<Record<MacroStage, readonly string[]>>;

/** What is the same for all sessions. */
export interface Here {
  readonly hostname: string;
  readonly daemonName: string;
  readonly version: string;
}

/** What a macro can be made of. */
export interface MacroSource {
  readonly here: Here;
  readonly facts: MilterFacts;
  /** Null also before MAIL; the null reverse-path is `isNullSender`. */
  sender: Address | null;
  isNullSender: boolean;
  recipient: Address | null;
  /** Set for a recipient that we refused: what {rcpt_mailer}, {rcpt_host} and {rcpt_addr} say then. */
  refusal: { readonly enhanced: string; readonly text: string } | null;
}

const route = (source: MacroSource, address: Address) => source.facts.route?.(address) ?? { host: address.domain, mailer: 'smtp' };
const ip = (text: string): string => (text.includes(':') ? `IPv6:${text}` : text);

/** The macros we know, with their braces when longer than a letter. Null: there is no value now, and it is not sent. */
export const MACROS: ReadonlyMap<string, (source: MacroSource) => string | null> = new Map<string, (source: MacroSource) => string | null>([
  // the receiving system
  ['j', ({ here }) => here.hostname],
  ['v', ({ here }) => `Posthorn ${here.version}`],
  ['Z', ({ here }) => here.version],
  ['b', () => formatDate(Date.now(), -new Date().getTimezoneOffset())],
  ['{daemon_name}', ({ here }) => here.daemonName],
  ['{daemon_addr}', ({ facts }) => ip(facts.localAddress)],
  ['{daemon_port}', ({ facts }) => String(facts.localPort)],
  ['{if_name}', ({ here }) => here.hostname],
  ['{if_addr}', ({ facts }) => ip(facts.localAddress)],
  // the client
  [
    '_',
    ({ facts }) =>
      `${facts.clientPtr ?? 'unknown'} [${ip(facts.client.ip)}]${facts.clientPtr !== null && facts.client.name === null ? ' (may be forged)' : ''}`,
  ],
  ['{client_addr}', ({ facts }) => ip(facts.client.ip)],
  ['{client_name}', ({ facts }) => facts.client.name ?? 'unknown'],
  ['{client_ptr}', ({ facts }) => facts.clientPtr ?? 'unknown'],
  ['{client_port}', ({ facts }) => String(facts.client.port)],
  ['{client_connections}', ({ facts }) => String(facts.clientConnections)],
  ['s', ({ facts }) => facts.helo],
  ['r', ({ facts }) => facts.protocol],
  // TLS and AUTH
  ['{tls_version}', ({ facts }) => facts.tls?.version ?? null],
  ['{cipher}', ({ facts }) => facts.tls?.cipher ?? null],
  ['{cipher_bits}', ({ facts }) => (facts.tls === null ? null : String(facts.tls.bits))],
  ['{cert_subject}', ({ facts }) => facts.tls?.certSubject ?? null],
  ['{cert_issuer}', ({ facts }) => facts.tls?.certIssuer ?? null],
  ['{auth_type}', ({ facts }) => facts.auth?.type ?? null],
  ['{auth_authen}', ({ facts }) => facts.auth?.authen ?? null],
  ['{auth_author}', ({ facts }) => facts.auth?.author ?? null],
  ['{auth_ssf}', ({ facts }) => (facts.auth === null ? null : String(facts.auth.ssf ?? 0))],
  // the envelope
  ['i', ({ facts }) => facts.queueId],
  ['f', (source) => mailAddress(source)],
  ['{mail_addr}', (source) => mailAddress(source)],
  ['{mail_host}', (source) => (source.sender === null ? null : route(source, source.sender).host)],
  ['{mail_mailer}', (source) => (source.sender === null ? null : route(source, source.sender).mailer)],
  ['{rcpt_addr}', ({ recipient, refusal }) => refusal?.text ?? (recipient === null ? null : formatAddress(recipient))],
  ['{rcpt_host}', (source) => source.refusal?.enhanced ?? (source.recipient === null ? null : route(source, source.recipient).host)],
  ['{rcpt_mailer}', (source) => (source.refusal !== null ? 'error' : source.recipient === null ? null : route(source, source.recipient).mailer)],
]);

function mailAddress(source: MacroSource): string | null {
  if (source.isNullSender) return '<>';
  return source.sender === null ? null : formatAddress(source.sender);
}

/** The names and values to send; those without a value are left out. */
export function macroPairs(names: readonly string[], source: MacroSource): MacroPair[] {
  const pairs: MacroPair[] = [];
  for (const name of names) {
    const full = name.length === 1 || name.startsWith('{') ? name : `{${name}}`;
    const value = MACROS.get(full)?.(source);
    if (value !== null && value !== undefined) pairs.push([full, latin1OfText(value)]);
  }
  return pairs;
}

/** The lists of the settings. */
export function macroLists(settings: MilterSettings): MacroLists {
  return {
    connect: macroNames(settings['milter.connectMacros']),
    helo: macroNames(settings['milter.heloMacros']),
    mail: macroNames(settings['milter.mailMacros']),
    rcpt: macroNames(settings['milter.rcptMacros']),
    data: macroNames(settings['milter.dataMacros']),
    endOfHeaders: macroNames(settings['milter.endOfHeaderMacros']),
    endOfMessage: macroNames(settings['milter.endOfMessageMacros']),
  };
}
