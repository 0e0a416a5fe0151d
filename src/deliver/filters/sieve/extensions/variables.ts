/** RFC 5229: variables. Texts with "${…}" are in text.ts. */
import type { Call } from '../call.ts';
import { quoteGlob } from '../glob.ts';
import { matchTest } from '../match.ts';
import type { Extension, Step, TagSpec } from '../registry.ts';
import type { Flow, Run } from '../run.ts';
import { writeVariable } from '../text.ts';

/** Section 4.1: of one precedence only one may be given, which the group says; the highest is done first. */
interface Modifier {
  readonly name: string;
  readonly precedence: number;
  readonly needs?: string;
  readonly apply: (text: string) => string;
}

const MODIFIERS: readonly Modifier[] = [
  { name: 'lower', precedence: 40, apply: asciiLower },
  { name: 'upper', precedence: 40, apply: asciiUpper },
  { name: 'lowerfirst', precedence: 30, apply: (text) => asciiLower(text.slice(0, 1)) + text.slice(1) },
  { name: 'upperfirst', precedence: 30, apply: (text) => asciiUpper(text.slice(0, 1)) + text.slice(1) },
  { name: 'quotewildcard', precedence: 20, apply: quoteGlob },
  { name: 'quoteregex', precedence: 20, needs: 'regex', apply: (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') },
  { name: 'encodeurl', precedence: 15, needs: 'enotify', apply: encodeUrl },
  { name: 'length', precedence: 10, apply: (text) => String([...text].length) },
];

/** Section 4.1.1: letters beyond US-ASCII stay as they are. */
function asciiLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
function asciiUpper(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase());
}

/** RFC 5435 section 6: all octets but the unreserved characters of RFC 3986. */
function encodeUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Tags of what sets a variable. */
export const MODIFIER_TAGS: readonly TagSpec[] = MODIFIERS.map(({ name, precedence, needs }) => ({
  name,
  argument: null,
  group: `precedence ${precedence}`,
  ...(needs !== undefined && { needs }),
}));

/** All modifiers of a call, in the order of their precedence. */
export function modifierOf(call: Call): (run: Run, text: string) => string {
  const modifiers = MODIFIERS.filter((modifier) => call.has(`:${modifier.name}`)).sort((a, b) => b.precedence - a.precedence);
  return (run, value) => {
    let text = value;
    for (const { apply } of modifiers) {
      run.charge(text.length >> 2);
      text = apply(text);
    }
    return text;
  };
}

function set(call: Call): Step<Flow> {
  const name = call.needText('name');
  const variable = call.context.variable(name.constant!, name.line);
  const value = call.needText('value');
  const modify = modifierOf(call);
  return {
    now(run) {
      writeVariable(run, variable, modify(run, value.value(run)));
      return undefined;
    },
  };
}

export const VARIABLES: Extension = {
  name: 'variables',
  commands: [
    {
      name: 'set',
      tags: MODIFIER_TAGS,
      positional: [
        { name: 'name', type: 'string', isConstant: true },
        { name: 'value', type: 'string' },
      ],
      compile: set,
    },
  ],
  tests: [
    {
      // Section 5; with :count, texts that are empty do not count.
      name: 'string',
      tagSets: ['match'],
      positional: [
        { name: 'source', type: 'strings' },
        { name: 'keys', type: 'strings' },
      ],
      compile(call) {
        const source = call.needTexts('source');
        const isCount = call.has(':count');
        return matchTest(call, { now: (run) => (isCount ? source.values(run).filter((text) => text !== '') : source.values(run)) }, call.needTexts('keys'));
      },
    },
  ],
};
