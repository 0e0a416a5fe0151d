/** pgsql:/file.cf: PostgreSQL, with the parameters of Postfix's pgsql_table(5). */
import type { Client, ClientConfig, CustomTypesConfig, Query, QueryConfig } from 'pg';
import { TableError } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { authoritiesOf, pemOf } from './certificates.ts';
import { type Asker, parameterFile, reloadingTable } from './file-table.ts';
import { parseServerAddress, type ServerAddress, showAddress } from './hosts.ts';
import { HOSTS_MAX } from './limits.ts';
import { type Known, readParameters, type TableParameters } from './parameters.ts';
import { isTls, parsePostgresUri, type PostgresUri, type SslMode } from './pgsql-uri.ts';
import { LinkLost, LinkPool, type PoolServer } from './pool.ts';
import { serverSetting } from './settings.ts';
import { readSqlQuery, SQL_NAMES, sqlAsker, type SqlLink } from './sql-table.ts';

const KNOWN: Known = {
  names: ['hosts', 'user', 'password', 'dbname', 'select_function', ...SQL_NAMES],
  ignored: new Map([
    ['encoding', 'connections speak UTF8; the server translates'],
    ['idle_interval', 'see the option tables.connectionIdle'],
    ['retry_interval', 'see the option tables.serverCooldown'],
  ]),
  secrets: ['password'],
};
const PORT = 5432;

export function openPgsql(source: string, context: TableContext): ClosableTable {
  const file = parameterFile(source, context);
  return reloadingTable(file, context, () => make(readParameters(file, KNOWN, context), context));
}

function make(parameters: TableParameters, context: TableContext): Asker {
  const words = parameters.words('hosts', 'localhost');
  if (words.length === 0 || words.length > HOSTS_MAX) throw parameters.problem('hosts', `must name 1 to ${HOSTS_MAX} servers`);
  const targets = words.map((word) => targetOf(word, parameters));
  const query = readSqlQuery(parameters, 'pgsql', context);
  const server = (target: Target): PoolServer<SqlLink> => ({ name: showAddress(target.address), connect: (signal) => connect(target, context, signal) });
  const groups = [
    targets.filter((target) => target.address.kind === 'unix').map(server),
    targets.filter((target) => target.address.kind === 'tcp').map(server),
  ];
  return sqlAsker(query, 'pgsql', new LinkPool(context, groups), context);
}

interface Target {
  readonly address: ServerAddress;
  readonly port: number;
  readonly uri: PostgresUri;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

function targetOf(word: string, parameters: TableParameters): Target {
  const isUri = /^postgres(?:ql)?:\/\//.test(word);
  const uri = isUri ? parsePostgresUri(word) : {};
  if ('wrong' in uri) throw parameters.problem('hosts', `"${word.replace(/:[^:@/]*@/, ':***@')}": ${uri.wrong}`);
  const port = uri.port ?? PORT;
  const address = isUri ? addressOf(uri, port) : parseServerAddress(word, port);
  if (address === null) throw parameters.problem('hosts', `"${word}" is not host, host:port, inet:host:port, unix:/folder or postgresql://…`);
  const user = uri.user ?? parameters.text('user', '');
  return { address, port, uri, user, password: uri.password ?? parameters.text('password', ''), database: uri.database ?? parameters.text('dbname', user) };
}

function addressOf(uri: PostgresUri, port: number): ServerAddress {
  const host = uri.host ?? 'localhost';
  return host.startsWith('/') ? { kind: 'unix', path: host } : { kind: 'tcp', host, port };
}

async function connect(target: Target, context: TableContext, signal: AbortSignal): Promise<SqlLink> {
  const mode = target.address.kind === 'unix' ? 'disable' : (target.uri.sslmode ?? 'prefer');
  try {
    return await connectAs(target, mode, isTls(mode), context, signal);
  } catch (error) {
    // "prefer", the default of PostgreSQL's own library: in clear when the server has no TLS.
    if (mode === 'prefer' && error instanceof LinkLost && /does not support SSL/.test(error.message)) return connectAs(target, mode, false, context, signal);
    throw error;
  }
}

const TEXT_TYPES = { getTypeParser: () => (value: string) => value } as unknown as CustomTypesConfig;

async function connectAs(target: Target, mode: SslMode, withTls: boolean, context: TableContext, signal: AbortSignal): Promise<SqlLink> {
  const { default: pg } = await import('pg');
  const config: ClientConfig = {
    host: target.address.kind === 'unix' ? target.address.path : target.address.host,
    port: target.port,
    user: target.user === '' ? undefined : target.user,
    // A function, and never empty-handed: the library would look into ~/.pgpass otherwise.
    password: () => target.password,
    database: target.database === '' ? undefined : target.database,
    application_name: target.uri.applicationName ?? 'posthorn',
    ssl: withTls ? tlsOptions(mode, target.uri) : false,
    types: TEXT_TYPES,
  };
  const client = new pg.Client(config);
  const link = new PgsqlLink(client, pg.Query, context);
  const onAbort = (): void => link.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    // Doubled quotes are all the escaping that keys get: no backslash may mean anything. The server ends what nobody waits for any more.
    await client.query(`SET standard_conforming_strings = on; SET statement_timeout = ${serverSetting(context, 'tables.queryTimeout')}`);
    link.isReady = true;
    return link;
  } catch (error) {
    link.close();
    throw new LinkLost(errorText(error), { cause: error });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function tlsOptions(mode: SslMode, uri: PostgresUri): ClientConfig['ssl'] {
  const isChecked = mode === 'verify-ca' || mode === 'verify-full' || (mode === 'require' && uri.sslrootcert !== undefined);
  return {
    ca: uri.sslrootcert === 'system' ? undefined : authoritiesOf(uri.sslrootcert ?? '', ''),
    cert: pemOf(uri.sslcert ?? ''),
    key: pemOf(uri.sslkey ?? ''),
    rejectUnauthorized: isChecked,
    // The library checks the name, too, unless told otherwise; only verify-full asks for that.
    ...(isChecked && mode !== 'verify-full' ? { checkServerIdentity: () => undefined } : {}),
  };
}

interface ServerError {
  readonly message?: string;
  readonly code?: string;
  readonly severity?: string;
}
function errorText(error: unknown): string {
  const { message, code } = error as ServerError;
  return message !== undefined && message !== '' ? message : (code ?? 'the connection failed');
}

class PgsqlLink implements SqlLink {
  isOpen = true;
  /** It has logged in. */
  isReady = false;
  readonly #client: Client;
  readonly #Query: typeof Query;
  readonly #context: TableContext;
  #fail: ((error: Error) => void) | null = null;

  constructor(client: Client, queryClass: typeof Query, context: TableContext) {
    this.#client = client;
    this.#Query = queryClass;
    this.#context = context;
    // Also for an idle connection that the server closes: it is then not used again.
    client.on('error', (error) => this.#lost(errorText(error)));
    client.on('end', () => this.#lost('the server closed the connection'));
  }

  close(): void {
    const isIdle = this.isOpen && this.isReady && this.#fail === null;
    this.#lost('the connection was closed');
    if (isIdle) this.#client.end(() => {});
    // The library has no way to cut a connection that is being made.
    else (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }

  #lost(text: string): void {
    this.isOpen = false;
    this.#fail?.(new LinkLost(text));
  }

  query(sql: string, row: (columns: readonly (string | null)[]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let thrown = false;
      const finish = (error: Error | null): void => {
        this.#fail = null;
        if (error === null) resolve();
        else reject(error);
      };
      this.#fail = finish;
      const asking = new this.#Query({ text: sql, rowMode: 'array', types: TEXT_TYPES } as QueryConfig);
      this.#client.query(asking);
      asking.on('row', (columns: unknown) => {
        if (thrown) return;
        try {
          row(columns as (string | null)[]);
        } catch (error) {
          thrown = true;
          finish(error as Error);
          this.close();
        }
      });
      asking.on('error', (error) => {
        const { code, severity } = error as ServerError;
        // Class 08 connection, 53 resources, 57P0x shutdown, 58 system; or no answer of the server at all (PostgreSQL, appendix A).
        const isLost = severity === undefined || severity === 'FATAL' || severity === 'PANIC' || /^(?:08|53|57P|58|XX)/.test(code ?? '');
        if (isLost) this.isOpen = false;
        finish(isLost ? new LinkLost(errorText(error)) : new TableError(this.#context.name, `the server refused the query: ${errorText(error)}`));
      });
      asking.on('end', () => finish(null));
    });
  }
}
