/** The maildrop's list: STAT, LIST, DELE, RSET, NOOP (RFC 1939 section 5), LAST (RFC 1460). */
import { parseArguments, parseNumber } from '../../../wire/pop3/command.ts';
import type { Pop3Session } from '../dialogue.ts';

/** Longer lists are sent in pieces, as the client takes them. */
const ROWS_AT_ONCE = 1000;

export function stat(session: Pop3Session): void {
  const maildrop = session.maildrop!;
  session.ok(`${maildrop.count} ${maildrop.bytes}`);
}

export function list(session: Pop3Session, rest: string): void | Promise<void> {
  const maildrop = session.maildrop!;
  return show(session, rest, `${maildrop.count} messages (${maildrop.bytes} octets)`, (number) => `${number} ${maildrop.size(number)}`);
}

/** The row of message `number`; those up to `to` are wanted next. */
export type Rows = (number: number, to: number) => string;

/** One row, or all of them in pieces. */
export function show(session: Pop3Session, rest: string, title: string, row: Rows): void | Promise<void> {
  const maildrop = session.maildrop!;
  if (rest.trim() !== '') {
    const number = messageNumber(session, rest);
    if (number !== null) session.ok(row(number, number));
    return;
  }
  session.ok(title);
  const rows = (from: number, to: number): string => {
    let text = '';
    for (let number = from; number <= to; number += 1) if (!maildrop.isDeleted(number)) text += row(number, to) + '\r\n';
    return text;
  };
  if (maildrop.last <= ROWS_AT_ONCE) return session.push(rows(1, maildrop.last) + '.\r\n');
  return (async () => {
    for (let from = 1; from <= maildrop.last; from += ROWS_AT_ONCE)
      await session.send(Buffer.from(rows(from, Math.min(maildrop.last, from + ROWS_AT_ONCE - 1))));
    session.push('.\r\n');
  })();
}

/** The one argument as the number of a message that is there; null after having replied that it is not. */
export function messageNumber(session: Pop3Session, rest: string): number | null {
  const [text, ...more] = parseArguments(rest);
  const number = text === undefined || more.length > 0 ? null : parseNumber(text);
  if (number === null) session.bad('A message number is needed');
  else if (session.maildrop!.has(number)) return number;
  else session.err(session.maildrop!.isDeleted(number) ? 'Message is deleted' : 'No such message');
  return null;
}

export function dele(session: Pop3Session, rest: string): void {
  const number = messageNumber(session, rest);
  if (number === null) return;
  if (!session.mayDelete) return session.err('[SYS/PERM] Messages cannot be deleted with this login');
  session.maildrop!.markDeleted(number);
  session.ok('Marked to be deleted');
}

export function rset(session: Pop3Session): void {
  session.maildrop!.reset();
  session.ok();
}

/** The highest message number that was ever fetched. Clients that ask know no UIDL; all others must not meet it by surprise. */
export function last(session: Pop3Session, rest: string): void {
  if (rest.trim() !== '') session.bad('LAST takes no argument');
  else if (session.settings['pop3.last']) session.ok(String(session.maildrop!.lastRead));
  else session.err('LAST is not offered; use UIDL');
}

export function noop(session: Pop3Session): void {
  session.ok();
}
