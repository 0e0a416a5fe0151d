/** What a restriction is: one row of the tables in `restrictions/`. */
import type { AccessActions } from './actions.ts';
import type { PolicyConfig } from './config.ts';
import type { Check } from './engine.ts';
import type { PolicyContext } from './ports.ts';
import type { List, Need } from './stages.ts';
import type { MatchList } from '../../directory/tables/match-list.ts';
import type { Table } from '../../ports.ts';

/** For the function that makes a check out of a row and its argument. Throws WrongArgument or TableProblem. */
export interface Builder {
  readonly config: PolicyConfig;
  readonly context: PolicyContext;
  readonly actions: AccessActions;
  /** The list being compiled: what a bare table in an access table's result stands for depends on it. */
  readonly list: List;
  table(spec: string): Table;
  /** A list of networks or domains; `setting` names it in problems. */
  matchList(setting: string, entries: readonly string[], parentMatchesSubdomains?: boolean): MatchList;
}

export interface Restriction {
  /** The usual name first, then older ones that still work. */
  readonly names: readonly string[];
  /** What follows the name; undefined: nothing. */
  readonly argument?: 'type:table' | 'zone' | 'seconds' | 'server' | 'file';
  /** What it looks at. Without it in reach, the restriction cannot work in that list. */
  readonly needs?: Need;
  /** Lists in which it can work; all that know what it needs, when left out. */
  readonly lists?: readonly List[];
  /** Its answer depends on the recipient, or is to be had for each. */
  readonly isPerRecipient?: boolean;
  /** One sentence for the reference page. */
  readonly doc: string;
  build(argument: string, builder: Builder): Check;
}

/** What is wrong with a restriction's argument. */
export class WrongArgument extends Error {}
