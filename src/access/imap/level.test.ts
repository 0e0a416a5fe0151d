import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALICE, type Client, talk, TestServer } from './testing.ts';

/** Messages 1 to 3, all \Seen, with modseqs 3 to 5; a client with QRESYNC that said NOTIFY. */
async function notified(what: string): Promise<{ made: TestServer; client: Client }> {
  const made = new TestServer();
  for (let i = 1; i <= 3; i += 1) made.store.deliver(made.inbox, `Subject: ${i}\r\n\r\n`, { flags: 1 });
  made.store.claimRecent(ALICE.id, made.inbox, 4);
  const client = await made.client();
  await client.exchange('e ENABLE QRESYNC\r\ns SELECT INBOX\r\n');
  await client.exchange(`n NOTIFY SET ${what}\r\n`);
  return { made, client };
}

test('a client that does not want to hear of flags is not told that it knows all of them', async () => {
  const { made, client } = await notified('(SELECTED (MessageNew MessageExpunge))');
  await made.store.flags(ALICE.id, made.inbox, [1], 'add', 4, []);
  await made.store.expunge(ALICE.id, made.inbox, [3], false);
  await talk(
    client,
    `S: * VANISHED 3
    S: * OK [HIGHESTMODSEQ 5] Changes up to there have been told
    C: a STORE 2 +FLAGS (\\Flagged)
    S: * 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) MODSEQ (8))
    S: a OK [HIGHESTMODSEQ 5] STORE completed
    C: b SELECT INBOX (QRESYNC (1001 5 1:3))
    S: * OK [CLOSED] Previous mailbox is closed
    S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)
    S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] Flags and new keywords can be set
    S: * 2 EXISTS
    S: * 0 RECENT
    S: * OK [UIDVALIDITY 1001] UIDs are valid
    S: * OK [UIDNEXT 4] Predicted next UID
    S: * OK [HIGHESTMODSEQ 8] Highest mod-sequence
    S: * OK [MAILBOXID (F1-1001)] The mailbox's own id
    S: * OK [URLMECH INTERNAL] URLs can be signed
    S: * VANISHED (EARLIER) 3
    S: * 1 FETCH (UID 1 FLAGS (\\Flagged \\Seen) MODSEQ (6))
    S: * 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen) MODSEQ (8))
    S: b OK [READ-WRITE] SELECT completed`,
  );
});

test('its own changes of flags, which it was answered, keep a client nowhere', async () => {
  const { made, client } = await notified('(SELECTED (MessageNew MessageExpunge))');
  await client.exchange('a STORE 2 +FLAGS (\\Flagged)\r\n');
  await made.store.expunge(ALICE.id, made.inbox, [3], false);
  await talk(client, 'S: * VANISHED 3\nS: * OK [HIGHESTMODSEQ 7] Changes up to there have been told');
});

test('where a removal waits, the level is said with each answer and not a second time behind it', async () => {
  const { made, client } = await notified('(SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))');
  await made.store.expunge(ALICE.id, made.inbox, [1], false);
  await talk(
    client,
    `C: a FETCH 2 (MODSEQ)
    S: * 2 FETCH (MODSEQ (4))
    S: a OK [HIGHESTMODSEQ 5] FETCH completed
    C: b NOOP
    S: * VANISHED 1
    S: b OK [HIGHESTMODSEQ 6] NOOP completed`,
  );
  assert.equal(client.output(), '');
});
