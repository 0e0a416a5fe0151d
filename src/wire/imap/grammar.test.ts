import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppendGrammar, appendMailbox } from './append.ts';
import {
  authenticateArguments,
  copyArguments,
  createArguments,
  enableArguments,
  idArguments,
  loginArguments,
  mailboxArgument,
  noArguments,
  renameArguments,
  setArgument,
  storeArguments,
} from './arguments.ts';
import { Cursor, ImapSyntaxError } from './cursor.ts';
import { fetchArguments } from './fetch.ts';
import { listArguments, lsubArguments, statusArguments } from './list.ts';
import { searchArguments } from './search.ts';
import { selectArguments } from './select.ts';

type Parser = (cursor: Cursor) => unknown;
const PARSERS = {
  append: (cursor) => [appendMailbox(cursor), ...new AppendGrammar(false).steps(cursor, true)],
  authenticate: authenticateArguments,
  copy: copyArguments,
  create: createArguments,
  enable: enableArguments,
  fetch: fetchArguments,
  id: idArguments,
  list: listArguments,
  login: loginArguments,
  lsub: lsubArguments,
  mailbox: mailboxArgument,
  none: noArguments,
  rename: renameArguments,
  search: searchArguments,
  select: selectArguments,
  set: setArgument,
  status: statusArguments,
  store: storeArguments,
} satisfies Record<string, Parser>;

function parse(name: keyof typeof PARSERS, text: string): unknown {
  return PARSERS[name](new Cursor(Buffer.from(text, 'utf8')));
}

const GOOD: [keyof typeof PARSERS, string][] = [
  ['none', ''],
  ['none', '  '],
  ['login', ' a b'],
  ['login', ' "a \\"b" "c\\\\"'],
  ['login', ' {3+}\r\na b {1}\r\nc'],
  ['fetch', ' 1 (PREVIEW (LAZY LAZY) SAVEDATE EMAILID THREADID)'],
  ['fetch', ' 1 FLAGS (CHANGEDSINCE 0 VANISHED PARTIAL -1:-30)'],
  ['select', ' INBOX (QRESYNC (1 2))'],
  ['select', ' INBOX (CONDSTORE QRESYNC (0 9223372036854775807 1:3,9 (1,3:4 1,5:6)))'],
  ['fetch', ' 1 FLAGS'],
  ['fetch', ' 1:*,4 (UID BODY.PEEK[HEADER.FIELDS (Subject "From" {2+}\r\nTo)]<0.100>)'],
  ['fetch', ' $ FAST'],
  ['fetch', ' *:3 BODY[1.2.MIME]'],
  ['fetch', ' 1 (BINARY.PEEK[1.2]<5.7> BINARY.SIZE[3] BINARY[])'],
  ['fetch', ' 1 RFC822.HEADER (CHANGEDSINCE 0)'],
  ['fetch', ' 1 (RFC822 RFC822.TEXT RFC822.SIZE INTERNALDATE ENVELOPE BODY BODYSTRUCTURE MODSEQ)'],
  ['fetch', ' 1 BODY[]<4294967296.1>'],
  ['search', ' ALL'],
  ['search', ' RETURN () CHARSET UTF-8 NOT (OR SEEN (DELETED UID 1:5)) 4,7'],
  ['search', ' RETURN (SAVE MIN COUNT) SINCE 1-Feb-2024 HEADER "X-Y" ""'],
  ['search', ' MODSEQ "/flags/\\\\draft" all 620162338'],
  ['search', ' SENTON "17-Jul-1996" LARGER 10 KEYWORD $Junk YOUNGER 60'],
  ['list', ' "" *'],
  ['list', ' "" "foo/%"'],
  ['list', ' (SUBSCRIBED RECURSIVEMATCH) "" (a* b%) RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)'],
  ['list', ' () "" ("x")'],
  ['lsub', ' "" "%"'],
  ['status', ' INBOX (MESSAGES SIZE HIGHESTMODSEQ)'],
  ['store', ' 1:4 +FLAGS.SILENT (\\Seen foo)'],
  ['store', ' 1 (UNCHANGEDSINCE 5) -FLAGS \\Deleted'],
  ['store', ' 1 FLAGS ()'],
  ['store', ' 1 FLAGS \\Seen \\Answered'],
  ['append', ' box '],
  ['append', ' "a b" (\\Seen $x) " 1-Feb-2024 01:02:03 +0100" '],
  ['append', ' box UTF8 ('],
  ['append', ' box (\\Recent) '],
  ['select', ' INBOX (CONDSTORE)'],
  ['create', ' x/y (USE (\\Sent))'],
  ['rename', ' a "b c"'],
  ['copy', ' 1,3:5 Trash'],
  ['set', ' 1:*'],
  ['enable', ' CONDSTORE UTF8=ACCEPT'],
  ['id', ' NIL'],
  ['id', ' ()'],
  ['id', ' ("name" "x" "version" NIL)'],
  ['authenticate', ' PLAIN'],
  ['authenticate', ' PLAIN ='],
  ['authenticate', ' PLAIN AGEAYg=='],
  ['mailbox', ' Entw&APw-rfe'],
  ['mailbox', ' "Entwürfe"'],
  ['mailbox', ' "a&b"'],
];

const BAD: [keyof typeof PARSERS, string][] = [
  ['none', ' x'],
  ['login', ' a'],
  ['login', ' a  b'],
  ['login', ' "a b'],
  ['login', ' "a\\x" b'],
  ['login', ' {3+}\r\na'],
  ['login', ' {3+}\r\na\0b c'],
  ['fetch', ' 0 FLAGS'],
  ['fetch', ' 1:2: FLAGS'],
  ['fetch', ' 1, FLAGS'],
  ['fetch', ' 4294967296 FLAGS'],
  ['fetch', ' 1 ()'],
  ['fetch', ' 1 (FLAGS'],
  ['fetch', ' 1 (FLAGS FAST)'],
  ['fetch', ' 1 NONSENSE'],
  ['fetch', ' 1 BODY[HEADER.FIELDS ()]'],
  ['fetch', ' 1 BODY[MIME]'],
  ['fetch', ' 1 BODY[0]'],
  ['fetch', ' 1 BODY[1.]'],
  ['fetch', ' 1 BODY[]<1.0>'],
  ['fetch', ' 1 BODY[]<1>'],
  ['fetch', ' 1 FLAGS (CHANGEDSINCE)'],
  ['fetch', ' 1 FLAGS (VANISHED)'],
  ['search', ''],
  ['search', ' NOT'],
  ['search', ' OR SEEN'],
  ['search', ' (SEEN'],
  ['search', ' NONSENSE'],
  ['search', ' SINCE 30-Feb-2024'],
  ['search', ' SINCE 1-Foo-2024'],
  ['search', ' RETURN (NONSENSE) ALL'],
  ['search', ' CHARSET UTF-8'],
  ['list', ' ""'],
  ['list', ' (RECURSIVEMATCH) "" *'],
  ['list', ' (NONSENSE) "" *'],
  ['list', ' "" () '],
  ['list', ' "" * RETURN'],
  ['status', ' INBOX ()'],
  ['status', ' INBOX (NONSENSE)'],
  ['store', ' 1 FLAGS'],
  ['store', ' 1 FLAGS (\\Nonsense)'],
  ['store', ' 1 NONSENSE (\\Seen)'],
  ['append', ' box'],
  ['append', ' box "31-Feb-2024 01:02:03 +0100" '],
  ['append', ' box (\\Seen)  '],
  ['select', ' INBOX (QRESYNC (1 2 *))'],
  ['select', ' INBOX (QRESYNC (1 2 1:3 (1:2 1:3)))'],
  ['select', ' INBOX (QRESYNC (1 2) QRESYNC (1 2))'],
  ['fetch', ' 1 FLAGS (VANISHED)'],
  ['fetch', ' 1 FLAGS (PARTIAL 1:-2)'],
  ['fetch', ' 1 (PREVIEW (QUICK))'],
  ['create', ' x (USE)'],
  ['rename', ' a'],
  ['enable', ''],
  ['id', ' ("name")'],
  ['id', ''],
  ['authenticate', ' PLAIN AGEAYg='],
  ['mailbox', ' "\xff\xfe"'.replace('ÿþ', '\u0001')],
  ['mailbox', ' a b'],
];

for (const [name, text] of GOOD) test(`${name}${text.replaceAll('\r\n', '\\r\\n')} is understood`, () => void parse(name, text));
for (const [name, text] of BAD) {
  test(`${name}${text.replaceAll('\r\n', '\\r\\n')} is BAD`, () => assert.throws(() => parse(name, text), ImapSyntaxError));
}

test('mailbox names: INBOX in any case, modified UTF-7, UTF-8, and a bare "&"', () => {
  assert.equal(parse('mailbox', ' inBOX'), 'INBOX');
  assert.equal(parse('mailbox', ' inbox/x'), 'INBOX/x');
  assert.equal(parse('mailbox', ' inboxes'), 'inboxes');
  assert.equal(parse('mailbox', ' Entw&APw-rfe'), 'Entwürfe');
  assert.equal(parse('mailbox', ' "Entwürfe"'), 'Entwürfe');
  assert.equal(parse('mailbox', ' "a & b"'), 'a & b');
  assert.throws(() => mailboxArgument(new Cursor(Buffer.from(' "\xff"', 'latin1'))), ImapSyntaxError);
});

test('a section keeps the spelling of its field names for the response', () => {
  const { items } = fetchArguments(new Cursor(Buffer.from(' 1 BODY.PEEK[1.HEADER.FIELDS.NOT (Subject "X Y")]<7.9>')));
  assert.deepEqual(items, [
    {
      kind: 'section',
      label: 'BODY[1.HEADER.FIELDS.NOT (Subject "X Y")]<7>',
      section: { path: [1], text: 'HEADER.FIELDS.NOT', fields: ['subject', 'x y'] },
      setsSeen: false,
      partial: { start: 7, count: 9 },
    },
  ]);
});

test('5,000 parentheses, NOTs and ORs inside each other are BAD, and quickly', () => {
  for (const [open, close] of [
    ['(', ')'],
    ['NOT ', ''],
    ['OR ALL ', ''],
  ] as const)
    assert.throws(() => parse('search', ` ${open.repeat(5000)}ALL${close.repeat(5000)}`), /nested too deep/);
  assert.ok(parse('search', ` ${'('.repeat(90)}ALL${')'.repeat(90)}`));
});

test('10,000 ranges are BAD', () => {
  assert.throws(() => parse('fetch', ` ${Array.from({ length: 10_000 }, (_, i) => i * 2 + 1).join(',')} FLAGS`), /Too many ranges/);
});

test('random arguments never do anything but parse or say BAD', () => {
  const word = fc.constantFrom(
    ...'( ) [ ] < > . , : * $ % " { } {3+}\r\nabc 1 4294967295 99999999999999999999 BODY BODY[ PEEK HEADER.FIELDS ALL NOT OR UID \\Seen \\ UTF8 RETURN STATUS NIL (USE 1-Jan-2020 & &- \u00e9'.split(
      ' ',
    ),
    ' ',
    ' ',
    ' ',
  );
  fc.assert(
    fc.property(fc.constantFrom(...(Object.keys(PARSERS) as (keyof typeof PARSERS)[])), fc.array(word, { maxLength: 20 }), (name, words) => {
      try {
        parse(name, words.join(''));
      } catch (error) {
        assert.ok(error instanceof ImapSyntaxError, String(error));
      }
    }),
    { seed: 11, numRuns: 3000 },
  );
});
