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

/** `disk`: all of the folder's files, and then `pairs` are all of both others; null: the folder is as it was, and `pairs` are what changed in the store. */
export function planFolder(pairs: Iterable<Pair>, disk: readonly FolderFile[] | null, canKeep: ReadonlySet<string> | null): FolderPlan {
  const plan: FolderPlan = { arrived: [], vanished: [], flags: new Map(), files: [], gone: [], changes: [], added: [] };
  const byName = disk === null ? null : new Map(disk.map((file) => [file.name, file]));
  for (const { uid, store, base } of pairs) {
    if (base === null) {
      if (store !== null) plan.added.push({ uid, flags: store, name: null });
      continue;
    }
    const present: FolderFile | undefined = byName === null ? { name: base.name, file: base.file, marks: base.marks ?? '' } : byName.get(base.name);
    byName?.delete(base.name);
    if (present === undefined) {
      if (store === null) plan.gone.push(uid);
      else if (base.marks === null) plan.added.push({ uid, flags: store, name: base.name });
      else plan.vanished.push(uid);
      continue;
    }
    if (store === null) {
      plan.changes.push({ ...present, uid, wanted: null });
      continue;
    }
    const merged = merge(base.marks ?? present.marks, present.marks, store, canKeep);
    if (merged.change !== null) addFlags(plan.flags, merged.change, uid);
    if (!sameMarks(merged.marks, present.marks)) plan.changes.push({ ...present, uid, wanted: merged.marks });
    else if (base.file !== present.file || base.marks !== present.marks) plan.files.push({ uid, ...present });
  }
  for (const file of disk ?? []) if (byName!.has(file.name)) plan.arrived.push(byName!.get(file.name)!);
  return plan;
}

/** Messages that change alike are changed together. */
function addFlags(groups: FolderPlan['flags'], delta: FlagDelta, uid: number): void {
  const key = `${delta.add} ${delta.remove} +${delta.addWords.join(' ')} -${delta.removeWords.join(' ')}`;
  const group = groups.get(key);
  if (group === undefined) groups.set(key, { ...delta, uids: [uid] });
  else group.uids.push(uid);
}
