/**
 * A selected mailbox as one client knows it: which uid each of its sequence numbers is, and up to where it has heard of
 * changes. The view may be ahead; updates() says what the client must hear to come level, as far as it may be said now.
 */
import { FLAG } from '../../ports.ts';
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import { ALL_SYSTEM_FLAGS, formatFlags, formatSet } from '../../wire/imap/format.ts';
import type { OwnChanges } from './own-changes.ts';
import { ALL_RIGHTS, type Place } from './places.ts';
import { type Ranges, savedRanges, sequenceRanges, uidRanges } from './sequence.ts';
import { type FormattedUpdate, indexOfUid, lowerBound, type MailboxView } from './view.ts';

/**
 * How a client wants its updates; part of the key under which they are shared between sessions. `vanished`: removals by uid
 * (RFC 7162 section 3.2.10); `uidOnly`: no sequence numbers at all (RFC 9586); `noFlags`: flag changes are not told (RFC 5465).
 */
export const FLAVOUR = { expunge: 1, condstore: 2, rev2: 4, vanished: 8, uidOnly: 16, noFlags: 32 } as const;
/** The session cannot set flags: other PERMANENTFLAGS than its neighbours. */
const READ_ONLY = 64;

const NO_UIDS = new Uint32Array(0);

export class Selected {
  readonly view: MailboxView;
  readonly name: string;
  readonly isReadOnly: boolean;
  /** null: a mailbox of the session's own account. */
  readonly place: Place | null;
  /** What the client's sequence numbers 1 to count stand for. Shared with the view; never written to. */
  uids: Uint32Array;
  count: number;
  /** The result saved by SEARCH RETURN (SAVE), or null. */
  saved: Uint32Array | null = null;
  /** [from, to) pairs of uids that are \Recent for this session alone. */
  recents: number[] | null = null;
  #version: number;
  #removals: number;
  #cursor: number;
  #toldModseq: number;
  #keywordsTold: number;
  /** Removals that could not be told yet. */
  #isHoldingBack = false;
  /** Selected before the mailbox was read: the client knows how many messages there are, and nothing about any of them. */
  #isEarly = false;
  /** Messages the client was told of that were gone before they were read. */
  #phantoms = 0;
  #recentTold = 0;
  /** Up to here the client was told everything, when it was last told everything. */
  #levelModseq: number;
  /** Flags have changed that the client did not want to hear of (NOTIFY): it stays where it was before them until it opens the mailbox again. */
  #isKeptFromFlags = false;
  /** The last updates() told removals. */
  hasToldRemovals = false;
  /** The last updates() told anything. */
  hasTold = false;

  constructor(view: MailboxView, name: string, isReadOnly: boolean, place: Place | null = null) {
    this.view = view;
    this.name = name;
    this.isReadOnly = isReadOnly;
    this.place = place?.isOwn === true ? null : place;
    this.#levelModseq = view.highestModseq;
    this.uids = view.uids;
    this.count = view.count;
    if (view.loading !== null) {
      this.uids = NO_UIDS;
      this.count = view.existsAtStart;
      this.#isEarly = true;
      view.early.add(this);
    }
    this.#version = view.version;
    this.#removals = view.removals;
    this.#cursor = view.changesFrom + view.changes.length;
    this.#toldModseq = view.highestModseq;
    this.#keywordsTold = view.keywordNames.size;
  }

  /**
   * Takes the messages that nobody saw as \Recent yet. Answers the uid below which all are claimed now, or 0.
   * To be called before updates(), which counts them.
   */
  claimRecent(): number {
    const { view } = this;
    if (this.isReadOnly || view.recentUid >= view.uidNext) return 0;
    this.recents ??= [];
    if (this.recents.at(-1) === view.recentUid) this.recents[this.recents.length - 1] = view.uidNext;
    else this.recents.push(view.recentUid, view.uidNext);
    view.recentUid = view.uidNext;
    return view.uidNext;
  }

  isRecent(uid: number): boolean {
    const { recents } = this;
    if (recents === null) return false;
    for (let i = 0; i < recents.length; i += 2) if (uid >= recents[i]! && uid < recents[i + 1]!) return true;
    return false;
  }

  recentCount(): number {
    const { recents } = this;
    let total = 0;
    if (recents !== null)
      for (let i = 0; i < recents.length; i += 2) total += lowerBound(this.uids, this.count, recents[i + 1]!) - lowerBound(this.uids, this.count, recents[i]!);
    return total;
  }

  /** The number of recent messages, which the client is told now. */
  tellRecent(): number {
    this.#recentTold = this.recentCount();
    return this.#recentTold;
  }

  ranges(set: SequenceSet, isUid: boolean): Ranges {
    if (set === null) return savedRanges(this.saved, this.uids, this.count);
    return isUid ? uidRanges(set, this.uids, this.count) : sequenceRanges(set, this.count);
  }

  /** Position of a uid in the client's numbering, or -1. */
  position(uid: number): number {
    return indexOfUid(this.uids, this.count, uid);
  }

  /** The mailbox has been read. What went away meanwhile is said to have been at the end: the client has seen none of them. */
  settle(): void {
    const { view } = this;
    this.#isEarly = false;
    this.uids = view.uids;
    this.#phantoms = Math.max(0, this.count - view.count);
    this.count = view.count;
    this.#markTold();
    // How many are recent is told with the next updates.
    if (!this.isReadOnly && view.recentUid < view.uidNext) this.#version -= 1;
    if (this.#phantoms === 0) return;
    this.#isHoldingBack = true;
    this.#removals = view.removals - 1;
  }

  /** Is the client level with the view? */
  get isCurrent(): boolean {
    if (this.#isEarly) return true;
    return this.#version === this.view.version && !this.#isHoldingBack;
  }

  /**
   * What HIGHESTMODSEQ may be said to a client now: it knows of every change up to there (RFC 7162 section 6). Never 0.
   */
  get levelModseq(): number {
    return this.isCurrent && !this.#isKeptFromFlags ? this.view.highestModseq : this.#levelModseq;
  }

  /** Has the client seen a modseq that is above something it has not been told of? It must hear levelModseq then (RFC 7162 section 3.2). */
  get isAheadOfLevel(): boolean {
    return !this.isCurrent || this.#isKeptFromFlags || this.view.newestModseq > this.view.highestModseq;
  }

  /** Tells of a uid whether its flags changed without the client having been told. `isOwn`: changes that it made and knows. */
  untold(isOwn: (uid: number, modseq: number) => boolean): (uid: number) => boolean {
    const { view } = this;
    if (this.#cursor < view.changesFrom) {
      const told = this.#toldModseq;
      return (uid) => {
        const index = view.find(uid);
        return index !== -1 && view.modseqs[index]! > told && !isOwn(uid, view.modseqs[index]!);
      };
    }
    const changed = new Set<number>();
    for (let i = this.#cursor - view.changesFrom; i < view.changes.length; i += 1) {
      const index = view.find(view.changes[i]!);
      if (index !== -1 && !isOwn(view.changes[i]!, view.modseqs[index]!)) changed.add(view.changes[i]!);
    }
    return (uid) => changed.has(uid);
  }

  /** Are there keywords in the mailbox that the client has not been told of? */
  get hasNewKeywords(): boolean {
    return this.#keywordsTold !== this.view.keywordNames.size;
  }

  /** FLAGS of a message by its index in the view. */
  flagsText(index: number): string {
    const { view } = this;
    return formatFlags(view.flags[index]!, view.keywordText(index), this.recents !== null && this.isRecent(view.uids[index]!));
  }

  /** `* FLAGS (…)` and PERMANENTFLAGS: what may be set here. */
  flagLines(): string {
    const keywords = [...this.view.keywordNames.values()].sort().join(' ');
    const flags = keywords === '' ? ALL_SYSTEM_FLAGS : `${ALL_SYSTEM_FLAGS} ${keywords}`;
    const permanent = this.isReadOnly ? '' : this.place === null ? `${flags} \\*` : permanentFlags(this.place.rights, keywords);
    this.#keywordsTold = this.view.keywordNames.size;
    return `* FLAGS (${flags})\r\n* OK [PERMANENTFLAGS (${permanent})] ${this.isReadOnly ? 'Read-only mailbox' : 'Flags and new keywords can be set'}\r\n`;
  }

  /**
   * The untagged responses that bring the client level. Without FLAVOUR.expunge nothing that moves sequence numbers is said
   * (RFC 9051 section 7.5.1): removals wait, and new messages behind them. `own`: flag changes that the
   * client made itself and has been answered. The Buffer is shared between sessions that stood at the same place.
   */
  updates(flavour: number, own: OwnChanges | null): string | Buffer {
    this.hasToldRemovals = false;
    this.hasTold = false;
    if (this.isCurrent) return '';
    const { view } = this;
    if ((flavour & FLAVOUR.expunge) !== 0) this.hasToldRemovals = this.#removals !== view.removals;
    const key = this.isReadOnly ? flavour | READ_ONLY : flavour;
    const hearsAll = (flavour & FLAVOUR.noFlags) === 0 && !this.#isHoldingBack;
    const isPlain = own === null && this.recents === null && this.place === null && hearsAll;
    if (isPlain) {
      const known = view.lastUpdate;
      if (known !== null && this.#matches(known, key)) {
        this.#follow();
        if (known.text === '') return '';
        this.hasTold = true;
        known.bytes ??= Buffer.from(known.text, 'latin1');
        return known.bytes;
      }
    }
    const from = { fromVersion: this.#version, fromChange: this.#cursor, fromUids: this.uids, fromCount: this.count, keywordsTold: this.#keywordsTold };
    const text = this.#format(flavour, own);
    this.hasTold = text !== '';
    if (isPlain && !this.#isHoldingBack) view.lastUpdate = { ...from, toVersion: view.version, flavour: key, text, bytes: null };
    return text;
  }

  #matches(known: FormattedUpdate, flavour: number): boolean {
    return (
      known.fromVersion === this.#version &&
      known.fromChange === this.#cursor &&
      known.toVersion === this.view.version &&
      known.fromUids === this.uids &&
      known.fromCount === this.count &&
      known.flavour === flavour &&
      known.keywordsTold === this.#keywordsTold
    );
  }

  /** Level with the view without saying so again: another session's text says it. */
  #follow(): void {
    const { view } = this;
    this.uids = view.uids;
    this.count = view.count;
    this.#removals = view.removals;
    this.#keywordsTold = view.keywordNames.size;
    this.#markTold();
  }

  #markTold(): void {
    const { view } = this;
    this.#version = view.version;
    this.#cursor = view.changesFrom + view.changes.length;
    this.#toldModseq = view.highestModseq;
    if (!this.#isHoldingBack && !this.#isKeptFromFlags) this.#levelModseq = view.highestModseq;
  }

  #format(flavour: number, own: OwnChanges | null): string {
    const { view } = this;
    const lastTold = this.count === 0 ? 0 : this.uids[this.count - 1]!;
    let text = '';
    if (this.#removals !== view.removals) {
      if ((flavour & FLAVOUR.expunge) !== 0) {
        for (; this.#phantoms > 0; this.#phantoms -= 1) text += `* ${this.count + this.#phantoms} EXPUNGE\r\n`;
        text += this.#expunges(lastTold, (flavour & FLAVOUR.vanished) !== 0);
        this.#isHoldingBack = false;
      } else this.#isHoldingBack = true;
    }
    if (!this.#isHoldingBack) {
      this.#removals = view.removals;
      this.uids = view.uids;
      if (view.count !== this.count) {
        this.count = view.count;
        text += `* ${this.count} EXISTS\r\n`;
      }
    }
    if ((flavour & FLAVOUR.rev2) === 0 && this.recents !== null) {
      const before = this.#recentTold;
      if (this.tellRecent() !== before) text += `* ${this.#recentTold} RECENT\r\n`;
    }
    if (this.hasNewKeywords) text += this.flagLines();
    const hearsFlags = (flavour & FLAVOUR.noFlags) === 0;
    const changes = hearsFlags || !this.#isKeptFromFlags ? this.#flagChanges(flavour, lastTold, own) : '';
    if (hearsFlags) text += changes;
    else if (changes !== '') this.#isKeptFromFlags = true;
    this.#markTold();
    return text;
  }

  /** The removals among what the client knows: each numbered as the client counts after the ones before it, or the uids of all at once. */
  #expunges(lastTold: number, isVanished: boolean): string {
    const { view } = this;
    const toldCount = this.count;
    const gone: number[] = [];
    let text = '';
    let number = 1;
    let at = 0;
    for (let i = 0; i < toldCount; i += 1) {
      const uid = this.uids[i]!;
      while (at < view.count && view.uids[at]! < uid) at += 1;
      if (at < view.count && view.uids[at] === uid) number += 1;
      else if (isVanished) gone.push(uid);
      else text += `* ${number} EXPUNGE\r\n`;
    }
    if (gone.length > 0) text = `* VANISHED ${formatSet(gone)}\r\n`;
    // From here on the client's numbers are the view's, up to the last message it knew.
    this.uids = view.uids;
    this.count = lowerBound(view.uids, view.count, lastTold + 1);
    return text;
  }

  #flagChanges(flavour: number, lastTold: number, own: OwnChanges | null): string {
    const { view } = this;
    let text = '';
    if (this.#cursor >= view.changesFrom) {
      const start = this.#cursor - view.changesFrom;
      const behind = view.changes.length - start;
      if (behind === 0) return '';
      const seen = behind > 1 ? new Set<number>() : null;
      for (let i = start; i < view.changes.length; i += 1) {
        const uid = view.changes[i]!;
        if (uid > lastTold || seen?.has(uid)) continue;
        const index = view.find(uid);
        // After a STORE of all messages these are thousands.
        if (index === -1 || own?.has(uid, view.modseqs[index]!)) continue;
        seen?.add(uid);
        text += this.#flagChange(uid, index, flavour, own);
      }
      return text;
    }
    for (let index = 0; index < view.count && view.uids[index]! <= lastTold; index += 1)
      if (view.modseqs[index]! > this.#toldModseq) text += this.#flagChange(view.uids[index]!, index, flavour, own);
    return text;
  }

  #flagChange(uid: number, index: number, flavour: number, own: OwnChanges | null): string {
    if (index === -1 || own?.has(uid, this.view.modseqs[index]!) === true) return '';
    const position = this.position(uid);
    if (position === -1) return '';
    const flags = this.flagsText(index);
    if ((flavour & FLAVOUR.uidOnly) !== 0) {
      const modseq = (flavour & FLAVOUR.condstore) === 0 ? '' : ` MODSEQ (${this.view.modseqs[index]})`;
      return `* ${uid} UIDFETCH (FLAGS ${flags}${modseq})\r\n`;
    }
    if ((flavour & FLAVOUR.condstore) === 0) return `* ${position + 1} FETCH (FLAGS ${flags})\r\n`;
    return `* ${position + 1} FETCH (UID ${uid} FLAGS ${flags} MODSEQ (${this.view.modseqs[index]}))\r\n`;
  }
}

/** Which flags the rights allow to change (RFC 4314 section 5.1.1). */
function permanentFlags(rights: string, keywords: string): string {
  const flags: string[] = [];
  if (rights.includes('w')) flags.push('\\Answered', '\\Flagged');
  if (rights.includes('t')) flags.push('\\Deleted');
  if (rights.includes('s')) flags.push('\\Seen');
  if (rights.includes('w')) flags.push('\\Draft', ...(keywords === '' ? [] : [keywords]), '\\*');
  return flags.join(' ');
}

/** Flags of FLAG that the rights allow to change (RFC 4314 section 4), and whether keywords may be. */
export function changeable(rights: string): { readonly flags: number; readonly keywords: boolean } {
  if (rights === ALL_RIGHTS) return { flags: 31, keywords: true };
  const others = rights.includes('w');
  const flags = (rights.includes('s') ? FLAG.seen : 0) | (rights.includes('t') ? FLAG.deleted : 0) | (others ? 31 & ~(FLAG.seen | FLAG.deleted) : 0);
  return { flags, keywords: others };
}
