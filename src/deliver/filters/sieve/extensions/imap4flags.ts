/** RFC 5232: flags of the message when it is stored. */
import type { Call } from '../call.ts';
import { flagList } from '../flags.ts';
import { matchTest } from '../match.ts';
import type { CommandSpec, Extension, PositionalSpec, Step } from '../registry.ts';
import type { Flow, Run } from '../run.ts';
import { readVariable, type Texts, type VariableReference, writeVariable } from '../text.ts';

const POSITIONAL: readonly PositionalSpec[] = [
  { name: 'variable', type: 'string', isOptional: true, isConstant: true },
  { name: 'flags', type: 'strings' },
];

/** The variable of a call; null: the internal one (section 3.2). */
function variableOf(call: Call): VariableReference | null {
  const text = call.text('variable');
  if (text === null) return null;
  if (!call.context.isOn('variables')) call.problem(`a variable for ${call.name} needs require "variables"`, text.line);
  return call.context.variable(text.constant!, text.line);
}

function current(run: Run, variable: VariableReference | null): readonly string[] {
  return variable === null ? run.flags : flagList([readVariable(run, variable)]);
}

function changing(name: string, change: (before: readonly string[], given: readonly string[]) => readonly string[]): CommandSpec {
  return {
    name,
    positional: POSITIONAL,
    compile(call): Step<Flow> {
      const variable = variableOf(call);
      const flags = call.needTexts('flags');
      return {
        now(run) {
          const after = change(current(run, variable), flagList(flags.values(run)));
          run.charge(after.length);
          if (variable === null) run.flags = after;
          else writeVariable(run, variable, after.join(' '));
          return undefined;
        },
      };
    },
  };
}

function without(before: readonly string[], given: readonly string[]): readonly string[] {
  const gone = new Set(given.map((flag) => flag.toLowerCase()));
  return before.filter((flag) => !gone.has(flag.toLowerCase()));
}

/** Section 4: variables are looked at as lists of flags. */
function hasFlag(call: Call): Step<boolean> {
  const names = call.texts('variables');
  if (names !== null && !call.context.isOn('variables')) call.problem('a variable for hasflag needs require "variables"', names.line);
  const variables = names?.items.map((name) => {
    if (name.constant === null) return call.problem('the name of a variable may not hold variables', name.line);
    return call.context.variable(name.constant, name.line);
  });
  const keys: Texts = call.needTexts('flags');
  const values = { now: (run: Run) => (variables === undefined ? run.flags : variables.flatMap((variable) => current(run, variable))) };
  // A key may hold several flags as well.
  const split: Texts = { ...keys, constants: null, items: keys.items, values: (run) => keys.values(run).flatMap((key) => words(key)) };
  const hasWords = keys.items.some((key) => key.constant === null || /\s/.test(key.constant));
  return matchTest(call, values, hasWords && !call.has(':matches') && !call.has(':regex') ? split : keys);
}

function words(text: string): string[] {
  return text.split(/[ \t\r\n]+/).filter((word) => word !== '');
}

const FLAGS_TAG = { name: 'flags', argument: 'strings' } as const;

export const IMAP4FLAGS: Extension = {
  name: 'imap4flags',
  commands: [
    changing('setflag', (_, given) => given),
    changing('addflag', (before, given) => flagList([...before, ...given])),
    changing('removeflag', without),
  ],
  tests: [
    {
      name: 'hasflag',
      tagSets: ['match'],
      positional: [
        { name: 'variables', type: 'strings', isOptional: true },
        { name: 'flags', type: 'strings' },
      ],
      compile: hasFlag,
    },
  ],
  tags: { keep: [FLAGS_TAG], fileinto: [FLAGS_TAG] },
};
