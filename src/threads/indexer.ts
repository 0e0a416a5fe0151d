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

/**
 * News are gathered until there have been none for a while: a transaction of the index costs as much for one message as for many, and
 * deliveries need the processor more. Who waits for the index (`SearchProgress.hurry`) need not wait for that.
 */
const QUIET_MS = 3000;
/** The longest that the first of the news waits while more keep coming. */
const WAIT_MAX_MS = 60_000;
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
/** When news came that are not indexed: the first and the last of them; 0: none. */
let firstNewsAt = 0;
let lastNewsAt = 0;
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
const progress = new SearchProgress(start.searchProgress!);
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
  if (isNew) noteNews();
}

function noteNews(): void {
  isWanted = true;
  lastNewsAt = performance.now();
  if (firstNewsAt === 0) firstNewsAt = lastNewsAt;
  if (timer === null) wake(dueIn());
}

/** Milliseconds until the news have waited long enough. */
function dueIn(): number {
  return Math.max(0, Math.min(lastNewsAt + QUIET_MS, firstNewsAt + WAIT_MAX_MS) - performance.now());
}

function wake(ms: number): void {
  isWanted = true;
  if (isWorking || isStopped) return;
  if (timer !== null) clearTimeout(timer);
  timer = setTimeout(() => {
    timer = null;
    const left = firstNewsAt === 0 ? 0 : dueIn();
    if (left > 0) wake(left);
    else void work();
  }, ms);
}

/** Somebody waits for the index. */
async function listen(): Promise<void> {
  for (let known = progress.hurries; !isStopped; known = progress.hurries) {
    await progress.hurried(known);
    firstNewsAt = 0;
    wake(0);
  }
}

async function work(): Promise<void> {
  isWorking = true;
  isWanted = false;
  firstNewsAt = 0;
  const { hurries } = progress;
  let againMs: number | null = null;
  try {
    indexer ??= openIndexer();
    await indexer.catchUp();
    await indexer.readAttachments(() => !isWanted);
    if (!isWanted && performance.now() - removedAt > REMOVE_EVERY_MS) {
      removedAt = performance.now();
      await indexer.removeGone();
    }
    while (!isWanted && !isStopped && indexer.tidy()) await new Promise((resolve) => setImmediate(resolve));
  } catch (cause) {
    if (!isStopped) {
      if (isDamage(cause)) indexer?.noteDamage();
      else thread.log.warn('search.failed', { cause });
      againMs = isDamage(cause) ? 0 : AGAIN_MS;
    }
  }
  isWorking = false;
  if (isStopped) return;
  if (againMs !== null) wake(againMs);
  else if (progress.hurries !== hurries) wake(0);
  else if (isWanted) wake(firstNewsAt === 0 ? 0 : dueIn());
}

function openIndexer(): Indexer {
  return new Indexer({
    databasePath: paths.search,
    reader,
    log: thread.log,
    metrics: thread.metrics,
    settings: thread.settings,
    progress,
    attachments,
  });
}

if (!isStopped) {
  // Removals that nothing new follows.
  setInterval(() => wake(0), REMOVE_EVERY_MS);
  void listen();
  wake(0);
}
thread.link.tell('ready');
