/**
 * Reads PDF and office documents in a worker of its own: hostile files end the worker or run into its deadline, not the indexer.
 * The worker is started for the first document and ended when there was none for a minute, for the memory it takes.
 */
import { Worker } from 'node:worker_threads';
import type { AttachmentKind } from './find.ts';

/** Of the worker's JavaScript. */
const HEAP_MB = 192;
/** Buffers are not counted in that (a stream in a PDF may unpack to anything): how much the whole process may grow while a document is read. */
const GROWTH_MB = 384;
const LOOK_EVERY_MS = 50;
const YOUNG_MB = 16;
const DEADLINE_MS = 10_000;
const IDLE_MS = 60_000;

export interface DocumentRequest {
  readonly id: number;
  readonly kind: AttachmentKind;
  readonly bytes: Uint8Array;
  readonly charactersMax: number;
}
export interface DocumentAnswer {
  readonly id: number;
  /** null: the file is not what it says, or passes a limit. */
  readonly text: string | null;
}

export interface AttachmentReaderOptions {
  readonly deadlineMs?: number;
  readonly idleMs?: number;
  readonly heapMb?: number;
  readonly growthMb?: number;
}

export class AttachmentReader {
  readonly #deadlineMs: number;
  readonly #idleMs: number;
  readonly #heapMb: number;
  readonly #growthBytes: number;
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #id = 0;
  /** Documents are read one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: AttachmentReaderOptions = {}) {
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#idleMs = options.idleMs ?? IDLE_MS;
    this.#heapMb = options.heapMb ?? HEAP_MB;
    this.#growthBytes = (options.growthMb ?? GROWTH_MB) * 1024 * 1024;
  }

  get isRunning(): boolean {
    return this.#worker !== null;
  }

  /** At most `charactersMax` of the document's text; null when it has none that can be read within the limits. Never rejects. */
  text(kind: AttachmentKind, bytes: Uint8Array, charactersMax: number): Promise<string | null> {
    const answer = this.#last.then(() => this.#read(kind, bytes, charactersMax));
    this.#last = answer;
    return answer;
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #read(kind: AttachmentKind, bytes: Uint8Array, charactersMax: number): Promise<string | null> {
    if (this.#isClosed) return Promise.resolve(null);
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    this.#id += 1;
    const id = this.#id;
    return new Promise((resolve) => {
      const done = (text: string | null): void => {
        clearTimeout(deadline);
        clearInterval(looking);
        worker.off('message', answered);
        worker.off('exit', ended);
        if (this.#worker === worker) {
          this.#idle = setTimeout(() => this.#end(), this.#idleMs);
          this.#idle.unref();
        }
        resolve(text);
      };
      const answered = (answer: DocumentAnswer): void => {
        if (answer.id === id) done(answer.text);
      };
      const ended = (): void => {
        if (this.#worker === worker) this.#worker = null; // the next document starts another
        done(null);
      };
      const giveUp = (): void => {
        this.#end();
        done(null);
      };
      const deadline = setTimeout(giveUp, this.#deadlineMs);
      const before = process.memoryUsage.rss();
      const looking = setInterval(() => {
        if (process.memoryUsage.rss() - before > this.#growthBytes) giveUp();
      }, LOOK_EVERY_MS);
      worker.on('message', answered);
      worker.on('exit', ended);
      // The bytes may be a piece of something larger: the worker gets a copy of its own.
      const copy = new Uint8Array(bytes);
      worker.postMessage({ id, kind, bytes: copy, charactersMax } satisfies DocumentRequest, [copy.buffer]);
    });
  }

  #start(): Worker {
    // Run from source the worker is source too; once compiled it is compiled.
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), {
      stdin: false,
      stdout: true,
      stderr: true,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb, maxYoungGenerationSizeMb: YOUNG_MB },
    });
    // What a library prints about odd files is nobody's business.
    worker.stdout.resume();
    worker.stderr.resume();
    worker.on('error', () => {}); // 'exit' follows, which ends the request
    worker.unref();
    return worker;
  }

  #end(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const worker = this.#worker;
    this.#worker = null;
    void worker?.terminate();
  }
}
