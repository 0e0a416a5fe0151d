/** LIST, LSUB and XLIST (RFC 9051 sections 6.3.9 and 6.3.10; RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590) over own mailboxes and those that others share. */
import type { MailboxRow } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { ListArguments } from '../../wire/imap/list.ts';
import { myRightsLine } from './acl.ts';
import { inOrder, matchesPattern } from './list-match.ts';
import { SPECIAL_USE } from './mailbox.ts';
import { annotationsWanted, mayAnnotate, writeAnnotations } from './metadata.ts';
import { pause, SliceClock } from './pace.ts';
import { ALL_RIGHTS, foreignPlaces, may, type Place } from './places.ts';
import type { ImapSession } from './session.ts';
import { deletedBytes, statusLine } from './status.ts';

/** A name in the hierarchy; `row` is null for one that exists only as a subscription or as the parent of another. */
interface Name {
  readonly name: string;
  readonly row: MailboxRow | null;
  readonly isSubscribed: boolean;
  /** null: of the session's own account, or nobody's. */
  readonly foreign: Place | null;
}

/** Every name the session may see: own mailboxes, those of others ("l", RFC 4314 section 4), and subscriptions to what is gone. */
function allNames(session: ImapSession): Map<string, Name> {
  const { reader } = session.context;
  const accountId = session.account!.id;
  const names = new Map<string, Name>();
  for (const row of reader.mailboxes(accountId)) names.set(row.name, { name: row.name, row, isSubscribed: row.isSubscribed, foreign: null });
  const subscribed = new Set<string>();
  for (const [name] of reader.rows('SELECT name FROM subscription WHERE account_id=?', accountId)) if (typeof name === 'string') subscribed.add(name);
  for (const place of foreignPlaces(session)) {
    // Somebody may have had a mailbox of such a name before there were prefixes.
    if (names.has(place.name)) continue;
    names.set(place.name, { name: place.name, row: place.row, isSubscribed: subscribed.has(place.name), foreign: place });
  }
  for (const name of subscribed) if (!names.has(name)) names.set(name, { name, row: null, isSubscribed: true, foreign: null });
  return names;
}

/** Names that have a mailbox below them. */
function parentsOf(names: Iterable<Name>, counts: (name: Name) => boolean): Set<string> {
  const parents = new Set<string>();
  for (const entry of names) {
    if (!counts(entry)) continue;
    for (let slash = entry.name.lastIndexOf('/'); slash > 0; slash = entry.name.lastIndexOf('/', slash - 1)) {
      const parent = entry.name.slice(0, slash);
      if (parents.has(parent)) break;
      parents.add(parent);
    }
  }
  return parents;
}

/** A parent that has no row of its own is a name too, for "%". */
function addParents(names: Map<string, Name>, parents: Iterable<string>): void {
  for (const parent of parents) if (!names.has(parent)) names.set(parent, { name: parent, row: null, isSubscribed: false, foreign: null });
}

/** All patterns of one command together: bounds the work for one name. */
const PATTERNS_CHARS_MAX = 4096;

/** The names that match; gives way to other sessions, for an account may have thousands of names as long as the patterns. */
async function matching(names: Iterable<Name>, patterns: readonly string[], clock: SliceClock): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { name } of names) {
    if (patterns.some((pattern) => pattern !== '' && matchesPattern(pattern, name))) found.add(name);
    if (clock.isOver()) await pause(clock);
  }
  return found;
}

export async function list(session: ImapSession, args: ListArguments): Promise<string> {
  const { selection } = args;
  const wantedEntries = annotationsWanted(args.metadata);
  // An empty pattern asks for the hierarchy separator (RFC 9051 section 6.3.9).
  if (!args.isExtended && args.patterns[0] === '') {
    session.out.write('* LIST (\\Noselect) "/" ""\r\n');
    return 'OK LIST completed';
  }
  const names = allNames(session);
  const patterns = args.patterns.map((pattern) => args.reference + pattern);
  if (patterns.reduce((sum, pattern) => sum + pattern.length, 0) > PATTERNS_CHARS_MAX) return 'NO [LIMIT] Patterns are too long';
  const isWanted = (entry: Name): boolean =>
    (!selection.has('SUBSCRIBED') || entry.isSubscribed) && (!selection.has('SPECIAL-USE') || specialUse(entry) !== undefined);
  const existing = parentsOf(names.values(), (entry) => entry.row !== null);
  addParents(names, existing);
  const clock = new SliceClock();
  const matched = await matching(names.values(), patterns, clock);
  // RFC 5258 section 3.5: with RECURSIVEMATCH a name is shown also when something below it, not shown itself, is wanted.
  const wantedBelow = selection.has('RECURSIVEMATCH') ? parentsOf(names.values(), (entry) => isWanted(entry) && !matched.has(entry.name)) : null;
  for (const entry of inOrder(names.values())) {
    if (!matched.has(entry.name)) continue;
    const exists = entry.row !== null || existing.has(entry.name);
    const wanted = isWanted(entry) && (exists || selection.has('SUBSCRIBED'));
    const isParentOfWanted = wantedBelow?.has(entry.name) === true;
    if (!wanted && !isParentOfWanted) continue;
    const attributes = attributesOf(session, entry, existing, args);
    const info = isParentOfWanted
      ? ` ("CHILDINFO" (${[...selection]
          .filter((o) => o === 'SUBSCRIBED' || o === 'SPECIAL-USE')
          .map((o) => `"${o}"`)
          .join(' ')}))`
      : '';
    session.out.write(`* LIST (${attributes.join(' ')}) "/" ${formatMailbox(entry.name, session.isUtf8 || session.isRev2)}${info}\r\n`);
    if (wanted && entry.row?.isSelectable) {
      const more = tellMore(session, entry, entry.row, args, wantedEntries);
      if (more !== null) await more;
    }
    if (session.out.isFull) await session.out.drain();
    if (clock.isOver()) await pause(clock);
    if (session.isClosed) return '';
  }
  return 'OK LIST completed';
}

/** What is returned of a mailbox behind its LIST response. A promise only where something must be waited for. */
function tellMore(session: ImapSession, entry: Name, row: MailboxRow, args: ListArguments, wantedEntries: ReadonlySet<string>): Promise<unknown> | null {
  const { returns } = args;
  const { foreign } = entry;
  if (returns.has('MYRIGHTS')) session.out.write(myRightsLine(session, entry.name, foreign?.rights ?? ALL_RIGHTS));
  const withStatus = returns.has('STATUS') && (foreign === null || may(foreign, 'r'));
  const withMetadata = returns.has('METADATA') && (foreign === null || mayAnnotate(foreign));
  const deleted = withStatus ? deletedBytes(session, row, args.status) : 0;
  if (!(deleted instanceof Promise)) {
    if (withStatus) session.out.write(statusLine(session, row, args.status, entry.name, deleted));
    return withMetadata ? writeAnnotations(session, { mailbox: row, name: entry.name }, wantedEntries) : null;
  }
  return deleted.then((bytes) => {
    session.out.write(statusLine(session, row, args.status, entry.name, bytes));
    return withMetadata ? writeAnnotations(session, { mailbox: row, name: entry.name }, wantedEntries) : undefined;
  });
}

/** Only own mailboxes are anything special: what is another user's Sent must not be taken for one's own. */
function specialUse({ row, foreign }: Name): string | undefined {
  return row?.role == null || foreign !== null ? undefined : SPECIAL_USE.get(row.role);
}

function attributesOf(session: ImapSession, entry: Name, parents: ReadonlySet<string>, args: ListArguments): string[] {
  const attributes: string[] = [];
  const { row } = entry;
  if (row === null || !row.isSelectable) {
    // RFC 5258 section 3: \NonExistent implies \Noselect; clients of RFC 3501 know only the latter.
    if (args.isExtended || session.isRev2) attributes.push('\\NonExistent');
    if (!args.isExtended && !session.isRev2) attributes.push('\\Noselect');
  }
  attributes.push(parents.has(entry.name) ? '\\HasChildren' : '\\HasNoChildren');
  if (entry.isSubscribed && (args.returns.has('SUBSCRIBED') || args.selection.has('SUBSCRIBED'))) attributes.push('\\Subscribed');
  // Also in plain LIST: Apple Mail and others look only there.
  const use = specialUse(entry);
  if (use !== undefined) attributes.push(use);
  return attributes;
}

/** RFC 3501 section 6.3.9: subscribed names, and for "%" the parents of subscribed names that do not match themselves. */
export async function lsub(session: ImapSession, args: { reference: string; pattern: string }): Promise<string> {
  const pattern = args.reference + args.pattern;
  if (args.pattern === '') {
    session.out.write('* LSUB (\\Noselect) "/" ""\r\n');
    return 'OK LSUB completed';
  }
  const names = allNames(session);
  const clock = new SliceClock();
  const direct = await matching(names.values(), [pattern], clock);
  const parents = parentsOf(names.values(), (entry) => entry.isSubscribed && !direct.has(entry.name));
  addParents(names, parents);
  const matched = await matching(names.values(), [pattern], clock);
  for (const entry of inOrder(names.values())) {
    if (!matched.has(entry.name)) continue;
    if (!entry.isSubscribed && !(pattern.includes('%') && parents.has(entry.name))) continue;
    const isNoselect = !entry.isSubscribed || (entry.row !== null && !entry.row.isSelectable);
    session.out.write(`* LSUB (${isNoselect ? '\\Noselect' : ''}) "/" ${formatMailbox(entry.name, session.isUtf8 || session.isRev2)}\r\n`);
    if (session.out.isFull) await session.out.drain();
    if (clock.isOver()) await pause(clock);
    if (session.isClosed) return '';
  }
  return 'OK LSUB completed';
}

/** The words of Gmail's XLIST where they differ from those of RFC 6154. */
const XLIST_USE: ReadonlyMap<string, string> = new Map([['\\Junk', '\\Spam']]);

/**
 * XLIST as Gmail had it before there was SPECIAL-USE: Outlook finds Sent, Drafts, Trash and Junk by it and by nothing else. INBOX is
 * written "Inbox" and marked, as there.
 */
export async function xlist(session: ImapSession, args: { reference: string; pattern: string }): Promise<string> {
  const names = allNames(session);
  const existing = parentsOf(names.values(), (entry) => entry.row !== null);
  addParents(names, existing);
  const clock = new SliceClock();
  const matched = await matching(names.values(), [args.reference + args.pattern], clock);
  for (const entry of inOrder(names.values())) {
    if (!matched.has(entry.name) || (entry.row === null && !existing.has(entry.name))) continue;
    const isInbox = entry.name === 'INBOX';
    const attributes = entry.row === null || !entry.row.isSelectable ? ['\\Noselect'] : [];
    attributes.push(existing.has(entry.name) ? '\\HasChildren' : '\\HasNoChildren');
    const use = specialUse(entry);
    if (isInbox) attributes.push('\\Inbox');
    else if (use !== undefined) attributes.push(XLIST_USE.get(use) ?? use);
    session.out.write(`* XLIST (${attributes.join(' ')}) "/" ${isInbox ? '"Inbox"' : formatMailbox(entry.name, session.isUtf8 || session.isRev2)}\r\n`);
    if (session.out.isFull) await session.out.drain();
    if (clock.isOver()) await pause(clock);
    if (session.isClosed) return '';
  }
  return 'OK XLIST completed';
}
