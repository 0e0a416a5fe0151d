/**
 * A parsed `.mailfilter`: what parse.ts makes and run.ts walks. All texts have one character per byte of the file, so that nothing is
 * lost that is not UTF-8; values.ts turns them into Unicode where that is wanted.
 */
import type { PatternCache } from './pattern.ts';

export interface MaildropScript {
  /** As the user would name it. */
  readonly file: string;
  readonly statements: readonly Statement[];
  /** What its patterns were compiled to, kept from message to message. */
  readonly patterns: PatternCache;
}

export type Statement = { readonly line: number } & (
  | { readonly kind: 'evaluate'; readonly value: Expression }
  | { readonly kind: 'block'; readonly body: readonly Statement[] }
  | { readonly kind: 'if'; readonly test: Expression; readonly body: Statement; readonly otherwise: Statement | null }
  | { readonly kind: 'while'; readonly test: Expression; readonly body: Statement }
  | { readonly kind: 'foreach'; readonly subject: Expression | null; readonly pattern: Pattern; readonly body: Statement }
  | { readonly kind: 'exception'; readonly body: readonly Statement[] }
  | { readonly kind: 'locked'; readonly style: 'dot' | 'flock'; readonly path: Expression; readonly body: readonly Statement[] }
  | { readonly kind: 'deliver'; readonly isFinal: boolean; readonly target: Expression }
  | { readonly kind: 'simple'; readonly word: 'echo' | 'log' | 'logfile' | 'include' | 'system' | 'xfilter'; readonly value: Expression }
  | { readonly kind: 'import' | 'unset'; readonly name: string }
  | { readonly kind: 'exit' }
);

export type Binary = '|' | '&' | '+' | '-' | '*' | '/' | '<' | '<=' | '>' | '>=' | '==' | '!=' | 'lt' | 'le' | 'gt' | 'ge' | 'eq' | 'ne';
export type FunctionName =
  | 'escape'
  | 'length'
  | 'substr'
  | 'tolower'
  | 'toupper'
  | 'hasaddr'
  | 'getaddr'
  | 'lookup'
  | 'time'
  | 'gdbmopen'
  | 'gdbmclose'
  | 'gdbmfetch'
  | 'gdbmstore';

/** `needs`: asks something of the driver (backquotes, lookup), so it cannot be evaluated in one go. */
export type Expression = { readonly needs: boolean } & (
  | { readonly kind: 'text'; readonly parts: readonly TextPart[] }
  | { readonly kind: 'assign'; readonly name: string; readonly value: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'binary'; readonly operator: Binary; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not' | 'complement'; readonly value: Expression }
  | { readonly kind: 'match'; readonly subject: Expression | null; readonly pattern: Pattern }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly Expression[] }
);

/** `literal` of single quotes stays as it is; in the others "$name" and "${name}" are replaced; `command` is run. */
export interface TextPart {
  readonly kind: 'literal' | 'substituted' | 'command';
  readonly text: string;
}

export interface Pattern {
  readonly line: number;
  /** Between the slashes, "\/" still written so; variables in it are replaced when it is used. */
  readonly source: string;
  readonly inHeader: boolean;
  readonly inBody: boolean;
  readonly isCaseSensitive: boolean;
  /** null: found or not. Otherwise the worth of the first occurrence, and what each further one is multiplied with. */
  readonly weights: { readonly first: number; readonly factor: number } | null;
}
