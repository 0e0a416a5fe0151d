/** GETMETADATA and SETMETADATA (RFC 5464): annotations on mailboxes and on the server. Both kinds, shared and private, belong to the account. */
import type { MailboxRow } from '../../ports.ts';
import { annotationsBelow, entryProblem, readAnnotation, SPECIAL_USE_ENTRY } from '../../store/annotations.ts';
import type { AnnotationsInput } from '../../store/operations/annotation.ts';
import { Failure } from '../../system/failure.ts';
import { ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import { formatMetadataValue, type GetMetadataArguments, type SetMetadataArguments } from '../../wire/imap/metadata.ts';
import { formatEntry } from './metadata-news.ts';
import { findName } from './select.ts';
import type { ImapSession } from './session.ts';

/** How to reach the administrator: read-only, on the server. */
const ADMIN_ENTRY = '/shared/admin';
/** A response takes up no more than about this; what is left comes in the next. */
const RESPONSE_CHARS = 64 * 1024;

/** The mailbox, null for the server, or undefined when there is none of the name. */
function mailboxNamed(session: ImapSession, name: string): MailboxRow | null | undefined {
  if (name === '') return null;
  return session.context.reader.mailboxByName(session.account!.id, findName(session, name)) ?? undefined;
}

function shownName(session: ImapSession, mailbox: MailboxRow | null): string {
  return mailbox === null ? '""' : formatMailbox(mailbox.name, session.isUtf8 || session.isRev2);
}

function checked(entry: string, isTop: boolean): string {
  const problem = entryProblem(entry, isTop);
  if (problem !== null) throw new ImapSyntaxError(problem);
  return entry.toLowerCase();
}

export async function getMetadata(session: ImapSession, args: GetMetadataArguments): Promise<string> {
  const entries = new Set(args.entries.map((entry) => checked(entry, args.depth !== 0)));
  const mailbox = mailboxNamed(session, args.name);
  if (mailbox === undefined) return 'NO [NONEXISTENT] No such mailbox';
  let text = '';
  let longest = 0;
  const flush = async (): Promise<void> => {
    if (text === '') return;
    session.out.write(`* METADATA ${shownName(session, mailbox)} (${text})\r\n`);
    text = '';
    if (session.out.isFull) await session.out.drain();
  };
  for (const [entry, value] of found(session, mailbox, entries, args.depth)) {
    if (value !== null && args.maxSize !== null && value.length > args.maxSize) {
      longest = Math.max(longest, value.length);
      continue;
    }
    text += `${text === '' ? '' : ' '}${formatEntry(entry)} ${formatMetadataValue(value)}`;
    if (text.length >= RESPONSE_CHARS) await flush();
    if (session.isClosed) return '';
  }
  await flush();
  return `OK ${longest === 0 ? '' : `[METADATA LONGENTRIES ${longest}] `}GETMETADATA completed`;
}

/** Each entry once. One that was asked for by its own name alone is NIL when it is not there; with a depth it is left out (as Dovecot does). */
function* found(
  session: ImapSession,
  mailbox: MailboxRow | null,
  entries: ReadonlySet<string>,
  depth: GetMetadataArguments['depth'],
): Iterable<[entry: string, value: Uint8Array | null]> {
  const { reader } = session.context;
  const accountId = session.account!.id;
  const told = new Set<string>();
  for (const entry of entries) {
    const isAdmin = mailbox === null && (entry === ADMIN_ENTRY || (entry === '/shared' && depth !== 0));
    if (isAdmin && !told.has(ADMIN_ENTRY)) {
      told.add(ADMIN_ENTRY);
      yield [ADMIN_ENTRY, Buffer.from(adminContact(session))];
    }
    if (depth === 0) {
      if (!told.has(entry)) yield [entry, readAnnotation(reader, accountId, mailbox, entry)];
      continue;
    }
    for (const [name, value] of annotationsBelow(reader, accountId, mailbox, entry, depth === 1 ? 1 : Number.POSITIVE_INFINITY)) {
      if (told.has(name)) continue;
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
  const mailbox = mailboxNamed(session, args.name);
  if (mailbox === undefined) return 'NO [NONEXISTENT] No such mailbox';
  if (mailbox === null && changes.has(ADMIN_ENTRY)) return `NO [NOPERM] ${ADMIN_ENTRY} cannot be changed`;
  const settings = session.context.settings();
  const input: AnnotationsInput = {
    accountId: session.account!.id,
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
