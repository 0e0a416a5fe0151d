/** What one milter changes in one message: gathered while it speaks, and only kept when it comes to its end in order. */
import { parseMailbox, parsePath } from '../../mail/address.ts';
import { textOfLatin1 } from '../../mail/edit.ts';
import { ADDRESS_LIMITS } from '../../mail/limits.ts';
import type { Address, HeaderEdit } from '../../ports.ts';
import type { MilterChange } from '../../wire/milter/response.ts';
import { SpooledBody } from './body.ts';
import { CLIENT_LIMITS } from './limits.ts';

/** An envelope address from a milter, with the ESMTP parameters it gave ("NOTIFY=NEVER"), or null. */
export interface MilterAddress<A = Address> {
  readonly address: A;
  readonly args: string | null;
}

export interface ChangesContext {
  /** For addresses without domain. */
  readonly domain: string;
  readonly bodyBytesMax: number;
  readonly tempDir: string;
}

const LF = 0x0a;
const CR = 0x0d;
const CRLF = Buffer.from('\r\n');

export class Changes {
  readonly edits: HeaderEdit[] = [];
  readonly added: MilterAddress[] = [];
  readonly removed: Address[] = [];
  sender: MilterAddress<Address | null> | null = null;
  quarantine: string | null = null;
  body: SpooledBody | null = null;
  /** Addresses that were none; they are passed over, as Postfix does. */
  readonly badAddresses: string[] = [];
  /**
   * Milters count the Received field of this hop as number 0 when they insert, although they are not shown it (so do Sendmail and
   * Postfix). These many fields stand above it by now.
   */
  aboveReceived: number;
  readonly #context: ChangesContext;
  /** Values come with the white space that follows the colon. */
  readonly #leadingSpace: boolean;
  #count = 0;
  #headerBytes = 0;
  /** Last byte of the new body so far. */
  #lastByte = 0;

  /** `aboveReceived`: as the milters before left it, 0 for the first. */
  constructor(context: ChangesContext, leadingSpace: boolean, aboveReceived: number) {
    this.#context = context;
    this.aboveReceived = aboveReceived;
    this.#leadingSpace = leadingSpace;
  }

  /** Null when taken; otherwise a sentence, and the milter is broken. */
  add(change: MilterChange): string | null | Promise<string | null> {
    if (change.kind === 'replaceBody') {
      this.body ??= new SpooledBody(this.#context.bodyBytesMax, this.#context.tempDir);
      return this.body.add(this.#wholeLines(change.chunk));
    }
    this.#count += 1;
    if (this.#count > CLIENT_LIMITS.changesMax) return `it wants more than ${CLIENT_LIMITS.changesMax} changes in one message`;
    switch (change.kind) {
      case 'addHeader':
        return this.#edit({ kind: 'append', name: textOfLatin1(change.name), value: this.#value(change.value) });
      case 'insertHeader':
        return this.#edit({ kind: 'insert', index: this.#place(change.index), name: textOfLatin1(change.name), value: this.#value(change.value) });
      case 'changeHeader':
        return this.#edit({
          kind: 'change',
          name: textOfLatin1(change.name),
          nth: Math.max(change.index, 1),
          value: change.value === '' ? '' : this.#value(change.value),
        });
      case 'changeSender': {
        const address = this.#address(change.address);
        if (address !== undefined) this.sender = { address, args: change.args };
        return null;
      }
      case 'addRecipient': {
        const address = this.#address(change.address);
        if (address !== undefined && address !== null) this.added.push({ address, args: change.args });
        return null;
      }
      case 'deleteRecipient': {
        const address = this.#address(change.address);
        if (address !== undefined && address !== null) this.removed.push(address);
        return null;
      }
      case 'quarantine':
        this.quarantine = textOfLatin1(change.reason) || 'held by a milter';
        return null;
    }
  }

  release(): void {
    this.body?.release();
    this.body = null;
  }

  /** MIMEDefang and others send lines as files have them: a bare line feed becomes CRLF, as Sendmail and Postfix make it. */
  #wholeLines(chunk: Buffer): Buffer {
    const pieces: Buffer[] = [];
    let start = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, lf + 1)) {
      if ((lf === 0 ? this.#lastByte : chunk[lf - 1]) === CR) continue;
      pieces.push(chunk.subarray(start, lf), CRLF);
      start = lf + 1;
    }
    if (chunk.length > 0) this.#lastByte = chunk[chunk.length - 1]!;
    if (start === 0) return chunk;
    pieces.push(chunk.subarray(start));
    return Buffer.concat(pieces);
  }

  #edit(edit: HeaderEdit): string | null {
    this.#headerBytes += edit.name.length + edit.value.length;
    if (this.#headerBytes > CLIENT_LIMITS.changedHeaderBytesMax) return `it wants more than ${CLIENT_LIMITS.changedHeaderBytesMax} bytes of header fields`;
    this.edits.push(edit);
    return null;
  }

  /** The index among the fields that were shown. */
  #place(index: number): number {
    if (index > this.aboveReceived) return index - 1;
    this.aboveReceived += 1;
    return index;
  }

  /** As `HeaderEdit` has it: a value that begins with white space follows the colon directly. */
  #value(raw: string): string {
    const value = textOfLatin1(raw);
    return this.#leadingSpace ? value : ` ${value}`;
  }

  /** With or without angle brackets, with or without domain; null is `<>`, undefined what is no address. */
  #address(raw: string): Address | null | undefined {
    const text = textOfLatin1(raw).trim();
    const options = { utf8: true, localBytes: ADDRESS_LIMITS.mailboxBytes };
    if (text === '' || text === '<>') return null;
    const bare = text.startsWith('<') && text.endsWith('>') ? text.slice(1, -1) : text;
    const address = bare.includes('@')
      ? (parseMailbox(bare, options) ?? parsePath(`<${bare}>`, 0, options)?.address)
      : parseMailbox(`${bare}@${this.#context.domain}`, options);
    if (address !== null && address !== undefined) return address;
    this.badAddresses.push(text.slice(0, ADDRESS_LIMITS.mailboxBytes));
    return undefined;
  }
}
