import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG, type MailboxId } from '../../ports.ts';
import { addAccount, messageText, openTestStore } from '../../store/testing.ts';
import { uniqueIds } from './commands/uidl.ts';
import { Maildrop } from './maildrop.ts';
import { openMaildrop } from './open.ts';

const ALWAYS = Number.NEGATIVE_INFINITY;

test('a maildrop of all mailboxes from a real store: order, hidden messages, unique-ids that came along, accounts apart', async (t) => {
  const store = openTestStore(t);
  const [anna, bert] = [await addAccount(store, 'anna@example.org'), await addAccount(store, 'bert@example.org')];
  const fill = (accountId: number, mailboxId: MailboxId, count: number) =>
    store.writer.append(
      accountId,
      mailboxId,
      Array.from({ length: count }, (_, n) => ({ message: store.staging.stage(messageText(`m${n}`)), flags: 0, keywords: null, internalDate: n })),
    );
  const box = async (name: string, role: 'sent' | null, count: number): Promise<MailboxId> => {
    const { id } = await store.writer.createMailbox(anna.id, name, role);
    if (count > 0) await fill(anna.id, id, count);
    return id;
  };
  await fill(anna.id, anna.inbox.id, 2);
  await fill(bert.id, bert.inbox.id, 1);
  const z = await box('z', null, 3);
  await box('Sent', 'sent', 1);
  const a = await box('a/b', null, 1200);
  await store.writer.run('test.sql', `INSERT INTO pop3_hidden (mailbox_id, uid) VALUES (${z}, 2)`);
  await store.writer.run('test.sql', `INSERT INTO pop3_uidl (mailbox_id, uid, uidl) VALUES (${a}, 7, 'old'), (${anna.inbox.id}, 2, 'older')`);

  const maildrop = (await openMaildrop(store.reader, anna.id, 10_000, { shows: 'everywhere', since: ALWAYS }))!;
  assert.equal(maildrop.count, 2 + 1200 + 2);
  assert.deepEqual(
    [1, 2, 3, 1202, 1203, 1204].map((number) => [maildrop.part(number).mailbox.name, maildrop.uid(number)]),
    [
      ['INBOX', 1],
      ['INBOX', 2],
      ['a/b', 1],
      ['a/b', 1200],
      ['z', 1],
      ['z', 3],
    ],
  );
  const row = uniqueIds(store.reader, maildrop, '%v-%u');
  const ids = Array.from({ length: maildrop.last }, (_, n) => row(n + 1, maildrop.last).split(' ')[1]!);
  assert.equal(new Set(ids).size, ids.length);
  const validity = (id: MailboxId): number => store.reader.mailboxById(anna.id, id)!.uidValidity;
  assert.deepEqual([ids[0], ids[1], ids[2], ids[8], ids[1203]], [`${validity(anna.inbox.id)}-1`, 'older', `${validity(a)}-1`, 'old', `${validity(z)}-3`]);

  const inbox = (await openMaildrop(store.reader, anna.id, 10_000, { shows: 'all', since: ALWAYS }))!;
  assert.deepEqual([inbox.count, inbox.mailboxes.length], [2, 1]);
  assert.equal((await openMaildrop(store.reader, anna.id, 700, { shows: 'everywhere', since: ALWAYS }))!.last, 700);
  await store.writer.flags(anna.id, anna.inbox.id, [1], 'add', FLAG.seen, []);
  assert.equal((await openMaildrop(store.reader, anna.id, 10_000, { shows: 'unseen', since: ALWAYS }))!.count, 1);
});

test('the mailbox of a message is found by its number, whatever the sizes of the mailboxes', () => {
  const mailboxes = [1, 300, 1, 2, 77].map((count, n) => ({
    count,
    box: { id: n + 1, name: `m${n}`, uidValidity: n + 1, uidNext: count + 1, exists: count, sharesUidValidity: false },
  }));
  const maildrop = new Maildrop(1, mailboxes[0]!.box);
  const expected: string[] = [];
  for (const { count, box } of mailboxes)
    for (let uid = 1; uid <= count; uid += 1) {
      maildrop.add(box, uid, 10, uid);
      expected.push(`${box.name} ${uid}`);
    }
  assert.deepEqual(
    expected.map((_, n) => `${maildrop.part(n + 1).mailbox.name} ${maildrop.uid(n + 1)}`),
    expected,
  );
  for (const number of [381, 2, 1, 301, 303]) maildrop.markDeleted(number);
  assert.deepEqual(
    maildrop.deleted().map(({ mailbox, uids }) => [mailbox.name, uids]),
    [
      ['m0', [1]],
      ['m1', [1, 300]],
      ['m3', [1]],
      ['m4', [77]],
    ],
  );
});
