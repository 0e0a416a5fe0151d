/** Very many mailboxes of others, with the real store: all that may be seen are found, and no others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer, TEAM } from './acl-testing.ts';

/** More than two pages. */
const MANY = 250;

test('LIST, ESEARCH and NOTIFY find all of very many shared mailboxes, and none on which rights were taken away', async (t) => {
  const made = await SharingServer.start(t);
  const names = Array.from({ length: MANY }, (_, n) => `Case ${String(n).padStart(3, '0')}`);
  await Promise.all(names.map((name) => made.create(ANNA, name)));
  await Promise.all(names.map((name, n) => made.share(ANNA, name, n % 2 === 0 ? BERT : 'anyone', 'lr')));
  await Promise.all(names.filter((_, n) => n % 50 === 0).map((name) => made.share(ANNA, name, `-${BERT}`, 'l')));
  await made.share(TEAM, 'News', 'anyone', 'lr');
  await made.put(ANNA, names[249]!, 'one');
  await made.put(ANNA, names[100]!, 'not to be found');
  const shown = names.filter((_, n) => n % 50 !== 0).map((name) => `Other Users/${ANNA}/${name}`);
  const client = await made.client(BERT);
  const list = await client.exchange('a LIST "" "Other Users/*"\r\n');
  assert.deepEqual(
    [...list.matchAll(/^\* LIST \([^)]*\) "\/" "([^"]+\/Case [^"]+)"/gm)].map(([, name]) => name),
    shown,
  );
  assert.match(await client.exchange('a LIST "" "Shared/*"\r\n'), /News/);
  const found = await client.exchange(`a ESEARCH IN (subtree "Other Users/${ANNA}") ALL\r\n`);
  assert.deepEqual(
    [...found.matchAll(/MAILBOX "([^"]+)"/g)].map(([, name]) => name),
    [`Other Users/${ANNA}/Case 249`],
  );
  const status = await client.exchange(`a NOTIFY SET STATUS (subtree "Other Users/${ANNA}" (MessageNew MessageExpunge))\r\n`);
  assert.deepEqual([...status.matchAll(/^\* STATUS "([^"]+)"/gm)].map(([, name]) => name).sort(), shown);
});
