/**
 * What must be true, from what all clients were answered: which messages came and may have gone, which flags they may have, which
 * flags stood behind each mod-sequence. Commands whose outcome is not known count as possible, never as certain: no false alarms.
 *
 * Flags are kept as registers, one for each message and flag, with the writes that clients asked for and the time each took.
 * A value that is read must have been written by a write that no later one certainly replaced before the reading began.
 */
import { Violation, must } from './violation.ts';

/** All flags the run uses; the keywords always in this case. */
export const FLAGS = ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft', 'work', '$x', 'later'] as const;
export type Flag = (typeof FLAGS)[number];

/** How long one thread's view of a mailbox may be behind what another thread's client was answered. */
const LAG_MS = 8000;
/** Commands on a lost connection may still be carried out for so long. */
export const LOST_MS = 10_000;
/** No command that is still to be judged began before that. */
const HORIZON_MS = 180_000;
const WRITES_KEPT = 40;

export interface Write {
  /** null: 0 or 1. */
  readonly value: 0 | 1 | null;
  readonly start: number;
  /** When it was answered; Infinity before. */
  end: number;
  isCertain: boolean;
  /** The connection that asked for it. */
  readonly by: object | null;
}

/** Who reads, and when the command that reads began. */
export interface Reader {
  readonly connection: object;
  readonly since: number;
}

export interface MessageRecord {
  readonly mailbox: MailboxTruth;
  readonly uid: number;
  /** The id in its Subject. */
  mark: string | null;
  /** The message it is a copy of. */
  origin: MessageRecord | null;
  /** An acknowledged APPEND, COPY or MOVE brought it here. */
  isCaused: boolean;
  emailId: string | null;
  goneAt: number;
  /** MOVEs that may have taken it away. */
  moves: number;
  /** One of them, or a REPLACE, was answered with OK. */
  isTaken: boolean;
  readonly writes: Map<Flag, Write[]>;
  /** Flags by mod-sequence. */
  readonly states: Map<number, { readonly flags: string; readonly said: string }>;
}

interface Expunge {
  readonly start: number;
  end: number;
  /** null: all. */
  readonly uids: ReadonlySet<number> | null;
  isPossible: boolean;
}

const UNKNOWN: Write = { value: null, start: Number.NEGATIVE_INFINITY, end: Number.NEGATIVE_INFINITY, isCertain: false, by: null };
const now = (): number => performance.now();

export class MailboxTruth {
  readonly key: string;
  readonly messages = new Map<number, MessageRecord>();
  readonly #expunges: Expunge[] = [];
  /** Messages that may be here without an acknowledgement that says their uid, by mark: deliveries, and commands that were cut off. */
  readonly #allowed = new Map<string, number>();
  readonly #copies: MessageRecord[] = [];
  /** Marks that were acknowledged without a uid (LMTP). */
  readonly delivered = new Set<string>();
  uidValidity = 0;
  /** APPEND, COPY and MOVE to here that were not answered yet, or never will be: what they bring may have any flags. */
  arriving = 0;
  /** DELETE was asked for: what is in it is not looked at any more. */
  isDeleted = false;

  constructor(key: string) {
    this.key = key;
  }

  /** The record of a uid that somebody has seen, or was told of. */
  message(uid: number): MessageRecord {
    let record = this.messages.get(uid);
    if (record === undefined) {
      record = {
        mailbox: this,
        uid,
        mark: null,
        origin: null,
        isCaused: false,
        emailId: null,
        goneAt: 0,
        moves: 0,
        isTaken: false,
        writes: new Map(),
        states: new Map(),
      };
      this.messages.set(uid, record);
    }
    return record;
  }

  /** One more message with this mark may come, without anybody being told its uid. */
  allow(mark: string): void {
    this.#allowed.set(mark, (this.#allowed.get(mark) ?? 0) + 1);
  }
  /** The same for copies of a message. */
  allowCopy(record: MessageRecord): void {
    this.#copies.push(record);
  }
  allowances(truth: Truth): Map<string, number> {
    const all = new Map(this.#allowed);
    for (const record of this.#copies) {
      const mark = truth.markOf(record);
      if (mark !== null) all.set(mark, (all.get(mark) ?? 0) + 1);
    }
    return all;
  }

  beginExpunge(uids: ReadonlySet<number> | null): Expunge {
    const expunge: Expunge = { start: now(), end: Number.POSITIVE_INFINITY, uids, isPossible: true };
    this.#expunges.push(expunge);
    return expunge;
  }

  /** Somebody was told that the message is gone. */
  gone(uid: number): void {
    const record = this.message(uid);
    if (record.goneAt > 0) return;
    record.goneAt = now();
    must(this.mayBeGone(record), 'only what was \\Deleted and expunged, or moved, goes away', () => `uid ${uid} of ${this.key}`, uid);
  }

  /** Could it be gone by what was asked for? */
  mayBeGone(record: MessageRecord): boolean {
    if (record.moves > 0 || this.isDeleted) return true;
    const asked = record.writes.get('\\Deleted') ?? [];
    // Deliveries have no flags; what a copy brings may have.
    const writes = !record.isCaused && this.arriving > 0 ? [UNKNOWN, ...asked] : asked;
    return this.#expunges.some(
      (expunge) => expunge.isPossible && expunge.uids?.has(record.uid) !== false && writes.some((write) => write.value !== 0 && write.start <= expunge.end),
    );
  }
}

export class Truth {
  readonly #mailboxes = new Map<string, MailboxTruth>();
  /** Messages that have (the beginning of) the text of another one in them, by mark. */
  readonly #joined = new Map<string, { readonly part: MessageRecord; readonly isWhole: boolean }>();
  #marks = 0;
  /** Checked responses and values, for the report. */
  readonly counts = { responses: 0, flags: 0, states: 0, contents: 0 };

  mailbox(key: string): MailboxTruth {
    let mailbox = this.#mailboxes.get(key);
    if (mailbox === undefined) {
      mailbox = new MailboxTruth(key);
      this.#mailboxes.set(key, mailbox);
    }
    return mailbox;
  }
  get mailboxes(): Iterable<MailboxTruth> {
    return this.#mailboxes.values();
  }
  /** The mailbox is a new one from here on. */
  forget(key: string): void {
    this.#mailboxes.delete(key);
  }
  newMark(): string {
    this.#marks += 1;
    return `mark-${this.#marks}`;
  }

  /** Flags were asked for; settle() says what became of it. `value`: null when it depends on what only the server knows. */
  write(record: MessageRecord, flag: Flag, value: 0 | 1 | null, by: object | null, start = now()): Write {
    const write: Write = { value, start, end: Number.POSITIVE_INFINITY, isCertain: false, by };
    const writes = record.writes.get(flag);
    if (writes === undefined) record.writes.set(flag, [UNKNOWN, write]);
    else {
      if (writes.length > WRITES_KEPT) prune(writes);
      writes.push(write);
    }
    return write;
  }
  unwrite(record: MessageRecord, flag: Flag, write: Write): void {
    const writes = record.writes.get(flag);
    const at = writes?.indexOf(write) ?? -1;
    if (at !== -1) writes!.splice(at, 1);
  }

  /** Flags that a client was told. `without`: flags the response says nothing of. */
  read(record: MessageRecord, told: string, reader: Reader): void {
    this.counts.flags += 1;
    const flags = new Set(told.split(' '));
    for (const flag of FLAGS) this.readFlag(record, flag, flags.has(flag) ? 1 : 0, reader, told);
  }

  readFlag(record: MessageRecord, flag: Flag, value: 0 | 1, reader: Reader, told: string): void {
    const writes = record.writes.get(flag);
    if (writes === undefined || mayRead(writes, value, reader)) return;
    const history = writes.map((each) => `${each.value}${each.isCertain ? '' : '?'} [${Math.round(each.start)}, ${Math.round(each.end)}]`);
    throw new Violation(
      'flags told are flags that some command can have made',
      `${flag}=${value} (${told}) of uid ${record.uid} in ${record.mailbox.key}, read by a command since ${Math.round(reader.since)}; writes: ${history.join(', ')}`,
      record.uid,
    );
  }

  /** Flags behind a mod-sequence: the same for everybody. `said`: from where it is known. */
  state(record: MessageRecord, modseq: number, flags: string, said: string): void {
    this.counts.states += 1;
    const known = record.states.get(modseq);
    if (known === undefined) record.states.set(modseq, { flags, said: said.slice(0, 200) });
    else
      must(
        known.flags === flags,
        'a mod-sequence stands for one state of a message',
        () => `uid ${record.uid} in ${record.mailbox.key}, modseq ${modseq}: (${known.flags}) by ${known.said}, and (${flags}) by ${said.slice(0, 200)}`,
        record.uid,
      );
  }

  /** The message was looked at: its Subject. */
  content(record: MessageRecord, mark: string): void {
    this.counts.contents += 1;
    const root = rootOf(record);
    if (root.mark === null) root.mark = mark;
    must(root.mark === mark, 'a uid stands for one message for ever', () => `uid ${record.uid} in ${record.mailbox.key} is ${mark}, and was ${root.mark}`);
  }
  markOf(record: MessageRecord): string | null {
    return rootOf(record).mark;
  }

  /** The message with this mark is put together with the text of `part` in it. */
  join(mark: string, part: MessageRecord, isWhole: boolean): void {
    this.#joined.set(mark, { part, isWhole });
  }

  /** Is the text of another message in it? */
  isJoined(mark: string): boolean {
    return this.#joined.has(mark);
  }

  /** The text of a message was read: what it was put together from is in it. */
  text(mark: string, text: string): void {
    const joined = this.#joined.get(mark);
    const partMark = joined === undefined ? null : this.markOf(joined.part);
    if (partMark === null) return;
    must(
      text.includes(`Begin ${mark}\r\nBegin ${partMark}\r\n`) && (!joined!.isWhole || text.endsWith(`End ${partMark}\r\n\r\nEnd ${mark}\r\n`)),
      'what was put together has its parts',
      () => `${mark} with ${partMark}: ${text.slice(0, 400)}`,
    );
  }

  /** EMAILID stays, and a copy within one account has that of its source (RFC 8474 section 5.1). */
  emailId(record: MessageRecord, id: string): void {
    record.emailId ??= id;
    const { origin } = record;
    const isCopy = origin !== null && origin.emailId !== null && ownerOf(origin) === ownerOf(record);
    must(
      record.emailId === id && (!isCopy || origin.emailId === id),
      'copies have the EMAILID of their message',
      () => `uid ${record.uid} in ${record.mailbox.key}: ${id}, ${record.emailId}, ${origin?.emailId}`,
    );
  }

  /** An acknowledged APPEND: a new uid with this mark. */
  appended(mailbox: MailboxTruth, uid: number, mark: string, flags: readonly Flag[] | null, start: number): void {
    const record = this.#arrived(mailbox, uid);
    for (const flag of FLAGS) this.#initial(record, flag, flags === null ? null : flags.includes(flag) ? 1 : 0, start);
    this.content(record, mark);
  }

  /** An acknowledged COPY or MOVE: the same message under a new uid. */
  copied(source: MessageRecord, mailbox: MailboxTruth, uid: number, start: number): void {
    const record = this.#arrived(mailbox, uid);
    for (const flag of FLAGS) this.#initial(record, flag, null, start);
    const seen = rootOf(record).mark;
    const root = rootOf(source);
    if (seen !== null) this.content(source, seen);
    if (root !== record) record.origin = source;
  }

  #arrived(mailbox: MailboxTruth, uid: number): MessageRecord {
    const record = mailbox.message(uid);
    must(!record.isCaused, 'a new message has a new uid', () => `uid ${uid} in ${mailbox.key} was given twice`);
    record.isCaused = true;
    return record;
  }

  #initial(record: MessageRecord, flag: Flag, value: 0 | 1 | null, start: number): void {
    const write: Write = { value, start, end: now(), isCertain: true, by: null };
    const writes = record.writes.get(flag);
    if (writes === undefined) record.writes.set(flag, [write]);
    else writes.splice(0, writes[0] === UNKNOWN ? 1 : 0, write);
  }

  /** At the end, with what is in a mailbox: nothing lost, nothing doubled, nothing from nowhere. `present`: marks by uid. */
  audit(mailbox: MailboxTruth, present: ReadonlyMap<number, string>): void {
    const uncaused = new Map<string, number>();
    for (const [uid, mark] of present) {
      const record = mailbox.message(uid);
      this.content(record, mark);
      must(!record.isTaken, 'what was moved or replaced is gone', () => `uid ${uid} (${mark}) in ${mailbox.key}`);
      must(record.goneAt === 0, 'what is gone does not come back', () => `uid ${uid} (${mark}) in ${mailbox.key}`);
    }
    let unseen = 0;
    for (const record of mailbox.messages.values()) {
      const mark = this.markOf(record);
      if (!record.isCaused && mark !== null) uncaused.set(mark, (uncaused.get(mark) ?? 0) + 1);
      if (mark === null) unseen += 1;
      if (present.has(record.uid) || record.goneAt > 0) continue;
      must(mailbox.mayBeGone(record), 'what was acknowledged is never lost', () => `uid ${record.uid} (${mark}) in ${mailbox.key}`);
    }
    const allowed = mailbox.allowances(this);
    for (const [mark, count] of uncaused) {
      const most = allowed.get(mark) ?? 0;
      must(count <= most, 'nothing is doubled', () => `${mark} came to ${mailbox.key} ${count} times without an answer, at most ${most} times was right`);
    }
    const missing = [...mailbox.delivered].filter((mark) => !uncaused.has(mark));
    // Gone before anybody looked at it: then somebody was told of a uid nobody looked at.
    must(
      missing.length <= unseen,
      'what was delivered is never lost',
      () => `${missing.slice(0, 10).join(', ')} in ${mailbox.key}; ${unseen} messages were never looked at`,
    );
  }
}

const ownerOf = (record: MessageRecord): string => record.mailbox.key.slice(0, record.mailbox.key.indexOf('/'));

function rootOf(record: MessageRecord): MessageRecord {
  let root = record;
  while (root.origin !== null) root = root.origin;
  return root;
}

/** Is `value` what one of the writes left, which none of those that ended before the reading replaced? */
function mayRead(writes: readonly Write[], value: 0 | 1, reader: Reader): boolean {
  let replacedBefore = Number.NEGATIVE_INFINITY;
  for (const write of writes) {
    if (!write.isCertain || write.start <= replacedBefore) continue;
    if (write.end < reader.since - LAG_MS || (write.by === reader.connection && write.end < reader.since)) replacedBefore = write.start;
  }
  return writes.some((write) => write.end >= replacedBefore && write.value !== 1 - value);
}

/** Forgets writes that were replaced before any command that is still to be judged began. */
function prune(writes: Write[]): void {
  const long = now() - HORIZON_MS;
  let replacedBefore = Number.NEGATIVE_INFINITY;
  for (const write of writes) if (write.isCertain && write.end < long && write.start > replacedBefore) replacedBefore = write.start;
  for (let at = writes.length - 1; at >= 0; at -= 1) if (writes[at]!.end < replacedBefore) writes.splice(at, 1);
}
