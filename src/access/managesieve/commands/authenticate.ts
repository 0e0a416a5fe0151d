/** AUTHENTICATE (RFC 5804 section 2.1). Who may log in is the authenticator's business. */
import type { AuthOutcome, SaslExchange, SaslStep } from '../../../ports.ts';
import { formatString } from '../../../wire/managesieve/format.ts';
import type { Word } from '../../../wire/managesieve/line.ts';
import type { Argument } from '../arguments.ts';
import { canStartTls, mechanisms } from '../capabilities.ts';
import type { ManageSieveSession } from '../session.ts';

export function authenticate(session: ManageSieveSession, args: readonly Argument[]): void | Promise<void> {
  const [mechanism, initial] = args as [Buffer, Buffer | null];
  if (mechanisms(session).length === 0) {
    if (canStartTls(session)) return session.no('Log in after STARTTLS', 'ENCRYPT-NEEDED');
    return session.no('Login is not possible on this connection', 'ENCRYPT-NEEDED');
  }
  const response = initial === null ? null : decodeBase64(initial);
  if (initial !== null && response === null) return session.bad('Response is not base64');
  const exchange = session.context.authenticator.sasl(mechanism.toString('latin1'), session.connection, session.authContext);
  if (exchange === null) return session.no('Mechanism is not offered');
  return exchange.step(response).then((step) => proceed(session, exchange, step));
}

function proceed(session: ManageSieveSession, exchange: SaslExchange, step: SaslStep): void {
  if (session.isClosed) return;
  if (step.kind === 'malformed') session.bad('Response is malformed');
  else if (step.kind === 'done') conclude(session, step.outcome, step.data);
  else {
    session.say(`${formatString(Buffer.from(step.data).toString('base64'))}\r\n`);
    session.takeAnswer((word) => answer(session, exchange, word));
  }
}

/** The client's turn: a string with base64, or "*" to give up. */
function answer(session: ManageSieveSession, exchange: SaslExchange, word: Word | null): void | Promise<void> {
  // Dovecot's clients send "*" without quotes as well.
  const text = word?.kind === 'string' ? word.bytes : word?.kind === 'atom' && word.text === '*' ? CANCEL : null;
  if (text === null) return session.bad('A string is expected');
  if (text.equals(CANCEL)) return session.no('Cancelled');
  const response = decodeBase64(text);
  if (response === null) return session.bad('Response is not base64');
  return exchange.step(response).then((step) => proceed(session, exchange, step));
}
const CANCEL = Buffer.from('*');

function conclude(session: ManageSieveSession, outcome: AuthOutcome, data: Uint8Array | null): void {
  switch (outcome.kind) {
    case 'ok':
      session.enter(outcome.account, outcome.credentialId);
      session.context.metrics.count('managesieve.logins');
      // The server's last word travels with the OK and saves a round trip.
      session.ok('Logged in', data === null ? null : { name: 'SASL', value: Buffer.from(data).toString('base64') });
      return;
    case 'refused':
      return refused(session, 'Wrong name or password');
    case 'locked':
      return refused(session, `Too many failed logins, try again in ${Math.ceil(outcome.retryAfterMs / 1000)} seconds`, 'TRYLATER');
    default:
      return refused(session, 'Login is not possible now, try again later', 'TRYLATER');
  }
}

function refused(session: ManageSieveSession, text: string, code: 'TRYLATER' | null = null): void {
  session.failedLogins += 1;
  if (session.failedLogins >= session.settings['managesieve.loginsMax']) session.bye('Too many failed logins');
  else session.no(text, code);
}

/** The octets of base64 text; null when it is none. "=" alone is empty too: clients made for other protocols send it. */
function decodeBase64(bytes: Buffer): Uint8Array | null {
  const text = bytes.toString('latin1');
  if (text === '=') return new Uint8Array(0);
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}
