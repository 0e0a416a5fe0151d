/** INPROGRESS (RFC 9585): clients that wait for a long command hear how far it is, so that they neither give up nor send it again. */
import { imapString } from '../../wire/imap/format.ts';
import { has } from './capability.ts';
import type { ImapSession } from './session.ts';

/** Before the first word, and between one and the next: less would be a burden, more would look like silence. */
const EVERY_MS = 10_000;

/** Of one command. Costs a look at the clock whenever the command begins a new slice. */
export class Progress {
  readonly #session: ImapSession;
  readonly #tag: string;
  readonly #what: string;
  #next: number;
  /** What was done before the part that runs now, and how much there is in all. */
  #part: { readonly done: number; readonly total: number } | null = null;

  /** `what`: for people, as "Searching". */
  constructor(session: ImapSession, tag: string, what: string) {
    this.#session = session;
    this.#tag = tag;
    this.#what = what;
    this.#next = session.context.now() + EVERY_MS;
  }

  /** The work has parts, each of which counts from 0: `done` messages were in the parts before this one, `total` are in all of them. */
  part(done: number, total: number): void {
    this.#part = { done, total };
  }

  /** `done` of `total` messages have been worked off; null: nobody knows. To be called between two responses, never within one. */
  tell(done: number, total: number | null): void {
    const { context, out } = this.#session;
    const now = context.now();
    if (now < this.#next) return;
    this.#next = now + EVERY_MS;
    // A client that does not read has enough to read.
    if (this.#session.isClosed || out.isFull || !has(this.#session, 'INPROGRESS')) return;
    // How far a part is counts only where it is all.
    const at = this.#part ?? { done, total };
    const goal = at.total === null || at.total < 1 ? 'NIL' : String(Math.max(at.total, at.done + 1));
    out.write(`* OK [INPROGRESS (${imapString(this.#tag)} ${at.done} ${goal})] ${this.#what}\r\n`);
    out.flush();
  }
}
