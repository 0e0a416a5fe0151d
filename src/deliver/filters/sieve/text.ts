/**
 * Texts of a script: constants, or templates with variables (RFC 5229 section 3) that are put together when they are needed.
 * Encoded characters (RFC 5228 section 2.4.2.4) are decoded first, while compiling.
 */
import { MATCH_VARIABLES, VARIABLE_NAME_CHARS } from './limits.ts';
import type { Run } from './run.ts';

export interface Text {
  /** null: it holds variables. */
  readonly constant: string | null;
  readonly line: number;
  value(run: Run): string;
}

export interface Texts {
  readonly items: readonly Text[];
  /** null: one of them holds variables. */
  readonly constants: readonly string[] | null;
  readonly line: number;
  values(run: Run): readonly string[];
}

export function constantText(value: string, line: number): Text {
  return { constant: value, line, value: () => value };
}

export function textsOf(items: readonly Text[], line: number): Texts {
  const constants = items.every((item) => item.constant !== null) ? items.map((item) => item.constant!) : null;
  return { items, constants, line, values: constants === null ? (run) => items.map((item) => item.value(run)) : () => constants };
}

/** Where a variable's value is. */
export type VariableReference =
  | { readonly kind: 'slot'; readonly slot: number }
  | { readonly kind: 'global'; readonly name: string }
  /** Of a namespace that an extension serves (`env.`). */
  | { readonly kind: 'computed'; readonly value: (run: Run) => string };

/** Finds variables by name while a script is compiled. */
export interface VariableNames {
  /** `name` in lower case. A sentence when there can be no such variable. */
  reference(name: string): VariableReference | string;
}

export function readVariable(run: Run, reference: VariableReference): string {
  if (reference.kind === 'slot') return run.scope.values[reference.slot]!;
  return reference.kind === 'global' ? (run.globals.get(reference.name) ?? '') : reference.value(run);
}

/** Cuts at the limit (RFC 5229 section 6), never within a character. */
export function writeVariable(run: Run, reference: VariableReference, value: string): void {
  const most = run.limits.variableChars;
  let kept = value.length > most ? value.slice(0, most) : value;
  if (kept.length < value.length && /[\ud800-\udbff]$/.test(kept)) kept = kept.slice(0, -1);
  if (reference.kind === 'slot') run.scope.values[reference.slot] = kept;
  else if (reference.kind === 'global') run.globals.set(reference.name, kept);
}

type Piece = string | { readonly match: number } | { readonly variable: VariableReference };

/** variable-ref (RFC 5229 section 3): a name with namespaces, or the number of a match variable. */
const REFERENCE = /\$\{(?:([0-9]+)|([A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+))*))\}/g;
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/** A text whose variables are known; a sentence when one is wrong. */
export function templateText(source: string, line: number, names: VariableNames): Text | string {
  if (!source.includes('${')) return constantText(source, line);
  const pieces: Piece[] = [];
  let end = 0;
  REFERENCE.lastIndex = 0;
  for (const found of source.matchAll(REFERENCE)) {
    if (found.index > end) pieces.push(source.slice(end, found.index));
    end = found.index + found[0].length;
    const [, number, name] = found;
    if (number !== undefined) {
      const index = Number(number);
      if (index >= MATCH_VARIABLES) return `the match variable \${${number.slice(0, 20)}} is beyond the last one, \${${MATCH_VARIABLES - 1}}`;
      pieces.push({ match: index });
      continue;
    }
    if (name!.length > VARIABLE_NAME_CHARS) return `the name of a variable has more than ${VARIABLE_NAME_CHARS} characters`;
    const reference = names.reference(name!.toLowerCase());
    if (typeof reference === 'string') return reference;
    pieces.push({ variable: reference });
  }
  if (pieces.length === 0) return constantText(source, line);
  if (end < source.length) pieces.push(source.slice(end));
  return { constant: null, line, value: (run) => expand(pieces, run) };
}

function expand(pieces: readonly Piece[], run: Run): string {
  let out = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') out += piece;
    else if ('match' in piece) out += run.scope.matches[piece.match] ?? '';
    else out += readVariable(run, piece.variable);
    if (out.length > run.limits.textChars) run.fail('a text with its variables is too long');
  }
  run.charge(out.length >> 3);
  return out;
}

const ENCODED = /\$\{(hex|unicode):([0-9A-Fa-f \t\r\n]*)\}/gi;

/** RFC 5228 section 2.4.2.4. What does not follow the grammar stays as it is; a sentence for a character that does not exist. */
export function decodeEncodedCharacters(source: string): { text: string } | { problem: string } {
  if (!source.includes('${')) return { text: source };
  let problem: string | null = null;
  const text = source.replace(ENCODED, (whole, kind: string, list: string) => {
    const items = list.split(/[ \t\r\n]+/).filter((item) => item !== '');
    if (items.length === 0) return whole;
    if (kind.toLowerCase() === 'hex') {
      if (items.some((item) => item.length > 2)) return whole;
      return Buffer.from(items.map((item) => Number.parseInt(item, 16))).toString('utf8');
    }
    let out = '';
    for (const item of items) {
      const digits = item.replace(/^0+(?=.)/, '');
      const code = digits.length > 6 ? Number.POSITIVE_INFINITY : Number.parseInt(digits, 16);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        problem ??= `there is no Unicode character ${item.slice(0, 20)}`;
        return whole;
      }
      out += String.fromCodePoint(code);
    }
    return out;
  });
  return problem === null ? { text } : { problem };
}
