import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import type { Admin } from '../ports.ts';
import { registerChallenge } from './challenge.ts';
import type { CliIo } from './io.ts';
import { registerSpam } from './spam.ts';

const VIEW = { login: 'anna@example.org', junk: 4.5, discard: null, blocked: 'junk', allowUnproven: false, own: ['spam.junk'], allowed: 2, blockedEntries: 0 };

async function run(line: string[], answers: Record<string, unknown> = {}): Promise<{ out: string; calls: [string, any][] }> {
  const calls: [string, any][] = [];
  let out = '';
  const print = (text: string): void => void (out += `${text}\n`);
  const open = async (): Promise<Admin> => ({
    call: async (name, args) => {
      calls.push([name, JSON.parse(JSON.stringify(args))]);
      return answers[name] ?? VIEW;
    },
    close: async () => {},
  });
  const program = new Command().exitOverride();
  for (const register of [registerSpam, registerChallenge]) register(program, open, { print, note: print } as unknown as CliIo);
  await program.parseAsync(line, { from: 'user' });
  return { out, calls };
}

test('spam show and set', async () => {
  assert.match(
    (await run(['spam', 'show', 'anna@example.org'])).out,
    /to the junk folder +from 4\.5 points +own choice\nthrown away +off +as the server has it/,
  );
  const set = await run(['spam', 'set', 'anna@example.org', '--junk', '5', '--discard', 'off', '--allow-unproven', 'yes', '--reset']);
  assert.deepEqual(set.calls[0], [
    'spam.set',
    { user: 'anna@example.org', values: { 'spam.junk': '5', 'spam.discard': 'off', 'spam.blocked': null, 'spam.allowUnproven': 'yes' } },
  ]);
});

test('spam allow and block: add, remove, list', async () => {
  const added = await run(['spam', 'allow', 'add', 'anna@example.org', 'bob@example.com', '@example.net'], {
    'list.add': { login: 'anna@example.org', added: 2 },
  });
  assert.deepEqual(added.calls[0], ['list.add', { user: 'anna@example.org', kind: 'allow', patterns: ['bob@example.com', '@example.net'] }]);
  assert.match(added.out, /2 entries added to the allow list/);
  assert.match(
    (await run(['spam', 'block', 'remove', 'a@b.example', 'c@d.example'], { 'list.remove': { login: 'a@b.example', removed: 1 } })).out,
    /one entry removed from the block list/,
  );
  assert.match(
    (await run(['spam', 'block', 'list', 'a@b.example'], { 'list.show': [{ kind: 'block', pattern: '@x.example', addedAt: 0 }] })).out,
    /@x\.example +1970-01-01/,
  );
  assert.match((await run(['spam', 'block', 'list', 'a@b.example'], { 'list.show': [] })).out, /empty/);
});

test('challenge on, off, list, release', async () => {
  assert.match((await run(['challenge', 'on', 'a@b.example'], { 'challenge.on': { login: 'a@b.example', known: 3 } })).out, /3 addresses are known/);
  assert.match((await run(['challenge', 'off', 'a@b.example'], { 'challenge.off': { login: 'a@b.example' } })).out, /stays where it is/);
  const waiting = [{ sender: 'x@y.example', askedAt: 0, until: 86_400_000 }];
  assert.match(
    (await run(['challenge', 'list', 'a@b.example'], { 'challenge.list': { login: 'a', isOn: true, waiting } })).out,
    /x@y\.example +1970-01-01T00:00 +1970-01-02/,
  );
  assert.match((await run(['challenge', 'list', 'a@b.example'], { 'challenge.list': { login: 'a', isOn: false, waiting: [] } })).out, /are off/);
  assert.match(
    (await run(['challenge', 'release', 'a@b.example', 'x@y.example'], { 'challenge.release': { login: 'a', sender: 'x@y.example', moved: 1 } })).out,
    /one message moved/,
  );
});
