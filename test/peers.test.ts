/** The peers prove each other first: when these fail, the other end-to-end tests say nothing about Posthorn. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { need, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { fetchmailStory, mbsyncStory, muttStory, type Stage } from './peers/client-stories.ts';
import { startDovecot } from './peers/dovecot.ts';
import { startPostfix } from './peers/postfix.ts';
import { startDns, startRemote, US } from './peers/small-internet.ts';

ownNetwork();

test('Postfix delivers to another Postfix by MX, and to Dovecot by LMTP', async (t) => {
  need('swaks');
  await startDns(t);
  const remote = await startRemote(t);
  await startDovecot(t, { address: US, imapPort: 143, lmtpPort: 24, users: { anna: 'secret' } });
  await startPostfix(t, {
    address: `${US}:25`,
    hostname: 'mx.us.test',
    domains: ['us.test'],
    users: ['anna'],
    main: { virtual_transport: `lmtp:inet:${US}:24`, smtp_bind_address: US, mynetworks: `127.0.0.0/8 ${US}/32` },
  });
  for (const domain of ['remote.test', 'backup.test', 'equal.test', 'fallback.test']) {
    await succeed('swaks', ['--server', US, '--local-interface', US, '--from', 'anna@us.test', '--to', `rita@${domain}`, '--header', `Subject: to ${domain}`]);
    await eventually(`the mail to ${domain} is in the Maildir`, () => remote.messages('rita').some((message) => message.includes(`Subject: to ${domain}`)));
  }
  assert.match(remote.messages('rita')[0]!, /using TLSv1\.3/);

  await succeed('swaks', ['--server', US, '--from', 'rita@remote.test', '--to', 'anna@us.test', '--body', 'through LMTP']);
  const imap = await ImapClient.login(143, 'anna', 'secret', { host: US });
  await eventually('the mail is in the mailbox', async () => (await imap.count()) === 1);
  assert.match((await imap.messages())[0]!, /through LMTP/);
  await imap.logout();
});

test('the stories of the mail clients are true of Dovecot', async (t) => {
  const dovecot = await startDovecot(t, { address: '127.0.0.1', imapPort: 143, imapsPort: 993, lmtpPort: 24, users: { anna: 'secret' } });
  const imap = await ImapClient.login(143, 'anna', 'secret');
  await imap.ok('CREATE Trash');
  const stage: Stage = {
    dir: tempDir(t, 'clients'),
    account: { host: 'localhost', imapsPort: 993, user: 'anna', password: 'secret', certificate: dovecot.certificate! },
    imap,
  };
  await t.test('mutt', () => muttStory(stage));
  await t.test('mbsync', () => mbsyncStory(stage));
  await t.test('fetchmail from IMAP', () => fetchmailStory(stage, 'IMAP', 993));
  await imap.logout();
});
