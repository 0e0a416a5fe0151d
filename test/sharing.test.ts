/** Mailboxes that users share (RFC 4314), and quotas (RFC 9208), in the running server; the same commands to Debian's Dovecot with its acl and quota plugins. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Answer, ImapClient } from './harness/imap-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, run } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { startDovecot } from './peers/dovecot.ts';
import { MAIL_UID } from './peers/postfix.ts';
import { ACL_CASES, ACL_DIFFERENCES } from './sharing/acl-cases.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const MESSAGE = 'From: anna@us.test\r\nTo: bert@us.test\r\nSubject: hello\r\n\r\nworld\r\n';
const USERS = ['anna', 'bert', 'carl'];

/** A refusal comes instead of "+": the literal does not wait for it. */
function append(client: ImapClient, mailbox: string): Promise<Answer> {
  return client.command(`APPEND "${mailbox}" {${MESSAGE.length}+}\r\n${MESSAGE}`);
}

const login = (server: Posthorn, user: string): Promise<ImapClient> => ImapClient.login(server.port('imap'), `${user}@us.test`, PASSWORD);

test('two users share a folder of INBOX: hear of each other, copy home, and may do no more than they may', async (t) => {
  const server = await startPosthorn(t, { users: Object.fromEntries(USERS.map((user) => [`${user}@us.test`, PASSWORD])) });
  const anna = await login(server, 'anna');
  const bert = await login(server, 'bert');
  const shared = 'Other Users/anna@us.test/INBOX/Projects';

  await t.test('what one appends the other hears of in IDLE, and copies home', async () => {
    await anna.ok('CREATE INBOX/Projects');
    assert.match((await bert.command(`SELECT "${shared}"`)).status, /^NO \[NONEXISTENT\]/);
    await anna.ok('SETACL INBOX/Projects bert@us.test lrs');
    assert.match((await bert.ok(`SELECT "${shared}"`)).status, /^OK \[READ-WRITE\]/);
    bert.wire.send('idle IDLE\r\n');
    await bert.wire.expect(/^\+ /);
    await anna.append('INBOX/Projects', MESSAGE);
    await bert.wire.expect(/^\* 1 EXISTS/);
    bert.wire.send('DONE\r\n');
    await bert.finish('idle');
    assert.match((await bert.ok('COPY 1 INBOX')).status, /^OK \[COPYUID /);
    assert.equal(await bert.count('INBOX'), 1);
  });

  await t.test('deleting needs rights that were not given', async () => {
    await bert.ok('STORE 1 +FLAGS (\\Seen)');
    await bert.command('STORE 1 +FLAGS (\\Deleted)');
    assert.match((await bert.command('MOVE 1 INBOX')).status, /^NO \[NOPERM\]/);
    await bert.command('EXPUNGE');
    await anna.ok('SELECT INBOX/Projects');
    assert.match((await anna.ok('FETCH 1 (FLAGS)')).untagged.join(), /FETCH \(FLAGS \(\\Seen\)\)/);
    assert.match((await bert.command(`DELETE "${shared}"`)).status, /^NO \[NOPERM\]/);
    assert.match((await append(bert, shared)).status, /^NO \[NOPERM\]/);
  });

  await t.test('with more rights MOVE takes the message out of both lists', async () => {
    await anna.ok('SETACL INBOX/Projects bert@us.test +te');
    await bert.ok(`SELECT "${shared}"`);
    assert.match((await bert.ok('MOVE 1 INBOX')).untagged.join('\n'), /OK \[COPYUID \d+ 1 2\].*\n1 EXPUNGE/);
    assert.deepEqual((await anna.ok('NOOP')).untagged, ['1 EXPUNGE']);
    assert.equal(await bert.count('INBOX'), 2);
  });

  await t.test('posthorn acl does the same, also for anyone, and says what it will not do', async () => {
    assert.equal(await server.admin('acl', 'set', 'anna@us.test', 'INBOX/Projects', 'carl@us.test', 'write'), 'carl@us.test has lrswite on INBOX/Projects.\n');
    assert.equal(await server.admin('acl', 'set', 'anna@us.test', 'INBOX', 'anyone', 'read'), 'anyone has lr on INBOX.\n');
    const rows = (await server.admin('acl', 'list', 'anna@us.test', '--json')).trim().split('\n');
    assert.deepEqual(
      rows.map((row) => JSON.parse(row)),
      [
        { mailbox: 'INBOX', identifier: 'anyone', rights: 'lr' },
        { mailbox: 'INBOX/Projects', identifier: 'bert@us.test', rights: 'lrste' },
        { mailbox: 'INBOX/Projects', identifier: 'carl@us.test', rights: 'lrswite' },
      ],
    );
    const carl = await login(server, 'carl');
    assert.deepEqual((await carl.ok(`MYRIGHTS "${shared}"`)).untagged, [`MYRIGHTS "${shared}" lrswited`]);
    assert.match((await append(carl, shared)).status, /^OK \[APPENDUID /);
    await server.admin('acl', 'remove', 'anna@us.test', 'INBOX/Projects', 'carl@us.test');
    assert.match((await carl.command(`SELECT "${shared}"`)).status, /^NO \[NONEXISTENT\]/);
    for (const [args, said] of [
      [['anna@us.test', 'INBOX', 'nobody@us.test', 'lr'], /cannot be shared with nobody@us\.test/],
      [['anna@us.test', 'INBOX', 'anna@us.test', 'lr'], /keeps all rights/],
      [['anna@us.test', 'INBOX', 'bert@us.test', 'lrz'], /"z" is no right/],
      [['anna@us.test', 'None', 'bert@us.test', 'lr'], /has no mailbox "None"/],
    ] as const) {
      const result = await server.cli(['acl', 'set', ...args]);
      assert.equal(result.code, 1);
      assert.match(result.stderr, said);
    }
    await carl.logout();
  });

  await t.test("a user who is removed and made again finds no doors open; with rights on nobody's", async () => {
    await server.admin('acl', 'set', 'anna@us.test', 'INBOX/Projects', 'carl@us.test', 'all');
    await server.admin('user', 'remove', 'carl@us.test', '--yes');
    await server.addUser('carl@us.test', PASSWORD);
    assert.doesNotMatch(await server.admin('acl', 'list', 'anna@us.test', 'INBOX/Projects'), /carl/);
  });

  await t.test("Python's imaplib gives rights and reads quotas", async () => {
    need('python3');
    await server.admin('user', 'quota', 'anna@us.test', '1MiB');
    const script = `
import imaplib, sys
m = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
m.login('anna@us.test', sys.argv[2])
print(m.setacl('INBOX/Projects', 'carl@us.test', 'lr')[0])
print(m.getacl('INBOX/Projects')[1][0].decode())
print(m.myrights('INBOX')[1][0].decode())
print(m.deleteacl('INBOX/Projects', 'carl@us.test')[0])
typ, (roots, quotas) = m.getquotaroot('INBOX')
print(roots[0].decode())
print(quotas[0].decode())
print(m.getquota('"User quota"')[1][0].decode())
print(m.namespace()[1][0].decode())
try:
    m.setquota('"User quota"', '(STORAGE 5)')
except m.error:
    pass
m.logout()
`;
    const result = await run('python3', ['-c', script, String(server.port('imap')), PASSWORD]);
    assert.equal(result.code, 0, result.stderr);
    const [set, acl, mine, removed, roots, quota, again, namespace] = result.stdout.trim().split('\n');
    assert.deepEqual([set, removed], ['OK', 'OK']);
    assert.equal(acl, 'INBOX/Projects anna@us.test lrswipkxteacd bert@us.test lrsted carl@us.test lr');
    assert.equal(mine, 'INBOX lrswipkxteacd');
    assert.equal(roots, 'INBOX "User quota"');
    assert.match(quota!, /^"User quota" \(STORAGE \d+ 1024 MAILBOX \d+ 10000 ANNOTATION-STORAGE 0 64000\)$/);
    assert.equal(again, quota);
    assert.equal(namespace, '(("" "/")) (("Other Users/" "/")) NIL');
  });
  await anna.logout();
  await bert.logout();
});

/** Answers of both servers as far as they can be the same: logins, order of letters and of mailboxes, and what texts say aside. */
function comparable({ status, untagged }: Answer): string[] {
  const code = /^(OK|NO|BAD)(?: \[([A-Z-]+))?/.exec(status)!;
  const lines = untagged
    .filter((line) => /^(ACL|LISTRIGHTS|MYRIGHTS|QUOTA|QUOTAROOT|LIST|LSUB|STATUS|NAMESPACE) |FETCH/.test(line))
    .map((line) => line.replace('\\Recent ', '').replace(/ ?\\Recent/, ''))
    .map((line) => line.replaceAll('@us.test', '').replaceAll('"', ''))
    // RFC 9208 sections 5.3 and 5.4: resources that Dovecot does not know.
    .map((line) => line.replace(/ ?MAILBOX \d+ \d+ ANNOTATION-STORAGE \d+ \d+/, ''))
    .map((line) => (/^(ACL|MYRIGHTS|LISTRIGHTS)/.test(line) ? withSortedRights(line) : line));
  // RFC 8474: Dovecot has no MAILBOXID.
  return [...lines.sort(), `${code[1]}${code[2] === undefined || code[2] === 'MAILBOXID' ? '' : ` [${code[2]}]`}`];
}

/** Rights in alphabetical order, and pairs by identifier: the RFC leaves both open. */
function withSortedRights(line: string): string {
  const words = line.split(' ').map((word) => (/^[lrswipkxteacd]+$/.test(word) ? [...word].sort().join('') : word));
  if (words[0] !== 'ACL') return words[0] === 'LISTRIGHTS' ? [...words.slice(0, 4), ...words.slice(4).sort()].join(' ') : words.join(' ');
  const pairs: string[] = [];
  for (let i = 2; i < words.length; i += 2) pairs.push(`${words[i]} ${words[i + 1]}`);
  return [...words.slice(0, 2), ...pairs.sort()].join(' ');
}

test("the same commands to Dovecot's acl and quota plugins: what differs is in the table", async (t) => {
  const mailboxes = join(tempDir(t, 'sharing'), 'mailboxes');
  mkdirSync(mailboxes);
  chownSync(mailboxes, MAIL_UID, MAIL_UID);
  await startDovecot(t, {
    address: DOVECOT,
    imapPort: 1143,
    lmtpPort: 1024,
    users: Object.fromEntries(USERS.map((user) => [user, PASSWORD])),
    mailboxes,
    extra: `
mail_plugins = acl quota
protocol imap {
  mail_plugins = acl quota imap_acl imap_quota
}
namespace inbox {
  separator = /
}
namespace shared {
  type = shared
  separator = /
  prefix = Other Users/%%u/
  location = maildir:${mailboxes}/%%u/Maildir
  subscriptions = no
  list = children
}
plugin {
  acl = vfile::cache_secs=0
  acl_anyone = allow
  acl_shared_dict = file:${mailboxes}/shared.db
  quota = maildir:User quota
  quota_rule = *:storage=1M:messages=50
}
`,
  });
  const server = await startPosthorn(t, { users: Object.fromEntries(USERS.map((user) => [`${user}@us.test`, PASSWORD])) });
  for (const user of USERS) await server.admin('user', 'quota', `${user}@us.test`, '1MiB', '--messages', '50');
  const ours = new Map<string, ImapClient>();
  for (const user of USERS) ours.set(user, await login(server, user));
  const answer = async (client: ImapClient, command: string, suffix: string): Promise<string[]> => {
    const text = command.replaceAll(/\b(anna|bert|carl|nobody)\b/g, `$1${suffix}`);
    const way = text.replace(/ #\d+$/, '').split(' ;; ');
    const last = way.pop()!;
    for (const step of way) await client.ok(step);
    return comparable(last.startsWith('APPEND ') ? await append(client, last.slice(7)) : await client.command(last));
  };
  const wrong: unknown[] = [];
  for (const line of ACL_CASES) {
    const [user, command] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
    const mine = await answer(ours.get(user)!, command, '@us.test');
    // Dovecot remembers rights within a session.
    const client = await ImapClient.login(1143, user, PASSWORD, { host: DOVECOT });
    const peer = await answer(client, command, '');
    await client.logout();
    // A response code where Dovecot has none is no difference.
    if (peer.at(-1) === mine.at(-1)!.replace(/ .*/, '')) peer[peer.length - 1] = mine.at(-1)!;
    const known = ACL_DIFFERENCES[line];
    const expected = known === undefined ? { ours: mine, theirs: mine } : known;
    if (JSON.stringify([mine, peer]) !== JSON.stringify([expected.ours, expected.theirs])) wrong.push({ line, ours: mine, theirs: peer });
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    Object.keys(ACL_DIFFERENCES).filter((line) => !ACL_CASES.includes(line)),
    [],
  );
  for (const client of ours.values()) await client.logout();
});
