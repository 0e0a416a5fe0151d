/** The maildrop's list: STAT, LIST, UIDL, DELE, RSET, NOOP (RFC 1939 sections 5 and 7). */
import { parseArguments, parseNumber, uniqueId } from '../../../wire/pop3/command.ts';
import type { Maildrop } from '../maildrop.ts';
import type { Pop3Session } from '../dialogue.ts';

/** Longer lists are sent in pieces, as the client takes them. */
const ROWS_AT_ONCE = 1000;

export function stat(session: Pop3Session): void {
  const maildrop = session.maildrop!;
  session.ok(`${maildrop.count} ${maildrop.bytes}`);
}

export function list(session: Pop3Session, rest: string): void | Promise<void> {
  const row = (maildrop: Maildrop, number: number): string => `${number} ${maildrop.size(number)}`;
  const maildrop = session.maildrop!;
  return show(session, rest, `${maildrop.count} messages (${maildrop.bytes} octets)`, row);
}

export function uidl(session: Pop3Session, rest: string): void | Promise<void> {
  return show(session, rest, '', (maildrop, number) => `${number} ${uniqueId(maildrop.uidValidity, maildrop.uid(number))}`);
}

function show(session: Pop3Session, rest: string, title: string, row: (maildrop: Maildrop, number: number) => string): void | Promise<void> {
  const maildrop = session.maildrop!;
  if (rest.trim() !== '') {
    const number = messageNumber(session, rest);
    if (number !== null) session.ok(row(maildrop, number));
    return;
  }
  session.ok(title);
  const rows = (from: number, to: number): string => {
    let text = '';
    for (let number = from; number <= to; number += 1) if (!maildrop.isDeleted(number)) text += row(maildrop, number) + '\r\n';
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
  session.maildrop!.markDeleted(number);
  session.ok('Marked to be deleted');
}

export function rset(session: Pop3Session): void {
  session.maildrop!.reset();
  session.ok();
}

export function noop(session: Pop3Session): void {
  session.ok();
}
