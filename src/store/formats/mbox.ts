/** mbox files (RFC 4155, mboxrd quoting): "From " lines are quoted with ">" on the way out and unquoted on the way in. */
import { createReadStream } from 'node:fs';
import { FLAG } from '../../ports.ts';

const NEWLINE = 10;
const GREATER = 62;
const FROM = Buffer.from('From ');

/** Lines longer than this are passed on in pieces; only a line's beginning matters here. */
const LINE_BYTES_MAX = 1024 * 1024;

/** True for "From ", ">From ", ">>From " … at `start`. */
function isFromLine(bytes: Uint8Array, start: number): boolean {
  let at = start;
  while (bytes[at] === GREATER) at += 1;
  for (let i = 0; i < FROM.length; i += 1) if (bytes[at + i] !== FROM[i]) return false;
  return true;
}

/** Splits bytes into lines with their line ends; a chunk may end anywhere. */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE, start); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      yield bytes.subarray(start, end + 1);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > LINE_BYTES_MAX) {
      yield rest;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0) yield rest;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function asctime(ms: number): string {
  const d = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${DAYS[d.getUTCDay()]} ${MONTHS[d.getUTCMonth()]} ${String(d.getUTCDate()).padStart(2, ' ')} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} ${d.getUTCFullYear()}`;
}

/** Status and X-Status fields as mail programs keep flags in mbox files; X-Keywords for keywords. */
function statusFields(flags: number, keywords: string | null): string {
  const status = `${(flags & FLAG.seen) !== 0 ? 'R' : ''}O`;
  const more = [
    [FLAG.answered, 'A'],
    [FLAG.flagged, 'F'],
    [FLAG.draft, 'T'],
    [FLAG.deleted, 'D'],
  ]
    .filter(([flag]) => (flags & (flag as number)) !== 0)
    .map(([, letter]) => letter)
    .join('');
  return `Status: ${status}\n${more === '' ? '' : `X-Status: ${more}\n`}${keywords === null ? '' : `X-Keywords: ${keywords}\n`}`;
}

/** One message as an mbox entry: LF line ends, the flags as header fields, an empty line at the end. */
export async function* mboxEntry(
  message: AsyncIterable<Uint8Array>,
  sender: string,
  flags: number,
  keywords: string | null,
  internalDate: number,
): AsyncIterable<Uint8Array> {
  yield Buffer.from(`From ${sender === '' ? 'MAILER-DAEMON' : sender.replaceAll(/\s/g, '_')} ${asctime(internalDate)}\n`);
  let isHeader = true;
  for await (const line of lines(message)) {
    const bare = line.at(-1) === NEWLINE && line.at(-2) === 13 ? Buffer.concat([line.subarray(0, -2), Buffer.from('\n')]) : line;
    if (isHeader && (bare.length === 1 || bare.length === 0)) {
      yield Buffer.from(statusFields(flags, keywords));
      isHeader = false;
    }
    if (!isHeader && isFromLine(bare, 0)) yield Buffer.from('>');
    yield bare.at(-1) === NEWLINE ? bare : Buffer.concat([bare, Buffer.from('\n')]);
  }
  if (isHeader) yield Buffer.from(`${statusFields(flags, keywords)}\n`);
  yield Buffer.from('\n');
}

export interface MboxMessage {
  /** Pieces with CRLF line ends. To be read to its end before the next message is asked for. */
  readonly chunks: Uint8Array[];
  readonly flags: number;
  readonly keywords: string | null;
  readonly internalDate: number;
}

function parseFromDate(line: string): number | null {
  const match = /(\w{3}) (\w{3}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?: [A-Z]{1,5}| [+-]\d{4})? (\d{4})/.exec(line);
  if (match === null) return null;
  const month = MONTHS.indexOf(match[2]!);
  return month === -1 ? null : Date.UTC(Number(match[7]), month, Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6]));
}

/** Messages of an mbox file, one after the other; each is held in memory up to `bytesMax`, above which it is an error with a sentence. */
export async function* mboxMessages(path: string, bytesMax: number): AsyncIterable<MboxMessage> {
  let chunks: Uint8Array[] | null = null;
  let size = 0;
  let flags = 0;
  let keywords: string | null = null;
  let internalDate = 0;
  let isHeader = true;
  let wasEmpty = true;
  const finish = (): MboxMessage => {
    // The empty line before the next "From " belongs to the mbox, not to the message.
    if (chunks!.length > 0 && chunks!.at(-1)!.length === 2 && !isHeader) chunks!.pop();
    return { chunks: chunks!, flags, keywords, internalDate };
  };
  for await (const line of lines(createReadStream(path))) {
    if (wasEmpty && line.length > 5 && isFromLine(line, 0) && line[0] !== GREATER) {
      if (chunks !== null) yield finish();
      chunks = [];
      size = 0;
      flags = 0;
      keywords = null;
      isHeader = true;
      wasEmpty = false;
      internalDate = parseFromDate(line.toString('latin1')) ?? Date.now();
      continue;
    }
    if (chunks === null) {
      if (line.length > 1 && line.toString('latin1').trim() !== '') throw new Error(`${path} is no mbox file: it does not begin with a "From " line`);
      continue;
    }
    let end = line.length;
    if (line[end - 1] === NEWLINE) end -= line[end - 2] === 13 ? 2 : 1;
    const start = !isHeader && line[0] === GREATER && isFromLine(line, 0) ? 1 : 0;
    wasEmpty = end === 0;
    if (isHeader) {
      if (end === 0) isHeader = false;
      else {
        const text = line.subarray(0, Math.min(end, 1000)).toString('latin1');
        const status = /^(X-)?Status: *([A-Z]*)/i.exec(text);
        const words = /^X-Keywords: *(.*)$/i.exec(text);
        if (status !== null) {
          const letters = status[2]!;
          if (status[1] === undefined) flags |= letters.includes('R') ? FLAG.seen : 0;
          else
            flags |=
              (letters.includes('A') ? FLAG.answered : 0) |
              (letters.includes('F') ? FLAG.flagged : 0) |
              (letters.includes('T') ? FLAG.draft : 0) |
              (letters.includes('D') ? FLAG.deleted : 0);
          continue;
        }
        if (words !== null) {
          const list = words[1]!.split(/[ ,]+/).filter((word) => /^[\x21-\x7e]+$/.test(word));
          keywords = list.length === 0 ? null : list.sort().join(' ');
          continue;
        }
        // The pseudo-message that some programs keep their own data in.
        if (/^X-IMAP(BASE)?:/i.test(text)) continue;
      }
    }
    size += end - start + 2;
    if (size > bytesMax) throw new Error(`${path} has a message of more than ${bytesMax} bytes`);
    const piece = Buffer.allocUnsafe(end - start + 2);
    line.copy(piece, 0, start, end);
    piece[end - start] = 13;
    piece[end - start + 1] = NEWLINE;
    chunks.push(piece);
  }
  if (chunks !== null) yield finish();
}
