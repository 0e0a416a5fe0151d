/** Results that a client keeps up to date by what it is told alone: ADDTO and REMOVEFROM (RFC 5267 section 4.3). */
import type { Slot } from './belief.ts';
import { formatNumbers, numbersOf, parseValue } from './parse.ts';
import { must } from './violation.ts';

/** What the context's numbers stand for: a uid, or the message that had the number when it was told. */
type Entry = number | Slot;

/** The list of the mailbox, as far as a context looks at it. */
export interface Numbered {
  readonly slots: readonly Slot[];
}

export class Context {
  readonly tag: string;
  readonly isUid: boolean;
  /** Search key or sort criteria, without UID and RETURN, as the client asks again: "SORT {} (ARRIVAL) UTF-8 SEEN". */
  readonly question: string;
  readonly #mailbox: Numbered;
  readonly #entries: Entry[] = [];
  /** Not followed any more: it is being cancelled; or a uid vanished of which the client cannot know the number, nor what other numbers stood for. */
  isLost = false;

  /** `numbers`: what the search found. */
  constructor(tag: string, isUid: boolean, question: string, mailbox: Numbered, numbers: readonly number[]) {
    this.tag = tag;
    this.isUid = isUid;
    this.question = question;
    this.#mailbox = mailbox;
    for (const number of numbers) this.#entries.push(this.#entry(number, 'the result'));
  }

  get isSorted(): boolean {
    return this.question.startsWith('SORT');
  }

  /** In the order of the result; in that of the mailbox when there is no other. */
  get uids(): number[] {
    const uids = this.#entries.map((entry) => (typeof entry === 'number' ? entry : entry.uid));
    return this.isSorted ? uids : uids.sort((a, b) => a - b);
  }

  /** `text`: what follows the correlator of an ESEARCH response. */
  update(text: string): void {
    if (this.isLost) return;
    const said = text.slice(0, 300);
    let at = 0;
    while (at < text.length) {
      const item = /^ (ADDTO|REMOVEFROM) /.exec(text.slice(at));
      must(item !== null, 'a context is updated by ADDTO and REMOVEFROM', () => said);
      const [value, end] = parseValue(text, at + item[0].length);
      at = end;
      const pairs = value as readonly string[];
      must(Array.isArray(value) && pairs.length > 0 && pairs.length % 2 === 0, 'ADDTO and REMOVEFROM have pairs of a position and a set', () => said);
      for (let i = 0; i < pairs.length; i += 2) {
        const position = Number(pairs[i]);
        if (item[1] === 'ADDTO') this.#add(position, numbersOf(pairs[i + 1]!), said);
        else this.#remove(position, numbersOf(pairs[i + 1]!), said);
      }
    }
  }

  #add(position: number, numbers: readonly number[], said: string): void {
    must(
      this.isSorted ? position >= 1 && position <= this.#entries.length + 1 : position === 0,
      'ADDTO has a position in the result',
      () => `${position} of ${this.#entries.length}: ${said}`,
    );
    const entries = numbers.map((number) => this.#entry(number, said));
    const twice = entries.find((entry) => this.#entries.includes(entry));
    must(twice === undefined, 'ADDTO adds what is not in the result', () => `${said}; the client has ${formatNumbers(this.uids)}`);
    this.#entries.splice(position === 0 ? this.#entries.length : position - 1, 0, ...entries);
  }

  #remove(position: number, numbers: readonly number[], said: string): void {
    for (const number of numbers) {
      const entry = this.#entry(number, said);
      const index = position === 0 ? this.#entries.indexOf(entry) : position - 1;
      must(
        index !== -1 && this.#entries[index] === entry,
        'REMOVEFROM removes what is in the result, where it is',
        () => `${number} at ${position}: ${said}; the client has ${this.uids.join(' ')}`,
      );
      this.#entries.splice(index, 1);
    }
  }

  #entry(number: number, said: string): Entry {
    const { slots } = this.#mailbox;
    const slot = this.isUid ? (slots.find(({ uid }) => uid === number) ?? slots.find(({ uid }) => uid === 0)) : slots[number - 1];
    must(slot !== undefined, 'a context names messages that the client has', () => `${number} of ${slots.length}: ${said}`);
    return this.isUid ? number : slot;
  }

  /** A message goes from the list: the client must have been told that it is no result any more. */
  gone(slot: Slot, uid: number, isSure: boolean): void {
    if (!isSure && !this.isUid) this.isLost = true;
    must(
      this.isLost || !this.#entries.includes(this.isUid ? uid : slot),
      'REMOVEFROM comes before a result is expunged',
      () => `uid ${uid}; ${this.tag} ${this.question} has ${formatNumbers(this.uids)}`,
      uid,
    );
  }
}
