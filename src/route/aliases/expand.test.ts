import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDestinations } from '../../mail/destination.ts';
import type { RouteStep } from '../../ports.ts';
import type { AliasEntry } from './database.ts';
import { type Expansion, type ExpansionHooks, expandAliases } from './expand.ts';
import { parseAliasFile } from './text-file.ts';

interface World {
  readonly lists?: Readonly<Record<string, string>>;
  /** Answers come as promises. */
  readonly isSlow?: boolean;
  readonly hooks?: Partial<ExpansionHooks>;
  readonly depthMax?: number;
  readonly targetsMax?: number;
}

function hooksFor(text: string, world: World): ExpansionHooks {
  const { names } = parseAliasFile(text, '/etc/aliases');
  const later = <T>(value: T): T | Promise<T> => (world.isSlow === true ? Promise.resolve(value) : value);
  return {
    aliases: {
      find: (name): AliasEntry | null | Promise<AliasEntry | null> => {
        const found = names.get(name);
        return later(found === undefined ? null : { name, destinations: found.destinations, by: `/etc/aliases:${found.line}`, user: null });
      },
    },
    includes: {
      read: (path) => {
        const list = world.lists?.[path];
        if (list === undefined) return later({ kind: 'problem' as const, isTemporary: path.startsWith('/nfs'), text: 'there is no such file' });
        return later({ kind: 'file' as const, destinations: parseDestinations(list, { form: 'lines' }).destinations!, user: 'lists' });
      },
    },
    delimiters: '+',
    origin: 'mx.test',
    isLocal: (domain) => later(domain === 'mx.test' || domain === 'localhost'),
    mayRun: (place) => place === 'alias',
    mayWrite: (place) => place === 'alias',
    owner: 'name',
    ...world.hooks,
  };
}

function inWords(expansion: Expansion | null): string[] | null {
  if (expansion === null) return null;
  const from = (sender: { local: string; domain: string } | undefined): string => (sender === undefined ? '' : ` from ${sender.local}@${sender.domain}`);
  return [
    ...expansion.users.map((u) => `${u.isFinal ? '\\' : ''}${u.name}${u.detail === null ? '' : `+${u.detail}`}${from(u.sender)}`),
    ...expansion.addresses.map((a) => `${a.address.local}@${a.address.domain}${from(a.sender)}`),
    ...expansion.tasks.map(
      ({ task, sender }) => `${task.kind === 'command' ? `|${task.command}` : task.kind === 'file' ? task.path : ''} as ${task.user}${from(sender)}`,
    ),
    ...expansion.problems.map((p) => `${p.code} ${p.text}`),
  ];
}
const expand = (text: string, start: string, world: World = {}): Expansion | null | Promise<Expansion | null> =>
  expandAliases({ local: start, domain: 'mx.test' }, hooksFor(text, world), { depthMax: world.depthMax ?? 50, targetsMax: world.targetsMax ?? 1000 });

/** aliases, start, outcome. */
const ROWS: readonly [text: string, start: string, found: readonly string[] | null, world?: World][] = [
  ['a: bob', 'nobody', null],
  ['a: bob, far@far.test', 'a', ['bob', 'far@far.test']],
  ['A: Bob', 'a', ['bob']],
  ['a: bob, BOB, bob@mx.test, bob@localhost, far@far.test, FAR@far.test', 'a', ['bob', 'far@far.test']],
  ['a: bob+x, bob+y, bob', 'a', ['bob+x', 'bob+y', 'bob']],
  ['a: b, cat\nb: bob, cat', 'a', ['bob', 'cat']],
  // Extensions.
  ['a: bob', 'a+x', ['bob']],
  ['a: bob\na+x: cat', 'a+x', ['cat']],
  ['a: bob\na+x: cat', 'a+y', ['bob']],
  ['a: b+e\nb: bob', 'a', ['bob']],
  ['bob+q: bob, cat', 'bob+q', ['bob', 'cat']],
  // A name that leads to itself is the user.
  ['ann: \\ann, bob', 'ann', ['\\ann', 'bob']],
  ['ann: ann, bob', 'ann', ['\\ann', 'bob']],
  ['ann: ann+x', 'ann', ['\\ann+x']],
  ['a: \\b\nb: bob', 'a', ['\\b']],
  ['a: \\far@far.test', 'a', ['far@far.test']],
  // Loops.
  ['a: b\nb: a', 'a', ['5.4.6 the alias "a" leads back to itself']],
  ['a: b, bob\nb: a, cat', 'a', ['cat', 'bob', '5.4.6 the alias "a" leads back to itself']],
  ['a: b, c\nb: d\nc: d\nd: bob', 'a', ['bob']],
  // Owners.
  ['a: bob, far@far.test\nowner-a: cat', 'a', ['bob from owner-a@mx.test', 'far@far.test from owner-a@mx.test']],
  ['a: bob\nowner-a: cat', 'a', ['bob from cat@mx.test'], { hooks: { owner: 'expanded' } }],
  ['a: bob\nowner-a: cat, dog', 'a', ['bob from owner-a@mx.test'], { hooks: { owner: 'expanded' } }],
  ['a: b, far@far.test\nb: bob\nowner-a: cat', 'a', ['bob from owner-a@mx.test', 'far@far.test from owner-a@mx.test']],
  ['a: b, far@far.test\nb: bob\nowner-a: cat\nowner-b: dog', 'a', ['bob from owner-b@mx.test', 'far@far.test from owner-a@mx.test']],
  ['owner-x: bob\nowner-owner-x: cat', 'owner-x', ['bob from owner-owner-x@mx.test']],
  ['a: "|run"\nowner-a: cat', 'a', ['|run as null from owner-a@mx.test']],
  // Programs and files.
  ['a: "|x y", /file, /dir/, "|x y"', 'a', ['|x y as null', '/file as null', '/dir/ as null']],
  [
    'a: "|x", /f',
    'a',
    ['5.7.1 programs may not be named in the alias "a"', '5.7.1 files may not be named in the alias "a"'],
    { hooks: { mayRun: () => false, mayWrite: () => false } },
  ],
  ['a: ~/file, bob', 'a', ['bob', '5.3.5 "~/file": an alias has no home directory']],
  // Lists.
  ['a: :include:/l', 'a', ['bob', 'cat', 'far@far.test'], { lists: { '/l': 'bob\n# x\ncat, far@far.test\n' } }],
  [
    'a: :include:/l',
    'a',
    ['bob', '5.7.1 programs may not be named in a list of the alias "a"', '5.7.1 files may not be named in a list of the alias "a"'],
    { lists: { '/l': '|x\n/f\nbob\n' } },
  ],
  ['a: :include:/l', 'a', ['|x as lists'], { lists: { '/l': '|x' }, hooks: { mayRun: () => true } }],
  ['a: :include:/l, bob', 'a', ['bob', '5.3.5 a list in the alias "a" cannot be read']],
  ['a: :include:/nfs/l, bob', 'a', ['bob', '4.3.5 a list in the alias "a" cannot be read']],
  ['a: :include:/l, dog', 'a', ['bob', 'cat', 'dog'], { lists: { '/l': ':include:/m\nbob', '/m': 'bob\n:include:/l\ncat' } }],
  ['a: :include:/l', 'a', ['\\a', 'bob'], { lists: { '/l': 'a\nbob' } }],
  ['a: :include:/l\nb: bob', 'a', ['bob'], { lists: { '/l': 'b' } }],
  ['a: :include:/l', 'a', [], { lists: { '/l': '' } }],
  ['a: :include:/l', 'a', ['bob', '5.1.3 "<>" in a list of the alias "a": an empty address'], { lists: { '/l': '<>\nbob' } }],
  // Limits: one problem, and nothing else.
  ['a: b\nb: c\nc: bob', 'a', ['5.4.6 aliases stand within each other more than 2 deep'], { depthMax: 2 }],
  ['a: b1, b2, b3', 'a', ['5.4.6 it expands to more than 2 recipients'], { targetsMax: 2 }],
];
for (const [text, start, found, world] of ROWS)
  test(`${JSON.stringify(text)} for ${start} ${world === undefined ? '' : JSON.stringify(world.lists ?? world)}`, async () => {
    const now = expand(text, start, world);
    assert.ok(!(now instanceof Promise), 'answered at once');
    assert.deepEqual(inWords(now), found);
    const later = expand(text, start, { ...world, isSlow: true });
    assert.ok(later instanceof Promise);
    assert.deepEqual(inWords(await later), found, 'the same when there is something to wait for');
  });

test('the way is told, for posthorn route', () => {
  const steps: RouteStep[] = [];
  const hooks = hooksFor('a: b, far@far.test\nb: bob', {});
  void expandAliases({ local: 'a', domain: 'mx.test' }, hooks, { depthMax: 50, targetsMax: 10 }, steps, 1);
  assert.deepEqual(
    steps.map(({ depth, what, by }) => `${depth} ${what} (${by})`),
    [
      '1 a@mx.test (aliases /etc/aliases:1)',
      '2 b@mx.test (aliases /etc/aliases:2)',
      '3 bob@mx.test (user, by /etc/aliases:2)',
      '2 far@far.test (by /etc/aliases:1)',
    ],
  );
});

test('a table that cannot answer ends the expansion, at once or later', async () => {
  const hooks = hooksFor('a: b', {});
  const fail = (name: string): never => {
    throw new Error(`no answer for ${name}`);
  };
  const broken = { ...hooks, aliases: { find: (name: string) => (name === 'b' ? fail(name) : hooks.aliases.find(name)) } };
  assert.throws(() => expandAliases({ local: 'a', domain: 'mx.test' }, broken, { depthMax: 5, targetsMax: 5 }), /no answer for b/);
  const slow = { ...hooks, aliases: { find: async (name: string) => (name === 'b' ? fail(name) : hooks.aliases.find(name)) } };
  await assert.rejects(async () => expandAliases({ local: 'a', domain: 'mx.test' }, slow, { depthMax: 5, targetsMax: 5 }), /no answer for b/);
});

test('any net of aliases ends, within the limits, with every recipient once', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const member = fc.oneof(name, fc.constantFrom('x', 'y@far.test', '\\a', 'b+1', '/f', '|p'));
  const alias = fc.tuple(name, fc.array(member, { minLength: 1, maxLength: 5 }));
  fc.assert(
    fc.property(fc.array(alias, { minLength: 1, maxLength: 8 }), (aliases) => {
      const text = aliases.map(([key, members]) => `${key}: ${members.join(', ')}`).join('\n');
      const found = inWords(expand(text, aliases[0]![0], { depthMax: 20 }) as Expansion)!;
      assert.equal(new Set(found).size, found.length);
      assert.ok(found.length > 0);
    }),
    { seed: 6, numRuns: 2000 },
  );
});
