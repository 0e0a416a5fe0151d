/**
 * Texts with macros, as in default_rbl_reply: $name, ${name}, $(name), ${name?text}, ${name:text}, ${name?{text}:{text}}, $$.
 * Compiled once; values never introduce macros of their own.
 */

export type MacroValues = (name: string) => string;
type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly name: string }
  | { readonly kind: 'choice'; readonly name: string; readonly filled: Template; readonly empty: Template };
export type Template = readonly Part[];

const NESTING_MAX = 20;

/** The template, or a sentence. `known`: the names that may be used. */
export function compileTemplate(text: string, known: ReadonlySet<string>, nesting = 0): Template | string {
  if (nesting > NESTING_MAX) return 'macros are nested too deeply';
  const parts: Part[] = [];
  let plain = '';
  const flush = (): void => {
    if (plain !== '') parts.push({ kind: 'text', text: plain });
    plain = '';
  };
  for (let at = 0; at < text.length; ) {
    if (text[at] !== '$') {
      plain += text[at];
      at += 1;
      continue;
    }
    if (text[at + 1] === '$') {
      plain += '$';
      at += 2;
      continue;
    }
    flush();
    const open = text[at + 1];
    if (open !== '{' && open !== '(') {
      const name = /^\w+/.exec(text.slice(at + 1, at + 1 + NAME_CHARACTERS_MAX))?.[0];
      if (name === undefined) return `a "$" without a name after it in "${text}"; write $$ for a dollar sign`;
      if (!known.has(name)) return `unknown macro "$${name}"`;
      parts.push({ kind: 'value', name });
      at += 1 + name.length;
      continue;
    }
    const end = matching(text, at + 1, open, open === '{' ? '}' : ')');
    if (end === -1) return `"${text.slice(at)}" does not end`;
    const part = compileExpression(text.slice(at + 2, end), known, nesting);
    if (typeof part === 'string') return part;
    parts.push(part);
    at = end + 1;
  }
  flush();
  return parts;
}
const NAME_CHARACTERS_MAX = 64;

/** Index of the bracket that closes the one at `at`, or -1. */
function matching(text: string, at: number, open: string, close: string): number {
  let depth = 0;
  for (let index = at; index < text.length; index += 1) {
    if (text[index] === open) depth += 1;
    else if (text[index] === close) {
      depth -= 1;
      if (depth === 0) return index;
    }
  }
  return -1;
}

function compileExpression(inner: string, known: ReadonlySet<string>, nesting: number): Part | string {
  const name = /^\w*/.exec(inner)![0];
  const rest = inner.slice(name.length);
  if (!known.has(name)) return `unknown macro "\${${name}}"`;
  if (rest === '') return { kind: 'value', name };
  const operator = rest[0];
  if (operator !== '?' && operator !== ':') return `"\${${inner}}": "?" or ":" may follow the name`;
  let filled = '';
  let empty = '';
  const first = operand(rest.slice(1));
  if (first === null) return `"\${${inner}}": its braces do not match`;
  if (operator === ':') {
    if (first.rest !== '') return `"\${${inner}}": something follows the text`;
    empty = first.text;
  } else {
    filled = first.text;
    if (first.rest !== '') {
      const second = first.rest.startsWith(':') ? operand(first.rest.slice(1)) : null;
      if (second === null || second.rest !== '') return `"\${${inner}}": ":" and a text may follow`;
      empty = second.text;
    }
  }
  const whenFilled = compileTemplate(filled, known, nesting + 1);
  if (typeof whenFilled === 'string') return whenFilled;
  const whenEmpty = compileTemplate(empty, known, nesting + 1);
  return typeof whenEmpty === 'string' ? whenEmpty : { kind: 'choice', name, filled: whenFilled, empty: whenEmpty };
}

/** A text in braces with what follows it, or all there is. */
function operand(text: string): { text: string; rest: string } | null {
  const at = text.search(/\S/);
  if (at === -1 || text[at] !== '{') return { text, rest: '' };
  const end = matching(text, at, '{', '}');
  return end === -1 ? null : { text: text.slice(at + 1, end), rest: text.slice(end + 1).trim() };
}

export function expandTemplate(template: Template, values: MacroValues): string {
  let out = '';
  for (const part of template) {
    if (part.kind === 'text') out += part.text;
    else if (part.kind === 'value') out += harmless(values(part.name));
    else out += expandTemplate(values(part.name) === '' ? part.empty : part.filled, values);
  }
  return out;
}

/** What others gave us stands in replies as printable ASCII (Postfix: smtpd_expansion_filter). */
function harmless(value: string): string {
  return value.replace(/[^\x20-\x7e]/g, '_');
}
