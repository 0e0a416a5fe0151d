/** What the three SQL tables share: query, result_format, domain and expansion_limit of their files, and how rows become one value. */
import { TableError } from '../errors.ts';
import type { TableContext } from '../types.ts';
import { Answers } from './answers.ts';
import { domainGate } from './domains.ts';
import { Collected, keyNeeds, type KeyParts, keyParts, parseTemplate, type Template } from './expand.ts';
import { type Asker, askWithin, type KeyRules } from './file-table.ts';
import { ANSWER_BYTES_MAX, ROWS_MAX } from './limits.ts';
import type { TableParameters } from './parameters.ts';
import type { Link, LinkPool } from './pool.ts';
import { serverSetting } from './settings.ts';
import { compileSql, type Dialect, renderSql, type SqlTemplate } from './sql-template.ts';

/** Names in the files of all three. */
export const SQL_NAMES = [
  'query',
  'table',
  'select_field',
  'where_field',
  'additional_conditions',
  'result_format',
  'result_filter',
  'domain',
  'expansion_limit',
] as const;

export interface SqlQuery {
  readonly sql: SqlTemplate;
  readonly format: Template;
  readonly expansionLimit: number;
  readonly rules: KeyRules;
}

/** Reads what the query is. Throws TableProblem. */
export function readSqlQuery(parameters: TableParameters, dialect: Dialect, context: TableContext): SqlQuery {
  const text = queryText(parameters, dialect);
  const sql = compileSql(text, dialect);
  if ('wrong' in sql) throw parameters.problem('query', sql.wrong);
  // PostgreSQL and SQLite tables inherited LDAP's old name of this parameter.
  const name = parameters.has('result_format') ? 'result_format' : 'result_filter';
  const format = parseTemplate(parameters.text(name, '%s'));
  if ('wrong' in format) throw parameters.problem(name, format.wrong);
  if (sql.template.every((piece) => typeof piece === 'string'))
    context.log.info('table.warning', { table: context.name, file: parameters.file, cause: 'the query is the same for every key: it has no %s' });
  return {
    sql,
    format,
    expansionLimit: parameters.count('expansion_limit', 0, 0, ROWS_MAX),
    rules: { needs: keyNeeds([sql.template], format), gate: domainGate(parameters, context) },
  };
}

function queryText(parameters: TableParameters, dialect: Dialect): string {
  const query = parameters.text('query', '');
  if (query !== '') return query;
  const procedure = dialect === 'pgsql' ? parameters.text('select_function', '') : '';
  if (procedure !== '') return `SELECT ${procedure}('%s')`;
  if (!parameters.has('table') && !parameters.has('select_field')) parameters.needed('query');
  const [select, table, where] = [parameters.needed('select_field'), parameters.needed('table'), parameters.needed('where_field')];
  const more = parameters.text('additional_conditions', '');
  return `SELECT ${select} FROM ${table} WHERE ${where} = '%s'${more === '' ? '' : ` ${more}`}`;
}

/** Gathers the columns of all rows. Throws TableError beyond expansion_limit, or beyond what one answer may have. */
export class RowCollector {
  readonly #collected: Collected;
  readonly #table: string;
  readonly #limit: number;
  #rows = 0;

  constructor(query: SqlQuery, parts: KeyParts, table: string) {
    this.#collected = new Collected(query.format, query.expansionLimit, parts);
    this.#limit = query.expansionLimit;
    this.#table = table;
  }

  row(columns: readonly (string | null)[]): void {
    this.#rows += 1;
    if (this.#rows > ROWS_MAX) throw new TableError(this.#table, `the query gave more than ${ROWS_MAX} rows`);
    for (const column of columns)
      if (!this.#collected.add(column)) throw new TableError(this.#table, `the query gave more than expansion_limit = ${this.#limit} values`);
    if (this.#collected.length > ANSWER_BYTES_MAX) throw new TableError(this.#table, `the query gave more than ${ANSWER_BYTES_MAX} bytes`);
  }

  result(): string | null {
    return this.#collected.result();
  }
}

/** A connection that answers queries. */
export interface SqlLink extends Link {
  /** Calls `row` for each row, columns as the server writes them. Rejects with LinkLost, or with the server's own error; what `row` throws ends the link. */
  query(sql: string, row: (columns: readonly (string | null)[]) => void): Promise<void>;
}

/** The table over a pool of such connections. */
export function sqlAsker(query: SqlQuery, dialect: 'mysql' | 'pgsql', pool: LinkPool<SqlLink>, context: TableContext): Asker {
  const answers = new Answers(
    context,
    () => serverSetting(context, 'tables.queryTimeout'),
    async (key, signal) => {
      const parts = keyParts(key, query.rules.needs)!; // Only keys that have their parts get here.
      const sql = renderSql(query.sql, dialect, parts);
      return pool.use(async (link) => {
        const rows = new RowCollector(query, parts, context.name);
        await link.query(sql, (columns) => rows.row(columns));
        return rows.result();
      }, signal);
    },
  );
  return {
    find: (key, signal) => askWithin(query.rules, context, key, signal, (parts) => answers.find(parts.key, signal)),
    close() {
      answers.close();
      pool.close();
    },
  };
}
