/** PostgreSQL on a unix socket and a port of 127.0.0.1; it refuses to run as root, so it runs as Debian's user postgres. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, run, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import type { CertificateFiles } from './certificate.ts';
import { ended } from './process.ts';

export interface PostgreSql {
  /** Folder of the socket. */
  readonly socketDir: string;
  readonly port: number;
  /** As its superuser. */
  sql(text: string, database?: string): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

const VERSIONS = '/usr/lib/postgresql';

/** With `certificate` it speaks TLS, too. */
export async function startPostgreSql(owner: Owner, port: number, certificate?: CertificateFiles): Promise<PostgreSql> {
  need('setpriv', 'psql');
  const version = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort().at(-1) : undefined;
  if (version === undefined) throw new Error('the Debian package postgresql is not installed; "npm test" installs it when run as root');
  const program = (name: string): string => join(VERSIONS, version, 'bin', name);
  const dir = tempDir(owner, 'postgresql');
  const data = join(dir, 'data');
  mkdirSync(data, { mode: 0o700 });
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres']).toString()));
  for (const path of [dir, data]) chownSync(path, uid!, gid!);
  const tls: string[] = [];
  if (certificate !== undefined) {
    // It takes no key that another user owns or may read.
    const own = { certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
    for (const name of ['certificate', 'key'] as const) {
      copyFileSync(certificate[name], own[name]);
      chownSync(own[name], uid!, gid!);
      chmodSync(own[name], 0o600);
    }
    tls.push('ssl=on', `ssl_cert_file=${own.certificate}`, `ssl_key_file=${own.key}`);
  }
  const asPostgres = ['--reuid=postgres', '--regid=postgres', '--clear-groups'];
  await succeed('setpriv', [...asPostgres, program('initdb'), '-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'], {
    cwd: dir,
  });
  let running: ReturnType<typeof keepRunning> | null = null;
  const connect = (database: string): string[] => ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', dir, '-p', String(port), '-U', 'postgres', database];
  const server: PostgreSql = {
    socketDir: dir,
    port,
    sql: (text, database = 'postgres') => succeed('psql', connect(database), { input: text }),
    async start() {
      const settings = [`unix_socket_directories=${dir}`, 'listen_addresses=127.0.0.1', 'fsync=off', 'shared_buffers=8MB', ...tls].flatMap((one) => [
        '-c',
        one,
      ]);
      const own = keepRunning('setpriv', [...asPostgres, program('postgres'), '-D', data, '-p', String(port), ...settings], { cwd: dir });
      running = own;
      await eventually('PostgreSQL answers', async () => {
        if (own.child.exitCode !== null) throw new Error(`postgres ended: ${own.output()}`);
        return (await run('psql', [...connect('postgres'), '-c', 'SELECT 1'])).code === 0;
      });
    },
    async stop() {
      await ended(running?.child, 'SIGINT'); // "Fast": it does not wait for clients.
      running = null;
    },
  };
  atEnd(owner, () => server.stop());
  await server.start();
  return server;
}
