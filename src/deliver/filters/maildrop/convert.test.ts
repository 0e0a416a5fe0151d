import assert from 'node:assert/strict';
import { test } from 'node:test';
import { convertMaildrop } from './convert.ts';
import { parseMaildrop } from './parse.ts';

function convert(text: string): { sieve: string; notes: readonly string[] } {
  const parsed = parseMaildrop(text, 'x');
  if ('problem' in parsed) throw new Error(parsed.problem.text);
  const { sieve, notes } = convertMaildrop(parsed.script);
  return { sieve, notes: notes.map(({ line, why }) => `${line}: ${why}`) };
}

const TESTS: readonly (readonly [maildrop: string, sieve: string])[] = [
  ['/^Subject:.*foo\\.bar/', 'header :contains "subject" "foo.bar"'],
  ['/^Subject:.*foo/:D', 'header :contains :comparator "i;octet" "subject" "foo"'],
  ['/^Subject: foo$/', 'header :is "subject" "foo"'],
  ['/^Subject:\\s*foo/', 'header :matches "subject" "foo*"'],
  ['/^Subject:.*foo.*bar$/', 'header :matches "subject" "*foo*bar"'],
  ['/^Subject:.*(foo|bar)/', 'header :regex "subject" "(foo|bar)"'],
  ['/^(To|Cc):.*list@x/', 'header :contains ["to", "cc"] "list@x"'],
  ['/^X-Spam:/', 'exists "x-spam"'],
  ['/^X-Spam: *yes/', 'header :matches "x-spam" "yes*"'],
  ['/money/:b', 'body :text :contains "money"'],
  ['hasaddr("a@b")', 'address :is ["to", "cc", "resent-to", "resent-cc"] "a@b"'],
  ['$SIZE > 1000', 'size :over 1000'],
  ['!/^X-A:/ && (/^X-B:/ || $SIZE < 5)', 'allof(not exists "x-a", anyof(exists "x-b", size :under 5))'],
];
for (const [maildrop, sieve] of TESTS)
  test(`${maildrop} is ${sieve}`, () => {
    const { sieve: text, notes } = convert(`if (${maildrop})\n to "x"\n`);
    assert.deepEqual(notes, []);
    assert.ok(text.includes(`if ${sieve} {\n    fileinto "x";\n    stop;\n}\n`), text);
  });

const ACTIONS: readonly (readonly [maildrop: string, sieve: string])[] = [
  ['to "Maildir/.Lists.Foo/"', 'fileinto "Lists/Foo";\nstop;'],
  ['to "$HOME/mail/lists"', 'fileinto "lists";\nstop;'],
  ['to $DEFAULT', 'keep;\nstop;'],
  ['cc "x"', 'fileinto :copy "x";'],
  ['cc "$DEFAULT"', 'fileinto :copy "INBOX";'],
  ['to "!a@b c@d"', 'redirect "a@b";\nredirect "c@d";\nstop;'],
  ['cc "!a@b"', 'redirect :copy "a@b";'],
  ['to "/dev/null"', 'discard;\nstop;'],
  ['exit', 'discard;\nstop;'],
  ['F="Maildir/.A"\nto $F', 'fileinto "A";\nstop;'],
  ['flock "l" {\n to "x"\n}', 'fileinto "x";\nstop;'],
];
for (const [maildrop, sieve] of ACTIONS)
  test(`${JSON.stringify(maildrop)} becomes ${JSON.stringify(sieve)}`, () => {
    const { sieve: text, notes } = convert(maildrop);
    assert.deepEqual(notes, []);
    assert.ok(text.endsWith(`${sieve}\n`), text);
  });

test('elsif and else stay what they are, extensions are required', () => {
  assert.equal(
    convert('if (/^A:/)\n cc "a"\nelsif (/^B:.*x|y/)\n{\n to "b"\n}\nelse\n exit\n').sieve,
    'require ["copy", "fileinto", "regex"];\n\nif exists "a" {\n    fileinto :copy "a";\n}\nelsif header :regex "b" "x|y" {\n    fileinto "b";\n    stop;\n}\nelse {\n    discard;\n    stop;\n}\n',
  );
});

test('every statement without counterpart is named with its line', () => {
  const { sieve, notes } = convert(
    'logfile "l"\nxfilter "spamc"\nif (/^X:.*a/:h,1 > 3)\n to "x"\nto "|cat"\nforeach /x/\n echo "y"\nA=`date`\nto "box-$A"\nwhile (1)\n exit\nif (/anywhere/)\n exit\nto "/abs/olute"\n',
  );
  assert.deepEqual(
    notes.map((note) => note.split(':')[0]),
    ['1', '2', '3', '5', '6', '8', '9', '10', '12', '14'],
  );
  assert.equal(sieve.match(/^# line \d+ is not converted: /gm)!.length, 10);
});

test('quotes and backslashes are quoted', () => {
  assert.ok(convert("to 'a\"b\\c'").sieve.includes('fileinto "a\\"b\\\\c"'));
});

test('a long chain of elsif is converted', () => {
  const { sieve, notes } = convert(`if (/^A:/)\n to "a"\n${'elsif (/^B:/)\n to "b"\n'.repeat(900)}`);
  assert.deepEqual([sieve.match(/elsif/g)!.length, notes], [900, []]);
});
