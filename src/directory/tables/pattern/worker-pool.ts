/** Runs matches that may never end in one worker of this thread, started when first needed and replaced when it overruns. */
import { Worker } from 'node:worker_threads';
import { PATTERN_LIMITS } from './limits.ts';

/** The worker did not finish in time, or has too much to do. Nothing is known of the match. */
export class PatternTimeout extends Error {
  readonly code = 'patternTimeout';
  constructor(sentence: string) {
    super(sentence);
    this.name = 'PatternTimeout';
  }
}

export interface MatchRequest {
  /** Linear, but too much for the thread that asks; or JavaScript's for what RE2 has no means for. */
  readonly engine: 're2' | 'javascript';
  readonly source: string;
  /** For RE2: the longest match instead of the first. */
  readonly isLongest: boolean;
  readonly text: string;
}
/** null: no match. A text: the engine gave up, with its reason. */
export type MatchAnswer = readonly (string | undefined)[] | null | string;

interface Job {
  readonly request: MatchRequest;
  readonly deadlineMs: number;
  resolve(groups: readonly (string | undefined)[] | null): void;
  reject(error: Error): void;
}

class PatternWorker {
  #worker: Worker | null = null;
  #isOnline = false;
  #current: Job | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #waiting: Job[] = [];

  run(request: MatchRequest, deadlineMs: number): Promise<readonly (string | undefined)[] | null> {
    if (this.#waiting.length >= PATTERN_LIMITS.workerQueue) return Promise.reject(new PatternTimeout('too many slow patterns are waiting'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, deadlineMs, resolve, reject });
      this.#next();
    });
  }

  /** One job at a time: the deadline is of the match alone, not of the wait for it or of the worker's start. */
  #next(): void {
    if (this.#current !== null || this.#waiting.length === 0) return;
    const worker = this.#worker ?? this.#start();
    worker.ref();
    if (!this.#isOnline) return;
    const job = this.#waiting.shift()!;
    this.#current = job;
    this.#timer = setTimeout(() => this.#overrun(job), job.deadlineMs);
    worker.postMessage(job.request);
  }

  #start(): Worker {
    // Run from source the worker is source too; once compiled it is compiled.
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { stdin: false, execArgv: [] });
    this.#worker = worker;
    this.#isOnline = false;
    worker.on('message', (answer: MatchAnswer | 'ready') => {
      if (this.#worker !== worker) return;
      if (answer === 'ready') this.#isOnline = true;
      else this.#finish(answer);
      if (this.#current === null && this.#waiting.length === 0) worker.unref();
      else this.#next();
    });
    const lost = (cause: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      const jobs = [...(this.#current === null ? [] : [this.#current]), ...this.#waiting.splice(0)];
      this.#settle();
      for (const job of jobs) job.reject(Object.assign(new PatternTimeout('the worker for slow patterns ended'), { cause }));
    };
    worker.on('error', lost);
    worker.on('exit', lost);
    return worker;
  }

  #finish(answer: MatchAnswer): void {
    const job = this.#current;
    this.#settle();
    if (typeof answer === 'string') job?.reject(new PatternTimeout(`the pattern could not be matched: ${answer}`));
    else job?.resolve(answer);
  }

  #overrun(job: Job): void {
    const worker = this.#worker;
    this.#worker = null; // its end is expected
    this.#settle();
    void worker?.terminate();
    job.reject(new PatternTimeout(`the pattern took longer than ${job.deadlineMs} ms`));
    this.#next();
  }

  #settle(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#current = null;
  }
}

/** One for the thread, like the worker of the old password hashes: it costs memory, and there is nothing to configure. */
const pool = new PatternWorker();

/** Matches a pattern without flags. Rejects with PatternTimeout. */
export function matchInWorker(request: MatchRequest, deadlineMs: number): Promise<readonly (string | undefined)[] | null> {
  return pool.run(request, deadlineMs);
}
