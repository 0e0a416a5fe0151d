/** What the makers of tables are given and give back; the interface to the rest of the server is `Table` in ports.ts. */
import type { Log, Table } from '../../ports.ts';
import type { TablesSettings } from './settings.ts';

/** What a type of table may use. */
export interface TableContext {
  /** The whole spec as written, "mysql:/etc/postfix/users.cf": the name to give the table and its errors. */
  readonly name: string;
  readonly log: Log;
  /** The values now in force. */
  settings(): TablesSettings;
  /** Unix time in milliseconds; does not step back. */
  now(): number;
  /** Opens another table (for those made of several). Throws TableProblem. */
  open(spec: string): Table;
}

export type ClosableTable = Table & {
  /** Lets go of connections and workers. */
  close?(): void;
};

/** Makes one table of `source`, the part after "type:". Throws TableProblem when the source is wrong; a server that is away is no problem here. */
export type TableOpener = (source: string, context: TableContext) => ClosableTable;

/** By type, in lower case: `{ mysql: openMysql, … }`. */
export type ServerTableOpeners = Readonly<Record<string, TableOpener>>;
