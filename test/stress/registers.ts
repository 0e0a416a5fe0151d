/**
 * Values that are written as a whole and read as a whole (annotations, rights): what is read was written by a write that no later one
 * certainly replaced before the reading began. Every reader sees what has been answered: such values are read from the disk.
 */
import { LOST_MS } from './truth.ts';
import { must } from './violation.ts';

/** null: nothing is there. */
export type RegisterValue = string | null;

export interface RegisterWrite {
  readonly value: RegisterValue;
  readonly start: number;
  /** When it was answered; Infinity before. */
  end: number;
  isCertain: boolean;
}

const WRITES_KEPT = 20;
const shown = (value: RegisterValue): string => (value === null ? 'NIL' : value.slice(0, 30));

export class Register {
  readonly #name: string;
  #writes: RegisterWrite[];

  /** `first`: what was there before anything was written. */
  constructor(name: string, first: RegisterValue = null) {
    this.#name = name;
    this.#writes = [{ value: first, start: Number.NEGATIVE_INFINITY, end: Number.NEGATIVE_INFINITY, isCertain: true }];
  }

  begin(value: RegisterValue): RegisterWrite {
    const write: RegisterWrite = { value, start: performance.now(), end: Number.POSITIVE_INFINITY, isCertain: false };
    this.#writes.push(write);
    return write;
  }

  /** It was answered, or (`isDone` null) never will be. */
  end(write: RegisterWrite, isDone: boolean | null): void {
    write.end = performance.now() + (isDone === null ? LOST_MS : 0);
    write.isCertain = isDone === true;
    if (isDone === false) this.#writes.splice(this.#writes.indexOf(write), 1);
  }

  /** `since`: when the command that reads was sent. */
  read(value: RegisterValue, since: number): void {
    const possible = this.#possible(since);
    must(
      possible.some((write) => write.value === value),
      'a value that is read is one that was written and not replaced',
      () => `${this.#name} is ${shown(value)} since ${Math.round(since)}; possible is ${possible.map(describe).join(', ')}`,
    );
    // A reading that began this long ago is answered by now.
    if (this.#writes.length > WRITES_KEPT) this.#writes = this.#possible(performance.now() - 120_000);
  }

  #possible(since: number): RegisterWrite[] {
    let replacedBefore = Number.NEGATIVE_INFINITY;
    for (const write of this.#writes) if (write.isCertain && write.end < since && write.start > replacedBefore) replacedBefore = write.start;
    return this.#writes.filter((write) => write.end >= replacedBefore);
  }
}

const describe = ({ value, start, end }: RegisterWrite): string => `${shown(value)} [${Math.round(start)}, ${Math.round(end)}]`;
