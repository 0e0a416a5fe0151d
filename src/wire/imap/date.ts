/** date and date-time (RFC 9051 section 9), as strict as the grammar. */
import { DQUOTE } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAY_MS = 86_400_000;

function days(day: string, month: string, year: string): number | null {
  const m = MONTHS.indexOf(month.toUpperCase());
  const d = Number(day);
  const date = new Date(0);
  date.setUTCFullYear(Number(year), m, d);
  return m === -1 || d === 0 || date.getUTCDate() !== d ? null : Math.floor(date.getTime() / DAY_MS);
}

/** date, quoted or not, as days since 1970-01-01. */
export function date(cursor: Cursor): number {
  const isQuoted = cursor.peek() === DQUOTE;
  const text = isQuoted ? cursor.string().toString('latin1') : cursor.atom();
  const match = text.length <= 11 ? /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text) : null;
  const value = match === null ? null : days(match[1]!, match[2]!, match[3]!);
  if (value === null) throw new ImapSyntaxError('A date looks like 1-Feb-2024');
  return value;
}

/** date-time in quotes, as Unix milliseconds. */
export function dateTime(cursor: Cursor): number {
  const text = cursor.peek() === DQUOTE ? cursor.string().toString('latin1') : '';
  const match = text.length <= 26 ? /^([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text) : null;
  const day = match === null ? null : days(match[1]!.trim(), match[2]!, match[3]!);
  const [hour, minute, second, zoneHour, zoneMinute] = [4, 5, 6, 8, 9].map((i) => Number(match?.[i]));
  if (day === null || hour! > 23 || minute! > 59 || second! > 60 || zoneMinute! > 59)
    throw new ImapSyntaxError('A date-time looks like "17-Jul-1996 02:44:25 -0700"');
  const zone = (zoneHour! * 60 + zoneMinute!) * (match![7] === '-' ? -1 : 1);
  return day * DAY_MS + ((hour! * 60 + minute! - zone) * 60 + second!) * 1000;
}
