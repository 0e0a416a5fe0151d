import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DESTINATION_LIMITS, type Destination, parseDestinations } from './destination.ts';

const inWords = (d: Destination): string => {
  if (d.kind === 'address') return `${d.isFinal ? '\\' : ''}${d.local}${d.domain === null ? '' : `@${d.domain}`}`;
  if (d.kind === 'invalid') return `?${d.text}`;
  return `${d.kind} ${d.kind === 'command' ? d.command : d.path}`;
};
const read = (text: string): string[] => parseDestinations(text, { form: 'value' }).destinations!.map(inWords);

const ROWS: readonly [text: string, found: readonly string[]][] = [
  ['', []],
  [' , ,\t', []],
  ['bob', ['bob']],
  ['Bob@Example.ORG', ['Bob@example.org']],
  ['bob, far@far.test', ['bob', 'far@far.test']],
  ['bob cat', ['bob', 'cat']],
  ['bob; cat', ['bob', 'cat']],
  ['bob\n , cat', ['bob', 'cat']],
  ['\\ann, \\bob@far.test', ['\\ann', '\\bob@far.test']],
  ['"\\\\bob", \\\\cat', ['\\bob', '\\cat']],
  ['\\"bob\\"', ['"bob"']],
  ['a\\,b, c\\ d@far.test', ['a,b', 'c d@far.test']],
  ['bob @ far.test, cat @far . test', ['bob@far.test', 'cat@far.test']],
  ['bob@far.test.', ['bob@far.test']],
  ['bob..smith@far.test, .bob@far.test', ['bob..smith@far.test', '.bob@far.test']],
  ['a.b@[127.0.0.1]', ['a.b@[127.0.0.1]']],
  ['"quoted user"@far.test, "quoted user"', ['quoted user@far.test', 'quoted user']],
  ['"bob@far.test"', ['bob@far.test']],
  ['bob@mx.test@far.test', ['bob@mx.test@far.test']],
  ['ümlaut, bob@ümlaut.test', ['ümlaut', 'bob@xn--mlaut-jva.test']],
  // Names, comments, groups, routes.
  ['Bob Name <bob@far.test>, (comment) cat', ['bob@far.test', 'cat']],
  ['"a, b" <cat> ann', ['cat', 'ann']],
  ['bob(comment)cat, (x(y)z) ann', ['bob', 'cat', 'ann']],
  ['bob (unfinished, cat', ['bob']],
  ['"bob""cat"', ['bob', 'cat']],
  ['bob> cat', ['bob', 'cat']],
  ['group: bob, cat;', ['bob', 'cat']],
  ['group:bob,cat;, ann', ['bob', 'cat', 'ann']],
  ['error:no, host::user, a:b@far.test', ['error:no', 'host::user', 'a:b@far.test']],
  [':fail: nobody', [':fail:nobody']],
  ['@far.test:bob@far.test, <@a.test,@b.test:bob@far.test>', ['bob@far.test', 'bob@far.test']],
  // Programs.
  ['|/bin/cat, bob', ['command /bin/cat', 'bob']],
  ['|/bin/cat a', ['command /bin/cat', 'a']],
  ['"|/bin/cat a, b"', ['command /bin/cat a, b']],
  ['|"/bin/cat a, b", bob', ['command /bin/cat a, b', 'bob']],
  ['| /bin/cat', ['command /bin/cat']],
  ['||x', ['command |x']],
  ['\\|x', ['command x']],
  ['"|echo \\"a\\\\b\\""', ['command echo "a\\b"']],
  ['"|unfinished', ['command unfinished']],
  ['|a:b@c.d<e', ['command a:b@c.d<e']],
  ['<|/bin/cat>', ['command /bin/cat']],
  // Files and lists.
  ['/var/mail/x, /home/ann/Maildir/', ['file /var/mail/x', 'maildir /home/ann/Maildir/']],
  ['"/a b, c"', ['file /a b, c']],
  ['~/mbox, ~/Mail/', ['file ~/mbox', 'maildir ~/Mail/']],
  [':include:/a/b, x', ['include /a/b', 'x']],
  [':Include: /a', ['include /a']],
  [':include:"/a b", ":include:/c d"', ['include /a b', 'include /c d']],
  // What makes no sense.
  ['<>', ['?<>']],
  ['bob@, cat', ['?bob@', 'cat']],
  ['bob@.far.test', ['?bob@.far.test']],
  ['<bob, cat', ['?<bob', 'cat']],
  ['|, ""', ['?|', '?']],
  ['~bob/file', ['?~bob/file']],
  ['x@[1.2.3.4', ['?x@[1.2.3.4']],
  ['a\x01b', ['?a\x01b']],
];
for (const [text, found] of ROWS) test(`destinations of ${JSON.stringify(text)}`, () => assert.deepEqual(read(text), found));

test('lines of a file stand by themselves, comments are passed over, and each destination knows its line', () => {
  const text = '# staff\nbob, cat\r\n\n   # indented\n  "unfinished\nann@far.test (Ann)\n';
  const { destinations } = parseDestinations(text, { form: 'lines' });
  assert.deepEqual(
    destinations!.map((d) => `${d.line} ${inWords(d)}`),
    ['2 bob', '2 cat', '5 unfinished', '6 ann@far.test'],
  );
});

test('too many characters, too long a line and too many destinations are problems of the whole text', () => {
  const limits = { textChars: 100, lineChars: 20, entries: 3 };
  assert.match(parseDestinations('x'.repeat(101), { form: 'lines', limits }).problem!.text, /100 characters/);
  assert.deepEqual(parseDestinations(`a\n${'x'.repeat(21)}`, { form: 'lines', limits }).problem, { line: 2, text: 'the line has more than 20 characters' });
  assert.equal(parseDestinations(`a\nb\nc\nd`, { form: 'lines', limits }).problem!.line, 4);
  assert.equal(parseDestinations(`a,b,c,d`, { form: 'value', line: 7, limits }).problem!.line, 7);
});

test('hostile texts of a megabyte are read in steps that grow with their length only', () => {
  const length = DESTINATION_LIMITS.lineChars - 10;
  for (const piece of ['<', '(', '"', '\\', '<@,', 'a(', '<"', ':', 'a:', '@', '[', '<(', '|', '\\"', '>', ':include:', '<a\\', 'a.', '"" ', 'a:b;']) {
    const read = parseDestinations(piece.repeat(length / piece.length), { form: 'value' });
    assert.ok(read.destinations !== undefined || read.problem !== undefined);
  }
});

test('any text gives destinations whose parts fit together', () => {
  const pieces = fc.constantFrom(
    'a',
    'b c',
    ',',
    ' ',
    '"',
    '\\',
    '|',
    '/',
    '~',
    ':include:',
    '<',
    '>',
    '(',
    ')',
    '@',
    '.',
    ';',
    ':',
    '[',
    ']',
    '#',
    '\0',
    '\n',
    'é',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), fc.constantFrom('value', 'lines'), (parts, form) => {
      for (const d of parseDestinations(parts.join(''), { form: form as 'value' | 'lines' }).destinations!) {
        if (d.kind === 'address') assert.ok(d.local !== '' && d.domain !== '');
        if (d.kind === 'command') assert.notEqual(d.command.trim(), '');
        if (d.kind === 'file' || d.kind === 'maildir') assert.match(d.path, /^~?\//);
        if (d.kind === 'maildir') assert.ok(d.path.endsWith('/'));
      }
    }),
    { seed: 5, numRuns: 5000 },
  );
});
