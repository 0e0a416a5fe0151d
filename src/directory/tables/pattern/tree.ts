/** A pattern once parsed. Flags are resolved while parsing: case is in the sets, the modes are in the assertions. */
import type { Ranges } from './ranges.ts';

export type Assertion =
  | 'textStart' // \A
  | 'textEnd' // \z
  | 'textEndOrNewline' // $ of PCRE: the end, or just before a newline that is the last character
  | 'lineStart' // ^ with m
  | 'lineEnd' // $ with m
  | 'wordBoundary' // \b
  | 'notWordBoundary' // \B
  | 'wordStart' // \<
  | 'wordEnd'; // \>

export type Node =
  | { readonly kind: 'set'; readonly ranges: Ranges }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'alternation'; readonly options: readonly Node[] }
  | { readonly kind: 'repeat'; readonly body: Node; readonly least: number; readonly most: number; readonly mode: 'greedy' | 'lazy' | 'possessive' }
  | { readonly kind: 'group'; readonly index: number; readonly body: Node }
  | { readonly kind: 'atomic'; readonly body: Node }
  | { readonly kind: 'look'; readonly isAhead: boolean; readonly isNegative: boolean; readonly body: Node }
  | { readonly kind: 'backReference'; readonly index: number; readonly ignoresCase: boolean }
  | { readonly kind: 'assertion'; readonly what: Assertion };

export interface Tree {
  readonly root: Node;
  /** Capturing groups; they are numbered from 1. */
  readonly groupCount: number;
}

/** What is wrong with a pattern, in a sentence; `at` is an offset into its source. */
export class PatternProblem extends Error {
  readonly at: number;
  constructor(at: number, sentence: string) {
    super(sentence);
    this.name = 'PatternProblem';
    this.at = at;
  }
}

export const EMPTY: Node = { kind: 'sequence', items: [] };
export const sequence = (items: readonly Node[]): Node => (items.length === 1 ? items[0]! : { kind: 'sequence', items });
export const alternation = (options: readonly Node[]): Node => (options.length === 1 ? options[0]! : { kind: 'alternation', options });

/** The nodes directly below. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'sequence':
      return node.items;
    case 'alternation':
      return node.options;
    case 'repeat':
    case 'group':
    case 'atomic':
    case 'look':
      return [node.body];
    default:
      return [];
  }
}

export const hasKind = (node: Node, kinds: ReadonlySet<Node['kind']>): boolean => kinds.has(node.kind) || children(node).some((child) => hasKind(child, kinds));
