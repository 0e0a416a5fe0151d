/** Content patterns in the running server: what the client hears, and what becomes of the message. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { attempt, idOf, JUDGED, mail, zones } from './judge/world.ts';
import { startNsd } from './peers/nsd.ts';

const HEADER = `
/^Subject: refused$/      REJECT 5.7.9 we know this one
/^Subject: later$/        REJECT 4.7.9 come back
/^Subject: held$/         HOLD someone should look
/^Subject: discarded$/    DISCARD nobody wants it
/^Subject: redirected$/   REDIRECT boss@us.test
/^Subject: copied$/       BCC boss@us.test
/^Subject: (replaced)$/   REPLACE Subject: $1 by a rule
/^Subject: prepended$/    PREPEND X-Mark: yes
/^X-Secret:/              IGNORE
`;
const BODY = '/^forbidden$/ REJECT bad words\n/^secret (.*)$/ REPLACE known $1\n';
const USERS = { 'anna@us.test': 'anna-password', 'boss@us.test': 'boss-password' };

test('content patterns decide about messages as they come', async (t) => {
  await startNsd(t, zones());
  const dir = tempDir(t, 'tables');
  const header = join(dir, 'header_checks');
  const body = join(dir, 'body_checks');
  writeFileSync(header, HEADER);
  writeFileSync(body, BODY);
  // A server of tables that hangs up on everyone.
  const broken = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
  atEnd(t, () => broken.close());
  const lost = `tcp:127.0.0.1:${(broken.address() as { port: number }).port}`;

  const patterns = { headerChecks: [`pcre:${header}`], bodyChecks: [`regexp:${body}`] };
  const server = await startPosthorn(t, { config: { ...JUDGED, patterns }, users: USERS });
  const listen = { ...(JUDGED['listen'] as object), ...Object.fromEntries(Object.entries(server.listen)) };

  async function inbox(user: keyof typeof USERS): Promise<readonly string[]> {
    const imap = await ImapClient.login(server.port('imap'), user, USERS[user]);
    const messages = await imap.messages();
    await imap.logout();
    return messages;
  }
  const found = async (subject: string, user: keyof typeof USERS = 'anna@us.test'): Promise<string | undefined> =>
    (await inbox(user)).find((message) => message.includes(`\r\nSubject: ${subject}\r\n`));
  const reply = async (subject: string, text?: string): Promise<string> =>
    (await attempt({ message: mail({ subject, ...(text === undefined ? {} : { body: text }) }) })).reply;

  await t.test('REJECT is what the client hears, and trace knows it', async () => {
    const heard = await reply('refused');
    assert.match(heard, /^550 5\.7\.9 we know this one; ref /);
    assert.match(await server.admin('trace', idOf(heard)), /refused at the end of the message [\s\S]*because of pcre:.*header_checks/);
    assert.match(await reply('later'), /^451 4\.7\.9 come back/);
    assert.match(await reply('plain', 'one\nforbidden\ntwo'), /^550 5\.7\.1 bad words/);
  });

  await t.test('HOLD keeps the message in the queue', async () => {
    const heard = await reply('held');
    assert.match(heard, /^250 /);
    const listed = await server.admin('queue', 'list');
    assert.match(listed, /held/);
    assert.match(await server.admin('trace', idOf(heard)), /someone should look/);
    assert.equal(await found('held'), undefined);
  });

  await t.test('DISCARD is accepted, and nobody gets it', async () => {
    const heard = await reply('discarded');
    assert.match(heard, /^250 /);
    assert.match(await server.admin('trace', idOf(heard)), /thrown away.*nobody wants it/);
    assert.equal(await found('discarded'), undefined);
  });

  await t.test('REDIRECT leads elsewhere, BCC there, too', async () => {
    assert.match(await reply('redirected'), /^250 /);
    assert.match(await reply('copied'), /^250 /);
    await eventually(
      'boss has both',
      async () => (await found('redirected', 'boss@us.test')) !== undefined && (await found('copied', 'boss@us.test')) !== undefined,
    );
    assert.equal(await found('redirected'), undefined);
    await eventually('anna has the copied one', () => found('copied'));
  });

  await t.test('REPLACE, PREPEND and IGNORE are seen in the stored message', async () => {
    assert.match(await reply('replaced', 'secret word\nlast'), /^250 /);
    const replaced = await eventually('it is there', () => found('replaced by a rule'));
    assert.ok(replaced.endsWith('\r\n\r\nknown word\r\nlast\r\n'), replaced);
    assert.match((await attempt({ message: mail({ subject: 'prepended', lines: ['X-Secret: one', ' two'] }) })).reply, /^250 /);
    const prepended = await eventually('it is there', () => found('prepended'));
    assert.match(prepended, /\r\nX-Mark: yes\r\nSubject: prepended\r\n/);
    assert.doesNotMatch(prepended, /X-Secret| two/);
  });

  await t.test('a changed file counts without a reload', async () => {
    assert.match(await reply('news'), /^250 /);
    writeFileSync(header, `${HEADER}/^Subject: news$/ REJECT no news\n`);
    await eventually('the new rule counts', async () => /^550 5\.7\.1 no news/.test(await reply('news')));
  });

  await t.test('a file that breaks leaves the rules of before, and its line is named', async () => {
    writeFileSync(header, '/^Subject: fine$/ REJECT\n/^Subject: (broken/ REJECT\n');
    const line = await eventually('the log tells', async () => {
      assert.match(await reply('refused'), /^550 5\.7\.9 /);
      return server.log.lines.find(({ event }) => event === 'table.reload.failed');
    });
    assert.match(String(line['cause']), /header_checks:2: /);
    assert.match(await reply('refused'), /^550 5\.7\.9 /);
  });

  await t.test('a reload with a broken table keeps the configuration of before, and file and line are named', async () => {
    const wrong = join(dir, 'wrong_checks');
    writeFileSync(wrong, '# rules\n/^Subject: (broken/ REJECT\n');
    server.configure({ ...JUDGED, patterns: { headerChecks: [`pcre:${wrong}`] }, listen });
    const { code, stdout, stderr } = await server.cli(['reload']);
    assert.notEqual(code, 0, stdout);
    assert.match(stdout + stderr, /wrong_checks:2: /);
    assert.match(await reply('refused'), /^550 5\.7\.9 /);
  });

  await t.test('a table that does not answer puts the message off', async () => {
    server.configure({ ...JUDGED, patterns: { ...patterns, headerChecks: [lost] }, listen });
    await server.admin('reload');
    assert.match(await reply('plain'), /^451 4\.3\.0 /);
    await server.event('patterns.table.failed');
  });

  await t.test('without tables all goes through', async () => {
    server.configure({ ...JUDGED, listen });
    await server.admin('reload');
    assert.match(await reply('refused'), /^250 /);
  });
});
