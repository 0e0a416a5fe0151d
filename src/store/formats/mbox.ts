/** mbox files (RFC 4155, mboxrd quoting): "From " lines are quoted with ">" on the way out and unquoted on the way in (`mbox-source.ts`). */
import { FLAG } from '../../ports.ts';

const NEWLINE = 10;
const GREATER = 62;
const FROM = Buffer.from('From ');

/** Lines longer than this are passed on in pieces; only a line's beginning matters here. */
const LINE_BYTES_MAX = 1024 * 1024;

/** True for "From ", ">From ", ">>From " … at `start`. */
export function isFromLine(bytes: Uint8Array, start: number): boolean {
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

/** The date of a "From " line (asctime, with or without a zone); null: it has none. */
export function parseFromDate(line: string): number | null {
  const match = /(\w{3}) (\w{3}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2})(?: [A-Z]{1,5}| [+-]\d{4})? (\d{4})/.exec(line);
  if (match === null) return null;
  const month = MONTHS.indexOf(match[2]!);
  return month === -1 ? null : Date.UTC(Number(match[7]), month, Number(match[3]), Number(match[4]), Number(match[5]), Number(match[6]));
}
