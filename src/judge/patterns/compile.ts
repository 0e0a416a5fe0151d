/** Opens the tables that `[patterns]` names. Throws TableProblem. */
import type { Table, Tables } from '../../ports.ts';
import type { PatternTables } from './filter.ts';
import type { PatternsSettings } from './settings.ts';

/** null: nothing to ask about, messages pass untouched. */
export function compilePatterns(settings: PatternsSettings, tables: Tables): PatternTables | null {
  const header = settings['patterns.headerChecks'].map((spec) => tables.open(spec));
  const open = (specs: readonly string[]): Table[] => specs.flatMap((spec) => (spec === '$headerChecks' ? header : [tables.open(spec)]));
  const made: PatternTables = {
    header,
    mime: open(settings['patterns.mimeHeaderChecks']),
    nested: open(settings['patterns.nestedHeaderChecks']),
    body: settings['patterns.bodyChecks'].map((spec) => tables.open(spec)),
    bodyBytesMax: settings['patterns.bodyBytesMax'],
    headerBytesMax: settings['patterns.headerBytesMax'],
  };
  return made.header.length + made.mime.length + made.nested.length + made.body.length === 0 ? null : made;
}
