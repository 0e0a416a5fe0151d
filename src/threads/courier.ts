/** The courier's thread: the queue's scheduler and everything that goes out. */
import { createDirectory } from '../directory/embedded.ts';
import { type Courier, startCourier } from '../queue/courier.ts';
import { createIntake } from '../queue/intake.ts';
import { startJudgeChores } from './judge-chores.ts';
import { connectStore, journeyTo, start, startThread } from './start.ts';

const thread = startThread({
  /** Lets running attempts finish, up to `deadlineMs`. */
  drain: async (deadlineMs: number) => {
    // Side by side: reports to others must not use up the time that deliveries have.
    await Promise.all([chores.stop(), courier.stop(deadlineMs)]);
  },
  stop: () => {
    store.reader.close();
    thread.log.flush();
  },
});

const store = connectStore(thread, start.writerPort!);
const journey = journeyTo(start.keeperPort!);
const directory = createDirectory(store.reader, store.announcements, thread.settings);
const intake = createIntake({
  directory,
  reader: store.reader,
  writer: store.writer,
  journey,
  log: thread.log,
  metrics: thread.metrics,
  receivedMax: () => thread.settings()['smtp.receivedMax'],
});

process.on('uncaughtException', (cause) => thread.log.error('thread.exception', { cause }));
process.on('unhandledRejection', (cause) => thread.log.error('thread.rejection', { cause }));

const courier: Courier = startCourier({
  settings: thread.settings,
  log: thread.log,
  metrics: thread.metrics,
  journey,
  reader: store.reader,
  writer: store.writer,
  announcements: store.announcements,
  staging: store.staging,
  intake,
  directory,
  newId: thread.newId,
  now: thread.now,
});
const chores = startJudgeChores({
  ...thread,
  dataDir: start.settings.dataDir,
  reader: store.reader,
  writer: store.writer,
  staging: store.staging,
  directory,
});
thread.link.tell('ready');
