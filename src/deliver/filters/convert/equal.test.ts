import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConvertibleLanguage } from './convert.ts';
import { converted, doneBy, doneBySieve, type Letter } from './testing.ts';

const SUBJECTS = [
  'hello',
  'make money fast',
  '[list] news',
  'URGENT: call me',
  'Re: foo bar',
  'foobar',
  'a foo',
  'foo',
  'the end foo.',
  'x*y?z',
  'a.b\\c "d"',
  '',
  '12345',
];
const PEOPLE = [
  'bob@example.net',
  'Bob <bob@example.net>',
  'list@example.org',
  '"The List" <list@example.org>',
  'mylist@example.org',
  'list@example.org.uk',
  'anna@example.org, carl@example.com',
  'MAILER-DAEMON@mx.example.net (Mail Delivery System)',
  'Mail Delivery System <MAILER-DAEMON@mx.example.net>',
  'root@box',
  'daemonic@example.net',
  'Owner of X <owner-x@lists.example.net>',
];
const HEADERS = [
  'X-Spam-Flag: YES',
  'X-Spam-Flag: NO',
  'X-Spam-Level: *****',
  'List-Id: Debian users <debian-user.lists.debian.org>',
  'Precedence: bulk',
  'Precedence: first-class',
  'Mailing-List: contact x',
  'X-Loop: anna@example.org',
  'Resent-To: list@example.org',
  'Delivered-To: list@example.org',
  'Content-Transfer-Encoding: quoted-printable',
];
const BODIES = ['Hello.\n', 'a line with f=6Fo\n', 'Make money now\nfoo bar\n', 'a line with foo\nand one with BAR\n', `${'long '.repeat(400)}\n`, ''];
const SENDERS = ['bob@example.net', 'owner-x@lists.example.net', 'MAILER-DAEMON@mx.example.net', 'anna@example.org', null];

const letters: fc.Arbitrary<Letter> = fc
  .record({
    sender: fc.constantFrom(...SENDERS),
    from: fc.constantFrom(...PEOPLE),
    to: fc.constantFrom(...PEOPLE),
    cc: fc.option(fc.constantFrom(...PEOPLE)),
    subject: fc.constantFrom(...SUBJECTS),
    more: fc.subarray(HEADERS),
    body: fc.constantFrom(...BODIES),
  })
  .map(({ sender, from, to, cc, subject, more, body }) => ({
    sender,
    header: [`From: ${from}`, `To: ${to}`, ...(cc === null ? [] : [`Cc: ${cc}`]), `Subject: ${subject}`, ...more],
    body,
  }));

// ── procmail ─────────────────────────────────────────────────────────────────────────────────────────

const PATTERNS = [
  '^Subject:.*foo',
  '^Subject: foo',
  '^Subject: foo$',
  '^Subject:.*foo$',
  '^Subject:.* foo',
  '^Subject:.*\\<foo\\>',
  '^Subject:.*foo\\>',
  '^Subject:.*(money|urgent)',
  '^Subject:.*\\[list\\]',
  '^Subject: *\\[.*\\]',
  '^Subject:[ \t]*[0-9]+',
  '^Subject:.*[0-9]+$',
  '^Subject:.*x\\*y\\?z',
  '^Subject:.*a\\.b\\\\c "d"',
  '^Subject:.*o+b',
  '^Subject:.*(foo|money).*(bar|fast)?$',
  '^Subject:.+',
  '^Subject:',
  '^Subject:[ ]*$',
  '^(From|Sender|Reply-To):.*bob@',
  '^(From:.*bob|To:.*list)',
  '^From:.*bob|^To:.*list@',
  '(^From:.*bob|^Subject:.*foo)',
  '^From:.*[^a-z]list@',
  '^From:[^<]*<bob',
  '^(To|Cc):.*(anna|carl)@example\\.(org|com)',
  '^X-Spam-Flag: YES',
  '^X-Spam-Flag:.*YES',
  '^X-Spam-Level: \\*\\*\\*',
  '^List-Id:.*<debian-user\\.',
  '^List-Id:.*\\/debian-[a-z]+',
  '^[Ll]ist-[Ii]d:.*debian',
  '^(Resent-)?To:.*list@example.org',
  '^Precedence:.*(junk|bulk|list)',
  '^TO_list@example.org',
  '^TO_anna',
  '^TOlist',
  '^TO(anna|bob)@',
  '^FROM_DAEMON',
  '^FROM_MAILER',
  '^From bob@',
  '^From .*example.net',
  '^From MAILER-DAEMON',
  '> 1000',
  '< 1000',
  'B ?? foo',
  'B ?? make money|bar',
  'H ?? ^Subject:.*foo',
  '\\^Subject:.*foo',
] as const;
/** Those that have no counterpart. */
const OTHERS = ['foo', 'B ?? ^foo', '? true', '1^1 ^Subject:.*foo', 'NO ?? x', '^Subject:.*foo$.*bar', '^X-Spam-Flag', '^Subject:foo'] as const;
const CONDITIONS = fc
  .record({
    isNegated: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    text: fc.oneof({ weight: 30, arbitrary: fc.constantFrom<string>(...PATTERNS) }, { weight: 1, arbitrary: fc.constantFrom<string>(...OTHERS) }),
  })
  .map(({ isNegated, text }) =>
    // "!" stands behind the area.
    isNegated ? (/^(?:[BH] \?\?)/.test(text) ? text.replace('?? ', '?? ! ') : /^1\^1/.test(text) ? text : `! ${text}`) : text,
  );
const FOLDERS = [
  'lists',
  'spam/',
  '.Lists.Foo/',
  '$MAILDIR/work',
  '$HOME/Mail/old',
  '/dev/null',
  '$DEFAULT',
  'a/ b/',
  '! bob@example.net',
  '! x@example.com y@example.com',
  'work/.',
];
const FLAGS = [...'|||||c|c|c|c|E|E|Ec|Ec|A|Ac|Ac|AE|AEc|D|Dc|a|ac|e|h|B'.split('|')];

interface Rule {
  readonly flags: string;
  readonly conditions: readonly string[];
  readonly action: string | readonly Rule[];
}
const { rules } = fc.letrec<{ rules: Rule[]; rule: Rule }>((tie) => ({
  rules: fc.array(tie('rule'), { minLength: 1, maxLength: 4 }),
  rule: fc.record({
    flags: fc.constantFrom(...FLAGS),
    conditions: fc.array(CONDITIONS, { maxLength: 2 }),
    action: fc.oneof(
      { maxDepth: 2, withCrossShrink: true },
      { weight: 5, arbitrary: fc.constantFrom(...FOLDERS) },
      { weight: 2, arbitrary: tie('rules') as fc.Arbitrary<Rule[]> },
    ),
  }) as fc.Arbitrary<Rule>,
}));

function procmailText(list: readonly Rule[], indent = ''): string {
  return list
    .map(({ flags, conditions, action }) => {
      const body = typeof action === 'string' ? `${indent}${action}\n` : `${indent}{\n${procmailText(action, `${indent}  `)}${indent}}\n`;
      return `${indent}:0 ${flags}\n${conditions.map((condition) => `${indent}* ${condition}\n`).join('')}${body}`;
    })
    .join('');
}

/** Compares where nothing was left out; counts what was compared. */
function compare(text: string, language: ConvertibleLanguage, sample: readonly Letter[], counts: { compared: number; noted: number }): void {
  const { sieve, notes } = converted(text, language);
  for (const letter of sample) {
    const done = doneBySieve(sieve, letter); // whatever was left out: it compiles and runs
    if (notes.length > 0) counts.noted += 1;
    else {
      counts.compared += 1;
      assert.deepEqual(done, doneBy(text, language, letter), `${text}\n---\n${sieve}\n---\n${JSON.stringify(letter)}`);
    }
  }
}

test('each condition of procmail that is converted holds for the same messages', () => {
  const counts = { compared: 0, noted: 0 };
  const sample = fc.sample(letters, { seed: 11, numRuns: 60 });
  for (const pattern of PATTERNS) for (const flags of ['', 'D']) compare(`:0 ${flags}\n* ${pattern}\nyes\n`, 'procmail', sample, counts);
  assert.equal(counts.compared, 2 * PATTERNS.length * sample.length);
  for (const pattern of OTHERS) assert.equal(converted(`:0\n* ${pattern}\nyes\n`, 'procmail').notes.length, 1, pattern);
});

test('procmail files that are converted without a note do the same as before', () => {
  const counts = { compared: 0, noted: 0 };
  fc.assert(
    fc.property(rules, (list) => {
      const sample = fc.sample(letters, { seed: counts.compared + counts.noted, numRuns: 6 });
      compare(`MAILDIR=$HOME/Mail\n${procmailText(list)}`, 'procmail', sample, counts);
    }),
    { seed: 5, numRuns: 700 },
  );
  assert.ok(counts.compared > 2000 && counts.noted > 300, JSON.stringify(counts));
});

// ── maildrop ─────────────────────────────────────────────────────────────────────────────────────────

const MAILDROP_TESTS = [
  '/^Subject:.*foo/',
  '/^Subject:.*foo/:D',
  '/^Subject: foo$/',
  '/^Subject: foo/',
  '/^Subject:.*(money|urgent)/',
  '/^Subject:.*\\[list\\]/',
  '/^(To|Cc):.*list@example\\.org/',
  '/^From:.*bob/',
  '/^X-Spam-Flag: *YES/',
  '/^List-Id:/',
  '/foo/:b',
  'hasaddr("list@example.org")',
  '($SIZE > 1000)',
  '($SIZE < 1000)',
  '! /^Subject:.*foo/',
  '(/^Subject:.*foo/ || /^From:.*bob/)',
  '(/^Subject:.*foo/ && ! /^From:.*bob/)',
] as const;
const MAILDROP_ACTIONS = [
  'to "lists"',
  'to "Maildir/.Lists.Foo/"',
  'cc "work"',
  'cc "!bob@example.net"',
  'to "!bob@example.net carl@example.com"',
  'to "/dev/null"',
  'exit',
  'cc "Maildir/.Copy/"',
];

interface Branching {
  readonly test: string;
  readonly yes: readonly (string | Branching)[];
  readonly no: readonly (string | Branching)[];
}
const { branchings } = fc.letrec<{ branchings: (string | Branching)[]; branching: string | Branching }>((tie) => ({
  branchings: fc.array(tie('branching'), { minLength: 1, maxLength: 3 }),
  branching: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<string>(...MAILDROP_ACTIONS),
    fc.record({
      test: fc.constantFrom(...MAILDROP_TESTS),
      yes: tie('branchings'),
      no: fc.oneof(fc.constant([]), tie('branchings')),
    }) as fc.Arbitrary<Branching>,
  ),
}));
function maildropText(list: readonly (string | Branching)[]): string {
  return list
    .map((one) =>
      typeof one === 'string'
        ? `${one}\n`
        : `if (${one.test})\n{\n${maildropText(one.yes)}}\n${one.no.length === 0 ? '' : `else\n{\n${maildropText(one.no)}}\n`}`,
    )
    .join('');
}

test('maildrop files that are converted without a note do the same as before', () => {
  const counts = { compared: 0, noted: 0 };
  const sample = fc.sample(letters, { seed: 12, numRuns: 60 });
  for (const one of MAILDROP_TESTS) compare(`if (${one})\n{\nto "yes"\n}\n`, 'maildrop', sample, counts);
  assert.equal(counts.compared, MAILDROP_TESTS.length * sample.length);
  fc.assert(
    fc.property(branchings, (list) => compare(maildropText(list), 'maildrop', fc.sample(letters, { seed: counts.compared, numRuns: 4 }), counts)),
    { seed: 6, numRuns: 300 },
  );
  assert.ok(counts.compared > 2000, JSON.stringify(counts));
});

// ── .forward and .qmail ──────────────────────────────────────────────────────────────────────────────

const FORWARDS = [
  'bob@example.net',
  'carl',
  'anna',
  '\\anna',
  'anna@example.org',
  '~/Mail/old',
  '"/home/anna/Maildir/.Lists.A/"',
  'x@example.com, y@example.com',
  '# nobody',
  '/home/anna/Maildir/',
];
const DOT_QMAIL = [
  '&bob@example.net',
  'carl@example.com',
  '&carl',
  './Maildir/',
  './Maildir/.Lists.A/',
  './Mail/old',
  '# comment',
  '|forward x@example.com y@example.com',
];

test('.forward and .qmail files that are converted without a note do the same as before', () => {
  const counts = { compared: 0, noted: 0 };
  for (const [language, lines] of [
    ['forward', FORWARDS],
    ['qmail', DOT_QMAIL],
  ] as const)
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...lines), { minLength: 1, maxLength: 4 }), letters, (chosen, letter) =>
        compare(`${chosen.join('\n')}\n`, language, [letter], counts),
      ),
      { seed: 7, numRuns: 200 },
    );
  assert.ok(counts.compared > 300, JSON.stringify(counts));
});
