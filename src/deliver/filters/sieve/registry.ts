/**
 * What an extension is: rows that say which words it brings, and functions that turn a checked use of them into steps.
 * The compiler (compiler.ts) reads these rows only; README.md, "Add an extension", shows how to write one.
 */
import type { Flow, Run, Steps } from './run.ts';
import type { Call } from './call.ts';
import type { FieldSource } from './fields.ts';

export type ArgumentType = 'string' | 'strings' | 'number';

/** A tagged argument. */
export interface TagSpec {
  /** Lower case, without the colon. */
  readonly name: string;
  /** What follows the tag; null: nothing. */
  readonly argument: ArgumentType | null;
  /** Of the tags of one group at most one may be given: 'match', 'addressPart', 'comparator'. */
  readonly group?: string;
  /** Extension that must be required for it. Filled in for tags that an extension adds to the words of others. */
  readonly needs?: string;
  /** The text may not hold variables. */
  readonly isConstant?: boolean;
}

export interface PositionalSpec {
  readonly name: string;
  readonly type: ArgumentType;
  /** May be left out; at most one of a word's positional arguments may. */
  readonly isOptional?: boolean;
  readonly isConstant?: boolean;
}

interface WordSpec {
  /** Lower case. */
  readonly name: string;
  readonly tags?: readonly TagSpec[];
  /** Shared sets of tags: 'match' (:is …, :comparator), 'addressPart', 'index', 'mime', 'mimeOptions' and whatever an extension names. */
  readonly tagSets?: readonly string[];
  readonly positional?: readonly PositionalSpec[];
  /** Tests it takes: none when left out. */
  readonly tests?: 'none' | 'one' | 'list';
}

/**
 * A step is one of two: `now` answers at once; `ask` is a generator, for what needs an answer from the driver.
 * Whole scripts whose steps are all `now` run without a generator.
 */
export type Step<T> =
  | { readonly now: (run: Run) => T; readonly ask?: undefined /** Known while compiling (`true`, `ihave`). */; readonly constant?: T }
  | { readonly ask: (run: Run) => Steps<T>; readonly now?: undefined; readonly constant?: undefined };

export interface CommandSpec extends WordSpec {
  readonly hasBlock?: boolean;
  readonly compile: (call: Call) => Step<Flow>;
}

export interface TestSpec extends WordSpec {
  readonly compile: (call: Call) => Step<boolean>;
}

export interface Extension {
  /** As in `require`. */
  readonly name: string;
  /** Other extensions that requiring it switches on. */
  readonly implies?: readonly string[];
  readonly commands?: readonly CommandSpec[];
  readonly tests?: readonly TestSpec[];
  /** Tags added to words of other extensions ("fileinto"), or to shared sets ("@match"): name of the word or set → tags. */
  readonly tags?: Readonly<Record<string, readonly TagSpec[]>>;
  /** Variables it computes: name of the namespace → value by the rest of the name. */
  readonly namespaces?: Readonly<Record<string, (run: Run, name: string) => string>>;
  /** Another place where header, address and exists look for fields (`:mime`); null when the call's tags do not ask for it. */
  readonly fieldSource?: (call: Call) => FieldSource | null;
  /** Never listed in ManageSieve's SIEVE line (it is required implicitly or belongs to another row). */
  readonly isHidden?: boolean;
}

/** Which extensions scripts may require, and what they may reach. */
export interface SieveExtensions {
  /** Names of those that are on; `DEFAULT_EXTENSIONS` in extension-names.ts has all but the programs and a few. */
  readonly names: ReadonlySet<string>;
  /** Names that `vnd.dovecot.pipe`, `filter` and `execute` may start; null: any valid name (the driver decides). */
  readonly programs: ReadonlySet<string> | null;
  /** External lists (RFC 6134) that exist. */
  readonly lists: ReadonlySet<string>;
  /** Characters one of which separates user and detail (RFC 5233): "+". */
  readonly detailDelimiters: string;
  /** Header fields that editheader may not touch, lower case; Received and Auto-Submitted always are. */
  readonly protectedHeaders: ReadonlySet<string>;
  /** Notification methods (RFC 5435): "mailto". */
  readonly notifyMethods: readonly string[];
}
