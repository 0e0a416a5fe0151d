/** Which worker takes which task: at most so many in all and for one user, idle ones kept for a while, blank ones ready for who had none. */
import { WORKERS_PER_USER, WAITING_MAX } from './limits.ts';
import type { SystemUser } from './types.ts';
import { WorkerProcess } from './worker-process.ts';

export interface PoolOptions {
  readonly workersMax: number;
  readonly blanks: number;
  /** None is ready before the first is asked for: many servers never need one. */
  readonly isLazy?: boolean;
  readonly idleMs: number;
  /** Of the workers: what users' programs may see of the server's. */
  readonly environment: Readonly<Record<string, string>>;
}

interface Waiting {
  readonly user: SystemUser;
  readonly group: number | null;
  readonly signal: AbortSignal;
  readonly resolve: (worker: WorkerProcess) => void;
  readonly reject: (error: Error) => void;
}

export class WorkerPool {
  readonly #o: PoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #blanks: WorkerProcess[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #sweep: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#o = options;
    this.#sweep = setInterval(() => this.#endIdle(Date.now() - options.idleMs), Math.max(1000, options.idleMs / 4));
    if (options.isLazy !== true) this.#refill();
  }

  get size(): number {
    return this.#workers.size;
  }

  /** A worker that is this user, for one task; give it back with `release`. Rejects when it cannot be had. */
  acquire(user: SystemUser, group: number | null, signal: AbortSignal): Promise<WorkerProcess> {
    const { promise, resolve, reject } = Promise.withResolvers<WorkerProcess>();
    if (this.#waiting.length >= WAITING_MAX) reject(new Error('too many tasks wait'));
    else {
      this.#waiting.push({ user, group, signal, resolve, reject });
      this.#serve();
    }
    return promise;
  }

  release(worker: WorkerProcess): void {
    worker.finish();
    worker.idleSince = Date.now();
    this.#taken.delete(worker);
    this.#serve();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error('the user agent is stopping'));
    for (const worker of [...this.#workers, ...this.#blanks]) worker.kill('the user agent is stopping');
  }

  /** Workers with a task, or on the way to one. */
  readonly #taken = new Set<WorkerProcess>();

  /** Hands out workers in the order of asking; who must wait for a user's own limit does not hold up the others. */
  #serve(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const waiting = this.#waiting[i]!;
      if (waiting.signal.aborted) {
        this.#waiting.splice(i, 1);
        waiting.reject(new Error('the task was given up'));
        continue;
      }
      const worker = this.#find(waiting);
      if (worker === null) i += 1;
      else {
        this.#waiting.splice(i, 1);
        void this.#give(worker, waiting);
      }
    }
  }

  #find({ user, group }: Waiting): WorkerProcess | null {
    const key = keyOf(user, group);
    let ofUser = 0;
    let oldest: WorkerProcess | null = null;
    for (const worker of this.#workers) {
      const isTaken = this.#taken.has(worker);
      if (worker.key === key) {
        if (!isTaken) return worker;
        ofUser += 1;
      } else if (!isTaken && !worker.hasSessions && (oldest === null || worker.idleSince < oldest.idleSince)) oldest = worker;
    }
    if (ofUser >= WORKERS_PER_USER) return null;
    if (this.#workers.size >= this.#o.workersMax) {
      if (oldest === null) return null;
      this.#workers.delete(oldest);
      oldest.kill('another user needs its place');
    }
    const worker = this.#blanks.shift() ?? this.#start();
    worker.key = key;
    this.#workers.add(worker);
    return worker;
  }

  async #give(worker: WorkerProcess, waiting: Waiting): Promise<void> {
    this.#taken.add(worker);
    if (worker.uid === -1) {
      // One more for the next, once this one is under way.
      setImmediate(() => this.#refill());
      try {
        await worker.become(waiting.user, waiting.group);
      } catch (error) {
        worker.kill('it did not become the user');
        waiting.reject(error as Error);
        return;
      }
    }
    waiting.resolve(worker);
  }

  #start(): WorkerProcess {
    return new WorkerProcess(this.#o.environment, (worker) => {
      this.#workers.delete(worker);
      this.#taken.delete(worker);
      const blank = this.#blanks.indexOf(worker);
      if (blank !== -1) this.#blanks.splice(blank, 1);
      if (!this.#isClosed) queueMicrotask(() => this.#serve());
    });
  }

  #refill(): void {
    while (!this.#isClosed && this.#blanks.length < this.#o.blanks && this.#workers.size < this.#o.workersMax) this.#blanks.push(this.#start());
  }

  #endIdle(before: number): void {
    for (const worker of [...this.#workers])
      if (!this.#taken.has(worker) && !worker.hasSessions && worker.idleSince < before) {
        this.#workers.delete(worker);
        worker.kill('idle');
      }
  }
}

/** Another home or group is another worker. */
const keyOf = (user: SystemUser, group: number | null): string => JSON.stringify([user.name, user.uid, user.gid, user.home, group]);
