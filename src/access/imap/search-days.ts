/** Days of messages, as the date keys of SEARCH compare them (RFC 9051 section 6.4.4, RFC 8514 section 4.3). */
import type { Milliseconds } from '../../ports.ts';
import type { DayKind } from '../../wire/imap/search.ts';
import { ENVELOPE, envelopeString } from './envelope-text.ts';

const DAY_MS = 86_400_000;

/** Days are UTC's, as INTERNALDATE and SAVEDATE are given; null never matches. */
export function isOnDay(kind: DayKind, wanted: number, date: Milliseconds | null): boolean {
  if (date === null) return false;
  const day = Math.floor(date / DAY_MS);
  switch (kind) {
    case 'before':
    case 'savedBefore':
      return day < wanted;
    case 'on':
    case 'savedOn':
      return day === wanted;
    default:
      return day >= wanted;
  }
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The day in a Date field: "Wed, 17 Jul 1996 02:23:25 -0700". */
export function sentDay(envelope: string): number | null {
  const match = /^[^\d]{0,20}(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]{0,10}[ \t-]+(\d{2,4})/.exec(envelopeString(envelope, ENVELOPE.date).slice(0, 100));
  if (match === null) return null;
  const month = MONTHS.indexOf(match[2]!.toLowerCase());
  const digits = match[3]!;
  // RFC 5322 section 4.3
  const year = digits.length === 4 ? Number(digits) : digits.length === 3 || Number(digits) >= 50 ? 1900 + Number(digits) : 2000 + Number(digits);
  return month === -1 ? null : Math.floor(Date.UTC(year, month, Number(match[1])) / DAY_MS);
}
