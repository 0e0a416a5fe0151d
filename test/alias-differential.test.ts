/** The same aliases, lists and .forward files for Debian's Postfix (local(8), by real delivery) and for us: the same outcomes. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ALIAS_CASES, type AliasCase, COMMON, FORWARD_CASES, OPTION_CASES } from './aliases/cases.ts';
import { type Options, posthornOutcome, type SystemUser } from './aliases/posthorn-side.ts';
import { need, run, succeed } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { type Postfix, startPostfix } from './peers/postfix.ts';

const FIRST_UID = 40_000;
const OTHER_UID = 39_999;
const userOf = (index: number): string => `user${index}`;

const USUAL: Options = { delimiters: '+', owner: 'name', runsIncluded: false };
const OTHER: Options = { delimiters: '-+', owner: 'expanded', runsIncluded: true };

test('Postfix and Posthorn agree about aliases and .forward files', (t) => compare(t, [...ALIAS_CASES, ...FORWARD_CASES], USUAL));
test('they agree with other options', (t) => compare(t, OPTION_CASES, OTHER));

async function compare(t: TestContext, cases: readonly AliasCase[], options: Options): Promise<void> {
  need('postfix', 'postalias', 'sendmail');
  const dir = tempDir(t, 'aliases');
  chmodSync(dir, 0o777);
  const users = makeUsers(dir, cases.length);
  atEnd(t, () => execFileSync('umount', ['/etc/passwd']));
  const fill = (text: string, index: number): string =>
    text
      .replaceAll('$dir', dir)
      .replaceAll('$home', join(dir, 'home', userOf(index)))
      .replaceAll('$user', userOf(index))
      .replaceAll('$USER', userOf(index).toUpperCase());
  for (const [index, one] of cases.entries()) makeFiles(one, (text) => fill(text, index), FIRST_UID + index);
  const aliases = join(dir, 'aliases');
  writeFileSync(aliases, COMMON + cases.map((one, index) => (one.aliases === undefined ? '' : `${fill(one.aliases, index)}\n`)).join(''));
  const postfix = await startPostfix(t, {
    name: 'aliases',
    address: '192.0.2.2:2525',
    hostname: 'mx.test',
    domains: [],
    users: [],
    tls: false,
    main: {
      mydestination: 'mx.test, localhost',
      myorigin: 'mx.test',
      alias_maps: `hash:${aliases}`,
      mail_spool_directory: `${dir}/spool/`,
      recipient_delimiter: options.delimiters,
      expand_owner_alias: options.owner === 'expanded' ? 'yes' : 'no',
      allow_mail_to_commands: options.runsIncluded ? 'alias, forward, include' : 'alias, forward',
      allow_mail_to_files: options.runsIncluded ? 'alias, forward, include' : 'alias, forward',
      default_transport: 'discard:faraway',
      relay_transport: 'discard:faraway',
      virtual_mailbox_domains: '',
      local_recipient_maps: '',
    },
  });
  // Lines that are no aliases are warned of; the others are there.
  await run('postalias', ['-c', postfix.config, `hash:${aliases}`]);
  for (const [index, one] of cases.entries())
    await succeed('sendmail', ['-C', postfix.config, '-f', one.from ?? 'sender@far.test', '-i', `${fill(one.to ?? '$user', index)}@mx.test`], {
      input: `Message-ID: <case-${index}@test>\nSubject: t\n${fill(one.header ?? '', index)}\nbody\n`,
    });
  const outcomes = await settled(postfix, cases.length, (name) => existsSync(join(dir, 'spool', name, 'new')));
  const table = readFileSync(resolve(import.meta.dirname, '../docs/postfix-differences.md'), 'utf8');
  for (const [index, one] of cases.entries())
    await t.test(`${JSON.stringify(one)}`, () => {
      const theirs = [...(outcomes.get(index) ?? [])].sort();
      const situation = {
        dir,
        users,
        options,
        aliases: `${COMMON}${fill(one.aliases ?? '', index)}\n`,
        header: `Subject: t\n${fill(one.header ?? '', index)}`,
      };
      const named = posthornOutcome(situation, fill(one.to ?? '$user', index), one.from ?? 'sender@far.test');
      // Postfix's log does not name a maildir that is no user's; it is looked for.
      const ours = named.map((text) => (text.startsWith('maildir ') && existsSync(join(text.slice('maildir '.length), 'new')) ? 'maildir' : text));
      if (one.differs === undefined) {
        assert.notDeepEqual(theirs, [], postfix.log.split('\n').slice(-40).join('\n'));
        assert.deepEqual(ours, theirs);
        return;
      }
      assert.ok(table.includes(`| ${one.differs.row} |`), `docs/postfix-differences.md has no row "${one.differs.row}"`);
      assert.deepEqual(ours, one.differs.ours.map((text) => fill(text, index)).sort());
      assert.notDeepEqual(ours, theirs, 'there is no difference any more');
    });
}

/** Users of this test's own mount namespace: one for each case, bob and cat. */
function makeUsers(dir: string, count: number): ReadonlyMap<string, SystemUser> {
  const users = new Map<string, SystemUser>();
  const add = (name: string, uid: number): void => {
    const home = join(dir, 'home', name);
    mkdirSync(home, { recursive: true });
    chownSync(home, uid, uid);
    users.set(name, { uid, home });
  };
  for (let index = 0; index < count; index += 1) add(userOf(index), FIRST_UID + index);
  add('bob', FIRST_UID + count);
  add('cat', FIRST_UID + count + 1);
  mkdirSync(join(dir, 'spool'));
  chmodSync(join(dir, 'spool'), 0o1777);
  const lines = [...users].map(([name, { uid, home }]) => `${name}:x:${uid}:${uid}::${home}:/bin/sh\n`);
  writeFileSync(join(dir, 'passwd'), readFileSync('/etc/passwd', 'utf8') + lines.join(''));
  execFileSync('mount', ['--bind', join(dir, 'passwd'), '/etc/passwd']);
  return users;
}

function makeFiles(one: AliasCase, fill: (text: string) => string, uid: number): void {
  for (const path of one.directories ?? []) mkdirSync(fill(path));
  for (const [name, content] of Object.entries(one.files ?? {})) {
    const path = fill(name);
    const file = typeof content === 'string' ? { text: content } : content;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, fill(file.text));
    const owner = 'owner' in file && file.owner !== undefined ? (file.owner === 'root' ? 0 : OTHER_UID) : name.startsWith('$home') ? uid : 0;
    chownSync(path, owner, owner);
    chmodSync(path, ('mode' in file ? file.mode : undefined) ?? 0o644);
  }
  for (const [name, target] of Object.entries(one.links ?? {})) symlinkSync(fill(target), fill(name));
}

/** Waits until every message of the cases has gone or is put off; what became of them, by case. */
async function settled(postfix: Postfix, count: number, hasMailbox: (name: string) => boolean): Promise<Map<number, Set<string>>> {
  return eventually('the queue comes to rest', () => {
    const { log } = postfix;
    const ids = messages(log);
    const ended = new Set([...log.matchAll(/qmgr\[\d+\]: (\w+): removed$/gm), ...log.matchAll(/: (\w+): to=.*status=deferred/g)].map((match) => match[1]!));
    // A message that goes on as another is removed after the other one was made.
    return new Set(ids.values()).size === count && [...ids.keys()].every((id) => ended.has(id)) ? outcomesOf(log, hasMailbox) : null;
  });
}

/** Queue ids of the cases' messages, and of what they were forwarded as. */
const messages = (log: string): ReadonlyMap<string, number> =>
  new Map([...log.matchAll(/cleanup\[\d+\]: (\w+): message-id=<case-(\d+)@test>/g)].map((match) => [match[1]!, Number(match[2])]));

function outcomesOf(log: string, hasMailbox: (name: string) => boolean): Map<number, Set<string>> {
  const cases = messages(log);
  const senders = new Map([...log.matchAll(/qmgr\[\d+\]: (\w+): from=<([^>]*)>/g)].map((match) => [match[1]!, match[2]!]));
  const outcomes = new Map<number, Set<string>>();
  for (const match of log.matchAll(/(?:local|discard)\[\d+\]: (\w+): to=<(.*?)>, .*?status=(\w+) \((.*)\)$/gm)) {
    const [, id, to, status, text] = match as unknown as [string, string, string, string, string];
    const index = cases.get(id);
    if (index === undefined || text.startsWith('forwarded as')) continue;
    const found = outcomes.get(index) ?? new Set();
    outcomes.set(index, found);
    found.add(outcome(to, status, text, senders.get(id) ?? '', hasMailbox));
  }
  return outcomes;
}

function outcome(to: string, status: string, text: string, sender: string, hasMailbox: (name: string) => boolean): string {
  if (status === 'deferred') return 'defer';
  if (status === 'bounced') return 'bounce';
  if (text === 'faraway') return `remote ${to.toLowerCase()} from ${sender}`;
  const command = /^delivered to command: (.*)$/.exec(text);
  if (command !== null) return `command ${command[1]!.trim()}`;
  const file = /^delivered to file: (.*)$/.exec(text);
  if (file !== null) return `file ${file[1]}`;
  const name = to.slice(0, to.lastIndexOf('@')).replaceAll('"', '').toLowerCase();
  return hasMailbox(name.split(/[-+]/)[0]!) ? `mailbox ${name}` : 'maildir';
}
