/** The classic Linux host of examples/classic-host: users of /etc/passwd, their .forward, procmail, maildrop and Sieve files, and Debian's readers. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { arrived, mboxMessages, startHost } from './harness/host.ts';
import { ownNetwork } from './harness/own-network.ts';
import { maildir, privateMachine } from './harness/private-machine.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { CLIENT, startDns, startRemote } from './peers/small-internet.ts';
import type { Postfix } from './peers/postfix.ts';

ownNetwork();
const file = { after: (action: () => unknown) => after(action as () => void) };
const machine = privateMachine(file);
let remote: Postfix;
before(async () => {
  await startDns(file);
  remote = await startRemote(file);
});

const USERS = ['posthorn', 'anna', 'bert', 'olga', 'paul', 'max', 'sam', 'pat', 'rosa', 'open', 'ringa', 'ringb', 'ringc', 'pinga', 'pingb'] as const;
for (const name of USERS) machine.addUser(name, `${name}-password`);
/** Where the administrator's aliases write, as nobody. */
const out = tempDir(file, 'aliases');
chmodSync(out, 0o1777);
machine.file(
  '/etc/aliases',
  `# of the administrator
postmaster: root
root:       anna
robot:      "|cat > ${out}/robot.tmp; id -un > ${out}/robot.user; mv ${out}/robot.tmp ${out}/robot"
archive:    ${out}/archive, bert
folder:     ${out}/folder/
crew:       :include:/etc/mail/crew
club:       bert, nosuch@remote.test
owner-club: olga
turn:       round
round:      turn
nesting:    :include:/etc/mail/nesting
`,
);
machine.file('/etc/mail/crew', '# who is aboard\nanna, bert\n  rob@remote.test\n');
machine.file('/etc/mail/nesting', ':include:/etc/mail/nesting\n');
const inbox = (name: string): string[] => machine.maildir(name);
const atRemote = (user: string): string[] => remote.messages(user);
/** The report to Rita about a letter. */
const report = (subject: string): Promise<string> =>
  arrived('rita', () => atRemote('rita').filter((message) => message.includes('multipart/report')), `Subject: ${subject}`);

test('forward files and aliases', async (t) => {
  const host = await startHost(t, 'classic-host');

  await t.test('a user without files has her mail in ~/Maildir, and it is hers alone', async () => {
    const subject = await host.send('anna');
    const message = await arrived('anna', () => inbox('anna'), subject);
    assert.match(message, /^Return-Path: <rita@remote\.test>\nX-Original-To: anna@us\.test\nDelivered-To: anna@us\.test\nReceived: from /);
    const stat = statSync('/home/anna/Maildir/new');
    assert.equal(stat.uid, machine.uid('anna'));
    assert.equal(stat.mode & 0o077, 0);
    assert.match(await host.trace('anna@us.test', /Maildir/), /what was done for anna@us\.test:\n +stored in \/home\/anna\/Maildir/);
  });

  await t.test('nobody of that name is refused at RCPT', async () => {
    await assert.rejects(host.send('nosuch'), /550 5\.1\.1/);
  });

  await t.test('~/.forward+detail takes the mail for that detail only; without it ~/.forward does', async () => {
    machine.homeFile('pat', '.forward+lists', '/home/pat/lists\n');
    const [plain, lists, other] = [await host.send('pat'), await host.send('pat+lists'), await host.send('pat+other')];
    await arrived('pat', () => mboxMessages(machine.read('pat', 'lists')), lists);
    await arrived('pat', () => inbox('pat'), plain);
    await arrived('pat', () => inbox('pat'), other);
    assert.equal(mboxMessages(machine.read('pat', 'lists')).length, 1);
    assert.equal(inbox('pat').length, 2);
  });

  await t.test("a program, a file, a maildir, another user, a list of one's own and oneself, all in one ~/.forward", async () => {
    machine.homeFile(
      'rosa',
      '.forward',
      `"|/usr/bin/formail -A \\"X-Piped: by $USER\\" > piped.tmp && mv piped.tmp piped"
/home/rosa/archive, ~/box/
:include:/home/rosa/friends
\\rosa
`,
    );
    machine.homeFile('rosa', 'friends', '# of mine\nbert\n');
    const subject = await host.send('rosa', { body: 'From the start.\n>From quoted' });
    await eventually('the program has written', () => machine.read('rosa', 'piped')?.includes('X-Piped: by rosa'));
    assert.match(machine.read('rosa', 'piped')!, /^From rita@remote\.test /);
    await arrived('archive', () => mboxMessages(machine.read('rosa', 'archive')), subject);
    assert.match(machine.read('rosa', 'archive')!, /\n>From the start\.\n>From quoted\n\n$/);
    await arrived('bert', () => inbox('bert'), subject);
    await arrived('rosa', () => inbox('rosa'), subject);
    for (const path of ['piped', 'archive']) assert.equal(statSync(join('/home/rosa', path)).uid, machine.uid('rosa'));
    assert.match(
      await host.trace('rosa@us.test', /formail/),
      /what was done for rosa@us\.test:\n +piped to \/usr\/bin\/formail .*: taken \(~\/\.forward:1\)\n +stored in \/home\/rosa\/archive \(~\/\.forward:2\)/,
    );
  });

  await t.test('off-site: the sender is rewritten so that reports find their way back, and the copy is sealed', async () => {
    machine.homeFile('olga', '.forward', '\\olga, rob@remote.test\n');
    const subject = await host.send('olga', { via: CLIENT });
    const there = await arrived('rob', () => atRemote('rob'), subject);
    assert.match(there, /^Return-Path: <SRS0=[^@]+=remote\.test=rita@us\.test>/);
    assert.match(there, /^ARC-Seal: [\s\S]*?\bcv=none; d=us\.test; i=1;/m);
    assert.match(there, /^Delivered-To: olga@us\.test$/m);
    await arrived('olga', () => inbox('olga'), subject);
    assert.match(await host.trace('olga@us.test', /sent on/), / sent on to rob@remote\.test as message \w+ \(~\/\.forward:1\)\n/);

    machine.homeFile('olga', '.forward', 'gone@remote.test\n');
    const lost = await host.send('olga');
    assert.match(await report(lost), /Final-Recipient: rfc822; gone@remote\.test/);
    machine.homeFile('olga', '.forward', '\\olga\n');
  });

  await t.test('a ~/.forward that everybody may write to is not followed, and its owner hears of it once', async () => {
    machine.homeFile('open', '.forward', 'rob@remote.test\n', 0o666);
    const [one, two] = [await host.send('open'), await host.send('open')];
    await arrived('open', () => inbox('open'), one);
    await arrived('open', () => inbox('open'), two);
    assert.ok(!atRemote('rob').some((message) => message.includes(one)));
    assert.match(await host.trace('open@us.test', /fails/), /the filter fails: everybody may write to it \(~\/\.forward\)\n/);
    await arrived('open', () => inbox('open'), 'Subject: Your mail filter fails: ~/.forward');
    assert.equal(inbox('open').length, 3);
  });

  await t.test('aliases of root: a program, a file and a maildir as nobody, a list', async () => {
    const robot = await host.send('robot');
    await arrived('robot', () => mboxMessages(existsSync(join(out, 'robot')) ? readFileSync(join(out, 'robot'), 'latin1') : null), robot);
    assert.equal(readFileSync(join(out, 'robot.user'), 'utf8'), 'nobody\n');
    const archive = await host.send('archive');
    await arrived('archive', () => mboxMessages(existsSync(join(out, 'archive')) ? readFileSync(join(out, 'archive'), 'latin1') : null), archive);
    await arrived('bert', () => inbox('bert'), archive);
    const folder = await host.send('folder');
    await arrived('folder', () => maildir(join(out, 'folder')), folder);
    const crew = await host.send('crew');
    await Promise.all([arrived('anna', () => inbox('anna'), crew), arrived('bert', () => inbox('bert'), crew), arrived('rob', () => atRemote('rob'), crew)]);
    const root = await host.send('postmaster');
    await arrived('anna', () => inbox('anna'), root);
    assert.match(await host.trace('robot@us.test', /given/), /piped to cat > .*: taken \(an alias\)\n.* given to a program for robot@us\.test\n/);
  });

  await t.test('a member of a list who does not exist is reported to owner-list, not to the writer', async () => {
    const subject = await host.send('club');
    await arrived('bert', () => inbox('bert'), subject);
    const told = await arrived('olga', () => inbox('olga'), /multipart\/report[\s\S]*nosuch@remote\.test/);
    assert.ok(told.includes(subject));
    assert.ok(!atRemote('rita').some((message) => message.includes(subject)));
    assert.match(
      await host.trace('club@us.test', /failed/),
      /failed for nosuch@remote\.test: mx\.remote\.test.* said 550 .*\n.* a report of the failure was sent to owner-club@us\.test\n/,
    );
  });

  await t.test('aliases and lists that lead back to themselves are refused', async () => {
    await assert.rejects(host.send('turn'), /5\.4\.6|550/);
    await assert.rejects(host.send('nesting'), /5\.\d\.\d|550/);
  });

  await t.test('users who forward to each other in a ring: one report, and it ends', async () => {
    machine.homeFile('ringa', '.forward', 'ringb\n');
    machine.homeFile('ringb', '.forward', 'ringc\n');
    machine.homeFile('ringc', '.forward', 'ringa\n');
    const ring = await host.send('ringa');
    assert.match(await report(ring), /Final-Recipient: rfc822; ringa@us\.test[\s\S]*Status: 5\.4\.6/);
    assert.match(await host.trace('ringa@us.test', /loop/), /failed for ringa@us\.test: 554 5\.4\.6 mail forwarding loop for ringa@us\.test/);
    machine.homeFile('pinga', '.forward', 'pingb@us.test\n');
    machine.homeFile('pingb', '.forward', 'pinga@us.test\n');
    const ping = await host.send('pinga');
    await report(ping);
    assert.equal(atRemote('rita').filter((message) => message.includes(`Subject: ${ping}`)).length, 1);
  });
  assert.match(await host.queued, /Nothing waits/);
});
