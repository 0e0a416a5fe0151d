import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAILDROP_LIMITS } from './limits.ts';
import { parseMaildrop } from './parse.ts';

/** null: it parses. */
function problem(text: string): { line: number; text: string } | null {
  const parsed = parseMaildrop(text, '~/.mailfilter');
  return 'problem' in parsed ? parsed.problem : null;
}

const WRONG: readonly (readonly [script: string, line: number])[] = [
  ['to', 1],
  ['\n\necho "a', 3],
  ['echo "a\nb"', 1],
  ['if (1) {\n}\n', 1],
  ['if (1)\n{\n echo "x"\n}\n\nelse\n{\n}\n', 6],
  ['if (1)\n{\necho "x"\n', 4],
  ['}', 1],
  ['exception\n{\n}\n', 1],
  ['echo 1 < 2 < 3', 1],
  ['echo /x', 1],
  ['echo "a" =~ "a"', 1],
  ['A=', 1],
  ["'A'=1", 1],
  ['exit 3', 1],
  ['foreach "a"\n{\n}\n', 1],
  ['x=length', 1],
  ['echo substr("a")', 1],
  ['echo a\\b', 1],
  ['echo "x" ; ^', 1],
];
for (const [script, line] of WRONG)
  test(`a syntax error in line ${line}: ${JSON.stringify(script)}`, () => {
    assert.equal(problem(script)?.line, line);
  });

const RIGHT = [
  '',
  '# only a comment',
  'to "x"',
  'to x # comment',
  'A=/var/mail; to $A',
  'if (/^Subject: x/:hD,1,2 && !/y/)\n to "!a@b"\nelsif (1)\n{\n}\nelse\n exit\n',
  'flock "x" { cc "|cat"; }',
  'dotlock $HOME/x.lock {\n}\n',
  'exception {\n xfilter "cat"\n}\n',
  'while ($A < 3)\n A=$A + 1',
  'foreach (getaddr $X) =~ /.+/\n{\n log "$MATCH"\n}\n',
  'import PATH; unset A; include "x"; logfile "y"; system "z"; echo `date`',
  'x="a \\\n   b"',
];
for (const script of RIGHT)
  test(`parses: ${JSON.stringify(script)}`, () => {
    assert.equal(problem(script), null);
  });

test('nesting has a bound, in blocks and in brackets', () => {
  assert.match(problem(`echo ${'('.repeat(5000)}1`)!.text, /nested more than/);
  assert.match(problem(`echo ${'!'.repeat(5000)}1`)!.text, /nested more than/);
  assert.match(problem('if (1)\n{\n'.repeat(5000))!.text, /nested more than/);
});

test('chains of operators and of elsif have bounds too, wide enough for long lists', () => {
  assert.equal(problem(`echo 1${'+1'.repeat(900)}`), null);
  assert.match(problem(`echo 1${'+1'.repeat(5000)}`)!.text, /operators/);
  assert.match(problem(`echo ${'('.repeat(30)}1${`${' || 1'.repeat(50)})`.repeat(30)}`)!.text, /operators/);
  assert.equal(problem(`if (1)\n exit\n${'elsif (1)\n exit\n'.repeat(900)}else\n exit\n`), null);
  assert.match(problem(`if (1)\n exit\n${'elsif (1)\n exit\n'.repeat(5000)}`)!.text, /arms/);
});

test('a file larger than the bound is refused', () => {
  assert.match(problem('#'.repeat(MAILDROP_LIMITS.fileBytes + 1))!.text, /larger than/);
});

test('whatever the file holds, there is a script or a problem', () => {
  const piece = fc.constantFrom(
    'if (',
    ')',
    '{',
    '}',
    '\n',
    '"',
    "'",
    '`',
    '/',
    '/x/:b,1',
    ' ',
    '\\',
    '$A',
    '=',
    '=~',
    'echo ',
    'to ',
    'foreach ',
    '1',
    '-',
    '<',
    'lt',
    '(',
    'else',
    ';',
    'length',
    ',',
    '#',
    '\0',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const parsed = parseMaildrop(pieces.join(''), 'x');
      assert.ok('script' in parsed || parsed.problem.line >= 0);
    }),
    { seed: 11, numRuns: 2000 },
  );
});
