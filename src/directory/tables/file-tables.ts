/** The tables made from text files: indexed ones by their source text, regexp, pcre and cidr. */
import { existsSync } from 'node:fs';
import { inlineFile } from './braces.ts';
import { parseCidrFile } from './cidr-file.ts';
import { TableError } from './errors.ts';
import type { LineWarning } from './lines.ts';
import { type Flavour, PatternTimeout } from './pattern/compile.ts';
import { matchRules, type PatternFile, type PatternFileOptions, type PatternHit, parsePatternFile } from './pattern-file.ts';
import { openSourceFile, type SourceFile, warn } from './source-file.ts';
import { parseTextFile } from './text-file.ts';
import type { ClosableTable, TableContext, TableOpener } from './types.ts';

/** What the compiled file of a type is called, beside the text file it was made from. */
const COMPILED: Readonly<Record<string, string>> = { hash: '.db', btree: '.db', lmdb: '.lmdb', cdb: '.cdb', dbm: '.dir', sdbm: '.dir' };

/** texthash, and hash, btree, lmdb, cdb, dbm, sdbm by the text that postmap makes them from: one reading of one format. */
export function textTable(type: string): TableOpener {
  const suffix = COMPILED[type];
  return (path, context) => {
    const file = openSourceFile(path, context, parseTextFile, (wanted) =>
      suffix !== undefined && existsSync(wanted + suffix)
        ? `there is only the compiled file ${wanted + suffix}; the text file ${wanted} that it was made from is what is read here`
        : undefined,
    );
    return {
      name: context.name,
      kind: 'fixed',
      find: (key) => file.current().pairs.get(key.toLowerCase()) ?? null,
      entries: () => file.current().pairs,
    };
  };
}

/** Content in braces has no file that could change. */
function contentOf<T extends { readonly warnings: readonly LineWarning[] }>(
  source: string,
  context: TableContext,
  parse: (text: string, file: string) => T,
): SourceFile<T> {
  const inline = inlineFile(source, context.name);
  if (inline === null) return openSourceFile(source, context, parse);
  const content = parse(inline, context.name);
  warn(content.warnings, context.name, context);
  return { current: () => content };
}

/**
 * The rules of a regexp or pcre table: of the file `source`, read again when it changes, or of `{ {rule}, {rule} }`. For tables, and for
 * header_checks and body_checks, which walk the rules themselves (`matchRules`). Throws TableProblem.
 */
export function openPatternFile(source: string, flavour: Flavour, context: TableContext, checkResult?: (result: string) => void): SourceFile<PatternFile> {
  return contentOf(source, context, (text, path) => {
    const options: PatternFileOptions = { rulesMax: context.settings()['tables.patternsMax'], deadlineMs: () => context.settings()['tables.patternDeadline'] };
    return parsePatternFile(text, flavour, path, checkResult === undefined ? options : { ...options, checkResult });
  });
}

export function patternTable(flavour: Flavour): TableOpener {
  return (source, context): ClosableTable => {
    const file = openPatternFile(source, flavour, context);
    const failure = (cause: unknown): never => {
      if (cause instanceof PatternTimeout) throw new TableError(context.name, cause.message, { cause });
      throw cause;
    };
    const resultOf = (hit: PatternHit | null): string | null => (hit === null ? null : hit.result);
    return {
      name: context.name,
      kind: 'pattern',
      find: (key) => {
        const most = context.settings()['tables.keyBytesMax'];
        const answer = matchRules(file.current().rules, key.length > most ? key.slice(0, most) : key);
        return answer instanceof Promise ? answer.then(resultOf, failure) : resultOf(answer);
      },
      entries: () =>
        file
          .current()
          .rules.filter((rule) => rule.skipTo === 0)
          .map((rule) => [`${rule.isNegated ? '!' : ''}${rule.source}`, rule.result] as const),
    };
  };
}

export const cidrTable: TableOpener = (source, context) => {
  const file = contentOf(source, context, (text, path) => parseCidrFile(text, path, context.settings()['tables.patternsMax']));
  return { name: context.name, kind: 'pattern', find: (key) => file.current().find(key), entries: () => file.current().entries() };
};
