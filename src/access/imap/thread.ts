/** THREAD and UID THREAD (RFC 5256 section 3). */
import type { ThreadArguments } from '../../wire/imap/thread.ts';
import { comparatorOf } from './comparator.ts';
import { resolveSearch } from './filters.ts';
import { hasKey } from '../../wire/imap/search.ts';
import { limited } from './message-limit.ts';
import { pause, SliceClock } from './pace.ts';
import { Progress } from './progress.ts';
import { findMatches, narrowed } from './search-walk.ts';
import type { ImapSession } from './session.ts';
import { keysFor, type MailboxKeys, type TextColumn } from './sort-keys.ts';
import { linksOf } from './thread-links.ts';
import { type Threaded, threadReferences, threadRefs, type ThreadSubjects } from './thread-references.ts';
import { threadOrderedSubject } from './thread-subjects.ts';
import { type ThreadTree, writeThreads } from './thread-tree.ts';
import type { MailboxView } from './view.ts';

export async function thread(session: ImapSession, args: ThreadArguments, isUid: boolean, tag: string): Promise<string> {
  const selected = session.selected!;
  const resolved = resolveSearch(session, args);
  if (typeof resolved === 'string') return resolved;
  if (hasKey(resolved.key, ['modseq'])) session.enableCondstore();
  const { code: limit } = limited(session, selected, narrowed(resolved.key, selected));
  if (limit !== '') return `NO [${limit}] Too many messages to thread`;
  const found = await findMatches(session, selected, resolved.key, resolved.charset, { progress: new Progress(session, tag, 'Threading') });
  if (session.isClosed) return '';
  const clock = new SliceClock();
  const uids = Uint32Array.from(found, (position) => selected.uids[position]!);
  const choose = (keys: MailboxKeys): TextColumn[] => (args.algorithm === 'REFS' ? [] : [keys.column('subject', comparatorOf(session))]);
  const keys = await keysFor(session.context.reader, selected.view, uids, choose, clock);
  if (session.isClosed) return '';
  // Messages that are gone from the store are left out.
  const known = keys.indexes(uids);
  const places: number[] = [];
  for (let i = 0; i < known.length; i += 1) if (known[i] !== -1) places.push(i);
  const indexes = Int32Array.from(places, (place) => known[place]!);
  const tree = await treeBy(session, selected.view, args, keys, indexes, clock);
  if (session.isClosed) return '';
  if (clock.isOver()) await pause(clock);
  session.out.write(tree.roots.length === 0 ? '* THREAD' : '* THREAD ');
  const number = (message: number): number => (isUid ? uids[places[message]!]! : found[places[message]!]! + 1);
  await writeThreads(tree, number, (text) => session.out.write(text), clock);
  session.out.write('\r\n');
  return 'OK THREAD completed';
}

async function treeBy(
  session: ImapSession,
  view: MailboxView,
  { algorithm }: ThreadArguments,
  keys: MailboxKeys,
  indexes: Int32Array,
  clock: SliceClock,
): Promise<ThreadTree> {
  const count = indexes.length;
  const { values } = keys.numbers.date;
  const dates = Float64Array.from(indexes, (index) => values[index]!);
  const column = keys.column('subject', comparatorOf(session));
  const subjects: ThreadSubjects = {
    base: (message) => column.ids[indexes[message]!]!,
    isReply: (message) => column.replies[indexes[message]!] === 1,
  };
  if (algorithm === 'ORDEREDSUBJECT') return threadOrderedSubject(count, dates, subjects, clock);
  const links = await linksOf(session.context, view, keys, clock);
  const threaded: Threaded = { count, indexes, dates, links };
  return algorithm === 'REFS' ? threadRefs(threaded, clock) : threadReferences(threaded, subjects, clock);
}
