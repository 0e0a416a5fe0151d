/** Threads as they are answered: trees of messages, some top-level ones with no message of their own (RFC 5256 section 4). */
import { pause, type SliceClock } from './pace.ts';

/**
 * The nodes 0 to n-1 are messages, those above have none and stand at the top only. `roots` are in order; the children of node x are
 * `children[starts[x]]` to before `children[starts[x+1]]`, in order.
 */
export interface ThreadTree {
  readonly messages: number;
  readonly roots: Uint32Array;
  readonly starts: Uint32Array;
  readonly children: Uint32Array;
}

/**
 * A tree from each node's parent (-1: top level, -2: not in the tree), with siblings in the order in which `order` has them. Every node
 * whose parent is not -2 is in `order` once. A parent may come before or after its children there.
 */
export function treeOf(messages: number, parents: Int32Array, order: Uint32Array): ThreadTree {
  const nodes = parents.length;
  const starts = new Uint32Array(nodes + 1);
  let rootCount = 0;
  for (let node = 0; node < nodes; node += 1) {
    const parent = parents[node]!;
    if (parent >= 0) starts[parent + 1] = starts[parent + 1]! + 1;
    else if (parent === -1) rootCount += 1;
  }
  for (let node = 0; node < nodes; node += 1) starts[node + 1] = starts[node + 1]! + starts[node]!;
  const children = new Uint32Array(starts[nodes]!);
  const roots = new Uint32Array(rootCount);
  const next = starts.slice(0, nodes);
  let root = 0;
  for (let i = 0; i < order.length; i += 1) {
    const node = order[i]!;
    const parent = parents[node]!;
    if (parent >= 0) {
      children[next[parent]!] = node;
      next[parent] = next[parent]! + 1;
    } else if (parent === -1) {
      roots[root] = node;
      root += 1;
    }
  }
  return { messages, roots, starts, children };
}

/** Nodes written between looks at the clock. */
const LOOK_EVERY = 4096;
/** Characters handed on at once. */
const PIECE_LENGTH = 32 * 1024;

/**
 * Writes `thread-list`s, in pieces. `number` gives the number of a message. Without recursion: a chain may be as long as a mailbox.
 * RFC 5256 section 5: thread-members are numbers one below the other, until one has several children, each a list of its own.
 */
export async function writeThreads(tree: ThreadTree, number: (message: number) => number, write: (text: string) => void, clock: SliceClock): Promise<void> {
  const { messages, roots, starts, children } = tree;
  let text = '';
  let written = 0;
  /** What is still to be written, the next on top: nodes, and CLOSE. */
  const CLOSE = -1;
  const todo: number[] = [];
  for (const root of roots) {
    todo.push(root);
    while (todo.length > 0) {
      const top = todo.pop()!;
      if (top === CLOSE) {
        text += ')';
        continue;
      }
      text += '(';
      let node = top;
      let hasMember = false;
      for (;;) {
        if (node < messages) {
          text += hasMember ? ` ${number(node)}` : number(node);
          hasMember = true;
        }
        written += 1;
        const from = starts[node]!;
        const to = starts[node + 1]!;
        if (to - from === 1) {
          node = children[from]!;
          continue;
        }
        todo.push(CLOSE);
        if (to > from && hasMember) text += ' ';
        for (let i = to - 1; i >= from; i -= 1) todo.push(children[i]!);
        break;
      }
      if (text.length >= PIECE_LENGTH) {
        write(text);
        text = '';
      }
      if (written >= LOOK_EVERY) {
        written = 0;
        if (clock.isOver()) await pause(clock);
      }
    }
  }
  write(text);
}
