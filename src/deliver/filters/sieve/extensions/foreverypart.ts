/** RFC 5703 section 3: foreverypart and break. */
import type { Call } from '../call.ts';
import { LOOP_DEPTH } from '../limits.ts';
import { currentPath, endLoop, type Loop, loopsOf, nextPath, startLoop, treeOf } from '../mime-parts.ts';
import type { Extension, Step } from '../registry.ts';
import type { Flow } from '../run.ts';
import { perform } from '../steps.ts';

/** All parts, outer before inner; within another loop those inside its current part. */
function forEveryPart(call: Call): Step<Flow> {
  const name = call.text(':name')?.constant ?? null;
  const { loops } = call.context;
  if (loops.length >= LOOP_DEPTH) call.problem(`loops are nested more than ${LOOP_DEPTH} deep`);
  loops.push(name);
  const block = call.block();
  loops.pop();
  const { line } = call;
  return {
    *ask(run) {
      if (loopsOf(run).length >= LOOP_DEPTH) run.fail(`loops are nested more than ${LOOP_DEPTH} deep`, line);
      let mime = yield* treeOf(run);
      run.charge(mime.bytes.length >> 6);
      const outer = currentPath(run);
      const loop: Loop = { path: outer ?? [], top: outer?.length ?? 0, isReplaced: false };
      let path = outer === null ? [] : nextPath(mime.root, loop);
      let left: Flow;
      startLoop(run, loop);
      while (path !== null && left === undefined) {
        loop.path = path;
        loop.isReplaced = false;
        run.charge(1);
        left = yield* perform(block, run);
        // What the block did to the message is in the tree from now on.
        mime = yield* treeOf(run);
        path = nextPath(mime.root, loop);
      }
      endLoop(run);
      if (typeof left === 'object' && (left.name === null || left.name === name)) return undefined;
      return left;
    },
  };
}

function breakLoop(call: Call): Step<Flow> {
  const text = call.text(':name');
  const { loops } = call.context;
  if (loops.length === 0) call.problem('break can only be used in a foreverypart loop');
  const name = text?.constant ?? null;
  if (name !== null && !loops.includes(name)) call.problem(`there is no loop "${name.slice(0, 60)}" around this break`, text!.line);
  const flow: Flow = { kind: 'break', name };
  return { now: () => flow };
}

const NAME = { name: 'name', argument: 'string', isConstant: true } as const;

export const FOREVERYPART: Extension = {
  name: 'foreverypart',
  commands: [
    { name: 'foreverypart', tags: [NAME], hasBlock: true, compile: forEveryPart },
    { name: 'break', tags: [NAME], compile: breakLoop },
  ],
};
