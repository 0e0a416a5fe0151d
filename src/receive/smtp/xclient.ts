/** XCLIENT and XFORWARD: a trusted proxy names the real client (Postfix XCLIENT_README and XFORWARD_README). */
import { networksOf, parseIp } from '../../net/networks.ts';
import type { Client } from '../../ports.ts';
import { isDigits } from '../../wire/smtp/command.ts';
import { parseParameters } from '../../wire/smtp/parameters.ts';
import { decodeXtext } from '../../wire/smtp/xtext.ts';
import { ANY, type Command, GREETED } from './service.ts';
import type { SmtpSession } from './session.ts';

const XCLIENT_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'LOGIN', 'DESTADDR', 'DESTPORT'];
const XFORWARD_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'];
const ATTRIBUTE_CHARACTERS_MAX = 255;

/** Only the connection itself counts: a client named by XCLIENT cannot name another. */
function isTrusted(session: SmtpSession): boolean {
  return networksOf(session.settings['smtp.xclientFrom']).has(session.connection.client.ip);
}

/** Attributes by name; null for "not known" ([UNAVAILABLE], [TEMPUNAVAIL]). Undefined: malformed, and a reply is queued. */
function attributes(session: SmtpSession, rest: string, known: readonly string[]): Map<string, string | null> | undefined {
  if (!isTrusted(session)) {
    session.reply(550, '5.7.0', 'Not allowed from this address');
    return undefined;
  }
  if (session.state === 'mail' || session.state === 'rcpt') {
    session.reply(503, '5.5.1', 'Not within a transaction');
    return undefined;
  }
  const given = parseParameters(rest, 0);
  const values = new Map<string, string | null>();
  for (const [name, value] of given ?? []) {
    const decoded = value.length > 3 * ATTRIBUTE_CHARACTERS_MAX ? null : decodeXtext(value);
    if (!known.includes(name) || decoded === null || decoded.length > ATTRIBUTE_CHARACTERS_MAX || /[\x00-\x20\x7f()<>"\\;]/.test(decoded)) {
      session.reply(501, '5.5.4', `Bad attribute ${name}`);
      return undefined;
    }
    const upper = decoded.toUpperCase();
    values.set(name, upper === '[UNAVAILABLE]' || upper === '[TEMPUNAVAIL]' ? null : decoded);
  }
  if (values.size === 0) {
    session.reply(501, '5.5.4', 'Give attributes as name=value');
    return undefined;
  }
  return values;
}

/** IPv6 addresses carry the prefix "IPV6:". Undefined: malformed. */
function addressOf(value: string): string | undefined {
  return parseIp(value.slice(0, 5).toUpperCase() === 'IPV6:' ? value.slice(5) : value) ?? undefined;
}

function xclient(session: SmtpSession, rest: string): void {
  const values = attributes(session, rest, XCLIENT_ATTRIBUTES);
  if (values === undefined) return;
  let { ip, port, name }: Client = session.client;
  for (const [attribute, value] of values) {
    if (attribute === 'ADDR' || attribute === 'DESTADDR') {
      const address = value === null ? '0.0.0.0' : addressOf(value);
      if (address === undefined) {
        session.reply(501, '5.5.4', `Bad ${attribute}`);
        return;
      }
      if (attribute === 'ADDR') ip = address;
    } else if (attribute === 'PORT' || attribute === 'DESTPORT') {
      const number = value === null ? 0 : isDigits(value) ? Number(value) : -1;
      if (number < 0 || number > 65_535) {
        session.reply(501, '5.5.4', `Bad ${attribute}`);
        return;
      }
      if (attribute === 'PORT') port = number;
    } else if (attribute === 'NAME') name = value;
  }
  const login = values.get('LOGIN');
  const account = login === undefined || login === null ? null : session.context.directory.accountByLogin(login);
  if (login !== undefined && login !== null && (account === null || account.isDisabled)) {
    session.reply(501, '5.5.4', 'Bad LOGIN: no such account');
    return;
  }
  session.restart({ ip, port, name });
  if (login !== undefined) session.logIn(account);
  const helo = values.get('HELO');
  if (helo !== undefined && helo !== null) session.helo = helo;
  session.log('info', 'smtp.xclient', { proxy: session.connection.client.ip, name });
  // The next thing is a greeting, as if the named client had just connected.
  session.write(session.greeting());
}

function xforward(session: SmtpSession, rest: string): void {
  const values = attributes(session, rest, XFORWARD_ATTRIBUTES);
  if (values === undefined) return;
  session.forwarded = { ...session.forwarded, ...Object.fromEntries([...values].map(([name, value]) => [name.toLowerCase(), value])) };
  session.log('info', 'smtp.xforward', session.forwarded);
  session.write('250 2.0.0 OK\r\n');
}

const XCLIENT = [`XCLIENT ${XCLIENT_ATTRIBUTES.join(' ')}`];
const XFORWARD = [`XFORWARD ${XFORWARD_ATTRIBUTES.join(' ')}`];

export const xclientCommand: Command = { syntax: 'XCLIENT name=value ...', from: ANY, isOffered: isTrusted, keywords: () => XCLIENT, run: xclient };
export const xforwardCommand: Command = { syntax: 'XFORWARD name=value ...', from: GREETED, isOffered: isTrusted, keywords: () => XFORWARD, run: xforward };
