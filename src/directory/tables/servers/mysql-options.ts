/** The option file of MySQL's own programs (my.cnf), when option_file names one: who to log in as, where and with which certificates. */
import { dirname, isAbsolute, join } from 'node:path';
import { readSmall, type TableParameters } from './parameters.ts';

export interface ClientOptions {
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly host?: string;
  readonly port?: number;
  readonly socket?: string;
  readonly sslCa?: string;
  readonly sslCapath?: string;
  readonly sslCert?: string;
  readonly sslKey?: string;
  readonly isVerified?: boolean;
}

/** The group [client], then the group of option_group. Nothing when option_file is not given. Throws TableProblem. */
export function clientOptions(parameters: TableParameters): ClientOptions {
  const name = parameters.text('option_file', '');
  if (name === '') return {};
  const file = isAbsolute(name) ? name : join(dirname(parameters.file), name);
  const groups = new Set(['client', 'client-mariadb', parameters.text('option_group', 'client')]);
  const values = new Map<string, string>();
  let isWanted = false;
  for (const raw of readSmall(file).text.split('\n')) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';') || line.startsWith('!')) continue;
    const group = /^\[([^\]]*)\]/.exec(line);
    if (group !== null) {
      isWanted = groups.has(group[1]!.trim());
      continue;
    }
    if (!isWanted) continue;
    const equals = line.indexOf('=');
    const key = (equals === -1 ? line : line.slice(0, equals)).trim().replaceAll('_', '-').toLowerCase();
    values.set(key, equals === -1 ? '1' : unquoted(line.slice(equals + 1).trim()));
  }
  const port = values.get('port');
  const verified = values.get('ssl-verify-server-cert')?.toLowerCase();
  return {
    user: values.get('user'),
    password: values.get('password'),
    database: values.get('database'),
    host: values.get('host'),
    ...(port !== undefined && /^\d{1,5}$/.test(port) ? { port: Number(port) } : {}),
    socket: values.get('socket'),
    sslCa: values.get('ssl-ca'),
    sslCapath: values.get('ssl-capath'),
    sslCert: values.get('ssl-cert'),
    sslKey: values.get('ssl-key'),
    ...(verified === undefined ? {} : { isVerified: !['0', 'off', 'false', 'no'].includes(verified) }),
  };
}

/** Without the quotes around it, or without the comment after it. */
function unquoted(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  return quoted !== null ? quoted[2]! : value.replace(/\s#.*$/, '');
}
