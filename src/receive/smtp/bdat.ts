/** BDAT (CHUNKING, RFC 3030 section 2). The octets of a refused chunk are read and dropped: they must not be taken for commands. */
import { parseBdat } from '../../wire/smtp/command.ts';
import { ChunkScanner } from '../../wire/smtp/data.ts';
import { refused } from './data.ts';
import { beginMessage, finishMessage } from './message.ts';
import { ANY, type Command } from './service.ts';
import type { SmtpSession } from './session.ts';
import type { Transaction } from './transaction.ts';

function bdat(session: SmtpSession, rest: string): void {
  const chunk = parseBdat(rest);
  if (chunk === null) {
    // How many octets follow cannot be known, so nothing after this can be trusted.
    session.hangUp('5.5.4', 'Syntax: BDAT size [LAST]');
    return;
  }
  const transaction = session.transaction;
  const bytesMax = session.settings['smtp.messageBytesMax'];
  if (chunk.size > 2 * bytesMax) {
    session.reply(552, '5.3.4', `Message is larger than allowed here (${bytesMax} bytes at most)`);
    session.hangUp('4.3.0', 'The chunk is not worth reading');
    return;
  }
  if (transaction === null || transaction.recipients.length === 0) {
    session.expectChunk(chunk.size, () => {
      if (transaction === null) session.reply(503, '5.5.1', 'Send MAIL first');
      else session.reply(554, '5.5.1', 'No valid recipients');
    });
    return;
  }
  if (transaction.isChunked) receive(session, transaction, chunk);
  else {
    session.settle(session.judge?.data() ?? null, (refusal) => {
      if (refusal !== null) {
        session.expectChunk(chunk.size, () => {
          refused(session, refusal);
          session.reset();
        });
        return;
      }
      transaction.isChunked = true;
      session.scanner = new ChunkScanner();
      session.settle(beginMessage(session, transaction), () => receive(session, transaction, chunk));
    });
  }
}

function receive(session: SmtpSession, transaction: Transaction, chunk: { size: number; isLast: boolean }): void {
  const scanner = session.scanner!;
  session.expectChunk(chunk.size, () => {
    if (!chunk.isLast) {
      const refusal = session.incoming!.refusal;
      if (refusal === null) session.write(`250 2.0.0 ${chunk.size} octets received\r\n`);
      else {
        // A failed chunk ends the transaction (RFC 3030 section 2).
        session.reset();
        session.answer(refusal);
      }
      return;
    }
    const { endsInCrlf } = scanner.finish();
    // Every line of a stored message ends in CRLF; a body without it could not be sent on with DATA either.
    const written = endsInCrlf || session.incoming!.size === 0 ? undefined : session.incoming!.write(CRLF);
    if (written === undefined) finishMessage(session, transaction, scanner);
    else session.wait(written, () => finishMessage(session, transaction, scanner));
  });
}

const CRLF = Buffer.from('\r\n');
const CHUNKING = ['CHUNKING'];

export const bdatCommand: Command = { syntax: 'BDAT size [LAST]', from: ANY, keywords: () => CHUNKING, run: bdat };
