/** The text of /etc/aliases: `name: destination, destination`, one logical line each. Pure. */
import { isSpace, type LineWarning, logicalLines } from '../../directory/tables/lines.ts';
import { TableProblem } from '../../directory/tables/errors.ts';
import { type Destination, parseDestinations } from '../../mail/destination.ts';

export interface AliasLine {
  /** From 1. */
  readonly line: number;
  readonly destinations: readonly Destination[];
}

export interface AliasFile {
  /** By name, in lower case, unquoted. */
  readonly names: ReadonlyMap<string, AliasLine>;
  readonly warnings: readonly LineWarning[];
}

/** Characters that a name has only within quotes. */
const QUOTED_ONLY = /[()<>,;@[\]]/;

/**
 * Reads a file of aliases. A name that is there twice counts as it stands first, and is warned of. Throws TableProblem, with the line, for
 * a line that is no alias and for a destination that makes no sense: passed over, it would take somebody's mail with it.
 */
export function parseAliasFile(text: string, file: string): AliasFile {
  const { lines, warnings } = logicalLines(text);
  // The one thing the lines can be warned of: white space before the first of them.
  if (warnings.length > 0) throw new TableProblem(file, warnings[0]!.line, 'the first line must not start with white space');
  const names = new Map<string, AliasLine>();
  for (const { text: whole, line } of lines) {
    const { name, end } = aliasName(whole, file, line);
    const read = parseDestinations(whole.slice(end), { form: 'value', line });
    if (read.problem !== undefined) throw new TableProblem(file, line, read.problem.text);
    if (read.destinations.length === 0) throw new TableProblem(file, line, `nothing stands behind "${name}:"`);
    for (const destination of read.destinations)
      if (destination.kind === 'invalid') throw new TableProblem(file, line, `"${destination.text.slice(0, 80)}": ${destination.problem}`);
    if (names.has(name)) warnings.push({ line, sentence: `the name "${name}" is there twice; the first one counts` });
    else names.set(name, { line, destinations: read.destinations });
  }
  return { names, warnings };
}

/** The name and the index just past its colon. */
function aliasName(text: string, file: string, line: number): { name: string; end: number } {
  let name = '';
  let isQuoted = false;
  let wasQuoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i]!;
    if (c === '\\' && i + 1 < text.length) {
      i += 1;
      name += text[i];
    } else if (c === '"') {
      isQuoted = !isQuoted;
      wasQuoted = true;
    } else if (isQuoted) name += c;
    else if (c === ':') {
      const trimmed = wasQuoted ? name : name.trim();
      if (trimmed === '') throw new TableProblem(file, line, 'there is no name before the colon');
      return { name: trimmed.toLowerCase(), end: i + 1 };
    } else if (QUOTED_ONLY.test(c))
      throw new TableProblem(file, line, c === '@' ? 'the name of an alias has no domain' : `"${c}" in a name must stand in double quotes`);
    else if (!(isSpace(c.charCodeAt(0)) && wasQuoted)) name += c;
  }
  throw new TableProblem(file, line, isQuoted ? 'a double quote does not end' : 'an alias is written as "name: destination"');
}
