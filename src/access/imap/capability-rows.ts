/** The rows of capability.ts. To add one: its row here, with the test that proves it. */
import type { Capability } from './capability.ts';
import type { ImapSession } from './session.ts';

/** May a client send its password now? */
export function mayLogin(session: ImapSession): boolean {
  return session.context.authenticator.mechanisms(session.connection).length > 0;
}

export function canStartTls(session: ImapSession): boolean {
  return session.connection.tls === null && session.connection.protocol === 'imap' && session.context.tls.context() !== null;
}

function mechanisms(session: ImapSession): string {
  return session.context.authenticator
    .mechanisms(session.connection)
    .map((name) => `AUTH=${name}`)
    .join(' ');
}

const MESSAGES = 'src/access/imap/messages.test.ts';
const MAILBOX = 'src/access/imap/mailbox.test.ts';
const LOGIN = 'src/access/imap/login.test.ts';
const UPDATES = 'src/access/imap/updates.test.ts';

export const CAPABILITY_ROWS: readonly Capability[] = [
  { name: 'IMAP4rev1', when: 'always', rfc: 'RFC 3501', what: 'the protocol', proof: MESSAGES },
  { name: 'IMAP4rev2', when: 'always', rfc: 'RFC 9051', what: 'the protocol, second revision', proof: MESSAGES, isEnabled: true },
  { name: 'LITERAL+', when: 'always', rfc: 'RFC 7888', what: 'literals without waiting', proof: LOGIN },
  { name: 'SASL-IR', when: 'always', rfc: 'RFC 4959', what: 'the first response with AUTHENTICATE', proof: LOGIN },
  { name: 'ID', when: 'always', rfc: 'RFC 2971', what: 'who is who, for the log', proof: LOGIN },
  { name: 'ENABLE', when: 'always', rfc: 'RFC 5161', what: 'clients switch extensions on', proof: LOGIN },
  { name: 'STARTTLS', when: 'beforeLogin', rfc: 'RFC 9051', what: 'TLS on a plain connection', proof: LOGIN, if: canStartTls },
  { name: 'LOGINDISABLED', when: 'beforeLogin', rfc: 'RFC 9051', what: 'no passwords before TLS', proof: LOGIN, if: (session) => !mayLogin(session) },
  { name: 'AUTH', when: 'beforeLogin', rfc: 'RFC 4422', what: 'SASL mechanisms', proof: LOGIN, if: mayLogin, show: mechanisms },
  { name: 'IDLE', when: 'afterLogin', rfc: 'RFC 2177', what: 'changes as they happen', proof: UPDATES },
  { name: 'NAMESPACE', when: 'afterLogin', rfc: 'RFC 2342', what: 'where own and other mailboxes are', proof: MAILBOX },
  { name: 'UIDPLUS', when: 'afterLogin', rfc: 'RFC 4315', what: 'UIDs of what was copied and appended; UID EXPUNGE', proof: MESSAGES },
  { name: 'MOVE', when: 'afterLogin', rfc: 'RFC 6851', what: 'move in one step', proof: MESSAGES },
  { name: 'UNSELECT', when: 'afterLogin', rfc: 'RFC 3691', what: 'leave a mailbox without expunging', proof: MAILBOX },
  { name: 'CHILDREN', when: 'afterLogin', rfc: 'RFC 3348', what: 'which mailboxes have others below them', proof: MAILBOX },
  { name: 'SPECIAL-USE', when: 'afterLogin', rfc: 'RFC 6154', what: 'which mailbox is Sent, Drafts, Trash …', proof: MAILBOX },
  { name: 'CREATE-SPECIAL-USE', when: 'afterLogin', rfc: 'RFC 6154', what: 'create a mailbox for a use', proof: MAILBOX },
  { name: 'LIST-EXTENDED', when: 'afterLogin', rfc: 'RFC 5258', what: 'LIST with selections and several patterns', proof: MAILBOX },
  { name: 'LIST-STATUS', when: 'afterLogin', rfc: 'RFC 5819', what: 'STATUS of all mailboxes with one LIST', proof: MAILBOX },
  { name: 'STATUS=SIZE', when: 'afterLogin', rfc: 'RFC 8438', what: 'octets of a mailbox', proof: MAILBOX },
  { name: 'ESEARCH', when: 'afterLogin', rfc: 'RFC 4731', what: 'what a search answers with', proof: MESSAGES },
  { name: 'SEARCHRES', when: 'afterLogin', rfc: 'RFC 5182', what: '"$", the last result', proof: MESSAGES },
  { name: 'WITHIN', when: 'afterLogin', rfc: 'RFC 5032', what: 'search by age', proof: MESSAGES },
  { name: 'BINARY', when: 'afterLogin', rfc: 'RFC 3516', what: 'parts without their transfer encoding', proof: MESSAGES },
  { name: 'MULTIAPPEND', when: 'afterLogin', rfc: 'RFC 3502', what: 'several messages in one APPEND', proof: MESSAGES },
  { name: 'UTF8=ACCEPT', when: 'afterLogin', rfc: 'RFC 6855', what: 'mailbox names and headers in UTF-8', proof: MAILBOX, isEnabled: true },
  { name: 'CONDSTORE', when: 'afterLogin', rfc: 'RFC 7162', what: 'only what changed since', proof: UPDATES, isEnabled: true },
  {
    name: 'METADATA',
    when: 'afterLogin',
    rfc: 'RFC 5464',
    what: 'annotations on mailboxes and the server',
    proof: 'src/access/imap/metadata.test.ts',
    isEnabled: true,
  },
  {
    name: 'IMAPSIEVE',
    when: 'afterLogin',
    rfc: 'RFC 6785',
    what: 'Sieve scripts when mail is moved or flagged',
    proof: 'test/imapsieve.test.ts',
    if: (session) => (session.context.imapSieve?.url() ?? null) !== null,
    show: (session) => `IMAPSIEVE=${session.context.imapSieve!.url()}`,
  },
  {
    name: 'APPENDLIMIT',
    when: 'afterLogin',
    rfc: 'RFC 7889',
    what: 'how large a message may be',
    proof: MESSAGES,
    show: (session) => `APPENDLIMIT=${session.context.settings()['imap.appendBytesMax']}`,
  },
];
