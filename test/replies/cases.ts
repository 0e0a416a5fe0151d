/** Messages that arrive for anna@example.org, whose script says "vacation": does she answer, and how? */

export interface ReplyCase {
  readonly name: string;
  /** Envelope sender; sieve-test cannot be told the null one. */
  readonly sender?: string;
  /** Header lines besides the usual ones; one that names To, From, Subject or Message-ID takes the usual one's place. */
  readonly lines?: readonly string[];
  /** Arguments of vacation instead of the text alone. */
  readonly vacation?: string;
  /** The row of docs/filter-differences.md that says why we do otherwise. */
  readonly differs?: string;
}

const NEVER = 'vacation: fewer replies';

export const CASES: readonly ReplyCase[] = [
  { name: 'a personal message' },
  ...['MAILER-DAEMON', 'mailer-daemon', 'LISTSERV', 'majordomo', 'owner-news', 'news-request', 'postmaster', 'bob.smith', 'SRS0=abcd=ef=example.net=eve'].map(
    (local) => ({
      name: `sender ${local}`,
      sender: `${local}@example.com`,
    }),
  ),
  ...['noreply', 'news-bounces+anna=example.org'].map((local) => ({ name: `sender ${local}`, sender: `${local}@example.com`, differs: NEVER })),
  { name: 'the owner as sender', sender: 'anna@example.org' },
  { name: 'the owner as sender, by :addresses', sender: 'ann@example.net', vacation: ':addresses "ann@example.net" "away"' },
  ...[
    'Auto-Submitted: auto-replied',
    'Auto-Submitted: auto-generated',
    'Auto-Submitted: auto-notified; owner-email="x@example.com"',
    'Auto-Submitted: no',
    'List-Id: <news.example.com>',
    'List-Help: <mailto:x@example.com>',
    'List-Subscribe: <mailto:x@example.com>',
    'List-Unsubscribe: <mailto:x@example.com>',
    'List-Post: <mailto:x@example.com>',
    'List-Owner: <mailto:x@example.com>',
    'List-Archive: <https://example.com/>',
    'Precedence: bulk',
    'Precedence: junk',
    'Precedence: list',
    'Precedence: normal',
    'X-Auto-Response-Suppress: All',
    'X-Auto-Response-Suppress: OOF',
    'X-Auto-Response-Suppress: DR',
    'Resent-To: anna@example.org',
    'Sender: other@example.com',
  ].map((line) => ({ name: line, lines: [line] })),
  ...['X-Autoreply: yes', 'Content-Type: multipart/report; report-type=delivery-status; boundary=b'].map((line) => ({
    name: line,
    lines: [line],
    differs: NEVER,
  })),
  { name: 'named in Cc', lines: ['To: x@example.com', 'Cc: anna@example.org'] },
  { name: 'named in Bcc', lines: ['To: x@example.com', 'Bcc: anna@example.org'] },
  { name: 'named in Resent-Cc', lines: ['To: x@example.com', 'Resent-Cc: anna@example.org'] },
  { name: 'named in other case', lines: ['To: "A" <ANNA@Example.ORG>'] },
  { name: 'named nowhere', lines: ['To: x@example.com'] },
  { name: 'named by :addresses', lines: ['To: ann@example.net'], vacation: ':addresses "Ann@example.net" "away"', differs: 'vacation: From' },
  { name: 'no subject', lines: ['Subject:'] },
  { name: 'an encoded subject', lines: ['Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from here'] },
  { name: 'a long subject', lines: [`Subject: ${'many words '.repeat(12)}`] },
  { name: ':subject', vacation: ':subject "Out of office" "away"' },
  { name: ':subject with other than ASCII', vacation: ':subject "Außer Haus" "away"' },
  { name: 'no Message-ID', lines: ['Message-ID:'] },
  { name: 'References', lines: ['References: <r1@example.com> <r2@example.com>'] },
  { name: 'In-Reply-To without References', lines: ['In-Reply-To: <p1@example.com>'], differs: 'vacation: References' },
  { name: 'text with other than ASCII', vacation: '"Grüße\nvon hier"' },
  { name: ':mime', vacation: ':mime "Content-Type: text/html; charset=us-ascii\n\n<p>away</p>"' },
];
