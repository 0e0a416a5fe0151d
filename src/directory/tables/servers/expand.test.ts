import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Collected, expandKey, expandValue, keyNeeds, keyParts, parseTemplate, type Template } from './expand.ts';

function template(text: string): Template {
  const parsed = parseTemplate(text);
  assert.ok(!('wrong' in parsed), text);
  return parsed;
}

/** The query for a key, or null where no query is made. */
function query(text: string, key: string, format = '%s'): string | null {
  const parts = keyParts(key, keyNeeds([template(text)], template(format)));
  return parts === null ? null : expandKey(template(text), parts, (part) => `<${part}>`);
}

for (const [text, key, expected] of [
  ['%s', 'user@example.org', '<user@example.org>'],
  ['%u at %d', 'user@example.org', '<user> at <example.org>'],
  ['%S %U %D', 'user@example.org', '<user@example.org> <user> <example.org>'],
  ['%u', 'user', '<user>'],
  ['%u', '@example.org', null],
  ['%u', 'user@', '<user>'],
  ['%d', 'user', null],
  ['%d', 'user@', null],
  ['%d', '@example.org', '<example.org>'],
  ['%u %d', 'a@b@example.org', '<a@b> <example.org>'],
  ['%1 %2 %3', 'user@mail.example.org', '<org> <example> <mail>'],
  ['%3', 'user@example.org', null],
  ['%1', 'example.org', null],
  ['%2', 'user@..org..example..', '<org>'],
  ['100%%', 'x', '100%'],
  ['%s', '', null],
] as const)
  test(`the query ${text} of the key "${key}" is ${expected}`, () => assert.equal(query(text, key), expected));

test('a result format that asks the key for what it lacks suppresses the query', () => {
  assert.equal(query('%s', 'user', '%D'), null);
  assert.equal(query('%s', 'user@example.org', '%3'), null);
  assert.equal(query('%s', '@example.org', '%U'), null);
  assert.equal(query('%s', '@example.org', '%u'), '<@example.org>', '%u of a result is about the value');
});

for (const [format, value, expected] of [
  ['%s', 'user@example.org', 'user@example.org'],
  ['smtp:[%d]', 'user@example.org', 'smtp:[example.org]'],
  ['smtp:[%d]', 'user', null],
  ['smtp:[%d]', 'user@', null],
  ['%u', '@example.org', null],
  ['%u', 'user', 'user'],
  ['%s', '', null],
  ['fixed', 'x', 'fixed'],
  ['%U for %1', 'x', 'key for test'],
] as const)
  test(`the value "${value}" in the format ${format} is ${expected}`, () => {
    const parts = keyParts('key@domain.test', { user: false, domain: true, labels: 2 })!;
    assert.equal(expandValue(template(format), value, parts), expected);
  });

for (const text of ['%', 'a%', '%x', '%0', '% s']) test(`"${text}" is no template`, () => assert.ok('wrong' in parseTemplate(text)));

test('values are joined by commas and counted', () => {
  const parts = keyParts('key', { user: false, domain: false, labels: 0 })!;
  const collected = new Collected(template('%s'), 2, parts);
  assert.equal(collected.result(), null);
  assert.ok(collected.add('a'));
  assert.ok(collected.add(null));
  assert.ok(collected.add(''));
  assert.ok(collected.add('b,c'));
  assert.equal(collected.result(), 'a,b,c');
  assert.equal(collected.add('d'), false);
});
