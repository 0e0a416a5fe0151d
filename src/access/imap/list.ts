/** LIST, LSUB and XLIST (RFC 9051 sections 6.3.9 and 6.3.10; RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590) over own mailboxes and those that others share. */
import type { MailboxRow } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { ListArguments } from '../../wire/imap/list.ts';
import { myRightsLine } from './acl.ts';
import { rightsNow } from './acl-check.ts';
import { foreignPlacesOf } from './foreign-places.ts';
import { inOrder, patternMatcher } from './list-match.ts';
import { SPECIAL_USE } from './special-use.ts';
import { annotationsWanted, mayAnnotate, writeAnnotations } from './metadata.ts';
import { ownMailboxes, subscriptions } from './own-mailboxes.ts';
import { inSlices, pause, SliceClock, type Steps } from './pace.ts';
import { actsAsOwner, ownRights, type Place } from './places.ts';
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

/** Names looked at between two yields. */
const STEP = 256;

/** Every name the session may see: own mailboxes, those of others ("l", RFC 4314 section 4), and subscriptions to what is gone. */
function* allNames(session: ImapSession): Steps<Map<string, Name>> {
  const { reader } = session.context;
  const accountId = session.account!.id;
  const names = new Map<string, Name>();
  // Visitors may lack the right on all of them.
  const own = ownRights(session).includes('l') ? yield* ownMailboxes(reader, accountId) : [];
  for (const row of own) {
    names.set(row.name, { name: row.name, row, isSubscribed: row.isSubscribed, foreign: null });
    if (names.size % STEP === 0) yield;
  }
  const subscribed = yield* subscriptions(reader, accountId);
  for (const place of yield* foreignPlacesOf(session)) {
    // Somebody may have had a mailbox of such a name before there were prefixes.
    if (names.has(place.name)) continue;
    names.set(place.name, { name: place.name, row: place.row, isSubscribed: subscribed.has(place.name), foreign: place });
    if (names.size % STEP === 0) yield;
  }
  // What else the user reads is not for visitors to know.
  if (!actsAsOwner(session)) return names;
  for (const name of subscribed) {
    if (names.has(name)) continue;
    names.set(name, { name, row: null, isSubscribed: true, foreign: null });
    if (names.size % STEP === 0) yield;
  }
  return names;
}

/** Names that have a mailbox below them. */
function* parentsOf(names: Iterable<Name>, counts: (name: Name) => boolean): Steps<Set<string>> {
  const parents = new Set<string>();
  let looked = 0;
  for (const entry of names) {
    looked += 1;
    if (looked % STEP === 0) yield;
    if (!counts(entry)) continue;
    for (let slash = entry.name.lastIndexOf('/'); slash > 0; slash = entry.name.lastIndexOf('/', slash - 1)) {
      const parent = entry.name.slice(0, slash);
      if (parents.has(parent)) break;
      parents.add(parent);
      if (parents.size % STEP === 0) yield;
    }
  }
  return parents;
}

/** A parent that has no row of its own is a name too, for "%". */
function* addParents(names: Map<string, Name>, parents: ReadonlySet<string>): Steps<void> {
  let looked = 0;
  for (const parent of parents) {
    looked += 1;
    if (looked % STEP === 0) yield;
    if (!names.has(parent)) names.set(parent, { name: parent, row: null, isSubscribed: false, foreign: null });
  }
}

/** All patterns of one command together: bounds the work for one name. */
const PATTERNS_CHARS_MAX = 4096;

/** The names that match. An account may have thousands of names as long as the patterns. */
function* matching(names: Iterable<Name>, patterns: readonly string[]): Steps<Set<string>> {
  const found = new Set<string>();
  const matchers = patterns.filter((pattern) => pattern !== '').map(patternMatcher);
  for (const { name } of names) {
    if (matchers.some((matches) => matches(name))) found.add(name);
    yield;
  }
  return found;
}

/** The names that match, in the order in which they are told, and what is to be known of all. */
interface Found {
  readonly entries: readonly Name[];
  /** Names that have a mailbox below them. */
  readonly existing: ReadonlySet<string>;
  /** With RECURSIVEMATCH: names that have something wanted, and not shown itself, below them (RFC 5258 section 3.5). */
  readonly wantedBelow: ReadonlySet<string> | null;
}

function* found(session: ImapSession, patterns: readonly string[], wantedBelow: ((entry: Name) => boolean) | null): Steps<Found> {
  const names = yield* allNames(session);
  const existing = yield* parentsOf(names.values(), (entry) => entry.row !== null);
  yield* addParents(names, existing);
  // A name that nothing has but a subscription below it is told too: \NonExistent, with CHILDINFO (RFC 5258 section 3.5, its table).
  if (wantedBelow !== null) yield* addParents(names, yield* parentsOf(names.values(), wantedBelow));
  const matched = yield* matching(names.values(), patterns);
  const below = wantedBelow === null ? null : yield* parentsOf(names.values(), (entry) => wantedBelow(entry) && !matched.has(entry.name));
  return { entries: yield* inOrder(only(names, matched)), existing, wantedBelow: below };
}

function only(names: ReadonlyMap<string, Name>, matched: ReadonlySet<string>): Name[] {
  const entries: Name[] = [];
  for (const name of matched) entries.push(names.get(name)!);
  return entries;
}

export async function list(session: ImapSession, args: ListArguments): Promise<string> {
  const { selection } = args;
  const wantedEntries = annotationsWanted(args.metadata);
  // An empty pattern asks for the hierarchy separator (RFC 9051 section 6.3.9).
  if (!args.isExtended && args.patterns[0] === '') {
    session.out.write('* LIST (\\Noselect) "/" ""\r\n');
    return 'OK LIST completed';
  }
  const patterns = args.patterns.map((pattern) => args.reference + pattern);
  if (patterns.reduce((sum, pattern) => sum + pattern.length, 0) > PATTERNS_CHARS_MAX) return 'NO [LIMIT] Patterns are too long';
  const isWanted = (entry: Name): boolean =>
    (!selection.has('SUBSCRIBED') || entry.isSubscribed) && (!selection.has('SPECIAL-USE') || specialUse(entry) !== undefined);
  const clock = new SliceClock();
  const { entries, existing, wantedBelow } = await inSlices(found(session, patterns, selection.has('RECURSIVEMATCH') ? isWanted : null), clock);
  for (const entry of entries) {
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
  if (returns.size === 0) return null;
  // The names before it took their time: rights on it may have been taken back since it was found.
  const foreign = entry.foreign === null ? null : { ...entry.foreign, rights: rightsNow(session, entry.foreign.owner, row.id) };
  if (foreign?.rights === '') return null;
  const rights = foreign?.rights ?? ownRights(session);
  if (returns.has('MYRIGHTS')) session.out.write(myRightsLine(session, entry.name, rights));
  const withStatus = returns.has('STATUS') && rights.includes('r');
  const withMetadata = returns.has('METADATA') && mayAnnotate({ isOwn: false, rights });
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

/** `parents`: names that have subscribed ones below them which do not match themselves. */
function* foundSubscribed(session: ImapSession, pattern: string): Steps<{ entries: readonly Name[]; parents: ReadonlySet<string> }> {
  const names = yield* allNames(session);
  const direct = yield* matching(names.values(), [pattern]);
  const parents = yield* parentsOf(names.values(), (entry) => entry.isSubscribed && !direct.has(entry.name));
  yield* addParents(names, parents);
  const matched = yield* matching(names.values(), [pattern]);
  return { entries: yield* inOrder(only(names, matched)), parents };
}

/** RFC 3501 section 6.3.9: subscribed names, and for "%" the parents of subscribed names that do not match themselves. */
export async function lsub(session: ImapSession, args: { reference: string; pattern: string }): Promise<string> {
  const pattern = args.reference + args.pattern;
  if (args.pattern === '') {
    session.out.write('* LSUB (\\Noselect) "/" ""\r\n');
    return 'OK LSUB completed';
  }
  const clock = new SliceClock();
  const { entries, parents } = await inSlices(foundSubscribed(session, pattern), clock);
  for (const entry of entries) {
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
  const clock = new SliceClock();
  const { entries, existing } = await inSlices(found(session, [args.reference + args.pattern], null), clock);
  for (const entry of entries) {
    if (entry.row === null && !existing.has(entry.name)) continue;
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
