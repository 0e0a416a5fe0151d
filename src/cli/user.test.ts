import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import type { Admin } from '../ports.ts';
import { registerAlias } from './alias.ts';
import { registerDomain } from './domain.ts';
import type { CliIo } from './io.ts';
import { registerUser } from './user.ts';

interface Terminal {
  input?: string;
  password?: string;
  confirm?: boolean;
  answers?: Record<string, unknown>;
}

/** Runs one command line; answers what was printed and asked of the server. */
async function run(line: string[], { input = '', password, confirm, answers = {} }: Terminal = {}) {
  const calls: [string, any][] = [];
  let out = '';
  const io = {
    print: (text: string) => void (out += text + '\n'),
    note: (text: string) => void (out += text + '\n'),
    isInteractive: password !== undefined || confirm !== undefined,
    prompt: { password: async () => password, confirm: async () => confirm },
    readInputLine: () => input.split('\n')[0]!,
  } as unknown as CliIo;
  const open = async (): Promise<Admin> => ({
    call: async (name, args) => {
      calls.push([name, JSON.parse(JSON.stringify(args))]);
      return (
        answers[name] ?? { login: 'anna@example.org', password: 'made-pass', domain: 'example.org', targets: ['b@c'], address: 'info@example.org', removed: 1 }
      );
    },
    close: async () => {},
  });
  const program = new Command().exitOverride();
  for (const register of [registerUser, registerDomain, registerAlias]) register(program, open, io);
  await program.parseAsync(line, { from: 'user' });
  return { out, calls };
}

test('user add asks for the password, reads it from the input, or has one made', async () => {
  const add = ['user', 'add', 'anna@example.org'];
  assert.equal((await run(add, { password: 'typed' })).calls[0]![1].password, 'typed');
  assert.equal((await run([...add, '--password-stdin'], { input: 'from stdin\nmore' })).calls[0]![1].password, 'from stdin');
  assert.equal((await run([...add, '--hash-stdin'], { input: '$6$x$y ' })).calls[0]![1].hash, '$6$x$y');
  const made = await run([...add, '--generate', '--quota', '1GiB', '--quota-messages', '5', '--with-domain'], { password: 'typed' });
  assert.deepEqual(made.calls, [['user.add', { login: 'anna@example.org', quotaBytes: 1073741824, quotaMessages: 5, withDomain: true }]]);
  assert.match(made.out, /made-pass {3}\(shown once\)/);
  await assert.rejects(run([...add, '--generate', '--password-stdin']), /only one of/);
  await assert.rejects(run([...add, '--quota', 'much']), /must be a number with a unit/);
});

test('user list is a table, or JSON', async () => {
  const row = {
    login: 'anna@example.org',
    displayName: null,
    isDisabled: true,
    quotaBytes: 2000,
    quotaMessages: 0,
    usedBytes: 1000,
    usedMessages: 3,
    appPasswords: 0,
    createdAt: 0,
    lastLoginAt: 0,
    source: 'own',
  };
  const answers = { 'user.list': [row] };
  assert.equal(
    (await run(['user', 'list'], { answers })).out,
    'USER              STATE     MAIL              MESSAGES  LAST LOGIN        NAME\nanna@example.org  disabled  1.0 KB of 2.0 KB  3         1970-01-01 00:00  -\n',
  );
  assert.deepEqual(JSON.parse((await run(['user', 'list', '--json'], { answers })).out), row);
  assert.match((await run(['user', 'list'], { answers: { 'user.list': [] } })).out, /no user yet/);
});

test('user remove asks first', async () => {
  await assert.rejects(run(['user', 'remove', 'anna@example.org']), /say --yes/);
  await assert.rejects(run(['user', 'remove', 'anna@example.org'], { confirm: false }), /Cancelled/);
  const removed = { login: 'anna@example.org', messages: 2 };
  assert.match((await run(['user', 'remove', 'anna@example.org'], { confirm: true, answers: { 'user.remove': removed } })).out, /with 2 messages/);
});

test('user option shows, sets and takes away what one user has otherwise', async () => {
  const line = ['user', 'option', 'anna@example.org'];
  const options = [
    { name: 'imap.hide', value: 'CONDSTORE UIDONLY' },
    { name: 'pop3.shows', value: 'unseen' },
  ];
  const answers = { 'user.option': { login: 'anna@example.org', options } };
  assert.equal((await run(line, { answers })).out, 'OPTION      VALUE\nimap.hide   CONDSTORE UIDONLY\npop3.shows  unseen\n');
  assert.equal((await run([...line, 'pop3.shows', '--json'], { answers })).out, '{"name":"pop3.shows","value":"unseen"}\n');
  assert.match((await run([...line, 'pop3.since'], { answers })).out, /has no pop3.since: as in the configuration/);
  assert.deepEqual((await run([...line, 'pop3.shows', 'all'], { answers })).calls, [
    ['user.option', { login: 'anna@example.org', name: 'pop3.shows', value: 'all' }],
  ]);
  assert.deepEqual((await run([...line, '--unset', 'pop3.shows'], { answers })).calls, [
    ['user.option', { login: 'anna@example.org', name: 'pop3.shows', value: null }],
  ]);
  await assert.rejects(run([...line, 'pop3.shows', '--unset', 'imap.hide']), /either set an option/);
  await assert.rejects(run([...line, 'pop3.color', 'red']), /no option of a user; there are/);
  assert.match((await run(line, { answers: { 'user.option': { login: 'anna@example.org', options: [] } } })).out, /no option of its own/);
});

for (const [line, call] of [
  ['user disable anna@example.org', ['user.disable', { login: 'anna@example.org' }]],
  ['user quota anna@example.org none', ['user.quota', { login: 'anna@example.org', quotaBytes: 0 }]],
  ['user quota anna@example.org --messages 10', ['user.quota', { login: 'anna@example.org', quotaMessages: 10 }]],
  ['user passwd anna@example.org --generate', ['user.passwd', { login: 'anna@example.org' }]],
  ['user app-password remove anna@example.org phone', ['apppassword.remove', { login: 'anna@example.org', label: 'phone' }]],
  ['domain add example.org', ['domain.add', { domain: 'example.org' }]],
  ['domain remove example.org', ['domain.remove', { domain: 'example.org' }]],
  ['domain catchall example.org', ['domain.catchall', { domain: 'example.org', target: null }]],
  ['alias add info@example.org a@b c@d', ['alias.add', { address: 'info@example.org', targets: ['a@b', 'c@d'] }]],
  ['alias remove info@example.org', ['alias.remove', { address: 'info@example.org', targets: [] }]],
] as const)
  test(`posthorn ${line}`, async () => assert.deepEqual((await run(line.split(' '))).calls, [call]));
