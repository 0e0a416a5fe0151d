/** The administration handlers in the CLI's own process, on a data folder that no server uses. */
import { randomInt } from 'node:crypto';
import { ADMIN_HANDLERS } from './admin-handlers.ts';
import { createDirectory } from './directory/embedded.ts';
import type { Admin, AdminContext, JourneyEvent } from './ports.ts';
import { ensureDomain } from './first-start.ts';
import { createIntake } from './queue/intake.ts';
import type { AllSettings } from './settings.ts';
import { backupStore } from './store/backup.ts';
import { checkStore } from './store/check.ts';
import { openLocalStore } from './store/local.ts';
import { storePaths } from './store/paths.ts';
import { journeyPage, journeyQuery } from './system/admin.ts';
import { checkRuntime, prepareDataDir } from './system/checks.ts';
import { messageIds, steadyClock } from './system/ids.ts';
import { openJourney } from './system/journey.ts';
import { SILENT_LOG } from './system/log.ts';
import { ThreadMetrics } from './system/metrics.ts';
import { LIGHT_OPERATIONS, ROOM_OPERATIONS } from './threads/room-operations.ts';

export async function openLocalAdmin(settings: AllSettings): Promise<Admin> {
  checkRuntime();
  // As the server does: the data folder can be passed through by everybody, so every file in it must be closed by itself.
  process.umask(0o077);
  prepareDataDir(settings.dataDir);
  const paths = storePaths(settings.dataDir);
  const now = steadyClock();
  const openPaths = () => openJourney(paths.journey, { keepMs: settings['journey.keep'], rowsMax: settings['journey.rowsMax'] });
  const events: JourneyEvent[] = [];
  const store = openLocalStore({
    dataDir: settings.dataDir,
    settings,
    log: SILENT_LOG,
    now,
    operations: { ...ROOM_OPERATIONS, ...LIGHT_OPERATIONS },
    journey: (news) => void events.push(...news),
  });
  const directory = createDirectory(store.reader, store.announcements, () => settings);
  const context: AdminContext = {
    reader: store.reader,
    writer: store.writer,
    staging: store.staging,
    directory,
    intake: createIntake({
      directory,
      reader: store.reader,
      writer: store.writer,
      journey: { write: (event) => void events.push(event) },
      log: SILENT_LOG,
      metrics: new ThreadMetrics(),
      receivedMax: () => settings['smtp.receivedMax'],
    }),
    log: SILENT_LOG,
    settings: () => settings,
    dataDir: settings.dataDir,
    isServerRunning: false,
    newId: messageIds(randomInt(36 ** 3), now),
    now,
  };
  await ensureDomain(context);
  const stopping = new AbortController();
  const local = new Map<string, (args: any) => unknown>([
    ['store.backup', (args) => backupStore(settings.dataDir, args.directory, stopping.signal)],
    ['store.check', () => checkStore(paths, stopping.signal)],
    [
      'journey.page',
      (args) => {
        const journey = openPaths();
        try {
          return journey.page(journeyPage(args));
        } finally {
          journey.close();
        }
      },
    ],
    [
      'journey.trace',
      (args) => {
        const journey = openPaths();
        try {
          return journey.find(journeyQuery(args));
        } finally {
          journey.close();
        }
      },
    ],
  ]);
  return {
    async call(name, args, onProgress) {
      const special = local.get(name);
      if (special !== undefined) return special(args);
      const handler = ADMIN_HANDLERS[name];
      if (handler === undefined) throw new Error(`The server is not running, and ${name} needs it.`);
      return handler(context, args, (progress) => onProgress?.(progress), stopping.signal);
    },
    async close() {
      stopping.abort();
      await store.close();
      if (events.length === 0) return;
      const journey = openPaths();
      journey.write(events);
      journey.close();
    },
  };
}
