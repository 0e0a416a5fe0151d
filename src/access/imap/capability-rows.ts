/** The rows of capability.ts. To add one: its row here, with the test that proves it. */
import type { Capability } from './capability.ts';
import type { ImapSession } from './session.ts';

/** May a client send its password now? */
export function mayLogin(session: ImapSession): boolean {
  return session.context.authenticator.mechanisms(session.connection).length > 0;
}

/** May it send it as it is, with LOGIN? Not where the administrator took PLAIN and LOGIN out of `auth.mechanisms`. */
export function mayTypePassword(session: ImapSession): boolean {
  const offered = session.context.authenticator.mechanisms(session.connection);
  return offered.includes('PLAIN') || offered.includes('LOGIN');
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

/** Could mailboxes be shared at all? */
function isSharing(session: ImapSession): boolean {
  return session.context.settings()['imap.sharing'] !== 'none';
}

const MESSAGES = 'src/access/imap/messages.test.ts';
const MAILBOX = 'src/access/imap/mailbox.test.ts';
const LOGIN = 'src/access/imap/login.test.ts';
const SEARCH = 'src/access/imap/search.test.ts';
const UPDATES = 'src/access/imap/updates.test.ts';
const SYNC = 'src/access/imap/sync.test.ts';
const SHARING = 'src/access/imap/acl.test.ts';
const QUOTA = 'src/access/imap/quota.test.ts';

const CATENATE = 'src/access/imap/catenate.test.ts';
const URLAUTH = 'src/access/imap/urlauth.test.ts';
const ORDER = 'test/order.test.ts';
const CONTEXT = 'src/access/imap/context.test.ts';
const COMPARATOR = 'src/access/imap/comparator.test.ts';

export const CAPABILITY_ROWS: readonly Capability[] = [
  { name: 'IMAP4rev1', when: 'always', rfc: 'RFC 3501', what: 'the protocol', proof: MESSAGES },
  { name: 'IMAP4rev2', when: 'always', rfc: 'RFC 9051', what: 'the protocol, second revision', proof: MESSAGES, isEnabled: true },
  { name: 'LITERAL+', when: 'always', rfc: 'RFC 7888', what: 'literals without waiting', proof: LOGIN },
  { name: 'SASL-IR', when: 'always', rfc: 'RFC 4959', what: 'the first response with AUTHENTICATE', proof: LOGIN },
  { name: 'ID', when: 'always', rfc: 'RFC 2971', what: 'who is who, for the log', proof: LOGIN },
  { name: 'ENABLE', when: 'always', rfc: 'RFC 5161', what: 'clients switch extensions on', proof: LOGIN },
  { name: 'STARTTLS', when: 'beforeLogin', rfc: 'RFC 9051', what: 'TLS on a plain connection', proof: LOGIN, if: canStartTls },
  { name: 'LOGINDISABLED', when: 'beforeLogin', rfc: 'RFC 9051', what: 'no passwords before TLS', proof: LOGIN, if: (session) => !mayTypePassword(session) },
  { name: 'AUTH', when: 'beforeLogin', rfc: 'RFC 4422', what: 'SASL mechanisms', proof: 'test/sasl.test.ts', if: mayLogin, show: mechanisms },
  // Named whether or not an account has moved: a client that knows no referrals reads the NO, and to look first would cost every greeting.
  { name: 'LOGIN-REFERRALS', when: 'beforeLogin', rfc: 'RFC 2221', what: 'where an account has moved to', proof: LOGIN },
  { name: 'LANGUAGE', when: 'always', rfc: 'RFC 5255', what: 'in which language the server speaks', proof: 'src/access/imap/language.test.ts' },
  { name: 'IDLE', when: 'afterLogin', rfc: 'RFC 2177', what: 'changes as they happen', proof: UPDATES },
  { name: 'NAMESPACE', when: 'afterLogin', rfc: 'RFC 2342', what: 'where own and other mailboxes are', proof: SHARING },
  { name: 'UIDPLUS', when: 'afterLogin', rfc: 'RFC 4315', what: 'UIDs of what was copied and appended; UID EXPUNGE', proof: MESSAGES },
  { name: 'MOVE', when: 'afterLogin', rfc: 'RFC 6851', what: 'move in one step', proof: MESSAGES },
  { name: 'UNSELECT', when: 'afterLogin', rfc: 'RFC 3691', what: 'leave a mailbox without expunging', proof: MESSAGES },
  { name: 'CHILDREN', when: 'afterLogin', rfc: 'RFC 3348', what: 'which mailboxes have others below them', proof: MAILBOX },
  { name: 'SPECIAL-USE', when: 'afterLogin', rfc: 'RFC 6154', what: 'which mailbox is Sent, Drafts, Trash …', proof: MAILBOX },
  { name: 'CREATE-SPECIAL-USE', when: 'afterLogin', rfc: 'RFC 6154', what: 'create a mailbox for a use', proof: MAILBOX },
  { name: 'LIST-EXTENDED', when: 'afterLogin', rfc: 'RFC 5258', what: 'LIST with selections and several patterns', proof: MAILBOX },
  { name: 'LIST-STATUS', when: 'afterLogin', rfc: 'RFC 5819', what: 'STATUS of all mailboxes with one LIST', proof: MAILBOX },
  { name: 'LIST-MYRIGHTS', when: 'afterLogin', rfc: 'RFC 8440', what: 'MYRIGHTS of all mailboxes with one LIST', proof: SHARING, if: isSharing },
  { name: 'LIST-METADATA', when: 'afterLogin', rfc: 'RFC 9590', what: 'annotations of all mailboxes with one LIST', proof: SHARING },
  { name: 'XLIST', when: 'afterLogin', rfc: 'Gmail', what: 'special mailboxes for Outlook, which knows no SPECIAL-USE', proof: SHARING },
  { name: 'ACL', when: 'afterLogin', rfc: 'RFC 4314', what: 'who else may do what with a mailbox', proof: SHARING, if: isSharing },
  { name: 'RIGHTS=kxte', when: 'afterLogin', rfc: 'RFC 4314', what: 'the rights that RFC 2086 did not have', proof: SHARING, if: isSharing },
  { name: 'QUOTA', when: 'afterLogin', rfc: 'RFC 9208', what: 'how much room there is', proof: QUOTA },
  { name: 'QUOTA=RES-STORAGE', when: 'afterLogin', rfc: 'RFC 9208', what: 'octets of all messages, with STATUS DELETED-STORAGE', proof: QUOTA },
  { name: 'QUOTA=RES-MESSAGE', when: 'afterLogin', rfc: 'RFC 9208', what: 'number of messages', proof: QUOTA },
  { name: 'QUOTA=RES-MAILBOX', when: 'afterLogin', rfc: 'RFC 9208', what: 'number of mailboxes', proof: QUOTA },
  { name: 'QUOTA=RES-ANNOTATION-STORAGE', when: 'afterLogin', rfc: 'RFC 9208', what: 'octets of all annotations', proof: QUOTA },
  { name: 'STATUS=SIZE', when: 'afterLogin', rfc: 'RFC 8438', what: 'octets of a mailbox', proof: MAILBOX },
  { name: 'ESEARCH', when: 'afterLogin', rfc: 'RFC 4731', what: 'what a search answers with', proof: MESSAGES },
  { name: 'SEARCHRES', when: 'afterLogin', rfc: 'RFC 5182', what: '"$", the last result', proof: SEARCH },
  { name: 'WITHIN', when: 'afterLogin', rfc: 'RFC 5032', what: 'search by age', proof: MESSAGES },
  { name: 'PARTIAL', when: 'afterLogin', rfc: 'RFC 9394', what: 'results and messages a page at a time', proof: SEARCH },
  { name: 'SEARCH=FUZZY', when: 'afterLogin', rfc: 'RFC 6203', what: 'search for what is like the words, best first', proof: SEARCH },
  { name: 'FILTERS', when: 'afterLogin', rfc: 'RFC 5466', what: 'searches with names, kept as annotations', proof: SEARCH },
  { name: 'MULTISEARCH', when: 'afterLogin', rfc: 'RFC 7377', what: 'one search through many mailboxes', proof: 'src/access/imap/search-multi.test.ts' },
  { name: 'INPROGRESS', when: 'afterLogin', rfc: 'RFC 9585', what: 'how far a long command is', proof: SEARCH },
  { name: 'SORT', when: 'afterLogin', rfc: 'RFC 5256', what: 'sorted by the server', proof: ORDER },
  { name: 'SORT=DISPLAY', when: 'afterLogin', rfc: 'RFC 5957', what: 'sorted by the names that people see', proof: ORDER },
  { name: 'ESORT', when: 'afterLogin', rfc: 'RFC 5267', what: 'what a sort answers with', proof: ORDER },
  { name: 'THREAD=ORDEREDSUBJECT', when: 'afterLogin', rfc: 'RFC 5256', what: 'threads by subject', proof: ORDER },
  { name: 'THREAD=REFERENCES', when: 'afterLogin', rfc: 'RFC 5256', what: 'threads by who answers whom', proof: ORDER },
  { name: 'THREAD=REFS', when: 'afterLogin', rfc: 'draft-ietf-morg-inthread', what: 'the same without subjects, the latest thread last', proof: ORDER },
  { name: 'CONTEXT=SEARCH', when: 'afterLogin', rfc: 'RFC 5267', what: 'told how the results of a search change', proof: CONTEXT },
  { name: 'CONTEXT=SORT', when: 'afterLogin', rfc: 'RFC 5267', what: 'told how the results of a sort change', proof: CONTEXT },
  // RFC 5255 section 4.3: the lower level is named where the higher one is not.
  {
    name: 'I18NLEVEL=1',
    when: 'afterLogin',
    rfc: 'RFC 5255',
    what: 'texts compare by i;unicode-casemap',
    proof: COMPARATOR,
    if: (session) => session.hidden.has('I18NLEVEL=2'),
  },
  { name: 'I18NLEVEL=2', when: 'afterLogin', rfc: 'RFC 5255', what: 'clients choose how texts compare', proof: COMPARATOR },
  { name: 'BINARY', when: 'afterLogin', rfc: 'RFC 3516', what: 'parts without their transfer encoding', proof: MESSAGES },
  { name: 'MULTIAPPEND', when: 'afterLogin', rfc: 'RFC 3502', what: 'several messages in one APPEND', proof: MESSAGES },
  { name: 'CATENATE', when: 'afterLogin', rfc: 'RFC 4469', what: 'messages put together of parts that are here already', proof: CATENATE },
  { name: 'REPLACE', when: 'afterLogin', rfc: 'RFC 8508', what: 'a new message for an old one in one step', proof: 'src/access/imap/replace.test.ts' },
  { name: 'URLAUTH', when: 'afterLogin', rfc: 'RFC 4467', what: 'URLs of messages that others may fetch', proof: URLAUTH },
  { name: 'URLAUTH=BINARY', when: 'afterLogin', rfc: 'RFC 5524', what: 'by URL also without transfer encoding', proof: URLAUTH },
  { name: 'URL-PARTIAL', when: 'afterLogin', rfc: 'RFC 5550', what: 'URLs of a range of octets', proof: CATENATE },
  {
    name: 'UTF8=ACCEPT',
    when: 'afterLogin',
    rfc: 'RFC 9755',
    what: 'mailbox names and addresses in UTF-8',
    proof: 'src/access/imap/utf8-accept.test.ts',
    isEnabled: true,
    // RFC 9755 section 6: one of the two names, never both.
    show: (session) => (session.context.settings()['imap.utf8Only'] ? 'UTF8=ONLY' : 'UTF8=ACCEPT'),
  },
  {
    name: 'UTF8=ONLY',
    when: 'never',
    rfc: 'RFC 9755',
    what: 'UTF-8 and nothing else; named instead of UTF8=ACCEPT',
    proof: 'src/access/imap/utf8-only.test.ts',
    option: 'imap.utf8Only',
  },
  { name: 'UNAUTHENTICATE', when: 'afterLogin', rfc: 'RFC 8437', what: 'one connection for several logins', proof: 'src/access/imap/unauthenticate.test.ts' },
  {
    name: 'COMPRESS=DEFLATE',
    when: 'afterLogin',
    rfc: 'RFC 4978',
    what: 'less traffic, more memory',
    proof: 'src/access/imap/compress.test.ts',
    option: 'imap.compress',
    if: (session) => session.context.settings()['imap.compress'] && !session.input.isCompressed,
  },
  { name: 'CONDSTORE', when: 'afterLogin', rfc: 'RFC 7162', what: 'only what changed since', proof: UPDATES, isEnabled: true },
  { name: 'QRESYNC', when: 'afterLogin', rfc: 'RFC 7162', what: 'what changed and what is gone, with SELECT', proof: SYNC, isEnabled: true },
  { name: 'SAVEDATE', when: 'afterLogin', rfc: 'RFC 8514', what: 'when a message came into the mailbox', proof: SYNC },
  { name: 'PREVIEW', when: 'afterLogin', rfc: 'RFC 8970', what: 'the first words of a message', proof: SYNC },
  { name: 'OBJECTID', when: 'afterLogin', rfc: 'RFC 8474', what: 'ids of mailboxes, emails and threads that stay', proof: SYNC },
  { name: 'NOTIFY', when: 'afterLogin', rfc: 'RFC 5465', what: 'changes of many mailboxes, as the client chooses', proof: 'src/access/imap/notify.test.ts' },
  {
    name: 'UIDONLY',
    when: 'afterLogin',
    rfc: 'RFC 9586',
    what: 'no sequence numbers at all',
    proof: SYNC,
    option: 'imap.uidOnly',
    isEnabled: true,
    if: (session) => session.context.settings()['imap.uidOnly'],
  },
  {
    name: 'UIDBATCHES',
    when: 'afterLogin',
    rfc: 'draft-ietf-mailmaint-imap-uidbatches',
    what: 'a mailbox in ranges of as many messages each',
    proof: SYNC,
    option: 'imap.uidBatches',
    if: (session) => session.context.settings()['imap.uidBatches'],
  },
  {
    name: 'MESSAGELIMIT',
    when: 'afterLogin',
    rfc: 'RFC 9738',
    what: 'how many messages one command works on',
    proof: SYNC,
    option: 'imap.messageLimit',
    if: (session) => session.context.settings()['imap.messageLimit'] > 0,
    show: (session) => `MESSAGELIMIT=${session.context.settings()['imap.messageLimit']}`,
  },
  {
    name: 'SAVELIMIT',
    when: 'afterLogin',
    rfc: 'RFC 9738',
    what: 'how many messages COPY and APPEND take, where nothing else is limited',
    proof: SYNC,
    option: 'imap.saveLimit',
    // Named instead of MESSAGELIMIT, never with it.
    if: (session) => {
      const settings = session.context.settings();
      return settings['imap.saveLimit'] > 0 && (settings['imap.messageLimit'] === 0 || session.hidden.has('MESSAGELIMIT'));
    },
    show: (session) => `SAVELIMIT=${session.context.settings()['imap.saveLimit']}`,
  },
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
