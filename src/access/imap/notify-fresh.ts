/** New messages in the selected mailbox of a client that wants to know something of each (MessageNew with fetch attributes, RFC 5465 section 5.2). */
import type { FetchItem } from '../../wire/imap/fetch.ts';
import { fetchUnasked } from './fetch.ts';
import type { Selected } from './selected.ts';
import type { ImapSession } from './session.ts';
import { lowerBound } from './view.ts';

/** Messages that wait to be fetched; more are an overflow. */
const MESSAGES_MAX = 10_000;

export class FreshMessages {
  readonly #items: readonly FetchItem[];
  /** Ascending. */
  #uids: number[] = [];
  #selected: Selected | null = null;
  /** Brought by the running command: the client knows of them. */
  #own: ReadonlySet<number> | null = null;

  constructor(items: readonly FetchItem[]) {
    this.#items = items;
  }

  get isWaiting(): boolean {
    return this.#uids.length > 0;
  }

  commandBegins(): void {
    this.#own = null;
  }

  commandEnds(text: string, uidValidity: number): void {
    this.#own = ownUids(text, uidValidity);
  }

  /** The client was told that there are messages behind the uid `lastBefore`. False: too many wait. */
  note(selected: Selected, lastBefore: number): boolean {
    if (selected.count === 0 || selected.uids[selected.count - 1]! <= lastBefore) return true;
    if (this.#selected !== selected) this.#uids = [];
    this.#selected = selected;
    for (let at = lowerBound(selected.uids, selected.count, lastBefore + 1); at < selected.count; at += 1) {
      const uid = selected.uids[at]!;
      if (this.#own?.has(uid)) continue;
      if (this.#uids.length >= MESSAGES_MAX) {
        this.#uids = [];
        return false;
      }
      this.#uids.push(uid);
    }
    return true;
  }

  /** One FETCH response for each that is still there. */
  async send(session: ImapSession): Promise<void> {
    const uids = this.#uids;
    this.#uids = [];
    const { selected } = session;
    if (selected === null || selected !== this.#selected) return;
    const ranges: number[] = [];
    for (const uid of uids) {
      const position = selected.position(uid);
      if (position === -1) continue;
      if (ranges.length > 0 && ranges.at(-1)! === position - 1) ranges[ranges.length - 1] = position;
      else ranges.push(position, position);
    }
    await fetchUnasked(session, this.#items, ranges);
  }
}

/** Uids that a command itself brought into the selected mailbox, as its answer says: APPENDUID and COPYUID (RFC 4315). */
function ownUids(text: string, uidValidity: number): ReadonlySet<number> | null {
  const found = /\[(?:APPENDUID|COPYUID) (\d+) (?:[\d:,]+ )?([\d:,]+)\]/.exec(text);
  if (found === null || Number(found[1]) !== uidValidity) return null;
  const uids = new Set<number>();
  for (const range of found[2]!.split(',')) {
    const [from, to = from] = range.split(':').map(Number) as [number, number?];
    for (let uid = from; uid <= to && uids.size < MESSAGES_MAX; uid += 1) uids.add(uid);
  }
  return uids;
}
