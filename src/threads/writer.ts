/** The store writer's thread: the only one that changes the store. */
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { makeBlobDirectories } from '../store/blobs/files.ts';
import { openWriter } from '../store/engines/sqlite.ts';
import { runnerOptions } from '../store/local.ts';
import { setBlobFileRemover } from '../store/operations/blob.ts';
import { storePaths } from '../store/paths.ts';
import { migrate } from '../store/schema/migrate.ts';
import type { CommitMessage, RequestMessage } from '../store/writer/client.ts';
import { GroupCommit } from '../store/writer/group-commit.ts';
import { OWN_OPERATIONS, STORE_OPERATIONS } from '../store/writer/operations.ts';
import { type Wanted, WriterRunner } from '../store/writer/runner.ts';
import { LIGHT_OPERATIONS, ROOM_OPERATIONS } from './room-operations.ts';
import { journeyTo, start, startThread } from './start.ts';

const thread = startThread({
  /** Another thread wants to write: its port. */
  connect: ({ port, wants }: { port: MessagePort; wants: Wanted }) => {
    const source = { wants, post: (message: CommitMessage) => port.postMessage(message) };
    runner.addSource(source);
    port.on('message', (requests: RequestMessage) => runner.submit(source, requests));
    port.on('close', () => runner.removeSource(source));
  },
  /** While a backup copies files, none is removed. */
  holdFiles: (isHeld: boolean) => {
    holds += isHeld ? 1 : -1;
    if (holds > 0) return;
    for (const name of heldFiles.splice(0)) removeFile(name);
  },
  stop: () => {
    clearInterval(checking);
    runner.stop();
    connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    connection.close();
    thread.log.flush();
  },
});

/** Backups under way. */
let holds = 0;
const heldFiles: string[] = [];
function removeFile(name: string): void {
  // A file that stays is found by the sweep at the next start.
  unlink(join(paths.blobs, name)).catch((cause) => thread.log.warn('store.blob.unlink.failed', { name, cause }));
}

const paths = storePaths(start.settings.dataDir);
makeBlobDirectories(paths.blobs);
const connection = openWriter(paths.database);
const foundVersion = migrate(connection);
setBlobFileRemover((name) => {
  if (holds > 0) heldFiles.push(name);
  else removeFile(name);
});
const journey = journeyTo(start.keeperPort!);
const commit = new GroupCommit(connection, { ...OWN_OPERATIONS, ...LIGHT_OPERATIONS }, { ...STORE_OPERATIONS, ...ROOM_OPERATIONS }, thread.now);
const runner = new WriterRunner(commit, connection, runnerOptions(paths.database, start.settings), thread.log, (events) => {
  for (const event of events) journey.write(event);
});
thread.onSettings((settings) => {
  runner.options = runnerOptions(paths.database, settings);
});
const checking = setInterval(() => {
  runner.check();
  thread.metrics.gauge('store.walBytes', runner.walBytes);
  thread.metrics.gauge('store.commits', commit.commits);
  thread.metrics.gauge('store.operations', commit.operationsDone);
}, 1000);
thread.link.tell('ready', { foundVersion });
