import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { checkStore } from '../check.ts';
import { openWriter } from '../engines/sqlite.ts';
import { storePaths } from '../paths.ts';
import { accept, acceptInput, delivery, messageText, openTestStore, testDirectory } from '../testing.ts';
import { migrate, SCHEMA_VERSION } from './migrate.ts';

/** Databases as released versions wrote them; a new version adds its own here and never removes one. */
const KEPT = ['v1'];

for (const version of KEPT) {
  test(`a store of schema ${version} is brought forward with all its mail and takes more`, async (t) => {
    const dataDir = testDirectory(t);
    writeFileSync(storePaths(dataDir).database, zstdDecompressSync(readFileSync(join(import.meta.dirname, 'fixtures', `${version}.db.zst`))));
    const store = openTestStore(t, dataDir);
    assert.deepEqual(store.reader.rows('PRAGMA user_version'), [[SCHEMA_VERSION]]);
    const [[account]] = store.reader.rows("SELECT id FROM account WHERE login='bob@example.org'") as [[number]];
    const inbox = store.reader.mailboxByName(account, 'INBOX')!;
    assert.deepEqual(
      store.reader.messages(account, inbox.id, 1, 99, 99).map(([uid, , flags, keywords]) => [uid, flags, keywords]),
      [
        [1, 0, null],
        [3, 1, '$Label1'],
        [4, 0, null],
      ],
    );
    assert.deepEqual(
      store.reader.expungedSince(account, inbox.id, 0, 9).map(([, uid]) => uid),
      [2],
    );
    const email = store.reader.email(account, store.reader.message(account, inbox.id, 1)![6])!;
    assert.match(Buffer.from(await store.reader.open(email).slice(0, 9999)).toString(), /Subject: old-1\r\n/);
    assert.deepEqual(store.reader.rows('SELECT address FROM queue_recipient'), [['far@example.net']]);
    const output = await accept(store, acceptInput(store.staging.stage(messageText('new')), [delivery(account)]));
    assert.deepEqual(output.deliveries, [{ kind: 'delivered', mailboxId: inbox.id, uid: 5 }]);
    assert.deepEqual((await checkStore(storePaths(dataDir), new AbortController().signal)).problems, []);
  });
}

test('a store of a newer program is refused and left as it is', (t) => {
  const path = storePaths(testDirectory(t)).database;
  const connection = openWriter(path);
  migrate(connection);
  connection.exec(`PRAGMA user_version=${SCHEMA_VERSION + 1}`);
  assert.throws(() => migrate(connection), /newer program/);
  connection.close();
});

test('the pragmas that only count at creation are in force', (t) => {
  const connection = openWriter(storePaths(testDirectory(t)).database);
  const value = (name: string): unknown => connection.get(`PRAGMA ${name}`)![0];
  assert.deepEqual(
    [value('page_size'), value('auto_vacuum'), value('journal_mode'), value('synchronous'), value('wal_autocheckpoint')],
    [4096, 2, 'wal', 2, 0],
  );
  connection.close();
});
