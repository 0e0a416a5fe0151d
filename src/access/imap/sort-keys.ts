/**
 * What the messages of a mailbox are ordered by: one set for each view, shared by all sessions on it, in columns by the message's place
 * among those known here. Messages never change in these, so that new ones are added behind and nothing else is ever read twice; what is
 * expunged stays until most of it is.
 *
 * Memory: about 32 octets a message, 4 more for each text that was sorted by, and each different text once (at most KEY_LENGTH_MAX
 * octets and its place in a Map). All views of a thread together keep to KEYS_BYTES_MAX: the one used longest ago is dropped first.
 */
import { createHash } from 'node:crypto';
import { isKnownCharset } from '../../mail/charset.ts';
import { type Collation, OCTET } from '../../mail/collation.ts';
import { decodeWords } from '../../mail/encoded-word.ts';
import { baseSubject } from '../../mail/thread-subject.ts';
import type { StoreReader } from '../../ports.ts';
import { pause, type SliceClock } from './pace.ts';
import { displayOf, type EnvelopeFacts, envelopeFacts, mailboxOf } from './sort-envelope.ts';
import { denseRanks, sortCompared } from './sort-slices.ts';
import type { ThreadLinks } from './thread-links.ts';
import type { MailboxView } from './view.ts';

export type NumberField = 'arrival' | 'date' | 'size';
export type TextField = 'from' | 'to' | 'cc' | 'subject' | 'displayFrom' | 'displayTo';

/** Rows read in one go: 1 to 4 ms. */
const PAGE_ROWS = 1000;
/** Longer texts are ordered by so many octets of their beginning; whether they are equal is exact all the same. */
const KEY_LENGTH_MAX = 1000;
/** All views of one thread. */
const KEYS_BYTES_MAX = 384 * 1024 * 1024;
/** Below this share of a mailbox whose keys are not there yet, only the messages asked for are read. */
const SPARSE_SHARE = 16;

export const SORT_ROWS_SQL =
  'SELECT m.uid, m.internal_date, m.size, m.email_id, e.sent_at FROM message m JOIN email e ON e.id=m.email_id WHERE m.account_id=? AND m.mailbox_id=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?';
export const SORT_ENVELOPES_SQL =
  'SELECT m.uid, e.envelope FROM message m JOIN email e ON e.id=m.email_id WHERE m.account_id=? AND m.mailbox_id=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?';

/** A column as ranks: equal values have the same one, below `distinct`. */
export interface Ranks {
  readonly distinct: number;
  of(index: number): number;
}

const TEXTS: Readonly<Record<Exclude<TextField, 'subject'>, (facts: EnvelopeFacts) => string>> = {
  from: ({ from }) => mailboxOf(from),
  to: ({ to }) => mailboxOf(to),
  cc: ({ cc }) => mailboxOf(cc),
  displayFrom: ({ from }) => displayOf(from),
  displayTo: ({ to }) => displayOf(to),
};

/** One text of every message, each different one kept once and known by its number. Number 0 is the empty text. */
export class TextColumn {
  readonly field: TextField;
  readonly collation: Collation;
  ids = new Uint32Array(16);
  /** Base subjects only: 1 where the subject was that of a reply or forward. */
  replies = new Uint8Array(16);
  /** Messages whose text is known. */
  filled = 0;
  readonly texts: string[] = [''];
  /** Octets of the texts. */
  textBytes = 0;
  readonly #numbers = new Map<string, number>([['', 0]]);
  #ranks = new Uint32Array(1);
  #sorted = new Uint32Array(1);

  constructor(field: TextField, collation: Collation) {
    this.field = field;
    this.collation = collation;
  }

  put(index: number, facts: EnvelopeFacts): void {
    const text = this.#textOf(index, facts);
    // RFC 5255 section 4.6: what cannot be decoded comes behind everything else, by its octets. No text in UTF-8 has octet 255.
    let key = this.field === 'subject' && isUndecodable(facts.subject) ? `\xff${OCTET.key(text)}` : this.collation.key(text);
    if (key.length > KEY_LENGTH_MAX) key = key.slice(0, KEY_LENGTH_MAX) + createHash('sha256').update(key, 'latin1').digest('latin1');
    let number = this.#numbers.get(key);
    if (number === undefined) {
      // A copy: a piece cut out of an envelope would keep the whole of it in memory.
      const own = Buffer.from(key, 'latin1').toString('latin1');
      number = this.texts.length;
      this.texts.push(own);
      this.#numbers.set(own, number);
      this.textBytes += own.length;
    }
    this.ids[index] = number;
  }

  #textOf(index: number, facts: EnvelopeFacts): string {
    if (this.field !== 'subject') return TEXTS[this.field](facts);
    const { base, isReply } = baseSubject(decodeWords(facts.subject));
    if (isReply) this.replies[index] = 1;
    return base;
  }

  reserve(size: number): void {
    if (this.ids.length >= size) return;
    this.ids = grown(this.ids, new Uint32Array(size));
    if (this.field === 'subject') this.replies = grown(this.replies, new Uint8Array(size));
  }

  /** Ranks of all texts that are known now. */
  async ranks(clock: SliceClock): Promise<Ranks> {
    const { texts } = this;
    const known = this.#sorted.length;
    if (known < texts.length) {
      const added = new Uint32Array(texts.length - known);
      for (let i = 0; i < added.length; i += 1) added[i] = known + i;
      const compare = (a: number, b: number): number => (texts[a]! < texts[b]! ? -1 : 1);
      const sorted = merged(this.#sorted, await sortCompared(added, compare, clock), compare);
      // Another session may have been here during the pauses, with as many texts or more.
      if (sorted.length > this.#sorted.length) {
        this.#sorted = sorted;
        this.#ranks = new Uint32Array(sorted.length);
        for (let rank = 0; rank < sorted.length; rank += 1) this.#ranks[sorted[rank]!] = rank;
      }
    }
    const ranks = this.#ranks;
    const { ids } = this;
    return { distinct: ranks.length, of: (index) => ranks[ids[index]!]! };
  }
}

/** Is there an encoded word in a charset that is not known here? */
function isUndecodable(raw: string): boolean {
  if (!raw.includes('=?')) return false;
  for (const [, charset] of raw.matchAll(ENCODED_WORD)) if (!isKnownCharset(charset!)) return true;
  return false;
}
/** The head of an encoded word (RFC 2047 section 2), a language (RFC 2231 section 5) left out. */
const ENCODED_WORD = /=\?([^?* ]{1,60})(?:\*[^? ]{0,40})?\?[bq]\?/gi;

function merged(a: Uint32Array, b: Uint32Array, compare: (a: number, b: number) => number): Uint32Array<ArrayBuffer> {
  const all = new Uint32Array(a.length + b.length);
  let left = 0;
  let right = 0;
  for (let to = 0; to < all.length; to += 1) {
    if (right >= b.length || (left < a.length && compare(a[left]!, b[right]!) < 0)) {
      all[to] = a[left]!;
      left += 1;
    } else {
      all[to] = b[right]!;
      right += 1;
    }
  }
  return all;
}

export class MailboxKeys {
  /** Ascending; the first `count` are known. */
  uids = new Uint32Array(16);
  count = 0;
  emails = new Float64Array(16);
  readonly numbers: Readonly<Record<NumberField, { values: Float64Array; ranks: (Ranks & { readonly count: number }) | null }>> = {
    arrival: { values: new Float64Array(16), ranks: null },
    date: { values: new Float64Array(16), ranks: null },
    size: { values: new Float64Array(16), ranks: null },
  };
  /** Set by thread-links.ts when threads are asked for. */
  links: ThreadLinks | null = null;
  readonly #reader: StoreReader;
  readonly #view: MailboxView;
  readonly #texts = new Map<string, TextColumn>();

  constructor(reader: StoreReader, view: MailboxView) {
    this.#reader = reader;
    this.#view = view;
  }

  get lastUid(): number {
    return this.count === 0 ? 0 : this.uids[this.count - 1]!;
  }

  /** Octets held, about. */
  get bytes(): number {
    let total = this.uids.length * 36 + (this.links?.bytes ?? 0);
    // An entry of a Map with a string costs about 60 octets besides its characters.
    for (const column of this.#texts.values()) total += column.ids.length * 4 + column.textBytes + column.texts.length * 60;
    return total;
  }

  column(field: TextField, collation: Collation): TextColumn {
    const name = `${field} ${collation.id}`;
    let column = this.#texts.get(name);
    if (column === undefined) {
      column = new TextColumn(field, collation);
      this.#texts.set(name, column);
    }
    return column;
  }

  /** Reads what is missing of the whole mailbox, in pages with pauses. Several sessions may do so at the same time. */
  async fill(columns: readonly TextColumn[], clock: SliceClock): Promise<void> {
    const { accountId, mailboxId } = this.#view;
    while (this.lastUid < this.#view.lastUid) {
      const rows = this.#reader.rows(SORT_ROWS_SQL, accountId, mailboxId, this.lastUid + 1, 0xffffffff, PAGE_ROWS);
      this.#takeRows(rows);
      if (clock.isOver()) await pause(clock);
      if (rows.length < PAGE_ROWS) break;
    }
    for (;;) {
      let from = this.count;
      for (const column of columns) from = Math.min(from, column.filled);
      if (from >= this.count) return;
      const rows = this.#reader.rows(SORT_ENVELOPES_SQL, accountId, mailboxId, this.uids[from]!, 0xffffffff, PAGE_ROWS);
      const to = this.#takeEnvelopes(rows, from, columns);
      const filled = rows.length < PAGE_ROWS ? this.count : to;
      for (const column of columns) column.filled = Math.max(column.filled, filled);
      if (clock.isOver()) await pause(clock);
    }
  }

  /** The same for the given messages only (ascending uids), into a set of keys that is not kept. */
  async fillOnly(uids: ArrayLike<number>, columns: readonly TextColumn[], clock: SliceClock): Promise<void> {
    const { accountId, mailboxId } = this.#view;
    for (let i = 0; i < uids.length; i += 1) {
      const uid = uids[i]!;
      const rows = this.#reader.rows(SORT_ROWS_SQL, accountId, mailboxId, uid, uid, 1);
      this.#takeRows(rows);
      if (columns.length > 0 && rows.length > 0) {
        this.#takeEnvelopes(this.#reader.rows(SORT_ENVELOPES_SQL, accountId, mailboxId, uid, uid, 1), this.count - 1, columns);
        for (const column of columns) column.filled = this.count;
      }
      if (i % 16 === 0 && clock.isOver()) await pause(clock);
    }
  }

  #takeRows(rows: readonly unknown[][]): void {
    this.#reserve(this.count + rows.length);
    const { arrival, date, size } = this.numbers;
    for (const [uid, internalDate, bytes, emailId, sentAt] of rows as [number, number, number, number, number | null][]) {
      if (uid <= this.lastUid) continue;
      const at = this.count;
      this.uids[at] = uid;
      this.emails[at] = emailId;
      arrival.values[at] = internalDate;
      // RFC 5256 section 2.2
      date.values[at] = sentAt ?? internalDate;
      size.values[at] = bytes;
      this.count += 1;
    }
  }

  /** Answers the index behind the last row. */
  #takeEnvelopes(rows: readonly unknown[][], from: number, columns: readonly TextColumn[]): number {
    for (const column of columns) column.reserve(this.uids.length);
    let at = from;
    for (const [uid, envelope] of rows as [number, string][]) {
      while (at < this.count && this.uids[at]! < uid) at += 1;
      if (at >= this.count) break;
      if (this.uids[at] !== uid) continue;
      const facts = envelopeFacts(envelope);
      for (const column of columns) if (at >= column.filled) column.put(at, facts);
      at += 1;
    }
    return at;
  }

  #reserve(size: number): void {
    if (size <= this.uids.length) return;
    const capacity = Math.ceil(size * 1.25);
    this.uids = grown(this.uids, new Uint32Array(capacity));
    this.emails = grown(this.emails, new Float64Array(capacity));
    for (const column of Object.values(this.numbers)) column.values = grown(column.values, new Float64Array(capacity));
  }

  async ranks(field: NumberField, clock: SliceClock): Promise<Ranks> {
    const column = this.numbers[field];
    if (column.ranks?.count === this.count) return column.ranks;
    const { count } = this;
    const { ranks, distinct } = await denseRanks(column.values.slice(0, count), clock);
    column.ranks = { count, distinct, of: (index) => ranks[index]! };
    return column.ranks;
  }

  /** Indexes of ascending uids here; -1 for those that are not known (they are gone from the store). */
  indexes(uids: ArrayLike<number>): Int32Array {
    const found = new Int32Array(uids.length);
    let at = 0;
    for (let i = 0; i < uids.length; i += 1) {
      const uid = uids[i]!;
      while (at < this.count && this.uids[at]! < uid) at += 1;
      found[i] = at < this.count && this.uids[at] === uid ? at : -1;
    }
    return found;
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

const KEYS = new WeakMap<MailboxView, MailboxKeys>();
/** In the order of their use; for adding up what is held. */
const USED = new Set<WeakRef<MailboxView>>();

/** The kept keys of a mailbox. */
export function keysOf(reader: StoreReader, view: MailboxView): MailboxKeys {
  const known = KEYS.get(view);
  if (known !== undefined && known.count <= 2 * view.count + 1000) return known;
  const keys = new MailboxKeys(reader, view);
  KEYS.set(view, keys);
  return keys;
}

/**
 * Keys with everything that the columns say, of at least the messages given (ascending uids). `choose` names the columns of a set of keys.
 * Where few are asked for and the mailbox was not sorted before, they belong to this one command.
 */
export async function keysFor(
  reader: StoreReader,
  view: MailboxView,
  uids: ArrayLike<number>,
  choose: (keys: MailboxKeys) => readonly TextColumn[],
  clock: SliceClock,
): Promise<MailboxKeys> {
  const kept = keysOf(reader, view);
  const columns = choose(kept);
  let missing = view.count - kept.count;
  for (const column of columns) missing = Math.max(missing, view.count - column.filled);
  if (missing > PAGE_ROWS && uids.length * SPARSE_SHARE < missing) {
    const own = new MailboxKeys(reader, view);
    await own.fillOnly(uids, choose(own), clock);
    return own;
  }
  await kept.fill(columns, clock);
  if (missing > 0) forgetOldest(view);
  return kept;
}

/** Keeps what all views hold within its bound. */
export function forgetOldest(used: MailboxView): void {
  const live: { view: MailboxView; ref: WeakRef<MailboxView>; bytes: number }[] = [];
  let total = 0;
  for (const ref of USED) {
    const view = ref.deref();
    const keys = view === undefined ? undefined : KEYS.get(view);
    if (view === undefined || keys === undefined || view === used) {
      USED.delete(ref);
      continue;
    }
    live.push({ view, ref, bytes: keys.bytes });
    total += keys.bytes;
  }
  USED.add(new WeakRef(used));
  total += KEYS.get(used)?.bytes ?? 0;
  for (const { view, ref, bytes } of live) {
    if (total <= KEYS_BYTES_MAX) return;
    KEYS.delete(view);
    USED.delete(ref);
    total -= bytes;
  }
}
