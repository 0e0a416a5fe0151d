import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { join } from 'node:path';
import type { NewMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { openWriter } from '../engines/sqlite.ts';
import { migrate } from '../schema/migrate.ts';
import { addAccount, openTestStore, testDirectory } from '../testing.ts';
import { GroupCommit } from '../writer/group-commit.ts';
import { OWN_OPERATIONS, STORE_OPERATIONS } from '../writer/operations.ts';
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

test('the number of mailboxes stays true whatever of a commit is refused or rolled back', async (t) => {
  const store = openTestStore(t);
  const { writer } = store;
  const count = (id: number): number => Number(store.reader.rows('SELECT count(*) FROM mailbox WHERE account_id=?', id)[0]![0]);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('create' as const), name: fc.constantFrom('a', 'b', 'a/x', 'a/x/y', 'c', '', 'a//b') }),
    fc.record({ kind: fc.constant('delete' as const), n: fc.nat(9) }),
    fc.record({ kind: fc.constant('rename' as const), n: fc.nat(9), name: fc.constantFrom('a', 'd/e', 'c', 'a/x/z') }),
    fc.record({ kind: fc.constant('subscribe' as const), name: fc.constantFrom('a', 'none', 'a//b') }),
    fc.record({ kind: fc.constant('fail' as const) }),
  );
  let login = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), fc.integer({ min: 1, max: 5 }), async (commits, room) => {
      const { id, inbox } = await addAccount(store, `a${++login}@example.org`);
      await writer.run(
        'test.sql',
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${MAILBOXES_MAX - 1 - room})
         INSERT INTO mailbox (id, account_id, name, uid_validity, highest_modseq, created_at) SELECT ${login * 1_000_000}+i, ${id}, 'box'||i, i, 1, 0 FROM n`,
      );
      for (const commit of commits) {
        const ids = store.reader.mailboxes(id).filter((row) => !row.name.startsWith('box') && row.id !== inbox.id);
        await Promise.allSettled(
          commit.map((one) => {
            if (one.kind === 'create') return writer.createMailbox(id, one.name);
            if (one.kind === 'delete') return writer.deleteMailbox(id, ids[one.n]?.id ?? 0);
            if (one.kind === 'rename') return writer.renameMailbox(id, ids[one.n]?.id ?? 0, one.name);
            if (one.kind === 'subscribe') return writer.subscribe(id, one.name, true);
            return writer.run('test.writeThenThrow', null);
          }),
        );
      }
      while (count(id) < MAILBOXES_MAX) await writer.createMailbox(id, `new${count(id)}`);
      await assert.rejects(writer.createMailbox(id, 'one more'), isLimit);
    }),
    { seed: 7302, numRuns: 12 },
  );
});

test('what is refused leaves the others of its commit as they are: nothing is done a second time', (t) => {
  const connection = openWriter(join(testDirectory(t), 'store.db'));
  t.after(() => connection.close());
  migrate(connection);
  const group = new GroupCommit(connection, OWN_OPERATIONS, STORE_OPERATIONS, Date.now);
  connection.run("INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (1, 'a', 1, 0)");
  const create = (name: string): { operation: string; input: unknown } => ({ operation: 'mailbox.create', input: { accountId: 1, name, role: null } });
  const subscribe = (name: string): { operation: string; input: unknown } => ({
    operation: 'mailbox.subscribe',
    input: { accountId: 1, name, isSubscribed: true },
  });
  const { answers } = group.commit([create('one'), subscribe('a//b'), create('one'), subscribe('none'), subscribe('one'), create('two')]);
  assert.deepEqual(
    answers.map(({ ok }) => ok),
    [true, false, false, true, true, true],
  );
  assert.equal(group.commits, 1);
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
