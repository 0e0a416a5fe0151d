/**
 * FETCH and UID FETCH (RFC 9051 section 6.4.5). Works through the asked messages in pages: rows of a page, then each message
 * in turn, waiting for the client whenever much is unsent and giving way to other sessions every few milliseconds.
 */
import { bodyFromStructure } from '../../mail/body-structure.ts';
import { formatInternalDate } from '../../mail/date.ts';
import type { EmailRow, MessageTuple } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { FAILURES, Failure } from '../../system/failure.ts';
import type { FetchArguments, FetchItem } from '../../wire/imap/fetch.ts';
import { flagsBefore } from './events.ts';
import { sendBinary, sendBinarySize, sendSection } from './fetch-body.ts';
import { OpenMessage } from './open-message.ts';
import { pause, SliceClock } from './pace.ts';
import type { Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Messages whose rows are read at once. */
const PAGE_MESSAGES = 500;

/** What the items need to be known of each message. */
interface Plan {
  readonly items: readonly FetchItem[];
  readonly needsRow: boolean;
  readonly needsEnvelope: boolean;
  readonly needsBody: boolean;
  readonly setsSeen: boolean;
  readonly changedSince: number | null;
}

function planOf(args: FetchArguments, isUid: boolean): Plan {
  const items = [...args.items];
  const has = (kind: FetchItem['kind']): boolean => items.some((item) => item.kind === kind);
  // RFC 9051 section 6.4.9: the answer to UID FETCH has the UID whether asked for or not.
  if (isUid && !has('uid')) items.unshift({ kind: 'uid' });
  // RFC 7162 section 3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
  if (args.changedSince !== null && !has('modseq')) items.push({ kind: 'modseq' });
  const needsBody = has('section') || has('binary') || has('binarySize');
  return {
    items,
    needsRow: needsBody || has('internalDate') || has('size'),
    needsEnvelope: has('envelope') || has('body') || has('bodyStructure'),
    needsBody,
    setsSeen: items.some((item) => (item.kind === 'section' || item.kind === 'binary') && item.setsSeen),
    changedSince: args.changedSince,
  };
}

type Envelope = [uid: number, envelope: string, bodyStructure: string, emailId: number, headerBytes: number];

/** One page: positions in the client's numbering, and what was read for them (undefined: the message is gone). */
interface Page {
  readonly positions: number[];
  rows: (MessageTuple | undefined)[];
  envelopes: (Envelope | undefined)[];
}

export async function fetch(session: ImapSession, args: FetchArguments, isUid: boolean): Promise<string> {
  const selected = session.selected!;
  const plan = planOf(args, isUid);
  if (args.changedSince !== null || args.items.some((item) => item.kind === 'modseq')) session.enableCondstore();
  const ranges = selected.ranges(args.set, isUid);
  const clock = new SliceClock();
  let hasGone = false;
  let hasDamaged = false;
  for (const positions of pages(ranges)) {
    const page = readPage(session, selected, positions, plan);
    const newlySeen = plan.setsSeen && !selected.isReadOnly ? await markSeen(session, selected, positions, plan) : null;
    for (let i = 0; i < positions.length; i += 1) {
      if (session.isClosed) return '';
      const index = selected.view.find(selected.uids[positions[i]!]!);
      if (index === -1) {
        hasGone = true;
        continue;
      }
      if (plan.changedSince !== null && selected.view.modseqs[index]! <= plan.changedSince) continue;
      if (plan.needsBody) {
        const outcome = await fetchBodies(session, selected, plan, page, i, newlySeen);
        if (outcome === 'gone') hasGone = true;
        else if (outcome === 'damaged') hasDamaged = true;
        if (clock.isOver()) await pause(clock);
      } else if (!fetchPlain(session, selected, plan, page, i, index)) hasGone = true;
      // Waiting for a fast client gives nobody else a turn: the clock runs on.
      if (session.out.isFull) await session.out.drain();
    }
    if (clock.isOver()) await pause(clock);
  }
  if (hasDamaged) return FAILURES.corruptBlob.imap;
  // RFC 5530: sequence numbers that the client still has, but whose messages another session removed.
  if (hasGone && !isUid) return 'NO [EXPUNGEISSUED] Some of the messages no longer exist';
  return 'OK FETCH completed';
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

function readPage(session: ImapSession, selected: Selected, positions: number[], plan: Plan): Page {
  const page: Page = { positions, rows: [], envelopes: [] };
  const { reader } = session.context;
  const { accountId, mailboxId } = selected.view;
  if (plan.needsRow) page.rows = alongside(selected, positions, (from, to, limit) => reader.messages(accountId, mailboxId, from, to, limit));
  if (plan.needsEnvelope) page.envelopes = alongside(selected, positions, (from, to, limit) => reader.envelopes(accountId, mailboxId, from, to, limit));
  return page;
}

/** Reads what belongs to the positions, one read for each run of neighbours. */
function alongside<T extends readonly [number, ...unknown[]]>(
  selected: Selected,
  positions: readonly number[],
  read: (fromUid: number, toUid: number, limit: number) => T[],
): (T | undefined)[] {
  const found: (T | undefined)[] = [];
  for (let start = 0; start < positions.length; ) {
    let end = start;
    while (end + 1 < positions.length && positions[end + 1] === positions[end]! + 1) end += 1;
    const rows = read(selected.uids[positions[start]!]!, selected.uids[positions[end]!]!, end - start + 1);
    let at = 0;
    for (let i = start; i <= end; i += 1) {
      const uid = selected.uids[positions[i]!]!;
      while (at < rows.length && rows[at]![0] < uid) at += 1;
      found.push(at < rows.length && rows[at]![0] === uid ? rows[at] : undefined);
    }
    start = end + 1;
  }
  return found;
}

/** Sets \Seen on what is about to be read; answers the uids that did not have it, whose FLAGS the client must be told. */
async function markSeen(session: ImapSession, selected: Selected, positions: readonly number[], plan: Plan): Promise<Set<number>> {
  const { view } = selected;
  const uids: number[] = [];
  for (const position of positions) {
    const uid = selected.uids[position]!;
    const index = view.find(uid);
    if (index === -1 || view.isSeen(index) || (plan.changedSince !== null && view.modseqs[index]! <= plan.changedSince)) continue;
    uids.push(uid);
  }
  if (uids.length === 0) return new Set();
  try {
    const event = flagsBefore(session, view, uids);
    const { changed } = await session.context.writer.flags(view.accountId, view.mailboxId, uids, 'add', FLAG.seen, []);
    view.applyFlags(changed);
    event?.tell(changed);
    for (const change of changed) session.tellOwn(change.uid, change.modseq);
    return new Set(changed.map((change) => change.uid));
  } catch (cause) {
    // A full disk must not keep anybody from reading; the message stays unseen.
    session.context.log.warn('imap.seen.failed', { session: session.connection.id, mailbox: view.mailboxId, cause: String(cause) });
    return new Set();
  }
}

/** The items that need no bytes of the message. false: the message is gone. */
function fetchPlain(session: ImapSession, selected: Selected, plan: Plan, page: Page, i: number, index: number): boolean {
  const position = page.positions[i]!;
  const row = page.rows[i];
  const envelope = page.envelopes[i];
  if ((plan.needsRow && row === undefined) || (plan.needsEnvelope && envelope === undefined)) return false;
  let text = `* ${position + 1} FETCH (`;
  for (let n = 0; n < plan.items.length; n += 1) {
    if (n > 0) text += ' ';
    text += plainItem(plan.items[n]!, selected, index, row, envelope);
  }
  session.out.write(`${text})\r\n`);
  return true;
}

function plainItem(item: FetchItem, selected: Selected, index: number, row: MessageTuple | undefined, envelope: Envelope | undefined): string {
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
    default:
      throw new Error(`${item.kind} needs the message`);
  }
}

type Outcome = 'sent' | 'gone' | 'damaged';

/** A message of which bytes were asked for. One that cannot be read is passed over: the others must not suffer for it. */
async function fetchBodies(session: ImapSession, selected: Selected, plan: Plan, page: Page, i: number, newlySeen: Set<number> | null): Promise<Outcome> {
  const row = page.rows[i];
  const email: EmailRow | null = row === undefined ? null : session.context.reader.email(selected.view.accountId, row[6]);
  if (row === undefined || email === null || (plan.needsEnvelope && page.envelopes[i] === undefined)) return 'gone';
  let message: OpenMessage | null = null;
  let isBegun = false;
  try {
    message = new OpenMessage(session.context.reader, email);
    // Opened before the first byte of the response: a damaged blob must not leave half a response behind.
    const opened = message.check();
    if (opened instanceof Promise) await opened;
    for (const item of plan.items) if (item.kind === 'binary' || item.kind === 'binarySize') await message.checkBinary(item.path);
    isBegun = true;
    await sendItems(session, selected, plan, page, i, message, newlySeen);
    return 'sent';
  } catch (error) {
    if (!isBegun && !(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    session.context.log.error('imap.message.damaged', { session: session.connection.id, account: session.account?.id, email: email.id, cause: String(error) });
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
  newlySeen: Set<number> | null,
): Promise<void> {
  const { out } = session;
  const row = page.rows[i]!;
  out.write(`* ${page.positions[i]! + 1} FETCH (`);
  let hasFlags = false;
  let hasModseq = false;
  for (let n = 0; n < plan.items.length; n += 1) {
    const item = plan.items[n]!;
    if (n > 0) out.write(' ');
    if (item.kind === 'section') {
      const sent = sendSection(out, message, item);
      if (sent instanceof Promise) await sent;
    } else if (item.kind === 'binary') await sendBinary(out, message, item);
    else if (item.kind === 'binarySize') await sendBinarySize(out, message, item);
    else {
      if (item.kind === 'flags') hasFlags = true;
      else if (item.kind === 'modseq') hasModseq = true;
      // The message may have been removed meanwhile; the client will be told, and must get what it asked for.
      const index = selected.view.find(row[0]);
      out.write(index === -1 ? goneItem(item, row, page.envelopes[i]) : plainItem(item, selected, index, row, page.envelopes[i]));
    }
  }
  // What reading changed is told here and not again: the flags, and with CONDSTORE the modseq (RFC 7162 section 3.2), each once.
  if (newlySeen?.has(row[0])) {
    const index = selected.view.find(row[0]);
    if (index !== -1 && !hasFlags) out.write(` FLAGS ${selected.flagsText(index)}`);
    if (index !== -1 && !hasModseq && session.isCondstore) out.write(` MODSEQ (${selected.view.modseqs[index]})`);
  }
  out.write(')\r\n');
}

/** An item of a message that was removed while it was being sent. */
function goneItem(item: FetchItem, row: MessageTuple, envelope: Envelope | undefined): string {
  switch (item.kind) {
    case 'flags':
      return 'FLAGS ()';
    case 'uid':
      return `UID ${row[0]}`;
    case 'modseq':
      return `MODSEQ (${row[1]})`;
    default:
      return plainItem(item, undefined as never, 0, row, envelope);
  }
}
