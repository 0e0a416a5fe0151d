/**
 * GETMETADATA and SETMETADATA (RFC 5464): annotations on mailboxes and on the server. Both kinds, shared and private, belong to the
 * account whose mailbox it is; on mailboxes of others there are only shared ones.
 */
import type { AccountId, MailboxId, MailboxRow } from '../../ports.ts';
import { annotationsBelow, entryProblem, IMAP_SIEVE_ENTRY, readAnnotation, SPECIAL_USE_ENTRY } from '../../store/annotations.ts';
import type { AnnotationsInput } from '../../store/operations/annotation.ts';
import { Failure } from '../../system/failure.ts';
import { ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { formatMetadataValue, type GetMetadataArguments, type SetMetadataArguments } from '../../wire/imap/metadata.ts';
import { formatEntry } from './metadata-news.ts';
import { missing, NO_MAILBOX, NO_RIGHT, rightsNow, visitorRefusal } from './acl-check.ts';
import { filterProblem } from './filters.ts';
import { actsAsOwner, findPlace, may, maySee, nameOfForeign, type Place, type Right } from './places.ts';
import type { ImapSession } from './session.ts';

/** How to reach the administrator: read-only, on the server. */
const ADMIN_ENTRY = '/shared/admin';
/** A response takes up no more than about this; what is left comes in the next. */
const RESPONSE_CHARS = 64 * 1024;

/** What annotations are on: a mailbox and the session's name for it, or the server (null). */
export interface Annotated {
  readonly mailbox: MailboxRow | null;
  readonly name: string;
}

const SERVER: Annotated = { mailbox: null, name: '' };

/** RFC 5464 section 3.3: who may see a mailbox in lists and do something with its messages. */
export function mayAnnotate(place: Pick<Place, 'isOwn' | 'rights'>): boolean {
  return may(place, 'l') && ANNOTATING.some((right) => may(place, right));
}
const ANNOTATING: readonly Right[] = ['r', 's', 'w', 'i', 'p'];

/** For MetadataNews: the session's name for a mailbox of another account whose annotations it may see, or null. */
export function annotatedForeign(session: ImapSession, owner: AccountId, mailboxId: MailboxId): string | null {
  const { reader, directory } = session.context;
  const account = directory.account(owner);
  if (session.account === null || account === null || !maySee(session, account)) return null;
  const row = reader.mailboxById(owner, mailboxId);
  if (row === null) return null;
  const place: Place = { row, name: nameOfForeign(session, account.login, row.name), owner, isOwn: false, rights: rightsNow(session, owner, mailboxId) };
  return mayAnnotate(place) ? place.name : null;
}

/** The mailbox, null for the server, or the refusal. */
function placeNamed(session: ImapSession, name: string): Place | null | string {
  if (name === '') return null;
  const place = findPlace(session, name);
  if (place === null) return NO_MAILBOX;
  return mayAnnotate(place) ? place : (missing(place, 'l') ?? NO_RIGHT);
}

function annotated(place: Place | null): Annotated {
  return place === null ? SERVER : { mailbox: place.row, name: place.isOwn ? place.row.name : place.name };
}

/** Where annotations are kept: with the mailbox's owner. Private ones nobody else sees, nor do visitors. */
function isVisible(session: ImapSession, mailbox: MailboxRow | null, entry: string): boolean {
  return entry.startsWith('/shared/') || ((mailbox === null || mailbox.accountId === session.account!.id) && actsAsOwner(session));
}

function shownName(session: ImapSession, { mailbox, name }: Annotated): string {
  return mailbox === null ? '""' : formatMailbox(name, session.isUtf8 || session.isRev2);
}

function checked(entry: string, isTop: boolean): string {
  const problem = entryProblem(entry, isTop);
  if (problem !== null) throw new ImapSyntaxError(problem);
  return entry.toLowerCase();
}

export async function getMetadata(session: ImapSession, args: GetMetadataArguments): Promise<string> {
  const entries = new Set(args.entries.map((entry) => checked(entry, args.depth !== 0)));
  const place = placeNamed(session, args.name);
  if (typeof place === 'string') return place;
  const longest = await writeAnnotations(session, annotated(place), entries, args);
  return `OK ${longest === 0 ? '' : `[METADATA LONGENTRIES ${longest}] `}GETMETADATA completed`;
}

/** Entries of LIST RETURN (METADATA (…)) (RFC 9590), as annotations are known by. Throws ImapSyntaxError. */
export function annotationsWanted(entries: readonly string[]): ReadonlySet<string> {
  return new Set(entries.map((entry) => checked(entry, false)));
}

/** Writes the METADATA responses; answers the length of the longest value above `maxSize`, or 0. */
export async function writeAnnotations(
  session: ImapSession,
  on: Annotated,
  entries: ReadonlySet<string>,
  { depth, maxSize }: Pick<GetMetadataArguments, 'depth' | 'maxSize'> = { depth: 0, maxSize: null },
): Promise<number> {
  let text = '';
  let longest = 0;
  const flush = async (): Promise<void> => {
    if (text === '') return;
    session.out.write(`* METADATA ${shownName(session, on)} (${text})\r\n`);
    text = '';
    if (session.out.isFull) await session.out.drain();
  };
  for (const [entry, value] of found(session, on.mailbox, entries, depth)) {
    if (value !== null && maxSize !== null && value.length > maxSize) {
      longest = Math.max(longest, value.length);
      continue;
    }
    text += `${text === '' ? '' : ' '}${formatEntry(entry)} ${formatMetadataValue(value)}`;
    if (text.length >= RESPONSE_CHARS) await flush();
    if (session.isClosed) return longest;
  }
  await flush();
  return longest;
}

/** Each entry once. One that was asked for by its own name alone is NIL when it is not there; with a depth it is left out (as Dovecot does). */
function* found(
  session: ImapSession,
  mailbox: MailboxRow | null,
  entries: ReadonlySet<string>,
  depth: GetMetadataArguments['depth'],
): Iterable<[entry: string, value: Uint8Array | null]> {
  const { reader } = session.context;
  const accountId = mailbox?.accountId ?? session.account!.id;
  const told = new Set<string>();
  for (const entry of entries) {
    const isAdmin = mailbox === null && (entry === ADMIN_ENTRY || (entry === '/shared' && depth !== 0));
    if (isAdmin && !told.has(ADMIN_ENTRY)) {
      told.add(ADMIN_ENTRY);
      yield [ADMIN_ENTRY, Buffer.from(adminContact(session))];
    }
    if (depth === 0) {
      if (!told.has(entry)) yield [entry, isVisible(session, mailbox, entry) ? readAnnotation(reader, accountId, mailbox, entry) : null];
      continue;
    }
    for (const [name, value] of annotationsBelow(reader, accountId, mailbox, entry, depth === 1 ? 1 : Number.POSITIVE_INFINITY)) {
      if (told.has(name) || !isVisible(session, mailbox, name)) continue;
      told.add(name);
      yield [name, value];
    }
  }
}

function adminContact(session: ImapSession): string {
  const { login } = session.account!;
  return session.context.settings()['imap.adminContact'] || `mailto:postmaster@${login.slice(login.lastIndexOf('@') + 1)}`;
}

export function setMetadata(session: ImapSession, args: SetMetadataArguments): string | Promise<string> {
  // Of one that is named twice the last counts.
  const changes = new Map(args.values.map(({ entry, value }) => [checked(entry, false), value]));
  const place = placeNamed(session, args.name);
  if (typeof place === 'string') return place;
  const mailbox = place?.row ?? null;
  const refusal = place === null ? visitorRefusal(session) : place.isOwn ? null : foreignRefusal(place, changes.keys());
  if (refusal !== null) return refusal;
  if (mailbox === null && changes.has(ADMIN_ENTRY)) return `NO [NOPERM] ${ADMIN_ENTRY} cannot be changed`;
  if (mailbox === null) {
    for (const [entry, value] of changes) {
      const problem = filterProblem(entry, value);
      if (problem !== null) return `NO [CANNOT] ${problem}`;
    }
  }
  const settings = session.context.settings();
  const input: AnnotationsInput = {
    accountId: mailbox?.accountId ?? session.account!.id,
    mailboxId: mailbox?.id ?? 0,
    changes: [...changes].map(([entry, value]) => ({ entry, value })),
    limits: {
      valueBytesMax: settings['imap.metadataValueBytesMax'],
      entriesMax: settings['imap.metadataEntriesMax'],
      accountEntriesMax: settings['imap.metadataAccountEntriesMax'],
    },
    by: session.connection.id,
  };
  return session.context.writer.run('metadata.set', input).then(
    () => 'OK SETMETADATA completed',
    (error: unknown) => {
      const refusal = error instanceof Failure ? refusalOf(error, input) : undefined;
      if (refusal === undefined) throw error;
      return refusal;
    },
  );
}

/**
 * RFC 5464 section 3.3 lets anybody who may read a mailbox change what all others see of it; here that takes "w", as for flags. A script
 * runs in its owner's name: only who administers the mailbox chooses it.
 */
function foreignRefusal(place: Place, entries: Iterable<string>): string | null {
  for (const entry of entries) {
    if (!entry.startsWith('/shared/')) return 'NO [METADATA NOPRIVATE] Only the owner of a mailbox has private annotations on it';
    const refusal = missing(place, entry === IMAP_SIEVE_ENTRY ? 'a' : 'w');
    if (refusal !== null) return refusal;
  }
  return null;
}

function refusalOf({ code }: Failure, { changes, limits }: AnnotationsInput): string | undefined {
  switch (code) {
    case 'messageTooBig':
      return `NO [METADATA MAXSIZE ${limits.valueBytesMax}] The value is too large`;
    case 'limit':
      return 'NO [METADATA TOOMANY] There are too many annotations';
    case 'cannot':
      return changes.some(({ entry }) => entry === SPECIAL_USE_ENTRY) ? 'NO [USEATTR] The mailbox cannot have this special use' : undefined;
    default:
      return undefined;
  }
}
