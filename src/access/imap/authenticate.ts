/** LOGIN and AUTHENTICATE (RFC 9051 sections 6.2.2 and 6.2.3). Who may log in is the authenticator's business. */
import { accountOptions } from '../../directory/options.ts';
import type { AuthContext, AuthOutcome, SaslExchange } from '../../ports.ts';
import { decodeBase64 } from '../../wire/imap/arguments.ts';
import { capabilityLine } from './capability.ts';
import { mayLogin, mayTypePassword } from './capability-rows.ts';
import type { ImapSession } from './session.ts';

/** A SASL exchange in progress. */
export interface SaslLogin {
  readonly tag: string;
  readonly exchange: SaslExchange;
}

function authContext(session: ImapSession): AuthContext {
  const { connection } = session;
  return { protocol: connection.protocol, client: connection.client, session: connection.id };
}

export function login(session: ImapSession, args: { login: string; password: string }): string | Promise<string> {
  if (!mayLogin(session)) return 'NO [PRIVACYREQUIRED] Passwords are taken over TLS only';
  if (!mayTypePassword(session)) return 'NO [CANNOT] LOGIN is not offered, use AUTHENTICATE';
  return session.context.authenticator.password(args.login, args.password, authContext(session)).then((outcome) => conclude(session, outcome));
}

export function authenticate(session: ImapSession, args: { mechanism: string; initial: Buffer | null }, tag: string): string | null | Promise<string | null> {
  if (!mayLogin(session)) return 'NO [PRIVACYREQUIRED] Passwords are taken over TLS only';
  const exchange = session.context.authenticator.sasl(args.mechanism, session.connection, authContext(session));
  if (exchange === null) return 'NO [CANNOT] Mechanism is not offered';
  session.beginSasl({ tag, exchange });
  return step(session, args.initial).then(
    () => null,
    (error: unknown) => {
      // The next line is a command again.
      session.endSasl();
      throw error;
    },
  );
}

/** A line of the client during the exchange. */
export function continueSasl(session: ImapSession, line: string): void | Promise<void> {
  const { tag } = session.sasl!;
  if (line === '*') {
    session.endSasl();
    session.tagged(tag, 'BAD Authentication cancelled', 'none');
    return undefined;
  }
  const response = decodeBase64(line);
  if (response === null) {
    session.endSasl();
    session.tagged(tag, 'BAD Response is not base64', 'none');
    return undefined;
  }
  return step(session, response);
}

async function step(session: ImapSession, response: Buffer | null): Promise<void> {
  const { tag, exchange } = session.sasl!;
  const next = await exchange.step(response);
  if (session.isClosed) return;
  if (next.kind === 'challenge') {
    session.out.write(`+ ${Buffer.from(next.data).toString('base64')}\r\n`);
    return;
  }
  if (next.kind === 'done' && next.outcome.kind === 'ok' && next.data !== null) {
    // RFC 4422 section 5: IMAP cannot send data with success, so it goes as a challenge, answered by an empty line.
    const { outcome } = next;
    session.beginSasl({ tag, exchange: { step: async () => ({ kind: 'done', outcome, data: null }) } });
    session.out.write(`+ ${Buffer.from(next.data).toString('base64')}\r\n`);
    return;
  }
  session.endSasl();
  session.tagged(tag, next.kind === 'malformed' ? 'BAD Response is malformed' : await conclude(session, next.outcome), 'none');
}

/** The tagged response to an attempt. */
async function conclude(session: ImapSession, outcome: AuthOutcome): Promise<string> {
  if (session.isClosed) return '';
  switch (outcome.kind) {
    case 'ok': {
      const options = accountOptions(session.context.reader, outcome.account.id);
      const referral = options.get('imap.referral');
      // Only to whoever proved to be the user: where an account went is nobody else's business.
      if (referral !== undefined && options.get('imap.referralLogin') !== 'allow') return `NO [REFERRAL ${referral}] The account has moved`;
      if (!session.shared.enter(session, outcome.account)) return 'NO [LIMIT] Too many connections of this account';
      session.authenticated(outcome.account, outcome.credentialId);
      session.context.metrics.count('imap.logins');
      if (referral === undefined) return `OK [${capabilityLine(session)}] Logged in`;
      // RFC 2221 section 4.1: a response has one code, so capabilities come in a response of their own.
      session.out.write(`* ${capabilityLine(session)}\r\n`);
      return `OK [REFERRAL ${referral}] Logged in; the account's own mailboxes are elsewhere`;
    }
    case 'unavailable':
      return 'NO [UNAVAILABLE] Logins cannot be checked now, try again later';
    case 'locked':
      session.loginFailures += 1;
      return `NO [AUTHENTICATIONFAILED] Too many failed logins, try again in ${Math.max(1, Math.ceil(outcome.retryAfterMs / 1000))} seconds`;
    default:
      session.loginFailures += 1;
      return 'NO [AUTHENTICATIONFAILED] User name or password is wrong';
  }
}
