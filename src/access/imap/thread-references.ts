/**
 * THREAD=REFERENCES and THREAD=REFS (RFC 5256 section 3, draft-ietf-morg-inthread): who answers whom, from message ids and references.
 * Nodes are numbers: the searched messages 0 to n-1 in mailbox order, then the dummies for ids that no searched message has.
 * Everything is done in loops over arrays, so that no depth or loop of references costs more than its length.
 */
import { pause, type SliceClock } from './pace.ts';
import { orderByDate } from './thread-dates.ts';
import type { ThreadLinks } from './thread-links.ts';
import { type ThreadTree, treeOf } from './thread-tree.ts';

/** The searched messages, in mailbox order. */
export interface Threaded {
  readonly count: number;
  /** Place of the message in `links`. */
  readonly indexes: Int32Array;
  /** Sent dates (RFC 5256 section 2.2). */
  readonly dates: Float64Array;
  readonly links: ThreadLinks;
}

/** What REFERENCES asks of subjects. */
export interface ThreadSubjects {
  /** Equal numbers for equal base subjects; 0 for the empty one. */
  base(message: number): number;
  isReply(message: number): boolean;
}

/**
 * Steps upwards in all looks for loops of one command. Honest mail needs next to none: a reply has no children when it is linked. Links
 * that would need more are not made, as if they closed a loop.
 */
const LOOP_STEPS_MAX = 10_000_000;
/** Messages or links between looks at the clock. */
const LOOK_EVERY = 2048;

const NONE = -1;
/** Not part of the result. */
const GONE = -2;

/** Links of step 1: a parent for each node, or NONE. */
class Forest {
  readonly messages: number;
  parents: Int32Array;
  /** How many children: a node without any cannot be above another. */
  #children: Uint32Array;
  nodes: number;
  #loopSteps = LOOP_STEPS_MAX;

  constructor(messages: number) {
    this.messages = messages;
    this.nodes = messages;
    this.parents = new Int32Array(messages + (messages >>> 1) + 16).fill(NONE);
    this.#children = new Uint32Array(this.parents.length);
  }

  addDummy(): number {
    if (this.nodes === this.parents.length) {
      const parents = new Int32Array(this.nodes * 2).fill(NONE);
      parents.set(this.parents);
      this.parents = parents;
      const children = new Uint32Array(this.nodes * 2);
      children.set(this.#children);
      this.#children = children;
    }
    this.nodes += 1;
    return this.nodes - 1;
  }

  /** Makes `parent` the parent of `child`, which has none, unless that would close a loop. */
  link(parent: number, child: number): void {
    if (parent === child) return;
    if (this.#children[child]! > 0) {
      for (let above = this.parents[parent]!; above !== NONE; above = this.parents[above]!) {
        this.#loopSteps -= 1;
        if (above === child || this.#loopSteps < 0) return;
      }
    }
    this.parents[child] = parent;
    this.#children[parent] = this.#children[parent]! + 1;
  }

  unlink(child: number): void {
    const parent = this.parents[child]!;
    if (parent === NONE) return;
    this.parents[child] = NONE;
    this.#children[parent] = this.#children[parent]! - 1;
  }
}

/** Step 1. */
async function linked({ count, indexes, links }: Threaded, clock: SliceClock): Promise<Forest> {
  const forest = new Forest(count);
  const nodeOfId = new Int32Array(links.idCount).fill(NONE);
  // Of several messages with one id, the first has it.
  for (let message = 0; message < count; message += 1) {
    const id = links.own[indexes[message]!]!;
    if (id !== NONE && nodeOfId[id] === NONE) nodeOfId[id] = message;
  }
  let work = 0;
  for (let message = 0; message < count; message += 1) {
    const at = indexes[message]!;
    let last = NONE;
    for (let i = links.starts[at]!; i < links.starts[at + 1]!; i += 1) {
      const id = links.references[i]!;
      let node = nodeOfId[id]!;
      if (node === NONE) {
        node = forest.addDummy();
        nodeOfId[id] = node;
      }
      if (last !== NONE && forest.parents[node] === NONE) forest.link(last, node);
      last = node;
      work += 1;
    }
    if (forest.parents[message] !== last) {
      forest.unlink(message);
      if (last !== NONE) forest.link(last, message);
    }
    work += 1;
    if (work >= LOOK_EVERY) {
      work = 0;
      if (clock.isOver()) await pause(clock);
    }
  }
  return forest;
}

/**
 * Steps 2 and 3: the parent of each node with the dummies taken out. What remains of those is at the top and has several children; the
 * others are GONE.
 */
function pruned(forest: Forest): Int32Array {
  const { messages, nodes } = forest;
  const parents = forest.parents.slice(0, nodes);
  // What a child of this dummy is a child of: a message, or the dummy at the top.
  const places = new Int32Array(nodes - messages).fill(NONE);
  const way: number[] = [];
  const placeOf = (dummy: number): number => {
    let at = dummy;
    let place: number;
    for (;;) {
      place = places[at - messages]!;
      if (place !== NONE) break;
      way.push(at);
      const above = forest.parents[at]!;
      if (above === NONE) {
        place = at;
        break;
      }
      if (above < messages) {
        place = above;
        break;
      }
      at = above;
    }
    for (const passed of way) places[passed - messages] = place;
    way.length = 0;
    return place;
  };
  const children = new Uint32Array(nodes - messages);
  for (let message = 0; message < messages; message += 1) {
    const parent = parents[message]!;
    if (parent < messages) continue;
    const place = placeOf(parent);
    parents[message] = place;
    if (place >= messages) children[place - messages] = children[place - messages]! + 1;
  }
  for (let message = 0; message < messages; message += 1) {
    const parent = parents[message]!;
    if (parent >= messages && children[parent - messages] === 1) parents[message] = NONE;
  }
  for (let dummy = messages; dummy < nodes; dummy += 1) parents[dummy] = children[dummy - messages]! > 1 ? NONE : GONE;
  return parents;
}

/** Nodes in the order of their dates, a dummy just before its first child. */
function withDummies(messages: number, parents: Int32Array, order: Uint32Array): Uint32Array {
  const nodes = parents.length;
  const all = new Uint32Array(nodes);
  const isPlaced = new Uint8Array(nodes - messages);
  let count = 0;
  for (let i = 0; i < messages; i += 1) {
    const message = order[i]!;
    const parent = parents[message]!;
    if (parent >= messages && isPlaced[parent - messages] === 0) {
      isPlaced[parent - messages] = 1;
      all[count] = parent;
      count += 1;
    }
    all[count] = message;
    count += 1;
  }
  return all.subarray(0, count);
}

/** Step 5: threads of the same base subject become one. Answers the parents with the dummies it made. */
async function mergedBySubject(messages: number, before: Int32Array, order: Uint32Array, subjects: ThreadSubjects, clock: SliceClock): Promise<Int32Array> {
  const roots = withDummies(messages, before, order).filter((node) => before[node] === NONE);
  // The first child of a dummy, by date: what it is compared by.
  const firstChild = new Int32Array(before.length - messages).fill(NONE);
  for (let i = 0; i < messages; i += 1) {
    const parent = before[order[i]!]!;
    if (parent >= messages && firstChild[parent - messages] === NONE) firstChild[parent - messages] = order[i]!;
  }
  if (clock.isOver()) await pause(clock);
  const subjectOf = (node: number): number => subjects.base(node < messages ? node : firstChild[node - messages]!);
  const table = new Map<number, number>();
  for (const node of roots) {
    const subject = subjectOf(node);
    if (subject === 0) continue;
    const present = table.get(subject);
    if (present === undefined) table.set(subject, node);
    else if (present < messages && (node >= messages || (subjects.isReply(present) && !subjects.isReply(node)))) table.set(subject, node);
  }
  if (clock.isOver()) await pause(clock);
  // Dummies that are made, and dummies that became one with another.
  const parents = Array.from(before);
  const becameOther = new Map<number, number>();
  for (const node of roots) {
    if (parents[node] !== NONE) continue;
    const subject = subjectOf(node);
    if (subject === 0) continue;
    const present = table.get(subject)!;
    if (present === node) continue;
    if (present >= messages) {
      if (node >= messages) {
        becameOther.set(node, present);
        parents[node] = GONE;
      } else parents[node] = present;
    } else if (subjects.isReply(node) && !subjects.isReply(present)) parents[node] = present;
    else {
      const dummy = parents.length;
      parents.push(NONE);
      parents[node] = dummy;
      parents[present] = dummy;
      table.set(subject, dummy);
    }
  }
  const after = Int32Array.from(parents);
  if (becameOther.size > 0) for (let message = 0; message < messages; message += 1) after[message] = becameOther.get(after[message]!) ?? after[message]!;
  return after;
}

/** THREAD=REFERENCES. */
export async function threadReferences(threaded: Threaded, subjects: ThreadSubjects, clock: SliceClock): Promise<ThreadTree> {
  const { count } = threaded;
  const forest = await linked(threaded, clock);
  const order = await orderByDate(threaded.dates, clock);
  if (clock.isOver()) await pause(clock);
  const parents = pruned(forest);
  if (clock.isOver()) await pause(clock);
  const merged = await mergedBySubject(count, parents, order, subjects, clock);
  if (clock.isOver()) await pause(clock);
  // Step 6: the order of dates is the order among any siblings; a dummy's is that of its first child.
  return treeOf(count, merged, withDummies(count, merged, order));
}

/** THREAD=REFS: without subjects; siblings by date, threads by the latest message in them. */
export async function threadRefs(threaded: Threaded, clock: SliceClock): Promise<ThreadTree> {
  const { count } = threaded;
  const forest = await linked(threaded, clock);
  const order = await orderByDate(threaded.dates, clock);
  const parents = pruned(forest);
  if (clock.isOver()) await pause(clock);
  const tree = treeOf(count, parents, withDummies(count, parents, order));
  // From the latest message backwards, the top of each one's thread that was not seen before: latest threads first, then turned round.
  const top = topsOf(parents);
  const isSeen = new Uint8Array(parents.length);
  const roots = new Uint32Array(tree.roots.length);
  let at = roots.length;
  for (let i = count - 1; i >= 0; i -= 1) {
    const root = top[order[i]!]!;
    if (isSeen[root] === 1) continue;
    isSeen[root] = 1;
    at -= 1;
    roots[at] = root;
  }
  return { ...tree, roots };
}

/** The node at the top above each node. */
function topsOf(parents: Int32Array): Int32Array {
  const tops = new Int32Array(parents.length).fill(NONE);
  const way: number[] = [];
  for (let node = 0; node < parents.length; node += 1) {
    let at = node;
    while (tops[at] === NONE && parents[at]! >= 0) {
      way.push(at);
      at = parents[at]!;
    }
    const top = tops[at] === NONE ? at : tops[at]!;
    tops[at] = top;
    for (const passed of way) tops[passed] = top;
    way.length = 0;
  }
  return tops;
}
