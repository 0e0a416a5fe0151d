/** Restriction lists in the running server, with Postfix's table files on disk, a policy server, DNS lists and probes. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { rmSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ImapClient } from './harness/imap-client.ts';
import { sendLetter } from './harness/letter.ts';
import { LineClient } from './harness/line-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { keepRunning } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { attempt, BARE, idOf, JUDGED, mail, zones } from './judge/world.ts';
import { startNsd } from './peers/nsd.ts';
import { startRbldnsd } from './peers/rbldnsd.ts';
import { CLIENT, REMOTE, startRemote, US } from './peers/small-internet.ts';
import { startSmtpSink } from './peers/smtp-sink.ts';

const USERS = { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' };
const POLICY_SERVER = fileURLToPath(new URL('judge/policy_server.py', import.meta.url));

/** Subjects of the messages in a mailbox. */
async function subjects(server: Posthorn, user: keyof typeof USERS): Promise<readonly string[]> {
  return (await inbox(server, user)).map((message) => /\r\nSubject: (.*)\r\n/.exec(message)![1]!);
}
async function inbox(server: Posthorn, user: keyof typeof USERS): Promise<readonly string[]> {
  const imap = await ImapClient.login(server.port('imap'), user, USERS[user]);
  const messages = await imap.messages();
  await imap.logout();
  return messages;
}

test("Postfix's access tables, from disk", async (t) => {
  const dir = tempDir(t, 'tables');
  const file = (name: string, ...lines: readonly string[]): string => {
    writeFileSync(join(dir, name), `${lines.join('\n')}\n`);
    return join(dir, name);
  };
  const filter = await startSmtpSink(t, '127.0.0.1');
  const clients = file('client.cidr', '# networks', '192.0.2.3 REJECT not from there', '192.0.2.0/24 DUNNO');
  const senders = file(
    'sender',
    'rude@friend.test   REJECT',
    'blunt@friend.test  550 5.7.0 Go away',
    'slow@friend.test   DEFER later perhaps',
    'plain.test         REJECT 5.1.7 nobody at plain.test',
    '<>                 DUNNO',
  );
  const recipients = file(
    'recipient.pcre',
    '/^anna\\+redirect@/   REDIRECT bert@us.test',
    '/^anna\\+bcc@/        BCC bert@us.test',
    '/^anna\\+hold@/       HOLD have a look',
    '/^anna\\+discard@/    DISCARD not wanted',
    '/^anna\\+prepend@/    PREPEND X-Seen: at the door',
    `/^anna\\+filter@/     FILTER smtp:[127.0.0.1]:${filter.port}`,
    '/^anna\\+warn@/       WARN a word of warning',
    '/^anna\\+info@/       INFO a word of information',
    '/^anna\\+defer@/      DEFER_IF_PERMIT the directory is away',
    '/^anna\\+strict@/     strict',
    '/^anna\\+ok@/         OK',
    '/^anna\\+(x\\d+)@/    REJECT no $1 here',
  );
  await startNsd(t, zones());
  const config = {
    ...JUDGED,
    listen: { ...(JUDGED['listen'] as object), smtp: [`${US}:25`, '127.0.0.1:25'] },
    smtp: { relayFrom: ['127.0.0.1'] },
    policy: {
      clientRestrictions: [`check_client_access cidr:${clients}`],
      senderRestrictions: ['reject_non_fqdn_sender', `check_sender_access hash:${senders}`],
      recipientRestrictions: ['permit_mynetworks', `check_recipient_access pcre:${recipients}`, 'reject_unlisted_recipient'],
      restrictionClasses: ['strict = reject_unknown_client_hostname, reject_plaintext_session'],
    },
  };
  const server = await startPosthorn(t, { config, users: USERS });
  const to = (detail: string, subject: string = detail): Promise<{ reply: string; step: string }> =>
    attempt({ recipients: [`anna+${detail}@us.test`], message: mail({ subject }) });

  const REFUSALS: readonly (readonly [Parameters<typeof attempt>[0], RegExp])[] = [
    [{ ip: '192.0.2.3' }, /^554 5\.7\.1 .*not from there; ref /],
    [{ sender: 'rude@friend.test' }, /^554 5\.7\.1 <rude@friend\.test>: Sender address rejected: Access denied; ref /],
    [{ sender: 'blunt@friend.test' }, /^550 5\.7\.0 .*Go away; ref /],
    [{ sender: 'slow@friend.test' }, /^450 4\.7\.1 .*later perhaps; ref /],
    [{ sender: 'x@plain.test' }, /^554 5\.1\.7 .*nobody at plain\.test; ref /],
    [{ recipients: ['anna+defer@us.test'] }, /^450 4\.7\.1 .*the directory is away; ref /],
    [{ recipients: ['anna+x25@us.test'] }, /^554 5\.7\.1 .*no x25 here; ref /],
    [{ recipients: ['anna+strict@us.test'], ip: BARE }, /^450 4\.7\.25 .*cannot find your hostname, \[192\.0\.2\.66\]; ref /],
    [{ recipients: ['anna+strict@us.test'] }, /^450 4\.7\.1 Session encryption is required; ref /],
  ];
  for (const [what, reply] of REFUSALS)
    await t.test(`refused: ${JSON.stringify(what)}`, async () => {
      const heard = await attempt(what);
      assert.equal(heard.step, 'RCPT', heard.reply);
      assert.match(heard.reply, reply);
    });

  await t.test('OK, WARN and INFO deliver; what is warned of is in the log', async () => {
    for (const detail of ['ok', 'warn', 'info']) assert.match((await to(detail)).reply, /^250 /);
    await server.event('policy.warn', (line) => JSON.stringify(line).includes('a word of warning'));
    await server.event('policy.info', (line) => JSON.stringify(line).includes('a word of information'));
    assert.deepEqual((await subjects(server, 'anna@us.test')).toSorted(), ['info', 'ok', 'warn']);
  });

  await t.test('PREPEND adds its field above the Received field', async () => {
    assert.match((await to('prepend')).reply, /^250 /);
    const message = (await inbox(server, 'anna@us.test')).find((text) => text.includes('Subject: prepend'))!;
    assert.ok(message.indexOf('\r\nX-Seen: at the door\r\n') < message.indexOf('\r\nReceived: '), message);
    assert.match(message, /\r\nX-Seen: at the door\r\n/);
  });

  await t.test('REDIRECT sends it to another instead, BCC to another as well', async () => {
    assert.match((await to('redirect')).reply, /^250 /);
    assert.match((await to('bcc')).reply, /^250 /);
    assert.deepEqual((await subjects(server, 'bert@us.test')).toSorted(), ['bcc', 'redirect']);
    const anna = await subjects(server, 'anna@us.test');
    assert.ok(anna.includes('bcc') && !anna.includes('redirect'), anna.join());
  });

  await t.test('HOLD keeps it in the queue until it is released', async () => {
    const heard = await to('hold');
    assert.match(heard.reply, /^250 /);
    assert.match(await server.admin('trace', idOf(heard.reply)), /held in the queue/);
    assert.match(await server.admin('queue', 'list', '--held'), new RegExp(`${idOf(heard.reply)}.*anna@us\\.test +held`));
    assert.ok(!(await subjects(server, 'anna@us.test')).includes('hold'));
    await server.admin('queue', 'release', idOf(heard.reply));
    await eventually('the released message', async () => (await subjects(server, 'anna@us.test')).includes('hold'));
    assert.match(await server.admin('queue', 'list'), /Nothing waits/);
  });

  await t.test('DISCARD takes it and throws it away', async () => {
    const heard = await to('discard');
    assert.match(heard.reply, /^250 2\.0\.0 /);
    assert.match(await server.admin('trace', idOf(heard.reply)), /thrown away, from rita@friend\.test for anna\+discard@us\.test: .*check_recipient_access/);
    assert.ok(!(await subjects(server, 'anna@us.test')).includes('discard'));
  });

  await t.test('FILTER sends it to a filter, which gives it back', async () => {
    const heard = await to('filter');
    assert.match(heard.reply, /^250 /);
    const taken = await eventually('the filter has it', () => filter.taken[0]);
    assert.deepEqual([taken.sender, taken.recipients], ['rita@friend.test', ['anna+filter@us.test']]);
    assert.ok(!(await subjects(server, 'anna@us.test')).includes('filter'));
    await sendLetter({ port: 25, sender: taken.sender, recipients: taken.recipients, message: `X-Filtered: yes\r\n${taken.message}` });
    const message = (await inbox(server, 'anna@us.test')).find((text) => text.includes('Subject: filter'))!;
    assert.match(message, /\r\nX-Filtered: yes\r\n/);
    assert.match(await server.admin('trace', idOf(heard.reply)), /to go to smtp:\[127\.0\.0\.1\]:\d+, as a rule says/);
  });

  await t.test('a file changed on disk counts without a restart', async () => {
    file('client.cidr', '192.0.2.20 REJECT moved', '192.0.2.0/24 DUNNO');
    await eventually('the changed table', async () => (await attempt({ message: null })).reply.includes('moved'));
    file('client.cidr', '192.0.2.0/24 DUNNO');
    await eventually('the table changed again', async () => (await attempt({ message: null })).reply.startsWith('250'));
  });

  await t.test("Sendmail's access file and qmail's control files are read as they are", async () => {
    const access = file(
      'access',
      'From:rude@friend.test\tERROR:5.7.1:"550 Not from you"',
      'Connect:192.0.2.3\tREJECT',
      'To:bert@us.test\tREJECT',
      'Connect:192.0.2.66\tOK',
    );
    const badmailfrom = file('badmailfrom', 'blunt@friend.test', '@plain.test');
    const badhelo = file('badhelo', 'evil.test');
    server.configure({
      ...config,
      listen: server.listen,
      policy: {
        clientRestrictions: [`check_sendmail_access ${access}`],
        heloRestrictions: [`check_qmail_badhelo ${badhelo}`],
        senderRestrictions: [`check_sendmail_access ${access}`, `check_qmail_badmailfrom ${badmailfrom}`],
        recipientRestrictions: [`check_sendmail_access ${access}`, 'reject_unlisted_recipient'],
      },
    });
    await server.admin('reload');
    for (const [what, reply] of [
      [{ sender: 'rude@friend.test' }, /^550 5\.7\.1 .*Not from you; ref /],
      [{ ip: '192.0.2.3' }, /^5\d\d 5\.7\.1 .*; ref /],
      [{ recipients: ['bert@us.test'] }, /^5\d\d 5\.\d\.\d .*; ref /],
      [{ sender: 'blunt@friend.test' }, /^5\d\d 5\.\d\.\d .*; ref /],
      [{ sender: 'x@plain.test' }, /^5\d\d 5\.\d\.\d .*; ref /],
      [{ helo: 'evil.test' }, /^5\d\d 5\.\d\.\d .*; ref /],
      [{}, /^250 /],
      [{ ip: BARE, recipients: ['x@remote.test'] }, /^554 5\.7\.1 .*Relay access denied; ref /],
    ] as const)
      assert.match((await attempt({ ...what, message: null })).reply, reply, JSON.stringify(what));
  });

  await t.test('without delay each list refuses at its own command', async () => {
    server.configure({
      ...config,
      listen: server.listen,
      policy: { ...config.policy, recipientRestrictions: ['reject_unlisted_recipient'], restrictionClasses: [], delayReject: false },
    });
    file('client.cidr', '192.0.2.3 REJECT not from there');
    await server.admin('reload');
    const heard = async (what: Parameters<typeof attempt>[0]): Promise<string> => {
      const { step, reply } = await attempt({ ...what, message: null });
      return `${step} ${reply.slice(0, 9)}`;
    };
    await eventually('the table changed once more', async () => (await heard({ ip: '192.0.2.3' })) === 'greeting 554 5.7.1');
    assert.equal(await heard({ helo: 'nodot' }), 'EHLO 504 5.5.2');
    assert.equal(await heard({ sender: 'rude@friend.test' }), 'MAIL 554 5.7.1');
    assert.equal(await heard({ recipients: ['nobody@us.test'] }), 'RCPT 550 5.1.1');
  });
});

test('other servers are asked: a policy server, DNS lists, address probes', async (t) => {
  const dir = tempDir(t, 'policy-server');
  const socket = join(dir, 'socket');
  const policyServer = async (): Promise<void> => {
    rmSync(socket, { force: true });
    const running = keepRunning('python3', [POLICY_SERVER, socket]);
    atEnd(t, () => void running.child.kill('SIGKILL'));
    await eventually('the policy server listens', () => {
      if (running.child.exitCode !== null) throw new Error(running.output());
      return existsSync(socket);
    });
  };
  await policyServer();
  // Without a root: what NSD does not know is asked of rbldnsd next, and "silent.example" of nobody who answers.
  const { '.': _, ...known } = zones();
  await startNsd(t, known);
  const lists = await startRbldnsd(t, {
    'bl.example': { type: 'ip4trie', data: `:127.0.0.2:Listed, see https://bl.example/?$\n${BARE}\n192.0.2.3 :127.0.0.9:Policy` },
    'dbl.example': { type: 'dnset', data: ':127.0.1.2:Domain $\nloose.test' },
  });
  const config = {
    ...JUDGED,
    dns: { servers: ['127.0.0.1:53', lists.address] },
    policy: {
      clientRestrictions: ['reject_rbl_client bl.example=127.0.0.[2..4]', 'reject_rbl_client silent.example'],
      senderRestrictions: ['reject_rhsbl_sender dbl.example'],
      recipientRestrictions: ['reject_unlisted_recipient', `check_policy_service unix:${socket}`],
      serviceRetryDelay: '100ms',
      relayDomains: ['remote.test'],
    },
  };
  const server = await startPosthorn(t, { config, users: USERS });

  await t.test('a policy server answers', async () => {
    assert.match((await attempt({ message: mail({ subject: 'no opinion' }) })).reply, /^250 /);
    assert.match((await attempt({ sender: 'refuse@friend.test' })).reply, /^554 5\.7\.1 .*not by us; ref /);
    assert.match((await attempt({ sender: 'later@friend.test' })).reply, /^450 4\.7\.1 .*come back; ref /);
    assert.match((await attempt({ sender: 'mark@friend.test', message: mail({ subject: 'marked' }) })).reply, /^250 /);
    assert.ok((await inbox(server, 'anna@us.test')).some((message) => message.includes(`\r\nX-Policy: ${CLIENT} anna@us.test\r\n`)));
  });

  await t.test('one that dies in mid-question puts the mail off, and is asked again when it is back', async () => {
    const heard = await attempt({ sender: 'die@friend.test' });
    assert.equal(heard.step, 'RCPT');
    assert.match(heard.reply, /^451 4\.3\.5 .*; ref /);
    await policyServer();
    await eventually('the policy server is asked again', async () => (await attempt({ message: null })).reply.startsWith('250'));
  });

  await t.test('listed clients and senders are refused in the words of the list; a dead list refuses nobody', async () => {
    assert.match(
      (await attempt({ ip: BARE })).reply,
      new RegExp(`^554 5\\.7\\.1 Service unavailable; Client host \\[${BARE}\\] blocked using bl\\.example; Listed, see https://bl\\.example/\\?${BARE}; ref `),
    );
    assert.match((await attempt({ ip: '192.0.2.3', message: null })).reply, /^250 /, 'another answer of the list');
    assert.match(
      (await attempt({ sender: 'x@loose.test' })).reply,
      /^554 5\.7\.1 Service unavailable; Sender address \[x@loose\.test\] blocked using dbl\.example; Domain loose\.test; ref /,
    );
  });

  await t.test('links to listed domains gather points', async () => {
    server.configure({ ...config, listen: server.listen, door: { greetingDelay: '0s', domainLists: ['dbl.example*7', 'silent.example*9'] } });
    await server.admin('reload');
    assert.match((await attempt({ message: mail({ subject: 'a link', body: 'See https://loose.test/offer now.' }) })).reply, /^250 /);
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', USERS['anna@us.test']);
    assert.match((await imap.messages('Junk'))[0]!, /\r\nX-Spam-Flag: YES\r\n[\s\S]*tests=[\s\S]*DBL_EXAMPLE_LINK[\s\S]*Subject: a link/);
    await imap.logout();
  });

  const remote = await startRemote(t);
  await t.test('recipients of a domain that is passed on are asked for', async () => {
    server.configure({
      ...config,
      listen: server.listen,
      policy: { ...config.policy, recipientRestrictions: ['reject_unverified_recipient'], senderRestrictions: ['reject_unverified_sender'] },
    });
    await server.admin('reload');
    const friend = { sender: 'rita@remote.test' };
    assert.match((await attempt({ ...friend, recipients: ['rob@remote.test'], message: mail({ subject: 'passed on' }) })).reply, /^250 /);
    await eventually('it has arrived', () => remote.messages('rob').some((message) => message.includes('Subject: passed on')));
    assert.match(
      (await attempt({ ...friend, recipients: ['nobody@remote.test'] })).reply,
      /^450 4\.1\.1 <nobody@remote\.test>: Recipient address rejected: .*nobody@remote\.test.*; ref /,
    );
    assert.match((await attempt({ ...friend, message: null })).reply, /^250 /);
    assert.match((await attempt({ sender: 'nobody@remote.test' })).reply, /^450 4\.1\.7 <nobody@remote\.test>: Sender address rejected: .*; ref /);
    const asked = (): number => remote.log.split('NOQUEUE: reject: RCPT').length;
    const before = asked();
    assert.match((await attempt({ sender: 'nobody@remote.test' })).reply, /^450 4\.1\.7 /);
    assert.equal(asked(), before, 'the answer is remembered');
  });

  await t.test('ETRN sends what waits for a domain of ours, and says no to others', async () => {
    await remote.stop();
    server.configure({ ...config, listen: server.listen, policy: { ...config.policy, recipientRestrictions: ['permit'], senderRestrictions: [] } });
    await server.admin('reload');
    assert.match((await attempt({ recipients: ['rita@remote.test'], message: mail({ subject: 'waited' }) })).reply, /^250 /);
    await eventually('it was tried', async () => /try 2 /.test(await server.admin('queue', 'list')));
    await remote.start();
    await eventually('it takes connections', async () => {
      const greeted = await LineClient.open(25, { host: REMOTE });
      await greeted.smtp(null, /^220/);
      greeted.close();
      return true;
    });
    const client = await LineClient.open(25, { host: US, from: CLIENT });
    await client.smtp(null, /^220/);
    await client.smtp('EHLO mx.remote.test', /^250[\s\S]*250[ -]ETRN/);
    await client.smtp('ETRN elsewhere.test', /^459 4\.7\.1 /);
    await client.smtp('ETRN us.test', /^251 2\.0\.0 /);
    await client.smtp('ETRN remote.test', /^250 2\.0\.0 /);
    client.close();
    await eventually('it has arrived', () => remote.messages('rita').some((message) => message.includes('Subject: waited')));
  });
});
