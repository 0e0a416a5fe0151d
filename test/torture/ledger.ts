/** What was promised and what was found: every message with its recipients, the server's answer, and where it turned up. */

export type Answer = 'pending' | 'acknowledged' | 'refused';
export interface Entry {
  readonly id: string;
  readonly recipients: readonly string[];
  answer: Answer;
  /** Order of the acknowledgement, 1, 2, 3 …; 0 before. */
  order: number;
}
/** Places where copies were found: how often each (message, recipient) was there. `sink`: outside the store, where twice is possible by design. */
export interface Findings {
  readonly mailbox: Map<string, number>;
  readonly sink: Map<string, number>;
  readonly bounce: ReadonlyMap<string, number>;
  readonly queue: ReadonlyMap<string, number>;
}
export interface Balance {
  readonly acknowledged: number;
  readonly pending: number;
  readonly refused: number;
  /** Copies the sink got twice: the documented window between its 250 and our commit. */
  readonly duplicatesAtSink: number;
  /** One sentence for each thing that is wrong; empty when the ledger balances. */
  readonly faults: readonly string[];
}
export const copyKey = (id: string, recipient: string): string => `${id} ${recipient}`;
export const isLocal = (recipient: string): boolean => recipient.endsWith('@us.test');

export class Ledger {
  readonly entries = new Map<string, Entry>();
  #acknowledged = 0;

  /** Notes a message before its first byte goes out: an answer that never comes leaves it 'pending'. */
  open(id: string, recipients: readonly string[]): Entry {
    const entry: Entry = { id, recipients, answer: 'pending', order: 0 };
    this.entries.set(id, entry);
    return entry;
  }
  acknowledge(entry: Entry): void {
    entry.answer = 'acknowledged';
    entry.order = ++this.#acknowledged;
  }
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /**
   * Acknowledged: each recipient in exactly one place, once (at the sink at least once).
   * No answer came: in at most one place, and all recipients or none. Refused: nowhere.
   */
  balance(found: Findings): Balance {
    const faults: string[] = [];
    const count = { acknowledged: 0, pending: 0, refused: 0 };
    let duplicatesAtSink = 0;
    for (const entry of this.entries.values()) {
      count[entry.answer] += 1;
      const places = entry.recipients.map((recipient) => placesOf(found, copyKey(entry.id, recipient)));
      for (const [index, { mailbox, sink, bounce, queue }] of places.entries()) {
        const what = `${entry.id} (${entry.answer}) for ${entry.recipients[index]}`;
        const where = `mailbox ${mailbox}, sink ${sink}, bounce ${bounce}, queue ${queue}`;
        duplicatesAtSink += Math.max(0, sink - 1);
        const total = mailbox + Math.min(sink, 1) + bounce + queue;
        // A recipient may be at the sink and still in the queue: the same window, seen before the second attempt.
        const isInWindow = sink > 0 && queue === 1 && mailbox === 0 && bounce === 0;
        if (total > 1 && !isInWindow) faults.push(`${what} is in more than one place: ${where}`);
        if (total === 0 && entry.answer === 'acknowledged') faults.push(`${what} is lost`);
        if (total > 0 && entry.answer === 'refused') faults.push(`${what} was delivered: ${where}`);
      }
      const present = places.filter((place) => place.mailbox + place.sink + place.bounce + place.queue > 0).length;
      if (entry.answer === 'pending' && present > 0 && present < places.length)
        faults.push(`${entry.id} (no answer) reached ${present} of ${places.length} recipients`);
    }
    return { ...count, duplicatesAtSink, faults };
  }
}

function placesOf(found: Findings, key: string): { mailbox: number; sink: number; bounce: number; queue: number } {
  return { mailbox: found.mailbox.get(key) ?? 0, sink: found.sink.get(key) ?? 0, bounce: found.bounce.get(key) ?? 0, queue: found.queue.get(key) ?? 0 };
}
