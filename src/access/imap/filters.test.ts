import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterProblem } from './filters.ts';

const ROWS: readonly (readonly [entry: string, value: string | null, isWrong: boolean])[] = [
  ['/private/filters/values/a', 'OR SMALLER 5000 FROM "boss@example.com"', false],
  ['/shared/filters/values/a', 'SEEN', false],
  ['/private/filters/values/a', null, false],
  ['/private/filters/values/a', 'OR SMALLER', true],
  ['/private/filters/values/a', '', true],
  ['/private/filters/values/a', `${'('.repeat(5000)}SEEN`, true],
  ['/private/filters/values/a', 'RETURN (ALL) SEEN', true],
  ['/private/filters/values/a', 'CHARSET UTF-8 SEEN', true],
  ['/private/filters/descriptions/a', 'Anything at all', false],
  ['/private/comment', 'Anything at all', false],
];

for (const [entry, value, isWrong] of ROWS)
  test(`${entry} ${value?.slice(0, 40) ?? 'NIL'} ${isWrong ? 'is no search' : 'may be stored'}`, () => {
    assert.equal(filterProblem(entry, value === null ? null : Buffer.from(value)) !== null, isWrong);
  });
