/**
 * The indexer's thread: keeps the search index level with the store, after deliveries and never in their way. Announcements only wake it;
 * what there is to do, the store and the index's cursor say. It runs with lower priority than the other threads.
 */
import { setPriority } from 'node:os';
import type { Announcement } from '../ports.ts';
import { AttachmentReader } from '../search/attachments/reader.ts';
import { isDamage } from '../search/database.ts';
import { Indexer } from '../search/indexer.ts';
import { SearchProgress } from '../search/progress.ts';
import { storePaths } from '../store/paths.ts';
import { openStoreReader } from '../store/reader.ts';
import { connectWriter } from '../store/writer/client.ts';
import { start, startThread } from './start.ts';

/** After the first news: more of them come soon, and one transaction is made for all. */
const WAKE_MS = 50;
/** While news keep coming: many messages in one transaction cost much less than the same ones in many. */
const ROUND_MS = 400;
/** After a failure (a full disk): the next try. */
const AGAIN_MS = 30_000;
/** What is removed from the index takes a look at all messages of the account: not after every expunge. */
const REMOVE_EVERY_MS = 5 * 60_000;
/** Of the thread, among those of the process and others (Linux: threads have their own). */
const NICE = 10;

let indexer: Indexer | null = null;
let isWorking = false;
let isWanted = false;
let isStopped = false;
let timer: NodeJS.Timeout | null = null;
let removedAt = 0;

const thread = startThread({
  stop: async () => {
    isStopped = true;
    if (timer !== null) clearTimeout(timer);
    attachments.close();
    indexer?.close();
    reader.close();
    thread.log.flush();
  },
});

if (process.platform === 'linux') setPriority(0, NICE);
const paths = storePaths(start.settings.dataDir);
const reader = openStoreReader(paths.database, paths.blobs);
const attachments = new AttachmentReader();
connectWriter(start.writerPort!, hear);

function hear(news: readonly Announcement[]): void {
  let isNew = false;
  for (const one of news) {
    switch (one.kind) {
      case 'messages':
        if (one.added.length > 0 || one.isResync) isNew = true;
        if (one.expunged.length > 0 || one.isResync) indexer?.noteGone(one.accountId);
        break;
      case 'mailboxGone':
        indexer?.noteGone(one.accountId);
        break;
      case 'directory':
        // An account may be gone, with all it had.
        for (const account of one.accounts ?? []) indexer?.noteGone(account);
        break;
      default:
    }
  }
  if (isNew) wake(WAKE_MS);
}

function wake(ms: number): void {
  isWanted = true;
  if (isWorking || isStopped) return;
  if (timer !== null) {
    if (ms > WAKE_MS) return;
    clearTimeout(timer);
  }
  timer = setTimeout(() => {
    timer = null;
    void work();
  }, ms);
}

async function work(): Promise<void> {
  isWorking = true;
  let againMs: number | null = null;
  try {
    indexer ??= openIndexer();
    for (let round = 0; isWanted && !isStopped; round += 1) {
      // What came while it worked is gathered like the first news.
      if (round > 0) await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
      if (isStopped) return;
      isWanted = false;
      await indexer.catchUp();
      await indexer.readAttachments(() => !isWanted);
      if (!isWanted && performance.now() - removedAt > REMOVE_EVERY_MS) {
        removedAt = performance.now();
        await indexer.removeGone();
      }
      while (!isWanted && !isStopped && indexer.tidy()) await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (cause) {
    if (!isStopped) {
      if (isDamage(cause)) indexer?.noteDamage();
      else thread.log.warn('search.failed', { cause });
      againMs = isDamage(cause) ? WAKE_MS : AGAIN_MS;
    }
  }
  isWorking = false;
  if (isStopped) return;
  if (againMs !== null) wake(againMs);
  else if (isWanted) wake(WAKE_MS);
}

function openIndexer(): Indexer {
  return new Indexer({
    databasePath: paths.search,
    reader,
    log: thread.log,
    metrics: thread.metrics,
    settings: thread.settings,
    progress: new SearchProgress(start.searchProgress!),
    attachments,
  });
}

if (!isStopped) {
  // Removals that nothing new follows.
  setInterval(() => wake(WAKE_MS), REMOVE_EVERY_MS);
  wake(0);
}
thread.link.tell('ready');
