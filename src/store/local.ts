/** The store in one thread, for the CLI while no server runs, and for tests: the same operations, the same commit. */
import { unlink } from 'node:fs/promises';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { JourneyEvent, Log, Staging } from '../ports.ts';
import { AnnouncementHub } from './announcements.ts';
import { makeBlobDirectories } from './blobs/files.ts';
import { createStaging } from './blobs/staging.ts';
import { openWriter } from './engines/sqlite.ts';
import { lockDataDirectory } from './lock.ts';
import { setBlobFileRemover } from './operations/blob.ts';
import { storePaths } from './paths.ts';
import { openStoreReader, type SqliteReader } from './reader.ts';
import { migrate } from './schema/migrate.ts';
import type { StoreSettings } from './settings.ts';
import type { Operations } from './transaction.ts';
import { WriterClient } from './writer/client.ts';
import { GroupCommit } from './writer/group-commit.ts';
import { OWN_OPERATIONS, STORE_OPERATIONS } from './writer/operations.ts';
import { WriterRunner } from './writer/runner.ts';

export interface LocalStore {
  readonly reader: SqliteReader;
  readonly writer: WriterClient;
  readonly announcements: AnnouncementHub;
  readonly staging: Staging;
  close(): Promise<void>;
}

export interface LocalStoreOptions {
  readonly dataDir: string;
  readonly settings: StoreSettings;
  readonly log: Log;
  readonly now: () => number;
  /** Operations of the other rooms. */
  readonly operations: Operations;
  readonly journey: (events: readonly JourneyEvent[]) => void;
}

/** Throws a sentence when another process has the data directory. */
export function openLocalStore(options: LocalStoreOptions): LocalStore {
  const paths = storePaths(options.dataDir);
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const unlock = lockDataDirectory(paths.lock);
  if (unlock === null) throw new Error(`${options.dataDir} is in use by another process`);
  makeBlobDirectories(paths.blobs);
  const connection = openWriter(paths.database);
  migrate(connection);
  setBlobFileRemover((name) => {
    // A file that stays is found by the sweep at the next start.
    unlink(join(paths.blobs, name)).catch(() => {});
  });
  const commit = new GroupCommit(connection, OWN_OPERATIONS, { ...STORE_OPERATIONS, ...options.operations }, options.now);
  const runner = new WriterRunner(commit, connection, runnerOptions(paths.database, options.settings), options.log, options.journey);
  const announcements = new AnnouncementHub((error) => options.log.error('store.announcement.failed', { cause: String(error) }));
  const source = { wants: 'all' as const, post: (message: Parameters<WriterClient['receive']>[0]) => writer.receive(message) };
  const writer = new WriterClient({ send: (requests) => runner.submit(source, requests) }, (news) => announcements.publish(news));
  runner.addSource(source);
  const reader = openStoreReader(paths.database, paths.blobs);
  return {
    reader,
    writer,
    announcements,
    staging: createStaging({ blobDir: paths.blobs, inlineBytesMax: options.settings['store.inlineBytesMax'] }),
    async close() {
      runner.stop();
      reader.close();
      connection.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      connection.close();
      unlock();
    },
  };
}

export function runnerOptions(databasePath: string, settings: StoreSettings): ConstructorParameters<typeof WriterRunner>[2] {
  return {
    databasePath,
    walBytesMax: settings['store.walBytesMax'],
    walBytesShed: settings['store.walBytesShed'],
    freeBytesMin: settings['store.freeBytesMin'],
    batchOperationsMax: settings['store.batchOperationsMax'],
  };
}
