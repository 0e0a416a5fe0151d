/** The server's side of the pickup directory: takes the files in new/ as they come. For one thread of the program only. */
import { type FSWatcher, watch } from 'node:fs';
import { readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoopContext } from '../../ports.ts';
import { DAY } from '../../system/declare.ts';
import type { ReceiveSettings } from '../settings.ts';
import { preparePickup } from './drop.ts';
import { sendNotice } from './notice.ts';
import { takeFile } from './take.ts';

/** Messages worked on at the same time: enough to share group commits, few enough to bound memory. */
const AT_ONCE = 8;

export interface Pickup {
  /** Reads the directory now; resolves when everything found was tried. */
  scan(): Promise<void>;
  /** Finishes what is being worked on. */
  stop(): Promise<void>;
}

/** Makes the directory when it is missing, takes what waits there, then watches. Throws when the directory cannot be made. */
export function startPickup(context: LoopContext<ReceiveSettings>, directory: string): Pickup {
  preparePickup(directory);
  return new DirectoryPickup(context, directory);
}

class DirectoryPickup implements Pickup {
  readonly #context: LoopContext<ReceiveSettings>;
  readonly #directory: string;
  readonly #timer: NodeJS.Timeout;
  #watcher: FSWatcher | null = null;
  #isStopped = false;
  /** The scan under way, and whether something came while it ran. */
  #running: Promise<void> | null = null;
  #isAsked = false;
  /** Taken, but the file could not be removed; names are never used again. */
  readonly #done = new Set<string>();

  constructor(context: LoopContext<ReceiveSettings>, directory: string) {
    this.#context = context;
    this.#directory = directory;
    try {
      this.#watcher = watch(join(directory, 'new'), () => void this.scan());
      this.#watcher.on('error', (cause) => context.log.warn('pickup.watch.failed', { cause: String(cause) }));
      this.#watcher.unref();
    } catch (cause) {
      // No inotify instances left: the periodic scan still finds everything.
      context.log.warn('pickup.watch.failed', { cause: String(cause) });
    }
    this.#timer = setInterval(() => void this.scan(), context.settings()['pickup.scanInterval']);
    this.#timer.unref();
    void this.scan();
  }

  scan(): Promise<void> {
    if (this.#isStopped) return this.#running ?? Promise.resolve();
    if (this.#running !== null) {
      this.#isAsked = true;
      return this.#running;
    }
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    do {
      this.#isAsked = false;
      try {
        // Names begin with the time, so this is the order of arrival.
        const names = (await readdir(join(this.#directory, 'new'))).sort();
        let next = 0;
        const worker = async (): Promise<void> => {
          while (next < names.length && !this.#isStopped) await this.#take(names[next++]!);
        };
        await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, worker));
        await this.#sweep();
      } catch (cause) {
        this.#context.log.error('pickup.scan.failed', { cause: String(cause) });
      }
    } while (this.#isAsked && !this.#isStopped);
  }

  async #take(name: string): Promise<void> {
    if (this.#done.has(name)) return;
    const path = join(this.#directory, 'new', name);
    const { log, metrics } = this.#context;
    try {
      const taken = await takeFile(this.#context, path);
      if (taken.kind === 'later') {
        log.warn('pickup.deferred', { file: name, cause: taken.cause });
        return;
      }
      if (taken.kind === 'bad') {
        await this.#setAside(name, taken.cause);
        return;
      }
      metrics.count('pickup.messages');
      log.info(`pickup.${taken.kind}`, { id: taken.envelope.id, file: name, failures: taken.failures.length });
      // Dealt with: whatever goes wrong from here on, it must not be taken a second time.
      this.#done.add(name);
      const isTold = taken.failures.length === 0 || (await sendNotice(this.#context, taken.envelope, taken.failures, taken.header));
      if (isTold) await unlink(path);
      else await this.#setAside(name, `nobody to tell about ${taken.failures[0]!.reply.text}`);
      this.#done.delete(name);
    } catch (cause) {
      log.error('pickup.failed', { file: name, cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) });
    }
  }

  async #setAside(name: string, cause: string): Promise<void> {
    this.#context.metrics.count('pickup.bad');
    this.#context.log.warn('pickup.bad', { file: name, cause });
    await rename(join(this.#directory, 'new', name), join(this.#directory, 'bad', name));
  }

  /** Leftovers of programs that died while writing. */
  async #sweep(): Promise<void> {
    const folder = join(this.#directory, 'tmp');
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      try {
        if ((await stat(path)).mtimeMs < Date.now() - DAY) await unlink(path);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause; // committed in the meantime
      }
    }
  }
}
