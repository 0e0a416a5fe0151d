import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';

const PLACE = '"Other Users/anna@example.org/Private"';

test('rights that are taken back while a message comes count: nothing is stored', async (t) => {
  const made = await SharingServer.start(t);
  for (const [left, answer] of [
    ['lr', /^a NO \[NOPERM\]/m],
    ['', /^a NO \[NONEXISTENT\]/m],
  ] as const) {
    await made.share(ANNA, 'Private', BERT, 'lri');
    const bert = await made.client(BERT);
    assert.equal(await bert.exchange(`a APPEND ${PLACE} {10}\r\n`), '+ OK\r\n');
    assert.equal(await bert.exchange('Sub'), '');
    await made.share(ANNA, 'Private', BERT, left);
    assert.match(await bert.exchange('ject:\r\n\r\n'), answer);
    assert.match(await bert.exchange('b NOOP\r\n'), /^b OK/m);
  }
  assert.deepEqual(made.contents(ANNA, 'Private'), []);
});

test('the same for a message that is put together of others, and for one that another makes way for', async (t) => {
  const made = await SharingServer.start(t);
  await made.put(ANNA, 'Private', 'old');
  await made.put(BERT, 'INBOX', 'part');
  await made.share(ANNA, 'Private', BERT, 'lrite');
  const bert = await made.client(BERT, 'Other Users/anna@example.org/Private');
  assert.equal(await bert.exchange('a REPLACE 1 INBOX {10}\r\n'), '+ OK\r\n');
  await made.share(ANNA, 'Private', BERT, 'lri');
  assert.match(await bert.exchange('Subject:\r\n\r\n'), /^a NO \[NOPERM\]/m);
  assert.equal(await bert.exchange(`b APPEND ${PLACE} CATENATE (TEXT {10}\r\n`), '+ OK\r\n');
  await made.share(ANNA, 'Private', BERT, 'lr');
  assert.match(await bert.exchange('Subject:\r\n URL "/INBOX/;UID=1")\r\n'), /^b NO \[NOPERM\]/m);
  assert.deepEqual([made.contents(ANNA, 'Private'), made.contents(BERT, 'INBOX')], [['1 0 - old'], ['1 0 - part']]);
});
