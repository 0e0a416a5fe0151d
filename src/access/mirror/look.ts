/** Finds out in what a folder and its mailbox differ: asks for as little of both as will do. */
import { LINES_AT_ONCE } from '../../deliver/user-agent/folders/limits.ts';
import { fileOfLine, type FolderFile, linesOf } from '../../deliver/user-agent/folders/types.ts';
import { KeywordRoom } from './keyword-room.ts';
import { type FolderContents, type FolderPlan, FolderPlanner, type Pair } from './plan.ts';
import { DIRTY_MAX, type Remembered } from './remembered.ts';
import { askFolders, type Binding, type Work } from './types.ts';

/** Rows read in one go: a page and its pairs take a few milliseconds. */
const PAGE_ROWS = 2000;

type Row = readonly [uid: number, flags: number, keywords: string | null, name: string | null, file: string | null, marks: string | null];
type BaseRow = readonly [uid: number, name: string, file: string, marks: string | null];

const JOINED =
  'SELECT m.uid, m.flags, m.keywords, f.name, f.file, f.marks FROM message m LEFT JOIN mirror_file f ON f.account_id=m.account_id AND f.mailbox_id=m.mailbox_id AND f.uid=m.uid WHERE m.account_id=? AND m.mailbox_id=?';
const BASE_ALONE =
  'SELECT f.uid, f.name, f.file, f.marks FROM mirror_file f WHERE f.account_id=? AND f.mailbox_id=? AND f.uid>? AND f.uid<=? AND NOT EXISTS (SELECT 1 FROM message m WHERE m.account_id=f.account_id AND m.mailbox_id=f.mailbox_id AND m.uid=f.uid)';
const EXPUNGED =
  'SELECT f.uid, f.name, f.file, f.marks FROM expunged e JOIN mirror_file f ON f.account_id=e.account_id AND f.mailbox_id=e.mailbox_id AND f.uid=e.uid WHERE e.account_id=? AND e.mailbox_id=? AND e.modseq>?';
const BY_NAME =
  'SELECT f.uid, m.flags, m.keywords, f.name, f.file, f.marks, m.uid FROM mirror_file f LEFT JOIN message m ON m.account_id=f.account_id AND m.mailbox_id=f.mailbox_id AND m.uid=f.uid WHERE f.account_id=? AND f.mailbox_id=? AND f.name IN (SELECT value FROM json_each(?))';

const pairOf = ([uid, flags, keywords, name, file, marks]: Row): Pair => ({
  uid,
  store: { flags, keywords },
  base: name === null ? null : { name, file: file ?? '', marks },
});
const baseAlone = ([uid, name, file, marks]: BaseRow): Pair => ({ uid, store: null, base: { name, file, marks } });

interface Listed {
  readonly contents: FolderContents;
  readonly isDifference: boolean;
}

export class FolderLook {
  readonly #work: Work;
  readonly #binding: Binding;
  /** What the folder looked like; null: look again. */
  state: string | null;
  token: string | null;
  keywords: Remembered['keywords'];
  /** Names that the worker is to be asked for next time. */
  dirty: Set<string>;

  constructor(work: Work, binding: Binding, remembered: Remembered | null) {
    this.#work = work;
    this.#binding = binding;
    this.state = binding.state;
    this.token = remembered?.token ?? null;
    this.keywords = remembered?.keywords ?? { known: [], free: 0 };
    this.dirty = new Set(remembered?.dirty);
    this.#knowsKeywords = remembered !== null;
  }

  #knowsKeywords: boolean;

  /** Words that the folder can keep, from now on; null: all. */
  canKeep(): KeywordRoom | null {
    return this.keywords === null ? null : new KeywordRoom(this.keywords.known, this.keywords.free);
  }

  async plan(isFolderChanged: boolean): Promise<FolderPlan> {
    const plan = isFolderChanged ? null : this.#planOfStore();
    if (plan !== null) return plan;
    let isSecond = false;
    for (let listed = await this.#list(null); ; listed = await this.#list(listed)) {
      let found = await this.#planOf(listed);
      if (found === null) {
        this.token = null; // everything is listed, then
        listed = await this.#list(null);
        found = (await this.#planOf(listed))!;
      }
      // A file that another program renames while the directory is read may be in neither place (readdir(3)): twice missing is gone.
      if (isSecond || found.vanished.length === 0) return found;
      isSecond = true;
    }
  }

  /** null: the difference is not enough. */
  #planOf({ contents, isDifference }: Listed): Promise<FolderPlan | null> {
    return isDifference ? this.#planOfDifference(contents) : this.#planOfBoth(contents);
  }

  /** When only the store changed: what changed since. null where that cannot be told so. */
  #planOfStore(): FolderPlan | null {
    const pairs = this.#changedInStore();
    // Which keywords can be kept only a listing tells.
    if (pairs === null || (!this.#knowsKeywords && pairs.some(({ store }) => (store?.keywords ?? null) !== null))) return null;
    const planner = new FolderPlanner({ present: new Map(), gone: new Set() }, this.canKeep());
    planner.take(pairs);
    return planner.plan;
  }

  /** null: that far back the store does not remember, or a name was taken before a crash: only all of the folder tells whether its file is there. */
  #changedInStore(): Pair[] | null {
    const { reader } = this.#work.context;
    const key = [this.#work.accountId, this.#binding.mailboxId] as const;
    const since = this.#binding.modseq;
    const [floor] = (reader.rows('SELECT expunged_floor FROM mailbox WHERE id=?', this.#binding.mailboxId)[0] ?? [0]) as [number];
    if (floor > since) return null;
    const changed = reader.rows(`${JOINED} AND m.modseq>?`, ...key, since) as unknown as Row[];
    const expunged = reader.rows(EXPUNGED, ...key, since) as unknown as BaseRow[];
    const pairs = [...changed.map(pairOf), ...expunged.map(baseAlone)];
    return pairs.some(({ base }) => base !== null && base.marks === null) ? null : pairs;
  }

  async #planOfDifference(contents: FolderContents): Promise<FolderPlan | null> {
    const inStore = this.#changedInStore();
    if (inStore === null || contents.gone === 'all others') return null;
    const { reader } = this.#work.context;
    const planner = new FolderPlanner(contents, this.canKeep());
    const taken = new Set<number>();
    const names = [...contents.present.keys(), ...contents.gone];
    for (let from = 0; from < names.length; from += PAGE_ROWS) {
      if (from > 0) await breath();
      const wanted = JSON.stringify(names.slice(from, from + PAGE_ROWS));
      for (const row of reader.rows(BY_NAME, this.#work.accountId, this.#binding.mailboxId, wanted) as unknown as [...Row, number | null][]) {
        const pair = pairOf(row as unknown as Row);
        taken.add(pair.uid);
        planner.take([row[6] === null ? { ...pair, store: null } : pair]);
      }
    }
    planner.take(inStore.filter(({ uid }) => !taken.has(uid)));
    return end(planner);
  }

  /** A page at a time; a message that is expunged between the two questions of a page is in the first. */
  async #planOfBoth(contents: FolderContents): Promise<FolderPlan> {
    const { reader } = this.#work.context;
    const key = [this.#work.accountId, this.#binding.mailboxId] as const;
    const planner = new FolderPlanner(contents, this.canKeep());
    for (let from = 0; ; await breath()) {
      const rows = reader.rows(`${JOINED} AND m.uid>? ORDER BY m.uid LIMIT ?`, ...key, from, PAGE_ROWS) as unknown as Row[];
      const last = rows.length < PAGE_ROWS ? 0xffffffff : rows.at(-1)![0];
      planner.take(rows.map(pairOf));
      const alone = reader.rows(BASE_ALONE, ...key, from, last) as unknown as BaseRow[];
      if (alone.length > 0) {
        const known = new Set(rows.map(([uid]) => uid));
        planner.take(alone.filter(([uid]) => !known.has(uid)).map(baseAlone));
      }
      if (rows.length < PAGE_ROWS) return end(planner);
      from = last;
    }
  }

  /** `before`: a listing of this moment, of which what is missing is asked for once more. */
  async #list(before: Listed | null): Promise<Listed> {
    const { token } = this;
    const missing = before === null ? this.dirty : this.#missing(before);
    const isShort = token !== null && missing.size <= DIRTY_MAX;
    const { answer, body } = await askFolders(this.#work, {
      op: 'list',
      path: this.#binding.path,
      ...(isShort ? { since: token, names: [...missing] } : {}),
    });
    this.state = answer.state;
    this.token = answer.token;
    this.dirty = new Set();
    this.keywords = answer.keywords === null ? null : { known: answer.keywords, free: answer.keywordsFree };
    this.#knowsKeywords = true;
    const { isDifference } = answer;
    const present = new Map<string, FolderFile>(before !== null && isDifference ? before.contents.present : []);
    const goneBefore = before !== null && isDifference ? before.contents.gone : new Set<string>();
    const gone = new Set(goneBefore === 'all others' ? [] : goneBefore);
    for (const lines of linesOf(body, LINES_AT_ONCE)) {
      for (const line of lines) {
        const file = fileOfLine(line);
        if (file.file === '') {
          present.delete(file.name);
          gone.add(file.name);
        } else {
          present.set(file.name, file);
          gone.delete(file.name);
        }
      }
      if (lines.length === LINES_AT_ONCE) await breath();
    }
    // After a whole listing and what has changed since, everything is known.
    const isWhole = !isDifference || (before !== null && !before.isDifference);
    return { contents: { present, gone: isWhole ? 'all others' : gone }, isDifference: !isWhole };
  }

  /** Of a difference: what it says is gone. Of a whole listing the worker finds out by itself. */
  #missing({ contents: { gone } }: Listed): ReadonlySet<string> {
    return gone === 'all others' ? new Set() : gone;
  }
}

async function end(planner: FolderPlanner): Promise<FolderPlan> {
  let count = 0;
  for (const file of planner.unpaired()) {
    planner.plan.arrived.push(file);
    count += 1;
    if (count % LINES_AT_ONCE === 0) await breath();
  }
  return planner.plan;
}

export const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
