/** Tests of Sieve as values that can be joined, negated and written. */

export type Test =
  | { readonly kind: 'true' | 'false' }
  | { readonly kind: 'leaf'; readonly text: string /** Extensions for `require`. */; readonly requires: readonly string[] }
  | { readonly kind: 'not'; readonly test: Test }
  | { readonly kind: 'all' | 'any'; readonly tests: readonly Test[] };

export const TRUE: Test = { kind: 'true' };
export const FALSE: Test = { kind: 'false' };
export const leaf = (text: string, ...requires: string[]): Test => ({ kind: 'leaf', text, requires });

export function not(test: Test): Test {
  if (test.kind === 'true') return FALSE;
  if (test.kind === 'false') return TRUE;
  return test.kind === 'not' ? test.test : { kind: 'not', test };
}

export const all = (...tests: readonly Test[]): Test => joined('all', tests, 'true', 'false');
export const any = (...tests: readonly Test[]): Test => joined('any', tests, 'false', 'true');

/** `neutral` changes nothing, `absorbing` decides. */
function joined(kind: 'all' | 'any', tests: readonly Test[], neutral: 'true' | 'false', absorbing: 'true' | 'false'): Test {
  const flat = tests.flatMap((test) => (test.kind === kind ? test.tests : [test])).filter((test) => test.kind !== neutral);
  if (flat.some((test) => test.kind === absorbing)) return { kind: absorbing };
  if (flat.length === 0) return { kind: neutral };
  return flat.length === 1 ? flat[0]! : { kind, tests: flat };
}

/** Leaves of the test as it is written; counting ends at `most`. */
export function sizeOf(test: Test, most: number): number {
  if (test.kind === 'not') return sizeOf(test.test, most);
  if (test.kind !== 'all' && test.kind !== 'any') return 1;
  let sum = 0;
  for (const one of test.tests) {
    sum += sizeOf(one, most - sum);
    if (sum >= most) return most;
  }
  return sum;
}

export function depthOf(test: Test): number {
  if (test.kind === 'not') return 1 + depthOf(test.test);
  return test.kind === 'all' || test.kind === 'any' ? 1 + Math.max(...test.tests.map(depthOf)) : 1;
}

export function requiresOf(test: Test): readonly string[] {
  if (test.kind === 'leaf') return test.requires;
  if (test.kind === 'not') return requiresOf(test.test);
  return test.kind === 'all' || test.kind === 'any' ? test.tests.flatMap(requiresOf) : [];
}

/** Characters of a line beyond which a list of tests is written one a line. */
const LINE_CHARS = 110;

export function writeTest(test: Test, indent: string): string {
  switch (test.kind) {
    case 'true':
    case 'false':
      return test.kind;
    case 'leaf':
      return test.text;
    case 'not':
      return `not ${writeTest(test.test, indent)}`;
    case 'all':
    case 'any': {
      const inner = `${indent}    `;
      const parts = test.tests.map((one) => writeTest(one, inner));
      const line = `${test.kind}of(${parts.join(', ')})`;
      if (indent.length + line.length <= LINE_CHARS && !line.includes('\n')) return line;
      return `${test.kind}of(\n${parts.map((part) => inner + part).join(',\n')}\n${indent})`;
    }
  }
}

/** A quoted string (RFC 5228 section 2.4.2). */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
export const stringList = (texts: readonly string[]): string => (texts.length === 1 ? quoted(texts[0]!) : `[${texts.map(quoted).join(', ')}]`);

/** Says why something has no counterpart. */
export class NoCounterpart extends Error {}
