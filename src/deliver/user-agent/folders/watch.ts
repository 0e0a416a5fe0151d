/** Tells of changes in a folder until the process ends. The system's word is only a hint: whoever hears it looks. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type FoldersPlace, placesToWatch } from './answer.ts';

/** Changes come in crowds (a delivery makes four events): one word for those within this time. */
const GATHER_MS = 50;

export function watchFolder(place: FoldersPlace, path: string, changed: () => void): void {
  let isGathering = false;
  const tell = (): void => {
    if (isGathering) return;
    isGathering = true;
    setTimeout(() => {
      isGathering = false;
      changed();
    }, GATHER_MS);
  };
  const watchers: FSWatcher[] = [];
  for (const where of placesToWatch(place, path)) {
    // An mbox is replaced by some programs: its directory tells of that and of writing alike.
    const isFile = !/\/(?:new|cur)$/.test(where);
    try {
      watchers.push(
        watch(isFile ? dirname(where) : where, (_event, name) => {
          if (!isFile || name === basename(where)) tell();
        }).on('error', () => {}), // the directory went away: who asks from time to time will see
      );
    } catch {
      // No more watches to be had on this machine, or no such directory: asking from time to time has to do.
    }
  }
  place.signal.addEventListener('abort', () => {
    for (const watcher of watchers) watcher.close();
  });
  // What changed before the watch began.
  tell();
}
