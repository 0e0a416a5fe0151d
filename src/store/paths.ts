/** Where things are below the data directory. */
import { join } from 'node:path';

export interface StorePaths {
  readonly database: string;
  readonly blobs: string;
  readonly journey: string;
  /** Can be made again from the rest (`search/`). */
  readonly search: string;
  readonly lock: string;
}

export function storePaths(dataDir: string): StorePaths {
  return {
    database: join(dataDir, 'store.db'),
    blobs: join(dataDir, 'blobs'),
    journey: join(dataDir, 'journey.db'),
    search: join(dataDir, 'search.db'),
    lock: join(dataDir, 'lock.db'),
  };
}
