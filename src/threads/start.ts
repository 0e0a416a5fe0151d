/** What every thread is started with, and the parts each of them makes for itself. */
import { getHeapStatistics } from 'node:v8';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { Announcement, Journey } from '../ports.ts';
import type { AllSettings } from '../settings.ts';
import { AnnouncementHub } from '../store/announcements.ts';
import { createStaging } from '../store/blobs/staging.ts';
import { storePaths } from '../store/paths.ts';
import { openStoreReader } from '../store/reader.ts';
import { connectWriter } from '../store/writer/client.ts';
import { messageIds, steadyClock } from '../system/ids.ts';
import { fieldsJson, type WrittenEvent } from '../system/journey-fields.ts';
import { createLog, logFormat, type ThreadLog } from '../system/log.ts';
import { ThreadMetrics } from '../system/metrics.ts';
import type { TlsMaterial } from '../system/tls.ts';
import { type Handlers, Link } from './link.ts';

export interface ThreadStart {
  readonly name: string;
  /** Drawn at random by main: makes ids unique among threads and starts. */
  readonly instance: number;
  readonly settings: AllSettings;
  readonly isTerminal: boolean;
  readonly writerPort?: MessagePort;
  readonly keeperPort?: MessagePort;
  readonly tls?: { readonly material: readonly TlsMaterial[]; readonly ticketKeys: Uint8Array };
  /** One 32-bit counter for each thread, raised once a second: main sees a loop that stands still. */
  readonly heartbeat: SharedArrayBuffer;
  /** Token buckets of all threads (`judge/rates`). */
  readonly rateMemory?: SharedArrayBuffer;
  /** How far the search index is (`search/progress.ts`); left out: there is none. */
  readonly searchProgress?: SharedArrayBuffer;
  /** How the user agent is reached; null: there is none. */
  readonly userAgent?: { readonly socketPath: string; readonly key: string } | null;
  /** When the process began (unix ms), for the keeper: what is older among the files of messages nobody works on. */
  readonly startedAt?: number;
}

export const start = workerData as ThreadStart;

export function openThreadLog(settings: AllSettings, name: string, isTerminal: boolean): ThreadLog {
  return createLog({
    level: settings['log.level'],
    format: logFormat(settings['log.format'], settings['log.file'], isTerminal),
    file: settings['log.file'],
    thread: name,
    isColoured: isTerminal,
  });
}

/** The base of every thread but main. */
export function startThread(handlers: Handlers) {
  let settings = start.settings;
  const log = openThreadLog(settings, start.name, start.isTerminal);
  const metrics = new ThreadMetrics();
  const now = steadyClock();
  const beat = new Int32Array(start.heartbeat);
  const beating = setInterval(() => Atomics.add(beat, 0, 1), 500);
  beating.unref();
  const listeners: ((settings: AllSettings) => void)[] = [];
  const link = new Link(parentPort!, {
    metrics: () => {
      const heap = getHeapStatistics();
      metrics.gauge('thread.heapBytes', heap.total_physical_size, start.name);
      metrics.gauge('thread.externalBytes', heap.external_memory, start.name);
      return metrics.snapshot();
    },
    settings: (next: AllSettings) => {
      settings = next;
      log.setLevel(next['log.level']);
      log.reopen();
      for (const listener of listeners) listener(next);
    },
    ...handlers,
  });
  return {
    log,
    metrics,
    now,
    link,
    newId: messageIds(start.instance, now),
    settings: () => settings,
    onSettings: (listener: (settings: AllSettings) => void) => void listeners.push(listener),
  };
}
export type Thread = ReturnType<typeof startThread>;

/** Journey rows of one tick travel to the keeper together. */
export function journeyTo(port: MessagePort): Journey {
  let waiting: WrittenEvent[] = [];
  return {
    write({ id, at, stage, event, keys, fields }) {
      waiting.push({ id, at, stage, event, keys, fields: fieldsJson(fields) });
      if (waiting.length > 1) return;
      setImmediate(() => {
        const events = waiting;
        waiting = [];
        port.postMessage(events);
      });
    },
  };
}

/** Reader, writer client, staging and announcements of a thread that works on the store. */
export function connectStore(thread: Thread, writerPort: MessagePort) {
  const paths = storePaths(start.settings.dataDir);
  const announcements = new AnnouncementHub((error) => thread.log.error('store.announcement.failed', { cause: error }));
  const writer = connectWriter(writerPort, (news: readonly Announcement[]) => announcements.publish(news));
  return {
    announcements,
    writer,
    reader: openStoreReader(paths.database, paths.blobs),
    staging: createStaging({ blobDir: paths.blobs, inlineBytesMax: start.settings['store.inlineBytesMax'] }),
  };
}
