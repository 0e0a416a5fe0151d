/** Starting threads, noticing when one ends or stands still. */
import { randomInt } from 'node:crypto';
import { type MessagePort, Worker } from 'node:worker_threads';
import type { Log } from '../ports.ts';
import type { AllSettings } from '../settings.ts';
import { type Handlers, Link } from './link.ts';
import type { ThreadStart } from './start.ts';

/** A thread that has not moved for this long is reported, and after the second limit the process is started again. */
const BLOCKED_MS = 5_000;
const STUCK_MS = 120_000;
/** Young objects here live for one message: a small nursery costs no time and saves some 30 MB over all threads. */
const YOUNG_MB = 8;

/** Three digits of a message id. */
const INSTANCES = 36 ** 3;

export interface CrewMember {
  readonly name: string;
  readonly link: Link;
  readonly worker: Worker;
  readonly beat: Int32Array;
  /** Resolves when the thread has told 'ready'; rejects when it ends before. */
  readonly ready: Promise<any>;
  isEnding: boolean;
  lastBeat: number;
  lastBeatAt: number;
  isReported: boolean;
}

export interface CrewOptions {
  readonly log: Log;
  readonly isTerminal: boolean;
  settings(): AllSettings;
  /** A thread ended without being asked to. */
  onLost(member: CrewMember, cause: Error): void;
  /** A thread stands still for so long that only a new process helps. */
  onStuck(member: CrewMember): void;
}

export class Crew {
  readonly members = new Map<string, CrewMember>();
  readonly #options: CrewOptions;
  readonly #watch: NodeJS.Timeout;
  readonly #instances = new Set<number>();

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#watch = setInterval(() => this.#look(), 1000);
    this.#watch.unref();
  }

  /** `file` is below src/threads/, without ending. */
  start(name: string, file: string, parts: Partial<ThreadStart>, transfer: MessagePort[] = [], handlers: Handlers = {}): CrewMember {
    const heartbeat = new SharedArrayBuffer(4);
    const workerData: ThreadStart = {
      name,
      instance: this.takeInstance(),
      settings: this.#options.settings(),
      isTerminal: this.#options.isTerminal,
      heartbeat,
      ...parts,
    };
    const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./${file}.${ending}`, import.meta.url), {
      workerData,
      transferList: transfer,
      name,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const { promise: ready, resolve, reject } = Promise.withResolvers<unknown>();
    ready.catch(() => {}); // who starts the thread awaits it; a later loss is told by onLost
    const member: CrewMember = {
      name,
      worker,
      link: new Link(worker, { ready: (facts: unknown) => resolve(facts), ...handlers }),
      beat: new Int32Array(heartbeat),
      ready,
      isEnding: false,
      lastBeat: 0,
      lastBeatAt: performance.now(),
      isReported: false,
    };
    let cause: Error | null = null;
    worker.on('error', (error) => {
      cause = error as Error;
    });
    worker.on('exit', (code) => {
      const why = cause ?? new Error(`thread ${name} ended with code ${code}`);
      member.link.fail(why);
      reject(why);
      if (this.members.get(name) === member) this.members.delete(name);
      if (!member.isEnding) this.#options.onLost(member, why);
    });
    this.members.set(name, member);
    return member;
  }

  /** A number for a thread's message ids: drawn at random, so that starts differ, and never twice in this process. */
  takeInstance(): number {
    let instance = randomInt(INSTANCES);
    while (this.#instances.has(instance) && this.#instances.size < INSTANCES) instance = (instance + 1) % INSTANCES;
    this.#instances.add(instance);
    return instance;
  }

  #look(): void {
    const now = performance.now();
    for (const member of this.members.values()) {
      const beat = Atomics.load(member.beat, 0);
      if (beat !== member.lastBeat) {
        if (member.isReported) this.#options.log.warn('thread.moves', { thread: member.name, stoodMs: Math.round(now - member.lastBeatAt) });
        member.lastBeat = beat;
        member.lastBeatAt = now;
        member.isReported = false;
        continue;
      }
      const stoodMs = now - member.lastBeatAt;
      if (stoodMs > BLOCKED_MS && !member.isReported) {
        member.isReported = true;
        this.#options.log.error('thread.blocked', { thread: member.name, stoodMs: Math.round(stoodMs) });
      }
      if (stoodMs > STUCK_MS && !member.isEnding) this.#options.onStuck(member);
    }
  }

  /** Asks a thread to put things in order, then ends it. */
  async end(member: CrewMember): Promise<void> {
    member.isEnding = true;
    await member.link.call('stop').catch(() => {}); // ended by itself meanwhile
    await member.worker.terminate();
  }

  close(): void {
    clearInterval(this.#watch);
  }
}
