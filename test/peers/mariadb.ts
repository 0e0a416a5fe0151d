/** MariaDB on a unix socket and a port of 127.0.0.1, with a database of its own. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, run, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { ended } from './process.ts';

export interface MariaDb {
  readonly socket: string;
  readonly port: number;
  /** As root of the database; rows as text, columns by tabs. */
  sql(text: string, database?: string): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startMariaDb(owner: Owner, port: number, options: readonly string[] = []): Promise<MariaDb> {
  need('mariadbd', 'mariadb-install-db', 'mariadb');
  const dir = tempDir(owner, 'mariadb');
  const [data, socket] = [join(dir, 'data'), join(dir, 'mariadb.sock')];
  mkdirSync(data);
  const common = ['--no-defaults', `--datadir=${data}`, '--user=root'];
  await succeed('mariadb-install-db', [...common, '--auth-root-authentication-method=normal', '--skip-test-db', '--skip-name-resolve']);
  let running: ReturnType<typeof keepRunning> | null = null;
  const server: MariaDb = {
    socket,
    port,
    sql: (text, database = '') =>
      succeed('mariadb', ['--no-defaults', '--skip-ssl', '-N', '-u', 'root', `--socket=${socket}`, ...(database === '' ? [] : [database])], { input: text }),
    async start() {
      const small = ['--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M', '--performance-schema=off', '--skip-name-resolve', ...options];
      const own = keepRunning('mariadbd', [
        ...common,
        `--socket=${socket}`,
        '--bind-address=127.0.0.1',
        `--port=${port}`,
        `--pid-file=${join(dir, 'pid')}`,
        ...small,
      ]);
      running = own;
      await eventually('MariaDB answers', async () => {
        if (own.child.exitCode !== null) throw new Error(`mariadbd ended: ${own.output()}`);
        return (await run('mariadb', ['--no-defaults', '-u', 'root', `--socket=${socket}`, '-e', 'SELECT 1'])).code === 0;
      });
    },
    async stop() {
      await ended(running?.child);
      running = null;
    },
  };
  atEnd(owner, () => server.stop());
  await server.start();
  return server;
}
