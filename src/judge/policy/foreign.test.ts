/** Sendmail's and qmail's files, as they are found on old servers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { newEffects } from './facts.ts';
import { SessionMemo } from './memo.ts';
import { parseQmailPatterns, matchesFrom } from './qmail.ts';
import { parseSendmailAccess, parseValue } from './sendmail.ts';
import { decide, facts, testPolicy } from './testing.ts';
import { WatchedFile } from './watched-file.ts';

function file(t: TestContext, name: string, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'policy-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

const ACCESS = `
# what Sendmail's book has
spammer@bad.test\tREJECT
cyberspammer.test\tERROR:5.7.1:550 We don't accept mail from spammers
okay.cyberspammer.test\tOK
Connect:192.168\tREJECT
Connect:192.168.212\tDISCARD
Connect:10.9\tRELAY
Connect:IPv6:2001:db8:bad\tERROR:4.7.1:"450 come back"
Connect:client.test\tOK
From:quiet@good.test\tQUARANTINE:look at it
From:skip.good.test\tSKIP
From:good.test\t550 no
FREE.STEALTH.TEST\t450 Spam complaints
To:bert@us.test\tREJECT
To:partner.test\tRELAY
To:otto@good.test\tOK
spam@\tREJECT
<>\tDISCARD
Spam:anna@us.test\tFRIEND
GreetPause:192.0.2\t0
`;

test("Sendmail's access file speaks of clients, senders and recipients", (t) => {
  const path = file(t, 'access', ACCESS);
  const words = [`check_sendmail_access ${path}`];
  const log: string[] = [];
  const policy = testPolicy({ lists: { client: words, sender: words, recipient: words, relay: [`${words[0]}, reject_unauth_destination`] }, log });
  const about = (changed: Parameters<typeof facts>[0]): string => decide(policy, facts(changed));
  const sender = 'rita@elsewhere.test';
  assert.equal(about({ senderText: sender }), 'ok');
  assert.equal(about({ senderText: sender, ip: '192.168.1.1' }), '550 5.7.1 <unknown[192.168.1.1]>: Client host rejected: Access denied');
  assert.equal(about({ senderText: sender, ip: '192.168.212.7' }), 'discard');
  assert.equal(about({ senderText: sender, ip: '2001:db8:bad::7' }), '450 4.7.1 <unknown[2001:db8:bad::7]>: Client host rejected: come back');
  assert.equal(about({ senderText: 'spammer@bad.test' }), '550 5.7.1 <spammer@bad.test>: Sender address rejected: Access denied');
  assert.equal(about({ senderText: 'other@bad.test' }), 'ok');
  assert.equal(
    about({ senderText: 'a@x.cyberspammer.test' }),
    "550 5.7.1 <a@x.cyberspammer.test>: Sender address rejected: We don't accept mail from spammers",
  );
  assert.equal(about({ senderText: 'a@okay.cyberspammer.test' }), 'ok');
  assert.equal(about({ senderText: 'spam@anywhere.test' }), '550 5.7.1 <spam@anywhere.test>: Sender address rejected: Access denied');
  assert.equal(about({ senderText: 'a@free.stealth.test' }), '450 4.7.1 <a@free.stealth.test>: Sender address rejected: Spam complaints');
  assert.equal(about({ senderText: 'a@skip.good.test' }), 'ok');
  assert.equal(about({ senderText: 'a@good.test' }), '550 5.7.1 <a@good.test>: Sender address rejected: no');
  assert.equal(about({ senderText: '' }), 'discard');
  assert.equal(about({ senderText: sender, recipientText: 'bert@us.test' }), '550 5.7.1 <bert@us.test>: Recipient address rejected: Access denied');
  assert.match(log.join('\n'), /policy\.sendmail\.ignored .*"spam greetpause"/);
});

test("Sendmail's access file lets relay with RELAY, not with OK", (t) => {
  const path = file(t, 'access', ACCESS);
  const policy = testPolicy({ lists: { relay: [`check_sendmail_access ${path}, reject_unauth_destination`] } });
  const about = (recipientText: string, ip?: string): string => decide(policy, facts({ recipientText, ...(ip === undefined ? {} : { ip }) }));
  assert.equal(about('x@partner.test'), 'ok');
  assert.match(about('otto@good.test'), /Relay access denied/);
  assert.match(about('otto@elsewhere.test'), /Relay access denied/);
  assert.equal(about('otto@elsewhere.test', '10.9.1.1'), 'ok');
});

test('QUARANTINE of Sendmail holds the message', (t) => {
  const policy = testPolicy({ lists: { sender: [`check_sendmail_access ${file(t, 'access', ACCESS)}`] } });
  const effects = newEffects();
  assert.equal(decide(policy, facts({ senderText: 'quiet@good.test' }), 'recipient', new SessionMemo(), effects), 'ok');
  assert.equal(effects.isHeld, true);
});

for (const value of ['', 'NONSENSE', 'ERROR:text', '650 no', 'ERROR:5.7.1:'])
  test(`"${value}" is no value of Sendmail's`, () => assert.equal(typeof parseValue(value), 'string'));

test('an unknown tag is a problem with its line', () => {
  assert.throws(() => parseSendmailAccess('a.test OK\nConect:x OK\n', '/etc/mail/access'), /\/etc\/mail\/access:2: unknown tag "conect:"/);
});

test("qmail's lists of addresses and domains", (t) => {
  const policy = testPolicy({
    lists: {
      sender: [`check_qmail_badmailfrom ${file(t, 'badmailfrom', 'Bad@Good.test\n@spam.test\n# remark\n')}`],
      recipient: [`check_qmail_badrcptto ${file(t, 'badrcptto', 'bert@us.test\n')}`],
    },
  });
  const about = (senderText: string, recipientText = 'anna@us.test'): string => decide(policy, facts({ senderText, recipientText }));
  assert.equal(about('bad@good.test'), '553 5.7.1 <bad@good.test>: Sender address rejected: sorry, your envelope sender is in my badmailfrom list');
  assert.match(about('any@SPAM.test'), /^553 5\.7\.1/);
  assert.equal(about('any@sub.spam.test'), 'ok');
  assert.equal(about('good@good.test'), 'ok');
  assert.equal(about(''), 'ok');
  assert.equal(
    about('good@good.test', 'bert@us.test'),
    '553 5.7.1 <bert@us.test>: Recipient address rejected: sorry, your envelope recipient is in my badrcptto list',
  );
});

test("qmail's regular expressions, and ! for whatever does not match", (t) => {
  const policy = testPolicy({
    lists: {
      helo: [`check_qmail_badhelo ${file(t, 'badhelo', '!\\.\n^localhost\n')}`],
      sender: [`check_qmail_badmailfrompatterns ${file(t, 'badmailfrompatterns', '^[0-9]+@\n%.*@\n')}`],
      recipient: [`check_qmail_badrcptpatterns ${file(t, 'badrcptpatterns', '!@us\\.test$\n')}`],
    },
  });
  const about = (changed: Parameters<typeof facts>[0]): string => decide(policy, facts(changed)).slice(0, 3);
  assert.equal(about({}), 'ok');
  assert.equal(about({ helo: 'nodots' }), '553');
  assert.equal(about({ helo: 'localhost.test' }), '553');
  assert.equal(about({ senderText: '123@good.test' }), '553');
  assert.equal(about({ senderText: 'a%b@good.test' }), '553');
  assert.equal(about({ recipientText: 'x@relay.test' }), '553');
});

test('a hostile pattern and a long name end at once', async () => {
  const patterns = parseQmailPatterns('(a|a)*$\n(.*a){20}x\n', '/x');
  assert.equal(await matchesFrom(patterns, 1, 'a'.repeat(20_000)), false);
});

test('a file is read again when it changes, and stays as it was when it goes wrong', (t) => {
  let now = 0;
  const events: string[] = [];
  const line = (event: string): void => void events.push(event);
  const path = file(t, 'list', 'one');
  const watched = new WatchedFile(
    path,
    (text) => text,
    { debug: line, info: line, warn: line, error: line },
    () => now,
  );
  const change = (text: string, seconds: number): void => {
    writeFileSync(path, text);
    utimesSync(path, seconds, seconds);
  };
  change('two', 1000);
  assert.equal(watched.current, 'one', 'not looked at yet');
  now += 2000;
  assert.equal(watched.current, 'two');
  rmSync(path);
  for (let look = 0; look < 3; look += 1) {
    now += 2000;
    assert.equal(watched.current, 'two');
  }
  change('three', 2000);
  now += 2000;
  assert.equal(watched.current, 'three');
  assert.deepEqual(events, ['policy.file.reloaded', 'policy.file.unreadable', 'policy.file.reloaded']);
});
