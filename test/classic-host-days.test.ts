/** Bad days of the classic Linux host: programs that hang, full mailboxes, homes that are away, expansion bombs; and its other ways to hand mail over. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { arrived, mboxMessages, startHost } from './harness/host.ts';
import { ownNetwork } from './harness/own-network.ts';
import { maildir, privateMachine } from './harness/private-machine.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startDovecot } from './peers/dovecot.ts';
import type { Postfix } from './peers/postfix.ts';
import { REMOTE, startDns, startRemote } from './peers/small-internet.ts';

ownNetwork();
const file = { after: (action: () => unknown) => after(action as () => void) };
const machine = privateMachine(file);
let remote: Postfix;
before(async () => {
  await startDns(file);
  remote = await startRemote(file);
});

for (const name of ['posthorn', 'anna', 'hank', 'full', 'own', 'away', 'bomb', 'deaf', 'soft', 'link', 'proc']) machine.addUser(name);
machine.file('/etc/aliases', 'root: anna\n');
const inbox = (name: string): string[] => machine.maildir(name);
/** The report to Rita about a letter. */
const report = (subject: string): Promise<string> =>
  arrived('rita', () => remote.messages('rita').filter((message) => message.includes('multipart/report')), `Subject: ${subject}\n`);
const reports = (subject: string): number => remote.messages('rita').filter((message) => message.includes(`Subject: ${subject}\n`)).length;

test('bad days', async (t) => {
  const host = await startHost(t, 'classic-host', {
    local: { commandTimeLimit: '1s', quotaBytes: '20KiB' },
    queue: { retryMin: '1s', retryMax: '1s' },
  });

  await t.test('a program that hangs is killed with its children, and the sender is told', async () => {
    machine.homeFile('hank', '.forward', '"|echo $$ > parent; sleep 1000 & echo $! > child; wait"\n');
    const told = await report(await host.send('hank'));
    assert.match(told, /Command time limit exceeded/);
    for (const name of ['parent', 'child']) {
      const pid = machine.read('hank', name)!.trim();
      assert.match(pid, /^\d+$/);
      await eventually(`process ${pid} has ended`, () => !isRunning(pid));
    }
  });

  await t.test('a home directory that is away puts mail off until it is back', async () => {
    renameSync('/home/away', '/home/away.gone');
    await host.send('away', { subject: 'wait for me' });
    await host.trace('away@us.test', /deferred for away@us\.test: 451 4\.3\.0 the home directory of away is not there/);
    renameSync('/home/away.gone', '/home/away');
    await arrived('away', () => inbox('away'), 'wait for me');
    assert.equal(reports('wait for me'), 0);
  });

  await t.test('a .forward with more addresses than allowed is one report, and nobody gets anything', async () => {
    machine.homeFile('bomb', '.forward', ':include:/home/bomb/many\n');
    machine.homeFile('bomb', 'many', Array.from({ length: 300 }, (_, n) => `rob+${n}@remote.test\n`).join(''));
    const subject = await host.send('bomb');
    assert.match(await report(subject), /more than 100 addresses/);
    await eventually('nothing waits', async () => /Nothing waits/.test(await host.queued));
    assert.equal(reports(subject), 1);
    assert.equal(remote.messages('rob').length, 0);
  });

  await t.test('a list in a .forward that includes itself ends where it began: the mail is kept, once', async () => {
    machine.homeFile('bomb', '.forward', ':include:/home/bomb/self\n');
    machine.homeFile('bomb', 'self', ':include:/home/bomb/self\n');
    const subject = await host.send('bomb');
    await arrived('bomb', () => inbox('bomb'), subject);
    assert.equal(inbox('bomb').length, 1);
  });

  await t.test('a program that does not read its input has its mail all the same; one that asks for patience gets it', async () => {
    machine.homeFile('deaf', '.forward', '"|exec true", /home/deaf/box\n');
    const subject = await host.send('deaf', { body: 'x'.repeat(70).concat('\n').repeat(4000) });
    await arrived('deaf', () => mboxMessages(machine.read('deaf', 'box')), subject);
    machine.homeFile('soft', '.forward', '"|test -e mended || exit 75; cat > box"\n');
    const patient = await host.send('soft');
    await host.trace('soft@us.test', /deferred for soft@us\.test: .*temporary failure/);
    machine.homeFile('soft', 'mended', '');
    await eventually('the program has its mail', () => machine.read('soft', 'box')?.includes(patient));
  });

  await t.test('links and devices that a user names hurt nobody', async () => {
    const secret = machine.file('/etc/secret', 'root only\n', 0o600);
    machine.homeFile('link', '.forward', '/home/link/link, /home/link/etc/passwd, \\link\n');
    symlinkSync(secret, '/home/link/link');
    symlinkSync('/etc', '/home/link/etc');
    const subject = await host.send('link');
    await arrived('link', () => inbox('link'), subject);
    await report(subject);
    assert.equal(readFileSync(secret, 'utf8'), 'root only\n');
    assert.ok(!readFileSync('/etc/passwd', 'utf8').includes(subject));
  });

  await t.test('a full mailbox: put off, then sent back; small mail still finds room', async () => {
    await host.reconfigure({ queue: { lifetime: '2s' } });
    await host.send('full', { subject: 'too large', body: 'x'.repeat(70).concat('\n').repeat(400) });
    const told = await report('too large');
    assert.match(told, /Status: 5\.4\.7\r?\nDiagnostic-Code: .*over its quota/);
    assert.match(await host.trace('full@us.test', /given up|failed/), /deferred for full@us\.test: 452 4\.2\.2/);
    await host.send('full', { subject: 'small' });
    await arrived('full', () => inbox('full'), 'Subject: small\n');
    assert.equal(inbox('full').length, 1);
  });
});

function isRunning(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
  } catch {
    return false;
  }
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

test("mailbox_command is Debian's procmail, and luser_relay takes what is nobody's", async (t) => {
  need('procmail');
  const host = await startHost(t, 'classic-host', {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's macro syntax
    route: { mailboxCommand: '/usr/bin/procmail -a "$EXTENSION"', luserRelay: 'anna+${user}' },
  });
  machine.homeFolder('proc', 'Mail');
  machine.homeFile('proc', '.procmailrc', 'MAILDIR=$HOME/Mail\nDETAIL=$1\n:0:\n* DETAIL ?? ^lists$\nlists\n:0:\nrest\n');
  const lists = await host.send('proc+lists');
  await arrived('lists', () => mboxMessages(machine.read('proc', 'Mail/lists')), lists);
  const rest = await host.send('proc');
  await arrived('rest', () => mboxMessages(machine.read('proc', 'Mail/rest')), rest);
  assert.match(await host.trace('proc@us.test', /procmail/), /piped to \/usr\/bin\/procmail -a "\$EXTENSION": taken \(mailboxCommand\)/);

  machine.homeFile('anna', '.forward', '/home/anna/all\n');
  machine.homeFile('anna', '.forward+nosuch', '/home/anna/nosuch\n');
  const lost = await host.send('nosuch');
  assert.match(await arrived('nosuch', () => mboxMessages(machine.read('anna', 'nosuch')), lost), /^X-Original-To: nosuch@us\.test$/m);
  rmSync('/home/anna/.forward');
});

test("mailbox_transport: Debian's Dovecot has the mailboxes, .forward is still followed", async (t) => {
  const dovecot = await startDovecot(t, { address: REMOTE, imapPort: 1143, lmtpPort: 24, users: { own: 'x', soft: 'x' } });
  const host = await startHost(t, 'classic-host', { route: { mailboxTransport: `lmtp:inet:${REMOTE}:24` } });
  const subject = await host.send('own');
  const there = await arrived('own', () => maildir(join(dovecot.mailboxes, 'own/Maildir')), subject);
  assert.match(there, /^Return-Path: <rita@remote\.test>\nDelivered-To: /);
  assert.ok(!existsSync('/home/own/Maildir'));
  machine.homeFile('own', '.forward', '\\own, /home/own/copy\n');
  const both = await host.send('own');
  await arrived('copy', () => mboxMessages(machine.read('own', 'copy')), both);
  await arrived('own', () => maildir(join(dovecot.mailboxes, 'own/Maildir')), both);
  assert.match(await host.trace('own@us.test', /Saved[\s\S]*Saved/), /handed on by lmtp:inet:192\.0\.2\.2:24 \(the mailbox transport\)/);
  // As with Postfix, it is the mailbox transport that knows who is there.
  assert.match(await report(await host.send('nosuch')), /550 5\.1\.1 <nosuch@us\.test> User doesn't exist/);
});
