/**
 * What one client believes of its selected mailbox, from what it was told alone: which uid stands at each sequence number, its flags
 * and mod-sequence. Each untagged response is checked against what the client knows already (RFC 9051 section 7, RFC 7162).
 */
import type { Context } from './contexts.ts';
import { flagsOf, formatNumbers, parseFetch, rangesOf, type Value } from './parse.ts';
import type { MailboxTruth, MessageRecord, Reader, Truth } from './truth.ts';
import { must } from './violation.ts';

/** uid 0: not known yet; flags null: the same. */
export interface Slot {
  uid: number;
  flags: string | null;
  /** 0: not known. */
  modseq: number;
  /** FLAGS were told since the last tagged response. */
  isFresh: boolean;
  /** So was MODSEQ. */
  isModseqFresh: boolean;
  /** What the client was told of the message last, or worked out, for the report. */
  readonly notes: string[];
}

/** How much of it is kept. */
const NOTES_KEPT = 10;

function unknownSlot(): Slot {
  return { uid: 0, flags: null, modseq: 0, isFresh: false, isModseqFresh: false, notes: [] };
}

function note(slot: Slot, text: string): void {
  slot.notes.push(`[${Math.round(performance.now())}] (${slot.flags}) ${slot.modseq}: ${text.slice(0, 240).replaceAll('\r\n', '⏎')}`);
  if (slot.notes.length > NOTES_KEPT) slot.notes.shift();
}

/** What a client keeps of a mailbox when it leaves, to resynchronise. */
export interface Memory {
  readonly uidValidity: number;
  /** The client knows of all changes up to there. */
  readonly level: number;
  readonly slots: readonly Slot[];
  /** What was said before the client left, for the report. */
  readonly lines: readonly string[];
  /** How that session with the mailbox began. */
  readonly began: string;
}

/** What the client switched on. */
export interface Mode {
  readonly isCondstore: boolean;
  readonly isQresync: boolean;
}

/** What of the responses is allowed now, and who reads. */
export interface Moment {
  readonly mode: Mode;
  readonly reader: Reader;
  /** May sequence numbers move? */
  readonly mayExpunge: boolean;
  /** What a FETCH response answers: null where nobody asked, so that it must tell of a change. */
  readonly isAsked: boolean;
}

export class Belief {
  readonly mailbox: MailboxTruth;
  readonly isReadOnly: boolean;
  readonly #truth: Truth;
  slots: Slot[] = [];
  /** Before the tagged OK of SELECT. */
  #isOpening = true;
  #exists = -1;
  #remembered: Slot[] | null;
  /** What the client came with. */
  readonly cameWith: Memory | null;
  /** HIGHESTMODSEQ as SELECT told it. */
  highestModseq = 0;
  uidNext = 0;
  uidValidity = 0;
  /** The command that opened the mailbox, for the report. */
  began = '';
  /** The client knows of all changes up to there; 0: not synchronised yet. */
  level = 0;
  /** Highest of the MODSEQ items since the last tagged response (RFC 7162 section 6), and the HIGHESTMODSEQ code, which counts more. */
  #modseqSeen = 0;
  #levelTold = 0;
  /** Results that are kept up to date, by the tag of their command. */
  readonly contexts = new Map<string, Context>();

  constructor(truth: Truth, mailbox: MailboxTruth, isReadOnly: boolean, memory: Memory | null) {
    this.#truth = truth;
    this.mailbox = mailbox;
    this.isReadOnly = isReadOnly;
    this.cameWith = memory;
    this.#remembered = memory === null ? null : memory.slots.map((slot) => ({ ...slot, isFresh: false, isModseqFresh: false, notes: [...slot.notes] }));
    this.level = memory?.level ?? 0;
  }

  get count(): number {
    return this.slots.length;
  }
  /** Index of the first slot of which something is not known, or -1. */
  get firstUnknown(): number {
    return this.slots.findIndex((slot) => slot.uid === 0 || slot.flags === null);
  }
  get lastUid(): number {
    for (let i = this.slots.length - 1; i >= 0; i -= 1) if (this.slots[i]!.uid > 0) return this.slots[i]!.uid;
    return 0;
  }
  find(uid: number): Slot | undefined {
    return this.slots.find((slot) => slot.uid === uid);
  }
  record(slot: Slot): MessageRecord {
    return this.mailbox.message(slot.uid);
  }

  exists(count: number): void {
    if (this.#isOpening) {
      must(this.#exists === -1, 'SELECT tells EXISTS once', () => `${count} after ${this.#exists}`);
      this.#exists = count;
      return;
    }
    must(count >= this.count, 'EXISTS never shrinks without EXPUNGE or VANISHED', () => `${count} after ${this.count}`);
    while (this.count < count) this.slots.push(unknownSlot());
  }

  expunge(number: number, { mode, mayExpunge }: Moment): void {
    must(!mode.isQresync, 'after ENABLE QRESYNC removals are told as VANISHED', () => `EXPUNGE ${number}`);
    must(mayExpunge, 'EXPUNGE never comes during a command with sequence numbers, nor between commands', () => `EXPUNGE ${number}`);
    must(number >= 1 && number <= this.count, 'EXPUNGE has a number that the client has', () => `EXPUNGE ${number} of ${this.count}`);
    const [slot] = this.slots.splice(number - 1, 1);
    if (slot!.uid > 0) this.mailbox.gone(slot!.uid);
    for (const context of this.contexts.values()) context.gone(slot!, slot!.uid, true);
  }

  vanished(set: string, isEarlier: boolean, { mode, mayExpunge }: Moment): void {
    must(mode.isQresync, 'VANISHED comes after ENABLE QRESYNC alone', () => set);
    const ranges = rangesOf(set);
    if (isEarlier) {
      // Any uid that is not there may be named, also such as never were (RFC 7162 section 3.2.10).
      const isIn = (uid: number): boolean => ranges.some(([from, to]) => uid >= from && uid <= to);
      if (this.#isOpening) {
        must(this.slots.length === 0, 'VANISHED (EARLIER) comes before FETCH', () => set);
        const kept: Slot[] = [];
        for (const slot of this.#remembered ?? []) {
          if (isIn(slot.uid)) this.mailbox.gone(slot.uid);
          else kept.push(slot);
        }
        this.#remembered = kept;
        return;
      }
      const known = this.slots.find((slot) => slot.uid > 0 && isIn(slot.uid));
      must(known === undefined, 'VANISHED (EARLIER) does not move sequence numbers', () => `${set}, and the client has uid ${known!.uid}`);
      return;
    }
    must(mayExpunge, 'VANISHED never comes during a command with sequence numbers, nor between commands', () => set);
    for (const [from, to] of ranges)
      for (let uid = from; uid <= to; uid += 1) {
        this.#vanish(uid, set);
        this.mailbox.gone(uid);
      }
  }

  #vanish(uid: number, set: string): void {
    let at = 0;
    // The first slot that is it, or not known and between its neighbours.
    let unknown = -1;
    for (; at < this.count; at += 1) {
      const slot = this.slots[at]!;
      if (slot.uid === 0) unknown = unknown === -1 ? at : unknown;
      else if (slot.uid < uid) unknown = -1;
      else break;
    }
    const index = this.slots[at]?.uid === uid ? at : unknown;
    must(index !== -1, 'VANISHED names what the client has', () => `uid ${uid} of ${set}`);
    // Of several next to each other of which no uid is known, it may be any.
    const isSure = index !== unknown || (this.slots[index + 1]?.uid !== 0 && this.slots[index - 1]?.uid !== 0);
    const [slot] = this.slots.splice(index, 1);
    for (const context of this.contexts.values()) context.gone(slot!, uid, isSure);
  }

  /** "ESEARCH (TAG …) …" that is no answer to a command. */
  contextUpdated(text: string): void {
    const parts = /^ESEARCH \(TAG "([^"]+)"\)( UID)?( (?:ADDTO|REMOVEFROM) .*)$/.exec(text);
    const context = parts === null ? undefined : this.contexts.get(parts[1]!);
    must(context !== undefined && (parts![2] !== undefined) === context.isUid, 'ESEARCH comes for what was asked', () => text.slice(0, 300));
    context.update(parts![3]!);
  }

  /** SELECT is over, or its first FETCH comes: sequence numbers are what EXISTS says. */
  #open(): void {
    if (!this.#isOpening) return;
    this.#isOpening = false;
    must(this.#exists !== -1, 'SELECT tells EXISTS', () => this.mailbox.key);
    this.slots = this.#remembered ?? [];
    this.#remembered = null;
    must(
      this.slots.length <= this.#exists,
      'VANISHED (EARLIER) names all that is gone',
      () => `the client still has ${this.slots.length}, EXISTS is ${this.#exists}`,
    );
    this.exists(this.#exists);
  }

  /** "number FETCH (…)": answers what was in it. `at`: the "(" in the text. */
  fetch(number: number, text: string, at: number, moment: Moment): Map<string, Value> {
    this.#open();
    must(number >= 1 && number <= this.count, 'FETCH has a number that the client has', () => `${number} of ${this.count}`);
    const items = parseFetch(text, at);
    const slot = this.slots[number - 1]!;
    this.#takeUid(number, slot, items.get('UID'));
    const { mode, reader } = moment;
    const flags = items.get('FLAGS');
    const modseq = items.get('MODSEQ');
    if (flags !== undefined && !moment.isAsked && mode.isCondstore) {
      must(modseq !== undefined, 'after CONDSTORE is on, changes are told with MODSEQ', () => text.slice(0, 200));
      must(items.has('UID'), 'after CONDSTORE is on, changes are told with UID', () => text.slice(0, 200));
    }
    const told = modseq === undefined ? 0 : Number((modseq as readonly string[])[0]);
    if (flags !== undefined) this.#takeFlags(slot, flagsOf(flags), told, moment);
    if (modseq !== undefined) {
      must(told > 0, 'a mod-sequence is never 0', () => text.slice(0, 200));
      must(told >= slot.modseq, 'the mod-sequence of a message never goes down', () => `uid ${slot.uid}: ${slot.modseq}, then ${told}`, slot.uid);
      slot.modseq = told;
      slot.isModseqFresh = true;
      this.#modseqSeen = Math.max(this.#modseqSeen, told);
    }
    if (flags !== undefined || modseq !== undefined) note(slot, text);
    if (slot.uid > 0) {
      const record = this.record(slot);
      if (flags !== undefined) this.#truth.read(record, slot.flags!, reader);
      if (flags !== undefined && told > 0) this.#truth.state(record, told, slot.flags!, text);
      this.#takeContent(record, items);
    }
    return items;
  }

  #takeUid(number: number, slot: Slot, value: Value | undefined): void {
    if (value === undefined) return;
    const uid = Number(value);
    if (slot.uid === 0) {
      const before = this.slots.slice(0, number - 1).findLast((each) => each.uid > 0)?.uid ?? 0;
      const after = this.slots.slice(number).find((each) => each.uid > 0)?.uid ?? Number.POSITIVE_INFINITY;
      must(uid > before && uid < after, 'uids ascend', () => `number ${number} has uid ${uid} between ${before} and ${after}`);
      slot.uid = uid;
    }
    must(slot.uid === uid, 'the uid behind a sequence number stays', () => `number ${number} had uid ${slot.uid}, and has ${uid}`);
  }

  #takeFlags(slot: Slot, flags: string, modseq: number, { mode }: Moment): void {
    if (slot.flags !== null && modseq > 0 && modseq <= this.level && mode.isQresync)
      must(
        slot.flags === flags,
        'a client that was told HIGHESTMODSEQ knows all changes up to there',
        () => `uid ${slot.uid} has (${flags}) since ${modseq}; the client, level with ${this.level}, believed (${slot.flags})`,
        slot.uid,
      );
    slot.flags = flags;
    slot.isFresh = true;
    if (modseq === 0) slot.modseq = 0;
  }

  #takeContent(record: MessageRecord, items: ReadonlyMap<string, Value>): void {
    const envelope = items.get('ENVELOPE');
    if (Array.isArray(envelope)) this.#truth.content(record, String(envelope[1]));
    for (const [name, value] of items) {
      if (!name.startsWith('BODY[') || typeof value !== 'string' || !/^BODY\[(HEADER.*)?\](<0>)?$/.test(name)) continue;
      const subject = /^Subject: (\S+)\r$/m.exec(value)?.[1];
      if (subject !== undefined) this.#truth.content(record, subject);
      if (name === 'BODY[]') {
        const size = items.get('RFC822.SIZE');
        if (size !== undefined)
          must(Number(size) === value.length, 'RFC822.SIZE is the size of the message', () => `uid ${record.uid}: ${String(size)}, ${value.length} came`);
        must(value.includes(`\r\nBegin ${subject}\r\n`) && value.endsWith(`End ${subject}\r\n`), 'a message comes whole', () => `uid ${record.uid} ${subject}`);
        if (subject !== undefined) this.#truth.text(subject, value);
      }
    }
    const emailId = items.get('EMAILID');
    if (Array.isArray(emailId)) this.#truth.emailId(record, String(emailId[0]));
  }

  /** The outcome of an own STORE that was not told: the client works it out. Not `isSure`: what others changed may be told with the next answer. */
  assume(slot: Slot, flags: string, command: string, isSure: boolean): void {
    const before = slot.flags;
    slot.flags = flags;
    if (slot.modseq > 0 && slot.isModseqFresh && isSure) this.#truth.state(this.record(slot), slot.modseq, flags, `${command} on (${before})`);
    if (!slot.isModseqFresh) slot.modseq = 0;
    note(slot, `worked out from ${command}`);
  }

  /** A response code with the mod-sequence up to which the client knows all. */
  highest(modseq: number): void {
    must(modseq > 0, 'HIGHESTMODSEQ is never 0', () => this.mailbox.key);
    if (this.#isOpening) {
      this.highestModseq = modseq;
      return;
    }
    this.#levelTold = modseq;
  }

  /** SELECT was answered with OK. */
  opened(isQresync: boolean): void {
    this.#open();
    if (isQresync) this.level = this.highestModseq;
    this.#modseqSeen = 0;
    this.#levelTold = 0;
  }

  /** All slots are known for the first time since SELECT. */
  synchronised(): void {
    if (this.level === 0) this.level = this.highestModseq;
  }

  /** A tagged response (RFC 7162 section 6). */
  tagged(isQresync: boolean): void {
    // Without QRESYNC nobody takes care of what is not told yet: such a client resynchronises from what SELECT said.
    if (this.level > 0 && isQresync) {
      if (this.#levelTold > 0) this.level = this.#levelTold;
      else this.level = Math.max(this.level, this.#modseqSeen);
    }
    this.#modseqSeen = 0;
    this.#levelTold = 0;
    for (const slot of this.slots) {
      slot.isFresh = false;
      slot.isModseqFresh = false;
    }
  }

  /** In IDLE and NOTIFY nothing is tagged: the code alone counts. */
  levelNow(isQresync: boolean): void {
    if (isQresync && this.level > 0 && this.#levelTold > 0) this.level = this.#levelTold;
    this.#levelTold = 0;
    this.#modseqSeen = 0;
  }

  /** What to keep: messages up to the first of which something is not known. null while not synchronised. */
  memory(lines: readonly string[]): Memory | null {
    if (this.#isOpening || this.level === 0 || this.uidValidity === 0) return null;
    const unknown = this.firstUnknown;
    const slots = unknown === -1 ? this.slots : this.slots.slice(0, unknown);
    return {
      uidValidity: this.uidValidity,
      level: this.level,
      slots: slots.map((slot) => ({ ...slot, notes: [...slot.notes] })),
      lines,
      began: this.beginning,
    };
  }

  /** How the session with this mailbox began. */
  get beginning(): string {
    return `${this.began} → HIGHESTMODSEQ ${this.highestModseq}, UIDNEXT ${this.uidNext}`;
  }

  /** What the client was told of a message last, what it came with included. */
  story(uid: number): readonly string[] {
    const slot = this.find(uid) ?? this.#remembered?.find((each) => each.uid === uid) ?? this.cameWith?.slots.find((each) => each.uid === uid);
    return slot?.notes ?? [];
  }

  toString(): string {
    return `${this.mailbox.key}: ${this.count} messages, uids ${formatNumbers(this.slots.map((slot) => slot.uid).filter((uid) => uid > 0))}, level ${this.level}`;
  }
}
