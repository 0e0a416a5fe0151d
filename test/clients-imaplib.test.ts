/** Python's imaplib: one walk through all commands it has (RFC 3501, 4314, 2087, 5256, 5161 as it writes them), with what it understood of the answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ImapClient } from './harness/imap-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need, succeed } from './harness/run.ts';
import { tempDir } from './harness/temp.ts';
import { makeCertificate } from './peers/certificate.ts';

ownNetwork();
const WALK = fileURLToPath(new URL('peers/imaplib_walk.py', import.meta.url));
const USER = 'anna@us.test';
const OTHER = 'bert@us.test';
const PASSWORD = 'anna-password';

test('imaplib walks through all its commands', async (t) => {
  need('python3');
  const files = await makeCertificate(tempDir(t, 'certificate'), ['localhost']);
  const server = await startPosthorn(t, {
    config: { tls: { certificate: files.certificate, key: files.key } },
    users: { [USER]: PASSWORD, [OTHER]: 'bert-password' },
  });
  const out = JSON.parse(await succeed('python3', [WALK, 'localhost', String(server.port('imap')), USER, PASSWORD, OTHER, files.certificate]));

  await t.test('finds its way', () => {
    assert.match(out.welcome, /^\* OK \[CAPABILITY IMAP4rev1 /);
    assert.ok(out.capability.includes('IMAP4rev1') && out.capability.includes('SORT'));
    assert.deepEqual(out.namespace, ['(("" "/")) (("Other Users/" "/")) NIL']);
    assert.deepEqual(out.list, ['(\\HasChildren) "/" Walk', '(\\HasNoChildren) "/" Walk/Below']);
    assert.ok(out.lsub.some((line: string) => line.endsWith('"/" Walk')));
  });
  await t.test('reads and changes messages', () => {
    assert.deepEqual(out.select, ['3']);
    assert.match(out.uidvalidity[0], /^\d+$/);
    assert.match(out.status[0], /^Walk \(MESSAGES 3 UIDNEXT 4 UNSEEN 3 RECENT [03]\)$/);
    assert.match(out.recent[0], /^\d+$/);
    assert.equal(out.fetch.filter((part: string) => /Subject: (Zoo|apple|Re: Zoo)\r\n\r\n/.test(part)).length, 3);
    assert.equal(out.partial[0], 'Body');
    assert.deepEqual(out.store, ['1 (FLAGS (\\Recent \\Seen walked))'.replace('\\Recent ', out.store[0].includes('\\Recent') ? '\\Recent ' : '')]);
    assert.equal(out['uid move'][0], null);
    assert.match(out.moved[0], /^\d+ 2 1$/);
    // With the one that MOVE has taken away.
    assert.deepEqual(out.expunge, ['2', '1']);
    assert.deepEqual(out.readonly, ['1']);
  });
  await t.test('searches, sorts and threads', () => {
    assert.deepEqual(out.search, ['2']);
    assert.deepEqual(out['search utf-8'], ['1 3']);
    assert.deepEqual(out.sort, ['2 1 3']);
    assert.deepEqual(out.thread, ['(2)(1 3)']);
    assert.deepEqual(out['uid sort'], ['1 2 3']);
    assert.deepEqual(out['uid thread'], ['(3 1)(2)']);
  });
  await t.test('shares, and asks for its quota', () => {
    assert.deepEqual(out.getacl, [`Walk ${USER} lrswipkxteacd ${OTHER} lr`]);
    assert.deepEqual(out.myrights, ['Walk lrswipkxteacd']);
    assert.equal(out.getquotaroot.length, 2);
    assert.equal(out.setquota, 'NO');
    assert.deepEqual(out.xatom, ['OK', ['("name" "Posthorn")']]);
  });
  await t.test('writes UTF-8 once it is on', async () => {
    assert.equal(out.enable, 'OK');
    assert.match(out['utf8 list'][0], /"Entwürfe & mehr"$/);
    const imap = await ImapClient.login(server.port('imap'), USER, PASSWORD);
    assert.match((await imap.ok('LIST "" "Entw*"')).untagged.join(), /"Entw&APw-rfe &- mehr"/);
    await imap.logout();
  });
  await t.test('has no other commands than those which it cannot send itself, or no server has any more', () => {
    // EXAMINE and MOVE go by other names (select, uid); the rest are drafts of the last century.
    assert.deepEqual(out['not called'], ['examine', 'getannotation', 'move', 'partial', 'proxyauth', 'setannotation']);
  });
});
