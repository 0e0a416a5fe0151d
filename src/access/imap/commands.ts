/**
 * The commands: when each may be sent, how its arguments are read, what it does, and which updates may come with its end.
 * To add one, add its row here, its arguments in wire/imap/, and a file of its own when it is more than a few lines.
 */
import { identifierArguments, setAclArguments } from '../../wire/imap/acl.ts';
import {
  authenticateArguments,
  copyArguments,
  createArguments,
  enableArguments,
  idArguments,
  loginArguments,
  mailboxArgument,
  noArguments,
  renameArguments,
  setArgument,
  storeArguments,
} from '../../wire/imap/arguments.ts';
import type { Cursor, SequenceSet } from '../../wire/imap/cursor.ts';
import { fetchArguments } from '../../wire/imap/fetch.ts';
import { languageArguments } from '../../wire/imap/language.ts';
import { listArguments, lsubArguments, statusArguments } from '../../wire/imap/list.ts';
import { getMetadataArguments, setMetadataArguments } from '../../wire/imap/metadata.ts';
import { quotaRootArgument, setQuotaArguments } from '../../wire/imap/quota.ts';
import { notifyArguments } from '../../wire/imap/notify.ts';
import { searchArguments } from '../../wire/imap/search.ts';
import { cancelUpdateArguments } from '../../wire/imap/context.ts';
import { comparatorArguments, sortArguments } from '../../wire/imap/sort.ts';
import { threadArguments } from '../../wire/imap/thread.ts';
import { esearchArguments } from '../../wire/imap/search-sources.ts';
import { batchesArguments, selectArguments } from '../../wire/imap/select.ts';
import { genUrlAuthArguments, resetKeyArguments, urlFetchArguments } from '../../wire/imap/urlauth.ts';
import { visitorRefusal } from './acl-check.ts';
import { deleteAcl, getAcl, listRights, myRights, setAcl } from './acl.ts';
import { appendLine, literalLess } from './append.ts';
import { authenticate, login } from './authenticate.ts';
import { uidBatches } from './batches.ts';
import { capability, enable, id, logout, noop, startTls } from './basic.ts';
import { copy, move } from './copy.ts';
import { comparator } from './comparator.ts';
import { compress, compressArgument } from './compress.ts';
import { cancelUpdate } from './context.ts';
import { close, expunge, unselect } from './expunge.ts';
import { fetch } from './fetch.ts';
import { idle } from './idle.ts';
import { language } from './language.ts';
import { list, lsub, xlist } from './list.ts';
import { create, remove, rename, subscribe } from './mailbox.ts';
import { getMetadata, setMetadata } from './metadata.ts';
import { namespace } from './namespace.ts';
import { getQuota, getQuotaRoot, setQuota } from './quota.ts';
import { esearch } from './multisearch.ts';
import { notify } from './notify.ts';
import { search } from './search.ts';
import { select } from './select.ts';
import type { ImapSession, Result, State, Updates } from './session.ts';
import { status } from './status.ts';
import { sort } from './sort.ts';
import { store } from './store.ts';
import { thread } from './thread.ts';
import { unauthenticate } from './unauthenticate.ts';
import { genUrlAuth, resetKey, urlFetch } from './urlauth.ts';

export interface Command {
  readonly from: readonly State[];
  readonly parse: (cursor: Cursor) => any;
  readonly run: (session: ImapSession, args: any, tag: string) => Result;
  readonly updates: Updates;
  /** May this one run beside others of its kind? Then it is one piece of work for the writer, and neither needs nor changes what the others do. */
  readonly overlaps?: (session: ImapSession, args: any) => boolean;
}

const ANY: readonly State[] = ['notAuthenticated', 'authenticated', 'selected'];
const EARLY: readonly State[] = ['notAuthenticated'];
const LOGGED_IN: readonly State[] = ['authenticated', 'selected'];
/** Of commands that work on the messages of the selected mailbox. */
export const SELECTED: readonly State[] = ['selected'];

function row<T>(from: readonly State[], parse: (cursor: Cursor) => T, run: (session: ImapSession, args: T, tag: string) => Result, updates: Updates): Command {
  return { from, parse, run, updates };
}

/** Larger sets are worked off in several transactions: another command must not come between them. */
const BESIDE_MESSAGES_MAX = 1000;

function isSmall(session: ImapSession, { set }: { readonly set: SequenceSet }): boolean {
  if (session.selected!.count <= BESIDE_MESSAGES_MAX) return true;
  if (set === null) return false;
  let messages = 0;
  // "*" is 0 here: such a range may reach far.
  for (let i = 0; i < set.length; i += 2)
    messages += set[i] === set[i + 1] ? 1 : set[i] === 0 || set[i + 1] === 0 ? BESIDE_MESSAGES_MAX : Math.abs(set[i + 1]! - set[i]!) + 1;
  return messages <= BESIDE_MESSAGES_MAX;
}

function beside(command: Command): Command {
  return { ...command, overlaps: isSmall };
}

export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  // verb            legal in    arguments              does                                                 updates
  ['CAPABILITY', row(ANY, noArguments, capability, 'all')],
  ['NOOP', row(ANY, noArguments, noop, 'all')],
  ['LOGOUT', row(ANY, noArguments, logout, 'none')],
  ['ID', row(ANY, idArguments, id, 'all')],
  ['LANGUAGE', row(ANY, languageArguments, language, 'all')],
  ['STARTTLS', row(EARLY, noArguments, startTls, 'none')],
  ['AUTHENTICATE', row(EARLY, authenticateArguments, authenticate, 'none')],
  ['LOGIN', row(EARLY, loginArguments, login, 'none')],
  ['ENABLE', row(LOGGED_IN, enableArguments, enable, 'all')],
  ['SELECT', row(LOGGED_IN, selectArguments, (session, args) => select(session, args, false), 'none')],
  ['EXAMINE', row(LOGGED_IN, selectArguments, (session, args) => select(session, args, true), 'none')],
  ['CREATE', row(LOGGED_IN, createArguments, create, 'all')],
  ['DELETE', row(LOGGED_IN, mailboxArgument, remove, 'all')],
  ['RENAME', row(LOGGED_IN, renameArguments, rename, 'all')],
  ['SUBSCRIBE', row(LOGGED_IN, mailboxArgument, (session, name) => visitorRefusal(session) ?? subscribe(session, name, true), 'all')],
  ['UNSUBSCRIBE', row(LOGGED_IN, mailboxArgument, (session, name) => visitorRefusal(session) ?? subscribe(session, name, false), 'all')],
  ['LIST', row(LOGGED_IN, listArguments, list, 'all')],
  ['LSUB', row(LOGGED_IN, lsubArguments, lsub, 'all')],
  ['XLIST', row(LOGGED_IN, lsubArguments, xlist, 'all')],
  ['NAMESPACE', row(LOGGED_IN, noArguments, namespace, 'all')],
  ['STATUS', row(LOGGED_IN, statusArguments, status, 'all')],
  ['GETMETADATA', row(LOGGED_IN, getMetadataArguments, getMetadata, 'all')],
  ['SETMETADATA', row(LOGGED_IN, setMetadataArguments, setMetadata, 'all')],
  ['SETACL', row(LOGGED_IN, setAclArguments, setAcl, 'all')],
  ['DELETEACL', row(LOGGED_IN, identifierArguments, deleteAcl, 'all')],
  ['GETACL', row(LOGGED_IN, mailboxArgument, getAcl, 'all')],
  ['LISTRIGHTS', row(LOGGED_IN, identifierArguments, listRights, 'all')],
  ['MYRIGHTS', row(LOGGED_IN, mailboxArgument, myRights, 'all')],
  ['GETQUOTA', row(LOGGED_IN, quotaRootArgument, getQuota, 'all')],
  ['GETQUOTAROOT', row(LOGGED_IN, mailboxArgument, getQuotaRoot, 'all')],
  ['SETQUOTA', row(LOGGED_IN, setQuotaArguments, setQuota, 'all')],
  // Those with literals, which are nearly all, come another way: session.ts hands them to append.ts as they arrive.
  ['APPEND', row(LOGGED_IN, literalLess, (session, args, tag) => appendLine(session, 'APPEND', args, tag), 'all')],
  ['REPLACE', row(SELECTED, literalLess, (session, args, tag) => appendLine(session, 'REPLACE', args, tag), 'all')],
  ['UID REPLACE', row(SELECTED, literalLess, (session, args, tag) => appendLine(session, 'UID REPLACE', args, tag), 'all')],
  ['GENURLAUTH', row(LOGGED_IN, genUrlAuthArguments, genUrlAuth, 'all')],
  ['RESETKEY', row(LOGGED_IN, resetKeyArguments, resetKey, 'all')],
  ['URLFETCH', row(LOGGED_IN, urlFetchArguments, urlFetch, 'all')],
  ['COMPRESS', row(LOGGED_IN, compressArgument, compress, 'all')],
  ['UNAUTHENTICATE', row(LOGGED_IN, noArguments, unauthenticate, 'none')],
  ['IDLE', row(LOGGED_IN, noArguments, idle, 'all')],
  ['NOTIFY', row(LOGGED_IN, notifyArguments, notify, 'all')],
  ['CHECK', row(SELECTED, noArguments, () => 'OK CHECK completed', 'all')],
  ['CLOSE', row(SELECTED, noArguments, close, 'none')],
  ['UNSELECT', row(SELECTED, noArguments, unselect, 'none')],
  ['EXPUNGE', row(SELECTED, noArguments, (session) => expunge(session, undefined), 'all')],
  ['UIDBATCHES', row(SELECTED, batchesArguments, uidBatches, 'noExpunge')],
  ['UID EXPUNGE', row(SELECTED, setArgument, (session, set) => expunge(session, set), 'all')],
  // RFC 9051 section 7.5.1: sequence numbers must not move during FETCH, STORE and SEARCH; with UID they may.
  ['SEARCH', row(SELECTED, searchArguments, (session, args, tag) => search(session, args, false, tag), 'noExpunge')],
  ['UID SEARCH', row(SELECTED, searchArguments, (session, args, tag) => search(session, args, true, tag), 'all')],
  ['ESEARCH', row(LOGGED_IN, esearchArguments, esearch, 'all')],
  // RFC 7377 section 2 writes it so in its examples.
  ['UID ESEARCH', row(LOGGED_IN, esearchArguments, esearch, 'all')],
  ['SORT', row(SELECTED, sortArguments, (session, args, tag) => sort(session, args, false, tag), 'noExpunge')],
  ['UID SORT', row(SELECTED, sortArguments, (session, args, tag) => sort(session, args, true, tag), 'all')],
  ['THREAD', row(SELECTED, threadArguments, (session, args, tag) => thread(session, args, false, tag), 'noExpunge')],
  ['UID THREAD', row(SELECTED, threadArguments, (session, args, tag) => thread(session, args, true, tag), 'all')],
  ['CANCELUPDATE', row(SELECTED, cancelUpdateArguments, cancelUpdate, 'all')],
  ['COMPARATOR', row(LOGGED_IN, comparatorArguments, comparator, 'all')],
  ['FETCH', row(SELECTED, fetchArguments, (session, args, tag) => fetch(session, args, false, tag), 'noExpunge')],
  ['UID FETCH', row(SELECTED, fetchArguments, (session, args, tag) => fetch(session, args, true, tag), 'all')],
  ['STORE', beside(row(SELECTED, storeArguments, (session, args) => store(session, args, false), 'noExpunge'))],
  ['UID STORE', beside(row(SELECTED, storeArguments, (session, args) => store(session, args, true), 'all'))],
  ['COPY', beside(row(SELECTED, copyArguments, (session, args) => copy(session, args, false), 'all'))],
  ['UID COPY', beside(row(SELECTED, copyArguments, (session, args) => copy(session, args, true), 'all'))],
  ['MOVE', row(SELECTED, copyArguments, (session, args) => move(session, args, false), 'all')],
  ['UID MOVE', row(SELECTED, copyArguments, (session, args) => move(session, args, true), 'all')],
]);
