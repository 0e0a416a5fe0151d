/** AUTH (RFC 4954). The mechanisms and the delay of a failure are the authenticator's; here are only the lines. */
import type { AuthContext, AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { type Command, GREETED } from './service.ts';
import type { SmtpSession } from './session.ts';

function isAllowed(session: SmtpSession): boolean {
  return session.mode === 'submission' || session.settings['smtp.auth'];
}

function isOffered(session: SmtpSession): boolean {
  return session.account === null && isAllowed(session) && session.context.authenticator.mechanisms(session.connection).length > 0;
}

function auth(session: SmtpSession, rest: string): void {
  const { authenticator } = session.context;
  if (!isAllowed(session)) session.reply(502, '5.5.1', 'No AUTH on this port; mail programs use port 465 or 587');
  else if (session.account !== null) session.reply(503, '5.5.1', 'Authenticated already');
  else if (session.state !== 'greeted') session.reply(503, '5.5.1', 'Not within a transaction');
  else if (authenticator.mechanisms(session.connection).length === 0) session.reply(538, '5.7.11', 'Encryption required: send STARTTLS first');
  else {
    const space = rest.indexOf(' ');
    const mechanism = (space === -1 ? rest : rest.slice(0, space)).toUpperCase();
    const initial = space === -1 ? null : rest.slice(space + 1).trim();
    if (mechanism === '') {
      session.reply(501, '5.5.4', 'Syntax: AUTH mechanism [initial-response]');
      return;
    }
    const context: AuthContext = { protocol: session.connection.protocol, client: session.client, session: session.connection.id };
    const exchange = authenticator.sasl(mechanism, session.connection, context);
    if (exchange === null) {
      session.reply(504, '5.5.4', 'Unrecognized authentication mechanism');
      return;
    }
    // "=" is an empty initial response, nothing at all is none (RFC 4954 section 4).
    const response = initial === null ? null : initial === '=' ? EMPTY : decodeBase64(initial);
    if (response === null && initial !== null) session.reply(501, '5.5.2', 'Malformed base64');
    else step(session, exchange, mechanism, response);
  }
}

const EMPTY = new Uint8Array(0);

function step(session: SmtpSession, exchange: SaslExchange, mechanism: string, response: Uint8Array | null): void {
  session.wait(exchange.step(response), (next: SaslStep) => {
    if (next.kind === 'malformed') session.reply(501, '5.5.2', 'Malformed response');
    else if (next.kind === 'challenge') challenge(session, next.data, (answer) => step(session, exchange, mechanism, answer));
    else if (next.outcome.kind === 'ok' && next.data !== null) {
      // SMTP has no data with 235: the server's last word is a challenge with an empty answer (RFC 4954 section 4).
      const { outcome } = next;
      challenge(session, next.data, () => conclude(session, mechanism, outcome));
    } else conclude(session, mechanism, next.outcome);
  });
}

function challenge(session: SmtpSession, data: Uint8Array, then: (response: Uint8Array) => void): void {
  session.write(`334 ${Buffer.from(data).toString('base64')}\r\n`);
  session.expectLine((line) => {
    if (line === '*') {
      session.reply(501, '5.7.0', 'Authentication cancelled');
      return;
    }
    const response = decodeBase64(line);
    if (response === null) session.reply(501, '5.5.2', 'Malformed base64');
    else then(response);
  });
}

function conclude(session: SmtpSession, mechanism: string, outcome: AuthOutcome): void {
  if (outcome.kind === 'ok') {
    session.logIn(outcome.account, outcome.credentialId);
    session.mechanism = mechanism;
    session.context.metrics.count('smtp.auth.ok', 1, mechanism);
    session.log('info', 'smtp.auth.ok', { account: outcome.account.login, mechanism });
    session.write('235 2.7.0 Authentication successful\r\n');
    return;
  }
  session.context.metrics.count('smtp.auth.refused', 1, mechanism);
  session.log('info', 'smtp.auth.refused', { mechanism, cause: outcome.kind === 'unavailable' ? String(outcome.cause) : outcome.kind });
  if (outcome.kind === 'refused') session.reply(535, '5.7.8', 'Authentication credentials invalid');
  else if (outcome.kind === 'locked') {
    session.write(`454 4.7.0 Too many failed logins, try again in ${Math.max(1, Math.ceil(outcome.retryAfterMs / 1000))} seconds\r\n`);
  } else session.write('454 4.7.0 Temporary authentication failure, try again later\r\n');
}

/** Strict base64 of one short line (RFC 4648 section 4), or null. */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}

export const authCommand: Command = {
  syntax: 'AUTH mechanism [initial-response]',
  from: GREETED,
  modes: ['smtp', 'submission'],
  isOffered,
  keywords: (session) => [`AUTH ${session.context.authenticator.mechanisms(session.connection).join(' ')}`],
  run: auth,
};
