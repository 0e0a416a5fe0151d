import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatDate, formatInternalDate, parseDate, parseInternalDate } from './date.ts';

describe('a Date field', () => {
  const rows: [text: string, iso: string | null][] = [
    ['Tue, 1 Jul 2003 10:52:37 +0200', '2003-07-01T08:52:37Z'],
    ['1 Jul 2003 10:52:37 +0200', '2003-07-01T08:52:37Z'],
    ['Tue, 01 Jul 2003 10:52 GMT', '2003-07-01T10:52:00Z'],
    ['Tue, 1 Jul 2003 10:52:37 -0000', '2003-07-01T10:52:37Z'],
    ['Tue, 1 Jul 2003 10:52:37', '2003-07-01T10:52:37Z'],
    ['Tue, 1 Jul 03 10:52:37 EST', '2003-07-01T15:52:37Z'],
    ['21 Nov 97 09:55:06 CST', '1997-11-21T15:55:06Z'],
    ['21 Nov 100 09:55:06 Z', '2000-11-21T09:55:06Z'],
    ['Fri, 21 Nov 1997 09(comment):   55  :  06 -0600', null],
    ['Fri, 21 Nov 1997 09:55:06 -0600 (CST)', '1997-11-21T15:55:06Z'],
    ['Fri, 21 Nov 1997 09:55:06 -0600 (a (nested) one) and garbage', '1997-11-21T15:55:06Z'],
    ['Fri, 21 Nov 1997\r\n 09:55:06 (x) +0000', '1997-11-21T09:55:06Z'],
    ['Fri,21 Nov 1997 09:55:06 GMT+0200', '1997-11-21T07:55:06Z'],
    ['Fri Nov 21 09:55:06 1997', '1997-11-21T09:55:06Z'],
    ['Fri Nov 21 09:55:06 PST 1997', '1997-11-21T17:55:06Z'],
    ['21-Nov-1997 09:55:06 +0100', '1997-11-21T08:55:06Z'],
    ['Friday, 21 November 1997 9:55:06 +0100', '1997-11-21T08:55:06Z'],
    ['Mon, 31 Dec 2012 23:59:60 +0000', '2013-01-01T00:00:00Z'],
    ['Thu, 29 Feb 2024 00:00:00 +0000', '2024-02-29T00:00:00Z'],
    ['1 Jan 2003 00:00:00 +9999', '2003-01-01T00:00:00Z'],
    ['1 Jan 2003 00:00:00 Q', '2003-01-01T00:00:00Z'],
    ['', null],
    ['yesterday', null],
    ['31 Feb 2003 10:00:00 +0000', null],
    ['1 Jul 2003', null],
    ['1 Jul 10:52:37', null],
    ['32 Jul 2003 10:52:37', null],
    ['1 Jul 2003 25:52:37', null],
    ['1 Jul 2003 10:60:37', null],
    ['(1 Jul 2003 10:52:37 +0000)', null],
    ['1 Jul 1066 10:52:37', null],
  ];
  for (const [text, iso] of rows) {
    test(JSON.stringify(text), () => {
      const ms = parseDate(text);
      assert.equal(ms === null ? null : new Date(ms).toISOString().replace('.000', ''), iso);
    });
  }

  test('any text gives a time or null', () => {
    const unit = fc.constantFrom('1', '9', ':', '+', '-', ' ', 'Jan', 'Fri', ',', '(', ')', '\\', 'GMT', 'x', '2003');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 30 }), (text) => {
        const ms = parseDate(text);
        return ms === null || Number.isFinite(ms);
      }),
      { seed: 41, numRuns: 3000 },
    );
  });
});

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000_000, max: 4_000_000_000 }), fc.integer({ min: -23 * 60, max: 23 * 60 }), (seconds, offset) => {
      assert.equal(parseDate(formatDate(seconds * 1000, offset)), seconds * 1000);
      assert.equal(parseInternalDate(formatInternalDate(seconds * 1000, offset)), seconds * 1000);
    }),
    { seed: 42, numRuns: 500 },
  );
});

test('dates are written as the standards say', () => {
  assert.equal(formatDate(Date.UTC(2003, 6, 1, 8, 52, 37), 120), 'Tue, 01 Jul 2003 10:52:37 +0200');
  assert.equal(formatDate(0, -90), 'Wed, 31 Dec 1969 22:30:00 -0130');
  assert.equal(formatInternalDate(Date.UTC(1996, 6, 7, 9, 44, 25), -420), ' 7-Jul-1996 02:44:25 -0700');
});

describe('an IMAP date-time', () => {
  for (const [text, iso] of [
    ['17-Jul-1996 02:44:25 -0700', '1996-07-17T09:44:25.000Z'],
    [' 7-jul-1996 02:44:25 +0000', '1996-07-07T02:44:25.000Z'],
  ] as const) {
    test(text, () => assert.equal(new Date(parseInternalDate(text)!).toISOString(), iso));
  }
  for (const text of [
    '7-Jul-1996 02:44:25 +0000',
    '17-Jul-96 02:44:25 +0000',
    '17-Jux-1996 02:44:25 +0000',
    '31-Feb-1996 02:44:25 +0000',
    '17-Jul-1996 24:00:00 +0000',
    '17-Jul-1996 02:44:25 GMT',
    '17-Jul-1996',
    '17-Jul-1996 02:44:25 +0099',
  ]) {
    test(`${text} is refused`, () => assert.equal(parseInternalDate(text), null));
  }
});
