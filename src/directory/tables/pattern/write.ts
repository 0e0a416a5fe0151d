/** Writes a parsed pattern in the syntax of JavaScript (no flags) or of RE2. */
import { DIGIT, EVERY, isSubset, negate, type Ranges, UNIT_MAX, WORD } from './ranges.ts';
import type { Node } from './tree.ts';

const hex = (code: number): string => code.toString(16).padStart(code > 0xff ? 4 : 2, '0');
const jsChar = (code: number): string => (isPlain(code) ? String.fromCharCode(code) : code > 0xff ? `\\u${hex(code)}` : `\\x${hex(code)}`);
const re2Char = (code: number): string => (isPlain(code) ? String.fromCharCode(code) : `\\x{${code.toString(16)}}`);
/** Letters, digits and a few signs that mean nothing anywhere. */
function isPlain(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || code === 0x5f || code === 0x40 || code === 0x20;
}

function writeSet(ranges: Ranges, char: (code: number) => string, wide: boolean): string {
  if (ranges.length === 2 && ranges[0] === ranges[1]) return char(ranges[0]!);
  if (ranges === DIGIT) return '[0-9]';
  const isInverted = ranges.length > 0 && ranges.at(-1) === UNIT_MAX;
  const inside = isInverted ? negate(ranges) : ranges;
  if (isInverted && inside.length === 0) return wide ? '(?s:.)' : '[^]';
  if (inside.length === 0) return wide ? '[^\\x{0}-\\x{10FFFF}]' : '[]';
  let text = isInverted ? '[^' : '[';
  for (let i = 0; i < inside.length; i += 2) {
    const [from, to] = [inside[i]!, inside[i + 1]!];
    text += char(from);
    if (to > from) text += `${to > from + 1 ? '-' : ''}${char(to)}`;
  }
  return `${text}]`;
}

const QUANTIFIERS: ReadonlyMap<string, string> = new Map([
  ['0,Infinity', '*'],
  ['1,Infinity', '+'],
  ['0,1', '?'],
]);
function quantifier(least: number, most: number): string {
  return QUANTIFIERS.get(`${least},${most}`) ?? (least === most ? `{${least}}` : most === Number.POSITIVE_INFINITY ? `{${least},}` : `{${least},${most}}`);
}

const JS_ASSERTIONS = {
  textStart: '^',
  textEnd: '$',
  textEndOrNewline: '(?=\\n?$)',
  // Not after a newline that is the last character, as PCRE has it.
  lineStart: '(?:^|(?<=\\n)(?=[^]))',
  lineEnd: '(?=\\n|$)',
  wordBoundary: '\\b',
  notWordBoundary: '\\B',
  wordStart: '\\b(?=\\w)',
  wordEnd: '\\b(?<=\\w)',
} as const;

export interface Written {
  readonly source: string;
  /** Where each group of the pattern is among those of `source`: its own number, unless atomic groups brought more. */
  readonly groupAt: readonly number[];
}

/** For `new RegExp(source)`. Atomic groups become a look-ahead that captures and a back-reference to it. */
export function writeJavaScript(root: Node, groupCount: number): Written {
  const groupAt: number[] = new Array(groupCount + 1).fill(0);
  let groups = 0;
  const write = (node: Node): string => {
    switch (node.kind) {
      case 'set':
        return writeSet(node.ranges, jsChar, false);
      case 'sequence':
        return node.items.map(writeInSequence).join('');
      case 'alternation':
        return node.options.map(write).join('|');
      case 'repeat': {
        if (node.mode === 'possessive') return atomic({ ...node, mode: 'greedy' });
        // JavaScript takes no turn of nothing: (?:a*?)? would go on until there is something. An alternative of nothing does not mind.
        if (node.least === 0 && node.most === 1 && node.body.kind !== 'set')
          return node.mode === 'lazy' ? `(?:|${write(node.body)})` : `(?:${write(node.body)}|)`;
        const count = quantifier(node.least, node.most);
        return `${node.body.kind === 'set' ? write(node.body) : `(?:${write(node.body)})`}${count}${node.mode === 'lazy' ? '?' : ''}`;
      }
      case 'group': {
        groups += 1;
        groupAt[node.index] = groups;
        return `(${write(node.body)})`;
      }
      case 'atomic':
        return atomic(node.body);
      case 'look':
        return `(?${node.isAhead ? '' : '<'}${node.isNegative ? '!' : '='}${write(node.body)})`;
      case 'backReference': {
        const reference = `\\${groupAt[node.index]}`;
        return node.ignoresCase ? `(?i:${reference})` : `(?:${reference})`;
      }
      case 'assertion':
        return JS_ASSERTIONS[node.what];
    }
  };
  const atomic = (body: Node): string => {
    groups += 1;
    const own = groups;
    return `(?=(${write(body)}))(?:\\${own})`;
  };
  const writeInSequence = (node: Node): string => (node.kind === 'alternation' ? `(?:${write(node)})` : write(node));
  return { source: write(root), groupAt };
}

/** For RE2 without flags, or null when it has no means: look-around, back-references, atomic groups. */
export function writeRe2(root: Node): string | null {
  let isPossible = true;
  const fail = (): string => {
    isPossible = false;
    return '';
  };
  /** `isLast`: nothing that takes a character follows. */
  const write = (node: Node, isLast: boolean, before: Node | null, after: Node | null): string => {
    switch (node.kind) {
      case 'set':
        return writeSet(node.ranges, re2Char, true);
      case 'sequence':
        return node.items
          .map((item, i) => {
            const text = write(
              item,
              isLast && node.items.slice(i + 1).every((next) => next.kind === 'assertion'),
              node.items[i - 1] ?? null,
              node.items[i + 1] ?? null,
            );
            return item.kind === 'alternation' ? `(?:${text})` : text;
          })
          .join('');
      case 'alternation':
        return node.options.map((option) => write(option, isLast, null, null)).join('|');
      case 'repeat': {
        if (node.mode === 'possessive') return fail();
        const body = write(node.body, isLast && node.most <= 1, null, null);
        return `${node.body.kind === 'set' ? body : `(?:${body})`}${quantifier(node.least, node.most)}${node.mode === 'lazy' ? '?' : ''}`;
      }
      case 'group':
        return `(${write(node.body, isLast, null, null)})`;
      case 'assertion':
        switch (node.what) {
          case 'textStart':
            return '\\A';
          case 'textEnd':
            return '\\z';
          case 'textEndOrNewline':
            return isLast ? '(?:\\n?\\z)' : fail();
          case 'lineStart':
            return '(?m:^)';
          case 'lineEnd':
            return '(?m:$)';
          case 'wordBoundary':
            return '\\b';
          case 'notWordBoundary':
            return '\\B';
          case 'wordStart':
            return startsWithWord(after) ? '\\b' : fail();
          case 'wordEnd':
            return startsWithWord(before) ? '\\b' : fail();
        }
        return fail();
      default:
        return fail();
    }
  };
  const source = write(root, true, null, null);
  return isPossible ? source : null;
}

/** One character of a word, or several: where a boundary beside it can only be on the other side. */
function startsWithWord(node: Node | null): boolean {
  if (node === null) return false;
  if (node.kind === 'set') return node.ranges !== EVERY && isSubset(node.ranges, WORD);
  if (node.kind === 'repeat') return node.least > 0 && node.body.kind === 'set' && startsWithWord(node.body);
  return false;
}
