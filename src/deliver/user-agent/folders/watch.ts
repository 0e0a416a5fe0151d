/**
 * Tells of changes in a user's folders until the process ends. Watches of the system where they can be had; and from time to time a look, for file
 * systems that tell of this machine's own changes only, for directories put in the place of others, and where the system has no watches left.
 * What is said is only a hint: whoever hears it looks.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { type FoldersPlace, foldersOf } from './answer.ts';
import { WATCHED_MAX } from './limits.ts';
import type { FolderPath } from './types.ts';

/** Changes come in crowds (a delivery makes four events): one word for those within this time. */
const GATHER_MS = 50;

export interface WatchWish {
  readonly paths: readonly FolderPath[];
  /** Folders that come and go, and all there are. */
  readonly names: boolean;
  /** Between looks. */
  readonly pollMs: number;
  /** False: looks alone. */
  readonly isWatching: boolean;
}

export interface FolderNews {
  readonly paths: readonly FolderPath[];
  readonly names: boolean;
}

type Watch = (place: string, heard: (name: string | null) => void, failed: () => void) => Pick<FSWatcher, 'close'>;

const systemWatch: Watch = (place, heard, failed) => watch(place, (_event, name) => heard(name)).on('error', failed);

interface Watched {
  readonly watcher: Pick<FSWatcher, 'close'>;
  readonly inode: bigint;
  paths: FolderPath[];
}

export class FolderWatcher {
  readonly #place: FoldersPlace;
  readonly #tell: (news: FolderNews) => void;
  readonly #watch: Watch;
  #wish: WatchWish = { paths: [], names: false, pollMs: 60_000, isWatching: false };
  readonly #watched = new Map<string, Watched>();
  /** As the last look found them: by path, and `null` for the list of folders. */
  #seen = new Map<FolderPath | null, string>();
  #timer: NodeJS.Timeout | null = null;
  #gathering: NodeJS.Timeout | null = null;
  readonly #changed = new Set<FolderPath>();
  #namesChanged = false;

  constructor(place: FoldersPlace, tell: (news: FolderNews) => void, watchPlace: Watch = systemWatch) {
    this.#place = place;
    this.#tell = tell;
    this.#watch = watchPlace;
  }

  /** Instead of what was watched before; tells at once, of all that is new: it may have changed before. */
  update(wish: WatchWish): void {
    const before = this.#wish;
    this.#wish = wish;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = setInterval(() => this.poll(), wish.pollMs);
    this.#arm();
    this.#seen = this.#look();
    const known = new Set(before.paths);
    this.#changes(
      wish.paths.filter((path) => !known.has(path)),
      wish.names && !before.names,
    );
    if (this.#gathering === null) this.#changes([], false, true);
  }

  /** A look: what is not as it was is told of. */
  poll(): void {
    this.#arm();
    const now = this.#look();
    const changed: FolderPath[] = [];
    for (const [path, state] of now) if (path !== null && this.#seen.get(path) !== state) changed.push(path);
    const gone = [...this.#seen.keys()].some((path) => path !== null && !now.has(path));
    const isOther = now.get(null) !== this.#seen.get(null) || gone;
    this.#seen = now;
    if (changed.length > 0 || isOther) this.#changes(changed, isOther);
  }

  close(): void {
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
    if (this.#timer !== null) clearInterval(this.#timer);
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#timer = null;
    this.#gathering = null;
  }

  #look(): Map<FolderPath | null, string> {
    const seen = new Map<FolderPath | null, string>();
    try {
      const answer = foldersOf(this.#place).scan(this.#wish.names ? null : this.#wish.paths);
      // A folder that changed just now has no state, and differs from itself: it is told of again.
      let turn = 0;
      for (const { path, identity, state } of answer.folders) seen.set(path, `${identity} ${state ?? `young ${performance.now()} ${(turn += 1)}`}`);
      if (this.#wish.names) seen.set(null, JSON.stringify([answer.subscriptions, ...answer.folders.map(({ path, identity }) => `${path} ${identity}`)]));
    } catch {
      // Nothing to be seen now: when there is, it differs.
    }
    return seen;
  }

  /** Watches what is wished and not watched yet, or was put in the place of what is; gives up the rest. */
  #arm(): void {
    const wanted = new Map<string, FolderPath[]>();
    const { paths, names, isWatching } = this.#wish;
    const folders = foldersOf(this.#place);
    if (isWatching) {
      try {
        if (names) for (const place of folders.namesPlaces()) wanted.set(place, []);
        for (const path of paths.slice(0, WATCHED_MAX))
          for (const place of folders.places(path)) {
            const others = wanted.get(place);
            if (others === undefined) wanted.set(place, [path]);
            else others.push(path);
          }
      } catch {
        // A path that is none: there is nothing to watch.
      }
    }
    for (const [place, { watcher }] of this.#watched)
      if (!wanted.has(place)) {
        watcher.close();
        this.#watched.delete(place);
      }
    for (const [place, of] of wanted) this.#armOne(place, of);
  }

  #armOne(place: string, paths: FolderPath[]): void {
    const known = this.#watched.get(place);
    const inode = statSync(place, { throwIfNoEntry: false, bigint: true })?.ino;
    if (known !== undefined && known.inode === inode) {
      known.paths = paths;
      return;
    }
    known?.watcher.close();
    this.#watched.delete(place);
    if (inode === undefined) return;
    try {
      const watcher = this.#watch(
        place,
        (name) => this.#heard(place, name),
        () => this.#lost(place),
      );
      this.#watched.set(place, { watcher, inode, paths });
    } catch {
      // No more watches to be had on this machine, or no such directory any more: looks from time to time have to do.
    }
  }

  #lost(place: string): void {
    this.#watched.get(place)?.watcher.close();
    this.#watched.delete(place);
  }

  #heard(place: string, name: string | null): void {
    const watched = this.#watched.get(place);
    if (watched === undefined) return;
    const { paths, names } = this.#wish;
    switch (foldersOf(this.#place).concerns(place, name, paths)) {
      case 'messages':
        return this.#changes(watched.paths, false);
      case 'names':
        // A watched folder may be gone, too, or be another now.
        return this.#changes(watched.paths, names);
      default:
    }
  }

  #changes(paths: readonly FolderPath[], names: boolean, isEmpty = false): void {
    for (const path of paths) this.#changed.add(path);
    this.#namesChanged ||= names;
    if (paths.length === 0 && !names && !isEmpty) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      const news = { paths: [...this.#changed], names: this.#namesChanged };
      this.#changed.clear();
      this.#namesChanged = false;
      this.#arm();
      this.#tell(news);
    }, GATHER_MS);
  }
}
