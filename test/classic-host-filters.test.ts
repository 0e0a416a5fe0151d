/** The classic Linux host of examples/classic-host: procmail, maildrop and Sieve files of its users, mistakes in them, and Debian's mail readers. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { arrived, mboxMessages, startHost } from './harness/host.ts';
import { ownNetwork } from './harness/own-network.ts';
import { privateMachine } from './harness/private-machine.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import type { Postfix } from './peers/postfix.ts';
import { dovecotMessages, muttMessages } from './peers/readers.ts';
import { startDns, startRemote } from './peers/small-internet.ts';

ownNetwork();
const file = { after: (action: () => unknown) => after(action as () => void) };
const machine = privateMachine(file);
let remote: Postfix;
before(async () => {
  await startDns(file);
  remote = await startRemote(file);
});

const USERS = ['posthorn', 'paul', 'max', 'sam', 'vera', 'walt', 'slip', 'trip', 'fall', 'drop', 'mia', 'moe'] as const;
for (const name of USERS) machine.addUser(name, `${name}-password`);
machine.file('/etc/aliases', 'root: mia\n');
const inbox = (name: string): string[] => machine.maildir(name);
const atRemote = (user: string): string[] => remote.messages(user);

test('filters of system users', async (t) => {
  need('formail', 'reformail');
  const host = await startHost(t, 'classic-host');

  await t.test('procmail: a filter that changes the message, copies, mbox, maildir and MH folders, a lock, a program, a forward', async () => {
    machine.homeFile(
      'paul',
      '.procmailrc',
      `MAILDIR=$HOME/Mail
LOGFILE=$HOME/procmail.log
LOGABSTRACT=all
DEFAULT=$HOME/Maildir/

:0 fhw
| formail -I "X-Filtered: yes"

:0 c:
backup

:0:
* ^Subject:.*\\[list\\]
lists

:0
* ^TO_paul\\+sales
sales/

:0
* ^Subject:.*mh-folder
mh/.

:0 w: digest.lock
* ^Subject:.*digest
* ? test -d $MAILDIR
| (echo "one more"; cat) >> digest; test -e digest.lock && echo locked >> digest.state

:0
* ^Subject:.*forward
! rob@remote.test
`,
    );
    machine.homeFolder('paul', 'Mail');
    await host.send('paul', { subject: 'plain' });
    assert.match(await arrived('paul', () => inbox('paul'), 'Subject: plain'), /^X-Filtered: yes$/m);
    await host.send('paul', { subject: '[list] one' });
    await arrived('lists', () => mboxMessages(machine.read('paul', 'Mail/lists')), '[list] one');
    await host.send('paul+sales', { subject: 'an order' });
    await arrived('sales', () => machine.maildir('paul', 'Mail/sales'), 'an order');
    await host.send('paul', { subject: 'to the mh-folder' });
    await eventually('the MH folder', () => machine.read('paul', 'Mail/mh/1')?.includes('to the mh-folder'));
    await host.send('paul', { subject: 'a digest' });
    await eventually('the program', () => machine.read('paul', 'Mail/digest')?.startsWith('one more\n'));
    await eventually('the lock was held', () => machine.read('paul', 'Mail/digest.state') === 'locked\n');
    await eventually('the lock is gone', () => !existsSync('/home/paul/Mail/digest.lock'));
    await host.send('paul', { subject: 'please forward' });
    assert.match(await arrived('rob', () => atRemote('rob'), 'please forward'), /^X-Filtered: yes$/m);
    assert.equal(mboxMessages(machine.read('paul', 'Mail/backup')).length, 6);
    assert.equal(statSync('/home/paul/Mail/lists').uid, machine.uid('paul'));
    assert.match(machine.read('paul', 'procmail.log')!, /Subject: \[list\] one\n +Folder: lists\b/);
    assert.match(
      await host.trace('paul@us.test', /sent on/),
      /ran formail .*: exit 0 \(~\/\.procmailrc:\d+\)\n +stored in \/home\/paul\/Mail\/backup \(.*\)\n +sent on to rob@remote\.test as message \w+ \(~\/\.procmailrc:31\)\n/,
    );
  });

  await t.test('maildrop: xfilter, a folder of the maildir, a copy to another host, and exceptions', async () => {
    machine.homeFile(
      'max',
      '.mailfilter',
      `logfile "$HOME/maildrop.log"
exception {
  xfilter "reformail -A'X-Maildrop: yes'"
}
if (/^Subject:.*list/)
{
  to "$HOME/Maildir/.Lists/"
}
if (/^Subject:.*copy/)
{
  cc "!rob@remote.test"
}
exception {
  to "/home/nobody-here/x"
}
to "$DEFAULT"
`,
      0o600,
    );
    for (const part of ['cur', 'tmp', 'new']) machine.homeFolder('max', `Maildir/.Lists/${part}`);
    await host.send('max', { subject: 'from the list' });
    assert.match(await arrived('max', () => machine.maildir('max', 'Maildir/.Lists'), 'from the list'), /^X-Maildrop: yes$/m);
    await host.send('max', { subject: 'with copy' });
    await arrived('max', () => inbox('max'), 'with copy');
    assert.match(await arrived('rob', () => atRemote('rob'), 'with copy'), /^X-Maildrop: yes$/m);
    assert.match(await host.trace('max@us.test', /sent on/), /ran reformail .*: exit 0 \(~\/\.mailfilter:3\)\n/);
    assert.match(machine.read('max', 'maildrop.log')!, /^File: !rob@remote\.test/m);
  });

  await t.test('Sieve: filed, flagged, sent on; vacation answers once and no machine', async () => {
    machine.homeFile(
      'sam',
      '.dovecot.sieve',
      `require ["fileinto", "mailbox", "imap4flags", "vacation", "copy"];
if header :contains "subject" "list" { fileinto :create "Lists"; stop; }
if header :contains "subject" "flag" { addflag "\\\\Flagged"; keep; stop; }
if header :contains "subject" "on" { redirect :copy "rob@remote.test"; }
vacation :days 7 :subject "Away" "I am away.";
`,
    );
    await host.send('sam', { subject: 'of a list' });
    await arrived('sam', () => machine.maildir('sam', 'Maildir/.Lists'), 'of a list');
    await host.send('sam', { subject: 'pass it on' });
    await arrived('sam', () => inbox('sam'), 'pass it on');
    await arrived('rob', () => atRemote('rob'), 'pass it on');
    const answer = await arrived('rita', () => atRemote('rita'), /^Subject: Away$/m);
    assert.match(answer, /^Return-Path: <>$/m);
    assert.match(answer, /^Auto-Submitted: auto-replied/m);
    await host.send('sam', { subject: 'second' });
    await host.send('sam', { subject: 'machine', from: 'rob@remote.test', headers: { 'Auto-Submitted': 'auto-generated' } });
    await host.send('sam', { subject: 'bulk', from: 'rob@remote.test', headers: { 'List-Id': '<x.remote.test>' } });
    await host.send('sam', { subject: 'report', from: '' });
    for (const subject of ['second', 'machine', 'bulk', 'report']) await arrived('sam', () => inbox('sam'), `Subject: ${subject}`);
    // They are worked on side by side: any of them may be the last to be written down.
    const reasons = ['the sender was told already', 'the message came by a mailing list', 'the message has the null sender'];
    await host.trace('sam@us.test', new RegExp(reasons.map((reason) => `(?=[\\s\\S]*no vacation notice: ${reason})`).join('')));
    assert.equal(atRemote('rita').filter((message) => message.includes('Subject: Away')).length, 1);
    assert.equal(atRemote('rob').filter((message) => message.includes('Subject: Away')).length, 0);
  });

  await t.test('two users on vacation write to each other: no loop', async () => {
    for (const name of ['vera', 'walt']) machine.homeFile(name, '.dovecot.sieve', 'require "vacation"; vacation "I am away too.";');
    await host.send('vera', { from: 'walt@us.test', subject: 'on holiday' });
    const answer = await arrived('walt', () => inbox('walt'), 'I am away too.');
    assert.match(answer, /^To: .*walt@us\.test/m);
    await host.trace('walt@us.test', /no vacation notice: the message has the null sender/);
    await eventually('nothing waits', async () => /Nothing waits/.test(await host.queued));
    assert.equal(inbox('vera').length, 1);
    assert.equal(inbox('walt').length, 1);
  });

  await t.test('mistakes: procmail and Sieve keep the mail in the mailbox, maildrop lets it wait, and the owner is told once', async () => {
    machine.homeFile(
      'slip',
      '.procmailrc',
      'LOGFILE=$HOME/log\n:0\n* ^Subject: nothing\n/dev/null\n\nthis is no recipe\n:0Q\n* ? /no/such/program\n/dev/null\n',
    );
    machine.homeFile('fall', '.dovecot.sieve', 'require "fileinto";\nfileinto;\n');
    machine.homeFile('trip', '.mailfilter', 'if (/^Subject: x/)\n  to "$DEFAULT\n', 0o600);
    machine.homeFile('drop', '.forward', '<broken@@remote.test\nrob@remote.test\n');
    for (const nth of ['first', 'second']) for (const name of ['slip', 'fall', 'trip', 'drop']) await host.send(name, { subject: `${nth} mistake of ${name}` });
    for (const nth of ['first', 'second']) {
      for (const name of ['slip', 'fall', 'drop']) await arrived(name, () => inbox(name), `${nth} mistake of ${name}`);
      await arrived('rob', () => atRemote('rob'), `${nth} mistake of drop`);
    }
    // Both must wait before they are tried again: an attempt under way would end with the old file.
    await host.trace('trip@us.test', /(?:deferred for trip@us\.test: .*has mistakes[\s\S]*){2}/);
    machine.homeFile('trip', '.mailfilter', 'to "$DEFAULT"\n', 0o600);
    await host.server.admin('queue', 'retry', '--all');
    for (const nth of ['first', 'second']) await arrived('trip', () => inbox('trip'), `${nth} mistake of trip`);
    assert.match(machine.read('slip', 'log')!, /procmail: Skipped "Q"/);
    for (const [name, where] of [
      ['fall', '~/.dovecot.sieve, line 2'],
      ['trip', '~/.mailfilter, line 2'],
      ['drop', '~/.forward, line 1'],
    ] as const) {
      const told = (): string[] => inbox(name).filter((message) => message.includes(`Subject: Your mail filter fails: ${where}\n`));
      await arrived(name, told, 'You will not be told again');
      assert.equal(told().length, 1, name);
    }
  });
});

const READ = [
  { mailbox: 'Maildir/', path: (name: string) => `/home/${name}/Maildir`, location: (name: string) => `maildir:/home/${name}/Maildir` },
  { mailbox: 'mbox', path: (name: string) => `/home/${name}/mbox`, location: (name: string) => `mbox:/home/${name}/mail:INBOX=/home/${name}/mbox` },
  { mailbox: '/var/mail/', path: (name: string) => `/var/mail/${name}`, location: (name: string) => `mbox:/home/${name}/mail:INBOX=/var/mail/${name}` },
] as const;
for (const { mailbox, path, location } of READ)
  test(`local.mailbox = "${mailbox}": mutt and Dovecot read what came, byte for byte`, async (t) => {
    const host = await startHost(t, 'classic-host', { local: { mailbox } });
    const name = `mia${READ.findIndex((one) => one.mailbox === mailbox)}`;
    const reader = { name, uid: machine.addUser(name) };
    const bodies = ['plain', 'From here on\n\nFrom there\n>From quoted', '.\n..\nno end', '', 'a\n\n\n\n'];
    for (const [n, body] of bodies.entries()) {
      await host.send(name, { subject: `number ${n}`, body });
      await host.trace(`${name}@us.test`, new RegExp(`number%20${n}[\\s\\S]*stored in ${path(name)}`));
    }
    const byNumber = (found: readonly string[]): string[] => [...found].sort((a, b) => (/number \d/.exec(a)![0] < /number \d/.exec(b)![0] ? -1 : 1));
    const inMutt = byNumber(await muttMessages(reader, path(name), bodies.length));
    const inDovecot = byNumber(await dovecotMessages(reader, location(name)));
    assert.equal(inMutt.length, bodies.length);
    assert.deepEqual(inDovecot, inMutt.map(withoutStatus));
    for (const [n, body] of bodies.entries()) {
      assert.match(inMutt[n]!, new RegExp(`^Return-Path: <rita@remote\\.test>\nX-Original-To: ${name}@us\\.test\nDelivered-To: ${name}@us\\.test\n`));
      const expected = mailbox.endsWith('dir/') ? body : body.replaceAll(/^From /gm, '>From ');
      assert.equal(inMutt[n]!.slice(inMutt[n]!.indexOf('\n\n') + 2), `${expected}\n`);
    }
    assert.equal(statSync(path(name)).uid, reader.uid);
  });

/** Lines that mutt and Dovecot add to the header in an mbox. */
const withoutStatus = (message: string): string => message.replace(/^(?:Status|X-Status|Content-Length|Lines): .*\n/gm, '');
