/** The toaster of examples/toaster: .qmail files in all their forms, and Debian's maildrop started by them. */
import assert from 'node:assert/strict';
import { chmodSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { arrived, mboxMessages, startHost } from './harness/host.ts';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { privateMachine } from './harness/private-machine.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import type { Postfix } from './peers/postfix.ts';
import { startDns, startRemote } from './peers/small-internet.ts';

ownNetwork();
const file = { after: (action: () => unknown) => after(action as () => void) };
const machine = privateMachine(file);
let remote: Postfix;
before(async () => {
  await startDns(file);
  remote = await startRemote(file);
});

for (const name of ['posthorn', 'anna', 'bert', 'carl', 'dora', 'emil', 'alias']) machine.addUser(name, `${name}-password`);
const inbox = (name: string): string[] => machine.maildir(name);
/** The report to Rita about a letter. */
const report = (subject: string): Promise<string> =>
  arrived('rita', () => remote.messages('rita').filter((message) => message.includes('multipart/report')), `Subject: ${subject}`);

test('users with .qmail files', async (t) => {
  need('maildrop');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
  const host = await startHost(t, 'toaster', { route: { luserRelay: 'alias-${local}' } });
  const { server } = host;

  await t.test('without a file: the default delivery; an extension without a file does not exist', async () => {
    const subject = await host.send('anna');
    const message = await arrived('anna', () => inbox('anna'), subject);
    assert.match(message, /^Return-Path: <rita@remote\.test>\nDelivered-To: anna@us\.test\nReceived: /);
    assert.match(await host.trace('anna@us.test', /Maildir/), /stored in \/home\/anna\/Maildir\//);
    const lost = await host.send('anna-nosuch');
    assert.match(await report(lost), /Final-Recipient: rfc822; anna-nosuch@us\.test\r?\nAction: failed\r?\nStatus: 5\.1\.1/);
  });

  await t.test('a comment, a maildir, a program with its environment, a forward: all of them', async () => {
    machine.homeFile(
      'bert',
      '.qmail',
      `# of bert
./Maildir/
|cat > seen.tmp; printf '%s|%s|%s|%s|%s' "$SENDER" "$RECIPIENT" "$USER" "$LOCAL" "$EXT" > seen.env; mv seen.tmp seen
&rob@remote.test
anna@us.test
`,
    );
    const subject = await host.send('bert');
    await arrived('bert', () => inbox('bert'), subject);
    await eventually('the program', () => machine.read('bert', 'seen')?.includes(subject));
    assert.equal(machine.read('bert', 'seen.env'), 'rita@remote.test|bert@us.test|bert|bert|');
    assert.match(machine.read('bert', 'seen')!, /^Received: /, 'qmail gives programs the message bare');
    assert.equal(statSync('/home/bert/seen').uid, machine.uid('bert'));
    const there = await arrived('rob', () => remote.messages('rob'), subject);
    assert.match(there, /^Delivered-To: bert@us\.test$/m);
    await arrived('anna', () => inbox('anna'), subject);
    assert.match(
      await host.trace(`bert@us.test`, /rob@remote\.test/),
      /stored in \/home\/bert\/Maildir\/.*\(~\/\.qmail:2\)\n +piped to cat.*: taken \(~\/\.qmail:3\)\n(?:.*\n)*? +sent on to rob@remote\.test as message \w+ \(~\/\.qmail:4\)/,
    );
  });

  await t.test('.qmail-list is for bert-list alone; .qmail-default for all else, and 99 ends it there', async () => {
    machine.homeFile('bert', '.qmail-list', './list\n');
    machine.homeFile('bert', '.qmail-team-default', './team\n');
    machine.homeFile('bert', '.qmail-default', `|printf '%s,%s' "$EXT" "$DEFAULT" > default.tmp; mv default.tmp default; exit 99\n./never\n`);
    const list = await host.send('bert-list');
    await arrived('list', () => mboxMessages(machine.read('bert', 'list')), list);
    assert.match(machine.read('bert', 'list')!, /^From rita@remote\.test .*\nReturn-Path: <rita@remote\.test>\nDelivered-To: bert-list@us\.test\n/);
    const team = await host.send('bert-team-red');
    await arrived('team', () => mboxMessages(machine.read('bert', 'team')), team);
    await host.send('bert-any.thing');
    await eventually('the default', () => machine.read('bert', 'default') === 'any.thing,any.thing');
    await host.trace('bert-any.thing@us.test', /given to a program/);
    assert.equal(machine.read('bert', 'never'), null);
  });

  await t.test('100 bounces with what the program said, 111 waits until it has its way', async () => {
    machine.homeFile('bert', '.qmail-hard', '|echo no room for this; exit 100\n./never\n');
    machine.homeFile('bert', '.qmail-soft', '|test -e mended || { echo not yet; exit 111; }\n./soft\n');
    const hard = await host.send('bert-hard');
    assert.match(await report(hard), /no room for this/);
    const soft = await host.send('bert-soft');
    assert.match(await host.trace('bert-soft@us.test', /deferred/), /deferred for bert-soft@us\.test: .*not yet/);
    assert.equal(machine.read('bert', 'soft'), null);
    machine.homeFile('bert', 'mended', '');
    await server.admin('queue', 'retry', '--all');
    await arrived('soft', () => mboxMessages(machine.read('bert', 'soft')), soft);
    assert.equal(machine.read('bert', 'never'), null);
  });

  await t.test('bouncesaying and condredirect', async () => {
    machine.homeFile('bert', '.qmail-gone', "|bouncesaying 'bert has left' true\n./never\n");
    machine.homeFile('bert', '.qmail-cond', '|condredirect rob@remote.test grep -q redirect-me\n./Maildir/\n');
    assert.match(await report(await host.send('bert-gone')), /bert has left/);
    const stays = await host.send('bert-cond');
    const goes = await host.send('bert-cond', { body: 'redirect-me' });
    await arrived('bert', () => inbox('bert'), stays);
    await arrived('rob', () => remote.messages('rob'), goes);
    assert.ok(!inbox('bert').some((message) => message.includes(`Subject: ${goes}\n`)));
  });

  await t.test('an empty .qmail is the default delivery; one that everybody may write to, and a sticky home, make mail wait', async () => {
    machine.homeFile('dora', '.qmail', '');
    await arrived('dora', () => inbox('dora'), await host.send('dora'));
    machine.homeFile('dora', '.qmail', './elsewhere\n', 0o666);
    const open = await host.send('dora');
    assert.match(await host.trace('dora@us.test', /deferred/), /everybody may write to the \.qmail file/);
    machine.homeFile('dora', '.qmail', './box\n', 0o644);
    chmodSync('/home/dora', 0o1755);
    await server.admin('queue', 'retry', '--all');
    await host.trace('dora@us.test', /the home directory is sticky/);
    chmodSync('/home/dora', 0o755);
    await server.admin('queue', 'retry', '--all');
    await arrived('dora', () => mboxMessages(machine.read('dora', 'box')), open);
  });

  await t.test("Debian's maildrop, started by .qmail, sorts by ~/.mailfilter", async () => {
    machine.homeFile('carl', '.qmail', '|maildrop\n');
    for (const part of ['cur', 'tmp', 'new']) machine.homeFolder('carl', `Maildir/.Lists/${part}`);
    for (const part of ['cur', 'tmp', 'new']) machine.homeFolder('carl', `Maildir/${part}`);
    machine.homeFile(
      'carl',
      '.mailfilter',
      'if (/^Subject:.*list/)\n{\n  to "$HOME/Maildir/.Lists/"\n}\nif (/^Subject:.*later/)\n{\n  EXITCODE=75\n  exit\n}\nto "$HOME/Maildir/"\n',
      0o600,
    );
    const list = await host.send('carl', { subject: 'of a list' });
    await arrived('carl', () => machine.maildir('carl', 'Maildir/.Lists'), list);
    const plain = await host.send('carl', { subject: 'for carl' });
    await arrived('carl', () => inbox('carl'), plain);
    await host.send('carl', { subject: 'later please' });
    await host.trace('carl@us.test', /deferred for carl@us\.test/);
  });

  await t.test("names that are nobody's go to ~alias/.qmail-name", async () => {
    machine.homeFile('alias', '.qmail-info', '&anna\n');
    const subject = await host.send('info');
    await arrived('anna', () => inbox('anna'), subject);
    assert.match(await report(await host.send('nosuchname')), /5\.1\.1/);
  });

  await t.test('users forwarding to each other end in one report', async () => {
    machine.homeFile('emil', '.qmail', '&emil-two@us.test\n');
    machine.homeFile('emil', '.qmail-two', '&emil@us.test\n');
    const subject = await host.send('emil');
    await report(subject);
    assert.equal(remote.messages('rita').filter((message) => message.includes(`Subject: ${subject}\n`)).length, 1);
  });

  await t.test('a user logs in with the password of the machine', async () => {
    const imap = await ImapClient.login(143, 'anna', 'anna-password');
    await imap.logout();
  });
});
