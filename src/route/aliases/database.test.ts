import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTables } from '../../directory/tables/open.ts';
import { TABLES_SETTINGS } from '../../directory/tables/settings.ts';
import { defaultsOf } from '../../system/declare.ts';
import { type AliasEntry, type Aliases, createAliases } from './database.ts';
import { createIncludes, type Includes } from './include.ts';
import { ownerOf, passwdNames } from './owner.ts';
import { parseAliasFile } from './text-file.ts';

interface Place {
  readonly dir: string;
  readonly said: string[];
  /** Moves the clock, so that files are looked at again. */
  tick(): void;
  aliases(...sources: string[]): Aliases;
  includes(): Includes;
}

function place(t: { after(action: () => void): void }): Place {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-aliases-'));
  t.after(() => rmSync(dir, { recursive: true }));
  let now = 1_000_000;
  const said: string[] = [];
  const say = (event: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void said.push(`${event} ${fields['line'] ?? ''} ${fields['cause'] ?? ''}`);
  const log = { debug: say, info: say, warn: say, error: say };
  const settings = defaultsOf(TABLES_SETTINGS);
  const surroundings = { log, settings: () => settings, now: () => now, userName: (uid: number) => (uid === 4242 ? 'lists' : undefined) };
  const tables = createTables(surroundings);
  return {
    dir,
    said,
    tick: () => {
      now += 5000;
    },
    aliases: (...sources) => createAliases({ sources }, tables, surroundings),
    includes: () => createIncludes(surroundings),
  };
}

test('a file of aliases is read as it is, and read again when it changes', (t) => {
  const p = place(t);
  const file = join(p.dir, 'aliases');
  writeFileSync(file, '# staff\nStaff: ann,\n  bob\n\n"a b" : cat\n');
  const aliases = p.aliases(`hash:${file}`);
  const staff = aliases.find('staff') as AliasEntry;
  assert.equal(staff.by, `${file}:2`);
  assert.equal(staff.destinations.length, 2);
  assert.notEqual(aliases.find('a b'), null);
  assert.equal(aliases.find('nobody'), null);
  writeFileSync(file, 'staff: dog, cat, ann, bob, x\n');
  p.tick();
  assert.equal((aliases.find('staff') as AliasEntry).destinations.length, 5);
  writeFileSync(file, 'staff\n');
  p.tick();
  assert.equal((aliases.find('staff') as AliasEntry).destinations.length, 5, 'what makes no sense leaves what was there');
  assert.ok(p.said.some((line) => line.startsWith('table.reload.failed')));
});

test('sources are asked in their order, tables of other types too', async (t) => {
  const p = place(t);
  writeFileSync(join(p.dir, 'one'), 'a: one\n');
  const aliases = p.aliases(`text:${join(p.dir, 'one')}`, 'inline:{ {a = two}, {b = two, bob@far.test} }', 'pcre:{ {/^list-/ carl} }');
  const first = async (name: string, isPart = false): Promise<string> => {
    const found = await aliases.find(name, isPart);
    return found === null ? '-' : found.destinations.map((d) => (d.kind === 'address' ? d.local : d.kind)).join(' ');
  };
  assert.equal(await first('a'), 'one');
  assert.equal(await first('b'), 'two bob');
  assert.equal(await first('list-x'), 'carl');
  assert.equal(await first('list-x', true), '-', 'patterns are not asked for a part of a name');
  assert.equal(await first('c'), '-');
});

test('a value that is nothing is an invalid destination, so that its mail is not lost in silence', (t) => {
  const found = place(t).aliases('inline:{ {a = ,} }').find('a') as AliasEntry;
  assert.equal(found.destinations[0]!.kind, 'invalid');
});

for (const [text, sentence] of [
  ['a: b\nstaff\n', ':2: an alias is written as "name: destination"'],
  ['a:\n', ':1: nothing stands behind "a:"'],
  ['a: ,\n', ':1: nothing stands behind "a:"'],
  ['a@b.test: c\n', ':1: the name of an alias has no domain'],
  ['a, b: c\n', ':1: "," in a name must stand in double quotes'],
  [': c\n', ':1: there is no name before the colon'],
  ['"a: c\n', ':1: a double quote does not end'],
  ['  a: c\n', ':1: the first line must not start with white space'],
  ['x: y\n\n\na: <>\n', ':4: "<>": an empty address'],
  ['a: b@.c\n', ':1: "b@.c": ".c" is no domain'],
] as const)
  test(`the file ${JSON.stringify(text)} is refused with its line`, () => {
    assert.throws(() => parseAliasFile(text, '/f'), { message: `/f${sentence}` });
  });

test('a name that is there twice counts as it stands first', () => {
  const { names, warnings } = parseAliasFile('a: bob\nA: cat\n', '/f');
  assert.equal(names.get('a')!.line, 1);
  assert.deepEqual(warnings, [{ line: 2, sentence: 'the name "a" is there twice; the first one counts' }]);
});

test('names may be quoted, escaped and followed by white space', () => {
  const { names } = parseAliasFile('"a, b": x\nc\\:d : x\ne f: x\n"G@h": x\n', '/f');
  assert.deepEqual([...names.keys()], ['a, b', 'c:d', 'e f', 'g@h']);
});

test('programs run as the owner of the file: nobody special for root, nobody at all for an unknown number', () => {
  const userName = (uid: number): string | undefined => (uid === 4242 ? 'lists' : undefined);
  const owners = [0, 4242, 4243].map((uid) => ownerOf({ uid }, userName));
  assert.deepEqual(owners, [null, 'lists', undefined]);
});

test('a file that everybody may write to gives nothing', (t) => {
  const p = place(t);
  const file = join(p.dir, 'aliases');
  writeFileSync(file, 'a: bob\n');
  chmodSync(file, 0o666);
  assert.throws(() => p.aliases(`hash:${file}`), /everybody may write/);
  assert.deepEqual((p.includes().read(file) as { kind: string; isTemporary?: boolean }).kind, 'problem');
});

test('lists are read once, again when they change, and a missing one is a problem for good', (t) => {
  const p = place(t);
  const file = join(p.dir, 'list');
  const includes = p.includes();
  const count = (): number | string => {
    const read = includes.read(file);
    assert.ok(!(read instanceof Promise));
    return read.kind === 'file' ? read.destinations.length : `problem${read.isTemporary ? ' for now' : ''}`;
  };
  assert.equal(count(), 'problem');
  writeFileSync(file, 'bob\ncat\n');
  assert.equal(count(), 2);
  writeFileSync(file, 'bob\ncat\ndog\n<>\n');
  assert.equal(count(), 2, 'not looked at with every message');
  p.tick();
  assert.equal(count(), 4);
  assert.ok(p.said.some((line) => line.startsWith('table.warning 4')));
  const relative = includes.read('list');
  assert.ok(!(relative instanceof Promise) && relative.kind === 'problem');
  const directory = includes.read(p.dir);
  assert.ok(!(directory instanceof Promise) && directory.kind === 'problem');
});

test('users are found by number in a file like /etc/passwd, as it is now', (t) => {
  const { dir } = place(t);
  const file = join(dir, 'passwd');
  const names = passwdNames(file);
  assert.equal(names(5), undefined);
  writeFileSync(file, 'root:x:0:0::/:/bin/sh\n\nbad\ngames:x:5:60::/:\nsecond:x:5:60::/:\n');
  assert.equal(names(5), 'games');
});
