/** Reads for a probe what its test still lacks: envelopes in pages, headers and texts message by message. */
import { searchableText } from '../../mail/searchable-text.ts';
import { Failure } from '../../system/failure.ts';
import { COLD_READS_OF_COMMAND, DiskReads } from '../../system/disk-reads.ts';
import { isRemoved, OpenMessage } from './open-message.ts';
import { type Fold, LEVEL, type Probe, type Searched, setHeader } from './search-match.ts';
import { rowsOf } from './search-rows.ts';
import type { ImapSession } from './session.ts';

/** Envelopes read at once: about 5 ms. */
const PAGE_ENVELOPES = 1000;
/** Messages that are left out between two that are read in one page cost less than another page. */
const GAP_MAX = 8;
const NOTHING = new Uint8Array(0);

/** What searches need of StoreReader.envelopes, at half its price. */
const ENVELOPES_SQL =
  'SELECT m.uid, e.envelope FROM message m JOIN email e ON e.id=m.email_id WHERE m.account_id=? AND m.mailbox_id=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?';
type Envelope = [uid: number, envelope: string];

export class Reading {
  readonly #session: ImapSession;
  readonly #mailbox: Searched;
  /** All positions that will be asked for, in this order. */
  readonly #left: readonly number[];
  readonly #fold: Fold;
  readonly #run: (probe: Probe) => boolean | undefined;
  #envelopes: readonly Envelope[] = [];
  #at = 0;
  readonly #reads = new DiskReads(COLD_READS_OF_COMMAND);

  constructor(session: ImapSession, mailbox: Searched, left: readonly number[], fold: Fold, run: (probe: Probe) => boolean | undefined) {
    this.#session = session;
    this.#mailbox = mailbox;
    this.#left = left;
    this.#fold = fold;
    this.#run = run;
  }

  /** Raises the level of a probe that has its row until the test can answer; `i` is its place in `left`. A message that has vanished matches nothing. */
  decide(probe: Probe, i: number): boolean | Promise<boolean> {
    const envelope = this.#envelope(probe.uid, i);
    if (envelope === null) return false;
    probe.envelope = envelope;
    probe.level = LEVEL.envelope;
    const answer = this.#run(probe);
    if (answer !== undefined) return answer;
    try {
      const opened = this.#open(probe);
      return opened instanceof Promise ? opened.catch((error: unknown) => this.#damaged(probe, error)) : opened;
    } catch (error) {
      return this.#damaged(probe, error);
    }
  }

  /** A message that cannot be read matches nothing; the others must not suffer for it. */
  #damaged(probe: Probe, error: unknown): false {
    if (!(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    const { context, connection, account } = this.#session;
    if (isRemoved(context.reader, this.#mailbox.view.accountId, probe.email)) return false;
    context.log.error('imap.message.damaged', { session: connection.id, account: account?.id, email: probe.email, cause: error.message });
    return false;
  }

  #open(probe: Probe): boolean | Promise<boolean> {
    const { reader } = this.#session.context;
    const email = reader.email(this.#mailbox.view.accountId, probe.email);
    if (email === null) return false;
    const message = new OpenMessage(reader, email);
    let isLater = false;
    try {
      const header = message.header();
      if (header instanceof Promise) {
        isLater = true;
        return this.#openLater(probe, message, header);
      }
      setHeader(probe, header);
      probe.level = LEVEL.header;
      const answer = this.#run(probe);
      if (answer !== undefined) return answer;
      const text = searchableText((start, end) => message.reader.slice(start, end), message.root);
      if (text instanceof Promise) {
        isLater = true;
        return this.#textLater(probe, message, text);
      }
      return this.#withText(probe, text);
    } finally {
      if (!isLater) message.close();
    }
  }

  async #openLater(probe: Probe, message: OpenMessage, header: Promise<Uint8Array>): Promise<boolean> {
    try {
      setHeader(probe, await header);
      probe.level = LEVEL.header;
      const answer = this.#run(probe);
      if (answer !== undefined) return answer;
      return this.#withText(probe, await searchableText((start, end) => message.reader.slice(start, end), message.root));
    } finally {
      message.close();
    }
  }

  async #textLater(probe: Probe, message: OpenMessage, text: Promise<string>): Promise<boolean> {
    try {
      return this.#withText(probe, await text);
    } finally {
      message.close();
    }
  }

  #withText(probe: Probe, text: string): boolean {
    probe.text = this.#fold(text);
    probe.level = LEVEL.text;
    const answer = this.#run(probe) === true;
    probe.text = '';
    setHeader(probe, NOTHING);
    return answer;
  }

  #envelope(uid: number, i: number): string | null {
    if (this.#envelopes.length === 0 || uid > this.#envelopes.at(-1)![0]) {
      const end = this.#pageEnd(i);
      const stored = (): Envelope[] => this.#reads.watch(end - i + 1, () => this.#stored(uid, this.#mailbox.uids[this.#left[end]!]!));
      this.#envelopes = (this.#reads.takeCold() ? this.#listed(i, end) : null) ?? stored();
      this.#at = 0;
    }
    while (this.#at < this.#envelopes.length && this.#envelopes[this.#at]![0] < uid) this.#at += 1;
    const row = this.#envelopes[this.#at];
    return row?.[0] === uid ? row[1] : null;
  }

  #stored(fromUid: number, toUid: number): Envelope[] {
    const { accountId, mailboxId } = this.#mailbox.view;
    return this.#session.context.reader.rows(ENVELOPES_SQL, accountId, mailboxId, fromUid, toUid, PAGE_ENVELOPES) as Envelope[];
  }

  /** The page `left[first]` to `left[last]` out of the index, what it lacks out of the store; null: all of it is to be read there. */
  #listed(first: number, last: number): Envelope[] | null {
    const { search } = this.#session.context;
    const { uids, view } = this.#mailbox;
    const uidOf = (i: number): number => uids[this.#left[i]!]!;
    const rows = rowsOf(view);
    if (search === undefined || rows.lastUid < uidOf(last)) return null;
    const emails: number[] = [];
    for (let i = first; i <= last; i += 1) emails.push(rows.emailIds[rows.find(uidOf(i))] ?? 0);
    const found = search.envelopes(view.accountId, emails);
    if (found.reduce((sum, one) => sum + (one === null ? 1 : 0), 0) * 2 > found.length) return null;
    const page: Envelope[] = [];
    for (let i = first; i <= last; i += 1) {
      const one = found[i - first]!;
      if (one !== null) {
        page.push([uidOf(i), one[1]]);
        continue;
      }
      const begin = i;
      while (i < last && found[i + 1 - first] === null) i += 1;
      const stored = this.#stored(uidOf(begin), uidOf(i));
      // There may be more between these two than are read at once.
      if (stored.length === PAGE_ENVELOPES) return null;
      for (const each of stored) page.push(each);
    }
    return page;
  }

  /** The last of the page that begins with `left[i]`: as far as messages that will be asked for stand close together. */
  #pageEnd(i: number): number {
    let last = i;
    while (last + 1 < this.#left.length && last - i + 1 < PAGE_ENVELOPES && this.#left[last + 1]! - this.#left[last]! <= GAP_MAX) last += 1;
    return last;
  }
}
