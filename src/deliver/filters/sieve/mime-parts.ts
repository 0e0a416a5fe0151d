/** Parts of a message while a script goes through them (RFC 5703): which one is the current one, what is in it, where its header is. */
import type { MimePart } from '../../../mail/mime.ts';
import { HeaderView } from './header-view.ts';
import type { Mime } from './message.ts';
import type { Run, Steps } from './run.ts';

/**
 * From the message down: which child each time; the message inside a message/rfc822 is its child 0. Replacing a part changes the tree,
 * but no path that leads elsewhere: loops keep paths, never parts.
 */
export type PartPath = readonly number[];

/** One foreverypart loop that is running. */
export interface Loop {
  path: PartPath;
  /** It goes through what is below the part that is so many steps deep. */
  top: number;
  /** The current part was replaced: what is in it now is not gone through. */
  isReplaced: boolean;
}

const NO_LOOPS: readonly Loop[] = [];
const NO_PARTS: readonly MimePart[] = [];

/** The loops that are running, the innermost one last. */
export function loopsOf(run: Run): readonly Loop[] {
  return (run.memory.get('foreverypart') as readonly Loop[] | undefined) ?? NO_LOOPS;
}

export function startLoop(run: Run, loop: Loop): void {
  run.memory.set('foreverypart', [...loopsOf(run), loop]);
}

export function endLoop(run: Run): void {
  run.memory.set('foreverypart', loopsOf(run).slice(0, -1));
}

/** null: no loop is running. */
export function currentPath(run: Run): PartPath | null {
  return loopsOf(run).at(-1)?.path ?? null;
}

/** What is in a part. A multipart without a single delimiter holds nothing, though IMAP is shown its text as one part. */
export function childrenOf(part: MimePart): readonly MimePart[] {
  if (part.message !== null) return [part.message.part];
  return part.children.length === 1 && part.children[0]!.headerStart === part.bodyStart ? NO_PARTS : part.children;
}

/** undefined when there is no such part (any more). */
export function partAt(root: MimePart, path: PartPath): MimePart | undefined {
  let part: MimePart | undefined = root;
  for (const index of path) {
    if (part === undefined) return undefined;
    part = childrenOf(part)[index];
  }
  return part;
}

/** The parts around the one that the path leads to, the message first. */
export function partsAround(root: MimePart, path: PartPath): readonly MimePart[] {
  return path.map((_, depth) => partAt(root, path.slice(0, depth))!);
}

/** The part where the loop goes on, outer before inner; null at its end. */
export function nextPath(root: MimePart, { path, top, isReplaced }: Loop): PartPath | null {
  const part = partAt(root, path);
  if (part !== undefined && !isReplaced && childrenOf(part).length > 0) return [...path, 0];
  for (let depth = path.length; depth > top; depth -= 1) {
    const outer = path.slice(0, depth - 1);
    const next = path[depth - 1]! + 1;
    const parent = partAt(root, outer);
    if (parent !== undefined && next < childrenOf(parent).length) return [...outer, next];
  }
  return null;
}

/** A part and all that is in it, outer before inner. */
export function partsFrom(part: MimePart): readonly MimePart[] {
  const found: MimePart[] = [];
  const todo = [part];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    found.push(next);
    const children = childrenOf(next);
    for (let i = children.length - 1; i >= 0; i -= 1) todo.push(children[i]!);
  }
  return found;
}

const views = new WeakMap<MimePart, HeaderView>();

/** The header of a part, read once however many tests ask. */
export function headerOf({ bytes }: Mime, part: MimePart): HeaderView {
  let view = views.get(part);
  if (view === undefined) {
    view = new HeaderView(bytes.subarray(part.headerStart, part.bodyStart));
    views.set(part, view);
  }
  return view;
}

/** The tree. Scripts that may change parts see all of the message, for it could not be put together again otherwise. */
export function* treeOf(run: Run): Steps<Mime> {
  const { required } = run.scope.script;
  const isWhole = required.has('replace') || required.has('convert');
  const mime = yield* run.message.mime(isWhole ? Number.MAX_SAFE_INTEGER : run.limits.bodyBytes);
  run.charge(run.message.takeWork());
  return mime;
}
