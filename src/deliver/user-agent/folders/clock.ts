/** How far a file system's times can be trusted. */
import { statfsSync } from 'node:fs';
import { CLOCK_TICK_MS, LOCAL_CLOCK_TICK_MS } from './limits.ts';

/** statfs(2): file systems of this machine's own kernel whose times are finer than a second: ext4, xfs, btrfs, tmpfs, overlayfs, f2fs, zfs. */
const LOCAL_TYPES = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1]);

export class Clocks {
  readonly #isLocal = new Map<string, boolean>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** True when a change made after now will leave another time than `nanoseconds`. `path` lies on `device`, which is asked about once. */
  isPast(nanoseconds: bigint, device: bigint, path: string): boolean {
    const key = String(device);
    let isLocal = this.#isLocal.get(key);
    if (isLocal === undefined) {
      isLocal = LOCAL_TYPES.has(statfsSync(path).type);
      this.#isLocal.set(key, isLocal);
    }
    // ext2 and ext3 call themselves ext4 and keep whole seconds.
    const isFine = isLocal && nanoseconds % 1_000_000_000n !== 0n;
    return this.#now() - Number(nanoseconds / 1_000_000n) > (isFine ? LOCAL_CLOCK_TICK_MS : CLOCK_TICK_MS);
  }
}
