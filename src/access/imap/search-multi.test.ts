import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, SharingServer } from './acl-testing.ts';
import { ALICE, talk, TestServer } from './testing.ts';

function letter(subject: string): string {
  return `From: ann@example.org\r\nSubject: ${subject}\r\n\r\ntext\r\n`;
}

/** INBOX (unseen 1, 3), Lists (none), Lists/a (unseen 2), Lists/a/deep (unseen 1), Lists/b (empty), Gr\u00fc\u00dfe (unseen 1). UIDVALIDITY is 1000 and the id. */
function server(): TestServer {
  const made = new TestServer();
  const { store } = made;
  const fill = (id: number, flags: readonly number[]): void => {
    for (const [i, each] of flags.entries()) store.deliver(id, letter(`message ${i + 1}`), { flags: each });
  };
  fill(made.inbox, [0, 1, 0]);
  fill(store.addMailbox(ALICE.id, 'Lists').id, [1]);
  fill(store.addMailbox(ALICE.id, 'Lists/a').id, [1, 0]);
  fill(store.addMailbox(ALICE.id, 'Lists/a/deep').id, [0]);
  store.addMailbox(ALICE.id, 'Lists/b', null, true);
  fill(store.addMailbox(ALICE.id, 'Gr\u00fc\u00dfe', null, true).id, [0]);
  return made;
}

const validity = (made: TestServer, name: string): number => made.store.mailboxByName(ALICE.id, name)!.uidValidity;

/** The lines of the mailboxes that have results. */
function lines(made: TestServer, tag: string, found: Readonly<Record<string, string>>): string {
  return Object.entries(found)
    .map(
      ([name, items]) =>
        `S: * ESEARCH (TAG "${tag}" MAILBOX ${name === 'Gr\u00fc\u00dfe' ? 'Gr&APwA3w-e' : name} UIDVALIDITY ${validity(made, name)}) UID ${items}`,
    )
    .join('\n');
}

test('ESEARCH searches the mailboxes that are named, without selecting one', async () => {
  const made = server();
  const client = await made.client();
  await talk(
    client,
    `C: a ESEARCH IN (mailboxes INBOX subtree "Lists") UNSEEN
    ${lines(made, 'a', { INBOX: 'ALL 1,3', 'Lists/a': 'ALL 2', 'Lists/a/deep': 'ALL 1' })}
    S: a OK ESEARCH completed
    C: b ESEARCH IN (subtree-one Lists) RETURN (COUNT MIN) ALL
    ${lines(made, 'b', { Lists: 'MIN 1 COUNT 1', 'Lists/a': 'MIN 1 COUNT 2' })}
    S: b OK ESEARCH completed
    C: c ESEARCH IN (mailboxes ("Lists/a" INBOX Nowhere "Lists/b")) RETURN (PARTIAL 1:1) UNSEEN
    ${lines(made, 'c', { 'Lists/a': 'PARTIAL (1:1 2)', INBOX: 'PARTIAL (1:1 1)' })}
    S: c OK ESEARCH completed
    C: d UID ESEARCH IN (personal) UNSEEN SUBJECT "message 1"
    ${lines(made, 'd', { 'Gr\u00fc\u00dfe': 'ALL 1', INBOX: 'ALL 1', 'Lists/a/deep': 'ALL 1' })}
    S: d OK ESEARCH completed
    C: e ESEARCH IN (subscribed) ALL
    ${lines(made, 'e', { 'Gr\u00fc\u00dfe': 'ALL 1', INBOX: 'ALL 1:3' })}
    S: e OK ESEARCH completed
    C: f ESEARCH IN (inboxes) 2:*
    ${lines(made, 'f', { 'Gr\u00fc\u00dfe': 'ALL 1', INBOX: 'ALL 2:3', Lists: 'ALL 1', 'Lists/a': 'ALL 2', 'Lists/a/deep': 'ALL 1' })}
    S: f OK ESEARCH completed
    C: g ESEARCH IN (personal) SUBJECT nowhere
    S: g OK ESEARCH completed
    C: h NOOP
    S: h OK NOOP completed`,
  );
});

test('ESEARCH of the selected mailbox: by its uids, also saved; anything else than "selected" is not', async () => {
  const made = server();
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: a ESEARCH UNSEEN
    ${lines(made, 'a', { INBOX: 'ALL 1,3' })}
    S: a OK ESEARCH completed
    C: b ESEARCH IN (selected) RETURN (SAVE COUNT) UNSEEN
    ${lines(made, 'b', { INBOX: 'COUNT 2' })}
    S: b OK ESEARCH completed
    C: c FETCH $ UID
    S: * 1 FETCH (UID 1)
    S: * 3 FETCH (UID 3)
    S: c OK FETCH completed
    C: d ESEARCH IN (selected mailboxes INBOX) $
    ${lines(made, 'd', { INBOX: 'ALL 1,3' })}
    S: d OK ESEARCH completed
    C: e ESEARCH IN (personal) RETURN (SAVE) ALL
    S: e BAD SAVE is possible for the selected mailbox alone
    C: f ESEARCH IN (mailboxes "Lists/a") $
    S: f OK ESEARCH completed
    C: g ESEARCH IN (mailboxes "Lists/a") MODSEQ 1
    S: * OK [HIGHESTMODSEQ ${made.store.mailboxById(ALICE.id, made.inbox)!.highestModseq}] CONDSTORE is on
    ${lines(made, 'g', { 'Lists/a': `ALL 1:2 MODSEQ ${made.store.mailboxByName(ALICE.id, 'Lists/a')!.highestModseq}` })}
    S: g OK ESEARCH completed`,
  );
});

test('ESEARCH that cannot be is refused', async () => {
  const made = server();
  const client = await made.client();
  await talk(
    client,
    `C: a ESEARCH UNSEEN
    S: a BAD ESEARCH of the selected mailbox needs one
    C: b ESEARCH IN (selected-delayed) ALL
    S: b BAD Unknown source of mailboxes SELECTED-DELAYED
    C: c ESEARCH IN () ALL
    S: c BAD an atom expected at byte 15
    C: d ESEARCH IN (personal (x 1)) ALL
    S: d BAD Scope options are not known here
    C: e ESEARCH IN (mailboxes) ALL
    S: e BAD a space expected at byte 24
    C: f ESEARCH IN (personal) CHARSET X-NONE ALL
    S: f NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
    C: g ESEARCH IN (personal)
    S: g BAD more arguments expected at byte 24
    C: h ESEARCH IN (mailboxes (${Array.from({ length: 201 }, (_, i) => `m${i}`).join(' ')})) ALL
    S: h BAD More than 200 entries in one list
    C: i ESEARCH IN (${'mailboxes m '.repeat(201)}personal) ALL
    S: i BAD Too many mailboxes are named`,
  );
});

test('no view of a mailbox stays behind after an ESEARCH', async () => {
  const made = server();
  const client = await made.client();
  await client.exchange('a ESEARCH IN (personal) TEXT nowhere\r\n');
  for (const { id } of made.store.mailboxes(ALICE.id)) assert.equal(made.store.watching(id), 0);
});

test('ESEARCH passes over mailboxes of others without "r", and without "l" where they are not named (RFC 7377 section 2.2)', async (t) => {
  const made = await SharingServer.start(t);
  const anna = await made.client(ANNA);
  for (const mailbox of ['INBOX', 'INBOX/Projects', 'Private'])
    assert.match(await anna.exchange(`a APPEND ${mailbox} {${letter('x').length}+}\r\n${letter('x')}\r\n`), /a OK/);
  for (const [mailbox, rights] of [
    ['INBOX', 'lr'],
    ['INBOX/Projects', 'r'],
    ['Private', 'l'],
  ])
    assert.match(await anna.exchange(`a SETACL ${mailbox} ${BERT} ${rights}\r\n`), /a OK/);
  const bert = await made.client(BERT);
  const found = async (sources: string): Promise<string[]> =>
    [...(await bert.exchange(`a ESEARCH IN (${sources}) ALL\r\n`)).matchAll(/MAILBOX (?:"([^"]+)"|(\S+)) UIDVALIDITY \d+\) UID ALL 1\r/g)].map(
      (match) => match[1] ?? match[2]!,
    );
  const theirs = `Other Users/${ANNA}`;
  assert.deepEqual(await found('personal'), []);
  assert.deepEqual(await found(`mailboxes ("${theirs}/INBOX" "${theirs}/INBOX/Projects" "${theirs}/Private")`), [
    `${theirs}/INBOX`,
    `${theirs}/INBOX/Projects`,
  ]);
  assert.deepEqual(await found('subtree "Other Users"'), [`${theirs}/INBOX`]);
  assert.deepEqual(await found(`subtree "${theirs}/INBOX"`), [`${theirs}/INBOX`]);
  assert.deepEqual(await found('subscribed'), []);
  await bert.exchange(`s SUBSCRIBE "${theirs}/INBOX"\r\n`);
  assert.deepEqual(await found('subscribed'), [`${theirs}/INBOX`]);
  assert.match(await anna.exchange(`a DELETEACL INBOX ${BERT}\r\n`), /a OK/);
  assert.deepEqual(await found('subscribed'), []);
});
