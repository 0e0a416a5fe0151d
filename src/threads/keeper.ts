/**
 * The keeper's thread: what must not hold up a commit or a session. Writes the journey, carries the write-ahead log into the
 * database (passively, every 100 ms while it moves), sweeps files nobody names, makes backups and checks.
 */
import type { MessagePort } from 'node:worker_threads';
import type { JourneyEvent } from '../ports.ts';
import type { WrittenEvent } from '../system/journey-fields.ts';
import { backupStore } from '../store/backup.ts';
import { sweepBlobFiles } from '../store/blobs/sweep.ts';
import { checkStore } from '../store/check.ts';
import { openCheckpointer } from '../store/engines/sqlite.ts';
import { storePaths } from '../store/paths.ts';
import { openStoreReader } from '../store/reader.ts';
import { type JourneyPage, type JourneyQuery, openJourney } from '../system/journey.ts';
import { start, startThread } from './start.ts';

const CHECKPOINT_EVERY_MS = 100;
const JOURNEY_EVERY_MS = 500;
const JOURNEY_WAITING_MAX = 100_000;
const PRUNE_EVERY_MS = 60_000;
const SWEEP_EVERY_MS = 24 * 3_600_000;

const startedAt = start.startedAt!;
const stopping = new AbortController();
let waiting: (JourneyEvent | WrittenEvent)[] = [];
/** Backups under way: their snapshot may name files that nobody else names any more. */
let backups = 0;

const thread = startThread({
  connect: ({ port }: { port: MessagePort }) => {
    port.on('message', (events: (JourneyEvent | WrittenEvent)[]) => {
      if (waiting.length + events.length > JOURNEY_WAITING_MAX) {
        thread.metrics.count('journey.dropped', events.length);
        return;
      }
      for (const event of events) waiting.push(event);
    });
  },
  trace: (query: JourneyQuery) => {
    writeJourney();
    return journey.find(query);
  },
  journeyPage: (query: JourneyPage) => {
    writeJourney();
    return journey.page(query);
  },
  backup: async ({ target, configFile }: { target: string; configFile: string | null }) => {
    backups += 1;
    try {
      return await backupStore(start.settings.dataDir, target, stopping.signal, configFile);
    } finally {
      backups -= 1;
    }
  },
  check: () => checkStore(paths, stopping.signal),
  stop: () => {
    stopping.abort();
    writeJourney();
    journey.close();
    checkpointer.close();
    reader.close();
    thread.log.flush();
  },
});

const paths = storePaths(start.settings.dataDir);
const journeyOptions = () => ({ keepMs: thread.settings()['journey.keep'], rowsMax: thread.settings()['journey.rowsMax'] });
const journey = openJourney(paths.journey, journeyOptions());
const checkpointer = openCheckpointer(paths.database);
const reader = openStoreReader(paths.database, paths.blobs);
thread.onSettings(() => journey.setOptions(journeyOptions()));

function writeJourney(): void {
  const events = waiting;
  if (events.length === 0) return;
  waiting = [];
  try {
    journey.write(events);
    thread.metrics.count('journey.events', events.length);
  } catch (cause) {
    // Mail goes on without its journey.
    thread.metrics.count('journey.dropped', events.length);
    thread.log.warn('journey.write.failed', { cause, events: events.length });
  }
}

/** Some rows at a time, so that the checkpoints between are not held up. */
function prune(): void {
  try {
    if (journey.prune(thread.now()) > 0 && !stopping.signal.aborted) setImmediate(prune);
  } catch (cause) {
    thread.log.warn('journey.prune.failed', { cause });
  }
}

let lastLogFrames = -1;
function checkpoint(): void {
  try {
    // [busy, frames in the log, frames carried over]: NOOP looks without doing.
    const gauge = checkpointer.get('PRAGMA wal_checkpoint(NOOP)');
    const frames = Number(gauge?.[1] ?? 0);
    if (frames === lastLogFrames && frames === Number(gauge?.[2])) return;
    lastLogFrames = frames;
    checkpointer.get('PRAGMA wal_checkpoint(PASSIVE)');
  } catch (cause) {
    // Busy: another checkpoint is under way. A full disk: the writer says so where somebody waits for an answer.
    thread.log.debug('store.checkpoint.passive.failed', { cause });
  }
}

if (!stopping.signal.aborted) {
  setInterval(checkpoint, CHECKPOINT_EVERY_MS);
  setInterval(writeJourney, JOURNEY_EVERY_MS);
  setInterval(prune, PRUNE_EVERY_MS);
  const sweep = (before: number): void => {
    if (backups > 0) return;
    sweepBlobFiles(paths.blobs, reader, before, stopping.signal)
      .then((swept) => {
        if (swept.files > 0) thread.log.info('store.swept', swept);
      })
      .catch((cause) => thread.log.warn('store.sweep.failed', { cause }));
  };
  // At the start all that is older than this process; later what refused messages left, with a day's distance to those under way.
  sweep(startedAt);
  setInterval(() => sweep(Date.now() - SWEEP_EVERY_MS), SWEEP_EVERY_MS);
}
thread.link.tell('ready');
