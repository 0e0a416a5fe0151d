/** The locks that one run holds: dot-locks and the kernel's. Whatever the run forgot is given back when it has ended. */
import { closeSync, constants, openSync } from 'node:fs';
import { releaseDotLock, sleep, takeDotLock, waits } from '../agents/dot-lock.ts';
import type { KernelLocks } from '../agents/kernel-lock.ts';
import { notStored, type StoreResult, storeFailure } from '../agents/result.ts';

const { O_CREAT, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/** Procmail's LOCKSLEEP and LOCKTIMEOUT. */
const LOCK_SLEEP_SECONDS = 8;
const LOCK_STALE_SECONDS = 1024;

export interface LockTerms {
  readonly kernelLocks: KernelLocks;
  readonly signal: AbortSignal;
  /** Longest wait for one lock. */
  readonly patienceMs: number;
  log(text: string): void;
}

export class HostLocks {
  readonly #terms: LockTerms;
  readonly #dots = new Set<string>();
  readonly #kernel = new Set<string>();

  constructor(terms: LockTerms) {
    this.#terms = terms;
  }

  hasDot(path: string): boolean {
    return this.#dots.has(path);
  }

  hasKernel(path: string): boolean {
    return this.#kernel.has(path);
  }

  /** False when it was not had in time. A dot-lock that nobody touched for `staleSeconds` is taken over (0: never). */
  async take(path: string, style: 'dot' | 'flock', sleepSeconds: number, staleSeconds: number): Promise<boolean> {
    const { signal, patienceMs, kernelLocks, log } = this.#terms;
    const sleepMs = Math.max(1, sleepSeconds) * 1000;
    const attempts = Math.max(1, Math.ceil(patienceMs / sleepMs));
    try {
      if (style === 'dot') {
        if ((await takeDotLock(path, { attempts, sleepMs, staleSeconds, signal, sleep })) !== 'taken') return false;
        this.#dots.add(path);
        return true;
      }
      touch(path);
    } catch (error) {
      log(storeFailure(error, `cannot lock ${path}`).text);
      return false;
    }
    const pauses = waits(attempts, sleepMs);
    for (;;) {
      const outcome = await kernelLocks.take(path);
      if (outcome === 'taken') this.#kernel.add(path);
      // Where such locks cannot be had, a script that wants one goes on: dot-locks keep the mailboxes whole.
      if (outcome !== 'busy') return true;
      const pause = pauses.next();
      if (pause.done === true || signal.aborted) return false;
      await sleep(pause.value, signal);
    }
  }

  async release(path: string): Promise<null> {
    if (this.#dots.delete(path)) releaseDotLock(path);
    if (this.#kernel.delete(path)) await this.#terms.kernelLocks.release(path);
    return null;
  }

  async releaseAll(): Promise<void> {
    for (const path of [...this.#dots, ...this.#kernel]) await this.release(path);
  }

  /** Runs `work` while the lock file is held; null: none is wanted. */
  async during<T>(lockFile: string | null, work: () => Promise<T>): Promise<T | StoreResult> {
    if (lockFile === null || this.#dots.has(lockFile)) return work();
    if (!(await this.take(lockFile, 'dot', LOCK_SLEEP_SECONDS, LOCK_STALE_SECONDS)))
      return notStored(451, '4.2.0', `the lock file ${lockFile} could not be had`);
    try {
      return await work();
    } finally {
      await this.release(lockFile);
    }
  }
}

/** Something must be there to be locked. */
function touch(path: string): void {
  closeSync(openSync(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600));
}
