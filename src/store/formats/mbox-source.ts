/** Reads the messages of an mbox file of any size for an import: one pass, each message staged as it comes. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { FLAG, type MessageWriter, type Staging } from '../../ports.ts';
import { KEY_BYTES, KeySet, keyOf } from './key-set.ts';
import { LineEnds } from './line-ends.ts';
import { isFromLine, parseFromDate } from './mbox.ts';
import type { Found, ReadOptions } from './source.ts';

const CHUNK_BYTES = 1024 * 1024;
const HEAD_BYTES = 64 * 1024;
/** Field bodies that are looked into. */
const FIELD_CHARACTERS_MAX = 16 * 1024;
const LF = 10;
const CR = 13;
const GREATER = 0x3e;
const LETTER_F = 0x46;

export interface MboxHead {
  readonly uidValidity: number;
  /** The highest UID given out when the file was written. */
  readonly uidLast: number;
}

export function isMbox(path: string): boolean {
  return head(path, 5).toString('latin1') === 'From ';
}

/** X-IMAPbase of the first message, as c-client, Dovecot and others keep it; null: there is none. */
export function mboxHead(path: string): MboxHead | null {
  const text = head(path, HEAD_BYTES).toString('latin1');
  const end = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  const match = /^X-IMAP(?:base)?: *(\d{1,10}) +(\d{1,10})/im.exec(text.slice(0, end));
  return match === null || Number(match[1]) > 0xffffffff ? null : { uidValidity: Number(match[1]), uidLast: Number(match[2]) };
}

function head(path: string, bytes: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(file, buffer, 0, bytes, 0));
  } finally {
    closeSync(file);
  }
}

/** A line that begins a message: "From sender date". A sentence that begins with "From" after an empty line has no date. */
function isSeparator(line: string): boolean {
  return parseFromDate(line) !== null || /^From +(?:-|\S+@\S+)?\s*$/.test(line);
}

/** One message while it is read. */
class Reading {
  readonly writer: MessageWriter;
  readonly #lines = new LineEnds();
  readonly #hash: Hash = createHash('sha256');
  readonly internalDate: number;
  isHeader = true;
  /** The field that is being left out goes on in its folded lines. */
  isSkippingField = false;
  /** An empty line that belongs to the message only if another line of it follows. */
  hasEmptyLine = false;
  isInternalData = false;
  flags = 0;
  keywords: string | null = null;
  uid: number | null = null;
  uidl: string | null = null;

  constructor(writer: MessageWriter, internalDate: number) {
    this.writer = writer;
    this.internalDate = internalDate;
  }

  write(bytes: Buffer): void | Promise<void> {
    const fixed = this.#lines.push(bytes);
    this.#hash.update(fixed);
    return this.writer.write(fixed);
  }

  digest(): Uint8Array {
    return this.#hash.digest().subarray(0, KEY_BYTES);
  }

  /** True when the field is the mbox's own and no part of the message. */
  field(text: string): boolean {
    const match = /^([!-9;-~]{1,30}): *([^\r\n]*)/.exec(text);
    if (match === null) return false;
    const value = match[2]!;
    switch (match[1]!.toLowerCase()) {
      case 'status':
        if (value.includes('R')) this.flags |= FLAG.seen;
        return true;
      case 'x-status':
        for (const [letter, flag] of STATUS_LETTERS) if (value.includes(letter)) this.flags |= flag;
        return true;
      case 'x-keywords': {
        const words = value.split(/[ ,]+/).filter((word) => /^[\x21-\x7e]+$/.test(word));
        this.keywords = words.length === 0 ? null : words.sort().join(' ');
        return true;
      }
      case 'x-uid':
        this.uid = /^\d{1,10} *$/.test(value) && Number(value) > 0 && Number(value) < 0xffffffff ? Number(value) : null;
        return true;
      case 'x-uidl':
        this.uidl = value.trim();
        return false;
      case 'x-imap': // the message in which c-client keeps what belongs to the file
        this.isInternalData = true;
        return true;
      case 'x-imapbase':
        return true;
      default:
        return false;
    }
  }
}
const STATUS_LETTERS = [
  ['A', FLAG.answered],
  ['F', FLAG.flagged],
  ['T', FLAG.draft],
  ['D', FLAG.deleted],
] as const;

/** `chunkBytes`: read at once; lines that matter must be shorter. */
export async function* readMbox(path: string, staging: Staging, options: ReadOptions, chunkBytes = CHUNK_BYTES): AsyncIterable<Found> {
  const base = mboxHead(path);
  const file = openSync(path, 'r');
  const seen = new KeySet();
  const again = new Map<string, number>();
  let reading: Reading | null = null;
  let uidMax = base?.uidLast ?? 0;
  let known = 0;

  /** The same message twice is two messages: the second time it is known by its number as well. */
  const keyFor = (content: Uint8Array): Uint8Array => {
    if (seen.add(content)) return content;
    const text = Buffer.from(content).toString('latin1');
    const times = (again.get(text) ?? 1) + 1;
    again.set(text, times);
    return keyOf(Buffer.from(`${text}${times}`, 'latin1'));
  };
  const finish = async (one: Reading): Promise<Found | null> => {
    if (one.isInternalData) {
      one.writer.abort();
      return null;
    }
    const key = keyFor(one.digest());
    if (!options.done.add(key)) {
      one.writer.abort();
      known += 1;
      return null;
    }
    if (one.uid !== null) uidMax = Math.max(uidMax, one.uid);
    const { flags, keywords, internalDate } = one;
    return {
      kind: 'message',
      key,
      message: await one.writer.finish(),
      flags,
      keywords,
      internalDate,
      uid: base === null ? null : one.uid,
      uidl: options.uidl === null ? null : one.uidl,
    };
  };

  try {
    let buffer = Buffer.allocUnsafe(2 * chunkBytes);
    let fill = 0;
    let position = 0;
    let isLineStart = true;
    let wasEmpty = true;
    for (;;) {
      const count = readSync(file, buffer, fill, chunkBytes, null);
      const isLast = count === 0;
      fill += count;
      position += count;
      let at = 0;
      /** Lines of the body that go out as they are, in one piece. */
      let from = 0;
      const flush = (to: number): void | Promise<void> => {
        if (reading === null || to <= from) return undefined;
        return reading.write(buffer.subarray(from, to));
      };
      while (at < fill) {
        const lf = buffer.indexOf(LF, at);
        let end = lf === -1 || lf >= fill ? -1 : lf + 1;
        if (end === -1) {
          // A line that does not end here: kept for the next chunk, unless it is the file's last or longer than any line that matters.
          if (!isLast && fill - at < chunkBytes) break;
          end = fill;
        }
        const isWhole = buffer[end - 1] === LF;
        const length = end - at - (isWhole ? (end - at > 1 && buffer[end - 2] === CR ? 2 : 1) : 0);
        if (
          isLineStart &&
          wasEmpty &&
          buffer[at] === LETTER_F &&
          isFromLine(buffer, at) &&
          (position === fill && at === 0 ? true : isSeparator(buffer.toString('latin1', at, Math.min(end, at + 500))))
        ) {
          await flush(at);
          if (reading !== null) {
            const found = await finish(reading);
            if (found !== null) yield found;
          }
          const internalDate = parseFromDate(buffer.toString('latin1', at, Math.min(end, at + 500))) ?? Date.now();
          reading = new Reading(staging.open(), internalDate);
          wasEmpty = false;
          from = end;
        } else if (reading === null) {
          from = end; // empty lines before the first message
        } else if (reading.isHeader && isLineStart) {
          if (length === 0) {
            reading.isHeader = false;
            await flush(end);
            from = end;
            wasEmpty = true;
          } else {
            const isFolded = buffer[at] === 0x20 || buffer[at] === 0x09;
            const isOwn = isFolded ? reading.isSkippingField : reading.field(buffer.toString('latin1', at, Math.min(end, at + FIELD_CHARACTERS_MAX)));
            reading.isSkippingField = isOwn;
            if (isOwn) {
              await flush(at);
              from = end;
            }
            wasEmpty = false;
          }
        } else if (isLineStart) {
          if (length === 0 && isWhole) {
            // Held back: before the next "From " line it belongs to the mbox.
            await flush(at);
            if (reading.hasEmptyLine) await reading.write(EMPTY_LINE);
            reading.hasEmptyLine = true;
            wasEmpty = true;
            from = end;
          } else {
            if (reading.hasEmptyLine) {
              await reading.write(EMPTY_LINE);
              reading.hasEmptyLine = false;
            }
            wasEmpty = false;
            if (buffer[at] === GREATER && isFromLine(buffer, at)) {
              await flush(at);
              from = at + 1; // one ">" less
            }
          }
        }
        isLineStart = isWhole;
        at = end;
      }
      const waiting = flush(at);
      if (waiting !== undefined) await waiting;
      if (isLast) break;
      buffer.copyWithin(0, at, fill);
      fill -= at;
      // What was flushed may still be read by nobody: write() copies.
      if (known > 0) yield { kind: 'known', count: known };
      known = 0;
      yield { kind: 'position', bytes: position };
    }
    buffer = Buffer.alloc(0);
    if (reading !== null) {
      const last = reading as Reading;
      reading = null;
      const found = await finish(last);
      if (found !== null) yield found;
    }
    if (known > 0) yield { kind: 'known', count: known };
    yield { kind: 'end', uidFloor: uidMax + 1 };
  } finally {
    (reading as Reading | null)?.writer.abort();
    closeSync(file);
  }
}
const EMPTY_LINE = Buffer.from('\r\n');
