/**
 * A well-behaved session beside the hostile one: NOOP after NOOP, each sent when the one before has been answered. In a thread of its own,
 * so that what the test itself is busy with is not taken for the server's slowness.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PATIENCE_MS, within } from '../harness/wait.ts';

export interface Pings {
  readonly answers: number;
  /** For the reader of a report; no test depends on it. */
  readonly longestMs: number;
}

export type Question = 'beat' | 'lap' | 'stop';

export interface PingerData {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export class Pinger {
  readonly #worker: Worker;
  /** Rejects when a NOOP was not answered with OK. */
  readonly #failed: Promise<never>;

  private constructor(worker: Worker) {
    this.#worker = worker;
    this.#failed = once(worker, 'error').then(([error]) => Promise.reject(error));
    this.#failed.catch(() => {}); // Whoever asks next is told.
  }

  static async start(port: number, user: string, password: string): Promise<Pinger> {
    const worker = new Worker(new URL('./pinger-worker.ts', import.meta.url), { workerData: { port, user, password } satisfies PingerData });
    const pinger = new Pinger(worker);
    await pinger.beat();
    return pinger;
  }

  /** Resolves when a NOOP that is sent from now on has been answered: the server's loop lives. Rejects when one was not answered with OK. */
  async beat(): Promise<void> {
    await this.#ask('beat');
  }
  /** Since the last lap. */
  lap(): Promise<Pings> {
    return this.#ask('lap');
  }
  /** Since the start; nothing may be asked afterwards. */
  async stop(): Promise<Pings> {
    const pings = await this.#ask('stop');
    await this.#worker.terminate();
    return pings;
  }

  async #ask(question: Question): Promise<Pings> {
    this.#worker.postMessage(question);
    const answered = once(this.#worker, 'message') as Promise<[Pings]>;
    const [pings] = await within('the other session to be answered', Promise.race([answered, this.#failed]), PATIENCE_MS);
    return pings;
  }
}
