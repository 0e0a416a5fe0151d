/** XCLIENT and XFORWARD: a trusted proxy names the real client (Postfix XCLIENT_README and XFORWARD_README). */
import { networksOf, parseIp } from '../../net/networks.ts';
import type { Client, ToldNames } from '../../ports.ts';
import { isDigits } from '../../wire/smtp/command.ts';
import { decodeXtext } from '../../wire/smtp/xtext.ts';
import { ANY, type Command, GREETED } from './service.ts';
import type { SmtpSession } from './session.ts';

const XCLIENT_ATTRIBUTES = ['NAME', 'REVERSE_NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'LOGIN', 'DESTADDR', 'DESTPORT'];
const XFORWARD_ATTRIBUTES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'];
const ATTRIBUTE_CHARACTERS_MAX = 255;

/** Only the connection itself counts: a client named by XCLIENT cannot name another. */
function isTrusted(session: SmtpSession): boolean {
  return networksOf(session.settings['smtp.xclientFrom']).has(session.connection.client.ip);
}

/** Attributes by name; null for "not known" ([UNAVAILABLE]), '' for "not known now" ([TEMPUNAVAIL]). Undefined: malformed, and a reply is queued. */
function attributes(session: SmtpSession, rest: string, known: readonly string[]): Map<string, string | null> | undefined {
  if (session.state === 'mail' || session.state === 'rcpt') {
    session.reply(503, '5.5.1', 'Not within a transaction');
    return undefined;
  }
  if (!isTrusted(session)) {
    session.reply(550, '5.7.0', 'Not allowed from this address');
    return undefined;
  }
  const values = new Map<string, string | null>();
  for (const attribute of rest.split(' ', known.length + 1)) {
    if (attribute === '') continue;
    const equals = attribute.indexOf('=');
    const name = attribute.slice(0, Math.max(equals, 0)).toUpperCase();
    const value = attribute.slice(equals + 1);
    const decoded = value.length > 3 * ATTRIBUTE_CHARACTERS_MAX ? null : decodeXtext(value);
    if (!known.includes(name) || decoded === null || decoded.length > ATTRIBUTE_CHARACTERS_MAX || /[\x00-\x20\x7f()<>"\\;]/.test(decoded)) {
      session.reply(501, '5.5.4', `Bad attribute ${printable(name)}`);
      return undefined;
    }
    const upper = decoded.toUpperCase();
    values.set(name, upper === '[UNAVAILABLE]' || decoded === '' ? null : upper === '[TEMPUNAVAIL]' ? '' : decoded);
  }
  if (values.size === 0) {
    session.reply(501, '5.5.4', 'Give attributes as name=value');
    return undefined;
  }
  return values;
}

/** A word of the client's for a reply. */
const printable = (text: string): string => text.slice(0, 30).replace(/[^\x21-\x7e]/g, '?');

/** What can be a host's name at all; whose it is, the proxy says. */
const HOST_NAME = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?$/;

/** IPv6 addresses carry the prefix "IPV6:". Undefined: malformed. */
function addressOf(value: string): string | undefined {
  return parseIp(value.slice(0, 5).toUpperCase() === 'IPV6:' ? value.slice(5) : value) ?? undefined;
}

/** What the proxy says of the names; undefined when it says nothing. A name alone is that of the address, too. */
function toldNames(values: ReadonlyMap<string, string | null>): ToldNames | undefined {
  if (!values.has('NAME') && !values.has('REVERSE_NAME')) return undefined;
  const name = values.get('NAME') ?? null;
  const reverse = values.has('REVERSE_NAME') ? (values.get('REVERSE_NAME') ?? null) : name;
  return { name: name || null, nameStatus: statusOf(name), reverseName: reverse || null, reverseStatus: statusOf(reverse) };
}
const statusOf = (name: string | null): ToldNames['nameStatus'] => (name === null ? 'none' : name === '' ? 'temporary' : 'ok');

function xclient(session: SmtpSession, rest: string): void {
  const values = attributes(session, rest, XCLIENT_ATTRIBUTES);
  if (values === undefined) return;
  let { ip, port }: Client = session.client;
  for (const [attribute, value] of values) {
    if (attribute === 'ADDR' || attribute === 'DESTADDR') {
      const address = value === null || value === '' ? '0.0.0.0' : addressOf(value);
      if (address === undefined) {
        session.reply(501, '5.5.4', `Bad ${attribute}`);
        return;
      }
      if (attribute === 'ADDR') ip = address;
    } else if (attribute === 'PORT' || attribute === 'DESTPORT') {
      const number = value === null || value === '' ? 0 : isDigits(value) ? Number(value) : -1;
      if (number < 0 || number > 65_535) {
        session.reply(501, '5.5.4', `Bad ${attribute}`);
        return;
      }
      if (attribute === 'PORT') port = number;
    }
  }
  for (const attribute of ['NAME', 'REVERSE_NAME']) {
    const name = values.get(attribute) || null;
    if (name === null || HOST_NAME.test(name)) continue;
    session.reply(501, '5.5.4', `Bad ${attribute}`);
    return;
  }
  const login = values.get('LOGIN') || null;
  const account = login === null ? null : session.context.directory.accountByLogin(login);
  if (login !== null && (account === null || account.isDisabled)) {
    session.reply(501, '5.5.4', 'Bad LOGIN: no such account');
    return;
  }
  const told = toldNames(values) ?? (ip === session.client.ip ? session.client.told : undefined);
  session.restart({ ip, port, name: told?.name ?? null, ...(told === undefined ? {} : { told }) });
  if (values.has('LOGIN')) session.logIn(account);
  const helo = values.get('HELO');
  if (helo !== undefined && helo !== null && helo !== '') session.helo = helo;
  session.log('info', 'smtp.xclient', { proxy: session.connection.client.ip, name: told?.name ?? null });
  // The next thing is a greeting, as if the named client had just connected.
  session.settle(session.judge?.greet(true) ?? null, (refusal) => {
    if (refusal === null) session.write(session.greeting());
    else session.turnAway(refusal);
  });
}

function xforward(session: SmtpSession, rest: string): void {
  const values = attributes(session, rest, XFORWARD_ATTRIBUTES);
  if (values === undefined) return;
  session.forwarded = { ...session.forwarded, ...Object.fromEntries([...values].map(([name, value]) => [name.toLowerCase(), value === '' ? null : value])) };
  session.log('info', 'smtp.xforward', session.forwarded);
  session.write('250 2.0.0 OK\r\n');
}

const XCLIENT = [`XCLIENT ${XCLIENT_ATTRIBUTES.join(' ')}`];
const XFORWARD = [`XFORWARD ${XFORWARD_ATTRIBUTES.join(' ')}`];

export const xclientCommand: Command = { syntax: 'XCLIENT name=value ...', from: ANY, isOffered: isTrusted, keywords: () => XCLIENT, run: xclient };
export const xforwardCommand: Command = { syntax: 'XFORWARD name=value ...', from: GREETED, isOffered: isTrusted, keywords: () => XFORWARD, run: xforward };
