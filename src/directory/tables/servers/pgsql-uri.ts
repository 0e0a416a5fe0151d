/** postgresql://user:password@host:port/database?sslmode=require, as PostgreSQL's own library reads it. */

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
const SSL_MODES: readonly string[] = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** Whether a connection of this mode begins with TLS. */
export const isTls = (mode: SslMode): boolean => mode !== 'disable' && mode !== 'allow';

export interface PostgresUri {
  readonly user?: string;
  readonly password?: string;
  /** A name, an address, or the folder of a unix socket. */
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
  readonly sslmode?: SslMode;
  readonly sslrootcert?: string;
  readonly sslcert?: string;
  readonly sslkey?: string;
  readonly applicationName?: string;
}

/** What the URI says, or a sentence about what is wrong with it. */
export function parsePostgresUri(text: string): PostgresUri | { readonly wrong: string } {
  const match = /^postgres(?:ql)?:\/\/(?:([^:@/?]*)(?::([^@/?]*))?@)?(\[[0-9A-Fa-f:.]+\]|[^:/?#,[\]]*)(?::(\d{1,5}))?(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (match === null) return { wrong: 'is no URI of one server: postgresql://user:password@host:port/database?name=value' };
  const decoded: Record<string, string> = {};
  try {
    for (const [name, value] of [
      ['user', match[1]],
      ['password', match[2]],
      ['host', match[3]?.replace(/^\[|\]$/g, '')],
      ['port', match[4]],
      ['dbname', match[5]],
    ] as const)
      if (value !== undefined && value !== '') decoded[name] = decodeURIComponent(value);
    for (const pair of (match[6] ?? '').split('&').filter((pair) => pair !== '')) {
      const equals = pair.indexOf('=');
      if (equals === -1) return { wrong: `"${pair}" has no value` };
      decoded[decodeURIComponent(pair.slice(0, equals))] = decodeURIComponent(pair.slice(equals + 1));
    }
  } catch {
    return { wrong: 'has a "%" that is no %XX' };
  }
  const { user, password, host, port, dbname, sslmode, sslrootcert, sslcert, sslkey, application_name, ...others } = decoded;
  const unknown = Object.keys(others).find((name) => !['client_encoding', 'connect_timeout', 'fallback_application_name'].includes(name));
  if (unknown !== undefined) return { wrong: `the parameter ${unknown} is not known here` };
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode)) return { wrong: `sslmode must be one of ${SSL_MODES.join(', ')}` };
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && !(number >= 1 && number <= 65_535)) return { wrong: `${port} is no port` };
  return { user, password, host, port: number, database: dbname, sslmode: sslmode as SslMode, sslrootcert, sslcert, sslkey, applicationName: application_name };
}
