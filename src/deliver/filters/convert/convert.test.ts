import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileSieve } from '../sieve/sieve.ts';
import { EXTENSIONS_ON } from '../sieve/testing.ts';
import type { ConvertibleLanguage } from './convert.ts';
import { convertFilter } from './convert.ts';
import { mailboxOf } from './folders.ts';
import { converted, OPTIONS } from './testing.ts';

/** Lines of the script without heading and require, or the notes. */
function body(text: string, language: ConvertibleLanguage = 'procmail'): string {
  const { sieve, notes } = converted(text, language);
  if (notes.length > 0) return notes.map(({ line, why }) => `${line}: ${why}`).join('\n');
  return sieve
    .split('\n')
    .filter((line, index) => index > 1 && !line.startsWith('require') && line !== '')
    .join('\n');
}

const CONDITIONS: readonly (readonly [procmail: string, sieve: string])[] = [
  ['^Subject:.*foo', 'header :contains "subject" "foo"'],
  ['^Subject: foo', 'header :matches "subject" "foo*"'],
  ['^Subject: foo$', 'header :is "subject" "foo"'],
  ['^Subject:.*foo$', 'header :matches "subject" "*foo"'],
  ['^Subject:.* foo', 'header :matches "subject" ["* foo*", "foo*"]'],
  ['^Subject:.*foo.*bar', 'header :matches "subject" "*foo*bar*"'],
  ['^Subject:.*(foo|bar)', 'header :contains "subject" ["foo", "bar"]'],
  ['^Subject:.*f[aeiouy]o', 'header :regex "subject" "f[aeiouy]o"'],
  ['^Subject:.*\\<foo', 'header :regex "subject" ["[^A-Za-z0-9_]foo", "^foo"]'],
  ['^Subject:.*what\\?', 'header :contains "subject" "what?"'],
  ['^Subject:.*a\\*.*b', 'header :matches "subject" "*a\\\\**b*"'],
  ['^Subject:', 'exists "subject"'],
  ['^Subject:.*', 'exists "subject"'],
  ['^Subject:[ \t]*$', 'header :is "subject" ""'],
  ['! ^Subject:.*foo', 'not header :contains "subject" "foo"'],
  ['^(From|Reply-To):.*bob', 'header :contains ["from", "reply-to"] "bob"'],
  ['^((Resent-)?From|Sender):.*bob', 'header :contains ["from", "resent-from", "sender"] "bob"'],
  ['^[Ss]ubject:.*foo', 'header :contains "subject" "foo"'],
  ['^From:.*bob|^To:.*anna', 'anyof(header :contains "from" "bob", header :contains "to" "anna")'],
  ['^From bob@', 'envelope :matches "from" "bob@*"'],
  ['^From MAILER-DAEMON', 'anyof(envelope :matches "from" "MAILER-DAEMON*", envelope :is "from" "")'],
  ['> 1000', 'size :over 1000'],
  ['! > 1000', 'not size :over 1000'],
  ['B ?? money', 'body :raw :contains "money"'],
  ['^Subject:.*gr\xc3\xbcn', 'header :contains "subject" "grün"'],
];
for (const [procmail, sieve] of CONDITIONS)
  test(`* ${procmail} is ${sieve}`, () => {
    const text = Buffer.from(`:0\n* ${procmail}\nx\n`, 'latin1');
    const made = convertFilter(text, 'x', 'procmail', OPTIONS);
    assert.ok('converted' in made);
    assert.deepEqual(made.converted.notes, []);
    assert.ok(made.converted.sieve.includes(`if ${sieve} {\n    fileinto "x";\n    stop;\n}\n`), made.converted.sieve);
  });

const LEFT_OUT: readonly (readonly [procmail: string, why: RegExp])[] = [
  [':0\n* foo@example\nx\n', /any header field/],
  [':0\n* ^Subject:foo\nx\n', /no room for the blank/],
  [':0\n* ^Subject: foo$.*bar\nx\n', /several header fields/],
  [':0\n* ^Subject\nx\n', /without its colon/],
  [':0\n* ^Subject:.*=\\?iso-2022\nx\n', /encoded words/],
  [':0\n* ^TO_$ME\nx\n', /does not begin with "\$"/],
  [':0\n* $ ^TO_$LOGNAME\nx\n', /only known when a message is there/],
  [':0 HB\n* ^Subject:.*foo\nx\n', /header and body at once/],
  [':0 B\n* ^foo\nx\n', /more than a text/],
  [':0\n* 1^0 ^Subject:.*foo\nx\n', /a score/],
  [':0\n* ? test -f x\nx\n', /a program decides/],
  [':0\n* B ?? > 100\nx\n', /the size of a part/],
  [':0\n| cat\n', /gets the message$/],
  [':0 Wh: msgid.lock\n| formail -D 8192 msgid.cache\n', /test "duplicate"/],
  [':0 c\n| vacation anna\n', /"vacation", RFC 5230/],
  [':0fw\n| spamc\n', /changes the message .*"spamtest"/],
  [':0fhw\n| formail -A "X-A: b"\n', /"addheader"/],
  [':0\nX=| cat\n', /what a variable is/],
  [':0 h\nx\n', /only a part/],
  [':0\n$UNKNOWN/x\n', /where it goes/],
  [':0\n/srv/archive/x\n', /outside of the user's mail/],
  [':0\n! -f x bob@example.net\n', /with options/],
  [':0\n! bob@\n', /no address/],
  [':0\na b\n', /not all directories/],
  [':0 e\nx\n', /after an error/],
  [':0 c\n{\n:0\n* ^A:.*b\nx\n}\n', /goes on behind the block/],
  ['INCLUDERC=other\n', /convert it by itself/],
  ['EXITCODE=77\n', /exit code/],
  ['A=`date`\n', /value of A/],
  [':0 x\n', /does not understand it either/],
];
for (const [procmail, why] of LEFT_OUT)
  test(`left out with a note: ${JSON.stringify(procmail)}`, () => {
    const { sieve, notes } = converted(procmail, 'procmail');
    assert.ok(
      notes.some((note) => why.test(note.why)),
      JSON.stringify(notes),
    );
    assert.equal(sieve.match(/^ *# line \d+ is not converted: /gm)!.length, notes.length);
  });

test('variables that have one value are filled in; those set in a block hold in the block', () => {
  assert.equal(body('ME=anna\n:0\n* $ ^To:.*$\\ME@$HOST\nx\n'), '2: a condition that is made of what is only known when a message is there');
  assert.equal(body('ME=anna\nBOX=$ME.box\n:0:\n* $ ^To:.*$ME@\n$BOX\n'), 'if header :contains "to" "anna@" {\n    fileinto "anna.box";\n    stop;\n}');
  assert.equal(body('A=1\n:0\n* ^X:.*y\n{\n  A=2\n  :0 c\n  box$A\n}\n:0\nbox$A\n'), '9: where it goes is only known when a message is there');
  assert.equal(body('A=1\n:0\n{\n  A=2\n}\n:0\nbox$A\n'), 'fileinto "box2";\nstop;');
});

test('A, E and blocks', () => {
  assert.equal(
    body(':0 c\n* ^A:.*a\na\n:0 A c\n* ^B:.*b\nb\n:0 c\n* ^C:.*c\nc\n:0 E c\n* ^D:.*d\nd\n:0 E c\ne\n'),
    [
      'if header :contains "a" "a" {',
      '    fileinto :copy "a";',
      '    if header :contains "b" "b" {',
      '        fileinto :copy "b";',
      '    }',
      '}',
      'if header :contains "c" "c" {',
      '    fileinto :copy "c";',
      '}',
      'elsif header :contains "d" "d" {',
      '    fileinto :copy "d";',
      '}',
      'else {',
      '    fileinto :copy "e";',
      '}',
    ].join('\n'),
  );
});

test('a copy that goes through a block does not end the script', () => {
  assert.equal(
    body(':0 c\n{\n:0\n* ^A:.*a\na\n:0\n! bob@example.net\n}\n:0\nb\n'),
    'if header :contains "a" "a" {\n    fileinto :copy "a";\n}\nelse {\n    redirect :copy "bob@example.net";\n}\nfileinto "b";\nstop;',
  );
});

test('what a recipe that was left out decides is not guessed', () => {
  assert.equal(body(':0 c\n* ? true\nx\n:0 E\ny\n:0\n* ^A:.*a\nz\n'), '1: a program decides\n4: it depends on a recipe before it that is not converted');
});

const FOLDERS: readonly (readonly [path: string, mailbox: string])[] = [
  ['lists', 'lists'],
  ['lists/', 'lists'],
  ['lists/.', 'lists'],
  ['~/Mail/lists/debian', 'lists/debian'],
  ['~/Maildir/', ''],
  ['~/Maildir/.Lists.Foo/', 'Lists/Foo'],
  ['.Lists.Foo/', 'Lists/Foo'],
  ['list.debian', 'list.debian'],
  ['./', ''],
  ['INBOX', ''],
  ['/var/mail/anna', ''],
  ['~/old', 'old'],
];
for (const [path, mailbox] of FOLDERS)
  test(`${path} is the mailbox "${mailbox}"`, () => assert.equal(mailboxOf(path, { directory: '~/Mail', inbox: '~/Maildir/' }), mailbox));
for (const path of ['/srv/x', '../x', '~bob/x', 'a\x01b', 'x'.repeat(300)])
  test(`${JSON.stringify(path.slice(0, 20))} is no mailbox`, () => assert.throws(() => mailboxOf(path, { directory: '~/Mail', inbox: '~/Maildir/' })));

test('.forward: own address, others, files, and what is left out', () => {
  assert.equal(body('\\anna, anna+x@example.org, bob@example.net, carl\n', 'forward'), 'keep;\nredirect "bob@example.net";\nredirect "carl@example.org";');
  assert.equal(body('/dev/null\n', 'forward'), 'discard;');
  assert.equal(body('"|/usr/bin/vacation anna"\n:include:/x\n<>\n/srv/x\n', 'forward').split('\n').length, 4);
  assert.match(body('a,b,c,d,e\n', 'forward'), /^0: it forwards to 5 addresses.*sieve\.redirectsMax/);
});

test('.qmail: forwards, mailboxes, comments, builtins', () => {
  assert.equal(body('# x\n&bob@example.net\n./Maildir/\n./Maildir/.A.B/\n', 'qmail'), 'redirect "bob@example.net";\nkeep;\nfileinto "A/B";');
  assert.equal(body('# nothing\n', 'qmail'), 'discard;');
  assert.equal(body('', 'qmail'), 'keep;');
  assert.equal(body("|bouncesaying 'no such list'\n&x@example.net\n", 'qmail'), 'ereject "no such list";\nstop;');
  assert.match(body('|except test -f x\n', 'qmail'), /a program decides/);
  assert.match(body('&a@example.net\n|bouncesaying no\n', 'qmail'), /behind forwards/);
});

test('any text is converted into a script that compiles', () => {
  const pieces = fc.constantFrom(
    ...[
      ':0',
      ':0 c',
      ':0 E',
      '\n',
      '\n* ',
      '^',
      '$',
      '.*',
      '(',
      ')',
      '|',
      '[',
      ']',
      '[^a]',
      '\\',
      '\\/',
      '\\<',
      '^^',
      '^Subject:',
      ' ',
      'x',
      '"',
      '\t',
      '{',
      '}',
      '! ',
      'a@b',
      '?? ',
      'B',
      '/',
      '\xff',
      '\0',
      '=',
      '?',
      '+',
      '^TO_',
      '/dev/null',
      '#',
      '$A',
      '`c`',
    ],
    ':0\n* ^Subject:.*',
    '\n:0\n* ^From:',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 25 }), fc.constantFrom<ConvertibleLanguage>('procmail', 'forward', 'qmail', 'maildrop'), (parts, language) => {
      const made = convertFilter(Buffer.from(parts.join(''), 'latin1'), 'x\n"y', language, OPTIONS);
      if ('problem' in made) return;
      const compiled = compileSieve(made.converted.sieve, { file: 'x', extensions: EXTENSIONS_ON });
      assert.ok('script' in compiled, `${made.converted.sieve}\n${JSON.stringify(compiled)}`);
    }),
    { seed: 9, numRuns: 4000 },
  );
});

test('large and deep patterns end at a bound', () => {
  for (const pattern of [
    '(a|b)'.repeat(50),
    '('.repeat(5000),
    `^${'(x|y)?'.repeat(40)}:`,
    `^Subject:.*${'(a|b|c)'.repeat(30)}`,
    `^Subject:${'( |a)*'.repeat(200)}b`,
    `^(${'A:|'.repeat(5000)}B:)`,
  ]) {
    const { sieve } = converted(`:0\n* ${pattern}\nx\n`, 'procmail');
    assert.ok(sieve.length < 100_000, pattern.slice(0, 40));
  }
});

test('blocks and chains without end come to an end', () => {
  const deep = `${':0 c\n* ^A:.*a\n{\n'.repeat(60)}:0\nx\n${'}\n'.repeat(60)}`;
  const chains = `:0 c\n* ^A:.*a\nx\n${':0 AEc\n* ^B:.*b\ny\n:0 Ec\n* ^C:.*c\nz\n:0 Ac\n* ^D:.*d\nw\n'.repeat(100)}`;
  const copies = `:0 c\n{\n${':0\n* ^A:.*a\nx\n:0 c\n* ^B:.*b\n{\n:0\ny\n}\n'.repeat(40)}:0\nz\n}\n`;
  for (const text of [deep, chains, copies, ':0\n* ^A:.*a\n{\n'.repeat(100), ':0 c\n* ^A:.*a\nx\n:0 Ac\n* ^B:.*b\ny\n'.repeat(2000)]) {
    const { sieve } = converted(text, 'procmail');
    const compiled = compileSieve(sieve, { file: 'x', extensions: EXTENSIONS_ON });
    assert.ok('script' in compiled, JSON.stringify(compiled));
  }
});
