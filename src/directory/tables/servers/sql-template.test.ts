import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyNeeds, keyParts } from './expand.ts';
import { compileSql, type Dialect, renderSql, type SqlTemplate, sqliteStatement, sqliteValue } from './sql-template.ts';

function compiled(text: string, dialect: Dialect): SqlTemplate {
  const sql = compileSql(text, dialect);
  assert.ok(!('wrong' in sql), 'wrong' in sql ? sql.wrong : '');
  return sql;
}
function render(text: string, dialect: 'mysql' | 'pgsql', key: string): string {
  const sql = compiled(text, dialect);
  return renderSql(sql, dialect, keyParts(key, keyNeeds([sql.template], []))!);
}

for (const [dialect, text, key, expected] of [
  ['mysql', "SELECT 1 FROM t WHERE a='%s'", "o'brien", "SELECT 1 FROM t WHERE a='o''brien'"],
  ['mysql', "a='%s'", "\\' or 1", "a='\\\\'' or 1'"],
  ['mysql', 'a="%s"', `"'\\`, `a="""'\\\\"`],
  ['mysql', 'SELECT `%s`', 'a`b\\', 'SELECT `a``b\\`'],
  ['mysql', "CONCAT('%u','@','%d')", "x'y@z", "CONCAT('x''y','@','z')"],
  ['mysql', "a='it''s %s'", 'x', "a='it''s x'"],
  ['mysql', "a='\\'%s'", 'x', "a='\\'x'"],
  ['mysql', 'id = %u', '1 or 1=1', "id = '1 or 1=1'"],
  ['mysql', "a LIKE '%%%s%%'", 'x', "a LIKE '%x%'"],
  ['mysql', "a = '#' AND b = '%s'", 'x', "a = '#' AND b = 'x'"],
  ['mysql', "a = 1 # '\n AND b = '%s'", 'x', "a = 1 # '\n AND b = 'x'"],
  ['pgsql', "a='%s'", "back\\slash'", "a='back\\slash'''"],
  ['pgsql', "a=E'%s'", "back\\slash'", "a=E'back\\\\slash'''"],
  ['pgsql', "a=e'\\'%s'", 'x', "a=E'\\'x'"],
  ['pgsql', "inet '%s' << net", '::1', "inet '::1' << net"],
  ['pgsql', 'SELECT "%s"', 'a"b', 'SELECT "a""b"'],
  ['pgsql', "a = $1$ ' $1$ AND '%s'", 'x', null],
  ['pgsql', "a = $x$ ' $x$ AND b = '%s'", "y'", "a = $x$ ' $x$ AND b = 'y'''"],
  ['pgsql', "/* ' */ b = '%s' -- '", 'x', "/* ' */ b = 'x' -- '"],
] as const)
  test(`${dialect}: ${text} with ${key}`, () => {
    if (expected === null) assert.ok('wrong' in compileSql(text, dialect));
    else assert.equal(render(text, dialect, key), expected);
  });

for (const [dialect, text] of [
  ['mysql', "SELECT 1 -- '%s"],
  ['mysql', 'SELECT 1 # %s'],
  ['mysql', 'SELECT 1 /* %s */'],
  ['mysql', "SELECT '%s"],
  ['mysql', "SELECT '\\%s'"],
  ['mysql', 'SELECT 1 /* x'],
  ['mysql', 'SELECT * FROM users_%d'],
  ['mysql', 'SELECT * FROM %d_users'],
  ['mysql', "SELECT '%u'%d"],
  ['mysql', "SELECT %u'x'"],
  ['mysql', 'SELECT %u%d'],
  ['pgsql', 'SELECT $$ %s $$'],
  ['sqlite', 'SELECT [%s]'],
  ['mysql', "SELECT '%q'"],
] as const)
  test(`${dialect}: ${text} is refused`, () => assert.ok('wrong' in compileSql(text, dialect)));

test('SQLite gets parameters', () => {
  const sql = compiled("SELECT a FROM t WHERE b = 'it''s %u' AND c = \"%d\" AND d = %s", 'sqlite');
  const statement = sqliteStatement(sql);
  assert.ok(!('wrong' in statement));
  assert.equal(statement.sql, 'SELECT a FROM t WHERE b = ? AND c = ? AND d = ?');
  const parts = keyParts('x@y', keyNeeds([sql.template], []))!;
  assert.deepEqual(
    statement.values.map((value) => sqliteValue(value, parts)),
    ["it's x", 'y', 'x@y'],
  );
  assert.ok('wrong' in sqliteStatement(compiled("SELECT x'%s'", 'sqlite')));
});

test('a key is never more than a value, whatever it is made of', () => {
  const database = new DatabaseSync(':memory:');
  const special = fc.constantFrom("'", '"', '\\', '`', '--', '/*', '*/', ';', '%', '$$', '\n', ' OR 1=1 ', 'é', '\u{1f600}');
  const keys = fc.array(fc.oneof(special, fc.string({ unit: 'grapheme' })), { maxLength: 12 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(keys, (key) => {
      fc.pre(key !== '' && !key.includes('\0'));
      // SQLite's quotes are those of the standard, which PostgreSQL's are with standard_conforming_strings.
      const row = database.prepare(render("SELECT '%s' AS a, 'x' AS b", 'pgsql', key)).get();
      assert.deepEqual({ ...row }, { a: key, b: 'x' });
    }),
    { seed: 20260101, numRuns: 500 },
  );
  database.close();
});
