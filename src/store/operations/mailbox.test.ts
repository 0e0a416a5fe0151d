import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { addAccount, openTestStore } from '../testing.ts';
import { MAILBOXES_MAX } from './mailbox.ts';

const isLimit = (error: unknown): boolean => error instanceof Failure && error.code === 'limit';

test('an account has so many mailboxes and no more, however they came and went', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'a@example.org');
  const { writer } = store;
  const count = (): number => Number(store.reader.rows('SELECT count(*) FROM mailbox WHERE account_id=?', id)[0]![0]);
  await writer.createMailbox(id, 'first');
  // As thousands of CREATEs would have made them; ids far from those that are handed out.
  await writer.run(
    'test.sql',
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${MAILBOXES_MAX - 8})
     INSERT INTO mailbox (id, account_id, name, uid_validity, highest_modseq, created_at) SELECT 1000000+i, ${id}, 'box'||i, i, 1, 0 FROM n`,
  );
  assert.equal(count(), MAILBOXES_MAX - 6);
  await writer.createMailbox(id, 'a/b/c');
  await assert.rejects(writer.createMailbox(id, 'first'), Failure);
  const gone = await writer.createMailbox(id, 'gone');
  await writer.createMailbox(id, 'top');
  const below = await writer.createMailbox(id, 'top/below');
  assert.equal(count(), MAILBOXES_MAX);
  await assert.rejects(writer.createMailbox(id, 'one more'), isLimit);
  await writer.deleteMailbox(id, gone.id);
  await writer.createMailbox(id, 'one more');
  await assert.rejects(writer.createMailbox(id, 'and another'), isLimit);
  await writer.renameMailbox(id, below.id, 'moved');
  await assert.rejects(writer.createMailbox(id, 'and another'), isLimit);
  assert.equal(count(), MAILBOXES_MAX);
});

test('a mailbox that is made where only a name was counts once', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'a@example.org');
  const parent = await store.writer.createMailbox(id, 'parent');
  await store.writer.createMailbox(id, 'parent/child');
  await store.writer.deleteMailbox(id, parent.id);
  await store.writer.run(
    'test.sql',
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${MAILBOXES_MAX - 4})
     INSERT INTO mailbox (id, account_id, name, uid_validity, highest_modseq, created_at) SELECT 1000000+i, ${id}, 'box'||i, i, 1, 0 FROM n`,
  );
  assert.notEqual((await store.writer.createMailbox(id, 'parent')).id, parent.id);
  await store.writer.createMailbox(id, 'the last');
  await assert.rejects(store.writer.createMailbox(id, 'one more'), isLimit);
});

test('changes to messages and mailboxes in one commit have modseqs of their own, that only rise', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@example.org');
  const { writer, staging, reader } = store;
  const message = (): NewMessage => ({ message: staging.stage(Buffer.from('Subject: x\r\n\r\n')), flags: 0, keywords: null, internalDate: 0 });
  // Queued together, so that they share a commit and the counters in memory.
  const [, made] = await Promise.all([
    writer.append(id, inbox.id, [message()]),
    writer.createMailbox(id, 'new'),
    writer.append(id, inbox.id, [message()]),
    writer.subscribe(id, 'new', true),
    writer.append(id, inbox.id, [message()]),
  ]);
  const modseqs = reader.messages(id, inbox.id, 0, 0xffffffff, 10).map(([, modseq]) => modseq);
  const all = [modseqs[0]!, made.highestModseq, ...modseqs.slice(1)];
  assert.deepEqual(
    all,
    [...new Set(all)].sort((a, b) => a - b),
  );
  assert.equal(reader.mailboxByName(id, 'new')!.isSubscribed, true);
  assert.equal(reader.mailboxById(id, inbox.id)!.exists, 3);
});
