/** The side of an import that has the store: asks the worker for batches, one folder after the other. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FromImportWorker, ImportWorkerData, ToImportWorker } from './import-messages.ts';
import type { Source } from './source.ts';

/** Memory of the worker's heap; names and keys of a million messages lie outside of it. */
const HEAP_MB_MAX = 256;

export type ImportStep = Exclude<FromImportWorker, { kind: 'source' } | { kind: 'failed' }>;

export class ImportReader {
  readonly #worker: Worker;
  readonly #arrived: FromImportWorker[] = [];
  #wake: (() => void) | null = null;
  #lost: Error | null = null;

  constructor(data: ImportWorkerData) {
    // Run from source the worker is source too; once compiled it is compiled.
    const file = import.meta.url.endsWith('.ts') ? './import-worker.ts' : './import-worker.js';
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: data,
      stdin: false,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
    });
    this.#worker.on('message', (message: FromImportWorker) => {
      this.#arrived.push(message);
      this.#next();
    });
    const lose = (cause: unknown): void => {
      this.#lost ??= cause instanceof Error ? cause : new Error('The thread that reads the source ended.');
      this.#next();
    };
    this.#worker.on('error', lose);
    this.#worker.on('exit', lose);
  }

  /** Rejects with a sentence when there is nothing to import. */
  async source(): Promise<Source> {
    const message = await this.#take(null);
    if (message.kind !== 'source') throw new Error('The source was not read.');
    return message.source;
  }

  /** What a folder gives, up to its 'end'. `keys` is handed over. Rejects with a sentence, also when `signal` aborts. */
  async *read(folder: number, keys: Uint8Array, uidl: string | null, signal: AbortSignal): AsyncIterable<ImportStep> {
    this.#send({ kind: 'read', folder, keys, uidl }, [keys.buffer as ArrayBuffer]);
    for (;;) {
      const message = await this.#take(signal);
      if (message.kind === 'source') continue;
      yield message;
      if (message.kind === 'batch') this.#send({ kind: 'more' });
      if (message.kind === 'end') return;
    }
  }

  async #take(signal: AbortSignal | null): Promise<Exclude<FromImportWorker, { kind: 'failed' }>> {
    const stop = (): void => this.#next();
    signal?.addEventListener('abort', stop);
    try {
      for (;;) {
        if (signal?.aborted === true) throw new Error('Stopped before the end.');
        const message = this.#arrived.shift();
        if (message !== undefined) {
          if (message.kind === 'failed') throw new Error(message.message);
          return message;
        }
        if (this.#lost !== null) throw this.#lost;
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  #next(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #send(message: ToImportWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  async close(): Promise<void> {
    const ended = once(this.#worker, 'exit');
    void this.#worker.terminate();
    if (this.#lost === null) await ended;
  }
}
