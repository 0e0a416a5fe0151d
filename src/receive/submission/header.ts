/** The header of a submitted message as it passes: held until its blank line, checked and completed once, then out of the way. */
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import type { Account, Address, ContentFilter, Directory, LoopContext, Reply } from '../../ports.ts';

import { PATH_LOCAL_BYTES_MAX } from '../smtp/path.ts';
import type { Transaction } from '../smtp/transaction.ts';
import type { ReceiveSettings } from '../settings.ts';
import { completeHeader, fromMailboxes } from './complete.ts';

const BLANK_LINE = '\r\n\r\n';

export class SubmissionHeader implements ContentFilter {
  refusal: Reply | null = null;
  /** Grows by doubling: a client that sends byte by byte costs no more than one that does not. */
  #held: Buffer = Buffer.allocUnsafe(4096);
  #length = 0;
  #isDone = false;
  readonly #context: LoopContext<ReceiveSettings>;
  readonly #settings: ReceiveSettings;
  readonly #account: Account;
  readonly #transaction: Transaction;

  constructor(context: LoopContext<ReceiveSettings>, settings: ReceiveSettings, account: Account, transaction: Transaction) {
    this.#context = context;
    this.#settings = settings;
    this.#account = account;
    this.#transaction = transaction;
  }

  push(piece: Uint8Array): Uint8Array | null {
    if (this.#isDone) return piece;
    const searched = Math.max(0, this.#length - BLANK_LINE.length + 1);
    this.#append(piece);
    const isEmptyHeader = this.#length >= 2 && this.#held[0] === 13 && this.#held[1] === 10;
    // Bounded by the bytes at hand: the held buffer has older bytes behind its length.
    const blank = isEmptyHeader ? 0 : this.#held.subarray(0, this.#length).indexOf(BLANK_LINE, searched, 'latin1');
    if ((blank === -1 ? this.#length : blank) > this.#settings['submission.headerBytesMax']) {
      this.#refuse({ code: 552, enhanced: '5.3.4', text: 'The header of the message is larger than allowed here' });
      return null;
    }
    if (blank === -1) return null;
    return this.#complete();
  }

  end(): Uint8Array | null {
    return this.#isDone ? null : this.#complete();
  }

  #append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#held.length * 2));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(piece, this.#length);
    this.#length = length;
  }

  #complete(): Uint8Array | null {
    this.#isDone = true;
    const input = this.#held.subarray(0, this.#length);
    const { startedAt, id, sender } = this.#transaction;
    const from = sender === null ? this.#account.login : formatAddress(sender);
    const completed = completeHeader(input, { at: startedAt, messageId: `<${id}@${this.#settings.hostname}>`, from, dropsBcc: true });
    if (this.#settings['submission.checkFromHeader']) {
      const stranger = strangerIn(input, this.#account, this.#context.directory, sender);
      if (stranger !== null) {
        this.#refuse({ code: 553, enhanced: '5.7.1', text: `Not your address: ${this.#account.login} may not send as ${stranger}` });
        return null;
      }
    }
    return completed;
  }

  #refuse(reply: Reply): void {
    this.#isDone = true;
    this.refusal = reply;
    this.#held = Buffer.alloc(0);
    this.#length = 0;
  }
}

/** The first address in any From field that the account may not use, as written; null when there is none. `sender`: of the envelope, found to be its own. */
function strangerIn(header: Buffer, account: Account, directory: Directory, sender: Address | null): string | null {
  for (const text of fromMailboxes(header)) {
    const address = parseMailbox(text, { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX });
    if (address === null || !(isSame(address, sender) || directory.maySendAs(account.id, address))) return text;
  }
  return null;
}

function isSame(a: Address, b: Address | null): boolean {
  return b !== null && a.local.toLowerCase() === b.local.toLowerCase() && a.domain.toLowerCase() === b.domain.toLowerCase();
}
