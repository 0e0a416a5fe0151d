/** `$1`, `${1}`, `$(1)` and `$$` in the result of a pattern rule. Pure. */
import { TABLE_LIMITS } from './limits.ts';

/** Texts and group numbers by turns. */
export type Replacement = readonly (string | number)[];

/** What is wrong with a result, in a sentence. */
export class ReplacementProblem extends Error {}

/** Throws ReplacementProblem for a bad reference or one beyond `groupCount`. Names take letters, digits and underscores, as macros do. */
export function parseReplacement(text: string, groupCount: number): Replacement {
  const parts: (string | number)[] = [];
  let literal = '';
  for (let at = 0; at < text.length; ) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1) {
      literal += text.slice(at);
      break;
    }
    literal += text.slice(at, dollar);
    if (text[dollar + 1] === '$') {
      literal += '$';
      at = dollar + 2;
      continue;
    }
    const { name, end } = reference(text, dollar);
    const index = /^\d{1,4}$/.test(name) ? Number(name) : -1;
    if (index === -1) throw new ReplacementProblem(`"$${name}" in the result is no number of a group; write \${n} before letters and $$ for a dollar sign`);
    if (index < 1 || index > groupCount) throw new ReplacementProblem(`"$${name}" in the result refers to a group that the pattern does not have`);
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(index);
    at = end;
  }
  if (literal !== '') parts.push(literal);
  return parts;
}

function reference(text: string, dollar: number): { name: string; end: number } {
  const open = text[dollar + 1];
  if (open === '{' || open === '(') {
    const end = text.indexOf(open === '{' ? '}' : ')', dollar);
    if (end === -1) throw new ReplacementProblem(`"${text.slice(dollar, dollar + 10)}" in the result has no closing bracket`);
    return { name: text.slice(dollar + 2, end), end: end + 1 };
  }
  const name = /^\w+/.exec(text.slice(dollar + 1, dollar + 64))?.[0];
  if (name === undefined) throw new ReplacementProblem('a "$" in the result is followed by no number; write $$ for a dollar sign');
  return { name, end: dollar + 1 + name.length };
}

/** Groups that took no part are empty. The result is cut at a limit: groups repeat what a peer sent. */
export function expand(replacement: Replacement, groups: readonly (string | undefined)[]): string {
  let text = '';
  for (const part of replacement) text += typeof part === 'string' ? part : (groups[part] ?? '');
  return text.length > TABLE_LIMITS.valueChars ? text.slice(0, TABLE_LIMITS.valueChars) : text;
}
