/** A store and its search index in a folder of their own, for tests: no thread, every step is asked for. */
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { decodeParts } from '../mail/part-index.ts';
import { digestMessage } from '../mail/digest.ts';
import { searchableText } from '../mail/searchable-text.ts';
import { readerOf } from '../mail/slices.ts';
import { foldForSearch, headerText } from '../mail/text.ts';
import type { AccountId, EmailId, Log, MailboxRow, SearchIndex, StoreReader, TextScope } from '../ports.ts';
import { addAccount, openTestStore, type TestStore } from '../store/testing.ts';
import { defaultsOf } from '../system/declare.ts';
import { SILENT_LOG } from '../system/log.ts';
import { ThreadMetrics } from '../system/metrics.ts';
import type { AttachmentReader } from './attachments/reader.ts';
import { Indexer } from './indexer.ts';
import { createSearchProgress, SearchProgress } from './progress.ts';
import { createSearchIndex } from './search-index.ts';
import { SEARCH_SETTINGS, type SearchSettings } from './settings.ts';

export interface SearchWorldOptions {
  readonly settings?: Partial<SearchSettings>;
  readonly attachments?: AttachmentReader | null;
  readonly log?: Log;
}

/** Nobody else waits in a test. */
export const noPause = (): Promise<void> => Promise.resolve();

export class SearchWorld {
  readonly store: TestStore;
  readonly databasePath: string;
  readonly progress = new SearchProgress(createSearchProgress());
  readonly metrics = new ThreadMetrics();
  readonly index: SearchIndex & { close(): void };
  readonly #options: SearchWorldOptions;
  indexer: Indexer;

  constructor(t: TestContext, options: SearchWorldOptions = {}) {
    this.#options = options;
    this.store = openTestStore(t);
    this.databasePath = join(this.store.dataDir, 'search.db');
    this.indexer = this.openIndexer();
    this.index = createSearchIndex({ databasePath: this.databasePath, reader: this.store.reader, log: SILENT_LOG, progress: this.progress });
    t.after(() => {
      this.index.close();
      this.indexer.close();
    });
  }

  openIndexer(reader: StoreReader = this.store.reader): Indexer {
    const settings = { ...defaultsOf(SEARCH_SETTINGS), ...this.#options.settings };
    return new Indexer({
      databasePath: this.databasePath,
      reader,
      log: this.#options.log ?? SILENT_LOG,
      metrics: this.metrics,
      settings: () => settings,
      progress: this.progress,
      attachments: this.#options.attachments ?? null,
    });
  }

  /** The indexer ends without a word, and another takes its place. */
  restart(): void {
    this.indexer.close();
    this.indexer = this.openIndexer();
  }

  account(login: string): Promise<{ id: AccountId; inbox: MailboxRow }> {
    return addAccount(this.store, login);
  }

  /** Appends a message; answers its email id and uid. */
  async add(account: AccountId, mailbox: number, message: string | Buffer): Promise<{ email: EmailId; uid: number }> {
    const bytes = typeof message === 'string' ? Buffer.from(message) : message;
    const staged = this.store.staging.stage(bytes);
    const { uids } = await this.store.writer.append(account, mailbox, [{ message: staged, flags: 0, keywords: null, internalDate: 1 }]);
    return { email: this.store.reader.message(account, mailbox, uids[0]!)![6], uid: uids[0]! };
  }

  async expunge(account: AccountId, mailbox: number, uids: readonly number[]): Promise<void> {
    await this.store.writer.expunge(account, mailbox, uids, false);
    this.indexer.noteGone(account);
  }

  async found(account: AccountId, scope: TextScope, text: string): Promise<EmailId[]> {
    const matches = await this.index.containing(account, scope, foldForSearch(text), noPause);
    return [...matches.emails].sort((a, b) => a - b);
  }
}

/** What a search that reads the message compares with. */
export function scannedTexts(message: Buffer): { header: string; body: string } {
  const digest = digestMessage(message);
  const root = decodeParts(digest.parts, digest.headerBytes, message.length);
  const body = searchableText(readerOf(message), root) as string;
  return { header: foldForSearch(headerText(message.subarray(0, root.bodyStart))), body: foldForSearch(body) };
}
