/** THREAD=ORDEREDSUBJECT (RFC 5256 section 3): messages of one base subject, the first of them above the others. */
import type { SliceClock } from './pace.ts';
import { orderByDate } from './thread-dates.ts';
import type { ThreadSubjects } from './thread-references.ts';
import { type ThreadTree, treeOf } from './thread-tree.ts';

const NONE = -1;

export async function threadOrderedSubject(count: number, dates: Float64Array, subjects: ThreadSubjects, clock: SliceClock): Promise<ThreadTree> {
  const order = await orderByDate(dates, clock);
  const firsts = new Map<number, number>();
  const parents = new Int32Array(count).fill(NONE);
  for (const message of order) {
    const subject = subjects.base(message);
    const first = firsts.get(subject);
    if (first === undefined) firsts.set(subject, message);
    else parents[message] = first;
  }
  return treeOf(count, parents, order);
}
