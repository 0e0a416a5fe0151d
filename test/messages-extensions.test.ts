/** CATENATE, URLAUTH, REPLACE, UNAUTHENTICATE and COMPRESS in the running server; the same commands to Debian's Dovecot; imapflow through a compressed connection. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapFlow } from 'imapflow';
import { type Answer, ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { run } from './harness/run.ts';
import { MESSAGE_CASES, MESSAGE_DIFFERENCES } from './messages/cases.ts';
import { startDovecot } from './peers/dovecot.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const ANNA = 'anna@us.test';

/** Status word and code, untagged responses of these commands, literals; without what no two servers have in common. */
function normal(answer: Answer): string[] {
  const status = /^(\w+)(?: \[(\S+)[^\]]*\])?/.exec(answer.status)!;
  const isInteresting = (line: string): boolean => /^(?:GENURLAUTH|URLFETCH) /.test(line);
  const untagged = answer.untagged.filter(isInteresting).map((line) =>
    line
      .split('\n')[0]!
      .replaceAll(/"?imap:\/\/[^ "]*"?/g, 'URL')
      .replace(/\) \((BODY|BINARY)/, ' $1')
      .replaceAll('(((', '(('),
  );
  const code = status[2] === undefined || ['READ-WRITE', 'SERVERBUG', 'CLOSED'].includes(status[2]) ? '' : ` [${status[2]}]`;
  return [...untagged, ...answer.literals.map((literal) => JSON.stringify(literal)), `${status[1]}${code}`];
}

async function played(client: ImapClient, user: string): Promise<Map<string, string[]>> {
  const answers = new Map<string, string[]>();
  let url = '';
  for (const [name, command] of MESSAGE_CASES) {
    const given = command.replaceAll('anna@mx', `${user}@mx`).replaceAll('user+anna', `user+${user}`);
    const answer = await client.command(given.replaceAll('%URL%', url).replaceAll('%OTHER%', url.replace('section=1', 'section=2')));
    url = answer.untagged.map((line) => /^GENURLAUTH "?([^" ]+)/.exec(line)?.[1]).find((signed) => signed !== undefined) ?? url;
    answers.set(name, normal(answer));
  }
  return answers;
}

test('messages and URLs as with Dovecot', async (t) => {
  await run('ip', ['addr', 'add', `${DOVECOT}/8`, 'dev', 'lo']);
  await startDovecot(t, {
    address: DOVECOT,
    imapPort: 1143,
    lmtpPort: 1024,
    users: { anna: PASSWORD, bert: PASSWORD },
    extra: `
imap_urlauth_host = mx.us.test
mail_attribute_dict = file:%h/dovecot-attributes
protocol imap {
  mail_plugins = imap_zlib
}
`,
  });
  const server = await startPosthorn(t, { config: { imap: { compress: true } }, users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD } });
  const theirs = await played(await ImapClient.login(1143, 'anna', PASSWORD, { host: DOVECOT }), 'anna');
  const ours = await played(await ImapClient.login(server.port('imap'), ANNA, PASSWORD), 'anna%40us.test');
  for (const [name] of MESSAGE_CASES) {
    const difference = MESSAGE_DIFFERENCES[name];
    await t.test(difference === undefined ? name : `${name}: ${difference.why}`, () => {
      assert.deepEqual([ours.get(name), theirs.get(name)], [difference?.ours ?? ours.get(name), difference?.theirs ?? ours.get(name)]);
    });
  }
});

test('REPLACE and UNAUTHENTICATE, and a compressed connection with imapflow', async (t) => {
  const server = await startPosthorn(t, { config: { imap: { compress: true } }, users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD } });

  await t.test('a draft is replaced many times and goes to Sent at last', async () => {
    const client = await ImapClient.login(server.port('imap'), ANNA, PASSWORD);
    await client.append('Drafts', 'Subject: draft\r\n\r\n0\r\n');
    await client.ok('SELECT Drafts');
    for (let i = 1; i <= 50; i += 1) {
      const { untagged } = await client.ok(`UID REPLACE ${i} Drafts (\\Draft \\Seen) {21+}\r\nSubject: draft ${String(i).padStart(2, '0')}\r\n\r\n`);
      assert.match(untagged[0]!, new RegExp(`^OK \\[APPENDUID \\d+ ${i + 1}\\]`));
      // Two in one mailbox or one, as the announcement came before the result or behind it: in the end it is one.
      assert.ok(untagged.includes('1 EXPUNGE') && (untagged.includes('1 EXISTS') || untagged.includes('2 EXISTS')), untagged.join());
    }
    assert.match((await client.command('UID REPLACE 50 Drafts {1+}\r\nx')).status, /^NO \[NONEXISTENT\]/);
    await client.ok('UID REPLACE 51 Sent CATENATE (URL "/Drafts/;UID=51/;SECTION=HEADER" TEXT {4+}\r\nsent)');
    assert.equal(await client.count('Drafts'), 0);
    await client.ok('SELECT Sent');
    assert.deepEqual((await client.ok('FETCH 1 BODY.PEEK[]')).literals, ['Subject: draft 50\r\n\r\nsent']);
    assert.match((await client.command('UNAUTHENTICATE')).status, /^OK \[CAPABILITY /);
    assert.match((await client.command('NOOP')).status, /^OK/);
    assert.match((await client.command('SELECT INBOX')).status, /^BAD/);
    await client.ok(`LOGIN bert@us.test ${PASSWORD}`);
    assert.equal(await client.count('INBOX'), 0);
    client.wire.close();
  });

  await t.test('imapflow appends, fetches, searches and idles through DEFLATE', async () => {
    const client = new ImapFlow({
      host: '127.0.0.1',
      port: server.port('imap'),
      secure: false,
      auth: { user: ANNA, pass: PASSWORD },
      tls: { rejectUnauthorized: false },
      logger: false,
    });
    await client.connect();
    assert.ok(client.enabled.has('COMPRESS') || (client as unknown as { _deflate?: unknown })._deflate !== undefined, 'the client compresses');
    const body = Array.from({ length: 50_000 }, (_, i) => `line ${i * 7919}`).join('\r\n');
    const message = `Subject: large\r\n\r\n${body}\r\n`;
    await client.append('INBOX', message, ['\\Seen']);
    const lock = await client.getMailboxLock('INBOX');
    try {
      const downloaded = await client.fetchOne('1', { source: true, envelope: true });
      assert.ok(downloaded && downloaded.source !== undefined);
      assert.equal(downloaded.source.toString('latin1'), message);
      assert.deepEqual(await client.search({ subject: 'large' }), [1]);
      const arrived = new Promise<void>((resolve) => client.once('exists', () => resolve()));
      const idling = client.idle();
      const other = await ImapClient.login(server.port('imap'), ANNA, PASSWORD);
      await other.append('INBOX', 'Subject: new\r\n\r\n');
      await arrived;
      await client.noop();
      await idling;
      other.wire.close();
    } finally {
      lock.release();
    }
    await client.logout();
  });
});
