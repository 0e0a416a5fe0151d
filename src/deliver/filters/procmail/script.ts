/** What a procmail rc file says, ready to be run: a flat list, so that a copy of a run (`c` on a block) can go on anywhere. */
import type { FilterProblem } from '../filter.ts';
import type { CompiledExpression } from './regex.ts';
import type { Word } from './word.ts';

export interface Weight {
  readonly first: number;
  readonly factor: number;
}

/** `H ??`, `B ??`, `HB ??` or a variable's name; null: what the recipe's flags say. */
export type Area = { readonly kind: 'header' | 'body' | 'both' } | { readonly kind: 'variable'; readonly name: string };

interface ConditionBase {
  readonly weight: Weight | null;
  readonly isNegated: boolean;
  /** As written, for the log. */
  readonly text: string;
}

export type Condition = ConditionBase &
  (
    | { readonly kind: 'regex'; readonly area: Area | null; readonly compiled: CompiledExpression }
    | { readonly kind: 'program'; readonly area: Area | null; readonly program: Program }
    | { readonly kind: 'size'; readonly area: Area | null; readonly operator: '<' | '>'; readonly words: readonly Word[] }
    /** `$`: the rest is expanded and read again. */
    | { readonly kind: 'expanded'; readonly area: Area | null; readonly word: Word }
  );

/** A command line as written, and as words for when no shell is needed. */
export interface Program {
  readonly line: string;
  readonly words: readonly Word[];
}

export type RecipeAction =
  | { readonly kind: 'folder'; readonly words: readonly Word[] }
  | { readonly kind: 'pipe'; readonly program: Program }
  | { readonly kind: 'capture'; readonly variable: string; readonly program: Program }
  | { readonly kind: 'forward'; readonly words: readonly Word[] }
  /** `end`: index of the statement after the closing brace. */
  | { readonly kind: 'block'; readonly end: number };

export interface Recipe {
  readonly kind: 'recipe';
  readonly line: number;
  /** Of the action. */
  readonly actionLine: number;
  /** The letters, each at most once; unknown ones left out. */
  readonly flags: ReadonlySet<string>;
  /** undefined: none; null: named after the destination. */
  readonly lock: Word | null | undefined;
  readonly conditions: readonly Condition[];
  readonly action: RecipeAction;
}

export type Statement =
  | { readonly kind: 'assign'; readonly line: number; readonly name: string /** null: unset. */; readonly value: Word | null }
  | Recipe
  | { readonly kind: 'end' }
  /** What the file says and procmail skips; told in the log when it is passed. */
  | { readonly kind: 'complaint'; readonly line: number; readonly text: string };

export interface ProcmailScript {
  readonly file: string;
  readonly statements: readonly Statement[];
  readonly problems: readonly FilterProblem[];
}
