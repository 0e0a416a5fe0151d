/** The search index of the running server: fed after delivery, behind a crash, made again when it is lost; searches answer the same all the time. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { foldForSearch } from '../src/mail/text.ts';
import { createSearchIndex } from '../src/search/search-index.ts';
import { openStoreReader } from '../src/store/reader.ts';
import { storePaths } from '../src/store/paths.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { ImapClient } from './harness/imap-client.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';

const SETTLED_MS = 20_000;
const noPause = (): Promise<void> => Promise.resolve();

/** What the index itself has, once it is level with the store. */
async function indexed(server: Posthorn, text: string): Promise<number> {
  const paths = storePaths(server.dataDir);
  const reader = openStoreReader(paths.database, paths.blobs);
  const index = createSearchIndex({ databasePath: paths.search, reader, log: SILENT_LOG, progress: null });
  try {
    assert.equal(await index.settled(SETTLED_MS), true, 'the index came level with the store');
    const account = Number(reader.rows('SELECT id FROM account WHERE login=?', 'ann@us.test')[0]![0]);
    return (await index.containing(account, 'text', foldForSearch(text), noPause)).emails.size;
  } finally {
    index.close();
    reader.close();
  }
}

const letter = (subject: string, body: string): string =>
  `From: bob@them.test\r\nTo: ann@us.test\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>${body}</p>\r\n`;

test('messages are indexed after delivery, after a crash, and again when the index is lost', async (t) => {
  const server = await startPosthorn(t, { users: { 'ann@us.test': 'secret words' } });
  const search = async (text: string): Promise<string> => {
    const client = await ImapClient.login(server.port('imap'), 'ann@us.test', 'secret words');
    await client.ok('SELECT INBOX');
    const answer = await client.ok(`SEARCH TEXT "${text}"`);
    client.wire.close();
    return answer.untagged.find((line) => line.startsWith('SEARCH'))!.trim();
  };
  const client = await ImapClient.login(server.port('imap'), 'ann@us.test', 'secret words');
  for (let n = 1; n <= 20; n += 1) await client.append('INBOX', letter(`letter ${n}`, `Num<b>ber</b> ${n % 5} of the ze<i>bra</i>s`));
  client.wire.close();
  assert.equal(await indexed(server, 'zebra'), 20);
  assert.equal(await indexed(server, 'number 3'), 4);
  assert.equal(await search('number 3'), 'SEARCH 3 8 13 18');

  await server.kill();
  await server.start();
  const again = await ImapClient.login(server.port('imap'), 'ann@us.test', 'secret words');
  await again.append('INBOX', letter('late', 'one more zebra'));
  again.wire.close();
  assert.equal(await indexed(server, 'zebra'), 21);

  await server.stop();
  const { search: path } = storePaths(server.dataDir);
  assert.ok(statSync(path).size > 0);
  for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true });
  await server.start();
  assert.equal(await search('more zebra'), 'SEARCH 21');
  assert.equal(await indexed(server, 'zebra'), 21);
});

test('without search.enabled there is no index, and searches answer the same', async (t) => {
  const server = await startPosthorn(t, { users: { 'ann@us.test': 'secret words' }, config: { search: { enabled: false } } });
  const client = await ImapClient.login(server.port('imap'), 'ann@us.test', 'secret words');
  await client.append('INBOX', letter('letter', 'a ze<b>bra</b>'));
  await client.ok('SELECT INBOX');
  assert.deepEqual(
    (await client.ok('SEARCH BODY "a ze"')).untagged.filter((line) => line.startsWith('SEARCH')),
    ['SEARCH 1'],
  );
  client.wire.close();
  assert.equal(existsSync(join(server.dataDir, 'search.db')), false);
});
