/** SEARCH and UID SEARCH (RFC 9051 section 6.4.4), their results in the old form, as ESEARCH, or saved for "$". */
import { isKnownCharset } from '../../mail/charset.ts';
import { extractText } from '../../mail/text.ts';
import type { MessageTuple } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { formatSet, imapString } from '../../wire/imap/format.ts';
import type { SearchArguments, SearchKey, SearchReturn } from '../../wire/imap/search.ts';
import { OpenMessage } from './open-message.ts';
import { pause, SliceClock } from './pace.ts';
import { compile, folded, LEVEL, type Probe, type Test } from './search-match.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';

/** Rows and envelopes read at once while walking the mailbox. */
const PAGE_ROWS = 1000;
const NOTHING = new Uint8Array(0);

export async function search(session: ImapSession, args: SearchArguments, isUid: boolean, tag: string): Promise<string> {
  const selected = session.selected!;
  const charset = args.charset ?? 'UTF-8';
  const saves = args.returns?.has('SAVE') === true;
  if (!isKnownCharset(charset)) {
    if (saves) selected.saved = new Uint32Array(0); // RFC 5182 section 2.1: a search that fails leaves nothing saved
    return 'NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here';
  }
  const hasModseq = usesModseq(args.key);
  if (hasModseq) session.enableCondstore();
  const found = await walk(session, selected, compile(args.key, selected, charset, session.context.now()));
  if (session.isClosed) return '';
  if (saves) save(selected, found, args.returns!);
  report(session, selected, args, found, isUid, tag, hasModseq);
  return 'OK SEARCH completed';
}

function usesModseq(key: SearchKey): boolean {
  if (key.kind === 'modseq') return true;
  if (key.kind === 'not') return usesModseq(key.key);
  if (key.kind === 'and' || key.kind === 'or') return key.keys.some(usesModseq);
  return false;
}

/** Positions of the messages that match, in order. Messages that are gone match nothing. */
async function walk(session: ImapSession, selected: Selected, test: Test): Promise<number[]> {
  const found: number[] = [];
  const pages = new Pages(session, selected);
  const clock = new SliceClock();
  const probe: Probe = { level: LEVEL.view, position: 0, index: 0, row: null, envelope: '', header: NOTHING, fields: null, headerText: null, text: '' };
  for (let position = 0; position < selected.count; position += 1) {
    const index = selected.view.find(selected.uids[position]!);
    if (index === -1) continue;
    probe.level = LEVEL.view;
    probe.position = position;
    probe.index = index;
    probe.row = null;
    let answer = test.run(probe);
    if (answer === undefined) {
      const later = pages.read(probe, test);
      answer = later instanceof Promise ? await later : later;
    }
    if (answer) found.push(position);
    // A message that was opened may have taken long by itself.
    if (((position & 15) === 0 || probe.level >= LEVEL.header) && clock.isOver()) {
      await pause(clock);
      if (session.isClosed) return [];
    }
  }
  return found;
}

/** Reads for a probe what its tests still lack: rows and envelopes a page at a time, headers and texts one by one. */
class Pages {
  readonly #session: ImapSession;
  readonly #selected: Selected;
  #rows: MessageTuple[] = [];
  #rowAt = 0;
  #envelopes: [number, string, string, number, number][] = [];
  #envelopeAt = 0;

  constructor(session: ImapSession, selected: Selected) {
    this.#session = session;
    this.#selected = selected;
  }

  /** Raises the probe's level until the test can answer. A message that has vanished answers false. */
  read(probe: Probe, test: Test): boolean | Promise<boolean> {
    const uid = this.#selected.uids[probe.position]!;
    const row = this.#row(uid);
    if (row === null) return false;
    probe.row = row;
    probe.level = LEVEL.row;
    let answer = test.run(probe);
    if (answer !== undefined) return answer;
    const envelope = this.#envelope(uid);
    if (envelope === null) return false;
    probe.envelope = envelope;
    probe.level = LEVEL.envelope;
    answer = test.run(probe);
    if (answer !== undefined) return answer;
    try {
      const opened = this.#open(probe, row, test);
      return opened instanceof Promise ? opened.catch((error: unknown) => this.#damaged(row, error)) : opened;
    } catch (error) {
      return this.#damaged(row, error);
    }
  }

  /** A message that cannot be read matches nothing; the others must not suffer for it. */
  #damaged(row: MessageTuple, error: unknown): false {
    if (!(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    const { context, connection, account } = this.#session;
    context.log.error('imap.message.damaged', { session: connection.id, account: account?.id, email: row[6], cause: error.message });
    return false;
  }

  #open(probe: Probe, row: MessageTuple, test: Test): boolean | Promise<boolean> {
    const { reader } = this.#session.context;
    const email = reader.email(this.#selected.view.accountId, row[6]);
    if (email === null) return false;
    const message = new OpenMessage(reader, email);
    const header = message.header();
    if (header instanceof Promise) return this.#openLater(probe, message, header, test);
    let isLater = false;
    try {
      setHeader(probe, header);
      probe.level = LEVEL.header;
      const answer = test.run(probe);
      if (answer !== undefined) return answer;
      const text = extractText((start, end) => message.reader.slice(start, end), message.root);
      if (text instanceof Promise) {
        isLater = true;
        return this.#textLater(probe, message, text, test);
      }
      return this.#withText(probe, text, test);
    } finally {
      if (!isLater) message.close();
    }
  }

  async #openLater(probe: Probe, message: OpenMessage, header: Promise<Uint8Array>, test: Test): Promise<boolean> {
    try {
      setHeader(probe, await header);
      probe.level = LEVEL.header;
      const answer = test.run(probe);
      if (answer !== undefined) return answer;
      return this.#withText(probe, await extractText((start, end) => message.reader.slice(start, end), message.root), test);
    } finally {
      message.close();
    }
  }

  async #textLater(probe: Probe, message: OpenMessage, text: Promise<string>, test: Test): Promise<boolean> {
    try {
      return this.#withText(probe, await text, test);
    } finally {
      message.close();
    }
  }

  #withText(probe: Probe, text: string, test: Test): boolean {
    probe.text = folded(text);
    probe.level = LEVEL.text;
    const answer = test.run(probe) === true;
    probe.text = '';
    setHeader(probe, NOTHING);
    return answer;
  }

  #row(uid: number): MessageTuple | null {
    if (this.#rows.length === 0 || uid > this.#rows.at(-1)![0]) {
      const { accountId, mailboxId } = this.#selected.view;
      this.#rows = this.#session.context.reader.messages(accountId, mailboxId, uid, 0xffffffff, PAGE_ROWS);
      this.#rowAt = 0;
    }
    while (this.#rowAt < this.#rows.length && this.#rows[this.#rowAt]![0] < uid) this.#rowAt += 1;
    const row = this.#rows[this.#rowAt];
    return row?.[0] === uid ? row : null;
  }

  #envelope(uid: number): string | null {
    if (this.#envelopes.length === 0 || uid > this.#envelopes.at(-1)![0]) {
      const { accountId, mailboxId } = this.#selected.view;
      this.#envelopes = this.#session.context.reader.envelopes(accountId, mailboxId, uid, 0xffffffff, PAGE_ROWS);
      this.#envelopeAt = 0;
    }
    while (this.#envelopeAt < this.#envelopes.length && this.#envelopes[this.#envelopeAt]![0] < uid) this.#envelopeAt += 1;
    const row = this.#envelopes[this.#envelopeAt];
    return row?.[0] === uid ? row[1] : null;
  }
}

function setHeader(probe: Probe, header: Uint8Array): void {
  probe.header = header;
  probe.fields = null;
  probe.headerText = null;
}

/** RFC 5182 section 2.1 and its table: with MIN or MAX alone only those are saved. */
function save(selected: Selected, found: readonly number[], returns: ReadonlySet<SearchReturn>): void {
  let kept: readonly number[] = found;
  if (!returns.has('ALL') && !returns.has('COUNT') && (returns.has('MIN') || returns.has('MAX')) && found.length > 0) {
    const ends = new Set<number>();
    if (returns.has('MIN')) ends.add(found[0]!);
    if (returns.has('MAX')) ends.add(found.at(-1)!);
    kept = [...ends];
  }
  selected.saved = Uint32Array.from(kept, (position) => selected.uids[position]!);
}

function report(
  session: ImapSession,
  selected: Selected,
  args: SearchArguments,
  found: readonly number[],
  isUid: boolean,
  tag: string,
  hasModseq: boolean,
): void {
  const number = (position: number): number => (isUid ? selected.uids[position]! : position + 1);
  const modseqOf = (positions: readonly number[]): number => {
    let highest = 0;
    for (const position of positions) {
      const index = selected.view.find(selected.uids[position]!);
      if (index !== -1) highest = Math.max(highest, selected.view.modseqs[index]!);
    }
    return highest;
  };
  // RFC 9051 section 6.4.4: once IMAP4rev2 is enabled, every answer is an ESEARCH.
  if (args.returns === null && !session.isRev2) {
    let text = '* SEARCH';
    for (const position of found) text += ` ${number(position)}`;
    if (hasModseq && found.length > 0) text += ` (MODSEQ ${modseqOf(found)})`;
    session.out.write(`${text}\r\n`);
    return;
  }
  const returns: ReadonlySet<SearchReturn> = args.returns === null || args.returns.size === 0 ? new Set<SearchReturn>(['ALL']) : args.returns;
  // RFC 5182 section 2.1: SAVE alone says nothing.
  if (returns.size === 1 && returns.has('SAVE')) return;
  let text = `* ESEARCH (TAG ${imapString(tag)})${isUid ? ' UID' : ''}`;
  if (found.length > 0) {
    if (returns.has('MIN')) text += ` MIN ${number(found[0]!)}`;
    if (returns.has('MAX')) text += ` MAX ${number(found.at(-1)!)}`;
    if (returns.has('ALL')) text += ` ALL ${formatSet(found.map(number))}`;
  }
  if (returns.has('COUNT')) text += ` COUNT ${found.length}`;
  if (hasModseq && found.length > 0) {
    // RFC 4731 section 3.2: of the messages that were returned; with MIN and MAX alone, of those.
    const isPartial = !returns.has('ALL') && !returns.has('COUNT');
    const shown = !isPartial ? found : [...(returns.has('MIN') ? [found[0]!] : []), ...(returns.has('MAX') ? [found.at(-1)!] : [])];
    text += ` MODSEQ ${modseqOf(shown)}`;
  }
  session.out.write(`${text}\r\n`);
}
