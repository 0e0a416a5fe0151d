/** Addresses as the outside shall see them (generic maps): worked out when a recipient is placed, used when its message leaves by SMTP. */
import { formatAddress } from '../mail/address.ts';
import type { MessageReader, StoreReader } from '../ports.ts';
import type { Generic } from '../route/generic.ts';
import { addressOf, type QueuedRecipient, type QueueEntry } from './entry.ts';

/** Of an entry: null where nothing changes. */
export interface OutsideEntry {
  readonly sender: string | null;
  readonly header: Uint8Array | null;
}

/** Fills `entry.outside` and `recipient.outside`. A promise where a table must be asked elsewhere; rejects with TableError. */
export function goOutside(generic: Generic, entry: QueueEntry, recipient: QueuedRecipient, reader: Pick<StoreReader, 'openBlob'>): void | Promise<void> {
  const mapped = generic.recipient(addressOf(recipient.address));
  if (!(mapped instanceof Promise) && entry.outside !== null) {
    recipient.outside = formatAddress(mapped);
    return undefined;
  }
  return (async () => {
    recipient.outside = formatAddress(await mapped);
    if (entry.outside !== null) return;
    const sender = entry.sender === null ? null : formatAddress(await generic.sender(addressOf(entry.sender)));
    const message = reader.openBlob(entry.blobId);
    try {
      entry.outside = { sender, header: await generic.header(await message.slice(0, entry.headerBytes)) };
    } finally {
      message.close();
    }
  })();
}

/** A message under another header. */
export class OtherHeader implements MessageReader {
  readonly size: number;
  readonly prefixBytes = 0;
  readonly #message: MessageReader;
  readonly #header: Uint8Array;
  /** What positions in the body move by. */
  readonly #shift: number;

  constructor(message: MessageReader, headerBytes: number, header: Uint8Array) {
    this.#message = message;
    this.#header = header;
    this.#shift = header.length - headerBytes;
    this.size = message.size + this.#shift;
  }

  slice(start: number, end: number): Uint8Array | Promise<Uint8Array> {
    const from = Math.max(0, start);
    const border = this.#header.length;
    if (end <= border) return this.#header.subarray(from, Math.max(from, end));
    const body = this.#message.slice(Math.max(from, border) - this.#shift, end - this.#shift);
    if (from >= border) return body;
    const head = this.#header.subarray(from);
    return body instanceof Promise ? body.then((bytes) => Buffer.concat([head, bytes])) : Buffer.concat([head, body]);
  }

  async *stream(start: number, end: number): AsyncIterable<Uint8Array> {
    const border = this.#header.length;
    if (start < border) yield this.#header.subarray(Math.max(0, start), Math.min(end, border));
    if (end > border) yield* this.#message.stream(Math.max(start, border) - this.#shift, end - this.#shift);
  }

  close(): void {
    this.#message.close();
  }
}
