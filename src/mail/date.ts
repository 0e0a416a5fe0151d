/** Dates of header fields (RFC 5322 section 3.3, with section 4.3's obsolete forms) and of IMAP (RFC 9051 section 9, date-time). */

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH_NUMBER = new Map(MONTHS.map((name, index) => [name.toLowerCase(), index]));

/** Zone names in minutes east of Greenwich. Military letters were defined wrongly in RFC 822 and mean nothing: 0. */
const ZONES = new Map<string, number>([
  ['ut', 0],
  ['utc', 0],
  ['gmt', 0],
  ['z', 0],
  ['est', -300],
  ['edt', -240],
  ['cst', -360],
  ['cdt', -300],
  ['mst', -420],
  ['mdt', -360],
  ['pst', -480],
  ['pdt', -420],
  // Not in the RFC, but in real mail.
  ['bst', 60],
  ['wet', 0],
  ['west', 60],
  ['met', 60],
  ['cet', 60],
  ['cest', 120],
  ['mest', 120],
  ['eet', 120],
  ['eest', 180],
  ['msk', 180],
  ['jst', 540],
  ['kst', 540],
]);

/** A date field is a few dozen characters; what follows these is not looked at. */
const DATE_CHARACTERS = 200;

/**
 * Unix milliseconds of a Date field, or null when no day, month, year and time can be made out.
 * Lenient: the day name, seconds and zone may be missing or odd, years may have two digits, comments and garbage are passed over.
 */
export function parseDate(text: string): number | null {
  const words = tokens(text.length > DATE_CHARACTERS ? text.slice(0, DATE_CHARACTERS) : text);
  let day = -1;
  let month = -1;
  let year = -1;
  let time: readonly [number, number, number] | null = null;
  let offset = 0;
  let hasZone = false;
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i]!;
    const first = word.charCodeAt(0);
    if (isDigit(first)) {
      if (word.includes(':')) time ??= clock(word);
      else if (day === -1 && word.length <= 2) day = Number(word);
      else if (year === -1 && month !== -1 && word.length <= 4) year = fullYear(word);
      else if (day === -1 && year === -1 && word.length === 4) year = Number(word);
    } else if ((word[0] === '+' || word[0] === '-') && isDigit(word.charCodeAt(1))) {
      if (time !== null && !hasZone) {
        offset = numericZone(word);
        hasZone = true;
      }
    } else if (month === -1 && MONTH_NUMBER.has(word.slice(0, 3).toLowerCase())) {
      month = MONTH_NUMBER.get(word.slice(0, 3).toLowerCase())!;
    } else if (time !== null && !hasZone) {
      const zone = ZONES.get(word.toLowerCase());
      if (zone !== undefined) {
        offset = zone;
        hasZone = true;
        // "GMT+0200" arrives as two words and means the number.
        const number = words[i + 1];
        if (zone === 0 && number !== undefined && /^[+-]\d/.test(number)) offset = numericZone(number);
      } else if (word.toLowerCase() === 'pm' && time[0] < 12) time = [time[0] + 12, time[1], time[2]];
    }
  }
  if (time === null || month === -1 || year === -1) return null;
  return toUnix(year, month, day, time, offset);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Words of a date: runs of letters, of digits and colons, and signed digits. Comments are dropped. */
function tokens(text: string): string[] {
  const words: string[] = [];
  let depth = 0;
  let start = -1;
  for (let i = 0; i <= text.length; i += 1) {
    const c = i < text.length ? text.charCodeAt(i) : 0x20;
    if (depth > 0) {
      if (c === 0x28) depth += 1;
      else if (c === 0x29) depth -= 1;
      else if (c === 0x5c) i += 1;
      continue;
    }
    const isLetter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
    const isNumber = isDigit(c) || (c === 0x3a && start !== -1);
    const isSign = c === 0x2b || c === 0x2d;
    if (start !== -1 && !((isLetter && isLetterCode(text.charCodeAt(i - 1))) || (isNumber && !isLetterCode(text.charCodeAt(i - 1))))) {
      words.push(text.slice(start, i));
      start = -1;
    }
    if (start === -1 && (isLetter || isDigit(c))) start = i;
    // A sign starts a zone; the hyphens of "21-Nov-1997" stand between a letter and a digit and start none.
    else if (start === -1 && isSign && isDigit(text.charCodeAt(i + 1)) && !(c === 0x2d && MONTH_NUMBER.has(words.at(-1)?.toLowerCase() ?? ''))) start = i;
    else if (c === 0x28) depth = 1;
  }
  return words;
}

function isLetterCode(c: number): boolean {
  return (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
}

function clock(word: string): readonly [number, number, number] | null {
  const [hour, minute, second] = word.split(':');
  const h = Number(hour);
  const m = minute === undefined || minute === '' ? Number.NaN : Number(minute);
  const s = second === undefined || second === '' ? 0 : Number(second);
  return h <= 24 && m <= 59 && s <= 60 ? [h, m, s] : null;
}

/** RFC 5322 section 4.3: 00 to 49 is 2000 to 2049, 50 to 99 and three digits count from 1900. */
function fullYear(word: string): number {
  const year = Number(word);
  if (word.length >= 4) return year;
  if (word.length === 3) return 1900 + year;
  return year < 50 ? 2000 + year : 1900 + year;
}

/** "+hhmm" in minutes; -0000 and anything out of range is 0. */
function numericZone(word: string): number {
  const digits = word.slice(1).replaceAll(':', '').padEnd(4, '0').slice(0, 4);
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2));
  if (!(Number(digits.slice(2)) <= 59) || minutes >= 24 * 60) return 0;
  return word[0] === '-' ? -minutes : minutes;
}

function toUnix(year: number, month: number, day: number, time: readonly [number, number, number], offset: number): number | null {
  if (year < 1900 || year > 9999 || day < 1 || day > 31) return null;
  const [hour, minute, second] = time;
  const ms = Date.UTC(year, month, day, hour, minute, second);
  // 31 February must not become March.
  if (new Date(Date.UTC(year, month, day)).getUTCDate() !== day) return null;
  return ms - offset * 60_000;
}

function two(n: number): string {
  return n < 10 ? `0${n}` : String(n);
}

/** A time as the calendar and clock show it at `offsetMinutes` east of Greenwich. */
function fields(ms: number, offsetMinutes: number): { date: Date; zone: string; clock: string } {
  const date = new Date(ms + offsetMinutes * 60_000);
  const absolute = Math.abs(offsetMinutes);
  const zone = `${offsetMinutes < 0 ? '-' : '+'}${two(Math.trunc(absolute / 60))}${two(absolute % 60)}`;
  return { date, zone, clock: `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}` };
}

/** RFC 5322 section 3.3: "Tue, 01 Jul 2003 10:52:37 +0200". */
export function formatDate(ms: number, offsetMinutes = 0): string {
  const { date, zone, clock: time } = fields(ms, offsetMinutes);
  return `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()} ${time} ${zone}`;
}

/** RFC 9051 section 9 date-time, without its quotes: "17-Jul-1996 02:44:25 -0700"; the day is padded with a space. */
export function formatInternalDate(ms: number, offsetMinutes = 0): string {
  const { date, zone, clock: time } = fields(ms, offsetMinutes);
  return `${String(date.getUTCDate()).padStart(2)}-${MONTHS[date.getUTCMonth()]}-${date.getUTCFullYear()} ${time} ${zone}`;
}

/** Unix milliseconds of an IMAP date-time (without quotes), strict; null when it is none. */
export function parseInternalDate(text: string): number | null {
  const match = /^( \d|\d\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text);
  if (match === null) return null;
  const month = MONTH_NUMBER.get(match[2]!.toLowerCase());
  const time = [Number(match[4]), Number(match[5]), Number(match[6])] as const;
  const offset = Number(match[8]) * 60 + Number(match[9]);
  if (month === undefined || time[0] > 23 || time[1] > 59 || time[2] > 60 || Number(match[9]) > 59 || offset >= 24 * 60) return null;
  return toUnix(Number(match[3]), month, Number(match[1]), time, match[7] === '-' ? -offset : offset);
}
