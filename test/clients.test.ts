/** Real mail clients live with a mailbox: mutt, mbsync and fetchmail, in TLS that they verify. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { makeCertificate } from './peers/certificate.ts';
import { fetchmailStory, mbsyncStory, muttStory, type Stage } from './peers/client-stories.ts';
import { muttSend } from './peers/mail-clients.ts';

ownNetwork();

test('mail clients live with a mailbox', async (t) => {
  const files = await makeCertificate(tempDir(t, 'certificate'), ['localhost', 'mx.us.test']);
  const server = await startPosthorn(t, {
    config: { tls: { certificate: files.certificate, key: files.key } },
    users: { 'anna@us.test': 'anna-password', 'bert@us.test': 'bert-password' },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', 'anna-password');
  const account = { host: 'localhost', imapsPort: server.port('imaps'), user: 'anna@us.test', password: 'anna-password', certificate: files.certificate };
  const stage: Stage = { dir: tempDir(t, 'clients'), account, imap };

  await t.test('mutt reads, flags, moves and expunges', () => muttStory(stage));
  await t.test('mbsync keeps both sides the same, with expunge and rename', () => mbsyncStory(stage));
  await t.test('fetchmail collects by IMAP', () => fetchmailStory(stage, 'IMAP', server.port('imaps')));
  await t.test('fetchmail collects by POP3', () => fetchmailStory(stage, 'POP3', server.port('pop3s')));
  await t.test('mutt sends through submission and keeps its copy in Sent', async () => {
    const picture = join(stage.dir, 'picture.bin');
    writeFileSync(picture, Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251)));
    const url = `smtps://anna%40us.test@localhost:${server.port('submissions')}`;
    await muttSend(stage.dir, account, url, 'bert@us.test', 'Grüße', 'Schöne Grüße!\n', [picture]);
    const bert = await ImapClient.login(server.port('imap'), 'bert@us.test', 'bert-password');
    await eventually('the message is there', async () => (await bert.count()) === 1);
    const [message] = await bert.messages();
    assert.match(message!, /Subject: =\?(utf-8|iso-8859-1)\?/i);
    assert.match(message!, /picture\.bin/);
    await bert.ok('SELECT INBOX');
    assert.match((await bert.ok('FETCH 1 (BODYSTRUCTURE)')).untagged.join(), /"MIXED"/i);
    assert.equal(await imap.count('Sent'), 1);
    await bert.logout();
  });
  await imap.logout();
});
