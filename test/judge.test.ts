/** The judge at work in the running server: what strangers and our own people hear, and what becomes of their mail. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { type Config, type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { eventually } from './harness/wait.ts';
import { attempt, BARE, idOf, JUDGED, mail, zones } from './judge/world.ts';
import { showMilter } from './peers/milter-client.ts';
import { startNsd } from './peers/nsd.ts';
import { makeDkimKey, startOpendkim } from './peers/opendkim.ts';
import { CLIENT, US } from './peers/small-internet.ts';

const USERS = { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' };

async function inbox(server: Posthorn, mailbox = 'INBOX', user: keyof typeof USERS = 'anna@us.test'): Promise<readonly string[]> {
  const imap = await ImapClient.login(server.port('imap'), user, USERS[user]);
  const messages = await imap.messages(mailbox);
  await imap.logout();
  return messages;
}

/** The message with this subject. */
async function found(server: Posthorn, subject: string, mailbox = 'INBOX'): Promise<string> {
  const messages = await inbox(server, mailbox);
  const message = messages.find((text) => text.includes(`\r\nSubject: ${subject}\r\n`));
  assert.ok(message !== undefined, `no "${subject}" among ${messages.length} messages of ${mailbox}`);
  return message;
}

/** The same listeners, other settings. */
async function reconfigure(server: Posthorn, config: Config): Promise<void> {
  server.configure({ ...JUDGED, ...config, listen: { ...(JUDGED['listen'] as object), ...listening(server) } });
  await server.admin('reload');
}
const listening = (server: Posthorn): Record<string, readonly string[]> => Object.fromEntries(Object.entries(server.listen));

test('what the default policy says to a stranger', async (t) => {
  await startNsd(t, zones());
  const server = await startPosthorn(t, { config: JUDGED, users: USERS });

  /** Refused with this code at this step; `posthorn trace` knows the reference and tells why. */
  async function refused(what: Parameters<typeof attempt>[0], step: string, reply: RegExp, why: RegExp): Promise<void> {
    const heard = await attempt(what);
    assert.equal(heard.step, step, heard.reply);
    assert.match(heard.reply, reply);
    assert.match(heard.reply, /; ref [0-9A-Za-z]+$/);
    const path = await server.admin('trace', idOf(heard.reply));
    assert.match(path, new RegExp(`refused at ${step === 'message' ? 'the end of the message' : step} from .*${(what.ip ?? CLIENT).replaceAll('.', '\\.')}`));
    assert.match(path, why);
  }

  await t.test('mail for others is not relayed', () =>
    refused({ recipients: ['x@remote.test'] }, 'RCPT', /^554 5\.7\.1 .*Relay access denied/, /because of reject_unauth_destination/),
  );
  await t.test('a recipient that does not exist is unknown', () =>
    refused({ recipients: ['nobody@us.test'] }, 'RCPT', /^550 5\.1\.1 .*nobody@us\.test/, /told: 550 5\.1\.1/),
  );
  await t.test('a sender domain that does not exist cannot be answered', () =>
    refused({ sender: 'x@nowhere.example' }, 'RCPT', /^(?:450 4|550 5)\.1\.8 .*Domain not found/, /because of reject_unknown_sender_domain/),
  );
  await t.test('a sender that is no full address is refused', () =>
    refused({ sender: 'x@localhost' }, 'RCPT', /^504 5\.5\.2 .*need fully-qualified address/, /because of reject_non_fqdn_sender/),
  );
  await t.test('a HELO name with wrong characters is refused', () =>
    refused({ helo: '-bad-.test' }, 'RCPT', /^501 5\.5\.2 .*Invalid name/, /because of reject_invalid_helo_hostname/),
  );
  await t.test('a HELO name without a dot is refused', () =>
    refused({ helo: 'friend' }, 'RCPT', /^504 5\.5\.2 .*need fully-qualified hostname/, /because of reject_non_fqdn_helo_hostname/),
  );
  await t.test('several From fields are refused', () =>
    refused({ message: mail({ lines: ['From: <boss@us.test>'] }) }, 'message', /^550 5\.6\.0 .*more than one From field/, /FROM_SEVERAL/),
  );

  await t.test('a client that says HELO and then sends ahead cheats', async () => {
    const client = await LineClient.open(25, { host: US, from: CLIENT });
    await client.smtp(null, /^220/);
    await client.smtp('HELO client.test', /^250/);
    client.send('MAIL FROM:<rita@friend.test>\r\nRCPT TO:<anna@us.test>\r\nDATA\r\n');
    await client.smtp(null, /^250/);
    await client.smtp(null, /^250/);
    const reply = await client.smtp(null, /^503 5\.5\.0 .*Improper use of SMTP command pipelining; ref /);
    assert.match(await server.admin('trace', idOf(reply)), /refused at DATA[\s\S]*because of reject_unauth_pipelining/);
    client.close();
  });

  await t.test('one recipient is refused, the other gets the mail', async () => {
    const heard = await attempt({ recipients: ['nobody@us.test', 'anna@us.test'], message: mail({ subject: 'for one' }) });
    assert.match(heard.rcpt[0]!, /^550 5\.1\.1 /);
    assert.match(heard.reply, /^250 /);
    await found(server, 'for one');
  });

  await t.test('a message is accepted, with what was found on top; what speaks in our name is taken out', async () => {
    const body = 'first\n.dot\n\nlast';
    const forged = [
      'Authentication-Results: mx.us.test; spf=pass smtp.mailfrom=bank.test',
      'X-Spam-Flag: NO',
      'Authentication-Results: other.test; dkim=none',
      'x-spam-status: No, score=-100',
    ];
    const heard = await attempt({ message: mail({ subject: 'accepted', lines: forged, body }) });
    assert.match(heard.reply, /^250 2\.0\.0 /);
    const message = await found(server, 'accepted');
    const top = message.slice(0, message.indexOf('\r\nReceived: '));
    assert.match(top, /^Return-Path: <rita@friend\.test>\r\n/);
    assert.match(top, /\r\nAuthentication-Results: mx\.us\.test;[\s\S]*spf=pass[\s\S]*dmarc=pass/);
    assert.match(top, /\r\nReceived-SPF: pass /i);
    assert.match(top, /\r\nX-Spam-Status: No, score=-?\d\.\d required=6\.0\r\n\ttests=[\s\S]*SPF_PASS/);
    assert.equal(message.match(/^Authentication-Results: mx\.us\.test;/gim)?.length, 1, message);
    assert.doesNotMatch(message, /bank\.test|X-Spam-Flag|score=-100/i);
    assert.match(message, /\r\nAuthentication-Results: other\.test; dkim=none\r\n/);
    assert.ok(message.endsWith(`\r\n\r\n${body.replaceAll('\n', '\r\n')}\r\n`), message);
    const path = await server.admin('trace', idOf(heard.reply));
    assert.match(path, /judged: -?[\d.]+ points, accepted \(.*SPF_PASS/);
  });

  await t.test('a message of 400 KB gets its fields and is the same otherwise', async () => {
    const text = mail({ subject: 'large', lines: ['Authentication-Results: mx.us.test; spf=pass'], body: `${'x'.repeat(70)}\n`.repeat(6000) });
    assert.match((await attempt({ message: text })).reply, /^250 /);
    const message = await found(server, 'large');
    assert.match(message, /\r\nAuthentication-Results: mx\.us\.test;[\s\S]*spf=pass/);
    assert.ok(message.endsWith(text.slice(text.indexOf('From: '))), 'the rest is as it came');
  });

  await t.test('a client without a name gathers points for it', async () => {
    assert.match((await attempt({ ip: BARE, sender: 'x@plain.test', message: mail({ from: 'x@plain.test', subject: 'no name' }) })).reply, /^250 /);
    assert.match(await found(server, 'no name'), /tests=[\s\S]*RDNS_NONE/);
  });
});

test('DMARC and the score decide', async (t) => {
  const key = await makeDkimKey(t, 'strict.test', 'sel');
  await startNsd(t, zones(key.record));
  const opendkim = await startOpendkim(t, { mode: 's', key });
  const server = await startPosthorn(t, { config: JUDGED, users: USERS });

  await t.test('a message that DMARC wants refused is refused at its end', async () => {
    const heard = await attempt({ message: mail({ from: 'boss@strict.test' }) });
    assert.equal(heard.step, 'message');
    assert.match(heard.reply, /^550 5\.7\.26 .*strict\.test.*DMARC.*; ref /i);
    assert.match(await server.admin('trace', idOf(heard.reply)), /because of DMARC_REJECT/);
  });

  await t.test('one that DMARC wants quarantined is in the mailbox for junk', async () => {
    const heard = await attempt({ message: mail({ from: 'boss@loose.test', subject: 'quarantined' }) });
    assert.match(heard.reply, /^250 /);
    await found(server, 'quarantined', 'Junk');
    assert.match(await server.admin('trace', idOf(heard.reply)), /into the mailbox for junk/);
  });

  await t.test('one that OpenDKIM signed for its author passes', async () => {
    const text = mail({ from: 'boss@strict.test', subject: 'signed' });
    const answers = await showMilter(opendkim, { ip: CLIENT, helo: 'client.test', sender: '<boss@strict.test>', recipient: '<anna@us.test>', message: text });
    const signature = answers.find((answer) => answer.kind === 'insertHeader' || answer.kind === 'addHeader');
    assert.ok(signature !== undefined && 'value' in signature, JSON.stringify(answers));
    const message = `DKIM-Signature: ${signature.value.trimStart().replaceAll(/\r?\n/g, '\r\n')}\r\n${text}`;
    assert.match((await attempt({ message })).reply, /^250 /);
    assert.match(await found(server, 'signed'), /dkim=pass[\s\S]*dmarc=pass/);
    const spoiled = await attempt({ message: message.replace('Hello.', 'Hallo.') });
    assert.match(spoiled.reply, /^550 5\.7\.26 .*DMARC/i);
  });

  /** SPF fails (3), no name (1.5), no DMARC policy (0.2). */
  const doubtful = { ip: BARE, sender: 'x@fail.test' };
  const about = (subject: string): string => mail({ from: 'x@fail.test', subject });

  await t.test('enough points mark it and put it into the mailbox for junk', async () => {
    await reconfigure(server, { judge: { exempt: [], addHeaderScore: '4' } });
    assert.match((await attempt({ ...doubtful, message: about('marked') })).reply, /^250 /);
    const message = await found(server, 'marked', 'Junk');
    assert.match(message, /\r\nX-Spam-Flag: YES\r\nX-Spam-Level: \*{4,}\r\nX-Spam-Status: Yes, score=[4-9]\.\d required=4\.0\r\n/);
  });

  await t.test('more points refuse it, and the reply names what weighed most', async () => {
    await reconfigure(server, { judge: { exempt: [], rejectScore: '4' } });
    const heard = await attempt({ ...doubtful, message: about('refused') });
    assert.match(heard.reply, /^550 5\.7\.1 This message looks like spam \([4-9]\.\d points, 4 are too many\): SPF of fail\.test: fail.*; ref /);
    assert.match(await server.admin('trace', idOf(heard.reply)), /judged: [4-9][.\d]* points, refused \(SPF_FAIL 3/);
  });

  await t.test('thresholds of a domain and of an address; several recipients have the mildest', async () => {
    await reconfigure(server, { judge: { exempt: [], rejectScore: '4', overrides: ['us.test reject=100', 'bert@us.test reject=4'] } });
    assert.match((await attempt({ ...doubtful, message: about('overridden') })).reply, /^250 /);
    assert.match((await attempt({ ...doubtful, recipients: ['bert@us.test'], message: about('strict') })).reply, /^550 /);
    assert.match((await attempt({ ...doubtful, recipients: ['bert@us.test', 'anna@us.test'], message: about('both') })).reply, /^250 /);
  });

  await t.test('weights of single symbols', async () => {
    await reconfigure(server, { judge: { exempt: [], rejectScore: '4', weights: ['SPF_FAIL=0', 'SPF_PASS=20'] } });
    assert.match((await attempt({ ...doubtful, message: about('weighed') })).reply, /^250 /);
    assert.match((await attempt({ message: mail() })).reply, /^550 .*SPF of friend\.test: pass/);
  });
});

test('greylisting remembers across a restart', async (t) => {
  await startNsd(t, zones());
  const config = { ...JUDGED, greylist: { mode: 'all', delay: '1s' } };
  const server = await startPosthorn(t, { config, users: USERS });
  /** Until the delay is over. */
  const waited = (since: number): Promise<true> => eventually('the delay to be over', () => Date.now() > since + 1100);

  await t.test('of all strangers: refused for now at RCPT, taken when it comes back', async () => {
    const first = await attempt({ message: null });
    const since = Date.now();
    assert.equal(first.step, 'RCPT');
    assert.match(first.reply, /^451 4\.7\.1 .*again in \d+ seconds?; ref /);
    assert.match(await server.admin('trace', idOf(first.reply)), /because of greylisting/);
    await server.restart();
    await waited(since);
    assert.match((await attempt({ message: mail({ subject: 'came back' }) })).reply, /^250 /);
    await server.restart();
    assert.match((await attempt({ message: mail({ subject: 'known' }) })).reply, /^250 /);
    assert.match((await attempt({ sender: 'other@friend.test', message: null })).reply, /^451 /, 'another sender is not known');
    assert.match((await attempt({ recipients: ['postmaster@us.test'], message: null })).reply, /^250 /);
  });

  await t.test('of what is likely spam: refused for now at the end of the message', async () => {
    await reconfigure(server, { greylist: { mode: 'likelySpam', delay: '1s' } });
    assert.match((await attempt({ sender: 'new@friend.test', message: mail({ subject: 'clean' }) })).reply, /^250 /);
    const doubtful = { ip: BARE, sender: 'x@fail.test', message: mail({ from: 'x@fail.test', subject: 'likely spam' }) };
    const first = await attempt(doubtful);
    const since = Date.now();
    assert.equal(first.step, 'message');
    assert.match(first.reply, /^451 4\.7\.1 /);
    assert.match(
      await server.admin('trace', idOf(first.reply)),
      /refused at the end of the message[\s\S]*because of greylisting\n.*judged: [4-9][.\d]* points, asked to come back later/,
    );
    await waited(since);
    assert.match((await attempt(doubtful)).reply, /^250 /);
    await found(server, 'likely spam');
  });
});
