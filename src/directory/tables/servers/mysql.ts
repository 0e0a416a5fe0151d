/** mysql:/file.cf: MySQL and MariaDB, with the parameters of Postfix's mysql_table(5). */
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import type { Connection, ConnectionOptions, SslOptions } from 'mysql2';
import { TableError } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { authoritiesOf, pemOf } from './certificates.ts';
import { type Asker, parameterFile, reloadingTable } from './file-table.ts';
import { parseServerAddress, type ServerAddress, showAddress } from './hosts.ts';
import { HOSTS_MAX } from './limits.ts';
import { clientOptions, type ClientOptions } from './mysql-options.ts';
import { type Known, readParameters, type TableParameters } from './parameters.ts';
import { LinkLost, LinkPool, type PoolServer } from './pool.ts';
import { readSqlQuery, SQL_NAMES, sqlAsker, type SqlLink } from './sql-table.ts';

const KNOWN: Known = {
  names: [
    'hosts',
    'user',
    'password',
    'dbname',
    'require_result_set',
    'option_file',
    'option_group',
    'tls_cert_file',
    'tls_key_file',
    'tls_CAfile',
    'tls_CApath',
    'tls_ciphers',
    'tls_verify_cert',
    ...SQL_NAMES,
  ],
  ignored: new Map([
    ['charset', 'connections speak utf8mb4'],
    ['idle_interval', 'see the option tables.connectionIdle'],
    ['retry_interval', 'see the option tables.serverCooldown'],
  ]),
  secrets: ['password'],
};
const PORT = 3306;
/** Where "localhost" is, as for MySQL's own programs: the socket of Debian, of Red Hat, of a build from source; else TCP. */
const SOCKETS = ['/run/mysqld/mysqld.sock', '/var/lib/mysql/mysql.sock', '/tmp/mysql.sock'];

export function openMysql(source: string, context: TableContext): ClosableTable {
  const file = parameterFile(source, context);
  return reloadingTable(file, context, () => make(readParameters(file, KNOWN, context), context));
}

interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: (() => SslOptions) | null;
  readonly isVerified: boolean;
  readonly isResultNeeded: boolean;
}

function make(parameters: TableParameters, context: TableContext): Asker {
  const options = clientOptions(parameters);
  const login: Login = {
    user: parameters.text('user', options.user ?? ''),
    password: parameters.text('password', options.password ?? ''),
    database: parameters.text('dbname', options.database ?? ''),
    ...tlsOf(parameters, options),
    isResultNeeded: parameters.flag('require_result_set', true),
  };
  const addresses = addressesOf(parameters, options);
  const bare = addresses.find((address) => address.kind === 'tcp' && isIP(address.host) !== 0);
  // The driver compares the certificate with a host name only, and would refuse every certificate.
  if (login.isVerified && bare !== undefined)
    throw parameters.problem('hosts', `tls_verify_cert compares the certificate with the server's name: write the name of ${showAddress(bare)}`);
  const query = readSqlQuery(parameters, 'mysql', context);
  const server = (address: ServerAddress): PoolServer<SqlLink> => ({
    name: showAddress(address),
    connect: (signal) => connect(address, login, context, signal),
  });
  const groups = [addresses.filter((address) => address.kind === 'unix').map(server), addresses.filter((address) => address.kind === 'tcp').map(server)];
  return sqlAsker(query, 'mysql', new LinkPool(context, groups), context);
}

function addressesOf(parameters: TableParameters, options: ClientOptions): ServerAddress[] {
  const fromOptions = options.socket !== undefined ? `unix:${options.socket}` : (options.host ?? 'localhost');
  const words = parameters.words('hosts', fromOptions);
  if (words.length === 0 || words.length > HOSTS_MAX) throw parameters.problem('hosts', `must name 1 to ${HOSTS_MAX} servers`);
  return words.map((word) => {
    const address = parseServerAddress(word, options.port ?? PORT);
    if (address === null) throw parameters.problem('hosts', `"${word}" is not host, host:port, inet:host:port or unix:/path`);
    return address;
  });
}

function tlsOf(parameters: TableParameters, options: ClientOptions): Pick<Login, 'ssl' | 'isVerified'> {
  const cert = parameters.text('tls_cert_file', options.sslCert ?? '');
  const key = parameters.text('tls_key_file', options.sslKey ?? '');
  const authority = parameters.text('tls_CAfile', options.sslCa ?? '');
  const folder = parameters.text('tls_CApath', options.sslCapath ?? '');
  const ciphers = parameters.text('tls_ciphers', '');
  const isVerified = parameters.flag('tls_verify_cert', options.isVerified ?? false);
  if (!isVerified && [cert, key, authority, folder, ciphers].every((text) => text === '')) return { ssl: null, isVerified };
  // With an authority the chain is checked; the name only when asked for, as by MySQL's client library.
  const hasAuthority = isVerified || authority !== '' || folder !== '';
  return {
    isVerified,
    ssl: () => ({
      cert: pemOf(cert),
      key: pemOf(key),
      ca: authoritiesOf(authority, folder) as unknown as string[] | undefined,
      ...(ciphers === '' ? {} : { ciphers }),
      rejectUnauthorized: hasAuthority,
    }),
  };
}

/** Error numbers after which another server may do better: too many connections, shutting down, server gone, killed. */
const ELSEWHERE: ReadonlySet<number> = new Set([1040, 1041, 1053, 1077, 1079, 1129, 1152, 1153, 1159, 1161, 1203, 1226, 1927, 3159, 4031]);

interface DriverError {
  readonly message: string;
  readonly errno?: number;
  readonly code?: string;
  readonly sqlState?: string;
  readonly fatal?: boolean;
}

async function connect(address: ServerAddress, login: Login, context: TableContext, signal: AbortSignal): Promise<SqlLink> {
  const { createConnection } = await import('mysql2');
  const socket = address.kind === 'unix' ? address.path : address.host === 'localhost' ? SOCKETS.find((path) => existsSync(path)) : undefined;
  const where: ConnectionOptions =
    socket !== undefined ? { socketPath: socket } : { host: (address as { host: string }).host, port: (address as { port: number }).port };
  const connection = createConnection({
    ...where,
    user: login.user,
    password: login.password,
    database: login.database === '' ? undefined : login.database,
    ...(login.ssl === null ? {} : { ssl: { ...login.ssl(), verifyIdentity: login.isVerified && socket === undefined } }),
    charset: 'utf8mb4',
    // The pool's signal is the limit; this one only ends what nobody waits for any more.
    connectTimeout: 60_000,
    disableEval: true,
    multipleStatements: false,
    flags: ['-LOCAL_FILES'],
  });
  return new Promise((resolve, reject) => {
    const link = new MysqlLink(connection, context, login.isResultNeeded);
    const onAbort = (): void => link.close();
    signal.addEventListener('abort', onAbort, { once: true });
    connection.connect((error) => {
      signal.removeEventListener('abort', onAbort);
      if (error === null) {
        link.isReady = true;
        resolve(link);
      } else {
        link.close();
        reject(new LinkLost(errorText(error as DriverError), { cause: error }));
      }
    });
  });
}

const errorText = (error: DriverError): string => (error.message !== '' ? error.message : (error.code ?? 'the connection failed'));

class MysqlLink implements SqlLink {
  isOpen = true;
  /** It has logged in. */
  isReady = false;
  readonly #connection: Connection;
  readonly #context: TableContext;
  readonly #isResultNeeded: boolean;
  #fail: ((error: Error) => void) | null = null;

  constructor(connection: Connection, context: TableContext, isResultNeeded: boolean) {
    this.#connection = connection;
    this.#context = context;
    this.#isResultNeeded = isResultNeeded;
    // Also for an idle connection that the server closes: it is then not used again.
    connection.on('error', (error) => this.#lost(errorText(error as DriverError)));
    connection.on('end', () => this.#lost('the server closed the connection'));
  }

  close(): void {
    const isIdle = this.isOpen && this.isReady && this.#fail === null;
    this.#lost('the connection was closed');
    // With a goodbye where possible: the server would log an aborted connection otherwise.
    if (isIdle) this.#connection.end(() => this.#connection.destroy());
    else this.#connection.destroy();
  }

  #lost(text: string): void {
    this.isOpen = false;
    this.#fail?.(new LinkLost(text));
  }

  query(sql: string, row: (columns: readonly (string | null)[]) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let resultSets = 0;
      let thrown: unknown = null;
      const finish = (error: Error | null): void => {
        this.#fail = null;
        if (error === null) resolve();
        else reject(error);
      };
      this.#fail = finish;
      const asking = this.#connection.query({ sql, rowsAsArray: true, typeCast: false });
      asking.on('fields', (fields: unknown) => {
        if (fields !== undefined) resultSets += 1;
      });
      asking.on('result', (result: unknown) => {
        if (!Array.isArray(result) || thrown !== null) return; // The header of a statement without rows; or too much came already.
        try {
          if (resultSets > 1) throw new TableError(this.#context.name, 'the query gave more than one result set');
          row(result.map((column: Buffer | string | null) => (column === null ? null : column.toString())));
        } catch (error) {
          thrown = error;
          finish(error as Error);
          this.close();
        }
      });
      asking.on('error', (error: DriverError) => {
        const isLost = error.fatal === true || error.errno === undefined || error.errno < 1000 || ELSEWHERE.has(error.errno);
        if (isLost) this.isOpen = false;
        finish(isLost ? new LinkLost(errorText(error)) : new TableError(this.#context.name, `the server refused the query: ${errorText(error)}`));
      });
      asking.on('end', () => {
        if (resultSets === 0 && this.#isResultNeeded) finish(new TableError(this.#context.name, 'the query gave no result set (see require_result_set)'));
        else finish(null);
      });
    });
  }
}
