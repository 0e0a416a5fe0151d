/** The capabilities: each stands here once, with when it is announced; the rest of the room asks this table. */
import type { ImapSession } from './session.ts';

interface Capability {
  readonly name: string;
  readonly when: 'always' | 'beforeLogin' | 'afterLogin';
  /** Only on such connections. */
  readonly if?: (session: ImapSession) => boolean;
  /** What is announced instead of the bare name. */
  readonly show?: (session: ImapSession) => string;
}

export const CAPABILITIES: readonly Capability[] = [
  { name: 'IMAP4rev1', when: 'always' },
  { name: 'IMAP4rev2', when: 'always' },
  { name: 'LITERAL+', when: 'always' }, // RFC 7888
  { name: 'SASL-IR', when: 'always' }, // RFC 4959
  { name: 'ID', when: 'always' }, // RFC 2971
  { name: 'ENABLE', when: 'always' }, // RFC 5161
  { name: 'STARTTLS', when: 'beforeLogin', if: canStartTls },
  { name: 'LOGINDISABLED', when: 'beforeLogin', if: (session) => !mayLogin(session) },
  {
    name: 'AUTH',
    when: 'beforeLogin',
    if: mayLogin,
    show: (session) =>
      session.context.authenticator
        .mechanisms(session.connection)
        .map((name) => `AUTH=${name}`)
        .join(' '),
  },
  { name: 'IDLE', when: 'afterLogin' }, // RFC 2177
  { name: 'NAMESPACE', when: 'afterLogin' }, // RFC 2342
  { name: 'UIDPLUS', when: 'afterLogin' }, // RFC 4315
  { name: 'MOVE', when: 'afterLogin' }, // RFC 6851
  { name: 'UNSELECT', when: 'afterLogin' }, // RFC 3691
  { name: 'CHILDREN', when: 'afterLogin' }, // RFC 3348
  { name: 'SPECIAL-USE', when: 'afterLogin' }, // RFC 6154
  { name: 'CREATE-SPECIAL-USE', when: 'afterLogin' },
  { name: 'LIST-EXTENDED', when: 'afterLogin' }, // RFC 5258
  { name: 'LIST-STATUS', when: 'afterLogin' }, // RFC 5819
  { name: 'STATUS=SIZE', when: 'afterLogin' }, // RFC 8438
  { name: 'ESEARCH', when: 'afterLogin' }, // RFC 4731
  { name: 'SEARCHRES', when: 'afterLogin' }, // RFC 5182
  { name: 'WITHIN', when: 'afterLogin' }, // RFC 5032
  { name: 'BINARY', when: 'afterLogin' }, // RFC 3516
  { name: 'MULTIAPPEND', when: 'afterLogin' }, // RFC 3502
  { name: 'UTF8=ACCEPT', when: 'afterLogin' }, // RFC 6855
  { name: 'CONDSTORE', when: 'afterLogin' }, // RFC 7162
  { name: 'METADATA', when: 'afterLogin' }, // RFC 5464
  {
    name: 'IMAPSIEVE', // RFC 6785
    when: 'afterLogin',
    if: (session) => (session.context.imapSieve?.url() ?? null) !== null,
    show: (session) => `IMAPSIEVE=${session.context.imapSieve!.url()}`,
  },
  { name: 'APPENDLIMIT', when: 'afterLogin', show: (session) => `APPENDLIMIT=${session.context.settings()['imap.appendBytesMax']}` }, // RFC 7889
];

/** May a client send its password now? */
export function mayLogin(session: ImapSession): boolean {
  return session.context.authenticator.mechanisms(session.connection).length > 0;
}

export function canStartTls(session: ImapSession): boolean {
  return session.connection.tls === null && session.connection.protocol === 'imap' && session.context.tls.context() !== null;
}

/** "CAPABILITY …", for the response and for response codes. */
export function capabilityLine(session: ImapSession): string {
  const hidden = session.context.settings()['imap.capabilitiesHidden'];
  const phase = session.state === 'notAuthenticated' ? 'beforeLogin' : 'afterLogin';
  let text = 'CAPABILITY';
  for (const capability of CAPABILITIES) {
    if (capability.when !== 'always' && capability.when !== phase) continue;
    if (hidden.length > 0 && hidden.some((name) => name.toUpperCase() === capability.name.toUpperCase())) continue;
    if (capability.if !== undefined && !capability.if(session)) continue;
    text += ` ${capability.show === undefined ? capability.name : capability.show(session)}`;
  }
  return text;
}
