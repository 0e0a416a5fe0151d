/** Hostile command lines, and how each is answered: tag "x", INBOX with twenty messages selected. */

export interface HostileLine {
  /** From the tag to the last CRLF; bytes as latin1. */
  readonly bytes: string;
  /** Sent behind "+ ". */
  readonly literal?: string;
  /** Of the tagged response behind the tag. */
  readonly answer: RegExp;
}

const BAD = /^BAD /;
const TOO_BIG = /^BAD \[TOOBIG\]/;
const NO = /^NO /;
const OK = /^OK /;
const REFUSED = /^(?:BAD|NO) /;

const many = (count: number, item: (index: number) => string, between = ' '): string => Array.from({ length: count }, (_, i) => item(i)).join(between);
const bad = (command: string, answer = BAD): HostileLine => ({ bytes: `x ${command}\r\n`, answer });

const OPEN = '('.repeat(100_000);
const RANGES = many(10_000, (i) => `${2 * i + 1}:${2 * i + 2}`, ',');

export const HOSTILE_LINES: readonly (readonly [name: string, line: HostileLine])[] = [
  ['a line of 2 MB', bad(`SEARCH ${'ALL '.repeat(512 * 1024)}ALL`, TOO_BIG)],
  ['a line of nearly 1 MB that is one atom', bad(`SEARCH KEYWORD ${'a'.repeat(1_000_000)}`, OK)],
  ['a verb of 1 MB', bad('A'.repeat(1_000_000))],
  ['a quoted string of 1 MB that does not end', bad(`SELECT "${'a'.repeat(1_000_000)}`)],
  ['a quoted string of backslashes', bad(`SELECT "${'\\\\'.repeat(500_000)}"`, REFUSED)],
  ['NUL bytes', bad('SEARCH SUBJECT "\0\0"')],
  ['a NUL in a literal', { bytes: 'x SEARCH SUBJECT {3+}\r\na\0b\r\n', answer: BAD }],
  ['a NUL in a literal8 where none may be', { bytes: 'x SELECT ~{3+}\r\na\0b\r\n', answer: BAD }],
  ['bare CR within a line', bad('NOOP\rNOOP')],
  ['a bare LF', { bytes: 'x NOOP\n', answer: BAD }],
  ['bytes above 127 in a command', bad('N\xd6\xd6P')],
  ['UTF-8 that is none, in a mailbox name', bad('SELECT "\xff\xfe\xc0\x80"', REFUSED)],
  ['modified UTF-7 that is none', bad(`SELECT "&${'A'.repeat(100_000)}"`, REFUSED)],

  ['a set of 10,000 ranges: FETCH', bad(`FETCH ${RANGES} FLAGS`)],
  ['a set of 10,000 ranges: STORE', bad(`STORE ${RANGES} +FLAGS (\\Seen)`)],
  ['a set of 10,000 ranges: SEARCH', bad(`SEARCH ${RANGES}`)],
  ['a set of 10,000 ranges: COPY', bad(`COPY ${RANGES} Trash`)],
  ['8,000 ranges that are all messages', bad(`UID FETCH ${many(8000, () => '1:*', ',')} FLAGS`, OK)],
  ['8,000 ranges that are nothing', bad(`UID STORE ${many(8000, (i) => `${4_000_000_000 + 2 * i}`, ',')} +FLAGS (\\Seen)`, OK)],
  ['many sets in one search', bad(`SEARCH ${many(1900, () => many(60, (i) => String(2 * i + 1), ','))}`, OK)],
  ['numbers beyond 32 bits', bad('FETCH 4294967296 FLAGS')],
  ['numbers of a hundred thousand digits', bad(`FETCH ${'9'.repeat(100_000)} FLAGS`)],
  ['zero as a message', bad('FETCH 0 FLAGS')],
  ['a modseq of a hundred thousand digits', bad(`SEARCH MODSEQ ${'9'.repeat(100_000)}`)],
  ['QRESYNC with known UIDs of 10,000 ranges', bad(`SELECT INBOX (QRESYNC (1 1 ${RANGES}))`, REFUSED)],

  ['a search nested 5,000 deep in parentheses', bad(`SEARCH ${'('.repeat(5000)}ALL${')'.repeat(5000)}`)],
  ['a search nested 5,000 deep in NOT', bad(`SEARCH ${'NOT '.repeat(5000)}ALL`)],
  ['a search nested 5,000 deep in OR', bad(`SEARCH ${'OR ALL '.repeat(5000)}ALL`)],
  ['a search nested 5,000 deep in FUZZY', bad(`SEARCH ${'FUZZY '.repeat(5000)}ALL`)],
  ['a search of 100,000 keys', bad(`SEARCH ${'ALL '.repeat(100_000)}ALL`)],
  ['a search of 1,000 BODY keys', bad(`SEARCH ${many(1000, (i) => `BODY "text ${i}"`)}`)],
  ['60 BODY keys', bad(`SEARCH ${many(60, (i) => `NOT BODY "${'x'.repeat(1000)}${i}"`)}`, OK)],
  ['900 HEADER keys', bad(`SEARCH ${many(900, (i) => `NOT HEADER X-${i} y`)}`, OK)],
  ['a text of 1 MB to look for', bad(`SEARCH TEXT "${'abcdefgh'.repeat(120_000)}"`, OK)],
  ['a fuzzy text of 1 MB', bad(`SEARCH FUZZY TEXT "${'abc defgh '.repeat(90_000)}"`, OK)],
  ['a charset of 1 MB', bad(`SEARCH CHARSET ${'X'.repeat(900_000)} ALL`, NO)],
  ['100,000 parentheses: SEARCH', bad(`SEARCH ${OPEN}`)],
  ['100,000 parentheses: SEARCH RETURN', bad(`SEARCH RETURN ${OPEN}`)],
  ['100,000 parentheses: LIST', bad(`LIST ${OPEN}`)],
  ['100,000 parentheses: LIST patterns', bad(`LIST "" ${OPEN}`)],
  ['100,000 parentheses: LIST RETURN', bad(`LIST "" % RETURN ${OPEN}`)],
  ['100,000 parentheses: FETCH', bad(`FETCH 1 ${OPEN}`)],
  ['100,000 parentheses: FETCH modifiers', bad(`FETCH 1 FLAGS ${OPEN}`)],
  ['100,000 parentheses: STORE', bad(`STORE 1 +FLAGS ${OPEN}`)],
  ['100,000 parentheses: THREAD', bad(`THREAD REFERENCES UTF-8 ${OPEN}`)],
  ['100,000 parentheses: SORT criteria', bad(`SORT ${OPEN}`)],
  ['100,000 parentheses: SORT', bad(`SORT (DATE) UTF-8 ${OPEN}`)],
  ['100,000 parentheses: NOTIFY', bad(`NOTIFY SET ${OPEN}`)],
  ['100,000 parentheses: ESEARCH', bad(`ESEARCH IN ${OPEN}`)],
  ['100,000 parentheses: SETMETADATA', bad(`SETMETADATA INBOX ${OPEN}`)],
  ['100,000 parentheses: GETMETADATA', bad(`GETMETADATA ${OPEN}`)],
  ['100,000 parentheses: SELECT', bad(`SELECT INBOX ${OPEN}`)],
  ['100,000 parentheses: STATUS', bad(`STATUS INBOX ${OPEN}`)],
  ['100,000 parentheses: ID', bad(`ID ${OPEN}`)],
  ['100,000 parentheses: CREATE', bad(`CREATE a ${OPEN}`)],
  ['100,000 parentheses: SETQUOTA', bad(`SETQUOTA "" ${OPEN}`)],
  ['100,000 parentheses: APPEND', bad(`APPEND INBOX ${OPEN}`)],
  ['100,000 parentheses: URLFETCH', bad(`URLFETCH ${OPEN}`)],
  ['100,000 sort keys', bad(`SORT (${many(100_000, () => 'DATE')}) UTF-8 ALL`)],
  ['100,000 return options', bad(`SEARCH RETURN (${many(100_000, () => 'ALL')}) ALL`)],
  ['100,000 comparators', bad(`COMPARATOR ${many(100_000, () => 'x')}`)],
  ['100,000 languages', bad(`LANGUAGE ${many(100_000, () => 'de')}`)],
  ['100,000 tags to cancel', bad(`CANCELUPDATE ${many(100_000, (i) => `"${i}"`)}`)],
  ['100,000 capabilities to enable', bad(`ENABLE ${many(100_000, () => 'X')}`)],

  ['a section of 5,000 numbers', bad(`FETCH 1 BODY[${many(5000, () => '1', '.')}]`)],
  ['a binary section of 5,000 numbers', bad(`FETCH 1 BINARY[${many(5000, () => '1', '.')}]`)],
  ['a header list of 10,000', bad(`FETCH 1 BODY.PEEK[HEADER.FIELDS (${many(10_000, (i) => `X-${i}`)})]`)],
  ['10,000 FETCH items', bad(`FETCH 1 (${many(10_000, () => 'ENVELOPE')})`)],
  ['100 FETCH items of the whole message each', bad(`FETCH 1:* (${many(100, () => 'BODY.PEEK[]')})`, OK)],
  ['a partial of the largest numbers', bad('FETCH 1 BODY.PEEK[]<9007199254740990.9007199254740990>', OK)],
  ['a partial beyond them', bad('FETCH 1 BODY.PEEK[]<99999999999999999999.1>')],
  ['a flag of 100,000 letters', bad(`STORE 1 +FLAGS (${'k'.repeat(100_000)})`)],
  ['10,000 flags', bad(`STORE 1 +FLAGS (${many(10_000, (i) => `k${i}`)})`)],

  ['a pattern of 100,000 wildcards', bad(`LIST "" ${'*%'.repeat(50_000)}`, /^(?:OK|NO|BAD) /)],
  ['patterns that explode', bad(`LIST "" (${many(100, () => `${'%*'.repeat(300)}Q`)})`, /^(?:OK|NO|BAD) /)],
  ['a mailbox name of 1,000 levels', bad(`CREATE ${many(1000, () => 'a', '/')}`, REFUSED)],
  ['a mailbox name of 1 MB', bad(`CREATE ${'a'.repeat(900_000)}`, REFUSED)],
  ['a mailbox name of slashes', bad(`CREATE ${'/'.repeat(10_000)}`, REFUSED)],
  ['a mailbox name with control characters', bad('CREATE "a&AAcACg-b"', REFUSED)],
  ['a wildcard in a mailbox name', bad('CREATE "a*b"', /^(?:OK|NO|BAD) /)],
  ['a rename below itself', bad('RENAME INBOX INBOX/a/b', REFUSED)],

  ['NOTIFY with 10,000 mailboxes', bad(`NOTIFY SET (MAILBOXES (${many(10_000, (i) => `m${i}`)}) (MessageNew MessageExpunge))`)],
  [
    'NOTIFY with 900 mailboxes that are not there',
    bad(`NOTIFY SET STATUS (MAILBOXES (${many(900, (i) => `m${i}`)}) (MessageNew MessageExpunge))`, /^(?:OK|NO) /),
  ],
  ['NOTIFY with 10,000 groups', bad(`NOTIFY SET ${many(10_000, () => '(PERSONAL NONE)')}`)],
  ['NOTIFY with 100,000 events', bad(`NOTIFY SET (PERSONAL (${many(100_000, () => 'MessageNew')}))`, BAD)],
  ['NOTIFY NONE', bad('NOTIFY NONE', OK)],
  ['ESEARCH in 10,000 mailboxes', bad(`ESEARCH IN (MAILBOXES (${many(10_000, (i) => `m${i}`)})) ALL`)],
  ['ESEARCH in the same mailbox 200 times', bad(`ESEARCH IN (MAILBOXES (${many(200, () => 'INBOX')})) ALL`, OK)],
  ['SETMETADATA of 10,000 entries', bad(`SETMETADATA INBOX (${many(10_000, (i) => `/private/e${i} "v"`)})`)],
  ['SETMETADATA of 200 entries where 100 are allowed', bad(`SETMETADATA INBOX (${many(200, (i) => `/private/e${i} "v"`)})`, NO)],
  ['GETMETADATA of 10,000 entries', bad(`GETMETADATA INBOX (${many(10_000, (i) => `/private/e${i}`)})`)],
  ['a metadata value of 900 KB', { bytes: 'x SETMETADATA INBOX (/private/comment {900000+}\r\n' + `${'v'.repeat(900_000)})\r\n`, answer: NO }],
  ['URLFETCH of 5,000 URLs', bad(`URLFETCH ${many(5000, () => '"imap://mx.us.test/INBOX/;UID=1"')}`)],
  ['URLFETCH of a URL of 100,000 letters', bad(`URLFETCH "imap://${'a'.repeat(100_000)}"`)],
  ['GENURLAUTH of 5,000 URLs', bad(`GENURLAUTH ${many(5000, () => '"imap://mx.us.test/INBOX/;UID=1" INTERNAL')}`)],
  ['CATENATE of 5,000 URLs', bad(`APPEND INBOX CATENATE (${many(5000, () => 'URL "/INBOX/;UID=1"')})`)],
  ['CATENATE of 900 URLs', bad(`APPEND INBOX CATENATE (${many(900, () => 'URL "/INBOX/;UID=1"')})`, OK)],
  ['an identifier of 100,000 letters', bad(`SETACL INBOX ${'a'.repeat(100_000)} lr`, REFUSED)],
  ['rights of 100,000 letters', bad(`SETACL INBOX bert@us.test ${'l'.repeat(100_000)}`, /^(?:OK|NO|BAD) /)],
  ['ID with 1,000 pairs', bad(`ID (${many(1000, (i) => `"k${i}" "v"`)})`)],
  ['a literal larger than allowed', { bytes: 'x SEARCH SUBJECT {1100000}\r\n', answer: TOO_BIG }],
  ['the same without asking', { bytes: `x SEARCH SUBJECT {1100000+}\r\n${'a'.repeat(1_100_000)}\r\n`, answer: TOO_BIG }],
  ['a literal of 999,999,999,999,999 bytes', { bytes: 'x SEARCH SUBJECT {999999999999999}\r\n', answer: TOO_BIG }],
  ['a literal of more digits than there are', bad(`SEARCH SUBJECT {${'9'.repeat(1000)}}`)],
  ['a message of 999,999,999,999,999 bytes', { bytes: 'x APPEND INBOX {999999999999999}\r\n', answer: /^NO \[TOOBIG\]/ }],
  ['10,000 empty literals', { bytes: `x SEARCH ${'SUBJECT {0+}\r\n '.repeat(10_000)}ALL\r\n`, answer: BAD }],
  ['a message, then a line without an end', { bytes: `x APPEND INBOX {3+}\r\nabc${' '.repeat(1_500_000)}\r\n`, answer: /^(?:BAD|NO) / }],
  ['a message, then a bare LF', { bytes: 'x APPEND INBOX {3+}\r\nabc\n', answer: BAD }],
  ['a message in a literal with NUL', { bytes: 'x APPEND INBOX {3+}\r\na\0b\r\n', answer: /^(?:OK|NO|BAD) / }],
  ['garbage behind a message', { bytes: 'x APPEND INBOX {3+}\r\nabc\xff\r\n', answer: BAD }],
  ['a STARTTLS after login', bad('STARTTLS')],
  ['a second login', bad(`LOGIN a b`)],
  ['AUTHENTICATE with 1 MB', bad(`AUTHENTICATE PLAIN ${'A'.repeat(1_000_000)}`)],
];
