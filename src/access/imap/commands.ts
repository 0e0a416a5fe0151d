/**
 * The commands: when each may be sent, how its arguments are read, what it does, and which updates may come with its end.
 * To add one, add its row here, its arguments in wire/imap/, and a file of its own when it is more than a few lines.
 */
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
  selectArguments,
  setArgument,
  storeArguments,
} from '../../wire/imap/arguments.ts';
import type { Cursor } from '../../wire/imap/cursor.ts';
import { ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { fetchArguments } from '../../wire/imap/fetch.ts';
import { listArguments, lsubArguments, statusArguments } from '../../wire/imap/list.ts';
import { getMetadataArguments, setMetadataArguments } from '../../wire/imap/metadata.ts';
import { searchArguments } from '../../wire/imap/search.ts';
import { authenticate, login } from './authenticate.ts';
import { capability, enable, id, logout, noop, startTls } from './basic.ts';
import { copy, move } from './copy.ts';
import { close, expunge, unselect } from './expunge.ts';
import { fetch } from './fetch.ts';
import { idle } from './idle.ts';
import { list, lsub, namespace } from './list.ts';
import { create, remove, rename, subscribe } from './mailbox.ts';
import { getMetadata, setMetadata } from './metadata.ts';
import { search } from './search.ts';
import { select } from './select.ts';
import type { ImapSession, Result, State, Updates } from './session.ts';
import { status } from './status.ts';
import { store } from './store.ts';

export interface Command {
  readonly from: readonly State[];
  readonly parse: (cursor: Cursor) => any;
  readonly run: (session: ImapSession, args: any, tag: string) => Result;
  readonly updates: Updates;
}

const ANY: readonly State[] = ['notAuthenticated', 'authenticated', 'selected'];
const EARLY: readonly State[] = ['notAuthenticated'];
const LOGGED_IN: readonly State[] = ['authenticated', 'selected'];
const SELECTED: readonly State[] = ['selected'];

function row<T>(from: readonly State[], parse: (cursor: Cursor) => T, run: (session: ImapSession, args: T, tag: string) => Result, updates: Updates): Command {
  return { from, parse, run, updates };
}

/** APPEND whose message did not come as a literal never reaches its own path. */
function appendWithoutMessage(): never {
  throw new ImapSyntaxError('APPEND needs the message as a literal');
}

export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  // verb            legal in    arguments              does                                                 updates
  ['CAPABILITY', row(ANY, noArguments, capability, 'all')],
  ['NOOP', row(ANY, noArguments, noop, 'all')],
  ['LOGOUT', row(ANY, noArguments, logout, 'none')],
  ['ID', row(ANY, idArguments, id, 'all')],
  ['STARTTLS', row(EARLY, noArguments, startTls, 'none')],
  ['AUTHENTICATE', row(EARLY, authenticateArguments, authenticate, 'none')],
  ['LOGIN', row(EARLY, loginArguments, login, 'none')],
  ['ENABLE', row(LOGGED_IN, enableArguments, enable, 'all')],
  ['SELECT', row(LOGGED_IN, selectArguments, (session, args) => select(session, args, false), 'none')],
  ['EXAMINE', row(LOGGED_IN, selectArguments, (session, args) => select(session, args, true), 'none')],
  ['CREATE', row(LOGGED_IN, createArguments, create, 'all')],
  ['DELETE', row(LOGGED_IN, mailboxArgument, remove, 'all')],
  ['RENAME', row(LOGGED_IN, renameArguments, rename, 'all')],
  ['SUBSCRIBE', row(LOGGED_IN, mailboxArgument, (session, name) => subscribe(session, name, true), 'all')],
  ['UNSUBSCRIBE', row(LOGGED_IN, mailboxArgument, (session, name) => subscribe(session, name, false), 'all')],
  ['LIST', row(LOGGED_IN, listArguments, list, 'all')],
  ['LSUB', row(LOGGED_IN, lsubArguments, lsub, 'all')],
  ['NAMESPACE', row(LOGGED_IN, noArguments, namespace, 'all')],
  ['STATUS', row(LOGGED_IN, statusArguments, status, 'all')],
  ['GETMETADATA', row(LOGGED_IN, getMetadataArguments, getMetadata, 'all')],
  ['SETMETADATA', row(LOGGED_IN, setMetadataArguments, setMetadata, 'all')],
  ['APPEND', row(LOGGED_IN, appendWithoutMessage, () => null, 'all')],
  ['IDLE', row(LOGGED_IN, noArguments, idle, 'all')],
  ['CHECK', row(SELECTED, noArguments, () => 'OK CHECK completed', 'all')],
  ['CLOSE', row(SELECTED, noArguments, close, 'none')],
  ['UNSELECT', row(SELECTED, noArguments, unselect, 'none')],
  ['EXPUNGE', row(SELECTED, noArguments, (session) => expunge(session, undefined), 'all')],
  ['UID EXPUNGE', row(SELECTED, setArgument, (session, set) => expunge(session, set), 'all')],
  // RFC 9051 section 7.5.1: sequence numbers must not move during FETCH, STORE and SEARCH; with UID they may.
  ['SEARCH', row(SELECTED, searchArguments, (session, args, tag) => search(session, args, false, tag), 'noExpunge')],
  ['UID SEARCH', row(SELECTED, searchArguments, (session, args, tag) => search(session, args, true, tag), 'all')],
  ['FETCH', row(SELECTED, fetchArguments, (session, args) => fetch(session, args, false), 'noExpunge')],
  ['UID FETCH', row(SELECTED, fetchArguments, (session, args) => fetch(session, args, true), 'all')],
  ['STORE', row(SELECTED, storeArguments, (session, args) => store(session, args, false), 'noExpunge')],
  ['UID STORE', row(SELECTED, storeArguments, (session, args) => store(session, args, true), 'all')],
  ['COPY', row(SELECTED, copyArguments, (session, args) => copy(session, args, false), 'all')],
  ['UID COPY', row(SELECTED, copyArguments, (session, args) => copy(session, args, true), 'all')],
  ['MOVE', row(SELECTED, copyArguments, (session, args) => move(session, args, false), 'all')],
  ['UID MOVE', row(SELECTED, copyArguments, (session, args) => move(session, args, true), 'all')],
]);
