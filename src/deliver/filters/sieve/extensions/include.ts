/** RFC 6609: include, return, global. */
import { ask } from '../../filter.ts';
import type { Call } from '../call.ts';
import type { Extension, Step } from '../registry.ts';
import { SieveFailure } from '../failure.ts';
import { type Flow, newScope, type Run, type Steps } from '../run.ts';
import type { SieveScript } from '../script.ts';
import { perform } from '../steps.ts';

const NAME_BYTES_MAX = 255;

/** Section 3.2: a name, never a path. */
function isScriptName(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= NAME_BYTES_MAX && !/[\x00-\x1f/\x7f-\x9f\u2028\u2029]/.test(name) && name !== '.' && name !== '..';
}

function include(call: Call): Step<Flow> {
  const script = call.needText('name').constant!;
  if (!isScriptName(script)) call.problem(`"${script.slice(0, 60)}" is no name of a script`);
  const location = call.has(':global') ? 'global' : 'personal';
  const key = `${location} ${script}`;
  const isOnce = call.has(':once');
  const isOptional = call.has(':optional');
  const { limits } = call.context;
  const { line } = call;
  return {
    *ask(run) {
      if (isOnce && run.included.has(key)) return undefined;
      if (run.including.includes(key)) run.fail(`the script "${script}" includes itself`);
      if (run.including.length >= limits.includeDepth) run.fail(`scripts are included more than ${limits.includeDepth} deep`);
      run.includeCount += 1;
      if (run.includeCount > limits.includes) run.fail(`more than ${limits.includes} scripts are included`);
      const text = yield* ask({ kind: 'script', location, name: script });
      if (text === null) return isOptional ? undefined : run.fail(`there is no ${location} script "${script}"`);
      run.charge(text.length >> 2);
      const compiled = run.compile(text, `${run.scope.script.file.split(':')[0]}:${script}`, run.scope.script);
      if ('problems' in compiled) {
        const { file, line: at, text: problem } = compiled.problems[0]!;
        throw new SieveFailure({ file, line: at }, problem);
      }
      run.included.add(key);
      run.including.push(key);
      const flow = yield* runIncluded(run, compiled.script);
      run.including.pop();
      run.line = line;
      return flow;
    },
  };
}

/** With variables of its own; what it returns to is the script that included it, `stop` ends them all (section 3.3). */
function* runIncluded(run: Run, script: SieveScript): Steps<Flow> {
  const outer = run.scope;
  run.scope = newScope(script);
  const flow = yield* perform(script.body, run);
  run.scope = outer;
  return flow === 'stop' ? flow : undefined;
}

export const INCLUDE: Extension = {
  name: 'include',
  commands: [
    {
      name: 'include',
      tags: [
        { name: 'personal', argument: null, group: 'location' },
        { name: 'global', argument: null, group: 'location' },
        { name: 'once', argument: null },
        { name: 'optional', argument: null },
      ],
      positional: [{ name: 'name', type: 'string', isConstant: true }],
      compile: include,
    },
    { name: 'return', compile: () => ({ now: () => 'return' }) },
    {
      name: 'global',
      positional: [{ name: 'names', type: 'strings', isConstant: true }],
      compile(call) {
        if (!call.context.isOn('variables')) call.problem('global needs require "variables"');
        for (const name of call.needTexts('names').items) call.context.declareGlobal(name.constant!, name.line);
        return { now: () => undefined };
      },
    },
  ],
};
