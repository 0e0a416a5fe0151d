/** Memory of clients: who waited for the greeting (in this thread, then in the store) and who spoke before it (in this thread only). */
import { TtlCache } from '../../net/dns-cache.ts';
import type { Wheel, WheelEntry } from '../../net/wheel.ts';
import type { Log, StoreReader, StoreWriter } from '../../ports.ts';
import { DOOR_LIMITS } from './limits.ts';
import type { RememberInput } from './operations.ts';
import type { DoorSettings } from './settings.ts';

export interface PassedContext {
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  readonly log: Log;
  readonly wheel: Wheel;
  settings(): DoorSettings;
  now(): number;
}

const FIND = 'SELECT passed_at FROM passed_client WHERE client=?';

export class ClientMemory {
  readonly #context: PassedContext;
  /** When each passed, in the clock of `now`. */
  readonly #passed = new TtlCache<number>();
  readonly #early = new TtlCache<true>();
  readonly #toRemember = new Set<string>();
  readonly #toForget = new Set<string>();
  #writing: Promise<void> | null = null;
  #isScheduled = false;
  readonly #tick: WheelEntry = { fire: () => void this.#writeNow() };

  constructor(context: PassedContext) {
    this.#context = context;
  }

  hasPassed(key: string): boolean {
    const now = this.#context.now();
    if (this.#passed.get(key, now) !== undefined) return true;
    if (this.#toForget.has(key)) return false;
    const keepMs = this.#context.settings()['door.passedFor'];
    const at = this.#context.reader.rows(FIND, key)[0]?.[0];
    if (typeof at !== 'number' || at + keepMs <= now) return false;
    this.#passed.set(key, at, at + keepMs, now, DOOR_LIMITS.passedInMemory);
    return true;
  }

  hasTalkedEarly(key: string): boolean {
    return this.#early.get(key, this.#context.now()) === true;
  }

  passed(key: string): void {
    const now = this.#context.now();
    const keepMs = this.#context.settings()['door.passedFor'];
    this.#passed.set(key, now, now + keepMs, now, DOOR_LIMITS.passedInMemory);
    this.#toForget.delete(key);
    // What does not fit waits once more another time.
    if (this.#toRemember.size < DOOR_LIMITS.unwritten) this.#toRemember.add(key);
    this.#scheduleWrite();
  }

  talkedEarly(key: string): void {
    const now = this.#context.now();
    const forMs = this.#context.settings()['door.talkedEarlyFor'];
    if (forMs > 0) this.#early.set(key, true, now + forMs, now, DOOR_LIMITS.earlyInMemory);
    const wasKnown = this.hasPassed(key);
    this.#passed.delete(key);
    this.#toRemember.delete(key);
    if (!wasKnown || this.#toForget.size >= DOOR_LIMITS.unwritten) return;
    this.#toForget.add(key);
    this.#scheduleWrite();
  }

  /** Writes what gathered and waits for it; at the end of the thread. */
  async flush(): Promise<void> {
    while (this.#writing !== null || this.#toRemember.size + this.#toForget.size > 0) await this.#writeNow();
    this.#context.wheel.remove(this.#tick);
  }

  /** Called by the clock, or when enough has gathered. One write at a time. */
  #writeNow(): Promise<void> {
    this.#context.wheel.remove(this.#tick);
    this.#isScheduled = false;
    if (this.#writing !== null) return this.#writing;
    if (this.#toRemember.size + this.#toForget.size === 0) return Promise.resolve();
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
      if (this.#toRemember.size + this.#toForget.size > 0) this.#scheduleWrite();
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const settings = this.#context.settings();
    const passed = takeSome(this.#toRemember);
    const forgotten = takeSome(this.#toForget);
    const input: RememberInput = { passed, forgotten, keepMs: settings['door.passedFor'], rowsMax: settings['door.passedMax'] };
    try {
      await this.#context.writer.run<void>('door.remember', input);
    } catch (error) {
      // Nothing is lost but a second of these clients' time.
      this.#context.log.warn('door.unsaved', { clients: passed.length, cause: String(error) });
    }
  }

  #scheduleWrite(): void {
    const count = this.#toRemember.size + this.#toForget.size;
    if (this.#writing !== null) return; // the end of that write schedules the next
    if (count >= DOOR_LIMITS.writeClients) void this.#writeNow();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#context.wheel.add(this.#tick, DOOR_LIMITS.writeMs);
    }
  }
}

/** Takes out as many as one write may have. */
function takeSome(keys: Set<string>): string[] {
  const taken: string[] = [];
  for (const key of keys) {
    if (taken.length === DOOR_LIMITS.writeClients) break;
    keys.delete(key);
    taken.push(key);
  }
  return taken;
}
