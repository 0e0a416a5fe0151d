/** LIST, LSUB and NAMESPACE (RFC 9051 sections 6.3.9 and 6.3.10; RFC 5258, RFC 5819, RFC 6154). */
import type { MailboxRow } from '../../ports.ts';
import { formatMailbox } from '../../wire/imap/format.ts';
import type { ListArguments } from '../../wire/imap/list.ts';
import { inOrder, matchesPattern } from './list-match.ts';
import { SPECIAL_USE } from './mailbox.ts';
import { pause, SliceClock } from './pace.ts';
import type { ImapSession } from './session.ts';
import { statusLine } from './status.ts';

/** A name in the hierarchy; `row` is null for one that exists only as a subscription or as the parent of another. */
interface Name {
  readonly name: string;
  readonly row: MailboxRow | null;
  readonly isSubscribed: boolean;
}

/** Every name of the account: mailboxes, subscriptions to what is gone, and parents of both. */
function allNames(session: ImapSession): Map<string, Name> {
  const accountId = session.account!.id;
  const names = new Map<string, Name>();
  for (const row of session.context.reader.mailboxes(accountId)) names.set(row.name, { name: row.name, row, isSubscribed: row.isSubscribed });
  for (const [name] of session.context.reader.rows('SELECT name FROM subscription WHERE account_id=?', accountId)) {
    if (typeof name === 'string' && !names.has(name)) names.set(name, { name, row: null, isSubscribed: true });
  }
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
  const { selection, returns } = args;
  // An empty pattern asks for the hierarchy separator (RFC 9051 section 6.3.9).
  if (!args.isExtended && args.patterns[0] === '') {
    session.out.write('* LIST (\\Noselect) "/" ""\r\n');
    return 'OK LIST completed';
  }
  const names = allNames(session);
  const patterns = args.patterns.map((pattern) => args.reference + pattern);
  if (patterns.reduce((sum, pattern) => sum + pattern.length, 0) > PATTERNS_CHARS_MAX) return 'NO [LIMIT] Patterns are too long';
  const isWanted = (entry: Name): boolean =>
    (!selection.has('SUBSCRIBED') || entry.isSubscribed) && (!selection.has('SPECIAL-USE') || (entry.row?.role != null && SPECIAL_USE.has(entry.row.role)));
  const existing = parentsOf(names.values(), (entry) => entry.row !== null);
  // Parents that have no row of their own are names too, for "%".
  for (const parent of existing) if (!names.has(parent)) names.set(parent, { name: parent, row: null, isSubscribed: false });
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
    if (returns.has('STATUS') && wanted && entry.row?.isSelectable) session.out.write(statusLine(session, entry.row, args.status));
    if (session.out.isFull) await session.out.drain();
    if (clock.isOver()) await pause(clock);
    if (session.isClosed) return '';
  }
  return 'OK LIST completed';
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
  const use = row?.role == null ? undefined : SPECIAL_USE.get(row.role);
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
  for (const parent of parents) if (!names.has(parent)) names.set(parent, { name: parent, row: null, isSubscribed: false });
  const matched = await matching(names.values(), [pattern], clock);
  for (const entry of inOrder(names.values())) {
    if (!matched.has(entry.name)) continue;
    if (!entry.isSubscribed && !(pattern.includes('%') && parents.has(entry.name))) continue;
    const isNoselect = !entry.isSubscribed || (entry.row !== null && !entry.row.isSelectable);
    session.out.write(`* LSUB (${isNoselect ? '\\Noselect' : ''}) "/" ${formatMailbox(entry.name, session.isUtf8 || session.isRev2)}\r\n`);
  }
  return 'OK LSUB completed';
}

/** RFC 2342: one personal namespace without prefix. */
export function namespace(session: ImapSession): string {
  session.out.write('* NAMESPACE (("" "/")) NIL NIL\r\n');
  return 'OK NAMESPACE completed';
}
