/** sendmail -bs: SMTP on stdin and stdout, for programs such as PINE and mutt. Each message becomes a file in the pickup directory. */
import { formatAddress, parsePath } from '../../mail/address.ts';
import { parseCommand } from '../../wire/smtp/command.ts';
import { DataReader } from '../../wire/smtp/data.ts';
import { LIMITS } from '../../wire/smtp/limits.ts';
import { formatReply } from '../../wire/smtp/reply.ts';
import { PATH_LOCAL_BYTES_MAX, pathStart } from '../smtp/path.ts';
import type { Arguments } from './arguments.ts';
import { Drop, PICKUP_LIMITS } from './drop.ts';
import { EXIT, type SendmailIo } from './io.ts';

type Said = [code: number, enhanced: string, text: string];

const OPTIONS = { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX };

/** Ends with QUIT or the end of the input; answers the exit code. */
export async function speakSmtp(io: SendmailIo, options: Arguments): Promise<number> {
  const session = new StdioSession(io, options);
  session.say(220, '', `${io.hostname ?? 'localhost'} ESMTP`);
  try {
    for await (const chunk of io.stdin) {
      session.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      if (session.isQuit) break;
    }
  } finally {
    session.end();
  }
  return EXIT.ok;
}

class StdioSession {
  isQuit = false;
  readonly #io: SendmailIo;
  readonly #options: Arguments;
  #held: Buffer = Buffer.alloc(0);
  #sender: string | null | undefined;
  #recipients: string[] = [];
  #reader: DataReader | null = null;
  #drop: Drop | null = null;

  constructor(io: SendmailIo, options: Arguments) {
    this.#io = io;
    this.#options = options;
  }

  say(code: number, enhanced: string, text: string): void {
    this.#io.stdout(formatReply(code, enhanced, text));
  }

  push(chunk: Buffer): void {
    const input = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    while (at < input.length && !this.isQuit) {
      if (this.#reader !== null) at = this.#data(input, at);
      else {
        const end = input.indexOf(10, at);
        if (end === -1) break;
        // Programs on this machine may end commands with a bare LF: nobody else can have put it there.
        const stop = end > at && input[end - 1] === 13 ? end - 1 : end;
        this.say(...this.#line(input.toString('utf8', at, stop)));
        at = end + 1;
      }
    }
    this.#held = Buffer.from(input.subarray(at));
    if (this.#held.length > LIMITS.commandLineBytesMax) {
      this.say(500, '5.5.6', 'Line too long');
      this.isQuit = true;
    }
  }

  end(): void {
    this.#drop?.abort();
    this.#drop = null;
  }

  #data(input: Buffer, at: number): number {
    const pieces: Uint8Array[] = [];
    const end = this.#reader!.push(input, at, pieces);
    for (const piece of pieces) this.#drop!.write(piece);
    if (end === -1) return input.length;
    const drop = this.#drop!;
    this.#reader = null;
    this.#drop = null;
    this.#reset();
    drop.commit();
    this.say(250, '2.0.0', 'OK handed in');
    return end;
  }

  #reset(): void {
    this.#sender = undefined;
    this.#recipients = [];
  }

  #line(line: string): Said {
    const { verb, rest } = parseCommand(line);
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        this.#reset();
        return [
          250,
          '',
          verb === 'EHLO' ? `${this.#io.hostname ?? 'localhost'}\nPIPELINING\nENHANCEDSTATUSCODES\n8BITMIME\nSMTPUTF8` : (this.#io.hostname ?? 'localhost'),
        ];
      case 'MAIL':
        return this.#mail(rest);
      case 'RCPT':
        return this.#rcpt(rest);
      case 'DATA':
        return this.#begin();
      case 'RSET':
        this.#reset();
        return [250, '2.0.0', 'OK'];
      case 'NOOP':
        return [250, '2.0.0', 'OK'];
      case 'QUIT':
        this.isQuit = true;
        return [221, '2.0.0', 'Bye'];
      default:
        return [500, '5.5.2', 'Command not recognized'];
    }
  }

  #mail(rest: string): Said {
    const at = pathStart(rest, 'FROM');
    const path = at === -1 ? null : parsePath(rest, at, OPTIONS);
    if (path === null) return [501, '5.1.7', 'Syntax: MAIL FROM:<address>'];
    if (this.#sender !== undefined) return [503, '5.5.1', 'A transaction is under way; send RSET to end it'];
    this.#sender = path.address === null ? null : formatAddress(path.address);
    return [250, '2.1.0', 'OK'];
  }

  #rcpt(rest: string): Said {
    const at = pathStart(rest, 'TO');
    const path = at === -1 ? null : parsePath(rest, at, OPTIONS);
    if (this.#sender === undefined) return [503, '5.5.1', 'Send MAIL first'];
    if (path === null || path.address === null) return [501, '5.1.3', 'Syntax: RCPT TO:<address>'];
    if (this.#recipients.length >= PICKUP_LIMITS.recipientsMax) return [452, '4.5.3', 'Too many recipients'];
    this.#recipients.push(formatAddress(path.address));
    return [250, '2.1.5', 'OK'];
  }

  #begin(): Said {
    if (this.#recipients.length === 0) return [554, '5.5.1', 'No valid recipients'];
    this.#drop = new Drop(this.#io.directory, {
      version: 1,
      sender: this.#sender,
      recipients: [...new Set(this.#recipients)],
      fullName: this.#options.fullName,
    });
    this.#reader = new DataReader();
    return [354, '', 'End data with <CR><LF>.<CR><LF>'];
  }
}
