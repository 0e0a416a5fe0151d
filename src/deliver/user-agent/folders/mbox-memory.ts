/**
 * The messages of mbox files, read in windows, so that a large file costs little memory; and what is known of each file from the last time: when
 * others have only appended, only that is parsed. That the rest is as it was a digest of it tells: programs rewrite mbox files in place, with the
 * same length and time.
 */
import { createHash, type Hash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { FILES_MAX, LISTED_FILES_MAX, MBOX_BYTES_MAX } from './limits.ts';
import { factsOf, freeName, type MboxMessage, oneMessage, parseMbox } from './mbox-format.ts';
import { readRange } from './mbox-rewrite.ts';
import type { FolderFile } from './types.ts';

const WINDOW_BYTES = 8 * 1024 * 1024;

export interface KnownMessage extends FolderFile {
  /** Offsets in the file. */
  readonly message: MboxMessage;
}

export interface MboxLook {
  readonly size: number;
  readonly messages: readonly KnownMessage[];
}

interface Remembered extends MboxLook {
  readonly identity: string;
  /** Of all `size` bytes. */
  readonly digest: string;
  /** Where the last message begins, which what is appended makes longer or ends. */
  readonly lastStart: number;
}

export class MboxMemory {
  readonly #byFile = new Map<string, Remembered>();
  #count = 0;

  /** All messages of the file that `fd` has open, under its locks. Throws when it is too large, or no mbox. */
  look(fd: number, file: string): MboxLook {
    const stat = fstatSync(fd, { bigint: true });
    const size = Number(stat.size);
    if (size > MBOX_BYTES_MAX) throw new Error(`an mbox of more than ${MBOX_BYTES_MAX} bytes`);
    const identity = `${stat.dev}:${stat.ino}`;
    const known = this.#byFile.get(file);
    const hash = createHash('sha256');
    const isAppended = known !== undefined && known.identity === identity && size >= known.size && isPrefix(fd, known, hash);
    if (isAppended && size === known.size) return known;
    const fresh = isAppended ? hash : createHash('sha256');
    const from = isAppended ? known.lastStart : 0;
    const kept = isAppended ? known.messages.filter(({ message }) => message.start < from) : [];
    const { messages, lastStart } = scan(fd, { from, size, hashed: isAppended ? known.size : 0, hash: fresh, kept });
    const look = { identity, size, digest: fresh.digest('base64url'), lastStart, messages };
    this.#keep(file, look);
    return look;
  }

  #keep(file: string, look: Remembered): void {
    this.#count -= this.#byFile.get(file)?.messages.length ?? 0;
    this.#byFile.delete(file);
    this.#byFile.set(file, look);
    this.#count += look.messages.length;
    for (const [oldest, { messages }] of this.#byFile) {
      if (this.#count <= LISTED_FILES_MAX) break;
      this.#count -= messages.length;
      this.#byFile.delete(oldest);
    }
  }
}

/** `hash` has taken in the known bytes afterwards. */
function isPrefix(fd: number, known: Remembered, hash: Hash): boolean {
  for (let at = 0; at < known.size; at += WINDOW_BYTES) {
    const bytes = readRange(fd, at, Math.min(known.size, at + WINDOW_BYTES));
    hash.update(bytes);
  }
  return hash.copy().digest('base64url') === known.digest;
}

interface Range {
  /** A message begins here. */
  readonly from: number;
  readonly size: number;
  /** Bytes that `hash` has already. */
  readonly hashed: number;
  readonly hash: Hash;
  readonly kept: readonly KnownMessage[];
}

function scan(fd: number, { from, size, hashed, hash, kept }: Range): { messages: KnownMessage[]; lastStart: number } {
  const messages = [...kept];
  const names = new Set(kept.map(({ name }) => name));
  let seen = hashed;
  let window = WINDOW_BYTES;
  let lastStart = from;
  for (let at = from; at < size; ) {
    const bytes = readRange(fd, at, Math.min(size, at + window));
    if (at + bytes.length > seen) hash.update(bytes.subarray(Math.max(0, seen - at)));
    seen = Math.max(seen, at + bytes.length);
    const isEnd = at + bytes.length >= size;
    const parsed = parseMbox(bytes);
    if (parsed === null) throw new Error('not an mbox');
    // The last one may go on behind the window.
    const whole = isEnd ? parsed : parsed.slice(0, -1);
    for (const message of whole) {
      lastStart = at + message.start;
      const facts = factsOf(bytes, message);
      if (facts.isInternal) continue;
      if (messages.length >= FILES_MAX) throw new Error(`more than ${FILES_MAX} messages in one mbox`);
      const name = freeName(facts.digest, names);
      names.add(name);
      const moved = { start: at + message.start, header: at + message.header, body: at + message.body, end: at + message.end, next: at + message.next };
      messages.push({ name, marks: facts.marks, file: `${moved.start}:${moved.next - moved.start}`, message: moved });
    }
    if (isEnd) break;
    if (whole.length === 0) window *= 2;
    else {
      window = WINDOW_BYTES;
      at += parsed.at(-1)!.start;
    }
  }
  return { messages, lastStart };
}

/** One message's bytes, and its offsets in them. */
export function readWhole(fd: number, { start, next }: MboxMessage): { bytes: Buffer; message: MboxMessage } {
  const bytes = readRange(fd, start, next);
  return { bytes, message: oneMessage(bytes, 0, bytes.length) };
}
