import assert from 'node:assert/strict';
import { test } from 'node:test';
import { homeProblem, isForwardOnly, qmailCandidates, qmailFileProblem } from './files.ts';

const inWords = (extension: string | null): string[] => qmailCandidates(extension).map(({ name, defaultPart }) => `${name} ${defaultPart ?? '-'}`);

const ROWS: readonly [extension: string | null, files: readonly string[]][] = [
  [null, ['.qmail -']],
  ['', ['.qmail -']],
  ['list', ['.qmail-list -', '.qmail-default list']],
  ['a-b', ['.qmail-a-b -', '.qmail-a-default b', '.qmail-default a-b']],
  ['A.B-C', ['.qmail-a:b-c -', '.qmail-a:b-default C', '.qmail-default A.B-C']],
  ['a-b-c', ['.qmail-a-b-c -', '.qmail-a-b-default c', '.qmail-a-default b-c', '.qmail-default a-b-c']],
  ['default', ['.qmail-default default']],
  ['x-default', ['.qmail-x-default default', '.qmail-default x-default']],
  ['a-', ['.qmail-a- -', '.qmail-a-default ', '.qmail-default a-']],
  ['-a', ['.qmail--a -', '.qmail--default a', '.qmail-default -a']],
  ['../../x', ['.qmail-default ../../x']],
  ['a/b', ['.qmail-default a/b']],
];
for (const [extension, files] of ROWS) test(`files for the extension ${JSON.stringify(extension)}`, () => assert.deepEqual(inWords(extension), files));

test('an extension of a thousand dashes looks for a hundred files or so', () => {
  assert.ok(qmailCandidates('-'.repeat(199)).length <= 102);
  assert.equal(qmailCandidates('-'.repeat(1000)).length, 1);
});

test('modes that make mail wait', () => {
  assert.equal(homeProblem(0o40755), null);
  assert.equal(homeProblem(0o40775), null);
  assert.match(homeProblem(0o40757)!, /everybody/);
  assert.match(homeProblem(0o41755)!, /sticky/);
  assert.equal(qmailFileProblem(0o100600), null);
  assert.match(qmailFileProblem(0o100646)!, /everybody/);
  assert.equal(isForwardOnly(0o100744), true);
  assert.equal(isForwardOnly(0o100644), false);
});
