// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Annotations (RFC 5464) and scripts at IMAP events (RFC 6785) in the running server, with Python's imaplib, and beside Dovecot with Pigeonhole. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { METADATA_CASES, METADATA_DIFFERENCES } from './imapsieve/metadata-cases.ts';
import { EVENT_CASES, EVENT_DIFFERENCES, type EventCase } from './imapsieve/event-cases.ts';
import { startDovecot } from './peers/dovecot.ts';
import { literal, ManageSieveClient } from './peers/managesieve-client.ts';
import { MAIL_UID } from './peers/postfix.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const MESSAGE = 'From: rita@friend.test\r\nTo: anna@us.test\r\nSubject: hello\r\n\r\nworld\r\n';

const login = (server: Posthorn, user: string): Promise<ImapClient> => ImapClient.login(server.port('imap'), `${user}@us.test`, PASSWORD);

async function putScript(server: Posthorn, user: string, name: string, text: string): Promise<void> {
  const client = await ManageSieveClient.login(server.port('sieve'), `${user}@us.test`, PASSWORD);
  const put = await client.command(`PUTSCRIPT "${name}" ${literal(text.replaceAll(/\r?\n/g, '\r\n'))}`);
  assert.equal(put.status, 'OK', put.text);
  await client.command('LOGOUT');
  client.wire.close();
}

/** Messages of a mailbox as "subject (flags)", in order; null where there is none of the name. */
async function listed(imap: ImapClient, mailbox: string): Promise<string[] | null> {
  const { status, untagged } = await imap.command(`EXAMINE "${mailbox}"`);
  if (!status.startsWith('OK')) return null;
  if (untagged.includes('0 EXISTS')) return [];
  const found = (await imap.ok('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT X-NEW)])')).untagged;
  return found
    .filter((line) => line.includes('FETCH'))
    .map((line) => {
      const flags = /FLAGS \(([^)]*)\)/
        .exec(line)![1]!
        .split(' ')
        .filter((flag) => flag !== '' && flag !== '\\Recent');
      const header = [...line.matchAll(/^(?:Subject|X-New): (.*?)\r?$/gim)].map((match) => match[1]).join(' + ');
      return `${header} (${flags.sort().join(' ')})`;
    });
}

test('annotations and scripts at IMAP events in the running server', async (t) => {
  const dir = tempDir(t, 'imapsieve');
  const programs = join(dir, 'programs');
  mkdirSync(programs, { mode: 0o755 });
  const learned = join(dir, 'learned');
  mkdirSync(learned);
  chmodSync(learned, 0o777);
  chmodSync(dir, 0o755);
  for (const kind of ['spam', 'ham']) writeFileSync(join(programs, `learn-${kind}`), `#!/bin/sh\nexec cat > ${learned}/${kind}-$$\n`, { mode: 0o755 });
  const server = await startPosthorn(t, {
    config: {
      sieve: { programs: true, programDirectory: programs, imapRules: ['\\Junk COPY learn-spam', '* COPY learn-ham from \\Junk'], imapWaitingMax: 500 },
    },
    users: Object.fromEntries(['anna', 'bert', 'py'].map((user) => [`${user}@us.test`, PASSWORD])),
  });

  await t.test('the script that a mailbox names runs for what is appended, copied, moved and marked there, and tells another session', async () => {
    const imap = await login(server, 'anna');
    const capabilities = (await imap.ok('CAPABILITY')).untagged.join(' ');
    assert.match(capabilities, / METADATA( |$)/);
    assert.match(capabilities, / IMAPSIEVE=sieve:\/\/\S+/);
    await putScript(
      server,
      'anna',
      'events',
      'require ["environment", "imapsieve", "imap4flags", "variables", "fileinto", "copy", "mailbox"];\nif environment :matches "imap.cause" "*" { addflag "by-${1}"; }\nif hasflag "\\\\Flagged" { fileinto :copy :create "Important"; }\n',
    );
    await imap.ok('CREATE Work');
    await imap.ok('SETMETADATA Work (/shared/imapsieve/script "events")');
    const watching = await login(server, 'anna');
    await watching.ok('SELECT Work');
    await imap.append('Work', MESSAGE);
    await imap.append('INBOX', MESSAGE);
    await imap.ok('SELECT INBOX');
    await imap.ok('COPY 1 Work');
    await imap.ok('MOVE 1 Work');
    const expected = ['hello (by-APPEND)', 'hello (by-COPY)', 'hello (by-COPY)'];
    await eventually('the scripts to have run', async () => JSON.stringify(await listed(imap, 'Work')) === JSON.stringify(expected));
    const told = (await watching.ok('NOOP')).untagged.join('\n');
    assert.match(told, /by-APPEND/);
    await imap.ok('SELECT Work');
    await imap.ok('STORE 2 +FLAGS (\\Flagged)');
    await eventually('the copy', async () => (await listed(imap, 'Important'))?.length === 1);
    assert.deepEqual(await listed(imap, 'Important'), ['hello (\\Flagged by-COPY by-FLAG)']);
    // What a script changes does not start it again, and what it files elsewhere does not either.
    await imap.ok('SETMETADATA "" (/shared/imapsieve/script "events")');
    await imap.ok('SELECT Work');
    await imap.ok('FETCH 3 BODY[]');
    await eventually('the script to have run', async () => (await listed(imap, 'Work'))![2] === 'hello (\\Seen by-COPY by-FLAG)');
    assert.equal((await listed(imap, 'Important'))!.length, 1);
    assert.match(await server.admin('trace', 'anna@us.test'), /after APPEND in "Work"/);
    await Promise.all([imap.logout(), watching.logout()]);
  });

  await t.test('moving to Junk and back lets the administrator learn', async () => {
    const put = async (kind: string): Promise<void> => {
      const file = join(dir, `${kind}.sieve`);
      writeFileSync(file, `require ["vnd.dovecot.pipe", "copy"];\npipe :copy "learn-${kind}";\n`);
      await server.admin('sieve', 'put', 'global', `learn-${kind}`, file, '--place', 'include');
    };
    await put('spam');
    await put('ham');
    const imap = await login(server, 'bert');
    await imap.append('INBOX', MESSAGE);
    await imap.ok('SELECT INBOX');
    await imap.ok('MOVE 1 Junk');
    const files = (kind: string): string[] => readdirSync(learned).filter((name) => name.startsWith(kind));
    await eventually('spam to be learned', async () => files('spam').length === 1 && readFileSync(join(learned, files('spam')[0]!), 'utf8').includes('world'));
    assert.equal(files('ham').length, 0);
    await imap.ok('SELECT Junk');
    await imap.ok('MOVE 1 INBOX');
    await eventually('ham to be learned', async () => files('ham').length === 1);
    assert.equal(files('spam').length, 1);
    await imap.logout();
  });

  await t.test('a large COPY does what fits and says so', async () => {
    const imap = await login(server, 'bert');
    await putScript(server, 'bert', 'mark', 'require "imap4flags";\naddflag "marked";\n');
    for (const name of ['Many', 'Target']) await imap.ok(`CREATE ${name}`);
    for (let n = 0; n < 600; n += 1) await imap.append('Many', MESSAGE);
    await imap.ok('SETMETADATA Target (/shared/imapsieve/script "mark")');
    await imap.ok('SELECT Many');
    await imap.ok('COPY 1:* Target');
    await imap.ok('SELECT Target');
    await eventually('500 messages to be marked', async () => {
      await imap.ok('NOOP');
      return (await imap.ok('SEARCH KEYWORD marked')).untagged.join(' ').trim().split(' ').length === 501;
    });
    assert.equal((await server.event('imapsieve.many'))['messages'], 100);
    await imap.logout();
  });

  await t.test('imaplib sets and gets annotations', async () => {
    need('python3');
    const script = `
import imaplib, json, sys
for name in ('GETMETADATA', 'SETMETADATA'):
    imaplib.Commands[name] = ('AUTH', 'SELECTED')
m = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
m.login('py@us.test', '${PASSWORD}')
out = []
def meta(verb, *args):
    typ, data = m._simple_command(verb, *args)
    out.append([typ, data[-1].decode(), [[p.decode('latin1') for p in (d if isinstance(d, tuple) else (d,))] for d in m.untagged_responses.pop('METADATA', [])]])
meta('SETMETADATA', 'INBOX', '(/private/comment "one two")')
meta('GETMETADATA', 'INBOX', '/private/comment')
meta('SETMETADATA', 'INBOX', '(/shared/comment {19+}\\r\\na line\\r\\nand another)')
meta('GETMETADATA', '(DEPTH infinity)', 'INBOX', '(/private /shared)')
meta('SETMETADATA', 'INBOX', '(/private/comment NIL)')
meta('GETMETADATA', 'INBOX', '/private/comment')
print(json.dumps(out))
`;
    const file = join(dir, 'metadata.py');
    writeFileSync(file, script);
    const stdout = await succeed('python3', [file, String(server.port('imap'))]);
    const ok = (verb: string, data: string[][]): unknown => ['OK', `${verb} completed`, data];
    assert.deepEqual(JSON.parse(stdout), [
      ok('SETMETADATA', []),
      ok('GETMETADATA', [['INBOX (/private/comment "one two")']]),
      ok('SETMETADATA', []),
      ok('GETMETADATA', [['INBOX (/private/comment "one two" /shared/comment {19}', 'a line\r\nand another'], [')']]),
      ok('SETMETADATA', []),
      ok('GETMETADATA', [['INBOX (/private/comment NIL)']]),
    ]);
  });
});

test('beside Dovecot with Pigeonhole', async (t) => {
  need('dovecot');
  const dir = tempDir(t, 'beside');
  const mailboxes = join(dir, 'mailboxes');
  const scripts = join(mailboxes, 'anna/sieve');
  mkdirSync(scripts, { recursive: true });
  chmodSync(dir, 0o755);
  for (const path of [mailboxes, join(mailboxes, 'anna'), scripts]) chownSync(path, MAIL_UID, MAIL_UID);
  await startDovecot(t, {
    address: DOVECOT,
    imapPort: 143,
    lmtpPort: 2424,
    users: { anna: PASSWORD },
    mailboxes,
    extra: `
mail_attribute_dict = file:%h/attributes
protocol imap {
  imap_metadata = yes
  mail_plugins = $mail_plugins imap_sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_plugins = sieve_imapsieve
  sieve_extensions = +editheader
  imapsieve_url = sieve://localhost
}
`,
  });
  const server = await startPosthorn(t, { users: { 'anna@us.test': PASSWORD } });
  const ours = await login(server, 'anna');
  const theirs = await ImapClient.login(143, 'anna', PASSWORD, { host: DOVECOT });

  await t.test('METADATA: the same answers', async () => {
    const wrong: string[] = [];
    for (const command of METADATA_CASES) {
      const [here, there] = [await metadataAnswer(ours, command), await metadataAnswer(theirs, command)];
      const reason = METADATA_DIFFERENCES.get(command);
      if ((here === there) === (reason !== undefined))
        wrong.push(`${command}\n  ours:   ${here}\n  theirs: ${there}${reason === undefined ? '' : `\n  ${reason}`}`);
    }
    assert.deepEqual(wrong, []);
  });

  await t.test('imapsieve: the same mailboxes and flags afterwards', async () => {
    await putScript(server, 'anna', 'fence', 'require "imap4flags";\naddflag "done";\n');
    await ours.ok('CREATE fence');
    await ours.ok('SETMETADATA fence (/shared/imapsieve/script "fence")');
    const wrong: string[] = [];
    for (const [index, one] of EVENT_CASES.entries()) {
      const name = `c${index}`;
      const text = one.script.replaceAll('{BOX}', name).replaceAll('{OTHER}', `${name}-other`);
      await putScript(server, 'anna', name, text);
      writeFileSync(join(scripts, `${name}.sieve`), text);
      chownSync(join(scripts, `${name}.sieve`), MAIL_UID, MAIL_UID);
      const there = await outcome(theirs, name, one, async () => {});
      const here = await outcome(ours, name, one, async () => {
        // The messages of an account are worked off in order: when this one is done, so are those before it.
        await ours.append('fence', MESSAGE);
        await eventually('the scripts to have run', async () => ((await listed(ours, 'fence')) ?? []).every((line) => line.includes('done')));
      });
      const reason = EVENT_DIFFERENCES.get(one.name);
      if ((here === there) === (reason !== undefined))
        wrong.push(`${one.name}\n  ours:   ${here}\n  theirs: ${there}${reason === undefined ? '' : `\n  ${reason}`}`);
    }
    t.diagnostic(`${EVENT_CASES.length} cases`);
    assert.equal(wrong.length, 0, wrong.join('\n'));
  });
  await Promise.all([ours.logout(), theirs.logout()]);

  await t.test('every difference has its row in docs/filter-differences.md', () => {
    const page = readFileSync(join(import.meta.dirname, '../docs/filter-differences.md'), 'utf8');
    for (const row of [...METADATA_DIFFERENCES.values(), ...EVENT_DIFFERENCES.values()]) assert.ok(page.includes(`| ${row} |`), row);
  });
});

/** Untagged METADATA responses with values in one notation, and how the command ended. */
async function metadataAnswer(imap: ImapClient, command: string): Promise<string> {
  const { status, untagged } = await imap.command(command.replaceAll(/\{CRLF\}/g, '\r\n'));
  const plain = untagged
    .filter((line) => line.startsWith('METADATA'))
    .map((line) =>
      line.replaceAll(/~?\{(\d+)\}\r?\n/g, '').replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) => (text === '' ? '' : text.replaceAll(/\\(.)/g, '$1'))),
    );
  return `${plain.join('|')} ${/^(OK|NO|BAD)(?: \[(?:METADATA|CANNOT)[^\]]*\])?/.exec(status)?.[0] ?? status}`;
}

async function outcome(imap: ImapClient, name: string, one: EventCase, settle: () => Promise<void>): Promise<string> {
  for (const mailbox of [name, `${name}-other`, `${name}-from`]) await imap.ok(`CREATE ${mailbox}`);
  if (one.before !== undefined) await imap.append(name, MESSAGE, one.before);
  await imap.append(`${name}-from`, MESSAGE.replace('hello', 'from'), one.flags ?? '');
  await imap.ok(`SETMETADATA ${name} (/shared/imapsieve/script "${name}")`);
  for (const step of one.steps) {
    if (step.startsWith('APPEND')) await imap.append(name, MESSAGE.replace('hello', 'new'), step.slice(7));
    else await imap.ok(step.replaceAll('{BOX}', name).replaceAll('{FROM}', `${name}-from`));
  }
  await settle();
  await imap.command('UNSELECT');
  const [box, other, from] = [await listed(imap, name), await listed(imap, `${name}-other`), await listed(imap, `${name}-from`)];
  return JSON.stringify({ box, other, from });
}
