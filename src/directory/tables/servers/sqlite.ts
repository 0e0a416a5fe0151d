/** sqlite:/file.cf: an SQLite database, opened for reading, asked in this thread and at once. */
import { dirname, isAbsolute, join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { TableError } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { type Asker, askWithin, fileMark, parameterFile, reloadingTable } from './file-table.ts';
import { FILE_CHECK_EVERY_MS } from './limits.ts';
import { type Known, readParameters, type TableParameters } from './parameters.ts';
import { readSqlQuery, RowCollector, SQL_NAMES, type SqlQuery } from './sql-table.ts';
import { sqliteStatement, sqliteValue, type SqlValue } from './sql-template.ts';
import type { KeyParts } from './expand.ts';

const KNOWN: Known = { names: ['dbpath', ...SQL_NAMES], ignored: new Map(), secrets: [] };
/** A writer holds the file this long at most before the lookup fails for now: the thread serves nobody meanwhile. */
const BUSY_MS = 50;

export function openSqlite(source: string, context: TableContext): ClosableTable {
  const file = parameterFile(source, context);
  return reloadingTable(file, context, () => make(readParameters(file, KNOWN, context), context));
}

interface Opened {
  readonly database: DatabaseSync;
  readonly statement: StatementSync;
  readonly inode: string;
}

function make(parameters: TableParameters, context: TableContext): Asker {
  const dbpath = parameters.needed('dbpath');
  const file = isAbsolute(dbpath) ? dbpath : join(dirname(parameters.file), dbpath);
  const query = readSqlQuery(parameters, 'sqlite', context);
  const compiled = sqliteStatement(query.sql);
  if ('wrong' in compiled) throw parameters.problem('query', compiled.wrong);
  let opened: Opened | null;
  try {
    opened = open(file, compiled.sql);
  } catch (cause) {
    const sentence = cause instanceof Error ? cause.message : String(cause);
    throw parameters.problem(/unable to open|not a database/.test(sentence) ? 'dbpath' : 'query', `${sentence} (${file})`);
  }
  let checkedAt = context.now();
  let isClosed = false;

  /** Another file may have been put in the place of the one that is open. */
  const current = (): Opened => {
    const now = context.now();
    if (now - checkedAt >= FILE_CHECK_EVERY_MS) {
      checkedAt = now;
      if (opened !== null && opened.inode !== inode(file)) {
        opened.database.close();
        opened = null;
      }
    }
    if (isClosed) throw new TableError(context.name, 'the table was closed');
    opened ??= open(file, compiled.sql);
    return opened;
  };
  return {
    find: (key, signal) =>
      askWithin(query.rules, context, key, signal, (parts) => {
        try {
          return ask(current(), compiled.values, query, parts, context.name);
        } catch (cause) {
          if (cause instanceof TableError) throw cause;
          throw new TableError(context.name, cause instanceof Error ? cause.message : String(cause), { cause });
        }
      }),
    close() {
      isClosed = true;
      opened?.database.close();
      opened = null;
    },
  };
}

/** Device and inode; the size and time change with every write. */
const inode = (file: string): string => fileMark(file).split(':').slice(0, 2).join(':');

function open(file: string, sql: string): Opened {
  const mark = inode(file);
  const database = new DatabaseSync(file, { readOnly: true, timeout: BUSY_MS, enableForeignKeyConstraints: false });
  try {
    const statement = database.prepare(sql);
    statement.setReturnArrays(true);
    // Numbers beyond 2^53 keep their digits, and whole REALs can be told from INTEGERs.
    statement.setReadBigInts(true);
    return { database, statement, inode: mark };
  } catch (error) {
    database.close();
    throw error;
  }
}

function ask(opened: Opened, values: readonly SqlValue[], query: SqlQuery, parts: KeyParts, table: string): string | null {
  const rows = new RowCollector(query, parts, table);
  // Of several columns only the first counts, as in Postfix: its other SQL tables take all of them.
  for (const row of opened.statement.iterate(...values.map((value) => sqliteValue(value, parts)))) rows.row([columnText((row as unknown as unknown[])[0])]);
  return rows.result();
}

/** As sqlite3_column_text() would write it. */
export function columnText(value: unknown): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  if (typeof value !== 'number') throw new TypeError(`an SQLite column of type ${typeof value}`);
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  return realText(value);
}

/** "%!.15g" of SQLite: 15 digits, always a decimal point, an exponent below 1e-4 and from 1e15. */
function realText(value: number): string {
  const [mantissa, exponentText] = value.toExponential(14).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 15) {
    const text = String(Number(value.toPrecision(15)));
    return text.includes('.') ? text : `${text}.0`;
  }
  const digits = mantissa!.replace(/(\.\d+?)0*$/, '$1');
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
