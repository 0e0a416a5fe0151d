/** Debian's MIMEDefang as a milter, with a filter in Perl: it can change everything a milter may change. */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { ended, listening } from './milter-socket.ts';

/** `filter` is the body of filter_end and what else the filter file should have. Answers the path of the socket. */
export async function startMimedefang(owner: Owner, filter: string): Promise<string> {
  need('mimedefang', 'mimedefang-multiplexor');
  const dir = tempDir(owner, 'mimedefang');
  const uid = Number((await succeed('id', ['-u', 'defang'])).trim());
  const spool = join(dir, 'spool');
  mkdirSync(spool, { mode: 0o700 });
  chownSync(spool, uid, -1);
  const file = join(dir, 'filter');
  writeFileSync(file, `${filter}\n1;\n`);
  const workers = join(spool, 'workers.sock');
  const socket = join(spool, 'milter.sock');
  const multiplexor = keepRunning('mimedefang-multiplexor', [
    '-D',
    '-U',
    'defang',
    '-m',
    '1',
    '-x',
    '2',
    '-b',
    '30',
    '-q',
    '10',
    '-z',
    spool,
    '-s',
    workers,
    '-F',
    file,
  ]);
  atEnd(owner, () => ended(multiplexor));
  await listening('mimedefang-multiplexor', { path: workers }, multiplexor);
  const milter = keepRunning('mimedefang', ['-D', '-U', 'defang', '-R', '-1', '-X', '-r', '-s', '-t', '-q', '-z', spool, '-m', workers, '-p', socket]);
  atEnd(owner, () => ended(milter));
  await listening('mimedefang', { path: socket }, milter);
  return socket;
}
