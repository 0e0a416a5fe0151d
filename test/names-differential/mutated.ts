/** Lines of the other scripts with a few characters gone, added or changed, or with the end of another line: the same ones at every run. */
import { lehmer } from './generated.ts';
import { append } from './life.ts';

const CHARACTERS = ' ()[]<>.,:*%"\\0129+-aZ$\x01\x7f\xe9~=;';
/** Neither literals nor what ends the session, changes mailboxes or says something later. */
const UNFIT = /[{\r\n]|APPEND|LOGOUT|EXPUNGE|MOVE|CLOSE|SELECT|EXAMINE|THREAD|DELETE|IDLE|RENAME/i;

export const BEFORE: readonly string[] = [append('a', 'INBOX'), append('a', 'INBOX', '\\Seen word'), append('a', 'INBOX'), 'a: SELECT INBOX'];

export function mutated(lines: readonly string[], seed: number, count: number): string[] {
  const random = lehmer(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const base = lines.filter((line) => line.startsWith('a: ') && !UNFIT.test(line));
  const place = (line: string): number => 3 + below(line.length - 2);
  const changed = (line: string): string => {
    const at = place(line);
    const one = CHARACTERS[below(CHARACTERS.length)]!;
    const other = base[below(base.length)]!;
    return line.slice(0, at) + [line.slice(at + 1), one + line.slice(at), one + line.slice(at + 1), other.slice(place(other))][below(4)]!;
  };
  const made: string[] = [];
  while (made.length < count) {
    let line = base[below(base.length)]!;
    for (let edits = 1 + below(2); edits > 0; edits -= 1) line = changed(line);
    if (!UNFIT.test(line) && line.trim() !== 'a:') made.push(line);
  }
  return made;
}

/** Of a command by sequence numbers: those beyond the last message are passed over here, and BAD there. */
export function isByNumber(line: string): boolean {
  return /^a: (FETCH|STORE|COPY) /i.test(line);
}
