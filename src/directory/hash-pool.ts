/** Runs the old crypt forms, which are long loops of JavaScript, in one worker of this thread, started when first needed. */
import { Worker } from 'node:worker_threads';

interface Job {
  resolve(hash: string): void;
  reject(error: Error): void;
}
export interface SlowHashRequest {
  readonly id: number;
  readonly password: string;
  readonly stored: string;
}
export interface SlowHashAnswer {
  readonly id: number;
  readonly hash: string;
}

class HashWorker {
  #worker: Worker | null = null;
  readonly #jobs = new Map<number, Job>();
  #lastId = 0;

  #start(): Worker {
    // Run from source the worker is source too; once compiled it is compiled.
    const file = import.meta.url.endsWith('.ts') ? './hash-worker.ts' : './hash-worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { stdin: false, execArgv: [] });
    worker.unref();
    worker.on('message', ({ id, hash }: SlowHashAnswer) => {
      const job = this.#jobs.get(id);
      this.#jobs.delete(id);
      if (this.#jobs.size === 0) worker.unref();
      job?.resolve(hash);
    });
    const fail = (cause: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = null; // the next job starts another
      const jobs = [...this.#jobs.values()];
      this.#jobs.clear();
      for (const job of jobs) job.reject(new Error('the hash worker ended', { cause }));
    };
    worker.on('error', fail);
    worker.on('exit', fail);
    return worker;
  }

  run(password: string, stored: string): Promise<string> {
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = ++this.#lastId;
    worker.ref();
    return new Promise((resolve, reject) => {
      this.#jobs.set(id, { resolve, reject });
      worker.postMessage({ id, password, stored } satisfies SlowHashRequest);
    });
  }
}

/** One for the thread: a worker costs memory, and there is nothing to configure. */
const pool = new HashWorker();

/** The crypt(3) hash of `password` under the salt and cost of `stored`; "" when `stored` has no form the worker knows. */
export function slowHash(password: string, stored: string): Promise<string> {
  return pool.run(password, stored);
}
