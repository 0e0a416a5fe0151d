/** FETCH and SEARCH with envelopes and headers that the search index has side by side: every byte is what it is without the index. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SearchWorld } from '../../search/testing.ts';
import type { SearchIndex } from '../../ports.ts';
import { DISK } from '../../system/disk-reads.ts';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

const MESSAGES = 1400;
const FIELDS = 'BODY.PEEK[HEADER.FIELDS (SUBJECT X-NONE)]';

function message(n: number): Buffer {
  const more = n % 5 === 0 ? 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n' : '\r\ntext\r\n';
  const to = n % 97 === 0 ? `To: ${'long@example.org, '.repeat(1500)}b@example.org\r\n` : 'To: b@example.org\r\n';
  return Buffer.from(`From: Ann <ann${n}@example.org>\r\n${to}Subject: ${n % 3 === 0 ? 'Größe' : 'size'} ${n}\r\n${more}`);
}

/** Messages that are read out of files come when the disk gives them. */
async function ask(client: Client, command: string): Promise<string> {
  let said = await client.exchange(`${command}\r\n`);
  while (!said.endsWith(' completed\r\n')) {
    await settle(() => client.socket.heard.length);
    said += client.output();
  }
  return said;
}

/** Where they begin to be different. */
function different(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 80), at + 80));
  return `${around(one)} instead of ${around(other)}`;
}

test('FETCH and SEARCH say the same with and without the index, whatever is in it', async (t) => {
  const { blocksRead } = DISK;
  t.after(() => {
    DISK.blocksRead = blocksRead;
  });
  // As if everything came from the disk: only then is the index asked.
  let blocks = 0;
  DISK.blocksRead = () => (blocks += 10_000);
  const world = new SearchWorld(t);
  const { id, inbox } = await world.account(ALICE.login);
  assert.equal(id, ALICE.id);
  const { store } = world;
  const other = await store.writer.createMailbox(id, 'Other', null);
  const append = async (mailbox: number, from: number, count: number): Promise<void> => {
    const staged = Array.from({ length: count }, (_, n) => ({
      message: store.staging.stage(message(from + n)),
      flags: 0,
      keywords: null,
      internalDate: n * 1000,
    }));
    await store.writer.append(id, mailbox, staged);
  };
  for (let from = 0; from < MESSAGES; from += 70) await append(from % 140 === 0 ? inbox.id : other.id, from, 70);
  // Out of order in the mailbox, twice in it, and not indexed.
  await store.writer.copy(id, other.id, [300, 20, 1, 2, 3, 250], inbox.id, true);
  await store.writer.copy(
    id,
    inbox.id,
    Array.from({ length: 150 }, (_, n) => n + 1),
    inbox.id,
    false,
  );
  await world.indexer.catchUp();
  await append(inbox.id, MESSAGES, 40);

  let listed = 0;
  const counting: SearchIndex = Object.create(world.index, {
    envelopes: {
      value: (account: number, emails: readonly number[]) => {
        const found = world.index.envelopes(account, emails);
        listed += found.filter((one) => one !== null).length;
        return found;
      },
    },
    shortHeaders: { value: (account: number, emails: readonly number[]) => world.index.shortHeaders(account, emails) },
  });
  const over = { reader: store.reader, writer: store.writer, announcements: store.announcements };
  const clients: Client[] = [];
  // Takes \Recent from both.
  await new TestServer({}, over).client('INBOX');
  for (const search of [counting, undefined]) clients.push(await new TestServer({}, search === undefined ? over : { ...over, search }).client('INBOX'));
  const compare = async (command: string): Promise<string> => {
    const [withIndex, without] = [await ask(clients[0]!, command), await ask(clients[1]!, command)];
    assert.ok(withIndex === without, `${command}: ${different(withIndex, without)}`);
    return withIndex;
  };
  const commands = [
    'a FETCH 1:* ENVELOPE',
    'a FETCH 1:* (UID BODYSTRUCTURE)',
    'a FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)',
    `a FETCH 1:* (UID ${FIELDS})`,
    `a FETCH 1:* (UID ENVELOPE ${FIELDS})`,
    'a UID FETCH 100:300,350:360,1,2,3 (ENVELOPE BODYSTRUCTURE)',
    'a FETCH 20:60 (ENVELOPE BODY.PEEK[TEXT])',
    'a UID FETCH 1:* (ENVELOPE MODSEQ) (CHANGEDSINCE 1)',
    'a FETCH 7 (ENVELOPE BODYSTRUCTURE)',
    'a FETCH 2,4,6,8,10:50 (BODYSTRUCTURE)',
    'a SEARCH FROM "ann1"',
    'a UID SEARCH SUBJECT "7"',
    'a SEARCH NOT TO "b@example.org"',
    'a UID SEARCH 100:300 FROM "ann2" SUBJECT "size"',
  ];
  for (const command of commands) await compare(command);
  assert.ok(listed > MESSAGES, `${listed} envelopes came out of the index`);
  DISK.blocksRead = () => blocks;
  const before = listed;
  for (const command of commands) await compare(command);
  assert.equal(listed, before);
  DISK.blocksRead = () => (blocks += 10_000);

  // Gone since the clients looked, with and without their emails, before and after the index has noticed.
  const said = await compare('a FETCH 1:* ENVELOPE');
  await world.expunge(
    id,
    inbox.id,
    Array.from({ length: 200 }, (_, n) => n * 2 + 1),
  );
  for (const isSwept of [false, true]) {
    if (isSwept) await world.indexer.removeGone();
    for (const client of clients) await ask(client, 'n NOOP');
    for (const command of commands) await compare(command);
  }
  assert.notEqual(await compare('a FETCH 1:* ENVELOPE'), said);

  // Made again by another version.
  const rows = store.reader.rows('SELECT id, header_bytes, parts, envelope FROM email WHERE id%2=0') as [number, number, Uint8Array | null, string][];
  await store.writer.run(
    'store.setDerived',
    rows.map(([email, headerBytes, parts, envelope]) => {
      const isNew = { id: email, headerBytes, envelope: envelope.replace('ann', 'new'), bodyStructure: '("ü")' };
      return { ...isNew, parts, messageId: null, sentAt: null };
    }),
  );
  for (const isRefreshed of [false, true]) {
    if (isRefreshed) await world.indexer.catchUp();
    listed = 0;
    for (const command of commands) await compare(command);
    assert.match(await compare('a FETCH 1:* ENVELOPE'), /"new\d+" "example.org"/);
    assert.equal(listed > 0, isRefreshed);
  }
});
