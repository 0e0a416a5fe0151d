/** RETR and TOP (RFC 1939 sections 5 and 7). Small messages go out with the other replies; large ones as the client takes them. */
import type { BodyRow, MessageReader } from '../../../ports.ts';
import { FAILURES } from '../../../system/failure.ts';
import { parseArguments, parseNumber } from '../../../wire/pop3/command.ts';
import { LineCounter, MessageOut } from '../../../wire/pop3/message-out.ts';
import type { Pop3Session } from '../dialogue.ts';
import { messageNumber } from './transaction.ts';

/** Up to this a message is held whole in memory. */
const SMALL_BYTES_MAX = 64 * 1024;
const CRLF = Buffer.from('\r\n');

/** The message's row and bytes; null after having replied that it is gone (an IMAP session may have removed it). */
function open(session: Pop3Session, number: number): { email: BodyRow; message: MessageReader } | null {
  const { reader } = session.context;
  const { accountId } = session.maildrop!;
  const [uid, emailId] = [session.maildrop!.uid(number), session.maildrop!.emailId(number)];
  const body = reader.bodies(accountId, session.maildrop!.part(number).mailbox.id, uid, uid, 1)[0];
  if (body !== undefined) return { email: body.email, message: body.open() };
  // One that was moved to another mailbox can still be fetched.
  const email = reader.email(accountId, emailId);
  if (email === null) {
    session.push(`${FAILURES.noSuchMessage.pop3}\r\n`);
    return null;
  }
  return { email, message: reader.open(email) };
}

export function retr(session: Pop3Session, rest: string): void | Promise<void> {
  const number = messageNumber(session, rest);
  const opened = number === null ? null : open(session, number);
  if (number === null || opened === null) return;
  const { email, message } = opened;
  /** A message of nothing but a header: old Outlooks wait for the blank line for ever (Dovecot's oe-ns-eoh). */
  const isHeaderOnly = email.prefix.length + email.headerBytes >= message.size;
  const title = `${message.size} octets`;
  const sent = (): void => {
    session.maildrop!.markRetrieved(number);
    session.messagesSent += 1;
    session.bytesSent += message.size;
    session.context.metrics.count('pop3.retrieved');
  };
  return transmit(
    session,
    message,
    title,
    sent,
    (bytes, out) => {
      session.push(out.push(bytes));
      if (isHeaderOnly) session.push(out.push(missingBlankLine(bytes)));
    },
    async (first, out) => {
      await session.send(out.push(first));
      if (first.length < message.size) for await (const chunk of message.stream(first.length, message.size)) await session.send(out.push(chunk));
      if (isHeaderOnly) session.push(out.push(missingBlankLine(await message.slice(Math.max(0, message.size - 4), message.size))));
    },
  );
}

/** TOP msg n: the header, the blank line that ends it, and n lines of the body. */
export function top(session: Pop3Session, rest: string): void | Promise<void> {
  const [first, second, ...more] = parseArguments(rest);
  const lines = second === undefined || more.length > 0 ? null : parseNumber(second);
  if (lines === null) return session.bad('TOP needs a message number and a count of lines');
  const number = messageNumber(session, first!);
  const opened = number === null ? null : open(session, number);
  if (opened === null) return;
  const { email, message } = opened;
  const headerBytes = email.prefix.length + email.headerBytes;
  const body = new LineCounter(lines);

  const small = (bytes: Uint8Array, out: MessageOut): void => {
    const header = bytes.subarray(0, headerBytes);
    session.push(out.push(header));
    session.push(out.push(missingBlankLine(header)));
    session.push(out.push(body.take(bytes.subarray(headerBytes))));
  };
  return transmit(
    session,
    message,
    '',
    () => {},
    small,
    async (_first, out) => {
      for await (const chunk of message.stream(0, headerBytes)) await session.send(out.push(chunk));
      const tail = await message.slice(Math.max(0, headerBytes - 4), headerBytes);
      session.push(out.push(missingBlankLine(tail)));
      if (body.isDone) return;
      for await (const chunk of message.stream(headerBytes, message.size)) {
        await session.send(out.push(body.take(chunk)));
        if (body.isDone) break;
      }
    },
  );
}

/** What a header without a blank line at its end lacks: a message of nothing but a header may have none, and clients wait for it. */
function missingBlankLine(header: Uint8Array): Uint8Array {
  const tail = Buffer.from(header.subarray(-4)).toString('latin1');
  if (tail.endsWith('\n\r\n') || tail.endsWith('\n\n') || tail === '\r\n') return CRLF.subarray(0, 0);
  return tail === '' || tail.endsWith('\n') ? CRLF : Buffer.from('\r\n\r\n');
}

/**
 * Replies +OK and the message. Its first bytes are read before that, so that a damaged one is refused in time; damage found later
 * can only be told by cutting the connection.
 */
function transmit(
  session: Pop3Session,
  message: MessageReader,
  title: string,
  sent: () => void,
  small: (bytes: Uint8Array, out: MessageOut) => void,
  large: (first: Uint8Array, out: MessageOut) => Promise<void>,
): void | Promise<void> {
  const out = new MessageOut(session.settings['pop3.replaceNul']);
  let first: Uint8Array | Promise<Uint8Array>;
  try {
    first = message.slice(0, SMALL_BYTES_MAX);
  } catch (error) {
    message.close();
    throw error;
  }
  if (message.size <= SMALL_BYTES_MAX && !(first instanceof Promise)) {
    session.ok(title);
    small(first, out);
    session.push(out.end());
    message.close();
    return sent();
  }
  return (async () => {
    let isBegun = false;
    try {
      const bytes = await first;
      session.ok(title);
      isBegun = true;
      if (message.size <= SMALL_BYTES_MAX) small(bytes, out);
      else await large(bytes, out);
      session.push(out.end());
      sent();
    } catch (error) {
      if (!isBegun) throw error;
      // A client that went away in the middle is no news.
      if (!session.isClosed && !session.connection.socket.destroyed) session.abort('pop3.message.broken', error);
    } finally {
      message.close();
    }
  })();
}
