/**
 * The writer's loop: requests queue up from any number of sources while a commit is under way, and the next commit
 * takes all of them. Also keeps the write-ahead log bounded, and refuses growth while the disk is nearly full.
 */
import { statfsSync } from 'node:fs';
import type { Announcement, FailureCode, JourneyEvent, Log } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import type { Connection } from '../engines/sqlite.ts';
import type { CommitMessage, RequestMessage } from './client.ts';
import type { Answer, GroupCommit, Request } from './group-commit.ts';

export interface RunnerOptions {
  readonly databasePath: string;
  readonly walBytesMax: number;
  readonly walBytesShed: number;
  readonly freeBytesMin: number;
  readonly batchOperationsMax: number;
}

/** One thread (or the CLI itself) that sends requests and gets answers. */
export interface Source {
  post(message: CommitMessage): void;
  readonly wants: Wanted;
}

/**
 * Which announcements of everybody's commits a source wants: all; only those that are not about mailboxes ('directory', 'queue'); or all but
 * changes of flags, for who only looks at messages that come and go. A message to a thread costs more than most changes.
 */
export type Wanted = 'all' | 'notices' | 'arrivals';

/** Operations that make the store grow: refused first when space runs out, while reading and deleting go on. */
const GROWING = new Set(['accept', 'message.append', 'import.append']);

/** Average operations a commit from which waiting for more pays; how long; how much more than usual ends the wait. */
const LINGER_FROM_BATCH = 1.5;
const LINGER_MS = 1;
const LINGER_ENOUGH = 1.25;
const LINGER_ENOUGH_LEAST = 4;

const CHECK_EVERY_MS = 1000;
const CHECK_EVERY_COMMITS = 64;
const RESTART_WAIT_MS = 50;
const RESTART_BACKOFF_MS = 1000;
const NORMAL_TIMEOUT_MS = 1000;
/** A page and its header in the log. */
const FRAME_BYTES = 4096 + 24;

interface Queued extends Request {
  readonly source: Source;
  readonly number: number;
}

export class WriterRunner {
  readonly #commit: GroupCommit;
  readonly #connection: Connection;
  #options: RunnerOptions;
  readonly #log: Log;
  readonly #journey: (events: readonly JourneyEvent[]) => void;
  readonly #sources = new Set<Source>();
  #queue: Queued[] = [];
  #isScheduled = false;
  #isStopped = false;
  #lingering: NodeJS.Timeout | null = null;
  /** Moving average of the operations in a commit. */
  #usualBatch = 1;
  #shed: FailureCode | null = null;
  #restartNotBefore = 0;
  #checkedAt = 0;
  #commitsSinceCheck = 0;
  #loggedError: unknown = null;
  walBytes = 0;

  constructor(commit: GroupCommit, connection: Connection, options: RunnerOptions, log: Log, journey: (events: readonly JourneyEvent[]) => void) {
    this.#commit = commit;
    this.#connection = connection;
    this.#options = options;
    this.#log = log;
    this.#journey = journey;
    this.check();
  }

  set options(options: RunnerOptions) {
    this.#options = options;
  }

  addSource(source: Source): void {
    this.#sources.add(source);
  }
  removeSource(source: Source): void {
    this.#sources.delete(source);
  }

  submit(source: Source, requests: RequestMessage): void {
    if (this.#isStopped) {
      source.post({ answers: requests.map(([number]) => [number, null, 'storeBusy', 'the store is closed']), announcements: [] });
      return;
    }
    for (const [number, operation, input] of requests) this.#queue.push({ source, number, operation, input });
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) {
      if (this.#lingering !== null && this.#queue.length >= this.#enough) this.#stopLingering();
      return;
    }
    this.#isScheduled = true;
    // With several clients at work, the next ones' requests are about to come: waiting a millisecond for them makes one
    // fsync, and one rewriting of the pages all messages touch, serve more. A client alone never waits.
    if (this.#usualBatch >= LINGER_FROM_BATCH && this.#queue.length < this.#enough) this.#lingering = setTimeout(this.#run, LINGER_MS);
    // Lets the messages that are already in the other ports arrive first.
    else setImmediate(this.#run);
  }

  get #enough(): number {
    return Math.max(LINGER_ENOUGH_LEAST, this.#usualBatch * LINGER_ENOUGH);
  }

  #stopLingering(): void {
    clearTimeout(this.#lingering!);
    this.#lingering = null;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    this.#isScheduled = false;
    this.#lingering = null;
    this.#turn();
  };

  /** Runs everything that waits now; whoever comes later is refused. At shutdown, before the connection is closed. */
  stop(): void {
    while (this.#queue.length > 0) this.#turn();
    this.#isStopped = true;
  }

  #turn(): void {
    const batch = this.#queue.length <= this.#options.batchOperationsMax ? this.#queue : this.#queue.slice(0, this.#options.batchOperationsMax);
    this.#queue = batch === this.#queue ? [] : this.#queue.slice(batch.length);
    if (batch.length === 0) return;
    this.#usualBatch += (batch.length - this.#usualBatch) * 0.1;
    const shed = this.#shed;
    const answers = new Array<Answer>(batch.length);
    let requests: Request[] = batch;
    let places: number[] | null = null;
    if (shed !== null) {
      places = [];
      requests = batch.filter((request, i) => {
        if (!GROWING.has(request.operation)) {
          places!.push(i);
          return true;
        }
        answers[i] = { ok: false, failure: new Failure(shed, 'refused while space is short') };
        return false;
      });
    }
    const committed = requests.length === 0 ? { answers: [], announcements: [], journey: [] } : this.#commit.commit(requests);
    committed.answers.forEach((answer, i) => {
      answers[places === null ? i : places[i]!] = answer;
    });
    this.#reply(batch, answers, committed.announcements);
    if (committed.journey.length > 0) this.#journey(committed.journey);
    this.#logErrors();
    this.#commitsSinceCheck += 1;
    if (this.#commitsSinceCheck >= CHECK_EVERY_COMMITS || performance.now() - this.#checkedAt > CHECK_EVERY_MS) this.check();
    if (this.#queue.length > 0) this.#schedule();
  }

  #reply(batch: readonly Queued[], answers: readonly Answer[], announcements: readonly Announcement[]): void {
    const bySource = new Map<Source, CommitMessage['answers']>();
    for (let i = 0; i < batch.length; i += 1) {
      const { source, number } = batch[i]!;
      const answer = answers[i]!;
      let list = bySource.get(source);
      if (list === undefined) {
        list = [];
        bySource.set(source, list);
      }
      list.push(answer.ok ? [number, answer.value] : [number, null, answer.failure.code, answer.failure.message]);
    }
    const notices = announcements.filter((announcement) => announcement.kind === 'directory' || announcement.kind === 'queue');
    const arrivals = announcements.filter((one) => one.kind !== 'messages' || one.isResync || one.added.length > 0 || one.expunged.length > 0);
    for (const source of this.#sources) {
      const own = bySource.get(source);
      const news = source.wants === 'all' ? announcements : source.wants === 'arrivals' ? arrivals : notices;
      if (own !== undefined || news.length > 0) source.post({ answers: own ?? [], announcements: news });
    }
  }

  #logErrors(): void {
    const error = this.#commit.lastError;
    if (error === this.#loggedError) return;
    this.#loggedError = error;
    this.#log.error('store.commit.failed', { cause: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }

  /** Looks at the log's size and the free space. */
  check(): void {
    this.#checkedAt = performance.now();
    this.#commitsSinceCheck = 0;
    this.walBytes = this.#logBytes();
    if (this.walBytes > this.#options.walBytesMax && this.#checkedAt >= this.#restartNotBefore) this.#restartLog();
    const shed = this.#findShed();
    if (shed !== this.#shed) {
      this.#shed = shed;
      if (shed === null) this.#log.info('store.accepting', {});
      else this.#log.error('store.refusing', { failure: shed, walBytes: this.walBytes });
    }
  }

  #findShed(): FailureCode | null {
    if (this.walBytes > this.#options.walBytesShed) return 'storeBusy';
    try {
      const space = statfsSync(this.#options.databasePath);
      return space.bavail * space.bsize < this.#options.freeBytesMin ? 'diskFull' : null;
    } catch (error) {
      this.#log.error('store.statfs.failed', { cause: (error as Error).message });
      return null;
    }
  }

  #restartLog(): void {
    this.#connection.exec(`PRAGMA busy_timeout=${RESTART_WAIT_MS}`);
    try {
      const row = this.#connection.get('PRAGMA wal_checkpoint(RESTART)');
      // busy=1: a reader stands in the log. Waiting longer would hold up deliveries; the next try is in a second.
      if (row?.[0] === 1) this.#restartNotBefore = performance.now() + RESTART_BACKOFF_MS;
    } catch (error) {
      this.#restartNotBefore = performance.now() + RESTART_BACKOFF_MS;
      this.#log.warn('store.checkpoint.failed', { cause: (error as Error).message });
    } finally {
      this.#connection.exec(`PRAGMA busy_timeout=${NORMAL_TIMEOUT_MS}`);
    }
  }

  /** Bytes of the log in use; the file itself keeps its length when the log starts over. */
  #logBytes(): number {
    const row = this.#connection.get('PRAGMA wal_checkpoint(NOOP)');
    return Math.max(0, Number(row?.[1] ?? 0)) * FRAME_BYTES;
  }
}
