/** memcached on a unix socket. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { keepRunning, need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { ended } from './process.ts';

export interface Memcached {
  readonly socket: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startMemcached(owner: Owner): Promise<Memcached> {
  need('memcached');
  const socket = join(tempDir(owner, 'memcached'), 'socket');
  let running: ReturnType<typeof keepRunning> | null = null;
  const server: Memcached = {
    socket,
    async start() {
      const own = keepRunning('memcached', ['-u', 'root', '-s', socket, '-a', '0700', '-m', '8', '-t', '1']);
      running = own;
      await eventually('memcached answers', () => {
        if (own.child.exitCode !== null) throw new Error(`memcached ended: ${own.output()}`);
        return new Promise<boolean>((resolve) => {
          const probe = connect(socket, () => {
            probe.destroy();
            resolve(true);
          });
          probe.once('error', () => resolve(false));
        });
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
