/** Files of members, `:include:/etc/lists/staff`: read once, and again when they change. */
import { statSync } from 'node:fs';
import { TableProblem } from '../../directory/tables/errors.ts';
import type { LineWarning } from '../../directory/tables/lines.ts';
import { openSourceFile, type SourceFile } from '../../directory/tables/source-file.ts';
import type { TableContext } from '../../directory/tables/types.ts';
import { type Destination, parseDestinations } from '../../mail/destination.ts';
import type { AliasFileSurroundings } from './database.ts';
import { type FileUser, isWorldWritable, ownerOf, passwdNames } from './owner.ts';

export type IncludeFile =
  | { readonly kind: 'file'; readonly destinations: readonly Destination[]; readonly user: FileUser }
  /** `text`: a sentence for the log and the report. */
  | { readonly kind: 'problem'; readonly isTemporary: boolean; readonly text: string };

export interface Includes {
  read(path: string): IncludeFile | Promise<IncludeFile>;
}

interface Content {
  readonly destinations: readonly Destination[];
  readonly user: FileUser;
  readonly warnings: readonly LineWarning[];
}

/** Files kept read; more are read again and again. */
const FILES_MAX = 1000;
/** What may be over in a minute. Anything else about a file is a mistake of whoever named it. */
const TEMPORARY: ReadonlySet<unknown> = new Set(['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT', 'EAGAIN', 'EINTR']);

export function createIncludes(surroundings: AliasFileSurroundings): Includes {
  const { log } = surroundings;
  const userName = surroundings.userName ?? passwdNames();
  const files = new Map<string, SourceFile<Content>>();
  const parse = (text: string, path: string): Content => {
    const stats = statSync(path);
    if (isWorldWritable(stats)) throw new TableProblem(path, null, 'everybody may write to this file; it is not followed');
    const read = parseDestinations(text, { form: 'lines' });
    if (read.problem !== undefined) throw new TableProblem(path, read.problem.line, read.problem.text);
    const warnings = read.destinations.flatMap((d) => (d.kind === 'invalid' ? [{ line: d.line, sentence: `"${d.text.slice(0, 80)}": ${d.problem}` }] : []));
    return { destinations: read.destinations, user: ownerOf(stats, userName), warnings };
  };
  return {
    read: (path) => {
      if (!path.startsWith('/')) return { kind: 'problem', isTemporary: false, text: `":include:${path.slice(0, 80)}" is no full path` };
      try {
        let file = files.get(path);
        if (file === undefined) {
          const context: TableContext = {
            name: `:include:${path}`,
            log,
            settings: () => surroundings.settings(),
            now: () => surroundings.now(),
            open: noTable,
          };
          file = openSourceFile(path, context, parse);
          if (files.size >= FILES_MAX) files.clear();
          files.set(path, file);
        }
        const { destinations, user } = file.current();
        return { kind: 'file', destinations, user };
      } catch (error) {
        if (!(error instanceof TableProblem)) throw error;
        log.error('alias.include.failed', { file: path, cause: error.message });
        return { kind: 'problem', isTemporary: TEMPORARY.has((error.cause as NodeJS.ErrnoException | undefined)?.code), text: error.message };
      }
    },
  };
}

function noTable(): never {
  throw new Error('a file of members opens no tables');
}
