/** Names that no mailbox can have, INBOX in any case, parents that are names only: found beside Dovecot (test/names-differential.test.ts). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patternMatcher } from './list-match.ts';
import { ALICE, talk, TestServer } from './testing.ts';

test('a name that no mailbox can have is NO with CANNOT, not BAD: the command is as the grammar has it', async () => {
  const client = await new TestServer().client();
  await talk(
    client,
    `C: a CREATE "tab\tbed"
    S: a NO [CANNOT] A mailbox name is modified UTF-7 or UTF-8, without control characters
    C: b SELECT "tab\tbed"
    S: b NO [CANNOT] A mailbox name is modified UTF-7 or UTF-8, without control characters
    C: c APPEND "tab\tbed" {1+}
    C: x
    S: c NO [CANNOT] A mailbox name is modified UTF-7 or UTF-8, without control characters
    C: d APPEND "" {1+}
    C: x
    S: d NO [CANNOT] No mailbox can have this name
    C: e APPEND a//b {1+}
    C: x
    S: e NO [CANNOT] No mailbox can have this name
    C: f APPEND a/b {1+}
    C: x
    S: f NO [TRYCREATE] No such mailbox`,
  );
});

test('with RECURSIVEMATCH a parent that is nothing but a name is told when something below it is subscribed (RFC 5258 section 5)', async () => {
  const server = new TestServer();
  await server.store.subscribe(ALICE.id, 'gone/long/ago', true);
  const client = await server.client();
  await talk(
    client,
    `C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" "g%"
    S: * LIST (\\NonExistent \\HasNoChildren) "/" gone ("CHILDINFO" ("SUBSCRIBED"))
    S: a OK LIST completed
    C: b LIST (SUBSCRIBED RECURSIVEMATCH) "" "gone/%"
    S: * LIST (\\NonExistent \\HasNoChildren) "/" gone/long ("CHILDINFO" ("SUBSCRIBED"))
    S: b OK LIST completed
    C: c LIST (SUBSCRIBED RECURSIVEMATCH) "" "gone/*"
    S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" gone/long/ago
    S: c OK LIST completed
    C: d LIST () "" "gone*"
    S: d OK LIST completed`,
  );
});

test('INBOX is matched in any case, and so are the names below it; what follows is not', () => {
  const names = ['INBOX', 'INBOX/Kept', 'INBOXES', 'x/INBOX'];
  const matched = (pattern: string): string[] => names.filter(patternMatcher(pattern));
  assert.deepEqual(matched('inbox'), ['INBOX']);
  assert.deepEqual(matched('inb%'), ['INBOX']);
  assert.deepEqual(matched('inbox*'), ['INBOX', 'INBOX/Kept']);
  assert.deepEqual(matched('iNb*/Kept'), ['INBOX/Kept']);
  assert.deepEqual(matched('inbox/kept'), []);
  assert.deepEqual(matched('%/inbox'), []);
});
