import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { rmSync } from 'node:fs';
import type { EmailId } from '../ports.ts';
import { SearchWorld } from './testing.ts';

const mail = (id: string | null, more = ''): string => `${id === null ? '' : `Message-ID: <${id}@x>\r\n`}Subject: Re: [list] topic\r\n${more}\r\nbody\r\n`;

async function world(t: TestContext): Promise<{
  world: SearchWorld;
  add: (id: string | null, more?: string, mailbox?: number) => Promise<{ email: EmailId; uid: number }>;
  thread: (email: EmailId) => number;
  account: number;
  inbox: number;
  sent: number;
}> {
  const made = new SearchWorld(t);
  const { id, inbox } = await made.account('a@example.org');
  const sent = await made.store.writer.createMailbox(id, 'Sent', 'sent');
  return {
    world: made,
    add: async (messageId, more = '', mailbox = inbox.id) => {
      const added = await made.add(id, mailbox, mail(messageId, more));
      await made.indexer.catchUp();
      return added;
    },
    thread: (email) => made.index.facts(id, [email])[0]!.threadId,
    account: id,
    inbox: inbox.id,
    sent: sent.id,
  };
}

test('facts of an email are those of its header', async (t) => {
  const { world: made, add, account } = await world(t);
  const { email } = await add('1', 'References: <a@x> <"b"@x>\r\n');
  const [facts] = made.index.facts(account, [email, 999]);
  assert.deepEqual({ ...facts, threadId: 0 }, { email, messageId: '1@x', references: ['a@x', 'b@x'], baseSubject: 'TOPIC', isReply: true, threadId: 0 });
});

test('pages of facts go through all emails of the account, in order', async (t) => {
  const { world: made, add, account } = await world(t);
  const emails: EmailId[] = [];
  for (let n = 0; n < 5; n += 1) emails.push((await add(String(n))).email);
  assert.deepEqual(
    made.index.factsAfter(account, 0, 3).map((one) => one.email),
    emails.slice(0, 3),
  );
  assert.deepEqual(
    made.index.factsAfter(account, emails[2]!, 3).map((one) => one.email),
    emails.slice(3),
  );
  assert.deepEqual(made.index.factsAfter(account, emails[4]!, 3), []);
});

test('an answer is in the thread of what it answers, wherever the two are kept', async (t) => {
  const { add, thread, sent } = await world(t);
  const root = (await add('root')).email;
  const answer = (await add('answer', 'In-Reply-To: <root@x>\r\n', sent)).email;
  const reply = (await add('reply', 'References: <root@x> <answer@x>\r\n')).email;
  const other = (await add('other')).email;
  assert.equal(thread(answer), thread(root));
  assert.equal(thread(reply), thread(root));
  assert.notEqual(thread(other), thread(root));
});

test('a message that comes after its answers is in their thread, and so are two answers to one that never came', async (t) => {
  const { add, thread } = await world(t);
  const first = (await add('one', 'References: <lost@x>\r\n')).email;
  const second = (await add('two', 'In-Reply-To: <lost@x>\r\n')).email;
  const late = (await add('lost')).email;
  assert.equal(thread(second), thread(first));
  assert.equal(thread(late), thread(first));
});

test('a message without ids is a thread of its own', async (t) => {
  const { add, thread } = await world(t);
  const one = (await add(null)).email;
  const two = (await add(null)).email;
  assert.notEqual(thread(one), thread(two));
});

test('threads never change: not when two turn out to be one, not when their messages go, not when the index is lost', async (t) => {
  const { world: made, add, thread, account, inbox } = await world(t);
  const a = await add('a');
  const b = await add('b');
  const threads = [thread(a.email), thread(b.email)];
  const both = await add('both', 'References: <a@x> <b@x>\r\n');
  assert.deepEqual([thread(a.email), thread(b.email), thread(both.email)], [...threads, threads[1]!]);
  const c = await add('c', 'References: <a@x>\r\n');
  assert.equal(thread(c.email), threads[0]);
  await made.expunge(account, inbox, [a.uid]);
  await made.indexer.removeGone();
  assert.equal(thread((await add('d', 'References: <a@x> <c@x>\r\n')).email), threads[0]);
  // Of the message that joined two threads nothing is left to tell which came first.
  await made.expunge(account, inbox, [both.uid]);
  await made.indexer.removeGone();
  const before = made.index.factsAfter(account, 0, 100).map((one) => [one.email, one.threadId]);
  made.index.close();
  made.indexer.close();
  for (const ending of ['', '-wal', '-shm']) rmSync(made.databasePath + ending, { force: true });
  made.restart();
  await made.indexer.catchUp();
  assert.deepEqual(
    made.index.factsAfter(account, 0, 100).map((one) => [one.email, one.threadId]),
    before,
  );
});

test('ids of threads without messages are forgotten', async (t) => {
  const { world: made, add, account, inbox } = await world(t);
  const one = await add('one', 'References: <zero@x>\r\n');
  const two = await add('two', 'References: <one@x>\r\n');
  await made.expunge(account, inbox, [one.uid, two.uid]);
  assert.equal(await made.indexer.removeGone(), 2);
  assert.deepEqual(made.index.factsAfter(account, 0, 100), []);
});
