/**
 * FETCH and UID FETCH (RFC 9051 section 6.4.5). Works through the asked messages in pages: rows of a page, then each message
 * in turn, waiting for the client whenever much is unsent and giving way to other sessions every few milliseconds.
 */
import { bodyFromStructure } from '../../mail/body-structure.ts';
import { formatInternalDate } from '../../mail/date.ts';
import { isInShortHeader, pickFields } from '../../mail/short-header.ts';
import { withUtf8Addresses } from '../../mail/utf8-address.ts';
import type { MessageReader, MessageTuple, StoredBody } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { emailObjectId } from '../../store/object-id.ts';
import { FAILURES, Failure } from '../../system/failure.ts';
import type { FetchArguments, FetchItem } from '../../wire/imap/fetch.ts';
import { formatFlags } from '../../wire/imap/format.ts';
import { BodyRun } from './body-run.ts';
import { flagsBefore } from './events.ts';
import { hideNul, sendBinary, sendBinarySize, sendPreview, sendSection, WHOLE_BYTES } from './fetch-body.ts';
import { alongside, type Envelope, Envelopes } from './fetch-envelopes.ts';
import { LAZY_MESSAGE_BYTES, LazyBudget, readSaveDates, readThreads, type SaveDate, threadItem } from './fetch-more.ts';
import { countOfRanges, limited, messageLimit, sliceOfRanges } from './message-limit.ts';
import { isRemoved, OpenMessage } from './open-message.ts';
import { pause, SliceClock } from './pace.ts';
import { Progress } from './progress.ts';
import { mayNow } from './rights-now.ts';
import type { Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { vanishedEarlier } from './vanished.ts';

/** Messages whose rows are read at once. */
const PAGE_MESSAGES = 500;

/** What comes before a message that is sent as a whole: an ENVELOPE may be longer than there is room for. */
const HEAD_BYTES_MAX = 4000;

/** What the items need to be known of each message. */
interface Plan {
  readonly items: readonly FetchItem[];
  readonly needsRow: boolean;
  readonly needsEnvelope: boolean;
  readonly envelopes: Envelopes;
  readonly needsBody: boolean;
  /** Rows come with the bytes, when these are read. */
  readonly rowsWithBodies: boolean;
  /** Which of the items is the message as a whole, all others being short; -1: none. */
  readonly wholeAt: number;
  /** All that is wanted of the bytes are header fields that short headers have: their names. */
  readonly shortFields: readonly ReadonlySet<string>[] | null;
  readonly needsSaveDate: boolean;
  readonly needsThread: boolean;
  /** Bytes of the message are needed for nothing but PREVIEW (LAZY), which may be NIL. */
  readonly isLazy: boolean;
  readonly setsSeen: boolean;
  readonly changedSince: number | null;
  /** RFC 9586: responses are UIDFETCH, by uid. */
  readonly isUidOnly: boolean;
}

function planOf(session: ImapSession, asked: readonly FetchItem[], changedSince: number | null, isUid: boolean): Plan {
  const items = [...asked];
  const has = (kind: FetchItem['kind']): boolean => items.some((item) => item.kind === kind);
  // RFC 9051 section 6.4.9: the answer to UID FETCH has the UID whether asked for or not. UIDFETCH has it in its place.
  if (isUid && !session.isUidOnly && !has('uid')) items.unshift({ kind: 'uid' });
  // RFC 7162 section 3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
  if (changedSince !== null && !has('modseq')) items.push({ kind: 'modseq' });
  const needsSections = has('section') || has('binary') || has('binarySize');
  const needsBody = needsSections || has('preview');
  const shortFields = session.context.search === undefined ? null : shortFieldsOf(items);
  return {
    items,
    needsRow: needsBody || has('internalDate') || has('size') || has('emailId') || has('threadId'),
    needsEnvelope: has('envelope') || has('body') || has('bodyStructure'),
    envelopes: new Envelopes(),
    needsBody,
    rowsWithBodies: needsSections && shortFields === null && !has('threadId'),
    wholeAt: has('binary') || has('binarySize') || has('preview') ? -1 : wholeAt(items),
    shortFields,
    needsSaveDate: has('saveDate'),
    needsThread: has('threadId'),
    isLazy: needsBody && !needsSections && items.every((item) => item.kind !== 'preview' || item.isLazy),
    setsSeen: items.some((item) => (item.kind === 'section' || item.kind === 'binary') && item.setsSeen),
    changedSince,
    isUidOnly: session.isUidOnly,
  };
}

/** The item that asks for all bytes of the message, when it is the only one that asks for any. */
function wholeAt(items: readonly FetchItem[]): number {
  let found = -1;
  for (let n = 0; n < items.length; n += 1) {
    const item = items[n]!;
    if (item.kind !== 'section') continue;
    if (found !== -1 || item.section.text !== 'all' || item.section.path.length > 0 || item.partial !== null) return -1;
    found = n;
  }
  return found;
}

/** For each item the names of its fields (of others none); null when anything but fields of short headers is wanted. */
function shortFieldsOf(items: readonly FetchItem[]): ReadonlySet<string>[] | null {
  if (!items.some((item) => item.kind === 'section')) return null;
  const names: ReadonlySet<string>[] = [];
  for (const item of items) {
    if (item.kind === 'binary' || item.kind === 'binarySize' || item.kind === 'preview') return null;
    if (item.kind !== 'section') {
      names.push(NO_FIELDS);
      continue;
    }
    const { text, path, fields } = item.section;
    if (text !== 'HEADER.FIELDS' || path.length > 0 || item.setsSeen || !fields.every(isInShortHeader)) return null;
    names.push(new Set(fields));
  }
  return names;
}
const NO_FIELDS: ReadonlySet<string> = new Set();

/** One page: positions in the client's numbering, and what was read for them (undefined: the message is gone). */
interface Page {
  readonly positions: number[];
  rows: (MessageTuple | undefined)[];
  envelopes: (Envelope | undefined)[];
  saveDates: (SaveDate | undefined)[];
  /** null: to be read out of the message. */
  shorts: (string | null)[];
  threads: ReadonlyMap<number, number> | null;
  bodies: BodyRun | null;
}

export async function fetch(session: ImapSession, args: FetchArguments, isUid: boolean, tag: string): Promise<string> {
  const selected = session.selected!;
  if (args.vanished && !isUid) return 'BAD VANISHED goes with UID FETCH';
  if (args.vanished && !session.isQresync) return 'BAD QRESYNC must be enabled first';
  if (args.partial !== null && !isUid) return 'BAD PARTIAL goes with UID FETCH';
  if (args.changedSince !== null || args.items.some((item) => item.kind === 'modseq')) session.enableCondstore();
  // RFC 7162 section 3.2.6: what is gone comes before what is there.
  if (args.vanished) session.out.write(vanishedEarlier(session, selected, args.changedSince!, args.set ?? []));
  let ranges = selected.ranges(args.set, isUid);
  if (args.partial !== null) {
    ranges = partOf(ranges, args.partial);
    const most = messageLimit(session);
    if (most > 0 && countOfRanges(ranges) > most) return `NO [MESSAGELIMIT ${most}] The range is too long`;
  }
  const limit = limited(session, selected, ranges);
  const outcome = await sendMessages(session, limit.ranges, planOf(session, args.items, args.changedSince, isUid), new Progress(session, tag, 'Fetching'));
  if (outcome === null) return '';
  if (outcome.hasDamaged) return FAILURES.corruptBlob.imap;
  // RFC 5530: sequence numbers that the client still has, but whose messages another session removed.
  if (outcome.hasGone && !isUid) return 'NO [EXPUNGEISSUED] Some of the messages no longer exist';
  return limit.code === '' ? 'OK FETCH completed' : `OK [${limit.code}] FETCH completed for some`;
}

/** PARTIAL (RFC 9394 section 3.3): counted from the first message, or from the last with numbers below zero. */
function partOf(ranges: Ranges, [a, b]: readonly [number, number]): Ranges {
  const [low, high] = [Math.min(Math.abs(a), Math.abs(b)), Math.max(Math.abs(a), Math.abs(b))];
  if (a > 0) return sliceOfRanges(ranges, low - 1, high - 1);
  const count = countOfRanges(ranges);
  return sliceOfRanges(ranges, count - high, count - low);
}

/** Sends what is asked of messages that the client has not asked for now: for NOTIFY and UPDATE. `positions`: in its numbering, as ranges. */
export async function fetchUnasked(session: ImapSession, items: readonly FetchItem[], positions: Ranges): Promise<void> {
  if (items.some((item) => item.kind === 'modseq')) session.enableCondstore();
  await sendMessages(session, positions, planOf(session, items, null, true), null);
}

/** null: the session ended meanwhile. */
async function sendMessages(
  session: ImapSession,
  ranges: Ranges,
  plan: Plan,
  progress: Progress | null,
): Promise<{ hasGone: boolean; hasDamaged: boolean } | null> {
  const selected = session.selected!;
  const clock = new SliceClock();
  const lazy = plan.isLazy ? new LazyBudget() : null;
  const setsSeen = plan.setsSeen && !selected.isReadOnly && mayNow(session, selected, 's');
  let hasGone = false;
  let hasDamaged = false;
  let hasWaited = false;
  const total = countOfRanges(ranges);
  let done = 0;
  for (const positions of pages(ranges)) {
    const page = readPage(session, selected, positions, plan);
    if (plan.needsThread) {
      page.threads = await readThreads(session, selected.view.accountId, page.rows, !hasWaited);
      hasWaited = true;
    }
    const newlySeen = setsSeen ? await markSeen(session, selected, positions, plan) : null;
    for (let i = 0; i < positions.length; i += 1) {
      if (session.isClosed) return null;
      const index = selected.view.find(selected.uids[positions[i]!]!);
      if (index === -1) {
        hasGone = true;
        continue;
      }
      if (plan.changedSince !== null && selected.view.modseqs[index]! <= plan.changedSince) continue;
      if (plan.shortFields !== null && page.shorts[i] != null) {
        if (!fetchPlain(session, selected, plan, page, i, index)) hasGone = true;
      } else if (plan.needsBody && !(lazy !== null && (lazy.isSpent || (page.rows[i]?.[5] ?? 0) > LAZY_MESSAGE_BYTES))) {
        const sent = fetchBodies(session, selected, plan, page, i, newlySeen);
        const outcome = sent instanceof Promise ? await sent : sent;
        if (outcome === 'gone') hasGone = true;
        else if (outcome === 'damaged') hasDamaged = true;
        else if (newlySeen !== null) tellSeen(session, newlySeen, selected.uids[positions[i]!]!);
        if (clock.isOver()) await pause(clock);
      } else if (!fetchPlain(session, selected, plan, page, i, index)) hasGone = true;
      // Waiting for a fast client gives nobody else a turn: the clock runs on.
      if (session.out.isFull) await session.out.drain();
    }
    done += positions.length;
    progress?.tell(done, total);
    if (clock.isOver()) await pause(clock);
  }
  return { hasGone, hasDamaged };
}

function* pages(ranges: Ranges): Generator<number[]> {
  let page: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    for (let at = ranges[i]!; at <= ranges[i + 1]!; at += 1) {
      page.push(at);
      if (page.length === PAGE_MESSAGES) {
        yield page;
        page = [];
      }
    }
  }
  if (page.length > 0) yield page;
}

/** For clients that take UTF-8 in strings. */
function inUtf8(envelope: Envelope | undefined): Envelope | undefined {
  return envelope === undefined ? undefined : [envelope[0], withUtf8Addresses(envelope[1]), withUtf8Addresses(envelope[2])];
}

function readPage(session: ImapSession, selected: Selected, positions: number[], plan: Plan): Page {
  const page: Page = { positions, rows: [], envelopes: [], saveDates: [], shorts: [], threads: null, bodies: null };
  const { reader } = session.context;
  const { accountId, mailboxId } = selected.view;
  if (plan.needsBody) page.bodies = new BodyRun(reader, selected, positions);
  if (plan.needsRow && !plan.rowsWithBodies)
    page.rows = alongside(selected, positions, (from, to, limit) => reader.messages(accountId, mailboxId, from, to, limit));
  if (plan.needsEnvelope) page.envelopes = plan.envelopes.read(session.context, selected, positions, page.rows);
  if (session.isUtf8 || session.isRev2) page.envelopes = page.envelopes.map(inUtf8);
  if (plan.needsSaveDate) page.saveDates = alongside(selected, positions, (from, to, limit) => readSaveDates(reader, accountId, mailboxId, from, to, limit));
  if (plan.shortFields !== null)
    page.shorts = session.context.search!.shortHeaders(
      accountId,
      page.rows.map((row) => row?.[6] ?? 0),
    );
  return page;
}

/** Messages that were not \Seen before, by uid, with the mod-sequence of that change. */
type NewlySeen = ReadonlyMap<number, number>;

/** The client has been told of it with the message. Where it could not be sent, it is told as anybody's change is. */
function tellSeen(session: ImapSession, newlySeen: NewlySeen, uid: number): void {
  const modseq = newlySeen.get(uid);
  if (modseq !== undefined) session.tellOwn(uid, modseq);
}

/** Sets \Seen on what is about to be read; answers those that did not have it, whose FLAGS the client must be told. */
async function markSeen(session: ImapSession, selected: Selected, positions: readonly number[], plan: Plan): Promise<NewlySeen> {
  const { view } = selected;
  const uids: number[] = [];
  for (const position of positions) {
    const uid = selected.uids[position]!;
    const index = view.find(uid);
    if (index === -1 || view.isSeen(index) || (plan.changedSince !== null && view.modseqs[index]! <= plan.changedSince)) continue;
    uids.push(uid);
  }
  if (uids.length === 0) return new Map();
  try {
    const event = flagsBefore(session, view, uids);
    const { changed } = await session.context.writer.flags(view.accountId, view.mailboxId, uids, 'add', FLAG.seen, []);
    view.applyFlags(changed);
    event?.tell(changed);
    return new Map(changed.map((change) => [change.uid, change.modseq]));
  } catch (cause) {
    // A full disk must not keep anybody from reading; the message stays unseen.
    session.context.log.warn('imap.seen.failed', { session: session.connection.id, mailbox: view.mailboxId, cause: String(cause) });
    return new Map();
  }
}

/** The items that need no bytes of the message. false: the message is gone. */
function fetchPlain(session: ImapSession, selected: Selected, plan: Plan, page: Page, i: number, index: number): boolean {
  const position = page.positions[i]!;
  const row = page.rows[i];
  const envelope = page.envelopes[i];
  if ((plan.needsRow && row === undefined) || (plan.needsEnvelope && envelope === undefined)) return false;
  let text = plan.isUidOnly ? `* ${selected.uids[position]} UIDFETCH (` : `* ${position + 1} FETCH (`;
  for (let n = 0; n < plan.items.length; n += 1) {
    if (n > 0) text += ' ';
    const item = plan.items[n]!;
    text += item.kind === 'section' ? shortItem(item, page.shorts[i]!, plan.shortFields![n]!) : plainItem(item, selected, index, row, envelope, page, i);
  }
  session.out.write(`${text})\r\n`);
  return true;
}

/** HEADER.FIELDS out of the short header. */
function shortItem(item: Extract<FetchItem, { kind: 'section' }>, short: string, wanted: ReadonlySet<string>): string {
  let fields = pickFields(short, wanted);
  if (item.partial !== null) fields = fields.slice(item.partial.start, item.partial.start + item.partial.count);
  return fields === '' ? `${item.label} ""` : `${item.label} {${fields.length}}\r\n${fields}`;
}

function plainItem(
  item: FetchItem,
  selected: Selected,
  index: number,
  row: MessageTuple | undefined,
  envelope: Envelope | undefined,
  page: Page,
  i: number,
): string {
  switch (item.kind) {
    case 'flags':
      return `FLAGS ${selected.flagsText(index)}`;
    case 'uid':
      return `UID ${selected.view.uids[index]}`;
    case 'modseq':
      return `MODSEQ (${selected.view.modseqs[index]})`;
    case 'internalDate':
      return `INTERNALDATE "${formatInternalDate(row![4])}"`;
    case 'size':
      return `RFC822.SIZE ${row![5]}`;
    case 'envelope':
      return `ENVELOPE ${envelope![1]}`;
    case 'bodyStructure':
      return `BODYSTRUCTURE ${envelope![2]}`;
    case 'body':
      return `BODY ${bodyFromStructure(envelope![2])}`;
    case 'saveDate':
      return page.saveDates[i] === undefined ? 'SAVEDATE NIL' : `SAVEDATE "${formatInternalDate(page.saveDates[i][1])}"`;
    case 'emailId':
      return `EMAILID (${emailObjectId(row![6])})`;
    case 'threadId':
      return threadItem(page.threads, row![6]);
    case 'preview':
      return 'PREVIEW NIL';
    default:
      throw new Error(`${item.kind} needs the message`);
  }
}

type Outcome = 'sent' | 'gone' | 'damaged';

/** A message of which bytes were asked for. One that cannot be read is passed over: the others must not suffer for it. */
function fetchBodies(session: ImapSession, selected: Selected, plan: Plan, page: Page, i: number, newlySeen: NewlySeen | null): Outcome | Promise<Outcome> {
  const body = page.bodies!.take(i);
  if (body === undefined || (plan.needsEnvelope && page.envelopes[i] === undefined)) return 'gone';
  page.rows[i] ??= body.message;
  const sent = plan.wholeAt === -1 ? null : sendWhole(session, selected, plan, page, i, body, newlySeen);
  return sent ?? sendParts(session, selected, plan, page, i, body, newlySeen);
}

/** A message as a whole, out of the database into the output, with all that goes with it. null: it must be sent piece by piece. */
function sendWhole(session: ImapSession, selected: Selected, plan: Plan, page: Page, i: number, body: StoredBody, newlySeen: NewlySeen | null): Outcome | null {
  const [uid, , , , , size] = body.message;
  if (size > WHOLE_BYTES || size === 0) return null;
  let reader: MessageReader | null = null;
  try {
    reader = body.open();
    if (reader.copyTo === undefined || reader.size !== size) return null;
    const index = selected.view.find(uid);
    let head = plan.isUidOnly ? `* ${uid} UIDFETCH (` : `* ${page.positions[i]! + 1} FETCH (`;
    let tail = '';
    for (let n = 0; n < plan.items.length; n += 1) {
      const item = plan.items[n]!;
      if (n > 0 && n <= plan.wholeAt) head += ' ';
      if (n < plan.wholeAt) head += itemNow(item, selected, index, page, i);
      else if (item.kind === 'section') head += `${item.label} {${size}}\r\n`;
      else tail += ` ${itemNow(item, selected, index, page, i)}`;
    }
    if (newlySeen?.has(uid)) tail += seenItems(session, selected, plan, uid);
    if (head.length > HEAD_BYTES_MAX) return null;
    const room = session.out.room(head.length + size + 1);
    reader.copyTo(room, head.length);
    hideNul(room.subarray(head.length, head.length + size));
    room.write(head, 'latin1');
    session.out.took(head.length + size);
    session.out.write(`${tail})\r\n`);
    return 'sent';
  } catch (error) {
    if (!(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    if (isRemoved(session.context.reader, selected.view.accountId, body.email.id)) return 'gone';
    tellDamage(session, body, error);
    return 'damaged';
  } finally {
    reader?.close();
  }
}

function tellDamage(session: ImapSession, body: StoredBody, error: unknown): void {
  session.context.log.error('imap.message.damaged', {
    session: session.connection.id,
    account: session.account?.id,
    email: body.email.id,
    cause: String(error),
  });
}

async function sendParts(
  session: ImapSession,
  selected: Selected,
  plan: Plan,
  page: Page,
  i: number,
  body: StoredBody,
  newlySeen: NewlySeen | null,
): Promise<Outcome> {
  let message: OpenMessage | null = null;
  let isBegun = false;
  try {
    message = OpenMessage.of(body);
    // Opened before the first byte of the response: a damaged blob must not leave half a response behind.
    const opened = message.check();
    if (opened instanceof Promise) await opened;
    for (const item of plan.items) if (item.kind === 'binary' || item.kind === 'binarySize') await message.checkBinary(item.path);
    isBegun = true;
    await sendItems(session, selected, plan, page, i, message, newlySeen);
    return 'sent';
  } catch (error) {
    if (!isBegun && !(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    if (!isBegun && isRemoved(session.context.reader, selected.view.accountId, body.email.id)) return 'gone';
    tellDamage(session, body, error);
    // In the middle of a literal nothing else can be said.
    if (isBegun) session.abort();
    return 'damaged';
  } finally {
    message?.close();
  }
}

async function sendItems(
  session: ImapSession,
  selected: Selected,
  plan: Plan,
  page: Page,
  i: number,
  message: OpenMessage,
  newlySeen: NewlySeen | null,
): Promise<void> {
  const { out } = session;
  const row = page.rows[i]!;
  // Before the first byte: flags and mod-sequence of one response must be of one moment, however long its body takes.
  const index = selected.view.find(row[0]);
  const texts = plan.items.map((item) => (isOfBytes(item) ? '' : itemNow(item, selected, index, page, i)));
  const tail = newlySeen?.has(row[0]) ? seenItems(session, selected, plan, row[0]) : '';
  out.write(plan.isUidOnly ? `* ${row[0]} UIDFETCH (` : `* ${page.positions[i]! + 1} FETCH (`);
  for (let n = 0; n < plan.items.length; n += 1) {
    const item = plan.items[n]!;
    if (n > 0) out.write(' ');
    if (item.kind === 'section') {
      const sent = sendSection(out, message, item);
      if (sent instanceof Promise) await sent;
    } else if (item.kind === 'binary') await sendBinary(out, message, item);
    else if (item.kind === 'binarySize') await sendBinarySize(out, message, item);
    else if (item.kind === 'preview') {
      const sent = sendPreview(out, message);
      if (sent instanceof Promise) await sent;
    } else out.write(texts[n]!);
  }
  out.write(`${tail})\r\n`);
}

/** Is it made of the bytes of the message? */
function isOfBytes({ kind }: FetchItem): boolean {
  return kind === 'section' || kind === 'binary' || kind === 'binarySize' || kind === 'preview';
}

/** What reading changed is told here and not again: the flags, and with CONDSTORE uid and modseq (RFC 7162 section 3.2.4), each once. */
function seenItems(session: ImapSession, selected: Selected, plan: Plan, uid: number): string {
  const index = selected.view.find(uid);
  if (index === -1) return '';
  const has = (kind: FetchItem['kind']): boolean => plan.items.some((item) => item.kind === kind);
  let text = session.isCondstore && !plan.isUidOnly && !has('uid') ? ` UID ${uid}` : '';
  if (!has('flags')) text += ` FLAGS ${selected.flagsText(index)}`;
  if (session.isCondstore && !has('modseq')) text += ` MODSEQ (${selected.view.modseqs[index]})`;
  return text;
}

/** The message may have been removed since its row was read; the client will be told, and must get what it asked for. */
function itemNow(item: FetchItem, selected: Selected, index: number, page: Page, i: number): string {
  const row = page.rows[i]!;
  return index === -1 ? goneItem(item, row, page, i) : plainItem(item, selected, index, row, page.envelopes[i], page, i);
}

/** An item of a message that was removed since its row was read. */
function goneItem(item: FetchItem, row: MessageTuple, page: Page, i: number): string {
  switch (item.kind) {
    case 'flags':
      return `FLAGS ${formatFlags(row[2], row[3], false)}`;
    case 'uid':
      return `UID ${row[0]}`;
    case 'modseq':
      return `MODSEQ (${row[1]})`;
    default:
      return plainItem(item, undefined as never, 0, row, page.envelopes[i], page, i);
  }
}
