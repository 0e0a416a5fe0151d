/** Accounts of the store with Sieve in the running server: what scripts do to mailboxes, what goes out because of them, what senders hear. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Sieve
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { rewriteSender } from '../src/route/srs.ts';
import { LineClient } from './harness/line-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { eventually } from './harness/wait.ts';
import { attempt, BARE, JUDGED, mail } from './judge/world.ts';
import { CLIENT, REMOTE, US } from './peers/small-internet.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';
import { PASSWORD, startInternet, startPeer, THEM, World } from './sieve/accounts.ts';

const header = (message: string, name: string): string | null =>
  new RegExp(`^${name}: *((?:.*)(?:\\r?\\n[ \\t].*)*)`, 'im').exec(message.slice(0, message.search(/\r?\n\r?\n/)))?.[1]?.replaceAll(/\r?\n[ \t]+/g, ' ') ??
  null;
/** Signed in after STARTTLS, as a mail program does. */
async function submit(host: string, user: string, recipients: readonly string[], message: string): Promise<void> {
  const client = await LineClient.open(587, { host });
  await client.smtp(null, /^220/);
  await client.smtp('EHLO laptop.test', /^250/);
  await client.smtp('STARTTLS', /^220/);
  await client.startTls();
  await client.smtp('EHLO laptop.test', /^250/);
  await client.smtp(`AUTH PLAIN ${Buffer.from(`\0${user}\0${PASSWORD}`).toString('base64')}`, /^235/);
  for (const command of [`MAIL FROM:<${user}>`, ...recipients.map((recipient) => `RCPT TO:<${recipient}>`)]) await client.smtp(command, /^250/);
  await client.smtp('DATA', /^354/);
  client.send(`${message}.\r\n`);
  await client.smtp(null, /^250/);
  client.close();
}

const subjectOf = (message: string): string | null => header(message, 'Subject');

test('scripts sort, mark, change and keep', async (t) => {
  await startInternet(t);
  const world = await World.start(t, ['anna', 'bert', 'cora', 'full']);
  const { server } = world;

  await t.test('fileinto makes the mailbox and sets flags that IMAP shows', async () => {
    await world.script(
      'anna',
      'require ["fileinto", "imap4flags", "mailbox"];\nif header :contains "subject" "news" {\n  fileinto :create :flags ["\\\\Seen", "\\\\Flagged", "$Label1"] "Lists/News";\n}\n',
    );
    const id = await world.receive('news of the day', ['anna']);
    await world.one('anna', 'news of the day', 'Lists/News');
    assert.deepEqual(await world.withSubject('anna', 'news of the day'), []);
    const imap = await world.imap('anna');
    await imap.ok('EXAMINE "Lists/News"');
    const { untagged } = await imap.ok('FETCH 1 (FLAGS)');
    for (const flag of ['\\Seen', '\\Flagged', '$Label1']) assert.ok(untagged.join(' ').includes(flag), untagged.join(' '));
    await imap.logout();
    assert.match(await server.admin('trace', id), /filed into "Lists\/News".*main:3/);
    await world.receive('something else', ['anna']);
    await world.one('anna', 'something else');
  });

  await t.test('a copy in several mailboxes and the inbox', async () => {
    await world.script('anna', 'require ["fileinto", "copy", "mailbox"];\nfileinto :copy :create "One";\nfileinto :create "Two";\nkeep;\n');
    await world.receive('in three', ['anna']);
    for (const mailbox of ['INBOX', 'One', 'Two']) await world.one('anna', 'in three', mailbox);
  });

  await t.test('a special use finds the mailbox that has it', async () => {
    await world.script('anna', 'require ["fileinto", "special-use"];\nfileinto :specialuse "\\\\Junk" "Nowhere";\n');
    await world.receive('by its use', ['anna']);
    await world.one('anna', 'by its use', 'Junk');
    assert.ok(!(await world.mailboxes('anna')).includes('Nowhere'));
  });

  await t.test('editheader: what is kept afterwards bears the change, what was kept before does not', async () => {
    await world.script(
      'anna',
      'require ["editheader", "fileinto", "mailbox", "variables"];\nfileinto :create "Before";\naddheader "X-Sorted" "by anna";\ndeleteheader "X-Old";\n' +
        'if header :matches "subject" "*" { deleteheader "subject"; addheader "Subject" "[list] ${1}"; }\nkeep;\n',
    );
    await world.receive('edited', ['anna'], { lines: ['X-Old: this'] });
    const kept = await world.one('anna', '[list] edited');
    assert.equal(header(kept, 'X-Sorted'), 'by anna');
    assert.equal(header(kept, 'X-Old'), null);
    assert.match(kept, /^Return-Path: <rita@friend\.test>\r\nDelivered-To: anna@us\.test\r\n/);
    const before = await world.one('anna', 'edited', 'Before');
    assert.equal(header(before, 'X-Old'), 'this');
    assert.equal(header(before, 'X-Sorted'), null);
  });

  await t.test('duplicate: the second message of one id is thrown away', async () => {
    await world.script('anna', 'require ["duplicate"];\nif duplicate { discard; stop; }\n');
    await world.receive('twins', ['anna']);
    const second = await world.receive('twins', ['anna']);
    await world.one('anna', 'twins');
    assert.match(await server.admin('trace', second), /thrown away/);
  });

  await t.test('plus addresses are seen by envelope :detail', async () => {
    await world.script(
      'anna',
      'require ["envelope", "subaddress", "fileinto", "mailbox", "variables"];\nif envelope :detail :matches "to" "*" { if not string :is "${1}" "" { fileinto :create "plus-${1}"; } }\n',
    );
    await world.receive('to a detail', ['anna+shop']);
    await world.one('anna', 'to a detail', 'plus-shop');
    await world.receive('to no detail', ['anna']);
    await world.one('anna', 'to no detail');
  });

  await t.test('include: scripts of the user and of the server, and what they return', async () => {
    const file = join(server.dir, 'include.sieve');
    writeFileSync(file, 'require ["variables", "include"];\nglobal "team";\nset "team" "red";\n');
    await server.admin('sieve', 'put', 'global', 'teams', file, '--place', 'include');
    await world.script(
      'anna',
      'require ["include", "variables", "fileinto", "mailbox"];\nglobal "team";\nif header :contains "subject" "end" { return; }\nfileinto :create "team-${team}";\n',
      'part',
      false,
    );
    await world.script('anna', 'require ["include"];\ninclude :global "teams";\ninclude :personal "part";\n');
    await world.receive('included', ['anna']);
    await world.one('anna', 'included', 'team-red');
    await world.receive('the end', ['anna']);
    await world.one('anna', 'the end');
  });

  await t.test('scripts of the server and of the domain run before and after, and "stop" ends them all', async () => {
    const put = async (owner: string, place: string, text: string): Promise<void> => {
      const file = join(server.dir, `${place}.sieve`);
      writeFileSync(file, text);
      await server.admin('sieve', 'put', owner, `${owner}-${place}`, file, '--place', place);
    };
    const add = (what: string): string => `require "editheader";\naddheader :last "X-Order" "${what}";\n`;
    await put('global', 'before', `${add('global before')}if header :is "subject" "unwanted" { discard; stop; }\n`);
    await put('us.test', 'before', add('domain before'));
    await put('us.test', 'after', add('domain after'));
    await put('global', 'after', `${add('global after')}keep;\n`);
    await world.script('bert', add('bert'));
    await world.receive('in order', ['bert']);
    const message = await world.one('bert', 'in order');
    assert.deepEqual(
      [...message.matchAll(/^X-Order: (.*)\r$/gm)].map((match) => match[1]),
      ['global before', 'domain before', 'bert', 'domain after', 'global after'],
    );
    await world.receive('unwanted', ['bert']);
    assert.deepEqual(await world.withSubject('bert', 'unwanted'), []);
    // Who has no script of his own has these all the same.
    await world.receive('no script', ['cora']);
    assert.match(await world.one('cora', 'no script'), /X-Order: global before\r\nX-Order: domain before\r\nX-Order: domain after/);
    for (const [owner, place] of [
      ['global', 'before'],
      ['us.test', 'before'],
      ['us.test', 'after'],
      ['global', 'after'],
    ] as const)
      await server.admin('sieve', 'delete', owner, `${owner}-${place}`);
  });

  await t.test('a script that fails while it runs leaves the mail in the inbox, and its owner hears of it once', async () => {
    await world.script('bert', 'require ["include", "fileinto"];\ninclude :personal "gone";\nfileinto "Junk";\n');
    for (const subject of ['fails once', 'fails twice']) {
      const id = await world.receive(subject, ['bert']);
      await world.one('bert', subject);
      assert.match(await server.admin('trace', id), /the filter fails/);
    }
    const reports = (await world.messages('bert')).filter((text) => header(text, 'Auto-Submitted') !== null);
    assert.equal(reports.length, 1, reports.join('\n---\n'));
    assert.match(reports[0]!, /gone/);
    assert.match(await server.admin('sieve', 'list', 'bert@us.test'), /failed, told/);
  });

  await t.test('more redirects than allowed are a failure: nothing is sent on', async () => {
    const many = Array.from({ length: 5 }, (_, n) => `redirect "r${n}@remote.test";\n`).join('');
    await world.script('bert', many, 'many');
    const id = await world.receive('to many', ['bert']);
    await world.one('bert', 'to many');
    const path = await server.admin('trace', id);
    assert.match(path, /the filter fails/);
    assert.doesNotMatch(path, /sent on to/);
    assert.equal(await world.queued(), 0);
    await world.script('bert', 'keep;');
    server.configure({
      ...JUDGED,
      listen: Object.fromEntries(Object.entries(server.listen)),
      deliver: { bindAddress4: US },
      sieve: { redirectsMax: 100, actionsMax: 200 },
    });
    await server.admin('reload');
    const hundred = (count: number): string => Array.from({ length: count }, (_, n) => `redirect "bert+${n}@us.test";\n`).join('');
    await world.script('cora', hundred(100));
    await world.receive('to a hundred', ['cora']);
    await eventually('a hundred copies', async () => (await world.withSubject('bert', 'to a hundred')).length === 100);
    await world.script('cora', hundred(101));
    await world.receive('to a hundred and one', ['cora']);
    await world.one('cora', 'to a hundred and one');
    assert.deepEqual(await world.withSubject('bert', 'to a hundred and one'), []);
  });

  await t.test('redirects that lead round in a circle end with one report to the sender', async () => {
    const friend = await startSmtpSink(t, CLIENT, 25);
    await world.script('bert', 'redirect "cora@us.test";\n');
    await world.script('cora', 'redirect "bert@us.test";\n');
    await world.receive('round', ['bert']);
    await world.settled();
    const reports = friend.taken.filter(({ message }) => message.includes('Subject: round'));
    assert.equal(reports.length, 1);
    assert.equal(reports[0]!.sender, '');
    assert.deepEqual(reports[0]!.recipients, ['rita@friend.test']);
    assert.match(reports[0]!.message, /^Status: 5\.4\.6\r$/m);
    await world.script('bert', 'keep;');
    await world.script('cora', 'keep;');
  });

  await t.test('a full mailbox: refused, whatever mailbox the script names', async () => {
    await world.script('full', 'require ["fileinto", "mailbox"];\nfileinto :create "Elsewhere";\n');
    await server.admin('user', 'quota', 'full@us.test', '20KiB');
    await world.receive('fits', ['full'], { body: 'x'.repeat(70).concat('\n').repeat(200) });
    await world.one('full', 'fits', 'Elsewhere');
    const heard = await attempt({ recipients: ['full@us.test'], message: mail({ subject: 'does not', body: `${'x'.repeat(70)}\n`.repeat(200) }) });
    assert.match(heard.reply, /^452 4\.2\.2/);
    assert.equal((await world.messages('full', 'Elsewhere')).length, 1);
    assert.deepEqual(await world.messages('full'), []);
  });

  await t.test('LMTP says of each recipient what became of it', async () => {
    await world.script('bert', 'require "reject";\nreject "bert is away";\n');
    await world.script('cora', 'require ["fileinto", "mailbox"];\nfileinto :create "By LMTP";\n');
    const client = await LineClient.open(24);
    await client.smtp(null, /^220/);
    await client.smtp('LHLO client.test', /^250/);
    await client.smtp('MAIL FROM:<rita@friend.test>', /^250/);
    for (const user of ['cora', 'bert', 'full']) await client.smtp(`RCPT TO:<${user}@us.test>`, /^250/);
    await client.smtp('DATA', /^354/);
    client.send(`${mail({ subject: 'over LMTP', body: `${'x'.repeat(70)}\n`.repeat(200) })}.\r\n`);
    await client.smtp(null, /^250 2\.0\.0/);
    await client.smtp(null, /^550 5\.7\.1 .*bert is away/);
    await client.smtp(null, /^452 4\.2\.2/);
    client.close();
    await world.one('cora', 'over LMTP', 'By LMTP');
    assert.deepEqual(await world.withSubject('bert', 'over LMTP'), []);
  });
});

test('what goes out because of a script', async (t) => {
  await startInternet(t);
  const peer = await startPeer(t);
  const friend = await startSmtpSink(t, CLIENT, 25);
  const secret = 'a secret that two servers share';
  const world = await World.start(t, ['anna', 'bert', 'cora', 'spam'], { srs: { secrets: [secret] }, judge: { exempt: [], addHeaderScore: '4' } });
  const { server } = world;
  /** By way of the peer, as its user. */
  async function fromPeer(
    subject: string,
    recipients: readonly string[],
    more: { sender?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<void> {
    const { sender = 'rita@remote.test', headers, body } = more;
    const message = letter({ from: 'rita@remote.test', to: recipients[0]!, subject, headers, body });
    assert.match(await sendLetter({ host: REMOTE, port: 25, sender, recipients, message }), /^250/);
  }
  const atPeer = (subject: string, user = 'rita'): string[] => peer.messages(user).filter((text) => subjectOf(text) === subject);
  const oneAtPeer = async (subject: string, user = 'rita'): Promise<string> => {
    const found = await eventually(`"${subject}" for ${user} at the peer`, () => {
      const all = atPeer(subject, user);
      return all.length > 0 ? all : null;
    });
    assert.equal(found.length, 1, `"${subject}" is ${found.length} times at the peer`);
    return found[0]!;
  };

  await t.test('vacation: a sender at a Postfix is told once, a list and a report never', async () => {
    await world.script('anna', 'require "vacation";\nvacation :days 7 :subject "Gone fishing" :from "anna@us.test" "Back on Monday.";\n');
    await fromPeer('are you there', ['anna@us.test']);
    const notice = await oneAtPeer('Gone fishing');
    assert.match(notice, /^Return-Path: <>\n/);
    assert.match(header(notice, 'Auto-Submitted')!, /^auto-replied/);
    assert.equal(header(notice, 'In-Reply-To'), '<are%20you%20there@letter.test>');
    assert.match(header(notice, 'From')!, /anna@us\.test/);
    assert.match(notice, /\n\nBack on Monday\./);
    await fromPeer('are you still there', ['anna@us.test']);
    await fromPeer('to all members', ['anna@us.test'], {
      sender: 'rob@remote.test',
      headers: { 'List-Id': '<members.remote.test>', From: '<rob@remote.test>' },
    });
    await fromPeer('in bulk', ['anna@us.test'], { sender: 'rob@remote.test', headers: { Precedence: 'bulk', From: '<rob@remote.test>' } });
    await fromPeer('a report', ['anna@us.test'], { sender: '' });
    for (const subject of ['are you there', 'are you still there', 'to all members', 'in bulk', 'a report']) await world.one('anna', subject);
    await world.settled();
    assert.equal(atPeer('Gone fishing').length, 1);
    assert.equal(atPeer('Gone fishing', 'rob').length, 0);
    // Another sender is told as well.
    await fromPeer('from rob', ['anna@us.test'], { sender: 'rob@remote.test', headers: { From: '<rob@remote.test>' } });
    await oneAtPeer('Gone fishing', 'rob');
    await world.script('anna', 'keep;');
  });

  await t.test('reject with one recipient is an answer to the message itself; the Postfix tells its user', async () => {
    await world.script('bert', 'require ["reject", "envelope"];\nif header :contains "subject" "sale" { reject "No sales, please."; }\n');
    const heard = await attempt({ recipients: ['bert@us.test'], message: mail({ subject: 'a sale' }) });
    assert.match(heard.reply, /^550 5\.7\.1 .*No sales, please\./);
    await fromPeer('big sale', ['bert@us.test']);
    const report = await eventually('the peer tells rita', () => peer.messages('rita').find((text) => text.includes('No sales, please.')));
    assert.match(report, /multipart\/report/);
    assert.match(report, /Final-Recipient: rfc822; ?bert@us\.test/i);
    assert.deepEqual(await world.messages('bert'), []);
  });

  await t.test('reject with several recipients is a report, and the others have the mail', async () => {
    await world.script('cora', 'keep;');
    await world.receive('summer sale', ['bert', 'cora']);
    await world.one('cora', 'summer sale');
    const report = await eventually('a report at friend.test', () => friend.taken.find(({ message }) => message.includes('No sales, please.')));
    assert.equal(report.sender, '');
    assert.deepEqual(report.recipients, ['rita@friend.test']);
    assert.match(report.message, /^Final-Recipient: rfc822; ?bert@us\.test\r$/im);
    assert.match(report.message, /^Content-Type: multipart\/report/im);
    assert.doesNotMatch(report.message, /Final-Recipient: rfc822; ?cora/i);
    assert.deepEqual(await world.messages('bert'), []);
  });

  let rewritten = '';
  await t.test('redirect off-site: sender rewritten, sealed, marked; a copy stays where the script says so', async () => {
    await world.script('anna', 'require ["copy"];\nredirect :copy "rob@remote.test";\n');
    const id = await world.receive('sent on', ['anna']);
    await world.one('anna', 'sent on');
    const message = await oneAtPeer('sent on', 'rob');
    rewritten = /^Return-Path: <([^>]*)>/.exec(message)![1]!;
    assert.match(rewritten, /^SRS0=[^=]+=[^=]+=friend\.test=rita@us\.test$/);
    assert.match(message, /^ARC-Seal: a=rsa-sha256;[\s\S]*?; cv=none; d=us\.test; i=1;/m);
    assert.match(message, /^ARC-Authentication-Results: i=1; mx\.us\.test;[\s\S]*spf=pass/m);
    assert.match(message, /^Delivered-To: anna@us\.test$/m);
    assert.match(await server.admin('trace', id), /sent on to rob@remote\.test/);
  });

  await t.test('our own users keep their address when their mail is sent on', async () => {
    await submit(US, 'cora@us.test', ['anna@us.test'], mail({ from: 'cora@us.test', subject: 'from within' }));
    assert.match(await oneAtPeer('from within', 'rob'), /^Return-Path: <cora@us\.test>/);
  });

  await t.test('a report to the rewritten sender comes back to the first one', async () => {
    await fromPeer('a late report', [rewritten], { sender: '' });
    const report = await eventually('it is at friend.test', () => friend.taken.find(({ message }) => subjectOf(message) === 'a late report'));
    assert.equal(report.sender, '');
    assert.deepEqual(report.recipients, ['rita@friend.test']);
  });

  await t.test('what the next host refuses is reported to the first sender', async () => {
    await world.script('anna', 'redirect "nobody@remote.test";\n');
    await world.receive('refused there', ['anna']);
    const report = await eventually('a report at friend.test', () => friend.taken.find(({ message }) => message.includes('Subject: refused there')));
    assert.equal(report.sender, '');
    assert.deepEqual(report.recipients, ['rita@friend.test']);
    assert.match(report.message, /nobody@remote\.test/);
    await world.script('anna', 'require ["copy"];\nredirect :copy "rob@remote.test";\n');
  });

  await t.test('a forged rewritten sender is unknown, an old one has expired, and neither is a relay', async () => {
    const forged = rewritten.replace(/^SRS0=(.)/, (_, letter: string) => `SRS0=${letter === 'A' ? 'B' : 'A'}`);
    const refused = await attempt({ sender: '', recipients: [forged], message: null });
    assert.match(refused.reply, /^550 5\.1\.1 /);
    const days = 21;
    const old = rewriteSender({ local: 'rita', domain: 'friend.test' }, 'us.test', {
      keys: [Buffer.from(secret)],
      days,
      now: Date.now() - (days + 2) * 86_400_000,
    })!;
    const expired = await attempt({ sender: '', recipients: [`${old.address.local}@${old.address.domain}`], message: null });
    assert.match(expired.reply, /^550 5\.1\.6 .*expired/);
    const fresh = rewriteSender({ local: 'rita', domain: 'friend.test' }, 'us.test', { keys: [Buffer.from(secret)], days, now: Date.now() })!;
    assert.match((await attempt({ sender: '', recipients: [`${fresh.address.local}@${fresh.address.domain}`], message: null })).reply, /^250 /);
  });

  await t.test('spam is not sent on: it is in the junk mailbox', async () => {
    await world.script('spam', 'redirect "rob@remote.test";\n');
    const doubtful = { ip: BARE, sender: 'x@fail.test' };
    const id = await world.receive('cheap', ['spam'], doubtful);
    await world.one('spam', 'cheap', 'Junk');
    assert.match(await server.admin('trace', id), /not sent on to rob@remote\.test: the message is spam/);
    // Spam by the account's own threshold alone, too.
    await server.admin('spam', 'set', 'spam@us.test', '--junk', '0.1');
    const other = await world.receive('a little odd', ['spam'], { ip: BARE, sender: 'x@soft.test' });
    await world.one('spam', 'a little odd', 'Junk');
    assert.match(await server.admin('trace', other), /not sent on/);
    await server.admin('spam', 'set', 'spam@us.test', '--reset');
    await world.settled();
    assert.deepEqual(atPeer('cheap', 'rob'), []);
  });

  await t.test('thresholds and lists of an account', async () => {
    await world.script('spam', 'keep;');
    const doubtful = { ip: BARE, sender: 'x@fail.test' };
    await server.admin('spam', 'set', 'spam@us.test', '--junk', 'off');
    await world.receive('no threshold', ['spam'], doubtful);
    await world.one('spam', 'no threshold');
    await server.admin('spam', 'set', 'spam@us.test', '--junk', '3', '--discard', '4');
    const id = await world.receive('too much', ['spam'], doubtful);
    assert.match(await server.admin('trace', id), /thrown away/);
    for (const mailbox of ['INBOX', 'Junk']) assert.deepEqual(await world.withSubject('spam', 'too much', mailbox), []);
    await server.admin('spam', 'set', 'spam@us.test', '--reset');
    await server.admin('spam', 'block', 'add', 'spam@us.test', '@friend.test');
    await world.receive('blocked', ['spam']);
    await world.one('spam', 'blocked', 'Junk');
    await server.admin('spam', 'allow', 'add', 'spam@us.test', 'rita@friend.test');
    await world.receive('allowed', ['spam']);
    await world.one('spam', 'allowed');
    // Proven senders only: the same address forged from elsewhere.
    await server.admin('spam', 'allow', 'add', 'spam@us.test', '@fail.test');
    await world.receive('forged', ['spam'], doubtful);
    await world.one('spam', 'forged', 'Junk');
  });

  await t.test('the classic fields let a script sort by points', async () => {
    await world.script(
      'spam',
      'require ["fileinto", "mailbox", "spamtest", "relational", "comparator-i;ascii-numeric"];\nif header :contains "X-Spam-Level" "****" { fileinto :create "Stars"; } elsif spamtest :value "ge" :comparator "i;ascii-numeric" "2" { fileinto :create "Tested"; }\n',
    );
    await world.receive('four stars', ['spam'], { ip: BARE, sender: 'x@fail.test' });
    await world.one('spam', 'four stars', 'Stars');
  });

  await t.test('notify by mailto, once for each message, and never about a notification', async () => {
    await world.script(
      'cora',
      'require ["enotify", "envelope", "variables"];\nif header :matches "subject" "*" { notify :message "Mail: ${1}" "mailto:rob@remote.test"; }\n',
    );
    await world.receive('urgent', ['cora']);
    await world.one('cora', 'urgent');
    const notice = await oneAtPeer('Mail: urgent', 'rob');
    assert.match(header(notice, 'Auto-Submitted')!, /^auto-notified/);
    const id = await world.receive('automatic', ['cora'], { lines: ['Auto-Submitted: auto-notified'] });
    await world.one('cora', 'automatic');
    assert.match(await server.admin('trace', id), /no notification/);
    await world.settled();
    assert.equal(atPeer('Mail: automatic', 'rob').length, 0);
    await world.script('cora', 'keep;');
  });
});

test('challenge and response between two servers', async (t) => {
  await startInternet(t);
  const world = await World.start(t, ['anna', 'bert']);
  const them = await startPosthorn(t, {
    config: {
      ...JUDGED,
      hostname: 'mx.them.test',
      domain: 'them.test',
      listen: { smtp: [`${THEM}:25`], submission: [`${THEM}:587`], lmtp: [] },
      deliver: { bindAddress4: THEM },
    },
    users: { 'theo@them.test': PASSWORD, 'tina@them.test': PASSWORD },
  });
  const there = new World(them);
  await world.server.admin('challenge', 'on', 'anna@us.test');
  await them.admin('challenge', 'on', 'theo@them.test');
  const settled = async (): Promise<void> => {
    await world.settled();
    await there.settled();
  };
  /** From the other server's address, past that server: it does not know that its user has written. */
  async function strangerWrites(subject: string, from = 'theo@them.test'): Promise<void> {
    const heard = await attempt({ ip: THEM, helo: 'mx.them.test', sender: from, recipients: ['anna@us.test'], message: mail({ from, subject }) });
    assert.match(heard.reply, /^250 /);
  }
  const challenges = async (): Promise<readonly string[]> => (await there.messages('theo@them.test')).filter((text) => /^Subject: Please confirm/m.test(text));

  await t.test('an unknown sender is asked once, and his mail waits', async () => {
    await strangerWrites('do you know me');
    await world.one('anna', 'do you know me', 'Waiting');
    await strangerWrites('do you know me now');
    await world.one('anna', 'do you know me now', 'Waiting');
    await eventually('the question is there', async () => (await challenges()).length > 0);
    await settled();
    assert.equal((await challenges()).length, 1);
    assert.deepEqual(await world.messages('anna'), []);
    assert.match(await world.server.admin('challenge', 'list', 'anna@us.test'), /theo@them\.test/);
  });

  await t.test('the other server, which asks strangers too, does not ask back', async () => {
    const question = (await challenges())[0]!;
    assert.match(question, /^Return-Path: <>\r\n/);
    assert.match(header(question, 'Auto-Submitted')!, /^auto-replied/);
    assert.deepEqual(await there.messages('theo@them.test', 'Waiting'), []);
    assert.equal((await world.messages('anna', 'Waiting')).length, 2);
  });

  await t.test('an answer releases all that waits, and the sender is known from then on', async () => {
    const question = (await challenges())[0]!;
    const to = /<?([^<>\s]+@us\.test)>?/.exec(header(question, 'Reply-To') ?? header(question, 'From')!)![1]!;
    await submit(THEM, 'theo@them.test', [to], mail({ from: 'theo@them.test', subject: `Re: ${subjectOf(question)}` }));
    await world.one('anna', 'do you know me');
    await world.one('anna', 'do you know me now');
    assert.deepEqual(await world.messages('anna', 'Waiting'), []);
    await strangerWrites('an old friend');
    await world.one('anna', 'an old friend');
    await settled();
    assert.equal((await challenges()).length, 1);
  });

  await t.test('whom a user has written to is no stranger', async () => {
    await submit(US, 'anna@us.test', ['tina@them.test'], mail({ from: 'anna@us.test', subject: 'first word' }));
    await there.one('tina@them.test', 'first word');
    await strangerWrites('an answer', 'tina@them.test');
    await world.one('anna', 'an answer');
    assert.deepEqual(await world.messages('anna', 'Waiting'), []);
  });

  await t.test('bulk mail, and mail that nothing proves, is not asked about', async () => {
    await world.receive('weekly', ['anna'], { lines: ['List-Id: <weekly.friend.test>', 'Precedence: bulk'] });
    await world.one('anna', 'weekly');
    await world.receive('who knows', ['anna'], { ip: BARE, sender: 'x@plain.test' });
    await world.one('anna', 'who knows');
    await settled();
  });

  await t.test('a user lets somebody in by command, and switches it off', async () => {
    await strangerWrites('by command', 'theodora@them.test');
    await world.one('anna', 'by command', 'Waiting');
    await world.server.admin('challenge', 'release', 'anna@us.test', 'theodora@them.test');
    await world.one('anna', 'by command');
    await world.server.admin('challenge', 'off', 'anna@us.test');
    await strangerWrites('switched off', 'thea@them.test');
    await world.one('anna', 'switched off');
  });
});
