/** Where the order of Dovecot is another than ours, on purpose. */
import type { Letter } from './letters.ts';

export interface Difference {
  readonly name: string;
  /** Why ours stays. */
  readonly why: string;
  readonly letters: readonly Letter[];
  readonly command: string;
  readonly ours: string;
  readonly theirs: string;
}

const letter = (header: string, day: number): Letter => ({
  text: `${header}\r\n\r\nx\r\n`,
  internalDate: `${String(day).padStart(2, ' ')}-Feb-2024 10:00:00 +0000`,
});

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'sent dates up to 1970',
    why: 'Dovecot takes the start of 1970 and what is before for no date, and goes by INTERNALDATE; RFC 5256 section 2.2 does so only for dates that cannot be parsed',
    letters: [
      letter('Date: Thu, 1 Feb 2024 12:00:00 +0000', 3),
      letter('Date: Wed, 31 Dec 1969 23:59:59 +0000', 2),
      letter('Date: Thu, 1 Jan 1970 00:00:00 +0000', 1),
    ],
    command: 'SORT (DATE) UTF-8 ALL',
    ours: 'SORT 2 3 1',
    theirs: 'SORT 3 1 2',
  },
  {
    name: 'subjects in a charset that nobody knows',
    why: 'Dovecot leaves them among the others, by octets; RFC 5255 section 4.6 has what cannot be decoded behind all else',
    letters: [letter('Subject: =?klingon?q?plan?=', 1), letter('Subject: zebra', 2), letter('Subject: {', 3), letter('Subject: plan', 4)],
    command: 'SORT (SUBJECT) UTF-8 ALL',
    ours: 'SORT 4 2 3 1',
    theirs: 'SORT 4 2 1 3',
  },
  {
    name: 'addresses that are none',
    why: 'the order is that of ENVELOPE, where Dovecot has MISSING_MAILBOX for what it cannot read, and we have what stands there',
    letters: [letter('From: Zed Only', 1), letter('From: nobody@a.test', 2), letter('From: anna@a.test', 3)],
    command: 'SORT (FROM) UTF-8 ALL',
    ours: 'SORT 3 2 1',
    theirs: 'SORT 3 1 2',
  },
];
