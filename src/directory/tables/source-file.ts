/** A table's file: read when opened, and again when it has changed. What cannot be read or makes no sense then leaves the old content. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { TableProblem } from './errors.ts';
import { TABLE_LIMITS } from './limits.ts';
import type { LineWarning } from './lines.ts';
import type { TableContext } from './types.ts';

export interface SourceFile<T> {
  /** The content now in force. Looks at the file at most once a second. */
  current(): T;
}

interface Stamp {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly size: number;
  readonly ino: number;
}

/**
 * Opens `path`; `parse` makes the content and may throw TableProblem. `missing` says what to do about a file that is not there.
 * Throws TableProblem.
 */
export function openSourceFile<T extends { readonly warnings: readonly LineWarning[] }>(
  path: string,
  context: TableContext,
  parse: (text: string, path: string) => T,
  missing?: (path: string) => string | undefined,
): SourceFile<T> {
  if (!isAbsolute(path)) throw new TableProblem(context.name, null, 'the file must be given with its full path, from "/" on');
  let stamp = look(path, context, missing);
  let content = parse(read(path, stamp, context), path);
  warn(content.warnings, path, context);
  let lookedAt = context.now();
  let failed: Stamp | null = null;

  const renew = (): void => {
    let seen: Stamp | null = null;
    try {
      seen = look(path, context, missing);
      if (isSame(seen, stamp) || (failed !== null && isSame(seen, failed))) return;
      const next = parse(read(path, seen, context), path);
      content = next;
      stamp = seen;
      failed = null;
      context.log.info('table.reloaded', { table: context.name, file: path });
      warn(next.warnings, path, context);
    } catch (error) {
      if (!(error instanceof TableProblem)) throw error;
      // Told once for each state of the file, not with every lookup.
      const state = seen ?? { mtimeMs: -1, ctimeMs: -1, size: -1, ino: -1 };
      if (failed === null || !isSame(state, failed)) context.log.error('table.reload.failed', { table: context.name, file: path, cause: error.message });
      failed = state;
    }
  };
  return {
    current: () => {
      const now = context.now();
      if (now - lookedAt >= TABLE_LIMITS.statIntervalMs) {
        lookedAt = now;
        renew();
      }
      return content;
    },
  };
}

const isSame = (a: Stamp, b: Stamp): boolean => a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.size === b.size && a.ino === b.ino;

function look(path: string, context: TableContext, missing: ((path: string) => string | undefined) | undefined): Stamp {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    throw new TableProblem(path, null, `the file cannot be reached (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
  if (stats === undefined) throw new TableProblem(path, null, missing?.(path) ?? 'there is no such file');
  if (!stats.isFile()) throw new TableProblem(path, null, 'this is no file');
  const most = context.settings()['tables.fileBytesMax'];
  if (stats.size > most) throw new TableProblem(path, null, `the file is larger than tables.fileBytesMax (${most} bytes)`);
  return { mtimeMs: stats.mtimeMs, ctimeMs: stats.ctimeMs, size: stats.size, ino: stats.ino };
}

function read(path: string, stamp: Stamp, context: TableContext): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TableProblem(path, null, `the file cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
  // It may have grown since it was looked at; what is too large is not parsed.
  if (bytes.length > Math.max(stamp.size, context.settings()['tables.fileBytesMax'])) throw new TableProblem(path, null, 'the file grows while it is read');
  return bytes.toString('utf8');
}

/** Logs what was passed over, the first few by line. */
export function warn(warnings: readonly LineWarning[], file: string, context: TableContext): void {
  for (const { line, sentence } of warnings.slice(0, TABLE_LIMITS.warnings))
    context.log.warn('table.warning', { table: context.name, file, line, cause: sentence });
  const more = warnings.length - TABLE_LIMITS.warnings;
  if (more > 0) context.log.warn('table.warning', { table: context.name, file, cause: `${more} more lines have something to be told of` });
}
