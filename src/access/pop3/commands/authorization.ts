/** Logging in: USER and PASS, AUTH, STLS, UTF8. */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../../ports.ts';
import { parseArguments, parseBase64 } from '../../../wire/pop3/command.ts';
import type { Pop3Session } from '../dialogue.ts';

const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of a latin1 line as UTF-8 text; null when they are none (then they fit no name and no password). */
function decode(latin1: string): string | null {
  try {
    return utf8Decoder.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    return null; // not UTF-8
  }
}

/** USER and PASS are worth as much as PLAIN: allowed where that is. */
export function allowsPlainText(session: Pop3Session): boolean {
  const mechanisms = session.context.authenticator.mechanisms(session.connection);
  return mechanisms.includes('PLAIN') || mechanisms.includes('LOGIN');
}
export function offersTls(session: Pop3Session): boolean {
  return session.state === 'authorization' && session.connection.tls === null && session.context.tls.context() !== null;
}

export function user(session: Pop3Session, rest: string): void {
  const name = decode(rest.trim());
  if (!allowsPlainText(session)) session.bad(offersTls(session) ? '[SYS/PERM] Log in after STLS' : '[SYS/PERM] Not allowed here; use AUTH');
  else if (name === null || name === '') session.bad('USER needs a name');
  else {
    session.user = name;
    session.ok(); // for any name: whether it exists is not told
  }
}

export function pass(session: Pop3Session, rest: string): void | Promise<void> {
  const name = session.user;
  session.user = null;
  if (name === null) return session.bad('USER first');
  const password = decode(rest);
  return session.context.authenticator.password(name, password ?? '', session.authContext).then((outcome) => finish(session, outcome));
}

/** RFC 3206: AUTH for wrong credentials, SYS/TEMP for everything that may be gone in a while. */
function finish(session: Pop3Session, outcome: AuthOutcome): void | Promise<void> {
  if (session.isClosed) return;
  switch (outcome.kind) {
    case 'ok':
      return session.enter(outcome.account, outcome.credentialId);
    case 'refused':
      session.err('[AUTH] Wrong name or password');
      break;
    case 'locked':
      session.err(`[SYS/TEMP] Too many failed logins, try again in ${Math.ceil(outcome.retryAfterMs / 1000)} seconds`);
      break;
    case 'unavailable':
      session.err('[SYS/TEMP] Login is not possible now, try again later');
      break;
  }
  session.failedLogins += 1;
  if (session.failedLogins >= session.settings['pop3.loginsMax']) session.close();
}

/** AUTH mechanism [initial-response]; alone it lists the mechanisms, as clients older than CAPA expect. */
export function auth(session: Pop3Session, rest: string): void | Promise<void> {
  const [mechanism, initial, ...more] = parseArguments(rest);
  if (mechanism === undefined) {
    const mechanisms = session.context.authenticator.mechanisms(session.connection);
    return session.push(['+OK', ...mechanisms, '.'].join('\r\n') + '\r\n');
  }
  if (more.length > 0) return session.bad('AUTH takes a mechanism and one response');
  const response = initial === undefined ? null : parseBase64(initial);
  if (initial !== undefined && response === null) return session.bad('Response is not base64');
  const exchange = session.context.authenticator.sasl(mechanism, session.connection, session.authContext);
  if (exchange === null) return session.bad(offersTls(session) ? '[SYS/PERM] Not offered; try after STLS' : 'Mechanism is not offered');
  return exchange.step(response).then((step) => proceed(session, exchange, step));
}

function proceed(session: Pop3Session, exchange: SaslExchange, step: SaslStep): void | Promise<void> {
  if (session.isClosed) return;
  switch (step.kind) {
    case 'malformed':
      return session.bad('[AUTH] Response is malformed');
    case 'challenge':
      challenge(session, step.data);
      session.takeLine((line) => answer(session, line, (response) => exchange.step(response).then((next) => proceed(session, exchange, next))));
      return;
    case 'done': {
      const { outcome, data } = step;
      if (outcome.kind !== 'ok' || data === null) return finish(session, outcome);
      // RFC 5034 section 4: there is no room in +OK for the server's last word, so it is a challenge with an empty response.
      challenge(session, data);
      session.takeLine((line) =>
        answer(session, line, (response) => (response.length === 0 ? finish(session, outcome) : session.bad('Response must be empty'))),
      );
    }
  }
}

function challenge(session: Pop3Session, data: Uint8Array): void {
  session.push(`+ ${Buffer.from(data).toString('base64')}\r\n`);
}

function answer(session: Pop3Session, line: string, use: (response: Uint8Array) => void | Promise<void>): void | Promise<void> {
  if (line === '*') return session.bad('Cancelled');
  const response = parseBase64(line);
  return response === null ? session.bad('Response is not base64') : use(response);
}

export function stls(session: Pop3Session, rest: string): void | Promise<void> {
  if (rest !== '') return session.bad('STLS takes no argument');
  if (!offersTls(session)) return session.bad(session.connection.tls === null ? 'TLS is not available' : 'TLS is on already');
  return session.startTls();
}

/** Names, passwords and messages are UTF-8 here anyway; a message is sent as it is stored, whether or not UTF8 was said. */
export function utf8(session: Pop3Session, rest: string): void {
  if (rest !== '') session.bad('UTF8 takes no argument');
  else session.ok('UTF-8 is on');
}
