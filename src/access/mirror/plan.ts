/**
 * What is to be done so that folder and mailbox are equal, found by comparing both with what they agreed on last (the base). Pure.
 *
 *     store   base   folder
 *     yes     yes    yes      marks: what either side changed
 *     yes     yes    no       vanished: expunged in the store
 *     no      yes    yes      expunged: removed from the folder
 *     no      yes    no       both agree
 *     yes     no     -        new in the store: written to the folder
 *     -       no     yes      new in the folder: taken into the store
 *
 * A base without marks is a name that was taken for a message on its way to the folder; whether the file was written, the folder tells.
 */
import type { FolderChange, FolderFile } from '../../deliver/user-agent/folders/types.ts';
import type { SettledFile } from './operations.ts';
import type { KeywordRoom } from './keyword-room.ts';
import { type FlagDelta, type Flags, merge, sameMarks } from './marks.ts';

export interface Pair {
  readonly uid: number;
  readonly store: Flags | null;
  readonly base: { readonly name: string; readonly file: string; readonly marks: string | null } | null;
}

export interface FolderPlan {
  readonly arrived: FolderFile[];
  readonly vanished: number[];
  readonly flags: Map<string, FlagDelta & { readonly uids: number[] }>;
  readonly files: SettledFile[];
  readonly gone: number[];
  readonly changes: (FolderChange & { readonly uid: number })[];
  /** Uids to be written to the folder, with the name that was taken for them already. */
  readonly added: { readonly uid: number; readonly flags: Flags; readonly name: string | null }[];
}

export function isNothing(plan: FolderPlan): boolean {
  return plan.arrived.length + plan.vanished.length + plan.flags.size + plan.files.length + plan.gone.length + plan.changes.length + plan.added.length === 0;
}

/** What is known of the folder. */
export interface FolderContents {
  /** By name. */
  readonly present: ReadonlyMap<string, FolderFile>;
  /** Names that are not there; all: whatever is not present. What is neither is as the base has it. */
  readonly gone: ReadonlySet<string> | 'all others';
}

/** Takes pairs in any order and pieces; when those were all that could differ, what is `unpaired` has come. */
export class FolderPlanner {
  readonly plan: FolderPlan = { arrived: [], vanished: [], flags: new Map(), files: [], gone: [], changes: [], added: [] };
  readonly #contents: FolderContents;
  readonly #canKeep: KeywordRoom | null;
  readonly #paired = new Set<string>();

  constructor(contents: FolderContents, canKeep: KeywordRoom | null) {
    this.#contents = contents;
    this.#canKeep = canKeep;
  }

  take(pairs: Iterable<Pair>): void {
    for (const pair of pairs) this.#one(pair);
  }

  *unpaired(): Generator<FolderFile> {
    for (const file of this.#contents.present.values()) if (!this.#paired.has(file.name)) yield file;
  }

  #one({ uid, store, base }: Pair): void {
    const { plan } = this;
    if (base === null) {
      if (store !== null) plan.added.push({ uid, flags: store, name: null });
      return;
    }
    const present = this.#find(base);
    if (present === undefined) {
      if (store === null) plan.gone.push(uid);
      else if (base.marks === null) plan.added.push({ uid, flags: store, name: base.name });
      else plan.vanished.push(uid);
      return;
    }
    if (store === null) {
      plan.changes.push({ ...present, uid, wanted: null });
      return;
    }
    const merged = merge(base.marks ?? present.marks, present.marks, store, this.#canKeep);
    if (merged.change !== null) addFlags(plan.flags, merged.change, uid);
    if (!sameMarks(merged.marks, present.marks)) plan.changes.push({ ...present, uid, wanted: merged.marks });
    else if (base.file !== present.file || base.marks !== present.marks) plan.files.push({ uid, ...present });
  }

  #find(base: NonNullable<Pair['base']>): FolderFile | undefined {
    const { present, gone } = this.#contents;
    const found = present.get(base.name);
    if (found !== undefined) {
      // Two rows of one name: equal messages of an mbox, of which one went and one came. The file is there once.
      if (this.#paired.has(base.name)) return undefined;
      this.#paired.add(base.name);
      return found;
    }
    return gone === 'all others' || gone.has(base.name) ? undefined : { name: base.name, file: base.file, marks: base.marks ?? '' };
  }
}

/** Messages that change alike are changed together. */
function addFlags(groups: FolderPlan['flags'], delta: FlagDelta, uid: number): void {
  const key = `${delta.add} ${delta.remove} +${delta.addWords.join(' ')} -${delta.removeWords.join(' ')}`;
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { ...delta, uids: [uid] });
  else group.uids.push(uid);
}
