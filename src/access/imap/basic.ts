/** Commands that touch no mailbox: CAPABILITY, NOOP, LOGOUT, ID, STARTTLS, ENABLE. */
import { capabilityLine, has } from './capability.ts';
import { canStartTls } from './capability-rows.ts';
import { actsAsOwner } from './places.ts';
import type { ImapSession } from './session.ts';

export function capability(session: ImapSession): string {
  session.out.write(`* ${capabilityLine(session)}\r\n`);
  return 'OK CAPABILITY completed';
}

export function noop(): string {
  return 'OK NOOP completed';
}

export function logout(session: ImapSession, _args: null, tag: string): null {
  session.out.write('* BYE Logging out\r\n');
  session.tagged(tag, 'OK LOGOUT completed', 'none');
  session.end();
  return null;
}

/** RFC 2971. Which client it is goes to the log; nothing is decided by it (section 3). */
export function id(session: ImapSession, fields: Map<string, string>): string {
  if (fields.size > 0)
    session.context.log.info('imap.id', {
      session: session.connection.id,
      account: session.account?.id,
      name: fields.get('name')?.slice(0, 200),
      version: fields.get('version')?.slice(0, 200),
      os: fields.get('os')?.slice(0, 200),
    });
  session.out.write('* ID ("name" "Posthorn")\r\n');
  return 'OK ID completed';
}

export function startTls(session: ImapSession, _args: null, tag: string): string | null | Promise<null> {
  if (!canStartTls(session)) return session.connection.tls === null ? 'NO [UNAVAILABLE] TLS is not set up here' : 'BAD TLS is active already';
  session.tagged(tag, 'OK Begin TLS negotiation', 'none');
  return session.startTls().then(
    () => null,
    (cause: unknown) => {
      session.context.log.info('imap.starttls.failed', { session: session.connection.id, cause: String(cause) });
      session.connection.socket.destroy();
      return null;
    },
  );
}

/** RFC 5161: unknown names are passed over; ENABLED lists what is new and is sent in any case. */
export function enable(session: ImapSession, names: readonly string[]): string {
  const enabled: string[] = [];
  const hadCondstore = session.isCondstore;
  for (const name of names) {
    // Part of METADATA, and never named beside it (RFC 5464 section 1).
    if (!has(session, name === 'METADATA-SERVER' ? 'METADATA' : name)) continue;
    if (name === 'CONDSTORE' && !hadCondstore && !enabled.includes('CONDSTORE')) {
      session.enableCondstore();
      enabled.push('CONDSTORE');
    } else if (name === 'QRESYNC' && !session.isQresync) {
      // RFC 7162 section 3.2.3: CONDSTORE is part of it.
      session.enableCondstore();
      session.isQresync = true;
      enabled.push('QRESYNC');
    } else if (name === 'UIDONLY' && !session.isUidOnly) {
      session.isUidOnly = true;
      enabled.push('UIDONLY');
    } else if (name === 'UTF8=ACCEPT' && !session.isUtf8) {
      session.isUtf8 = true;
      enabled.push('UTF8=ACCEPT');
    } else if ((name === 'METADATA' || name === 'METADATA-SERVER') && actsAsOwner(session) && session.unasked.watchMetadata()) {
      enabled.push(name);
    } else if (name === 'IMAP4REV2' && !session.isRev2) {
      session.isRev2 = true;
      enabled.push('IMAP4rev2');
    }
  }
  session.out.write(`* ENABLED${enabled.map((name) => ` ${name}`).join('')}\r\n`);
  return 'OK ENABLE completed';
}
